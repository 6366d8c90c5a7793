#include "codec/definitions.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "codec/schema.h"
#include "model/error.h"

static const struct definition definitions[] = {
    {"command", "inputs-command"},
    {"shell.run", "inputs-shell-run"},
    {"plan.run", "inputs-plan-run"},
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

static void unknown(const char *id, const char *pointer, struct diags *errors)
{
	AUTO_FREE char *at = xasprintf("%s/actionDefinitionId", pointer);
	const char *ids[COUNT], *near;
	size_t k;

	for (k = 0; k < COUNT; k++)
		ids[k] = definitions[k].id;
	near = text_nearest(id, ids, COUNT);
	diag_add(errors, at,
		 near ? xasprintf("did you mean \"%s\"?", near)
		      : xstrdup("use command (a program with arguments) or shell.run (a script)"),
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

void definition_check_plan(const char *id, const json_t *inputs, const char *pointer, struct diags *errors)
{
	const struct definition *d = definition_find(id);
	AUTO_FREE char *base = xasprintf("%s/inputs", pointer);
	struct diags found = DIAGS_INIT;
	size_t k, n = strlen(base);

	if (!d) {
		unknown(id, pointer, errors);
		return;
	}
	if (schema_check(schema_builtin(d->schema), inputs, base, &found))
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

json_t *definition_check_inputs(const char *id, const json_t *inputs)
{
	const struct definition *d = definition_find(id);
	struct diags found = DIAGS_INIT;
	AUTO_BUF struct buf text = BUF_INIT;
	json_t *error;
	size_t k;

	if (!d) {
		error = error_new(ERROR_VALIDATION_FAILED, false, "there is no action definition \"%s\"", id);
		error_set_code(error, "definition");
		return error;
	}
	if (schema_check(schema_builtin(d->schema), inputs, "", &found))
		return NULL;
	for (k = 0; k < found.n && k < 5; k++)
		buf_printf(&text, "%sinputs%s: %s", k ? "; " : "", found.v[k].pointer, found.v[k].message);
	diags_free(&found);
	error = error_new(ERROR_VALIDATION_FAILED, false, "the inputs do not fit \"%s\": %s", id, buf_str(&text));
	error_set_code(error, "inputs");
	error_set_suggestion(error, "look at the outputs that these inputs refer to: their type is not what is wanted here");
	return error;
}
