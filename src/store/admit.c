#include "store/admit.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec/definitions.h"
#include "codec/normalize.h"
#include "codec/plan_load.h"
#include "codec/schema.h"
#include "codec/source.h"
#include "core/check.h"
#include "store/admit_impl.h"

/* A plan may stand inside another's text: pointers are relative to it. */
static const char *raw_text(void *judge, const char *pointer)
{
	const struct judge *j = judge;
	AUTO_FREE char *place = xasprintf("%s%s", j->prefix, pointer);

	return source_raw(j->source, place);
}

static bool is_text_list(const json_t *v)
{
	size_t k;
	json_t *item;

	if (!v)
		return true;
	if (!json_is_array(v))
		return false;
	json_array_foreach(v, k, item)
		if (!json_is_string(item))
			return false;
	return true;
}

/* A plan whose shape is wrong may still be whole enough to look for what else is wrong: people want to hear of
 * everything at once.  What the further checks rely on must be as it should be. */
static bool whole_enough(const json_t *root, enum plan_form form)
{
	json_t *list = json_object_get(root, form == PLAN_FORM_ACTIONS ? "actions" : "steps"), *a;
	const char *deps = form == PLAN_FORM_ACTIONS ? "dependencies" : "depends_on";
	size_t k;

	if (json_array_size(list) == 0 || json_array_size(list) > PLAN_ACTIONS_MAX)
		return false;
	if (!json_is_string(json_object_get(root, form == PLAN_FORM_ACTIONS ? "name" : "plan_id")))
		return false;
	json_array_foreach(list, k, a) {
		const char *id = json_string_value(json_object_get(a, "id"));
		json_t *inputs = json_object_get(a, "inputs"), *env = json_object_get(a, "env");

		if (!id || !action_id_is(id) || !is_text_list(json_object_get(a, deps)) ||
		    (inputs && !json_is_object(inputs)) || (env && !json_is_object(env)))
			return false;
		if (form == PLAN_FORM_ACTIONS && !json_is_string(json_object_get(a, "actionDefinitionId")))
			return false;
	}
	return true;
}

static bool is_complained_of(const struct diags *d, size_t n, const char *pointer)
{
	size_t k;

	for (k = 0; k < n; k++)
		if (strcmp(d->v[k].pointer, pointer) == 0 && !d->v[k].at_key)
			return true;
	return false;
}

struct raw_below {
	void *judge;
	const char *base;
};

static const char *raw_text_below(void *ctx, const char *pointer)
{
	struct raw_below *r = ctx;
	AUTO_FREE char *whole = xasprintf("%s%s", r->base, pointer);

	return raw_text(r->judge, whole);
}

/* Where a definition wants text, its inputs take any scalar as it was written: `command: true`. */
static void inputs_as_text(void *judge, json_t *root)
{
	json_t *list = json_object_get(root, "actions"), *a;
	size_t k;

	json_array_foreach(list, k, a) {
		const char *id = json_string_value(json_object_get(a, "actionDefinitionId"));
		const struct definition *d = id ? definition_find(id) : NULL;
		AUTO_FREE char *base = xasprintf("/actions/%zu/inputs", k);
		struct raw_below below = {judge, base};
		json_t *inputs = json_object_get(a, "inputs");

		if (d && inputs)
			schema_text_fields(schema_builtin(d->schema), inputs, raw_text_below, &below);
		else if (id && inputs)
			admit_inputs_as_text(admit_definition(judge, id), inputs, raw_text_below, &below);
	}
}

/* Findings about the canonical plan, as findings about the source.  Where the shape of a value is wrong already,
 * what its content seems to say is beside the point. */
static void to_source(const json_t *root, enum plan_form form, struct diags *from, struct diags *to)
{
	size_t k, shape = to->n;

	for (k = 0; k < from->n; k++) {
		AUTO_FREE char *pointer = plan_source_pointer(root, form, from->v[k].pointer);
		struct diag *d;

		if (is_complained_of(to, shape, pointer))
			continue;
		d = diag_add(to, pointer, xstrdup_opt(from->v[k].suggestion), "%s", from->v[k].message);
		if (d)
			d->at_key = from->v[k].at_key;
	}
	to->more += from->more;
	diags_free(from);
}

/* What the format has words for and this version does not do: better refused than silently ignored. */
static void check_supported(const json_t *action, const char *pointer, struct diags *errors)
{
	static const char *const later[] = {"cache"};
	size_t k;

	for (k = 0; k < sizeof later / sizeof *later; k++) {
		AUTO_FREE char *at = xasprintf("%s/%s", pointer, later[k]);
		struct diag *d;

		if (!json_object_get(action, later[k]))
			continue;
		d = diag_add(errors, at, xstrdup("leave it out"), "\"%s\" cannot be used yet", later[k]);
		if (d)
			d->at_key = 1;
	}
}

/* A tree of plans is as large as a plan may be. */
static void check_size(struct judge *j, const json_t *actions, struct diags *errors)
{
	j->budget->actions += json_array_size(actions);
	if (j->depth > 0 && j->budget->actions > PLAN_ACTIONS_MAX)
		diag_add(errors, "/actions", xstrdup("let plans run fewer others"),
			 "the plans that run one another have more than %d actions", PLAN_ACTIONS_MAX);
}

