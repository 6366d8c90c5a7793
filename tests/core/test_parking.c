/*
 * An API that said "too much" is left alone (S0-API rateLimiting): every state and event, and how long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/parking.h"

enum { NOW = 1000000, INITIAL = 100, MOST = 1000 };

static const struct park_rule reset_rule = {PARK_RESPECT_RESET, INITIAL, MOST};

static void every_state_and_event(void **state)
{
	static const struct {
		enum park_state from;
		enum park_event event;
		msec reset;
		enum park_state to;
		bool changed;
		msec until;
	} rows[] = {
	    {PARK_OPEN, PARK_LIMITED, 0, PARK_PARKED, true, NOW + INITIAL},
	    {PARK_OPEN, PARK_LIMITED, NOW + 300, PARK_PARKED, true, NOW + 300},
	    {PARK_OPEN, PARK_PROBE, 0, PARK_OPEN, false, 0},
	    {PARK_OPEN, PARK_PROBE_PASSED, 0, PARK_OPEN, false, 0},
	    {PARK_OPEN, PARK_PROBE_LIMITED, 0, PARK_OPEN, false, 0},
	    {PARK_OPEN, PARK_PROBE_GONE, 0, PARK_OPEN, false, 0},
	    /* parked until NOW: due */
	    {PARK_PARKED, PARK_LIMITED, 0, PARK_PARKED, true, NOW + INITIAL},
	    {PARK_PARKED, PARK_LIMITED, NOW - 5, PARK_PARKED, true, NOW + INITIAL},
	    {PARK_PARKED, PARK_PROBE, 0, PARK_PROBING, true, NOW},
	    {PARK_PARKED, PARK_PROBE_PASSED, 0, PARK_PARKED, false, NOW},
	    {PARK_PARKED, PARK_PROBE_LIMITED, 0, PARK_PARKED, false, NOW},
	    {PARK_PARKED, PARK_PROBE_GONE, 0, PARK_PARKED, false, NOW},
	    {PARK_PROBING, PARK_LIMITED, NOW + 300, PARK_PROBING, false, NOW},
	    {PARK_PROBING, PARK_PROBE, 0, PARK_PROBING, false, NOW},
	    {PARK_PROBING, PARK_PROBE_PASSED, 0, PARK_OPEN, true, 0},
	    {PARK_PROBING, PARK_PROBE_LIMITED, NOW + 300, PARK_PARKED, true, NOW + 300},
	    {PARK_PROBING, PARK_PROBE_GONE, 0, PARK_PARKED, true, NOW},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		struct parking p = {.state = rows[k].from};

		if (p.state != PARK_OPEN)
			p = (struct parking){rows[k].from, NOW - 500, NOW, 1};
		if (parking_step(&p, &reset_rule, rows[k].event, rows[k].reset, NOW) != rows[k].changed || p.state != rows[k].to ||
		    p.until != rows[k].until)
			fail_msg("row %zu: %s until %lld", k, park_state_name(p.state), (long long)p.until);
	}
}

static void how_long(void **state)
{
	static const struct {
		struct park_rule rule;
		uint32_t times; /* in a row, this one counted */
		msec reset;     /* after NOW; 0: not known */
		msec wait;
	} rows[] = {
	    {{PARK_EXPONENTIAL, INITIAL, MOST}, 1, 0, 100},
	    {{PARK_EXPONENTIAL, INITIAL, MOST}, 2, 0, 200},
	    {{PARK_EXPONENTIAL, INITIAL, MOST}, 4, 0, 800},
	    {{PARK_EXPONENTIAL, INITIAL, MOST}, 5, 0, MOST},
	    {{PARK_EXPONENTIAL, INITIAL, MOST}, 4000000000u, 0, MOST},
	    {{PARK_EXPONENTIAL, INITIAL, MOST}, 2, 150, 200}, /* not shorter than its own */
	    {{PARK_EXPONENTIAL, INITIAL, MOST}, 2, 700, 700}, /* nor than it asks for */
	    {{PARK_EXPONENTIAL, INITIAL, MOST}, 1, 5000, MOST},
	    {{PARK_LINEAR, INITIAL, MOST}, 3, 0, 300},
	    {{PARK_LINEAR, INITIAL, MOST}, 11, 0, MOST},
	    {{PARK_LINEAR, INITIAL, MOST}, 4000000000u, 0, MOST},
	    {{PARK_LINEAR, INITIAL, MOST}, 3, 20, 300},
	    {{PARK_RESPECT_RESET, INITIAL, MOST}, 3, 0, INITIAL},
	    {{PARK_RESPECT_RESET, INITIAL, MOST}, 3, 20, 20},
	    {{PARK_RESPECT_RESET, INITIAL, MOST}, 3, 86400000, MOST},
	    {{PARK_RESPECT_RESET, INITIAL, 50}, 1, 0, 50},
	    {{PARK_EXPONENTIAL, 0, MOST}, 5, 0, 0},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		struct parking p = {PARK_PROBING, NOW - 500, NOW, rows[k].times - 1};

		assert_true(parking_step(&p, &rows[k].rule, PARK_PROBE_LIMITED, rows[k].reset ? NOW + rows[k].reset : 0, NOW));
		if (p.until != NOW + rows[k].wait)
			fail_msg("row %zu: %lld", k, (long long)(p.until - NOW));
	}
}

static void what_was_under_way_makes_it_longer_only(void **state)
{
	struct parking p = {0};

	(void)state;
	assert_true(parking_step(&p, &reset_rule, PARK_LIMITED, NOW + 500, NOW));
	assert_false(parking_step(&p, &reset_rule, PARK_LIMITED, NOW + 300, NOW + 10));
	assert_false(parking_step(&p, &reset_rule, PARK_LIMITED, 0, NOW + 20));
	assert_int_equal(p.until, NOW + 500);
	assert_true(parking_step(&p, &reset_rule, PARK_LIMITED, NOW + 800, NOW + 30));
	assert_int_equal(p.until, NOW + 800);
	assert_int_equal(p.times, 1);
}

static void when_it_holds(void **state)
{
	struct parking p = {0};

	(void)state;
	assert_false(parking_holds(&p, NOW));
	parking_step(&p, &reset_rule, PARK_LIMITED, NOW + 500, NOW);
	assert_true(parking_holds(&p, NOW + 499));
	assert_true(parking_due(&p, NOW + 500));
	assert_false(parking_holds(&p, NOW + 500));
	assert_true(parking_due(&p, NOW - 1)); /* the clock was set back */
	parking_step(&p, &reset_rule, PARK_PROBE, 0, NOW + 500);
	assert_true(parking_holds(&p, NOW + 500));
	assert_false(parking_due(&p, NOW + 500));
	assert_int_equal(park_state_parse("probing"), PARK_PROBING);
	assert_int_equal(park_state_parse("closed"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_state_and_event),
	    cmocka_unit_test(how_long),
	    cmocka_unit_test(what_was_under_way_makes_it_longer_only),
	    cmocka_unit_test(when_it_holds),
	};

	return cmocka_run_group_tests_name("parking", tests, NULL, NULL);
}
