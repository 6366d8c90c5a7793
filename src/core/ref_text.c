/*
 * Finding references in text.
 *
 * Everything here is linear in the text, however it was made: a search that fails goes on where it stopped, and
 * the next "}}" is looked for once.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "core/ref_impl.h"

static const size_t none = (size_t)-1;

/* The "}" that ends the `${` whose content starts at i, if what lies between could be a path; else `none`, and
 * *stop is where that showed. */
static size_t dollar_close(const struct ref_cursor *c, size_t i, size_t *stop)
{
	bool dotted = false;
	char quote = 0;

	for (; i < c->n && c->s[i] != '}'; i++) {
		char ch = c->s[i];

		if (quote) {
			if (ch == quote)
				quote = 0;
			else if (ch == '\\' && i + 1 < c->n && c->s[i + 1] != '}')
				i++;
			else if (ch == '$' || ch == '`' || (unsigned char)ch < 0x20)
				break;
		} else if (ch == '"' || ch == '\'') {
			quote = ch;
		} else if (ch == '.' || ch == '[') {
			dotted = true;
		} else if (!ref_name_char(ch) && ch != ']' && !ref_blank(ch)) {
			break;
		}
	}
	*stop = i;
	return i < c->n && c->s[i] == '}' && dotted ? i : none;
}

/* The next "}}" at or after i. */
static size_t braces_close(struct ref_cursor *c, size_t i)
{
	if (c->close < i) {
		const char *p = memmem(c->s + i, c->n - i, "}}", 2);

		c->close = p ? (size_t)(p - c->s) : none;
	}
	return c->close;
}

static void parse_span(struct ref_piece *out, size_t open, size_t close)
{
	const char *path = out->span + open;
	size_t n = out->nspan - open - close;

	ref_trim(&path, &n);
	if (n == 0) {
		out->kind = PIECE_BAD;
		out->why = "nothing stands between {{ and }}";
		return;
	}
	out->kind = ref_parse(path, n, &out->ref, &out->why, NULL) ? PIECE_REF : PIECE_BAD;
}

/* What starts with the braces at p: a reference, or a mistake. */
static void take_braces(struct ref_cursor *c, size_t p, bool after_dollar, struct ref_piece *out)
{
	size_t close = braces_close(c, p + 2), start = after_dollar ? p - 1 : p;

	out->span = c->s + start;
	if (close == none || close - p > 2 * REF_TEXT_MAX) {
		out->kind = PIECE_BAD;
		out->nspan = p + 2 - start;
		out->why = "\"{{\" is not closed by \"}}\"";
		return;
	}
	out->nspan = close + 2 - start;
	if (!after_dollar) {
		parse_span(out, 2, 2);
		return;
	}
	out->kind = PIECE_BAD;
	out->why = "write ${path} or {{path}}, not ${{path}}";
}

/* Find what comes first at or after i, without regard to escapes.  false: only text. */
static bool find(struct ref_cursor *c, size_t i, struct ref_piece *out)
{
	size_t from = i;

	while (i < c->n) {
		const char *brace = memchr(c->s + i, '{', c->n - i);
		size_t p = brace ? (size_t)(brace - c->s) : c->n, close;
		bool dollar = p > from && p < c->n && c->s[p - 1] == '$';

		if (p + 1 >= c->n)
			return false;
		if (c->s[p + 1] == '{') {
			take_braces(c, p, dollar, out);
			return true;
		}
		i = p + 1;
		if (dollar && (close = dollar_close(c, p + 1, &i)) != none) {
			out->span = c->s + p - 1;
			out->nspan = close + 1 - (p - 1);
			parse_span(out, 2, 1);
			return true;
		}
	}
	return false;
}

void ref_next(struct ref_cursor *c, struct ref_piece *out)
{
	size_t from = c->pos, start, run = 0;
	char sign;

	*out = (struct ref_piece){.kind = PIECE_END, .text = c->s + from, .ntext = c->n - from};
	if (!find(c, from, out)) {
		c->pos = c->n;
		return;
	}
	start = (size_t)(out->span - c->s);
	c->pos = start + out->nspan;
	sign = *out->span == '$' && start > from && c->s[start - 1] == '$' ? '$' : '\\';
	while (start - run > from && c->s[start - run - 1] == sign)
		run++;
	/* Each pair stands for one; an odd one out takes the meaning away. */
	out->ntext = start - run + run / 2 - from;
	if (run % 2 == 0)
		return;
	if (out->kind == PIECE_REF)
		ref_free(&out->ref);
	out->kind = PIECE_ESCAPED;
}

/* ref_scan */

struct scan {
	ref_visit visit;
	ref_bad bad;
	void *ctx;
	struct buf pointer;
};

static void report(struct scan *sc, const struct ref_piece *piece)
{
	AUTO_FREE char *text = xstrndup(piece->span, piece->nspan);
	AUTO_FREE char *why =
	    xasprintf("%s (write %s if it is meant as text)", piece->why, *text == '$' ? "$${…}" : "\\{{…}}");

	sc->bad(sc->ctx, buf_str(&sc->pointer), text, why);
}

static void scan_string(struct scan *sc, const char *s, size_t n)
{
	struct ref_cursor c = {.s = s, .n = n};
	struct ref_piece piece;
	int bad = 0;

	do {
		ref_next(&c, &piece);
		if (piece.kind == PIECE_REF) {
			if (sc->visit)
				sc->visit(sc->ctx, buf_str(&sc->pointer), &piece.ref);
			ref_free(&piece.ref);
		} else if (piece.kind == PIECE_BAD) {
			if (sc->bad)
				report(sc, &piece);
			bad++;
		}
	} while (piece.kind != PIECE_END && bad < REF_BAD_MAX);
}

static void scan_value(struct scan *sc, const json_t *value, int depth)
{
	json_t *v = (json_t *)value, *child; /* jansson iterates over what is not const */
	size_t here = sc->pointer.len, i;
	const char *key;

	if (json_is_string(v)) {
		scan_string(sc, json_string_value(v), json_string_length(v));
	} else if (depth > REF_DEPTH && (json_is_array(v) || json_is_object(v))) {
		if (sc->bad)
			sc->bad(sc->ctx, buf_str(&sc->pointer), "", "values are nested too deep here");
	} else if (json_is_array(v)) {
		json_array_foreach(v, i, child) {
			buf_printf(&sc->pointer, "/%zu", i);
			scan_value(sc, child, depth + 1);
			sc->pointer.len = here;
			sc->pointer.p[here] = '\0';
		}
	} else if (json_is_object(v)) {
		json_object_foreach(v, key, child) {
			ref_pointer_add(&sc->pointer, key);
			scan_value(sc, child, depth + 1);
			sc->pointer.len = here;
			sc->pointer.p[here] = '\0';
		}
	}
}

void ref_pointer_add(struct buf *pointer, const char *key)
{
	buf_putc(pointer, '/');
	for (; *key; key++) {
		if (*key == '~')
			buf_puts(pointer, "~0");
		else if (*key == '/')
			buf_puts(pointer, "~1");
		else
			buf_putc(pointer, *key);
	}
}

void ref_scan(const json_t *value, const char *base, ref_visit visit, ref_bad bad, void *ctx)
{
	struct scan sc = {.visit = visit, .bad = bad, .ctx = ctx, .pointer = BUF_INIT};

	buf_puts(&sc.pointer, base);
	scan_value(&sc, value, 1);
	buf_free(&sc.pointer);
}
