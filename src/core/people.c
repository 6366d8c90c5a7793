/*
 * people.c - what people decide: confirmations, cancel, pause, resume, retry, skip; and the time they have for it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/context.h"
#include "core/decide.h"
#include "core/decide_impl.h"
#include "model/error.h"

enum { CLOCK_TICK_MS = 10 };

static const struct {
	const char *kind;
	const char *choices[5];
} kinds[] = {
    {"confirm", {"approve", "reject"}},
    {"input", {"approve", "reject"}},
    {"lost", {"retry", "skip", "reject"}},
    {"failed", {"retry", "skip", "approve", "reject"}},
};

static const char *const *choices_of(const char *kind)
{
	size_t k;

	for (k = 0; k < sizeof kinds / sizeof *kinds; k++)
		if (strcmp(kinds[k].kind, kind) == 0)
			return kinds[k].choices;
	return kinds[0].choices;
}

static bool is_choice(const char *kind, const char *verb)
{
	const char *const *c;

	for (c = choices_of(kind); *c; c++)
		if (strcmp(*c, verb) == 0)
			return true;
	return false;
}

void ask_person(struct exec *x, struct turn *t, uint32_t i, const char *kind, const char *title,
		const char *message, msec timeout)
{
	json_t *data = json_object(), *choices = json_array();
	const char *const *c;

	for (c = choices_of(kind); *c; c++)
		json_array_append_new(choices, json_string(*c));
	json_object_set_new(data, "number", json_integer(x->a[i].asked + 1));
	json_object_set_new(data, "kind", json_string(kind));
	json_object_set_new(data, "title", json_string(title));
	json_object_set_new(data, "message", json_string(message));
	json_object_set_new(data, "choices", choices);
	if (timeout)
		json_object_set_new(data, "deadline", time_json(t->now + timeout));
	emit(x, t, EV_CONFIRMATION_REQUESTED, i, x->a[i].attempt, data);
}

/* ---- decisions ---- */

/* The clock of the journal may have been ahead of the one that is right now, and of the one that times files. */
static bool is_older(const struct asked *a, const struct request *r)
{
	msec asked = a->since ? a->since : a->requested;

	if (r->published && r->published < asked)
		asked = r->published;
	/* A file's time comes from a coarser clock than ours and may lag by a tick. */
	return r->changed + CLOCK_TICK_MS < asked;
}

static bool already_approved_by(const struct asked *a, const char *user)
{
	size_t k;
	json_t *u;

	json_array_foreach(a->approved_by, k, u)
		if (user && strcmp(json_string_value(u), user) == 0)
			return true;
	return false;
}

/* The file that counted before, looked at once more. */
static bool was_heard(const struct asked *a, const struct request *r)
{
	return r->changed < a->heard;
}

static bool is_approver(const struct confirmation *c, const char *user)
{
	size_t k;

	if (c->napprovers == 0)
		return true;
	for (k = 0; k < c->napprovers; k++)
		if (user && strcmp(c->approvers[k], user) == 0)
			return true;
	return false;
}

static int may_decide(const struct exec *x, const struct asked *a, const struct request *r, struct err *e)
{
	const struct confirmation *c = x->plan->actions[r->action].confirmation;
	const char *submitter = json_string_value(json_object_get(x->plan->submitted_by, "user"));

	if (!c || strcmp(a->kind, "confirm") != 0)
		return 0;
	if (!is_approver(c, r->user))
		return err_set(e, EPERM, "\"%s\" is not among the approvers of this action", r->user ? r->user : "?");
	if (c->no_self_approval && submitter && r->user && strcmp(submitter, r->user) == 0)
		return err_set(e, EPERM, "\"%s\" submitted this plan and must not decide about it", r->user);
	if (strcmp(r->verb, "approve") == 0 && already_approved_by(a, r->user) && !was_heard(a, r))
		return err_set(e, EALREADY, "\"%s\" has approved this already; another person must", r->user);
	return 0;
}

