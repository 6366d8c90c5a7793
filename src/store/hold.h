/*
 * hold.h - an execution's directory is held in its place while somebody adds to it or copies it.
 *
 * An flock on the directory itself.  Whoever wants it to stay holds it shared: the daemon while it opens an execution
 * again, an export while it reads.  Whoever moves it away (retention) holds it alone.  Nobody waits for
 * those: a hold that cannot be had is refused.  A holder closes the descriptor.
 */
#ifndef CREEL_STORE_HOLD_H
#define CREEL_STORE_HOLD_H

#include "store/spool.h"

/* A descriptor of executions/DAY/ID, or -1 and *e: ENOENT there is none, EWOULDBLOCK it is being removed (of
 * hold_alone: somebody uses it).  Where the file system has no such locks a shared hold is had all the same, and one
 * alone never. */
int hold_shared(const struct spool *s, const char *id, struct err *e);
int hold_alone(const struct spool *s, const char *id, struct err *e);

/* One at a time may remove or import executions.  Tries for so many milliseconds; EWOULDBLOCK where another does all
 * the while. */
int hold_store(const struct spool *s, msec patience, struct err *e);
/* Let others have it for so long, and take it back: EWOULDBLOCK where one of them keeps it. */
int hold_lend(int held, msec pause, struct err *e);

#endif
