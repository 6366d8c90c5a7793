/*
 * client.h - a request sent and its answer taken, over a channel to the process that has the connection.
 *
 *   struct client c;
 *   client_open(&c, &job, dir, &redact, &way);
 *   client_send(&c, &exchange, spill) …
 *   client_close(&c);
 *
 * All limits on what comes are kept here: what the other process hands on is what the server sent.
 */
#ifndef CREEL_HTTP_CLIENT_H
#define CREEL_HTTP_CLIENT_H

#include <signal.h>
#include <stdbool.h>

#include "actions/http/channel.h"
#include "actions/http/exchange.h"
#include "actions/http/job.h"
#include "actions/http/redact.h"

/* How to get to connections; it is found out before the executor shields itself. */
struct client_way {
	const char *pool;   /* where processes are shared, or NULL */
	char program[4096]; /* creel-http-wire, beside our own program */
};

struct client {
	const struct job *job;
	const struct redact *secrets;
	int dir;
	struct channel channel;
};

/* Set by a signal handler: what runs is given up. */
extern volatile sig_atomic_t client_cancelled;

void client_find_way(struct client_way *w);
/* The way must live as long as the client. */
void client_open(struct client *c, const struct job *j, int dir, const struct redact *secrets, const struct client_way *w);
void client_close(struct client *c);

/* Send x->request and fill in the rest of x.  spill: a large body of a 2xx answer goes into the file `body`. */
void client_send(struct client *c, struct exchange *x, bool spill);

#endif
