/*
 * The journal's files: every line of the input is a commit of one execution.
 *
 * What was decoded and is encoded again is decoded as the same.  Whatever the fold takes: where the invariants hold after
 * it, as they must for an execution to be loaded, the core can go on from there.
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/mem.h"
#include "codec/commit.h"
#include "core/decide.h"
#include "store/admit.h"
#include "store/state_file.h"
#include "tests/fuzz/fuzz.h"

static const char id[] = "01890000-0000-7000-8000-000000000001";

/* One action of each kind that events can be about. */
static const char plan_text[] =
	"name: n\n"
	"timeoutMs: 100000\n"
	"actions:\n"
	"- {id: a, actionDefinitionId: command, inputs: {command: x},"
	" retryPolicy: {maxAttempts: 3, initialDelay: 1000, maxDelay: 1000, backoffMultiplier: 1, retryableErrors: [api_unexpected_status], jitter: true}}\n"
	"- {id: b, actionDefinitionId: command, inputs: {command: x}, dependencies: [a],"
	" errorHandling: {continueOnFailure: false, alternativeActionId: alt}}\n"
	"- {id: alt, actionDefinitionId: command, inputs: {command: x}}\n"
	"- {id: c, actionDefinitionId: command, inputs: {command: x}, dependencies: [a], onLost: ask,"
	" userConfirmation: {required: true, title: t, message: m, timeout: 1000}}\n"
	"- {id: each, actionDefinitionId: command, inputs: {command: x}, dependencies: [c], forEach: [1, 2]}\n"
	"- {id: d, actionDefinitionId: command, inputs: {command: x}, dependencies: [b, each],"
	" errorHandling: {continueOnFailure: false, fallbackValue: {v: 1}}}\n";

static struct plan *load(void)
{
	struct diags errors = DIAGS_INIT;
	struct admitted a;

	MUST(admit_plan("t.yaml", plan_text, strlen(plan_text), NULL, 1767323045, &a, &errors), "%d:%d: %s",
	     errors.v[0].line, errors.v[0].column, errors.v[0].message);
	json_decref(a.canonical);
	return a.plan;
}

static int fold(void *x, const struct commit *c, const struct event *ev, struct err *e)
{
	(void)c;
	if (!ev)
		return 0;
	if (exec_apply(x, ev, e) < 0) {
		MUST(e->text[0], "a refusal without a reason");
		return -1;
	}
	return 0;
}

static void check_encoding(const struct plan *p, const struct commit *c)
{
	AUTO_BUF struct buf once = BUF_INIT, twice = BUF_INIT, lines = BUF_INIT;
	struct commit again;
	struct err e = {0};

	commit_encode(&once, p, c);
	MUST(commit_decode(once.p, once.len, p, &again, NULL, NULL, &e) == 0, "%s: %s", e.text, once.p);
	MUST(again.seq == c->seq && again.events.n == c->events.n && strcmp(again.prev, c->prev) == 0, "another commit");
	commit_encode(&twice, p, &again);
	MUST(strcmp(once.p, twice.p) == 0, "it is encoded in another way:\n%s%s", once.p, twice.p);
	commit_event_lines(&lines, p, id, c);
	events_free(&again.events);
}

static void check_state(const struct exec *x)
{
	AUTO_BUF struct buf state = BUF_INIT;
	struct state_marks marks = {1, 1};
	json_t *o;

	state_encode_at(&state, -1, x, &marks);
	o = json_loadb(state.p, state.len, 0, NULL);
	MUST(o, "state.json is not JSON");
	json_decref(o);
}

/* Two turns of a daemon: everything that runs ends well, and everything that may start does. */
static void go_on(struct exec *x)
{
	struct events out = EVENTS_INIT;
	struct turn t = {.now = 1767323045000, .random = 3, .out = &out};
	struct attempt_result good = {.outcome = ATTEMPT_EXITED, .started = t.now, .finished = t.now};
	struct err e = {0};
	uint32_t i, turns;

	for (turns = 0; turns < 2; turns++) {
		for (i = 0; i < x->plan->n && x->outcome == OUTCOME_NONE; i++)
			if (x->a[i].phase == PH_RUNNING && !x->plan->actions[i].no_supervisor)
				core_result(x, &t, i, &good);
		core_timers(x, &t);
		core_advance(x, &t);
		while (core_next(x) != NO_ACTION && out.n < 1000) {
			core_start(x, &t);
			core_advance(x, &t);
		}
		core_finish(x, &t);
		MUST(exec_check(x, &e) == 0, "%s", e.text);
		check_state(x);
	}
	events_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct plan *p = load();
	struct exec *x = exec_new(p, id);
	const char *at = (const char *)data, *end = at + size;
	struct err e = {0};

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((newline ? newline : end) - at);
		struct commit c;

		if (commit_decode(at, n, p, &c, fold, x, &e) < 0) {
			MUST(e.code && e.text[0], "a refusal without a reason");
			break;
		}
		check_encoding(p, &c);
		events_free(&c.events);
		if (exec_check(x, &e) < 0)
			break;
		at += n + 1;
	}
	if (at >= end && size > 0) {
		check_state(x);
		go_on(x);
	}
	exec_free(x);
	plan_free(p);
	return 0;
}
