/*
 * load.h - read what is recorded of executions, of many at once on every processor.
 *
 * Reading, checking and folding a journal needs nothing but the execution's own files, and is most of what a start
 * with thousands of active ones costs; taking them over is for one thread.
 */
#ifndef CREEL_STORE_LOAD_H
#define CREEL_STORE_LOAD_H

#include "store/journal.h"

/* What was found of one execution. */
struct load {
	const char *id;       /* borrowed */
	int there;            /* its directory: 1, or 0, or -1 and `e` where that cannot be told */
	struct loaded loaded; /* exec is NULL where it could not be loaded, and `e` says why; whoever takes it owns it */
	struct err e;
};

/* As journal_load with read_only false. */
void load_one(const struct spool *s, const char *id, struct load *out);

/* The same of n executions, which nobody else may write meanwhile.  `take` is called for each, in the calling thread and
 * in no order, while others are still read; *l is its own until it returns. */
void load_many(const struct spool *s, char *const *ids, size_t n, void (*take)(void *ctx, struct load *l), void *ctx);

#endif
