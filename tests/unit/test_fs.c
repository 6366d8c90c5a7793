/*
 * base/fs: durable writes that leave the old file or the new one, and dropped files that are not what they seem
 * (design sections 2 and 5).
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/fs.h"

static char place[] = "/tmp/creel-test-fs.XXXXXX";
static int dir = -1;

static int set_up(void **state)
{
	(void)state;
	strcpy(strrchr(place, '.'), ".XXXXXX");
	assert_non_null(mkdtemp(place));
	dir = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0;
}

static int clean_up(void **state)
{
	struct err e;
	int parent = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	(void)state;
	close(dir);
	r = fs_remove_tree(parent, place + strlen("/tmp/"), &e);
	close(parent);
	return r;
}

static void expect_content(const char *name, const char *want)
{
	AUTO_BUF struct buf b = BUF_INIT;
	struct err e = {0};

	if (fs_read(dir, name, 1000, &b, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(buf_str(&b), want);
}

static void publish(const char *name, const char *text)
{
	struct err e = {0};

	if (fs_publish(dir, name, text, strlen(text), 0, &e) < 0)
		fail_msg("%s", e.text);
}

static void reading_has_a_cap(void **state)
{
	AUTO_BUF struct buf b = BUF_INIT;
	struct err e = {0};
	int ends[2];

	(void)state;
	publish("ten", "0123456789");
	publish("none", "");
	buf_puts(&b, "before ");
	assert_int_equal(fs_read(dir, "ten", 10, &b, &e), 0);
	assert_string_equal(buf_str(&b), "before 0123456789");
	assert_int_equal(fs_read(dir, "ten", 9, &b, &e), -1);
	assert_int_equal(e.code, EFBIG);
	assert_non_null(strstr(e.text, "ten"));
	assert_int_equal(fs_read(dir, "absent", 9, &b, &e), -1);
	assert_int_equal(e.code, ENOENT);
	buf_reset(&b);
	assert_int_equal(fs_read(dir, "none", 0, &b, &e), 0);
	assert_string_equal(buf_str(&b), "");
	/* a pipe tells no size */
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "0123456789", 10), 10);
	close(ends[1]);
	assert_int_equal(fs_read_fd(ends[0], "pipe", 9, &b, &e), -1);
	assert_int_equal(e.code, EFBIG);
	close(ends[0]);
}

