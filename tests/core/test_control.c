/*
 * Conditions, people, orders, loss, loops, undoing and time: ORCH-005 to ORCH-008, ORCH-012 to ORCH-014, EDGE-4,
 * EDGE-6, STEP-COND, STEP-SKIP, CHK-DECIDE, RUN-MANUAL, RUN-ROLLBACK, PIPE-LOOP.
 */
#include "scene.h"

/* ---- conditions ---- */

static void conditions_decide_when_their_turn_comes(void **state)
{
	static const struct {
		const char *condition, *output, *want;
	} cases[] = {
	    {"condition: {if: '${z.output.go}', then: execute, else: skip}", "{\"go\": true}", "z=completed a=completed b=completed : completed"},
	    {"condition: {if: '${z.output.go}', then: execute, else: skip}", "{\"go\": \"off\"}", "z=completed a=skipped b=skipped : completed"},
	    {"condition: {if: '${z.output.go}', then: execute, else: fail}", "{\"go\": 0}", "z=completed a=failed b=skipped : failed"},
	    {"condition: {if: '${z.output.go}', then: execute, else: skip}", "{\"go\": \"perhaps\"}", "z=completed a=failed b=skipped : failed"},
	    {"when: z.output.n > 3", "{\"n\": 4}", "z=completed a=completed b=completed : completed"},
	    {"when: z.output.n > 3", "{\"n\": 3}", "z=completed a=skipped b=skipped : completed"},
	    {"when: prev.z.status == 'success'", "{}", "z=completed a=completed b=completed : completed"},
	    {"skipIf: ['z.output.n == 1', 'z.output.n == 2']", "{\"n\": 2}", "z=completed a=skipped b=skipped : completed"},
	    {"skipIf: ['z.output.n == 1', 'z.output.n == 2']", "{\"n\": 3}", "z=completed a=completed b=completed : completed"},
	    {"when: 'true', skipIf: ['true']", "{}", "z=completed a=skipped b=skipped : completed"},
	    {"condition: {if: '${z.output.go}', then: execute, else: skip}, when: z.output.n == 1", "{\"go\": true, \"n\": 2}", "z=completed a=skipped b=skipped : completed"},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof cases / sizeof *cases; k++) {
		AUTO_BUF struct buf plan = BUF_INIT;
		struct scene s;

		buf_printf(&plan, "name: t\nactions:\n" A("z", "") "- {id: a, actionDefinitionId: command, inputs: {command: x}, dependencies: [z], %s}\n"
			   A("b", "dependencies: [a]"), cases[k].condition);
		scene_open(&s, buf_str(&plan));
		gives(&s, "z", cases[k].output);
		if (state_of(&s, "a")->phase == PH_RUNNING)
			exits(&s, "a", 0);
		if (state_of(&s, "b")->phase == PH_RUNNING)
			exits(&s, "b", 0);
		if (strcmp(seen(&s), cases[k].want) != 0)
			fail_msg("%s with %s: %s", cases[k].condition, cases[k].output, s.text);
		scene_close(&s);
	}
}

/* EDGE-6: a skip goes down the dependencies; joins after branches run. */
static void skips_propagate_and_branches_join(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("inputs: {left: true}\n", A("l", "when: inputs.left") A("r", "skipIf: [inputs.left]") A("l2", "dependencies: [l]")
				A("r2", "dependencies: [r]") A("join", "dependencies: [l2, r2]") A("end", "dependencies: [join]")));
	exits(&s, "l", 0);
	exits(&s, "l2", 0);
	exits(&s, "join", 0);
	exits(&s, "end", 0);
	expect_seen(&s, "l=completed r=skipped l2=completed r2=skipped join=completed end=completed : completed");
	scene_close(&s);

	/* every branch skipped: nothing to join */
	scene_open(&s, PLAN("inputs: {no: false}\n", A("l", "when: inputs.no") A("r", "when: inputs.no") A("join", "dependencies: [l, r]")));
	expect_seen(&s, "l=skipped r=skipped join=skipped : completed");
	scene_close(&s);

	/* what reads values of the branch that was skipped cannot run */
	scene_open(&s, PLAN("inputs: {no: false}\n", A("l", "") A("r", "when: inputs.no")
				D("join", "inputs: {command: x, args: ['${r.output.v}']}, dependencies: [l, r]")));
	exits(&s, "l", 0);
	expect_seen(&s, "l=completed r=skipped join=skipped : completed");
	expect_said(&s, EV_ACTION_SKIPPED, "join", "cause", "r");
	scene_close(&s);

	/* asking for its status is how one finds out */
	scene_open(&s, PLAN("inputs: {no: false}\n", A("l", "") A("r", "when: inputs.no") A("join", "dependencies: [l, r], when: prev.r.status == 'skipped'")));
	exits(&s, "l", 0);
	exits(&s, "join", 0);
	expect_seen(&s, "l=completed r=skipped join=completed : completed");
	scene_close(&s);

	/* a failed branch is no skipped one */
	scene_open(&s, PLAN("", A("l", "") A("r", "onFailure: skip_dependents") A("join", "dependencies: [l, r]")));
	exits(&s, "r", 1);
	exits(&s, "l", 0);
	expect_seen(&s, "l=completed r=failed join=skipped : failed");
	scene_close(&s);
}

