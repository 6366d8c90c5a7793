/*
 * import.h - executions out of an archive, into a spool whose daemon may be at work.
 *
 *   1. unpack   every entry is judged by its name (member.h) and unpacked below tmp/ID.import, under caps
 *   2. check    the chain of the journal, what it folds to, its invariants, the plan, each attempt that is there, the
 *               digests of the outputs; state.json is made anew
 *   3. flush
 *      ── until here the spool's executions are as they were ──
 *   4. place    children before those that run them: active/ID if it has not ended, rename to executions/DAY/ID, flush
 *   5. tell     execution.imported in events/
 *
 * One that has not ended is taken up by the daemon at its next scan of active/, or by the next daemon.  What was
 * running counts as lost, and no process is signalled: the lock of an attempt says only that it was imported.
 *
 * The archive is a stranger's.  What is refused: names that lead elsewhere or that no execution has, links, devices,
 * FIFOs, an entry that comes twice, more than the caps, a history that does not chain, an execution that is there
 * already.  Then nothing of it is in the spool.  That a whole archive was made up its chain does not show: the digest
 * of the last commit, which an export prints, does.
 *
 * Whoever calls this holds the store (hold.h).
 */
#ifndef CREEL_STORE_IMPORT_H
#define CREEL_STORE_IMPORT_H

#include "base/sha.h"
#include "store/spool.h"

struct import_order {
	const char *file;
	const char *const *ids; /* these alone */
	size_t n;               /* 0: all that are in it */
	bool go_on;             /* also those that have not ended */
	bool without_links;     /* symbolic links are left out; else they are refused */
	uint64_t max_bytes, max_files; /* of what is unpacked */
	const char *head; /* "sha256:…": the last commit of one of them has this digest; NULL: whatever it is */
};

struct imported {
	char id[UUID_TEXT];
	char name[256];
	char status[32];
	uint32_t seq;
	char head[SHA256_TAGGED]; /* digest of its last commit */
	bool over;
	bool placed;
};

struct imports {
	struct imported *v;
	size_t n, cap;
};

/* 0: all of them are in place.  -1 and *e: why not; those that are in place all the same (only if placing itself
 * failed) are marked. */
int import_archive(const struct spool *s, const struct import_order *o, struct imports *out, struct err *e);
void imports_free(struct imports *l);

#endif
