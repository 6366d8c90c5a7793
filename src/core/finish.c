/*
 * finish.c - the end of an execution: expected outcomes, and which of completed, failed and cancelled it is.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "core/context.h"
#include "core/decide.h"
#include "core/decide_impl.h"
#include "core/expr.h"
#include "model/error.h"

static bool contains(const json_t *actual, const char *wanted)
{
	size_t i;
	json_t *item;

	if (json_is_string(actual))
		return strstr(json_string_value(actual), wanted) != NULL;
	if (json_is_object(actual))
		return json_object_get(actual, wanted) != NULL;
	json_array_foreach(actual, i, item) {
		AUTO_FREE char *text = json_is_string(item) ? xstrdup(json_string_value(item))
							    : json_dumps(item, JSON_ENCODE_ANY | JSON_COMPACT);

		if (text && strcmp(text, wanted) == 0)
			return true;
	}
	return false;
}

static char *as_text(const json_t *v)
{
	if (json_is_string(v))
		return xstrdup(json_string_value(v));
	return v ? json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
}

static bool holds(const struct validation *v, const json_t *actual, const char *text, json_t *data)
{
	struct err e = {0};
	const char *wanted = v->value ? v->value : "";
	int match;

	if (strcmp(v->op, "exists") == 0)
		return actual && !json_is_null(actual);
	if (!actual)
		return false;
	if (strcmp(v->op, "equals") == 0)
		return text && strcmp(text, wanted) == 0;
	if (strcmp(v->op, "contains") == 0)
		return contains(actual, wanted);
	match = expr_match(wanted, text ? text : "", text ? strlen(text) : 0, &e);
	if (match < 0)
		json_object_set_new(data, "problem", json_string(e.text));
	return match == 1;
}

static void validate_one(struct exec *x, struct turn *t, const struct validation *v)
{
	enum { SHOWN = 4096 };
	json_t *data = json_object(), *actual = NULL;
	AUTO_FREE char *text = NULL;
	const char *why;
	struct ref r;
	size_t at;

	if (ref_parse(v->reference, strlen(v->reference), &r, &why, &at)) {
		actual = context_lookup(x, &r, NULL);
		ref_free(&r);
	}
	text = as_text(actual);
	json_object_set_new(data, "name", json_string(v->name));
	json_object_set_new(data, "reference", json_sprintf("${%s}", v->reference));
	json_object_set_new(data, "operator", json_string(v->op));
	if (v->value)
		json_object_set_new(data, "value", json_string(v->value));
	if (text && strlen(text) <= SHOWN)
		json_object_set_new(data, "actual", json_string(text));
	json_object_set_new(data, "holds", json_boolean(holds(v, actual, text, data)));
	json_decref(actual);
	emit(x, t, EV_OUTCOME_VALIDATED, NO_ACTION, 0, data);
}

/* Why the execution counts as failed although nothing stopped it, or NULL. */
static json_t *unmet(const struct exec *x)
{
	uint32_t i;

	for (i = 0; i < x->plan->n; i++) {
		const struct action_state *a = &x->a[i];

		if (a->phase != PH_FAILED || a->stand_in != STAND_IN_NONE || exec_answers_to_caller(x, i))
			continue;
		if (a->settled == SETTLED_BLOCKS || x->plan->actions[i].critical)
			return json_deep_copy(json_object_get(a->record, "error"));
	}
	return NULL;
}

static void set_metrics(const struct exec *x, const struct turn *t, json_t *data)
{
	json_t *m = json_object();

	json_object_set_new(m, "totalActions", json_integer(x->plan->n));
	json_object_set_new(m, "completedActions", json_integer(x->count[PH_COMPLETED]));
	json_object_set_new(m, "failedActions", json_integer(x->count[PH_FAILED]));
	json_object_set_new(m, "skippedActions", json_integer(x->count[PH_SKIPPED]));
	json_object_set_new(m, "totalDuration", json_integer(t->now > x->started_at ? t->now - x->started_at : 0));
	json_object_set_new(data, "metrics", m);
}

