/*
 * call_procs.c - the wrapped calls about processes, signals and waiting: spawn, wait, kill, epoll, eventfd, signalfd,
 * and the library that speaks inotify.
 */
#include <errno.h>
#include <fcntl.h>
#include <inotifytools/inotify.h>
#include <linux/openat2.h>
#include <signal.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/spool.h"
#include "tests/sim/fds.h"

int call_openat2(int dir, const char *path, const struct open_how *how);
int call_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
ssize_t call_read_special(struct fd *f, void *p, size_t n);

/* ---- what is ready ---- */

static bool term_is_due(void)
{
	return W->mono >= W->stops_at && !W->term_sent;
}

bool fd_is_ready(const struct fd *f)
{
	const struct proc *p;

	switch (f->kind) {
	case FD_EVENT:
		return f->count > 0;
	case FD_SIGNALS:
		return W->child_ended || term_is_due();
	case FD_SOCKET:
		return f->channel->done > 0 || !f->channel->run_there;
	case FD_PID:
		p = procs_find(f->pid);
		return !p || p->state != PROC_LIVES;
	default:
		return false;
	}
}

ssize_t call_read_special(struct fd *f, void *p, size_t n)
{
	struct signalfd_siginfo info = {0};

	(void)n;
	if (!fd_is_ready(f))
		return fail(EAGAIN);
	if (f->kind == FD_EVENT) {
		memcpy(p, &f->count, sizeof f->count);
		f->count = 0;
		return sizeof f->count;
	}
	if (W->child_ended) {
		W->child_ended = false;
		info.ssi_signo = SIGCHLD;
	} else {
		W->term_sent = true;
		info.ssi_signo = SIGTERM;
	}
	memcpy(p, &info, sizeof info);
	return sizeof info;
}

static int new_fd(enum fd_kind kind, const char *what)
{
	int e = enter(CALL_FD, what, "");
	struct fd *f;

	return e ? fail(e) : fd_new(kind, &f);
}

int __wrap_eventfd(unsigned count, int flags)
{
	(void)count;
	(void)flags;
	return new_fd(FD_EVENT, "eventfd");
}

int __wrap_signalfd(int fd, const sigset_t *set, int flags)
{
	(void)fd;
	(void)set;
	(void)flags;
	return new_fd(FD_SIGNALS, "signalfd");
}

int __wrap_epoll_create1(int flags)
{
	(void)flags;
	return new_fd(FD_EPOLL, "epoll_create1");
}

int __wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *want)
{
	struct fd *f = fd_of(fd);

	(void)epoll;
	(void)want;
	if (!f)
		return -1;
	f->watched = op != EPOLL_CTL_DEL;
	return 0;
}

static bool any_ready(void *unused)
{
	int fd;

	(void)unused;
	for (fd = FD_BASE; fd < FD_BASE + FDS; fd++) {
		struct fd *f = fd_of(fd);

		if (f && f->watched && fd_is_ready(f))
			return true;
	}
	return false;
}

/* The daemon has nothing to do: the time to look at what it did. */
static void idle(void)
{
	if (any_ready(NULL) || !threads_all_wait())
		return;
	if (!W->recovered || one_in(W->calm ? 40 : 100)) {
		W->recovered = true;
		quiet_begin();
		check_idle();
		quiet_end();
	}
	if (W->calm && W->stops_at == NEVER && all_is_done()) {
		W->finished = true;
		W->stops_at = W->mono;
	}
	if (W->calm && W->mono - W->calm_since > (int64_t)6 * 3600 * SECOND)
		broke("nothing disturbs the daemon, and it does not come to an end in six hours: %s is left", what_is_left());
}

