/*
 * request.h - what is sent: method, URL, fields and body, made from a definition and its inputs.
 */
#ifndef CREEL_HTTP_REQUEST_H
#define CREEL_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "actions/http/headers.h"
#include "actions/http/job.h"
#include "actions/http/template.h"
#include "base/buf.h"

struct request {
	const char *method; /* static, or the job's */
	char *url;
	struct headers headers;
	struct buf body;
	bool has_body;
};

/* 0, or -1 with *e (EBADMSG, ENOENT): which input does not fit where. */
int request_make(struct request *r, const struct job *j, struct err *e);
void request_copy(struct request *to, const struct request *from);
void request_free(struct request *r);

/* The body, from endpoint.body or from the inputs that nothing else used (request_body.c).  May set Content-Type. */
int request_make_body(struct request *r, const struct job *j, const struct template_values *values, struct err *e);

#endif
