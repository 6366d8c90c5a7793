#include "store/export.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/vec.h"
#include "store/hold.h"
#include "store/journal.h"
#include "store/member.h"
#include "store/state_file.h"

struct copy {
	const struct spool *s;
	const struct loaded *l;
	struct tarball *t;
	struct exported *out;
	int dir;          /* the execution's */
	const char *base; /* its path */
};

/* ---- one entry ---- */

static void leave_out(struct copy *c, const char *path, const char *why)
{
	if (c->out->left_out++ == 0)
		snprintf(c->out->why_left_out, sizeof c->out->why_left_out, "%.180s: %.200s", path, why);
}

static const char no_such[] = "no execution has a file of that name: move it elsewhere";

static int add_file(struct copy *c, int dir, const char *name, const char *path, struct err *e)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY), r;

	if (fd < 0 && errno == ENOENT)
		return 0; /* it was a temporary, or an action removed it */
	if (fd < 0) {
		leave_out(c, path, strerror(errno));
		return 0;
	}
	r = tarball_add_fd(c->t, path, fd, e);
	close(fd);
	if (r > 0)
		leave_out(c, path, e->text);
	return r < 0 ? -1 : 0;
}

static int add_link(struct copy *c, int dir, const char *name, const char *path, time_t mtime, struct err *e)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir, name, target, sizeof target - 1);

	if (n < 0) {
		if (errno != ENOENT)
			leave_out(c, path, strerror(errno));
		return 0;
	}
	target[n] = '\0';
	return tarball_add_link(c->t, path, target, mtime, e);
}

/* ---- whatever an action put below its attempt ---- */

static int add_tree(struct copy *c, int dir, const char *name, const char *path, unsigned depth, bool result,
		    struct err *e);

static int add_any(struct copy *c, int dir, const char *name, const char *path, unsigned depth, struct err *e)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			leave_out(c, path, strerror(errno));
		return 0;
	}
	if (S_ISREG(st.st_mode))
		return add_file(c, dir, name, path, e);
	if (S_ISLNK(st.st_mode))
		return add_link(c, dir, name, path, st.st_mtime, e);
	if (S_ISDIR(st.st_mode))
		return add_tree(c, dir, name, path, depth + 1, true, e);
	return 0; /* a FIFO, socket or device has no content */
}

static int add_tree(struct copy *c, int dir, const char *name, const char *path, unsigned depth, bool result,
		    struct err *e)
{
	const char *entry;
	struct stat st;
	DIR *handle;
	int r;

	/* What is deeper than an import takes is not begun: see member.h. */
	if (depth > MEMBER_DEPTH_MAX - 8 || strlen(path) > MEMBER_PATH_MAX - MEMBER_NAME_MAX) {
		leave_out(c, path, "it lies too deep, or its name is too long");
		return 0;
	}
	handle = fs_dir_open(dir, name, e);
	if (!handle) {
		if (e->code != ENOENT)
			leave_out(c, path, e->text);
		return 0;
	}
	r = fstat(dirfd(handle), &st) < 0 ? err_sys(e, errno, "cannot look at %s", path)
					  : tarball_add_dir(c->t, path, st.st_mtime, e);
	while (r == 0 && (entry = fs_dir_next(handle, e))) {
		AUTO_FREE char *below = xasprintf("%s/%s", path, entry);

		if (result || strcmp(entry, "result.json") != 0)
			r = add_any(c, dirfd(handle), entry, below, depth, e);
	}
	closedir(handle);
	if (r == 0 && e->code)
		leave_out(c, path, e->text);
	return r;
}

/* ---- what the journal knows ---- */

static bool is_answered(const struct exec *x, uint32_t action, uint32_t number)
{
	size_t k;

	for (k = 0; k < x->asked.n; k++)
		if (x->asked.v[k].action == action && x->asked.v[k].number == number)
			return x->asked.v[k].responded != 0;
	return false;
}

bool export_knows(const struct exec *x, const struct member *m)
{
	uint32_t action = plan_find(x->plan, m->action);

	if (action == NO_ACTION)
		return false;
	if (m->kind == MEMBER_CONFIRM)
		return is_answered(x, action, m->number) ||
		       (m->number <= x->a[action].asked && x->a[action].phase != PH_CONFIRM &&
			x->a[action].phase != PH_ASKING);
	return m->kind == MEMBER_ATTEMPT && m->number <= x->a[action].attempt;
}

