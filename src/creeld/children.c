/*
 * children.c - supervisors: started, adopted, ended, and what is left when one dies.
 */
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
#include "creeld/apis.h"
#include "creeld/http_pool.h"
#include "creeld/perform.h"
#include "creeld/spares.h"
#include "creeld/survivors.h"

enum { LOOK_FIRST_MS = 50, LOOK_MOST_MS = 1000, GIVE_UP_MS = 60 * 1000 };
/* creel-run's exit status: another supervisor has the attempt; the specification was wrong; nothing could be started. */
enum { SUPERVISOR_HELD = 2, SUPERVISOR_REFUSED = 100, SUPERVISOR_FAILED = 111 };
enum { GAP_MOST_US = 100 * 1000 }; /* between results; longer ones say nothing about those to come */
enum { UNSTARTED_MOST = 10, START_AGAIN_MS = 100 };
enum { HELD_BYTES_MAX = 64 * 1024 * 1024 }; /* of outputs that wait for a turn: what comes after them is read later */

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

/* ---- ends ---- */

static void lost(struct daemon *d, struct live *l, uint32_t action, uint32_t attempt, const char *reason)
{
	struct input *in = live_input(d, l, INPUT_LOST, action);

	in->attempt = attempt;
	in->reason = xstrdup(reason);
}

static struct running *find_running(struct daemon *d, const struct live *l, uint32_t action, uint32_t attempt)
{
	size_t k;

	for (k = 0; k < d->running.n; k++)
		if (d->running.v[k].live == l && d->running.v[k].action == action && d->running.v[k].attempt == attempt)
			return &d->running.v[k];
	return NULL;
}

/* A child of ours until it is reaped. */
static void let_go(struct daemon *d, struct supervisor *s)
{
	if (s->words >= 0)
		vec_push(&d->lingering, s->pid);
	supervisor_release(s);
}

/* Soon at first, then less often. */
static msec look_after(msec trouble)
{
	return trouble < LOOK_FIRST_MS ? LOOK_FIRST_MS : trouble < LOOK_MOST_MS ? trouble : LOOK_MOST_MS;
}

/* Nothing can be said about the attempt now: it keeps its place, and is looked at again.  why: to be told, or NULL. */
static void look_later(struct daemon *d, struct live *l, uint32_t action, uint32_t attempt, const char *why)
{
	struct running *r = find_running(d, l, action, attempt);
	msec now = clock_mono();

	if (!r) {
		vec_push(&d->running, (struct running){.live = l, .action = action, .attempt = attempt,
						       .supervisor = {.spec = -1, .words = -1}, .before = d->recovering});
		r = &d->running.v[d->running.n - 1];
	} else if (r->pidfd >= 0) {
		close(r->pidfd);
	}
	r->pidfd = -1;
	let_go(d, &r->supervisor);
	r->supervisor.pid = 0;
	r->adopted = true;
	r->again = now + look_after(r->trouble ? now - r->trouble : 0);
	if (r->trouble || !why)
		return;
	r->trouble = now;
	log_warn("attempt %u of \"%s\" of %s: %s; it counts as running and is looked at again and again", attempt,
		 l->plan->actions[action].id, l->exec->id, why);
}

/* Its result may be announced while the supervisor is still there: nothing must point to an execution that can end
 * before that supervisor does. */
static void forget_running(struct daemon *d, const struct live *l, uint32_t action, uint32_t attempt)
{
	struct running *r;

	while ((r = find_running(d, l, action, attempt))) {
		if (r->pidfd >= 0)
			close(r->pidfd);
		let_go(d, &r->supervisor);
		*r = d->running.v[--d->running.n];
	}
}

/* What came to an end is lost, once nothing of it is left. */
static void lost_unless_alive(struct daemon *d, struct live *l, uint32_t action, uint32_t attempt,
			      const struct attempt_process *p, const char *reason)
{
	struct err e;

	if (survivors_end(d, l->exec->id, p, &e) < 0) {
		look_later(d, l, action, attempt, e.text);
		return;
	}
	forget_running(d, l, action, attempt);
	lost(d, l, action, attempt, reason);
}

