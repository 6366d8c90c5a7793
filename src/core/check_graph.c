/*
 * check_graph.c - can the plan end? Kahn's algorithm over what waits for what, and a cycle by name where it cannot.
 *
 * Beside the dependencies two more things wait: an alternative waits for its primary to fail, and what depends on
 * a primary waits for the alternative that may stand in.  A compensation waits for what it undoes.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "core/check.h"

typedef void (*edge_visit)(void *ctx, uint32_t from, uint32_t to);

/* Call visit for each thing that waits for action i. */
static void each_waiting(const struct plan *p, uint32_t i, edge_visit visit, void *ctx)
{
	const struct action *a = &p->actions[i];
	uint32_t k, j;

	for (k = 0; k < a->ndependents; k++)
		visit(ctx, i, a->dependents[k]);
	if (a->alternative != NO_ACTION)
		visit(ctx, i, a->alternative);
	if (a->compensate != NO_ACTION)
		visit(ctx, i, a->compensate);
	for (k = 0; k < a->nprimaries; k++) {
		const struct action *primary = &p->actions[a->primaries[k]];

		for (j = 0; j < primary->ndependents; j++)
			if (primary->dependents[j] != i)
				visit(ctx, i, primary->dependents[j]);
	}
}

struct kahn {
	uint32_t *waits; /* open edges into each action */
	uint32_t *queue;
	uint32_t n;
};

static void count_edge(void *ctx, uint32_t from, uint32_t to)
{
	(void)from;
	((struct kahn *)ctx)->waits[to]++;
}

static void take_edge(void *ctx, uint32_t from, uint32_t to)
{
	struct kahn *k = ctx;

	(void)from;
	if (--k->waits[to] == 0)
		k->queue[k->n++] = to;
}

static void run(const struct plan *p, struct kahn *k)
{
	uint32_t i, at;

	k->waits = xcalloc(p->n, sizeof *k->waits);
	k->queue = xcalloc(p->n, sizeof *k->queue);
	k->n = 0;
	for (i = 0; i < p->n; i++)
		each_waiting(p, i, count_edge, k);
	for (i = 0; i < p->n; i++)
		if (k->waits[i] == 0)
			k->queue[k->n++] = i;
	for (at = 0; at < k->n; at++)
		each_waiting(p, k->queue[at], take_edge, k);
}

uint32_t *plan_order(const struct plan *p)
{
	struct kahn k;

	run(p, &k);
	free(k.waits);
	if (k.n == p->n)
		return k.queue;
	free(k.queue);
	return NULL;
}

/* Every action that Kahn left over has a predecessor that was left over: following any of them comes round. */
struct back {
	const uint32_t *waits;
	uint32_t *to; /* some left-over predecessor of each left-over action */
};

static void note_back(void *ctx, uint32_t from, uint32_t to)
{
	struct back *b = ctx;

	if (b->waits[from] > 0 && b->waits[to] > 0)
		b->to[to] = from;
}

/* Where `of` stands among what `a` depends on, or NO_ACTION. */
static uint32_t dependency_at(const struct action *a, uint32_t of)
{
	uint32_t k;

	for (k = 0; k < a->ndeps; k++)
		if (a->deps[k] == of)
			return k;
	return NO_ACTION;
}

/* Why action i comes after `before`, in words. */
static const char *why_after(const struct plan *p, uint32_t i, uint32_t before)
{
	if (dependency_at(&p->actions[i], before) != NO_ACTION)
		return "waits for";
	if (p->actions[before].alternative == i)
		return "stands in for";
	if (p->actions[before].compensate == i)
		return "undoes";
	return "waits for the stand-in";
}

/* The place to mend: the reference that puts action i after `before`. */
static char *place_of_wait(const struct plan *p, uint32_t i, uint32_t before)
{
	if (p->actions[before].alternative == i)
		return xasprintf("/actions/%u/errorHandling/alternativeActionId", before);
	if (p->actions[before].compensate == i)
		return xasprintf("/actions/%u/compensate", before);
	return xasprintf("/actions/%u/dependencies", i);
}

static void name_cycle(const struct plan *p, const uint32_t *to, uint32_t start, struct diags *errors)
{
	enum { SHOWN = 12 };
	AUTO_BUF struct buf text = BUF_INIT;
	AUTO_FREE char *pointer = NULL;
	uint32_t i = start, n = 0, place = start;
	bool found = false;

	do {
		if (n++ < SHOWN)
			buf_printf(&text, "\"%s\" %s ", p->actions[i].id, why_after(p, i, to[i]));
		if (!found && dependency_at(&p->actions[i], to[i]) != NO_ACTION) {
			found = true;
			place = i;
		}
		i = to[i];
	} while (i != start);
	if (n > SHOWN)
		buf_printf(&text, "(%u more) … ", n - SHOWN);
	buf_printf(&text, "\"%s\"", p->actions[start].id);
	pointer = place_of_wait(p, place, to[place]);
	diag_add(errors, pointer, xstrdup(found ? "remove one of these dependencies" : "remove one of these references"),
		 "a cycle, in which nothing can begin: %s", buf_str(&text));
}

/* Of each left-over action one predecessor is known, so that the cycles among those have no action in common. */
static void name_cycles(const struct plan *p, const uint32_t *waits, struct diags *errors)
{
	struct back b = {waits, xcalloc(p->n, sizeof *b.to)};
	uint32_t *round = xcalloc(p->n, sizeof *round); /* in which each action was met; 0: not yet */
	uint32_t i, k;

	for (i = 0; i < p->n; i++)
		b.to[i] = NO_ACTION;
	for (i = 0; i < p->n; i++)
		each_waiting(p, i, note_back, &b);
	for (i = 0; i < p->n; i++) {
		if (waits[i] == 0 || round[i])
			continue;
		for (k = i; !round[k]; k = b.to[k])
			round[k] = i + 1;
		if (round[k] == i + 1)
			name_cycle(p, b.to, k, errors);
	}
	free(round);
	free(b.to);
}

bool plan_check_cycles(const struct plan *p, struct diags *errors)
{
	struct kahn k;
	bool good;

	run(p, &k);
	good = k.n == p->n;
	if (!good)
		name_cycles(p, k.waits, errors);
	free(k.waits);
	free(k.queue);
	return good;
}
