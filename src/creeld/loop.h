/*
 * loop.h - the daemon from start to stop.
 *
 * Plain epoll: what is waited for is one signalfd, two eventfds and the pidfds of adopted supervisors, and one call
 * should return all that is ready, because a turn folds everything that has arrived.  Timers are the executions' own
 * deadlines, kept in a heap that has to exist anyway.  A library (sd-event, libuv, libev) would bring its own
 * timers, its own child handling beside ours as subreaper, and a callback for each of what a turn wants together.
 */
#ifndef CREEL_CREELD_LOOP_H
#define CREEL_CREELD_LOOP_H

#include "creeld/daemon.h"

struct settings {
	const char *spool, *config_file; /* NULL: not given */
	uint32_t max_concurrency;        /* 0: not given */
	bool drain, verbose;
};

/* Returns the exit status of creeld. */
int daemon_run(const struct settings *s);

#endif
