/*
 * verify.h - do the spool's records add up?
 *
 * Reads only, with or without a daemon.  Damage is what makes a record untrustworthy, or keeps an execution from going
 * on: a journal that does not chain, does not fold or breaks an invariant; a state.json that is ahead of its journal or
 * says another thing; an attempt that the journal does not know; an unfinished execution that is not active; a link in
 * active/ to nothing.  Leftovers are what a crash may leave and the next start clears, or nobody needs: those are
 * warnings.  With a daemon at work, leftovers may be things in motion.
 *
 * What could be done about a finding by a move or a link says its `repair` (repair.h).
 */
#ifndef CREEL_STORE_VERIFY_H
#define CREEL_STORE_VERIFY_H

#include <stdbool.h>
#include <stddef.h>

#include "store/spool.h"

enum verify_repair {
	REPAIR_NONE,
	REPAIR_LINK,    /* path is the link in active/ that is missing */
	REPAIR_ASIDE,   /* move path aside */
	REPAIR_RELEASE  /* path is the link in quarantine/ of an execution that adds up again */
};

struct verify_finding {
	bool damage;      /* else a leftover */
	const char *path; /* relative to the spool */
	const char *what; /* a sentence */
	const char *todo; /* what to do about it, or NULL */
	enum verify_repair repair;
	const char *id;   /* the execution; or NULL */
};

struct verify_counts {
	size_t executions, commits, damaged, leftovers;
};

typedef void (*verify_visit)(void *ctx, const struct verify_finding *f);

struct verify_how {
	bool daemon_runs; /* what an active execution has beyond its last commit may be in motion */
	bool outputs;     /* read every output, and compare its digest */
};

/* Check one execution, or all and the directories around them (id NULL).  Returns -1 with *e if
 * something could not be read, after the rest was looked at; findings go to visit. */
int verify(const struct spool *s, const char *id, const struct verify_how *how, verify_visit visit, void *ctx,
	   struct verify_counts *counts, struct err *e);

#endif
