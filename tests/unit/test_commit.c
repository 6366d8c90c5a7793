/*
 * codec/commit: the journal's files, and the lines of events/ (design section 2; STEP-EVENTS, S0-STATELESS).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/commit.h"
#include "codec/plan_load.h"

#define PREV "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID "01890000-0000-7000-8000-000000000001"

static struct plan *plan;

static int set_up(void **state)
{
	struct diags errors = DIAGS_INIT;
	json_t *canonical = json_loads("{\"name\": \"n\", \"actions\": [{\"id\": \"a\"}, {\"id\": \"b-2\"}]}", 0, NULL);

	(void)state;
	plan = plan_load(canonical, &errors);
	json_decref(canonical);
	return errors.n != 0;
}

static int clean_up(void **state)
{
	(void)state;
	plan_free(plan);
	return 0;
}

static struct commit three_events(void)
{
	struct commit c = {.seq = 7, .at = 1000};

	strcpy(c.prev, PREV);
	vec_push(&c.events, (struct event){EV_ACTION_COMPLETED, 0, 2, 1000, json_loads("{\"output\": {\"v\": 1.5}, \"exitCode\": 0}", 0, NULL)});
	vec_push(&c.events, (struct event){EV_ACTION_REQUESTED, 1, 1, 999, json_loads("{\"token\": \"\\u0001\\u2028\\\"\"}", 0, NULL)});
	vec_push(&c.events, (struct event){EV_EXECUTION_PAUSED, NO_ACTION, 0, 1000, NULL});
	return c;
}

static void written_as_the_design_says(void **state)
{
	AUTO_BUF struct buf b = BUF_INIT;
	struct commit c = three_events();
	json_t *o;

	(void)state;
	commit_encode(&b, plan, &c);
	assert_string_equal(b.p,
			    "{\"seq\":7,\"prev\":\"" PREV "\",\"at\":\"1970-01-01T00:00:01.000Z\",\"events\":["
			    "{\"type\":\"action.completed\",\"action\":\"a\",\"attempt\":2,\"output\":{\"v\":1.5},\"exitCode\":0},"
			    "{\"type\":\"action.execute.requested\",\"at\":\"1970-01-01T00:00:00.999Z\",\"action\":\"b-2\",\"attempt\":1,"
			    "\"token\":\"\\u0001\xe2\x80\xa8\\\"\"},"
			    "{\"type\":\"execution.paused\"}]}\n");
	o = json_loads(b.p, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(o);
	json_decref(o);
	events_free(&c.events);
}

/* In events/ each stands in full, one a line. */
static void event_lines_stand_alone(void **state)
{
	AUTO_BUF struct buf b = BUF_INIT;
	struct commit c = three_events();
	char *line, *rest;
	int n = 0;

	(void)state;
	commit_event_lines(&b, plan, ID, &c);
	for (line = strtok_r(b.p, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), n++) {
		json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

		assert_non_null(o);
		assert_string_equal(json_string_value(json_object_get(o, "type")), event_name(c.events.v[n].type));
		assert_string_equal(json_string_value(json_object_get(o, "execution")), ID);
		assert_int_equal(json_integer_value(json_object_get(o, "seq")), 7);
		assert_int_equal(json_integer_value(json_object_get(o, "n")), n);
		assert_true(json_is_string(json_object_get(o, "at")));
		json_decref(o);
	}
	assert_int_equal(n, 3);
	events_free(&c.events);
}

static void comes_back_as_it_was(void **state)
{
	AUTO_BUF struct buf b = BUF_INIT;
	struct commit c = three_events(), d;
	struct err e = {0};
	size_t k;

	(void)state;
	commit_encode(&b, plan, &c);
	assert_int_equal(commit_decode(b.p, b.len, plan, &d, NULL, NULL, &e), 0);
	assert_int_equal(d.seq, 7);
	assert_string_equal(d.prev, PREV);
	assert_true(d.at == 1000);
	assert_int_equal(d.events.n, 3);
	for (k = 0; k < 3; k++) {
		const struct event *was = &c.events.v[k], *is = &d.events.v[k];

		assert_int_equal(is->type, was->type);
		assert_int_equal(is->action, was->action);
		assert_int_equal(is->attempt, was->attempt);
		assert_true(is->at == was->at);
		if (was->data)
			assert_true(json_equal(is->data, was->data));
		else
			assert_int_equal(json_object_size(is->data), 0);
	}
	events_free(&c.events);
	events_free(&d.events);
}

static void every_type_comes_back(void **state)
{
	int t;

	(void)state;
	for (t = 0; t < EV_COUNT; t++) {
		AUTO_BUF struct buf b = BUF_INIT;
		struct commit c = {.seq = 1, .at = 0}, d;
		struct err e;

		assert_int_equal(event_parse(event_name((enum event_type)t)), t);
		strcpy(c.prev, PREV);
		vec_push(&c.events, (struct event){(enum event_type)t, NO_ACTION, 0, 0, NULL});
		commit_encode(&b, plan, &c);
		assert_int_equal(commit_decode(b.p, b.len, plan, &d, NULL, NULL, &e), 0);
		assert_int_equal(d.events.v[0].type, t);
		events_free(&c.events);
		events_free(&d.events);
	}
	assert_int_equal(event_parse("action.exploded"), -1);
}

