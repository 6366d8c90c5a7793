/*
 * gc_archive.c - what goes is first put into an archive, which is whole and read back before anything is removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/tarball.h"
#include "creel/gc.h"
#include "store/export.h"

enum { ROUND = 5000 }; /* executions in one archive of a directory: what was archived is removed before the next */

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* DIR/creel-20261121T034500Z.tar.zst, and a number where that is taken. */
static char *name_in(const char *dir, const char *format, msec now)
{
	char when[CLOCK_TEXT], stamp[20];
	unsigned try;

	clock_format(now, when);
	snprintf(stamp, sizeof stamp, "%.4s%.2s%.2sT%.2s%.2s%.2sZ", when, when + 5, when + 8, when + 11, when + 14, when + 17);
	for (try = 1;; try++) {
		char *name = try == 1 ? xasprintf("%s/creel-%s.%s", dir, stamp, format)
				      : xasprintf("%s/creel-%s.%u.%s", dir, stamp, try, format);

		if (!fs_exists(AT_FDCWD, name))
			return name;
		free(name);
	}
}

/* Every member of a tree, or none of it may go. */
static int add_tree(struct gc *g, struct gc_tree *t, struct tarball *tar, struct err *e)
{
	struct exported x;
	size_t k;

	t->seqs = xreallocarray(t->seqs, t->n, sizeof *t->seqs);
	for (k = t->n; k-- > 0;) { /* children before those that run them */
		const struct stored *one = &g->all.v[t->v[k]];

		if (export_execution(&g->spool, one->id, tar, &x, e) < 0) {
			if (x.begun)
				return -1;
			t->stays = true;
			gc_say_kept(g, t, e);
			return 0;
		}
		if (x.left_out || !x.over) {
			if (x.over)
				err_set(e, EINVAL, "an archive would not have all of it: %s", x.why_left_out);
			else
				err_set(e, EBUSY, "it has not ended");
			t->stays = true;
			gc_say_kept(g, t, e);
			return 0;
		}
		t->seqs[k] = x.seq;
	}
	return 1;
}

long gc_archive(struct gc *g, struct gc_trees *trees, size_t from, char **path, struct err *e)
{
	bool dir = is_dir(g->archive);
	char *name = dir ? name_in(g->archive, g->archive_format, g->now) : xstrdup(g->archive);
	struct tarball *tar = tarball_create(AT_FDCWD, name, e);
	size_t at, members = 0;
	bool any = false;
	int r = 0;

	*path = NULL;
	if (!tar) {
		free(name);
		return -1;
	}
	for (at = from; at < trees->n && (!dir || members < ROUND); at++) {
		r = add_tree(g, &trees->v[at], tar, e);
		if (r < 0)
			break;
		any |= r > 0;
		members += trees->v[at].n;
	}
	if (r < 0 || !any) {
		tarball_abort(tar);
	} else {
		r = tarball_finish(tar, e);
		if (r == 0)
			*path = realpath(name, NULL);
	}
	free(name);
	return r < 0 ? -1 : (long)(at - from);
}
