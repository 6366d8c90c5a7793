/*
 * context.h - what references and conditions see of a running execution.
 */
#ifndef CREEL_CORE_CONTEXT_H
#define CREEL_CORE_CONTEXT_H

#include <jansson.h>

#include "core/exec.h"
#include "core/ref.h"

/* The value of a reference (a new reference), or NULL, with a hint in *e; a ref_lookup whose ctx is the exec. */
json_t *context_lookup(void *exec, const struct ref *r, struct err *e);

/* The outputs that count for an action: its own, or what stands in for it; borrowed; NULL if there are none. */
json_t *context_output(const struct exec *x, uint32_t action);

/* The action's inputs with references replaced and a person's changes merged in; a new object.  NULL: *error is an
 * error detail (validation_failed) that says which reference has no value and why. */
json_t *context_inputs(struct exec *x, uint32_t action, json_t **error);

/* 1, 0, or -1 with *error. */
int context_condition(struct exec *x, const char *expression, json_t **error);

/* The key under which the action's effect is the same in each attempt: ID.ACTION, and #N after it was re-armed. */
void context_idempotency_key(const struct exec *x, uint32_t action, char *out, size_t size);

#endif
