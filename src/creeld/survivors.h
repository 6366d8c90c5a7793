/*
 * survivors.h - processes of an attempt that has no supervisor any more.
 *
 * They came to the daemon, which is a subreaper, or still live in the attempt's session.  An attempt is lost only
 * when none of them is left: what runs again must not run beside itself.
 */
#ifndef CREEL_CREELD_SURVIVORS_H
#define CREEL_CREELD_SURVIVORS_H

#include "creeld/daemon.h"

/* Called once at the start: are there processes around that are not ours, and could come to us as children? */
void survivors_look_around(struct daemon *d);

/* End them.  0: none is left.  -1: some are, or it cannot be told, and *e says so: to be called again. */
int survivors_end(struct daemon *d, const char *execution, const struct attempt_process *p, struct err *e);

/* The supervisor of a process that is known: its parent, while it lives; or 0. */
pid_t survivors_supervisor(const struct attempt_process *p);

#endif
