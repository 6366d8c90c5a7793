/*
 * The action passes through at most three phases:
 *
 *	RUNNING     --- the main process ends by itself, and something is left --->  ENDING
 *	RUNNING     --- timeout, or a signal to the supervisor ------------------->  ENDING   TERM to all
 *	ENDING      --- the grace period is over --------------------------------->  KILLING  KILL to all
 *	KILLING     --- some time passed ------------------------------------------> KILLING  KILL to all
 *	any         --- waitpid says that there is no child ---------------------->  over
 *
 * The usual attempt never leaves RUNNING: one SIGCHLD, two waitpid, one poll of the pipes.
 */
#include "creel-run/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "creel-run/family.h"
#include "creel-run/spawn.h"

enum phase { RUNNING, ENDING, KILLING };

enum {
	KILL_AGAIN_MS = 20,        /* first wait before another round of KILL; doubles */
	KILL_AGAIN_MOST_MS = 1000,
	ROUNDS = 100,              /* walks in a row while each finds new processes */
};

struct watch {
	const struct spec *spec;
	struct result *result;
	int dir, signals;
	pid_t main;
	bool main_ended;
	enum phase phase;
	msec deadline; /* monotonic; of the phase; -1: none */
	msec again;    /* wait between rounds of KILL */
	pid_list killed;
};

static int signals_fd = -1;

/* Signals are read from a descriptor and so never interrupt anything.  SIGPIPE and SIGXFSZ are blocked and never
 * read, so that they are errors of a write: nobody may be there to read messages, and files have limits. */
static int watch_signals(struct err *e)
{
	const unsigned long by_default[4] = {0}; /* struct sigaction as the kernel has it, all zero: SIG_DFL */
	sigset_t set;

	/* A parent's ignored SIGCHLD would lose every exit status; and the action starts with defaults, too.  Asked of
	 * the kernel itself: a C library keeps two signals to itself, which its posix_spawn leaves ignored. */
	for (int sig = 1; sig <= 64; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			syscall(SYS_rt_sigaction, sig, &by_default, NULL, 8);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	signals_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals_fd < 0)
		return err_sys(e, errno, "cannot make a signal descriptor");
	sigaddset(&set, SIGPIPE);
	sigaddset(&set, SIGXFSZ);
	if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
		return err_sys(e, errno, "cannot block signals");
	return 0;
}

