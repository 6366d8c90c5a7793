#include "codec/source.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "codec/source_marks.h"

const struct source_limits source_plan_limits = {16 << 20, 1000000, 64};
const struct source_limits source_small_limits = {64 << 10, 1000, 16};

enum source_form source_form_of(const char *name)
{
	return text_ends_with(name, ".json") ? SOURCE_JSON : SOURCE_YAML;
}

/* Lines end in LF, CR LF or CR; a column is a code point, which only its first byte counts for. */
void cursor_move(struct cursor *c, const char *to)
{
	for (; c->p < to; c->p++) {
		if (*c->p == '\r' || (*c->p == '\n' && !c->after_cr)) {
			c->at.line++;
			c->at.column = 1;
		} else if (*c->p != '\n' && ((unsigned char)*c->p & 0xc0) != 0x80) {
			c->at.column++;
		}
		c->after_cr = *c->p == '\r';
	}
}

struct place place_of(const char *text, size_t offset)
{
	struct cursor c = {text, {1, 1}, false};

	cursor_move(&c, text + offset);
	return c.at;
}

const char *shown(char out[SHOWN], const char *s, size_t n)
{
	AUTO_BUF struct buf b = BUF_INIT;
	size_t len = 0;

	while (len < n) {
		size_t step = text_utf8_len(s + len, n - len);

		if (step == 0 || len + step > SHOWN_BYTES)
			break;
		len += step;
	}
	text_escape(&b, s, len);
	buf_puts(&b, len < n ? "…" : "");
	memcpy(out, buf_str(&b), b.len + 1);
	return out;
}

void diag_at(struct diag *d, struct place at)
{
	if (!d)
		return;
	d->line = (int)at.line;
	d->column = (int)at.column;
}

void refuse_depth(struct diags *d, struct place at, size_t limit)
{
	diag_at(diag_add(d, "", xstrdup("make the structure flatter"),
			 "nested deeper than %zu levels, which is the limit", limit),
		at);
}

void refuse_nodes(struct diags *d, struct place at, size_t limit)
{
	diag_at(diag_add(d, "", xstrdup("keep large data in a file of its own and refer to that"),
			 "more than %zu values, which is the limit", limit),
		at);
}

void refuse_key_length(struct diags *d, struct place at)
{
	diag_at(diag_add(d, "", xstrdup("use a shorter key"), "a key longer than %d bytes, which is the limit",
			 SOURCE_KEY_MAX),
		at);
}

void refuse_duplicate(struct diags *d, const char *pointer, const char *name, struct place at, struct place first)
{
	char show[SHOWN];
	struct diag *found = diag_add(d, pointer, xstrdup("keep one of the two"),
				      "the key \"%s\" is given twice; the first is at line %u, column %u",
				      shown(show, name, strlen(name)), first.line, first.column);

	diag_at(found, at);
	if (found)
		found->at_key = 1;
}

void refuse_big_number(struct diags *d, const char *pointer, const char *text, size_t n, struct place at)
{
	char show[SHOWN];
	char *advice;
	bool real = !memchr(text, 'x', n) && (memchr(text, '.', n) || memchr(text, 'e', n) || memchr(text, 'E', n));

	shown(show, text, n);
	advice = n > SHOWN_BYTES ? xstrdup("put it in quotes if it is meant as text")
				 : xasprintf("put it in quotes if it is meant as text: \"%s\"", show);
	diag_at(diag_add(d, pointer, advice,
			 "the number %s is beyond %s", show,
			 real ? "the range of a double" : "64 bits"),
		at);
}

void refuse_escaped_nul(struct diags *d, const char *pointer, struct place at)
{
	diag_at(diag_add(d, pointer, xstrdup("remove it"), "text cannot hold a NUL character"), at);
}

void refuse_memory(struct diags *d)
{
	diag_add(d, "", xstrdup("try again when there is more memory"), "there is not enough memory to read this");
}

/* The first byte that is NUL or not UTF-8, or n. */
static size_t bad_byte(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n) {
		size_t len;

		if ((unsigned char)s[i] - 1u < 0x7f) {
			i++;
			continue;
		}
		len = s[i] ? text_utf8_len(s + i, n - i) : 0;
		if (len == 0)
			break;
		i += len;
	}
	return i;
}

/* What no reader has to look at. */
static bool check_bytes(const char *text, size_t n, size_t bom, const struct source_limits *limits,
			struct diags *errors)
{
	static const char as_utf8[] = "save the file as UTF-8";
	size_t bad;

	if (n > limits->bytes) {
		diag_at(diag_add(errors, "", xstrdup("keep large data in a file of its own and refer to that"),
				 "%zu bytes of text; the limit is %zu", n, limits->bytes),
			(struct place){1, 1});
		return false;
	}
	if (n >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0)) {
		diag_at(diag_add(errors, "", xstrdup(as_utf8), "this is UTF-16; only UTF-8 is read"),
			(struct place){1, 1});
		return false;
	}
	bad = bad_byte(text, n);
	if (bad == n)
		return true;
	if (text[bad])
		diag_at(diag_add(errors, "", xstrdup(as_utf8), "the byte 0x%02x at offset %zu is not UTF-8",
				 (unsigned char)text[bad], bad),
			place_of(text + bom, bad - bom));
	else
		diag_at(diag_add(errors, "", xstrdup("remove it; if the file is UTF-16, save it as UTF-8"),
				 "a NUL byte at offset %zu", bad),
			place_of(text + bom, bad - bom));
	return false;
}

bool source_parse(enum source_form form, const char *text, size_t n, const struct source_limits *limits,
		  struct source *out, struct diags *errors)
{
	size_t bom = n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	bool good;

	*out = (struct source){NULL, NULL};
	if (!check_bytes(text, n, bom, limits, errors))
		return false;
	text = n > bom ? text + bom : "";
	n -= bom;
	if (form == SOURCE_JSON)
		good = source_read_json(text, n, limits, out, errors);
	else
		good = source_read_yaml(text, n, limits, out, errors);
	if (!good)
		diags_sort(errors);
	return good;
}

void source_free(struct source *s)
{
	json_decref(s->root);
	marks_free(s->marks);
	*s = (struct source){NULL, NULL};
}

bool source_place(const struct source *s, const char *pointer, bool key, int *line, int *column)
{
	struct place at = {1, 1}; /* of an empty document */
	const struct mark *mark;
	bool exact;

	if (!s->marks)
		return false;
	mark = marks_find(s->marks, pointer, &exact);
	if (mark)
		at = key && exact ? mark->key : mark->value;
	*line = (int)at.line;
	*column = (int)at.column;
	return true;
}

void source_place_all(const struct source *s, struct diags *d)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		if (d->v[i].line == 0)
			source_place(s, d->v[i].pointer, d->v[i].at_key, &d->v[i].line, &d->v[i].column);
	diags_sort(d);
}

const char *source_raw(const struct source *s, const char *pointer)
{
	const struct mark *mark;
	bool exact;

	if (!s->marks)
		return NULL;
	mark = marks_find(s->marks, pointer, &exact);
	return mark && exact && mark->count == MARK_NONE ? marks_text(s->marks, mark->at) : NULL;
}
