/*
 * fold.c - exec_apply: what each event does to the state.
 *
 * The table says in which phases an event about an action may come; the functions below it say what it changes.
 * READY never stands in a journal, so wherever READY may be left, BLOCKED may too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/fold_impl.h"

#define IN(p) (1u << PH_##p)
#define NOT_STARTED (IN(BLOCKED) | IN(READY) | IN(CONFIRM))

static const struct {
	unsigned from;
	const char *otherwise; /* why it is forbidden elsewhere */
} allowed[EV_COUNT] = {
    [EV_ACTION_REQUESTED] = {IN(BLOCKED) | IN(READY) | IN(BACKOFF),
			     "an attempt starts only when nothing of the action runs, waits for a person or is settled"},
    [EV_ACTION_COMPLETED] = {IN(RUNNING), "only a running attempt completes"},
    [EV_ACTION_FAILED] = {NOT_STARTED | IN(RUNNING) | IN(BACKOFF) | IN(ASKING), "a settled action does not fail"},
    [EV_ACTION_SKIPPED] = {NOT_STARTED | IN(RUNNING) | IN(BACKOFF) | IN(ASKING) | IN(FAILED),
			   "what completed or was skipped is not skipped again"},
    [EV_ACTION_RETRY_SCHEDULED] = {IN(BACKOFF), "only a failed attempt is retried"},
    [EV_ACTION_REARMED] = {IN(COMPLETED) | IN(FAILED) | IN(SKIPPED) | IN(ASKING) | IN(BACKOFF),
			   "what has not ended cannot be armed again"},
    [EV_ACTION_ADOPTED] = {IN(RUNNING), "only a running attempt is adopted"},
    [EV_ACTION_LOST] = {IN(RUNNING) | IN(COMPLETED), "only an attempt that runs, or whose outputs are needed, is lost"},
    [EV_CONFIRMATION_REQUESTED] = {IN(BLOCKED) | IN(READY) | IN(ASKING), "nothing is asked about what runs or ended"},
    [EV_CONFIRMATION_RECEIVED] = {IN(CONFIRM) | IN(ASKING), "nobody was asked"},
};

static const char *text_of(const struct event *ev, const char *key)
{
	return json_string_value(json_object_get(ev->data, key));
}

static bool is_text(const struct event *ev, const char *key, const char *word)
{
	const char *s = text_of(ev, key);

	return s && strcmp(s, word) == 0;
}

static msec time_of(const struct event *ev, const char *key)
{
	const char *s = text_of(ev, key);
	msec t;

	return s && clock_parse(s, &t) ? t : 0;
}

static void failed(struct exec *x, uint32_t i, const struct event *ev)
{
	struct action_state *a = &x->a[i];
	const char *then = text_of(ev, "then");
	uint32_t alternative = x->plan->actions[i].alternative;

	fold_set_record(a, ev->data);
	a->ended = ev->at;
	if (!then)
		then = "abort";
	if (strcmp(then, "retry") == 0) {
		exec_set_phase(x, i, PH_BACKOFF);
	} else if (strcmp(then, "ask") == 0) {
		exec_set_phase(x, i, PH_ASKING);
	} else if (strcmp(then, "alternative") == 0 && alternative != NO_ACTION) {
		exec_set_phase(x, i, PH_STANDIN);
		if (x->a[alternative].settled)
			vec_push(&x->settled, alternative);
		else
			fold_call_for(x, alternative);
	} else {
		fold_settle_failed(x, i, then);
	}
}

