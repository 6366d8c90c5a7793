/*
 * fold_impl.h - shared by the files of the fold; nobody else includes it.
 */
#ifndef CREEL_CORE_FOLD_IMPL_H
#define CREEL_CORE_FOLD_IMPL_H

#include "core/exec.h"

/* A standby is needed: it may run now. */
void fold_call_for(struct exec *x, uint32_t standby);
/* Action i failed for good: what its failure step says (exec_failure_step). */
void fold_settle_failed(struct exec *x, uint32_t i, const char *then);
/* An alternative has settled: the primaries that wait for it go on. */
void fold_release_primaries(struct exec *x, uint32_t alternative);
/* Nothing of action i is under way: it is READY, or BLOCKED while something has to settle first. */
void fold_may_start(struct exec *x, uint32_t i);
/* Action i is settled, and means `how` to its dependents. */
void fold_settle(struct exec *x, uint32_t i, enum phase p, enum settled how);
/* Nothing new starts from here on; cause is the action behind it. */
void fold_stop(struct exec *x, uint32_t cause, bool terminate);
/* Is it a standby that nobody has called for? */
bool fold_dormant(const struct exec *x, uint32_t i);
/* Keep a reference to the data of the event that says what became of the action. */
void fold_set_record(struct action_state *a, json_t *data);

#endif
