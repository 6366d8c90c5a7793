/*
 * loop - the floor: start N jobs, P at a time, with posix_spawn, and keep nothing.
 *
 *   loop P N[,N…] COMMAND [ARG…]
 *
 * Several numbers are stages: one ends before the next begins, so `loop 2 1,500,1 /bin/true` is the fan.  The jobs
 * get the environment of the loop.  Exits 0 if every job did, else 1; 64 for a wrong command line.
 */
#include <errno.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Wait for one job.  false: it failed. */
static bool reap(void)
{
	int status;

	while (waitpid(-1, &status, 0) < 0)
		if (errno != EINTR) {
			perror("loop: waitpid");
			exit(1);
		}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool stage(long parallel, long jobs, char **argv)
{
	long running = 0;
	bool ok = true;
	pid_t pid;
	int err;

	for (; jobs > 0; jobs--) {
		if (running == parallel) {
			ok &= reap();
			running--;
		}
		err = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);
		if (err) {
			fprintf(stderr, "loop: %s: %s\n", argv[0], strerror(err));
			exit(1);
		}
		running++;
	}
	for (; running > 0; running--)
		ok &= reap();
	return ok;
}

int main(int argc, char **argv)
{
	char *end, *stages;
	long parallel, jobs;
	bool ok = true;

	if (argc < 4) {
		fprintf(stderr, "usage: loop P N[,N...] COMMAND [ARG...]\n");
		return 64;
	}
	parallel = strtol(argv[1], &end, 10);
	if (*end || parallel < 1) {
		fprintf(stderr, "loop: P is a number from 1, not %s\n", argv[1]);
		return 64;
	}
	for (stages = argv[2]; *stages; stages = end + (*end == ',')) {
		jobs = strtol(stages, &end, 10);
		if (end == stages || (*end && *end != ',') || jobs < 0) {
			fprintf(stderr, "loop: N is a number of jobs, or several with commas, not %s\n", argv[2]);
			return 64;
		}
		ok &= stage(parallel, jobs, argv + 3);
	}
	return ok ? 0 : 1;
}
