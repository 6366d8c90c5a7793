/* Archives: what goes in comes out, and nothing half-written counts. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/tarball.h"

static char dir_name[] = "/tmp/tarball-XXXXXX";
static int dir;

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir_name))
		return -1;
	dir = open(dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -1 : 0;
}

static int remove_dir(void **state)
{
	int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
	struct err e;

	(void)state;
	close(dir);
	r = fs_remove_tree(tmp, dir_name + strlen("/tmp/"), &e);
	close(tmp);
	return r;
}

static int write_file(const char *name, size_t n)
{
	AUTO_FREE char *bytes = xcalloc(1, n + 1);
	struct err e;
	size_t k;

	for (k = 0; k < n; k++)
		bytes[k] = (char)(k * 7 + k / 251);
	assert_int_equal(fs_publish(dir, name, bytes, n, 0, &e), 0);
	return openat(dir, name, O_RDONLY | O_CLOEXEC);
}

static char *path_of(const char *name)
{
	return xasprintf("%s/%s", dir_name, name);
}

/* A name of every length that tar has another form for, bytes that are no UTF-8, and content around its blocks. */
static void round_trip(void **state)
{
	static const char *const suffixes[] = {"tar", "tar.gz", "tgz", "tar.zst"};
	static const size_t sizes[] = {0, 1, 511, 512, 513, 300000};
	char long_name[301] = "";
	size_t s, k;

	(void)state;
	memset(long_name, 'n', 300);
	for (s = 0; s < 4; s++) {
		AUTO_FREE char *name = xasprintf("a.%s", suffixes[s]), *path = path_of(name);
		struct tarball_entry entry;
		struct tarball *t;
		struct err e = {0};

		t = tarball_create(dir, name, &e);
		assert_non_null(t);
		assert_int_equal(tarball_add_dir(t, "d", 1000, &e), 0);
		for (k = 0; k < 6; k++) {
			AUTO_FREE char *file = xasprintf("d/f%zu\xff %s", k, k == 3 ? long_name : "");
			int fd = write_file("content", sizes[k]);

			assert_int_equal(tarball_add_fd(t, file, fd, &e), 0);
			close(fd);
		}
		assert_int_equal(tarball_add_bytes(t, "b", "xyz", 3, 2000, &e), 0);
		assert_int_equal(tarball_add_link(t, "l", "/etc/passwd", 3000, &e), 0);
		assert_false(fs_exists(dir, name));
		if (tarball_finish(t, &e) < 0)
			fail_msg("%s", e.text);
		assert_true(fs_exists(dir, name));

		t = tarball_open(path, &e);
		assert_non_null(t);
		assert_int_equal(tarball_next(t, &entry, &e), 1);
		assert_int_equal(entry.kind, TARBALL_DIR);
		assert_int_equal(entry.mtime, 1000);
		for (k = 0; k < 6; k++) {
			AUTO_FREE char *file = xasprintf("d/f%zu\xff %s", k, k == 3 ? long_name : "");
			char bytes[4096];
			size_t at = 0;
			ssize_t n;

			assert_int_equal(tarball_next(t, &entry, &e), 1);
			assert_string_equal(entry.path, file);
			assert_int_equal(entry.size, sizes[k]);
			while ((n = tarball_read(t, bytes, sizeof bytes, &e)) > 0)
				for (ssize_t i = 0; i < n; i++, at++)
					if (bytes[i] != (char)(at * 7 + at / 251))
						fail_msg("%s: byte %zu of %s differs", suffixes[s], at, file);
			assert_int_equal(n, 0);
			assert_int_equal(at, sizes[k]);
		}
		assert_int_equal(tarball_next(t, &entry, &e), 1);
		assert_int_equal(entry.mtime, 2000);
		assert_int_equal(tarball_next(t, &entry, &e), 1);
		assert_int_equal(entry.kind, TARBALL_LINK);
		assert_int_equal(tarball_next(t, &entry, &e), 0);
		tarball_close(t);
	}
}