/* ---- confirmations ---- */

#define CONFIRM(more) "userConfirmation: {required: true, title: Sure, message: It goes out, " more "}"

static void a_confirmation_holds_only_its_branch(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", CONFIRM("")) A("b", "") A("c", "dependencies: [a]")));
	expect_said(&s, EV_CONFIRMATION_REQUESTED, "a", "title", "Sure");
	expect_said(&s, EV_CONFIRMATION_REQUESTED, "a", "kind", "confirm");
	expect_seen(&s, "a=pending b=running c=pending : running");
	exits(&s, "b", 0);
	expect_seen(&s, "a=pending b=completed c=pending : paused_for_confirmation");
	expect_ok(decides(&s, "raj", "approve", "a"));
	expect_said(&s, EV_CONFIRMATION_RECEIVED, "a", "confirmed", "true");
	expect_said(&s, EV_CONFIRMATION_RECEIVED, "a", "by.user", "raj");
	exits(&s, "a", 0);
	exits(&s, "c", 0);
	expect_seen(&s, "a=completed b=completed c=completed : completed");
	scene_close(&s);
}

/* ORCH-007 */
static void a_rejection_cancels(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", CONFIRM("") ", onFailure: continue") A("b", "") A("c", "dependencies: [b]")));
	expect_ok(decides(&s, "raj", "reject", "a"));
	expect_seen(&s, "a=skipped b=running c=skipped : running");
	assert_false(core_must_end(s.x, at(&s, "b"))); /* onAbort: drain */
	exits(&s, "b", 0);
	expect_seen(&s, "a=skipped b=completed c=skipped : cancelled");
	expect_said(&s, EV_EXECUTION_CANCELLED, NULL, "error.category", "user_cancelled");
	expect_said(&s, EV_EXECUTION_CANCELLED, NULL, "error.message", "\"a\" was rejected by raj");
	scene_close(&s);
	scene_open(&s, PLAN("onAbort: terminate\n", A("a", CONFIRM("")) A("b", "")));
	expect_ok(decides(&s, "raj", "reject", "a"));
	assert_true(core_must_end(s.x, at(&s, "b")));
	ends(&s, "b", (struct attempt_result){.outcome = ATTEMPT_TERMINATED});
	expect_seen(&s, "a=skipped b=failed : cancelled");
	scene_close(&s);
}

/* ORCH-008, EDGE-4: also when the core looks long after the deadline; decisions are folded before timers. */
static void a_confirmation_times_out(void **state)
{
	struct request r;
	struct err e;
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", CONFIRM("timeout: 1000"))));
	assert_int_equal(core_deadline(s.x), NOON + 1000);
	later(&s, 999);
	expect_phase(&s, "a", PH_CONFIRM);
	later(&s, 100000);
	expect_said(&s, EV_CONFIRMATION_RECEIVED, "a", "decision", "reject");
	expect_said(&s, EV_CONFIRMATION_RECEIVED, "a", "timedOut", "true");
	expect_seen(&s, "a=skipped : cancelled");
	scene_close(&s);

	/* given in time, seen late: it counts */
	scene_open(&s, PLAN("", A("a", CONFIRM("timeout: 1000"))));
	r = request_by(&s, "a", "approve", "raj");
	r.changed = NOON + 999;
	s.t.now = NOON + 5000;
	assert_int_equal(core_decision(s.x, &s.t, &r, &e), 0);
	scene_turn(&s);
	expect_seen(&s, "a=running : running");
	scene_close(&s);
}

static void decisions_that_do_not_count(void **state)
{
	struct request r;
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", CONFIRM("timeout: 1000")) A("b", "")));
	assert_string_equal(decides(&s, "raj", "approve", "b"), "\"b\" does not wait for a decision; it is running");
	assert_string_equal(decides(&s, "raj", "retry", "a"), "\"retry\" is not a decision for \"a\": see its request in confirm/");
	assert_string_equal(decides(&s, "raj", "skip", "a"), "\"skip\" is not a decision for \"a\": see its request in confirm/");
	r = request_by(&s, "a", "approve", "raj");
	r.changed = NOON - 11; /* early: before the request */
	assert_non_null(strstr(decides_about(&s, &r), "older than request 1"));
	r.changed = NOON + 1000; /* late */
	assert_non_null(strstr(decides_about(&s, &r), "after the deadline"));
	expect_phase(&s, "a", PH_CONFIRM);
	expect_ok(decides(&s, "raj", "approve", "a"));
	/* an identical repeat is harmless, a contrary one is not */
	expect_ok(decides(&s, "kim", "approve", "a"));
	assert_int_equal(count_events(&s, EV_CONFIRMATION_RECEIVED, "a"), 1);
	assert_non_null(strstr(decides(&s, "kim", "reject", "a"), "was decided already, by raj"));
	exits(&s, "b", 0);
	exits(&s, "a", 0);
	expect_seen(&s, "a=completed b=completed : completed");
	scene_close(&s);
}

