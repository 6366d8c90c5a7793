/*
 * "What a failure does", design section 4, row by row: ORCH-009, ORCH-010, ORCH-011, ORCH-014, EDGE-3, STEP-FAIL,
 * S0-ERR; and retries: budget, backoff, jitter, exit 75, retryAfter, timeouts.
 */
#include "scene.h"

/* a fails; b depends on it; r runs beside it and s depends on r; v is there for rows that name an alternative. */
#define ROW(policy) A("a", policy) A("b", "dependencies: [a]") A("r", "") A("s", "dependencies: [r]")

struct row {
	const char *name, *plan, *want, *then;
};

static const struct row rows[] = {
    {"abort, drain", PLAN("", ROW("")), "a=failed b=skipped r=completed s=skipped : failed", "abort"},
    {"abort named", PLAN("onAbort: drain\n", ROW("onFailure: abort")),
     "a=failed b=skipped r=completed s=skipped : failed", "abort"},
    {"abort, critical", PLAN("", ROW("critical: true")), "a=failed b=skipped r=completed s=skipped : failed", "abort"},
    {"skip_dependents", PLAN("", ROW("onFailure: skip_dependents")),
     "a=failed b=skipped r=completed s=completed : failed", "skip_dependents"},
    {"continue", PLAN("", ROW("onFailure: continue")), "a=failed b=completed r=completed s=completed : completed",
     "continue"},
    {"continueOnFailure", PLAN("", ROW("errorHandling: {continueOnFailure: true}")),
     "a=failed b=completed r=completed s=completed : completed", "continue"},
    {"continue, critical", PLAN("", ROW("onFailure: continue, critical: true")),
     "a=failed b=completed r=completed s=completed : failed", "continue"},
    {"fallback", PLAN("", ROW("errorHandling: {continueOnFailure: false, fallbackValue: {v: '1'}}")),
     "a=failed b=completed r=completed s=completed : completed", "fallback"},
    {"fallback, critical", PLAN("", ROW("critical: true, errorHandling: {continueOnFailure: false, fallbackValue: {v: '1'}}")),
     "a=failed b=completed r=completed s=completed : completed", "fallback"},
    {"fallback before continue", PLAN("", ROW("onFailure: continue, errorHandling: {continueOnFailure: true, fallbackValue: {v: '1'}}")),
     "a=failed b=completed r=completed s=completed : completed", "fallback"},
    {"fallback before skip_dependents", PLAN("", ROW("onFailure: skip_dependents, errorHandling: {continueOnFailure: false, fallbackValue: {v: '1'}}")),
     "a=failed b=completed r=completed s=completed : completed", "fallback"},
};

/* Every way to fail, with the S0 category and code that it is recorded under. */
static const struct {
	struct attempt_result r;
	const char *category, *code;
} ways[] = {
    {{.outcome = ATTEMPT_EXITED, .status = 3}, "api_unexpected_status", "exit:3"},
    {{.outcome = ATTEMPT_EXITED, .status = 127}, "api_unexpected_status", "exit:127"},
    {{.outcome = ATTEMPT_SIGNALLED, .status = 9}, "api_unexpected_status", "signal:9"},
    {{.outcome = ATTEMPT_TIMEOUT}, "network_timeout", "timeout"},
    {{.outcome = ATTEMPT_TERMINATED}, "user_cancelled", "cancelled"},
    {{.outcome = ATTEMPT_NOT_EXECUTABLE}, "validation_failed", "not_executable"},
    {{.outcome = ATTEMPT_FAILED, .reason = "no pipe"}, "state_inconsistent", "supervisor"},
};

static void finish_all(struct scene *s)
{
	uint32_t i;

	for (i = 0; i < s->p->n; i++)
		if (s->x->a[i].phase == PH_RUNNING)
			exits(s, s->p->actions[i].id, 0);
}