static void requested(struct exec *x, uint32_t i, const struct event *ev)
{
	struct action_state *a = &x->a[i];
	const char *token = text_of(ev, "token"), *child = text_of(ev, "child");

	/* A compensation is called for by its own start: its record names the action that it undoes. */
	if (text_of(ev, "compensates")) {
		uint32_t undone = plan_find(x->plan, text_of(ev, "compensates"));

		if (undone != NO_ACTION)
			x->a[undone].compensated = true;
		x->compensating = i;
	}
	if (x->plan->actions[i].standby && !a->called) {
		x->dormant -= fold_dormant(x, i);
		a->called = true;
		x->dormant += fold_dormant(x, i);
	}
	a->overtaken = false;
	a->unstarted = 0;
	a->attempt = ev->attempt;
	a->budget_used++;
	a->started = ev->at;
	a->deadline = 0;
	if (!a->first_started)
		a->first_started = ev->at;
	a->token[0] = '\0';
	if (token && strlen(token) < sizeof a->token)
		strcpy(a->token, token);
	free(a->child);
	a->child = xstrdup_opt(child);
	exec_set_phase(x, i, PH_RUNNING);
	if (x->plan->actions[i].for_each) {
		exec_expand(x, i, json_object_get(ev->data, "items")); /* moves x->a */
		vec_push(&x->work, i);
	}
}

static void lost(struct exec *x, uint32_t i, const struct event *ev)
{
	struct action_state *a = &x->a[i];

	if (a->phase == PH_COMPLETED) { /* its outputs are: action.rearmed follows */
		a->lost += is_text(ev, "then", "rerun");
	} else if (is_text(ev, "then", "rerun")) {
		a->lost++;
		a->budget_used--;
		fold_may_start(x, i);
	} else if (is_text(ev, "then", "ask")) {
		fold_set_record(a, ev->data);
		exec_set_phase(x, i, PH_ASKING);
	}
	/* then: fail is followed by action.failed */
}

static void asked(struct exec *x, uint32_t i, const struct event *ev)
{
	const char *kind = text_of(ev, "kind");
	struct asked r = {.action = i, .requested = ev->at, .deadline = time_of(ev, "deadline")};

	r.number = ++x->a[i].asked;
	r.kind = xstrdup(kind ? kind : "confirm");
	vec_push(&x->asked, r);
	x->a[i].deadline = r.deadline;
	if (r.deadline)
		heap_push(&x->timers, r.deadline, i);
	if (x->a[i].phase != PH_ASKING)
		exec_set_phase(x, i, PH_CONFIRM);
}

static void note_person(struct exec *x, const struct event *ev)
{
	json_decref(x->by);
	x->by = json_incref(json_object_get(ev->data, "by"));
}

static void answered(struct exec *x, uint32_t i, const struct event *ev)
{
	struct asked *r = exec_open_request(x, i);
	struct action_state *a = &x->a[i];
	const char *user = json_string_value(json_object_get(json_object_get(ev->data, "by"), "user"));
	json_t *changed = json_object_get(json_object_get(ev->data, "modifications"), "inputs");

	if (r) {
		free(r->user);
		r->user = xstrdup_opt(user);
		r->heard = ev->at;
		if (json_is_false(json_object_get(ev->data, "final"))) {
			r->approvals++;
			if (!r->approved_by)
				r->approved_by = json_array();
			if (user)
				json_array_append_new(r->approved_by, json_string(user));
			return;
		}
		r->responded = ev->at;
		free(r->decision);
		r->decision = xstrdup_opt(text_of(ev, "decision"));
		r->confirmed = json_is_true(json_object_get(ev->data, "confirmed"));
	}
	a->deadline = 0;
	if (changed) {
		if (!a->inputs)
			a->inputs = json_object();
		json_object_update(a->inputs, changed);
	}
	if (is_text(ev, "decision", "retry")) {
		a->budget_used = 0;
		a->lost = 0;
		a->first_started = 0;
		fold_may_start(x, i);
	} else if (is_text(ev, "decision", "approve")) {
		a->approved = true;
		if (a->phase == PH_CONFIRM)
			fold_may_start(x, i);
		/* ASKING: the failure is continued over; action.failed with then: continue follows */
	} else if (is_text(ev, "decision", "reject") && a->phase == PH_CONFIRM) {
		fold_stop(x, i, x->plan->on_abort == ON_ABORT_TERMINATE);
		x->cancelling = true;
		note_person(x, ev);
		if (!x->error)
			x->error = json_incref(json_object_get(ev->data, "error"));
	}
}

