/*
 * wire.h - the parts of creel-http-wire, the process that has the connections; nobody else includes it.
 *
 *   wire_main.c       the three ways to run it
 *   wire_loop.c       one loop over libcurl, the sockets of attempts, and the socket on which new ones come
 *   wire_link.c       one attempt: frames in, frames out, one request at a time
 *   wire_transfer.c   one request: set up so that libcurl does it and nothing on its own
 *   wire_pool.c       the router: one process for each key, started when asked for
 */
#ifndef CREEL_HTTP_WIRE_H
#define CREEL_HTTP_WIRE_H

#include <curl/curl.h>
#include <jansson.h>
#include <stdbool.h>

#include "actions/http/address.h"
#include "actions/http/frame.h"
#include "base/buf.h"
#include "base/clock.h"

struct link;

struct wire {
	CURLM *multi;
	struct link *links; /* a list */
	int control;        /* where sockets of attempts come in, or -1 */
	bool control_over;  /* nobody can send one any more */
	msec idle_since;    /* monotonic; 0: something runs */
};

/* One attempt. */
struct link {
	struct link *next;
	struct wire *wire;
	int fd;
	bool over; /* its attempt is gone */
	struct frame_reader in;
	struct buf out;
	size_t out_at;     /* of out, so much was written */
	json_t *request;   /* while it is being put together */
	struct buf body;
	struct transfer *transfer; /* while it runs */
};

/* Run until there is nothing left to do, or for idle_ms nothing was (0: for ever). */
int wire_loop(struct wire *w, msec idle_ms);

struct link *link_new(struct wire *w, int fd);
void link_free(struct link *l);
/* Bytes can be read from its attempt. */
void link_read(struct link *l);
/* Queue a frame, and write what can be written. */
void link_put(struct link *l, enum frame_type type, const void *p, size_t n);
void link_write(struct link *l);
static inline size_t link_waiting(const struct link *l)
{
	return l->out.len - l->out_at;
}

/* Start the request of the link.  What is wrong with it is told in DONE. */
void transfer_start(struct link *l);
void transfer_done(CURL *curl, CURLcode code);
/* There is room again for what it was held up with. */
void transfer_go_on(struct transfer *t);
void transfer_free(struct transfer *t);

/* Until the daemon with that number is gone. */
int pool_main(pid_t daemon);

#endif
