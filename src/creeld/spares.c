#include "creeld/spares.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "creeld/breakers.h"

enum {
	SPARES = 2,           /* at most: what starts in one go beyond that is started when it is needed */
	SPARE_MS = 1000,      /* without a start, after which they leave */
	SPEC_FD = 0, WORDS_FD = 3, TOKENS_FD = 4, /* of creel-run --wait */
	INLINE = 32000,       /* bytes of a specification that goes with the word */
	FIRST_FREE = TOKENS_FD + 1
};

/* creel-run lies beside creeld. */
static const char *supervisor_path(void)
{
	static char path[4096];
	char *slash;
	ssize_t n;

	if (path[0])
		return path;
	n = readlink("/proc/self/exe", path, sizeof path - 16);
	path[n > 0 ? n : 0] = '\0';
	slash = strrchr(path, '/');
	strcpy(slash ? slash + 1 : path, "creel-run");
	return path;
}

/* With no more processors than slots, supervisors keep to one each, in turn: see creel-run/processor.h.  Where there
 * are more, the scheduler finds one that is free. */
static bool keep_places(const struct daemon *d)
{
	cpu_set_t ours;

	return sched_getaffinity(0, sizeof ours, &ours) == 0 && (unsigned)CPU_COUNT(&ours) <= d->config.max_concurrency;
}

/* vfork copies nothing of the daemon, however large it has grown, and posix_spawn would look at each signal first:
 * creel-run sets its own.  The child changes nothing but its descriptors. */
static __attribute__((noinline)) pid_t become_supervisor(int spec, int words, int tokens, char *place, int *failure)
{
	static char name[] = "creel-run", wait[] = "--wait";
	char *argv[] = {name, wait, place, NULL}, *envp[] = {NULL};
	const char *path = supervisor_path();
	pid_t pid = vfork();

	if (pid != 0)
		return pid;
	if (dup2(spec, SPEC_FD) == SPEC_FD && dup2(words, WORDS_FD) == WORDS_FD && dup2(tokens, TOKENS_FD) == TOKENS_FD)
		execve(path, argv, envp);
	*failure = errno;
	_exit(127);
}

/* None of the numbers that the child gives a meaning to. */
static int move_up(int fd)
{
	int up;

	if (fd < 0 || fd >= FIRST_FREE)
		return fd;
	up = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE);
	close(fd);
	return up;
}

static int open_ways(struct supervisor *s, int *theirs, struct err *e)
{
	int ends[2];

	s->spec = move_up(memfd_create("attempt", MFD_CLOEXEC));
	if (s->spec < 0)
		return err_sys(e, errno, "cannot make a memory file");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		err_sys(e, errno, "cannot make a pair of sockets");
		close(s->spec);
		return -1;
	}
	s->words = move_up(ends[0]);
	*theirs = move_up(ends[1]);
	if (s->words >= 0 && *theirs >= 0)
		return 0;
	err_sys(e, errno, "cannot make a pair of sockets");
	close(s->words);
	close(*theirs);
	close(s->spec);
	return -1;
}

int spares_open(struct daemon *d, struct err *e)
{
	d->tokens = move_up(memfd_create("tokens", MFD_CLOEXEC));
	return d->tokens < 0 ? err_sys(e, errno, "cannot make a memory file") : 0;
}

static int spawn(struct daemon *d, struct supervisor *s, struct err *e)
{
	struct epoll_event want = {.events = EPOLLIN};
	int theirs = -1, failure = 0, r = -1;
	char place[16];

	if (open_ways(s, &theirs, e) < 0)
		return -1;
	snprintf(place, sizeof place, "%u", d->place++);
	want.data.fd = s->words;
	if (epoll_ctl(d->epoll, EPOLL_CTL_ADD, s->words, &want) < 0)
		err_sys(e, errno, "cannot listen to a supervisor");
	else if ((s->pid = become_supervisor(s->spec, theirs, d->tokens, keep_places(d) ? place : NULL, &failure)) < 0)
		err_sys(e, errno, "cannot make a process");
	else if (failure && waitpid(s->pid, NULL, 0) >= 0)
		err_sys(e, failure, "cannot run %s", supervisor_path());
	else
		r = 0;
	close(theirs);
	if (r < 0)
		supervisor_release(s);
	return r;
}

void supervisor_release(struct supervisor *s)
{
	if (s->words < 0)
		return;
	close(s->spec);
	close(s->words);
	s->spec = s->words = -1;
}

