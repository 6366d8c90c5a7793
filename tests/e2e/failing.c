/*
 * failing.so - a machine that fails where a test wants it to, for programs that are linked dynamically.
 *
 *	LD_PRELOAD=build/tests/failing.so FAILING=FILE program
 *
 * Each line of FILE is a rule: CALL ERRNO PATTERN.  While it stands there, every CALL whose path the PATTERN (fnmatch)
 * fits fails with that number.  The path is the one of the descriptor's directory and the name together.  What failed
 * is noted in FILE.hits.  A rule `clock SECONDS *` sets its wall clock so much ahead; that of the kernel, which times
 * files, stays as it is.  FILE may come, change and go while the program runs.  It is read with bare system calls, so
 * that the program cannot tell.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void note(const char *file, const char *call, const char *path)
{
	char name[4200], line[4400];
	int fd, n;

	snprintf(name, sizeof name, "%s.hits", file);
	n = snprintf(line, sizeof line, "%s %s\n", call, path);
	fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (syscall(SYS_write, fd, line, (size_t)n) < 0)
		_exit(99);
	syscall(SYS_close, fd);
}

/* The number that this call is to fail with, or 0. */
static int rule_for(const char *call, const char *path)
{
	const char *file = getenv("FAILING");
	char text[4096], *line, *save = NULL;
	long fd, n;

	fd = file ? syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return 0;
	n = syscall(SYS_read, fd, text, sizeof text - 1);
	syscall(SYS_close, fd);
	text[n > 0 ? n : 0] = '\0';
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char what[40], pattern[1000];
		int code;

		if (sscanf(line, "%39s %d %999s", what, &code, pattern) != 3 || strcmp(what, call) != 0 ||
		    fnmatch(pattern, path, 0) != 0)
			continue;
		if (*path)
			note(file, call, path);
		return code;
	}
	return 0;
}

static void path_of(int fd, const char *name, char out[8300])
{
	char link[40], dir[4100] = "";
	long n = 0;

	if (name && name[0] == '/') {
		snprintf(out, 8300, "%s", name);
		return;
	}
	if (fd != AT_FDCWD) {
		snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		n = syscall(SYS_readlinkat, AT_FDCWD, link, dir, sizeof dir - 1);
	}
	dir[n > 0 ? n : 0] = '\0';
	if (name)
		snprintf(out, 8300, "%s/%s", dir, name);
	else
		snprintf(out, 8300, "%s", dir);
}

static int fails(const char *call, int fd, const char *name)
{
	int old = errno, code;
	char path[8300];

	path_of(fd, name, path);
	code = rule_for(call, path);
	errno = code ? code : old;
	return code;
}

int openat(int dir, const char *name, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (flags & (O_CREAT | O_TMPFILE)) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	return fails("openat", dir, name) ? -1 : REAL(openat)(dir, name, flags, mode);
}

int open(const char *name, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (flags & (O_CREAT | O_TMPFILE)) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	return fails("open", AT_FDCWD, name) ? -1 : REAL(openat)(AT_FDCWD, name, flags, mode);
}

/* Calls that have no function of their own. */
long syscall(long number, ...)
{
	static long (*real)(long, ...);
	long a[6];
	va_list ap;

	va_start(ap, number);
	for (int k = 0; k < 6; k++)
		a[k] = va_arg(ap, long);
	va_end(ap);
	if (!real)
		real = REAL(syscall);
	if (number == SYS_openat2 && fails("openat2", (int)a[0], (const char *)a[1]))
		return -1;
	if (number == SYS_renameat2 && fails("renameat", (int)a[2], (const char *)a[3]))
		return -1;
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int fstatat(int dir, const char *name, struct stat *st, int flags)
{
	return fails("fstatat", dir, name) ? -1 : REAL(fstatat)(dir, name, st, flags);
}

struct dirent *readdir(DIR *d)
{
	return fails("readdir", dirfd(d), NULL) ? NULL : REAL(readdir)(d);
}

ssize_t read(int fd, void *p, size_t n)
{
	return fails("read", fd, NULL) ? -1 : REAL(read)(fd, p, n);
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
	return fails("pread", fd, NULL) ? -1 : REAL(pread)(fd, p, n, at);
}

ssize_t write(int fd, const void *p, size_t n)
{
	return fails("write", fd, NULL) ? -1 : REAL(write)(fd, p, n);
}

int fdatasync(int fd)
{
	return fails("fdatasync", fd, NULL) ? -1 : REAL(fdatasync)(fd);
}

int syncfs(int fd)
{
	return fails("syncfs", fd, NULL) ? -1 : REAL(syncfs)(fd);
}

int renameat(int from, const char *name, int to, const char *as)
{
	return fails("renameat", to, as) ? -1 : REAL(renameat)(from, name, to, as);
}

int unlinkat(int dir, const char *name, int flags)
{
	return fails("unlinkat", dir, name) ? -1 : REAL(unlinkat)(dir, name, flags);
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	int r = REAL(clock_gettime)(clock, ts);

	if (r == 0 && clock == CLOCK_REALTIME)
		ts->tv_sec += rule_for("clock", "");
	return r;
}

int getpwuid_r(uid_t uid, struct passwd *pw, char *space, size_t n, struct passwd **found)
{
	int code = fails("getpwuid_r", AT_FDCWD, "/uid");

	if (!code)
		return REAL(getpwuid_r)(uid, pw, space, n, found);
	*found = NULL;
	return code;
}
