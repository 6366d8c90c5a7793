#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "codec/schema_impl.h"

struct texts {
	struct run run; /* for the matches of patternProperties */
	schema_raw_text raw;
	void *ctx;
};

static bool strings_only(const json_t *list)
{
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		if (!json_is_string(json_array_get(list, i)))
			return false;
	return json_array_size(list) > 0;
}

/* Does n take nothing but strings? */
static bool wants_text(const struct node *n, unsigned depth)
{
	size_t i;

	if (!n || depth > SCHEMA_NESTING_MAX)
		return false;
	if (n->types == TYPE_STRING || (n->constant && json_is_string(n->constant)) ||
	    strings_only(n->choice))
		return true;
	if (wants_text(n->ref, depth + 1))
		return true;
	for (i = 0; n->logic && i < n->logic->all_of.n; i++)
		if (wants_text(n->logic->all_of.v[i], depth + 1))
			return true;
	return false;
}

static void walk(struct texts *t, const struct node *n, json_t *v, const struct at *at, unsigned depth);

/* The text to put in place of v, or NULL if v stays. */
static json_t *text_for(struct texts *t, const struct node *n, const json_t *v, const struct at *at)
{
	AUTO_BUF struct buf pointer = BUF_INIT;
	const char *text;

	if (json_is_string(v) || json_is_object(v) || json_is_array(v) || !wants_text(n, 0))
		return NULL;
	schema_at_pointer(&pointer, "", at);
	text = t->raw(t->ctx, buf_str(&pointer));
	return text ? json_string(text) : NULL;
}

/* One member against one of the schemas for it; iter is where it is. */
static void walk_member(struct texts *t, const struct node *n, json_t *object, void *iter,
			const struct at *at, unsigned depth)
{
	json_t *text = text_for(t, n, json_object_iter_value(iter), at);

	if (text)
		json_object_iter_set_new(object, iter, text); /* keeps its place */
	else
		walk(t, n, json_object_iter_value(iter), at, depth + 1);
}

static void walk_object(struct texts *t, const struct node *n, json_t *v, const struct at *up, unsigned depth)
{
	const struct object_rules *k = n->object;
	void *m;
	size_t i;

	for (m = json_object_iter(v); m; m = json_object_iter_next(v, m)) {
		struct at at = {up, json_object_iter_key(m), json_object_iter_key_len(m), 0, up->depth + 1};
		uint32_t known = map_get_n(&k->index, at.key, at.key_len);
		bool claimed = known != MAP_NONE;

		if (claimed)
			walk_member(t, k->properties.v[known], v, m, &at, depth);
		for (i = 0; i < k->n_patterns; i++) {
			if (schema_run_match(&t->run, &k->patterns[i].name, &at, at.key, at.key_len) !=
			    REGEX_YES)
				continue;
			claimed = true;
			walk_member(t, k->patterns[i].node, v, m, &at, depth);
		}
		if (!claimed && k->additional)
			walk_member(t, k->additional, v, m, &at, depth);
	}
}

static void walk_array(struct texts *t, const struct node *n, json_t *v, const struct at *up, unsigned depth)
{
	const struct array_rules *k = n->array;
	size_t i;

	for (i = 0; i < json_array_size(v); i++) {
		const struct node *of = i < k->prefix.n ? k->prefix.v[i] : k->items;
		struct at at = {up, NULL, 0, i, up->depth + 1};
		json_t *text;

		if (!of)
			return;
		text = text_for(t, of, json_array_get(v, i), &at);
		if (text)
			json_array_set_new(v, i, text);
		else
			walk(t, of, json_array_get(v, i), &at, depth + 1);
	}
}

static void walk(struct texts *t, const struct node *n, json_t *v, const struct at *at, unsigned depth)
{
	size_t i;

	/* What is deeper is refused when the value is checked. */
	if (depth > SCHEMA_DEPTH_MAX || (!json_is_object(v) && !json_is_array(v)))
		return;
	if (n->ref)
		walk(t, n->ref, v, at, depth + 1);
	for (i = 0; n->logic && i < n->logic->all_of.n; i++)
		walk(t, n->logic->all_of.v[i], v, at, depth + 1);
	if (n->object && json_is_object(v))
		walk_object(t, n, v, at, depth);
	if (n->array && json_is_array(v))
		walk_array(t, n, v, at, depth);
}

void schema_text_fields(const struct schema *s, json_t *value, schema_raw_text raw, void *ctx)
{
	struct texts t = {.run = {.schema = s, .base = ""}, .raw = raw, .ctx = ctx};
	struct at top = {0};

	if (!raw)
		return;
	walk(&t, s->start, value, &top, 0);
	schema_finding_free(&t.run.stop);
	pcre2_match_data_free(t.run.match);
}
