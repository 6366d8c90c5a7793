#include "actions/http/spellings.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* The middle of a base64 text that is the same whatever stands around the secret; shorter ones would be found by
 * chance. */
enum { BASE64_MIN = 8 };

static void add_buf(struct redact *r, struct buf *b)
{
	redact_add_spelling(r, buf_str(b), b->len);
	buf_free(b);
}

/* ---- URLs ---- */

static bool unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c));
}

static void add_percent(struct redact *r, const char *p, size_t n, const char *kept, bool plus, const char *format)
{
	struct buf b = BUF_INIT;
	size_t i;

	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c == ' ' && plus)
			buf_putc(&b, '+');
		else if (unreserved(c) || (c && strchr(kept, c)))
			buf_putc(&b, (char)c);
		else
			buf_printf(&b, *format == 'x' ? "%%%02x" : "%%%02X", c);
	}
	add_buf(r, &b);
}

static void add_url(struct redact *r, const char *p, size_t n)
{
	/* All that may stay: what RFC 3986 lets stand in a path or query, what encodeURIComponent leaves, what a form leaves. */
	static const char *const kept[] = {"", "!'()*", "*", ":/@!$&'()*,;=?", ":/@!$'()*,;?", "/"};
	size_t k;

	for (k = 0; k < sizeof kept / sizeof *kept; k++) {
		add_percent(r, p, n, kept[k], false, "X");
		add_percent(r, p, n, kept[k], false, "x");
		add_percent(r, p, n, kept[k], true, "X");
		add_percent(r, p, n, kept[k], true, "x");
	}
}

/* ---- JSON and HTML ---- */

/* The UTF-16 escape of the sequence of length bytes at p. */
static void put_u(struct buf *b, const unsigned char *p, size_t length, bool upper)
{
	unsigned long c = length == 1 ? p[0] : length == 2 ? p[0] & 0x1f : length == 3 ? p[0] & 0x0f : p[0] & 0x07;
	size_t i;

	for (i = 1; i < length; i++)
		c = c << 6 | (p[i] & 0x3f);
	if (c >= 0x10000) {
		c -= 0x10000;
		buf_printf(b, upper ? "\\u%04lX" : "\\u%04lx", 0xd800 + (c >> 10));
		c = 0xdc00 + (c & 0x3ff);
	}
	buf_printf(b, upper ? "\\u%04lX" : "\\u%04lx", c);
}

enum json_style { JSON_PLAIN = 0, JSON_SLASH = 1, JSON_ASCII = 2, JSON_UPPER = 4, JSON_HTML = 8 };

static void add_json_style(struct redact *r, const char *p, size_t n, unsigned style)
{
	static const char shorts[] = "\b\f\n\r\t", letters[] = "bfnrt";
	struct buf b = BUF_INIT;
	size_t i = 0, length;

	for (; i < n; i += length) {
		unsigned char c = (unsigned char)p[i];
		const char *at = c ? strchr(shorts, c) : NULL;

		length = text_utf8_len(p + i, n - i);
		if (length == 0)
			length = 1;
		if (c == '"' || c == '\\' || (c == '/' && (style & JSON_SLASH)))
			buf_printf(&b, "\\%c", c);
		else if (at)
			buf_printf(&b, "\\%c", letters[at - shorts]);
		else if (c < 0x20 || (c >= 0x7f && (style & JSON_ASCII)) ||
			 ((style & JSON_HTML) && strchr("<>&'", c)))
			put_u(&b, (const unsigned char *)p + i, length, style & JSON_UPPER);
		else
			buf_put(&b, p + i, length);
	}
	add_buf(r, &b);
}

static void add_json(struct redact *r, const char *p, size_t n)
{
	unsigned style;

	for (style = 0; style < 16; style++)
		add_json_style(r, p, n, style);
}

static void add_html(struct redact *r, const char *p, size_t n, const char *apostrophe, const char *quote)
{
	struct buf b = BUF_INIT;
	size_t i;

	for (i = 0; i < n; i++) {
		switch (p[i]) {
		case '&':
			buf_puts(&b, "&amp;");
			break;
		case '<':
			buf_puts(&b, "&lt;");
			break;
		case '>':
			buf_puts(&b, "&gt;");
			break;
		case '"':
			buf_puts(&b, quote);
			break;
		case '\'':
			buf_puts(&b, apostrophe);
			break;
		default:
			buf_putc(&b, p[i]);
		}
	}
	add_buf(r, &b);
}

/* ---- base64 ---- */

static void add_both_alphabets(struct redact *r, const char *text, size_t n)
{
	AUTO_FREE char *url = xstrndup(text, n);
	size_t i;

	redact_add_spelling(r, text, n);
	for (i = 0; i < n; i++)
		url[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
	redact_add_spelling(r, url, n);
}

/* With `before` bytes of something else in front: the characters that only the secret decides. */
static void add_base64(struct redact *r, const char *p, size_t n, size_t before)
{
	AUTO_FREE unsigned char *bytes = xcalloc(1, n + before + 1);
	AUTO_FREE char *text = xmalloc((n + before + 2) / 3 * 4 + 1);
	size_t from = (before * 8 + 5) / 6, to = (before + n) * 8 / 6;

	memcpy(bytes + before, p, n);
	EVP_EncodeBlock((unsigned char *)text, bytes, (int)(n + before));
	if (to >= from + BASE64_MIN)
		add_both_alphabets(r, text + from, to - from);
	/* Alone, up to its end: the last character may hold bits of nothing. */
	if (before == 0 && to >= BASE64_MIN - 2) {
		size_t whole = strlen(text);

		while (whole > 0 && text[whole - 1] == '=')
			whole--;
		add_both_alphabets(r, text, whole);
	}
}

void redact_add(struct redact *r, const char *secret, size_t n)
{
	size_t before;

	if (n < REDACT_MIN)
		return;
	redact_add_spelling(r, secret, n);
	add_url(r, secret, n);
	add_json(r, secret, n);
	add_html(r, secret, n, "&#39;", "&quot;");
	add_html(r, secret, n, "&#x27;", "&#34;");
	add_html(r, secret, n, "&apos;", "&quot;");
	for (before = 0; before < 3; before++)
		add_base64(r, secret, n, before);
}
