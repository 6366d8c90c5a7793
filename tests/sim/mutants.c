/*
 * mutants.c - lies of the kernel: each breaks one promise that the daemon relies on.  A simulation that does not
 * notice one is worth nothing.
 */
#include <string.h>

#include "tests/sim/sim.h"

const struct mutant_info mutants[] = {
    {"no-flush-at-all", "fsync, fdatasync and syncfs do nothing"},
    {"no-fdatasync", "fdatasync does nothing"},
    {"no-syncfs", "syncfs does nothing"},
    {"syncfs-of-bytes-only", "syncfs flushes bytes and no names"},
    {"no-flush-of-commits", "the flush of a commit's bytes does nothing"},
    {"no-flush-of-journal-dir", "the flush of journal/ does nothing"},
    {"no-flush-of-any-directory", "fsync of a directory does nothing"},
    {"no-flush-of-events", "the flush of events/ at an execution's end does nothing"},
    {"no-flush-of-events-dir", "the flush of the directory events/ does nothing"},
    {"no-flush-of-state", "the flush of a final state.json does nothing"},
    {"flushes-come-late", "a flush takes effect at the next call that flushes"},
    {"renames-lose-the-claim", "the claim of a plan vanishes before it is in place"},
    {"no-active-links", "the link in active/ is not made"},
    {"active-links-go-early", "the link in active/ is removed before what ended is flushed"},
    {"locks-exclude-nobody", "flock is always granted"},
    {"void-is-not-made", "an attempt that is void is not marked"},
    {"survivors-live-on", "nothing is killed"},
    {"renames-replace", "a rename that must not replace does"},
    {"results-of-others", "an attempt's result.json is another attempt's"},
    {"torn-writes", "a write keeps its first half and reports all of it"},
    {NULL, NULL},
};

bool mutant(const char *name)
{
	if (!W->mutant || strcmp(W->mutant, name) != 0)
		return false;
	W->mutant_used++;
	return true;
}
