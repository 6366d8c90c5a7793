/*
 * Random walks: random plans, random results, losses, decisions, orders and clocks, and after every step the core's
 * own invariants and those of an observer who knows nothing but the events.
 *
 * At random moments, and at the end, the journal is written and read back (codec/commit) and folded into a fresh
 * execution: it must be equal in everything that a journal determines (S0-STATELESS, EDGE-5); the walk then goes on
 * with the copy, as a daemon that was restarted does.  Serves also ORCH-001 to ORCH-004, ORCH-012, ORCH-014, RUN-PAR.
 *
 *   CREEL_SEED=N    replay one walk (the number that a failure prints) and tell what happens
 *   CREEL_STEPS=N   walk at least N steps, instead of 120,000
 */
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "codec/commit.h"
#include "codec/plan_load.h"
#include "core/check.h"
#include "scene.h"

enum { ACTIONS_MAX = 30, ITEMS_MAX = 4, WATCHED_MAX = ACTIONS_MAX * (1 + ITEMS_MAX), STEPS_A_WALK = 200 };

static uint64_t walk_seed;
static bool loud;

static void broke(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void broke(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "walk with CREEL_SEED=%llu: ", (unsigned long long)walk_seed);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	fail();
}

static void on_abort(int sig)
{
	char text[64];
	int n = snprintf(text, sizeof text, "aborted in the walk with CREEL_SEED=%llu\n", (unsigned long long)walk_seed);

	if (write(2, text, (size_t)n) != n)
		_exit(3);
	signal(sig, SIG_DFL);
	raise(sig);
}

/* ---- dice ---- */

static uint64_t dice;

static uint32_t below(uint32_t n)
{
	uint64_t z = dice += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (uint32_t)((z ^ (z >> 31)) % n);
}

static bool chance(uint32_t percent)
{
	return below(100) < percent;
}

/* ---- plans ---- */

/* Dice are thrown one a statement: the order in which arguments are evaluated is the compiler's. */
static void random_retry(struct buf *b)
{
	uint32_t attempts = 1 + below(4), first = below(500), most = below(2000), factor = 1 + below(3);
	bool timeouts = chance(50), jitter = chance(50);

	buf_printf(b,
		   ",\"retryPolicy\":{\"maxAttempts\":%u,\"initialDelay\":%u,\"maxDelay\":%u,\"backoffMultiplier\":%u,"
		   "\"retryableErrors\":[\"api_unexpected_status\"%s],\"jitter\":%s}",
		   attempts, first, most, factor, timeouts ? ",\"network_timeout\"" : "", jitter ? "true" : "false");
}

/* Something upstream of i to look at, mostly a direct dependency; -1: nothing. */
static int upstream_of(const uint32_t *deps, uint32_t ndeps)
{
	return ndeps ? (int)deps[below(ndeps)] : -1;
}

static void random_conditions(struct buf *b, int d)
{
	if (d < 0)
		return;
	if (chance(10))
		buf_printf(b, ",\"condition\":{\"if\":\"${a%d.output.flag}\",\"then\":\"execute\",\"else\":\"%s\"}", d,
			   chance(50) ? "skip" : "fail");
	if (chance(10))
		buf_printf(b, ",\"when\":\"prev.a%d.status == '%s'\"", d, chance(70) ? "success" : "failed");
	if (chance(5))
		buf_printf(b, ",\"skipIf\":[\"a%d.output.n > 5\"]", d);
}

static void random_handling(struct buf *b, uint32_t i, uint32_t n)
{
	static const char *const policies[] = {"abort", "skip_dependents", "continue", "ask"};

	if (chance(70))
		buf_printf(b, ",\"onFailure\":\"%s\"", policies[chance(25) ? 0 : 1 + below(3)]);
	if (chance(35)) {
		uint32_t other = below(n);

		buf_printf(b, ",\"errorHandling\":{\"continueOnFailure\":%s", chance(30) ? "true" : "false");
		if (chance(60) && other != i)
			buf_printf(b, ",\"alternativeActionId\":\"a%u\"", other);
		if (chance(30))
			buf_puts(b, ",\"fallbackValue\":{\"flag\":\"yes\",\"n\":3}");
		buf_putc(b, '}');
	}
	if (chance(10)) {
		uint32_t other = below(n);

		if (other != i)
			buf_printf(b, ",\"compensate\":\"a%u\"", other);
	}
}

