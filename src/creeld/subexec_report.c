/*
 * subexec_report.c - what a child execution came to, as the result of its parent's attempt.
 */
#include <errno.h>

#include "base/mem.h"
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

/* Before anything is loaded. */
static bool too_large(const struct exec *c, size_t most)
{
	size_t sum = 0;
	uint32_t i;

	for (i = 0; i < c->plan->planned; i++)
		sum += (size_t)json_integer_value(json_object_get(json_object_get(c->a[i].record, "outputLocation"), "size"));
	return sum > most;
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

static json_t *report_error(const struct exec *c, enum error_category category, const char *why)
{
	json_t *error = error_new(category, false, "%s", why);

	error_set_code(error, "child:outputs");
	error_set_context(error, "execution", c->id);
	return error;
}

int subexec_report(struct exec *c, size_t most, struct attempt_report *r, struct err *e)
{
	AUTO_FREE char *why = NULL;

	c->unread = NO_ACTION;
	if (too_large(c, most))
		why = xasprintf("the outputs of its plan are larger than %zu bytes (output_cap)", most);
	else
		r->output = outputs_of(c);
	exec_unload(c);
	if (c->unread != NO_ACTION) {
		json_decref(r->output);
		r->output = NULL;
		if (c->why_unread.code != E2BIG && !unread_is_lost(c->why_unread.code)) {
			*e = c->why_unread;
			return -1;
		}
		why = xasprintf("the outputs of \"%s\" of its plan cannot be had: %s", c->plan->actions[c->unread].id,
				c->why_unread.text);
	}
	r->result.finished = c->ended_at;
	r->result.output = r->output;
	if (c->outcome != OUTCOME_COMPLETED)
		r->error = failure(c);
	else if (why)
		r->error = report_error(c, c->unread == NO_ACTION ? ERROR_VALIDATION_FAILED : ERROR_STATE_INCONSISTENT, why);
	r->result.error = r->error;
	return 0;
}
