#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "codec/schema_impl.h"

/* A run of bytes inside a URI; p NULL: the component is not there, which is not the same as empty. */
struct part {
	const char *p;
	size_t n;
};

struct uri {
	struct part scheme, authority, path, query, fragment;
};

static struct part take(const char **s, const char *stop)
{
	struct part part = {*s, strcspn(*s, stop)};

	*s += part.n;
	return part;
}

/* RFC 3986, appendix B. */
static struct uri split(const char *s)
{
	struct uri u = {0};
	size_t n = strcspn(s, ":/?#");

	if (n > 0 && s[n] == ':') {
		u.scheme = (struct part){s, n};
		s += n + 1;
	}
	if (s[0] == '/' && s[1] == '/') {
		s += 2;
		u.authority = take(&s, "/?#");
	}
	u.path = take(&s, "?#");
	if (*s == '?') {
		s++;
		u.query = take(&s, "#");
	}
	if (*s == '#')
		u.fragment = (struct part){s + 1, strlen(s + 1)};
	return u;
}

/* RFC 3986, 5.2.4, on the n bytes at p, appended to out. */
static void add_without_dots(struct buf *out, const char *p, size_t n)
{
	size_t start = out->len, i = 0;

	if (n >= 2 && memcmp(p, "./", 2) == 0)
		i = 2;
	else if (n >= 3 && memcmp(p, "../", 3) == 0)
		i = 3;
	while (i < n) {
		size_t from = i;
		size_t len;

		if (p[i] == '/')
			i++;
		len = i;
		while (i < n && p[i] != '/')
			i++;
		len = i - len;
		if (len == 1 && p[i - 1] == '.') {
			if (i == n && p[from] == '/')
				buf_putc(out, '/');
		} else if (len == 2 && p[i - 1] == '.' && p[i - 2] == '.') {
			while (out->len > start && out->p[--out->len] != '/')
				;
			if (i == n && p[from] == '/')
				buf_putc(out, '/');
		} else {
			buf_put(out, p + from, i - from);
		}
	}
}

static void merge_paths(struct buf *out, const struct uri *base, struct part path)
{
	struct buf whole = BUF_INIT;
	size_t keep = base->path.n;

	while (keep > 0 && base->path.p[keep - 1] != '/')
		keep--;
	if (base->authority.p && base->path.n == 0)
		buf_putc(&whole, '/');
	buf_put(&whole, base->path.p, keep);
	buf_put(&whole, path.p, path.n);
	add_without_dots(out, whole.p, whole.len);
	buf_free(&whole);
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static char *percent_decode(struct part s)
{
	struct buf b = BUF_INIT;
	size_t i;

	buf_reserve(&b, s.n);
	for (i = 0; i < s.n; i++) {
		if (s.p[i] != '%') {
			buf_putc(&b, s.p[i]);
			continue;
		}
		if (s.n - i < 3 || hex(s.p[i + 1]) < 0 || hex(s.p[i + 2]) < 0) {
			buf_free(&b);
			return NULL;
		}
		buf_putc(&b, (char)(hex(s.p[i + 1]) * 16 + hex(s.p[i + 2])));
		i += 2;
	}
	buf_put(&b, "", 0);
	return buf_steal(&b);
}

static void add_part(struct buf *out, const char *before, struct part part, const char *after)
{
	if (!part.p)
		return;
	buf_puts(out, before);
	buf_put(out, part.p, part.n);
	buf_puts(out, after);
}

/* RFC 3986, 5.2.2. */
char *schema_uri_resolve(const char *base_text, const char *reference, char **fragment)
{
	struct uri base = split(base_text), r = split(reference);
	struct buf out = BUF_INIT;

	*fragment = NULL;
	if (r.fragment.p) {
		*fragment = percent_decode(r.fragment);
		if (!*fragment)
			return NULL;
	}
	if (r.scheme.p) {
		add_part(&out, "", r.scheme, ":");
		add_part(&out, "//", r.authority, "");
		add_without_dots(&out, r.path.p, r.path.n);
		add_part(&out, "?", r.query, "");
		return buf_steal(&out);
	}
	add_part(&out, "", base.scheme, ":");
	add_part(&out, "//", r.authority.p ? r.authority : base.authority, "");
	if (r.authority.p || r.path.p[0] == '/')
		add_without_dots(&out, r.path.p, r.path.n);
	else if (r.path.n == 0)
		buf_put(&out, base.path.p, base.path.n);
	else
		merge_paths(&out, &base, r.path);
	add_part(&out, "?", r.query.p || r.path.n > 0 || r.authority.p ? r.query : base.query, "");
	return buf_steal(&out);
}

void schema_pointer_add(struct buf *b, const char *token, size_t n)
{
	size_t i;

	buf_putc(b, '/');
	for (i = 0; i < n; i++) {
		if (token[i] == '~')
			buf_puts(b, "~0");
		else if (token[i] == '/')
			buf_puts(b, "~1");
		else
			buf_putc(b, token[i]);
	}
}

bool schema_pointer_next(const char **pointer, struct buf *b)
{
	const char *s = *pointer;

	buf_reset(b);
	if (*s != '/')
		return false;
	for (s++; *s && *s != '/'; s++) {
		if (s[0] == '~' && (s[1] == '0' || s[1] == '1'))
			buf_putc(b, *++s == '0' ? '~' : '/');
		else
			buf_putc(b, *s);
	}
	buf_put(b, "", 0);
	*pointer = s;
	return true;
}
