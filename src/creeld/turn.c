/*
 * turn.c - one turn: fold what arrived into the executions concerned, let the core decide, and make one job of it.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "codec/commit.h"
#include "codec/definitions.h"
#include "codec/output.h"
#include "creeld/apis.h"
#include "creeld/breakers.h"
#include "creeld/deadlock.h"
#include "creeld/flush.h"
#include "creeld/requests.h"
#include "creeld/subexec.h"
#include "creeld/typed.h"
#include "store/state_file.h"
#include "store/write.h"

enum {
	AHEAD = 4,           /* starts are committed ahead of free slots: up to so many times as many */
	/* state.json of a busy execution is not written more often; of a plan of more actions, whose file is larger, only as
	 * much less often, so that what is written for each action does not grow with the plan. */
	STATE_EVERY_MS = 250,
	STATE_EVERY_ACTIONS = 1000,
	STATE_EVERY_MOST_MS = 5000,
	STATE_COST_FACTOR = 20, /* nor more than a twentieth of the time */
	STATES_APART_MS = 5, /* of all busy executions, so that many of them do not spend their time on it */
	STATES_AT_ONCE = 20 /* after a while without */
};

struct turn turn_of(struct daemon *d, struct events *out, msec now)
{
	return (struct turn){.now = now, .random = d->random += 0x9e3779b97f4a7c15u, .out = out,
			     .check_inputs = definition_check_inputs, .child = subexec_choose,
			     .typed_missing = typed_missing, .retry_after_most = d->config.retry_after_most, .ctx = d};
}

/* ---- taking in ---- */

static void note_ready(struct daemon *d, struct live *l)
{
	if (!l->waiting_start && core_next(l->exec) != NO_ACTION) {
		l->waiting_start = true;
		vec_push(&d->ready, l->slot);
	}
}

static void take_one(struct daemon *d, struct live *l, msec now, struct flush_job *j)
{
	struct turn t = turn_of(d, &l->out, now);

	turn_take_inputs(d, l, &t, j);
	core_timers(l->exec, &t);
	core_advance(l->exec, &t);
	note_ready(d, l);
}

static void due_timers(struct daemon *d, msec now)
{
	struct heap_item item;

	while (heap_peek(&d->timers, &item) && item.key <= now) {
		struct live *l = item.id < d->lives.n ? d->lives.v[item.id] : NULL;

		heap_pop(&d->timers, &item);
		if (l && l->deadline == item.key) {
			l->deadline = 0;
			live_dirty(d, l);
		}
	}
}

/* ---- starts ---- */

/* Those that wait for a breaker take no room: what can run must not wait behind them. */
static uint32_t committed(struct daemon *d)
{
	uint32_t n = (uint32_t)d->running.n + d->admitted_starts;
	msec now = clock_wall();
	size_t k, q;

	for (k = 0; k < d->queue.n; k++) {
		const struct live *l = d->lives.v[d->queue.v[k]];

		for (q = l->queued_at; q < l->queued.n; q++)
			n += !breakers_hold(d, l->exec, l->queued.v[q], now) && !apis_hold(d, l->exec, l->queued.v[q], now);
	}
	return n;
}

/* Is there something outside the execution that has no room for this start? */
static bool may_start(struct daemon *d, const struct exec *x, uint32_t i, msec now)
{
	const struct action *a = &x->plan->actions[i];

	/* One that fails while its breaker is open does so as an attempt: see dispatch.c. */
	return limits_allow(d, a) && (a->breaker_fails || !breakers_hold(d, x, i, now)) && !typed_is_asked(d, x, i) &&
	       !apis_hold(d, x, i, now);
}

/* Start what core_next names.  true if it takes a place. */
static bool start(struct daemon *d, struct exec *x, struct turn *t)
{
	uint32_t i = core_next(x);

	if (!core_start(x, t))
		return false;
	limits_take(d, &x->plan->actions[i]);
	breakers_started(d, x, i, t->now);
	apis_committed(d, x, i, t->now);
	return !x->plan->actions[i].no_supervisor;
}

/* Those that run, and those that are ahead of them. */
static uint32_t most_committed(const struct daemon *d)
{
	return (1 + AHEAD) * d->config.max_concurrency;
}

static bool plan_has_room(const struct exec *x)
{
	return !x->plan->max_concurrency || x->count[PH_RUNNING] - x->waiting < x->plan->max_concurrency;
}

void turn_first_starts(struct daemon *d, struct exec *x, struct turn *t)
{
	core_advance(x, t);
	/* Whoever waits for room already goes first. */
	while (d->ready.n == 0 && committed(d) < most_committed(d) && plan_has_room(x) &&
	       core_next(x) != NO_ACTION) {
		if (!may_start(d, x, core_next(x), t->now))
			return; /* the turn that follows sets it aside */
		d->admitted_starts += start(d, x, t);
		core_advance(x, t);
	}
}

