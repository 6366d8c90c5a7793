/*
 * Rate limits before sending (S0-DEF rateLimit): the window slides, a server never sees more than the limit, memory has an
 * end, and the clock may be set.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/window.h"

static const struct rate_limit three = {.requests = 3, .window = 1000};

enum { NOW = 1000000 };

static void the_window_slides(void **state)
{
	static const struct {
		msec at;
		uint32_t under_way;
		bool room;
		msec opens;
	} rows[] = {
	    /* sent at NOW, NOW + 400 and NOW + 400 */
	    {NOW + 400, 0, false, NOW + 1000}, {NOW + 999, 0, false, NOW + 1000}, {NOW + 1000, 0, true, NOW + 1000},
	    {NOW + 1000, 1, false, NOW + 1400}, {NOW + 1000, 2, false, NOW + 1400}, {NOW + 1000, 3, false, 0},
	    {NOW + 1399, 1, false, NOW + 1400}, {NOW + 1400, 1, true, NOW + 1400}, {NOW + 1400, 2, true, NOW + 1400},
	    {NOW + 1400, 3, false, 0}, {NOW + 1400, 4, false, 0},
	};
	struct window w = {0};
	size_t k;

	(void)state;
	assert_true(window_has_room(&w, &three, 0, NOW));
	assert_true(window_has_room(&w, &three, 2, NOW));
	assert_false(window_has_room(&w, &three, 3, NOW));
	assert_int_equal(window_opens(&w, &three, 3, NOW), 0);
	window_sent(&w, NOW, 1);
	window_sent(&w, NOW + 400, 1);
	window_sent(&w, NOW + 400, 1);
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		if (window_has_room(&w, &three, rows[k].under_way, rows[k].at) != rows[k].room ||
		    window_opens(&w, &three, rows[k].under_way, rows[k].at) != rows[k].opens)
			fail_msg("row %zu: opens %lld", k, (long long)window_opens(&w, &three, rows[k].under_way, rows[k].at));
	}
	window_free(&w);
}

/* Several at once, as a redirect counts: more than the limit may have been sent. */
static void more_than_the_limit(void **state)
{
	struct window w = {0};

	(void)state;
	assert_true(window_has_room(&w, &three, 0, NOW));
	window_sent(&w, NOW, 2);
	window_sent(&w, NOW + 500, 4);
	assert_int_equal(window_count(&w, &three, NOW + 500), 6);
	assert_int_equal(window_opens(&w, &three, 0, NOW + 600), NOW + 1500);
	assert_true(window_has_room(&w, &three, 0, NOW + 1500));
	window_free(&w);
}

/* A server that counts each request at some moment between its start and its reply never sees more than the limit,
 * however long requests take and in whatever order they end. */
static void a_server_never_sees_more(void **state)
{
	enum { N = 4000, WINDOW = 100, REQUESTS = 7, AT_ONCE = 5 };
	static const struct rate_limit rule = {.requests = REQUESTS, .window = WINDOW};
	static msec counted[N];
	struct window w = {0};
	struct {
		msec ends;
	} running[AT_ONCE];
	uint32_t under_way = 0, sent = 0, k, from = 0;
	uint64_t random = 12345;
	msec now = NOW;

	(void)state;
	while (sent < N) {
		for (k = under_way; k-- > 0;)
			if (running[k].ends <= now) {
				window_sent(&w, now, 1);
				running[k] = running[--under_way];
			}
		while (sent < N && under_way < AT_ONCE && window_has_room(&w, &rule, under_way, now)) {
			msec takes;

			random = random * 6364136223846793005u + 1442695040888963407u;
			takes = (msec)((random >> 33) % 80);
			counted[sent++] = now + (takes ? (msec)((random >> 40) % (uint64_t)takes) : 0);
			running[under_way++].ends = now + takes;
		}
		now++;
	}
	/* counted[] is not sorted: look at each stretch from each request on */
	for (k = 0; k < N; k++) {
		uint32_t n = 0, i;

		while (counted[from] < counted[k] - 2000)
			from++;
		for (i = from; i < N && counted[i] < counted[k] + 2000; i++)
			n += counted[i] >= counted[k] && counted[i] < counted[k] + WINDOW;
		if (n > REQUESTS)
			fail_msg("%u requests within %d ms from %lld", n, WINDOW, (long long)counted[k]);
	}
	/* and it is not idle: half of what the limit would allow, with the replies' time counted in */
	assert_true(now - NOW < (msec)N / REQUESTS * WINDOW * 2);
	window_free(&w);
}

static void memory_has_an_end(void **state)
{
	static const struct rate_limit daily = {.requests = 1000000, .window = 86400000};
	struct window w = {0};
	msec at;

	(void)state;
	assert_true(window_has_room(&w, &daily, 0, NOW));
	for (at = NOW; at < NOW + 86400000; at += 1000)
		window_sent(&w, at, 10);
	assert_true(w.marks.n <= 1001);
	assert_int_equal(window_count(&w, &daily, NOW + 86399000), 864000);
	/* on the safe side: what was put together counts until its last has left */
	assert_true(window_count(&w, &daily, NOW + 2 * 86400000 - 1000 - 86400) > 0);
	assert_false(window_tidy(&w, NOW + 86400000));
	assert_true(window_tidy(&w, NOW + 2 * (msec)86400000));
	assert_int_equal(w.marks.n, 0);
	window_free(&w);
}

static void the_clock_may_be_set(void **state)
{
	struct window w = {0};

	(void)state;
	assert_true(window_has_room(&w, &three, 0, NOW));
	window_sent(&w, NOW, 3);
	/* an hour back: it counts as sent now, and holds for one window more */
	assert_int_equal(window_opens(&w, &three, 0, NOW - 3600000), NOW - 3600000 + 1000);
	assert_true(window_has_room(&w, &three, 0, NOW - 3600000 + 1000));
	window_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_window_slides),      cmocka_unit_test(more_than_the_limit),
	    cmocka_unit_test(a_server_never_sees_more), cmocka_unit_test(memory_has_an_end),
	    cmocka_unit_test(the_clock_may_be_set),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