static void each_policy_for_each_way_to_fail(void **state)
{
	size_t k, w;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++)
		for (w = 0; w < sizeof ways / sizeof *ways; w++) {
			struct scene s;

			scene_open(&s, rows[k].plan);
			ends(&s, "a", ways[w].r);
			expect_said(&s, EV_ACTION_FAILED, "a", "then", rows[k].then);
			expect_said(&s, EV_ACTION_FAILED, "a", "error.category", ways[w].category);
			expect_said(&s, EV_ACTION_FAILED, "a", "error.code", ways[w].code);
			finish_all(&s);
			finish_all(&s);
			if (strcmp(seen(&s), rows[k].want) != 0)
				fail_msg("%s, %s: %s", rows[k].name, ways[w].code, s.text);
			scene_close(&s);
		}
}

/* The same failures before the start: a condition that asks to fail, inputs that cannot be made. */
static void failing_before_the_start_obeys_the_policy(void **state)
{
	static const struct {
		const char *policy, *want;
	} cases[] = {
	    {"onFailure: abort", "z=completed a=failed b=skipped : failed"},
	    {"onFailure: skip_dependents", "z=completed a=failed b=skipped : failed"},
	    {"onFailure: continue", "z=completed a=failed b=completed : completed"},
	    {"onFailure: continue, critical: true", "z=completed a=failed b=completed : failed"},
	    {"errorHandling: {continueOnFailure: false, fallbackValue: {v: '1'}}", "z=completed a=failed b=completed : completed"},
	};
	static const char *const before[] = {
	    "inputs: {command: x}, condition: {if: '${z.output.no}', then: execute, else: fail}",
	    "inputs: {command: x, args: ['${z.output.missing}']}",
	    ("inputs: {command: x}, when: z.output.word, retryPolicy: {maxAttempts: 3, initialDelay: 0, maxDelay: 0, "
	    "backoffMultiplier: 1, retryableErrors: [validation_failed], jitter: false}"),
	    "inputs: {command: x}, when: z.output.word",
	};
	size_t k, w;

	(void)state;
	for (k = 0; k < sizeof cases / sizeof *cases; k++)
		for (w = 0; w < sizeof before / sizeof *before; w++) {
			AUTO_BUF struct buf plan = BUF_INIT;
			struct scene s;

			buf_printf(&plan, "name: t\nactions:\n%s- {id: a, actionDefinitionId: command, dependencies: [z], %s, %s}\n%s",
				   A("z", ""), before[w], cases[k].policy, A("b", "dependencies: [a]"));
			scene_open(&s, buf_str(&plan));
			gives(&s, "z", "{\"no\": false, \"word\": \"maybe\"}");
			expect_said(&s, EV_ACTION_FAILED, "a", "error.category", "validation_failed");
			assert_int_equal(state_of(&s, "a")->attempt, 0);
			finish_all(&s);
			if (strcmp(seen(&s), cases[k].want) != 0)
				fail_msg("%s, %s: %s", cases[k].policy, before[w], s.text);
			scene_close(&s);
		}
}

/* ORCH-009: what runs when something aborts is let finish, or ended. */
static void on_abort_drains_or_terminates(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("onAbort: drain\n", ROW("")));
	exits(&s, "a", 1);
	assert_false(core_must_end(s.x, at(&s, "r")));
	exits(&s, "r", 0);
	expect_seen(&s, "a=failed b=skipped r=completed s=skipped : failed");
	expect_said(&s, EV_EXECUTION_FAILED, NULL, "error.code", "exit:1");
	scene_close(&s);

	scene_open(&s, PLAN("onAbort: terminate\n", ROW("")));
	exits(&s, "a", 1);
	assert_true(core_must_end(s.x, at(&s, "r")));
	ends(&s, "r", (struct attempt_result){.outcome = ATTEMPT_TERMINATED});
	expect_seen(&s, "a=failed b=skipped r=failed s=skipped : failed");
	expect_said(&s, EV_ACTION_FAILED, "r", "then", "stop");
	expect_said(&s, EV_EXECUTION_FAILED, NULL, "error.code", "exit:1");
	scene_close(&s);
}

