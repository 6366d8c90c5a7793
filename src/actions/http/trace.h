/*
 * trace.h - http-trace.json: every request of an attempt and what came of it (S0 httpTrace), without a secret.
 *
 * An array of {timestamp, request: {method, url, headers, body?}, response?: {status, headers, body, duration}, error?}
 * and creel's own members: kind (request, redirect, token, health), attempt, definition, api, httpVersion, remoteAddress,
 * connectionReused, timings {dns, connect, tls, sent, firstByte, total}, curl {code, name, message}, rateLimit {limited, limit, remaining,
 * resetAt}, requestBodySize, responseBodySize, requestBodyTruncated, responseBodyTruncated.
 *
 * The file is written before each request is sent and after it: one that has neither response nor error was on its way
 * when the attempt ended.
 */
#ifndef CREEL_HTTP_TRACE_H
#define CREEL_HTTP_TRACE_H

#include <jansson.h>

#include "actions/http/exchange.h"
#include "actions/http/job.h"
#include "actions/http/ratelimit.h"
#include "actions/http/redact.h"
#include "base/err.h"

struct trace {
	const struct job *job;
	const struct redact *secrets;
	int dir;
	json_t *entries;
};

void trace_open(struct trace *t, const struct job *j, const struct redact *secrets, int dir);
void trace_close(struct trace *t);

/* About to be sent: a new entry at the end, written out.  0, or -1 with *e: nothing can be recorded, so nothing should be
 * sent. */
int trace_begin(struct trace *t, const struct exchange *x, struct err *e);
/* The last entry anew, with what came.  rate may be NULL. */
void trace_end(struct trace *t, const struct exchange *x, const struct rate *rate);
/* The last entry has this error (an error detail; copied, hidden). */
void trace_error(struct trace *t, const json_t *error);
/* Write the file; -1 and *e. */
int trace_write(const struct trace *t, struct err *e);

#endif
