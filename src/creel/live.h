/*
 * live.h - the block of lines at the bottom of the terminal that shows executions while they run.
 */
#ifndef CREEL_CREEL_LIVE_H
#define CREEL_CREEL_LIVE_H

#include "creel/attend.h"
#include "creel/show_text.h"

struct live_block {
	char **lines; /* as they stand on the screen */
	size_t n;
};

/* Draw anew what has changed.  remark (may be NULL) is a last line about the whole. */
void live_draw(struct live_block *l, const struct attendee *a, size_t n, const char *remark);
/* Leave the block as it is, and forget it. */
void live_end(struct live_block *l);

#endif
