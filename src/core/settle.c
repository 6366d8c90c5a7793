/*
 * settle.c - phases and what follows when an action settles: counts, dependents, the failure chain of primaries.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/fold_impl.h"

bool fold_dormant(const struct exec *x, uint32_t i)
{
	return x->plan->actions[i].standby && !x->a[i].called && x->a[i].phase == PH_BLOCKED;
}

/* Counts that hold only in some phases: taken back before a change and added after it. */
static void count_special(struct exec *x, uint32_t i, int sign)
{
	const struct action *pa = &x->plan->actions[i];
	enum phase p = x->a[i].phase;

	if (pa->no_supervisor && p == PH_RUNNING)
		x->waiting += (uint32_t)sign;
	if (p == PH_RUNNING && !pa->for_each && plan_child(x->plan, i))
		x->children += (uint32_t)sign;
	if (pa->instance_of != NO_ACTION && p == PH_BLOCKED)
		x->a[pa->instance_of].unreleased += (uint32_t)sign;
	if (fold_dormant(x, i))
		x->dormant += (uint32_t)sign;
}

void exec_set_phase(struct exec *x, uint32_t i, enum phase p)
{
	count_special(x, i, -1);
	x->count[x->a[i].phase]--;
	x->a[i].phase = (uint8_t)p;
	x->count[p]++;
	count_special(x, i, +1);
	if (p == PH_READY)
		heap_push(&x->ready, exec_rank(x, i), i);
}

void fold_call_for(struct exec *x, uint32_t standby)
{
	x->dormant -= fold_dormant(x, standby);
	x->a[standby].called = true;
	x->dormant += fold_dormant(x, standby);
	vec_push(&x->work, standby);
}

void fold_set_record(struct action_state *a, json_t *data)
{
	json_incref(data);
	json_decref(a->record);
	a->record = data;
	json_decref(a->loaded);
	a->loaded = NULL;
}

const char *exec_failure_step(const struct exec *x, uint32_t i)
{
	const struct action *pa = &x->plan->actions[i];

	if (pa->fallback)
		return "fallback";
	if (exec_stopping(x))
		return "stop";
	switch (pa->on_failure) {
	case ON_FAILURE_CONTINUE:
		return "continue";
	case ON_FAILURE_SKIP_DEPENDENTS:
		return "skip_dependents";
	case ON_FAILURE_ABORT:
	case ON_FAILURE_ASK:
		break;
	}
	return "abort";
}

static void tell_dependents(struct exec *x, uint32_t i)
{
	const struct action *pa = &x->plan->actions[i];
	uint32_t k;

	for (k = 0; k < pa->ndependents; k++) {
		uint32_t d = pa->dependents[k];

		if (--x->a[d].deps_left == 0 || x->a[d].called)
			vec_push(&x->work, d);
	}
	if (pa->alternative != NO_ACTION && --x->a[pa->alternative].callers_left == 0)
		vec_push(&x->work, pa->alternative);
}

void fold_settle(struct exec *x, uint32_t i, enum phase p, enum settled how)
{
	bool was = x->a[i].settled != SETTLED_NOT;

	exec_set_phase(x, i, p);
	x->a[i].settled = (uint8_t)how;
	x->made_again = x->made_again || x->a[i].made_again;
	x->a[i].made_again = false;
	x->a[i].deadline = 0;
	x->a[i].overtaken = false;
	if (x->compensating == i)
		x->compensating = NO_ACTION;
	if (!was)
		tell_dependents(x, i);
	if (x->plan->actions[i].nprimaries > 0)
		vec_push(&x->settled, i);
	if (!was && x->plan->actions[i].instance_of != NO_ACTION) {
		x->a[x->plan->actions[i].instance_of].instances_left--;
		vec_push(&x->work, x->plan->actions[i].instance_of);
	}
}

/* It may start; but what it depends on may have been armed again meanwhile, and then it waits for that as at first. */
void fold_may_start(struct exec *x, uint32_t i)
{
	bool waits = exec_blockers(x, i) > 0 && i != x->compensating;

	x->a[i].overtaken = false;
	exec_set_phase(x, i, waits ? PH_BLOCKED : PH_READY);
}

/* An alternative has settled: those that wait for it go on. */
void fold_release_primaries(struct exec *x, uint32_t alternative)
{
	const struct action *pa = &x->plan->actions[alternative];
	const struct action_state *alt = &x->a[alternative];
	bool stands_in = alt->phase == PH_COMPLETED || (alt->phase == PH_FAILED && alt->stand_in != STAND_IN_NONE);
	uint32_t k;

	for (k = 0; k < pa->nprimaries; k++) {
		uint32_t i = pa->primaries[k];

		if (x->a[i].phase != PH_STANDIN)
			continue;
		if (stands_in) {
			x->a[i].stand_in = STAND_IN_ALTERNATIVE;
			fold_settle(x, i, PH_FAILED, SETTLED_OK);
		} else {
			fold_settle_failed(x, i, exec_failure_step(x, i));
		}
	}
}

void fold_stop(struct exec *x, uint32_t cause, bool terminate)
{
	if (!exec_stopping(x))
		x->cause = cause;
	x->terminate = x->terminate || terminate;
}

static void abort_by(struct exec *x, uint32_t i)
{
	fold_stop(x, i, x->plan->on_abort == ON_ABORT_TERMINATE);
	x->aborting = true;
	if (!x->error && x->a[i].record)
		x->error = json_incref(json_object_get(x->a[i].record, "error"));
}

void fold_settle_failed(struct exec *x, uint32_t i, const char *then)
{
	struct action_state *a = &x->a[i];

	if (strcmp(then, "fallback") == 0) {
		a->stand_in = STAND_IN_FALLBACK;
		fold_settle(x, i, PH_FAILED, SETTLED_OK);
	} else if (strcmp(then, "continue") == 0) {
		fold_settle(x, i, PH_FAILED, SETTLED_OK);
	} else {
		if (strcmp(then, "abort") == 0 && !exec_answers_to_caller(x, i))
			abort_by(x, i);
		fold_settle(x, i, PH_FAILED, SETTLED_BLOCKS);
	}
}
