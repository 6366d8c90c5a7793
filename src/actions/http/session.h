/*
 * session.h - one attempt: what its parts share from the first byte read to the last byte written.
 */
#ifndef CREEL_HTTP_SESSION_H
#define CREEL_HTTP_SESSION_H

#include <jansson.h>
#include <stdbool.h>

#include "actions/http/answer.h"
#include "actions/http/client.h"
#include "actions/http/exchange.h"
#include "actions/http/job.h"
#include "actions/http/ratelimit.h"
#include "actions/http/redact.h"
#include "actions/http/tokens.h"
#include "actions/http/trace.h"

struct session {
	struct job job;
	struct redact secrets;
	struct client client;
	struct trace trace;
	struct tokens tokens;
	int dir;
	bool renewed;      /* credentials were renewed in this attempt */
	char *used_token;  /* the access token that the last request carried, or NULL */
};

/* Request, secrets and tokens become the session's, also on failure: close it in any case.  0, or -1 with *e: the
 * request cannot be worked with. */
int session_open(struct session *s, json_t *request, json_t *secrets, int dir, const struct tokens *tokens,
		 const struct client_way *way, struct err *e);
void session_close(struct session *s);

/* Record, send, record.  What cannot be recorded is not sent. */
void session_send(struct session *s, struct exchange *x, bool spill);

/* The whole attempt: 0 and *output, or -1 and *error (an error detail, hidden already).  The caller frees them. */
int session_run(struct session *s, json_t **output, json_t **error);

/* Send r (which becomes the session's) and follow redirects, each rechecked; last is what came in the end. */
void session_follow(struct session *s, struct request *r, struct exchange *last);

#endif
