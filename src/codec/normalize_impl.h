/*
 * normalize_impl.h - shared by the normalisers of the plan forms; nobody else includes it.
 */
#ifndef CREEL_CODEC_NORMALIZE_IMPL_H
#define CREEL_CODEC_NORMALIZE_IMPL_H

#include <jansson.h>

#include "base/clock.h"
#include "model/diag.h"

void put(json_t *o, const char *key, json_t *value); /* takes value over */
void copy(json_t *to, const json_t *from, const char *key);
void copy_as(json_t *to, const char *to_key, const json_t *from, const char *key);
void copy_extensions(json_t *to, const json_t *from);
/* inputs and typedInputs of an action from typed values. */
void put_inputs(json_t *action, const json_t *inputs);
/* id to intent, and expectedOutcome to planKey, in the order that a reader expects. */
void put_head(json_t *plan, const char *id, const char *name, const char *description, const json_t *intent);
void put_tail(json_t *plan, const json_t *outcome, const json_t *metadata, const char *id, msec now);

json_t *normalize_steps(const json_t *root, msec now, struct diags *errors);
char *steps_source_pointer(const json_t *root, const char *pointer);

#endif