/* It never ran: the same attempt may start. */
static void start_again(struct daemon *d, struct live *l, uint32_t action, uint32_t attempt)
{
	struct err e = {0};

	if (attempt_reset(&d->spool, l->exec->id, l->plan->actions[action].id, attempt, &e) < 0) {
		look_later(d, l, action, attempt, e.text);
		return;
	}
	forget_running(d, l, action, attempt);
	perform_start(d, l, action);
}

/* How the supervisor is known to have ended. */
enum end {
	END_UNKNOWN,  /* it is another's, or not known to have */
	END_SEEN,     /* it was ours and is over: whoever holds its lock now is no supervisor */
	END_UNSTARTED /* and it said that it started nothing */
};

static enum end end_of(int status)
{
	if (status < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == SUPERVISOR_HELD))
		return END_UNKNOWN;
	return WIFEXITED(status) && (WEXITSTATUS(status) == SUPERVISOR_FAILED || WEXITSTATUS(status) == SUPERVISOR_REFUSED)
		       ? END_UNSTARTED : END_SEEN;
}

/* An empty lock that nobody holds says so.  But after a power cut the line in it may be what was not flushed; an action
 * may have removed the file; and one that keeps its lock empty must not be started for ever. */
static bool did_not_start(const struct daemon *d, struct live *l, uint32_t action, enum end end,
			  const struct attempt_process *p, bool before)
{
	struct action_state *a = &l->exec->a[action];

	if (before && d->rebooted)
		return false;
	if (end == END_SEEN && (p->made || a->unstarted >= UNSTARTED_MOST))
		return false;
	if (a->unstarted < UNSTARTED_MOST)
		a->unstarted++;
	return true;
}

static const char *why_lost(const struct daemon *d, bool before, const struct attempt_process *p, const char *why)
{
	/* Devices may have other numbers after a start of the machine. */
	if (p->elsewhere && (d->restored || !d->rebooted || !p->boot[0]))
		return "it ran where this copy of the execution was taken from";
	return before && d->rebooted ? "the machine was started anew while it may have run" : why;
}

/* There is no result that counts: adopt it, start it again, or call it lost.  false: look again, something changed. */
static bool examine(struct daemon *d, struct live *l, uint32_t action, enum end end, bool refused, const char *why)
{
	uint32_t attempt = l->exec->a[action].attempt;
	struct running *r = find_running(d, l, action, attempt);
	bool before = d->recovering || (r && r->before);
	struct attempt_process p;
	struct err e;

	switch (attempt_examine(&d->spool, l->exec->id, l->plan->actions[action].id, attempt, &p, &e)) {
	case ATTEMPT_LOCK_HELD:
		/* Held by a process of the action: when that has ended there is more to be seen. */
		if (!e.code && end != END_UNKNOWN && survivors_end(d, l->exec->id, &p, &e) == 0)
			return false;
		if (e.code)
			look_later(d, l, action, attempt, e.text);
		else
			child_adopt(d, l, action, &p);
		break;
	case ATTEMPT_LOCK_UNUSED:
		if (did_not_start(d, l, action, end, &p, before)) {
			start_again(d, l, action, attempt);
			if (!before)
				d->dispatch_retry = clock_mono() + (START_AGAIN_MS << (l->exec->a[action].unstarted / 2));
			break;
		}
		lost_unless_alive(d, l, action, attempt, &p, why_lost(d, before, &p, why));
		break;
	case ATTEMPT_LOCK_RESULT:
		if (!refused)
			return false;
		/* fall through */
	case ATTEMPT_LOCK_LOST:
		lost_unless_alive(d, l, action, attempt, &p, why_lost(d, before, &p, why));
		break;
	}
	if (before && (r = find_running(d, l, action, attempt)))
		r->before = true;
	return true;
}

static void take_result(struct daemon *d, struct live *l, uint32_t action, uint32_t attempt,
			const struct attempt_report *report)
{
	struct input *in = live_input(d, l, INPUT_RESULT, action);
	int64_t now = clock_mono_us(), gap = now - d->last_result;

	d->last_result = now;
	d->result_us += ((gap < GAP_MOST_US ? gap : GAP_MOST_US) - d->result_us) / 8;
	in->attempt = attempt;
	in->report = *report;
	d->held_bytes += report->bytes;
}

