/*
 * reuse - an innocent process that has the number of one that is gone.
 *
 *	reuse PID plain|session|orphan
 *
 * A process of that number is made (clone3 with set_tid: needs CAP_SYS_ADMIN, or CAP_CHECKPOINT_RESTORE).  plain: it stays
 * in our session; session: it leads a session of its own, which has that number, too; orphan: its child lives in that
 * session, and itself is gone.  "lives PID" is said when it is there.  It lives until our standard input ends; then
 * "unharmed" is said, or "killed by N" if it was ended before.  Exit: 0, 3 the number is not free, 125 not allowed.
 */
#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t make(pid_t number)
{
	struct clone_args args = {.exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&number, .set_tid_size = 1};

	return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

/* What the innocent does.  Its number is said through the pipe. */
static void live(const char *how, int say)
{
	pid_t self;

	if (strcmp(how, "plain") != 0 && setsid() < 0)
		_exit(125);
	if (strcmp(how, "orphan") == 0 && fork() != 0)
		_exit(0);
	self = getpid();
	if (write(say, &self, sizeof self) != sizeof self)
		_exit(125);
	close(say);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	struct pollfd input = {.events = POLLIN};
	int say[2], status = 0;
	pid_t first, innocent;
	char byte;

	if (argc != 3 || pipe(say) < 0)
		return 64;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	first = make((pid_t)atoi(argv[1]));
	if (first == 0)
		live(argv[2], say[1]);
	if (first < 0) {
		fprintf(stderr, "reuse: %s: %s\n", argv[1], strerror(errno));
		return errno == EEXIST ? 3 : 125;
	}
	close(say[1]);
	if (read(say[0], &innocent, sizeof innocent) != sizeof innocent)
		return 125;
	if (innocent != first)
		waitpid(first, NULL, 0);
	printf("lives %d\n", innocent);
	fflush(stdout);
	while (poll(&input, 1, 10) == 0 || (input.revents & POLLIN && read(0, &byte, 1) > 0))
		if (waitpid(innocent, &status, WNOHANG) == innocent) {
			printf("killed by %d\n", WTERMSIG(status));
			return 0;
		}
	if (waitpid(innocent, &status, WNOHANG) == innocent) {
		printf("killed by %d\n", WTERMSIG(status));
		return 0;
	}
	kill(innocent, SIGKILL);
	waitpid(innocent, NULL, 0);
	printf("unharmed\n");
	return 0;
}
