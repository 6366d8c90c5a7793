/*
 * write.h - the spool's files as they are written: new executions, commits, events, states.
 *
 * Each function is one step; whoever calls them keeps the order that design section 2 asks for:
 *
 *   admission_write  →  flush  →  admission_place, commit_put  →  flush  →  events_append, state_publish
 *   →  (at the end) events_sync  →  active_remove
 *
 * A step may be repeated after a failure.  Many are flushed at once by spool_sync.
 */
#ifndef CREEL_STORE_WRITE_H
#define CREEL_STORE_WRITE_H

#include "store/spool.h"

/* A new execution: everything it starts with. */
struct admission {
	char id[UUID_TEXT];
	char *ext;                     /* of the source: yaml, yml or json */
	char *source, *plan, *commit;  /* owned */
	size_t source_n, plan_n, commit_n;
	bool placed;
};

void admission_free(struct admission *a);

/* Build tmp/ID/new. */
int admission_write(const struct spool *s, const struct admission *a, struct err *e);
/* Link active/ID and rename new into place. */
int admission_place(const struct spool *s, struct admission *a, struct err *e);
/* Remove tmp/ID with the claim. */
int admission_forget(const struct spool *s, const struct admission *a, struct err *e);

/* journal/SEQ.json, by rename, not flushed.  *file: its open descriptor, for commit_flush; NULL: none is wanted, because
 * spool_sync follows. */
int commit_put(const struct spool *s, const char *id, uint32_t seq, const char *text, size_t n, int *file,
	       struct err *e);
/* Flush what was put, and close it; and its name.  Each may be done in another thread.  A commit whose flush failed may
 * stand there all the same and is not to be trusted: take it back, and put it again, with a fresh file. */
int commit_flush(int file, struct err *e);
int journal_flush(const struct spool *s, const char *id, struct err *e);
/* Remove a commit that was put and could not be flushed, and of which nothing took effect: whoever found it there would
 * take it for durable, since a later flush does not say again what an earlier one has said. */
void commit_take_back(const struct spool *s, const char *id, uint32_t seq);
/* Put it and flush both. */
int commit_write(const struct spool *s, const char *id, uint32_t seq, const char *text, size_t n, struct err *e);

/* day is YYYY-MM-DD. */
int events_append(const struct spool *s, const char *day, const char *text, size_t n, struct err *e);
/* Whole lines about files of confirm/by/ that were looked at (creeld/personal.c), appended to confirm/by/.looked. */
int looked_append(const struct spool *s, const char *text, size_t n, struct err *e);
int events_sync(const struct spool *s, const char *day, struct err *e);

int state_publish(const struct spool *s, const char *id, const char *text, size_t n, bool flush, struct err *e);
/* Link active/ID, flushed; one that is there is well. */
int active_link(const struct spool *s, const char *id, struct err *e);
int active_remove(const struct spool *s, const char *id, struct err *e);

/* Flush the whole file system of the spool.  After a failure, the next call flushes again what the kernel gave up. */
int spool_sync(const struct spool *s, struct err *e);

#endif