static bool is_current(const struct live *l, uint32_t action, uint32_t attempt)
{
	return l->exec->a[action].attempt == attempt && l->exec->a[action].phase == PH_RUNNING;
}

/* A device that does not give the result back for so long will not: what it came to is not known. */
static bool is_beyond_reading(struct daemon *d, const struct live *l, uint32_t action, uint32_t attempt,
			      const struct err *e)
{
	const struct running *r = find_running(d, l, action, attempt);

	return e->code == EIO && r && r->trouble && clock_mono() - r->trouble > GIVE_UP_MS;
}

static void say_why(char *why, size_t size, const struct daemon *d, int status)
{
	static const char rest[] = ", and it left no result that can be used";

	if (status >= 0 && WIFSIGNALED(status))
		snprintf(why, size, "its supervisor was ended by signal %d%s", WTERMSIG(status), rest);
	else if (status >= 0)
		snprintf(why, size, "its supervisor ended with status %d%s", WEXITSTATUS(status), rest);
	else if (d->recovering)
		snprintf(why, size, "nobody saw its end: its supervisor was gone when the daemon started");
	else
		snprintf(why, size, "its supervisor is gone%s", rest);
}

/* false: look again, something changed. */
static bool look(struct daemon *d, struct live *l, uint32_t action, uint32_t attempt, int status)
{
	enum end end = end_of(status);
	const char *id = l->plan->actions[action].id;
	struct attempt_report report;
	struct err e = {0};
	char why[500];

	if (d->held_bytes > HELD_BYTES_MAX) {
		look_later(d, l, action, attempt, NULL); /* what was read is folded first */
		return true;
	}
	switch (attempt_read(&d->spool, l->exec->id, id, attempt, l->exec->a[action].token, (size_t)d->config.output_cap,
			     &report, &e)) {
	case ATTEMPT_READ_OK:
		forget_running(d, l, action, attempt);
		take_result(d, l, action, attempt, &report);
		return true;
	case ATTEMPT_READ_LATER:
		if (!is_beyond_reading(d, l, action, attempt, &e)) {
			look_later(d, l, action, attempt, e.text);
			return true;
		}
		/* fall through */
	case ATTEMPT_READ_BAD:
		snprintf(why, sizeof why, "its result was refused: %s", e.text);
		log_warn("attempt %u of %s of %s: %s", attempt, id, l->exec->id, why);
		return examine(d, l, action, end, true, why);
	case ATTEMPT_READ_NONE:
		break;
	}
	say_why(why, sizeof why, d, status);
	return examine(d, l, action, end, false, why);
}

void child_ended(struct daemon *d, struct live *l, uint32_t action, uint32_t attempt, int status)
{
	enum { LOOKS = 3 }; /* a file that comes and goes is nobody's result */
	int n;

	if (!is_current(l, action, attempt)) {
		forget_running(d, l, action, attempt);
		return;
	}
	for (n = 0; n < LOOKS; n++)
		if (look(d, l, action, attempt, status))
			return;
	look_later(d, l, action, attempt, "its result cannot be read");
}

/* Announcements are hints that anybody may write who runs as we do: only a result that is the attempt's own counts,
 * and what else there may be is looked at when the supervisor has ended. */
void child_announced(struct daemon *d, struct live *l, uint32_t action, uint32_t attempt)
{
	struct attempt_report report;
	struct err e;

	if (d->held_bytes > HELD_BYTES_MAX || !is_current(l, action, attempt) || !find_running(d, l, action, attempt))
		return;
	if (attempt_read(&d->spool, l->exec->id, l->plan->actions[action].id, attempt, l->exec->a[action].token,
			 (size_t)d->config.output_cap, &report, &e) != ATTEMPT_READ_OK)
		return;
	forget_running(d, l, action, attempt);
	take_result(d, l, action, attempt, &report);
}

