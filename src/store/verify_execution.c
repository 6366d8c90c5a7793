/*
 * verify_execution.c - one execution: its journal, and whether all else in its directory is what follows from it.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "store/export.h"
#include "store/journal.h"
#include "store/outputs.h"
#include "store/state_file.h"
#include "store/verify_impl.h"

enum { STATE_MAX = 512 << 20, LOOKS = 20 };

struct found {
	bool damage;
	char *path, *what;
	const char *todo;
	enum verify_repair repair;
};

struct checking {
	struct verifier *v;
	const struct loaded *l;
	const char *id, *dir;
	bool active, apart; /* there is a link in active/, in quarantine/ */
	VEC(struct found) found;
};

/* Told when all was looked at; todo is text of the program. */
static void report(struct checking *c, bool damage, const char *path, const char *what, const char *todo,
		   enum verify_repair repair)
{
	struct found f = {damage, xstrdup(path), xstrdup(what), todo, repair};

	vec_push(&c->found, f);
}

static void forget_found(struct checking *c)
{
	size_t k;

	for (k = 0; k < c->found.n; k++) {
		free(c->found.v[k].path);
		free(c->found.v[k].what);
	}
	vec_free(&c->found);
}

static void tell_found(struct checking *c)
{
	size_t k;

	for (k = 0; k < c->found.n; k++) {
		const struct found *f = &c->found.v[k];

		verify_report(c->v, &(struct verify_finding){f->damage, f->path, f->what, f->todo, f->repair, c->id});
	}
	forget_found(c);
}

/* ---- state.json ---- */

/* The first member of an action's that differs; NULL: none does. */
static const char *differing(const json_t *is, const json_t *should)
{
	static const char *const members[] = {"status", "attempts", "iteration", "childExecution"};
	size_t k;

	for (k = 0; k < sizeof members / sizeof *members; k++) {
		json_t *a = json_object_get(is, members[k]), *b = json_object_get(should, members[k]);

		if (a != b && !(a && b && json_equal(a, b)))
			return members[k];
	}
	return NULL;
}

/* What other versions of creel write as well: further members may come and go. */
static char *state_differs(const json_t *is, const json_t *should)
{
	json_t *actions = json_object_get(is, "actionStates"), *a;
	const char *id, *member;

	if (!json_equal(json_object_get(is, "status"), json_object_get(should, "status")))
		return xstrdup("its status");
	if (json_object_size(actions) != json_object_size(json_object_get(should, "actionStates")))
		return xstrdup("its number of actions");
	json_object_foreach(json_object_get(should, "actionStates"), id, a)
		if ((member = differing(json_object_get(actions, id), a)))
			return xasprintf("%s of \"%s\"", member, id);
	return NULL;
}

static void compare_state(struct checking *c, const char *path, const json_t *is)
{
	struct state_marks marks = {c->l->seq, c->l->events_seq};
	AUTO_BUF struct buf text = BUF_INIT;
	AUTO_FREE char *what = NULL, *message = NULL;
	json_t *should;

	state_encode(&text, c->v->s, c->l->exec, &marks);
	should = json_loadb(buf_str(&text), text.len, 0, NULL);
	what = state_differs(is, should);
	json_decref(should);
	if (!what)
		return;
	message = xasprintf("%s is not what the journal comes to", what);
	report(c, true, path, message, "creel rebuild makes it anew", REPAIR_NONE);
}

static void check_state(struct checking *c)
{
	AUTO_FREE char *path = xasprintf("%s/state.json", c->dir);
	AUTO_BUF struct buf text = BUF_INIT;
	struct err e;
	json_t *root, *seq;

	if (fs_read(c->v->s->fd[SPOOL_ROOT], path, STATE_MAX, &text, &e) < 0) {
		if (e.code != ENOENT)
			verify_unable(c->v, path, &e);
		else if (!c->active)
			report(c, true, path, "it is not there", "creel rebuild makes it anew from the journal", REPAIR_NONE);
		return;
	}
	root = json_loadb(buf_str(&text), text.len, 0, NULL);
	seq = json_object_get(root, "seq");
	if (!json_is_integer(seq))
		report(c, true, path, "it is not whole", "creel rebuild makes it anew from the journal", REPAIR_NONE);
	else if (json_integer_value(seq) > (json_int_t)c->l->seq)
		report(c, true, path, "it reflects a commit that the journal does not have",
		       "the journal was cut: put the missing files of journal/ back from a copy", REPAIR_NONE);
	else if (json_integer_value(seq) == (json_int_t)c->l->seq)
		compare_state(c, path, root);
	else if (c->l->exec->outcome != OUTCOME_NONE && !c->active)
		report(c, true, path, "the execution has ended, and it does not reflect its last commit",
		       "creel rebuild makes it anew from the journal", REPAIR_NONE);
	json_decref(root);
}

