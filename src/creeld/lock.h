/*
 * lock.h - creeld.lock: one daemon for one spool.
 *
 * Liveness is the kernel's flock, never the pid in the file; what stands in it is for people, and the device and
 * inode tell a spool that was copied from elsewhere.
 */
#ifndef CREEL_CREELD_LOCK_H
#define CREEL_CREELD_LOCK_H

#include "creeld/daemon.h"

/* Take the lock, trying for two seconds; sets d->restored and d->rebooted.  -1: EWOULDBLOCK if another daemon has it. */
int lock_take(struct daemon *d, struct err *e);
/* What followed from those two is durable: from now on the file says that the spool is this one, in this boot.  Not
 * before: a start that fails half way must not hide it from the next. */
void lock_settle(struct daemon *d);

#endif
