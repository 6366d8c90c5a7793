/*
 * definitions.h - what an action can name as its actionDefinitionId, and what inputs that wants.
 */
#ifndef CREEL_CODEC_DEFINITIONS_H
#define CREEL_CODEC_DEFINITIONS_H

#include <jansson.h>
#include <stdbool.h>

#include "model/diag.h"

struct definition {
	const char *id;
	const char *schema; /* of its inputs, for schema_builtin() */
};

/* NULL if there is none of that name. */
const struct definition *definition_find(const char *id);

/* At admission: does the definition exist, and could these inputs fit? A text with a reference in it fits anything:
 * its value is not known yet.  pointer is the action's, canonical. */
void definition_check_plan(const char *id, const json_t *inputs, const char *pointer, struct diags *errors);

/* At the start of an attempt: NULL, or a new error detail (validation_failed) naming each misfit. */
json_t *definition_check_inputs(const char *id, const json_t *inputs);

#endif
