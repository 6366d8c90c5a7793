/*
 * expand.c - forEach: an action that is a list of instances of itself.
 *
 * The parent is RUNNING, without a supervisor, while its instances run as actions of their own.  The items stand in
 * its action.execute.requested, so that a journal read back makes the same instances.  When it runs again, items that
 * completed and are the same stay as they are; a loop does all of them again.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/exec.h"

static void reset(struct exec *x, uint32_t i, char *item, bool afresh)
{
	struct action_state *a = &x->a[i];

	if (afresh || a->phase == PH_COMPLETED)
		exec_forget_child(x, i);
	free(x->plan->actions[i].item);
	x->plan->actions[i].item = item;
	if (a->settled)
		x->a[x->plan->actions[i].instance_of].instances_left++;
	a->settled = SETTLED_NOT;
	a->budget_used = 0;
	a->lost = 0;
	a->first_started = a->deadline = 0;
	a->iteration++;
	a->made_again = false;
	json_decref(a->record);
	a->record = NULL;
	json_decref(a->loaded);
	a->loaded = NULL;
	exec_set_phase(x, i, PH_BLOCKED);
}

static bool same_item(const struct exec *x, uint32_t i, const char *item)
{
	json_t *old = json_loads(x->plan->actions[i].item, JSON_DECODE_ANY, NULL);
	json_t *now = json_loads(item, JSON_DECODE_ANY, NULL);
	bool same = old && now && json_equal(old, now);

	json_decref(old);
	json_decref(now);
	return same;
}

static void add(struct exec *x, uint32_t parent, uint32_t number, char *item)
{
	uint32_t i = plan_add_instance(x->plan, parent, number, item);

	if (x->plan->n > x->capacity) {
		x->capacity = x->capacity * 2 > x->plan->n ? x->capacity * 2 : x->plan->n;
		x->a = xreallocarray(x->a, x->capacity, sizeof *x->a);
	}
	x->a[i] = (struct action_state){.phase = PH_BLOCKED};
	x->count[PH_BLOCKED]++;
	x->a[parent].unreleased++;
	x->a[parent].instances_left++;
}

uint32_t exec_instance(const struct exec *x, uint32_t parent, uint32_t number)
{
	uint32_t i = x->a[parent].first_instance + number;
	AUTO_FREE char *id = NULL;

	/* The instances of one expansion stand together; those that a later one adds may stand elsewhere. */
	if (x->a[parent].first_instance && i < x->plan->n && x->plan->actions[i].instance_of == parent &&
	    strtoul(strrchr(x->plan->actions[i].id, '.') + 1, NULL, 10) == number)
		return i;
	id = xasprintf("%s.%u", x->plan->actions[parent].id, number);
	return plan_find(x->plan, id);
}

void exec_expand(struct exec *x, uint32_t parent, const json_t *items)
{
	bool afresh = x->a[parent].afresh;
	size_t k;
	json_t *item;

	x->a[parent].afresh = false;
	x->a[parent].instances = (uint32_t)json_array_size(items);
	json_array_foreach(items, k, item) {
		char *text = json_dumps(item, JSON_COMPACT | JSON_ENCODE_ANY);
		uint32_t i = exec_instance(x, parent, (uint32_t)k);

		if (k == 0)
			x->a[parent].first_instance = i == NO_ACTION ? x->plan->n : i;
		if (i == NO_ACTION)
			add(x, parent, (uint32_t)k, text);
		else if (!afresh && x->a[i].phase == PH_COMPLETED && same_item(x, i, text))
			free(text);
		else
			reset(x, i, text, afresh);
	}
}
