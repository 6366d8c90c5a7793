/*
 * admit.h - from the bytes that somebody dropped to a plan that can run, or to every reason why not.
 *
 * The same code serves the daemon's inbox and `creel validate`; it reads nothing but the bytes it is given, and the
 * plans that plan.run actions name, where there is a catalog.
 */
#ifndef CREEL_STORE_ADMIT_H
#define CREEL_STORE_ADMIT_H

#include <jansson.h>

#include <stdbool.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "model/diag.h"
#include "model/plan.h"

enum { PLAN_DEPTH_MAX = 8 }; /* of plans that run one another */

struct http_catalog;

/* Where plan.run finds plans by name; store/catalog_plans.h has the one of a spool. */
struct plan_catalog {
	/* 1: *text has it, and *file, owned by the caller, says where it stands; 0: there is none; -1: *e. */
	int (*read)(struct plan_catalog *c, const char *name, struct buf *text, char **file, struct err *e);
	/* The names there are: a new array of text. */
	json_t *(*names)(void *ctx);
	void *ctx;
	struct err trouble; /* set by read: a plan could not be read for a reason that is not the plan's; what admission
			     * found then proves nothing */
	struct http_catalog *http; /* definitions and APIs (store/catalog_http.h), refreshed by the caller; NULL: none */
};

/* Could a plan of the catalog have this name ([A-Za-z0-9_][A-Za-z0-9_.-]{0,63})? */
bool plan_name_is(const char *s);

struct admitted {
	json_t *canonical; /* plan.json; owned */
	struct plan *plan; /* owned */
};

/* name decides between JSON and YAML; by is {uid, user} of whoever dropped it (borrowed; NULL: nobody); now is the
 * creation time of a plan that gives none.  false: *errors says why, with line and column, in source order. */
bool admit_plan(const char *name, const char *text, size_t n, json_t *by, msec now, struct admitted *out,
		struct diags *errors);
/* The same with a catalog; without one, plans that are named are not looked at. */
bool admit_plan_in(struct plan_catalog *catalog, const char *name, const char *text, size_t n, json_t *by,
		   msec now, struct admitted *out, struct diags *errors);
void admitted_free(struct admitted *a);

/* The findings as the error file of rejected/ (schemas/rejected.schema.json); a new value. */
json_t *admit_report(const char *file, const struct diags *errors, const char *category, msec at, long uid);

#endif
