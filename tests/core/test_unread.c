/*
 * test_unread.c - outputs that stand in a file only: asked for when they are there, not now, too large, or lost.
 */
#include <errno.h>

#include "codec/plan_load.h"
#include "core/context.h"
#include "scene.h"

/* What the files hold, and how reading fails: 0 it does not. */
static struct {
	int fails;
	unsigned loads;
} files;

static json_t *load(void *ctx, const struct exec *x, uint32_t i, struct err *e)
{
	(void)ctx;
	files.loads++;
	if (files.fails) {
		err_set(e, files.fails, "no such luck");
		return NULL;
	}
	return json_pack("{s:s, s:[i,i]}", "key", x->plan->actions[i].id, "list", 1, 2);
}

static void scene_with_files(struct scene *s, const char *plan)
{
	files.fails = 0;
	files.loads = 0;
	scene_open(s, plan);
	s->x->load = load;
}

/* It completes with outputs that are too large for the journal: as the shell leaves the event. */
static void fills(struct scene *s, const char *id)
{
	struct attempt_result r = {.outcome = ATTEMPT_EXITED, .started = s->t.now, .finished = s->t.now};
	json_t *more = json_pack("{s:b, s:{s:s, s:i}}", "outputInFile", 1, "outputLocation", "path", "f", "size", 100);

	r.more = more;
	core_result(s->x, &s->t, at(s, id), &r);
	json_decref(more);
}

/* The journal read back leads to the same phases. */
static void expect_same_when_read_back(const struct scene *s)
{
	struct err e;
	size_t k;
	uint32_t i;
	json_t *canonical = json_deep_copy(s->admitted.canonical);
	struct diags found = DIAGS_INIT;
	struct plan *own = plan_load(canonical, &found);
	struct exec *x = exec_new(own, s->x->id);

	for (k = 0; k < s->log.n; k++)
		if (exec_apply(x, &s->log.v[k], &e) < 0)
			fail_msg("%s", e.text);
	for (i = 0; i < s->p->n; i++) {
		enum phase was = s->x->a[i].phase == PH_READY ? PH_BLOCKED : s->x->a[i].phase;
		enum phase is = x->a[i].phase == PH_READY ? PH_BLOCKED : x->a[i].phase;

		assert_string_equal(phase_name(is), phase_name(was));
		assert_int_equal(x->a[i].lost, s->x->a[i].lost);
		assert_int_equal(x->a[i].iteration, s->x->a[i].iteration);
		assert_int_equal(x->a[i].made_again, s->x->a[i].made_again);
	}
	exec_free(x);
	plan_free(own);
	json_decref(canonical);
	diags_free(&found);
}

#define TAKES_KEY D("b", "dependencies: [a], inputs: {command: x, args: ['${a.output.key}']}")

static void outputs_are_loaded_once_and_forgotten(void **state)
{
	struct scene s;

	(void)state;
	scene_with_files(&s, PLAN("", A("a", "") D("b", "dependencies: [a], when: 'a.output.key == \"a\"', "
							 "inputs: {command: x, args: ['${a.output.key}', '${a.output.list}']}")));
	fills(&s, "a");
	scene_turn(&s);
	expect_phase(&s, "b", PH_RUNNING);
	assert_int_equal(files.loads, 1);
	exec_unload(s.x);
	assert_null(state_of(&s, "a")->loaded);
	exits(&s, "b", 0);
	assert_int_equal(files.loads, 1);
	expect_seen(&s, "a=completed b=completed : completed");
	scene_close(&s);
}

