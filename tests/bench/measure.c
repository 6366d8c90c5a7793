/*
 * measure - run a command; write how long it took, what processor time its whole tree used, and how it ended.
 *
 *   measure [-s PID]… [-l LOG] [-t SECONDS] OUT COMMAND [ARG…]
 *
 *   -s PID      also count what the tree of this process uses meanwhile: a server that was there before (keeper.c)
 *   -l LOG      standard output and error of the command; else /dev/null
 *   -t SECONDS  end the command and everything that it started after so long (default 300): status 124
 *
 * OUT gets one line: WALL CPU STATUS WRITTEN, the first two in microseconds.  The wall clock stops when the command
 * ends.  What it left behind in the background is waited for after that and counts as processor time.  Processor
 * time of the command comes from wait4, exact; that of servers from /proc, in steps of 10 ms.  WRITTEN is how many
 * bytes the command and its tree passed to write(2) and its like, without the servers.  The exit status is 0 if
 * the command's was, else 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "proc.h"

enum { SERVERS_MAX = 16 };

static volatile sig_atomic_t late;

static void on_alarm(int sig)
{
	(void)sig;
	late = 1;
}

static long long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static long long us(struct timeval t)
{
	return t.tv_sec * 1000000LL + t.tv_usec;
}

/* Everything below us, at once. */
static void kill_descendants(void)
{
	struct proc_list l = {0};
	size_t i;

	proc_scan(&l);
	proc_mark(&l, getpid());
	for (i = 0; i < l.n; i++)
		if (l.at[i].in && l.at[i].pid != getpid())
			kill(l.at[i].pid, SIGKILL);
	free(l.at);
}

static pid_t start(char **argv, const char *log)
{
	posix_spawn_file_actions_t fa;
	pid_t pid;
	int err;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&fa, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0666);
	posix_spawn_file_actions_adddup2(&fa, 1, 2);
	err = posix_spawnp(&pid, argv[0], &fa, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	if (err) {
		fprintf(stderr, "measure: %s: %s\n", argv[0], strerror(err));
		exit(1);
	}
	return pid;
}

/* The end of main_pid, or of all that is left if it is 0. */
static void wait_for(pid_t main_pid, int *main_status)
{
	pid_t pid;
	int status;

	for (;;) {
		pid = waitpid(-1, &status, 0);
		if (pid < 0 && errno == ECHILD)
			return;
		if (late)
			kill_descendants(); /* again, for what was started meanwhile */
		if (pid > 0 && pid == main_pid) {
			*main_status = status;
			return;
		}
	}
}

/* Bytes that we wrote, and all that we have waited for. */
static long long written(void)
{
	FILE *f = fopen("/proc/self/io", "re");
	char line[64];
	long long n = 0;

	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, "wchar: ", 7) == 0)
			n = atoll(line + 7);
	if (f)
		fclose(f);
	return n;
}

int main(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = on_alarm};
	pid_t server[SERVERS_MAX], pid;
	long long wall, cpu = 0, bytes;
	const char *log = "/dev/null";
	int c, i, servers = 0, seconds = 300, status = 0;
	struct rusage ru;
	FILE *out;

	while ((c = getopt(argc, argv, "+s:l:t:")) != -1)
		if (c == 's' && servers < SERVERS_MAX)
			server[servers++] = (pid_t)atoi(optarg);
		else if (c == 'l')
			log = optarg;
		else if (c == 't')
			seconds = atoi(optarg);
		else
			return 64;
	if (argc - optind < 2) {
		fprintf(stderr, "usage: measure [-s PID]... [-l LOG] [-t SECONDS] OUT COMMAND [ARG...]\n");
		return 64;
	}
	out = fopen(argv[optind], "we");
	if (!out) {
		perror(argv[optind]);
		return 1;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigaction(SIGALRM, &sa, NULL); /* interrupts waitpid */
	for (i = 0; i < servers; i++)
		cpu -= proc_tree_cpu(server[i]);
	bytes = written();
	alarm((unsigned)seconds);
	wall = now_us();
	pid = start(argv + optind + 1, log);
	wait_for(pid, &status);
	wall = now_us() - wall;
	for (i = 0; i < servers; i++)
		cpu += proc_tree_cpu(server[i]);
	wait_for(0, NULL);
	getrusage(RUSAGE_CHILDREN, &ru);
	cpu += us(ru.ru_utime) + us(ru.ru_stime);
	c = late ? 124 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	fprintf(out, "%lld %lld %d %lld\n", wall, cpu, c, written() - bytes);
	if (fclose(out)) {
		perror(argv[optind]);
		return 1;
	}
	return c ? 1 : 0;
}