static void approvers_quorum_and_self_approval(void **state)
{
	struct request r;
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", CONFIRM("approvers: [ana, raj, sam], quorum: 2, noSelfApproval: true"))));
	assert_string_equal(decides(&s, "kim", "approve", "a"), "\"kim\" is not among the approvers of this action");
	assert_string_equal(decides(&s, NULL, "approve", "a"), "\"?\" is not among the approvers of this action");
	assert_string_equal(decides(&s, "kim", "reject", "a"), "\"kim\" is not among the approvers of this action");
	assert_string_equal(decides(&s, "sam", "approve", "a"), "\"sam\" submitted this plan and must not decide about it");
	expect_ok(decides(&s, "ana", "approve", "a"));
	expect_phase(&s, "a", PH_CONFIRM);
	expect_said(&s, EV_CONFIRMATION_RECEIVED, "a", "final", "false");
	assert_string_equal(decides(&s, "ana", "approve", "a"), "\"ana\" has approved this already; another person must");
	expect_phase(&s, "a", PH_CONFIRM);
	/* the file that counted, looked at once more, says nothing new */
	r = request_by(&s, "a", "approve", "ana");
	r.changed = s.t.now - 1;
	expect_ok(decides_about(&s, &r));
	expect_phase(&s, "a", PH_CONFIRM);
	expect_ok(decides(&s, "raj", "approve", "a"));
	expect_phase(&s, "a", PH_RUNNING);
	scene_close(&s);
	/* one rejection is enough */
	scene_open(&s, PLAN("", A("a", CONFIRM("quorum: 3"))));
	expect_ok(decides(&s, "ana", "approve", "a"));
	expect_ok(decides(&s, "raj", "reject", "a"));
	expect_seen(&s, "a=skipped : cancelled");
	scene_close(&s);
}

static json_t *no_secret_plans(const struct action *a, const json_t *inputs)
{
	const char *arg = json_string_value(json_array_get(json_object_get(inputs, "args"), 0));

	(void)a;
	return arg && strcmp(arg, "bad") == 0 ? json_pack("{s:s, s:s}", "category", "validation_failed", "message", "args are bad") : NULL;
}

/* CHK-DECIDE: a decision may change inputs; they are checked, recorded and used. */
static void a_decision_may_change_inputs(void **state)
{
	json_t *good = json_pack("{s:[s]}", "args", "new"), *bad = json_pack("{s:[s]}", "args", "bad");
	struct request r;
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", D("a", "inputs: {command: x, args: [old], cwd: /}, " CONFIRM(""))));
	s.t.check_inputs = no_secret_plans;
	r = request_by(&s, "a", "approve", "raj");
	r.inputs = bad;
	assert_string_equal(decides_about(&s, &r), "the changed inputs are not right: args are bad");
	expect_phase(&s, "a", PH_CONFIRM);
	assert_null(state_of(&s, "a")->inputs);
	r.inputs = good;
	expect_ok(decides_about(&s, &r));
	assert_string_equal(started_with(&s, "a"), "{\"args\":[\"new\"],\"command\":\"x\",\"cwd\":\"/\"}");
	assert_non_null(json_object_get(json_object_get(last_event(&s, EV_CONFIRMATION_RECEIVED, "a")->data, "modifications"), "inputs"));
	scene_close(&s);
	json_decref(good);
	json_decref(bad);
}

static void approvals_are_independent(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", CONFIRM("")) A("b", CONFIRM("")) A("c", "dependencies: [a]")));
	expect_seen(&s, "a=pending b=pending c=pending : paused_for_confirmation");
	expect_ok(decides(&s, "raj", "approve", "a"));
	expect_seen(&s, "a=running b=pending c=pending : running");
	exits(&s, "a", 0);
	exits(&s, "c", 0);
	expect_seen(&s, "a=completed b=pending c=completed : paused_for_confirmation");
	scene_close(&s);
}

/* ---- orders ---- */

