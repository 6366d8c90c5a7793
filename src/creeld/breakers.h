/*
 * breakers.h - the circuit breakers of this spool (STEP-BREAK); core/breaker.h says how one works.
 *
 * An action names its breaker (`breaker: NAME`); actions of any execution may share one.  The configuration has its
 * rule (breakers: {NAME: {failures, window_sec, open_sec}}; 5, 60 and 30 where it says nothing).  What counts as a
 * failure is a failed attempt, but for validation_failed (the plan is wrong, not the tool), user_cancelled and a
 * lost attempt (nobody knows); an HTTP action that got an answer below 500 has found its API there.  Actions of a
 * breaker that is open wait for it; those with onOpen: fail fail at once, with the time of the next probe as
 * retryAfter.
 *
 * Its state is breakers/NAME.json, replaced when it changes and read at the start; one that cannot be read counts as
 * closed.  It is no part of any journal: what an execution went through because of it stands there as events.
 *
 * Starts are committed before they are handed out, so a breaker is asked twice: before a start is committed
 * (turn.c), and before it is handed to a supervisor (dispatch.c).  Which attempt is the probe is written down, and
 * that it still runs is looked up in the executions in each turn, so that a probe cannot get lost.
 */
#ifndef CREEL_CREELD_BREAKERS_H
#define CREEL_CREELD_BREAKERS_H

#include "creeld/daemon.h"

int breakers_load(struct daemon *d, struct err *e);
void breakers_free(struct daemon *d);

/* May no attempt of this action start now, nor this one go on to a supervisor, since it is not the probe? */
bool breakers_hold(const struct daemon *d, const struct exec *x, uint32_t action, msec now);
/* Has an attempt of the same breaker failed, in a result that no turn has folded yet?  What is committed to already
 * waits for that: it could be the failure that opens it. */
bool breakers_unsettled(const struct daemon *d, const struct exec *x, uint32_t action);
/* An attempt was committed to, or handed out: it is the probe if one is due. */
void breakers_started(struct daemon *d, const struct exec *x, uint32_t action, msec now);
/* Why an attempt of an action with onOpen: fail is not run: a new error detail. */
json_t *breakers_refusal(const struct daemon *d, const struct exec *x, uint32_t action);

/* An attempt's result was folded: what it says is in events, from `from` on. */
void breakers_result(struct daemon *d, const struct exec *x, uint32_t action, uint32_t attempt,
		     const struct events *events, size_t from, msec now);
/* Once in each turn, when results are folded: probes that are gone. */
void breakers_check(struct daemon *d, msec now);
/* At its end: write what changed. */
void breakers_save(struct daemon *d);
/* When something that was held may go on (wall clock), or 0. */
msec breakers_deadline(const struct daemon *d);

#endif
