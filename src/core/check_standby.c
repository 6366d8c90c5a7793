/*
 * check_standby.c - standbys that could never run, or would keep others waiting for ever.
 *
 * A compensation runs only to undo its action, after everything else has ended.  What would depend on it would wait
 * for ever; and nobody can be asked before it, because a stopping execution asks nobody.
 *
 * An alternative may depend on its primary, which has failed when it is called.  But where the primary is an
 * alternative itself, the one that it stands in for is not settled yet, and must not be waited for.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "base/vec.h"
#include "core/check.h"

static void refuse(const struct plan *p, uint32_t c, uint32_t undone, const char *where, struct diags *errors,
		   const char *what)
{
	AUTO_FREE char *pointer = xasprintf("/actions/%u/%s", c, where);

	diag_add(errors, pointer, xstrdup("keep the compensation apart, or leave \"compensate\" out"),
		 "\"%s\" runs only to undo \"%s\" after a stop: %s", p->actions[c].id, p->actions[undone].id, what);
}

static void check_compensation(const struct plan *p, uint32_t c, uint32_t undone, struct diags *errors)
{
	const struct action *a = &p->actions[c];
	uint32_t k;

	for (k = 0; k < a->ndependents; k++) {
		AUTO_FREE char *pointer = xasprintf("/actions/%u/dependencies", a->dependents[k]);

		diag_add(errors, pointer, xstrdup("depend on something that runs before"),
			 "\"%s\" waits for \"%s\", which runs only to undo \"%s\" after a stop",
			 p->actions[a->dependents[k]].id, a->id, p->actions[undone].id);
	}
	if (a->nprimaries > 0)
		refuse(p, c, undone, "id", errors, "it cannot be an alternative as well");
	if (a->confirmation)
		refuse(p, c, undone, "userConfirmation", errors, "nobody can be asked then");
	if (a->alternative != NO_ACTION)
		refuse(p, c, undone, "errorHandling/alternativeActionId", errors, "no alternative is called for then");
	if (a->for_each)
		refuse(p, c, undone, "forEach", errors, "it cannot be a list");
	if (a->compensate != NO_ACTION)
		refuse(p, c, undone, "compensate", errors, "what undoes is not undone itself");
}

enum { STEPS_MAX = 20 * 1000 * 1000 };

struct search {
	const struct plan *p;
	uint32_t *mark;       /* the search that found it upstream */
	uint32_t search;
	VEC(uint32_t) queue;
	long steps;
};

static void found(struct search *s, uint32_t i)
{
	s->steps++;
	if (i == NO_ACTION || s->mark[i] == s->search)
		return;
	s->mark[i] = s->search;
	vec_push(&s->queue, i);
}

/* Mark what self waits for when this primary calls for it. */
static void mark_upstream(struct search *s, uint32_t self, uint32_t primary)
{
	const struct action *own = &s->p->actions[self];
	size_t at;
	uint32_t k;

	s->queue.n = 0;
	s->search++;
	for (k = 0; k < own->ndeps; k++)
		if (own->deps[k] != primary) {
			found(s, own->deps[k]);
			found(s, s->p->actions[own->deps[k]].alternative);
		}
	for (at = 0; at < s->queue.n; at++) {
		const struct action *a = &s->p->actions[s->queue.v[at]];

		for (k = 0; k < a->ndeps; k++) {
			found(s, a->deps[k]);
			found(s, s->p->actions[a->deps[k]].alternative);
		}
		for (k = 0; k < a->nprimaries; k++)
			found(s, a->primaries[k]);
	}
}

/* Self stands in for this primary, and through it for those further up. */
static void check_chain(struct search *s, uint32_t self, uint32_t primary, struct diags *errors)
{
	const struct plan *p = s->p;
	AUTO_FREE char *pointer = xasprintf("/actions/%u/dependencies", self);
	VEC(uint32_t) up = {0};
	size_t at;
	uint32_t k;

	mark_upstream(s, self, primary);
	vec_push(&up, primary);
	for (at = 0; at < up.n; at++) {
		const struct action *a = &p->actions[up.v[at]];

		for (k = 0; k < a->nprimaries; k++) {
			uint32_t first = a->primaries[k];

			s->steps++;
			vec_push(&up, first);
			if (s->mark[first] == s->search)
				diag_add(errors, pointer, xstrdup("refer to its error without depending on it"),
					 "\"%s\" waits for \"%s\", which is not settled before \"%s\" has stood in for it",
					 p->actions[self].id, p->actions[first].id, p->actions[self].id);
		}
	}
	vec_free(&up);
}

/* Alternatives of alternatives. */
static void check_chains(const struct plan *p, struct diags *errors)
{
	struct search s = {.p = p, .mark = xcalloc(p->n, sizeof *s.mark)};
	uint32_t i, k;

	for (i = 0; i < p->n; i++)
		for (k = 0; k < p->actions[i].nprimaries && s.steps < STEPS_MAX; k++)
			if (p->actions[i].ndeps > 0 && p->actions[p->actions[i].primaries[k]].nprimaries > 0)
				check_chain(&s, i, p->actions[i].primaries[k], errors);
	if (s.steps >= STEPS_MAX)
		diag_add(errors, "/actions", xstrdup("give alternatives fewer dependencies"),
			 "what the alternatives of this plan wait for leads through too much of its graph to be checked");
	free(s.mark);
	vec_free(&s.queue);
}

void plan_check_standbys(const struct plan *p, struct diags *errors)
{
	bool *seen = xcalloc(p->n, sizeof *seen);
	uint32_t i;

	for (i = 0; i < p->n; i++) {
		uint32_t c = p->actions[i].compensate;

		if (c == NO_ACTION || seen[c])
			continue;
		seen[c] = true;
		check_compensation(p, c, i, errors);
	}
	free(seen);
	/* With a cycle the walk up would not end. */
	if (errors->n == 0 && !p->incomplete)
		check_chains(p, errors);
}
