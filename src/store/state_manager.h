/*
 * state_manager.h - the state manager of seeds/000 section 4.2: six operations, under their own names.
 *
 *   initializeState       state_initialize          a plan becomes an execution
 *   updateActionStatus    state_update_status       pending, running, completed, failed, skipped
 *   recordActionResult    state_record_result       success with outputs, failure with an error, skipped
 *   getAvailableActions   state_available           what could start now
 *   getActionResult       state_result              the result of one action, or null
 *   getFullState          state_full                the state as state.json shows it
 *
 * All state is on disk: a manager remembers nothing between two calls.  Every change is a commit of the journal,
 * durable when the call returns, decided by the same core as the daemon's.  The daemon owns the journals of its
 * spool, so the operations that write take creeld.lock and refuse while a daemon runs (EWOULDBLOCK); those that read
 * never lock.  Scripts reach them as `creel state OPERATION`.
 */
#ifndef CREEL_STORE_STATE_MANAGER_H
#define CREEL_STORE_STATE_MANAGER_H

#include <jansson.h>

#include "model/diag.h"
#include "store/spool.h"

/* name decides between YAML and JSON.  0: a new state in *state.  -1: *e, or the findings about the plan. */
int state_initialize(const struct spool *s, const char *name, const char *plan, size_t n, json_t **state,
		     struct diags *findings, struct err *e);

/* status is a word of S0.  To running: an attempt is begun.  To completed or failed: the attempt that runs (one is
 * begun where none does) ends so, without outputs.  To skipped: as if by hand.  To pending: armed again. */
int state_update_status(const struct spool *s, const char *id, const char *action, const char *status, struct err *e);

/* result is S0's: {status: success, output} or {status: failure, error} or {status: skipped, reason}. */
int state_record_result(const struct spool *s, const char *id, const char *action, const json_t *result,
			struct err *e);

/* New values; NULL and *e on failure.  state_result gives JSON null where there is no result yet. */
json_t *state_available(const struct spool *s, const char *id, struct err *e);
json_t *state_result(const struct spool *s, const char *id, const char *action, struct err *e);
json_t *state_full(const struct spool *s, const char *id, struct err *e);

#endif