static void random_action(struct buf *b, uint32_t i, uint32_t n, uint32_t density)
{
	static const char *const lost[] = {"rerun", "fail", "ask"};
	uint32_t deps[ACTIONS_MAX], ndeps = 0, k;

	for (k = 0; k < i; k++)
		if (chance(density) && ndeps < 6)
			deps[ndeps++] = k;
	buf_printf(b, "%s{\"id\":\"a%u\",\"actionDefinitionId\":\"command\",\"inputs\":{\"command\":\"x\"", i ? "," : "", i);
	if (ndeps && chance(10))
		buf_printf(b, ",\"args\":[\"${a%u.output.n}\"]", deps[below(ndeps)]);
	buf_puts(b, "},\"dependencies\":[");
	for (k = 0; k < ndeps; k++)
		buf_printf(b, "%s\"a%u\"", k ? "," : "", deps[k]);
	buf_putc(b, ']');
	random_conditions(b, upstream_of(deps, ndeps));
	random_handling(b, i, n);
	if (chance(40))
		random_retry(b);
	if (chance(15)) {
		uint32_t timeout = chance(50) ? 0 : 500 + below(5000), quorum = 1 + below(2);

		buf_printf(b, ",\"userConfirmation\":{\"required\":true,\"title\":\"t\",\"message\":\"m\",\"timeout\":%u,\"quorum\":%u}",
			   timeout, quorum);
	}
	if (chance(6)) {
		uint32_t items = below(ITEMS_MAX + 1);

		buf_puts(b, ",\"forEach\":{\"items\":[");
		for (k = 0; k < items; k++)
			buf_printf(b, "%s%u", k ? "," : "", k);
		buf_printf(b, "],\"width\":%u}", 1 + below(3));
	} else if (chance(8)) {
		int back = chance(50) || !ndeps ? (int)i : upstream_of(deps, ndeps);

		buf_printf(b, ",\"loop\":{\"until\":\"a%u.output.n > 6\",\"backTo\":\"a%d\",\"maxIterations\":%u}", i, back,
			   1 + below(3));
	}
	if (chance(30))
		buf_printf(b, ",\"onLost\":\"%s\"", lost[below(3)]);
	if (chance(10))
		buf_printf(b, ",\"totalTimeoutMs\":%u", 100 + below(3000));
	if (chance(20))
		buf_puts(b, ",\"critical\":true");
	if (chance(20))
		buf_printf(b, ",\"priority\":%d", (int)below(5) - 2);
	buf_putc(b, '}');
}

static void random_plan(struct buf *b)
{
	uint32_t n = 1 + below(chance(50) ? 8 : ACTIONS_MAX), density = 5 + below(40), i;

	buf_puts(b, "{\"name\":\"walk\"");
	if (chance(40))
		buf_printf(b, ",\"maxConcurrency\":%u", 1 + below(4));
	if (chance(20))
		buf_printf(b, ",\"timeoutMs\":%u", 1000 + below(20000));
	buf_printf(b, ",\"onAbort\":\"%s\",\"actions\":[", chance(50) ? "drain" : "terminate");
	for (i = 0; i < n; i++)
		random_action(b, i, n, density);
	buf_putc(b, ']');
	if (chance(15))
		buf_puts(b, ",\"expectedOutcome\":{\"validations\":[{\"name\":\"v\",\"reference\":\"${a0.output.n}\",\"operator\":\"exists\"}]}");
	buf_putc(b, '}');
}

/* A plan that admission accepts; many random ones are refused, as for a cycle through an alternative. */
static struct plan *draw_plan(struct admitted *out)
{
	for (;;) {
		AUTO_BUF struct buf text = BUF_INIT;
		struct diags errors = DIAGS_INIT;
		bool good;

		random_plan(&text);
		good = admit_plan("walk.json", text.p, text.len, NULL, NOON, out, &errors);
		diags_free(&errors);
		if (good && loud)
			fprintf(stderr, "%s\n", text.p);
		if (good)
			return out->plan;
	}
}

/* ---- the observer: what must hold between the events, whatever the core thinks ---- */

struct watched {
	uint32_t attempt, iteration;
	bool running, completed, skipped, failed, waits_for_alternative;
	bool undoes;   /* it runs as a compensation */
	bool afresh;   /* a loop came round to it */
	bool stood_in; /* failed, and something stands in */
	uint32_t open; /* number of the request that waits for an answer, or 0 */
	uint32_t asked;
	bool confirms; /* the request is about the start */
};

struct watch {
	const struct plan *p;
	struct watched a[WATCHED_MAX];
	uint32_t running;
	bool paused, stopping, over;
};

