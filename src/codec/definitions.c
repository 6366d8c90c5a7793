#include "codec/definitions.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "codec/io_schema.h"
#include "codec/schema.h"
#include "model/error.h"

static const struct definition definitions[] = {
    {"command", "inputs-command"},
    {"shell.run", "inputs-shell-run"},
    {"plan.run", "inputs-plan-run"},
    {HTTP_REQUEST, "inputs-http-request"},
};

enum { COUNT = sizeof definitions / sizeof *definitions };

const struct definition *definition_find(const char *id)
{
	size_t k;

	for (k = 0; k < COUNT; k++)
		if (strcmp(definitions[k].id, id) == 0)
			return &definitions[k];
	return NULL;
}

const char *definition_nearest(const char *id, const char *more)
{
	const char *ids[COUNT + 1];
	size_t k;

	for (k = 0; k < COUNT; k++)
		ids[k] = definitions[k].id;
	ids[COUNT] = more;
	return text_nearest(id, ids, more ? COUNT + 1 : COUNT);
}

void definition_unknown(const char *id, const char *near, const char *pointer, struct diags *errors)
{
	AUTO_FREE char *at = xasprintf("%s/actionDefinitionId", pointer);

	diag_add(errors, at,
		 near ? xasprintf("did you mean \"%s\"?", near)
		      : xstrdup("use command (a program with arguments), shell.run (a script), or a definition of the spool's "
				"catalog/actions"),
		 "there is no action definition \"%s\"", id);
}

/* The value at a pointer, or NULL. */
static const json_t *at_pointer(const json_t *v, const char *pointer)
{
	while (v && *pointer == '/') {
		size_t n = strcspn(++pointer, "/");
		AUTO_FREE char *name = xstrndup(pointer, n);

		v = json_is_array(v) ? json_array_get(v, strtoul(name, NULL, 10)) : json_object_get(v, name);
		pointer += n;
	}
	return v;
}

static bool has_reference(const json_t *v)
{
	const char *s = json_string_value(v);

	return s && (strstr(s, "${") || strstr(s, "{{"));
}

static bool fits(const char *id, const json_t *pinned, const json_t *inputs, const char *base, struct diags *found)
{
	const struct definition *d = pinned ? NULL : definition_find(id);
	struct schema *s;
	bool yes;

	if (!pinned)
		return !d || schema_check(schema_builtin(d->schema), inputs, base, found);
	s = io_schema_compile_inputs(json_object_get(pinned, "inputSchema"), NULL); /* it compiled when it was pinned */
	yes = !s || schema_check(s, inputs, base, found);
	schema_free(s);
	return yes;
}

void definition_check_plan(const char *id, const json_t *pinned, const json_t *inputs, const char *pointer,
			   struct diags *errors)
{
	AUTO_FREE char *base = xasprintf("%s/inputs", pointer);
	struct diags found = DIAGS_INIT;
	size_t k, n = strlen(base);

	if (fits(id, pinned, inputs, base, &found))
		return;
	for (k = 0; k < found.n; k++) {
		struct diag *f = &found.v[k], *copy;

		if (!f->at_key && has_reference(at_pointer(inputs, f->pointer + n)))
			continue;
		copy = diag_add(errors, f->pointer, xstrdup_opt(f->suggestion), "%s", f->message);
		if (copy)
			copy->at_key = f->at_key;
	}
	diags_free(&found);
}

json_t *definition_check_inputs(const struct action *a, const json_t *inputs)
{
	const json_t *pinned = a->pinned ? a->pinned->definition : NULL;
	struct diags found = DIAGS_INIT;
	AUTO_BUF struct buf text = BUF_INIT;
	json_t *error;
	size_t k;

	if (!pinned && !definition_find(a->definition)) {
		error = error_new(ERROR_VALIDATION_FAILED, false, "there is no action definition \"%s\"", a->definition);
		error_set_code(error, "definition");
		return error;
	}
	if (fits(a->definition, pinned, inputs, "", &found))
		return NULL;
	for (k = 0; k < found.n && k < 5; k++)
		buf_printf(&text, "%sinputs%s: %s", k ? "; " : "", found.v[k].pointer, found.v[k].message);
	diags_free(&found);
	error = error_new(ERROR_VALIDATION_FAILED, false, "the inputs do not fit \"%s\": %s", a->definition, buf_str(&text));
	error_set_code(error, "inputs");
	error_set_suggestion(error, "look at the outputs that these inputs refer to: their type is not what is wanted here");
	return error;
}