/* The reason of a skip names the cause, and the chain leads back to it. */
static void skips_name_their_cause(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", "onFailure: skip_dependents") A("b", "dependencies: [a]") A("c", "dependencies: [b]")));
	exits(&s, "a", 1);
	expect_said(&s, EV_ACTION_SKIPPED, "b", "cause", "a");
	expect_said(&s, EV_ACTION_SKIPPED, "b", "reason", "dependency \"a\" failed");
	expect_said(&s, EV_ACTION_SKIPPED, "c", "cause", "b");
	expect_said(&s, EV_ACTION_SKIPPED, "c", "reason", "dependency \"b\" was skipped");
	scene_close(&s);
	scene_open(&s, PLAN("", ROW("")));
	exits(&s, "a", 1);
	expect_said(&s, EV_ACTION_SKIPPED, "s", "reason", "\"a\" failed and its policy is to abort");
	scene_close(&s);
}

/* EDGE-3: two of three fail, each by its own policy; the third's result is kept. */
static void partial_batch_failure(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", "onFailure: continue") A("b", "onFailure: skip_dependents") A("c", "")
				A("d", "dependencies: [a]") A("e", "dependencies: [b]")
				D("f", "inputs: {command: x, args: ['${c.output.v}']}, dependencies: [c]")));
	exits(&s, "a", 1);
	exits(&s, "b", 2);
	gives(&s, "c", "{\"v\": \"kept\"}");
	expect_seen(&s, "a=failed b=failed c=completed d=running e=skipped f=running : running");
	assert_string_equal(started_with(&s, "f"), "{\"args\":[\"kept\"],\"command\":\"x\"}");
	exits(&s, "d", 0);
	exits(&s, "f", 0);
	expect_seen(&s, "a=failed b=failed c=completed d=completed e=skipped f=completed : failed");
	scene_close(&s);
}

/* ---- fallback and alternatives ---- */

/* References see what stands in, typed. */
static void fallback_stands_in_for_the_outputs(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", "errorHandling: {continueOnFailure: false, fallbackValue: {v: plain, n: 7}}")
				D("b", "inputs: {command: x, args: ['${a.output.v}', '${a.output.n}']}, dependencies: [a], "
				       "when: a.output.n == 7 and a.status == 'failed'")));
	exits(&s, "a", 1);
	assert_string_equal(started_with(&s, "b"), "{\"args\":[\"plain\",7],\"command\":\"x\"}");
	scene_close(&s);
}

#define ALT "errorHandling: {continueOnFailure: false, alternativeActionId: v}"

/* ORCH-011: it runs, stands in with its outputs, and runs only when called for. */
static void alternative_stands_in(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", ALT) A("v", "")
				D("b", "inputs: {command: x, args: ['${a.output.w}']}, dependencies: [a]")));
	expect_seen(&s, "a=running v=pending b=pending : running");
	exits(&s, "a", 1);
	expect_said(&s, EV_ACTION_FAILED, "a", "then", "alternative");
	expect_phase(&s, "a", PH_STANDIN);
	expect_seen(&s, "a=failed v=running b=pending : running");
	gives(&s, "v", "{\"w\": \"from v\"}");
	assert_string_equal(started_with(&s, "b"), "{\"args\":[\"from v\"],\"command\":\"x\"}");
	exits(&s, "b", 0);
	expect_seen(&s, "a=failed v=completed b=completed : completed");
	scene_close(&s);

	scene_open(&s, PLAN("", A("a", ALT ", critical: true") A("v", "")));
	exits(&s, "a", 1);
	exits(&s, "v", 0);
	expect_seen(&s, "a=failed v=completed : completed");
	scene_close(&s);

	scene_open(&s, PLAN("", A("a", ALT) A("v", "")));
	exits(&s, "a", 0);
	expect_seen(&s, "a=completed v=skipped : completed");
	expect_said(&s, EV_ACTION_SKIPPED, "v", "cause", "not_needed");
	assert_int_equal(state_of(&s, "v")->attempt, 0);
	scene_close(&s);
}

