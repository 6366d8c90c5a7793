/*
 * drops.h - files that people drop into confirm/ and control/, and those that they keep in confirm/by/USER.
 */
#ifndef CREEL_CREELD_DROPS_H
#define CREEL_CREELD_DROPS_H

#include "creeld/flush.h"

/* At most so many of one directory in a turn; what is left is found in the next one. */
void drops_scan_confirm(struct daemon *d);
void drops_scan_control(struct daemon *d);

/* Take one file apart and put it among its execution's inputs, or refuse it.  dir is where it lies, shown its name
 * below the spool's directory `where`.  false: it is left to be looked at again. */
bool drop_take(struct daemon *d, enum spool_dir where, int dir, const char *name, const char *shown);

/* personal.c: what was looked at by an earlier daemon; and what is new. */
int personal_load(struct daemon *d, struct err *e);
void personal_scan(struct daemon *d, struct flush_job *j);

/* The uid of a user: 1, 0 if there is none of that name, -1 it cannot be told. */
int uid_of(const char *user, uid_t *uid, struct err *e);

#endif