static void publishing_replaces_or_refuses(void **state)
{
	struct err e = {0};
	struct stat st;

	(void)state;
	publish("a", "one");
	publish("a", "two");
	expect_content("a", "two");
	assert_int_equal(fs_publish(dir, "a", "three", 5, FS_NEW, &e), -1);
	assert_int_equal(e.code, EEXIST);
	expect_content("a", "two");
	assert_false(fs_exists(dir, ".a.tmp"));
	assert_int_equal(fs_publish(dir, "b", "new", 3, FS_NEW | FS_SYNC | FS_READ_ONLY, &e), 0);
	assert_int_equal(fstatat(dir, "b", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0444);
	/* what a crash left behind is no hindrance */
	publish(".c.tmp", "half of it");
	publish("c", "whole");
	expect_content("c", "whole");
	assert_false(fs_exists(dir, ".c.tmp"));
	/* below a directory, the temporary is beside the target */
	assert_int_equal(fs_mkdir(dir, "sub", 0700, &e), 0);
	assert_int_equal(fs_publish(dir, "sub/d", "deep", 4, FS_SYNC, &e), 0);
	expect_content("sub/d", "deep");
	assert_int_equal(fs_publish(dir, "absent/d", "x", 1, 0, &e), -1);
	assert_int_equal(e.code, ENOENT);
	/* a directory in the way: the old stays, no temporary is left */
	assert_int_equal(fs_publish(dir, "sub", "x", 1, 0, &e), -1);
	assert_true(fs_exists(dir, "sub/d"));
	assert_false(fs_exists(dir, ".sub.tmp"));
}

static void directories(void **state)
{
	struct err e = {0};
	int fd;

	(void)state;
	assert_int_equal(fs_mkdir_all(dir, "x/y/z", 0700, &e), 0);
	assert_int_equal(fs_mkdir_all(dir, "x/y/z", 0700, &e), 0);
	assert_int_equal(fs_mkdir(dir, "x", 0700, &e), 0);
	publish("file", "");
	assert_int_equal(fs_mkdir(dir, "file", 0700, &e), -1);
	assert_int_equal(fs_mkdir_all(dir, "file/y", 0700, &e), -1);
	fd = fs_open_dir(dir, "x/y", &e);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(fs_open_dir(dir, "file", &e), -1);
	assert_int_equal(symlinkat("x", dir, "link"), 0);
	assert_int_equal(fs_open_dir(dir, "link", &e), -1);
	assert_int_equal(fs_open_dir(dir, "link/y", &e), -1);
	assert_int_equal(fs_open_dir(dir, "x/../../..", &e), -1);
	assert_int_equal(fs_sync_dir(dir, "x", &e), 0);
	assert_int_equal(fs_sync_dir(dir, "absent", &e), -1);
}

static void removing_follows_no_links(void **state)
{
	struct err e = {0};

	(void)state;
	publish("keep", "kept");
	assert_int_equal(fs_mkdir_all(dir, "kept", 0700, &e), 0);
	publish("kept/inside", "kept");
	assert_int_equal(fs_mkdir_all(dir, "t/deep/er", 0700, &e), 0);
	publish("t/f", "");
	publish("t/deep/.hidden", "");
	assert_int_equal(symlinkat("../keep", dir, "t/link"), 0);
	assert_int_equal(symlinkat("../kept", dir, "t/links"), 0);
	assert_int_equal(fs_remove_tree(dir, "t", &e), 0);
	assert_false(fs_exists(dir, "t"));
	expect_content("keep", "kept");
	expect_content("kept/inside", "kept");
	assert_int_equal(fs_remove_tree(dir, "absent", &e), 0);
	assert_int_equal(symlinkat("kept", dir, "link"), 0);
	assert_int_equal(fs_remove_tree(dir, "link", &e), 0);
	expect_content("kept/inside", "kept");
	assert_true(fs_exists(dir, "kept"));
}

static enum fs_drop taken(const char *name, size_t max, struct buf *b)
{
	struct err e = {0};
	struct stat st;

	buf_reset(b);
	return fs_read_dropped(dir, name, max, b, &st, &e);
}

static void dropped_files_are_distrusted(void **state)
{
	AUTO_BUF struct buf b = BUF_INIT;
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct err e = {0};
	int s;

	(void)state;
	publish("good", "content");
	assert_int_equal(taken("good", 7, &b), FS_DROP_OK);
	assert_string_equal(buf_str(&b), "content");
	publish("empty", "");
	assert_int_equal(taken("empty", 7, &b), FS_DROP_OK);
	assert_int_equal(taken("good", 6, &b), FS_DROP_TOO_BIG);
	assert_int_equal(taken("absent", 7, &b), FS_DROP_GONE);

	assert_int_equal(linkat(dir, "good", dir, "second", 0), 0);
	assert_int_equal(taken("good", 7, &b), FS_DROP_LINKS);
	assert_int_equal(unlinkat(dir, "second", 0), 0);
	assert_int_equal(taken("good", 7, &b), FS_DROP_OK);

	assert_int_equal(symlinkat("good", dir, "link"), 0);
	assert_int_equal(taken("link", 7, &b), FS_DROP_KIND);
	assert_int_equal(symlinkat("/dev/zero", dir, "zero"), 0);
	assert_int_equal(taken("zero", 7, &b), FS_DROP_KIND);
	assert_int_equal(mkfifoat(dir, "fifo", 0600), 0);
	assert_int_equal(taken("fifo", 7, &b), FS_DROP_KIND); /* and it did not wait for a writer */
	assert_int_equal(fs_mkdir(dir, "dir", 0700, &e), 0);
	assert_int_equal(taken("dir", 7, &b), FS_DROP_KIND);
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(name.sun_path, sizeof name.sun_path, "%s/sock", place);
	assert_int_equal(bind(s, (struct sockaddr *)&name, sizeof name), 0);
	assert_int_equal(taken("sock", 7, &b), FS_DROP_KIND);
	close(s);

	/* nothing outside the directory, whatever the name says */
	assert_int_not_equal(taken("../../etc/passwd", 1000000, &b), FS_DROP_OK);
	assert_int_not_equal(taken("/etc/passwd", 1000000, &b), FS_DROP_OK);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, clean_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(reading_has_a_cap), TEST(publishing_replaces_or_refuses), TEST(directories),
	    TEST(removing_follows_no_links), TEST(dropped_files_are_distrusted),
	};

	return cmocka_run_group_tests_name("fs", tests, NULL, NULL);
}
