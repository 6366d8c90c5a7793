/*
 * children.c - supervisors: started, adopted, ended, and what is left when one dies.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "creeld/spares.h"

int child_start(struct daemon *d, struct live *l, uint32_t action, struct err *e)
{
	AUTO_BUF struct buf spec = BUF_INIT;
	struct running r = {.live = l, .action = action, .attempt = l->exec->a[action].attempt, .pidfd = -1};

	if (spec_make(d, l, action, &spec, e) < 0)
		return -1;
	if (spares_start(d, &spec, &r.supervisor, e) < 0)
		return -1;
	vec_push(&d->running, r);
	return 0;
}

/* ---- processes that lost their supervisor ---- */

/* over: it has ended and waits for its parent to reap it. */
static bool read_stat(pid_t pid, pid_t *ppid, pid_t *session, unsigned long long *start, bool *over)
{
	char path[32], text[1024], state, *p;
	int fd, pp, sid, threads;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	p = strrchr(text, ')'); /* the name may hold anything */
	if (!p || sscanf(p + 1, " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d %*d %llu", &state,
			 &pp, &sid, &threads, start) != 5)
		return false;
	*over = state == 'X' || (state == 'Z' && threads <= 1); /* else only its first thread has ended */
	*ppid = pp;
	*session = sid;
	return true;
}

static bool is_ours(const struct daemon *d, pid_t pid)
{
	size_t k;

	if (pid == d->gc)
		return true;
	for (k = 0; k < d->running.n; k++)
		if (d->running.v[k].supervisor.pid == pid)
			return true;
	return spares_know(d, pid);
}

/* Kill what belongs to the session, and what came to us as subreaper; returns how many still live. */
static unsigned kill_once(struct daemon *d, const struct attempt_process *p)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	unsigned n = 0;

	while (proc && (entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name), ppid, session;
		unsigned long long start;
		bool over;

		/* A parent may never reap what has ended: nothing is left of that to wait for. */
		if (pid <= 1 || pid == getpid() || !read_stat(pid, &ppid, &session, &start, &over) || over)
			continue;
		if (!(p->known && session == p->sid && start >= p->start) && !(ppid == getpid() && !is_ours(d, pid)))
			continue;
		if (kill(pid, SIGKILL) == 0)
			n++;
		waitpid(pid, NULL, WNOHANG);
	}
	if (proc)
		closedir(proc);
	return n;
}

static bool same_boot(const struct attempt_process *p)
{
	AUTO_BUF struct buf now = BUF_INIT;

	return p->known && fs_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 100, &now, NULL) == 0 &&
	       strncmp(buf_str(&now), p->boot, 36) == 0;
}

void child_kill_survivors(struct daemon *d, const struct attempt_process *p)
{
	struct timespec pause = {0, 5 * 1000 * 1000};
	struct attempt_process target = *p;
	int tries;

	/* After a reboot, or in a copy of the spool, that pid is somebody else's. */
	if (d->restored || !same_boot(p))
		target.known = false;
	for (tries = 0; tries < 400 && kill_once(d, &target) > 0; tries++)
		nanosleep(&pause, NULL);
}

/* ---- ends ---- */

static void lost(struct daemon *d, struct live *l, uint32_t action, uint32_t attempt, const char *reason)
{
	struct input *in = live_input(d, l, INPUT_LOST, action);

	in->attempt = attempt;
	in->reason = xstrdup(reason);
}

static void look_after_death(struct daemon *d, struct live *l, uint32_t action, uint32_t attempt, const char *why)
{
	const char *id = l->plan->actions[action].id;
	struct attempt_process p;
	AUTO_FREE char *reason = NULL;
	struct err e;

	switch (attempt_examine(&d->spool, l->exec->id, id, attempt, &p, &e)) {
	case ATTEMPT_LOCK_HELD:
		child_adopt(d, l, action, &p);
		break;
	case ATTEMPT_LOCK_UNUSED:
		/* It never ran: the same attempt may start. */
		if (attempt_reset(&d->spool, l->exec->id, id, attempt, &e) == 0) {
			vec_push(&l->queued, action);
			if (!l->queuing)
				vec_push(&d->queue, l->slot);
			l->queuing = true;
			d->dispatch_retry = clock_mono() + 100;
			break;
		}
		lost(d, l, action, attempt, e.text);
		break;
	case ATTEMPT_LOCK_RESULT:
	case ATTEMPT_LOCK_LOST:
		child_kill_survivors(d, &p);
		reason = xasprintf("%s, and it left no result that can be used", why);
		lost(d, l, action, attempt, reason);
		break;
	}
}

