/*
 * subexec_report.c - what a child execution came to, as the result of its parent's attempt.
 */
#include "base/mem.h"
#include "codec/output.h"
#include "core/context.h"
#include "creeld/subexec.h"
#include "model/error.h"

static json_t *outputs_of(const struct exec *c)
{
	json_t *all = json_object(), *o = json_object();
	uint32_t i;

	for (i = 0; i < c->plan->planned; i++) {
		json_t *output = context_output(c, i);

		if (output)
			json_object_set(all, c->plan->actions[i].id, output);
		else if (c->a[i].phase == PH_COMPLETED)
			json_object_set_new(all, c->plan->actions[i].id, json_object());
	}
	json_object_set_new(o, "execution", json_string(c->id));
	json_object_set_new(o, "status", json_string(exec_status(c)));
	json_object_set_new(o, "outputs", all);
	return o;
}

static bool too_large(const json_t *output)
{
	return json_dumpb(output, NULL, 0, JSON_COMPACT) > OUTPUT_MAX;
}

static json_t *failure(const struct exec *c)
{
	bool cancelled = c->outcome == OUTCOME_CANCELLED;
	json_t *error = c->error ? json_deep_copy(c->error)
				 : error_new(cancelled ? ERROR_USER_CANCELLED : ERROR_STATE_INCONSISTENT, !cancelled,
					     "no reason was given");
	const char *message = json_string_value(json_object_get(error, "message"));
	const char *code = json_string_value(json_object_get(error, "code"));

	if (code)
		error_set_context(error, "childCode", code);
	json_object_set_new(error, "message", json_sprintf("its plan \"%s\" %s: %s", c->plan->name,
							   cancelled ? "was cancelled" : "failed", message));
	error_set_code(error, cancelled ? "child:cancelled" : "child:failed");
	error_set_context(error, "execution", c->id);
	if (c->cause != NO_ACTION)
		error_set_context(error, "action", c->plan->actions[c->cause].id);
	if (!json_object_get(error, "suggestion"))
		error_set_suggestion(error, "look at the execution that it ran: creel show");
	return error;
}

void subexec_report(const struct exec *c, struct attempt_report *r)
{
	r->result.finished = c->ended_at;
	r->output = r->result.output = outputs_of(c);
	if (c->outcome != OUTCOME_COMPLETED)
		r->error = r->result.error = failure(c);
	if (!too_large(r->output))
		return;
	json_decref(r->output);
	r->output = r->result.output = NULL;
	if (r->error)
		return;
	r->error = error_new(ERROR_VALIDATION_FAILED, false, "the outputs of its plan are larger than %d bytes",
			     OUTPUT_MAX);
	r->result.error = r->error;
	error_set_code(r->error, "child:outputs");
	error_set_context(r->error, "execution", c->id);
}