static void park(struct daemon *d, struct live *l)
{
	core_park(l->exec, typed_is_asked(d, l->exec, core_next(l->exec)));
	if (!l->is_parked)
		vec_push(&d->parked, l->slot);
	l->is_parked = true;
}

/* Something may have been released: whoever waited for it is in line again. */
static void unpark_all(struct daemon *d)
{
	size_t k;

	for (k = 0; k < d->parked.n; k++) {
		struct live *l = d->lives.v[d->parked.v[k]];

		l->is_parked = false;
		core_unpark(l->exec);
		note_ready(d, l);
	}
	d->parked.n = 0;
}

/* Executions take turns, one start each, those of the highest priority first; a plan that has no room keeps its
 * place for later. */
static void start_actions(struct daemon *d, msec now)
{
	uint32_t room = most_committed(d), used = committed(d);
	int top = INT_MAX; /* nobody who can start has a higher priority: starts only take room away */

	while (used < room && d->ready.n > 0) {
		size_t k, best = d->ready.n;
		struct live *l;
		struct turn t;

		for (k = 0; k < d->ready.n; k++) {
			l = d->lives.v[d->ready.v[k]];
			if (!plan_has_room(l->exec) && core_next(l->exec) != NO_ACTION)
				continue;
			if (best == d->ready.n || l->plan->priority > d->lives.v[d->ready.v[best]]->plan->priority)
				best = k;
			if (d->lives.v[d->ready.v[best]]->plan->priority >= top)
				break;
		}
		if (best == d->ready.n)
			return;
		l = d->lives.v[d->ready.v[best]];
		top = l->plan->priority;
		memmove(d->ready.v + best, d->ready.v + best + 1, (d->ready.n - best - 1) * sizeof *d->ready.v);
		d->ready.n--;
		l->waiting_start = false;
		if (core_next(l->exec) == NO_ACTION)
			continue;
		if (!may_start(d, l->exec, core_next(l->exec), now)) {
			park(d, l);
			note_ready(d, l);
			continue;
		}
		t = turn_of(d, &l->out, now);
		used += start(d, l->exec, &t);
		core_advance(l->exec, &t);
		live_dirty(d, l);
		note_ready(d, l); /* at the end of the line */
	}
}

/* ---- commits ---- */

static void add_state(struct daemon *d, struct live *l, struct flush_job *j, bool final)
{
	struct flush_state st = {.live = l, .final = final};
	struct state_marks marks = {.seq = l->seq};
	struct buf text = BUF_INIT;
	msec start = clock_mono();

	if (l->told_in < d->told_on_disk)
		l->events_flushed = l->events_seq;
	marks.events_seq = l->events_flushed;
	strcpy(st.id, l->exec->id);
	state_encode(&text, &d->spool, l->exec, &marks);
	st.n = text.len;
	st.text = buf_steal(&text);
	vec_push(&j->states, st);
	l->state_written = clock_mono();
	l->state_cost = l->state_written - start;
}

static msec state_due(const struct live *l)
{
	msec wait = l->state_cost * STATE_COST_FACTOR, every = (msec)l->plan->n * STATE_EVERY_MS / STATE_EVERY_ACTIONS;

	every = every < STATE_EVERY_MS ? STATE_EVERY_MS : every > STATE_EVERY_MOST_MS ? STATE_EVERY_MOST_MS : every;
	return l->state_written + (wait > every ? wait : every);
}

static bool waits(const struct exec *x)
{
	return x->count[PH_RUNNING] - x->waiting + x->count[PH_READY] - exec_awaiting(x) == 0;
}

static void fold_state(struct daemon *d, struct live *l, struct flush_job *j)
{
	if (l->exec->outcome != OUTCOME_NONE) {
		add_state(d, l, j, true);
	} else if (waits(l->exec)) {
		add_state(d, l, j, false);
	} else if (!l->state_old) {
		l->state_old = true;
		vec_push(&d->stale, l->slot);
	}
}

/* Outputs that have no file yet get it here: the state always points to one.  Those that are too large for a commit stand
 * in their file only, which is on disk before the commit that speaks of it.  The event's data is the action's record
 * too: both get the location before either is written. */
