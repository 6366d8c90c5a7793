/*
 * family.h - the action's processes: everything below the supervisor, whatever session or group it moved to.
 *
 * A subreaper loses no descendant: one whose parent ends becomes the supervisor's own child.  So walking down
 * from the supervisor finds them all, except those that fork while the walk is under way; callers that must get
 * every one signal again until waitpid says that no child is left.
 */
#ifndef CREEL_RUN_FAMILY_H
#define CREEL_RUN_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/vec.h"

struct proc_stat {
	char state;
	pid_t parent;
	uint64_t start; /* clock ticks after boot */
};

/* Read /proc/PID/stat at `path`.  Allocates nothing: also for the child between vfork and exec.  0 or -1, errno. */
int proc_stat_read(const char *path, struct proc_stat *out);

typedef VEC(pid_t) pid_list;

/* Send `sig` to every living descendant and add those that were reached to `reached`.  With `again` also to
 * those that stand there already.  Returns how many were reached that were not in the list before. */
size_t family_signal(int sig, bool again, pid_list *reached);

#endif
