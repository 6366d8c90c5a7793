#include "core/ref.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "core/ref_impl.h"

enum { WORD_STEPS = REF_EXECUTION + 1, WORD_PREV, WORD_COUNT };

/* Every word that is a root, by number; an action's id is any other. */
static const char *const roots[WORD_COUNT] = {
    [REF_ACTION] = "",
    [REF_ENV] = "env",
    [REF_INPUTS] = "inputs",
    [REF_VARS] = "vars",
    [REF_TRIGGER] = "trigger",
    [REF_SECRETS] = "secrets",
    [REF_EXECUTION] = "execution",
    [WORD_STEPS] = "steps",
    [WORD_PREV] = "prev",
};

static const char *const fields[] = {
    [REF_OUTPUT] = "output", [REF_STATUS] = "status", [REF_ERROR] = "error", [REF_ATTEMPTS] = "attempts"};

enum { FIELDS = sizeof fields / sizeof *fields };

bool ref_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       c == '-';
}

bool ref_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void ref_trim(const char **s, size_t *n)
{
	while (*n > 0 && ref_blank(**s)) {
		(*s)++;
		(*n)--;
	}
	while (*n > 0 && ref_blank((*s)[*n - 1]))
		(*n)--;
}

const char *ref_shown(char out[REF_SHOWN + 4], const char *s, size_t n, size_t most)
{
	size_t used = 0, len;

	if (most > REF_SHOWN)
		most = REF_SHOWN;
	while (used < n && (len = text_utf8_len(s + used, n - used)) > 0 && used + len <= most) {
		/* A message is one line. */
		if (len == 1 && ((unsigned char)s[used] < 0x20 || s[used] == 0x7f))
			out[used] = ' ';
		else
			memcpy(out + used, s + used, len);
		used += len;
	}
	strcpy(out + used, used < n ? "…" : "");
	return out;
}

/* The path cut at its dots and brackets. */
struct segment {
	char *name; /* NULL: an index */
	size_t index;
	size_t at;
};

struct parse {
	const char *s;
	size_t n, pos;
	struct segment seg[REF_STEPS_MAX + 3]; /* at most steps.ID.FIELD before the steps */
	size_t nseg;
	size_t at; /* of the error */
};

/* Messages name what stands in the path, so they are made; a short one per thread is kept, as strerror does. */
static _Thread_local char reason[320];

__attribute__((format(printf, 3, 4))) static bool fail(struct parse *p, size_t at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof reason, fmt, ap);
	va_end(ap);
	p->at = at;
	return false;
}

static bool add_segment(struct parse *p, size_t at, char *name, size_t index)
{
	if (p->nseg == sizeof p->seg / sizeof *p->seg) {
		free(name);
		return fail(p, at, "more than %d steps", REF_STEPS_MAX);
	}
	p->seg[p->nseg++] = (struct segment){name, index, at};
	return true;
}

static bool bad_char(struct parse *p)
{
	char shown[REF_SHOWN + 4];
	char c = p->s[p->pos];
	size_t len = text_utf8_len(p->s + p->pos, p->n - p->pos);

	if (ref_blank(c))
		return fail(
		    p, p->pos,
		    "a blank cannot stand inside a reference; write [\"…\"] around a name that has one");
	if (len == 0 || (unsigned char)c < 0x20 || c == 0x7f)
		return fail(p, p->pos, "a byte that no reference can have");
	return fail(p, p->pos, "\"%s\" cannot stand in a reference",
		    ref_shown(shown, p->s + p->pos, len, len));
}

static bool parse_name(struct parse *p)
{
	size_t start = p->pos;

	while (p->pos < p->n && ref_name_char(p->s[p->pos]))
		p->pos++;
	if (p->pos > start)
		return add_segment(p, start, xstrndup(p->s + start, p->pos - start), 0);
	if (p->pos < p->n && p->s[p->pos] != '.' && p->s[p->pos] != '[' && p->s[p->pos] != ']')
		return bad_char(p);
	return start == 0 ? fail(p, start, "a reference starts with a name") :
			    fail(p, start, "a name is missing after \".\"");
}