/* The alternative's own failure continues the primary's chain; its own policy does not count. */
static void alternative_fails(void **state)
{
	static const struct {
		const char *policy, *own, *want;
	} cases[] = {
	    {"", "", "a=failed v=failed b=skipped : failed"},
	    {"", "onFailure: continue", "a=failed v=failed b=skipped : failed"},
	    {"onFailure: skip_dependents", "", "a=failed v=failed b=skipped : failed"},
	    {"onFailure: continue", "", "a=failed v=failed b=completed : completed"},
	    {"onFailure: continue, critical: true", "", "a=failed v=failed b=completed : failed"},
	    {"onFailure: continue", "critical: true", "a=failed v=failed b=completed : completed"},
	    {"onFailure: continue", "onFailure: skip_dependents", "a=failed v=failed b=completed : completed"},
	    {"", "errorHandling: {continueOnFailure: false, fallbackValue: {w: '1'}}", "a=failed v=failed b=completed : completed"},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof cases / sizeof *cases; k++) {
		AUTO_BUF struct buf plan = BUF_INIT;
		struct scene s;

		buf_printf(&plan,
			   "name: t\nactions:\n"
			   "- {id: a, actionDefinitionId: command, inputs: {command: x}, " ALT ", %s}\n"
			   "- {id: v, actionDefinitionId: command, inputs: {command: x}, %s}\n" A("b", "dependencies: [a]"),
			   cases[k].policy, cases[k].own);
		scene_open(&s, buf_str(&plan));
		exits(&s, "a", 1);
		exits(&s, "v", 2);
		finish_all(&s);
		if (strcmp(seen(&s), cases[k].want) != 0)
			fail_msg("%s / %s: %s", cases[k].policy, cases[k].own, s.text);
		scene_close(&s);
	}
	/* with a fallback the primary still has something that stands in */
	{
		struct scene s;

		scene_open(&s, PLAN("", A("a", "errorHandling: {continueOnFailure: false, alternativeActionId: v, fallbackValue: {w: fb}}")
					A("v", "") D("b", "inputs: {command: x, args: ['${a.output.w}']}, dependencies: [a]")));
		exits(&s, "a", 1);
		exits(&s, "v", 2);
		assert_string_equal(started_with(&s, "b"), "{\"args\":[\"fb\"],\"command\":\"x\"}");
		exits(&s, "b", 0);
		expect_seen(&s, "a=failed v=failed b=completed : completed");
		scene_close(&s);
	}
}

static void alternative_is_skipped(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("inputs: {use: false}\n", A("a", ALT ", onFailure: continue") A("v", "when: inputs.use") A("b", "dependencies: [a]")));
	exits(&s, "a", 1);
	exits(&s, "b", 0);
	expect_seen(&s, "a=failed v=skipped b=completed : completed");
	expect_said(&s, EV_ACTION_SKIPPED, "v", "cause", "condition");
	scene_close(&s);
	scene_open(&s, PLAN("inputs: {use: false}\n", A("a", ALT) A("v", "when: inputs.use") A("b", "dependencies: [a]")));
	exits(&s, "a", 1);
	expect_seen(&s, "a=failed v=skipped b=skipped : failed");
	scene_close(&s);
}

/* Design section 9: alternatives may be shared, and may depend on their primary. */
static void alternative_is_shared(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", ALT) A("b", ALT) A("v", "") A("c", "dependencies: [a, b]")));
	exits(&s, "a", 1);
	exits(&s, "b", 1);
	expect_seen(&s, "a=failed b=failed v=running c=pending : running");
	exits(&s, "v", 0);
	assert_int_equal(count_events(&s, EV_ACTION_REQUESTED, "v"), 1);
	exits(&s, "c", 0);
	expect_seen(&s, "a=failed b=failed v=completed c=completed : completed");
	scene_close(&s);

	/* It completed before the second primary failed: it stands in at once, and does not run again. */
	scene_open(&s, PLAN("", A("a", ALT) A("b", ALT) A("v", "") A("c", "dependencies: [b]")));
	exits(&s, "a", 1);
	exits(&s, "v", 0);
	exits(&s, "b", 1);
	assert_int_equal(count_events(&s, EV_ACTION_REQUESTED, "v"), 1);
	exits(&s, "c", 0);
	expect_seen(&s, "a=failed b=failed v=completed c=completed : completed");
	scene_close(&s);

	/* It failed before: no use to the second either. */
	scene_open(&s, PLAN("", A("a", ALT ", onFailure: continue") A("b", ALT ", onFailure: continue") A("v", "") A("c", "dependencies: [b]")));
	exits(&s, "a", 1);
	exits(&s, "v", 1);
	exits(&s, "b", 1);
	assert_int_equal(count_events(&s, EV_ACTION_REQUESTED, "v"), 1);
	exits(&s, "c", 0);
	expect_seen(&s, "a=failed b=failed v=failed c=completed : completed");
	scene_close(&s);
}

