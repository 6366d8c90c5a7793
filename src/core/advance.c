/*
 * advance.c - what may happen next: conditions, skips, starts, compensations, the end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/context.h"
#include "core/decide.h"
#include "core/decide_impl.h"
#include "core/expr.h"
#include "model/error.h"

/* ---- does an action read values of another? ---- */

struct reading {
	const struct plan *plan;
	uint32_t of;
	bool found;
};

static void note(struct reading *r, const struct ref *ref)
{
	/* Asking for the status of what was skipped is how one finds out; only values need it to have run. */
	if (ref->root == REF_ACTION && (ref->field == REF_OUTPUT || ref->field == REF_ERROR) &&
	    plan_find(r->plan, ref->action) == r->of)
		r->found = true;
}

static void note_in_value(void *ctx, const char *pointer, const struct ref *ref)
{
	(void)pointer;
	note(ctx, ref);
}

static void note_in_expression(void *ctx, const struct ref *ref)
{
	note(ctx, ref);
}

static void read_expression(struct reading *r, const char *text)
{
	AUTO_FREE char *why = NULL;
	struct expr *e = text ? expr_compile(text, &why) : NULL;

	if (e)
		expr_refs(e, note_in_expression, r);
	expr_free(e);
}

static bool reads(const struct plan *p, uint32_t i, uint32_t of)
{
	const struct conditions *c = p->actions[i].conditions;
	struct reading r = {p, of, false};
	json_t *inputs = json_loads(p->actions[i].inputs, 0, NULL);
	size_t k;

	ref_scan(inputs, "", note_in_value, NULL, &r);
	json_decref(inputs);
	if (c) {
		read_expression(&r, c->if_ref);
		read_expression(&r, c->when);
		for (k = 0; k < c->nskip_if; k++)
			read_expression(&r, c->skip_if[k]);
	}
	return r.found;
}

/* ---- dependencies that did not complete ---- */

/* The reason that a skipped or failed dependency gives: what it says itself if it was skipped, so that the chain
 * leads back to the first cause. */
static bool dependencies_allow(struct exec *x, struct turn *t, uint32_t i)
{
	const struct action *pa = &x->plan->actions[i];
	uint32_t k, skipped = NO_ACTION;
	bool completed = false;

	for (k = 0; k < pa->ndeps; k++) {
		uint32_t d = pa->deps[k];

		if (x->a[d].settled == SETTLED_BLOCKS) {
			skip_action(x, t, i, x->plan->actions[d].id, "dependency \"%s\" %s", x->plan->actions[d].id,
				    x->a[d].phase == PH_FAILED ? "failed" : "was skipped");
			return false;
		}
		if (x->a[d].settled == SETTLED_OK)
			completed = true;
		else if (x->a[d].settled == SETTLED_SKIPPED && (skipped == NO_ACTION || reads(x->plan, i, d)))
			skipped = d;
	}
	if (skipped == NO_ACTION || (completed && !reads(x->plan, i, skipped)))
		return true;
	skip_action(x, t, i, x->plan->actions[skipped].id, "dependency \"%s\" was skipped",
		    x->plan->actions[skipped].id);
	return false;
}

/* ---- conditions ---- */

static bool condition_holds(struct exec *x, struct turn *t, uint32_t i, const char *text, bool wanted,
			    bool else_fail)
{
	json_t *error = NULL;
	int truth = context_condition(x, text, &error);

	if (unread_stops(x, t, i)) {
		json_decref(error);
		return false;
	}
	if (truth < 0) {
		fail_action(x, t, i, error, NULL, false);
		return false;
	}
	if ((truth == 1) == wanted)
		return true;
	if (else_fail) {
		error = error_new(ERROR_VALIDATION_FAILED, false, "condition \"%s\" is %s and asks to fail then", text,
				  truth ? "true" : "false");
		error_set_code(error, "condition");
		fail_action(x, t, i, error, NULL, false);
	} else {
		skip_action(x, t, i, "condition", "%s \"%s\" is %s", wanted ? "condition" : "skipIf", text,
			    truth ? "true" : "false");
	}
	return false;
}

static bool conditions_hold(struct exec *x, struct turn *t, uint32_t i)
{
	const struct conditions *c = x->plan->actions[i].conditions;
	size_t k;

	if (!c)
		return true;
	if (c->if_ref && !condition_holds(x, t, i, c->if_ref, true, c->else_fail))
		return false;
	if (c->when && !condition_holds(x, t, i, c->when, true, false))
		return false;
	for (k = 0; k < c->nskip_if; k++)
		if (!condition_holds(x, t, i, c->skip_if[k], false, false))
			return false;
	return true;
}

/* ---- evaluation ---- */

