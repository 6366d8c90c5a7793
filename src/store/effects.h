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

#endif