int __wrap_epoll_wait(int epoll, struct epoll_event *got, int most, int timeout)
{
	int e = enter(CALL_WAIT, "epoll_wait", ""), n = 0, fd;

	(void)epoll;
	if (e)
		return fail(e);
	if (timeout > 50)
		idle();
	threads_block(any_ready, NULL, W->mono + (int64_t)timeout * MS);
	for (fd = FD_BASE; fd < FD_BASE + FDS && n < most; fd++) {
		struct fd *f = fd_of(fd);

		if (f && f->watched && fd_is_ready(f))
			got[n++] = (struct epoll_event){.events = EPOLLIN, .data.fd = fd};
	}
	return n;
}

/* ---- processes ---- */

/* What the next supervisor gets: the latest memory file, and the other end of the latest socket. */
static struct memory *next_spec;
static struct channel *next_words;

int __wrap_memfd_create(const char *name, unsigned flags)
{
	struct fd *f;
	int e = enter(CALL_FD, "memfd_create", name), fd;

	(void)flags;
	if (e)
		return fail(e);
	fd = fd_new(FD_MEMORY, &f);
	next_spec = f->memory = arena_alloc(sizeof *f->memory);
	return fd;
}

int __wrap_socketpair(int domain, int type, int protocol, int ends[2])
{
	int e = enter(CALL_FD, "socketpair", ""), k;
	struct channel *c;
	struct fd *f;

	(void)domain;
	(void)type;
	(void)protocol;
	if (e)
		return fail(e);
	next_words = c = arena_alloc(sizeof *c);
	c->daemon_there = true;
	for (k = 0; k < 2; k++) {
		ends[k] = fd_new(FD_SOCKET, &f);
		f->channel = c;
		f->theirs = k == 1;
	}
	return 0;
}

/* What the child would do, the supervisor of procs.c does. */
pid_t __wrap_vfork(void)
{
	int e = enter(CALL_PROC, "vfork", "");
	pid_t pid = 0;

	if (!e)
		e = -procs_spawn(next_spec, next_words, &pid);
	return e ? fail(e) : pid;
}

static ssize_t say_words(int fd, const struct iovec *parts, size_t n)
{
	struct fd *f = fd_of(fd);
	struct channel *c = f ? f->channel : NULL;
	int e = enter(CALL_NEVER, "send", "");
	struct bytes *word;
	size_t k, total = 0;

	if (e || !c)
		return fail(e ? e : EBADF);
	if (!c->run_there)
		return fail(EPIPE);
	if (c->n == WORDS_MOST)
		return fail(EAGAIN);
	word = &c->words[c->n++];
	for (k = 0; k < n; k++) {
		bytes_put(word, total, parts[k].iov_base, parts[k].iov_len);
		total += parts[k].iov_len;
	}
	say("    says %c", word->p[0]);
	procs_words(c);
	return (ssize_t)total;
}

ssize_t __wrap_send(int fd, const void *p, size_t n, int flags)
{
	union {
		const void *in;
		void *out;
	} word = {.in = p};
	struct iovec part = {word.out, n};

	(void)flags;
	return say_words(fd, &part, 1);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
	(void)flags;
	return say_words(fd, m->msg_iov, m->msg_iovlen);
}

ssize_t __wrap_recv(int fd, void *p, size_t n, int flags)
{
	struct fd *f = fd_of(fd);

	(void)flags;
	enter(CALL_NEVER, "recv", "");
	if (!f || n == 0)
		return fail(EBADF);
	if (f->channel->done > 0) {
		f->channel->done--;
		*(char *)p = 'D';
		return 1;
	}
	return f->channel->run_there ? fail(EAGAIN) : 0;
}

static bool one_ready(void *f)
{
	return fd_is_ready(f);
}

int __wrap_poll(struct pollfd *p, nfds_t n, int timeout)
{
	struct fd *f = n == 1 ? fd_of(p->fd) : NULL;

	enter(CALL_NEVER, "poll", "");
	if (!f)
		broke("the simulation knows poll of one descriptor only");
	threads_block(one_ready, f, timeout < 0 ? NEVER : W->mono + (int64_t)timeout * MS);
	p->revents = fd_is_ready(f) ? POLLIN : 0;
	return p->revents ? 1 : 0;
}

