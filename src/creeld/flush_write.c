/*
 * flush_write.c - the steps of a job; runs in the flusher's thread and touches nothing but the job and the spool.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "creeld/flush.h"

/* A part of a job that touches nothing that the other part touches. */
typedef int (*job_part)(const struct spool *, struct flush_job *, struct err *);

/* Two threads share what waits for the device, which serves both at once: one flushes the files of commits and this one
 * their names; new executions are written by turns. */
static struct {
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	const struct spool *spool;
	struct flush_job *job;
	job_part part; /* to do */
	struct err error;
	int answer;
} second = {.mutex = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

void *flush_second_thread(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&second.mutex);
	for (;;) {
		while (!second.part)
			pthread_cond_wait(&second.wake, &second.mutex);
		pthread_mutex_unlock(&second.mutex);
		second.answer = second.part(second.spool, second.job, &second.error);
		pthread_mutex_lock(&second.mutex);
		second.part = NULL;
		pthread_cond_broadcast(&second.wake);
	}
	return NULL;
}

/* Both parts at once; each is brought to its end, whatever becomes of the other. */
static int do_both(const struct spool *s, struct flush_job *j, job_part ours, job_part theirs)
{
	int r;

	pthread_mutex_lock(&second.mutex);
	second.spool = s;
	second.job = j;
	second.part = theirs;
	pthread_cond_broadcast(&second.wake);
	pthread_mutex_unlock(&second.mutex);
	r = ours(s, j, &j->error);
	pthread_mutex_lock(&second.mutex);
	while (second.part)
		pthread_cond_wait(&second.wake, &second.mutex);
	pthread_mutex_unlock(&second.mutex);
	if (second.answer < 0 && r == 0) {
		j->error = second.error;
		r = -1;
	}
	return r;
}

static int put_commits(const struct spool *s, struct flush_job *j)
{
	size_t k;

	for (k = 0; k < j->commits.n; k++)
		j->commits.v[k].file = -1; /* of those that the first failure keeps from being opened, too */
	for (k = 0; k < j->commits.n; k++) {
		const struct flush_commit *c = &j->commits.v[k];

		if (commit_put(s, c->live->exec->id, c->seq, c->text, c->n, j->wide ? NULL : &j->commits.v[k].file,
			       &j->error) < 0)
			return -1;
	}
	return 0;
}

static int flush_journals(const struct spool *s, struct flush_job *j, struct err *e)
{
	size_t k;

	for (k = 0; k < j->commits.n; k++)
		if (journal_flush(s, j->commits.v[k].live->exec->id, e) < 0)
			return -1;
	return 0;
}

/* Every file is flushed and closed, whatever became of the others. */
static int flush_files(const struct spool *s, struct flush_job *j, struct err *e)
{
	struct err other;
	size_t k;
	int r = 0;

	(void)s;
	for (k = 0; k < j->commits.n; k++)
		if (commit_flush(j->commits.v[k].file, r == 0 ? e : &other) < 0)
			r = -1;
	return r;
}

static int flush_commits(const struct spool *s, struct flush_job *j)
{
	return j->commits.n == 0 ? 0 : do_both(s, j, flush_files, flush_journals);
}

static int write_commits(const struct spool *s, struct flush_job *j)
{
	int r = put_commits(s, j);
	size_t k;

	if (r == 0)
		r = j->wide ? spool_sync(s, &j->error) : flush_commits(s, j);
	else
		for (k = 0; k < j->commits.n && !j->wide; k++)
			if (j->commits.v[k].file >= 0)
				close(j->commits.v[k].file);
	for (k = 0; k < j->commits.n && r < 0; k++)
		commit_take_back(s, j->commits.v[k].live->exec->id, j->commits.v[k].seq);
	return r;
}

/* Every other one, from the k-th. */
static int write_from(size_t k, const struct spool *s, const struct flush_job *j, struct err *e)
{
	for (; k < j->admissions.n; k += 2)
		if (admission_write(s, &j->admissions.v[k].files, e) < 0)
			return -1;
	return 0;
}

static int write_even(const struct spool *s, struct flush_job *j, struct err *e)
{
	return write_from(0, s, j, e);
}

static int write_odd(const struct spool *s, struct flush_job *j, struct err *e)
{
	return write_from(1, s, j, e);
}

static int write_admissions(const struct spool *s, struct flush_job *j)
{
	size_t k;

	if ((j->admissions.n > 1 ? do_both(s, j, write_even, write_odd) : write_even(s, j, &j->error)) < 0)
		return -1;
	if (j->admissions.n > 0 && spool_sync(s, &j->error) < 0)
		return -1;
	for (k = 0; k < j->admissions.n; k++)
		if (admission_place(s, &j->admissions.v[k].files, &j->error) < 0)
			return -1;
	return 0;
}

/* What costs less: a flush of each commit, or one of the whole file system?  That one pays for what others have
 * written, too, so both are judged by what they cost of late; the estimate of a flush that was not chosen ages, so that
 * it gets another chance. */
enum { COST_START_US = 400, COST_AGE = 32 };
static long long each_us = COST_START_US, all_us = COST_START_US;

static bool choose_wide(const struct flush_job *j)
{
	if (j->admissions.n > 0)
		return true;
	if (j->commits.n < 2)
		return false;
	all_us -= all_us / COST_AGE;
	return (long long)j->commits.n * each_us > all_us;
}

