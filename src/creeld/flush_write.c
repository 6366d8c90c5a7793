/*
 * flush_write.c - the steps of a job; runs in the flusher's thread and touches nothing but the job and the spool.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "creeld/flush.h"

/* Above this many commits one syncfs is cheaper than a flush of each. */
enum { WIDE = 6 };

static int write_all(const struct spool *s, struct flush_job *j)
{
	size_t k;

	for (k = 0; k < j->admissions.n; k++)
		if (admission_write(s, &j->admissions.v[k].files, &j->error) < 0)
			return -1;
	for (k = 0; k < j->commits.n; k++) {
		const struct flush_commit *c = &j->commits.v[k];

		if (commit_write(s, c->live->exec->id, c->seq, c->text, c->n, !j->wide, &j->error) < 0)
			return -1;
	}
	return j->wide ? spool_sync(s, &j->error) : 0;
}

static int place_all(const struct spool *s, struct flush_job *j)
{
	size_t k;

	for (k = 0; k < j->admissions.n; k++)
		if (admission_place(s, &j->admissions.v[k].files, &j->error) < 0)
			return -1;
	for (k = 0; k < j->commits.n; k++)
		if (commit_place(s, j->commits.v[k].live->exec->id, j->commits.v[k].seq, !j->wide, &j->error) < 0)
			return -1;
	return j->wide ? spool_sync(s, &j->error) : 0;
}

static int make_parent(const struct spool *s, const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *parent = slash ? xstrndup(path, (size_t)(slash - path)) : NULL;

	return parent ? fs_mkdir_all(s->fd[SPOOL_ROOT], parent, 0755, e) : 0;
}

static int show_one(const struct spool *s, const struct flush_file *f, struct err *e)
{
	int root = s->fd[SPOOL_ROOT];

	if (f->to && make_parent(s, f->to, e) < 0)
		return -1;
	if (!f->from)
		return fs_publish(root, f->to, f->text, strlen(f->text), FS_ASIDE, e);
	if (!f->to)
		return unlinkat(root, f->from, 0) < 0 && errno != ENOENT ? err_sys(e, errno, "cannot remove %s", f->from) : 0;
	/* Gone already: a repetition after a failure, or somebody else took it. */
	if (renameat(root, f->from, root, f->to) < 0 && errno != ENOENT)
		return err_sys(e, errno, "cannot move %s to %s", f->from, f->to);
	return 0;
}

static int show_all(const struct spool *s, struct flush_job *j)
{
	for (; j->at < j->files.n; j->at++)
		if (show_one(s, &j->files.v[j->at], &j->error) < 0)
			return -1;
	return 0;
}

static int fold_all(const struct spool *s, struct flush_job *j)
{
	for (; j->at < j->states.n; j->at++) {
		const struct flush_state *st = &j->states.v[j->at];

		if (state_publish(s, st->id, st->text, st->n, st->final && !j->wide, &j->error) < 0)
			return -1;
	}
	return 0;
}

static bool has_ends(const struct flush_job *j)
{
	size_t k;

	for (k = 0; k < j->states.n; k++)
		if (j->states.v[k].final)
			return true;
	return false;
}

static int sync_ends(const struct spool *s, struct flush_job *j)
{
	if (!has_ends(j))
		return 0;
	return j->wide || !j->day[0] ? spool_sync(s, &j->error) : events_sync(s, j->day, &j->error);
}

static int forget(const struct spool *s, struct flush_job *j)
{
	size_t k;

	for (k = 0; k < j->states.n; k++)
		if (j->states.v[k].final && active_remove(s, j->states.v[k].id, &j->error) < 0)
			return -1;
	for (k = 0; k < j->admissions.n; k++)
		if (admission_forget(s, &j->admissions.v[k].files, &j->error) < 0)
			return -1;
	return 0;
}

static int do_step(const struct spool *s, struct flush_job *j)
{
	switch (j->step) {
	case FLUSH_WRITE:
		j->wide = j->commits.n > WIDE || j->admissions.n > 0;
		return write_all(s, j) < 0 ? -1 : place_all(s, j);
	case FLUSH_SHOW:
		return show_all(s, j);
	case FLUSH_TELL:
		return events_append(s, j->day, buf_str(&j->events), j->events.len, &j->error);
	case FLUSH_FOLD:
		return fold_all(s, j);
	case FLUSH_SYNC_ENDS:
		return sync_ends(s, j);
	case FLUSH_FORGET:
		return forget(s, j);
	case FLUSH_DONE:
		break;
	}
	return 0;
}

int flush_run(const struct spool *s, struct flush_job *j)
{
	while (j->step != FLUSH_DONE) {
		j->error = (struct err){0};
		if (do_step(s, j) < 0)
			return -1;
		j->step++;
		j->at = 0;
	}
	return 0;
}
