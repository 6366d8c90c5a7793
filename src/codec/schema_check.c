#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "codec/schema_impl.h"

/* --- what was looked at --- */

void schema_seen_init(struct seen *s, size_t n)
{
	s->n = n;
	s->few = 0;
	s->many = n > 64 ? xcalloc((n + 63) / 64, sizeof *s->many) : NULL;
}

void schema_seen_free(struct seen *s)
{
	free(s->many);
}

static uint64_t *words(struct seen *s)
{
	return s->many ? s->many : &s->few;
}

void schema_seen_mark(struct seen *s, size_t i)
{
	if (s)
		words(s)[i / 64] |= UINT64_C(1) << i % 64;
}

void schema_seen_all(struct seen *s)
{
	size_t i;

	for (i = 0; s && i < (s->n + 63) / 64; i++)
		words(s)[i] = UINT64_MAX;
}

bool schema_seen_has(const struct seen *s, size_t i)
{
	return (s->many ? s->many[i / 64] : s->few) >> i % 64 & 1;
}

void schema_seen_merge(struct seen *into, const struct seen *from)
{
	size_t i;

	for (i = 0; into && i < (from->n + 63) / 64; i++)
		words(into)[i] |= from->many ? from->many[i] : from->few;
}

/* --- scalars --- */

static const json_t *found_in(const json_t *list, const json_t *v)
{
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		if (schema_equal(json_array_get(list, i), v))
			return json_array_get(list, i);
	return NULL;
}

/* type, const, enum: where one of these fails, what the other keywords would say is noise. */
static bool check_kind(struct run *r, const struct node *n, const json_t *v, const struct at *at)
{
	if (n->types && !(n->types & schema_type_of(v)))
		return schema_report_type(r, n, v, at, n->types);
	if ((n->constant && !schema_equal(n->constant, v)) || (n->choice && !found_in(n->choice, v)))
		return schema_report_choice(r, n, v, at);
	return true;
}

static bool number_error(struct run *r, const struct node *n, const json_t *v, const struct at *at,
			 const char *must, const json_t *limit)
{
	AUTO_BUF struct buf is = BUF_INIT, want = BUF_INIT;

	if (!r->found)
		return false;
	schema_number_text(&is, v);
	schema_number_text(&want, limit);
	return schema_report(r, n, at, "must be %s %s, not %s", must, buf_str(&want), buf_str(&is));
}

static bool check_number(struct run *r, const struct node *n, const json_t *v, const struct at *at)
{
	const struct number_rules *k = n->number;

	if (k->minimum && schema_number_compare(v, k->minimum) < 0)
		return number_error(r, n, v, at, "at least", k->minimum);
	if (k->above && schema_number_compare(v, k->above) <= 0)
		return number_error(r, n, v, at, "more than", k->above);
	if (k->maximum && schema_number_compare(v, k->maximum) > 0)
		return number_error(r, n, v, at, "at most", k->maximum);
	if (k->below && schema_number_compare(v, k->below) >= 0)
		return number_error(r, n, v, at, "less than", k->below);
	if (k->multiple && !schema_is_multiple(v, k->divisor))
		return number_error(r, n, v, at, "a multiple of", k->multiple);
	return true;
}

enum regex_result schema_run_match(struct run *r, const struct regex *regex, const struct at *at,
				   const char *s, size_t n)
{
	enum regex_result result;

	if (!r->match)
		r->match = pcre2_match_data_create(1, NULL);
	result = r->match ? schema_regex_match(regex, r->schema->limits, r->match, s, n) : REGEX_COSTLY;
	if (result == REGEX_COSTLY)
		schema_stop(r, at, "takes too long to match against %s", regex->text);
	return result;
}

static bool check_string(struct run *r, const struct node *n, const json_t *v, const struct at *at)
{
	const struct string_rules *k = n->string;
	const char *s = json_string_value(v);
	size_t len = json_string_length(v);

	if (k->min > 0 || k->max < SIZE_MAX) {
		size_t points = schema_code_points(s, len);

		if (points < k->min)
			return points == 0
				   ? schema_report(r, n, at, "must not be empty")
				   : schema_report(r, n, at, "must have at least %zu characters, not %zu",
						   k->min, points);
		if (points > k->max)
			return schema_report(r, n, at, "must have at most %zu character%s, not %zu", k->max,
					     k->max == 1 ? "" : "s", points);
	}
	if (k->pattern.code && schema_run_match(r, &k->pattern, at, s, len) != REGEX_YES)
		return n->message ? schema_report_message(r, n->message, at)
				  : schema_report(r, n, at, "must match %s", k->pattern.text);
	return true;
}

