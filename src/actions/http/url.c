#include "actions/http/url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"

enum { PORT_MAX = 65535 };

/* The parts of a URL, as they stand in it. */
struct parts {
	const char *scheme, *authority, *path, *query; /* authority, query: NULL if there is none; query without its ? */
	size_t scheme_n, authority_n, path_n, query_n;
};

/* ---- taking apart ---- */

/* RFC 3986, appendix B; the fragment is passed over. */
static void split(const char *text, struct parts *p)
{
	size_t end = strcspn(text, "#"), n = strcspn(text, ":/?#");

	*p = (struct parts){0};
	if (text[n] == ':') {
		p->scheme = text;
		p->scheme_n = n;
		text += n + 1;
		end -= n + 1;
	}
	if (end >= 2 && text[0] == '/' && text[1] == '/') {
		p->authority = text + 2;
		p->authority_n = strcspn(p->authority, "/?#");
		end -= 2 + p->authority_n;
		text = p->authority + p->authority_n;
	}
	p->path = text;
	p->path_n = strcspn(text, "?#");
	if (p->path_n < end) {
		p->query = text + p->path_n + 1;
		p->query_n = end - p->path_n - 1;
	}
}

static bool is_scheme(const struct parts *p, const char *name)
{
	return p->scheme && strlen(name) == p->scheme_n && strncasecmp(p->scheme, name, p->scheme_n) == 0;
}

static bool is_host(const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!((p[i] >= 'a' && p[i] <= 'z') || (p[i] >= 'A' && p[i] <= 'Z') || (p[i] >= '0' && p[i] <= '9') ||
		      p[i] == '.' || p[i] == '-' || p[i] == '_'))
			return false;
	return n > 0;
}

static bool is_bracketed(const char *p, size_t n)
{
	AUTO_FREE char *address = n > 2 && p[n - 1] == ']' ? xstrndup(p + 1, n - 2) : NULL;
	unsigned char bytes[16];

	return address && inet_pton(AF_INET6, address, bytes) == 1;
}

static void put_lower(struct buf *out, const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		buf_putc(out, p[i] >= 'A' && p[i] <= 'Z' ? (char)(p[i] + ('a' - 'A')) : p[i]);
}

/* Host and port, canonical. */
static int put_authority(struct buf *out, const char *p, size_t n, bool https, struct err *e)
{
	const char *bracket = n > 0 && *p == '[' ? memchr(p, ']', n) : NULL;
	const char *colon = bracket ? bracket + 1 : memchr(p, ':', n);
	size_t host_n = colon && colon < p + n ? (size_t)(colon - p) : n;
	AUTO_FREE char *port = host_n < n ? xstrndup(p + host_n + 1, n - host_n - 1) : NULL;
	uint64_t number = 0;

	if (bracket ? !is_bracketed(p, host_n) : !is_host(p, host_n))
		return err_set(e, EBADMSG, "the URL has no host that can be asked: a name in ASCII (xn--… for other scripts), an "
			       "IPv4 address, or an IPv6 address in brackets");
	if (host_n < n && p[host_n] != ':')
		return err_set(e, EBADMSG, "the URL has something behind its host");
	if (port && *port && (!text_to_u64(port, &number) || number == 0 || number > PORT_MAX))
		return err_set(e, EBADMSG, "the port in the URL must be a number from 1 to %d", PORT_MAX);
	put_lower(out, p, host_n);
	if (number > 0 && number != (https ? 443 : 80))
		buf_printf(out, ":%llu", (unsigned long long)number);
	return 0;
}

/* ---- putting together ---- */

void url_put_literal(struct buf *out, const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c <= 0x20 || c >= 0x7f || strchr("\"<>\\^`{|}", c))
			buf_printf(out, "%%%02X", c);
		else
			buf_putc(out, (char)c);
	}
}

static bool is_segment(const char *p, size_t n, const char *dots)
{
	return strlen(dots) == n && memcmp(p, dots, n) == 0;
}

/* RFC 3986 section 5.2.4, segment by segment. */
static void put_path(struct buf *out, const char *p, size_t n)
{
	size_t start = out->len, i = n > 0 && *p == '/' ? 1 : 0, length;

	buf_putc(out, '/');
	while (i <= n) {
		const char *slash = memchr(p + i, '/', n - i);

		length = slash ? (size_t)(slash - p) - i : n - i;
		if (is_segment(p + i, length, "..")) {
			/* Without the last segment, which may be empty, and the slash behind it. */
			if (out->len > start + 1)
				out->len--;
			while (out->len > start + 1 && out->p[out->len - 1] != '/')
				out->len--;
		} else if (!is_segment(p + i, length, ".")) {
			url_put_literal(out, p + i, length);
			if (slash)
				buf_putc(out, '/');
		}
		i += length + 1;
	}
	out->p[out->len] = '\0';
}