static void alternative_depends_on_its_primary(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", ALT) D("v", "inputs: {command: x, args: ['${a.error.code}']}, dependencies: [a, z]")
				A("z", "") A("b", "dependencies: [a]")));
	exits(&s, "a", 7);
	expect_seen(&s, "a=failed v=pending z=running b=pending : running");
	exits(&s, "z", 0);
	assert_string_equal(started_with(&s, "v"), "{\"args\":[\"exit:7\"],\"command\":\"x\"}");
	exits(&s, "v", 0);
	exits(&s, "b", 0);
	expect_seen(&s, "a=failed v=completed z=completed b=completed : completed");
	scene_close(&s);
	scene_open(&s, PLAN("", A("a", ALT) A("v", "dependencies: [a]") A("b", "dependencies: [a]")));
	exits(&s, "a", 0);
	exits(&s, "b", 0);
	expect_seen(&s, "a=completed v=skipped b=completed : completed");
	scene_close(&s);
}

/* What depends on an alternative waits until it has run or is not needed. */
static void dependents_of_an_alternative(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", ALT) A("v", "") A("c", "dependencies: [v]") A("d", "dependencies: [a, v]")));
	exits(&s, "a", 0);
	exits(&s, "d", 0);
	expect_seen(&s, "a=completed v=skipped c=skipped d=completed : completed");
	scene_close(&s);
	scene_open(&s, PLAN("", A("a", ALT) A("v", "") A("c", "dependencies: [v]") A("d", "dependencies: [a, v]")));
	exits(&s, "a", 1);
	exits(&s, "v", 0);
	exits(&s, "c", 0);
	exits(&s, "d", 0);
	expect_seen(&s, "a=failed v=completed c=completed d=completed : completed");
	scene_close(&s);
}

static void alternatives_in_a_chain(void **state)
{
	static const char plan[] =
	    PLAN("", A("a", "errorHandling: {continueOnFailure: false, alternativeActionId: b}")
			 A("b", "errorHandling: {continueOnFailure: false, alternativeActionId: c}") A("c", "")
			     D("d", "inputs: {command: x, args: ['${a.output.w}']}, dependencies: [a]"));
	struct scene s;

	(void)state;
	scene_open(&s, plan);
	exits(&s, "a", 1);
	exits(&s, "b", 1);
	expect_seen(&s, "a=failed b=failed c=running d=pending : running");
	gives(&s, "c", "{\"w\": \"last\"}");
	assert_string_equal(started_with(&s, "d"), "{\"args\":[\"last\"],\"command\":\"x\"}");
	exits(&s, "d", 0);
	expect_seen(&s, "a=failed b=failed c=completed d=completed : completed");
	scene_close(&s);
	scene_open(&s, plan);
	exits(&s, "a", 1);
	exits(&s, "b", 1);
	exits(&s, "c", 1);
	expect_seen(&s, "a=failed b=failed c=failed d=skipped : failed");
	scene_close(&s);
	scene_open(&s, plan);
	exits(&s, "a", 1);
	gives(&s, "b", "{\"w\": \"second\"}");
	exits(&s, "d", 0);
	expect_seen(&s, "a=failed b=completed c=skipped d=completed : completed");
	scene_close(&s);
}

