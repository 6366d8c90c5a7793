/*
 * apis_impl.h - shared by apis.c, apis_file.c and health.c; nobody else includes it.
 */
#ifndef CREEL_CREELD_APIS_IMPL_H
#define CREEL_CREELD_APIS_IMPL_H

#include "core/parking.h"
#include "core/window.h"
#include "creeld/apis.h"

/* An API, or a definition that is one of its own. */
struct api {
	char *key;  /* "api NAME" or "definition NAME" */
	const char *name; /* within it */
	struct parking p;
	struct park_rule rule;
	json_t *last;              /* why it was parked last: {message, at, execution, action}; or NULL */
	char execution[UUID_TEXT]; /* PROBING: which attempt is the probe; "": the health check */
	char *action;
	uint32_t attempt;
	bool changed; /* since it was written */

	json_t *entry;    /* with a health check: of the catalog, as it was pinned last; or NULL */
	bool healthy;     /* it was asked since the daemon started */
	bool wanted;      /* ask it */
	pid_t check;      /* the process that asks, or 0 */
	int answer;       /* what that writes */
	msec check_until; /* monotonic */
};

/* A rate limit's window. */
struct limit {
	char *key; /* "global DEFINITION", "per_user DEFINITION USER" or "per_ip HOST" */
	struct window w;
	uint32_t under_way; /* counted in each turn */
	msec opens;         /* for what was held in this turn; 0: nothing was, or it follows from what is under way */
	bool changed;
};

struct apis {
	struct map index; /* key -> place in all */
	VEC(struct api *) all;
	struct map limit_index;
	VEC(struct limit *) limits;
	msec checked; /* time of the last turn */
	bool told;    /* that they cannot be written */
};

struct api *apis_get(struct daemon *d, const char *key);
struct limit *apis_limit(struct daemon *d, const char *key);
void apis_drop_limit(struct daemon *d, size_t place);

/* Fold an event about an API, and say what it means. */
void apis_step(struct api *a, enum park_event event, msec reset, msec now);
/* Remember why. */
void apis_because(struct api *a, const char *message, const char *execution, const char *action, msec now);

#endif
