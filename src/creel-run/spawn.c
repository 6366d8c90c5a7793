/*
 * The child is made with vfork: it borrows the supervisor's memory until the exec, which saves copying page
 * tables, and reports what went wrong by writing it there, which saves a pipe.  The price: until the exec (or
 * its failure) the supervisor stands still.  So the child does nothing that can wait, except what the kernel
 * does for chdir and exec.
 */
#include "creel-run/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "creel-run/family.h"
#include "creel-run/processor.h"

struct job {
	const struct spec *spec;
	const char *place;
	const char *path; /* what to search for the program; NULL: argv[0] is a path */
	char *candidate;  /* room for one directory of it and the name */
	int lock, out, err;
	int memory; /* what becomes descriptor 3, or -1 */
	struct spawn_failure *failure;
};

/* What the action gets beside 0 to 2. */
enum { MEMORY_FD = 3, SHARED_FD = 4, FIRST_FREE };

static const char *search_path(const struct spec *s)
{
	if (strchr(s->argv[0], '/'))
		return NULL;
	for (size_t i = 0; s->envp[i]; i++)
		if (strncmp(s->envp[i], "PATH=", 5) == 0)
			return s->envp[i] + 5;
	return "/usr/bin:/bin";
}

/* The next place to try into job->candidate; NULL when there is none.  An empty part is the working directory. */
static const char *next_candidate(const struct job *job, const char *at)
{
	size_t n = strcspn(at, ":");
	size_t put = 0;

	if (n > 0) {
		memcpy(job->candidate, at, n);
		job->candidate[n] = '/';
		put = n + 1;
	}
	strcpy(job->candidate + put, job->spec->argv[0]);
	return at[n] ? at + n + 1 : NULL;
}

/* Is the error of one place no reason to give up the search?  The same set as in glibc's execvp. */
static bool try_elsewhere(int code)
{
	return code == ENOENT || code == ENOTDIR || code == ESTALE || code == ENODEV || code == ETIMEDOUT ||
	       code == EACCES;
}

/* The errno of trying every place.  EACCES outlives a later ENOENT: something was there. */
static int exec_search(const struct job *job)
{
	bool denied = false;
	const char *at = job->path;

	if (!*job->spec->argv[0])
		return ENOENT;
	while (at) {
		at = next_candidate(job, at);
		execve(job->candidate, job->spec->argv, job->spec->envp);
		if (!try_elsewhere(errno))
			return errno;
		denied |= errno == EACCES;
	}
	return denied ? EACCES : ENOENT;
}

static bool program_exists(const struct job *job)
{
	const char *at = job->path;

	if (!*job->spec->argv[0])
		return false;
	if (!at)
		return access(job->spec->argv[0], X_OK) == 0;
	while (at) {
		at = next_candidate(job, at);
		if (access(job->candidate, X_OK) == 0)
			return true;
	}
	return false;
}

static void __attribute__((noreturn)) fail(const struct job *job, enum spawn_stage stage, int code)
{
	job->failure->stage = stage;
	job->failure->code = code;
	_exit(127);
}

static void write_lock(const struct job *job, pid_t pid)
{
	char line[256];
	struct proc_stat self;
	int n;

	if (proc_stat_read("/proc/self/stat", &self) < 0)
		fail(job, SPAWN_LOCK, errno);
	n = snprintf(line, sizeof line, "pid=%d sid=%d start=%llu %s\n", (int)pid, (int)pid,
		     (unsigned long long)self.start, job->place);
	if (n >= (int)sizeof line)
		fail(job, SPAWN_LOCK, EOVERFLOW);
	if (write(job->lock, line, (size_t)n) != n)
		fail(job, SPAWN_LOCK, errno ? errno : ENOSPC);
}

/* -1: errno says why. */
static int limit(int resource, uint64_t soft)
{
	struct rlimit l;

	if (soft == SPEC_AS_IS)
		return 0;
	if (getrlimit(resource, &l) < 0)
		return -1;
	l.rlim_cur = soft < l.rlim_max ? soft : l.rlim_max;
	return setrlimit(resource, &l);
}

