#include "core/exec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const struct {
	const char *name, *status;
} phases[PH_COUNT] = {
    [PH_BLOCKED] = {"blocked", "pending"},   [PH_READY] = {"ready", "pending"},
    [PH_CONFIRM] = {"confirm", "pending"},   [PH_RUNNING] = {"running", "running"},
    [PH_BACKOFF] = {"backoff", "pending"},   [PH_ASKING] = {"asking", "pending"},
    [PH_STANDIN] = {"stand-in", "failed"},   [PH_COMPLETED] = {"completed", "completed"},
    [PH_FAILED] = {"failed", "failed"},      [PH_SKIPPED] = {"skipped", "skipped"},
};

const char *phase_name(enum phase p)
{
	return phases[p].name;
}

const char *phase_status(enum phase p)
{
	return phases[p].status;
}

struct exec *exec_new(struct plan *plan, const char *id)
{
	struct exec *x = xcalloc(1, sizeof *x);
	uint32_t i;

	strcpy(x->id, id);
	x->plan = plan;
	x->cause = x->compensating = x->subject = x->unread = NO_ACTION;
	x->capacity = plan->n;
	x->a = xcalloc(plan->n, sizeof *x->a);
	x->count[PH_BLOCKED] = plan->n;
	for (i = 0; i < plan->n; i++) {
		x->a[i].deps_left = plan->actions[i].ndeps;
		x->a[i].callers_left = plan->actions[i].nprimaries;
		if (plan->actions[i].standby)
			x->dormant++;
		else if (x->a[i].deps_left == 0)
			vec_push(&x->work, i);
	}
	return x;
}

void exec_unload(struct exec *x)
{
	size_t k;

	for (k = 0; k < x->loaded.n; k++) {
		json_decref(x->a[x->loaded.v[k]].loaded);
		x->a[x->loaded.v[k]].loaded = NULL;
	}
	x->loaded.n = 0;
}

void exec_free(struct exec *x)
{
	uint32_t i;
	size_t k;

	if (!x)
		return;
	for (i = 0; i < x->plan->n; i++) {
		json_decref(x->a[i].record);
		json_decref(x->a[i].inputs);
		json_decref(x->a[i].resolved);
		free(x->a[i].child);
		free(x->a[i].trace);
	}
	json_decref(x->parent);
	json_decref(x->obeyed);
	json_decref(x->by);
	for (k = 0; k < x->asked.n; k++) {
		free(x->asked.v[k].kind);
		free(x->asked.v[k].user);
		free(x->asked.v[k].decision);
		json_decref(x->asked.v[k].approved_by);
	}
	exec_unload(x);
	vec_free(&x->loaded);
	vec_free(&x->unread_waits);
	vec_free(&x->asked);
	vec_free(&x->work);
	vec_free(&x->settled);
	vec_free(&x->parked);
	vec_free(&x->awaiting);
	heap_free(&x->ready);
	heap_free(&x->timers);
	json_decref(x->error);
	free(x->a);
	free(x);
}

void exec_forget_child(struct exec *x, uint32_t i)
{
	free(x->a[i].child);
	x->a[i].child = NULL;
}

uint32_t exec_open(const struct exec *x)
{
	return x->plan->n - x->count[PH_COMPLETED] - x->count[PH_FAILED] - x->count[PH_SKIPPED] - x->dormant;
}

uint32_t exec_awaiting(const struct exec *x)
{
	uint32_t n = 0;
	size_t k;

	for (k = 0; k < x->awaiting.n; k++)
		n += x->a[x->awaiting.v[k]].phase == PH_READY;
	return n;
}

const char *exec_status(const struct exec *x)
{
	uint32_t waiting = x->count[PH_CONFIRM] + x->count[PH_ASKING];

	switch (x->outcome) {
	case OUTCOME_COMPLETED:
		return "completed";
	case OUTCOME_FAILED:
		return "failed";
	case OUTCOME_CANCELLED:
		return "cancelled";
	case OUTCOME_NONE:
		break;
	}
	if (!x->started)
		return "initializing";
	/* A retry that waits for its time is running on its own: only people can move this one. */
	if (waiting > 0 && x->count[PH_RUNNING] - x->waiting + x->children + x->count[PH_READY] - exec_awaiting(x) +
			   x->count[PH_BACKOFF] == 0)
		return "paused_for_confirmation";
	return "running";
}

