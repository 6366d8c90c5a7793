/*
 * normalize_steps.c - form 2, the step plan of seeds/001: snake_case and seconds.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "codec/normalize_impl.h"
#include "model/error.h"

enum { RETRY_FIRST_MS = 1000, RETRY_MOST_MS = 60000, RETRIES_MAX = 9 };

/* A number that the schema refuses comes here as well: a plan that is refused is looked at for further findings. */
static json_int_t to_ms(const json_t *seconds)
{
	double ms = json_number_value(seconds) * 1000 + 0.5;

	return ms >= 0 && ms < 1e15 ? (json_int_t)ms : 0;
}

static void put_timeouts(json_t *to, const json_t *step, const json_t *globals)
{
	json_t *own = json_object_get(step, "timeout_sec");
	json_t *most = json_object_get(globals, "max_step_duration_sec");
	json_int_t ms;

	if (!own)
		own = json_object_get(globals, "default_timeout_sec");
	ms = own ? to_ms(own) : 0;
	if (most && (ms == 0 || ms > to_ms(most)))
		ms = to_ms(most);
	if (ms > 0)
		put(to, "timeoutMs", json_integer(ms));
	/* The hard limit is on the step, however often it is tried. */
	if (most)
		put(to, "totalTimeoutMs", json_integer(to_ms(most)));
}

static void put_retries(json_t *to, const json_t *step)
{
	json_int_t retries = json_integer_value(json_object_get(step, "retries"));
	json_t *delay = json_object_get(step, "retry_delay_sec");
	json_int_t first = delay ? to_ms(delay) : RETRY_FIRST_MS;
	json_t *categories;
	int c;

	if (retries <= 0)
		return;
	categories = json_array();
	for (c = 0; c < ERROR_CATEGORY_COUNT; c++)
		if (c != ERROR_VALIDATION_FAILED && c != ERROR_USER_CANCELLED)
			json_array_append_new(categories, json_string(error_category_name((enum error_category)c)));
	put(to, "retryPolicy",
	    json_pack("{s:I, s:I, s:I, s:i, s:o, s:b}", "maxAttempts", retries + 1, "initialDelay", first, "maxDelay",
		      first > RETRY_MOST_MS ? first : (json_int_t)RETRY_MOST_MS, "backoffMultiplier", 2,
		      "retryableErrors", categories, "jitter", 0));
}

static void put_failure(json_t *to, const json_t *step, const char *pointer, struct diags *errors)
{
	const char *policy = json_string_value(json_object_get(step, "on_failure"));
	json_t *fallback = json_object_get(step, "fallback_step"), *handling = json_object();
	bool asks = policy && strcmp(policy, "fallback_step") == 0;

	if (asks && !fallback)
		diag_add(errors, pointer, xstrdup("add fallback_step: with the id of the step to run instead"),
			 "on_failure is \"fallback_step\", but there is no fallback_step");
	put(handling, "continueOnFailure", json_boolean(policy && strcmp(policy, "continue") == 0));
	if (fallback)
		put(handling, "alternativeActionId", json_incref(fallback));
	put(to, "errorHandling", handling);
	if (policy && !asks)
		put(to, "onFailure", json_string(policy));
}

static void put_breaker(json_t *to, json_t *breaker)
{
	json_t *o;

	if (!json_is_object(breaker)) {
		put(to, "breaker", json_incref(breaker));
		return;
	}
	o = json_object();
	copy(o, breaker, "name");
	copy_as(o, "onOpen", breaker, "on_open");
	put(to, "breaker", o);
}

/* A PowerShell script with named arguments becomes a command of pwsh. */
static json_t *powershell_inputs(const json_t *def)
{
	static const char *const flags[] = {"-NoProfile", "-NonInteractive", "-File"};
	json_t *inputs = json_object(), *args = json_array(), *given = json_object_get(def, "args"), *v;
	const char *key;
	size_t i;

	for (i = 0; i < sizeof flags / sizeof *flags; i++)
		json_array_append_new(args, json_string(flags[i]));
	json_array_append(args, json_object_get(def, "script"));
	if (json_is_array(given))
		json_array_extend(args, given);
	json_object_foreach(given, key, v) {
		json_array_append_new(args, json_string(key));
		if (!json_is_true(v))
			json_array_append(args, v);
	}
	put(inputs, "command", json_string("pwsh"));
	put(inputs, "args", args);
	return inputs;
}

static json_t *without(const json_t *def, const char *key)
{
	json_t *inputs = json_copy((json_t *)def);

	json_object_del(inputs, key);
	return inputs;
}

/* What the step runs: the definition's id and its inputs (new). */
static const char *what(const json_t *step, json_t **inputs)
{
	const json_t *def = json_object_get(step, "step_def");
	const char *type = json_string_value(json_object_get(def, "type"));

	if (!def || !type) {
		*inputs = json_object();
		copy(*inputs, step, "command");
		copy(*inputs, step, "args");
		return "command";
	}
	if (strcmp(type, "powershell") == 0) {
		*inputs = powershell_inputs(def);
		copy(*inputs, def, "cwd");
		copy(*inputs, def, "env");
		return "command";
	}
	*inputs = without(def, "type");
	if (strcmp(type, "shell") == 0)
		return "shell.run";
	if (strcmp(type, "api") == 0)
		return "http.request";
	if (strcmp(type, "file") == 0) {
		json_object_del(*inputs, "operation");
		return "file";
	}
	return "command";
}