/* Compensations that failed are named in the execution's error: an undo that did not happen is never hidden. */
static void report_compensations(const struct exec *x, json_t *error)
{
	AUTO_BUF struct buf ids = BUF_INIT;
	uint32_t i;

	if (!exec_stopping(x))
		return;
	for (i = 0; i < x->plan->n; i++) {
		uint32_t c = x->plan->actions[i].compensate;

		if (c != NO_ACTION && x->a[i].phase == PH_COMPLETED && x->a[c].phase == PH_FAILED)
			buf_printf(&ids, "%s%s", ids.len ? ", " : "", x->plan->actions[i].id);
	}
	if (ids.len)
		error_set_context(error, "notCompensated", buf_str(&ids));
}

static void end(struct exec *x, struct turn *t, enum event_type type, json_t *error)
{
	json_t *data = json_object();

	set_metrics(x, t, data);
	if (error) {
		report_compensations(x, error);
		json_object_set_new(data, "error", error);
	}
	emit(x, t, type, NO_ACTION, 0, data);
}

/* Names the first of the outcomes that were found in this turn not to hold. */
static json_t *outcome_error(const struct turn *t)
{
	const char *first = NULL;
	json_t *error;
	size_t k, more = 0;

	for (k = 0; k < t->out->n; k++) {
		const struct event *e = &t->out->v[k];

		if (e->type != EV_OUTCOME_VALIDATED || json_is_true(json_object_get(e->data, "holds")))
			continue;
		if (first)
			more++;
		else
			first = json_string_value(json_object_get(e->data, "name"));
	}
	error = more ? error_new(ERROR_VALIDATION_FAILED, false,
				 "the expected outcome \"%s\" does not hold, and %zu more do not", first, more)
		     : error_new(ERROR_VALIDATION_FAILED, false, "the expected outcome \"%s\" does not hold",
				 first ? first : "?");
	error_set_code(error, "outcome");
	error_set_suggestion(error, "see the outcome.validated events: creel log");
	return error;
}

/* What expected outcomes look at must be there before the first of them is judged. */
static bool outcomes_wait(struct exec *x, struct turn *t)
{
	const char *why;
	struct ref r;
	size_t at, v;

	x->unread = NO_ACTION;
	for (v = 0; v < x->plan->nvalidations && x->unread == NO_ACTION; v++)
		if (ref_parse(x->plan->validations[v].reference, strlen(x->plan->validations[v].reference), &r, &why, &at)) {
			json_decref(context_lookup(x, &r, NULL));
			ref_free(&r);
		}
	return unread_stops(x, t, NO_ACTION);
}

void core_finish(struct exec *x, struct turn *t)
{
	json_t *error;
	uint32_t i;
	size_t v;

	if (x->outcome != OUTCOME_NONE || !x->started || exec_open(x) > 0 || unread_is_waited_for(x))
		return;
	if (!exec_stopping(x) && outcomes_wait(x, t))
		return;
	for (i = 0; i < x->plan->n && x->dormant > 0; i++)
		if (x->a[i].phase == PH_BLOCKED)
			skip_action(x, t, i, "not_needed", x->plan->actions[i].nprimaries > 0
							       ? "it is an alternative and was not needed"
							       : "it is a compensation and was not needed");
	if (x->cancelling) {
		end(x, t, EV_EXECUTION_CANCELLED, x->error ? json_deep_copy(x->error) : NULL);
		return;
	}
	if (x->aborting) {
		end(x, t, EV_EXECUTION_FAILED,
		    x->error ? json_deep_copy(x->error)
			     : error_new(ERROR_STATE_INCONSISTENT, false, "the execution was aborted"));
		return;
	}
	error = unmet(x);
	if (!error) {
		for (v = 0; v < x->plan->nvalidations; v++)
			validate_one(x, t, &x->plan->validations[v]);
		if (x->outcome_failed)
			error = outcome_error(t);
	}
	end(x, t, error ? EV_EXECUTION_FAILED : EV_EXECUTION_COMPLETED, error);
}
