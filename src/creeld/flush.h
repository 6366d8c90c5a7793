/*
 * flush.h - a job for the flusher: everything that one turn writes, in the order that keeps the promises.
 *
 *   0. outputs    those that are too large for the commits, written and flushed
 *   1. write      new executions under tmp/ID/new
 *   2. flush      their bytes
 *   3. place      link active/ID; rename new executions into place; write commits and rename them into journals
 *   4. flush      commits and directories
 *      ── from here on it happened ──
 *      go         the supervisors that were made ready for the attempts of these commits start them; and the loop is told,
 *                 if it has more to start and what follows takes a while
 *   5. show       requests into confirm/, answered ones and obeyed control files away; what was looked at in
 *                 confirm/by/ is noted
 *   6. tell       append to events/
 *   7. fold       state.json
 *   8. flush      (only if executions ended) the file system: events/, state.json, and what their attempts left
 *   9. forget     active/ID of ended executions, claims of new ones
 *
 * A step that fails leaves the job where it is; it is tried again, from step 1 with fresh files if it had not
 * happened yet, because a descriptor whose flush failed cannot be trusted again.  Steps 5 to 9 can be repeated.
 */
#ifndef CREEL_CREELD_FLUSH_H
#define CREEL_CREELD_FLUSH_H

#include "creeld/daemon.h"
#include "model/event.h"
#include "store/write.h"

struct flush_commit {
	struct live *live;
	uint32_t seq;
	char *text;
	size_t n;
	int file;             /* open until it is flushed */
	struct events events; /* for performing them afterwards */
};

struct flush_admission {
	struct live *live;
	struct admission files;
	struct events events; /* of the first commit */
};

/* Move or remove or publish one file of the spool. */
struct flush_file {
	char *from;   /* relative to the spool; NULL: text is published instead */
	char *to;     /* NULL: from is removed */
	char *text;   /* owned */
	bool flush;   /* the text is on disk before it can be seen */
	bool keep;    /* what is at `to` already is not replaced: the name gets a number */
};

struct flush_state {
	struct live *live;
	char id[UUID_TEXT];
	char *text;
	size_t n;
	bool final;
};

/* What to say to a supervisor that has an attempt of these commits, once they are durable. */
struct flush_go {
	int fd; /* borrowed from daemon.ready_children */
	char word;
};

enum flush_step { FLUSH_WRITE, FLUSH_SHOW, FLUSH_TELL, FLUSH_FOLD, FLUSH_SYNC_ENDS, FLUSH_FORGET, FLUSH_DONE };

struct flush_job {
	VEC(struct flush_commit) commits;
	VEC(struct flush_admission) admissions;
	VEC(struct flush_file) early; /* outputs that are in no commit: text, to */
	VEC(struct flush_file) files;
	VEC(struct flush_state) states;
	struct buf looked; /* lines for confirm/by/.looked */
	struct buf events; /* lines, all of one day */
	char day[11];
	VEC(struct flush_go) go; /* those to come */
	bool awaited;            /* the loop is to be told when it is durable, and not only when all is done */
	bool durable;            /* it happened */
	bool performed;          /* and what it allows has been done; the loop's */
	enum flush_step step; /* where to go on */
	size_t at;            /* in the step's list */
	int64_t took_us;      /* to be durable */
	bool wide;            /* many files: one syncfs instead of a flush for each */
	struct err error;     /* why it stopped */
};

struct flush_job *flush_job_new(void);
bool flush_job_is_empty(const struct flush_job *j);
/* Its lines in events/ go to the file of this day.  The first who says so counts: a turn may begin before midnight and
 * end after it. */
void flush_set_day(struct flush_job *j, msec at);
/* Hand the job over; it becomes d->job. */
void flush_submit(struct daemon *d, struct flush_job *j);

/* An attempt of the job, which is in the flusher, is in the hands of a supervisor: say go when, or as, it is durable. */
void flush_go_when_durable(struct flush_job *j, struct flush_go go);

/* flush_write.c: do what is left of the job, and call durable (or NULL) once on the way; 0 when it is done, -1 with j->error. */
int flush_run(const struct spool *s, struct flush_job *j, void (*durable)(struct flush_job *));
/* The body of the thread that it shares its work with. */
void *flush_second_thread(void *unused);

#endif
