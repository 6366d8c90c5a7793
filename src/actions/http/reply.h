/*
 * reply.h - the head of an answer, line by line as libcurl hands it over, with the limits and refusals that are ours.
 *
 * Refused beyond what libcurl refuses, because each lets two readers see two different messages: differing
 * Content-Length fields, one that is no number or that no file could have, CR or NUL inside a field, a folded line,
 * chunked that is not the last transfer coding, differing Location fields.
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
	size_t fields, bytes; /* over all heads, those of 1xx answers and trailers included */
	bool body_begun;      /* what comes now are trailers */
};

/* One line, with its end.  false: x->stop and x->message say why the answer is refused. */
bool reply_line(struct reply_reader *r, const char *line, size_t n);

#endif