/* Something that it depends on is armed again: what has not started waits for it; what is under way, also as far as
 * a person is asked about it, is let finish. */
static void overtake(struct exec *x, uint32_t i)
{
	switch ((enum phase)x->a[i].phase) {
	case PH_READY:
	case PH_BACKOFF:
		x->a[i].deadline = 0;
		exec_set_phase(x, i, PH_BLOCKED);
		break;
	case PH_CONFIRM:
	case PH_RUNNING:
	case PH_ASKING:
		x->a[i].overtaken = true;
		break;
	default:
		break;
	}
}

/* What is skipped for a dependency's failure passes that on: "they and theirs".  Only what another reason passed
 * over may be one of several branches that join again. */
static enum settled why_skipped(const struct exec *x, uint32_t i, const struct event *ev)
{
	const struct action *pa = &x->plan->actions[i];
	const char *cause = json_string_value(json_object_get(ev->data, "cause"));
	uint32_t k;

	for (k = 0; cause && k < pa->ndeps; k++)
		if (x->a[pa->deps[k]].settled == SETTLED_BLOCKS && strcmp(cause, x->plan->actions[pa->deps[k]].id) == 0)
			return SETTLED_BLOCKS;
	return SETTLED_SKIPPED;
}

static void unsettle(struct exec *x, uint32_t i)
{
	const struct action *pa = &x->plan->actions[i];
	uint32_t k;

	x->a[i].settled = SETTLED_NOT;
	if (pa->instance_of != NO_ACTION) {
		x->a[pa->instance_of].instances_left++;
		vec_push(&x->work, pa->instance_of);
	}
	for (k = 0; k < pa->ndependents; k++) {
		x->a[pa->dependents[k]].deps_left++;
		overtake(x, pa->dependents[k]);
	}
	if (pa->alternative != NO_ACTION)
		x->a[pa->alternative].callers_left++;
}

/* Does a primary wait for this alternative right now? */
static bool is_called(const struct exec *x, uint32_t i)
{
	const struct action *pa = &x->plan->actions[i];
	uint32_t k;

	for (k = 0; k < pa->nprimaries; k++)
		if (x->a[pa->primaries[k]].phase == PH_STANDIN)
			return true;
	return false;
}

static bool reconsidered(struct exec *x, uint32_t i)
{
	if (x->a[i].phase != PH_READY || x->plan->actions[i].instance_of != NO_ACTION || i == x->compensating)
		return false;
	exec_set_phase(x, i, PH_BLOCKED);
	vec_push(&x->work, i);
	return true;
}

/* What settled is no longer what it was, and conditions may have looked at it: what has not started is looked at
 * anew, as it would be if the journal were read back now. */
static void reconsider(struct exec *x)
{
	struct heap ready = x->ready;
	size_t k, kept = 0;

	x->ready = (struct heap)HEAP_INIT;
	for (k = 0; k < ready.n; k++)
		if (!reconsidered(x, ready.v[k].id) && x->a[ready.v[k].id].phase == PH_READY)
			heap_push(&x->ready, ready.v[k].key, ready.v[k].id);
	heap_free(&ready);
	for (k = 0; k < x->parked.n; k++)
		if (!reconsidered(x, x->parked.v[k]) && x->a[x->parked.v[k]].phase == PH_READY)
			x->parked.v[kept++] = x->parked.v[k];
	x->parked.n = kept;
}

