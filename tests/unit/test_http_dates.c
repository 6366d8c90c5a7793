/*
 * Dates and waits in answers: HTTP dates, Retry-After, reset fields (S0-API), over the corpora in tests/corpus/http.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actions/http/http_date.h"
#include "actions/http/ratelimit.h"
#include "base/mem.h"

#define NOW 1795228113000LL /* 2026-11-21 */

/* Numbers beyond 64 bits are in it. */
static json_t *corpus(const char *name)
{
	const char *tests = getenv("CREEL_TESTS");
	AUTO_FREE char *path = xasprintf("%s/corpus/http/%s", tests ? tests : "tests", name);
	json_error_t wrong;
	json_t *v = json_load_file(path, JSON_DECODE_INT_AS_REAL, &wrong);

	if (!v)
		fail_msg("%s: %s; run from the top of the tree, or set CREEL_TESTS", path, wrong.text);
	return v;
}

static const char *text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static void the_three_forms(void **state)
{
	json_t *all = corpus("http_dates.json"), *row;
	size_t i;
	msec t;

	(void)state;
	assert_int_equal(json_array_size(json_object_get(all, "rfc9110")), 3);
	json_array_foreach(json_object_get(all, "rfc9110"), i, row) {
		assert_true(http_date_parse(text(row, "input"), NOW, &t));
		assert_int_equal(t, (msec)json_number_value(json_object_get(row, "epoch")) * 1000);
	}
	json_decref(all);
}

static void valid_or_not(void **state)
{
	json_t *all = corpus("http_dates.json"), *row;
	size_t i, n = 0;
	msec t;

	(void)state;
	json_array_foreach(json_object_get(all, "strict_validity"), i, row) {
		n++;
		if (http_date_parse(text(row, "input"), NOW, &t) != json_is_true(json_object_get(row, "valid_http_date")))
			fail_msg("%s", text(row, "input"));
	}
	assert_int_equal(n, 17);
	json_decref(all);
}

/* curl takes nearly everything; what we take, we must read as it does. */
static void as_curl_reads_them(void **state)
{
	json_t *all = corpus("http_dates.json"), *row, *epoch;
	size_t i, taken = 0;
	msec t;

	(void)state;
	json_array_foreach(json_object_get(all, "lenient_curl"), i, row) {
		if (!http_date_parse(text(row, "input"), NOW, &t))
			continue;
		taken++;
		epoch = json_object_get(row, "epoch");
		if (json_is_number(epoch) && t != (msec)json_number_value(epoch) * 1000)
			fail_msg("%s is %lld", text(row, "input"), (long long)t);
	}
	assert_in_range(taken, 5, 40); /* of 178 */
	json_decref(all);
}

static void single_dates(void **state)
{
	static const struct {
		const char *input;
		msec want; /* -1: no date */
	} rows[] = {
	    {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777000},
	    {"sun, 06 nov 1994 08:49:37 gmt", 784111777000},
	    {"Mon, 06 Nov 1994 08:49:37 GMT", 784111777000}, /* it was a Sunday */
	    {"Thu, 29 Feb 2024 00:00:00 GMT", 1709164800000},
	    {"Wed, 29 Feb 2023 00:00:00 GMT", -1},
	    {"Thu, 31 Apr 2024 00:00:00 GMT", -1},
	    {"Thu, 00 Apr 2024 00:00:00 GMT", -1},
	    {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
	    {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800000}, /* a leap second */
	    {"Sat, 31 Dec 2016 23:59:61 GMT", -1},
	    {"Sat, 31 Dec 2016 24:00:00 GMT", -1},
	    {"Sun, 06 Nov 1994 08:49:37 GMT ", -1},
	    {"Sun, 06 Nov 1994 08:49:37", -1},
	    {"Sun, 06 Nov 1994 08:49:37 PST", -1},
	    {"Sun, 6 Nov 1994 08:49:37 GMT", -1},
	    {"Sun Nov  6 08:49:37 1994", 784111777000},
	    {"Sun Nov 06 08:49:37 1994", 784111777000},
	    {"Sun Nov 6 08:49:37 1994", -1},
	    {"Sun Nov 16 08:49:37 1994", 784975777000},
	    {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777000},
	    {"Saturday, 21-Nov-26 08:49:37 GMT", 1795250977000},
	    {"Monday, 01-Jan-76 00:00:00 GMT", 3345062400000}, /* 2076: less than 50 years ahead of 2026 */
	    {"Saturday, 01-Jan-77 00:00:00 GMT", 220924800000},  /* 1977 */
	    {"Sun, 06-Nov-94 08:49:37 GMT", -1},
	    {"", -1},
	    {"120", -1},
	};
	size_t k;
	msec t;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		bool good = http_date_parse(rows[k].input, NOW, &t);

		if (good != (rows[k].want >= 0) || (good && t != rows[k].want))
			fail_msg("\"%s\" is %lld", rows[k].input, good ? (long long)t : -1LL);
	}
}

/* ---- Retry-After ---- */

/* "{IMF-fixdate of now+600}" and its like. */
static const char *fill_in(const char *header)
{
	if (*header != '{')
		return header;
	return strstr(header, "IMF")   ? "Sat, 21 Nov 2026 02:38:33 GMT"
	       : strstr(header, "850") ? "Saturday, 21-Nov-26 02:38:33 GMT"
				       : "Sat Nov 21 02:38:33 2026";
}

static msec wanted_delay(const json_t *rfc, msec cap)
{
	const json_t *epoch = json_object_get(rfc, "epoch"), *delay = json_object_get(rfc, "delay_s");
	double ms = epoch ? json_number_value(epoch) * 1000 - NOW : json_number_value(delay) * 1000;

	return ms < 0 ? 0 : ms > (double)cap ? cap : (msec)ms;
}