static const char *word(const struct event *ev, const char *key)
{
	const char *s = json_string_value(json_object_get(ev->data, key));

	return s ? s : "";
}

static bool watched_settled(const struct watched *a)
{
	return a->completed || a->skipped || (a->failed && !a->waits_for_alternative);
}

/* The chain after the alternative, as the design's paragraph has it: fallback, continue, skip, abort. */
static void go_on_without(struct watch *w, uint32_t i)
{
	const struct action *pa = &w->p->actions[i];

	if (pa->fallback)
		w->a[i].stood_in = true;
	else if ((pa->on_failure == ON_FAILURE_ABORT || pa->on_failure == ON_FAILURE_ASK) && !pa->standby)
		w->stopping = true;
}

static void release(struct watch *w, uint32_t alternative)
{
	bool stands_in = w->a[alternative].completed || w->a[alternative].stood_in;
	uint32_t k;

	/* Whoever waited for it goes on, and so may those who waited for them. */
	for (k = 0; k < w->p->n; k++)
		if (w->p->actions[k].alternative == alternative && w->a[k].waits_for_alternative) {
			w->a[k].waits_for_alternative = false;
			if (stands_in)
				w->a[k].stood_in = true;
			else
				go_on_without(w, k);
			release(w, k);
		}
}

static void watch_stop_running(struct watch *w, uint32_t i)
{
	w->running -= w->a[i].running && !w->p->actions[i].for_each;
	w->a[i].running = false;
}

/* A forEach starts: its items are open again, those that completed only if a loop came round. */
static void watch_items(struct watch *w, uint32_t parent)
{
	uint32_t i;

	for (i = 0; i < w->p->n; i++) {
		struct watched *a = &w->a[i];

		if (w->p->actions[i].instance_of != parent)
			continue;
		if (a->running)
			broke("%s runs again while %s runs", w->p->actions[parent].id, w->p->actions[i].id);
		a->failed = a->skipped = a->stood_in = false;
		a->completed = a->completed && !w->a[parent].afresh;
	}
	w->a[parent].afresh = false;
}

static void watch_start(struct watch *w, const struct event *ev)
{
	const struct action *pa = &w->p->actions[ev->action];
	struct watched *a = &w->a[ev->action];
	bool undoes = *word(ev, "compensates") != '\0' || a->undoes;
	bool called = undoes;
	uint32_t k;

	if (ev->attempt != a->attempt + 1)
		broke("%s: attempt %u follows attempt %u", pa->id, ev->attempt, a->attempt);
	if (a->running)
		broke("%s runs twice at once", pa->id);
	if (watched_settled(a))
		broke("%s is settled and starts without being armed again", pa->id);
	if (a->open)
		broke("%s starts while a person is asked", pa->id);
	if (w->paused && !undoes)
		broke("%s starts while the execution is paused", pa->id);
	if (w->stopping && !undoes)
		broke("%s starts although the execution is stopping", pa->id);
	if (!w->stopping && undoes)
		broke("%s is a compensation and starts although nothing stops", pa->id);
	for (k = 0; k < pa->nprimaries; k++)
		called = called || w->a[pa->primaries[k]].waits_for_alternative;
	if (pa->standby && !called)
		broke("%s is a standby and nobody called for it", pa->id);
	for (k = 0; k < pa->ndeps && !undoes; k++) {
		const struct watched *d = &w->a[pa->deps[k]];

		if (!watched_settled(d) && !(d->waits_for_alternative && w->p->actions[pa->deps[k]].alternative == ev->action))
			broke("%s starts before %s is settled", pa->id, w->p->actions[pa->deps[k]].id);
	}
	if (pa->instance_of != NO_ACTION && !w->a[pa->instance_of].running)
		broke("%s starts although its forEach does not run", pa->id);
	a->attempt = ev->attempt;
	a->running = true;
	a->undoes = undoes;
	if (pa->for_each)
		watch_items(w, ev->action);
	else
		w->running++;
	if (w->p->max_concurrency && w->running > w->p->max_concurrency)
		broke("%u actions run at once", w->running);
}

