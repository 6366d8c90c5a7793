/*
 * check_graph.c - can the plan end? Kahn's algorithm over what waits for what, and a cycle by name where it cannot.
 *
 * Beside the dependencies two more things wait: an alternative waits for its primary to fail, and what depends on
 * a primary waits for the alternative that may stand in.  A compensation waits for what it undoes.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/vec.h"
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

static void name_cycle(const struct plan *p, const uint32_t *waits, uint32_t start, struct diags *errors)
{
	enum { SHOWN = 12 };
	struct back b = {waits, xcalloc(p->n, sizeof *b.to)};
	bool *seen = xcalloc(p->n, sizeof *seen);
	VEC(uint32_t) cycle = {0};
	AUTO_BUF struct buf text = BUF_INIT;
	AUTO_FREE char *pointer = NULL;
	uint32_t i;
	size_t k;

	for (i = 0; i < p->n; i++)
		b.to[i] = NO_ACTION;
	for (i = 0; i < p->n; i++)
		each_waiting(p, i, note_back, &b);
	for (i = start; !seen[i]; i = b.to[i])
		seen[i] = true;
	start = i;
	do {
		vec_push(&cycle, i);
		i = b.to[i];
	} while (i != start);
	for (k = 0; k < cycle.n && k < SHOWN; k++)
		buf_printf(&text, "\"%s\" waits for ", p->actions[cycle.v[k]].id);
	if (cycle.n > SHOWN)
		buf_printf(&text, "(%zu more) … ", cycle.n - SHOWN);
	buf_printf(&text, "\"%s\"", p->actions[start].id);
	pointer = xasprintf("/actions/%u/dependencies", start);
	diag_add(errors, pointer, xstrdup("remove one of these dependencies"), "the dependencies form a cycle: %s",
		 buf_str(&text));
	vec_free(&cycle);
	free(seen);
	free(b.to);
}

bool plan_check_cycles(const struct plan *p, struct diags *errors)
{
	struct kahn k;
	uint32_t i;
	bool good;

	run(p, &k);
	good = k.n == p->n;
	for (i = 0; !good && i < p->n; i++)
		if (k.waits[i] > 0) {
			name_cycle(p, k.waits, i, errors);
			break;
		}
	free(k.waits);
	free(k.queue);
	return good;
}
