/*
 * gc.h - what the parts of `creel gc` share.
 */
#ifndef CREEL_CREEL_GC_H
#define CREEL_CREEL_GC_H

#include <jansson.h>

#include "creel/show_text.h"
#include "creel/verb.h"
#include "store/sweep.h"

struct gc {
	struct retention rules;
	bool dry, quiet, background;
	const char *archive;        /* a file or a directory; NULL: nothing is kept */
	const char *archive_format; /* of files in that directory */
	struct spool spool;
	struct stored_list all;
	struct sweep sweep;
	msec now;
	/* what came of it */
	struct buf why; /* of the tree in hand */
	size_t removed, failed, leftovers, events, rejected, days;
	uint64_t bytes, files;
	json_t *list, *archives; /* with --json; else NULL */
};

/* One tree of those to go: its members as indexes into gc.all, the root first. */
struct gc_tree {
	uint32_t *v;
	size_t n, cap;
	uint32_t *seqs; /* of each, its last commit, once it is archived; owned */
	char **names;   /* of their plans, where they are to be said; owned */
	bool stays;     /* it could not be archived */
};

struct gc_trees {
	struct gc_tree *v;
	size_t n, cap;
};

/* gc_archive.c: put these trees, from `from` on, into an archive, and mark those that could not be.  Returns how many
 * were dealt with, or -1 and *e: nothing may be removed.  *path, owned by the caller, is the archive; NULL: there is
 * none, because none of them could be read. */
long gc_archive(struct gc *g, struct gc_trees *trees, size_t from, char **path, struct err *e);

/* gc_say.c: what goes, what could not, and how it ended.  The names are read while it is there. */
void gc_name(struct gc *g, struct gc_tree *t);
void gc_say_tree(struct gc *g, const struct gc_tree *t);
void gc_say_kept(struct gc *g, const struct gc_tree *t, const struct err *e);
void gc_say_file(void *gc, const char *path, const char *error);
void gc_say_end(struct gc *g);
void gc_complain(struct gc *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
