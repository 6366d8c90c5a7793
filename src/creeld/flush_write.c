/*
 * flush_write.c - the steps of a job; runs in the flusher's thread and touches nothing but the job and the spool.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "creeld/flush.h"

/* Above this many files one syncfs is cheaper than a flush of each (figures: tests/bench/README.md). */
enum { WIDE = 6 };

/* ---- 1, 2: write and flush ---- */

static void temporary_name(const struct flush_commit *c, char out[SPOOL_PATH_MAX])
{
	snprintf(out, SPOOL_PATH_MAX, "tmp/%.36s.%u.tmp", c->live->exec->id, c->seq);
}

static int write_file(int dir, const char *name, const char *text, size_t n, mode_t mode, bool flush, struct err *e)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	int r;

	if (fd < 0 && errno == EEXIST && unlinkat(dir, name, 0) == 0) /* ours, of a try that failed */
		fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return err_sys(e, errno, "cannot create %s", name);
	r = fs_write_all(fd, text, n, e);
	if (r == 0 && flush && fdatasync(fd) < 0)
		r = err_sys(e, errno, "cannot flush");
	if (close(fd) < 0 && r == 0)
		r = err_sys(e, errno, "cannot close");
	if (r < 0) {
		unlinkat(dir, name, 0);
		return err_prefix(e, "%s", name);
	}
	return 0;
}

static int build_in(int dir, const struct flush_admission *a, struct err *e)
{
	AUTO_FREE char *source = xasprintf("source.%s", a->ext);

	if (fs_mkdir(dir, "journal", 0755, e) < 0 || fs_mkdir(dir, "actions", 0755, e) < 0)
		return -1;
	if (write_file(dir, source, a->source, a->source_n, 0444, false, e) < 0 ||
	    write_file(dir, "plan.json", a->plan, a->plan_n, 0444, false, e) < 0 ||
	    write_file(dir, "empty.json", "{}", 2, 0444, false, e) < 0 ||
	    write_file(dir, "journal/00000001.json", a->commit, a->commit_n, 0444, false, e) < 0)
		return -1;
	return 0;
}

static int build(const struct spool *s, const struct flush_admission *a, struct err *e)
{
	AUTO_FREE char *path = xasprintf("tmp/%s/new", a->live->exec->id);
	int dir, r;

	if (a->placed)
		return 0;
	if (fs_remove_tree(s->fd[SPOOL_ROOT], path, e) < 0 || fs_mkdir_all(s->fd[SPOOL_ROOT], path, 0755, e) < 0)
		return -1;
	dir = fs_open_dir(s->fd[SPOOL_ROOT], path, e);
	if (dir < 0)
		return -1;
	r = build_in(dir, a, e);
	close(dir);
	return r < 0 ? err_prefix(e, "%s", path) : 0;
}

static int sync_everything(const struct spool *s, struct err *e)
{
	if (syncfs(s->fd[SPOOL_ROOT]) < 0)
		return err_sys(e, errno, "cannot flush the spool's file system");
	return 0;
}

static int write_all(const struct spool *s, struct flush_job *j)
{
	char name[SPOOL_PATH_MAX];
	size_t k;

	for (k = 0; k < j->admissions.n; k++)
		if (build(s, &j->admissions.v[k], &j->error) < 0)
			return -1;
	for (k = 0; k < j->commits.n; k++) {
		const struct flush_commit *c = &j->commits.v[k];

		temporary_name(c, name);
		if (write_file(s->fd[SPOOL_ROOT], name, c->text, c->n, 0444, !j->wide, &j->error) < 0)
			return -1;
	}
	return j->wide ? sync_everything(s, &j->error) : 0;
}

/* ---- 3, 4: place ---- */

static int place_admission(const struct spool *s, struct flush_admission *a, struct err *e)
{
	const char *id = a->live->exec->id;
	char day[SPOOL_PATH_MAX], path[SPOOL_PATH_MAX], link[SPOOL_PATH_MAX];
	AUTO_FREE char *from = xasprintf("tmp/%s/new", id);
	AUTO_FREE char *target = NULL;

	if (a->placed)
		return 0;
	spool_execution_day(id, day);
	spool_execution_path(id, path);
	spool_active_path(id, link);
	target = xasprintf("../%s", path);
	if (fs_mkdir(s->fd[SPOOL_ROOT], day, 0755, e) < 0)
		return -1;
	if (symlinkat(target, s->fd[SPOOL_ROOT], link) < 0 && errno != EEXIST)
		return err_sys(e, errno, "cannot link %s", link);
	if (renameat(s->fd[SPOOL_ROOT], from, s->fd[SPOOL_ROOT], path) < 0)
		return err_sys(e, errno, "cannot move %s into place", from);
	a->placed = true;
	return 0;
}

