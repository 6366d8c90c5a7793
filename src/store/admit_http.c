/*
 * admit_http.c - HTTP actions at admission: the definition that an action names is found in the catalog, its inputs
 * are judged, and it is pinned in the plan together with the entry of its API.
 *
 * What runs later is what was judged now.  References into the outputs of such an action are compared with what its
 * definition says that it puts out, as far as that is declared by name (EDGE-1).
 */
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "codec/definitions.h"
#include "codec/io_schema.h"
#include "codec/pinned_load.h"
#include "codec/schema.h"
#include "core/ref.h"
#include "store/admit_impl.h"
#include "store/catalog_http.h"

/* ---- finding ---- */

/* What was not found, or is not whole, may be so only because something could not be read. */
static int note_trouble(const struct judge *j, int r)
{
	const struct err *trouble = http_catalog_trouble(j->catalog->http);

	if (r != 1 && trouble)
		j->catalog->trouble = *trouble;
	return r;
}

static int find(const struct judge *j, const char *id, struct http_found *out, char **why)
{
	*why = NULL;
	return j->catalog && j->catalog->http ? note_trouble(j, http_catalog_find(j->catalog->http, id, out, why)) : 0;
}

json_t *admit_definition(const struct judge *j, const char *id)
{
	AUTO_FREE char *why = NULL;
	struct http_found found;

	return find(j, id, &found, &why) == 1 ? found.definition : NULL;
}

static void unknown(const struct judge *j, const char *id, const char *pointer, struct diags *errors)
{
	const char *more = j->catalog && j->catalog->http ? http_catalog_nearest(j->catalog->http, id) : NULL;

	definition_unknown(id, definition_nearest(id, more), pointer, errors);
}

/* ---- inputs as they were written ---- */

void admit_inputs_as_text(const json_t *definition, json_t *inputs, schema_raw_text raw, void *ctx)
{
	struct schema *s = definition ? io_schema_compile_inputs(json_object_get(definition, "inputSchema"), NULL) : NULL;

	if (s)
		schema_text_fields(s, inputs, raw, ctx);
	schema_free(s);
}

/* ---- pinning ---- */

/* Put a copy under its id; once. */
static bool pin(struct judge *j, json_t *canonical, const char *where, const char *id, json_t *entry,
		const char *pointer, struct diags *errors)
{
	json_t *all = json_object_get(canonical, where);
	AUTO_FREE char *text = NULL;

	if (json_object_get(all, id))
		return true;
	text = json_dumps(entry, JSON_COMPACT);
	j->budget->bytes += strlen(text);
	if (j->budget->bytes > PINNED_BYTES_MAX) {
		diag_add(errors, pointer, xstrdup("split the plan"), "what this plan pins of the catalog is more than %d MiB",
			 PINNED_BYTES_MAX / (1024 * 1024));
		return false;
	}
	if (!all) {
		all = json_object();
		json_object_set_new(canonical, where, all);
	}
	json_object_set_new(all, id, json_deep_copy(entry));
	return true;
}

static void pin_api(struct judge *j, json_t *canonical, json_t *api, const char *pointer, struct diags *errors)
{
	if (api)
		pin(j, canonical, "apis", json_string_value(json_object_get(api, "apiId")), api, pointer, errors);
}

/* The built-in http.request has no definition; its URL says which API it is about, as far as it is known now. */
static void admit_request(struct judge *j, json_t *canonical, const json_t *inputs, const char *pointer,
			  struct diags *errors)
{
	const char *text = json_string_value(json_object_get(inputs, "url"));
	AUTO_FREE char *at = xasprintf("%s/inputs/url", pointer), *why = NULL, *url = NULL;
	json_t *api = NULL;
	int r;

	if (!text || !j->catalog || !j->catalog->http)
		return;
	url = pinned_url_prefix(text);
	r = note_trouble(j, http_catalog_api_of(j->catalog->http, url, &api, &why));
	if (r < 0)
		diag_add(errors, at, NULL, "the API of this URL is described by an entry that is wrong: %s", why);
	else
		pin_api(j, canonical, api, at, errors);
}

void admit_http(struct judge *j, json_t *canonical, const char *id, const json_t *inputs, const char *pointer,
		struct diags *errors)
{
	AUTO_FREE char *at = xasprintf("%s/actionDefinitionId", pointer), *why = NULL;
	struct http_found found;
	int r;

