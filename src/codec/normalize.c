#include "codec/normalize.h"

#include <string.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "codec/normalize_impl.h"

static bool any_step_has(const json_t *steps, const char *const *keys)
{
	size_t i;
	json_t *step;

	json_array_foreach(steps, i, step) {
		const char *const *k;

		for (k = keys; *k; k++)
			if (json_object_get(step, *k))
				return true;
	}
	return false;
}

enum plan_form plan_form_of(const json_t *root, struct diags *errors)
{
	static const char *const s1_keys[] = {"command", "step_def", "depends_on", "timeout_sec", "on_failure", NULL};
	static const char *const s4_keys[] = {"type", "action", "connections", NULL};
	json_t *steps = json_object_get(root, "steps");
	bool s1, s4;

	if (!json_is_object(root)) {
		diag_add(errors, "", xstrdup("start it with name: and actions:, or with plan_id: and steps:"),
			 root ? "a plan is a mapping with members, not a list or a single value" : "the file is empty");
		return PLAN_FORM_NONE;
	}
	if (json_object_get(root, "actions")) {
		if (!steps)
			return PLAN_FORM_ACTIONS;
		diag_add(errors, "/steps", xstrdup("keep one of them"),
			 "a plan has either \"actions\" or \"steps\", not both");
		return PLAN_FORM_NONE;
	}
	if (!steps) {
		diag_add(errors, "", xstrdup("add actions: (or steps:), a list"), "missing property \"actions\"");
		return PLAN_FORM_NONE;
	}
	s1 = json_object_get(root, "plan_id") || json_object_get(root, "globals");
	s4 = json_object_get(root, "triggers") != NULL;
	if (!s1 && !s4) {
		s1 = any_step_has(steps, s1_keys);
		s4 = any_step_has(steps, s4_keys);
	}
	if (s1 && s4) {
		diag_add(errors, "/steps", xstrdup("use plan_id and command, or triggers and action, throughout"),
			 "this mixes a step plan with a workflow");
		return PLAN_FORM_NONE;
	}
	return s4 ? PLAN_FORM_WORKFLOW : PLAN_FORM_STEPS;
}

const char *plan_form_schema(enum plan_form form)
{
	return form == PLAN_FORM_ACTIONS ? "plan" : "step-plan";
}

void put(json_t *o, const char *key, json_t *value)
{
	json_object_set_new(o, key, value);
}

void copy(json_t *to, const json_t *from, const char *key)
{
	json_t *v = json_object_get(from, key);

	if (v)
		json_object_set(to, key, v);
}

void copy_as(json_t *to, const char *to_key, const json_t *from, const char *key)
{
	json_t *v = json_object_get(from, key);

	if (v)
		json_object_set(to, to_key, v);
}

void copy_extensions(json_t *to, const json_t *from)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)from, key, v)
		if (strncmp(key, "x-", 2) == 0)
			json_object_set(to, key, v);
}

static char *as_text(const json_t *v)
{
	char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);

	return text ? text : xstrdup("");
}

/* Split typed values into what S0 allows and, where that loses something, the value itself beside it. */
static void put_split(json_t *to, const char *plain_key, const char *typed_key, const json_t *values,
		      bool (*allowed)(const json_t *v))
{
	json_t *plain = json_object(), *typed = json_object();
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)values, key, v) {
		if (allowed(v)) {
			json_object_set(plain, key, v);
		} else {
			AUTO_FREE char *text = as_text(v);

			json_object_set_new(plain, key, json_string(text));
			json_object_set(typed, key, v);
		}
	}
	put(to, plain_key, plain);
	if (json_object_size(typed) > 0)
		json_object_set(to, typed_key, typed);
	json_decref(typed);
}

static bool is_plain_input(const json_t *v)
{
	return json_is_string(v) || json_is_number(v) || json_is_boolean(v);
}

static bool is_plain_fallback(const json_t *v)
{
	return json_is_string(v);
}

/* Typed values that the source gives itself (a plan.json that is dropped again) go over those that follow. */
static void add_typed(json_t *to, const json_t *from, const char *typed_key)
{
	json_t *given = json_object_get(from, typed_key), *typed = json_object_get(to, typed_key);

	if (typed)
		json_object_update(typed, given);
	else
		copy(to, from, typed_key);
}

void put_inputs(json_t *action, const json_t *inputs)
{
	put_split(action, "inputs", "typedInputs", inputs, is_plain_input);
}

