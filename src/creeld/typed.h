/*
 * typed.h - values that a person typed in, for actions whose definition says `user_input`.
 *
 * They are held in this process's memory and nowhere else: one for each definition of an execution, until that ends.
 * Nothing of them is journalled or logged, the file that brought one is replaced by one that says so, and after a
 * restart they are asked for again.
 */
#ifndef CREEL_CREELD_TYPED_H
#define CREEL_CREELD_TYPED_H

#include "creeld/daemon.h"

/* The value for this action; NULL: nobody has typed it in. */
const char *typed_value(const struct daemon *d, const struct exec *x, uint32_t action);
/* For struct turn: must a person be asked before this action can start? */
bool typed_missing(void *daemon, const struct exec *x, uint32_t action);
/* Is the same value being asked for, for another action of the execution? */
bool typed_is_asked(const struct daemon *d, const struct exec *x, uint32_t action);

void typed_put(struct daemon *d, const struct exec *x, uint32_t action, const char *value);
/* It was of no use: the next attempt asks again. */
void typed_forget(struct daemon *d, const struct exec *x, uint32_t action);
void typed_forget_execution(struct daemon *d, const char *id);
void typed_free(struct daemon *d);

#endif
