/*
 * rearm.c - the one primitive behind retry by hand, loops and reopening: an action and what depends on it go back
 * to pending, for the next iteration.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/decide_impl.h"

static bool can_rearm(const struct exec *x, uint32_t i, bool first, bool keep)
{
	switch ((enum phase)x->a[i].phase) {
	case PH_COMPLETED:
		return first || !keep;
	case PH_FAILED:
	case PH_SKIPPED:
		return true;
	case PH_ASKING:
	case PH_BACKOFF:
		return first;
	default:
		return false;
	}
}

void rearm_one(struct exec *x, struct turn *t, uint32_t i, const char *reason, json_t *by, json_t *inputs)
{
	json_t *data = json_object();
	bool next = strcmp(reason, REARM_OUTPUT_LOST) != 0;

	json_object_set_new(data, "iteration", json_integer(x->a[i].iteration + next));
	json_object_set_new(data, "reason", json_string(reason));
	if (by)
		json_object_set(data, "by", by);
	if (inputs)
		json_object_set(data, "inputs", inputs);
	emit(x, t, EV_ACTION_REARMED, i, x->a[i].attempt, data);
}

void rearm(struct exec *x, struct turn *t, uint32_t action, bool keep, const char *reason, json_t *by, json_t *inputs)
{
	/* Breadth first over what depends on it, each once; alternatives go with their primaries. */
	VEC(uint32_t) queue = {0};
	bool *seen = xcalloc(x->plan->n, sizeof *seen);
	size_t at;
	uint32_t k;

	vec_push(&queue, action);
	seen[action] = true;
	for (at = 0; at < queue.n; at++) {
		uint32_t i = queue.v[at];
		const struct action *pa = &x->plan->actions[i];

		if (can_rearm(x, i, at == 0, keep))
			rearm_one(x, t, i, reason, by, at == 0 ? inputs : NULL);
		else if (keep && at > 0)
			continue; /* it completed: what it led to stays as it is */
		for (k = 0; k < pa->ndependents; k++)
			if (!seen[pa->dependents[k]]) {
				seen[pa->dependents[k]] = true;
				vec_push(&queue, pa->dependents[k]);
			}
		if (pa->alternative != NO_ACTION && !seen[pa->alternative]) {
			seen[pa->alternative] = true;
			vec_push(&queue, pa->alternative);
		}
	}
	free(seen);
	vec_free(&queue);
}