static void watch_failed(struct watch *w, const struct event *ev)
{
	struct watched *a = &w->a[ev->action];
	const char *then = word(ev, "then");

	if (watched_settled(a))
		broke("%s is settled and fails", w->p->actions[ev->action].id);
	if (a->running && ev->attempt != a->attempt)
		broke("%s: attempt %u fails while %u runs", w->p->actions[ev->action].id, ev->attempt, a->attempt);
	watch_stop_running(w, ev->action);
	if (strcmp(then, "retry") == 0 || strcmp(then, "ask") == 0)
		return;
	a->failed = true;
	a->stood_in = strcmp(then, "fallback") == 0;
	if (strcmp(then, "abort") == 0 && !w->p->actions[ev->action].standby)
		w->stopping = true;
	if (strcmp(then, "alternative") == 0) {
		const struct watched *alt = &w->a[w->p->actions[ev->action].alternative];

		if (w->stopping)
			broke("%s calls for an alternative while stopping", w->p->actions[ev->action].id);
		a->waits_for_alternative = true;
		if (watched_settled(alt))
			release(w, w->p->actions[ev->action].alternative);
		return;
	}
	release(w, ev->action);
}

static void watch_event(struct watch *w, const struct event *ev)
{
	struct watched *a = ev->action == NO_ACTION ? NULL : &w->a[ev->action];
	const char *id = a ? w->p->actions[ev->action].id : "";
	json_t *m;

	if (loud)
		fprintf(stderr, "  %lld %s %s %u %s%s%s\n", (long long)ev->at, event_name(ev->type), id, ev->attempt, word(ev, "then"),
			word(ev, "decision"), word(ev, "reason"));
	if (w->over && ev->type != EV_EXECUTION_REOPENED)
		broke("%s after the end", event_name(ev->type));
	switch (ev->type) {
	case EV_ACTION_REQUESTED:
		watch_start(w, ev);
		break;
	case EV_ACTION_COMPLETED:
		if (!a->running || ev->attempt != a->attempt)
			broke("%s completes and does not run", id);
		watch_stop_running(w, ev->action);
		a->completed = true;
		release(w, ev->action);
		break;
	case EV_ACTION_FAILED:
		watch_failed(w, ev);
		break;
	case EV_ACTION_SKIPPED:
		if (a->completed || a->skipped)
			broke("%s is skipped after its end", id);
		watch_stop_running(w, ev->action);
		a->open = 0;
		a->skipped = true;
		a->failed = a->stood_in = a->waits_for_alternative = false;
		release(w, ev->action);
		break;
	case EV_ACTION_LOST:
		if (!a->running)
			broke("%s is lost and does not run", id);
		if (strcmp(word(ev, "then"), "fail") != 0)
			watch_stop_running(w, ev->action);
		break;
	case EV_ACTION_REARMED:
		if (a->running)
			broke("%s is armed again while it runs", id);
		a->completed = a->skipped = a->failed = a->stood_in = a->undoes = a->waits_for_alternative = false;
		a->open = 0;
		a->afresh = strcmp(word(ev, "reason"), "loop") == 0;
		a->iteration++;
		break;
	case EV_CONFIRMATION_REQUESTED:
		if (a->open || a->running || watched_settled(a))
			broke("%s: asked in vain", id);
		a->open = (uint32_t)json_integer_value(json_object_get(ev->data, "number"));
		a->confirms = strcmp(word(ev, "kind"), "confirm") == 0;
		if (a->open != ++a->asked)
			broke("%s: request %u follows %u", id, a->open, a->asked - 1);
		break;
	case EV_CONFIRMATION_RECEIVED:
		if (!a->open || a->open != json_integer_value(json_object_get(ev->data, "number")))
			broke("%s: a decision about no open request is obeyed", id);
		if (!json_is_false(json_object_get(ev->data, "final")))
			a->open = 0;
		/* About a failure it is the action.failed after it that says whether this stops anything. */
		if (strcmp(word(ev, "decision"), "reject") == 0 && a->confirms)
			w->stopping = true;
		break;
	case EV_CANCEL_REQUESTED:
		w->stopping = true;
		break;
	case EV_EXECUTION_PAUSED:
		w->paused = true;
		break;
	case EV_EXECUTION_RESUMED:
		w->paused = false;
		break;
	case EV_EXECUTION_REOPENED:
		if (!w->over)
			broke("reopened before the end");
		w->over = w->stopping = false;
		break;
	case EV_EXECUTION_COMPLETED:
	case EV_EXECUTION_FAILED:
	case EV_EXECUTION_CANCELLED: {
		json_int_t done = 0, failed = 0, skipped = 0;
		uint32_t k;

		for (k = 0; k < w->p->n; k++) {
			if (!watched_settled(&w->a[k]))
				broke("the end, and %s is open", w->p->actions[k].id);
			done += w->a[k].completed;
			failed += w->a[k].failed;
			skipped += w->a[k].skipped;
		}
		m = json_object_get(ev->data, "metrics");
		if (json_integer_value(json_object_get(m, "completedActions")) != done ||
		    json_integer_value(json_object_get(m, "failedActions")) != failed ||
		    json_integer_value(json_object_get(m, "skippedActions")) != skipped ||
		    json_integer_value(json_object_get(m, "totalActions")) != done + failed + skipped)
			broke("the metrics do not add up: %lld completed, %lld failed, %lld skipped", (long long)done,
			      (long long)failed, (long long)skipped);
		if (ev->type == EV_EXECUTION_COMPLETED && w->stopping)
			broke("completed although it was stopped");
		w->over = true;
		break;
	}
	default:
		break;
	}
}

