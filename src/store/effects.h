/*
 * effects.h - did a commit that cannot be read take effect?
 *
 * A last commit in pieces may be set aside only if nothing that follows from a commit is there: nobody has seen what
 * it decided, so it can be decided again.  What cannot be looked at is not taken for absent.
 */
#ifndef CREEL_STORE_EFFECTS_H
#define CREEL_STORE_EFFECTS_H

#include "store/journal.h"

/* Of the commit after those that are in l; dir is the execution's directory.  1: *sign says what shows it; 0: nothing
 * does; -1: it cannot be told, and *e says why. */
int effects_seen(const struct spool *s, int dir, const struct loaded *l, const char **sign, struct err *e);

/* Did attempt n of the action start?  A supervisor that was made ready and never told to go leaves a directory with an
 * empty lock.  dir is the execution's.  1, 0, or -1 with *e. */
int effects_attempt_began(int dir, const char *action, uint32_t n, struct err *e);

#endif
