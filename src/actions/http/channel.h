/*
 * channel.h - the attempt's way to a process that has connections (wire_main.c): one that is shared, if the engine hands
 * over the way to it, else one of its own.
 *
 *   struct channel c;
 *   channel_open(&c, pool, program);   nothing is started yet
 *   channel_begin(&c, key, &e)         before each request: it is there and says so, or *e
 *   channel_write, channel_next …
 *   channel_close(&c);
 */
#ifndef CREEL_HTTP_CHANNEL_H
#define CREEL_HTTP_CHANNEL_H

#include <stdbool.h>
#include <sys/types.h>

#include "actions/http/frame.h"
#include "base/clock.h"
#include "base/err.h"

struct channel {
	const char *pool;    /* where to ask for a shared one, or NULL */
	const char *program; /* creel-http-wire */
	char *key;
	int fd;              /* -1: not begun, or broken */
	bool shared;
	pid_t pid;           /* of our own one, or 0 */
	struct frame_reader in;
};

/* pool: the name of the abstract socket of a router (wire_pool.c), or NULL. */
void channel_open(struct channel *c, const char *pool, const char *program);
void channel_close(struct channel *c);

/* key: who may share connections with whom. */
int channel_begin(struct channel *c, const char *key, struct err *e);
/* What runs is given up; what comes next begins anew. */
void channel_drop(struct channel *c);
/* The same, and the shared one is not asked again: it does not work. */
void channel_give_up(struct channel *c);

/* All of it, with what else is there to read left alone; -1 and *e. */
int channel_write(struct channel *c, const struct buf *b, msec deadline_mono, struct err *e);
/* 1: a frame; 0: none until then; -1: the other side is gone, or says nonsense. */
int channel_next(struct channel *c, struct frame *f, msec until_mono);

#endif
