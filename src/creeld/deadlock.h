/*
 * deadlock.h - executions that wait for one another's locks for ever.
 *
 * A plan.run action holds its locks while its plan runs.  If that plan waits for a lock that is held further up, or by
 * another plan.run whose own plan waits for one of these, nothing ever moves.  What can be seen in one plan is refused
 * at admission (store/admit_children.c); the rest is found here: of those that cannot go on one fails with the reason.
 */
#ifndef CREEL_CREELD_DEADLOCK_H
#define CREEL_CREELD_DEADLOCK_H

#include "creeld/daemon.h"

/* In a turn, when all that may start has been started. */
void deadlock_break(struct daemon *d, msec now);
/* How long this need not be looked at again, in milliseconds; -1: for ever. */
msec deadlock_patience(const struct daemon *d);

#endif
