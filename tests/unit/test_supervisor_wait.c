/*
 * creel-run --wait: the words between a daemon and its supervisors (STEP-EXEC, EDGE-5).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"

static struct {
	char dir[64];
	pid_t pid;
	int words, spec;
} t;

static int set_up(void **state)
{
	const char *build = getenv("BUILD");
	AUTO_FREE char *program = xasprintf("%s/creel-run", build ? build : "build");
	int ends[2];

	(void)state;
	strcpy(t.dir, "/tmp/creel-wait-XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	t.spec = memfd_create("spec", MFD_CLOEXEC);
	t.words = ends[0];
	t.pid = fork();
	if (t.pid == 0) {
		int other = fcntl(ends[1], F_DUPFD, 100);

		dup2(t.spec, 0);
		dup2(other, 3);
		execl(program, "creel-run", "--wait", (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	return 0;
}

static int tear_down(void **state)
{
	int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC), r;

	(void)state;
	close(t.words);
	close(t.spec);
	if (t.pid > 0)
		waitpid(t.pid, NULL, 0);
	r = fs_remove_tree(tmp, t.dir + strlen("/tmp/"), NULL);
	close(tmp);
	return r;
}

static void put(struct buf *b, const char *text)
{
	buf_put(b, text, strlen(text) + 1);
}

static void put_spec(struct buf *b, int attempt, const char *script)
{
	AUTO_FREE char *dir = xasprintf("dir=%s/%d", t.dir, attempt), *arg = xasprintf("arg=%s", script);

	put(b, dir);
	put(b, "execution=E");
	put(b, "action=a");
	put(b, "attempt=1");
	put(b, "token=secret");
	put(b, "arg=/bin/sh");
	put(b, "arg=-c");
	put(b, arg);
}

static void say(char word, const struct buf *spec)
{
	AUTO_BUF struct buf message = BUF_INIT;

	buf_putc(&message, word);
	if (spec)
		buf_put(&message, spec->p, spec->len);
	assert_int_equal(send(t.words, message.p, message.len, MSG_NOSIGNAL), message.len);
}

/* The next word, or 0 at the end. */
static char hear(void)
{
	char word;
	ssize_t n = recv(t.words, &word, 1, 0);

	assert_true(n >= 0);
	return n ? word : 0;
}

static bool has(int attempt, const char *name)
{
	AUTO_FREE char *path = xasprintf("%s/%d/%s", t.dir, attempt, name);

	return access(path, F_OK) == 0;
}

static off_t size_of(int attempt, const char *name)
{
	AUTO_FREE char *path = xasprintf("%s/%d/%s", t.dir, attempt, name);
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : -1;
}

/* Whoever prepares an attempt holds its lock; that can be waited for. */
static void wait_until_held(int attempt)
{
	AUTO_FREE char *path = xasprintf("%s/%d/lock", t.dir, attempt);

	for (;;) {
		int fd = open(path, O_RDONLY);
		bool held = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;

		if (fd >= 0)
			close(fd);
		if (held)
			return;
		poll(NULL, 0, 1);
	}
}

static int status_at_end(void)
{
	int status;

	assert_int_equal(waitpid(t.pid, &status, 0), t.pid);
	t.pid = 0;
	return status;
}

static void test_prepared_is_not_started(void **state)
{
	AUTO_BUF struct buf spec = BUF_INIT;

	(void)state;
	put_spec(&spec, 1, "exit 3");
	say('P', &spec);
	wait_until_held(1);
	shutdown(t.words, SHUT_RDWR); /* the daemon dies */
	assert_int_equal(status_at_end(), 0);
	assert_int_equal(size_of(1, "lock"), 0);
	assert_false(has(1, "result.json"));
}

static void test_one_after_the_other(void **state)
{
	AUTO_BUF struct buf first = BUF_INIT, second = BUF_INIT;

	(void)state;
	put_spec(&first, 1, "echo one");
	put_spec(&second, 2, "echo second >&2");
	say('P', &first);
	say('G', NULL);
	assert_int_equal(hear(), 'D');
	assert_true(has(1, "result.json"));
	assert_int_equal(size_of(1, "stdout"), 4);
	say('R', &second);
	assert_int_equal(hear(), 'D');
	assert_false(has(2, "stdout"));
	assert_int_equal(size_of(2, "stderr"), 7);
}

static void test_lock_is_free_when_done(void **state)
{
	AUTO_BUF struct buf spec = BUF_INIT;
	AUTO_FREE char *path = xasprintf("%s/1/lock", t.dir);
	int fd;

	(void)state;
	put_spec(&spec, 1, "true");
	say('R', &spec);
	assert_int_equal(hear(), 'D');
	fd = open(path, O_RDONLY);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	close(fd);
}

/* One that is too long for a word stands in the file, and is wiped there: it may hold secrets. */
static void test_long_specification(void **state)
{
	AUTO_BUF struct buf spec = BUF_INIT, filler = BUF_INIT;
	struct stat st;

	(void)state;
	buf_puts(&filler, "env=FILLER=");
	for (int k = 0; k < 100000; k++)
		buf_putc(&filler, 'x');
	put_spec(&spec, 1, "echo ${#FILLER}");
	put(&spec, buf_str(&filler));
	assert_int_equal(pwrite(t.spec, spec.p, spec.len, 0), spec.len);
	say('R', NULL);
	assert_int_equal(hear(), 'D');
	assert_int_equal(size_of(1, "stdout"), 7);
	assert_int_equal(fstat(t.spec, &st), 0);
	assert_int_equal(st.st_size, 0);
}

static void test_a_signal_between_attempts_ends_it(void **state)
{
	AUTO_BUF struct buf spec = BUF_INIT;

	(void)state;
	put_spec(&spec, 1, "true");
	say('R', &spec);
	assert_int_equal(hear(), 'D');
	kill(t.pid, SIGTERM);
	assert_int_equal(hear(), 0);
	assert_int_equal(status_at_end(), 0);
}

/* The word to go and a signal at once: the attempt has started, and has a result. */
static void test_go_counts_before_a_signal(void **state)
{
	AUTO_BUF struct buf spec = BUF_INIT, text = BUF_INIT;
	AUTO_FREE char *path = xasprintf("%s/1/result.json", t.dir);

	(void)state;
	put_spec(&spec, 1, "sleep 1000");
	say('P', &spec);
	wait_until_held(1);
	kill(t.pid, SIGSTOP);
	say('G', NULL);
	kill(t.pid, SIGTERM);
	kill(t.pid, SIGCONT);
	assert_int_equal(hear(), 'D');
	assert_int_equal(fs_read(AT_FDCWD, path, 10000, &text, NULL), 0);
	assert_non_null(strstr(text.p, "\"outcome\":\"terminated\""));
}

static void test_bad_specification(void **state)
{
	AUTO_BUF struct buf spec = BUF_INIT;

	(void)state;
	put(&spec, "dir=/nowhere");
	say('R', &spec);
	assert_int_equal(hear(), 0);
	assert_int_equal(WEXITSTATUS(status_at_end()), 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_prepared_is_not_started, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_one_after_the_other, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_lock_is_free_when_done, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_long_specification, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_signal_between_attempts_ends_it, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_go_counts_before_a_signal, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_bad_specification, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
