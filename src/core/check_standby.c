/*
 * check_standby.c - standbys that could never run, or would keep others waiting for ever.
 *
 * A compensation runs only to undo its action, after everything else has ended.  What would depend on it would wait
 * for ever; and nobody can be asked before it, because a stopping execution asks nobody.
 */
#include <stdlib.h>

#include "base/mem.h"
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
}