static void take_out(struct daemon *d, size_t k)
{
	d->running.v[k] = d->running.v[--d->running.n];
}

/* Its result may be announced while the supervisor is still there: nothing must point to an execution that can end
 * before that supervisor does. */
static void forget_running(struct daemon *d, const struct live *l, uint32_t action, uint32_t attempt)
{
	size_t k;

	for (k = d->running.n; k-- > 0;) {
		struct running *r = &d->running.v[k];

		if (r->live != l || r->action != action || r->attempt != attempt)
			continue;
		if (r->pidfd >= 0)
			close(r->pidfd);
		supervisor_release(&r->supervisor);
		take_out(d, k);
	}
}

void child_ended(struct daemon *d, struct live *l, uint32_t action, uint32_t attempt, int status)
{
	const char *id = l->plan->actions[action].id;
	struct attempt_report report;
	struct err e = {0};
	struct attempt_process unknown = {0};
	char why[500];
	struct input *in;

	if (l->exec->a[action].attempt != attempt || l->exec->a[action].phase != PH_RUNNING)
		return;
	switch (attempt_read(&d->spool, l->exec->id, id, attempt, l->exec->a[action].token, &report, &e)) {
	case ATTEMPT_READ_OK:
		forget_running(d, l, action, attempt);
		in = live_input(d, l, INPUT_RESULT, action);
		in->attempt = attempt;
		in->report = report;
		return;
	case ATTEMPT_READ_BAD:
		snprintf(why, sizeof why, "its result was refused: %s", e.text);
		log_warn("attempt %u of %s of %s: %s", attempt, id, l->exec->id, why);
		break;
	case ATTEMPT_READ_LATER:
		log_warn("attempt %u of %s of %s: %s; it is looked at again", attempt, id, l->exec->id, e.text);
		forget_running(d, l, action, attempt);
		child_adopt(d, l, action, &unknown);
		return;
	case ATTEMPT_READ_NONE:
		if (status >= 0 && WIFSIGNALED(status))
			snprintf(why, sizeof why, "its supervisor was ended by signal %d", WTERMSIG(status));
		else if (status >= 0)
			snprintf(why, sizeof why, "its supervisor ended with status %d", WEXITSTATUS(status));
		else
			snprintf(why, sizeof why, "its supervisor is gone");
		break;
	}
	look_after_death(d, l, action, attempt, why);
}

static bool running_reaped(struct daemon *d, pid_t pid, int status)
{
	size_t k;

	for (k = 0; k < d->running.n; k++)
		if (d->running.v[k].supervisor.pid == pid && !d->running.v[k].adopted) {
			struct running r = d->running.v[k];

			take_out(d, k);
			supervisor_release(&r.supervisor);
			child_ended(d, r.live, r.action, r.attempt, status);
			return true;
		}
	return false;
}

void children_reap(struct daemon *d)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (!retention_ended(d, pid, status) && !running_reaped(d, pid, status))
			spares_reaped(d, pid, status);
}

void child_end(struct daemon *d, struct running *r)
{
	(void)d;
	if (r->ending || r->supervisor.pid <= 0)
		return;
	r->ending = true;
	if (kill(r->supervisor.pid, SIGTERM) < 0)
		log_debug("cannot end supervisor %d: %s", r->supervisor.pid, strerror(errno));
}

/* ---- adoption ---- */

/* The supervisor is the parent of the action's main process, while that lives. */
static pid_t find_supervisor(const struct attempt_process *p)
{
	unsigned long long start;
	char path[32], name[32] = "";
	pid_t parent, session;
	bool over;
	int fd;

	if (!same_boot(p) || !read_stat(p->pid, &parent, &session, &start, &over) || start != p->start)
		return 0;
	snprintf(path, sizeof path, "/proc/%d/comm", parent);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (read(fd, name, sizeof name - 1) < 0)
			name[0] = '\0';
		close(fd);
	}
	return strncmp(name, "creel-run", 9) == 0 ? parent : 0;
}