/* The last thing to be done with descriptors: one of ours may have such a number. */
static void hand_on(const struct job *job)
{
	if ((job->memory >= 0 && dup2(job->memory, MEMORY_FD) < 0) ||
	    (job->spec->fd4 && fcntl(SHARED_FD, F_SETFD, 0) < 0))
		fail(job, SPAWN_PREPARE, errno);
}

/* In the child.  Signals have their default dispositions already, and every descriptor but 0 to 2 is
 * close-on-exec: the supervisor saw to that. */
static void __attribute__((noreturn, noinline)) become_action(const struct job *job)
{
	const struct spec *s = job->spec;
	sigset_t none;
	pid_t pid = setsid();

	processor_any();
	sigemptyset(&none);
	if (pid < 0 || dup2(job->out, STDOUT_FILENO) < 0 || dup2(job->err, STDERR_FILENO) < 0 ||
	    limit(RLIMIT_NOFILE, s->nofile) < 0 || limit(RLIMIT_CORE, s->core) < 0 ||
	    (s->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0))
		fail(job, SPAWN_PREPARE, errno);
	if (s->cwd && chdir(s->cwd) < 0)
		fail(job, SPAWN_CHDIR, errno);
	errno = 0;
	write_lock(job, pid);
	hand_on(job);
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		fail(job, SPAWN_PREPARE, errno);
	if (job->path)
		errno = exec_search(job);
	else
		execve(s->argv[0], s->argv, s->envp);
	if (errno == ENOENT && program_exists(job))
		fail(job, SPAWN_INTERPRETER, ENOENT);
	fail(job, SPAWN_EXEC, errno);
}

/* A sealed file in memory that holds the text: what is secret touches neither a disk nor an environment.  -1: errno. */
static int memory_of(const char *text)
{
	int low = memfd_create("input", MFD_CLOEXEC | MFD_ALLOW_SEALING), fd;
	struct err e;

	fd = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, FIRST_FREE);
	if (low >= 0)
		close(low);
	if (fd < 0)
		return -1;
	if (fs_write_all(fd, text, strlen(text), &e) == 0 && lseek(fd, 0, SEEK_SET) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
		return fd;
	close(fd);
	return -1;
}

pid_t spawn_action(const struct spec *s, int lock, const char *place, int out, int err, struct spawn_failure *f)
{
	struct job job = {.spec = s, .place = place, .path = search_path(s), .lock = lock, .out = out, .err = err,
			  .memory = -1, .failure = f};
	pid_t pid;

	*f = (struct spawn_failure){SPAWN_OK, 0};
	if (s->fd3 && (job.memory = memory_of(s->fd3)) < 0) {
		*f = (struct spawn_failure){SPAWN_PREPARE, errno};
		return -1;
	}
	if (job.path)
		job.candidate = xmalloc(strlen(job.path) + strlen(s->argv[0]) + 2);
	pid = vfork();
	if (pid == 0)
		become_action(&job);
	if (pid < 0)
		*f = (struct spawn_failure){SPAWN_FORK, errno};
	free(job.candidate);
	if (job.memory >= 0)
		close(job.memory);
	if (pid < 0 || f->stage == SPAWN_OK)
		return pid;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return -1;
}

void spawn_explain(const struct spawn_failure *f, const struct spec *s, struct buf *b)
{
	switch (f->stage) {
	case SPAWN_OK:
		break;
	case SPAWN_FORK:
		buf_puts(b, "cannot make a process");
		break;
	case SPAWN_PREPARE:
		buf_puts(b, "cannot prepare the process");
		break;
	case SPAWN_LOCK:
		buf_puts(b, "cannot write lock");
		break;
	case SPAWN_CHDIR:
		buf_printf(b, "cannot change to directory \"%s\"", s->cwd);
		break;
	case SPAWN_EXEC:
		buf_printf(b, "cannot execute \"%s\"", s->argv[0]);
		break;
	case SPAWN_INTERPRETER:
		buf_printf(b, "cannot execute \"%s\": its interpreter is missing", s->argv[0]);
		break;
	}
	buf_printf(b, ": %s", strerror(f->code));
}
