/*
 * http_pool.h - connections that HTTP attempts share: the process that hands them on, and the name under which attempts
 * find it.
 *
 * creel-http-wire --pool is started when an HTTP attempt is first to be handed over, and again when one is after it ended,
 * at most once in ten seconds.  Its listening socket is the daemon's own: the name stays what it is, and whoever asks while
 * nobody listens makes a connection of its own after a moment.  Nothing depends on it: an attempt that finds nobody there
 * is only slower.
 */
#ifndef CREEL_CREELD_HTTP_POOL_H
#define CREEL_CREELD_HTTP_POOL_H

#include "creeld/daemon.h"

struct http_pool;

/* For CREEL_POOL: the name, or NULL if connections are not shared (configured so, or it cannot be).  executor is the
 * program that is going to ask: creel-http-wire lies beside it. */
const char *http_pool_name(struct daemon *d, const char *executor);
/* A child ended: was it this one? */
bool http_pool_reaped(struct daemon *d, pid_t pid);
/* The process ends; what its processes are doing for attempts goes on. */
void http_pool_close(struct daemon *d);

#endif
