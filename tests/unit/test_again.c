/* What a failed flush of the file system may have given up is made dirty again (EDGE-5). */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "store/again.h"

#define ACTIVE "01a1fc7b-9a04-7000-9fb3-707953140dc8"
#define ENDED "01a1fc7b-9a04-7000-9fb3-707953140dc9"
#define DEAD "01a1fc7b-9a04-7000-9fb3-707953140dca"

static struct {
	char dir[64];
	struct spool s;
} t;

static void put_as(const char *path, const char *text, unsigned flags)
{
	AUTO_FREE char *parent = xstrdup(path);
	static const struct timespec old[] = {{1000, 0}, {1000, 0}};
	struct err e = {0};

	*strrchr(parent, '/') = '\0';
	assert_int_equal(fs_mkdir_all(t.s.fd[SPOOL_ROOT], parent, 0755, &e), 0);
	assert_int_equal(fs_publish(t.s.fd[SPOOL_ROOT], path, text, strlen(text), flags, &e), 0);
	assert_int_equal(utimensat(t.s.fd[SPOOL_ROOT], path, old, 0), 0);
}

static void put(const char *path, const char *text)
{
	put_as(path, text, 0);
}

/* Was it written since put, with the same text? */
static bool written(const char *path, const char *text)
{
	AUTO_BUF struct buf b = BUF_INIT;
	struct stat st;
	struct err e = {0};

	assert_int_equal(fs_read(t.s.fd[SPOOL_ROOT], path, 1000, &b, &e), 0);
	assert_string_equal(buf_str(&b), text);
	assert_int_equal(fstatat(t.s.fd[SPOOL_ROOT], path, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mtim.tv_sec != 1000;
}

static void path_of(const char *id, const char *rest, char out[2 * SPOOL_PATH_MAX])
{
	char path[SPOOL_PATH_MAX];

	spool_execution_path(id, path);
	snprintf(out, 2 * SPOOL_PATH_MAX, "%s/%s", path, rest);
}

static void put_in(const char *id, const char *rest, const char *text)
{
	char path[2 * SPOOL_PATH_MAX];

	path_of(id, rest, path);
	put(path, text);
}

static bool written_in(const char *id, const char *rest, const char *text)
{
	char path[2 * SPOOL_PATH_MAX];

	path_of(id, rest, path);
	return written(path, text);
}

static void link_active(const char *id)
{
	char link[SPOOL_PATH_MAX];

	spool_active_path(id, link);
	assert_int_equal(symlinkat("../executions", t.s.fd[SPOOL_ROOT], link), 0);
}

static int set_up(void **state)
{
	char fifo[2 * SPOOL_PATH_MAX], empty[2 * SPOOL_PATH_MAX];
	struct err e = {0};

	(void)state;
	strcpy(t.dir, "/tmp/creel-again-XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	assert_int_equal(spool_create(t.dir, NULL, &e), 0);
	assert_int_equal(spool_open(&t.s, t.dir, &e), 0);
	put_in(ACTIVE, "journal/00000001.json", "one");
	put_in(ACTIVE, "journal/00000002.json", "two");
	put_in(ACTIVE, "journal/00000003.json.torn", "torn"); /* set aside, not the last commit */
	put_in(ACTIVE, "state.json", "state");
	put_in(ACTIVE, "actions/a/1/output.json", "output");
	put_in(ACTIVE, "actions/a/1/result.json", "result");
	put_in(ACTIVE, "actions/a/1/stdout", "out");
	put_in(ACTIVE, "actions/a/1/output", "of the action");
	put_in(ACTIVE, "actions/b.1/2/request.json", "request");
	path_of(ACTIVE, "actions/b.1/2/output.json", fifo);
	assert_int_equal(mkfifoat(t.s.fd[SPOOL_ROOT], fifo, 0600), 0);
	put_in(ENDED, "journal/00000001.json", "ended");
	put_in(ENDED, "actions/a/1/output.json", "ended");
	path_of(ACTIVE, "empty.json", empty);
	put_as(empty, "{}", FS_READ_ONLY);
	put("confirm/" ACTIVE ".a.request.json", "asked");
	put("confirm/" ACTIVE ".b.request.json", "linked");
	assert_int_equal(linkat(t.s.fd[SPOOL_CONFIRM], ACTIVE ".b.request.json", t.s.fd[SPOOL_TMP], "b", 0), 0);
	put("confirm/" ACTIVE ".a.approve", "answered");
	put("events/2026-01-01.jsonl", "earlier");
	put("events/2026-01-02.jsonl", "yesterday");
	put("events/2026-01-03.jsonl", "today");
	link_active(ACTIVE);
	link_active(DEAD); /* leads nowhere */
	return 0;
}

static int tear_down(void **state)
{
	int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC), r;

	(void)state;
	spool_close(&t.s);
	r = fs_remove_tree(tmp, t.dir + strlen("/tmp/"), NULL);
	close(tmp);
	return r;
}

static void without_need_nothing_is_written(void **state)
{
	struct err e = {0};

	(void)state;
	assert_int_equal(again(&t.s, &e), 0);
	assert_false(written_in(ACTIVE, "journal/00000002.json", "two"));
	assert_false(written_in(ACTIVE, "actions/a/1/output.json", "output"));
}

static void what_is_active_is_written_again(void **state)
{
	struct err e = {0};

	(void)state;
	again_needed();
	assert_int_equal(again(&t.s, &e), 0);
	assert_true(written_in(ACTIVE, "journal/00000002.json", "two"));
	assert_true(written_in(ACTIVE, "state.json", "state"));
	assert_true(written_in(ACTIVE, "actions/a/1/output.json", "output"));
	assert_true(written_in(ACTIVE, "actions/a/1/result.json", "result"));
	assert_true(written_in(ACTIVE, "actions/b.1/2/request.json", "request"));
	assert_true(written_in(ACTIVE, "empty.json", "{}"));
	assert_true(written("confirm/" ACTIVE ".a.request.json", "asked"));
	assert_true(written("events/2026-01-03.jsonl", "today"));
	assert_true(written("events/2026-01-02.jsonl", "yesterday"));
	/* Flushed long ago, an action's own, or nobody's business any more. */
	assert_false(written_in(ACTIVE, "journal/00000001.json", "one"));
	assert_false(written_in(ACTIVE, "journal/00000003.json.torn", "torn"));
	assert_false(written_in(ACTIVE, "actions/a/1/stdout", "out"));
	assert_false(written_in(ACTIVE, "actions/a/1/output", "of the action"));
	assert_false(written_in(ENDED, "journal/00000001.json", "ended"));
	assert_false(written_in(ENDED, "actions/a/1/output.json", "ended"));
	assert_false(written("confirm/" ACTIVE ".b.request.json", "linked"));
	assert_false(written("confirm/" ACTIVE ".a.approve", "answered"));
	assert_false(written("events/2026-01-01.jsonl", "earlier"));
}

static void once_is_enough(void **state)
{
	struct err e = {0};

	(void)state;
	again_needed();
	assert_int_equal(again(&t.s, &e), 0);
	put_in(ACTIVE, "state.json", "state");
	assert_int_equal(again(&t.s, &e), 0);
	assert_false(written_in(ACTIVE, "state.json", "state"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(without_need_nothing_is_written, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_is_active_is_written_again, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(once_is_enough, set_up, tear_down),
	};
	uid_t we = geteuid();
	int failed;

	/* To root nothing is read-only. */
	if (we == 0 && seteuid(65534) < 0)
		return 1;
	failed = cmocka_run_group_tests_name("again", tests, NULL, NULL);
	/* The leak checker traces the process, which whoever changes its user forbids. */
	if (seteuid(we) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0)
		return 1;
	return failed;
}