/* An abort while the alternative runs: it is let finish, and still stands in. */
static void abort_while_an_alternative_runs(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", ALT) A("v", "") A("b", "dependencies: [a]") A("z", "")));
	exits(&s, "a", 1);
	exits(&s, "z", 1);
	expect_seen(&s, "a=failed v=running b=skipped z=failed : running");
	exits(&s, "v", 1);
	expect_seen(&s, "a=failed v=failed b=skipped z=failed : failed");
	scene_close(&s);
	/* and none is called for once the execution stops */
	scene_open(&s, PLAN("", A("a", ALT) A("v", "") A("z", "")));
	exits(&s, "z", 1);
	exits(&s, "a", 1);
	expect_seen(&s, "a=failed v=skipped z=failed : failed");
	scene_close(&s);
}

/* ---- retries ---- */

#define RETRY(more) "retryPolicy: {maxAttempts: 3, initialDelay: 100, maxDelay: 150, backoffMultiplier: 2, " more "}"
#define PLAIN RETRY("retryableErrors: [api_unexpected_status], jitter: false")

static void retries_up_to_the_budget(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", PLAIN)));
	exits(&s, "a", 1);
	expect_said(&s, EV_ACTION_FAILED, "a", "then", "retry");
	expect_phase(&s, "a", PH_BACKOFF);
	assert_string_equal(exec_status(s.x), "running"); /* its time will come without anybody */
	assert_int_equal(core_deadline(s.x), NOON + 100);
	later(&s, 99);
	expect_phase(&s, "a", PH_BACKOFF);
	later(&s, 1);
	expect_phase(&s, "a", PH_RUNNING);
	assert_int_equal(state_of(&s, "a")->attempt, 2);
	exits(&s, "a", 1);
	assert_int_equal(core_deadline(s.x), s.t.now + 150); /* 200, capped */
	later(&s, 150);
	exits(&s, "a", 1);
	expect_said(&s, EV_ACTION_FAILED, "a", "then", "abort");
	assert_int_equal(count_events(&s, EV_ACTION_FAILED, "a"), 3);
	assert_int_equal(count_events(&s, EV_ACTION_RETRY_SCHEDULED, "a"), 2);
	expect_seen(&s, "a=failed : failed");
	scene_close(&s);
	scene_open(&s, PLAN("", A("a", PLAIN)));
	exits(&s, "a", 1);
	later(&s, 100);
	exits(&s, "a", 0);
	expect_seen(&s, "a=completed : completed");
	scene_close(&s);
}

/* Retry if the category is among retryableErrors and the error does not say retryable: false; exit 75 always. */
static void what_is_retried(void **state)
{
	static const struct {
		const char *error, *then;
		int status;
		enum attempt_outcome outcome;
	} cases[] = {
	    {NULL, "retry", 1, ATTEMPT_EXITED},
	    {NULL, "retry", 75, ATTEMPT_EXITED},
	    {NULL, "retry", 9, ATTEMPT_SIGNALLED},
	    {NULL, "abort", 0, ATTEMPT_TIMEOUT},
	    {NULL, "abort", 0, ATTEMPT_NOT_EXECUTABLE},
	    {NULL, "abort", 0, ATTEMPT_FAILED},
	    {NULL, "abort", 0, ATTEMPT_TERMINATED},
	    {"{\"category\": \"api_unexpected_status\", \"message\": \"m\", \"retryable\": true}", "retry", 1, ATTEMPT_EXITED},
	    {"{\"category\": \"api_unexpected_status\", \"message\": \"m\"}", "retry", 1, ATTEMPT_EXITED},
	    {"{\"category\": \"api_unexpected_status\", \"message\": \"m\", \"retryable\": false}", "abort", 1, ATTEMPT_EXITED},
	    {"{\"category\": \"rate_limit_burst\", \"message\": \"m\", \"retryable\": true}", "abort", 1, ATTEMPT_EXITED},
	    /* a timeout and an end on request say more than what the action wrote before */
	    {"{\"category\": \"api_unexpected_status\", \"message\": \"m\"}", "abort", 0, ATTEMPT_TIMEOUT},
	    {"{\"category\": \"api_unexpected_status\", \"message\": \"m\"}", "abort", 0, ATTEMPT_TERMINATED},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof cases / sizeof *cases; k++) {
		json_t *error = cases[k].error ? json_loads(cases[k].error, 0, NULL) : NULL;
		struct scene s;

		scene_open(&s, PLAN("", A("a", PLAIN)));
		ends(&s, "a", (struct attempt_result){.outcome = cases[k].outcome, .status = cases[k].status, .error = error});
		if (strcmp(said(&s, EV_ACTION_FAILED, "a", "then"), cases[k].then) != 0)
			fail_msg("case %zu: %s", k, said(&s, EV_ACTION_FAILED, "a", "then"));
		scene_close(&s);
		json_decref(error);
	}
}

