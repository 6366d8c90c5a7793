/*
 * reply.h - the head of an answer, line by line as libcurl hands it over, with the limits and refusals that are ours.
 *
 * Refused beyond what libcurl refuses, because each lets two readers see two different messages: Content-Length fields
 * that differ, one that is no number or that no file could have, CR or NUL inside a field, a folded line, a transfer
 * coding other than chunked (none was asked for, and libcurl would hand the bytes on undone), Location fields that
 * differ.
 */
#ifndef CREEL_HTTP_REPLY_H
#define CREEL_HTTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "actions/http/exchange.h"
#include "actions/http/job.h"

struct reply_reader {
	struct exchange *x;
	const struct limits *limits;
	const struct redact *secrets;
	size_t fields, bytes; /* over all heads, those of 1xx answers and trailers included */
	bool body_begun;      /* what comes now are trailers */
	bool has_length;      /* this head has a Content-Length, namely */
	uint64_t length;
};

/* One line, with its end.  false: x->stop and x->message say why the answer is refused. */
bool reply_line(struct reply_reader *r, const char *line, size_t n);

#endif