static json_t *received(const struct asked *a, const struct request *r, const char *decision)
{
	json_t *data = json_object();

	json_object_set_new(data, "number", json_integer(a->number));
	json_object_set_new(data, "decision", json_string(decision));
	json_object_set_new(data, "confirmed", json_boolean(strcmp(decision, "approve") == 0 ||
							   strcmp(decision, "retry") == 0));
	if (r && r->by)
		json_object_set(data, "by", r->by);
	if (r && r->reason)
		json_object_set_new(data, "comment", json_string(r->reason));
	if (r && r->inputs) {
		json_t *m = json_object();

		json_object_set(m, "inputs", r->inputs);
		json_object_set_new(data, "modifications", m);
	}
	return data;
}

static void reject(struct exec *x, struct turn *t, uint32_t i, json_t *data, const char *kind, const char *who,
		   const char *why)
{
	const char *id = x->plan->actions[i].id;
	json_t *error = error_new(ERROR_USER_CANCELLED, false, "\"%s\" was rejected%s%s%s%s", id, who ? " by " : "",
				  who ? who : "", why ? ": " : "", why ? why : "");

	error_set_code(error, "rejected");
	json_object_set(data, "error", error);
	emit(x, t, EV_CONFIRMATION_RECEIVED, i, x->a[i].attempt, data);
	if (strcmp(kind, "confirm") == 0 || strcmp(kind, "input") == 0) {
		skip_action(x, t, i, "rejected", "%s", json_string_value(json_object_get(error, "message")));
	} else {
		json_t *more = json_object(), *own = json_object_get(x->a[i].record, "error");

		/* abort: the failure that was asked about stands, and its policy is now to abort */
		json_object_set(more, "error", own ? own : error);
		json_object_set_new(more, "then", json_string("abort"));
		emit(x, t, EV_ACTION_FAILED, i, x->a[i].attempt, more);
	}
	json_decref(error);
}

static int check_changes(struct exec *x, struct turn *t, const struct request *r, struct err *e)
{
	json_t *error = NULL, *before, *inputs;

	if (!r->inputs)
		return 0;
	before = x->a[r->action].inputs ? json_copy(x->a[r->action].inputs) : NULL;
	if (!x->a[r->action].inputs)
		x->a[r->action].inputs = json_object();
	json_object_update(x->a[r->action].inputs, r->inputs);
	inputs = context_inputs(x, r->action, &error);
	if (inputs && t->check_inputs)
		error = t->check_inputs(&x->plan->actions[r->action], inputs);
	json_decref(inputs);
	json_decref(x->a[r->action].inputs);
	x->a[r->action].inputs = before;
	if (!error)
		return 0;
	err_set(e, EINVAL, "the changed inputs are not right: %s",
		json_string_value(json_object_get(error, "message")));
	json_decref(error);
	return -1;
}

static void obey(struct exec *x, struct turn *t, const struct asked *a, const struct request *r)
{
	const struct action *pa = &x->plan->actions[r->action];
	json_t *data = received(a, r, r->verb);
	AUTO_FREE char *kind = xstrdup(a->kind);

	if (strcmp(r->verb, "reject") == 0) {
		reject(x, t, r->action, data, kind, r->user, r->reason);
		return;
	}
	if (strcmp(r->verb, "approve") == 0 && pa->confirmation && strcmp(kind, "confirm") == 0 &&
	    a->approvals + 1 < (uint32_t)pa->confirmation->quorum)
		json_object_set_new(data, "final", json_false());
	emit(x, t, EV_CONFIRMATION_RECEIVED, r->action, x->a[r->action].attempt, data);
	if (strcmp(r->verb, "skip") == 0) {
		skip_action(x, t, r->action, "skipped_by_hand", "skipped by %s%s%s", r->user ? r->user : "a person",
			    r->reason ? ": " : "", r->reason ? r->reason : "");
	} else if (strcmp(r->verb, "approve") == 0 && x->a[r->action].phase == PH_ASKING) {
		json_t *more = json_object();

		json_object_set(more, "error", json_object_get(x->a[r->action].record, "error"));
		json_object_set_new(more, "then", json_string("continue"));
		emit(x, t, EV_ACTION_FAILED, r->action, x->a[r->action].attempt, more);
	}
}

