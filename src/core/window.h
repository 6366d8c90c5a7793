/*
 * window.h - rate limits: how many requests were sent in the last stretch of time, and when there is room for one more.
 *
 * The window slides: at no moment may more than `requests` have been sent in the time of length `window` before it.
 * What was sent is remembered by its time, and near times together: those within a thousandth of the longest window
 * count as sent at the last of them, so that memory has an end and the error is on the safe side.
 *
 * What is under way counts from its start until it is known when it was sent, and a request counts as sent when its
 * reply came: a server counts it between the two, so that it can never see more than the limit.
 *
 * Pure: whoever owns a window says what happened and when.  A clock that was set back makes what lies in the future
 * count as sent now.
 */
#ifndef CREEL_CORE_WINDOW_H
#define CREEL_CORE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/vec.h"
#include "model/pinned.h"

struct window_mark {
	msec from, at; /* sent between these; all count as sent at `at` */
	uint32_t n;
};

struct window {
	VEC(struct window_mark) marks; /* oldest first */
	msec longest; /* the longest window of any rule that it was asked about */
};

/* n requests were sent at this time. */
void window_sent(struct window *w, msec at, uint32_t n);
/* Is there room for one more beside those under way? */
bool window_has_room(struct window *w, const struct rate_limit *r, uint32_t under_way, msec now);
/* When there will be, if nothing more is sent; 0: not before what is under way has ended. */
msec window_opens(struct window *w, const struct rate_limit *r, uint32_t under_way, msec now);
/* How many were sent within the rule's window. */
uint32_t window_count(struct window *w, const struct rate_limit *r, msec now);
/* Forget what no rule looks at any more; true if nothing is left. */
bool window_tidy(struct window *w, msec now);
void window_free(struct window *w);

#endif
