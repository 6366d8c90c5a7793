#include "creeld/survivors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "creeld/apis.h"
#include "creeld/spares.h"

enum { PASSES = 40, PAUSE_MS = 5, ENVIRON_MAX = 8 * 1024 * 1024 };

struct process {
	pid_t pid, parent, session;
	unsigned long long start;
	bool over; /* it has ended and waits for its parent to reap it */
};

/* 1, 0 if there is no such process (any more), -1 if it cannot be told. */
static int read_stat(pid_t pid, struct process *out, struct err *e)
{
	char path[32], text[1024], state, *p;
	int fd, parent, session, threads, code;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ESRCH ? 0 : err_sys(e, errno, "cannot open %s", path);
	n = read(fd, text, sizeof text - 1);
	code = errno;
	close(fd);
	if (n <= 0)
		return n == 0 || code == ESRCH ? 0 : err_sys(e, code, "cannot read %s", path);
	text[n] = '\0';
	p = strrchr(text, ')'); /* the name may hold anything */
	if (!p || sscanf(p + 1, " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d %*d %llu", &state,
			 &parent, &session, &threads, &out->start) != 5)
		return err_set(e, EBADMSG, "%s is not as expected", path);
	out->pid = pid;
	out->parent = parent;
	out->session = session;
	out->over = state == 'X' || (state == 'Z' && threads <= 1); /* else only its first thread has ended */
	return 1;
}

/* ---- whose is it? ---- */

static bool is_ours(const struct daemon *d, pid_t pid)
{
	size_t k;

	if (pid == d->gc || health_knows(d, pid))
		return true;
	for (k = 0; k < d->running.n; k++)
		if (d->running.v[k].supervisor.pid == pid)
			return true;
	for (k = 0; k < d->lingering.n; k++)
		if (d->lingering.v[k] == pid)
			return true;
	return spares_know(d, pid);
}

/* As the first process of a container, or started in the place of a shell, we have children that no attempt made. */
void survivors_look_around(struct daemon *d)
{
	siginfo_t info;

	d->among_others = getpid() == 1 || waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

/* 1: its environment says that it is of this execution. */
static int has_our_mark(pid_t pid, const char *execution, struct err *e)
{
	AUTO_FREE char *path = xasprintf("/proc/%d/environ", pid);
	AUTO_FREE char *mark = xasprintf("CREEL_EXECUTION_ID=%s", execution);
	AUTO_BUF struct buf text = BUF_INIT;

	if (fs_read(AT_FDCWD, path, ENVIRON_MAX, &text, e) < 0)
		return err_is_passing(e->code) ? -1 : 0; /* gone, or another user's, whom we cannot signal either */
	return text.len > 0 && memmem(text.p, text.len, mark, strlen(mark) + 1);
}

/* Whose session has the number that the attempt's had?  The kernel gives it to nobody else as long as anything lives
 * in that session: so if another process has the number now, nothing of the attempt's is left there. */
enum session { SESSION_OURS, SESSION_ANOTHERS, SESSION_WITHOUT_LEADER /* either */ };

static int whose_session(const struct attempt_process *p, struct err *e)
{
	struct process leader;
	int is;

	if (!p->known)
		return SESSION_ANOTHERS;
	is = read_stat(p->sid, &leader, e);
	if (is <= 0 || p->sid != p->pid)
		return is < 0 ? -1 : SESSION_WITHOUT_LEADER;
	return leader.start == p->start ? SESSION_OURS : SESSION_ANOTHERS;
}

/* 1: it is what an attempt left. */
static int is_survivor(const struct daemon *d, const char *execution, const struct attempt_process *p,
		       enum session session, const struct process *q, struct err *e)
{
	if (session != SESSION_ANOTHERS && q->session == p->sid && q->start >= p->start) {
		int is = session == SESSION_OURS ? 1 : has_our_mark(q->pid, execution, e);

		if (is)
			return is;
	}
	if (q->parent != getpid() || is_ours(d, q->pid))
		return 0;
	/* Any other child of ours has lost its supervisor: whichever attempt it is of, that one is over. */
	return d->among_others ? has_our_mark(q->pid, execution, e) : 1;
}

/* ---- ending ---- */

/* How many live; -1: it cannot be told. */
static int kill_once(struct daemon *d, const char *execution, const struct attempt_process *p, struct err *e)
{
	DIR *proc = fs_dir_open(AT_FDCWD, "/proc", e);
	const char *name;
	int n = 0, is, session;

	if (!proc)
		return -1;
	is = session = whose_session(p, e);
	while (is >= 0 && (name = fs_dir_next(proc, e))) {
		pid_t pid = atoi(name);
		struct process q;

		if (pid <= 1 || pid == getpid())
			continue;
		is = read_stat(pid, &q, e);
		if (is > 0)
			is = is_survivor(d, execution, p, (enum session)session, &q, e);
		if (is <= 0)
			continue;
		/* A parent may never reap what has ended: nothing is left of that to wait for. */
		if (!q.over && kill(pid, SIGKILL) == 0)
			n++;
		if (q.parent == getpid())
			waitpid(pid, NULL, WNOHANG);
	}
	closedir(proc);
	return is < 0 || e->code ? -1 : n;
}

/* 1, 0 if the machine was started anew since, or nothing is known of the process; -1: it cannot be told. */
static int same_boot(const struct attempt_process *p, struct err *e)
{
	AUTO_BUF struct buf now = BUF_INIT;

	if (!p->known)
		return 0;
	if (fs_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 100, &now, e) < 0)
		return -1;
	return strncmp(buf_str(&now), p->boot, 36) == 0;
}

int survivors_end(struct daemon *d, const char *execution, const struct attempt_process *p, struct err *e)
{
	struct timespec pause = {0, PAUSE_MS * 1000 * 1000};
	struct attempt_process target = *p;
	int left = same_boot(p, e), tries;

	if (left < 0)
		return -1;
	target.known = left > 0; /* after a reboot that pid is somebody else's */
	for (tries = 0; tries < PASSES; tries++) {
		left = kill_once(d, execution, &target, e);
		if (left <= 0)
			return left;
		nanosleep(&pause, NULL);
	}
	return err_set(e, EBUSY, "%d processes that it left do not end", left);
}

pid_t survivors_supervisor(const struct attempt_process *p)
{
	char path[32], name[32] = "";
	struct process q;
	struct err e;
	int fd;

	if (same_boot(p, &e) <= 0 || read_stat(p->pid, &q, &e) <= 0 || q.start != p->start)
		return 0;
	snprintf(path, sizeof path, "/proc/%d/comm", q.parent);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (read(fd, name, sizeof name - 1) < 0)
			name[0] = '\0';
		close(fd);
	}
	return strncmp(name, "creel-run", 9) == 0 ? q.parent : 0;
}
