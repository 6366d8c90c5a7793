/*
 * apis.h - what HTTP actions of all executions share: rate limits before sending, and APIs that are left alone.
 *
 * A definition's rateLimit is a window (core/window.h): one for the definition (global), one for each user who submitted
 * plans (per_user), or one for all definitions with that scope and the same host (per_ip).  A start waits until there
 * is room: it is set aside like one that waits for a lock, holds no slot, and executions take turns.  What is under way is
 * counted anew in each turn from the attempts themselves; only what was sent has to be remembered.
 *
 * An API that said "too much" is parked (core/parking.h): no attempt of any of its definitions starts until its time has
 * come, then one does, the probe.  A definition without an entry in catalog/apis is an API of its own.  An API with a
 * health check is asked before its first use after the daemon's start, and instead of the probe (health.c).
 *
 * Both stand in files below apis/, written before the commit that they follow from, so that a crash at any point makes
 * the daemon wait too long rather than too short; read at the start.  They are no part of any journal.
 */
#ifndef CREEL_CREELD_APIS_H
#define CREEL_CREELD_APIS_H

#include "creeld/daemon.h"

int apis_load(struct daemon *d, struct err *e);
void apis_free(struct daemon *d);

/* At the beginning of a turn: what is under way. */
void apis_count(struct daemon *d);
/* May no attempt of this action start now, nor this one go on to a supervisor, since it is not the probe? */
bool apis_hold(struct daemon *d, const struct exec *x, uint32_t action, msec now);
/* Has an attempt of the same API failed, in a result that no turn has folded yet?  It could be what parks it. */
bool apis_unsettled(const struct daemon *d, const struct exec *x, uint32_t action);
/* An attempt was committed to. */
void apis_committed(struct daemon *d, const struct exec *x, uint32_t action, msec now);
/* An attempt's end was folded.  error: its own, or NULL; ended: when, if it may have sent something. */
#define NOT_SENT ((msec)-1)
void apis_ended(struct daemon *d, const struct exec *x, uint32_t action, uint32_t attempt, const json_t *error, msec ended,
		msec now);
/* Once in each turn, when results are folded: probes that are gone. */
void apis_check(struct daemon *d, msec now);
/* At its end: write what changed. */
void apis_save(struct daemon *d);
/* When something that was held may go on (wall clock), or 0. */
msec apis_deadline(const struct daemon *d);

/* health.c: start the checks that are wanted; end those that take too long. */
void health_run(struct daemon *d);
/* How long nothing has to be done about them, in milliseconds; -1: for ever. */
msec health_patience(const struct daemon *d);
/* A child ended: was it a check? */
bool health_ended(struct daemon *d, pid_t pid, int status);
bool health_knows(const struct daemon *d, pid_t pid);
void health_stop(struct daemon *d);

#endif