/* ORCH-012 and design section 9: cancelled while running is failed, user_cancelled; before is skipped. */
static void cancel(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", "onFailure: continue, retryPolicy: {maxAttempts: 3, initialDelay: 1, maxDelay: 1, backoffMultiplier: 1, "
				       "retryableErrors: [user_cancelled, api_unexpected_status], jitter: false}")
				A("b", "dependencies: [a]") A("w", CONFIRM("")) A("r", "retryPolicy: {maxAttempts: 3, initialDelay: 1000, maxDelay: 1000, "
				"backoffMultiplier: 1, retryableErrors: [api_unexpected_status], jitter: false}")));
	exits(&s, "r", 1);
	expect_phase(&s, "r", PH_BACKOFF);
	expect_ok(orders(&s, "cancel", NULL));
	expect_seen(&s, "a=running b=skipped w=skipped r=skipped : running");
	assert_true(core_must_end(s.x, at(&s, "a")));
	expect_ok(orders(&s, "cancel", NULL)); /* an identical repeat */
	assert_int_equal(count_events(&s, EV_CANCEL_REQUESTED, NULL), 1);
	ends(&s, "a", (struct attempt_result){.outcome = ATTEMPT_TERMINATED, .reason = "cancel"});
	expect_seen(&s, "a=failed b=skipped w=skipped r=skipped : cancelled");
	expect_said(&s, EV_ACTION_FAILED, "a", "error.category", "user_cancelled");
	expect_said(&s, EV_CANCEL_REQUESTED, NULL, "by.user", "raj");
	assert_string_equal(orders(&s, "cancel", NULL), "the execution has ended: it is cancelled");
	assert_string_equal(orders(&s, "pause", NULL), "the execution has ended: it is cancelled");
	scene_close(&s);

	/* what completes all the same has completed; what was never handed out is skipped */
	scene_open(&s, PLAN("", A("a", "") A("b", "")));
	expect_ok(orders(&s, "cancel", NULL));
	exits(&s, "a", 0);
	ends(&s, "b", (struct attempt_result){.outcome = ATTEMPT_WITHDRAWN});
	expect_seen(&s, "a=completed b=skipped : cancelled");
	scene_close(&s);
}

static void pause_and_resume(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", "") A("b", "dependencies: [a]")));
	expect_ok(orders(&s, "pause", NULL));
	expect_ok(orders(&s, "pause", NULL));
	assert_int_equal(count_events(&s, EV_EXECUTION_PAUSED, NULL), 1);
	exits(&s, "a", 0);
	expect_seen(&s, "a=completed b=pending : running"); /* design section 9 */
	assert_true(s.x->paused);
	expect_ok(orders(&s, "resume", NULL));
	expect_phase(&s, "b", PH_RUNNING);
	scene_close(&s);
	/* a cancel ends a pause, compensations and all */
	scene_open(&s, PLAN("", A("a", "compensate: u") A("u", "") A("b", "dependencies: [a]")));
	expect_ok(orders(&s, "pause", NULL));
	exits(&s, "a", 0);
	expect_ok(orders(&s, "cancel", NULL));
	exits(&s, "u", 0);
	expect_seen(&s, "a=completed u=completed b=skipped : cancelled");
	scene_close(&s);
}

/* RUN-MANUAL: a rescue run from the failed action, keeping what completed. */
static void retry_opens_a_finished_execution(void **state)
{
	json_t *inputs = json_pack("{s:[s]}", "args", "better");
	struct request r;
	struct scene s;
	struct err e;

	(void)state;
	scene_open(&s, PLAN("timeoutMs: 60000\n", A("z", "") A("a", "dependencies: [z]") A("b", "dependencies: [a]") A("c", "dependencies: [z], when: 'false'")));
	exits(&s, "z", 0);
	exits(&s, "a", 1);
	expect_seen(&s, "z=completed a=failed b=skipped c=skipped : failed");
	assert_string_equal(orders(&s, "retry", "z"), "\"z\" cannot be retried: it is completed");
	s.t.now += 1000000; /* long after the plan's own time was over: it starts anew */
	r = request_by(&s, "a", "retry", "raj");
	r.inputs = inputs;
	assert_int_equal(core_control(s.x, &s.t, &r, &e), 0);
	scene_turn(&s);
	expect_said(&s, EV_EXECUTION_REOPENED, "a", "by.user", "raj");
	expect_seen(&s, "z=completed a=running b=pending c=skipped : running");
	assert_int_equal(state_of(&s, "a")->attempt, 2); /* numbers go on */
	assert_string_equal(started_with(&s, "a"), "{\"args\":[\"better\"],\"command\":\"x\"}");
	exits(&s, "a", 0);
	exits(&s, "b", 0);
	expect_seen(&s, "z=completed a=completed b=completed c=skipped : completed");
	assert_int_equal(count_events(&s, EV_ACTION_REQUESTED, "z"), 1);
	scene_close(&s);
	json_decref(inputs);
}

