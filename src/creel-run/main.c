/*
NAME
	creel-run - run one attempt of one action

SYNOPSIS
	creel-run [--wait [N]] < SPECIFICATION

DESCRIPTION
	creeld starts one creel-run for each attempt, with the specification on descriptor 0.  It outlives the daemon.
	In this order it

	1. leaves the daemon's process group, closes every descriptor but 0 to 2, becomes a subreaper, and reads
	   the specification to its end;
	2. makes the attempt's directory and the one above it where they are missing (mode 0755 and the umask),
	   opens or creates `lock` there and takes the flock on it, which it holds until it ends;
	3. leaves at once if somebody else holds it, if `void` or `result.json` is there, if `lock` is not empty
	   (the action was started before), or if it is no longer the file of that name (started anew);
	4. writes request.json;
	5. makes the action's process: in a session of its own, without a terminal, standard input from
	   /dev/null, output to pipes, no other descriptor, default signals, the environment of the
	   specification and nothing else, NO_NEW_PRIVS, in the directory cwd;
	6. just before the exec writes one line into `lock`:
	   `pid=N sid=N start=TICKS boot=BOOTID dev=N ino=N` (start: field 22 of /proc/PID/stat; dev and ino:
	   of the lock file itself).  An empty lock file that nobody holds means that the action never started;
	7. keeps what the action writes in `stdout` and `stderr`, made when there is something to keep, with *** for
	   each secret, up to the caps; what is beyond is dropped, and the last line of the file says so;
	8. on a timeout, on SIGTERM, SIGINT or SIGHUP to itself, and on what is left when the main process ends:
	   sends TERM (and CONT) to every descendant, in whatever session, and KILL after the grace period;
	9. when the last descendant is reaped, puts *** for each secret in the files `output`, `error` and
	   `http-trace.json` that the action may have left, and writes result.json (by rename, not flushed: a result that a
	   power cut takes makes the attempt lost), and links it into the spool's results/ if its parent is
	   no longer the daemon.

	A program without a slash is looked for along PATH in the given environment (absent: /usr/bin:/bin), as
	execvp does; but a file that is no program is not handed to a shell.  A program that cannot be executed,
	and a cwd that cannot be entered, are the outcome not_executable, never an exit code.

	With --wait it serves its daemon for one attempt after the other.  Descriptor 3 is a SOCK_SEQPACKET socket with
	words, one letter each.  P: prepare; the specification follows the letter, or stands in the file that is
	descriptor 0, and is wiped there when it was read; steps 2 to 4 are done, all that leaves no trace outside of the
	attempt's directory.  G: go; the rest is done.  R: both.  The answer is D, when the result is published and the
	lock is free.  So a daemon has a supervisor ready while it commits to an attempt, and says G when the commit is
	durable.  If descriptor 3 ends before a word, or a signal asks to end between attempts, it leaves with status 0;
	before G that leaves an empty lock file: the action never started.  If the daemon dies during an attempt, that is
	brought to its end first.  With a number it keeps itself, not the action, to one processor: the N-th of those that
	it may use, counted around.

SPECIFICATION
	NUL-terminated strings `key=value`, at most 32 MiB, in any order.  All but arg, env and secret
	at most once.

	dir=PATH            the attempt's directory, absolute (required)
	results=PATH        the spool's results/, absolute, and
	link=NAME           the name of the result there
	parent=PID          the daemon; 0 or absent: the result is always linked
	execution= action= attempt= token=
	                    go into the result as they are (required)
	timeout_ms=N        0 or absent: none
	grace_ms=N          between TERM and KILL; 5000
	stdout_cap=BYTES    16 MiB
	stderr_cap=BYTES    16 MiB
	boot=ID             the kernel's boot id; absent: it is read
	cwd=PATH            absent: the daemon's
	request=TEXT        what request.json holds; absent: no file
	fd3=TEXT            the action finds it behind descriptor 3: a sealed file in memory
	fd4=0|1             with --wait: the action gets descriptor 4, if the supervisor has one
	no_new_privs=0|1    1
	nofile=N core=N     the action's soft limits of descriptors and of a core file's bytes; absent: the daemon's
	arg=TEXT            one for each argument, the first is the program (required)
	env=NAME=VALUE      one for each variable of the environment
	secret=VALUE        a text of 4 bytes or more that must not be recorded; any number

RESULT
	One JSON object: execution, action, attempt, token; outcome (exited, signalled, timeout, terminated,
	not_executable, failed); exitCode or signal of the main process if it ran; reason; startedAt, finishedAt
	(after the last descendant was reaped), durationMs; stdout and stderr if anything was written: {size, stored,
	truncated, problem} (size: what was
	written; stored: what is in the file, secrets masked); output: {size} if the action left a file `output`; error: true if it left a
	file `error`; killed: descendants that needed KILL; resources: {userMs, systemMs, maxRssKiB}.

EXIT STATUS
	0    a result was published; or, with --wait, nothing was wanted of it
	2    somebody else holds the attempt's lock; nothing was done
	3    the attempt is void, has a result, or was started before; nothing was done
	100  the specification is wrong; nothing was done
	111  the environment failed, and nothing was started; it may be tried again
	112  the action was started, and its result cannot be published

BUGS
	A process in uninterruptible sleep is waited for, as long as it takes; so is one that a set-user-ID
	program (no_new_privs=0) made unkillable for us.
	While the kernel looks for cwd and the program (a dead network file system), the timeout does not run.
	An action that forks faster than it can be killed may stay ahead; a cgroup with a limit stops it.
	A file of these three that cannot be masked (too large, a second link) is removed, and the outcome is
	failed.  What else the action writes into its directory, or anywhere, is not looked at; nor are secrets found
	in other spellings than those given.
	A specification through a pipe whose writer dies between two strings looks complete: use a file.
	While result.json cannot be written (disk full), creel-run tries again every second and keeps the lock;
	a signal makes it give up (112), and the attempt is lost.
*/
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "creel-run/attempt.h"
#include "creel-run/processor.h"
#include "creel-run/report.h"
#include "creel-run/spec.h"
#include "creel-run/supervise.h"

