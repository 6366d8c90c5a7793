/* A job of commits that cannot all be written (EDGE-5): nothing of it stays, and no descriptor but its own is closed. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

/* The source itself: whether each commit is flushed alone is chosen in there, by what flushes cost of late. */
#include "creeld/flush_write.c"

enum { COMMITS = 4, MISSING = 1 };

static struct {
	char dir[64];
	struct spool s;
	struct flush_job job;
	struct live live[COMMITS];
	struct exec exec[COMMITS];
} t;

static void commit_name(int k, char out[SPOOL_PATH_MAX])
{
	spool_commit_path(t.exec[k].id, 2, out);
}

static void make_room(int k)
{
	char path[SPOOL_PATH_MAX];
	struct err e = {0};

	commit_name(k, path);
	*strrchr(path, '/') = '\0';
	assert_int_equal(fs_mkdir_all(t.s.fd[SPOOL_ROOT], path, 0755, &e), 0);
}

/* One commit each of four executions; there is no room for the second. */
static int set_up(void **state)
{
	static char text[] = "{}";
	struct err e = {0};
	int k;

	(void)state;
	memset(&t, 0, sizeof t);
	strcpy(t.dir, "/tmp/creel-flush-XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	assert_int_equal(spool_create(t.dir, NULL, &e), 0);
	assert_int_equal(spool_open(&t.s, t.dir, &e), 0);
	for (k = 0; k < COMMITS; k++) {
		snprintf(t.exec[k].id, sizeof t.exec[k].id, "01a1fc7b-9a04-7000-9fb3-70795314000%d", k);
		t.live[k].exec = &t.exec[k];
		vec_push(&t.job.commits, (struct flush_commit){.live = &t.live[k], .seq = 2, .text = text, .n = 2});
		if (k != MISSING)
			make_room(k);
	}
	all_us = 1000LL * 1000 * 1000; /* one at a time */
	return 0;
}

static int tear_down(void **state)
{
	int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC), r;

	(void)state;
	vec_free(&t.job.commits);
	spool_close(&t.s);
	r = fs_remove_tree(tmp, t.dir + strlen("/tmp/"), NULL);
	close(tmp);
	return r;
}

static bool is_there(int k)
{
	char path[SPOOL_PATH_MAX];

	commit_name(k, path);
	return fs_exists(t.s.fd[SPOOL_ROOT], path);
}

static void other_descriptors_stay_open(void **state)
{
	int others[COMMITS], k;

	(void)state;
	assert_int_equal(write_commits(&t.s, &t.job), -1);
	assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0);
	/* What somebody else opens takes the numbers that were closed: a second try must not close them again. */
	for (k = 0; k < COMMITS; k++)
		assert_true((others[k] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0);
	assert_int_equal(write_commits(&t.s, &t.job), -1);
	for (k = 0; k < COMMITS; k++)
		assert_int_equal(close(others[k]), 0);
}

static void nothing_is_half_done(void **state)
{
	int k;

	(void)state;
	assert_int_equal(flush_run(&t.s, &t.job, NULL), -1);
	assert_false(t.job.wide);
	for (k = 0; k < COMMITS; k++)
		assert_false(is_there(k));
	make_room(MISSING);
	assert_int_equal(flush_run(&t.s, &t.job, NULL), 0);
	for (k = 0; k < COMMITS; k++)
		assert_true(is_there(k));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(other_descriptors_stay_open, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(nothing_is_half_done, set_up, tear_down),
	};
	int null = open("/dev/null", O_RDONLY);
	pthread_t thread;

	if (null > STDIN_FILENO) /* the runner may have closed that */
		close(null);
	if (pthread_create(&thread, NULL, flush_second_thread, NULL) != 0)
		return 1;
	pthread_detach(thread);
	return cmocka_run_group_tests_name("flush", tests, NULL, NULL);
}