static void retry_while_others_go_on(void **state)
{
	struct scene s;

	(void)state;
	/* its dependents are under way: they are let finish; the one that has not started waits */
	scene_open(&s, PLAN("maxConcurrency: 2\n", A("a", "onFailure: continue") A("b", "dependencies: [a]") A("c", "dependencies: [a]") A("z", "")));
	exits(&s, "a", 1);
	expect_seen(&s, "a=failed b=running c=pending z=running : running");
	expect_ok(orders(&s, "retry", "a"));
	exits(&s, "z", 0);
	expect_seen(&s, "a=running b=running c=pending z=completed : running");
	exits(&s, "b", 0);
	expect_phase(&s, "c", PH_BLOCKED);
	exits(&s, "a", 0);
	exits(&s, "c", 0);
	expect_seen(&s, "a=completed b=completed c=completed z=completed : completed");
	scene_close(&s);

	/* an alternative that waits for its next attempt: at once, and its primary is not forgotten */
	scene_open(&s, PLAN("", A("a", "errorHandling: {continueOnFailure: false, alternativeActionId: v}")
				A("v", "retryPolicy: {maxAttempts: 3, initialDelay: 9000, maxDelay: 9000, backoffMultiplier: 1, "
				       "retryableErrors: [api_unexpected_status], jitter: false}")));
	exits(&s, "a", 1);
	exits(&s, "v", 1);
	expect_phase(&s, "v", PH_BACKOFF);
	expect_ok(orders(&s, "retry", "v"));
	exits(&s, "v", 0);
	expect_seen(&s, "a=failed v=completed : completed");
	assert_non_null(strstr(orders(&s, "retry", "v"), "cannot be retried"));
	scene_close(&s);

	scene_open(&s, PLAN("", A("a", "onFailure: continue, errorHandling: {continueOnFailure: true, alternativeActionId: v}") A("v", "") A("z", "")));
	exits(&s, "a", 1);
	exits(&s, "v", 1);
	assert_string_equal(orders(&s, "retry", "v"), "\"v\" runs only when it is called for: retry the action that it stands in for");
	expect_ok(orders(&s, "retry", "a"));
	exits(&s, "a", 1);
	exits(&s, "v", 0); /* once for each time it is called for */
	exits(&s, "z", 0);
	expect_seen(&s, "a=failed v=completed z=completed : completed");
	scene_close(&s);
}

static void skip_by_hand(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", "onFailure: skip_dependents") A("b", "dependencies: [a]") A("r", "") A("w", CONFIRM("")) A("p", "dependencies: [r]")));
	exits(&s, "a", 1);
	expect_ok(orders(&s, "skip", "a")); /* its word changes, not what followed from it */
	expect_ok(orders(&s, "skip", "w"));
	expect_ok(orders(&s, "skip", "p"));
	assert_string_equal(orders(&s, "skip", "r"), "\"r\" cannot be skipped: it is running");
	assert_string_equal(orders(&s, "skip", "a"), "\"a\" cannot be skipped: it is skipped");
	exits(&s, "r", 0);
	expect_seen(&s, "a=skipped b=skipped r=completed w=skipped p=skipped : completed");
	expect_said(&s, EV_ACTION_SKIPPED, "w", "reason", "skipped by raj");
	assert_string_equal(decides(&s, "raj", "reject", "w"), "\"w\" does not wait for a decision any more; it is skipped");
	scene_close(&s);
}

static void orders_that_mean_nothing(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", "")));
	assert_non_null(strstr(orders(&s, "retry", NULL), "needs an action"));
	assert_non_null(strstr(orders(&s, "dance", "a"), "cancel, pause, resume, retry or skip"));
	assert_string_equal(orders(&s, "retry", "a"), "\"a\" cannot be retried: it is running");
	scene_close(&s);
}

/* ---- loss ---- */

static void a_lost_attempt(void **state)
{
	static const struct {
		const char *verb, *want;
	} cases[] = {{"skip", "a=skipped b=skipped : completed"}, {"reject", "a=failed b=skipped : failed"}};
	struct scene s;
	int k;

	(void)state;
	/* rerun, at most three times, not counted against the budget, same idempotency */
	scene_open(&s, PLAN("", A("a", "retryPolicy: {maxAttempts: 2, initialDelay: 5, maxDelay: 5, backoffMultiplier: 1, "
				       "retryableErrors: [api_unexpected_status], jitter: false}")));
	for (k = 1; k <= LOST_RERUNS_MAX; k++) {
		vanishes(&s, "a");
		expect_said(&s, EV_ACTION_LOST, "a", "then", "rerun");
		assert_int_equal(state_of(&s, "a")->attempt, k + 1);
	}
	exits(&s, "a", 1);
	expect_phase(&s, "a", PH_BACKOFF); /* the first that counted */
	later(&s, 5);
	vanishes(&s, "a");
	expect_said(&s, EV_ACTION_LOST, "a", "then", "fail");
	expect_said(&s, EV_ACTION_FAILED, "a", "error.category", "state_inconsistent");
	expect_said(&s, EV_ACTION_FAILED, "a", "error.code", "lost");
	expect_seen(&s, "a=failed : failed");
	scene_close(&s);

	scene_open(&s, PLAN("", A("a", "onLost: fail, onFailure: continue") A("b", "dependencies: [a]")));
	vanishes(&s, "a");
	exits(&s, "b", 0);
	expect_seen(&s, "a=failed b=completed : completed");
	scene_close(&s);

	for (k = 0; k < 2; k++) {
		scene_open(&s, PLAN("", A("a", "onLost: ask") A("b", "dependencies: [a]")));
		vanishes(&s, "a");
		expect_said(&s, EV_CONFIRMATION_REQUESTED, "a", "kind", "lost");
		assert_non_null(strstr(decides(&s, "raj", "approve", "a"), "is not a decision"));
		expect_ok(decides(&s, "raj", cases[k].verb, "a"));
		expect_seen(&s, cases[k].want);
		scene_close(&s);
	}
	scene_open(&s, PLAN("", A("a", "onLost: ask")));
	vanishes(&s, "a");
	expect_ok(decides(&s, "raj", "retry", "a"));
	assert_int_equal(state_of(&s, "a")->attempt, 2);
	exits(&s, "a", 0);
	expect_seen(&s, "a=completed : completed");
	scene_close(&s);
	/* nothing is run again once it stops */
	scene_open(&s, PLAN("", A("a", "")));
	expect_ok(orders(&s, "cancel", NULL));
	vanishes(&s, "a");
	expect_seen(&s, "a=failed : cancelled");
	scene_close(&s);
}

