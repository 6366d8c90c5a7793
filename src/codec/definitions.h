/*
 * definitions.h - what an action can name as its actionDefinitionId, and what inputs that wants: the built-in ones,
 * and those that its plan pinned from the catalog.
 */
#ifndef CREEL_CODEC_DEFINITIONS_H
#define CREEL_CODEC_DEFINITIONS_H

#include <jansson.h>
#include <stdbool.h>

#include "model/diag.h"
#include "model/plan.h"

struct definition {
	const char *id;
	const char *schema; /* of its inputs, for schema_builtin() */
};

/* The built-in one for a single HTTP request. */
#define HTTP_REQUEST "http.request"

/* NULL if there is none of that name. */
const struct definition *definition_find(const char *id);

/* At admission: could these inputs fit?  A text with a reference in it fits anything: its value is not known yet.
 * pinned is the catalog's definition of that id, or NULL for one of the table.  pointer is the action's, canonical. */
void definition_check_plan(const char *id, const json_t *pinned, const json_t *inputs, const char *pointer,
			   struct diags *errors);

/* There is none of that id; near (or NULL) is the one that may have been meant. */
void definition_unknown(const char *id, const char *near, const char *pointer, struct diags *errors);
/* Among the table and `more` (or NULL): what was most likely meant, or NULL. */
const char *definition_nearest(const char *id, const char *more);

/* At the start of an attempt: NULL, or a new error detail (validation_failed) naming each misfit. */
json_t *definition_check_inputs(const struct action *a, const json_t *inputs);

#endif
