#include "codec/output.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

struct reader {
	const char *p, *end;
	int line;
};

/* The next line without its end; false at the end. */
static bool next_line(struct reader *r, const char **s, size_t *n)
{
	const char *newline;

	if (r->p == r->end)
		return false;
	newline = memchr(r->p, '\n', (size_t)(r->end - r->p));
	*s = r->p;
	*n = (size_t)((newline ? newline : r->end) - r->p);
	r->p = newline ? newline + 1 : r->end;
	r->line++;
	if (*n > 0 && (*s)[*n - 1] == '\r')
		(*n)--;
	return true;
}

static bool is_key(const char *s, size_t n)
{
	size_t i;

	if (n == 0 || n > 200)
		return false;
	for (i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && s[i] != '_' && s[i] != '-' && s[i] != '.')
			return false;
	return true;
}

static int read_block(struct reader *r, const char *word, size_t word_n, json_t *out, const char *key, struct err *e)
{
	const char *start = r->p, *s, *stop = NULL;
	int first = r->line;
	size_t n;

	while (next_line(r, &s, &n)) {
		if (n == word_n && memcmp(s, word, n) == 0) {
			/* The newline before the closing word is not part of the value. */
			stop = s > start ? s - 1 : s;
			json_object_set_new(out, key, json_stringn(start, (size_t)(stop - start)));
			return 0;
		}
	}
	return err_set(e, EBADMSG, "line %d: the value of \"%s\" is not closed by a line \"%.*s\"", first, key,
		       (int)word_n, word);
}

static int read_line(struct reader *r, const char *s, size_t n, json_t *out, struct err *e)
{
	const char *equals = memchr(s, '=', n);
	const char *block = n > 2 ? memmem(s, n, "<<", 2) : NULL;
	const char *sign = block && (!equals || block < equals) ? block : equals;
	AUTO_FREE char *key = NULL;

	if (!sign || !is_key(s, (size_t)(sign - s)))
		return err_set(e, EBADMSG, "line %d: expected key=value, key<<WORD, or one JSON object in the whole file",
			       r->line);
	key = xstrndup(s, (size_t)(sign - s));
	if (json_object_size(out) >= OUTPUT_KEYS_MAX)
		return err_set(e, EFBIG, "more than %d outputs", OUTPUT_KEYS_MAX);
	if (sign == block) {
		if (block + 2 == s + n)
			return err_set(e, EBADMSG, "line %d: a word must follow \"<<\"", r->line);
		return read_block(r, block + 2, (size_t)(s + n - block - 2), out, key, e);
	}
	json_object_set_new(out, key, json_stringn(equals + 1, (size_t)(s + n - equals - 1)));
	return 0;
}

/* How many values there are at most.  Each takes memory, however short it is. */
static size_t count_values(const char *p, size_t n)
{
	const char *end = p + n;
	bool inside = false;
	size_t values = 1;

	for (; p < end; p++) {
		if (inside && *p == '\\')
			p++;
		else if (*p == '"')
			inside = !inside;
		else if (!inside)
			values += *p == ',' || *p == '[' || *p == '{';
	}
	return values;
}

static json_t *parse_json(const char *text, size_t n, struct err *e)
{
	size_t values = count_values(text, n);
	json_error_t where;
	json_t *out;

	if (values > OUTPUT_VALUES_MAX) {
		err_set(e, EFBIG, "it holds more than %d values", OUTPUT_VALUES_MAX);
		return NULL;
	}
	out = json_loadb(text, n, JSON_REJECT_DUPLICATES, &where);
	if (!out)
		err_set(e, EBADMSG, "line %d, column %d: it begins like a JSON object and is none: %s", where.line,
			where.column, where.text);
	return out;
}

json_t *output_parse(const char *text, size_t n, struct err *e)
{
	struct reader r = {text, text + n, 0};
	const char *s = text;
	json_t *out;
	size_t len;

	if (!text_is_utf8(text, n) || memchr(text, '\0', n)) {
		err_set(e, EBADMSG, "it is not UTF-8 text");
		return NULL;
	}
	while (s < text + n && isspace((unsigned char)*s))
		s++;
	if (s < text + n && *s == '{')
		return parse_json(text, n, e);
	out = json_object();
	while (next_line(&r, &s, &len)) {
		size_t i = 0;

		while (i < len && isspace((unsigned char)s[i]))
			i++;
		if (i < len && read_line(&r, s, len, out, e) < 0) {
			json_decref(out);
			return NULL;
		}
	}
	return out;
}
