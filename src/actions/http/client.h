/*
 * client.h - libcurl, set up so that it does one request and nothing on its own.
 *
 *   struct client c;
 *   client_open(&c, &job, dir, &redact, &e);
 *   client_send(&c, &exchange, spill) …
 *   client_close(&c);
 *
 * No redirects, no cookies, no netrc, no proxy from the environment, no authentication, no decoding of bodies, http
 * and https only, certificates verified; every socket's address is checked as it is made.  A request that must not be
 * done twice gets a connection of its own: libcurl repeats one by itself when a connection that it used before turns
 * out to be dead.
 */
#ifndef CREEL_HTTP_CLIENT_H
#define CREEL_HTTP_CLIENT_H

#include <curl/curl.h>
#include <signal.h>
#include <stdbool.h>

#include "actions/http/exchange.h"
#include "actions/http/job.h"
#include "actions/http/redact.h"
#include "base/err.h"

struct client {
	const struct job *job;
	const struct redact *secrets;
	int dir;
	CURL *curl;
};

/* Set by a signal handler: what runs is given up. */
extern volatile sig_atomic_t client_cancelled;

int client_open(struct client *c, const struct job *j, int dir, const struct redact *secrets, struct err *e);
void client_close(struct client *c);

/* Send x->request and fill in the rest of x.  spill: a large body of a 2xx answer goes into the file `body`. */
void client_send(struct client *c, struct exchange *x, bool spill);

#endif
