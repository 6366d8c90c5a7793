/*
 * import_check.c - does an unpacked execution add up?  As a daemon's own would, and with nothing that its journal does
 * not know.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "codec/plan_load.h"
#include "codec/schema.h"
#include "core/check.h"
#include "store/export.h"
#include "store/import_impl.h"
#include "store/journal.h"
#include "store/outputs.h"
#include "store/state_file.h"

enum { PLAN_MAX = 256 * 1024 * 1024 };

/* ---- the plan ---- */

/* What is admitted is checked, and the daemon relies on that. */
static int check_plan(int dir, struct err *e)
{
	AUTO_BUF struct buf text = BUF_INIT;
	struct diags found = DIAGS_INIT;
	struct plan *plan;
	json_t *root;

	if (fs_read(dir, "plan.json", PLAN_MAX, &text, e) < 0)
		return -1;
	root = json_loadb(buf_str(&text), text.len, 0, NULL);
	if (!root)
		return err_set(e, EBADMSG, "plan.json is no JSON");
	schema_check(schema_builtin("execution-plan"), root, "", &found);
	plan = found.n == 0 ? plan_load(root, &found) : NULL;
	if (plan && found.n == 0)
		plan_check(plan, &found);
	if (found.n > 0)
		err_set(e, EBADMSG, "plan.json is no plan that can run: %s: %s", found.v[0].pointer, found.v[0].message);
	plan_free(plan);
	json_decref(root);
	return found.n > 0 ? (diags_free(&found), -1) : 0;
}

/* ---- what lies there ---- */

struct looking {
	const struct exec *x;
	const char *path; /* actions/ACTION */
};

static int check_one_below(void *looking, int dir, const char *name, struct err *e)
{
	const struct looking *l = looking;
	AUTO_FREE char *rest = xasprintf("%s/%s", l->path, name);
	struct member m = {0};

	(void)dir;
	if (member_parse_rest(rest, &m, e) == 0 && export_knows(l->x, &m))
		return 0;
	return err_set(e, EBADMSG, "its journal does not know %s", rest);
}

static int check_action(void *x, int dir, const char *name, struct err *e)
{
	AUTO_FREE char *path = xasprintf("actions/%s", name);
	struct looking l = {x, path};

	if (plan_find(l.x->plan, name) == NO_ACTION)
		return err_set(e, EBADMSG, "its plan has no action \"%s\"", name);
	return fs_each(dir, name, check_one_below, &l, e);
}

static int check_attempts(int dir, const struct exec *x, struct err *e)
{
	if (fs_mkdir(dir, "actions", 0755, e) < 0) /* an archive may leave out a directory that is empty */
		return -1;
	return fs_each(dir, "actions", check_action, (void *)x, e);
}

static int write_state(int dir, const struct loaded *l, struct err *e)
{
	AUTO_BUF struct buf text = BUF_INIT;
	/* What happened elsewhere is not told again in this spool's events/. */
	struct state_marks marks = {l->seq, l->seq};

	state_encode_at(&text, dir, l->exec, &marks);
	return fs_publish(dir, "state.json", text.p, text.len, 0, e);
}

static int check_loaded(int dir, const struct loaded *l, struct err *e)
{
	if (l->torn)
		return err_set(e, EBADMSG, "its last commit is damaged");
	if (check_attempts(dir, l->exec, e) < 0 || outputs_check(dir, l->exec, e) < 0)
		return -1;
	return write_state(dir, l, e);
}

static void describe(const struct loaded *l, struct imported *one)
{
	one->seq = l->seq;
	one->over = l->exec->outcome != OUTCOME_NONE;
	strcpy(one->head, l->prev);
	snprintf(one->name, sizeof one->name, "%s", l->plan->name);
	snprintf(one->status, sizeof one->status, "%s", exec_status(l->exec));
}

int import_check(const struct spool *s, struct imported *one, struct err *e)
{
	char path[SPOOL_PATH_MAX];
	struct loaded l;
	int dir, r;

	spool_import_path(one->id, path);
	dir = fs_open_dir(s->fd[SPOOL_ROOT], path, e);
	if (dir < 0)
		return -1;
	r = check_plan(dir, e);
	if (r == 0)
		r = journal_load_from(s, dir, one->id, true, &l, e);
	if (r == 0) {
		describe(&l, one);
		r = check_loaded(dir, &l, e);
		loaded_free(&l);
	}
	close(dir);
	return r < 0 ? err_prefix(e, "execution %s", one->id) : 0;
}
