/*
 * source_yaml.c - YAML: libyaml's events become a value and its marks.
 *
 * The events are read one at a time with a stack of our own, so that nothing an outsider nests uses ours.  libyaml
 * looks at most 1,024 characters ahead of the event that it hands out; so what is refused here costs it no more.
 */
#include <string.h>
#include <yaml.h>

#include "base/text.h"
#include "codec/source_marks.h"

struct frame {
	json_t *value;   /* borrowed: the parent or the reader holds it */
	uint32_t node;
	uint32_t name;   /* of the member that was last begun */
	struct place key;
	bool named;      /* its value comes next */
};

struct reader {
	const char *text;
	size_t n;
	const struct source_limits *limits;
	struct diags *errors;
	struct marks *marks;
	json_t *root;
	VEC(struct frame) stack;
	size_t documents;
	size_t found; /* findings of our own */
	yaml_parser_t parser;
};

static struct place place_at(yaml_mark_t mark)
{
	return (struct place){(uint32_t)mark.line + 1, (uint32_t)mark.column + 1};
}

static struct frame *top(struct reader *r)
{
	return r->stack.n ? &r->stack.v[r->stack.n - 1] : NULL;
}

static bool wants_key(struct reader *r)
{
	return r->stack.n && json_is_object(top(r)->value) && !top(r)->named;
}

static void put_token(struct buf *b, const char *s)
{
	buf_putc(b, '/');
	for (; *s; s++) {
		if (*s == '~' || *s == '/')
			buf_puts(b, *s == '~' ? "~0" : "~1");
		else
			buf_putc(b, *s);
	}
}

/* The pointer of the value that comes next. */
static const char *pointer_here(struct reader *r, struct buf *b)
{
	size_t i;

	buf_reset(b);
	for (i = 0; i < r->stack.n; i++) {
		const struct frame *f = &r->stack.v[i];
		bool begun = i + 1 < r->stack.n; /* what this frame reads is the next one, already in its place */

		if (json_is_array(f->value))
			buf_printf(b, "/%zu", json_array_size(f->value) - begun);
		else if (f->named || begun)
			put_token(b, marks_text(r->marks, f->name));
	}
	return buf_str(b);
}

static void refuse(struct reader *r, struct place at, const char *suggestion, const char *what, const char *name)
{
	AUTO_BUF struct buf b = BUF_INIT;
	char show[SHOWN];

	r->found++;
	diag_at(diag_add(r->errors, pointer_here(r, &b), xstrdup(suggestion), "%s%s", what,
			 shown(show, name, strlen(name))),
		at);
}

/* Give a value to its parent, which takes the reference, and mark it.  false when memory is gone. */
static bool attach(struct reader *r, json_t *value, struct place at, uint32_t *node)
{
	struct frame *f = top(r);
	int failed = value == NULL;

	if (!f) {
		r->root = value;
		*node = marks_add(r->marks, MARK_NONE, MARK_NONE, at, at);
	} else if (json_is_array(f->value)) {
		*node = marks_add(r->marks, f->node, MARK_NONE, at, at);
		failed = json_array_append_new(f->value, value);
	} else {
		*node = marks_add(r->marks, f->node, f->name, f->key, at);
		failed = json_object_set_new_nocheck(f->value, marks_text(r->marks, f->name), value);
		f->named = false;
	}
	if (failed) {
		r->found++;
		refuse_memory(r->errors);
	}
	return !failed;
}

static bool room_for_one(struct reader *r, struct place at)
{
	if (r->marks->nodes.n < r->limits->nodes)
		return true;
	r->found++;
	refuse_nodes(r->errors, at, r->limits->nodes);
	return false;
}