enum {
	EXIT_PUBLISHED = 0,
	EXIT_DISMISSED = 0,
	EXIT_HELD = 2,
	EXIT_OVER = 3,
	EXIT_SPECIFICATION = 100,
	EXIT_ENVIRONMENT = 111,
	EXIT_UNPUBLISHED = 112,
	DISMISSED = -1, /* of an attempt: it was not wanted in the end */
};
enum {
	WORDS = 3,  /* the descriptor that --wait waits on */
	SHARED = 4, /* and what it hands on to actions whose specification says so */
};
static bool shared; /* it is there */

/* An error that time will not mend: somebody took the directory away, or will never let us. */
static bool hopeless(int code)
{
	return code == ENOENT || code == ENOTDIR || code == EXDEV || code == EPERM || code == ELOOP ||
	       code == ENAMETOOLONG;
}

/* A result is worth waiting for: without it the attempt is lost, and what it did may be done again. */
static int publish(const struct result *r, const struct spec *s, int dir)
{
	/* Kept from attempt to attempt: the C library would fetch a page for it each time, and give it back. */
	static struct buf text;
	bool published = false, told = false;
	struct err e;

	buf_reset(&text);
	report_write(r, s, dir, &text);
	for (;;) {
		if (!published)
			published = report_publish(&text, dir, &e) == 0;
		if (published && report_announce(s, dir, &e) == 0)
			return EXIT_PUBLISHED;
		if (!told)
			log_error("%s.%s.%llu: %s; %s", s->execution, s->action, (unsigned long long)s->attempt, e.text,
				  hopeless(e.code) ? "giving up" : "trying again every second");
		told = true;
		if (hopeless(e.code) || !supervise_pause())
			return published ? EXIT_PUBLISHED : EXIT_UNPUBLISHED;
	}
}

/* For want of descriptors, memory or room it did not start.  That is no result: the same attempt may start later. */
static int not_now(const struct result *r, const struct spec *s)
{
	log_error("%s.%s.%llu: %s; nothing was started", s->execution, s->action, (unsigned long long)s->attempt,
		  buf_str(&r->reason));
	return EXIT_ENVIRONMENT;
}

/* An attempt that is ours.  waits: only at a word. */
static int run_ours(struct attempt *a, const struct spec *s, bool waits, struct result *r)
{
	size_t n;

	supervise_ready(a, s, r);
	if (waits && supervise_wait(WORDS, NULL, 0, &n) != 'G')
		return DISMISSED;
	supervise(a, s, r);
	return r->passing ? not_now(r, s) : publish(r, s, a->dir);
}