static int write_spec(const struct supervisor *s, const struct buf *spec, struct err *e)
{
	size_t at = 0;

	while (at < spec->len) {
		ssize_t n = pwrite(s->spec, spec->p + at, spec->len - at, (off_t)at);

		if (n < 0 && errno != EINTR)
			return err_sys(e, errno, "cannot write to a memory file");
		at += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* The specification goes with the word if it is short; without a word, or if it is long, into the file, which the
 * supervisor has wiped after the last one. */
static int hand_over(const struct supervisor *s, const struct buf *spec, char word, struct err *e)
{
	bool along = word && spec->len < INLINE;
	struct iovec parts[] = {{&word, 1}, {spec->p, along ? spec->len : 0}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

	if (!along && write_spec(s, spec, e) < 0)
		return -1;
	if (word && sendmsg(s->words, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return err_sys(e, errno, "a supervisor left before it was needed");
	return 0;
}

/* A supervisor that has the specification; a spare one if there is one that lives. */
static int engage(struct daemon *d, const struct buf *spec, char word, struct supervisor *s, struct err *e)
{
	while (d->spares.n > 0) {
		*s = d->spares.v[--d->spares.n];
		if (hand_over(s, spec, word, e) == 0)
			return 0;
		supervisor_release(s);
	}
	if (spawn(d, s, e) < 0)
		return -1;
	if (hand_over(s, spec, word, e) == 0)
		return 0;
	supervisor_release(s);
	return -1;
}

int spares_start(struct daemon *d, const struct buf *spec, struct supervisor *out, struct err *e)
{
	return engage(d, spec, 'R', out, e);
}

/* One for each slot is enough: a supervisor that runs something comes back. */
static bool has_room(const struct daemon *d)
{
	return d->spares.n + d->running.n + d->ready_children.n < d->config.max_concurrency;
}

void spares_return(struct daemon *d, struct supervisor s)
{
	if (s.words >= 0 && has_room(d))
		vec_push(&d->spares, s);
	else
		supervisor_release(&s);
}

/* ---- how many ---- */

void spares_expect(struct daemon *d, const struct live *l)
{
	size_t n = l->exec->count[PH_BLOCKED] + l->exec->count[PH_READY] + (l->queued.n - l->queued_at) + d->queue.n;

	d->spares_wanted = n < SPARES ? n : SPARES;
	d->last_start = clock_mono();
}

void spares_keep(struct daemon *d)
{
	struct supervisor s;
	struct err e;

	if (d->spares.n == 0 && d->spares_wanted == 0)
		return;
	if (clock_mono() >= d->last_start + SPARE_MS) {
		d->spares_wanted = 0;
		while (d->spares.n > 0)
			supervisor_release(&d->spares.v[--d->spares.n]);
	} else if (d->spares.n < d->spares_wanted && has_room(d)) {
		if (spawn(d, &s, &e) == 0)
			vec_push(&d->spares, s);
		else
			d->spares_wanted = 0; /* the next start says what is wrong */
	}
}

msec spares_patience(const struct daemon *d)
{
	msec left;

	if (d->spares.n < d->spares_wanted && has_room(d))
		return 0;
	if (d->spares.n == 0)
		return -1;
	left = d->last_start + SPARE_MS - clock_mono();
	return left > 0 ? left : 0;
}

void spares_dismiss(struct daemon *d)
{
	while (d->spares.n > 0) {
		struct supervisor s = d->spares.v[--d->spares.n];

		supervisor_release(&s);
		kill(s.pid, SIGKILL); /* it has nothing to do, but somebody may have stopped it */
		while (waitpid(s.pid, NULL, 0) < 0 && errno == EINTR)
			continue;
	}
	vec_free(&d->spares);
}

bool spares_know(const struct daemon *d, pid_t pid)
{
	size_t k;

	for (k = 0; k < d->spares.n; k++)
		if (d->spares.v[k].pid == pid)
			return true;
	for (k = 0; k < d->ready_children.n; k++)
		if (d->ready_children.v[k].supervisor.pid == pid)
			return true;
	return false;
}

void spares_reaped(struct daemon *d, pid_t pid, int status)
{
	size_t k;

	for (k = 0; k < d->spares.n; k++)
		if (d->spares.v[k].pid == pid) {
			supervisor_release(&d->spares.v[k]);
			d->spares.v[k] = d->spares.v[--d->spares.n];
			return;
		}
	/* What came of a ready one is looked at when its commit is durable. */
	for (k = 0; k < d->ready_children.n; k++)
		if (d->ready_children.v[k].supervisor.pid == pid) {
			d->ready_children.v[k].reaped = true;
			d->ready_children.v[k].status = status;
		}
}

bool supervisor_is_done(int words)
{
	char byte;
	ssize_t n = recv(words, &byte, 1, MSG_DONTWAIT);

	return n == 1 && byte == 'D';
}

/* One that closed its socket is on its way out, and comes here again only when it was reaped. */
static void stop_listening(const struct daemon *d, int words)
{
	epoll_ctl(d->epoll, EPOLL_CTL_DEL, words, NULL);
}

void spares_speak(struct daemon *d, int fd)
{
	size_t k;

	for (k = 0; k < d->ready_children.n; k++)
		if (d->ready_children.v[k].supervisor.words == fd) {
			if (supervisor_is_done(fd))
				d->ready_children.v[k].done = true;
			else
				stop_listening(d, fd);
			return;
		}
	for (k = 0; k < d->spares.n; k++)
		if (d->spares.v[k].words == fd) {
			supervisor_release(&d->spares.v[k]);
			d->spares.v[k] = d->spares.v[--d->spares.n];
			return;
		}
	stop_listening(d, fd);
}

/* ---- ready ---- */

/* An execution that is being admitted has no directory yet to make the attempt's in.  false: leave it, and all that
 * follow, to dispatch. */
static bool prepare(struct daemon *d, struct flush_job *j, struct live *l, uint32_t action, bool placed)
{
	struct ready_child r = {.live = l, .action = action, .attempt = l->exec->a[action].attempt};
	AUTO_BUF struct buf spec = BUF_INIT;
	struct err e;

	if (spec_make(d, l, action, &spec, &e) < 0 || engage(d, &spec, placed ? 'P' : '\0', &r.supervisor, &e) < 0)
		return false;
	vec_push(&d->ready_children, r);
	flush_go_when_durable(j, (struct flush_go){r.supervisor.words, placed ? 'G' : 'R'});
	return true;
}

static bool prepare_all(struct daemon *d, struct flush_job *j, struct live *l, const struct events *events,
			bool placed, msec now)
{
	size_t k;

	for (k = 0; k < events->n; k++) {
		uint32_t i = events->v[k].action;

		if (events->v[k].type != EV_ACTION_REQUESTED || l->exec->a[i].phase != PH_RUNNING ||
		    l->plan->actions[i].no_supervisor)
			continue;
		if (d->running.n + d->ready_children.n >= d->config.max_concurrency)
			return false;
		if (j->early.n > 0 && l->plan->actions[i].nconsumes > 0)
			return false; /* what it consumes may be on its way to its file */
		if (dispatch_may(d, l, i, now) && !prepare(d, j, l, i, placed))
			return false;
	}
	return true;
}

void ready_prepare(struct daemon *d, struct flush_job *j)
{
	msec now = clock_wall();
	size_t k;

	/* Whoever waits for a slot goes first, and while something is wrong nobody goes. */
	if (d->queue.n > 0 || d->problem[0] || d->dispatch_retry)
		return;
	for (k = 0; k < j->admissions.n; k++)
		if (!prepare_all(d, j, j->admissions.v[k].live, &j->admissions.v[k].events, false, now))
			return;
	for (k = 0; k < j->commits.n; k++)
		if (!exec_stopping(j->commits.v[k].live->exec) &&
		    !prepare_all(d, j, j->commits.v[k].live, &j->commits.v[k].events, true, now))
			return;
}

bool ready_started(struct daemon *d, struct live *l, uint32_t action)
{
	size_t k;

	for (k = 0; k < d->ready_children.n; k++) {
		struct ready_child r = d->ready_children.v[k];

		if (r.live != l || r.action != action || r.attempt != l->exec->a[action].attempt)
			continue;
		d->ready_children.v[k] = d->ready_children.v[--d->ready_children.n];
		breakers_started(d, l->exec, action, clock_wall());
		spares_expect(d, l);
		if (r.reaped) {
			supervisor_release(&r.supervisor);
			child_ended(d, l, action, r.attempt, r.status);
			return true;
		}
		if (r.done) {
			child_done(d, l, action, r.attempt, r.supervisor, false);
			return true;
		}
		vec_push(&d->running, (struct running){.live = l, .action = action, .attempt = r.attempt, .pidfd = -1,
						       .supervisor = r.supervisor});
		return true;
	}
	return false;
}
