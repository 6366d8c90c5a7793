/*
 * Any plan, run by the core with what the second part of the input says happens: attempts end in every way, people
 * decide and order, time passes, the daemon starts anew.
 *
 * After every step the invariants of the execution hold, and the journal read back gives the same state.json, byte for
 * byte, as the execution that wrote it.
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/mem.h"
#include "codec/commit.h"
#include "codec/definitions.h"
#include "codec/plan_load.h"
#include "core/decide.h"
#include "store/admit.h"
#include "store/state_file.h"
#include "tests/fuzz/fuzz.h"

enum { NOW = 1767323045, STEPS = 60, ACTIONS = 60, STARTS = 40 };

static const char id[] = "01890000-0000-7000-8000-000000000001";

struct run {
	json_t *canonical;
	struct plan *plan;
	struct exec *x;
	struct events out;
	struct turn t;
	VEC(char *) commits;
	char prev[SHA256_TAGGED];
};

static void check(const struct run *r, const char *when)
{
	struct err e = {0};

	MUST(exec_check(r->x, &e) == 0, "%s: %s", when, e.text);
}

/* ---- the journal ---- */

static void commit(struct run *r)
{
	struct commit c = {.seq = (uint32_t)r->commits.n + 1, .at = r->t.now, .events = r->out};
	struct buf text = BUF_INIT;

	if (r->out.n == 0)
		return;
	strcpy(c.prev, r->prev);
	commit_encode(&text, r->plan, &c);
	sha256_tagged(text.p, text.len, r->prev);
	vec_push(&r->commits, buf_steal(&text));
	events_clear(&r->out);
}

static int fold(void *x, const struct commit *c, const struct event *ev, struct err *e)
{
	(void)c;
	return ev ? exec_apply(x, ev, e) : 0;
}

static struct exec *replayed(const struct run *r, struct plan **plan)
{
	struct diags errors = DIAGS_INIT;
	struct exec *y;
	size_t k;

	*plan = plan_load(r->canonical, &errors);
	MUST(*plan && errors.n == 0, "the plan does not load again");
	y = exec_new(*plan, id);
	for (k = 0; k < r->commits.n; k++) {
		struct commit c;
		struct err e = {0};

		MUST(commit_decode(r->commits.v[k], strlen(r->commits.v[k]), *plan, &c, fold, y, &e) == 0,
		     "commit %zu cannot be read back: %s\n%s", k + 1, e.text, r->commits.v[k]);
		events_free(&c.events);
	}
	return y;
}

static char *state_of(const struct exec *x)
{
	struct state_marks marks = {7, 3};
	struct buf b = BUF_INIT;

	state_encode_at(&b, -1, x, &marks);
	return buf_steal(&b);
}

/* What the journal does not hold is derived, and nothing new is decided by it. */
static void derive(const struct run *r, struct exec *y)
{
	struct events out = EVENTS_INIT;
	struct turn t = r->t;

	t.out = &out;
	core_timers(y, &t);
	core_advance(y, &t);
	core_finish(y, &t);
	MUST(out.n == 0, "after a restart the core decides something new: %s", event_name(out.v[0].type));
	events_free(&out);
}

/* The daemon starts anew: the state is what the journal says. */
static void restart(struct run *r)
{
	struct plan *plan;
	struct exec *y = replayed(r, &plan);
	AUTO_FREE char *was = NULL, *is = NULL;
	json_t *parsed;

	derive(r, y);
	was = state_of(r->x);
	is = state_of(y);
	parsed = json_loads(is, 0, NULL);
	MUST(strcmp(was, is) == 0, "the journal gives another state:\n%s\n%s", was, is);
	MUST(parsed, "state.json is not JSON: %s", is);
	json_decref(parsed);
	exec_free(r->x);
	plan_free(r->plan);
	r->plan = plan;
	r->x = y;
	check(r, "after a restart");
}

/* ---- what happens ---- */

static uint32_t pick(const struct run *r, enum phase p, unsigned nth)
{
	uint32_t i, n = 0, found = NO_ACTION;

	for (i = 0; i < r->plan->n; i++)
		n += r->x->a[i].phase == (uint8_t)p && !(p == PH_RUNNING && r->plan->actions[i].no_supervisor);
	if (n == 0)
		return NO_ACTION;
	nth %= n;
	for (i = 0; i < r->plan->n && found == NO_ACTION; i++)
		if (r->x->a[i].phase == (uint8_t)p && !(p == PH_RUNNING && r->plan->actions[i].no_supervisor) && nth-- == 0)
			found = i;
	return found;
}

static void end_attempt(struct run *r, unsigned how, unsigned which)
{
	struct attempt_result result = {.outcome = ATTEMPT_EXITED, .started = r->t.now - 5, .finished = r->t.now};
	uint32_t i = pick(r, PH_RUNNING, which);

	if (i == NO_ACTION)
		return;
	switch (how) {
	case 0:
	case 1:
		result.output = json_pack("{s:i, s:s, s:[s,i,{s:b}]}", "n", (int)which, "text", "yes", "list", "one", 2, "x", 1);
		break;
	case 2:
		result.status = 1;
		break;
	case 3:
		result.status = 75;
		break;
	case 4:
		result.outcome = (enum attempt_outcome[]){ATTEMPT_SIGNALLED, ATTEMPT_TIMEOUT, ATTEMPT_TERMINATED,
							  ATTEMPT_NOT_EXECUTABLE, ATTEMPT_FAILED}[which % 5];
		result.status = 9;
		result.reason = "so";
		break;
	default:
		result.status = 1;
		result.error = json_pack("{s:s, s:s, s:b}", "category", which % 2 ? "network_timeout" : "api_rate_limit",
					 "message", "m", "retryable", (int)(which % 3));
		break;
	}
	core_result(r->x, &r->t, i, &result);
	json_decref(result.output);
	json_decref(result.error);
}

