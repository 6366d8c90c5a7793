/*
 * lie - a library to be preloaded: a daemon that loses calls of one kind.
 *
 *	LD_PRELOAD=build/fault/lie.so LIE=WHAT creeld ...
 *
 * WHAT: commits (fdatasync), directories (fsync of a directory), active (that of active/ alone), journal (that of a
 * journal/ alone), all (these and syncfs), wide (syncfs alone), flock.  What is lost is said to have succeeded.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int fsync(int fd);
int fdatasync(int fd);
int syncfs(int fd);
int flock(int fd, int how);

static bool lies(const char *what)
{
	const char *lie = getenv("LIE");

	return lie && strcmp(lie, what) == 0;
}

static int pass_on(const char *call, int fd)
{
	int (*real)(int);

	*(void **)&real = dlsym(RTLD_NEXT, call);
	return real(fd);
}

static bool ends_with(int fd, const char *name)
{
	char link[40], path[4096] = "";
	ssize_t n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path - 1);
	return n > (ssize_t)strlen(name) && strcmp(path + n - strlen(name), name) == 0;
}

int fsync(int fd)
{
	struct stat st;

	if (lies("all") || (lies("directories") && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) ||
	    (lies("active") && ends_with(fd, "/active")) || (lies("journal") && ends_with(fd, "/journal")))
		return 0;
	return pass_on("fsync", fd);
}

int fdatasync(int fd)
{
	return lies("all") || lies("commits") ? 0 : pass_on("fdatasync", fd);
}

int syncfs(int fd)
{
	return lies("all") || lies("wide") ? 0 : pass_on("syncfs", fd);
}

int flock(int fd, int how)
{
	int (*real)(int, int);

	if (lies("flock"))
		return 0;
	*(void **)&real = dlsym(RTLD_NEXT, "flock");
	return real(fd, how);
}