static void rearmed(struct exec *x, uint32_t i, const struct event *ev)
{
	struct action_state *a = &x->a[i];
	json_t *inputs = json_object_get(ev->data, "inputs");
	struct asked *r = exec_open_request(x, i);
	bool lost_output = is_text(ev, "reason", REARM_OUTPUT_LOST);

	if (r)
		r->responded = ev->at;
	if (a->settled)
		unsettle(x, i);
	a->afresh = is_text(ev, "reason", "loop");
	if (a->afresh || a->phase == PH_COMPLETED)
		exec_forget_child(x, i);
	a->called = is_called(x, i);
	a->overtaken = false;
	a->approved = false;
	a->stand_in = STAND_IN_NONE;
	json_decref(a->loaded);
	a->loaded = NULL;
	a->compensated = false;
	a->budget_used = 0;
	a->made_again = lost_output;
	if (!lost_output) {
		a->lost = 0;
		a->iteration++;
	}
	a->first_started = a->deadline = 0;
	json_decref(a->record);
	a->record = NULL;
	if (inputs) {
		if (!a->inputs)
			a->inputs = json_object();
		json_object_update(a->inputs, inputs);
	}
	exec_set_phase(x, i, PH_BLOCKED);
	vec_push(&x->work, i);
	reconsider(x);
}

/* Who runs this execution as a part of another, and with which attempt; reopened by hand, it is with none. */
static void note_parent(struct exec *x, const struct event *ev)
{
	json_t *parent = json_object_get(ev->data, "parent");

	x->by_hand = x->parent && !parent;
	if (!parent)
		return;
	json_decref(x->parent);
	x->parent = json_incref(parent);
}

static void finished(struct exec *x, enum outcome o, const struct event *ev)
{
	x->outcome = o;
	x->ended_at = ev->at;
	if (!x->error)
		x->error = json_incref(json_object_get(ev->data, "error"));
}

static void reopened(struct exec *x, const struct event *ev)
{
	x->outcome = OUTCOME_NONE;
	x->aborting = x->cancelling = x->terminate = x->expired = false;
	x->outcome_failed = false;
	x->cause = x->compensating = NO_ACTION;
	x->ended_at = 0;
	x->timed_from = ev->at;
	json_decref(x->error);
	x->error = NULL;
	note_parent(x, ev);
}

static int check(const struct exec *x, const struct event *ev, struct err *e)
{
	unsigned from = allowed[ev->type].from;

	if (x->outcome != OUTCOME_NONE && ev->type != EV_EXECUTION_REOPENED)
		return err_set(e, EBADMSG, "%s after the execution ended", event_name(ev->type));
	if (x->outcome == OUTCOME_NONE && ev->type == EV_EXECUTION_REOPENED)
		return err_set(e, EBADMSG, "%s before the execution ended", event_name(ev->type));
	if (!from)
		return 0;
	if (ev->action == NO_ACTION || ev->action >= x->plan->n)
		return err_set(e, EBADMSG, "%s names no action of the plan", event_name(ev->type));
	if (!(from & (1u << x->a[ev->action].phase)))
		return err_set(e, EBADMSG, "%s for \"%s\" while it is %s: %s", event_name(ev->type),
			       x->plan->actions[ev->action].id, phase_name(x->a[ev->action].phase),
			       allowed[ev->type].otherwise);
	if (ev->type == EV_ACTION_REQUESTED && ev->attempt != x->a[ev->action].attempt + 1)
		return err_set(e, EBADMSG, "attempt %u of \"%s\" does not follow attempt %u", ev->attempt,
			       x->plan->actions[ev->action].id, x->a[ev->action].attempt);
	if ((ev->type == EV_ACTION_COMPLETED || ev->type == EV_ACTION_LOST) &&
	    ev->attempt != x->a[ev->action].attempt)
		return err_set(e, EBADMSG, "%s of attempt %u of \"%s\" while attempt %u runs", event_name(ev->type),
			       ev->attempt, x->plan->actions[ev->action].id, x->a[ev->action].attempt);
	return 0;
}

