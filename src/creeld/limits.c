/*
 * limits.c - named locks (resources:) and queues, across executions.
 *
 * What is held is what committed attempts hold.  It is counted anew at the start of each turn from the attempts
 * that run or wait for a supervisor, which are few (daemon.h: AHEAD times the limit), and what the turn starts is
 * added.  A lock has one holder; a queue as many as the configuration gives it, without one no limit.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "creeld/daemon.h"

static char *key_of(char kind, const char *name)
{
	return xasprintf("%c:%s", kind, name);
}

static void add(struct daemon *d, char kind, const char *name)
{
	char *key = key_of(kind, name);
	uint32_t n = map_get(&d->held, key);

	if (n != MAP_NONE) {
		map_put(&d->held, key, n + 1);
		free(key);
		return;
	}
	vec_push(&d->held_keys, key);
	map_put(&d->held, key, 1);
}

static uint32_t held(const struct daemon *d, char kind, const char *name)
{
	AUTO_FREE char *key = key_of(kind, name);
	uint32_t n = map_get(&d->held, key);

	return n == MAP_NONE ? 0 : n;
}

void limits_take(struct daemon *d, const struct action *a)
{
	size_t k;

	for (k = 0; k < a->nresources; k++)
		add(d, 'r', a->resources[k]);
	if (a->queue)
		add(d, 'q', a->queue);
}

bool limits_full(const struct daemon *d, char kind, const char *name)
{
	json_t *limit;

	if (kind == 'r')
		return held(d, 'r', name) > 0;
	limit = json_object_get(json_object_get(d->config.queues, name), "concurrency");
	return limit && held(d, 'q', name) >= (uint32_t)json_integer_value(limit);
}

bool limits_allow(const struct daemon *d, const struct action *a)
{
	size_t k;

	for (k = 0; k < a->nresources; k++)
		if (limits_full(d, 'r', a->resources[k]))
			return false;
	return !a->queue || !limits_full(d, 'q', a->queue);
}

void limits_clear(struct daemon *d)
{
	size_t k;

	for (k = 0; k < d->held_keys.n; k++)
		free(d->held_keys.v[k]);
	vec_free(&d->held_keys);
	map_free(&d->held);
}

void limits_count(struct daemon *d)
{
	size_t k, q;

	limits_clear(d);
	for (k = 0; k < d->running.n; k++)
		limits_take(d, &d->running.v[k].live->plan->actions[d->running.v[k].action]);
	for (k = 0; k < d->subs.n; k++)
		limits_take(d, &d->subs.v[k].parent->plan->actions[d->subs.v[k].action]);
	for (k = 0; k < d->queue.n; k++) {
		const struct live *l = d->lives.v[d->queue.v[k]];

		for (q = l->queued_at; q < l->queued.n; q++)
			limits_take(d, &l->plan->actions[l->queued.v[q]]);
	}
}