static void exit_75_is_retried_within_the_budget_only(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", RETRY("retryableErrors: [], jitter: false"))));
	exits(&s, "a", 75);
	later(&s, 100);
	exits(&s, "a", 75);
	later(&s, 150);
	exits(&s, "a", 75);
	expect_seen(&s, "a=failed : failed");
	assert_int_equal(state_of(&s, "a")->attempt, 3);
	scene_close(&s);
	scene_open(&s, PLAN("", A("a", "")));
	exits(&s, "a", 75); /* no policy: a budget of one */
	expect_seen(&s, "a=failed : failed");
	scene_close(&s);
}

static void retry_after_is_waited_for(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", RETRY("retryableErrors: [rate_limit_burst], jitter: false"))));
	blames(&s, "a", "{\"category\": \"rate_limit_burst\", \"message\": \"m\", \"retryAfter\": \"1970-01-01T00:17:00.000Z\"}");
	assert_int_equal(core_deadline(s.x), 17 * 60 * 1000);
	s.t.now = 17 * 60 * 1000;
	scene_turn(&s);
	/* one in the past does not shorten the backoff */
	blames(&s, "a", "{\"category\": \"rate_limit_burst\", \"message\": \"m\", \"retryAfter\": \"1970-01-01T00:16:00Z\"}");
	assert_int_equal(core_deadline(s.x), s.t.now + 150);
	scene_close(&s);
}

/* timeouts over all attempts, and of the plan: no retry that could not begin in time. */
static void total_timeouts_end_the_retries(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", "totalTimeoutMs: 1000, " PLAIN)));
	s.t.now += 899;
	exits(&s, "a", 1);
	expect_phase(&s, "a", PH_BACKOFF); /* at 999 */
	scene_close(&s);
	scene_open(&s, PLAN("", A("a", "totalTimeoutMs: 1000, " PLAIN)));
	s.t.now += 900;
	exits(&s, "a", 1);
	expect_seen(&s, "a=failed : failed");
	scene_close(&s);
	scene_open(&s, PLAN("timeoutMs: 1000\n", A("a", PLAIN)));
	s.t.now += 900;
	exits(&s, "a", 1);
	expect_seen(&s, "a=failed : failed");
	scene_close(&s);
}

static void a_waiting_retry_holds_no_slot(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("maxConcurrency: 1\n", A("a", PLAIN) A("b", "")));
	expect_seen(&s, "a=running b=pending : running");
	exits(&s, "a", 1);
	expect_phase(&s, "b", PH_RUNNING);
	later(&s, 100);
	expect_phase(&s, "a", PH_READY);
	exits(&s, "b", 0);
	exits(&s, "a", 0);
	expect_seen(&s, "a=completed b=completed : completed");
	scene_close(&s);
}

