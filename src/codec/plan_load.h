/*
 * plan_load.h - from canonical plan.json to struct plan.
 */
#ifndef CREEL_CODEC_PLAN_LOAD_H
#define CREEL_CODEC_PLAN_LOAD_H

#include <jansson.h>

#include "model/diag.h"
#include "model/plan.h"

/* Build the plan.  Ids that are given twice, and names of actions that are not there, are findings, with pointers
 * into the canonical plan; so are more actions or dependencies than the limits.  A plan with findings is marked
 * incomplete: it serves further checks and is never run.  NULL only beyond the limits. */
struct plan *plan_load(const json_t *canonical, struct diags *errors);

#endif