static void put_error_handling(json_t *action, const json_t *from)
{
	json_t *source = json_object_get(from, "errorHandling"), *handling = json_object();
	json_t *fallback = json_object_get(source, "fallbackValue");
	const char *policy = json_string_value(json_object_get(from, "onFailure"));
	bool go_on = json_is_true(json_object_get(source, "continueOnFailure")) ||
		     (policy && strcmp(policy, "continue") == 0);

	put(handling, "continueOnFailure", json_boolean(go_on));
	if (fallback)
		put_split(handling, "fallbackValue", "typedFallback", fallback, is_plain_fallback);
	add_typed(handling, source, "typedFallback");
	copy(handling, source, "alternativeActionId");
	put(action, "errorHandling", handling);
}

static json_t *normalize_action(const json_t *from)
{
	static const char *const same[] = {
	    "condition", "userConfirmation", "name", "description", "tags", "timeoutMs", "totalTimeoutMs", "retryPolicy",
	    "when", "skipIf", "onFailure", "critical", "onLost", "resources", "provides", "consumes", "queue", "breaker",
	    "stage", "priority", "forEach", "loop", "compensate", "cache", NULL};
	json_t *to = json_object(), *deps = json_object_get(from, "dependencies");
	const char *const *k;

	copy(to, from, "id");
	copy(to, from, "actionDefinitionId");
	put_inputs(to, json_object_get(from, "inputs"));
	add_typed(to, from, "typedInputs");
	put(to, "dependencies", deps ? json_incref(deps) : json_array());
	put_error_handling(to, from);
	for (k = same; *k; k++)
		copy(to, from, *k);
	copy_extensions(to, from);
	return to;
}

static void put_metadata(json_t *plan, const json_t *source, msec now)
{
	json_t *metadata = json_object();
	char when[CLOCK_TEXT];

	clock_format(now, when);
	put(metadata, "createdAt", json_string(when));
	put(metadata, "estimatedDuration", json_integer(0));
	put(metadata, "tags", json_array());
	json_object_update(metadata, (json_t *)source);
	put(plan, "metadata", metadata);
}

static void put_outcome(json_t *plan, const json_t *source)
{
	json_t *outcome = json_object();

	put(outcome, "description", json_string("every action ends as its policies say"));
	put(outcome, "validations", json_array());
	json_object_update(outcome, (json_t *)source);
	put(plan, "expectedOutcome", outcome);
}

void put_head(json_t *plan, const char *id, const char *name, const char *description, const json_t *intent)
{
	char uuid[UUID_TEXT];

	if (id && uuid_is(id)) {
		put(plan, "id", json_string(id));
	} else {
		const char *key = id ? id : name;

		uuid_v5(key, strlen(key), uuid);
		put(plan, "id", json_string(uuid));
	}
	put(plan, "name", json_string(name));
	put(plan, "description", json_string(description ? description : name));
	if (intent)
		put(plan, "intent", json_incref((json_t *)intent));
	else
		put(plan, "intent", json_pack("{s:s, s:s, s:i}", "original", description ? description : name,
					      "interpreted", name, "confidence", 1));
}

void put_tail(json_t *plan, const json_t *outcome, const json_t *metadata, const char *id, msec now)
{
	put_outcome(plan, outcome);
	put_metadata(plan, metadata, now);
	if (id && !uuid_is(id))
		put(plan, "planKey", json_string(id));
}

static json_t *normalize_actions(const json_t *root, msec now)
{
	static const char *const same[] = {"planKey", "version", "maxConcurrency", "env", "inputs", "timeoutMs",
					   "onAbort", "priority", NULL};
	json_t *plan = json_object(), *actions = json_array(), *action;
	const char *id = json_string_value(json_object_get(root, "id"));
	const char *const *k;
	size_t i;

	put_head(plan, id, json_string_value(json_object_get(root, "name")),
		 json_string_value(json_object_get(root, "description")), json_object_get(root, "intent"));
	json_array_foreach(json_object_get(root, "actions"), i, action)
		json_array_append_new(actions, normalize_action(action));
	put(plan, "actions", actions);
	put_tail(plan, json_object_get(root, "expectedOutcome"), json_object_get(root, "metadata"), id, now);
	for (k = same; *k; k++)
		copy(plan, root, *k);
	copy_extensions(plan, root);
	put(plan, "sourceForm", json_string("actions"));
	return plan;
}

json_t *plan_normalize(const json_t *root, enum plan_form form, msec now, struct diags *errors)
{
	return form == PLAN_FORM_ACTIONS ? normalize_actions(root, now) : normalize_steps(root, now, errors);
}

char *plan_source_pointer(const json_t *root, enum plan_form form, const char *pointer)
{
	return form == PLAN_FORM_STEPS ? steps_source_pointer(root, pointer) : xstrdup(pointer);
}
