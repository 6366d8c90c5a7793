/*
 * verify.h - do the spool's records add up?
 *
 * Reads only, with or without a daemon.  Damage is what makes a record untrustworthy: a journal that does not chain,
 * does not fold or breaks an invariant, a state.json that is ahead of its journal, a link in active/ to nothing.
 * Leftovers are what a crash may leave and the next start clears: those are warnings.  With a daemon at work,
 * leftovers may be things in motion.
 */
#ifndef CREEL_STORE_VERIFY_H
#define CREEL_STORE_VERIFY_H

#include <stdbool.h>
#include <stddef.h>

#include "store/spool.h"

struct verify_finding {
	bool damage;      /* else a leftover */
	const char *path; /* relative to the spool */
	const char *what; /* a sentence */
	const char *todo; /* what to do about it, or NULL */
};

struct verify_counts {
	size_t executions, commits, damaged, leftovers;
};

typedef void (*verify_visit)(void *ctx, const struct verify_finding *f);

/* Check one execution, or all and the directories around them (id NULL).  Returns -1 with *e if
 * something could not be read, after the rest was looked at; findings go to visit. */
int verify(const struct spool *s, const char *id, verify_visit visit, void *ctx, struct verify_counts *counts,
	   struct err *e);

#endif