static const struct asked *last_request(const struct exec *x, uint32_t i)
{
	size_t k;

	for (k = x->asked.n; k-- > 0;)
		if (x->asked.v[k].action == i)
			return &x->asked.v[k];
	return NULL;
}

int core_decision(struct exec *x, struct turn *t, const struct request *r, struct err *e)
{
	struct asked *a = exec_open_request(x, r->action);
	const struct asked *last = last_request(x, r->action);
	const char *id = x->plan->actions[r->action].id;

	if (!a) {
		if (!last || !last->decision) /* nobody was asked, or the request was withdrawn */
			return err_set(e, ENOENT, "\"%s\" does not wait for a decision%s; it is %s", id, last ? " any more" : "",
				       phase_status(x->a[r->action].phase));
		if (strcmp(last->decision, r->verb) == 0)
			return 0; /* an identical repeat is harmless */
		return err_set(e, EALREADY, "\"%s\" was decided already%s%s", id, last->user ? ", by " : "",
			       last->user ? last->user : "");
	}
	if (!is_choice(a->kind, r->verb))
		return err_set(e, EINVAL, "\"%s\" is not a decision for \"%s\": see its request in confirm/", r->verb, id);
	if (is_older(a, r))
		return err_set(e, ETIME, "the decision is older than request %u, which it cannot have meant", a->number);
	if (a->deadline && r->changed >= a->deadline)
		return err_set(e, ETIME, "the decision came after the deadline");
	if (may_decide(x, a, r, e) < 0 || check_changes(x, t, r, e) < 0)
		return -1;
	if (strcmp(r->verb, "approve") == 0 && already_approved_by(a, r->user))
		return 0;
	obey(x, t, a, r);
	return 0;
}

/* ---- control ---- */

static json_t *order_data(const struct request *r)
{
	json_t *data = json_object();

	if (r->by)
		json_object_set(data, "by", r->by);
	if (r->reason)
		json_object_set_new(data, "reason", json_string(r->reason));
	if (r->parent)
		json_object_set(data, "parent", r->parent);
	return data;
}

static int cancel(struct exec *x, struct turn *t, const struct request *r, struct err *e)
{
	json_t *data, *error;

	if (x->outcome != OUTCOME_NONE)
		return err_set(e, EALREADY, "the execution has ended: it is %s", exec_status(x));
	if (x->cancelling && x->terminate)
		return 0; /* an identical repeat */
	data = order_data(r);
	error = error_new(ERROR_USER_CANCELLED, false, "cancelled%s%s%s%s", r->user ? " by " : "",
			  r->user ? r->user : "", r->reason ? ": " : "", r->reason ? r->reason : "");
	error_set_code(error, "cancelled");
	json_object_set_new(data, "error", error);
	emit(x, t, EV_CANCEL_REQUESTED, NO_ACTION, 0, data);
	return 0;
}

static int pause_or_resume(struct exec *x, struct turn *t, const struct request *r, bool pause, struct err *e)
{
	if (x->outcome != OUTCOME_NONE)
		return err_set(e, EALREADY, "the execution has ended: it is %s", exec_status(x));
	if (x->paused != pause)
		emit(x, t, pause ? EV_EXECUTION_PAUSED : EV_EXECUTION_RESUMED, NO_ACTION, 0, order_data(r));
	return 0;
}

/* What a compensation undid has to be done again, and may have to be undone again. */
static void rearm_undone(struct exec *x, struct turn *t, uint32_t i, json_t *by)
{
	rearm(x, t, x->plan->actions[i].compensate, true, "reopened", by, NULL);
	/* Not keeping what completed behind it: that stood on what is gone. */
	rearm(x, t, i, false, "undone", by, NULL);
}

/* What an abort or a cancel kept from running goes back to pending when the execution is opened again. */
static void rearm_stopped(struct exec *x, struct turn *t, json_t *by)
{
	uint32_t i;

	for (i = 0; i < x->plan->n; i++) {
		json_t *cause = json_object_get(x->a[i].record, "cause");

		/* Items are made again by their forEach action, if that runs again. */
		if (x->a[i].phase == PH_SKIPPED && x->plan->actions[i].instance_of == NO_ACTION && cause &&
		    strcmp(json_string_value(cause), "condition") != 0 &&
		    strcmp(json_string_value(cause), "skipped_by_hand") != 0)
			rearm(x, t, i, true, "reopened", by, NULL);
		if (x->a[i].phase == PH_COMPLETED && x->a[i].compensated)
			rearm_undone(x, t, i, by);
	}
}