static void check_definitions(struct judge *j, json_t *canonical, struct diags *errors)
{
	json_t *actions = json_object_get(canonical, "actions"), *a;
	size_t k;

	check_size(j, actions, errors);
	json_array_foreach(actions, k, a) {
		const char *id = json_string_value(json_object_get(a, "actionDefinitionId"));
		AUTO_FREE char *pointer = xasprintf("/actions/%zu", k);
		json_t *inputs = json_copy(json_object_get(a, "inputs"));

		json_object_update(inputs, json_object_get(a, "typedInputs"));
		if (id && (!definition_find(id) || strcmp(id, HTTP_REQUEST) == 0))
			admit_http(j, canonical, id, inputs, pointer, errors);
		else if (id)
			definition_check_plan(id, NULL, inputs, pointer, errors);
		if (id && strcmp(id, "plan.run") == 0 && j->budget->actions <= PLAN_ACTIONS_MAX)
			admit_child(j, a, pointer, errors);
		check_supported(a, pointer, errors);
		json_decref(inputs);
	}
}

static void check_whole(struct judge *j, const json_t *root, enum plan_form form, struct admitted *out,
			struct diags *errors)
{
	struct diags found = DIAGS_INIT;

	out->canonical = plan_normalize(root, form, j->now, errors);
	if (!out->canonical)
		return;
	if (j->by && j->depth == 0)
		json_object_set(out->canonical, "submittedBy", j->by);
	check_definitions(j, out->canonical, &found);
	out->plan = plan_load(out->canonical, &found);
	if (out->plan)
		plan_check(out->plan, &found);
	if (out->plan)
		admit_output_refs(out->plan, &found);
	to_source(root, form, &found, errors);
}

void admit_root(struct judge *j, json_t *root, struct admitted *out, struct diags *errors)
{
	enum plan_form form = plan_form_of(root, errors);
	const struct schema *schema;
	bool shaped;

	if (form == PLAN_FORM_NONE)
		return;
	if (form == PLAN_FORM_WORKFLOW) {
		diag_add(errors, "/triggers", xstrdup("write it as actions: or as plan_id: and steps:"),
			 "workflows with triggers cannot be run yet");
		return;
	}
	schema = schema_builtin(plan_form_schema(form));
	schema_text_fields(schema, root, raw_text, j);
	if (form == PLAN_FORM_ACTIONS)
		inputs_as_text(j, root);
	shaped = schema_check(schema, root, "", errors);
	if (shaped || whole_enough(root, form))
		check_whole(j, root, form, out, errors);
}

bool admit_plan_in(struct plan_catalog *catalog, const char *name, const char *text, size_t n, json_t *by,
		   msec now, struct admitted *out, struct diags *errors)
{
	char none[] = "";
	struct source source;
	struct budget budget = {0};
	struct judge j = {.catalog = catalog, .by = by, .now = now, .source = &source, .prefix = none, .budget = &budget};

	*out = (struct admitted){NULL, NULL};
	if (!source_parse(source_form_of(name), text, n, &source_plan_limits, &source, errors))
		return false;
	admit_root(&j, source.root, out, errors);
	source_place_all(&source, errors);
	source_free(&source);
	if (errors->n == 0)
		return true;
	admitted_free(out);
	return false;
}

bool admit_plan(const char *name, const char *text, size_t n, json_t *by, msec now, struct admitted *out,
		struct diags *errors)
{
	return admit_plan_in(NULL, name, text, n, by, now, out, errors);
}

void admitted_free(struct admitted *a)
{
	json_decref(a->canonical);
	plan_free(a->plan);
	*a = (struct admitted){NULL, NULL};
}

static json_t *finding(const char *file, const struct diag *d, const char *category)
{
	json_t *o = json_object();

	json_object_set_new(o, "file", json_string(file));
	json_object_set_new(o, "category", json_string(category));
	json_object_set_new(o, "message", json_string(d->message));
	if (d->line) {
		json_object_set_new(o, "line", json_integer(d->line));
		json_object_set_new(o, "column", json_integer(d->column));
	}
	json_object_set_new(o, "pointer", json_string(d->pointer));
	if (d->suggestion)
		json_object_set_new(o, "suggestion", json_string(d->suggestion));
	return o;
}

json_t *admit_report(const char *file, const struct diags *errors, const char *category, msec at, long uid)
{
	json_t *report, *list = json_array();
	char when[CLOCK_TEXT];
	size_t k;

	for (k = 0; k < errors->n; k++)
		json_array_append_new(list, finding(file, &errors->v[k], category));
	report = json_copy(json_array_get(list, 0));
	json_object_set_new(report, "errors", list);
	if (errors->more)
		json_object_set_new(report, "moreErrors", json_integer((json_int_t)errors->more));
	clock_format(at, when);
	json_object_set_new(report, "at", json_string(when));
	if (uid >= 0)
		json_object_set_new(report, "uid", json_integer(uid));
	return report;
}