static void nothing_half(void **state)
{
	struct tarball *t, *other;
	struct err e;
	int fd;

	(void)state;
	/* over another: no */
	fd = write_file("there.tar", 3);
	close(fd);
	assert_null(tarball_create(dir, "there.tar", &e));
	assert_int_equal(e.code, EEXIST);
	/* no such kind */
	assert_null(tarball_create(dir, "x.zip", &e));
	assert_null(tarball_create(dir, "tar", &e));
	assert_null(tarball_create(dir, "none/x.tar", &e));
	/* given up: nothing stays */
	t = tarball_create(dir, "x.tar.zst", &e);
	assert_non_null(t);
	assert_int_equal(tarball_add_bytes(t, "b", "xyz", 3, 0, &e), 0);
	assert_true(fs_exists(dir, ".x.tar.zst.tmp"));
	/* two at a time: no */
	other = tarball_create(dir, "x.tar.zst", &e);
	assert_null(other);
	assert_int_equal(e.code, EBUSY);
	tarball_abort(t);
	assert_false(fs_exists(dir, ".x.tar.zst.tmp"));
	assert_false(fs_exists(dir, "x.tar.zst"));
	/* what a kill left is replaced */
	fd = write_file(".x.tar.zst.tmp", 100);
	close(fd);
	t = tarball_create(dir, "x.tar.zst", &e);
	assert_non_null(t);
	assert_int_equal(tarball_finish(t, &e), 0);
	assert_true(fs_exists(dir, "x.tar.zst"));
	/* somebody made one of that name meanwhile: theirs stays */
	t = tarball_create(dir, "y.tar", &e);
	fd = write_file("y.tar", 5);
	close(fd);
	assert_int_equal(tarball_finish(t, &e), -1);
	{
		AUTO_BUF struct buf text = BUF_INIT;

		assert_int_equal(fs_read(dir, "y.tar", 100, &text, &e), 0);
		assert_int_equal(text.len, 5);
	}
	assert_false(fs_exists(dir, ".y.tar.tmp"));
}

/* What is written is compared with what is read again. */
static void read_back(void **state)
{
	struct tarball *t;
	struct err e;
	int fd;

	(void)state;
	t = tarball_create(dir, "z.tar", &e);
	assert_int_equal(tarball_add_bytes(t, "b", "what was meant", 14, 0, &e), 0);
	assert_int_equal(tarball_add_dir(t, "d", 0, &e), 0);
	/* the disk changes it: the first block is on it by now or never */
	fd = openat(dir, ".z.tar.tmp", O_WRONLY | O_CLOEXEC);
	for (int k = 0; k < 40; k++)
		tarball_add_bytes(t, "c", "0123456789012345678901234567890123456789", 40, 0, &e);
	assert_int_equal(pwrite(fd, "WHAT", 4, 512), 4);
	close(fd);
	assert_int_equal(tarball_finish(t, &e), -1);
	assert_non_null(strstr(e.text, "is not what was written"));
	assert_false(fs_exists(dir, "z.tar"));
	assert_false(fs_exists(dir, ".z.tar.tmp"));
}

/* Cut at any place, it is told from a whole one. */
static void cut(void **state)
{
	AUTO_FREE char *path = path_of("cut.tar.gz");
	AUTO_BUF struct buf whole = BUF_INIT;
	struct tarball *t;
	struct err e;
	size_t n;

	(void)state;
	t = tarball_create(dir, "cut.tar.gz", &e);
	for (int k = 0; k < 3; k++)
		assert_int_equal(tarball_add_bytes(t, "b", "some text", 9, 0, &e), 0);
	assert_int_equal(tarball_finish(t, &e), 0);
	assert_int_equal(fs_read(dir, "cut.tar.gz", 10000, &whole, &e), 0);
	for (n = 0; n < whole.len; n += 3) {
		struct tarball_entry entry;
		int r = 1, files = 0;
		char bytes[20];

		assert_int_equal(fs_publish(dir, "cut.tar.gz", whole.p, n, 0, &e), 0);
		t = tarball_open(path, &e);
		while (t && r > 0 && (r = tarball_next(t, &entry, &e)) > 0) {
			files++;
			if (tarball_read(t, bytes, sizeof bytes, &e) < 0)
				r = -1;
		}
		if (t)
			tarball_close(t);
		if (t && r == 0 && files < 3)
			fail_msg("%zu of %zu bytes pass for a whole archive of %d files", n, whole.len, files);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(nothing_half),
					   cmocka_unit_test(read_back), cmocka_unit_test(cut)};

	return cmocka_run_group_tests_name("tarball", tests, make_dir, remove_dir);
}
