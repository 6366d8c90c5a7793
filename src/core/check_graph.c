/*
 * check_graph.c - can the plan end? Kahn's algorithm over what waits for what, and a cycle by name where it cannot.
 *
 * An action is three nodes, because an alternative looks at its primary in the middle:
 *
 *   TRIED    its attempts are over
 *            waits until each dependency is SETTLED; only TRIED where it is that dependency's alternative
 *   DECIDED  what it comes to is known
 *            waits until it is TRIED, and its alternative, which may be called for, is DECIDED
 *   SETTLED  those that depend on it may go on
 *            waits until it is DECIDED; an alternative that nobody calls for, until its primaries are SETTLED
 *
 * So alternatives may be shared, also by primaries that come one after the other.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "core/check.h"

enum { TRIED, DECIDED, SETTLED, NODES };

static uint32_t node(uint32_t action, uint32_t kind)
{
	return action * NODES + kind;
}

typedef void (*edge_visit)(void *ctx, uint32_t from, uint32_t to);

static void waiting_for_settled(const struct plan *p, uint32_t i, edge_visit visit, void *ctx)
{
	const struct action *a = &p->actions[i];
	uint32_t k;

	for (k = 0; k < a->ndependents; k++)
		if (a->dependents[k] != a->alternative)
			visit(ctx, node(i, SETTLED), node(a->dependents[k], TRIED));
	if (a->alternative != NO_ACTION)
		visit(ctx, node(i, SETTLED), node(a->alternative, SETTLED));
	/* What is an alternative as well is refused for that (check_standby.c). */
	if (a->compensate != NO_ACTION && p->actions[a->compensate].nprimaries == 0)
		visit(ctx, node(i, SETTLED), node(a->compensate, TRIED));
}

/* Call visit for each node that waits for node n. */
static void each_waiting(const struct plan *p, uint32_t n, edge_visit visit, void *ctx)
{
	uint32_t i = n / NODES, k;
	const struct action *a = &p->actions[i];

	switch (n % NODES) {
	case TRIED:
		visit(ctx, n, node(i, DECIDED));
		for (k = 0; k < a->ndependents; k++)
			if (a->dependents[k] == a->alternative)
				visit(ctx, n, node(a->alternative, TRIED));
		break;
	case DECIDED:
		visit(ctx, n, node(i, SETTLED));
		for (k = 0; k < a->nprimaries; k++)
			visit(ctx, n, node(a->primaries[k], DECIDED));
		break;
	default:
		waiting_for_settled(p, i, visit, ctx);
		break;
	}
}

struct kahn {
	uint32_t *waits; /* open edges into each node */
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
	uint32_t nodes = p->n * NODES, i, at;

	k->waits = xcalloc(nodes, sizeof *k->waits);
	k->queue = xcalloc(nodes, sizeof *k->queue);
	k->n = 0;
	for (i = 0; i < nodes; i++)
		each_waiting(p, i, count_edge, k);
	for (i = 0; i < nodes; i++)
		if (k->waits[i] == 0)
			k->queue[k->n++] = i;
	for (at = 0; at < k->n; at++)
		each_waiting(p, k->queue[at], take_edge, k);
}

/* Every node that Kahn left over has a predecessor that was left over: following any of them comes round. */
struct back {
	const uint32_t *waits;
	uint32_t *to; /* some left-over predecessor of each left-over node */
};

static void note_back(void *ctx, uint32_t from, uint32_t to)
{
	struct back *b = ctx;

	if (b->waits[from] > 0 && b->waits[to] > 0)
		b->to[to] = from;
}

static bool depends_on(const struct action *a, uint32_t of)
{
	uint32_t k;

	for (k = 0; k < a->ndeps; k++)
		if (a->deps[k] == of)
			return true;
	return false;
}

/* Why action i comes after `before`, in words. */
static const char *why_after(const struct plan *p, uint32_t i, uint32_t before)
{
	if (depends_on(&p->actions[i], before))
		return "waits for";
	if (p->actions[i].alternative == before)
		return "may call for";
	if (p->actions[before].alternative == i)
		return "stands in for";
	return "undoes";
}

/* The place to mend: the reference that puts action i after `before`. */
static char *place_of_wait(const struct plan *p, uint32_t i, uint32_t before)
{
	if (depends_on(&p->actions[i], before))
		return xasprintf("/actions/%u/dependencies", i);
	if (p->actions[i].alternative == before)
		return xasprintf("/actions/%u/errorHandling/alternativeActionId", i);
	if (p->actions[before].alternative == i)
		return xasprintf("/actions/%u/errorHandling/alternativeActionId", before);
	return xasprintf("/actions/%u/compensate", before);
}

/* The next action that the chain of nodes leads to from node *n. */
static uint32_t next_action(const uint32_t *to, uint32_t *n)
{
	uint32_t i = *n / NODES;

	while (*n / NODES == i)
		*n = to[*n];
	return *n / NODES;
}

/* Where in the cycle to begin: at the first node of the action that comes first in the plan. */
static uint32_t cycle_start(const uint32_t *to, uint32_t at)
{
	uint32_t best, start;

	next_action(to, &at);
	best = start = at;
	do {
		next_action(to, &at);
		if (at / NODES < best / NODES)
			best = at;
	} while (at != start);
	return best;
}

static void name_cycle(const struct plan *p, const uint32_t *to, uint32_t start, struct diags *errors)
{
	enum { SHOWN = 12 };
	AUTO_BUF struct buf text = BUF_INIT;
	AUTO_FREE char *pointer = NULL;
	uint32_t at, n = 0, i, before, first;
	bool found = false;

	start = cycle_start(to, start);
	at = start;
	i = first = start / NODES;
	do {
		before = next_action(to, &at);
		if (n++ < SHOWN)
			buf_printf(&text, "\"%s\" %s ", p->actions[i].id, why_after(p, i, before));
		if (!pointer || (!found && depends_on(&p->actions[i], before))) {
			found = depends_on(&p->actions[i], before);
			free(pointer);
			pointer = place_of_wait(p, i, before);
		}
		i = before;
	} while (at != start);
	if (n > SHOWN)
		buf_printf(&text, "(%u more) … ", n - SHOWN);
	buf_printf(&text, "\"%s\"", p->actions[first].id);
	diag_add(errors, pointer, xstrdup(found ? "remove one of these dependencies" : "remove one of these references"),
		 "a cycle, in which nothing can begin: %s", buf_str(&text));
}

/* Of each left-over node one predecessor is known, so that the cycles among those have no node in common. */
static void name_cycles(const struct plan *p, const uint32_t *waits, struct diags *errors)
{
	uint32_t nodes = p->n * NODES, i, k;
	struct back b = {waits, xcalloc(nodes, sizeof *b.to)};
	uint32_t *round = xcalloc(nodes, sizeof *round); /* in which each node was met; 0: not yet */

	for (i = 0; i < nodes; i++)
		each_waiting(p, i, note_back, &b);
	for (i = 0; i < nodes; i++) {
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
	good = k.n == p->n * NODES;
	if (!good)
		name_cycles(p, k.waits, errors);
	free(k.waits);
	free(k.queue);
	return good;
}