static void who_asks_waits_while_they_cannot_be_read(void **state)
{
	struct scene s;
	unsigned tries;

	(void)state;
	scene_with_files(&s, PLAN("", A("a", "") TAKES_KEY));
	files.fails = EMFILE;
	fills(&s, "a");
	scene_turn(&s);
	expect_seen(&s, "a=completed b=pending : running");
	tries = files.loads;
	scene_turn(&s);
	assert_int_equal(files.loads, tries); /* not before its time */
	assert_int_equal(core_deadline(s.x), s.t.now + 1000);
	later(&s, 1000);
	assert_int_equal(files.loads, tries + 1);
	files.fails = EACCES;
	later(&s, 100 * 1000); /* however long it goes on, and whatever it is */
	assert_int_equal(files.loads, tries + 2);
	assert_int_equal(core_deadline(s.x), s.t.now + 60 * 1000);
	expect_same_when_read_back(&s);
	files.fails = 0;
	later(&s, 60 * 1000);
	expect_phase(&s, "b", PH_RUNNING);
	assert_int_equal(count_events(&s, EV_ACTION_LOST, NULL), 0);
	scene_close(&s);
}

static void a_device_that_never_gives_them_back_has_lost_them(void **state)
{
	struct scene s;

	(void)state;
	scene_with_files(&s, PLAN("", A("a", "") TAKES_KEY));
	files.fails = EIO;
	fills(&s, "a");
	scene_turn(&s);
	later(&s, 30 * 1000);
	expect_phase(&s, "a", PH_COMPLETED);
	later(&s, 30 * 1000);
	expect_phase(&s, "a", PH_RUNNING);
	scene_close(&s);
}

static void a_condition_is_not_false_because_they_cannot_be_read(void **state)
{
	struct scene s;

	(void)state;
	scene_with_files(&s, PLAN("", A("a", "") A("b", "dependencies: [a], when: 'exists a.output.key'")
				      A("c", "dependencies: [a], skipIf: ['not exists a.output.key']")));
	files.fails = EMFILE;
	fills(&s, "a");
	scene_turn(&s);
	expect_seen(&s, "a=completed b=pending c=pending : running");
	files.fails = 0;
	later(&s, 1000);
	expect_phase(&s, "b", PH_RUNNING);
	expect_phase(&s, "c", PH_RUNNING);
	scene_close(&s);
}

static void what_is_lost_is_done_again_and_waited_for(void **state)
{
	struct scene s;
	char before[200], after[200];

	(void)state;
	/* c asks for outputs of an action that it does not depend on directly. */
	scene_with_files(&s, PLAN("", A("a", "") A("b", "dependencies: [a]")
				      D("c", "dependencies: [b], when: 'a.status == \"completed\"', "
					     "inputs: {command: x, args: ['${a.output.key}']}")));
	context_idempotency_key(s.x, at(&s, "a"), before, sizeof before);
	fills(&s, "a");
	scene_turn(&s);
	files.fails = ENOENT;
	exits(&s, "b", 0);
	expect_said(&s, EV_ACTION_LOST, "a", "then", "rerun");
	expect_said(&s, EV_ACTION_LOST, "a", "reason", "its outputs are lost: no such luck");
	expect_said(&s, EV_ACTION_REARMED, "a", "reason", "output_lost");
	expect_seen(&s, "a=running b=completed c=pending : running");
	expect_same_when_read_back(&s);
	scene_turn(&s);
	expect_seen(&s, "a=running b=completed c=pending : running");
	context_idempotency_key(s.x, at(&s, "a"), after, sizeof after);
	assert_string_equal(before, after);
	assert_int_equal(state_of(&s, "a")->attempt, 2);
	files.fails = 0;
	fills(&s, "a");
	scene_turn(&s);
	expect_phase(&s, "c", PH_RUNNING);
	exits(&s, "c", 0);
	expect_seen(&s, "a=completed b=completed c=completed : completed");
	assert_int_equal(count_events(&s, EV_ACTION_REARMED, NULL), 1);
	scene_close(&s);
}

static void it_is_not_done_again_for_ever(void **state)
{
	struct scene s;
	int n;

	(void)state;
	scene_with_files(&s, PLAN("", A("a", "") TAKES_KEY));
	files.fails = ENOENT;
	for (n = 0; n < 1 + LOST_RERUNS_MAX; n++) {
		expect_phase(&s, "a", PH_RUNNING);
		fills(&s, "a");
		scene_turn(&s);
	}
	expect_seen(&s, "a=failed b=skipped : failed");
	expect_said(&s, EV_ACTION_FAILED, "a", "error.code", "output_lost");
	expect_said(&s, EV_ACTION_FAILED, "a", "error.category", "state_inconsistent");
	assert_int_equal(count_events(&s, EV_ACTION_LOST, "a"), 1 + LOST_RERUNS_MAX);
	scene_close(&s);
}

