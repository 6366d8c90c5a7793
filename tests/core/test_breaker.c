/*
 * Circuit breakers (STEP-BREAK): every state and event, then the window, and the clock.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/breaker.h"

static const struct breaker_rule rule = {.failures = 3, .window = 1000, .open = 500};

enum { NOW = 10000 };

static struct breaker in_state(enum breaker_state s)
{
	struct breaker b = {.state = s};

	if (s == BREAKER_CLOSED) {
		b.nfailed = 2;
		b.failed[0] = NOW - 200;
		b.failed[1] = NOW - 100;
	} else {
		b.opened_at = NOW - 500;
		b.probe_at = NOW;
	}
	return b;
}

static void every_state_and_event(void **state)
{
	static const struct {
		enum breaker_state from;
		enum breaker_event event;
		enum breaker_state to;
		bool changed;
		uint32_t failures;
		msec probe_at;
	} rows[] = {
	    {BREAKER_CLOSED, BREAKER_SUCCESS, BREAKER_CLOSED, true, 0, 0},
	    {BREAKER_CLOSED, BREAKER_FAILURE, BREAKER_OPEN, true, 0, NOW + 500},
	    {BREAKER_CLOSED, BREAKER_PROBE, BREAKER_CLOSED, false, 2, 0},
	    {BREAKER_CLOSED, BREAKER_PROBE_SUCCESS, BREAKER_CLOSED, false, 2, 0},
	    {BREAKER_CLOSED, BREAKER_PROBE_FAILURE, BREAKER_CLOSED, false, 2, 0},
	    {BREAKER_CLOSED, BREAKER_PROBE_GONE, BREAKER_CLOSED, false, 2, 0},
	    {BREAKER_OPEN, BREAKER_SUCCESS, BREAKER_OPEN, false, 0, NOW},
	    {BREAKER_OPEN, BREAKER_FAILURE, BREAKER_OPEN, false, 0, NOW},
	    {BREAKER_OPEN, BREAKER_PROBE, BREAKER_HALF_OPEN, true, 0, NOW},
	    {BREAKER_OPEN, BREAKER_PROBE_SUCCESS, BREAKER_OPEN, false, 0, NOW},
	    {BREAKER_OPEN, BREAKER_PROBE_FAILURE, BREAKER_OPEN, false, 0, NOW},
	    {BREAKER_OPEN, BREAKER_PROBE_GONE, BREAKER_OPEN, false, 0, NOW},
	    {BREAKER_HALF_OPEN, BREAKER_SUCCESS, BREAKER_HALF_OPEN, false, 0, NOW},
	    {BREAKER_HALF_OPEN, BREAKER_FAILURE, BREAKER_HALF_OPEN, false, 0, NOW},
	    {BREAKER_HALF_OPEN, BREAKER_PROBE, BREAKER_HALF_OPEN, false, 0, NOW},
	    {BREAKER_HALF_OPEN, BREAKER_PROBE_SUCCESS, BREAKER_CLOSED, true, 0, 0},
	    {BREAKER_HALF_OPEN, BREAKER_PROBE_FAILURE, BREAKER_OPEN, true, 0, NOW + 500},
	    {BREAKER_HALF_OPEN, BREAKER_PROBE_GONE, BREAKER_OPEN, true, 0, NOW},
	};
	size_t k;

	(void)state;
	assert_int_equal(sizeof rows / sizeof *rows, BREAKER_STATES * BREAKER_EVENTS);
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		struct breaker b = in_state(rows[k].from);

		assert_int_equal(breaker_step(&b, &rule, rows[k].event, NOW), rows[k].changed);
		assert_int_equal(b.state, rows[k].to);
		assert_int_equal(b.nfailed, rows[k].failures);
		assert_int_equal(b.probe_at, rows[k].probe_at);
	}
}

static void holds_until_the_probe_is_due(void **state)
{
	struct breaker b = in_state(BREAKER_OPEN), c = in_state(BREAKER_CLOSED), h = in_state(BREAKER_HALF_OPEN);

	(void)state;
	assert_true(breaker_holds(&b, NOW - 1));
	assert_false(breaker_step(&b, &rule, BREAKER_PROBE, NOW - 1));
	assert_false(breaker_holds(&b, NOW));
	assert_true(breaker_due(&b, NOW));
	assert_false(breaker_holds(&c, NOW));
	assert_false(breaker_due(&c, NOW));
	assert_true(breaker_holds(&h, NOW + 100000));
	assert_false(breaker_due(&h, NOW + 100000));
}

static void a_clock_set_back_does_not_hold_for_ever(void **state)
{
	struct breaker b = in_state(BREAKER_OPEN);

	(void)state;
	assert_true(breaker_due(&b, NOW - 501));
	b = in_state(BREAKER_CLOSED);
	assert_true(breaker_step(&b, &rule, BREAKER_FAILURE, NOW - 5000)); /* those of the future do not count */
	assert_int_equal(b.state, BREAKER_CLOSED);
	assert_int_equal(b.nfailed, 1);
}

static void only_failures_within_the_window_count(void **state)
{
	struct breaker b = {0};
	msec now;

	(void)state;
	for (now = 0; now < 20 * 500; now += 500) {
		assert_true(breaker_step(&b, &rule, BREAKER_FAILURE, NOW + now));
		assert_int_equal(b.state, BREAKER_CLOSED); /* never three within a second */
	}
	breaker_step(&b, &rule, BREAKER_FAILURE, NOW + now - 400);
	assert_int_equal(b.state, BREAKER_OPEN);
}

static void a_success_between_begins_anew(void **state)
{
	struct breaker b = {0};
	int k;

	(void)state;
	for (k = 0; k < 10; k++) {
		breaker_step(&b, &rule, BREAKER_FAILURE, NOW + k);
		breaker_step(&b, &rule, BREAKER_FAILURE, NOW + k);
		assert_true(breaker_step(&b, &rule, BREAKER_SUCCESS, NOW + k));
		assert_false(breaker_step(&b, &rule, BREAKER_SUCCESS, NOW + k));
	}
	assert_int_equal(b.state, BREAKER_CLOSED);
}

static void extreme_rules(void **state)
{
	const struct breaker_rule one = {.failures = 1, .window = 1, .open = 0};
	const struct breaker_rule many = {.failures = 100000, .window = 1000, .open = 1};
	struct breaker b = {0};
	int k;

	(void)state;
	breaker_step(&b, &one, BREAKER_FAILURE, NOW);
	assert_int_equal(b.state, BREAKER_OPEN);
	assert_true(breaker_due(&b, NOW));
	b = (struct breaker){0};
	for (k = 0; k < BREAKER_FAILURES_MAX; k++)
		breaker_step(&b, &many, BREAKER_FAILURE, NOW);
	assert_int_equal(b.state, BREAKER_OPEN);
}

static void names_go_both_ways(void **state)
{
	int s;

	(void)state;
	for (s = 0; s < BREAKER_STATES; s++)
		assert_int_equal(breaker_state_parse(breaker_state_name((enum breaker_state)s)), s);
	assert_int_equal(breaker_state_parse("ajar"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_state_and_event),
	    cmocka_unit_test(holds_until_the_probe_is_due),
	    cmocka_unit_test(a_clock_set_back_does_not_hold_for_ever),
	    cmocka_unit_test(only_failures_within_the_window_count),
	    cmocka_unit_test(a_success_between_begins_anew),
	    cmocka_unit_test(extreme_rules),
	    cmocka_unit_test(names_go_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
