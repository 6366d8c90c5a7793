/*
 * executor.h - what every executor does: take its request and its secrets, hand over an output or an error.
 *
 * The contract is the one for any program (creel-plan(5)): the request is the file $CREEL_INPUT, the outputs go to
 * $CREEL_OUTPUT, an error detail to $CREEL_ERROR, and exit 0 is success.  Secrets come through a descriptor whose
 * number is in a variable, so that they are in no file, no argument and no environment.
 */
#ifndef CREEL_ACTIONS_EXECUTOR_H
#define CREEL_ACTIONS_EXECUTOR_H

#include <jansson.h>

#include "base/err.h"

enum { EXECUTOR_FAILED = 1, EXECUTOR_USAGE = 100, EXECUTOR_ENVIRONMENT = 111 };

/* Nobody reads our memory: no core dumps, no ptrace by processes of the same user.  To be called after whatever needs
 * /proc/self. */
void executor_shield(void);

/* The attempt's directory: $CREEL_DIR, else where we are.  A descriptor or -1. */
int executor_directory(struct err *e);

/* A JSON object from the file $CREEL_INPUT, or NULL. */
json_t *executor_request(struct err *e);
/* A JSON object from the descriptor whose number is in the variable; the descriptor is closed, and the bytes that were
 * read are wiped.  An empty object if the variable is not set. */
json_t *executor_descriptor(const char *variable, struct err *e);
/* The number in the variable, or -1. */
int executor_descriptor_number(const char *variable);

/* Write the outputs; -1 and *e. */
int executor_succeed(const json_t *output, struct err *e);
/* Write the error detail, and its message to stderr. */
void executor_fail(const json_t *error);

#endif
