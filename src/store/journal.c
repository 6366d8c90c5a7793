#include "store/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "codec/commit.h"
#include "codec/plan_load.h"
#include "store/effects.h"

enum { PLAN_MAX = 256 * 1024 * 1024, STATE_MAX = 512 * 1024 * 1024 };

static struct plan *load_plan(int dir, char digest[SHA256_TAGGED], struct err *e)
{
	AUTO_BUF struct buf bytes = BUF_INIT;
	struct diags found = DIAGS_INIT;
	struct plan *plan = NULL;
	json_error_t where;
	json_t *root;

	if (fs_read(dir, "plan.json", PLAN_MAX, &bytes, e) < 0)
		return NULL;
	sha256_tagged(bytes.p, bytes.len, digest);
	root = json_loadb(bytes.p, bytes.len, 0, &where);
	if (!root) {
		err_set(e, EBADMSG, "plan.json is damaged: line %d: %s", where.line, where.text);
		return NULL;
	}
	plan = plan_load(root, &found);
	json_decref(root);
	if (!plan || found.n > 0) {
		err_set(e, EBADMSG, "plan.json is damaged: %s: %s", found.v[0].pointer, found.v[0].message);
		plan_free(plan);
		plan = NULL;
	}
	diags_free(&found);
	return plan;
}

/* The number of the last commit file; 0 if there is none.  Numbers are dense, so a gap shows as a missing file. */
static int last_commit(int dir, uint32_t *last, struct err *e)
{
	DIR *handle = fs_dir_open(dir, "journal", e);
	struct err end;
	const char *name;

	if (!handle)
		return -1;
	*last = 0;
	while ((name = fs_dir_next(handle, &end))) {
		char tail[8] = "";
		unsigned seq;

		if (sscanf(name, "%8u%7s", &seq, tail) == 2 && strcmp(tail, ".json") == 0 && seq > *last)
			*last = seq;
	}
	closedir(handle);
	/* A list that breaks off must not pass for a shorter history: it would be written on from there. */
	return end.code ? err_set(e, end.code, "journal: %s", end.text) : 0;
}

static int read_commit(int dir, uint32_t seq, struct buf *bytes, struct err *e)
{
	char name[32];

	snprintf(name, sizeof name, "journal/%08u.json", seq);
	buf_reset(bytes);
	return fs_read(dir, name, COMMIT_MAX, bytes, e);
}

struct taking {
	struct loaded *l;
	uint32_t seq;
	bool whole; /* it parsed: what is wrong is not a torn file */
};

static int take_event(void *ctx, const struct commit *c, const struct event *ev, struct err *e)
{
	struct taking *t = ctx;

	if (ev)
		return exec_apply(t->l->exec, ev, e);
	t->whole = true;
	if (c->seq != t->seq)
		return err_set(e, EBADMSG, "it says that it is commit %u", c->seq);
	if (strcmp(c->prev, t->l->prev) != 0)
		return err_set(e, EBADMSG, "it does not follow what is before it: the history was changed");
	return 0;
}

static int take_commit(struct loaded *l, uint32_t seq, const struct buf *bytes, bool *whole, struct err *e)
{
	struct taking t = {l, seq, false};
	struct commit c;
	int r = commit_decode(buf_str(bytes), bytes->len, l->plan, &c, take_event, &t, e);

	*whole = t.whole;
	if (r < 0)
		return err_prefix(e, "journal/%08u.json %s", seq, t.whole ? "does not add up" : "is damaged");
	l->last_events = (uint32_t)c.events.n;
	events_free(&c.events);
	l->seq = seq;
	sha256_tagged(bytes->p, bytes->len, l->prev);
	return 0;
}

/* state.json's own seq and eventsSeq; zeros if there is no whole one. */
static int read_state_marks(int dir, uint32_t *seq, uint32_t *events_seq, struct err *e)
{
	char head[4096];
	const char *at;
	ssize_t n;
	int fd = openat(dir, "state.json", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	*seq = *events_seq = 0;
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "cannot open state.json");
	n = pread(fd, head, sizeof head - 1, 0);
	if (n < 0)
		err_sys(e, errno, "cannot read state.json");
	close(fd);
	if (n <= 0)
		return (int)n;
	head[n] = '\0';
	/* They stand in the first line that state_encode writes. */
	if ((at = strstr(head, ",\"seq\":")))
		*seq = (uint32_t)strtoul(at + 7, NULL, 10);
	if ((at = strstr(head, ",\"eventsSeq\":")))
		*events_seq = (uint32_t)strtoul(at + 13, NULL, 10);
	return 0;
}