static void note_cost(const struct flush_job *j, long long us)
{
	if (j->admissions.n > 0 || j->commits.n == 0)
		return;
	if (j->wide)
		all_us += (us - all_us) / 4;
	else
		each_us += (us / (long long)j->commits.n - each_us) / 4;
}

/* Below the execution, which must be there: what was removed is not made again.  The directories may be new, too. */
static int flush_early(const struct spool *s, const struct flush_file *f, struct err *e)
{
	AUTO_FREE char *to = xstrdup(f->to);
	char *rest = strstr(to, "/actions/"), *end;
	int dir, r;

	*rest++ = '\0';
	dir = fs_open_dir(s->fd[SPOOL_ROOT], to, e);
	if (dir < 0)
		return -1;
	end = strrchr(rest, '/');
	*end = '\0';
	r = fs_mkdir_all_aside(dir, rest, 0755, e);
	*end = '/';
	if (r == 0)
		r = fs_publish(dir, rest, f->text, strlen(f->text), FS_ASIDE | FS_SYNC, e);
	for (*end = '\0'; r == 0 && (end = strrchr(rest, '/')); *end = '\0')
		r = fs_sync_dir(dir, rest, e);
	if (r == 0)
		r = fs_sync_dir(dir, rest, e);
	if (r == 0)
		r = fs_sync_dir(dir, ".", e);
	close(dir);
	return r;
}

static int write_early(const struct spool *s, struct flush_job *j)
{
	size_t k;

	for (k = 0; k < j->early.n; k++)
		if (flush_early(s, &j->early.v[k], &j->error) < 0)
			return -1;
	return 0;
}

static int write_all(const struct spool *s, struct flush_job *j)
{
	long long start = clock_mono_us();

	j->wide = choose_wide(j);
	if (write_early(s, j) < 0 || write_admissions(s, j) < 0 || write_commits(s, j) < 0)
		return -1;
	j->took_us = clock_mono_us() - start;
	note_cost(j, j->took_us);
	return 0;
}

static int make_parent(const struct spool *s, const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *parent = slash ? xstrndup(path, (size_t)(slash - path)) : NULL;

	/* Actions write below their executions, and may leave anything there. */
	return parent ? fs_mkdir_all_aside(s->fd[SPOOL_ROOT], parent, 0755, e) : 0;
}

/* Nothing that was dropped is lost, not even a decision that says again what was said: then the name is taken. */
static int keep_one(int root, const struct flush_file *f, struct err *e)
{
	AUTO_FREE char *to = xstrdup(f->to);
	unsigned n = 1;

	while (fs_rename_new(root, f->from, root, to, e) < 0) {
		if (e->code == ENOENT)
			return 0;
		if (e->code != EEXIST || n == 10000)
			return -1;
		free(to);
		to = xasprintf("%s.%u", f->to, ++n);
	}
	return 0;
}

static int show_one(const struct spool *s, const struct flush_file *f, bool flush, struct err *e)
{
	int root = s->fd[SPOOL_ROOT];

	if (f->to && make_parent(s, f->to, e) < 0)
		return -1;
	if (!f->from)
		return fs_publish(root, f->to, f->text, strlen(f->text), FS_ASIDE | (flush ? FS_SYNC : 0), e);
	if (!f->to)
		return unlinkat(root, f->from, 0) < 0 && errno != ENOENT ? err_sys(e, errno, "cannot remove %s", f->from) : 0;
	/* Gone already: a repetition after a failure, or somebody else took it. */
	if (f->keep)
		return keep_one(root, f, e);
	if (renameat(root, f->from, root, f->to) < 0 && errno != ENOENT)
		return err_sys(e, errno, "cannot move %s to %s", f->from, f->to);
	return 0;
}

static int show_all(const struct spool *s, struct flush_job *j)
{
	bool any = false;
	size_t k;

	for (; j->at < j->files.n; j->at++)
		if (show_one(s, &j->files.v[j->at], j->files.v[j->at].flush && !j->wide, &j->error) < 0)
			return -1;
	for (k = 0; k < j->files.n; k++)
		any = any || j->files.v[k].flush;
	if (looked_append(s, buf_str(&j->looked), j->looked.len, &j->error) < 0)
		return -1;
	buf_reset(&j->looked);
	return j->wide && any ? spool_sync(s, &j->error) : 0;
}

static int fold_all(const struct spool *s, struct flush_job *j)
{
	for (; j->at < j->states.n; j->at++) {
		const struct flush_state *st = &j->states.v[j->at];

		if (state_publish(s, st->id, st->text, st->n, false, &j->error) < 0)
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

/* One flush for events/, state.json and the files of all attempts: nobody looks at them again once it has ended. */
static int sync_ends(const struct spool *s, struct flush_job *j)
{
	return has_ends(j) ? spool_sync(s, &j->error) : 0;
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
		return write_all(s, j);
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

int flush_run(const struct spool *s, struct flush_job *j, void (*durable)(struct flush_job *))
{
	while (j->step != FLUSH_DONE) {
		j->error = (struct err){0};
		if (do_step(s, j) < 0) {
			/* The kernel has forgotten what it could not flush: it is written anew. */
			if (j->step == FLUSH_SYNC_ENDS) {
				j->step = FLUSH_TELL;
				j->at = 0;
			}
			return -1;
		}
		if (j->step == FLUSH_WRITE && durable)
			durable(j);
		j->step++;
		j->at = 0;
	}
	return 0;
}