static void damage_is_named(void **state)
{
#define HEAD "{\"seq\":1,\"prev\":\"" PREV "\",\"at\":\"1970-01-01T00:00:01.000Z\",\"events\":"
	static const char *const cases[][2] = {
	    {"", "not whole JSON"},
	    {"{", "not whole JSON"},
	    {HEAD "[{\"type\":\"execution.paused\"}]}{}", "not whole JSON"},
	    {HEAD "[{\"type\":\"execution.paused\",\"type\":\"execution.paused\"}]}", "not whole JSON"},
	    {"[]", "no valid \"seq\""},
	    {"{\"seq\":0}", "no valid \"seq\""},
	    {"{\"seq\":4294967296}", "no valid \"seq\""},
	    {"{\"seq\":\"1\"}", "no valid \"seq\""},
	    {"{\"seq\":1}", "no valid \"prev\""},
	    {"{\"seq\":1,\"prev\":\"sha256:ab\"}", "no valid \"prev\""},
	    {"{\"seq\":1,\"prev\":\"md5::::0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}", "no valid \"prev\""},
	    {"{\"seq\":1,\"prev\":\"" PREV "\"}", "no valid \"at\""},
	    {"{\"seq\":1,\"prev\":\"" PREV "\",\"at\":\"yesterday\"}", "no valid \"at\""},
	    {"{\"seq\":1,\"prev\":\"" PREV "\",\"at\":\"1970-01-01T00:00:01.000Z\"}", "no events"},
	    {HEAD "[]}", "no events"},
	    {HEAD "{}}", "no events"},
	    {HEAD "[1]}", "unknown type"},
	    {HEAD "[{\"type\":\"action.exploded\"}]}", "unknown type \"action.exploded\""},
	    {HEAD "[{\"type\":\"action.completed\",\"action\":\"zzz\"}]}", "not in the plan: \"zzz\""},
	    {HEAD "[{\"type\":\"action.completed\",\"action\":\"a\",\"attempt\":-1}]}", "impossible attempt"},
	    {HEAD "[{\"type\":\"action.completed\",\"action\":\"a\",\"attempt\":4294967296}]}", "impossible attempt"},
	    {HEAD "[{\"type\":\"action.completed\",\"at\":\"now\"}]}", "unreadable time"},
	    {HEAD "[{\"type\":\"execution.paused\"},{\"type\":\"no\"}]}", "unknown type"},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof cases / sizeof *cases; k++) {
		struct err e = {0};
		struct commit c;

		assert_int_equal(commit_decode(cases[k][0], strlen(cases[k][0]), plan, &c, NULL, NULL, &e), -1);
		assert_int_equal(c.events.n, 0);
		if (!strstr(e.text, cases[k][1]))
			fail_msg("%s: %s", cases[k][0], e.text);
	}
}

/* A commit that was cut off is damaged, wherever it was cut; only the newline may go. */
static void cut_anywhere(void **state)
{
	AUTO_BUF struct buf b = BUF_INIT;
	struct commit c = three_events();
	size_t n;

	(void)state;
	commit_encode(&b, plan, &c);
	for (n = 0; n < b.len - 1; n++) {
		char *copy = malloc(n + !n);
		struct err e = {0};
		struct commit d;

		memcpy(copy, b.p, n);
		assert_int_equal(commit_decode(copy, n, plan, &d, NULL, NULL, &e), -1);
		assert_true(e.text[0] != '\0');
		free(copy);
	}
	events_free(&c.events);
}

struct calls {
	int commits, events, stop_at;
};

static int count_calls(void *ctx, const struct commit *c, const struct event *ev, struct err *e)
{
	struct calls *calls = ctx;

	assert_int_equal(c->seq, 7);
	if (!ev)
		calls->commits++;
	else if (++calls->events == calls->stop_at)
		return err_set(e, 1, "enough");
	return 0;
}

static void events_are_handed_on_as_they_are_read(void **state)
{
	AUTO_BUF struct buf b = BUF_INIT;
	struct commit c = three_events(), d;
	struct calls all = {0, 0, 0}, some = {0, 0, 2};
	struct err e = {0};

	(void)state;
	commit_encode(&b, plan, &c);
	assert_int_equal(commit_decode(b.p, b.len, plan, &d, count_calls, &all, &e), 0);
	assert_int_equal(all.commits, 1);
	assert_int_equal(all.events, 3);
	events_free(&d.events);
	assert_int_equal(commit_decode(b.p, b.len, plan, &d, count_calls, &some, &e), -1);
	assert_string_equal(e.text, "enough");
	assert_int_equal(some.events, 2);
	assert_int_equal(d.events.n, 0);
	events_free(&c.events);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(written_as_the_design_says),
	    cmocka_unit_test(event_lines_stand_alone),
	    cmocka_unit_test(comes_back_as_it_was),
	    cmocka_unit_test(every_type_comes_back),
	    cmocka_unit_test(damage_is_named),
	    cmocka_unit_test(cut_anywhere),
	    cmocka_unit_test(events_are_handed_on_as_they_are_read),
	};

	return cmocka_run_group_tests_name("commit", tests, set_up, clean_up);
}