/* Descriptors for adopted supervisors must leave some for the rest of the work. */
static bool leaves_room(int fd)
{
	enum { RESERVE = 128 };
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) < 0 || (rlim_t)fd + RESERVE < limit.rlim_cur;
}

static void follow(struct daemon *d, struct running *r, const struct attempt_process *p)
{
	struct epoll_event want = {.events = EPOLLIN};

	r->supervisor.pid = find_supervisor(p);
	if (r->supervisor.pid <= 0)
		return;
	r->pidfd = (int)syscall(SYS_pidfd_open, r->supervisor.pid, 0);
	if (r->pidfd < 0)
		return;
	want.data.fd = r->pidfd;
	if (leaves_room(r->pidfd) && epoll_ctl(d->epoll, EPOLL_CTL_ADD, r->pidfd, &want) == 0)
		return;
	close(r->pidfd); /* it is looked at again and again instead */
	r->pidfd = -1;
}

void child_adopt(struct daemon *d, struct live *l, uint32_t action, const struct attempt_process *p)
{
	struct running r = {.live = l, .action = action, .attempt = l->exec->a[action].attempt, .pidfd = -1,
			    .supervisor = {.spec = -1, .words = -1}, .adopted = true};

	follow(d, &r, p);
	vec_push(&d->running, r);
}

static void adopted_over(struct daemon *d, size_t k)
{
	struct running r = d->running.v[k];
	char name[SPOOL_PATH_MAX];

	if (r.pidfd >= 0)
		close(r.pidfd);
	take_out(d, k);
	/* Its announcement says nothing more; whoever drains may be gone before the next look at results/. */
	spool_result_name(r.live->exec->id, r.live->plan->actions[r.action].id, r.attempt, name);
	unlinkat(d->spool.fd[SPOOL_RESULTS], name, 0);
	child_ended(d, r.live, r.action, r.attempt, -1);
}

/* One that was told to end may have been between two attempts when it heard of it: it is not used again. */
static void attempt_done(struct daemon *d, size_t k)
{
	struct running r = d->running.v[k];

	take_out(d, k);
	child_ended(d, r.live, r.action, r.attempt, 0);
	if (r.ending)
		supervisor_release(&r.supervisor);
	else
		spares_return(d, r.supervisor);
}

void child_speaks(struct daemon *d, int fd)
{
	size_t k;

	for (k = 0; k < d->running.n; k++) {
		if (d->running.v[k].pidfd == fd) {
			adopted_over(d, k);
			return;
		}
		if (d->running.v[k].supervisor.words != fd)
			continue;
		if (supervisor_is_done(fd))
			attempt_done(d, k);
		else
			epoll_ctl(d->epoll, EPOLL_CTL_DEL, fd, NULL); /* it leaves, and is reaped */
		return;
	}
	spares_speak(d, fd);
}

/* It was not known when its end may have been asked for. */
static void find_late(struct daemon *d, struct running *r, const struct attempt_process *p)
{
	follow(d, r, p);
	if (r->supervisor.pid > 0 && core_must_end(r->live->exec, r->action))
		child_end(d, r);
}

/* Those whose supervisor is not known are looked at again and again: they are in their last moments, or in their
 * first, or there were too few descriptors. */
void children_check_adopted(struct daemon *d)
{
	struct attempt_process p;
	struct err e;
	size_t k;

	for (k = d->running.n; k-- > 0;) {
		struct running *r = &d->running.v[k];

		if (!r->adopted || r->pidfd >= 0)
			continue;
		if (r->live->exec->a[r->action].phase != PH_RUNNING || r->live->exec->a[r->action].attempt != r->attempt)
			take_out(d, k);
		else if (attempt_examine(&d->spool, r->live->exec->id, r->live->plan->actions[r->action].id, r->attempt,
					 &p, &e) != ATTEMPT_LOCK_HELD)
			adopted_over(d, k);
		else if (r->supervisor.pid <= 0)
			find_late(d, r, &p);
	}
}