	if (strcmp(id, HTTP_REQUEST) == 0) {
		definition_check_plan(id, NULL, inputs, pointer, errors);
		admit_request(j, canonical, inputs, pointer, errors);
		return;
	}
	r = find(j, id, &found, &why);
	if (r == 0) {
		unknown(j, id, pointer, errors);
	} else if (r < 0) {
		diag_add(errors, at, NULL, "the definition \"%s\" cannot be used: %s", id, why);
	} else if (pin(j, canonical, "definitions", id, found.definition, at, errors)) {
		pin_api(j, canonical, found.api, at, errors);
		definition_check_plan(id, found.definition, inputs, pointer, errors);
	}
}

/* ---- references into outputs ---- */

struct ref_check {
	const struct plan *plan;
	const char *pointer;   /* of the inputs */
	const json_t *wanted;  /* the inputSchema of the action that refers; or NULL */
	const json_t *inputs;
	struct diags *errors;
};

/* What an action says that it puts out; NULL: nothing that is known by name. */
static const json_t *declared_outputs(const struct plan *p, const char *action)
{
	uint32_t i = plan_find(p, action);
	const json_t *outputs;

	/* A forEach action's outputs are those of its items, together. */
	if (i == NO_ACTION || !p->actions[i].pinned || p->actions[i].for_each)
		return NULL;
	outputs = json_object_get(p->actions[i].pinned->definition, "outputSchema");
	return io_schema_is_flat(outputs) && json_object_size(outputs) > 0 ? outputs : NULL;
}

static void no_such_output(const struct ref *r, const json_t *outputs, const char *pointer, struct diags *errors)
{
	const char *key, *near, **list = xcalloc(json_object_size(outputs) + 1, sizeof *list);
	size_t n = 0;
	json_t *v;

	json_object_foreach((json_t *)outputs, key, v)
		list[n++] = key;
	near = text_nearest(r->step[0].name, list, n);
	diag_add(errors, pointer,
		 near ? xasprintf("did you mean \"%s\"?", near) : xstrdup("add it to outputSchema of its definition"),
		 "the reference \"%s\" names an output that \"%s\" does not declare: \"%s\"", r->text, r->action,
		 r->step[0].name);
	free(list);
}

static bool type_fits(const char *have, const char *want)
{
	return strcmp(have, want) == 0 || (strcmp(have, "integer") == 0 && strcmp(want, "number") == 0);
}

/* The input that the pointer leads to, if it is nothing but this one reference. */
static const char *whole_input(const struct ref_check *c, const char *pointer)
{
	const char *name = pointer + strlen(c->pointer) + 1, *text;
	const char *why;
	struct ref r;

	if (strlen(pointer) <= strlen(c->pointer) || strchr(name, '/'))
		return NULL;
	text = json_string_value(json_object_get(c->inputs, name));
	if (!text || !ref_parse_whole(text, strlen(text), &r, &why))
		return NULL;
	ref_free(&r);
	return name;
}

static void check_ref(void *ctx, const char *pointer, const struct ref *r)
{
	struct ref_check *c = ctx;
	const json_t *outputs;
	const char *have, *want, *input;

	if (r->root != REF_ACTION || r->field != REF_OUTPUT || r->nsteps == 0 || !r->step[0].name ||
	    !(outputs = declared_outputs(c->plan, r->action)))
		return;
	have = io_schema_type_of(outputs, r->step[0].name);
	if (!have) {
		no_such_output(r, outputs, pointer, c->errors);
		return;
	}
	input = r->nsteps == 1 && c->wanted ? whole_input(c, pointer) : NULL;
	want = input ? io_schema_type_of(c->wanted, input) : NULL;
	if (want && !type_fits(have, want))
		diag_add(c->errors, pointer, xstrdup("take an output of that type, or put it into a longer text, which makes it text"),
			 "\"%s\" is declared as %s, and the input \"%s\" takes %s", r->text, have, input, want);
}

void admit_output_refs(const struct plan *plan, struct diags *errors)
{
	uint32_t i;

	if (plan->npinned == 0)
		return;
	for (i = 0; i < plan->n; i++) {
		const struct action *a = &plan->actions[i];
		AUTO_FREE char *base = xasprintf("/actions/%u/inputs", i);
		struct ref_check c = {plan, base, NULL, NULL, errors};
		json_t *inputs;

		if (!strstr(a->inputs, "${") && !strstr(a->inputs, "{{"))
			continue;
		inputs = json_loads(a->inputs, 0, NULL);
		c.inputs = inputs;
		c.wanted = a->pinned ? json_object_get(a->pinned->definition, "inputSchema") : NULL;
		ref_scan(inputs, base, check_ref, NULL, &c);
		json_decref(inputs);
	}
}
