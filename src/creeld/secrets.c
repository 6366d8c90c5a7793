#include "creeld/secrets.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

/* ---- reading ---- */

/* A file that others can read or write is no place for a secret. */
static int check_private(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot look at %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EBADMSG, "%s is no regular file", path);
	if (st.st_uid != geteuid())
		return err_set(e, EBADMSG, "%s does not belong to the daemon's user: chown it", path);
	if (st.st_mode & 077)
		return err_set(e, EBADMSG, "others than its owner have access to %s: chmod 600 it", path);
	return 0;
}

/* 1: read; 0: it is not there; -1: *e. */
static int read_from(const char *dir, const char *name, bool own, struct buf *out, struct err *e)
{
	AUTO_FREE char *path = xasprintf("%s/%s", dir, name);
	int fd, r = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (own ? O_NOFOLLOW : 0));
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_sys(e, errno, "cannot open %s", path);
	if (own)
		r = check_private(fd, path, e);
	if (r == 0)
		r = fs_read_fd(fd, path, SECRET_MAX, out, e);
	close(fd);
	return r < 0 ? -1 : 1;
}

static int check_value(const char *name, const struct buf *value, struct err *e)
{
	if (value->len > 0 && memchr(value->p, '\0', value->len))
		return err_set(e, EBADMSG, "the secret \"%s\" holds a NUL byte, which no environment variable can", name);
	if (value->len < SECRET_MIN)
		return err_set(e, EBADMSG, "the secret \"%s\" has less than %d bytes: it could not be masked in what is recorded",
			       name, SECRET_MIN);
	return 0;
}

static int find(const struct daemon *d, const char *name, struct buf *out, struct err *e)
{
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	int r = 0;

	if (strchr(name, '/') || name[0] == '.' || !name[0])
		return err_set(e, EBADMSG, "\"%s\" cannot be the name of a secret", name);
	if (!credentials && !d->config.secrets_dir)
		return err_set(e, EBADMSG,
			       "the secret \"%s\" is wanted, and creeld has neither CREDENTIALS_DIRECTORY nor secrets_dir", name);
	if (credentials)
		r = read_from(credentials, name, false, out, e);
	if (r == 0 && d->config.secrets_dir)
		r = read_from(d->config.secrets_dir, name, true, out, e);
	if (r == 0)
		return err_set(e, EBADMSG, "there is no secret \"%s\" in %s%s%s", name,
			       credentials ? credentials : "", credentials && d->config.secrets_dir ? " or " : "",
			       d->config.secrets_dir ? d->config.secrets_dir : "");
	return r < 0 ? -1 : 0;
}

int secret_read(const struct daemon *d, const char *name, struct buf *out, struct err *e)
{
	AUTO_BUF struct buf value = BUF_INIT;
	int r = find(d, name, &value, e);

	while (r == 0 && value.len > 0 && value.p[value.len - 1] == '\n')
		value.p[--value.len] = '\0';
	if (r == 0)
		r = check_value(name, &value, e);
	if (r == 0)
		buf_put(out, value.p, value.len);
	else
		e->code = EBADMSG;
	if (value.p)
		explicit_bzero(value.p, value.cap);
	return r;
}

/* ---- marks ---- */

bool secrets_marked(const struct exec *x, const char *text, size_t n)
{
	return x->nonce[0] && memmem(text, n, x->nonce, strlen(x->nonce));
}

static void note(struct secrets *used, const char *value)
{
	size_t k;

	for (k = 0; k < used->values.n; k++)
		if (strcmp(used->values.v[k], value) == 0)
			return;
	vec_push(&used->values, xstrdup(value));
}

int secrets_reveal(const struct daemon *d, const struct exec *x, const char *text, struct buf *out,
		   struct secrets *used, struct err *e)
{
	AUTO_FREE char *mark = xasprintf("\x01%s:", x->nonce);
	const char *at;

	while (x->nonce[0] && (at = strstr(text, mark))) {
		const char *name = at + strlen(mark), *end = strchr(name, '\x02');
		AUTO_FREE char *word = NULL;
		size_t start;

		if (!end)
			break;
		buf_put(out, text, (size_t)(at - text));
		word = xstrndup(name, (size_t)(end - name));
		start = out->len;
		if (secret_read(d, word, out, e) < 0)
			return -1;
		note(used, out->p + start);
		text = end + 1;
	}
	buf_puts(out, text);
	return 0;
}

char *secrets_hide(const struct exec *x, const char *json)
{
	/* jansson writes control characters as \u00XX. */
	AUTO_FREE char *mark = xasprintf("\\u0001%s:", x->nonce);
	struct buf shown = BUF_INIT;
	const char *at, *end;

	while (x->nonce[0] && (at = strstr(json, mark)) && (end = strstr(at, "\\u0002"))) {
		buf_put(&shown, json, (size_t)(at - json));
		buf_puts(&shown, "***");
		json = end + 6;
	}
	buf_puts(&shown, json);
	return buf_steal(&shown);
}

/* ---- for the supervisor ---- */

static void lower_escapes(char *s)
{
	for (; *s; s++) {
		if (*s != '\\' || !s[1])
			continue;
		s++;
		for (int k = 1; *s == 'u' && k <= 4 && s[k]; k++)
			s[k] = (char)tolower((unsigned char)s[k]);
	}
}

/* An action may write JSON by a library that escapes what is not ASCII, or slashes. */
static void add_spellings(struct secrets *all, const char *value)
{
	static const size_t flags[] = {0, JSON_ENSURE_ASCII, JSON_ESCAPE_SLASH, JSON_ENSURE_ASCII | JSON_ESCAPE_SLASH};
	json_t *s = json_string(value); /* NULL if it is no UTF-8: then it is in no JSON */
	size_t k;

	for (k = 0; s && k < sizeof flags / sizeof *flags; k++) {
		AUTO_FREE char *text = json_dumps(s, JSON_ENCODE_ANY | flags[k]);

		if (!text)
			continue;
		text[strlen(text) - 1] = '\0'; /* the quotes */
		note(all, text + 1);
		lower_escapes(text + 1);
		note(all, text + 1);
	}
	json_decref(s);
}

void secrets_put(const struct secrets *used, struct buf *spec)
{
	struct secrets all = {0};
	size_t k;

	for (k = 0; k < used->values.n; k++) {
		note(&all, used->values.v[k]);
		add_spellings(&all, used->values.v[k]);
	}
	for (k = 0; k < all.values.n; k++) {
		buf_puts(spec, "secret=");
		buf_puts(spec, all.values.v[k]);
		buf_putc(spec, '\0');
	}
	secrets_free(&all);
}

void secrets_free(struct secrets *used)
{
	size_t k;

	for (k = 0; k < used->values.n; k++) {
		explicit_bzero(used->values.v[k], strlen(used->values.v[k]));
		free(used->values.v[k]);
	}
	vec_free(&used->values);
}
