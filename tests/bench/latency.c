/*
 * latency - from the rename of a plan into the inbox of a daemon that idles to the action's first instruction.
 *
 *   latency SPOOL FIRST N		N lines: CREEL FLOOR SPAWN, in microseconds
 *
 * In turn, in the same run: what creel takes; the floor, which is two full commits of 500 bytes (write, fdatasync,
 * rename, fsync of the directory) in the spool's file system and a posix_spawn of the same program; and that spawn
 * alone.  The working directory must be in the spool's file system: files are made there.  The next plan comes when
 * this one has left active/, which the kernel tells: to read a directory of thousands of names again and again would
 * cost the daemon its caches.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *first, *spool;
static char here[4096];
static int leaving; /* inotify: what leaves active/ */

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "latency: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void nap(long ns)
{
	struct timespec t = {.tv_nsec = ns};

	nanosleep(&t, NULL);
}

static void write_file(const char *path, const char *text, size_t n, bool flush)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	if (fd < 0 || write(fd, text, n) != (ssize_t)n || (flush && fdatasync(fd)) || close(fd))
		die(path);
}

/* When the program that writes path began.  Waits for it, ten seconds at most. */
static long long told(const char *path)
{
	char text[32];
	ssize_t n = 0;
	int fd, looks;

	for (looks = 0; looks < 50000; looks++) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			n = read(fd, text, sizeof text - 1);
			close(fd);
			if (n > 0 && text[n - 1] == '\n') {
				text[n] = 0;
				return atoll(text);
			}
		}
		nap(200000);
	}
	errno = ETIMEDOUT;
	die(path);
}

static void watch_active(void)
{
	char path[4200];

	snprintf(path, sizeof path, "%s/active", spool);
	leaving = inotify_init1(IN_CLOEXEC);
	if (leaving < 0 || inotify_add_watch(leaving, path, IN_DELETE) < 0)
		die(path);
}

/* Only what was dropped here leaves: what else is active waits for somebody. */
static void wait_for_end(void)
{
	struct pollfd fd = {leaving, POLLIN, 0};
	char events[4096];

	if (poll(&fd, 1, 10000) == 1 && read(leaving, events, sizeof events) > 0)
		return;
	errno = ETIMEDOUT;
	die("the execution stays active");
}

static void commit(int dir, int k)
{
	char text[500], temporary[64], name[64];

	memset(text, 'x', sizeof text);
	snprintf(temporary, sizeof temporary, "floor/%d.tmp", k);
	snprintf(name, sizeof name, "floor/%d", k);
	write_file(temporary, text, sizeof text, true);
	if (rename(temporary, name) || fsync(dir))
		die(name);
}

/* Spawn the program and wait for it: the time from `from` until it began. */
static long long spawn_first(const char *path, long long from)
{
	char *argv[] = {(char *)first, (char *)path, NULL};
	pid_t pid;
	int status;

	errno = posix_spawn(&pid, first, NULL, NULL, argv, environ);
	if (errno || waitpid(pid, &status, 0) != pid || status != 0)
		die(first);
	return told(path) - from;
}

static long long measure_creel(int k)
{
	char plan[64], inbox[4200], out[64], text[10000];
	long long from;
	int n;

	snprintf(plan, sizeof plan, "plan.%d", k);
	snprintf(out, sizeof out, "creel.%d", k);
	snprintf(inbox, sizeof inbox, "%s/inbox/%d.json", spool, k);
	n = snprintf(text, sizeof text,
		     "{\"name\":\"latency\",\"actions\":[{\"id\":\"a\",\"actionDefinitionId\":\"command\","
		     "\"inputs\":{\"command\":\"%s\",\"args\":[\"%s/%s\"]}}]}\n", first, here, out);
	write_file(plan, text, (size_t)n, true);
	from = now_ns();
	if (rename(plan, inbox))
		die(inbox);
	from = told(out) - from;
	wait_for_end();
	nap(5000000 + (k * 37 % 11) * 1000000); /* it idles again, and not in step with anything */
	return from;
}

int main(int argc, char **argv)
{
	long long creel, floor_ns, spawned;
	char out[64];
	int dir, k, n;

	if (argc != 4 || (n = atoi(argv[3])) < 1) {
		fprintf(stderr, "usage: latency SPOOL FIRST N\n");
		return 64;
	}
	spool = argv[1];
	first = argv[2];
	if (!getcwd(here, sizeof here) || (mkdir("floor", 0777) && errno != EEXIST))
		die("floor");
	dir = open("floor", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		die("floor");
	watch_active();
	for (k = 0; k < n; k++) {
		creel = measure_creel(k);
		floor_ns = now_ns();
		commit(dir, 2 * k);
		commit(dir, 2 * k + 1);
		snprintf(out, sizeof out, "floor.%d", k);
		floor_ns = spawn_first(out, floor_ns);
		snprintf(out, sizeof out, "spawn.%d", k);
		spawned = spawn_first(out, now_ns());
		printf("%lld\t%lld\t%lld\n", creel / 1000, floor_ns / 1000, spawned / 1000);
	}
	return 0;
}