static int add_attempt(struct copy *c, int dir, const char *name, const char *path, const struct member *m,
		       struct err *e)
{
	const struct action_state *a = &c->l->exec->a[plan_find(c->l->plan, m->action)];
	AUTO_FREE char *file = xasprintf("%s/result.json", name);
	/* It appears last: what was copied before it came would be less than it speaks of. */
	bool ended = m->kind == MEMBER_CONFIRM || a->phase != PH_RUNNING || m->number != a->attempt || fs_exists(dir, file);

	return add_tree(c, dir, name, path, 4, ended, e);
}

typedef int (*each_entry)(struct copy *c, int dir, const char *name, const char *rest, struct err *e);

/* Call what for each entry of the directory rest; none if there is none. */
static int for_each(struct copy *c, const char *rest, each_entry what, struct err *e)
{
	bool top = strcmp(rest, ".") == 0;
	AUTO_FREE char *path = xasprintf("%s/%s", c->base, rest);
	const char *entry;
	struct stat st;
	DIR *handle = fs_dir_open(c->dir, rest, e);
	int r = 0;

	if (!handle)
		return e->code == ENOENT ? 0 : -1;
	if (!top)
		r = fstat(dirfd(handle), &st) < 0 ? err_sys(e, errno, "cannot look at %s", path)
						  : tarball_add_dir(c->t, path, st.st_mtime, e);
	while (r == 0 && (entry = fs_dir_next(handle, e))) {
		AUTO_FREE char *below = top ? xstrdup(entry) : xasprintf("%s/%s", rest, entry);

		r = what(c, dirfd(handle), entry, below, e);
	}
	closedir(handle);
	return r == 0 && e->code ? err_prefix(e, "%s", path) : r;
}

static int add_below_action(struct copy *c, int dir, const char *name, const char *rest, struct err *e)
{
	AUTO_FREE char *path = xasprintf("%s/%s", c->base, rest);
	struct member m = {0};
	struct err ignored;

	if (member_parse_rest(rest, &m, &ignored) < 0) {
		if (c->out->over && name[0] != '.')
			leave_out(c, path, no_such);
		return 0;
	}
	/* An attempt that began, or a question that was answered, after the last commit is not part of the copy. */
	if (export_knows(c->l->exec, &m))
		return add_attempt(c, dir, name, path, &m, e);
	if (c->out->over)
		leave_out(c, path, "its journal does not know it"); /* nothing can have begun since */
	return 0;
}

static int add_action(struct copy *c, int dir, const char *name, const char *rest, struct err *e)
{
	struct member m = {0};
	struct err ignored;

	(void)dir;
	if (member_parse_rest(rest, &m, &ignored) == 0 && plan_find(c->l->plan, m.action) != NO_ACTION)
		return for_each(c, rest, add_below_action, e);
	if (c->out->over && name[0] != '.')
		leave_out(c, rest, no_such);
	return 0;
}

static int add_control(struct copy *c, int dir, const char *name, const char *rest, struct err *e)
{
	AUTO_FREE char *path = xasprintf("%s/%s", c->base, rest);
	struct member m = {0};
	struct err ignored;
	struct stat st;

	if (member_parse_rest(rest, &m, &ignored) == 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode)) {
		if (m.number <= c->l->seq)
			return add_file(c, dir, name, path, e);
	} else if (c->out->over && name[0] != '.') {
		leave_out(c, path, no_such);
	}
	return 0;
}

static int add_torn(struct copy *c, int dir, const char *name, const char *rest, struct err *e)
{
	AUTO_FREE char *path = xasprintf("%s/%s", c->base, rest);
	struct member m = {0};
	struct err ignored;

	if (member_parse_rest(rest, &m, &ignored) < 0) {
		if (c->out->over && name[0] != '.')
			leave_out(c, path, no_such);
		return 0;
	}
	return m.kind == MEMBER_TORN ? add_file(c, dir, name, path, e) : 0;
}

static int add_journal(struct copy *c, struct err *e)
{
	uint32_t seq;
	int r = for_each(c, "journal", add_torn, e);

	for (seq = 1; r == 0 && seq <= c->l->seq; seq++) {
		char rest[32];
		AUTO_FREE char *path = NULL;

		snprintf(rest, sizeof rest, "journal/%08u.json", seq);
		path = xasprintf("%s/%s", c->base, rest);
		r = add_file(c, c->dir, rest, path, e);
	}
	return r;
}

static int add_top(struct copy *c, int dir, const char *name, const char *rest, struct err *e)
{
	AUTO_FREE char *path = xasprintf("%s/%s", c->base, rest);
	struct member m = {0};
	struct err ignored;

	if (member_parse_rest(rest, &m, &ignored) < 0) {
		if (name[0] != '.')
			leave_out(c, path, no_such);
		return 0;
	}
	if (m.kind == MEMBER_PLAN || m.kind == MEMBER_SOURCE || m.kind == MEMBER_EMPTY)
		return add_file(c, dir, name, path, e);
	return 0;
}

