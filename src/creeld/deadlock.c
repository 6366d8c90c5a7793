#include "creeld/deadlock.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "model/error.h"

enum { LOOK_MS = 500 };

/* What an action waits for: a lock, or a queue. */
struct want {
	bool queue;
	const char *name;
};

static bool uses(const struct action *a, const struct want *w)
{
	size_t k;

	if (w->queue)
		return a->queue && strcmp(a->queue, w->name) == 0;
	for (k = 0; k < a->nresources; k++)
		if (strcmp(a->resources[k], w->name) == 0)
			return true;
	return false;
}

/* Will one of those that hold it let it go?  goes_on: by slot, as far as it is known. */
static bool will_be_free(const struct daemon *d, const struct want *w, const bool *goes_on)
{
	size_t k, q;

	for (k = 0; k < d->running.n; k++)
		if (uses(&d->running.v[k].live->plan->actions[d->running.v[k].action], w))
			return true;
	for (k = 0; k < d->queue.n; k++) {
		const struct live *l = d->lives.v[d->queue.v[k]];

		for (q = l->queued_at; q < l->queued.n; q++)
			if (uses(&l->plan->actions[l->queued.v[q]], w))
				return true;
	}
	for (k = 0; k < d->subs.n; k++) {
		const struct sub *s = &d->subs.v[k];

		if (uses(&s->parent->plan->actions[s->action], w) && (!s->child || goes_on[s->child->slot]))
			return true;
	}
	return false;
}

/* The first thing that the action waits for and that nobody will let go; or NULL: it can go on, or waits for something
 * else. */
static const char *stuck_for(const struct daemon *d, const struct action *a, const bool *goes_on)
{
	struct want w;
	size_t k;

	for (k = 0; k < a->nresources; k++) {
		w = (struct want){false, a->resources[k]};
		if (limits_full(d, 'r', w.name) && !will_be_free(d, &w, goes_on))
			return w.name;
	}
	w = (struct want){true, a->queue};
	return a->queue && limits_full(d, 'q', a->queue) && !will_be_free(d, &w, goes_on) ? a->queue : NULL;
}

static bool can_go_on(const struct daemon *d, const struct live *l, const bool *goes_on)
{
	const struct exec *x = l->exec;
	size_t k;

	if (x->outcome != OUTCOME_NONE || x->paused || l->inputs.n > 0 || x->unread_waits.n > 0 ||
	    x->count[PH_RUNNING] > x->waiting ||
	    x->count[PH_BACKOFF] + x->count[PH_CONFIRM] + x->count[PH_ASKING] > 0 || x->count[PH_READY] > x->parked.n)
		return true;
	for (k = 0; k < x->parked.n; k++)
		if (!stuck_for(d, &l->plan->actions[x->parked.v[k]], goes_on))
			return true;
	for (k = 0; k < d->subs.n; k++)
		if (d->subs.v[k].parent == l && (!d->subs.v[k].child || goes_on[d->subs.v[k].child->slot]))
			return true;
	return false;
}

/* Who can go on because somebody else can: until nothing is added. */
static bool *find_those_that_go_on(const struct daemon *d)
{
	bool *goes_on = xcalloc(d->lives.n + 1, sizeof *goes_on), changed;
	size_t k;

	do {
		changed = false;
		for (k = 0; k < d->lives.n; k++)
			if (d->lives.v[k] && !goes_on[k] && can_go_on(d, d->lives.v[k], goes_on))
				changed = goes_on[k] = true;
	} while (changed);
	return goes_on;
}

static void fail(struct daemon *d, struct live *l, uint32_t i, const char *name, msec now)
{
	const char *id = l->plan->actions[i].id;
	struct turn t = {.now = now, .random = d->random += 0x9e3779b97f4a7c15u, .out = &l->out, .ctx = d};
	json_t *error = error_new(ERROR_STATE_INCONSISTENT, false,
				  "\"%s\" would wait for ever for \"%s\": what holds it waits for this execution", id, name);

	error_set_code(error, "deadlock");
	error_set_suggestion(error, "let the action that runs this plan not hold what the plan itself wants, or let all plans "
				    "take their locks in one order");
	log_warn("execution %s: \"%s\" waits for \"%s\", which is held by what waits for it: it fails", l->exec->id, id, name);
	core_refuse(l->exec, &t, i, error);
	live_dirty(d, l);
}

/* One at a time: what it lets go may be enough. */
static void fail_one(struct daemon *d, const bool *goes_on, msec now)
{
	size_t k, p;

	for (k = 0; k < d->lives.n; k++) {
		struct live *l = d->lives.v[k];

		if (!l || goes_on[k] || !l->exec->parent)
			continue;
		for (p = 0; p < l->exec->parked.n; p++) {
			uint32_t i = l->exec->parked.v[p];
			const char *name = stuck_for(d, &l->plan->actions[i], goes_on);

			if (name) {
				fail(d, l, i, name, now);
				return;
			}
		}
	}
}

void deadlock_break(struct daemon *d, msec now)
{
	msec mono = clock_mono();
	bool *goes_on;

	if (d->subs.n == 0 || d->parked.n == 0 || mono < d->deadlock_looked + LOOK_MS)
		return;
	d->deadlock_looked = mono;
	goes_on = find_those_that_go_on(d);
	fail_one(d, goes_on, now);
	free(goes_on);
}

msec deadlock_patience(const struct daemon *d)
{
	msec left = d->deadlock_looked + LOOK_MS - clock_mono();

	if (d->subs.n == 0 || d->parked.n == 0)
		return -1;
	return left > 0 ? left : 0;
}
