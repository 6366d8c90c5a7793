/*
 * watch.h - sleeping until something in some directories changes.
 *
 * The kernel's announcements are hints: file systems that send none are served by the timeout, so whoever waits
 * looks again at least every WATCH_POLL_MS, and whatever is seen is what the directory says, not the hint.
 */
#ifndef CREEL_CREEL_WATCH_H
#define CREEL_CREEL_WATCH_H

#include "base/clock.h"

enum { WATCH_POLL_MS = 200 };

struct watch {
	int fd; /* inotify, or -1 */
};

void watch_open(struct watch *w);
/* Also wake for what happens in this directory (an absolute path); what cannot be watched is polled. */
void watch_add(struct watch *w, const char *dir);
/* Sleep until something happened, at most ms. */
void watch_wait(struct watch *w, msec ms);
void watch_close(struct watch *w);

#endif