static int check_characters(const char *text, struct err *e)
{
	const char *p;

	for (p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return err_set(e, EBADMSG, "the URL has a control character in it");
	return 0;
}

/* path is what it is after resolution. */
static char *assemble(const struct parts *p, const char *path, size_t path_n, struct err *e)
{
	bool https = is_scheme(p, "https");
	struct buf out = BUF_INIT;

	if (!https && !is_scheme(p, "http")) {
		err_set(e, EBADMSG, "the URL is neither http nor https");
		return NULL;
	}
	buf_puts(&out, https ? "https://" : "http://");
	if (!p->authority || put_authority(&out, p->authority, p->authority_n, https, e) < 0) {
		if (!p->authority)
			err_set(e, EBADMSG, "the URL has no host");
		buf_free(&out);
		return NULL;
	}
	put_path(&out, path, path_n);
	if (p->query) {
		buf_putc(&out, '?');
		url_put_literal(&out, p->query, p->query_n);
	}
	return buf_steal(&out);
}

char *url_check(const char *text, struct err *e)
{
	struct parts p;

	split(text, &p);
	if (check_characters(text, e) < 0)
		return NULL;
	if (p.authority && memchr(p.authority, '@', p.authority_n)) {
		err_set(e, EBADMSG, "user and password stand in the URL: use the definition's authentication");
		return NULL;
	}
	return assemble(&p, p.path, p.path_n, e);
}

/* RFC 3986 section 5.3: what a reference does not say, the base says. */
char *url_resolve(const char *base, const char *location, struct err *e)
{
	AUTO_BUF struct buf merged = BUF_INIT;
	struct parts b, p;
	const char *at;

	split(base, &b);
	split(location, &p);
	if (check_characters(location, e) < 0)
		return NULL;
	at = p.authority ? memrchr(p.authority, '@', p.authority_n) : NULL;
	if (at) {
		p.authority_n -= (size_t)(at + 1 - p.authority);
		p.authority = at + 1;
	}
	if (p.scheme)
		return assemble(&p, p.path, p.path_n, e);
	p.scheme = b.scheme;
	p.scheme_n = b.scheme_n;
	if (p.authority)
		return assemble(&p, p.path, p.path_n, e);
	p.authority = b.authority;
	p.authority_n = b.authority_n;
	if (p.path_n == 0) {
		buf_put(&merged, b.path, b.path_n);
		if (!p.query) {
			p.query = b.query;
			p.query_n = b.query_n;
		}
	} else if (*p.path == '/') {
		buf_put(&merged, p.path, p.path_n);
	} else {
		at = memrchr(b.path, '/', b.path_n);
		buf_put(&merged, b.path, at ? (size_t)(at + 1 - b.path) : 0);
		buf_put(&merged, p.path, p.path_n);
	}
	return assemble(&p, buf_str(&merged), merged.len, e);
}

/* ---- canonical ones ---- */

char *url_origin(const char *url)
{
	bool https = url_is_https(url);
	struct parts p;
	const char *colon;

	split(url, &p);
	if (!p.scheme || !p.authority)
		return xstrdup("?");
	colon = memrchr(p.authority, ':', p.authority_n);
	if (colon && !memchr(colon, ']', p.authority_n - (size_t)(colon - p.authority)))
		return xasprintf("%.*s://%.*s", (int)p.scheme_n, p.scheme, (int)p.authority_n, p.authority);
	return xasprintf("%.*s://%.*s:%d", (int)p.scheme_n, p.scheme, (int)p.authority_n, p.authority, https ? 443 : 80);
}

bool url_same_origin(const char *a, const char *b)
{
	AUTO_FREE char *one = url_origin(a), *two = url_origin(b);

	return *one != '?' && strcasecmp(one, two) == 0;
}

bool url_is_https(const char *url)
{
	return strncasecmp(url, "https:", 6) == 0;
}

char *url_host(const char *url)
{
	struct parts p;
	size_t n;

	split(url, &p);
	if (!p.authority)
		return xstrdup("");
	if (*p.authority == '[') {
		n = strcspn(p.authority, "]");
		return xstrndup(p.authority + 1, n - 1);
	}
	n = strcspn(p.authority, ":/?#");
	return xstrndup(p.authority, n);
}

char *url_add_parameter(const char *url, const char *name, const char *value)
{
	struct buf b = BUF_INIT;

	buf_puts(&b, url);
	buf_putc(&b, strchr(url, '?') ? '&' : '?');
	template_percent(&b, PLACE_QUERY, name, strlen(name));
	buf_putc(&b, '=');
	template_percent(&b, PLACE_QUERY, value, strlen(value));
	return buf_steal(&b);
}