static int set_aside(int dir, uint32_t seq, struct err *e)
{
	char from[32], to[40];

	snprintf(from, sizeof from, "journal/%08u.json", seq);
	snprintf(to, sizeof to, "journal/%08u.json.torn", seq);
	if (renameat(dir, from, dir, to) < 0)
		return err_sys(e, errno, "cannot set %s aside", from);
	return fs_sync_dir(dir, "journal", e);
}

/* The last commit could not be taken, and *e says why: it is set aside if nothing came of it. */
static int give_up_last(const struct spool *s, int dir, bool read_only, struct loaded *l, struct err *e)
{
	struct err why = *e;
	const char *sign;
	int r = effects_seen(s, dir, l, &sign, e);

	if (r < 0)
		return err_prefix(e, "it cannot be told whether the last commit, which is damaged, took effect");
	*e = why;
	if (r > 0)
		return err_prefix(e, "the last commit took effect (%s) and cannot be read", sign);
	if (!read_only && set_aside(dir, l->seq + 1, e) < 0)
		return -1;
	l->torn = read_only;
	l->set_aside = !read_only;
	return 0;
}

static int load_commits(const struct spool *s, int dir, bool read_only, struct loaded *l, struct err *e)
{
	AUTO_BUF struct buf bytes = BUF_INIT;
	uint32_t last, seq;
	bool whole;

	if (last_commit(dir, &last, e) < 0 || read_state_marks(dir, &l->state_seq, &l->events_seq, e) < 0)
		return -1;
	if (last == 0)
		return err_set(e, EBADMSG, "its journal is empty");
	for (seq = 1; seq <= last; seq++) {
		if (read_commit(dir, seq, &bytes, e) < 0)
			return -1;
		if (take_commit(l, seq, &bytes, &whole, e) == 0)
			continue;
		/* Only a last commit that does not even parse may be torn; a whole one that contradicts is not. */
		if (seq != last || seq == 1 || whole)
			return -1;
		return give_up_last(s, dir, read_only, l, e);
	}
	return 0;
}

int journal_load_from(const struct spool *s, int dir, const char *id, bool read_only, struct loaded *out,
		      struct err *e)
{
	int r;

	*out = (struct loaded){0};
	out->plan = load_plan(dir, out->prev, e);
	if (!out->plan)
		return -1;
	strcpy(out->plan_digest, out->prev);
	out->exec = exec_new(out->plan, id);
	r = load_commits(s, dir, read_only, out, e);
	/* The digests do not cover the last commit: what was changed in it may still fold, into what cannot be. */
	if (r == 0 && exec_check(out->exec, e) < 0)
		r = err_prefix(e, "its journal does not add up");
	if (r == 0)
		return 0;
	loaded_free(out);
	return -1;
}

int journal_load(const struct spool *s, const char *id, bool read_only, struct loaded *out, struct err *e)
{
	char path[SPOOL_PATH_MAX];
	int dir, r;

	*out = (struct loaded){0};
	spool_execution_path(id, path);
	dir = fs_open_dir(s->fd[SPOOL_ROOT], path, e);
	if (dir < 0)
		return -1;
	r = journal_load_from(s, dir, id, read_only, out, e);
	close(dir);
	return r;
}

long journal_last(const struct spool *s, const char *id, struct err *e)
{
	char path[SPOOL_PATH_MAX];
	uint32_t last = 0;
	int dir, r;

	spool_execution_path(id, path);
	dir = fs_open_dir(s->fd[SPOOL_ROOT], path, e);
	if (dir < 0)
		return -1;
	r = last_commit(dir, &last, e);
	close(dir);
	return r < 0 ? -1 : (long)last;
}

void loaded_free(struct loaded *l)
{
	exec_free(l->exec);
	plan_free(l->plan);
	*l = (struct loaded){0};
}

int journal_each(const struct spool *s, const char *id, const struct plan *plan, uint32_t first,
		 void (*visit)(void *ctx, const char *text, size_t n, uint32_t seq), void *ctx, struct err *e)
{
	AUTO_BUF struct buf bytes = BUF_INIT;
	char path[SPOOL_PATH_MAX];
	uint32_t last, seq;
	int dir, r;

	(void)plan;
	spool_execution_path(id, path);
	dir = fs_open_dir(s->fd[SPOOL_ROOT], path, e);
	if (dir < 0)
		return -1;
	r = last_commit(dir, &last, e);
	for (seq = first; r == 0 && seq <= last; seq++) {
		r = read_commit(dir, seq, &bytes, e);
		if (r == 0)
			visit(ctx, bytes.p, bytes.len, seq);
	}
	close(dir);
	return r;
}