static void backoff_grows_and_is_capped(void **state)
{
	struct retry_policy p = {.max_attempts = 10, .initial_delay = 100, .max_delay = 1000, .multiplier = 2};
	static const msec want[] = {100, 200, 400, 800, 1000, 1000, 1000};
	uint64_t random = 5;
	msec least = 1000, most = 0;
	uint32_t k;

	(void)state;
	for (k = 0; k < sizeof want / sizeof *want; k++)
		assert_int_equal(core_backoff(&p, k + 1, &random), want[k]);
	assert_int_equal(random, 5); /* no dice without jitter */
	p.jitter = true;
	for (k = 0; k < 10000; k++) {
		msec d = core_backoff(&p, 1 + k % 8, &random);

		assert_in_range(d, 0, want[k % 8 < 7 ? k % 8 : 6]);
		if (k % 8 == 0) {
			least = d < least ? d : least;
			most = d > most ? d : most;
		}
	}
	assert_in_range(least, 0, 2); /* full jitter: from nothing to all of it */
	assert_in_range(most, 98, 100);
	p.initial_delay = p.max_delay = 0;
	assert_int_equal(core_backoff(&p, 3, &random), 0);
	p = (struct retry_policy){.initial_delay = INT64_MAX / 4, .max_delay = INT64_MAX / 2, .multiplier = 5};
	assert_true(core_backoff(&p, 1000, &random) >= INT64_MAX / 4);
	assert_true(core_backoff(&p, UINT32_MAX, &random) > 0);
}

/* ---- onFailure: ask ---- */

static void a_person_says_what_a_failure_does(void **state)
{
	static const struct {
		const char *verb, *want;
	} cases[] = {
	    {"skip", "a=skipped b=skipped : completed"},
	    {"approve", "a=failed b=completed : completed"},
	    {"reject", "a=failed b=skipped : failed"},
	};
	struct scene s;
	size_t k;

	(void)state;
	for (k = 0; k < sizeof cases / sizeof *cases; k++) {
		scene_open(&s, PLAN("", A("a", "onFailure: ask") A("b", "dependencies: [a]")));
		exits(&s, "a", 3);
		expect_said(&s, EV_ACTION_FAILED, "a", "then", "ask");
		expect_said(&s, EV_CONFIRMATION_REQUESTED, "a", "kind", "failed");
		expect_seen(&s, "a=pending b=pending : paused_for_confirmation");
		expect_ok(decides(&s, "raj", cases[k].verb, "a"));
		finish_all(&s);
		if (strcmp(seen(&s), cases[k].want) != 0)
			fail_msg("%s: %s", cases[k].verb, s.text);
		scene_close(&s);
	}
	scene_open(&s, PLAN("", A("a", "onFailure: ask, " PLAIN)));
	exits(&s, "a", 3);
	later(&s, 100);
	exits(&s, "a", 3);
	later(&s, 150);
	exits(&s, "a", 3);
	expect_phase(&s, "a", PH_ASKING);
	expect_ok(decides(&s, "raj", "retry", "a"));
	assert_int_equal(state_of(&s, "a")->attempt, 4);
	exits(&s, "a", 3);
	expect_phase(&s, "a", PH_BACKOFF); /* the budget starts anew */
	later(&s, 100);
	exits(&s, "a", 0);
	expect_seen(&s, "a=completed : completed");
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_policy_for_each_way_to_fail),
	    cmocka_unit_test(failing_before_the_start_obeys_the_policy),
	    cmocka_unit_test(on_abort_drains_or_terminates),
	    cmocka_unit_test(skips_name_their_cause),
	    cmocka_unit_test(partial_batch_failure),
	    cmocka_unit_test(fallback_stands_in_for_the_outputs),
	    cmocka_unit_test(alternative_stands_in),
	    cmocka_unit_test(alternative_fails),
	    cmocka_unit_test(alternative_is_skipped),
	    cmocka_unit_test(alternative_is_shared),
	    cmocka_unit_test(alternative_depends_on_its_primary),
	    cmocka_unit_test(dependents_of_an_alternative),
	    cmocka_unit_test(alternatives_in_a_chain),
	    cmocka_unit_test(abort_while_an_alternative_runs),
	    cmocka_unit_test(retries_up_to_the_budget),
	    cmocka_unit_test(what_is_retried),
	    cmocka_unit_test(exit_75_is_retried_within_the_budget_only),
	    cmocka_unit_test(retry_after_is_waited_for),
	    cmocka_unit_test(total_timeouts_end_the_retries),
	    cmocka_unit_test(a_waiting_retry_holds_no_slot),
	    cmocka_unit_test(backoff_grows_and_is_capped),
	    cmocka_unit_test(a_person_says_what_a_failure_does),
	};

	return cmocka_run_group_tests_name("failures", tests, NULL, NULL);
}