static void check_properties(struct reader *r, const yaml_char_t *anchor, const yaml_char_t *tag, struct place at)
{
	static const char core[] = "tag:yaml.org,2002:";
	const char *t = (const char *)tag;
	char *name;

	if (anchor) {
		name = xasprintf("&%s", (const char *)anchor);
		refuse(r, at, "remove it, and write the value out wherever it is needed",
		       "anchors are not accepted: ", name);
		free(name);
	}
	if (tag) {
		bool is_core = text_starts_with(t, core);

		name = xasprintf("%s%s", is_core ? "!!" : "", is_core ? t + strlen(core) : t);
		refuse(r, at, "remove it; put the value in quotes if it is meant as text",
		       "tags are not accepted: ", name);
		free(name);
	}
}

/* The name of the next member.  Whatever is wrong with it, the member is read, so that more can be found. */
static bool on_key(struct reader *r, const char *s, size_t n, bool plain, struct place at)
{
	struct frame *f = top(r);
	AUTO_BUF struct buf b = BUF_INIT;
	const struct mark *first;

	if (n > SOURCE_KEY_MAX) {
		r->found++;
		refuse_key_length(r->errors, at);
		return false;
	}
	if (memchr(s, '\0', n)) {
		r->found++;
		refuse_escaped_nul(r->errors, pointer_here(r, &b), at);
	}
	f->name = marks_put(r->marks, s, strlen(s));
	f->key = at;
	f->named = true;
	if (plain && strcmp(s, "<<") == 0)
		refuse(r, at, "write the members out; if the key is meant as text, put it in quotes",
		       "merge keys are not accepted: ", s);
	if (!json_object_get(f->value, s))
		return true;
	r->found++;
	/* Finding the first one means looking at every node, and is done for no more than will be shown. */
	first = r->errors->n < DIAG_MAX ? marks_first_member(r->marks, f->node, s) : NULL;
	refuse_duplicate(r->errors, pointer_here(r, &b), s, at, first ? first->key : at);
	return true;
}