/* ---- links ---- */

static void check_links(struct checking *c)
{
	char active[SPOOL_PATH_MAX], apart[SPOOL_PATH_MAX];
	bool over = c->l->exec->outcome != OUTCOME_NONE;

	spool_active_path(c->id, active);
	spool_quarantine_path(c->id, apart);
	if (c->apart)
		report(c, !over, apart, "it is in quarantine, and adds up",
		       "creel verify --repair takes it out, and it goes on if it has not ended", REPAIR_RELEASE);
	else if (c->active && over)
		report(c, false, active, "the execution has ended and is still linked as active",
		       "the daemon removes the link at its next scan", REPAIR_NONE);
	else if (!c->active && !over)
		report(c, true, active, "the execution has not ended and is not linked as active: no daemon goes on with it",
		       "creel verify --repair links it", REPAIR_LINK);
	if (c->l->torn)
		report(c, false, c->dir, "its last commit is damaged, and nothing shows that it took effect",
		       "the daemon sets it aside at its next start", REPAIR_NONE);
}

/* ---- attempts and requests ---- */

/* A supervisor that was made ready and never told to go leaves no more than an empty lock. */
static bool has_begun(struct checking *c, const char *path)
{
	AUTO_FREE char *lock = xasprintf("%s/lock", path), *result = xasprintf("%s/result.json", path);
	struct stat st;

	return verify_is_there(c->v, result) ||
	       (fstatat(c->v->s->fd[SPOOL_ROOT], lock, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0);
}

/* An instance of a forEach that the plan does not have: the commit that was to make it was never written. */
static bool is_instance_to_be(const struct plan *p, const char *action)
{
	const char *dot = strrchr(action, '.');
	AUTO_FREE char *of = dot ? xstrndup(action, (size_t)(dot - action)) : NULL;
	uint32_t i = of ? plan_find(p, of) : NO_ACTION;

	return i != NO_ACTION && p->actions[i].for_each && plan_find(p, action) == NO_ACTION;
}

static void check_unknown(struct checking *c, const char *path, const struct member *m)
{
	const struct exec *x = c->l->exec;
	uint32_t i = plan_find(x->plan, m->action);
	bool next = i != NO_ACTION && m->kind == MEMBER_ATTEMPT && m->number == x->a[i].attempt + 1;

	/* The next attempt is made ready while its commit is being flushed, and an answer moves before it shows. */
	if (c->active && c->v->how->daemon_runs && i != NO_ACTION && (next || m->kind == MEMBER_CONFIRM))
		return;
	if ((next || (m->kind == MEMBER_ATTEMPT && is_instance_to_be(x->plan, m->action))) && !has_begun(c, path))
		report(c, false, path, "it was made ready for an attempt that never began",
		       next ? "nothing; the next attempt takes it" : "nothing; it can be removed", REPAIR_NONE);
	else if (m->kind == MEMBER_CONFIRM && i != NO_ACTION)
		report(c, false, path, "it is of a request whose answer the journal does not know", "the daemon asks again",
		       REPAIR_NONE);
	else
		report(c, true, path, "it is an attempt that the journal does not know",
		       "the journal was cut: put the missing files of journal/ back from a copy; or somebody made this directory: "
		       "creel verify --repair moves it aside",
		       REPAIR_ASIDE);
}

/* rest is below the execution's directory. */
static void check_entry(struct checking *c, const char *rest)
{
	AUTO_FREE char *path = xasprintf("%s/%s", c->dir, rest);
	struct member m = {0};

	if (member_parse_rest(rest, &m, NULL) < 0)
		report(c, false, path, "no execution has a file of that name", "move it elsewhere", REPAIR_NONE);
	else if (m.kind != MEMBER_ACTION && !export_knows(c->l->exec, &m))
		check_unknown(c, path, &m);
}

static void check_dir(struct checking *c, const char *rest, bool deeper)
{
	AUTO_FREE char *path = xasprintf("%s/%s", c->dir, rest);
	const char *name;
	struct err e = {0};
	DIR *handle = fs_dir_open(c->v->s->fd[SPOOL_ROOT], path, &e);

	while (handle && (name = fs_dir_next(handle, &e))) {
		AUTO_FREE char *below = xasprintf("%s/%s", rest, name);

		if (name[0] == '.')
			continue;
		check_entry(c, below);
		if (deeper)
			check_dir(c, below, false);
	}
	if (handle)
		closedir(handle);
	if (e.code && e.code != ENOENT && e.code != ENOTDIR)
		verify_unable(c->v, path, &e);
}

static void check_outputs(struct checking *c)
{
	int dir;
	struct err e = {0};

	dir = fs_open_dir(c->v->s->fd[SPOOL_ROOT], c->dir, &e);
	if (dir < 0 || outputs_check(dir, c->l->exec, &e) < 0) {
		if (e.code == EBADMSG || e.code == ENOENT)
			report(c, true, c->dir, e.text, "creel rebuild makes it anew, if it stands in the journal; else put it back from "
							"a copy", REPAIR_NONE);
		else
			verify_unable(c->v, c->dir, &e);
	}
	if (dir >= 0)
		close(dir);
}

/* ---- all of it ---- */

static bool look_at_links(struct checking *c)
{
	char link[SPOOL_PATH_MAX];

	spool_active_path(c->id, link);
	c->active = verify_is_there(c->v, link);
	spool_quarantine_path(c->id, link);
	c->apart = verify_is_there(c->v, link);
	return c->active;
}

static void report_unloaded(struct checking *c, const struct err *e)
{
	if (e->code == ENOENT && !fs_exists(c->v->s->fd[SPOOL_ROOT], c->dir)) { /* creel gc was quicker */
		c->v->counts->executions--;
		return;
	}
	if (err_is_passing(e->code) || e->code == EACCES || e->code == EPERM) {
		verify_unable(c->v, c->dir, e);
		return;
	}
	report(c, true, c->dir, e->text,
	       c->apart    ? "it is in quarantine, and its reason there says what to do"
	       : c->active ? "the daemon puts it into quarantine at its next start; put journal/ and plan.json back from a copy"
			   : "put journal/ and plan.json back from a copy",
	       REPAIR_NONE);
}

/* Beside a daemon what was read first may be old when the rest is read: has the journal gone on since? */
static bool has_moved(struct checking *c)
{
	bool active = c->active, apart = c->apart;
	struct err e;
	long last = journal_last(c->v->s, c->id, &e);

	look_at_links(c);
	return last < 0 || last > (long)c->l->seq + c->l->torn || c->active != active || c->apart != apart;
}

/* false: nothing of it counts, because it went on meanwhile.  last: whatever was found counts. */
static bool look(struct checking *c, bool last)
{
	struct loaded l;
	struct err e = {0};
	bool counts = true;

	if (journal_load(c->v->s, c->id, true, &l, &e) < 0) {
		look_at_links(c);
		report_unloaded(c, &e);
		return true;
	}
	c->l = &l;
	look_at_links(c);
	check_links(c);
	check_state(c);
	check_dir(c, "actions", true);
	if (c->v->how->outputs)
		check_outputs(c);
	if (c->found.n > 0 && !last && has_moved(c))
		counts = false;
	else
		c->v->counts->commits += l.seq;
	loaded_free(&l);
	return counts;
}

void verify_execution(struct verifier *v, const char *id)
{
	char dir[SPOOL_PATH_MAX];
	struct checking c = {.v = v, .id = id, .dir = dir};
	int looks = 1;

	spool_execution_path(id, dir);
	v->counts->executions++;
	while (!look(&c, looks == LOOKS)) {
		forget_found(&c);
		looks++;
	}
	tell_found(&c);
}
