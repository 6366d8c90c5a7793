/*
 * stored.h - what is stored: every execution with its status, its end, its parent, its size.
 *
 * Reads only, at any time: facts may be old when they are used, so whoever acts on them holds the execution (hold.h)
 * and looks again (stored_is_over).
 */
#ifndef CREEL_STORE_STORED_H
#define CREEL_STORE_STORED_H

#include "store/retention.h"
#include "store/spool.h"

struct stored_list {
	struct stored *v;
	size_t n, cap;
};

/* Those accepted on or before the day of cutoff, oldest first; size tells whether they are measured, too. */
int stored_scan(const struct spool *s, msec cutoff, bool size, struct stored_list *out, struct err *e);
/* How many there are at most, of their names alone. */
uint64_t stored_count(const struct spool *s);
void stored_free(struct stored_list *l);

/* The facts of one, as far as its files say. */
void stored_read(const struct spool *s, const char *id, struct stored *out);
/* bytes and files, on disk. */
void stored_measure(const struct spool *s, struct stored *one);

/* Is it still what was read, not active, not in quarantine, and does its journal end as state.json says?  -1 and *e
 * says what is otherwise.  *seq, unless NULL, is its last commit. */
int stored_is_over(const struct spool *s, const struct stored *was, uint32_t *seq, struct err *e);

#endif