/* ---- one walk ---- */

struct walk {
	struct admitted admitted;
	struct plan *p; /* of x: it grows with it */
	struct exec *x;
	struct events out; /* of this turn */
	struct turn t;
	struct watch w;
	VEC(char *) commits; /* as they stand in the journal */
	size_t events;
	uint32_t reopened;
};

static void checked(const struct exec *x, const char *when)
{
	struct err e = {0};

	if (exec_check(x, &e) < 0)
		broke("%s: %s", when, e.text);
}

static void end_turn(struct walk *k)
{
	struct commit c = {.seq = (uint32_t)k->commits.n + 1, .at = k->t.now, .events = k->out};
	struct buf text = BUF_INIT;
	size_t i;

	core_advance(k->x, &k->t);
	core_finish(k->x, &k->t);
	checked(k->x, "after a turn");
	c.events = k->out;
	for (i = 0; i < k->out.n; i++)
		watch_event(&k->w, &k->out.v[i]);
	k->events += k->out.n;
	if (k->out.n == 0)
		return;
	memset(c.prev, '0', sizeof c.prev - 1);
	memcpy(c.prev, "sha256:", 7);
	c.prev[sizeof c.prev - 1] = '\0';
	commit_encode(&text, k->p, &c);
	vec_push(&k->commits, buf_steal(&text));
	events_clear(&k->out);
}

static void start_some(struct walk *k, uint32_t most)
{
	while (most-- > 0 && core_next(k->x) != NO_ACTION &&
	       (!k->p->max_concurrency || k->x->count[PH_RUNNING] - k->x->waiting < k->p->max_concurrency)) {
		core_start(k->x, &k->t);
		checked(k->x, "after a start");
		core_advance(k->x, &k->t);
		checked(k->x, "after advancing");
	}
}

/* ---- reading the journal back ---- */

static int fold(void *x, const struct commit *c, const struct event *ev, struct err *e)
{
	(void)c;
	return ev ? exec_apply(x, ev, e) : 0;
}

/* A fresh execution of a fresh plan. */
static struct exec *replayed(struct walk *k, size_t commits)
{
	struct diags errors = DIAGS_INIT;
	struct plan *p = plan_load(k->admitted.canonical, &errors);
	struct exec *y = exec_new(p, k->x->id);
	struct err e = {0};
	size_t c;

	for (c = 0; c < commits; c++) {
		struct commit commit;

		if (commit_decode(k->commits.v[c], strlen(k->commits.v[c]), p, &commit, fold, y, &e) < 0)
			broke("commit %zu cannot be read back: %s\n%s", c + 1, e.text, k->commits.v[c]);
		events_free(&commit.events);
		checked(y, "in a replay");
	}
	return y;
}

static void put_away(struct exec *x)
{
	struct plan *p = x->plan;

	exec_free(x);
	plan_free(p);
}

static bool same_json(const json_t *a, const json_t *b)
{
	return (!a && !b) || json_equal(a, b);
}

