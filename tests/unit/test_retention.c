/* Which executions have been kept long enough. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/retention.h"

enum { MAX = 12 };
#define DAY 86400000LL
#define NOW (1000 * DAY)

/* "c3": completed, ended 3 days ago; f failed, x cancelled, o open, u unreadable.  Then + active, ? quarantined,
 * <N child of the N-th (from 0), *B takes B bytes. */
static struct stored parse(const char *word, unsigned k)
{
	static const char letters[] = "cfxou";
	struct stored s = {.status = (enum stored_status)(strchr(letters, word[0]) - letters)};
	const char *at;
	int n;

	snprintf(s.id, sizeof s.id, "01a1fc7b-9a04-7000-9fb3-7079531%05u", k);
	s.ended = NOW - (msec)strtol(word + 1, (char **)&at, 10) * DAY;
	for (; *at; at++) {
		n = atoi(at + 1);
		if (*at == '+')
			s.active = true;
		else if (*at == '?')
			s.quarantined = true;
		else if (*at == '<')
			snprintf(s.parent, sizeof s.parent, "01a1fc7b-9a04-7000-9fb3-7079531%05d", n);
		else if (*at == '*')
			s.bytes = (uint64_t)n;
	}
	return s;
}

static size_t parse_all(const char *text, struct stored *v)
{
	char copy[200], *word, *save = NULL;
	size_t n = 0;

	snprintf(copy, sizeof copy, "%s", text);
	for (word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save), n++)
		v[n] = parse(word, (unsigned)n);
	return n;
}

/* What came of each: k kept, K kept because of another of its tree, + ? u kept for what it is, a s c b gone for its age,
 * the count of its status, the count of all, the bytes. */
static void check(const char *rules, const char *stored, const char *expected, bool break_trees)
{
	static const char letters[] = "k+?uKascb";
	json_t *o = json_loads(rules, 0, NULL);
	struct retention r;
	struct stored v[MAX];
	size_t n = parse_all(stored, v), k;
	char got[MAX + 1] = "";

	assert_non_null(o);
	retention_read(&r, o);
	r.break_trees = break_trees;
	retention_choose(&r, v, n, NOW);
	for (k = 0; k < n; k++)
		got[k] = letters[v[k].verdict];
	if (strcmp(got, expected) != 0)
		fail_msg("%s of %s: %s, not %s", rules, stored, got, expected);
	json_decref(o);
}

static void limits(void **state)
{
	static const struct {
		const char *rules, *stored, *expected;
	} rows[] = {
	    {"{}", "c900 f900", "kk"},
	    {"{\"keep_days\": 90}", "c89 c90 c91 f200 x10", "kaaak"},
	    {"{\"keep_days\": 90}", "c200+ c200? o200 u200 c200", "+?uua"},
	    {"{\"keep_days\": 0}", "c0 f1", "aa"},
	    {"{\"keep_days\": 30, \"by_status\": {\"failed\": {\"keep_days\": 365}}}", "c31 f31 f364 f366 x31", "akkaa"},
	    {"{\"by_status\": {\"cancelled\": {\"keep_days\": 1}}}", "c900 f900 x2", "kka"},
	    {"{\"max_executions\": 2}", "c9 c1 f5 x7 c3", "ckcck"},
	    {"{\"max_executions\": 0}", "c9 c1+", "c+"},
	    {"{\"max_executions\": 2, \"min_days\": 6}", "c9 c1 f5 x7 c3", "ckkck"},
	    {"{\"max_executions\": 1, \"min_days\": 6}", "c9 c1 f5 x7 c3", "ckkck"},
	    {"{\"max_executions\": 2, \"by_status\": {\"failed\": {\"min_days\": 50}}}", "f9 f20 c1 c2 f60", "kkccc"},
	    {"{\"by_status\": {\"failed\": {\"max_executions\": 1}}}", "f9 f20 c1 c2 f1", "sskkk"},
	    {"{\"max_bytes\": 100}", "c3*60 c2*60 c1*40", "bkk"},
	    {"{\"max_bytes\": 100}", "c3*60 c2*60 c1*90", "bbk"},
	    {"{\"max_bytes\": 100}", "c3*10 c2*60 c1*30", "kkk"},
	    {"{\"keep_days\": 5, \"max_bytes\": 70}", "c9*60 c2*60 c1*40", "abk"},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++)
		check(rows[k].rules, rows[k].stored, rows[k].expected, false);
}

