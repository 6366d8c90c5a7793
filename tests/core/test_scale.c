/*
 * Long and wide plans through the core alone: a chain of 12,000 actions and a fan of 5,000 load, run, are read back
 * from their journal and finish, in time that grows with the plan and no faster, and on a stack of 256 KiB: nothing
 * recurses along the graph.  ORCH-002, ORCH-003, RUN-PAR, LOAD.
 */
#include <pthread.h>
#include <time.h>

#include "codec/commit.h"
#include "codec/plan_load.h"
#include "core/check.h"
#include "model/error.h"
#include "scene.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#endif
#ifdef SANITIZED
enum { STACK = 1024 * 1024, TIMED = 0 }; /* its frames are larger, and its time says nothing */
#else
enum { STACK = 256 * 1024, TIMED = 1 };
#endif

static void put_action(json_t *actions, uint32_t i, json_t *dependencies, json_t *more)
{
	json_t *a = json_pack("{s:o, s:s, s:{s:s}, s:o, s:{s:b}}", "id", json_sprintf("a%u", i), "actionDefinitionId", "command",
			      "inputs", "command", "x", "dependencies", dependencies, "errorHandling", "continueOnFailure", 0);

	if (more)
		json_object_update(a, more);
	json_array_append_new(actions, a);
}

static json_t *shell_of(json_t *actions)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "id", "01890000-0000-7000-8000-0000000000aa", "name", "n", "description",
			 "d", "onAbort", "drain", "actions", actions);
}

static json_t *chain_of(uint32_t n)
{
	json_t *actions = json_array();
	uint32_t i;

	for (i = 0; i < n; i++)
		put_action(actions, i, i ? json_pack("[o]", json_sprintf("a%u", i - 1)) : json_array(), NULL);
	return shell_of(actions);
}

/* One, n - 2 beside each other, one that joins them. */
static json_t *fan_of(uint32_t n)
{
	json_t *actions = json_array(), *all = json_array();
	uint32_t i;

	put_action(actions, 0, json_array(), NULL);
	for (i = 1; i + 1 < n; i++) {
		put_action(actions, i, json_pack("[s]", "a0"), NULL);
		json_array_append_new(all, json_sprintf("a%u", i));
	}
	put_action(actions, n - 1, all, NULL);
	return shell_of(actions);
}

/* Each is the alternative of the one before. */
static json_t *alternatives_of(uint32_t n)
{
	json_t *actions = json_array();
	uint32_t i;

	for (i = 0; i < n; i++) {
		json_t *more = i + 1 == n ? NULL
					  : json_pack("{s:{s:b, s:o}}", "errorHandling", "continueOnFailure", 0, "alternativeActionId",
						      json_sprintf("a%u", i + 1));

		put_action(actions, i, json_array(), more);
		json_decref(more);
	}
	return shell_of(actions);
}

static struct plan *load(json_t *canonical)
{
	struct diags errors = DIAGS_INIT;
	struct plan *p = plan_load(canonical, &errors);

	assert_non_null(p);
	plan_check(p, &errors);
	assert_int_equal(errors.n, 0);
	json_decref(canonical);
	return p;
}

struct run {
	struct plan *p;
	struct exec *x;
	struct events out;
	struct turn t;
	struct buf journal; /* one commit a line */
	uint64_t events, turns;
};

static void commit(struct run *r)
{
	struct commit c = {.seq = (uint32_t)++r->turns, .at = r->t.now, .events = r->out};

	if (r->out.n == 0)
		return;
	r->events += r->out.n;
	memcpy(c.prev, "sha256:0000000000000000000000000000000000000000000000000000000000000000", sizeof c.prev);
	commit_encode(&r->journal, r->p, &c);
	events_clear(&r->out);
}

/* Everything that runs ends with this status, until nothing runs. */
static void run_all(struct run *r, int status)
{
	r->t = (struct turn){.now = NOON, .random = 1, .out = &r->out};
	r->x = exec_new(r->p, "01890000-0000-7000-8000-000000000001");
	core_begin(r->x, &r->t, json_object());
	core_advance(r->x, &r->t);
	while (r->x->outcome == OUTCOME_NONE) {
		size_t k, n;
		uint32_t *ids;

		while (core_next(r->x) != NO_ACTION) {
			core_start(r->x, &r->t);
			core_advance(r->x, &r->t);
		}
		ids = xcalloc(r->out.n, sizeof *ids);
		for (k = n = 0; k < r->out.n; k++)
			if (r->out.v[k].type == EV_ACTION_REQUESTED)
				ids[n++] = r->out.v[k].action;
		commit(r);
		r->t.now += 10;
		for (k = 0; k < n; k++)
			core_result(r->x, &r->t, ids[k], &(struct attempt_result){.outcome = ATTEMPT_EXITED, .status = status, .finished = r->t.now});
		core_advance(r->x, &r->t);
		core_finish(r->x, &r->t);
		free(ids);
		assert_true(n > 0);
	}
	commit(r);
}

static int fold_one(void *x, const struct commit *c, const struct event *ev, struct err *e)
{
	(void)c;
	return ev ? exec_apply(x, ev, e) : 0;
}