#define SAME(field)                                                                                            \
	if (a->field != b->field)                                                                              \
		broke("after a replay %s has another " #field ": %lld, not %lld", id, (long long)b->field, (long long)a->field)

static void same_action(const struct action_state *a, const struct action_state *b, const char *id)
{
	SAME(phase);
	SAME(settled);
	SAME(stand_in);
	SAME(lost);
	SAME(called);
	SAME(approved);
	SAME(compensated);
	SAME(overtaken);
	SAME(first_instance);
	SAME(instances);
	SAME(instances_left);
	SAME(unreleased);
	SAME(afresh);
	SAME(deps_left);
	SAME(callers_left);
	SAME(attempt);
	SAME(budget_used);
	SAME(asked);
	SAME(iteration);
	SAME(order);
	SAME(first_started);
	SAME(started);
	SAME(ended);
	SAME(deadline);
	if (strcmp(a->token, b->token) != 0)
		broke("after a replay %s has another token", id);
	if (!same_json(a->record, b->record) || !same_json(a->inputs, b->inputs))
		broke("after a replay %s has another record", id);
}

static void same_request(const struct asked *a, const struct asked *b)
{
	const char *id = a->kind;

	SAME(action);
	SAME(number);
	SAME(requested);
	SAME(responded);
	SAME(deadline);
	SAME(confirmed);
	SAME(approvals);
	if (strcmp(a->kind, b->kind) != 0 || strcmp(a->user ? a->user : "", b->user ? b->user : "") != 0 ||
	    !same_json(a->approved_by, b->approved_by))
		broke("after a replay a request is another");
}

static void same_exec(struct exec *a, struct exec *b)
{
	const char *id = "the execution";
	uint32_t i;

	if (a->plan->n != b->plan->n)
		broke("after a replay there are %u actions, not %u", b->plan->n, a->plan->n);
	for (i = 0; i < a->plan->n; i++)
		same_action(&a->a[i], &b->a[i], a->plan->actions[i].id);
	for (i = 0; i < PH_COUNT; i++)
		SAME(count[i]);
	SAME(dormant);
	SAME(waiting);
	SAME(completed);
	SAME(started);
	SAME(paused);
	SAME(aborting);
	SAME(cancelling);
	SAME(terminate);
	SAME(expired);
	SAME(outcome_failed);
	SAME(cause);
	SAME(compensating);
	SAME(outcome);
	SAME(accepted_at);
	SAME(started_at);
	SAME(timed_from);
	SAME(ended_at);
	SAME(asked.n);
	if (!same_json(a->error, b->error))
		broke("after a replay the error is another");
	for (i = 0; i < a->asked.n; i++)
		same_request(&a->asked.v[i], &b->asked.v[i]);
	if (core_next(a) != core_next(b))
		broke("after a replay another action is next");
	if (core_deadline(a) != core_deadline(b))
		broke("after a replay the deadline is another: %lld, not %lld", (long long)core_deadline(b), (long long)core_deadline(a));
}

/* What the journal does not hold is derived; deriving it decides nothing new. */
static void derive(struct walk *k, struct exec *y)
{
	struct events out = EVENTS_INIT;
	struct turn t = k->t;

	t.out = &out;
	core_timers(y, &t);
	core_advance(y, &t);
	core_finish(y, &t);
	if (out.n > 0)
		broke("after a replay the core decides something new: %s %s", event_name(out.v[0].type),
		      out.v[0].action == NO_ACTION ? "" : k->p->actions[out.v[0].action].id);
	events_free(&out);
}

/* At the end of a turn: the daemon dies and another one takes over. */
static void restart(struct walk *k)
{
	struct exec *y = replayed(k, k->commits.n);

	derive(k, y);
	same_exec(k->x, y);
	put_away(k->x);
	k->x = y;
	k->p = y->plan;
	k->w.p = y->plan;
}

/* A copy that was made earlier goes on from there, on its own. */
static void any_prefix_goes_on(struct walk *k)
{
	struct exec *y = replayed(k, below((uint32_t)k->commits.n + 1));
	struct events out = EVENTS_INIT;
	struct turn t = k->t;

	t.out = &out;
	core_timers(y, &t);
	core_advance(y, &t);
	checked(y, "after advancing a prefix");
	while (core_next(y) != NO_ACTION) {
		core_start(y, &t);
		core_advance(y, &t);
	}
	core_finish(y, &t);
	checked(y, "after going on from a prefix");
	events_free(&out);
	put_away(y);
}

/* ---- steps ---- */

/* A random action in this phase, or NO_ACTION. */
static uint32_t any_in(const struct walk *k, enum phase p)
{
	uint32_t i, nth, n = k->x->count[p] - (p == PH_RUNNING ? k->x->waiting : 0);

	if (n == 0)
		return NO_ACTION;
	nth = below(n);
	for (i = 0; i < k->p->n; i++)
		if (k->x->a[i].phase == (uint8_t)p && !(p == PH_RUNNING && k->p->actions[i].no_supervisor) && nth-- == 0)
			return i;
	return NO_ACTION;
}

static void random_result(struct walk *k, uint32_t i, uint32_t good)
{
	struct attempt_result r = {.outcome = ATTEMPT_EXITED, .started = k->t.now - 50, .finished = k->t.now};
	int n = (int)below(10), flag = (int)below(2);
	json_t *output = chance(80) ? json_pack("{s:i, s:b}", "n", n, "flag", flag) : NULL;
	json_t *error = NULL;

	r.output = output;
	if (core_must_end(k->x, i))
		r.outcome = chance(20) ? ATTEMPT_WITHDRAWN : ATTEMPT_TERMINATED;
	else if (!chance(good))
		switch (below(7)) {
		case 0:
			r.outcome = ATTEMPT_SIGNALLED;
			r.status = 9;
			break;
		case 1:
			r.outcome = ATTEMPT_TIMEOUT;
			break;
		case 2:
			r.outcome = ATTEMPT_NOT_EXECUTABLE;
			break;
		case 3:
			r.outcome = ATTEMPT_FAILED;
			break;
		case 4:
			r.status = 75;
			break;
		case 5:
			error = json_pack("{s:s, s:s, s:b}", "category", "network_timeout", "message", "m", "retryable", (int)below(2));
			r.status = 1;
			break;
		default:
			r.status = 1;
			break;
		}
	r.error = error;
	core_result(k->x, &k->t, i, &r);
	json_decref(output);
	json_decref(error);
}

static void random_request(struct walk *k, bool decision, const char *verb, uint32_t i)
{
	static const char *const users[] = {"ana", "raj", "kim"};
	struct request r = {.verb = verb, .action = i, .user = users[below(3)], .changed = k->t.now};
	json_t *by = json_pack("{s:i, s:s}", "uid", 7, "user", r.user);
	json_t *inputs = chance(20) && i != NO_ACTION ? json_pack("{s:[s]}", "args", "changed") : NULL;
	size_t before = k->out.n;
	struct err e = {0};
	int done;

	r.by = by;
	r.inputs = inputs;
	r.reason = chance(30) ? "so" : NULL;
	done = decision ? core_decision(k->x, &k->t, &r, &e) : core_control(k->x, &k->t, &r, &e);
	if (loud)
		fprintf(stderr, "  %s %s: %s\n", verb, i == NO_ACTION ? "" : k->p->actions[i].id, done == 0 ? "ok" : e.text);
	if (done < 0 && k->out.n != before)
		broke("\"%s\" was refused and did something", verb);
	if (done < 0 && !e.text[0])
		broke("\"%s\" was refused without a word", verb);
	json_decref(by);
	json_decref(inputs);
}

static void random_order(struct walk *k)
{
	static const char *const verbs[] = {"pause", "resume", "resume", "retry", "retry", "skip", "cancel"};
	const char *verb = verbs[below(chance(4) ? 7 : 6)];

	random_request(k, false, verb, strcmp(verb, "retry") == 0 || strcmp(verb, "skip") == 0 ? below(k->p->n) : NO_ACTION);
}

static void random_decision(struct walk *k)
{
	static const char *const verbs[] = {"approve", "approve", "approve", "retry", "skip", "reject"};
	uint32_t i = chance(50) ? any_in(k, PH_CONFIRM) : any_in(k, PH_ASKING);

	if (i == NO_ACTION || chance(5))
		i = below(k->p->n);
	random_request(k, true, verbs[below(chance(30) ? 6 : 5)], i);
}

static void pass_time(struct walk *k)
{
	msec at = core_deadline(k->x);

	if (at > k->t.now && chance(50))
		k->t.now = at;
	else
		k->t.now += below(chance(5) ? 10000 : 300);
}

static void step(struct walk *k)
{
	uint32_t inputs = 1 + below(3), running;

	k->t.random = below(UINT32_MAX);
	while (inputs-- > 0) {
		uint32_t what = k->x->outcome == OUTCOME_NONE ? below(100) : 80 + below(20);

		running = any_in(k, PH_RUNNING);
		if (what < 60 && running != NO_ACTION)
			random_result(k, running, 65);
		else if (what < 64 && running != NO_ACTION)
			core_lost(k->x, &k->t, running, "gone");
		else if (what < 67 && running != NO_ACTION)
			core_adopted(k->x, &k->t, running);
		else if (what < 80)
			random_decision(k);
		else if (what < 86)
			random_order(k);
		else
			pass_time(k);
		checked(k->x, "after an input");
	}
	core_timers(k->x, &k->t);
	checked(k->x, "after timers");
	core_advance(k->x, &k->t);
	checked(k->x, "after advancing");
	start_some(k, below(4));
	end_turn(k);
	if (chance(3))
		restart(k);
	if (chance(3))
		any_prefix_goes_on(k);
}

/* Answer everything: it must end. */
static void feed(struct walk *k)
{
	uint32_t turns, i, bound = 200 + 100 * k->p->n;

	for (turns = 0; k->x->outcome == OUTCOME_NONE; turns++) {
		msec at = core_deadline(k->x);

		if (turns == bound)
			for (i = 0; i < k->p->n; i++)
				if (!k->x->a[i].settled)
					fprintf(stderr, "%s is %s\n", k->p->actions[i].id, phase_name(k->x->a[i].phase));
		if (turns == bound)
			broke("it does not end: %u open, %u blocked, %u ready, %u running, %u stand-in", exec_open(k->x),
			      k->x->count[PH_BLOCKED], k->x->count[PH_READY], k->x->count[PH_RUNNING], k->x->count[PH_STANDIN]);
		k->t.random++;
		if (k->x->paused)
			random_request(k, false, "resume", NO_ACTION);
		i = any_in(k, PH_RUNNING);
		if (i != NO_ACTION)
			random_result(k, i, 90);
		i = any_in(k, PH_CONFIRM);
		if (i != NO_ACTION)
			random_request(k, true, "approve", i);
		i = any_in(k, PH_ASKING);
		if (i != NO_ACTION)
			random_request(k, true, chance(50) ? "skip" : "reject", i);
		if (k->x->count[PH_RUNNING] == k->x->waiting && at > k->t.now)
			k->t.now = at;
		core_timers(k->x, &k->t);
		core_advance(k->x, &k->t);
		start_some(k, UINT32_MAX);
		end_turn(k);
	}
}

static void begin(struct walk *k)
{
	char id[UUID_TEXT] = "01890000-0000-7000-8000-000000000001";

	memset(k, 0, sizeof *k);
	k->p = draw_plan(&k->admitted);
	k->admitted.plan = NULL; /* it goes with the execution, which may be put away before */
	k->w.p = k->p;
	k->x = exec_new(k->p, id);
	k->t = (struct turn){.now = NOON, .random = walk_seed, .out = &k->out};
	core_begin(k->x, &k->t, json_object());
	core_advance(k->x, &k->t);
	start_some(k, UINT32_MAX);
	end_turn(k);
}

static void finish(struct walk *k)
{
	size_t c;

	restart(k);
	put_away(k->x);
	for (c = 0; c < k->commits.n; c++)
		free(k->commits.v[c]);
	vec_free(&k->commits);
	events_free(&k->out);
	admitted_free(&k->admitted);
}

struct totals {
	uint64_t steps, walks, events, completed, failed, cancelled;
};

static void walk(uint64_t seed, struct totals *sum)
{
	uint32_t steps = 1 + below(STEPS_A_WALK), n;
	struct walk k;

	walk_seed = dice = seed;
	steps = 1 + below(STEPS_A_WALK);
	begin(&k);
	for (n = 0; n < steps; n++) {
		if (k.x->outcome != OUTCOME_NONE && k.reopened++ == 12)
			break;
		step(&k);
	}
	feed(&k);
	sum->steps += n;
	sum->walks++;
	sum->events += k.events;
	sum->completed += k.x->outcome == OUTCOME_COMPLETED;
	sum->failed += k.x->outcome == OUTCOME_FAILED;
	sum->cancelled += k.x->outcome == OUTCOME_CANCELLED;
	finish(&k);
}

static void walks_keep_every_invariant(void **state)
{
	const char *replay = getenv("CREEL_SEED"), *length = getenv("CREEL_STEPS");
	uint64_t seed = replay ? strtoull(replay, NULL, 10) : 1, want = length ? strtoull(length, NULL, 10) : 120000;
	struct totals sum = {0};

	(void)state;
	loud = replay != NULL;
	signal(SIGABRT, on_abort);
	do {
		walk(seed++, &sum);
	} while (!replay && sum.steps < want);
	print_message("%llu walks, %llu steps, %llu events; %llu completed, %llu failed, %llu cancelled\n",
		      (unsigned long long)sum.walks, (unsigned long long)sum.steps, (unsigned long long)sum.events,
		      (unsigned long long)sum.completed, (unsigned long long)sum.failed, (unsigned long long)sum.cancelled);
	if (!replay)
		assert_true(sum.completed > sum.walks / 50 && sum.failed > sum.walks / 50 && sum.cancelled > sum.walks / 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(walks_keep_every_invariant),
	};

	return cmocka_run_group_tests_name("walks", tests, NULL, NULL);
}