/* RUN-TREE: what belongs together goes together, by its root's status and its last end. */
static void trees(void **state)
{
	static const char ninety[] = "{\"keep_days\": 90}";

	(void)state;
	check(ninety, "c100 c99<0 f98<1", "aaa", false);
	check(ninety, "c100 c99<0 c80<1", "kkk", false);
	check(ninety, "c100 c99<0 c80<1", "aak", true);
	check(ninety, "c100 c99+<0 c98<1", "K+K", false);
	check(ninety, "c100 c99+<0 c98<1", "a+K", true);
	check(ninety, "c100+ c99<0", "+K", false);
	check(ninety, "c100+ c99<0 c99<1", "+Ka", true);
	check(ninety, "c100 c99<0 u99<0 c99?", "KKu?", false);
	/* the parent is gone: a tree of its own */
	check(ninety, "c100<9 c99<9", "aa", false);
	/* the root's status decides */
	check("{\"keep_days\": 90, \"by_status\": {\"failed\": {\"keep_days\": 300}}}", "f100 c99<0 c100 f99<2", "kkaa", false);
	/* records that name each other make no circle, and no endless loop */
	check(ninety, "c100<1 c99<0 c99<2", "aaa", false);
	/* each of a tree counts, and goes with it */
	check("{\"max_executions\": 3}", "c9 c8<0 c7<0 c5", "ccck", false);
	check("{\"max_bytes\": 100}", "c9*50 c4*50<0 c5*40 c3*40", "bbbk", false);
}

static void statuses(void **state)
{
	struct retention r;
	struct stored v[MAX];

	(void)state;
	retention_clear(&r);
	assert_false(retention_limits(&r));
	r.all.most = 1;
	r.only[STORED_COMPLETED] = r.only[STORED_CANCELLED] = false;
	parse_all("f9 c8 f7 c6", v);
	retention_choose(&r, v, 4, NOW);
	assert_int_equal(v[0].verdict, GO_COUNT);
	assert_int_equal(v[1].verdict, KEEP);
	assert_int_equal(v[2].verdict, KEEP);
	assert_true(retention_limits_executions(&r));
	assert_int_equal(stored_status_parse("failed"), STORED_FAILED);
	assert_int_equal(stored_status_parse("open"), -1);
}

/* By age alone nothing younger needs to be looked at. */
static void cutoff(void **state)
{
	static const struct {
		const char *rules;
		msec expected;
	} rows[] = {
	    {"{\"keep_days\": 90}", NOW - 90 * DAY},
	    {"{\"keep_days\": 90, \"by_status\": {\"failed\": {\"keep_days\": 300}, \"cancelled\": {\"keep_days\": 7}}}", NOW - 7 * DAY},
	    {"{\"by_status\": {\"failed\": {\"keep_days\": 300}}}", NOW - 300 * DAY},
	    {"{\"keep_days\": 90, \"max_executions\": 5}", INT64_MAX},
	    {"{\"keep_days\": 90, \"max_bytes\": 5}", INT64_MAX},
	    {"{\"keep_days\": 90, \"by_status\": {\"failed\": {\"max_executions\": 5}}}", INT64_MAX},
	    {"{\"events_days\": 3}", INT64_MIN},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		json_t *o = json_loads(rows[k].rules, 0, NULL);
		struct retention r;

		retention_read(&r, o);
		if (retention_cutoff(&r, NOW) != rows[k].expected)
			fail_msg("%s: %lld", rows[k].rules, (long long)retention_cutoff(&r, NOW));
		json_decref(o);
	}
}

/* A number that is not reached needs nobody to be looked at. */
static void narrowed(void **state)
{
	struct retention r;

	(void)state;
	retention_clear(&r);
	r.all.keep = 90 * DAY;
	r.all.most = 10;
	r.by[STORED_FAILED].most = 5;
	retention_narrow(&r, 11);
	assert_int_equal(r.all.most, 10);
	assert_int_equal(r.by[STORED_FAILED].most, 5);
	retention_narrow(&r, 10);
	assert_int_equal(r.all.most, RETENTION_NO_LIMIT);
	assert_true(retention_cutoff(&r, NOW) == INT64_MAX);
	retention_narrow(&r, 5);
	assert_true(retention_cutoff(&r, NOW) == NOW - 90 * DAY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(limits), cmocka_unit_test(trees), cmocka_unit_test(statuses),
					   cmocka_unit_test(cutoff), cmocka_unit_test(narrowed)};

	return cmocka_run_group_tests_name("retention", tests, NULL, NULL);
}
