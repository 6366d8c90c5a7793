/*
 * restart - start a daemon on a spool, and see how long it takes until it serves and until it runs something new.
 *
 *   restart CREELD SPOOL PLAN FILE
 *
 * PLAN is moved into the inbox as soon as the daemon says that it serves; its action makes FILE.  Then the daemon is
 * stopped.  One line: SERVES FIRST CPU, microseconds: from the start to "serves", from the start until FILE is there,
 * and the processor time of the daemon until its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "restart: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Read the log of the daemon until it serves.  What it says goes on to our standard error. */
static void until_it_serves(FILE *log)
{
	char line[4096];

	while (fgets(line, sizeof line, log)) {
		if (strstr(line, " serves "))
			return;
		fputs(line, stderr);
	}
	errno = EPIPE;
	die("the daemon ended");
}

static pid_t start(const char *creeld, const char *spool, int log)
{
	char option[] = "--spool", *argv[] = {(char *)creeld, option, (char *)spool, NULL};
	posix_spawn_file_actions_t fa;
	pid_t pid;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, log, 2);
	errno = posix_spawn(&pid, creeld, &fa, NULL, argv, environ);
	if (errno)
		die(creeld);
	posix_spawn_file_actions_destroy(&fa);
	return pid;
}

int main(int argc, char **argv)
{
	struct timespec nap = {.tv_nsec = 200000};
	long long began, serves, ran;
	char inbox[4200];
	struct rusage ru;
	int fd[2], looks;
	pid_t pid;

	if (argc != 5) {
		fprintf(stderr, "usage: restart CREELD SPOOL PLAN FILE\n");
		return 64;
	}
	if (pipe2(fd, O_CLOEXEC))
		die("pipe");
	began = now_us();
	pid = start(argv[1], argv[2], fd[1]);
	close(fd[1]);
	until_it_serves(fdopen(fd[0], "r")); /* the rest of its log stays in the pipe: there is little */
	serves = now_us();
	snprintf(inbox, sizeof inbox, "%s/inbox/after-restart.json", argv[2]);
	if (rename(argv[3], inbox))
		die(inbox);
	for (looks = 0; access(argv[4], F_OK) != 0; looks++) {
		if (looks > 300 * 5000) {
			errno = ETIMEDOUT;
			die(argv[4]);
		}
		nanosleep(&nap, NULL);
	}
	ran = now_us();
	kill(pid, SIGTERM);
	if (waitpid(pid, NULL, 0) != pid)
		die("waitpid");
	getrusage(RUSAGE_CHILDREN, &ru);
	printf("%lld\t%lld\t%lld\n", serves - began, ran - began,
	       (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000LL + ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
	return 0;
}
