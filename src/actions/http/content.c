#include "actions/http/content.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static void copy_lower(char *out, size_t size, const char *p, size_t n)
{
	size_t i;

	while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == '\t'))
		n--;
	for (i = 0; i < n && i + 1 < size; i++)
		out[i] = lower(p[i]);
	out[i] = '\0';
}

struct content_type content_type_parse(const char *field)
{
	struct content_type t = {"", ""};
	const char *p = field ? field + strspn(field, " \t") : "";
	size_t n = strcspn(p, ";,");

	copy_lower(t.type, sizeof t.type, p, n);
	for (p += n; *p == ';'; p += n) {
		p += 1 + strspn(p + 1, " \t");
		n = strcspn(p, ";");
		if (strncasecmp(p, "charset=", 8) == 0) {
			bool quoted = p[8] == '"';

			copy_lower(t.charset, sizeof t.charset, p + 8 + quoted, strcspn(p + 8 + quoted, quoted ? "\"" : "; \t"));
		}
	}
	return t;
}

bool content_type_is(const struct content_type *t, const char *wanted)
{
	struct content_type other = content_type_parse(wanted);

	return *t->type && strcmp(t->type, other.type) == 0;
}

enum content content_of(const struct content_type *t, const char *api_json)
{
	static const char *const texts[] = {"application/xml", "application/javascript", "application/ecmascript",
					    "application/x-www-form-urlencoded", "application/yaml", "application/x-yaml",
					    "application/toml", "application/csv", "application/graphql", "application/sql",
					    "application/x-ndjson", "application/jsonl", "application/json-seq",
					    "application/x-sh", "image/svg+xml", "message/rfc822"};
	size_t k;

	if (!*t->type)
		return CONTENT_UNSAID;
	if (strcmp(t->type, "application/json") == 0 || text_ends_with(t->type, "+json") ||
	    (api_json && content_type_is(t, api_json)))
		return CONTENT_JSON;
	if (text_starts_with(t->type, "text/") || text_ends_with(t->type, "+xml") || text_ends_with(t->type, "+yaml"))
		return CONTENT_TEXT;
	for (k = 0; k < sizeof texts / sizeof *texts; k++)
		if (strcmp(t->type, texts[k]) == 0)
			return CONTENT_TEXT;
	return CONTENT_BINARY;
}

/* ---- charsets ---- */

static char *convert(iconv_t how, const char *p, size_t n, size_t *out_n)
{
	char *in = (char *)(uintptr_t)p, chunk[4096], *to;
	struct buf b = BUF_INIT;
	size_t left = n, room, r;

	do {
		to = chunk;
		room = sizeof chunk;
		r = iconv(how, left > 0 ? &in : NULL, &left, &to, &room);
		buf_put(&b, chunk, sizeof chunk - room);
	} while ((r == (size_t)-1 && errno == E2BIG) || (r != (size_t)-1 && in && left > 0));
	if (r == (size_t)-1) {
		buf_free(&b);
		return NULL;
	}
	*out_n = b.len;
	buf_putc(&b, '\0');
	return buf_steal(&b);
}

char *content_to_utf8(const struct content_type *t, const char *p, size_t n, size_t *out_n, struct err *e)
{
	const char *charset = *t->charset ? t->charset : "utf-8";
	char *text = NULL;
	iconv_t how;

	if (strcmp(charset, "utf-8") == 0 || strcmp(charset, "utf8") == 0 || strcmp(charset, "us-ascii") == 0) {
		if (text_is_utf8(p, n) && !memchr(p, '\0', n)) {
			*out_n = n;
			return xstrndup(p, n);
		}
		err_set(e, EBADMSG, "its text is not UTF-8, or has a NUL in it");
		return NULL;
	}
	how = iconv_open("UTF-8", charset);
	if (how == (iconv_t)-1) {
		err_set(e, EBADMSG, "its charset \"%s\" is not known", charset);
		return NULL;
	}
	text = convert(how, p, n, out_n);
	iconv_close(how);
	if (text && memchr(text, '\0', *out_n)) {
		free(text);
		text = NULL;
	}
	if (!text)
		err_set(e, EBADMSG, "its text is not in its charset \"%s\"", charset);
	return text;
}

json_t *content_json(const char *p, size_t n, struct err *e)
{
	json_error_t wrong;
	json_t *v;

	if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
		p += 3;
		n -= 3;
	}
	v = json_loadb(p, n, JSON_DECODE_ANY, &wrong);
	if (v)
		return v;
	/* Right, and beyond what can be held here: NUL in a text, a number above 64 bits. */
	v = json_loadb(p, n, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
	err_set(e, v ? ERANGE : EBADMSG, "line %d, column %d: %s", wrong.line, wrong.column, wrong.text);
	json_decref(v);
	return NULL;
}