/* ---- loops ---- */

static void a_loop_goes_round(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("code", "") A("review", "dependencies: [code], loop: {until: \"review.output.verdict == 'good'\", backTo: code, maxIterations: 3}")
				A("ship", "dependencies: [review]")));
	exits(&s, "code", 0);
	gives(&s, "review", "{\"verdict\": \"bad\"}");
	expect_seen(&s, "code=running review=pending ship=pending : running");
	expect_said(&s, EV_ACTION_REARMED, "code", "reason", "loop");
	exits(&s, "code", 0);
	gives(&s, "review", "{\"verdict\": \"good\"}");
	exits(&s, "ship", 0);
	expect_seen(&s, "code=completed review=completed ship=completed : completed");
	assert_int_equal(state_of(&s, "code")->attempt, 2);
	scene_close(&s);

	scene_open(&s, PLAN("", A("a", "loop: {until: a.output.n > 9, maxIterations: 2}") A("b", "dependencies: [a]")));
	gives(&s, "a", "{\"n\": 1}");
	gives(&s, "a", "{\"n\": 2}");
	expect_said(&s, EV_ACTION_FAILED, "a", "error.code", "loop");
	expect_seen(&s, "a=failed b=skipped : failed");
	scene_close(&s);
	/* a condition that cannot be judged is a failure of the action */
	scene_open(&s, PLAN("", A("a", "loop: {until: a.output.n, maxIterations: 2}")));
	gives(&s, "a", "{\"n\": \"soon\"}");
	expect_said(&s, EV_ACTION_FAILED, "a", "error.category", "validation_failed");
	expect_seen(&s, "a=failed : failed");
	scene_close(&s);
}

/* ---- undoing ---- */

/* RUN-ROLLBACK: in reverse order of completion, one at a time; failures are told. */
static void compensations_run_in_reverse(void **state)
{
	static const char plan[] = PLAN("", A("a", "compensate: ua") A("b", "dependencies: [a], compensate: ub") A("c", "dependencies: [b]")
					    D("ua", "inputs: {command: x, args: ['${a.output.v}']}") A("ub", ""));
	struct scene s;

	(void)state;
	scene_open(&s, plan);
	gives(&s, "a", "{\"v\": \"id-7\"}");
	exits(&s, "b", 0);
	exits(&s, "c", 1);
	expect_seen(&s, "a=completed b=completed c=failed ua=pending ub=running : running");
	assert_false(core_must_end(s.x, at(&s, "ub")));
	exits(&s, "ub", 0);
	assert_string_equal(started_with(&s, "ua"), "{\"args\":[\"id-7\"],\"command\":\"x\"}");
	expect_said(&s, EV_ACTION_REQUESTED, "ua", "compensates", "a");
	exits(&s, "ua", 0);
	expect_seen(&s, "a=completed b=completed c=failed ua=completed ub=completed : failed");
	expect_said(&s, EV_EXECUTION_FAILED, NULL, "error.code", "exit:1");
	scene_close(&s);

	/* both fail, one of them before it starts: both are named */
	scene_open(&s, plan);
	gives(&s, "a", "{\"other\": 1}");
	exits(&s, "b", 0);
	expect_ok(orders(&s, "cancel", NULL));
	expect_phase(&s, "c", PH_RUNNING);
	ends(&s, "c", (struct attempt_result){.outcome = ATTEMPT_TERMINATED});
	exits(&s, "ub", 5);
	expect_seen(&s, "a=completed b=completed c=failed ua=failed ub=failed : cancelled");
	expect_said(&s, EV_EXECUTION_CANCELLED, NULL, "error.context.notCompensated", "a, b");
	scene_close(&s);

	/* what did not complete has nothing to undo, and without a stop nothing is undone */
	scene_open(&s, PLAN("", A("a", "compensate: ua, onFailure: skip_dependents") A("ua", "") A("b", "")));
	exits(&s, "b", 0);
	exits(&s, "a", 1);
	expect_seen(&s, "a=failed ua=skipped b=completed : failed");
	scene_close(&s);
}

