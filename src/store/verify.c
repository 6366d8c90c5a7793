#include "store/verify.h"

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
#include "base/text.h"
#include "store/journal.h"

struct verifier {
	const struct spool *s;
	verify_visit visit;
	void *ctx;
	struct verify_counts *counts;
	struct err unable; /* the first thing that could not be looked at */
};

static void report(struct verifier *v, bool damage, const char *path, const char *what, const char *todo)
{
	struct verify_finding f = {damage, path, what, todo};

	if (damage)
		v->counts->damaged++;
	else
		v->counts->leftovers++;
	v->visit(v->ctx, &f);
}

/* What cannot be read is neither right nor damaged: the rest is looked at, and then that is said. */
static void note_unable(struct verifier *v, const char *where, const struct err *e)
{
	if (v->unable.code)
		return;
	v->unable = *e;
	err_prefix(&v->unable, "%s", where);
}

/* true if it is there, or cannot be told. */
static bool is_there(struct verifier *v, const char *path)
{
	struct err e;
	int there = fs_there(v->s->fd[SPOOL_ROOT], path, &e);

	if (there < 0)
		note_unable(v, path, &e);
	return there != 0;
}

typedef void (*visit_entry)(struct verifier *v, const char *dir, const char *name);

static void each_below(struct verifier *v, const char *dir, visit_entry visit)
{
	struct err e;
	DIR *handle = fs_dir_open(v->s->fd[SPOOL_ROOT], dir, &e);
	const char *name;

	while (handle && (name = fs_dir_next(handle, &e)))
		if (name[0] != '.')
			visit(v, dir, name);
	if (handle)
		closedir(handle);
	if (e.code)
		note_unable(v, dir, &e);
}

/* ---- one execution ---- */

/* The seq that state.json claims; 0 if there is none yet, or it cannot be read; -1 if it is no whole JSON. */
static long long state_seq(struct verifier *v, const char *dir, char *status, size_t size)
{
	AUTO_FREE char *path = xasprintf("%s/state.json", dir);
	AUTO_BUF struct buf text = BUF_INIT;
	struct err e;
	json_t *root;
	long long seq;

	if (fs_read(v->s->fd[SPOOL_ROOT], path, 512u << 20, &text, &e) < 0) {
		if (e.code != ENOENT)
			note_unable(v, path, &e);
		return 0;
	}
	root = json_loadb(text.p, text.len, 0, NULL);
	seq = json_is_integer(json_object_get(root, "seq")) ? json_integer_value(json_object_get(root, "seq")) : -1;
	snprintf(status, size, "%s", json_string_value(json_object_get(root, "status"))
					 ? json_string_value(json_object_get(root, "status")) : "");
	json_decref(root);
	return seq;
}

static void check_state(struct verifier *v, const struct loaded *l, const char *dir)
{
	AUTO_FREE char *path = xasprintf("%s/state.json", dir);
	char status[40] = "";
	long long seq = state_seq(v, dir, status, sizeof status);

	if (seq < 0)
		report(v, true, path, "it is not whole", "creel rebuild makes it anew from the journal");
	else if (seq > (long long)l->seq)
		report(v, true, path, "it reflects a commit that the journal does not have",
		       "the journal was cut: restore it from a copy");
	else if (seq == (long long)l->seq && strcmp(status, exec_status(l->exec)) != 0)
		report(v, true, path, "its status is not what the journal comes to", "creel rebuild makes it anew");
}

static void check_active(struct verifier *v, const struct loaded *l)
{
	char link[SPOOL_PATH_MAX];
	bool over = l->exec->outcome != OUTCOME_NONE, active;

	spool_active_path(l->exec->id, link);
	active = is_there(v, link);
	if (active && over)
		report(v, false, link, "the execution has ended and is still linked as active",
		       "the daemon removes the link at its next start");
	if (!active && !over)
		report(v, true, link, "the execution has not ended and is not linked as active: no daemon would go on with it",
		       "creel verify --repair links it");
}

/* Result files must carry the token of an attempt that the journal knows; attempts it does not know are suspicious. */
static void check_attempts(struct verifier *v, const struct loaded *l, const char *dir)
{
	uint32_t i;

	for (i = 0; i < l->plan->n; i++) {
		char file[SPOOL_PATH_MAX];
		AUTO_FREE char *path = NULL;

		spool_attempt_file(l->plan->actions[i].id, l->exec->a[i].attempt + 1, NULL, file);
		path = xasprintf("%s/%s", dir, file);
		if (is_there(v, path))
			report(v, true, path, "it is an attempt that the journal does not know",
			       "the journal was cut, or somebody made this directory");
	}
}

