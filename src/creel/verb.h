/*
 * verb.h - what a verb of `creel` is: one file each, exporting one constant entry.
 *
 * Everything a verb does is reading the spool and dropping files into it; only the daemon changes executions.
 *
 * EXIT STATUS, of every verb
 *   0  done; of wait and submit --wait: every execution completed
 *   1  the answer is no: a plan is wrong, an execution failed, was cancelled or is quarantined, a decision was
 *      refused, there is nothing of that name, no daemon is running (status)
 *   2  the command line is wrong, or a file or the spool cannot be read or written
 *   3  not over yet: it waits for a person, or --timeout passed (wait, submit --wait)
 */
#ifndef CREEL_CREEL_VERB_H
#define CREEL_CREEL_VERB_H

#include <stdbool.h>

#include "store/spool.h"

enum { EXIT_DONE = 0, EXIT_NO = 1, EXIT_UNABLE = 2, EXIT_OPEN = 3 };

struct cli {
	const char *spool_arg; /* --spool, or NULL */
	struct spool spool;    /* once cli_spool() said 0: path and the root's descriptor only */
	bool opened;
};

struct verb {
	const char *name;
	const char *synopsis; /* what follows the name */
	const char *help;     /* first line: what it does, for the list of verbs */
	/* argv[0] is the verb's name.  Returns the exit status. */
	int (*run)(struct cli *c, int argc, char **argv);
};

extern const struct verb verb_action, verb_approve, verb_cancel, verb_export, verb_gc, verb_help, verb_import, verb_init, verb_log,
    verb_ls, verb_path, verb_pause, verb_pending, verb_rebuild, verb_reject, verb_resume, verb_retry, verb_show, verb_skip,
    verb_state, verb_status, verb_submit, verb_trace, verb_validate, verb_verify, verb_version, verb_wait;

/* All of them, in the order of the list; ends with NULL. */
extern const struct verb *const verbs[];

/* The verb of that name; NULL after saying what was meant. */
const struct verb *verb_find(const char *name);

#endif