static void apply_action(struct exec *x, const struct event *ev)
{
	uint32_t i = ev->action;
	struct action_state *a = &x->a[i];

	switch (ev->type) {
	case EV_ACTION_REQUESTED:
		requested(x, i, ev);
		break;
	case EV_ACTION_COMPLETED:
		fold_set_record(a, ev->data);
		a->ended = ev->at;
		a->order = ++x->completed;
		fold_settle(x, i, PH_COMPLETED, SETTLED_OK);
		break;
	case EV_ACTION_FAILED:
		failed(x, i, ev);
		break;
	case EV_ACTION_SKIPPED: {
		struct asked *r = exec_open_request(x, i);
		bool was = a->settled;

		if (r)
			r->responded = ev->at;
		fold_set_record(a, ev->data);
		a->ended = ev->at;
		/* Skipping what failed and is settled changes its word, not what already followed from it. */
		fold_settle(x, i, PH_SKIPPED, was ? (enum settled)a->settled : why_skipped(x, i, ev));
		if (was)
			reconsider(x);
		break;
	}
	case EV_ACTION_RETRY_SCHEDULED:
		a->deadline = time_of(ev, "notBefore");
		a->delay = json_integer_value(json_object_get(ev->data, "delayMs"));
		heap_push(&x->timers, a->deadline, i);
		break;
	case EV_ACTION_REARMED:
		rearmed(x, i, ev);
		break;
	case EV_ACTION_LOST:
		lost(x, i, ev);
		break;
	case EV_CONFIRMATION_REQUESTED:
		asked(x, i, ev);
		break;
	case EV_CONFIRMATION_RECEIVED:
		answered(x, i, ev);
		break;
	default:
		break;
	}
	/* A list, not recursion: alternatives may have alternatives to any depth. */
	while (x->settled.n > 0)
		fold_release_primaries(x, x->settled.v[--x->settled.n]);
}

/* A crash leaves at most the files of the last commit where they were: those of older ones have been moved away. */
void exec_note_obeyed(struct exec *x, const struct event *ev)
{
	json_t *file = json_object_get(ev->data, "obeyed");

	if (!file)
		return;
	if (!x->obeyed)
		x->obeyed = json_array();
	else if (x->obeyed_at != ev->at)
		json_array_clear(x->obeyed);
	x->obeyed_at = ev->at;
	json_array_append(x->obeyed, file);
}

int exec_apply(struct exec *x, const struct event *ev, struct err *e)
{
	if (check(x, ev, e) < 0)
		return -1;
	exec_note_obeyed(x, ev);
	switch (ev->type) {
	case EV_EXECUTION_ACCEPTED:
		x->accepted_at = ev->at;
		note_parent(x, ev);
		break;
	case EV_EXECUTION_STARTED:
		x->started = true;
		x->started_at = x->timed_from = ev->at;
		break;
	case EV_EXECUTION_PAUSED:
		x->paused = true;
		x->paused_above = json_object_get(ev->data, "parent") != NULL;
		note_person(x, ev);
		break;
	case EV_EXECUTION_RESUMED:
		x->paused = x->paused_above = false;
		note_person(x, ev);
		break;
	case EV_CANCEL_REQUESTED:
		/* The plan's own timeout ends it the same way, but as a failure. */
		fold_stop(x, NO_ACTION, true);
		note_person(x, ev);
		x->expired = json_is_true(json_object_get(ev->data, "expired"));
		if (x->expired)
			x->aborting = true;
		else
			x->cancelling = true;
		if (!x->error)
			x->error = json_incref(json_object_get(ev->data, "error"));
		break;
	case EV_OUTCOME_VALIDATED:
		if (json_is_false(json_object_get(ev->data, "holds")))
			x->outcome_failed = true;
		break;
	case EV_EXECUTION_COMPLETED:
		finished(x, OUTCOME_COMPLETED, ev);
		break;
	case EV_EXECUTION_FAILED:
		finished(x, OUTCOME_FAILED, ev);
		break;
	case EV_EXECUTION_CANCELLED:
		finished(x, OUTCOME_CANCELLED, ev);
		break;
	case EV_EXECUTION_REOPENED:
		reopened(x, ev);
		break;
	default:
		apply_action(x, ev);
		break;
	}
	return 0;
}
