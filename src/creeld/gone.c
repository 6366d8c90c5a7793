#include "creeld/gone.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "creeld/spares.h"

/* Only what is certainly not there is gone. */
static bool is_gone(const struct daemon *d, const struct live *l)
{
	char path[SPOOL_PATH_MAX];
	AUTO_FREE char *journal = NULL;
	struct err e;

	spool_execution_path(l->exec->id, path);
	journal = xasprintf("%s/journal", path);
	return fs_there(d->spool.fd[SPOOL_ROOT], journal, &e) == 0;
}

static bool is_being_admitted(const struct flush_job *j, const struct live *l)
{
	size_t k;

	for (k = 0; k < j->admissions.n; k++)
		if (j->admissions.v[k].live == l && !j->admissions.v[k].files.placed)
			return true;
	return false;
}

/* An execution of the job that is gone, or NULL.  One that is being admitted is not there yet. */
static struct live *find_gone(const struct daemon *d, const struct flush_job *j)
{
	size_t k;

	for (k = 0; k < j->commits.n; k++)
		if (!is_being_admitted(j, j->commits.v[k].live) && is_gone(d, j->commits.v[k].live))
			return j->commits.v[k].live;
	for (k = 0; j->durable && k < j->states.n; k++)
		if (is_gone(d, j->states.v[k].live))
			return j->states.v[k].live;
	return NULL;
}

static bool names(const char *path, const char *id)
{
	return path && strstr(path, id);
}

static void drop_files(struct flush_job *j, const char *id)
{
	size_t from, to = 0;

	for (from = 0; from < j->files.n; from++) {
		struct flush_file f = j->files.v[from];

		if (!names(f.to, id)) {
			j->files.v[to++] = f;
			continue;
		}
		/* What was dropped for it and obeyed stays where it is, and is refused when it is looked at again. */
		free(f.from);
		free(f.to);
		free(f.text);
		if (j->step == FLUSH_SHOW && from < j->at)
			j->at--;
	}
	j->files.n = to;
}

static void drop_early(struct flush_job *j, const char *id)
{
	size_t from, to = 0;

	for (from = 0; from < j->early.n; from++) {
		if (!names(j->early.v[from].to, id)) {
			j->early.v[to++] = j->early.v[from];
			continue;
		}
		free(j->early.v[from].to);
		free(j->early.v[from].text);
	}
	j->early.n = to;
}

static void drop_states(struct flush_job *j, const struct live *l)
{
	size_t from, to = 0;

	for (from = 0; from < j->states.n; from++) {
		if (j->states.v[from].live != l) {
			j->states.v[to++] = j->states.v[from];
			continue;
		}
		free(j->states.v[from].text);
		if (j->step == FLUSH_FOLD && from < j->at)
			j->at--;
	}
	j->states.n = to;
}

static void drop_commits(struct flush_job *j, const struct live *l)
{
	size_t from, to = 0;

	for (from = 0; from < j->commits.n; from++) {
		if (j->commits.v[from].live != l) {
			j->commits.v[to++] = j->commits.v[from];
			continue;
		}
		free(j->commits.v[from].text);
		events_free(&j->commits.v[from].events);
	}
	j->commits.n = to;
}

/* Lines about what did not happen. */
static void drop_lines(struct flush_job *j, const char *id)
{
	AUTO_FREE char *mark = xasprintf("\"execution\":\"%s\"", id);
	struct buf kept = BUF_INIT;
	const char *at = buf_str(&j->events), *end;

	if (j->durable)
		return;
	for (; (end = strchr(at, '\n')); at = end + 1)
		if (!memmem(at, (size_t)(end - at), mark, strlen(mark)))
			buf_put(&kept, at, (size_t)(end - at) + 1);
	buf_free(&j->events);
	j->events = kept;
}

/* Supervisors that have an attempt of it and were not told to go find the end of their socket, and leave. */
static void drop_ready(struct daemon *d, struct flush_job *j, const struct live *l)
{
	size_t k, g;

	for (k = d->ready_children.n; k-- > 0;) {
		struct ready_child *r = &d->ready_children.v[k];

		if (r->live != l)
			continue;
		for (g = j->go.n; g-- > 0;)
			if (j->go.v[g].fd == r->supervisor.words)
				j->go.v[g] = j->go.v[--j->go.n];
		if (!r->reaped)
			vec_push(&d->lingering, r->supervisor.pid);
		supervisor_release(&r->supervisor);
		*r = d->ready_children.v[--d->ready_children.n];
	}
}

static void end_running(struct daemon *d, const struct live *l)
{
	size_t k;

	for (k = d->running.n; k-- > 0;) {
		struct running *r = &d->running.v[k];

		if (r->live != l)
			continue;
		child_end(d, r);
		if (r->pidfd >= 0)
			close(r->pidfd);
		if (r->supervisor.words >= 0)
			vec_push(&d->lingering, r->supervisor.pid);
		supervisor_release(&r->supervisor);
		*r = d->running.v[--d->running.n];
	}
}

bool gone_take_out(struct daemon *d)
{
	struct flush_job *j = d->job;
	struct live *l;
	bool any = false;

	while ((l = find_gone(d, j))) {
		AUTO_FREE char *id = xstrdup(l->exec->id);

		drop_early(j, id);
		drop_files(j, id);
		drop_states(j, l);
		drop_commits(j, l);
		drop_lines(j, id);
		drop_ready(d, j, l);
		end_running(d, l);
		d->any_failed = true;
		live_quarantine(d, id, "its directory, or the journal in it, was removed while it ran");
		live_remove(d, l);
		any = true;
	}
	return any;
}
