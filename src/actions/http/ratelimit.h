/*
 * ratelimit.h - what an answer says about how much more may be asked, and when (S0 ApiRateLimitConfig, RFC 9110
 * section 10.2.3).
 *
 * Times are wall-clock milliseconds of this machine.  A server's points in time are moved by the difference between
 * its Date field and our clock where that is more than a few seconds.  No time lies further ahead than the cap.
 */
#ifndef CREEL_HTTP_RATELIMIT_H
#define CREEL_HTTP_RATELIMIT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "actions/http/headers.h"
#include "base/clock.h"

enum reset_format { RESET_GUESS, RESET_UNIX_SECONDS, RESET_UNIX_MS, RESET_ISO8601 };

struct rate {
	bool limited;            /* this answer was a refusal for asking too much */
	int64_t limit, remaining; /* -1: not said */
	msec reset;              /* when there is room again; 0: not said */
	msec retry_after;        /* not before then, by Retry-After; 0: not said */
};

struct rate_clock {
	msec now;  /* when the answer came */
	msec skew; /* our clock minus the server's; 0 if they agree */
	msec cap;  /* at most so long a wait */
};

/* The clock of an answer: what its Date field says, taken at now. */
struct rate_clock rate_clock_make(const struct headers *reply, msec now, msec cap);

/* Retry-After: seconds or an HTTP date; false for anything else.  *until is never before now. */
bool retry_after_parse(const char *value, const struct rate_clock *clock, msec *until);

/* A reset field.  A number too small to be a point in time is a delay. */
bool rate_reset_parse(const char *value, enum reset_format format, const struct rate_clock *clock, msec *until);

/* All that the answer says.  api may be NULL; text is its body if the API's bodyPatterns are to be looked for in it. */
void rate_read(const json_t *api, int status, const struct headers *reply, const char *text, size_t n,
	       const struct rate_clock *clock, struct rate *out);

/* When to try again after a refusal: Retry-After, else the reset, else what the API's backoffStrategy gives for this
 * attempt (from 1); 0 if nothing says. */
msec rate_retry_at(const json_t *api, const struct rate *rate, uint32_t attempt, const struct rate_clock *clock);

#endif
