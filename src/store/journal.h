/*
 * journal.h - an execution read back from its directory.
 *
 * The journal is the truth: plan.json, then every commit in order, each naming the digest of the one before.  A
 * damaged last commit is set aside if nothing shows that it took effect; any other damage makes the execution
 * unreadable, with the reason.
 */
#ifndef CREEL_STORE_JOURNAL_H
#define CREEL_STORE_JOURNAL_H

#include "base/sha.h"
#include "core/exec.h"
#include "store/spool.h"

struct loaded {
	struct plan *plan; /* owned */
	struct exec *exec; /* owned */
	uint32_t seq;      /* of the last commit */
	uint32_t last_events; /* how many it has */
	char prev[SHA256_TAGGED]; /* digest of the last commit: `prev` of the next */
	char plan_digest[SHA256_TAGGED]; /* of plan.json */
	uint32_t state_seq;  /* that state.json reflects; 0 where there is none */
	uint32_t events_seq; /* what state.json says is known to stand in events/ */
	bool set_aside;    /* the last commit was damaged and is N.json.torn now */
	bool torn;         /* read_only: it is damaged, nothing shows that it took effect, and it was not set aside */
};

/* Load execution id.  -1 and *e: it is damaged or cannot be read.  read_only: nothing is set aside; what could be is
 * passed over, and out->torn says so. */
int journal_load(const struct spool *s, const char *id, bool read_only, struct loaded *out, struct err *e);
/* The same where its directory is open already, and may lie elsewhere. */
int journal_load_from(const struct spool *s, int dir, const char *id, bool read_only, struct loaded *out,
		      struct err *e);
void loaded_free(struct loaded *l);

/* The number of the last commit file of an execution; 0 if there is none, -1 and *e if it cannot be read. */
long journal_last(const struct spool *s, const char *id, struct err *e);

/* Call visit for each commit of a loaded execution with first <= seq, in order: for writing events/ again. */
int journal_each(const struct spool *s, const char *id, const struct plan *plan, uint32_t first,
		 void (*visit)(void *ctx, const char *text, size_t n, uint32_t seq), void *ctx, struct err *e);

#endif
