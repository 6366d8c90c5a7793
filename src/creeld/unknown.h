/*
 * unknown.h - attempts that the journal does not know.
 */
#ifndef CREELD_UNKNOWN_H
#define CREELD_UNKNOWN_H

#include "creeld/daemon.h"

/* After a power cut: remove what was made ready for attempts of l that no commit speaks of and that never started. */
void unknown_attempts_remove(struct daemon *d, const struct live *l);

#endif