/* --- the way through a node --- */

static const struct node *dynamic_target(const struct run *r, const struct node *n)
{
	const struct node *to = n->dynamic;
	const struct scope *s;

	/* The outermost resource on the way here that has the anchor. */
	for (s = r->scope; n->dynamic_name && s; s = s->up) {
		uint32_t i = map_get(&s->resource->dynamic, n->dynamic_name);

		if (i != MAP_NONE)
			to = r->schema->nodes.v[i];
	}
	return to;
}

static bool check_rules(struct run *r, const struct node *n, const json_t *v, const struct at *at,
			struct seen *seen)
{
	bool ok = true;

	if (n->ref)
		HOLDS(schema_node_check(r, n->ref, v, at, seen));
	if (n->dynamic)
		HOLDS(schema_node_check(r, dynamic_target(r, n), v, at, seen));
	switch (json_typeof(v)) {
	case JSON_INTEGER:
	case JSON_REAL:
		if (n->number)
			HOLDS(check_number(r, n, v, at));
		break;
	case JSON_STRING:
		if (n->string)
			HOLDS(check_string(r, n, v, at));
		break;
	case JSON_ARRAY:
		if (n->array)
			HOLDS(schema_array_check(r, n, v, at, seen));
		break;
	case JSON_OBJECT:
		if (n->object)
			HOLDS(schema_object_check(r, n, v, at, seen));
		break;
	default:
		break;
	}
	if (n->logic)
		HOLDS(schema_logic_check(r, n, v, at, seen));
	return ok;
}

/* unevaluated* sees what this node and those that it applies have looked at, and nothing of what others have.
 */
static bool check_with_rest(struct run *r, const struct node *n, const json_t *v, const struct at *at,
			    struct seen *outer)
{
	struct seen mine;
	bool ok;

	schema_seen_init(&mine, json_is_array(v) ? json_array_size(v) : json_object_size(v));
	ok = check_rules(r, n, v, at, &mine);
	if (ok || r->found) {
		bool rest = json_is_array(v) ? schema_array_rest(r, n, v, at, &mine)
					     : schema_object_rest(r, n, v, at, &mine);

		ok = ok && rest;
	}
	schema_seen_merge(outer, &mine);
	schema_seen_free(&mine);
	return ok;
}

static bool check_inside_scope(struct run *r, const struct node *n, const json_t *v, const struct at *at,
			       struct seen *seen)
{
	bool has_rest = (json_is_array(v) && n->array && n->array->unevaluated) ||
			(json_is_object(v) && n->object && n->object->unevaluated);

	if (!check_kind(r, n, v, at))
		return false;
	return has_rest ? check_with_rest(r, n, v, at, seen) : check_rules(r, n, v, at, seen);
}

bool schema_node_check(struct run *r, const struct node *n, const json_t *v, const struct at *at,
		       struct seen *seen)
{
	struct scope here = {r->scope, n->resource};
	bool ok;

	if (n->empty)
		return true;
	if (n->never)
		return schema_report_never(r, n, at);
	if (r->stop.message)
		return false;
	if (r->depth == SCHEMA_DEPTH_MAX)
		return schema_stop(r, at, "is nested too deeply to be checked");
	if (++r->steps > SCHEMA_STEPS_MAX)
		return schema_stop(r, at, "the whole is too large to be checked");
	r->depth++;
	if (!r->scope || r->scope->resource != n->resource)
		r->scope = &here;
	ok = check_inside_scope(r, n, v, at, seen);
	r->scope = here.up;
	r->depth--;
	return ok;
}

/* --- entry --- */

static void hand_over(struct diags *out, struct finding *f)
{
	struct diag *d = diag_add(out, f->pointer, f->suggestion, "%s", f->message);

	f->suggestion = NULL;
	if (d)
		d->at_key = f->at_key;
}

bool schema_check(const struct schema *s, const json_t *value, const char *base, struct diags *out)
{
	struct findings found = {0};
	struct run r = {.schema = s, .base = base, .found = out ? &found : NULL};
	struct at top = {0};
	bool ok = schema_node_check(&r, s->start, value, &top, NULL) && !r.stop.message;
	size_t i;

	if (out && r.stop.message) {
		/* What was found before may be the work of the same hand; what came after means nothing. */
		hand_over(out, &r.stop);
	} else if (out && !ok) {
		for (i = 0; i < found.list.n; i++)
			hand_over(out, &found.list.v[i]);
		out->more += found.more;
	}
	schema_findings_free(&found);
	schema_finding_free(&r.stop);
	pcre2_match_data_free(r.match);
	return ok;
}