static void onlost_fail_and_ask_hold_for_lost_outputs(void **state)
{
	struct scene s;

	(void)state;
	scene_with_files(&s, PLAN("", A("a", "onLost: fail, errorHandling: {continueOnFailure: false, fallbackValue: {key: v}}") TAKES_KEY));
	files.fails = ENOENT;
	fills(&s, "a");
	scene_turn(&s);
	assert_int_equal(state_of(&s, "a")->attempt, 1);
	expect_phase(&s, "a", PH_FAILED);
	expect_phase(&s, "b", PH_RUNNING); /* with what stands in */
	scene_close(&s);

	scene_with_files(&s, PLAN("", A("a", "onLost: ask") TAKES_KEY));
	files.fails = EBADMSG;
	fills(&s, "a");
	scene_turn(&s);
	expect_seen(&s, "a=pending b=pending : paused_for_confirmation");
	expect_said(&s, EV_CONFIRMATION_REQUESTED, "a", "kind", "lost");
	expect_same_when_read_back(&s);
	expect_ok(decides(&s, "kim", "retry", "a"));
	expect_phase(&s, "a", PH_RUNNING);
	files.fails = 0;
	fills(&s, "a");
	scene_turn(&s);
	expect_phase(&s, "b", PH_RUNNING);
	scene_close(&s);

	scene_with_files(&s, PLAN("", A("a", "onLost: ask") TAKES_KEY));
	files.fails = ENOENT;
	fills(&s, "a");
	scene_turn(&s);
	expect_ok(decides(&s, "kim", "reject", "a"));
	expect_seen(&s, "a=failed b=skipped : failed");
	scene_close(&s);
}

static void what_is_too_large_fails_who_asks(void **state)
{
	struct scene s;

	(void)state;
	scene_with_files(&s, PLAN("", A("a", "") TAKES_KEY));
	files.fails = E2BIG;
	fills(&s, "a");
	scene_turn(&s);
	expect_seen(&s, "a=completed b=failed : failed");
	expect_said(&s, EV_ACTION_FAILED, "b", "error.code", "output_too_large");
	expect_said(&s, EV_ACTION_FAILED, "b", "error.message", "the outputs of \"a\" cannot be loaded: no such luck");
	scene_close(&s);
}

static void the_outputs_of_an_alternative_are_made_by_its_primary(void **state)
{
	struct scene s;

	(void)state;
	scene_with_files(&s, PLAN("", A("a", "errorHandling: {continueOnFailure: false, alternativeActionId: alt}") A("alt", "") TAKES_KEY));
	exits(&s, "a", 1);
	files.fails = ENOENT;
	fills(&s, "alt");
	scene_turn(&s);
	expect_phase(&s, "a", PH_RUNNING);
	expect_phase(&s, "alt", PH_BLOCKED);
	expect_same_when_read_back(&s);
	exits(&s, "a", 1);
	expect_phase(&s, "alt", PH_RUNNING);
	files.fails = 0;
	fills(&s, "alt");
	scene_turn(&s);
	expect_phase(&s, "b", PH_RUNNING);
	exits(&s, "b", 0);
	expect_seen(&s, "a=failed alt=completed b=completed : completed");
	scene_close(&s);
}