struct asked *exec_open_request(struct exec *x, uint32_t action)
{
	size_t k;

	for (k = x->asked.n; k-- > 0;)
		if (x->asked.v[k].action == action)
			return x->asked.v[k].responded ? NULL : &x->asked.v[k];
	return NULL;
}

uint32_t exec_blockers(const struct exec *x, uint32_t i)
{
	const struct action *pa = &x->plan->actions[i];
	uint32_t k, n = x->a[i].deps_left;

	if (n == 0 || !x->a[i].called)
		return n;
	for (k = 0; k < pa->ndeps; k++) {
		uint32_t d = pa->deps[k];

		n -= x->a[d].phase == PH_STANDIN && x->plan->actions[d].alternative == i;
	}
	return n;
}

static int broken(struct err *e, const struct exec *x, uint32_t i, const char *what)
{
	return err_set(e, EBADMSG, "invariant broken: action \"%s\" (%s): %s", x->plan->actions[i].id,
		       phase_name(x->a[i].phase), what);
}

static bool phase_settled(enum phase p)
{
	return p == PH_COMPLETED || p == PH_FAILED || p == PH_SKIPPED;
}

static int check_action(const struct exec *x, uint32_t i, struct err *e)
{
	const struct action *pa = &x->plan->actions[i];
	const struct action_state *a = &x->a[i];
	uint32_t k, open = 0, callers = 0, standing = 0;

	for (k = 0; k < pa->ndeps; k++) {
		const struct action_state *d = &x->a[pa->deps[k]];

		if (d->settled)
			continue;
		open++;
		if (d->phase == PH_STANDIN && x->plan->actions[pa->deps[k]].alternative == i)
			standing++;
	}
	for (k = 0; k < pa->nprimaries; k++)
		callers += !x->a[pa->primaries[k]].settled;
	if (open != a->deps_left)
		return broken(e, x, i, "its count of open dependencies is wrong");
	if (callers != a->callers_left)
		return broken(e, x, i, "its count of open primaries is wrong");
	if (phase_settled(a->phase) != (a->settled != SETTLED_NOT))
		return broken(e, x, i, "settled does not match its phase");
	if ((a->phase == PH_RUNNING || a->phase == PH_READY || a->phase == PH_CONFIRM) && open > standing &&
	    !a->overtaken && i != x->compensating)
		return broken(e, x, i, "it started before its dependencies were settled");
	if (a->phase == PH_RUNNING && a->attempt == 0)
		return broken(e, x, i, "it runs without an attempt");
	if (x->plan->actions[i].standby && !a->called && a->phase == PH_RUNNING)
		return broken(e, x, i, "a standby runs that nobody called for");
	return 0;
}

int exec_check(const struct exec *x, struct err *e)
{
	uint32_t count[PH_COUNT] = {0}, i, dormant = 0;

	for (i = 0; i < x->plan->n; i++) {
		count[x->a[i].phase]++;
		dormant += x->plan->actions[i].standby && !x->a[i].called && x->a[i].phase == PH_BLOCKED;
		if (check_action(x, i, e) < 0)
			return -1;
	}
	if (memcmp(count, x->count, sizeof count) != 0)
		return err_set(e, EBADMSG, "invariant broken: the counts of phases do not add up");
	if (dormant != x->dormant)
		return err_set(e, EBADMSG, "invariant broken: the count of dormant standbys is wrong");
	if (x->outcome != OUTCOME_NONE && exec_open(x) + x->dormant > 0)
		return err_set(e, EBADMSG, "invariant broken: the execution ended with %u open actions",
			       exec_open(x) + x->dormant);
	return 0;
}
