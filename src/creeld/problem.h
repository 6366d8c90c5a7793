/*
 * problem.h - problem.json: why nothing can be written, for those who ask (creel status).
 *
 * It has to be written just when nothing can be.  So its room is kept from the start: a file .problem of its size, which
 * is written over and renamed.
 */
#ifndef CREEL_CREELD_PROBLEM_H
#define CREEL_CREELD_PROBLEM_H

#include "creeld/daemon.h"

/* At the start: a reserve is made, unless problem.json is there: that stays until it is cleared. */
void problem_reserve(struct daemon *d);
/* Nothing can be written, and why. */
void problem_tell(struct daemon *d, const char *why);
/* It can again. */
void problem_clear(struct daemon *d);

#endif
