/*
 * source_json.c - JSON: jansson makes the value; what it does not tell, a scan of the text does.
 *
 * The scan knows no grammar, only where tokens begin and end.  Before jansson it counts, so that no memory is spent
 * on what exceeds a limit; after it, over text that jansson accepted, it finds the place of every node.
 */
#include <stdlib.h>
#include <string.h>

#include "codec/source_marks.h"

struct token {
	char kind;     /* one of {}[]:, or '"' for a string, 'x' for any other word, 0 at the end */
	const char *p; /* where it begins */
	size_t n;
};

static bool ends_word(char c)
{
	return c == '\0' || strchr(" \t\r\n{}[]:,\"", c) != NULL;
}

static struct token next_token(const char **at, const char *end)
{
	const char *p = *at;
	struct token t;

	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	t = (struct token){p < end ? *p : '\0', p, 0};
	if (p == end) {
		*at = p;
		return t;
	}
	if (*p == '"') {
		for (p++; p < end && *p != '"'; p++)
			if (*p == '\\' && p + 1 < end)
				p++;
		p += p < end;
	} else if (strchr("{}[]:,", *p)) {
		p++;
	} else {
		t.kind = 'x';
		while (p < end && !ends_word(*p))
			p++;
	}
	t.n = (size_t)(p - t.p);
	*at = p;
	return t;
}

/* Count before anything is allocated.  A string is a value unless a colon follows. */
static bool within_limits(const char *text, size_t n, const struct source_limits *limits, struct diags *errors)
{
	const char *at = text, *end = text + n;
	struct token t, before = {0};
	size_t depth = 0, nodes = 0;

	do {
		struct token counted;

		t = next_token(&at, end);
		counted = before.kind == '"' && t.kind != ':' ? before : t;
		nodes += before.kind == '"' && t.kind != ':';
		nodes += t.kind == '{' || t.kind == '[' || t.kind == 'x';
		if (nodes > limits->nodes) {
			refuse_nodes(errors, place_of(text, (size_t)(counted.p - text)), limits->nodes);
			return false;
		}
		if (before.kind == '"' && t.kind == ':' && before.n > SOURCE_KEY_MAX + 2) {
			refuse_key_length(errors, place_of(text, (size_t)(before.p - text)));
			return false;
		}
		if (t.kind == '{' || t.kind == '[')
			depth++;
		else if (depth > 0 && (t.kind == '}' || t.kind == ']'))
			depth--;
		if (depth > limits->depth) {
			refuse_depth(errors, place_of(text, (size_t)(t.p - text)), limits->depth);
			return false;
		}
		before = t;
	} while (t.kind);
	return true;
}

/* What a string says, decoded where needed by the library that accepted it. */
static uint32_t put_string(struct marks *m, const struct token *t)
{
	json_t *decoded;
	uint32_t offset;

	if (!memchr(t->p, '\\', t->n))
		return marks_put(m, t->p + 1, t->n - 2);
	decoded = json_loadb(t->p, t->n, JSON_DECODE_ANY, NULL);
	offset = marks_put(m, decoded ? json_string_value(decoded) : "", decoded ? json_string_length(decoded) : 0);
	json_decref(decoded);
	return offset;
}

/* Whether the string that ends at `at` is a key. */
static bool colon_follows(const char *at, const char *end)
{
	return next_token(&at, end).kind == ':';
}

void source_mark_json(struct marks *m)
{
	char *text = m->text;
	const char *at = text, *end = text + m->text_len;
	struct cursor c = {text, {1, 1}, false};
	uint32_t parent = MARK_NONE, name = MARK_NONE, node;
	struct place key = {0, 0};
	struct token t;

	m->text = NULL;
	while ((t = next_token(&at, end)).kind) {
		if (t.kind == '}' || t.kind == ']')
			parent = m->nodes.v[parent].parent;
		if (strchr("}]:,", t.kind))
			continue;
		cursor_move(&c, t.p);
		if (t.kind == '"' && colon_follows(at, end)) {
			name = put_string(m, &t);
			key = c.at;
			continue;
		}
		node = marks_add(m, parent, name, key, c.at);
		name = MARK_NONE;
		if (t.kind == '{' || t.kind == '[')
			parent = node;
		else
			marks_set_scalar(m, node, t.kind == '"' ? put_string(m, &t) : marks_put(m, t.p, t.n));
	}
	free(text);
}

static void keep_text(struct marks *m, const char *text, size_t n)
{
	m->text = xmalloc(n + 1);
	memcpy(m->text, text, n);
	m->text[n] = '\0';
	m->text_len = n;
}

/* jansson stops at the first duplicate and knows only where its name ends.  The index puts equal names side by
 * side: report all of them. */
