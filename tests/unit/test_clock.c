/*
 * base/clock: RFC 3339 in and out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <time.h>

#include "base/clock.h"

static void writes_utc_with_milliseconds(void **state)
{
	static const struct {
		msec at;
		const char *text;
	} cases[] = {
	    {0, "1970-01-01T00:00:00.000Z"},		 {1, "1970-01-01T00:00:00.001Z"},
	    {951782399999, "2000-02-28T23:59:59.999Z"},	 {951782400000, "2000-02-29T00:00:00.000Z"},
	    {4107542400000, "2100-03-01T00:00:00.000Z"}, {253402300799999, "9999-12-31T23:59:59.999Z"},
	    {253402300800000, "9999-12-31T23:59:59.999Z"}, {-1, "1970-01-01T00:00:00.000Z"},
	    {INT64_MAX, "9999-12-31T23:59:59.999Z"},	 {INT64_MIN, "1970-01-01T00:00:00.000Z"},
	};
	char text[CLOCK_TEXT];
	size_t k;

	(void)state;
	for (k = 0; k < sizeof cases / sizeof *cases; k++) {
		clock_format(cases[k].at, text);
		assert_string_equal(text, cases[k].text);
	}
}

static void agrees_with_the_library(void **state)
{
	char text[CLOCK_TEXT], want[64];
	msec at, back;

	(void)state;
	for (at = 0; at < 253402300799999; at += 86400000LL * 97 + 12345678) {
		time_t s = at / 1000;
		struct tm tm;

		gmtime_r(&s, &tm);
		strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S", &tm);
		snprintf(want + strlen(want), sizeof want - strlen(want), ".%03dZ", (int)(at % 1000));
		clock_format(at, text);
		assert_string_equal(text, want);
		assert_true(clock_parse(text, &back));
		assert_true(back == at);
	}
}

static void reads_rfc_3339(void **state)
{
	static const struct {
		const char *text;
		msec at;
	} good[] = {
	    {"1970-01-01T00:00:00Z", 0},	       {"1970-01-01t00:00:00z", 0},	   {"1970-01-01 00:00:01Z", 1000},
	    {"1970-01-01T00:00:00.5Z", 500},	       {"1970-01-01T00:00:00.1239Z", 123}, {"1970-01-01T00:00:00.000000001Z", 0},
	    {"1970-01-01T01:00:00+01:00", 0},	       {"1969-12-31T23:00:00-01:00", 0},   {"1970-01-01T05:30:00+05:30", 0},
	    {"2000-02-29T00:00:00Z", 951782400000}, {"1970-01-01T00:00:60Z", 60000},
	};
	static const char *const bad[] = {
	    "",				"1970-01-01",		    "1970-01-01T00:00:00",	  "1970-01-01T00:00Z",
	    "1970-13-01T00:00:00Z",	"1970-00-01T00:00:00Z",	    "1970-01-32T00:00:00Z",	  "2001-02-29T00:00:00Z",
	    "2100-02-29T00:00:00Z",	"1970-01-01T24:00:00Z",	    "1970-01-01T00:60:00Z",	  "1970-01-01T00:00:61Z",
	    "1970-01-01T00:00:00.Z",	"1970-01-01T00:00:00Zx",    "1970-01-01T00:00:00+1:00",	  "1970-01-01T00:00:00+24:00",
	    "1970-01-01T00:00:00+00:60", " 1970-01-01T00:00:00Z",   "70-01-01T00:00:00Z",	  "1970-01-01T00:00:00.1234567890Z",
	    "1970/01/01T00:00:00Z",	"1970-01-01X00:00:00Z",	    "-970-01-01T00:00:00Z",
	};
	size_t k;
	msec at;

	(void)state;
	for (k = 0; k < sizeof good / sizeof *good; k++)
		if (!clock_parse(good[k].text, &at) || at != good[k].at)
			fail_msg("%s", good[k].text);
	for (k = 0; k < sizeof bad / sizeof *bad; k++)
		if (clock_parse(bad[k], &at))
			fail_msg("%s", bad[k]);
}

static void clocks_go_on(void **state)
{
	msec mono = clock_mono(), wall = clock_wall();

	(void)state;
	assert_true(wall > 1600000000000);
	assert_true(clock_mono() >= mono);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(writes_utc_with_milliseconds),
	    cmocka_unit_test(agrees_with_the_library),
	    cmocka_unit_test(reads_rfc_3339),
	    cmocka_unit_test(clocks_go_on),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