static bool parse_quoted(struct parse *p, size_t open)
{
	char quote = p->s[p->pos];
	AUTO_BUF struct buf name = BUF_INIT;
	size_t i = p->pos + 1, len;

	for (; i < p->n && p->s[i] != quote; i += len) {
		if (p->s[i] == '\\') {
			if (i + 1 >= p->n || !strchr("\\\"'", p->s[i + 1]) || !p->s[i + 1])
				return fail(p, i, "after \"\\\" a quote or another \"\\\" must follow");
			i++;
		}
		len = text_utf8_len(p->s + i, p->n - i);
		if (len == 0 || (unsigned char)p->s[i] < 0x20 || p->s[i] == 0x7f)
			return fail(p, i, "a byte that no reference can have");
		buf_put(&name, p->s + i, len);
	}
	if (i >= p->n)
		return fail(p, p->pos, "the quote is not closed");
	p->pos = i + 1;
	return add_segment(p, open, buf_steal(&name), 0);
}

static bool parse_index(struct parse *p, size_t open)
{
	size_t index = 0, start = p->pos;
	char shown[REF_SHOWN + 4];

	while (p->pos < p->n && p->s[p->pos] >= '0' && p->s[p->pos] <= '9') {
		index = index * 10 + (size_t)(p->s[p->pos++] - '0');
		if (p->pos - start > 9)
			return fail(p, start, "the index is too large");
	}
	if (p->pos < p->n && p->pos > start && p->s[p->pos] == ']')
		return add_segment(p, open, NULL, index);
	while (p->pos < p->n && p->s[p->pos] != ']')
		p->pos++;
	if (p->pos == p->n)
		return fail(p, open, "\"[\" is not closed");
	if (p->pos == start)
		return fail(p, start, "an index or a quoted name is missing in \"[]\"");
	if (p->s[start] == '-')
		return fail(p, start, "an index counts from 0");
	return fail(p, start, "in brackets stands an index such as [0] or a quoted name such as [\"%s\"]",
		    ref_shown(shown, p->s + start, p->pos - start, 40));
}

static bool parse_bracket(struct parse *p)
{
	size_t open = p->pos++;
	bool quoted = p->pos < p->n && (p->s[p->pos] == '"' || p->s[p->pos] == '\'');

	if (!(quoted ? parse_quoted(p, open) : parse_index(p, open)))
		return false;
	if (p->pos == p->n || p->s[p->pos] != ']')
		return fail(p, open, "\"[\" is not closed");
	p->pos++;
	return true;
}

static bool parse_segments(struct parse *p)
{
	if (!parse_name(p))
		return false;
	while (p->pos < p->n) {
		bool ok;

		if (p->s[p->pos] == '.') {
			p->pos++;
			ok = parse_name(p);
		} else {
			ok = p->s[p->pos] == '[' ? parse_bracket(p) : bad_char(p);
		}
		if (!ok)
			return false;
	}
	return true;
}

static unsigned root_word(const char *name)
{
	unsigned i;

	for (i = REF_ENV; i < WORD_COUNT; i++)
		if (strcmp(name, roots[i]) == 0)
			return i;
	return REF_ACTION;
}

/* A member of an action that it does not have: was it misspelt, or its root? */
static bool unknown_field(struct parse *p, const struct segment *seg)
{
	char shown[REF_SHOWN + 4], root[REF_SHOWN + 4];
	const char *near = text_nearest(seg->name, fields, FIELDS);
	const char *meant =
	    seg == &p->seg[1] ? text_nearest(p->seg[0].name, roots + 1, WORD_COUNT - 1) : NULL;

	ref_shown(shown, seg->name, strlen(seg->name), 48);
	if (near)
		return fail(p, seg->at, "\"%s\" is not a field of an action; did you mean \"%s\"?", shown,
			    near);
	if (meant)
		return fail(p, 0,
			    "\"%s\" is not a field of an action; did you mean \"%s\" instead of \"%s\"?",
			    shown, meant, ref_shown(root, p->seg[0].name, strlen(p->seg[0].name), 48));
	return fail(p, seg->at,
		    "\"%s\" is not a field of an action; those are output, status, error and attempts",
		    shown);
}

/* From seg[i], the action's id, to its field; *i is what comes next. */
static bool bind_action(struct parse *p, struct ref *out, size_t *i)
{
	char shown[REF_SHOWN + 4];
	const struct segment *id = &p->seg[*i], *field = id + 1;
	unsigned f;

	if (*i >= p->nseg || !id->name || !*id->name)
		return fail(p, *i < p->nseg ? id->at : p->n,
			    "an action's id must follow \"%s\", such as %s.fetch.output", p->seg[0].name,
			    p->seg[0].name);
	if (*i + 1 >= p->nseg) {
		ref_shown(shown, p->s, p->n, REF_SHOWN);
		return fail(p, p->n, "\"%s\" is not a reference: a field must follow, such as %s.output",
			    shown, shown);
	}
	if (!field->name)
		return fail(p, field->at,
			    "an action has the fields output, status, error and attempts, not positions");
	for (f = 0; f < FIELDS && strcmp(field->name, fields[f]) != 0; f++)
		;
	if (f == FIELDS)
		return unknown_field(p, field);
	out->field = (enum ref_field)f;
	*i += 2;
	if (*i < p->nseg && (f == REF_STATUS || f == REF_ATTEMPTS))
		return fail(p, p->seg[*i].at, "%s is a %s: nothing can follow it", fields[f],
			    f == REF_STATUS ? "word" : "number");
	return true;
}