static void report_duplicates(const char *text, size_t n, struct diags *errors)
{
	struct marks *m = marks_new();
	const struct mark *first = NULL;
	size_t i;

	keep_text(m, text, n);
	source_mark_json(m);
	marks_index(m);
	for (i = 0; i + 1 < m->nodes.n; i++) {
		const struct mark *k = &m->nodes.v[m->kids[i]];
		AUTO_BUF struct buf pointer = BUF_INIT;

		if (!first || k->parent != first->parent || k->name == MARK_NONE ||
		    strcmp(marks_text(m, first->name), marks_text(m, k->name)) != 0) {
			first = k;
			continue;
		}
		if (errors->n < DIAG_MAX)
			marks_pointer(m, m->kids[i], &pointer);
		refuse_duplicate(errors, buf_str(&pointer), marks_text(m, k->name), k->key, first->key);
	}
	marks_free(m);
}

/* Where jansson stopped: the beginning of the token that it read last, or the very byte within a string. */
static struct token culprit(const char *text, size_t n, size_t position, struct token *before)
{
	const char *at = text, *end = text + n;
	struct token t = {0, text, 0}, next;

	*before = t;
	while ((next = next_token(&at, end)).kind && (size_t)(next.p - text) < position) {
		*before = t;
		t = next;
	}
	if (t.kind == '"' && (size_t)(t.p + t.n - text) > position)
		t = (struct token){'\\', text + position, 0};
	return t;
}

static const char *advice(const char *problem, const struct token *t, const struct token *before)
{
	if (t->kind == '\\' || strncmp(problem, "invalid escape", 14) == 0 || strncmp(problem, "invalid Unicode", 15) == 0)
		return "within a string write a line break as \\n, a tab as \\t, a backslash as \\\\";
	if ((t->kind == '}' || t->kind == ']') && before->kind == ',')
		return "remove the comma before it";
	if (t->kind == 'x' && (*t->p == '/' || *t->p == '#'))
		return "JSON has no comments; write YAML if you want them";
	if (t->kind == 'x' && *t->p == '\'')
		return "use double quotes";
	if (strncmp(problem, "'}' expected", 12) == 0 || strncmp(problem, "']' expected", 12) == 0)
		return "look for a comma that is missing before it";
	if (strncmp(problem, "':' expected", 12) == 0)
		return "put a ':' between the key and its value";
	if (strncmp(problem, "end of file expected", 20) == 0)
		return "look for a bracket that is closed too early; a file holds one value";
	if (t->kind == 'x' && strchr("0123456789+-.", *t->p))
		return "write a number like 12, -1 or 0.5, and text in double quotes";
	if (t->kind == 'x')
		return "put text and keys in double quotes; the only bare words are true, false, null and numbers";
	return NULL;
}

static void complain(const char *text, size_t n, const json_error_t *e, struct diags *errors)
{
	enum json_error_code code = json_error_code(e);
	struct token before, t = culprit(text, n, (size_t)(e->position < 0 ? 0 : e->position), &before);
	struct place at = place_of(text, (size_t)(t.p - text));

	if (code == json_error_out_of_memory) {
		refuse_memory(errors);
	} else if (code == json_error_numeric_overflow) {
		refuse_big_number(errors, "", t.p, t.n, at);
	} else if (code == json_error_null_character || code == json_error_null_byte_in_key) {
		refuse_escaped_nul(errors, "", at);
	} else if (code == json_error_premature_end_of_input && t.kind == '"' && strstr(e->text, "premature")) {
		diag_at(diag_add(errors, "", xstrdup("close it"), "this is not valid JSON: a quote that is not closed"),
			at);
	} else if (code == json_error_premature_end_of_input) {
		diag_at(diag_add(errors, "", xstrdup("look for a bracket or quote that is not closed"),
				 "this is not valid JSON: %s", e->text),
			place_of(text, n));
	} else {
		diag_at(diag_add(errors, "", xstrdup_opt(advice(e->text, &t, &before)), "this is not valid JSON: %s", e->text),
			at);
	}
}

bool source_read_json(const char *text, size_t n, const struct source_limits *limits, struct source *out,
		      struct diags *errors)
{
	const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
	const char *at = text;
	json_error_t error;

	if (!within_limits(text, n, limits, errors))
		return false;
	if (next_token(&at, text + n).kind) {
		out->root = json_loadb(text, n, flags, &error);
		if (!out->root && json_error_code(&error) == json_error_duplicate_key) {
			/* Places can be told only of text that is right otherwise. */
			json_t *otherwise = json_loadb(text, n, flags & ~(size_t)JSON_REJECT_DUPLICATES, &error);

			if (otherwise)
				report_duplicates(text, n, errors);
			else
				complain(text, n, &error, errors);
			json_decref(otherwise);
			return false;
		}
		if (!out->root) {
			complain(text, n, &error, errors);
			return false;
		}
	}
	out->marks = marks_new();
	keep_text(out->marks, text, n);
	return true;
}
