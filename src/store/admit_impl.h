/*
 * admit_impl.h - shared by the files of admission; nobody else includes it.
 */
#ifndef CREEL_STORE_ADMIT_IMPL_H
#define CREEL_STORE_ADMIT_IMPL_H

#include "codec/schema.h"
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

enum { PINNED_BYTES_MAX = 64 * 1024 * 1024 }; /* read from the catalog for one dropped plan */

/* What one dropped plan may pin. */
struct budget {
	size_t actions, bytes;
};

/* Judge the plan at root.  Pointers of findings are relative to it. */
void admit_root(struct judge *j, json_t *root, struct admitted *out, struct diags *errors);

/* Resolve and judge the plan that a plan.run action names or holds, and pin it in the action.  pointer is the
 * action's, canonical. */
void admit_child(struct judge *j, json_t *action, const char *pointer, struct diags *errors);

/* Judge what is no built-in definition, or http.request, and pin it in the plan. */
void admit_http(struct judge *j, json_t *canonical, const char *id, const json_t *inputs, const char *pointer,
		struct diags *errors);
/* The catalog's definition of that id, or NULL; borrowed. */
json_t *admit_definition(const struct judge *j, const char *id);
/* Inputs of a definition that want text take any scalar as it was written. */
void admit_inputs_as_text(const json_t *definition, json_t *inputs, schema_raw_text raw, void *ctx);
/* References into the outputs of HTTP actions: do they declare such an output, and of that type? */
void admit_output_refs(const struct plan *plan, struct diags *errors);

#endif
