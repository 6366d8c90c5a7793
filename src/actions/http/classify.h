/*
 * classify.h - what went wrong, as an error detail (S0): who says so first, wins.
 *
 *   1. the API's errorMappings, in order: all of pattern, status and header that an entry has must fit
 *   2. the API's rate limit detection, and status 429
 *   3. the definition's knownErrors, in order
 *   4. defaults.h
 *
 * A pattern is looked for in the error message that the body holds, in the body's text, and for a request without an
 * answer in libcurl's message.  What we stopped ourselves for safety is nobody's to call otherwise.
 */
#ifndef CREEL_HTTP_CLASSIFY_H
#define CREEL_HTTP_CLASSIFY_H

#include <jansson.h>
#include <stdbool.h>

#include "actions/http/answer.h"
#include "actions/http/exchange.h"
#include "actions/http/job.h"
#include "actions/http/ratelimit.h"
#include "model/error.h"

struct circumstances {
	bool renewable; /* the credentials can be renewed, and were not in this attempt */
	bool renewed;   /* they were */
};

/* Is the exchange a failure?  NULL if it is none, else a new error detail.  rate is what rate_read() found, and says
 * afterwards whether this was a refusal for asking too much, and until when. */
json_t *classify(const struct job *j, const struct exchange *x, const struct answer *a, const struct circumstances *c,
		 struct rate *rate, const struct rate_clock *clock);

/* A failure of ours beside the exchange: its answer came whole and cannot be used. */
json_t *classify_unusable(const struct job *j, const struct exchange *x, enum error_category category, const char *code,
			  const char *suggestion, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* No request was made: the inputs or the definition do not fit. */
json_t *classify_invalid(const struct job *j, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