static bool child_over(void *pid)
{
	const struct proc *p = procs_find(*(pid_t *)pid);

	return !p || p->state == PROC_ZOMBIE;
}

pid_t __wrap_waitpid(pid_t pid, int *status, int flags)
{
	pid_t r;

	enter(CALL_NEVER, "waitpid", "");
	if (!(flags & WNOHANG))
		threads_block(child_over, &pid, NEVER);
	r = procs_wait(pid, status);
	return r < 0 ? fail(r) : r;
}

int __wrap_kill(pid_t pid, int sig)
{
	int r;

	enter(CALL_NEVER, "kill", "");
	r = procs_kill(pid, sig);
	return r < 0 ? fail(r) : 0;
}

pid_t __wrap_getpid(void)
{
	return W->daemon;
}

int __wrap_getrlimit(int what, struct rlimit *r)
{
	(void)what;
	*r = (struct rlimit){100000, 100000};
	return 0;
}

int __wrap_setrlimit(int what, const struct rlimit *r)
{
	(void)what;
	(void)r;
	return 0;
}

static int open_pid(pid_t pid)
{
	struct fd *f;
	int e = enter(CALL_FD, "pidfd_open", ""), fd;

	if (e)
		return fail(e);
	if (!procs_find(pid))
		return fail(ESRCH);
	fd = fd_new(FD_PID, &f);
	f->pid = pid;
	return fd;
}

long __wrap_syscall(long number, ...)
{
	long a, b, c, d, e;
	va_list ap;

	va_start(ap, number);
	a = va_arg(ap, long);
	b = va_arg(ap, long);
	c = va_arg(ap, long);
	d = va_arg(ap, long);
	e = va_arg(ap, long);
	va_end(ap);
	switch (number) {
	case SYS_openat2:
		return call_openat2((int)a, (const char *)b, (const struct open_how *)c);
	case SYS_renameat2:
		return call_renameat2((int)a, (const char *)b, (int)c, (const char *)d, (unsigned)e);
	case SYS_pidfd_open:
		return open_pid((pid_t)a);
	default:
		broke("the simulation does not know system call %ld", number);
	}
}

/* ---- signals and the like: nothing comes but through signalfd ---- */

int __wrap_sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	(void)how;
	(void)set;
	(void)old;
	return 0;
}

void (*__wrap_signal(int sig, void (*handler)(int)))(int)
{
	(void)sig;
	(void)handler;
	return SIG_DFL;
}

int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
	(void)pid;
	CPU_ZERO_S(size, set);
	CPU_SET_S(0, size, set);
	CPU_SET_S(1, size, set);
	return 0;
}

int __wrap_prctl(int what, ...)
{
	(void)what;
	return 0;
}

/* ---- inotify: hints, some of which get lost ---- */

static char *watched[16];
static int nwatched;

int __wrap_inotifytools_initialize(void)
{
	return 1;
}

int __wrap_inotifytools_error(void)
{
	return 0;
}

int __wrap_inotifytools_watch_file(const char *path, int events)
{
	(void)events;
	if (nwatched < (int)(sizeof watched / sizeof *watched))
		watched[nwatched++] = strdup(path);
	return 1;
}

char *__wrap_inotifytools_filename_from_wd(int wd)
{
	return wd > 0 && wd <= nwatched ? watched[wd - 1] : NULL;
}

static bool any_news(void *unused)
{
	(void)unused;
	return W->nnews > 0;
}

struct inotify_event *__wrap_inotifytools_next_event(long seconds)
{
	static struct inotify_event ev;
	char path[64];
	int k;

	(void)seconds;
	for (;;) {
		threads_block(any_news, NULL, NEVER);
		snprintf(path, sizeof path, SPOOL "/%s/", spool_dir_name((enum spool_dir)W->news[--W->nnews]));
		for (k = 0; k < nwatched; k++)
			if (strcmp(watched[k], path) == 0) {
				ev = (struct inotify_event){.wd = k + 1, .mask = IN_MOVED_TO};
				return &ev;
			}
	}
}
