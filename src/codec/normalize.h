/*
 * normalize.h - from the forms that people write to the one that creel runs: plan.json.
 *
 * The result is the execution plan of seeds/000 section 4.1 with every default filled in, plus creel's optional
 * fields (schemas/execution-plan.schema.json).  What S0 wants as text is text there; the typed value stands beside
 * it (typedInputs, typedFallback).  Values are not judged here: the input's schema has been checked before, and what
 * needs the whole plan (references, cycles) is checked after.
 */
#ifndef CREEL_CODEC_NORMALIZE_H
#define CREEL_CODEC_NORMALIZE_H

#include <jansson.h>

#include "base/clock.h"
#include "model/diag.h"

enum plan_form { PLAN_FORM_NONE, PLAN_FORM_ACTIONS, PLAN_FORM_STEPS, PLAN_FORM_WORKFLOW };

/* Which form is it?  PLAN_FORM_NONE: it is none, or a mixture, and why is in *errors. */
enum plan_form plan_form_of(const json_t *root, struct diags *errors);

/* The schema of a form's input, for schema_builtin(). */
const char *plan_form_schema(enum plan_form form);

/* A new canonical plan.  now is metadata.createdAt where the plan has none.  With findings it is there as well, so that
 * more can be found; it must not run. */
json_t *plan_normalize(const json_t *root, enum plan_form form, msec now, struct diags *errors);

/* A pointer into the canonical plan as a pointer into the source that it came from; owned by the caller. */
char *plan_source_pointer(const json_t *root, enum plan_form form, const char *pointer);

#endif