static int retry(struct exec *x, struct turn *t, const struct request *asked_for, struct err *e)
{
	/* Items that failed are done again by their forEach action, which keeps those that completed. */
	uint32_t of = x->plan->actions[asked_for->action].instance_of;
	bool item = of != NO_ACTION && x->a[asked_for->action].phase != PH_ASKING;
	struct request own = *asked_for, *r = &own;
	const char *id;

	enum phase p;
	struct asked *a;
	json_t *data;

	if (item)
		own.action = of;
	id = x->plan->actions[own.action].id;
	p = x->a[own.action].phase;
	if (p != PH_FAILED && p != PH_SKIPPED && p != PH_ASKING && p != PH_BACKOFF)
		return err_set(e, EINVAL, "\"%s\" cannot be retried: it is %s", id, phase_status(p));
	if (x->outcome == OUTCOME_NONE && exec_stopping(x))
		return err_set(e, EBUSY, "the execution is stopping; retry when it has ended");
	if (x->plan->actions[own.action].standby && x->a[own.action].settled)
		return err_set(e, EINVAL, "\"%s\" runs only when it is called for: retry the action that it %s", id,
			       x->plan->actions[own.action].nprimaries > 0 ? "stands in for" : "undoes");
	if (check_changes(x, t, r, e) < 0)
		return -1;
	if (x->outcome != OUTCOME_NONE) {
		data = order_data(r);
		emit(x, t, EV_EXECUTION_REOPENED, r->action, 0, data);
		rearm(x, t, r->action, true, "retry", r->by, r->inputs);
		rearm_stopped(x, t, r->by);
		return 0;
	}
	a = exec_open_request(x, r->action);
	if (a) {
		struct request decision = *r;

		obey(x, t, a, &decision);
		return 0;
	}
	rearm(x, t, r->action, true, "retry", r->by, r->inputs);
	return 0;
}

static int skip(struct exec *x, struct turn *t, const struct request *r, struct err *e)
{
	enum phase p = x->a[r->action].phase;

	if (x->outcome != OUTCOME_NONE)
		return err_set(e, EALREADY, "the execution has ended: it is %s", exec_status(x));
	if (p == PH_RUNNING || p == PH_STANDIN || p == PH_COMPLETED || p == PH_SKIPPED)
		return err_set(e, EINVAL, "\"%s\" cannot be skipped: it is %s", x->plan->actions[r->action].id,
			       phase_status(p));
	skip_action(x, t, r->action, "skipped_by_hand", "skipped by %s%s%s", r->user ? r->user : "a person",
		    r->reason ? ": " : "", r->reason ? r->reason : "");
	return 0;
}

static bool is_same_file(const json_t *a, const json_t *b, bool copied)
{
	static const char *const marks[] = {"name", "mtime", "inode", "ctime"};
	size_t k;

	for (k = 0; k < (copied ? 2 : 4); k++)
		if (!json_equal(json_object_get(a, marks[k]), json_object_get(b, marks[k])))
			return false;
	return true;
}

/* A crash came between the commit that obeyed it and its move to where obeyed files are kept. */
static bool was_obeyed(const struct exec *x, const struct request *r)
{
	json_t *file;
	size_t k;

	json_array_foreach(x->obeyed, k, file)
		if (is_same_file(file, r->file, r->copied))
			return true;
	return false;
}

