/*
 * execution.h - one execution's files, as a reader sees them.
 */
#ifndef CREEL_CREEL_EXECUTION_H
#define CREEL_CREEL_EXECUTION_H

#include <jansson.h>
#include <stdint.h>

#include "base/uuid.h"
#include "creel/verb.h"

/* state.json or plan.json of an execution; NULL and *e if it cannot be read. */
json_t *execution_state(struct cli *c, const char *id, struct err *e);
json_t *execution_plan(struct cli *c, const char *id, struct err *e);

/* Its directory's absolute path, owned by the caller. */
char *execution_path(struct cli *c, const char *id);

/* The next commit of a journal, from *seq + 1 on, which it advances; NULL if there is none yet, or with e->code set
 * if it is there and cannot be read. */
json_t *execution_next_commit(struct cli *c, const char *id, uint32_t *seq, struct err *e);

/* The newest attempt of an action that has a directory; 0 if none has. */
uint32_t execution_last_attempt(struct cli *c, const char *id, const char *action);

/* Is this an action, or an instance of one (ACTION.I)? The only names that become paths. */
bool execution_action_name_is(const char *s);
/* "ID-directory/actions/ACTION" or, with an attempt, ".../ACTION/N"; relative to the spool, owned by the caller. */
char *execution_action_path(const char *id, const char *action, uint32_t attempt);

/* Open requests to people: the values of confirm/ID.*.request.json (all executions' if id is NULL), sorted by
 * execution and action.  NULL after complaining. */
json_t *execution_requests(struct cli *c, const char *id);

#endif
