/*
 * fds.h - descriptors of the simulated process: real ones are below FD_BASE and are left alone.
 */
#ifndef CREEL_TESTS_SIM_FDS_H
#define CREEL_TESTS_SIM_FDS_H

#include <errno.h>

#include "tests/sim/sim.h"

enum { FD_BASE = 1000, FDS = 512 };

enum fd_kind { FD_FREE, FD_NODE, FD_TEXT, FD_MEMORY, FD_EVENT, FD_SIGNALS, FD_EPOLL, FD_PID, FD_PROC_DIR, FD_SOCKET };

struct fd {
	enum fd_kind kind;
	struct node *node;
	bool can_read, can_write, append, noblock;
	size_t at;
	uint64_t holder; /* of its flock */
	bool locks;
	struct bytes text;
	struct memory *memory;
	struct channel *channel;
	bool theirs; /* the supervisor's end */
	uint64_t count;  /* of an eventfd */
	pid_t pid;
	bool watched;    /* by epoll */
};

/* NULL and errno EBADF if it is none. */
struct fd *fd_of(int fd);
/* A new descriptor, or -1 and errno EMFILE. */
int fd_new(enum fd_kind kind, struct fd **out);
void fd_free(int fd);
/* Is there something to be had? */
bool fd_is_ready(const struct fd *f);
/* The directory that a call's paths start at; NULL and errno. */
struct node *fd_dir(int dir, const char *path);

/* Fail with an errno value, or with what a function of tree.c returned. */
static inline int fail(int code)
{
	errno = code < 0 ? -code : code;
	return -1;
}

#endif