static void ask(struct run *r, bool decision, const char *verb, uint32_t action, bool change)
{
	json_t *by = json_pack("{s:i, s:s}", "uid", 7, "user", "ana");
	json_t *inputs = change && action != NO_ACTION ? json_pack("{s:[s]}", "args", "changed") : NULL;
	struct request q = {.verb = verb, .action = action, .user = "ana", .by = by, .inputs = inputs, .changed = r->t.now};
	size_t before = r->out.n;
	struct err e = {0};
	int done = decision ? core_decision(r->x, &r->t, &q, &e) : core_control(r->x, &r->t, &q, &e);

	MUST(done == 0 || (r->out.n == before && e.text[0]), "\"%s\" was refused and did something, or without a word", verb);
	json_decref(by);
	json_decref(inputs);
}

static void happen(struct run *r, unsigned what, unsigned which)
{
	static const char *const decisions[] = {"approve", "reject", "retry", "skip"};
	static const char *const orders[] = {"pause", "resume", "cancel", "retry", "skip", "retry", "resume"};
	uint32_t i;
	msec at;

	switch (what) {
	case 6:
		if ((i = pick(r, PH_RUNNING, which)) != NO_ACTION)
			core_lost(r->x, &r->t, i, "gone");
		break;
	case 7:
		if ((i = pick(r, PH_RUNNING, which)) != NO_ACTION)
			core_adopted(r->x, &r->t, i);
		break;
	case 8:
	case 9:
		i = pick(r, what == 8 ? PH_CONFIRM : PH_ASKING, which / 4);
		if (i == NO_ACTION)
			i = which % r->plan->n;
		ask(r, true, decisions[which % 4], i, which % 5 == 4);
		break;
	case 10:
	case 11:
		ask(r, false, orders[which % 7], which % 7 == 3 || which % 7 == 4 || which % 7 == 5 ? which / 7 % r->plan->n
												   : NO_ACTION, false);
		break;
	case 12:
	case 13:
		at = core_deadline(r->x);
		r->t.now = at > r->t.now ? at : r->t.now + 100;
		break;
	case 14:
		restart(r);
		break;
	default:
		end_attempt(r, what, which);
		break;
	}
}

/* What the daemon does in a turn, limits aside. */
static void turn(struct run *r)
{
	unsigned started = 0;

	core_timers(r->x, &r->t);
	core_advance(r->x, &r->t);
	check(r, "after advancing");
	while (r->plan->n <= ACTIONS && started++ < STARTS && core_next(r->x) != NO_ACTION &&
	       (!r->plan->max_concurrency || r->x->count[PH_RUNNING] - r->x->waiting < r->plan->max_concurrency)) {
		core_start(r->x, &r->t);
		core_advance(r->x, &r->t);
	}
	core_finish(r->x, &r->t);
	check(r, "after a turn");
	commit(r);
}

static void child(void *ctx, const struct exec *x, uint32_t action, const json_t *inputs, char out[UUID_TEXT])
{
	(void)ctx;
	(void)x;
	(void)inputs;
	snprintf(out, UUID_TEXT, "01890000-0000-7000-8000-%012x", action + 2);
}

static void run(struct run *r, const uint8_t *script, size_t n)
{
	size_t k;

	r->x = exec_new(r->plan, id);
	r->t = (struct turn){.now = NOW, .random = 5, .out = &r->out, .check_inputs = definition_check_inputs, .child = child};
	memset(r->prev, '0', sizeof r->prev - 1);
	memcpy(r->prev, "sha256:", 7);
	core_begin(r->x, &r->t, json_pack("{s:s}", "name", "n"));
	turn(r);
	for (k = 0; k < n && k < STEPS; k++) {
		happen(r, script[k] & 15, script[k] >> 4);
		turn(r);
	}
	restart(r);
	exec_free(r->x);
	for (k = 0; k < r->commits.n; k++)
		free(r->commits.v[k]);
	vec_free(&r->commits);
	events_free(&r->out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = "", *script = "";
	struct diags errors = DIAGS_INIT;
	size_t at = 0, n = 0, script_n = 0;
	struct run r = {0};
	struct admitted a;

	if (!fuzz_part(data, size, &at, &text, &n))
		return 0;
	if (at <= size) {
		script = (const char *)data + at;
		script_n = size - at;
	}
	if (admit_plan("t.yaml", text, n, NULL, NOW, &a, &errors)) {
		r.canonical = a.canonical;
		r.plan = a.plan;
		if (r.plan->n > 0 && r.plan->n <= ACTIONS)
			run(&r, (const uint8_t *)script, script_n);
		plan_free(r.plan);
		json_decref(r.canonical);
	}
	diags_free(&errors);
	return 0;
}