static void place_output(struct live *l, struct event *ev, const char *key, struct flush_job *j)
{
	json_t *output = json_object_get(ev->data, key);
	char path[SPOOL_PATH_MAX], file[SPOOL_PATH_MAX];
	struct flush_file f = {.text = output ? json_dumps(output, JSON_COMPACT) : xstrdup("{}")};
	size_t n = strlen(f.text);

	spool_attempt_path(l->exec->id, l->plan->actions[ev->action].id, ev->attempt, path);
	spool_attempt_file(l->plan->actions[ev->action].id, ev->attempt, "output.json", file);
	f.to = xasprintf("%s/output.json", path);
	json_object_set_new(ev->data, "outputLocation", attempt_location(file, f.text, n));
	if (n <= OUTPUT_MAX) {
		vec_push(&j->files, f);
		return;
	}
	/* In this turn it may be wanted still, and the file is not there yet. */
	json_decref(l->exec->a[ev->action].loaded);
	l->exec->a[ev->action].loaded = json_incref(output);
	vec_push(&l->exec->loaded, ev->action);
	json_object_set_new(ev->data, "outputInFile", json_true());
	json_object_del(ev->data, key);
	vec_push(&j->early, f);
}

void turn_before_commit(struct live *l, struct events *events, struct flush_job *j)
{
	size_t k;

	for (k = 0; k < events->n; k++) {
		struct event *ev = &events->v[k];

		if (json_object_get(ev->data, "outputLocation"))
			continue;
		if (ev->type == EV_ACTION_COMPLETED)
			place_output(l, ev, "output", j);
		else if (ev->type == EV_ACTION_FAILED && json_object_get(ev->data, "partialOutput"))
			place_output(l, ev, "partialOutput", j);
	}
}

void turn_after_commit(struct daemon *d, struct live *l, const struct events *events, struct flush_job *j)
{
	requests_changed(l, events, j);
	fold_state(d, l, j);
}

static void add_commit(struct daemon *d, struct live *l, msec now, struct flush_job *j)
{
	struct flush_commit fc = {.live = l};
	struct commit c;
	struct buf text = BUF_INIT;

	l->ended_before = false;
	turn_before_commit(l, &l->out, j);
	c = (struct commit){.seq = l->seq + 1, .at = now, .events = l->out};
	strcpy(c.prev, l->prev);
	commit_encode(&text, l->plan, &c);
	commit_event_lines(&j->events, l->plan, l->exec->id, &c);
	flush_set_day(j, now);
	fc.seq = l->seq = c.seq;
	fc.n = text.len;
	fc.text = buf_steal(&text);
	fc.events = l->out;
	l->out = (struct events)EVENTS_INIT;
	sha256_tagged(fc.text, fc.n, l->prev);
	turn_after_commit(d, l, &fc.events, j);
	vec_push(&j->commits, fc);
}

static void note_deadline(struct daemon *d, struct live *l)
{
	msec at = core_deadline(l->exec);

	if (at && at != l->deadline) {
		l->deadline = at;
		heap_push(&d->timers, at, l->slot);
	}
}

static void close_one(struct daemon *d, struct live *l, msec now, struct flush_job *j)
{
	struct turn t = turn_of(d, &l->out, now);

	core_advance(l->exec, &t);
	core_finish(l->exec, &t);
	if (l->out.n > 0)
		add_commit(d, l, now, j);
	note_deadline(d, l);
}

/* Loaded to be opened again, and it was not: what was asked for could not be done.  Nothing of the job points to it. */
static void let_go_unopened(struct daemon *d)
{
	struct err e;
	size_t k;

	for (k = 0; k < d->lives.n; k++) {
		struct live *l = d->lives.v[k];

		if (!l || !l->ended_before || l->exec->outcome == OUTCOME_NONE)
			continue;
		subexec_ended(d, l);
		if (active_remove(&d->spool, l->exec->id, &e) < 0)
			log_error("%s", e.text);
		live_remove(d, l);
	}
	d->reopening = false;
}

static void stale_states(struct daemon *d, struct flush_job *j)
{
	msec now = clock_mono();
	size_t from, to = 0;

	for (from = 0; from < d->stale.n; from++) {
		struct live *l = d->lives.v[d->stale.v[from]];

		if (l->exec->outcome == OUTCOME_NONE && (now < state_due(l) || now < d->next_state)) {
			d->stale.v[to++] = d->stale.v[from];
			continue;
		}
		l->state_old = false;
		if (l->exec->outcome != OUTCOME_NONE)
			continue;
		add_state(d, l, j, false);
		if (d->next_state < now - STATES_APART_MS * STATES_AT_ONCE)
			d->next_state = now - STATES_APART_MS * STATES_AT_ONCE;
		d->next_state += STATES_APART_MS;
	}
	d->stale.n = to;
}

/* ---- holding back ----
 *
 * A turn costs a commit and its flushes, however much it holds.  While there is enough to hand out, and all that
 * arrived is results of attempts that went well, one turn for several of them loses nobody any time. */

static bool only_good_results(const struct live *l)
{
	size_t k;

	for (k = 0; k < l->inputs.n; k++) {
		const struct attempt_result *r = &l->inputs.v[k].report.result;

		if (l->inputs.v[k].kind != INPUT_RESULT || r->outcome != ATTEMPT_EXITED || r->status != 0 || r->error)
			return false;
	}
	return l->inputs.n > 0;
}