static int add_state(struct copy *c, struct err *e)
{
	AUTO_BUF struct buf text = BUF_INIT;
	AUTO_FREE char *path = xasprintf("%s/state.json", c->base);
	struct state_marks marks = {c->l->seq, c->l->events_seq < c->l->seq ? c->l->events_seq : c->l->seq};
	struct stat st;
	time_t mtime = fstatat(c->dir, "state.json", &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_mtime : time(NULL);

	state_encode(&text, c->s, c->l->exec, &marks);
	return tarball_add_bytes(c->t, path, text.p, text.len, mtime, e);
}

static void describe(const struct loaded *l, struct exported *out)
{
	*out = (struct exported){.seq = l->seq, .over = l->exec->outcome != OUTCOME_NONE};
	strcpy(out->head, l->prev);
	snprintf(out->name, sizeof out->name, "%s", l->plan->name);
	snprintf(out->status, sizeof out->status, "%s", exec_status(l->exec));
}

static int copy_all(struct copy *c, struct err *e)
{
	struct stat st;

	if (fstat(c->dir, &st) < 0)
		return err_sys(e, errno, "cannot look at %s", c->base);
	if (tarball_add_dir(c->t, c->base, st.st_mtime, e) < 0 || for_each(c, ".", add_top, e) < 0 ||
	    add_journal(c, e) < 0 || add_state(c, e) < 0 || for_each(c, "control", add_control, e) < 0)
		return -1;
	return for_each(c, "actions", add_action, e);
}

int export_execution(const struct spool *s, const char *id, struct tarball *t, struct exported *out, struct err *e)
{
	char base[SPOOL_PATH_MAX];
	struct loaded l;
	struct copy c = {.s = s, .l = &l, .t = t, .out = out, .base = base};
	int r;

	*out = (struct exported){0};
	c.dir = hold_shared(s, id, e);
	if (c.dir < 0)
		return -1;
	spool_execution_path(id, base);
	r = journal_load(s, id, true, &l, e);
	if (r == 0) {
		describe(&l, out);
		out->begun = true;
		r = copy_all(&c, e);
		loaded_free(&l);
	}
	close(c.dir);
	return r < 0 ? err_prefix(e, "execution %s", id) : 0;
}

/* ---- trees ---- */

void id_set_free(struct id_set *set)
{
	vec_free(set);
}

static bool has(const struct id_set *set, const char *id)
{
	size_t k;

	for (k = 0; k < set->n; k++)
		if (strcmp(set->v[k], id) == 0)
			return true;
	return false;
}

static void add_id(struct id_set *set, const char *id)
{
	if (set->n == set->cap) {
		set->cap = set->cap ? set->cap * 2 : 8;
		set->v = xreallocarray(set->v, set->cap, sizeof *set->v);
	}
	memcpy(set->v[set->n++], id, UUID_TEXT);
}

static void take_children(void *ctx, const char *text, size_t n, uint32_t seq)
{
	json_t *c = json_loadb(text, n, 0, NULL), *ev;
	struct id_set *found = ctx;
	size_t k;

	(void)seq;
	json_array_foreach(json_object_get(c, "events"), k, ev) {
		const char *child = json_string_value(json_object_get(ev, "child"));

		if (child && uuid_is_v7(child) && !has(found, child))
			add_id(found, child);
	}
	json_decref(c);
}

static int greatest_first(const void *a, const void *b)
{
	return strcmp(b, a);
}

int export_tree(const struct spool *s, const char *id, struct id_set *out, struct err *e)
{
	char path[SPOOL_PATH_MAX];
	size_t k, kept = 0;

	*out = (struct id_set){0};
	add_id(out, id);
	for (k = 0; k < out->n; k++) {
		spool_execution_path(out->v[k], path);
		if (k > 0 && !fs_exists(s->fd[SPOOL_ROOT], path))
			continue;
		if (journal_each(s, out->v[k], NULL, 1, take_children, out, e) < 0) {
			id_set_free(out);
			return -1;
		}
	}
	for (k = 0; k < out->n; k++) {
		spool_execution_path(out->v[k], path);
		if (k == 0 || fs_exists(s->fd[SPOOL_ROOT], path))
			memmove(out->v[kept++], out->v[k], UUID_TEXT);
	}
	out->n = kept;
	qsort(out->v, out->n, sizeof *out->v, greatest_first); /* a child's id is younger */
	return 0;
}
