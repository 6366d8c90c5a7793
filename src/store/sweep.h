/*
 * sweep.h - removing what was kept long enough, so that a kill at any instant leaves each execution whole or gone.
 *
 *   1. hold every execution of the tree alone, and look again: over, not active, not in quarantine, not changed
 *   2. rename executions/DAY/ID to tmp/ID.gone, the root of a tree first
 *   3. flush executions/DAY and tmp/
 *      ── from here on it is gone ──
 *   4. tell: execution.removed in events/, flushed
 *   5. delete tmp/ID.gone, whatever is in it
 *
 * 3 to 5 are done for many at once.  What a kill left in tmp/ the next sweep_leftovers() tells and deletes.  Whoever
 * calls these holds the store (hold_store).
 */
#ifndef CREEL_STORE_SWEEP_H
#define CREEL_STORE_SWEEP_H

#include "store/stored.h"

/* What became of a file or an execution; path relative to the spool.  error NULL: it was removed. */
typedef void (*sweep_visit)(void *ctx, const char *path, const char *error);

struct sweep {
	const struct spool *s;
	bool dry;    /* remove nothing */
	bool gently; /* pause as long as each round took, so that others have the disk, and the store, for themselves */
	int held;    /* the descriptor of hold_store, lent to others meanwhile */
	sweep_visit visit;
	void *ctx;
	/* inside */
	struct {
		struct stored *v;
		size_t n, cap;
	} gone;
	struct buf lines;
	msec began;
};

struct sweep_order {
	const struct stored *const *members; /* of one tree, its root first */
	const uint32_t *seqs;                /* of each, the last commit that was archived; NULL: not archived */
	size_t n;
	const char *reason;
	const char *archive; /* where they are kept; or NULL */
};

/* Steps 1 and 2 of one tree; after many of them, the rest.  -1 and *e: it stays, and why. */
int sweep_execution(struct sweep *w, const struct sweep_order *order, struct err *e);
/* Steps 3 to 5 of what is left. */
int sweep_finish(struct sweep *w, struct err *e);

/* Delete what an interrupted removal or import left in tmp/.  Are there any? */
int sweep_leftovers(struct sweep *w, struct err *e);
bool sweep_has_leftovers(const struct spool *s);

/* Delete files of events/ whose day is before `before`, and what was put into rejected/ before it with its error
 * file; empty directories of days that are over. */
void sweep_events(struct sweep *w, msec before);
void sweep_rejected(struct sweep *w, msec before);
void sweep_days(struct sweep *w, msec now);

#endif