static void a_compensation_obeys_its_condition_and_policy(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", "compensate: ua") A("b", "dependencies: [a], compensate: ub") A("c", "dependencies: [b]")
				A("ua", "retryPolicy: {maxAttempts: 2, initialDelay: 10, maxDelay: 10, backoffMultiplier: 1, retryableErrors: "
					"[api_unexpected_status], jitter: false}")
				A("ub", "when: b.output.made")));
	exits(&s, "a", 0);
	gives(&s, "b", "{\"made\": false}");
	exits(&s, "c", 1);
	expect_seen(&s, "a=completed b=completed c=failed ua=running ub=skipped : running");
	exits(&s, "ua", 1);
	expect_phase(&s, "ua", PH_BACKOFF);
	later(&s, 10);
	exits(&s, "ua", 0);
	expect_seen(&s, "a=completed b=completed c=failed ua=completed ub=skipped : failed");
	expect_said(&s, EV_EXECUTION_FAILED, NULL, "error.context.notCompensated", "");
	scene_close(&s);
}

static void refused_because(const char *plan, const char *why)
{
	struct diags errors = DIAGS_INIT;
	struct admitted out;

	assert_false(admit_plan("t.yaml", plan, strlen(plan), NULL, NOON, &out, &errors));
	if (!strstr(errors.v[0].message, why))
		fail_msg("%s", errors.v[0].message);
	diags_free(&errors);
}

/* What would wait for ever is refused before it begins. */
static void standbys_that_could_not_work_are_refused(void **state)
{
	(void)state;
	refused_because(PLAN("", A("a", "compensate: u") A("u", "") A("b", "dependencies: [u]")), "\"b\" waits for \"u\", which runs only to undo \"a\"");
	refused_because(PLAN("", A("a", "compensate: u") A("u", "userConfirmation: {required: true, title: t, message: m}")), "nobody can be asked");
	refused_because(PLAN("", A("a", "compensate: u, errorHandling: {continueOnFailure: false, alternativeActionId: u}") A("u", "")), "cannot be an alternative");
	refused_because(PLAN("", A("a", "compensate: u") A("u", "compensate: v") A("v", "")), "what undoes is not undone itself");
	refused_because(PLAN("", A("a", "compensate: u") A("u", "forEach: [1]")), "it cannot be a list");
	refused_because(PLAN("", A("a", "compensate: u") A("u", "errorHandling: {continueOnFailure: false, alternativeActionId: v}") A("v", "")), "no alternative is called for");
	refused_because(PLAN("", A("a", "errorHandling: {continueOnFailure: false, alternativeActionId: b}")
				 A("b", "errorHandling: {continueOnFailure: false, alternativeActionId: c}") A("c", "dependencies: [a]")),
			"\"a\" may call for \"b\" may call for \"c\" waits for \"a\"");
	refused_because(PLAN("", A("a", "errorHandling: {continueOnFailure: false, alternativeActionId: b}")
				 A("b", "errorHandling: {continueOnFailure: false, alternativeActionId: c}") A("c", "dependencies: [d]") A("d", "dependencies: [a]")),
			"\"c\" waits for \"d\" waits for \"a\"");
}

/* Design section 9: alternatives may be shared, also by primaries that come one after the other. */
static void an_alternative_is_shared_in_sequence(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", "errorHandling: {continueOnFailure: false, alternativeActionId: r}")
				A("b", "dependencies: [a], errorHandling: {continueOnFailure: false, alternativeActionId: r}")
				A("r", "") A("c", "dependencies: [b]")));
	exits(&s, "a", 0);
	exits(&s, "b", 1);
	expect_seen(&s, "a=completed b=failed r=running c=pending : running");
	exits(&s, "r", 0);
	exits(&s, "c", 0);
	expect_seen(&s, "a=completed b=failed r=completed c=completed : completed");
	scene_close(&s);
}

/* RUN-ROLLBACK: what was undone, and all that stood on it, is done again when the execution is opened again. */
static void what_was_undone_is_done_again(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", "compensate: u") A("m", "dependencies: [a]") A("c", "dependencies: [m]") A("u", "") A("o", "")));
	exits(&s, "o", 0);
	exits(&s, "a", 0);
	exits(&s, "m", 0);
	exits(&s, "c", 1);
	exits(&s, "u", 0);
	expect_seen(&s, "a=completed m=completed c=failed u=completed o=completed : failed");
	expect_ok(orders(&s, "retry", "c"));
	expect_seen(&s, "a=running m=pending c=pending u=pending o=completed : running");
	exits(&s, "a", 0);
	exits(&s, "m", 0);
	exits(&s, "c", 0);
	expect_seen(&s, "a=completed m=completed c=completed u=skipped o=completed : completed");
	scene_close(&s);
}

/* An alternative of an alternative that is not needed: who depends on it goes on. */
static void unneeded_alternatives_in_a_chain(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("", A("a", "errorHandling: {continueOnFailure: false, alternativeActionId: b}")
				A("b", "errorHandling: {continueOnFailure: false, alternativeActionId: c}") A("c", "") A("d", "dependencies: [a, c]")));
	exits(&s, "a", 0);
	exits(&s, "d", 0);
	expect_seen(&s, "a=completed b=skipped c=skipped d=completed : completed");
	scene_close(&s);
}

/* ---- time, outcomes ---- */