static void verify_execution(struct verifier *v, const char *id)
{
	char dir[SPOOL_PATH_MAX];
	struct loaded l;
	struct err e = {0};

	spool_execution_path(id, dir);
	v->counts->executions++;
	if (journal_load(v->s, id, true, &l, &e) < 0) {
		AUTO_FREE char *apart = xasprintf("quarantine/%s.reason.json", id);
		bool known = fs_exists(v->s->fd[SPOOL_ROOT], apart);

		if (err_is_passing(e.code) || e.code == EACCES || e.code == EPERM) {
			note_unable(v, dir, &e);
			return;
		}
		report(v, true, dir, e.text, known ? "it is in quarantine already" : "restore it from a copy");
		return;
	}
	v->counts->commits += l.seq;
	if (exec_check(l.exec, &e) < 0)
		report(v, true, dir, e.text, "this is a bug of creel: keep the directory and report it");
	check_state(v, &l, dir);
	check_active(v, &l);
	check_attempts(v, &l, dir);
	loaded_free(&l);
}

/* ---- what lies around them ---- */

static void verify_one_of_day(struct verifier *v, const char *dir, const char *name)
{
	AUTO_FREE char *odd = xasprintf("%s/%s", dir, name);
	char right[SPOOL_PATH_MAX];

	if (uuid_is_v7(name)) {
		spool_execution_day(name, right);
		if (strcmp(right, dir) == 0) {
			verify_execution(v, name);
			return;
		}
	}
	report(v, false, odd, "it is no execution of this day", "move it elsewhere");
}

static void verify_day(struct verifier *v, const char *dir, const char *name)
{
	AUTO_FREE char *path = xasprintf("%s/%s", dir, name);
	struct stat st;

	if (fstatat(v->s->fd[SPOOL_ROOT], path, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode))
		report(v, false, path, "it is no day's directory", "move it elsewhere");
	else
		each_below(v, path, verify_one_of_day);
}

static void verify_link(struct verifier *v, const char *dir, const char *name)
{
	AUTO_FREE char *path = xasprintf("%s/%s", dir, name);
	struct stat st;

	if (!uuid_is_v7(name)) {
		report(v, false, path, "it is not the id of an execution", "remove it");
	} else if (fstatat(v->s->fd[SPOOL_ROOT], path, &st, 0) < 0) {
		struct err e;

		if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) {
			report(v, true, path, "it leads to an execution that is not there",
			       "a claim in tmp/ may still make it; else it was removed or never placed");
			return;
		}
		err_sys(&e, errno, "cannot look at it");
		note_unable(v, path, &e);
	}
}

static void verify_left(struct verifier *v, const char *dir, const char *name)
{
	AUTO_FREE char *path = xasprintf("%s/%s", dir, name);

	if (strcmp(dir, "tmp") == 0)
		report(v, false, path, "it was being written", "the daemon finishes or clears it at its next start");
	else
		report(v, false, path, "a result was announced and not taken yet", "the daemon takes it");
}

static void verify_request(struct verifier *v, const char *dir, const char *name)
{
	AUTO_FREE char *copy = xstrdup(name), *path = xasprintf("%s/%s", dir, name);
	char *id, *action, *rest, link[SPOOL_PATH_MAX];

	if (!text_ends_with(name, ".request.json"))
		return;
	if (!spool_split_name(copy, &id, &action, &rest)) {
		report(v, false, path, "its name is not of a request", "remove it");
		return;
	}
	spool_active_path(id, link);
	if (!is_there(v, link))
		report(v, false, path, "it asks about an execution that is not active", "remove it");
}

static void verify_all(struct verifier *v)
{
	each_below(v, "executions", verify_day);
	each_below(v, "active", verify_link);
	each_below(v, "confirm", verify_request);
	each_below(v, "tmp", verify_left);
	each_below(v, "results", verify_left);
}

int verify(const struct spool *s, const char *id, verify_visit visit, void *ctx, struct verify_counts *counts,
	   struct err *e)
{
	struct verifier v = {.s = s, .visit = visit, .ctx = ctx, .counts = counts};
	char path[SPOOL_PATH_MAX];

	*counts = (struct verify_counts){0};
	if (!id) {
		verify_all(&v);
	} else {
		spool_execution_path(id, path);
		if (!fs_exists(s->fd[SPOOL_ROOT], path))
			return err_set(e, ENOENT, "there is no execution %s", id);
		verify_execution(&v, id);
	}
	if (!v.unable.code)
		return 0;
	*e = v.unable;
	return -1;
}