static const char *stop_cause(const struct exec *x, char *out, size_t size)
{
	if (x->expired)
		snprintf(out, size, "the plan's time was over");
	else if (x->cause == NO_ACTION)
		snprintf(out, size, "the execution was cancelled");
	else if (x->cancelling && !x->aborting)
		snprintf(out, size, "\"%s\" was rejected", x->plan->actions[x->cause].id);
	else
		snprintf(out, size, "\"%s\" failed and its policy is to abort", x->plan->actions[x->cause].id);
	return out;
}

static void evaluate(struct exec *x, struct turn *t, uint32_t i)
{
	const struct action *pa = &x->plan->actions[i];
	const struct confirmation *c = pa->confirmation;

	if (x->a[i].phase == PH_RUNNING && pa->for_each)
		for_each_step(x, t, i);
	if (x->a[i].phase != PH_BLOCKED || pa->instance_of != NO_ACTION)
		return;
	if (pa->standby && !x->a[i].called) {
		/* Who depends on it, or on the alternative that it has itself, must hear of it now. */
		if (pa->nprimaries > 0 && x->a[i].callers_left == 0 &&
		    (pa->ndependents > 0 || pa->alternative != NO_ACTION))
			skip_action(x, t, i, "not_needed", "it is an alternative and was not needed");
		return;
	}
	if (exec_blockers(x, i) > 0)
		return;
	if (!dependencies_allow(x, t, i) || !conditions_hold(x, t, i))
		return;
	if (c && !x->a[i].approved)
		ask_person(x, t, i, "confirm", c->title, c->message, c->timeout);
	else
		exec_set_phase(x, i, PH_READY);
}

/* Everything that has not started ends here once the execution is stopping. */
static void skip_rest(struct exec *x, struct turn *t)
{
	char cause[160];
	uint32_t i;

	stop_cause(x, cause, sizeof cause);
	for (i = 0; i < x->plan->n; i++)
		switch ((enum phase)x->a[i].phase) {
		case PH_BLOCKED:
			if (x->plan->actions[i].standby && !x->a[i].called)
				break;
			/* fall through */
		case PH_READY:
		case PH_CONFIRM:
		case PH_BACKOFF:
		case PH_ASKING:
			if (i == x->compensating)
				break;
			skip_action(x, t, i, x->cause == NO_ACTION ? "cancelled" : x->plan->actions[x->cause].id,
				    "%s", cause);
			break;
		default:
			break;
		}
}

/* After a stop, what completed and says how it is undone is undone, one at a time, last first. */
static uint32_t next_to_undo(const struct exec *x)
{
	uint32_t i, last = NO_ACTION;

	for (i = 0; i < x->plan->n; i++)
		if (x->a[i].phase == PH_COMPLETED && x->plan->actions[i].compensate != NO_ACTION &&
		    !x->a[i].compensated && x->a[x->plan->actions[i].compensate].phase == PH_BLOCKED &&
		    (last == NO_ACTION || x->a[i].order > x->a[last].order))
			last = i;
	return last;
}

/* Its call is folded from the journal when it starts; until then it is only ready. */
static void compensate(struct exec *x, struct turn *t)
{
	uint32_t undone;

	while (x->compensating == NO_ACTION && !unread_is_waited_for(x) && (undone = next_to_undo(x)) != NO_ACTION) {
		uint32_t c = x->plan->actions[undone].compensate;

		if (!conditions_hold(x, t, c))
			continue; /* it is settled now, and the next one's turn has come; or it waits, and so do they */
		x->compensating = c;
		exec_set_phase(x, c, PH_READY);
	}
}

/* A turn that takes long keeps everybody waiting: one evaluation made to be slow is enough for it. */
static bool has_time(const struct exec *x)
{
	return !x->steps || *x->steps < EXPR_STEPS_MAX / 8;
}

static void evaluate_all(struct exec *x, struct turn *t)
{
	while (x->work.n > 0 && has_time(x))
		evaluate(x, t, x->work.v[--x->work.n]);
}

bool core_has_more(const struct exec *x)
{
	return x->outcome == OUTCOME_NONE && !exec_stopping(x) && x->work.n > 0;
}

/* While the execution stops, only actions that wait for their instances have something left to do. */
static void close_for_each(struct exec *x, struct turn *t)
{
	while (x->work.n > 0) {
		uint32_t i = x->work.v[--x->work.n];

		if (x->a[i].phase == PH_RUNNING && x->plan->actions[i].for_each)
			for_each_step(x, t, i);
	}
}

void core_advance(struct exec *x, struct turn *t)
{
	if (x->outcome != OUTCOME_NONE)
		return;
	unread_again(x, t);
	if (!exec_stopping(x))
		evaluate_all(x, t);
	/* An evaluation may have stopped the execution. */
	if (!exec_stopping(x))
		return;
	close_for_each(x, t);
	if (x->count[PH_BLOCKED] - x->dormant + x->count[PH_READY] + x->count[PH_CONFIRM] + x->count[PH_BACKOFF] +
		x->count[PH_ASKING] > 0)
		skip_rest(x, t);
	close_for_each(x, t);
	if (exec_open(x) == 0)
		compensate(x, t);
}