static void the_plan_has_its_time(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, PLAN("timeoutMs: 1000\n", A("a", "compensate: u") A("b", "dependencies: [a]") A("c", "dependencies: [b]") A("u", "")));
	exits(&s, "a", 0);
	assert_int_equal(core_deadline(s.x), NOON + 1000);
	later(&s, 1000);
	assert_true(core_must_end(s.x, at(&s, "b")));
	ends(&s, "b", (struct attempt_result){.outcome = ATTEMPT_TERMINATED});
	assert_int_equal(core_deadline(s.x), 0);
	exits(&s, "u", 0);
	expect_seen(&s, "a=completed b=failed c=skipped u=completed : failed");
	expect_said(&s, EV_EXECUTION_FAILED, NULL, "error.code", "plan_timeout");
	expect_said(&s, EV_ACTION_SKIPPED, "c", "reason", "the plan's time was over");
	scene_close(&s);
}

/* ORCH-013 */
static void expected_outcomes(void **state)
{
	static const struct {
		const char *op, *value, *output, *holds;
	} cases[] = {
	    {"exists", "", "{\"v\": 0}", "true"},		{"exists", "", "{\"v\": null}", "false"},
	    {"exists", "", "{}", "false"},			{"equals", "7", "{\"v\": 7}", "true"},
	    {"equals", "7", "{\"v\": \"7\"}", "true"},	{"equals", "7", "{\"v\": 8}", "false"},
	    {"equals", "true", "{\"v\": true}", "true"},	{"contains", "el", "{\"v\": \"hello\"}", "true"},
	    {"contains", "x", "{\"v\": \"hello\"}", "false"}, {"contains", "b", "{\"v\": [\"a\", \"b\"]}", "true"},
	    {"contains", "2", "{\"v\": [1, 2]}", "true"},	{"contains", "k", "{\"v\": {\"k\": 1}}", "true"},
	    {"matches", "^h.*o$", "{\"v\": \"hello\"}", "true"}, {"matches", "^x", "{\"v\": \"hello\"}", "false"},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof cases / sizeof *cases; k++) {
		AUTO_BUF struct buf plan = BUF_INIT;
		struct scene s;

		buf_printf(&plan, "name: t\nactions:\n%sexpectedOutcome: {validations: [{name: n, reference: '${a.output.v}', operator: %s, value: '%s'}]}\n",
			   A("a", ""), cases[k].op, cases[k].value);
		scene_open(&s, buf_str(&plan));
		gives(&s, "a", cases[k].output);
		if (strcmp(said(&s, EV_OUTCOME_VALIDATED, NULL, "holds"), cases[k].holds) != 0)
			fail_msg("%s %s %s", cases[k].output, cases[k].op, cases[k].value);
		assert_string_equal(exec_status(s.x), strcmp(cases[k].holds, "true") == 0 ? "completed" : "failed");
		scene_close(&s);
	}
	/* only after success */
	{
		struct scene s;

		scene_open(&s, PLAN("expectedOutcome: {validations: [{name: n, reference: '${a.output.v}', operator: exists}]}\n", A("a", "")));
		exits(&s, "a", 1);
		assert_int_equal(count_events(&s, EV_OUTCOME_VALIDATED, NULL), 0);
		scene_close(&s);
	}
}

static void an_empty_plan_completes(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, "name: t\nactions: []\n");
	expect_seen(&s, ": completed");
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(conditions_decide_when_their_turn_comes),
	    cmocka_unit_test(skips_propagate_and_branches_join),
	    cmocka_unit_test(a_confirmation_holds_only_its_branch),
	    cmocka_unit_test(a_rejection_cancels),
	    cmocka_unit_test(a_confirmation_times_out),
	    cmocka_unit_test(decisions_that_do_not_count),
	    cmocka_unit_test(approvers_quorum_and_self_approval),
	    cmocka_unit_test(a_decision_may_change_inputs),
	    cmocka_unit_test(approvals_are_independent),
	    cmocka_unit_test(cancel),
	    cmocka_unit_test(pause_and_resume),
	    cmocka_unit_test(retry_opens_a_finished_execution),
	    cmocka_unit_test(retry_while_others_go_on),
	    cmocka_unit_test(skip_by_hand),
	    cmocka_unit_test(orders_that_mean_nothing),
	    cmocka_unit_test(a_lost_attempt),
	    cmocka_unit_test(a_loop_goes_round),
	    cmocka_unit_test(compensations_run_in_reverse),
	    cmocka_unit_test(a_compensation_obeys_its_condition_and_policy),
	    cmocka_unit_test(standbys_that_could_not_work_are_refused),
	    cmocka_unit_test(what_was_undone_is_done_again),
	    cmocka_unit_test(an_alternative_is_shared_in_sequence),
	    cmocka_unit_test(unneeded_alternatives_in_a_chain),
	    cmocka_unit_test(the_plan_has_its_time),
	    cmocka_unit_test(expected_outcomes),
	    cmocka_unit_test(an_empty_plan_completes),
	};

	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
