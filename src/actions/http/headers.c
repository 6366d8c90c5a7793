#include "actions/http/headers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

struct header *headers_add(struct headers *h, const char *name, const char *value)
{
	if (h->n == h->cap) {
		h->cap = h->cap ? h->cap * 2 : 8;
		h->v = xreallocarray(h->v, h->cap, sizeof *h->v);
	}
	h->v[h->n] = (struct header){.name = xstrdup(name), .value = xstrdup(value)};
	return &h->v[h->n++];
}

struct header *headers_set(struct headers *h, const char *name, const char *value)
{
	headers_drop(h, name);
	return headers_add(h, name, value);
}

const char *headers_get(const struct headers *h, const char *name)
{
	size_t i;

	for (i = 0; i < h->n; i++)
		if (strcasecmp(h->v[i].name, name) == 0)
			return h->v[i].value;
	return NULL;
}

void headers_drop_at(struct headers *h, size_t i)
{
	free(h->v[i].name);
	free(h->v[i].value);
	memmove(h->v + i, h->v + i + 1, (h->n - i - 1) * sizeof *h->v);
	h->n--;
}

void headers_drop(struct headers *h, const char *name)
{
	size_t i = 0;

	while (i < h->n) {
		if (strcasecmp(h->v[i].name, name) == 0)
			headers_drop_at(h, i);
		else
			i++;
	}
}

void headers_copy(struct headers *to, const struct headers *from)
{
	size_t i;

	for (i = 0; i < from->n; i++)
		headers_add(to, from->v[i].name, from->v[i].value)->credential = from->v[i].credential;
}

void headers_free(struct headers *h)
{
	while (h->n > 0)
		headers_drop_at(h, h->n - 1);
	free(h->v);
	*h = (struct headers){0};
}

/* ---- what may be in one ---- */

bool header_name_ok(const char *name)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";
	const char *p;

	for (p = name; *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr(marks, *p)))
			return false;
	return p > name;
}

bool header_value_ok(const char *value, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (((unsigned char)value[i] < 0x20 && value[i] != '\t') || value[i] == 0x7f)
			return false;
	return true;
}

static bool is_one_of(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (strcasecmp(name, *list) == 0)
			return true;
	return false;
}

bool header_is_framing(const char *name)
{
	static const char *const list[] = {"Host",    "Content-Length", "Transfer-Encoding", "Connection",
					   "TE",      "Trailer",        "Upgrade",           "Expect",
					   "Keep-Alive", "Proxy-Connection", "Accept-Encoding", "HTTP2-Settings",
					   NULL};

	return is_one_of(name, list);
}

bool header_is_sensitive(const char *name)
{
	static const char *const list[] = {"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", NULL};
	static const char *const parts[] = {"token", "secret", "api-key", "apikey", "api_key", "password", "signature",
					    "credential", "session", "auth-key", "access-key", NULL};
	size_t i;

	/* Says which scheme is wanted, not a secret; and it is what one looks for when it fails. */
	if (strcasecmp(name, "WWW-Authenticate") == 0)
		return false;
	if (is_one_of(name, list))
		return true;
	for (i = 0; parts[i]; i++)
		if (strcasestr(name, parts[i]))
			return true;
	return false;
}
