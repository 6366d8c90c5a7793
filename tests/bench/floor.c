/*
 * floor - the loop, and on disk what creel keeps of each job: the least that a tool with creel's promises can take.
 *
 *   floor P AHEAD N[,N…] COMMAND [ARG…]
 *
 * As loop.c, and in the current directory, for each job: two directories, a lock, request.json and result.json as large as
 * creel's for /bin/true, the last by rename; and journal/, of whose files each allows up to AHEAD starts and tells of the ends
 * before.  A job starts when the file that allows it and its directory are flushed; while they are, jobs run that were
 * allowed before.  No plan is read, nothing is decided, and no process supervises: who adds these is slower.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REQUEST = 203, RESULT = 315, LOCK = 110, COMMIT = 200, COMMIT_JOB = 350, COMMIT_MAX = 64 * 1024 };

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	long wanted, durable; /* files of the journal */
	long bytes;           /* of the next */
	int journal;
} commits = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static char text[COMMIT_MAX];

static void die(const char *what) __attribute__((noreturn));
static void die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int put(int dir, const char *name, long n)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, text, (size_t)n) != n)
		die(name);
	return fd;
}

static void commit(long number, long bytes)
{
	char from[32], to[32];
	int fd;

	snprintf(from, sizeof from, "%ld.tmp", number);
	snprintf(to, sizeof to, "%08ld.json", number);
	fd = put(commits.journal, from, bytes);
	if (renameat(commits.journal, from, commits.journal, to) < 0 || fdatasync(fd) < 0 || close(fd) < 0 ||
	    fsync(commits.journal) < 0)
		die(to);
}

static void *flusher(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&commits.mutex);
	for (;;) {
		long number = commits.durable + 1, bytes = commits.bytes;

		while (commits.wanted < number) {
			pthread_cond_wait(&commits.changed, &commits.mutex);
			bytes = commits.bytes;
		}
		pthread_mutex_unlock(&commits.mutex);
		commit(number, bytes);
		pthread_mutex_lock(&commits.mutex);
		commits.durable = number;
		pthread_cond_broadcast(&commits.changed);
	}
	return NULL;
}

static void want(long number, long jobs)
{
	pthread_mutex_lock(&commits.mutex);
	commits.wanted = number;
	commits.bytes = COMMIT + jobs * COMMIT_JOB < COMMIT_MAX ? COMMIT + jobs * COMMIT_JOB : COMMIT_MAX;
	pthread_cond_broadcast(&commits.changed);
	pthread_mutex_unlock(&commits.mutex);
}

static void await(long number)
{
	pthread_mutex_lock(&commits.mutex);
	while (commits.durable < number)
		pthread_cond_wait(&commits.changed, &commits.mutex);
	pthread_mutex_unlock(&commits.mutex);
}

static void prepare(long job)
{
	char path[64];

	snprintf(path, sizeof path, "actions/a%ld", job);
	if (mkdir(path, 0755) < 0)
		die(path);
	strcat(path, "/1");
	if (mkdir(path, 0755) < 0)
		die(path);
	snprintf(path, sizeof path, "actions/a%ld/1/lock", job);
	close(put(AT_FDCWD, path, LOCK));
	snprintf(path, sizeof path, "actions/a%ld/1/request.json", job);
	close(put(AT_FDCWD, path, REQUEST));
}

static void keep(long job)
{
	char from[64], to[64];

	snprintf(from, sizeof from, "actions/a%ld/1/.result.json.tmp", job);
	snprintf(to, sizeof to, "actions/a%ld/1/result.json", job);
	close(put(AT_FDCWD, from, RESULT));
	if (rename(from, to) < 0)
		die(to);
}

static struct running {
	pid_t pid;
	long job;
} *running;
static long n_running;

/* Wait for one job, and keep what came of it.  false: it failed. */
static bool reap(void)
{
	int status;
	pid_t pid;
	long k;

	while ((pid = waitpid(-1, &status, 0)) < 0)
		if (errno != EINTR)
			die("waitpid");
	for (k = 0; k < n_running && running[k].pid != pid; k++)
		;
	keep(running[k].job);
	running[k] = running[--n_running];
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static long job_number, file_number;

static bool stage(long parallel, long ahead, long jobs, char **argv)
{
	long allowed = 0; /* by files that are flushed or are being flushed */
	long current = 0; /* by those before the last */
	bool ok = true;
	int err;

	for (; jobs > 0; jobs--, job_number++) {
		if (n_running == parallel) {
			ok &= reap();
		}
		if (current == 0) {
			if (allowed == 0)
				want(++file_number, allowed = jobs < ahead ? jobs : ahead);
			await(file_number);
			current = allowed;
			allowed = jobs - current < ahead ? jobs - current : ahead;
			if (allowed > 0)
				want(++file_number, allowed);
		}
		current--;
		prepare(job_number);
		running[n_running].job = job_number;
		err = posix_spawn(&running[n_running].pid, argv[0], NULL, NULL, argv, environ);
		if (err) {
			errno = err;
			die(argv[0]);
		}
		n_running++;
	}
	while (n_running > 0)
		ok &= reap();
	return ok;
}

static long number(const char *s, const char *what)
{
	char *end;
	long n = strtol(s, &end, 10);

	if (*end || n < 1) {
		fprintf(stderr, "floor: %s is a number from 1, not %s\n", what, s);
		exit(64);
	}
	return n;
}

int main(int argc, char **argv)
{
	char *end, *stages;
	long parallel, ahead, jobs;
	pthread_t thread;
	bool ok = true;

	if (argc < 5) {
		fprintf(stderr, "usage: floor P AHEAD N[,N...] COMMAND [ARG...]\n");
		return 64;
	}
	parallel = number(argv[1], "P");
	ahead = number(argv[2], "AHEAD");
	running = calloc((size_t)parallel, sizeof *running);
	memset(text, 'x', sizeof text);
	if (!running || mkdir("journal", 0755) < 0 || mkdir("actions", 0755) < 0 ||
	    (commits.journal = open("journal", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		die("journal, actions");
	if (pthread_create(&thread, NULL, flusher, NULL))
		die("a thread");
	for (stages = argv[3]; *stages; stages = end + (*end == ',')) {
		jobs = strtol(stages, &end, 10);
		if (end == stages || (*end && *end != ',') || jobs < 0) {
			fprintf(stderr, "floor: N is a number of jobs, or several with commas, not %s\n", argv[3]);
			return 64;
		}
		ok &= stage(parallel, ahead, jobs, argv + 4);
	}
	want(++file_number, 1); /* that all ended */
	await(file_number);
	return ok ? 0 : 1;
}