static json_t *scalar_value(struct reader *r, const yaml_event_t *e, struct place at)
{
	const char *s = (const char *)e->data.scalar.value;
	size_t n = e->data.scalar.length;
	AUTO_BUF struct buf b = BUF_INIT;
	json_t *value;

	if (memchr(s, '\0', n)) {
		r->found++;
		refuse_escaped_nul(r->errors, pointer_here(r, &b), at);
		return json_null();
	}
	if (e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return json_stringn_nocheck(s, n);
	switch (core_resolve(s, n, &value)) {
	case CORE_OK:
		return value;
	case CORE_TOO_BIG:
		r->found++;
		refuse_big_number(r->errors, pointer_here(r, &b), s, n, at);
		break;
	case CORE_NOT_FINITE:
		refuse(r, at, "put it in quotes if it is meant as text", "not a finite number: ", s);
		break;
	}
	return json_null();
}

static bool on_scalar(struct reader *r, const yaml_event_t *e)
{
	const char *s = (const char *)e->data.scalar.value;
	bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	struct place at = place_at(e->start_mark);
	uint32_t node;

	check_properties(r, e->data.scalar.anchor, e->data.scalar.tag, at);
	if (wants_key(r))
		return on_key(r, s, e->data.scalar.length, plain, at);
	/* Nothing but `---`, or comments, is an empty document. */
	if (!r->stack.n && plain && e->data.scalar.length == 0)
		return true;
	if (!room_for_one(r, at) || !attach(r, scalar_value(r, e, at), at, &node))
		return false;
	marks_set_scalar(r->marks, node, marks_put(r->marks, s, strlen(s)));
	return true;
}

static bool on_alias(struct reader *r, const yaml_event_t *e)
{
	char *name = xasprintf("*%s", (const char *)e->data.alias.anchor);
	struct place at = place_at(e->start_mark);
	bool more;
	uint32_t node;

	refuse(r, at, "write the value out where it is needed", "aliases are not accepted: ", name);
	if (wants_key(r))
		more = on_key(r, name, strlen(name), false, at);
	else
		more = room_for_one(r, at) && attach(r, json_null(), at, &node);
	free(name);
	return more;
}

static bool on_open(struct reader *r, const yaml_event_t *e, json_t *value)
{
	struct place at = place_at(e->start_mark);
	uint32_t node;

	if (wants_key(r)) {
		refuse(r, at, "use a plain word as the key",
		       "a key must be text, not a ", json_is_array(value) ? "sequence" : "mapping");
	} else if (r->stack.n == r->limits->depth) {
		r->found++;
		refuse_depth(r->errors, at, r->limits->depth);
	} else if (room_for_one(r, at)) {
		if (!attach(r, value, at, &node))
			return false;
		vec_push(&r->stack, (struct frame){value, node, MARK_NONE, at, false});
		return true;
	}
	json_decref(value);
	return false;
}

static bool on_document(struct reader *r, const yaml_event_t *e)
{
	if (r->documents++ == 0) {
		if (e->data.document_start.tag_directives.start != e->data.document_start.tag_directives.end)
			refuse(r, place_at(e->start_mark), "remove the line", "tags are not accepted: ", "%TAG");
		return true;
	}
	refuse(r, place_at(e->start_mark), "put each document into a file of its own",
	       "a second document begins here; a file holds one", "");
	return false;
}

/* One event.  false ends the reading: at the end, or where going on would say nothing useful. */
static bool on_event(struct reader *r, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		return on_document(r, e);
	case YAML_ALIAS_EVENT:
		return on_alias(r, e);
	case YAML_SCALAR_EVENT:
		return on_scalar(r, e);
	case YAML_SEQUENCE_START_EVENT:
		check_properties(r, e->data.sequence_start.anchor, e->data.sequence_start.tag,
				 place_at(e->start_mark));
		return on_open(r, e, json_array());
	case YAML_MAPPING_START_EVENT:
		check_properties(r, e->data.mapping_start.anchor, e->data.mapping_start.tag, place_at(e->start_mark));
		return on_open(r, e, json_object());
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		r->stack.n--;
		return true;
	case YAML_STREAM_END_EVENT:
		return false;
	default:
		return true;
	}
}

/* Directives stand before the document and each is compared with all before it: hold them to a few. */
static bool few_directives(struct reader *r)
{
	static const char word[] = "%TAG";
	const char *p = r->text, *end = r->text + r->n;
	size_t count = 0;

	for (; (p = memmem(p, (size_t)(end - p), word, strlen(word))); p++) {
		/* At the beginning of a line, which libyaml also sees after U+0085, U+2028 and U+2029. */
		if (p > r->text && !strchr("\n\r\x85\xa8\xa9", p[-1]))
			continue;
		if (++count <= 16)
			continue;
		refuse(r, place_of(r->text, (size_t)(p - r->text)), "remove the line", "tags are not accepted: ", word);
		return false;
	}
	return true;
}

static void read_events(struct reader *r)
{
	yaml_event_t event;
	bool more = true;

	while (more) {
		if (!yaml_parser_parse(&r->parser, &event)) {
			r->found++;
			source_yaml_complain(&r->parser, r->text, r->n, r->errors);
			return;
		}
		more = on_event(r, &event);
		yaml_event_delete(&event);
	}
}

bool source_read_yaml(const char *text, size_t n, const struct source_limits *limits, struct source *out,
		      struct diags *errors)
{
	struct reader r = {.text = text, .n = n, .limits = limits, .errors = errors};

	if (!yaml_parser_initialize(&r.parser)) {
		refuse_memory(errors);
		return false;
	}
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, n);
	r.marks = marks_new();
	if (few_directives(&r))
		read_events(&r);
	yaml_parser_delete(&r.parser);
	vec_free(&r.stack);
	if (r.found) {
		json_decref(r.root);
		marks_free(r.marks);
		return false;
	}
	*out = (struct source){r.root, r.marks};
	return true;
}