int supervise_prepare(int last, struct err *e)
{
	/* Ctrl-C at the daemon's terminal is for the daemon.  A group of its own is enough for that, and the kernel
	 * makes one at a fraction of the price of a session. */
	setpgid(0, 0);
	for (int fd = STDERR_FILENO + 1; fd <= last; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (syscall(SYS_close_range, (unsigned)last + 1, ~0u, 0u) < 0)
		return err_sys(e, errno, "cannot close inherited descriptors");
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return err_sys(e, errno, "cannot become a subreaper");
	return watch_signals(e);
}

/* The action inherits descriptor 0. */
int supervise_close_input(struct err *e)
{
	close(STDIN_FILENO);
	for (int fd = 0; fd < 3; fd++)
		if ((fd == STDIN_FILENO || fcntl(fd, F_GETFD) < 0) && open("/dev/null", O_RDWR) != fd)
			return err_sys(e, errno, "cannot open /dev/null");
	return 0;
}

/* The signals that came; 0, or one of them that asks to end. */
static int read_signals(void)
{
	struct signalfd_siginfo info[8];
	ssize_t n = read(signals_fd, info, sizeof info);
	int asked = 0;

	for (size_t i = 0; n > 0 && i < (size_t)n / sizeof info[0]; i++)
		if (info[i].ssi_signo != SIGCHLD)
			asked = (int)info[i].ssi_signo;
	return asked;
}

int supervise_wait(int fd, char *text, size_t max, size_t *n)
{
	struct pollfd fds[] = {{fd, POLLIN, 0}, {signals_fd, POLLIN, 0}};
	unsigned char letter;
	struct iovec parts[] = {{&letter, 1}, {text, max}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

	for (;;) {
		ssize_t got;

		if (poll(fds, 2, -1) < 0)
			continue;
		/* A word that came before a signal counts: the action is started, and then ended. */
		if (!fds[0].revents) {
			if (read_signals())
				return -1;
			continue;
		}
		got = recvmsg(fd, &message, MSG_DONTWAIT);
		if (got > 0) {
			*n = (size_t)got - 1;
			return message.msg_flags & MSG_TRUNC ? -1 : letter;
		}
		if (got == 0 || (errno != EAGAIN && errno != EINTR))
			return -1;
	}
}

static void signal_all(int sig, bool again, pid_list *reached)
{
	int rounds = 0;

	while (family_signal(sig, again, reached) > 0 && ++rounds < ROUNDS)
		;
}

static void begin_end(struct watch *w, msec now)
{
	pid_list asked = {0}, woken = {0};

	w->phase = ENDING;
	w->deadline = now + (msec)w->spec->grace_ms;
	signal_all(SIGTERM, false, &asked);
	signal_all(SIGCONT, false, &woken); /* what is stopped cannot heed it */
	vec_free(&asked);
	vec_free(&woken);
}

static void kill_all(struct watch *w, msec now)
{
	w->phase = KILLING;
	signal_all(SIGKILL, true, &w->killed);
	w->again = w->again ? w->again * 2 : KILL_AGAIN_MS;
	if (w->again > KILL_AGAIN_MOST_MS)
		w->again = KILL_AGAIN_MOST_MS;
	w->deadline = now + w->again;
}

static void on_deadline(struct watch *w, msec now)
{
	if (w->phase != RUNNING) {
		kill_all(w, now);
		return;
	}
	w->result->outcome = OUTCOME_TIMEOUT;
	buf_printf(&w->result->reason, "it ran longer than %llu ms", (unsigned long long)w->spec->timeout_ms);
	begin_end(w, now);
}

/* The main process ended and left something, or a signal asks for the end. */
static void on_end(struct watch *w, int sig)
{
	if (!w->main_ended) {
		w->result->outcome = OUTCOME_TERMINATED;
		buf_printf(&w->result->reason, "the supervisor was asked to end it (%s)",
			   sig == SIGTERM ? "SIGTERM" : sig == SIGINT ? "SIGINT" : "SIGHUP");
	}
	begin_end(w, clock_mono());
}

/* Reap what has ended.  true when no child is left. */
static bool reap(struct watch *w)
{
	struct result *r = w->result;
	struct rusage u;
	int status;
	pid_t pid;

	while ((pid = wait4(-1, &status, WNOHANG, &u)) > 0) {
		r->user_us += (long long)u.ru_utime.tv_sec * 1000000 + u.ru_utime.tv_usec;
		r->system_us += (long long)u.ru_stime.tv_sec * 1000000 + u.ru_stime.tv_usec;
		r->max_rss = u.ru_maxrss > r->max_rss ? u.ru_maxrss : r->max_rss;
		if (pid == w->main) {
			w->main_ended = true;
			r->status = status;
		}
	}
	return pid < 0 && errno == ECHILD;
}

static int wait_time(const struct watch *w, msec now)
{
	msec left = w->deadline - now;

	if (w->deadline < 0)
		return -1;
	return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/* Until no child is left. */
static void loop(struct watch *w)
{
	struct pollfd fds[] = {{w->signals, POLLIN, 0}, {w->result->out.in, POLLIN, 0}, {w->result->err.in, POLLIN, 0}};
	msec now = w->deadline < 0 ? 0 : clock_mono();
	int asked;

	for (;;) {
		int n = poll(fds, 3, wait_time(w, now));

		if (n > 0 && fds[1].revents && !capture_take(&w->result->out, w->dir))
			fds[1].fd = -1;
		if (n > 0 && fds[2].revents && !capture_take(&w->result->err, w->dir))
			fds[2].fd = -1;
		if (n > 0 && fds[0].revents) {
			if (reap(w))
				return;
			/* Read first, reap again: one that ends in between must not be forgotten. */
			asked = read_signals();
			if (reap(w))
				return;
			if (w->phase == RUNNING && (w->main_ended || asked))
				on_end(w, asked);
		}
		now = clock_mono();
		if (w->deadline >= 0 && now >= w->deadline)
			on_deadline(w, now);
	}
}

int supervise_ready(struct attempt *a, const struct spec *s, struct result *r)
{
	struct err e;

	*r = (struct result){.outcome = OUTCOME_EXITED, .started_wall = clock_wall()};
	if (attempt_place(a, s, &e) == 0 && attempt_write_request(a, s, &e) == 0 &&
	    capture_open(&r->out, "stdout", s->stdout_cap, &s->masks, &e) == 0 &&
	    capture_open(&r->err, "stderr", s->stderr_cap, &s->masks, &e) == 0)
		return 0;
	r->outcome = OUTCOME_FAILED;
	r->passing = err_is_passing(e.code) ? e.code : 0;
	buf_puts(&r->reason, e.text);
	return -1;
}

/* -1: the action does not run, and *r says why. */
static int start(struct watch *w, const struct attempt *a)
{
	const struct spec *s = w->spec;
	struct result *r = w->result;
	struct spawn_failure failure;

	if (r->outcome == OUTCOME_FAILED)
		return -1;
	r->started_wall = clock_wall();
	w->main = spawn_action(s, a->lock, a->place, r->out.out, r->err.out, &failure);
	if (w->main < 0) {
		r->outcome = failure.stage >= SPAWN_CHDIR ? OUTCOME_NOT_EXECUTABLE : OUTCOME_FAILED;
		if (r->outcome == OUTCOME_FAILED && err_is_passing(failure.code))
			r->passing = failure.code;
		spawn_explain(&failure, s, &r->reason);
		return -1;
	}
	return 0;
}

/* The files that the action wrote itself.  One that cannot be masked is gone then, and must be missed. */
static void mask_files(const struct spec *s, int dir, struct result *r)
{
	static const char *const names[] = {"output", "error", "http-trace.json"};
	struct err e;

	for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
		if (mask_file(&s->masks, dir, names[k], &e) < 0) {
			r->outcome = OUTCOME_FAILED;
			buf_printf(&r->reason, "%s%s", r->reason.len ? "; " : "", e.text);
		}
}

void supervise(const struct attempt *a, const struct spec *s, struct result *r)
{
	struct watch w = {.spec = s, .result = r, .dir = a->dir, .deadline = -1};
	msec began = clock_mono();

	if (start(&w, a) == 0) {
		began = clock_mono();
		w.signals = signals_fd;
		if (s->timeout_ms)
			w.deadline = began + (msec)s->timeout_ms;
		loop(&w);
		capture_finish(&r->out, &r->err, a->dir);
		r->started = true;
		r->killed = w.killed.n;
		if (r->outcome == OUTCOME_EXITED && WIFSIGNALED(r->status))
			r->outcome = OUTCOME_SIGNALLED;
		mask_files(s, a->dir, r);
	}
	r->duration = clock_mono() - began;
	r->finished_wall = clock_wall();
	vec_free(&w.killed);
}

bool supervise_pause(void)
{
	struct pollfd fd = {signals_fd, POLLIN, 0};
	bool go_on = true;

	if (poll(&fd, 1, 1000) > 0)
		go_on = read_signals() == 0;
	return go_on;
}