static json_t *normalize_step(const json_t *step, const json_t *globals, const char *pointer, struct diags *errors)
{
	static const struct {
		const char *to, *from;
	} same[] = {{"name", "name"},         {"description", "description"}, {"tags", "tags"},
		    {"when", "condition"},    {"skipIf", "skip_if"},          {"critical", "critical"},
		    {"onLost", "on_lost"},    {"resources", "resources"},     {"provides", "provides"},
		    {"consumes", "consumes"}, {"priority", "priority"},       {"queue", "queue"}};
	json_t *to = json_object(), *inputs, *deps = json_object_get(step, "depends_on");
	json_t *def = json_object_get(step, "step_def");
	const char *definition, *type = json_string_value(json_object_get(def, "type"));
	size_t k;

	if (def && json_object_get(step, "command"))
		diag_add(errors, pointer, xstrdup("keep one of them"), "a step has either \"command\" or \"step_def\", not both");
	if (!def && !json_object_get(step, "command"))
		diag_add(errors, pointer, xstrdup("add command: with args:, or step_def:"),
			 "missing property \"command\" (or \"step_def\")");
	definition = what(step, &inputs);
	copy(inputs, step, "cwd");
	copy(inputs, step, "env");
	put(to, "id", json_incref(json_object_get(step, "id")));
	if (type && strcmp(type, "file") == 0 && json_is_string(json_object_get(def, "operation")))
		put(to, "actionDefinitionId",
		    json_sprintf("file.%s", json_string_value(json_object_get(def, "operation"))));
	else
		put(to, "actionDefinitionId", json_string(definition));
	put_inputs(to, inputs);
	json_decref(inputs);
	put(to, "dependencies", deps ? json_incref(deps) : json_array());
	put_failure(to, step, pointer, errors);
	put_timeouts(to, step, globals);
	put_retries(to, step);
	for (k = 0; k < sizeof same / sizeof *same; k++)
		copy_as(to, same[k].to, step, same[k].from);
	put_breaker(to, json_object_get(step, "breaker"));
	copy_extensions(to, step);
	return to;
}

json_t *normalize_steps(const json_t *root, msec now, struct diags *errors)
{
	json_t *plan = json_object(), *actions = json_array(), *globals = json_object_get(root, "globals"), *step;
	const char *key = json_string_value(json_object_get(root, "plan_id"));
	const char *name = json_string_value(json_object_get(root, "name"));
	size_t i;

	if (!name)
		name = key ? key : "plan";
	put_head(plan, key, name, json_string_value(json_object_get(root, "description")), NULL);
	json_array_foreach(json_object_get(root, "steps"), i, step) {
		AUTO_FREE char *pointer = xasprintf("/steps/%zu", i);

		json_array_append_new(actions, normalize_step(step, globals, pointer, errors));
	}
	put(plan, "actions", actions);
	put_tail(plan, NULL, json_object_get(root, "metadata"), key, now);
	copy(plan, root, "version");
	copy_as(plan, "maxConcurrency", globals, "max_concurrency");
	copy_as(plan, "env", globals, "env");
	copy(plan, root, "inputs");
	copy_extensions(plan, root);
	put(plan, "sourceForm", json_string("steps"));
	return plan;
}

/* ---- pointers back ---- */

static const struct {
	const char *canonical, *source;
} members[] = {{"/inputs", ""},
	       {"/typedInputs", ""},
	       {"/dependencies", "/depends_on"},
	       {"/errorHandling/alternativeActionId", "/fallback_step"},
	       {"/errorHandling", "/on_failure"},
	       {"/when", "/condition"},
	       {"/skipIf", "/skip_if"},
	       {"/timeoutMs", "/timeout_sec"},
	       {"/retryPolicy", "/retries"},
	       {"/actionDefinitionId", "/step_def/type"}};

char *steps_source_pointer(const json_t *root, const char *pointer)
{
	size_t index, k;
	const char *rest;
	char *end;
	json_t *step;

	if (strncmp(pointer, "/env", 4) == 0 || strncmp(pointer, "/maxConcurrency", 15) == 0)
		return xasprintf("/globals%s", strncmp(pointer, "/env", 4) == 0 ? pointer : "/max_concurrency");
	if (strncmp(pointer, "/actions/", 9) != 0)
		return strcmp(pointer, "/actions") == 0 ? xstrdup("/steps") : xstrdup(pointer);
	index = strtoul(pointer + 9, &end, 10);
	rest = end;
	step = json_array_get(json_object_get(root, "steps"), index);
	for (k = 0; k < sizeof members / sizeof *members; k++) {
		size_t n = strlen(members[k].canonical);
		const char *def = "";

		if (strncmp(rest, members[k].canonical, n) != 0 || (rest[n] && rest[n] != '/'))
			continue;
		if (!*members[k].source && json_object_get(step, "step_def") && strncmp(rest + n, "/env", 4) != 0 &&
		    strncmp(rest + n, "/cwd", 4) != 0)
			def = "/step_def";
		return xasprintf("/steps/%zu%s%s%s", index, def, members[k].source, rest + n);
	}
	return xasprintf("/steps/%zu%s", index, rest);
}