static int obey_order(struct exec *x, struct turn *t, const struct request *r, struct err *e)
{
	if (strcmp(r->verb, "cancel") == 0)
		return cancel(x, t, r, e);
	if (strcmp(r->verb, "pause") == 0)
		return pause_or_resume(x, t, r, true, e);
	if (strcmp(r->verb, "resume") == 0)
		return pause_or_resume(x, t, r, false, e);
	if (r->action == NO_ACTION)
		return err_set(e, EINVAL, "\"%s\" needs an action: ID.ACTION.%s", r->verb, r->verb);
	if (strcmp(r->verb, "retry") == 0)
		return retry(x, t, r, e);
	if (strcmp(r->verb, "skip") == 0)
		return skip(x, t, r, e);
	return err_set(e, EINVAL, "\"%s\" is not something that can be asked for: cancel, pause, resume, retry or skip",
		       r->verb);
}

int core_control(struct exec *x, struct turn *t, const struct request *r, struct err *e)
{
	size_t before = t->out->n;

	if (r->file && was_obeyed(x, r))
		return 0;
	if (obey_order(x, t, r, e) < 0)
		return -1;
	if (r->file && t->out->n > before && t->out->v[before].data) {
		json_object_set(t->out->v[before].data, "obeyed", r->file);
		exec_note_obeyed(x, &t->out->v[before]);
	}
	return 0;
}

/* ---- time ---- */

static void deadline_passed(struct exec *x, struct turn *t, uint32_t i)
{
	struct asked *a = exec_open_request(x, i);
	json_t *data;

	if (x->a[i].phase == PH_BACKOFF) {
		bool waits = exec_blockers(x, i) > 0 && i != x->compensating;

		x->a[i].deadline = 0;
		x->a[i].overtaken = false;
		exec_set_phase(x, i, waits ? PH_BLOCKED : PH_READY);
		return;
	}
	if (!a)
		return;
	data = received(a, NULL, "reject");
	json_object_set_new(data, "timedOut", json_true());
	reject(x, t, i, data, a->kind, NULL, "nobody answered in time");
}

static msec plan_deadline(const struct exec *x)
{
	return x->started && x->plan->timeout && !exec_stopping(x) ? x->timed_from + x->plan->timeout : 0;
}

static void expire(struct exec *x, struct turn *t)
{
	json_t *data = json_object();
	json_t *error = error_new(ERROR_NETWORK_TIMEOUT, false, "the plan did not finish within %lld ms",
				  (long long)x->plan->timeout);

	error_set_code(error, "plan_timeout");
	json_object_set_new(data, "error", error);
	json_object_set_new(data, "expired", json_true());
	json_object_set_new(data, "reason", json_string("the plan's time is over"));
	emit(x, t, EV_CANCEL_REQUESTED, NO_ACTION, 0, data);
}

void core_timers(struct exec *x, struct turn *t)
{
	struct heap_item item;
	msec at = plan_deadline(x);

	if (x->outcome != OUTCOME_NONE)
		return;
	if (at && at <= t->now)
		expire(x, t);
	while (heap_peek(&x->timers, &item) && item.key <= t->now) {
		heap_pop(&x->timers, &item);
		if (x->a[item.id].deadline == item.key)
			deadline_passed(x, t, item.id);
	}
}

void core_clock_back(struct exec *x, msec now, msec ago)
{
	uint32_t i;
	size_t k;

	if (x->outcome != OUTCOME_NONE)
		return;
	for (k = 0; k < x->asked.n; k++)
		if (!x->asked.v[k].responded && x->asked.v[k].requested > now)
			x->asked.v[k].since = ago < 0 ? 1 : now - ago;
	if (x->timed_from > now)
		x->timed_from = now;
	unread_clock_back(x, now);
	for (i = 0; i < x->plan->n; i++) {
		struct action_state *a = &x->a[i];

		if (a->first_started > now)
			a->first_started = now;
		if (a->phase == PH_BACKOFF && a->deadline > now + a->delay) {
			a->deadline = now + a->delay;
			heap_push(&x->timers, a->deadline, i);
		}
	}
}

msec core_deadline(struct exec *x)
{
	struct heap_item item;
	msec at = plan_deadline(x), again = unread_deadline(x);

	if (x->outcome != OUTCOME_NONE)
		return 0;
	if (again && (!at || again < at))
		at = again;
	while (heap_peek(&x->timers, &item)) {
		if (x->a[item.id].deadline == item.key)
			return at && at < item.key ? at : item.key;
		heap_pop(&x->timers, &item);
	}
	return at;
}