static void an_item_whose_outputs_are_lost_is_done_again(void **state)
{
	struct scene s;

	(void)state;
	scene_with_files(&s, PLAN("", A("each", "forEach: [1, 2]")));
	gives(&s, "each.0", "{\"key\": 1}");
	files.fails = ENOENT;
	fills(&s, "each.1");
	scene_turn(&s);
	expect_phase(&s, "each", PH_RUNNING);
	expect_phase(&s, "each.0", PH_COMPLETED);
	expect_phase(&s, "each.1", PH_RUNNING);
	expect_same_when_read_back(&s);
	files.fails = EMFILE;
	fills(&s, "each.1");
	scene_turn(&s);
	expect_phase(&s, "each", PH_RUNNING);
	files.fails = 0;
	later(&s, 1000);
	expect_seen(&s, "each=completed each.0=completed each.1=completed : completed");
	expect_said(&s, EV_ACTION_COMPLETED, "each", "output.count", "");
	scene_close(&s);
}

static void items_that_are_too_large_together_fail(void **state)
{
	struct scene s;

	(void)state;
	scene_with_files(&s, PLAN("", A("each", "forEach: [1, 2]")));
	s.x->output_cap = 150;
	fills(&s, "each.0");
	fills(&s, "each.1");
	scene_turn(&s);
	expect_phase(&s, "each", PH_FAILED);
	expect_said(&s, EV_ACTION_FAILED, "each", "error.code", "output_too_large");
	assert_int_equal(files.loads, 0);
	scene_close(&s);
}

static void an_expected_outcome_waits_for_what_it_looks_at(void **state)
{
	struct scene s;

	(void)state;
	scene_with_files(&s, PLAN("expectedOutcome: {validations: [{name: n, reference: '${a.output.key}', operator: equals, value: a}]}\n", A("a", "")));
	files.fails = EMFILE;
	fills(&s, "a");
	scene_turn(&s);
	expect_seen(&s, "a=completed : running");
	files.fails = ENOENT;
	later(&s, 1000);
	later(&s, 0);
	expect_seen(&s, "a=running : running");
	files.fails = 0;
	fills(&s, "a");
	scene_turn(&s);
	expect_seen(&s, "a=completed : completed");
	assert_int_equal(count_events(&s, EV_OUTCOME_VALIDATED, NULL), 1);
	scene_close(&s);
}

static void a_compensation_waits_and_fails_when_they_are_lost(void **state)
{
	struct scene s;

	(void)state;
	scene_with_files(&s, PLAN("", A("a", "compensate: undo")
				      D("undo", "when: 'a.output.key == \"a\"', inputs: {command: x, args: ['${a.output.key}']}")
				      A("b", "dependencies: [a]")));
	fills(&s, "a");
	scene_turn(&s);
	files.fails = EMFILE;
	exits(&s, "b", 1);
	expect_seen(&s, "a=completed undo=pending b=failed : running");
	later(&s, 1000);
	expect_seen(&s, "a=completed undo=pending b=failed : running");
	files.fails = ENOENT;
	later(&s, 1000);
	expect_seen(&s, "a=completed undo=failed b=failed : failed");
	expect_said(&s, EV_ACTION_FAILED, "undo", "error.code", "output_lost");
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(outputs_are_loaded_once_and_forgotten),
	    cmocka_unit_test(who_asks_waits_while_they_cannot_be_read),
	    cmocka_unit_test(a_device_that_never_gives_them_back_has_lost_them),
	    cmocka_unit_test(a_condition_is_not_false_because_they_cannot_be_read),
	    cmocka_unit_test(what_is_lost_is_done_again_and_waited_for),
	    cmocka_unit_test(it_is_not_done_again_for_ever),
	    cmocka_unit_test(onlost_fail_and_ask_hold_for_lost_outputs),
	    cmocka_unit_test(what_is_too_large_fails_who_asks),
	    cmocka_unit_test(the_outputs_of_an_alternative_are_made_by_its_primary),
	    cmocka_unit_test(an_item_whose_outputs_are_lost_is_done_again),
	    cmocka_unit_test(items_that_are_too_large_together_fail),
	    cmocka_unit_test(an_expected_outcome_waits_for_what_it_looks_at),
	    cmocka_unit_test(a_compensation_waits_and_fails_when_they_are_lost),
	};

	return cmocka_run_group_tests_name("unread", tests, NULL, NULL);
}