static bool bind_root(struct parse *p, enum ref_root root)
{
	const char *word = roots[root];

	if (p->nseg < 2)
		return fail(p, p->n, "\"%s\" is not a reference: a name must follow, such as %s.%s", word,
			    word,
			    root == REF_ENV       ? "HOME" :
			    root == REF_EXECUTION ? "id" :
						    "x");
	if (!p->seg[1].name)
		return fail(p, p->seg[1].at, "%s has names, not positions", word);
	if (p->nseg > 2 && (root == REF_ENV || root == REF_SECRETS))
		return fail(p, p->seg[2].at, "what is in %s is text: nothing can follow it", word);
	return true;
}

static bool bind(struct parse *p, struct ref *out)
{
	unsigned word = root_word(p->seg[0].name);
	bool through = word == WORD_STEPS || word == WORD_PREV;
	size_t i = through ? 1 : 0, k;

	out->root = through ? REF_ACTION : (enum ref_root)word;
	out->prev = word == WORD_PREV;
	if (out->root != REF_ACTION)
		i = 1;
	if (!(out->root == REF_ACTION ? bind_action(p, out, &i) : bind_root(p, out->root)))
		return false;
	if (p->nseg - i > REF_STEPS_MAX)
		return fail(p, p->seg[i + REF_STEPS_MAX].at, "more than %d steps", REF_STEPS_MAX);
	if (out->root == REF_ACTION)
		out->action = xstrdup(p->seg[through ? 1 : 0].name);
	out->nsteps = p->nseg - i;
	out->step = out->nsteps ? xcalloc(out->nsteps, sizeof *out->step) : NULL;
	for (k = 0; k < out->nsteps; k++) {
		out->step[k] = (struct ref_step){p->seg[i + k].name, p->seg[i + k].index};
		p->seg[i + k].name = NULL; /* it moved */
	}
	out->text = xstrndup(p->s, p->n);
	return true;
}

bool ref_parse(const char *s, size_t n, struct ref *out, const char **why, size_t *at)
{
	struct parse p = {.s = s, .n = n};
	bool ok;
	size_t i;

	*out = (struct ref){0};
	if (n == 0)
		ok = fail(&p, 0, "a reference is missing");
	else if (n > REF_TEXT_MAX)
		ok = fail(&p, REF_TEXT_MAX, "a reference is longer than %d bytes", REF_TEXT_MAX);
	else
		ok = parse_segments(&p) && bind(&p, out);
	for (i = 0; i < p.nseg; i++)
		free(p.seg[i].name);
	if (ok)
		return true;
	*out = (struct ref){0};
	if (why)
		*why = reason;
	if (at)
		*at = p.at;
	return false;
}

bool ref_parse_whole(const char *s, size_t n, struct ref *out, const char **why)
{
	struct ref_cursor c = {.s = s, .n = n};
	struct ref_piece piece;

	ref_next(&c, &piece);
	if (piece.kind == PIECE_REF && piece.nspan == n) {
		*out = piece.ref;
		return true;
	}
	*out = (struct ref){0};
	if (why)
		*why = piece.kind == PIECE_BAD ?
			   piece.why :
			   "it is not one reference such as ${fetch.output.x} and nothing else";
	if (piece.kind == PIECE_REF)
		ref_free(&piece.ref);
	return false;
}

void ref_free(struct ref *r)
{
	size_t i;

	for (i = 0; i < r->nsteps; i++)
		free(r->step[i].name);
	free(r->step);
	free(r->action);
	free(r->text);
	*r = (struct ref){0};
}

json_t *ref_walk(const struct ref *r, json_t *value)
{
	size_t i;

	/* Of a wrong kind (or NULL): jansson answers NULL. */
	for (i = 0; i < r->nsteps && value; i++)
		value = r->step[i].name ? json_object_get(value, r->step[i].name) :
					  json_array_get(value, r->step[i].index);
	return value;
}
