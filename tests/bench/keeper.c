/*
 * keeper - keep a server, and end it with everything that it started.
 *
 *   keeper LOG COMMAND [ARG…]
 *
 * A subreaper, so that what the server leaves behind stays in one tree: measure -s KEEPER counts it all.  SIGTERM to
 * the keeper is passed on to the server; when the server has ended, or ten seconds later, whatever is left of the
 * tree is killed.  Dies with the process that started it.  Exits with the server's status.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "proc.h"

static volatile sig_atomic_t told, overdue;

static void on_signal(int sig)
{
	if (sig == SIGALRM)
		overdue = 1;
	else if (sig != SIGCHLD) /* that one only wakes */
		told = 1;
}

static void kill_rest(void)
{
	static struct proc_list l;
	size_t i;

	proc_scan(&l);
	proc_mark(&l, getpid());
	for (i = 0; i < l.n; i++)
		if (l.at[i].in && l.at[i].pid != getpid())
			kill(l.at[i].pid, SIGKILL);
}

static _Noreturn void become(char **argv, const char *log, const sigset_t *mask)
{
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0666), null = open("/dev/null", O_RDONLY);

	if (fd < 0 || null < 0) {
		perror(log);
		_exit(126);
	}
	dup2(null, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	closefrom(3);
	setsid(); /* some servers signal their own process group */
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], argv);
	perror(argv[0]);
	_exit(127);
}

int main(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = on_signal};
	sigset_t blocked, before;
	int status = 0, st;
	pid_t server, pid;

	if (argc < 3) {
		fprintf(stderr, "usage: keeper LOG COMMAND [ARG...]\n");
		return 64;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGALRM);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGALRM, &sa, NULL);
	sigaction(SIGCHLD, &sa, NULL);
	server = fork();
	if (server == 0)
		become(argv + 2, argv[1], &before);
	if (server < 0) {
		perror("keeper: fork");
		return 1;
	}
	while (server) {
		sigsuspend(&before);
		if (told == 1) {
			told = 2;
			kill(server, SIGTERM);
			alarm(10);
		}
		if (overdue)
			kill(server, SIGKILL);
		while ((pid = waitpid(-1, &st, WNOHANG)) > 0)
			if (pid == server) {
				status = st;
				server = 0;
			}
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	do
		kill_rest();
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