/* r: to be freed by the caller, when nobody waits any more. */
static int run(const struct spec *s, bool waits, struct result *r)
{
	struct attempt a;
	struct err e;
	int code = EXIT_ENVIRONMENT;

	switch (attempt_open(&a, s, &e)) {
	case ATTEMPT_OURS:
		code = run_ours(&a, s, waits, r);
		break;
	case ATTEMPT_HELD:
		log_info("%s: somebody else holds the lock; leaving", s->dir);
		code = EXIT_HELD;
		break;
	case ATTEMPT_OVER:
		log_info("%s: %s; leaving", s->dir, e.text);
		code = EXIT_OVER;
		break;
	case ATTEMPT_FAILED:
		log_error("%s: %s; nothing was started", s->dir, e.text);
		break;
	}
	attempt_close(&a);
	return code;
}

static int bad_specification(const struct err *e)
{
	log_error("bad specification: %s; nothing was started", e->text);
	return EXIT_SPECIFICATION;
}

static int run_one(void)
{
	int code = EXIT_ENVIRONMENT;
	struct result r = {0};
	struct spec s;
	struct err e;

	if (spec_read(&s, STDIN_FILENO, &e) < 0) {
		code = bad_specification(&e);
	} else if (supervise_close_input(&e) < 0) {
		log_error("%s; nothing was started", e.text);
	} else {
		s.fd4 = 0;
		code = run(&s, false, &r);
	}
	report_free(&r);
	spec_free(&s);
	return code;
}

/* The specification that came with a word, or that it points to.  There may be secrets in it: the file is wiped at once,
 * the text when it is freed. */
static int take_specification(struct spec *s, int file, char *text, size_t n, struct err *e)
{
	int r;

	if (n > 0)
		return spec_take(s, text, n, e);
	if (lseek(file, 0, SEEK_SET) < 0)
		return err_sys(e, errno, "cannot read its file");
	r = spec_read(s, file, e);
	return r == 0 && ftruncate(file, 0) < 0 ? err_sys(e, errno, "cannot wipe its file") : r;
}

/* One attempt after the other, as the daemon wishes. */
static int attend(void)
{
	static char text[SPEC_INLINE];
	int file = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, SHARED + 1), word, code;
	bool told;
	struct err e;
	size_t n;

	if (file < 0 || supervise_close_input(&e) < 0) {
		log_error("cannot keep the file for specifications open; nothing was started");
		return EXIT_ENVIRONMENT;
	}
	while ((word = supervise_wait(WORDS, text, sizeof text, &n)) == 'P' || word == 'R') {
		struct result r = {0};
		struct spec s = {0};

		if (take_specification(&s, file, text, n, &e) < 0) {
			code = bad_specification(&e);
		} else {
			s.fd4 = s.fd4 && shared;
			code = run(&s, word == 'P', &r);
		}
		/* Whoever reads this knows where the result is.  If there is nobody, results/ has told it. */
		told = code == EXIT_PUBLISHED && write(WORDS, "D", 1) == 1;
		report_free(&r);
		spec_free(&s);
		if (!told)
			return code == DISMISSED ? EXIT_DISMISSED : code;
	}
	return EXIT_DISMISSED;
}

int main(int argc, char **argv)
{
	bool waits = argc > 1 && strcmp(argv[1], "--wait") == 0;
	uint64_t place;
	struct err e;

	log_open("creel-run", LOG_LEVEL_INFO);
	if (argc > 3 || (argc > 1 && !waits) || (argc == 3 && !text_to_u64(argv[2], &place))) {
		log_error("it takes a specification on standard input and no argument but --wait [N]; see creel-run(8)");
		return EXIT_SPECIFICATION;
	}
	if (argc == 3)
		processor_keep((unsigned)place);
	shared = waits && fcntl(SHARED, F_GETFD) >= 0;
	if (supervise_prepare(waits ? SHARED : STDERR_FILENO, &e) < 0) {
		log_error("%s; nothing was started", e.text);
		return EXIT_ENVIRONMENT;
	}
	return waits ? attend() : run_one();
}
