/*
 * export.h - an execution into an archive, whole as of one commit, also while it runs.
 *
 * The journal is read first, and its last commit is what the copy stands for: of the rest goes in what that commit
 * and those before it know (attempts, requests, obeyed control files), state.json as they fold.  An attempt that ran
 * then has what it had written; its result goes in only if it was there before anything else of the attempt was
 * copied.  So the copy continues from that commit as after a crash.
 */
#ifndef CREEL_STORE_EXPORT_H
#define CREEL_STORE_EXPORT_H

#include "base/sha.h"
#include "base/tarball.h"
#include "core/exec.h"
#include "store/member.h"
#include "store/retention.h"
#include "store/spool.h"

struct exported {
	uint32_t seq;              /* the last commit in it */
	char head[SHA256_TAGGED];  /* its digest */
	bool over;
	bool begun;                /* something of it stands in the archive */
	char name[256];            /* the plan's */
	char status[32];
	uint32_t left_out;         /* files that are not in it, or not whole; the first of them, and why */
	char why_left_out[400];
};

/* Add execution id.  -1 and *e: it cannot be read or is damaged, or the archive cannot be written; where out->begun
 * the archive is of no use then. */
int export_execution(const struct spool *s, const char *id, struct tarball *t, struct exported *out, struct err *e);

/* Does the journal know this attempt, or that this question was answered? */
bool export_knows(const struct exec *x, const struct member *m);

struct id_set {
	char (*v)[UUID_TEXT];
	size_t n, cap;
};

/* The executions that id runs or ran (plan.run), theirs and so on, and id itself: each before the one that runs it.
 * Those that are not there are left out. */
int export_tree(const struct spool *s, const char *id, struct id_set *out, struct err *e);
void id_set_free(struct id_set *set);

#endif
