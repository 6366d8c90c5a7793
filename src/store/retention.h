/*
 * retention.h - which executions have been kept long enough.  Pure: no file, no clock.
 *
 *   struct retention r; retention_read(&r, json); … retention_choose(&r, stored, n, now); … stored[k].verdict
 *
 * Executions that run one another (plan.run) are one tree and go together: the tree has the status of its root and
 * the end of whichever ended last, and it stays whole as long as one of it is active, in quarantine or unreadable.
 * Limits are looked at in this order, and each takes those first that ended first:
 *
 *   keep_days        of the status, else of all: what ended longer ago goes
 *   max_executions   of the status: of more than so many the oldest go
 *   max_executions   of all
 *   max_bytes        of all
 *
 * min_days protects from the last three.  Of what is not finished nothing goes.
 */
#ifndef CREEL_STORE_RETENTION_H
#define CREEL_STORE_RETENTION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/uuid.h"

enum stored_status {
	STORED_COMPLETED,
	STORED_FAILED,
	STORED_CANCELLED,
	STORED_ENDED_COUNT,
	STORED_OPEN = STORED_ENDED_COUNT, /* not ended */
	STORED_UNREADABLE                 /* its records do not say */
};

enum verdict {
	KEEP,             /* no limit asks for it */
	KEEP_ACTIVE,      /* it is not finished */
	KEEP_QUARANTINED, /* a person looks at it */
	KEEP_UNREADABLE,  /* its records do not say that it ended */
	KEEP_TREE,        /* one of its tree must stay */
	GO_AGE,
	GO_STATUS_COUNT,
	GO_COUNT,
	GO_SIZE
};

/* An execution as it lies on disk. */
struct stored {
	char id[UUID_TEXT];
	char parent[UUID_TEXT]; /* the execution that runs it; "": none */
	enum stored_status status;
	msec ended;
	uint64_t bytes, files; /* that it takes on disk; 0 where nobody asked */
	bool active, quarantined;
	enum verdict verdict;
	uint32_t root;         /* of its tree: an index */
};

enum { RETENTION_NO_LIMIT = -1 };

struct retention_rule {
	msec keep, min;  /* RETENTION_NO_LIMIT: none */
	int64_t most;    /* executions; RETENTION_NO_LIMIT: any number */
};

struct retention {
	struct retention_rule all, by[STORED_ENDED_COUNT];
	int64_t max_bytes;          /* RETENTION_NO_LIMIT: any */
	bool only[STORED_ENDED_COUNT]; /* statuses that may go; at first all */
	bool break_trees;           /* each by itself, unless its parent is active */
	msec events, rejected;      /* how long events/ and rejected/ are kept; RETENTION_NO_LIMIT: for ever */
};

/* No limits at all. */
void retention_clear(struct retention *r);
/* The limits in `retention` of a configuration that its schema has accepted. */
void retention_read(struct retention *r, const json_t *o);
/* Is there anything that could go?  And among the executions? */
bool retention_limits(const struct retention *r);
bool retention_limits_executions(const struct retention *r);
/* Drop limits that so many executions cannot reach: then fewer have to be looked at. */
void retention_narrow(struct retention *r, uint64_t stored);
/* Executions that ended after this stay whatever else there is; INT64_MAX: that cannot be told from the time. */
msec retention_cutoff(const struct retention *r, msec now);

/* Judge them all. */
void retention_choose(const struct retention *r, struct stored *v, size_t n, msec now);

static inline bool verdict_goes(enum verdict v)
{
	return v >= GO_AGE;
}

const char *stored_status_name(enum stored_status s);
/* "completed", … or -1. */
int stored_status_parse(const char *name);

/* Append why this one goes or stays, in words. */
void retention_why(struct buf *b, const struct retention *r, const struct stored *v, const struct stored *all,
		   msec now);

#endif