static int place_commit(const struct spool *s, const struct flush_commit *c, bool flush, struct err *e)
{
	char from[SPOOL_PATH_MAX], to[SPOOL_PATH_MAX], *slash;

	temporary_name(c, from);
	spool_commit_path(c->live->exec->id, c->seq, to);
	if (renameat(s->fd[SPOOL_ROOT], from, s->fd[SPOOL_ROOT], to) < 0)
		return err_sys(e, errno, "cannot move %s into place", to);
	if (!flush)
		return 0;
	slash = strrchr(to, '/');
	*slash = '\0';
	return fs_sync_dir(s->fd[SPOOL_ROOT], to, e);
}

static int place_all(const struct spool *s, struct flush_job *j)
{
	size_t k;

	for (k = 0; k < j->admissions.n; k++)
		if (place_admission(s, &j->admissions.v[k], &j->error) < 0)
			return -1;
	for (k = 0; k < j->commits.n; k++)
		if (place_commit(s, &j->commits.v[k], !j->wide, &j->error) < 0)
			return -1;
	return j->wide ? sync_everything(s, &j->error) : 0;
}

/* ---- 5: show ---- */

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
		return fs_publish(root, f->to, f->text, strlen(f->text), 0, e);
	if (!f->to)
		return unlinkat(root, f->from, 0) < 0 && errno != ENOENT ? err_sys(e, errno, "cannot remove %s", f->from) : 0;
	/* Gone already: a repetition after a failure, or somebody else took it. */
	if (renameat(root, f->from, root, f->to) < 0 && errno != ENOENT)
		return err_sys(e, errno, "cannot move %s to %s", f->from, f->to);
	return 0;
}

/* ---- 6, 7: tell and fold ---- */

static int append_events(const struct spool *s, const struct flush_job *j, struct err *e)
{
	AUTO_FREE char *name = xasprintf("%s.jsonl", j->day);
	int fd, r;

	if (j->events.len == 0)
		return 0;
	fd = openat(s->fd[SPOOL_EVENTS], name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return err_sys(e, errno, "cannot open events/%s", name);
	r = fs_write_all(fd, j->events.p, j->events.len, e);
	if (close(fd) < 0 && r == 0)
		r = err_sys(e, errno, "cannot close");
	return r < 0 ? err_prefix(e, "events/%s", name) : 0;
}

static int write_state(const struct spool *s, const struct flush_state *st, bool wide, struct err *e)
{
	char path[SPOOL_PATH_MAX], name[SPOOL_PATH_MAX];

	spool_execution_path(st->id, path);
	snprintf(name, sizeof name, "%.80s/state.json", path);
	return fs_publish(s->fd[SPOOL_ROOT], name, st->text, st->n, st->final && !wide ? FS_SYNC : 0, e);
}

/* ---- 8, 9: ends ---- */

static int sync_events(const struct spool *s, const struct flush_job *j, struct err *e)
{
	AUTO_FREE char *name = xasprintf("%s.jsonl", j->day);
	int fd = openat(s->fd[SPOOL_EVENTS], name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	int r = 0;

	if (fd < 0)
		return err_sys(e, errno, "cannot open events/%s", name);
	if (fdatasync(fd) < 0)
		r = err_sys(e, errno, "cannot flush events/%s", name);
	close(fd);
	return r == 0 ? fs_sync_dir(s->fd[SPOOL_ROOT], "events", e) : r;
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
	return j->wide ? sync_everything(s, &j->error) : sync_events(s, j, &j->error);
}

static int forget(const struct spool *s, struct flush_job *j)
{
	char path[SPOOL_PATH_MAX];
	size_t k;

	for (k = 0; k < j->states.n; k++) {
		if (!j->states.v[k].final)
			continue;
		spool_active_path(j->states.v[k].id, path);
		if (unlinkat(s->fd[SPOOL_ROOT], path, 0) < 0 && errno != ENOENT)
			return err_sys(&j->error, errno, "cannot remove %s", path);
	}
	for (k = 0; k < j->admissions.n; k++) {
		AUTO_FREE char *dir = xasprintf("tmp/%s", j->admissions.v[k].live->exec->id);

		if (fs_remove_tree(s->fd[SPOOL_ROOT], dir, &j->error) < 0)
			return -1;
	}
	return 0;
}

/* ---- the job ---- */

static int do_list(const struct spool *s, struct flush_job *j)
{
	int r = 0;

	if (j->step == FLUSH_SHOW) {
		for (; r == 0 && j->at < j->files.n; j->at += r == 0)
			r = show_one(s, &j->files.v[j->at], &j->error);
	} else {
		for (; r == 0 && j->at < j->states.n; j->at += r == 0)
			r = write_state(s, &j->states.v[j->at], j->wide, &j->error);
	}
	return r;
}

static int do_step(const struct spool *s, struct flush_job *j)
{
	switch (j->step) {
	case FLUSH_WRITE:
		j->wide = j->commits.n + 2 * j->admissions.n > WIDE || j->admissions.n > 0;
		if (write_all(s, j) < 0)
			return -1;
		return place_all(s, j);
	case FLUSH_SHOW:
	case FLUSH_FOLD:
		return do_list(s, j);
	case FLUSH_TELL:
		return append_events(s, j, &j->error);
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