static void read_back(struct run *r)
{
	struct exec *y = exec_new(r->p, r->x->id);
	const char *line = buf_str(&r->journal);
	struct err e = {0};

	while (*line) {
		size_t n = strcspn(line, "\n");
		struct commit c;

		if (commit_decode(line, n, r->p, &c, fold_one, y, &e) < 0)
			fail_msg("%s", e.text);
		events_free(&c.events);
		line += n + 1;
	}
	assert_int_equal(exec_check(y, &e), 0);
	assert_int_equal(y->outcome, r->x->outcome);
	assert_memory_equal(y->count, r->x->count, sizeof y->count);
	exec_free(y);
}

static void put_away(struct run *r)
{
	exec_free(r->x);
	plan_free(r->p);
	events_free(&r->out);
	buf_free(&r->journal);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Load, run, read back; the time that it took. */
static double once(json_t *canonical, int status, enum outcome want, uint64_t *events, uint64_t *turns)
{
	double start = seconds();
	struct run r = {0};
	struct err e;

	r.p = load(canonical);
	run_all(&r, status);
	assert_int_equal(r.x->outcome, want);
	assert_int_equal(exec_check(r.x, &e), 0);
	read_back(&r);
	*events = r.events;
	*turns = r.turns;
	put_away(&r);
	return seconds() - start;
}

struct job {
	json_t *(*shape)(uint32_t n);
	uint32_t n;
	int status;
	enum outcome want;
	uint64_t events, turns; /* found */
	double took;
};

static void *on_a_small_stack(void *ctx)
{
	struct job *j = ctx;

	j->took = once(j->shape(j->n), j->status, j->want, &j->events, &j->turns);
	return NULL;
}

static void run_job(struct job *j)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	assert_int_equal(pthread_attr_setstacksize(&attr, STACK), 0);
	assert_int_equal(pthread_create(&thread, &attr, on_a_small_stack, j), 0);
	pthread_join(thread, NULL);
	pthread_attr_destroy(&attr);
}

/* Four times the plan takes about four times as long; sixteen times would be quadratic.  The least of three runs
 * each, because the machine has other things to do. */
static void expect_linear(struct job *j)
{
	struct job small = *j;
	double least = 1e9, least_small = 1e9;
	int k;

	small.n = j->n / 4;
	for (k = 0; k < (TIMED ? 3 : 1); k++) {
		run_job(&small);
		run_job(j);
		least_small = small.took < least_small ? small.took : least_small;
		least = j->took < least ? j->took : least;
	}
	if (TIMED && least > least_small * 10)
		fail_msg("%u actions take %.3f s, %u take %.3f s", small.n, least_small, j->n, least);
}

static void chain(void **state)
{
	struct job j = {chain_of, 12000, 0, OUTCOME_COMPLETED, 0, 0, 0};

	(void)state;
	expect_linear(&j);
	assert_int_equal(j.events, 2 + 2 * 12000 + 1);
	assert_int_equal(j.turns, 12000 + 1); /* one commit per action */
}

static void fan(void **state)
{
	struct job j = {fan_of, 5000, 0, OUTCOME_COMPLETED, 0, 0, 0};

	(void)state;
	expect_linear(&j);
	assert_int_equal(j.events, 2 + 2 * 5000 + 1);
	assert_int_equal(j.turns, 4); /* a fan costs a handful */
}

/* The first of a chain fails: everything after it is skipped, in one go. */
static void skipped_chain(void **state)
{
	struct job j = {chain_of, 12000, 1, OUTCOME_FAILED, 0, 0, 0};

	(void)state;
	expect_linear(&j);
	assert_int_equal(j.events, 2 + 2 + 11999 + 1);
}

static void alternatives(void **state)
{
	struct job j = {alternatives_of, 4000, 1, OUTCOME_FAILED, 0, 0, 0};

	(void)state;
	expect_linear(&j);
	j.status = 0;
	j.want = OUTCOME_COMPLETED;
	expect_linear(&j);
	assert_int_equal(j.events, 2 + 2 + 3999 + 1);
}

/* A plan beyond the limit is refused before memory is spent on it. */
static void too_many_actions(void **state)
{
	json_t *actions = json_array(), *one = json_object(), *canonical;
	struct diags errors = DIAGS_INIT;
	uint32_t i;

	(void)state;
	for (i = 0; i < 1000000; i++)
		json_array_append(actions, one);
	json_decref(one);
	canonical = shell_of(actions);
	assert_null(plan_load(canonical, &errors));
	assert_int_equal(errors.n, 1);
	assert_string_equal(errors.v[0].message, "a plan has at most 50000 actions, this one has 1000000");
	diags_free(&errors);
	json_decref(canonical);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(chain),
	    cmocka_unit_test(fan),
	    cmocka_unit_test(skipped_chain),
	    cmocka_unit_test(alternatives),
	    cmocka_unit_test(too_many_actions),
	};

	return cmocka_run_group_tests_name("scale", tests, NULL, NULL);
}
