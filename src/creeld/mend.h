/*
 * mend.h - files that follow from the journal, made whole again.
 *
 * What an active execution has beside its journal is flushed no earlier than at its end: after a power cut, and in a
 * copy that was taken while things moved, a file may be there under its name and empty, or not be there.  Its content
 * stands in the journal.
 */
#ifndef CREEL_CREELD_MEND_H
#define CREEL_CREELD_MEND_H

#include "creeld/daemon.h"

/* output.json of every attempt that has one: reads the journal and every such file, so only after a power cut and in a
 * copy; else those of the last commit that the daemon writes itself, because a crash may have come before.
 * -1 and *e: not now, for want of descriptors, memory or a device that works; it must be tried again before the
 * execution goes on, because nobody looks at one that has ended. */
int mend_outputs(struct daemon *d, const struct live *l, struct err *e);
/* Requests in confirm/: those that are open are there and whole, those that were answered are not.  anew: what is
 * whole may not be on the disk.  -1 and *e: as above; nobody could answer what is not there. */
int mend_requests(struct daemon *d, struct live *l, bool anew, struct err *e);

#endif