void core_refuse(struct exec *x, struct turn *t, uint32_t i, json_t *error)
{
	fail_action(x, t, i, error, NULL, false);
}

uint32_t core_next(struct exec *x)
{
	struct heap_item item;

	/* A cancel ends a pause: what it has to undo must not wait for somebody to resume what is over. */
	if ((x->paused && !x->cancelling) || x->outcome != OUTCOME_NONE)
		return NO_ACTION;
	while (heap_peek(&x->ready, &item)) {
		if (x->a[item.id].phase == PH_READY)
			return item.id;
		heap_pop(&x->ready, &item);
	}
	return NO_ACTION;
}

void core_park(struct exec *x, bool person)
{
	struct heap_item item;

	if (core_next(x) == NO_ACTION || !heap_pop(&x->ready, &item))
		return;
	vec_push(&x->parked, item.id);
	if (person)
		vec_push(&x->awaiting, item.id);
}

void core_unpark(struct exec *x)
{
	size_t k;

	for (k = 0; k < x->parked.n; k++)
		if (x->a[x->parked.v[k]].phase == PH_READY)
			heap_push(&x->ready, exec_rank(x, x->parked.v[k]), x->parked.v[k]);
	x->parked.n = x->awaiting.n = 0;
}

/* Which completed action does the running compensation undo? */
static const char *undone_by(const struct exec *x, uint32_t compensation)
{
	uint32_t i, last = NO_ACTION;

	for (i = 0; i < x->plan->n; i++)
		if (x->plan->actions[i].compensate == compensation && x->a[i].phase == PH_COMPLETED &&
		    !x->a[i].compensated && (last == NO_ACTION || x->a[i].order > x->a[last].order))
			last = i;
	return last == NO_ACTION ? NULL : x->plan->actions[last].id;
}

void core_prompt(const struct action *pa, char **title, char **message)
{
	const json_t *auth = json_object_get(pa->pinned->definition, "authentication");
	const char *token = json_string_value(json_object_get(auth, "token"));
	const char *value = json_string_value(json_object_get(auth, "value"));

	*title = xasprintf("%s needs a value", pa->id);
	*message = xasprintf("\"%s\" proves who it is with something that is written down nowhere; type in: %s", pa->definition,
			     token ? token : value ? value : "the value");
}

static void ask_for_value(struct exec *x, struct turn *t, uint32_t i)
{
	const struct action *pa = &x->plan->actions[i];
	AUTO_FREE char *title = NULL, *message = NULL;

	core_prompt(pa, &title, &message);
	ask_person(x, t, i, "input", title, message, pa->confirmation ? pa->confirmation->timeout : 0);
}

/* What it consumes is handed to the attempt by the shell; here it is found out whether it can be. */
static void look_at_consumed(const struct exec *x, uint32_t i)
{
	const struct action *pa = &x->plan->actions[i];
	uint32_t provider;
	size_t k;

	for (k = 0; k < pa->nconsumes && x->unread == NO_ACTION; k++)
		if ((provider = plan_provider(x->plan, pa->consumes[k])) != NO_ACTION)
			context_output(x, provider);
}

bool core_start(struct exec *x, struct turn *t)
{
	uint32_t i = core_next(x);
	struct heap_item item;
	json_t *error = NULL, *inputs, *data;
	char token[TOKEN_TEXT];

	if (i == NO_ACTION)
		return false;
	heap_pop(&x->ready, &item);
	if (x->plan->actions[i].for_each) {
		for_each_start(x, t, i);
		return false; /* it takes no slot; its instances do */
	}
	if (t->typed_missing && t->typed_missing(t->ctx, x, i)) {
		ask_for_value(x, t, i);
		return false;
	}
	inputs = context_inputs(x, i, &error);
	look_at_consumed(x, i);
	if (unread_stops(x, t, i)) {
		json_decref(error);
		json_decref(inputs);
		return false;
	}
	if (inputs && t->check_inputs)
		error = t->check_inputs(&x->plan->actions[i], inputs);
	if (error) {
		json_decref(inputs);
		fail_action(x, t, i, error, NULL, false);
		return false;
	}
	snprintf(token, sizeof token, "%016llx%016llx", (unsigned long long)next_random(&t->random),
		 (unsigned long long)next_random(&t->random));
	data = json_object();
	json_object_set_new(data, "token", json_string(token));
	if (t->child && plan_child(x->plan, i)) {
		char id[UUID_TEXT];

		t->child(t->ctx, x, i, inputs, id);
		json_object_set_new(data, "child", json_string(id));
	}
	if (i == x->compensating) {
		const char *undone = undone_by(x, i);

		if (undone)
			json_object_set_new(data, "compensates", json_string(undone));
	}
	json_decref(x->a[i].resolved);
	x->a[i].resolved = inputs;
	emit(x, t, EV_ACTION_REQUESTED, i, x->a[i].attempt + 1, data);
	return true;
}
