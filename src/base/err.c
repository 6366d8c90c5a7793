#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A cut must not leave half a character: the text goes into JSON. */
static void trim(struct err *e)
{
	size_t n = strlen(e->text), back;

	if (n + 1 < sizeof e->text)
		return;
	for (back = 1; back <= 4 && back <= n; back++)
		if (((unsigned char)e->text[n - back] & 0xc0) != 0x80)
			break;
	if (back <= n && (unsigned char)e->text[n - back] >= 0xc0)
		e->text[n - back] = '\0';
}

__attribute__((format(printf, 3, 0))) static void format(struct err *e, int code, const char *fmt, va_list ap)
{
	e->code = code;
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	trim(e);
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (e) {
		va_start(ap, fmt);
		format(e, code, fmt, ap);
		va_end(ap);
	}
	return -1;
}

int err_sys(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	if (e) {
		va_start(ap, fmt);
		format(e, code, fmt, ap);
		va_end(ap);
		n = strlen(e->text);
		snprintf(e->text + n, sizeof e->text - n, ": %s", strerror(code));
		trim(e);
	}
	return -1;
}

int err_prefix(struct err *e, const char *fmt, ...)
{
	char old[sizeof e->text];
	va_list ap;
	size_t n;

	if (e) {
		memcpy(old, e->text, sizeof old);
		va_start(ap, fmt);
		format(e, e->code, fmt, ap);
		va_end(ap);
		n = strlen(e->text);
		snprintf(e->text + n, sizeof e->text - n, ": %s", old);
		trim(e);
	}
	return -1;
}

bool err_is_passing(int code)
{
	switch (code) {
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
	case ENOSPC:
	case EDQUOT:
	case EAGAIN:
	case EINTR:
	case EIO:
	case EROFS:
	case ESTALE:
	case ETIMEDOUT:
		return true;
	default:
		return false;
	}
}
