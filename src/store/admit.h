/*
 * admit.h - from the bytes that somebody dropped to a plan that can run, or to every reason why not.
 *
 * The same code serves the daemon's inbox and `creel validate`; it reads nothing but the bytes it is given.
 */
#ifndef CREEL_STORE_ADMIT_H
#define CREEL_STORE_ADMIT_H

#include <jansson.h>

#include "base/clock.h"
#include "model/diag.h"
#include "model/plan.h"

struct admitted {
	json_t *canonical; /* plan.json; owned */
	struct plan *plan; /* owned */
};

/* name decides between JSON and YAML; by is {uid, user} of whoever dropped it (borrowed; NULL: nobody); now is the
 * creation time of a plan that gives none.  false: *errors says why, with line and column, in source order. */
bool admit_plan(const char *name, const char *text, size_t n, json_t *by, msec now, struct admitted *out,
		struct diags *errors);
void admitted_free(struct admitted *a);

/* The findings as the error file of rejected/ (schemas/rejected.schema.json); a new value. */
json_t *admit_report(const char *file, const struct diags *errors, const char *category, msec at, long uid);

#endif