/* Are there as many attempts in line as can run at once, and as will start while the next commit is being flushed? */
static bool line_is_long(const struct daemon *d)
{
	size_t k, n = 0, wanted = d->config.max_concurrency;

	if (d->result_us > 0 && (size_t)(d->flush_us / d->result_us) >= wanted)
		wanted = (size_t)(d->flush_us / d->result_us) + 1;
	for (k = 0; k < d->queue.n && n < wanted; k++)
		n += d->lives.v[d->queue.v[k]]->queued.n - d->lives.v[d->queue.v[k]]->queued_at;
	return n >= wanted && d->running.n >= d->config.max_concurrency;
}

bool turn_held(const struct daemon *d)
{
	struct heap_item item;
	size_t k;

	if (d->scan || d->more_in_inbox || d->reopening || d->dirty.n == 0 || !line_is_long(d) ||
	    (d->held_since && clock_mono() >= d->held_since + TURN_HOLD_MS) ||
	    (heap_peek(&d->timers, &item) && item.key <= clock_wall()))
		return false;
	for (k = 0; k < d->dirty.n; k++)
		if (!only_good_results(d->lives.v[d->dirty.v[k]]))
			return false;
	return true;
}

/* ---- patterns made to be slow ---- */

/* Those for whose conditions the last turn had no time come after all others, and by turns. */
static void take_slow(struct daemon *d)
{
	size_t k;

	for (k = 0; k < d->slow.n; k++)
		live_dirty(d, d->lives.v[d->slow.v[k]]);
	d->slow.n = 0;
}

static void note_slow(struct daemon *d)
{
	size_t k;

	for (k = 0; k < d->dirty.n; k++)
		if (core_has_more(d->lives.v[d->dirty.v[k]]->exec))
			vec_push(&d->slow, d->dirty.v[k]);
	if (d->slow.n > 1) { /* the first has had its turn */
		uint32_t first = d->slow.v[0];

		memmove(d->slow.v, d->slow.v + 1, (d->slow.n - 1) * sizeof first);
		d->slow.v[d->slow.n - 1] = first;
	}
}

void turn(struct daemon *d)
{
	struct flush_job *j;
	msec now = clock_wall();
	size_t k;

	if (d->job)
		return;
	if (turn_held(d)) {
		if (!d->held_since)
			d->held_since = clock_mono();
		return;
	}
	d->held_since = 0;
	j = flush_job_new();
	d->admitted_starts = 0;
	d->steps = 0;
	limits_count(d);
	apis_count(d);
	unpark_all(d);
	due_timers(d, now);
	intake_scan(d, j);
	clock_look(d);
	now = clock_wall(); /* of the clock that was looked at: what it was before must not get into a deadline */
	subexec_turn(d, now, j);
	take_slow(d);
	for (k = 0; k < d->dirty.n; k++)
		take_one(d, d->lives.v[d->dirty.v[k]], now, j);
	d->held_bytes = 0; /* they have been taken */
	breakers_check(d, now);
	apis_check(d, now);
	start_actions(d, now);
	deadlock_break(d, now);
	for (k = 0; k < d->dirty.n; k++) {
		struct live *l = d->lives.v[d->dirty.v[k]];

		l->dirty = false;
		close_one(d, l, now, j);
		exec_unload(l->exec);
	}
	note_slow(d);
	d->dirty.n = 0;
	if (d->reopening)
		let_go_unopened(d);
	stale_states(d, j);
	breakers_save(d);
	apis_save(d);
	if (flush_job_is_empty(j))
		free(j);
	else
		flush_submit(d, j);
}

/* The earlier of two points in time, of which 0 is none. */
static msec earlier(msec a, msec b)
{
	return !a || (b && b < a) ? b : a;
}

static msec next_timer(struct daemon *d)
{
	struct heap_item item;

	while (heap_peek(&d->timers, &item)) {
		struct live *l = item.id < d->lives.n ? d->lives.v[item.id] : NULL;

		if (l && l->deadline == item.key)
			return item.key;
		heap_pop(&d->timers, &item);
	}
	return 0;
}

msec turn_deadline(struct daemon *d)
{
	msec at = next_timer(d), mono = clock_mono(), wall = clock_wall();
	size_t k;

	if (turn_held(d)) /* all else waits for its end, and to ask for it again and again brings it no sooner */
		return earlier(at, d->held_since - mono + wall + TURN_HOLD_MS);
	at = earlier(at, breakers_deadline(d));
	at = earlier(at, subexec_deadline(d));
	at = earlier(at, apis_deadline(d));
	for (k = 0; k < d->stale.n; k++) {
		msec due = state_due(d->lives.v[d->stale.v[k]]);

		at = earlier(at, (due > d->next_state ? due : d->next_state) - mono + wall);
	}
	return at;
}