static void retry_after(void **state)
{
	json_t *all = corpus("retry_after.json"), *row;
	const struct rate_clock clock = {.now = NOW, .cap = 86400000};
	size_t i, n = 0;

	(void)state;
	json_array_foreach(json_object_get(all, "rows"), i, row) {
		const json_t *rfc = json_object_get(row, "rfc9110");
		const char *header = fill_in(text(row, "header"));
		char field[64];
		struct headers h = {0};
		struct rate rate;
		bool valid = strcmp(text(rfc, "kind"), "invalid") != 0;

		n++;
		/* As it comes out of a message: without blanks around it. */
		snprintf(field, sizeof field, "%s", header + strspn(header, " "));
		while (*field && field[strlen(field) - 1] == ' ')
			field[strlen(field) - 1] = '\0';
		if (strcmp(field, "mon, 06 nov 2034 08:49:37 gmt") == 0)
			continue; /* the one where we are kinder: http_date.h */
		headers_add(&h, "Retry-After", field);
		rate_read(NULL, 503, &h, NULL, 0, &clock, &rate);
		headers_free(&h);
		if (valid && strstr(text(rfc, "kind"), "rfc850") && json_object_get(rfc, "two_digit_year"))
			assert_int_equal(rate.retry_after, NOW); /* 1994 */
		else if ((rate.retry_after > 0) != valid || (valid && rate.retry_after != NOW + wanted_delay(rfc, clock.cap)))
			fail_msg("Retry-After: %s gives %lld", field, (long long)rate.retry_after);
	}
	assert_int_equal(n, 36);
	json_decref(all);
}

/* ---- resets ---- */

static void resets(void **state)
{
	static const struct {
		const char *value;
		enum reset_format format;
		msec want; /* relative to now; -1: not understood */
	} rows[] = {
	    {"1795228173", RESET_UNIX_SECONDS, 60000},
	    {"1795228173.5", RESET_UNIX_SECONDS, 60500},
	    {"1795228100", RESET_UNIX_SECONDS, 0}, /* over */
	    {"60", RESET_UNIX_SECONDS, 60000},     /* no such point in time: a delay */
	    {"0", RESET_UNIX_SECONDS, 0},
	    {"99999999999999999999999", RESET_UNIX_SECONDS, 86400000},
	    {"-5", RESET_UNIX_SECONDS, -1},
	    {"soon", RESET_UNIX_SECONDS, -1},
	    {"", RESET_UNIX_SECONDS, -1},
	    {"2026-11-21T02:29:33Z", RESET_UNIX_SECONDS, -1},
	    {"1795228173000", RESET_UNIX_MS, 60000},
	    {"1795228173001", RESET_UNIX_MS, 60001},
	    {"1500", RESET_UNIX_MS, 1500},
	    {"1795228173", RESET_UNIX_MS, 86400000}, /* not seconds: twenty days */
	    {"2026-11-21T02:29:33Z", RESET_ISO8601, 60000},
	    {"2026-11-21T02:29:33.250Z", RESET_ISO8601, 60250},
	    {"2026-11-21T03:29:33+01:00", RESET_ISO8601, 60000},
	    {"2026-11-20T00:00:00Z", RESET_ISO8601, 0},
	    {"2099-01-01T00:00:00Z", RESET_ISO8601, 86400000},
	    {"1795228173", RESET_ISO8601, -1},
	    {"1795228173", RESET_GUESS, 60000},
	    {"1795228173000", RESET_GUESS, 60000},
	    {"60", RESET_GUESS, 60000},
	    {"2026-11-21T02:29:33Z", RESET_GUESS, 60000},
	    {"Sat, 21 Nov 2026 02:29:33 GMT", RESET_GUESS, 60000},
	    {"tomorrow", RESET_GUESS, -1},
	};
	const struct rate_clock clock = {.now = NOW, .cap = 86400000};
	size_t k;
	msec t;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		bool good = rate_reset_parse(rows[k].value, rows[k].format, &clock, &t);

		if (good != (rows[k].want >= 0) || (good && t != NOW + rows[k].want))
			fail_msg("\"%s\" as %d is %lld from now", rows[k].value, rows[k].format, good ? (long long)(t - NOW) : -1LL);
	}
}

static void another_clock(void **state)
{
	struct headers h = {0};
	struct rate_clock clock;
	msec t;

	(void)state;
	/* The server is an hour behind: what it calls 60 seconds from its now is that from ours. */
	headers_add(&h, "Date", "Sat, 21 Nov 2026 01:28:33 GMT");
	clock = rate_clock_make(&h, NOW, 86400000);
	assert_true(retry_after_parse("Sat, 21 Nov 2026 01:29:33 GMT", &clock, &t));
	assert_int_equal(t, NOW + 60000);
	assert_true(rate_reset_parse("1795224573", RESET_UNIX_SECONDS, &clock, &t));
	assert_int_equal(t, NOW + 60000);
	assert_true(retry_after_parse("60", &clock, &t));
	assert_int_equal(t, NOW + 60000);
	/* Seconds of difference are the way the answer had. */
	headers_set(&h, "Date", "Sat, 21 Nov 2026 02:28:31 GMT");
	clock = rate_clock_make(&h, NOW, 86400000);
	assert_int_equal(clock.skew, 0);
	headers_set(&h, "Date", "once");
	clock = rate_clock_make(&h, NOW, 86400000);
	assert_int_equal(clock.skew, 0);
	headers_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_three_forms), cmocka_unit_test(valid_or_not), cmocka_unit_test(as_curl_reads_them),
	    cmocka_unit_test(single_dates),    cmocka_unit_test(retry_after),  cmocka_unit_test(resets),
	    cmocka_unit_test(another_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
