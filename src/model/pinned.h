/*
 * pinned.h - what a plan pinned at its admission: definitions of HTTP actions and the entries of their APIs.
 *
 * Both stand in plan.json (definitions, apis), so that what runs is what was judged, whatever the catalog says by then.
 * What the engine itself needs of them is taken out here once; the rest is for the executor.
 */
#ifndef CREEL_MODEL_PINNED_H
#define CREEL_MODEL_PINNED_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

enum rate_scope { RATE_GLOBAL, RATE_PER_USER, RATE_PER_IP, RATE_SCOPES };

/* At most so many requests in any stretch of time of this length. */
struct rate_limit {
	uint32_t requests; /* 0: no limit */
	msec window;
	enum rate_scope scope;
};

enum park_type { PARK_EXPONENTIAL, PARK_LINEAR, PARK_RESPECT_RESET, PARK_TYPES };

/* How long an API that said "too much" is left alone. */
struct park_rule {
	enum park_type type;
	msec initial;
	msec most;
};

struct pinned_api {
	char *id;
	json_t *entry;
	struct park_rule park;
	bool health; /* it has a health check */
};

struct pinned {
	char *id;
	json_t *definition;
	char *host; /* of its URL, with the port, in lower case */
	struct rate_limit rate;
	const struct pinned_api *api; /* or NULL */
	bool unsafe; /* what it does must not be done twice unawares */
	bool typed;  /* a person types the value that it authenticates with */
};

#endif
