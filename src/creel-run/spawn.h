/*
 * spawn.h - from the specification to a running action.
 */
#ifndef CREEL_RUN_SPAWN_H
#define CREEL_RUN_SPAWN_H

#include <sys/types.h>

#include "base/buf.h"
#include "creel-run/spec.h"

/* How far the child came. */
enum spawn_stage {
	SPAWN_OK,
	SPAWN_FORK,    /* there is no child */
	SPAWN_PREPARE, /* session, descriptors, privileges, signals */
	SPAWN_LOCK,    /* the line in `lock` */
	SPAWN_CHDIR,
	SPAWN_EXEC,
	SPAWN_INTERPRETER /* the file is there, the program that it names to run it is not */
};

struct spawn_failure {
	enum spawn_stage stage;
	int code; /* errno */
};

/* Start the action with its output on the descriptors out and err.  Just before the exec the child writes one
 * line into `lock`: its pid, session and start time, and then `place`.  It still holds the flock then, through
 * the descriptor that the exec closes; so a free, empty lock file says that the action never started.
 * What the specification has as fd3 and fd4 is handed on as the descriptors 3 and 4; no other but 0 to 2 is.
 * Returns the pid once the action runs, or -1 with *f set, the child reaped. */
pid_t spawn_action(const struct spec *s, int lock, const char *place, int out, int err, struct spawn_failure *f);

/* One sentence about f into b. */
void spawn_explain(const struct spawn_failure *f, const struct spec *s, struct buf *b);

#endif