static void reaped(struct daemon *d, pid_t pid, int status)
{
	size_t k;

	if (http_pool_reaped(d, pid))
		return;
	for (k = 0; k < d->lingering.n; k++)
		if (d->lingering.v[k] == pid) {
			d->lingering.v[k] = d->lingering.v[--d->lingering.n];
			return;
		}
	for (k = 0; k < d->running.n; k++)
		if (d->running.v[k].supervisor.pid == pid && !d->running.v[k].adopted) {
			struct running *r = &d->running.v[k];

			supervisor_release(&r->supervisor);
			r->supervisor.pid = 0;
			child_ended(d, r->live, r->action, r->attempt, status);
			return;
		}
	spares_reaped(d, pid, status);
}

void children_reap(struct daemon *d)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (!retention_ended(d, pid, status) && !health_ended(d, pid, status))
			reaped(d, pid, status);
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

	r->supervisor.pid = survivors_supervisor(p);
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

	forget_running(d, l, action, r.attempt);
	follow(d, &r, p);
	vec_push(&d->running, r);
}

/* r is gone or looked at again afterwards. */
static void adopted_over(struct daemon *d, struct running *r)
{
	char name[SPOOL_PATH_MAX];

	if (r->pidfd >= 0)
		close(r->pidfd);
	r->pidfd = -1;
	/* Its announcement says nothing more; whoever drains may be gone before the next look at results/. */
	spool_result_name(r->live->exec->id, r->live->plan->actions[r->action].id, r->attempt, name);
	unlinkat(d->spool.fd[SPOOL_RESULTS], name, 0);
	child_ended(d, r->live, r->action, r->attempt, -1);
}

void child_done(struct daemon *d, struct live *l, uint32_t action, uint32_t attempt, struct supervisor s, bool ending)
{
	size_t k;

	vec_push(&d->lingering, s.pid); /* not to be taken for what the attempt left */
	child_ended(d, l, action, attempt, 0);
	for (k = d->lingering.n; k-- > 0 && d->lingering.v[k] != s.pid;)
		continue;
	d->lingering.v[k] = d->lingering.v[--d->lingering.n];
	/* One that was told to end may have been between two attempts when it heard of it: it is not used again. */
	if (ending)
		let_go(d, &s);
	else
		spares_return(d, s);
}

static void attempt_done(struct daemon *d, struct running *r)
{
	struct supervisor s = r->supervisor;

	r->supervisor = (struct supervisor){.spec = -1, .words = -1};
	child_done(d, r->live, r->action, r->attempt, s, r->ending);
}

void child_speaks(struct daemon *d, int fd)
{
	size_t k;

	for (k = 0; k < d->running.n; k++) {
		struct running *r = &d->running.v[k];

		if (r->pidfd == fd) {
			adopted_over(d, r);
			return;
		}
		if (r->supervisor.words != fd)
			continue;
		if (supervisor_is_done(fd))
			attempt_done(d, r);
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

static void check_adopted(struct daemon *d, struct running *r)
{
	struct attempt_process p;
	struct err e;

	if (!is_current(r->live, r->action, r->attempt))
		forget_running(d, r->live, r->action, r->attempt);
	else if (attempt_examine(&d->spool, r->live->exec->id, r->live->plan->actions[r->action].id, r->attempt, &p,
				 &e) != ATTEMPT_LOCK_HELD)
		adopted_over(d, r);
	else if (e.code)
		look_later(d, r->live, r->action, r->attempt, e.text);
	else if (r->supervisor.pid <= 0)
		find_late(d, r, &p);
}

/* Those whose supervisor is not known are looked at again and again: they are in their last moments, or in their
 * first, or there were too few descriptors. */
void children_check_adopted(struct daemon *d)
{
	msec now = clock_mono();
	size_t k;

	for (k = d->running.n; k-- > 0;) {
		/* What one look takes out brings another to its place, which has been looked at. */
		if (k < d->running.n && d->running.v[k].adopted && d->running.v[k].pidfd < 0 && d->running.v[k].again <= now)
			check_adopted(d, &d->running.v[k]);
	}
}
