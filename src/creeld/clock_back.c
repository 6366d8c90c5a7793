/*
 * clock_back.c - was the wall clock set back?  Then what is waited for would last longer, and decisions would seem older
 * than the requests that they answer.
 */
#include "base/log.h"
#include "creeld/daemon.h"

void clock_look(struct daemon *d)
{
	enum { SET_BACK_MS = 10, TOLD_MS = 1000, SLOW_MS = 2 };
	msec before = clock_mono(), now = clock_wall(), mono = clock_mono();
	/* The offset lies between these: we may not have been running in between. */
	msec least = now - mono, most = now - before;
	bool back = d->clock_offset && most < d->clock_offset - SET_BACK_MS;
	size_t k;

	if (mono - before > SLOW_MS && !back)
		return;
	/* A fraction of a second is enough for an answer that comes at once to be older than what it answers. */
	for (k = 0; back && k < d->lives.n; k++)
		if (d->lives.v[k]) {
			core_clock_back(d->lives.v[k]->exec, now, mono - d->clock_looked);
			live_dirty(d, d->lives.v[k]);
		}
	if (back && least < d->clock_offset - TOLD_MS)
		log_warn("the clock was set back by %lld s: waits are as long as they were meant to be, counted from now",
			 (long long)(d->clock_offset - least) / 1000);
	d->clock_offset = least;
	d->clock_looked = mono;
}
