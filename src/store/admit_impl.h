/*
 * admit_impl.h - shared by the files of admission; nobody else includes it.
 */
#ifndef CREEL_STORE_ADMIT_IMPL_H
#define CREEL_STORE_ADMIT_IMPL_H

#include "codec/source.h"
#include "store/admit.h"

/* A plan that is judged, and the plans that it stands in. */
struct judge {
	struct plan_catalog *catalog; /* or NULL */
	json_t *by;
	msec now;
	const struct source *source; /* the text that it stands in */
	char *prefix;                /* where in that text: a pointer */
	const struct judge *above;   /* whose sub-execution it would be; or NULL */
	const char *name;            /* in the catalog; or NULL */
	unsigned depth;              /* of sub-executions above it */
	struct budget *budget;       /* of the whole tree */
};

/* What one dropped plan may pin. */
struct budget {
	size_t actions, bytes;
};

/* Judge the plan at root.  Pointers of findings are relative to it. */
void admit_root(struct judge *j, json_t *root, struct admitted *out, struct diags *errors);

/* Resolve and judge the plan that a plan.run action names or holds, and pin it in the action.  pointer is the
 * action's, canonical. */
void admit_child(struct judge *j, json_t *action, const char *pointer, struct diags *errors);

#endif
