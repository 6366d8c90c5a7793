#include "core/window.h"

#include <string.h>

enum { GRAINS = 1000 }; /* marks within one window, at most */

static void forget(struct window *w, size_t n)
{
	memmove(w->marks.v, w->marks.v + n, (w->marks.n - n) * sizeof *w->marks.v);
	w->marks.n -= n;
}

/* A clock that was set back. */
static void clamp(struct window *w, msec now)
{
	size_t k;

	for (k = 0; k < w->marks.n; k++) {
		if (w->marks.v[k].at > now)
			w->marks.v[k].at = now;
		if (w->marks.v[k].from > now)
			w->marks.v[k].from = now;
	}
}

static void learn(struct window *w, const struct rate_limit *r, msec now)
{
	if (r->window > w->longest)
		w->longest = r->window;
	clamp(w, now);
}

void window_sent(struct window *w, msec at, uint32_t n)
{
	struct window_mark *last = w->marks.n ? &w->marks.v[w->marks.n - 1] : NULL;

	if (n == 0)
		return;
	if (last && at < last->at) /* replies may come in another order: on the safe side */
		at = last->at;
	if (last && at - last->from <= w->longest / GRAINS) {
		last->at = at;
		last->n += n;
		return;
	}
	vec_push(&w->marks, (struct window_mark){at, at, n});
}

uint32_t window_count(struct window *w, const struct rate_limit *r, msec now)
{
	uint64_t n = 0;
	size_t k;

	learn(w, r, now);
	for (k = w->marks.n; k-- > 0 && w->marks.v[k].at > now - r->window;)
		n += w->marks.v[k].n;
	return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

bool window_has_room(struct window *w, const struct rate_limit *r, uint32_t under_way, msec now)
{
	return (uint64_t)window_count(w, r, now) + under_way < r->requests;
}

msec window_opens(struct window *w, const struct rate_limit *r, uint32_t under_way, msec now)
{
	uint64_t n = under_way;
	size_t k;

	if (window_has_room(w, r, under_way, now))
		return now;
	/* From the latest back: the mark with which there is no room any more must have left the window. */
	for (k = w->marks.n; k-- > 0 && n < r->requests;) {
		n += w->marks.v[k].n;
		if (n >= r->requests)
			return w->marks.v[k].at + r->window;
	}
	return 0;
}

bool window_tidy(struct window *w, msec now)
{
	size_t n = 0;

	clamp(w, now);
	while (n < w->marks.n && w->marks.v[n].at <= now - w->longest)
		n++;
	if (n > 0)
		forget(w, n);
	return w->marks.n == 0;
}

void window_free(struct window *w)
{
	vec_free(&w->marks);
}
