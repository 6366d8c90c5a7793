#include "actions/http/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"

static bool refuse(struct reply_reader *r, enum stop stop, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Hidden before it is cut: what is cut off a secret cannot be found any more. */
static void copy_hidden(const struct reply_reader *r, char *out, size_t size, const char *p, size_t n)
{
	AUTO_BUF struct buf shown = BUF_INIT;

	redact_text(r->secrets, p, n, SIZE_MAX, &shown);
	snprintf(out, size, "%s", buf_str(&shown));
}

static bool refuse(struct reply_reader *r, enum stop stop, const char *fmt, ...)
{
	AUTO_BUF struct buf why = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&why, fmt, ap);
	va_end(ap);
	r->x->stop = stop;
	copy_hidden(r, r->x->message, sizeof r->x->message, buf_str(&why), why.len);
	return false;
}

/* "HTTP/1.1 200 OK": a new head begins, also after one of a 1xx answer.  libcurl has checked its form. */
static bool status_line(struct reply_reader *r, const char *line, size_t n)
{
	struct exchange *x = r->x;
	const char *p = memchr(line, ' ', n), *end = line + n;

	headers_free(&x->reply);
	x->status = p ? (int)strtol(p + 1, NULL, 10) : 0;
	p = p ? p + strspn(p, " ") : end;
	while (p < end && *p != ' ')
		p++;
	while (p < end && *p == ' ')
		p++;
	copy_hidden(r, x->reason, sizeof x->reason, p, (size_t)(end - p));
	r->body_begun = r->has_length = false;
	return true;
}

/* Every element of a list like "6, 6", and every such field, must be the same number. */
static bool check_length(struct reply_reader *r, const char *value)
{
	AUTO_FREE char *copy = xstrdup(value);
	char *rest = copy, *word, *end;
	uint64_t length;

	while ((word = strsep(&rest, ","))) {
		word += strspn(word, " \t");
		for (end = word + strlen(word); end > word && (end[-1] == ' ' || end[-1] == '\t'); end--)
			end[-1] = '\0';
		if (!text_to_u64(word, &length) || length > INT64_MAX)
			return refuse(r, STOP_REPLY, "its Content-Length \"%s\" is no length", value);
		if (r->has_length && length != r->length)
			return refuse(r, STOP_REPLY, "its Content-Length is %llu and \"%s\"", (unsigned long long)r->length,
				      value);
		r->length = length;
		r->has_length = true;
	}
	return true;
}

static bool check_coding(struct reply_reader *r, const char *value)
{
	if (strcasecmp(value, "chunked") != 0 && strcasecmp(value, "identity") != 0)
		return refuse(r, STOP_REPLY, "it has the Transfer-Encoding \"%s\", which was not asked for", value);
	return true;
}

static bool check_field(struct reply_reader *r, const char *name, const char *value)
{
	const char *before = headers_get(&r->x->reply, name);

	if (strcasecmp(name, "Content-Length") == 0)
		return check_length(r, value);
	if (strcasecmp(name, "Transfer-Encoding") == 0)
		return check_coding(r, value);
	if (strcasecmp(name, "Location") == 0 && before && strcmp(before, value) != 0)
		return refuse(r, STOP_REPLY, "it has two Location fields that differ");
	return true;
}

static bool field(struct reply_reader *r, const char *line, size_t n)
{
	const char *colon = memchr(line, ':', n);
	AUTO_FREE char *name = NULL, *value = NULL;
	size_t from, to = n;

	if (memchr(line, '\r', n) || memchr(line, '\0', n))
		return refuse(r, STOP_REPLY, "it has a control character in a header");
	if (!colon || *line == ' ' || *line == '\t')
		return refuse(r, STOP_REPLY, "it has a header line without a name");
	name = xstrndup(line, (size_t)(colon - line));
	from = (size_t)(colon - line) + 1;
	while (from < to && (line[from] == ' ' || line[from] == '\t'))
		from++;
	while (to > from && (line[to - 1] == ' ' || line[to - 1] == '\t'))
		to--;
	value = xstrndup(line + from, to - from);
	if (!header_name_ok(name))
		return refuse(r, STOP_REPLY, "it has a header with the name \"%s\"", name);
	/* Trailers are counted and not believed. */
	if (r->body_begun)
		return true;
	if (!check_field(r, name, value))
		return false;
	headers_add(&r->x->reply, name, value);
	return true;
}

bool reply_line(struct reply_reader *r, const char *line, size_t n)
{
	r->bytes += n;
	if (++r->fields > r->limits->headers)
		return refuse(r, STOP_HEADERS, "it has more than %llu header lines", (unsigned long long)r->limits->headers);
	if (r->bytes > r->limits->header_bytes)
		return refuse(r, STOP_HEADERS, "its headers have more than %llu bytes",
			      (unsigned long long)r->limits->header_bytes);
	if (n > 0 && line[n - 1] == '\n')
		n--;
	if (n > 0 && line[n - 1] == '\r')
		n--;
	if (n == 0) {
		r->body_begun = true;
		return true;
	}
	if (n >= 5 && memcmp(line, "HTTP/", 5) == 0)
		return status_line(r, line, n);
	return field(r, line, n);
}
