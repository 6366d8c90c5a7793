#include "store/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/vec.h"
#include "store/hold.h"
#include "store/write.h"

enum { ROUND = 64, PAUSE_MOST_MS = 10000 };

static DIR *open_dir(const struct spool *s, const char *name)
{
	int fd = fs_open_dir(s->fd[SPOOL_ROOT], name, NULL);
	DIR *handle = fd < 0 ? NULL : fdopendir(fd);

	if (!handle && fd >= 0)
		close(fd);
	return handle;
}

/* ---- telling ---- */

static void put_line(struct buf *b, const struct stored *one, const struct sweep_order *order)
{
	char when[CLOCK_TEXT];

	clock_format(clock_wall(), when);
	buf_printf(b, "{\"type\":\"execution.removed\",\"at\":\"%s\",\"execution\":\"%s\"", when, one->id);
	if (one->status < STORED_ENDED_COUNT) {
		clock_format(one->ended, when);
		buf_printf(b, ",\"status\":\"%s\",\"endedAt\":\"%s\"", stored_status_name(one->status), when);
	}
	buf_puts(b, ",\"reason\":");
	buf_json_string(b, order->reason, strlen(order->reason));
	if (order->archive) {
		buf_puts(b, ",\"archive\":");
		buf_json_string(b, order->archive, strlen(order->archive));
	}
	buf_puts(b, "}\n");
}

static int tell(struct sweep *w, struct err *e)
{
	char day[CLOCK_TEXT];

	if (w->lines.len == 0)
		return 0;
	clock_format(clock_wall(), day);
	day[10] = '\0';
	if (events_append(w->s, day, w->lines.p, w->lines.len, e) < 0 || events_sync(w->s, day, e) < 0)
		return -1;
	buf_reset(&w->lines);
	return 0;
}

/* ---- out of executions/ ---- */

static void release(int *fds, size_t n)
{
	while (n-- > 0)
		close(fds[n]);
}

static int move_all(struct sweep *w, const struct sweep_order *o, struct err *e)
{
	size_t k;

	for (k = 0; k < o->n; k++) {
		char from[SPOOL_PATH_MAX], to[SPOOL_PATH_MAX];

		spool_execution_path(o->members[k]->id, from);
		spool_gone_path(o->members[k]->id, to);
		if (renameat(w->s->fd[SPOOL_ROOT], from, w->s->fd[SPOOL_ROOT], to) < 0)
			return err_sys(e, errno, "cannot move %s to %s", from, to);
		vec_push(&w->gone, *o->members[k]);
		put_line(&w->lines, o->members[k], o);
	}
	return 0;
}

static int check_all(struct sweep *w, const struct sweep_order *o, struct err *e)
{
	uint32_t seq;
	size_t k;

	for (k = 0; k < o->n; k++) {
		if (stored_is_over(w->s, o->members[k], &seq, e) < 0)
			return -1;
		if (o->seqs && o->seqs[k] != seq)
			return err_set(e, EBUSY, "it has changed since it was archived");
	}
	return 0;
}

int sweep_execution(struct sweep *w, const struct sweep_order *o, struct err *e)
{
	AUTO_FREE int *fds = xreallocarray(NULL, o->n, sizeof *fds);
	size_t held;
	int r = 0;

	if (!w->began)
		w->began = clock_mono();
	for (held = 0; r == 0 && held < o->n; held += r == 0) {
		fds[held] = hold_alone(w->s, o->members[held]->id, e);
		if (fds[held] < 0)
			r = -1;
	}
	if (r == 0)
		r = check_all(w, o, e);
	if (r == 0 && !w->dry)
		r = move_all(w, o, e);
	release(fds, held);
	if (w->gone.n >= ROUND) {
		struct err later;

		if (sweep_finish(w, &later) < 0 && r == 0) {
			*e = later;
			r = -1;
		}
	}
	return r;
}

/* ---- deleting ---- */

/* Everything below name, deep or not: what lies deeper than descriptors reach is moved up first.  What an action
 * made read-only is made writable. */
static int empty_dir(int top, int dir, const char *name, unsigned depth, unsigned *moved, struct err *e);

static int remove_one(int top, int dir, const char *name, unsigned depth, unsigned *moved, struct err *e)
{
	enum { DEEP = 64 };
	char up[32];

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_sys(e, errno, "cannot remove %s", name);
	if (unlinkat(dir, name, AT_REMOVEDIR) == 0)
		return 0;
	if (depth < DEEP)
		return empty_dir(top, dir, name, depth, moved, e);
	do
		snprintf(up, sizeof up, ".deep.%u", (*moved)++);
	while (fs_exists(top, up));
	return renameat(dir, name, top, up) < 0 ? err_sys(e, errno, "cannot move %s up", name) : 0;
}

static int empty_dir(int top, int dir, const char *name, unsigned depth, unsigned *moved, struct err *e)
{
	int fd = fs_open_dir(dir, name, e), r = 0;
	struct dirent *entry;
	DIR *handle;

	if (fd < 0 && e->code == EACCES && fchmodat(dir, name, 0700, 0) == 0)
		fd = fs_open_dir(dir, name, e);
	if (fd < 0)
		return -1;
	if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0 && fchmod(fd, 0700) < 0)
		r = err_sys(e, errno, "cannot make %s writable", name);
	handle = r == 0 ? fdopendir(fd) : NULL;
	if (!handle) {
		close(fd);
		return r < 0 ? r : err_sys(e, ENOMEM, "cannot read directory %s", name);
	}
	while (r == 0 && (entry = readdir(handle)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = remove_one(depth == 0 ? fd : top, fd, entry->d_name, depth + 1, moved, e);
	closedir(handle);
	if (r == 0 && unlinkat(dir, name, AT_REMOVEDIR) < 0)
		r = err_sys(e, errno, "cannot remove directory %s", name);
	return r;
}

static int delete_tree(const struct spool *s, const char *path, struct err *e)
{
	unsigned moved = 0, before;
	int r;

	/* What was moved up while the directory was read may have been passed over: again, as long as that happens. */
	do {
		before = moved;
		r = empty_dir(-1, s->fd[SPOOL_ROOT], path, 0, &moved, e);
	} while (r < 0 && e->code == ENOTEMPTY && moved != before);
	if (r < 0 && e->code == ENOTEMPTY)
		r = empty_dir(-1, s->fd[SPOOL_ROOT], path, 0, &moved, e);
	return r < 0 && e->code == ENOENT ? 0 : r;
}

static void report(struct sweep *w, const char *path, int r, const struct err *e)
{
	if (w->visit)
		w->visit(w->ctx, path, r < 0 ? e->text : NULL);
}

static void delete_all(struct sweep *w)
{
	size_t k;

	for (k = 0; k < w->gone.n; k++) {
		char path[SPOOL_PATH_MAX];
		struct err e;
		int r;

		spool_gone_path(w->gone.v[k].id, path);
		r = delete_tree(w->s, path, &e);
		if (r < 0) /* it is gone for everybody but the disk; the next one tries again */
			report(w, path, r, &e);
	}
	w->gone.n = 0;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct stored *)a)->id, ((const struct stored *)b)->id);
}

static int flush_moves(struct sweep *w, struct err *e)
{
	char day[SPOOL_PATH_MAX], last[SPOOL_PATH_MAX] = "";
	size_t k;

	qsort(w->gone.v, w->gone.n, sizeof *w->gone.v, by_id);
	for (k = 0; k < w->gone.n; k++) {
		spool_execution_day(w->gone.v[k].id, day);
		if (strcmp(day, last) != 0 && fs_sync_dir(w->s->fd[SPOOL_ROOT], day, e) < 0)
			return -1;
		strcpy(last, day);
	}
	return fs_sync_dir(w->s->fd[SPOOL_ROOT], spool_dir_name(SPOOL_TMP), e);
}

static int pause_after(struct sweep *w, struct err *e)
{
	msec took = clock_mono() - w->began;

	w->began = 0;
	if (!w->gently)
		return 0;
	return hold_lend(w->held, took < 1 ? 1 : took > PAUSE_MOST_MS ? PAUSE_MOST_MS : took, e);
}

int sweep_finish(struct sweep *w, struct err *e)
{
	if (w->gone.n > 0) {
		/* What is not known to be out of executions/ must not lose its parts. */
		if (flush_moves(w, e) < 0 || tell(w, e) < 0) {
			vec_free(&w->gone);
			buf_free(&w->lines);
			return -1;
		}
		delete_all(w);
		if (pause_after(w, e) < 0)
			return -1;
	}
	vec_free(&w->gone);
	buf_free(&w->lines);
	return 0;
}

/* ---- what a kill left ---- */

static bool id_before(const char *name, const char *suffix, char id[UUID_TEXT])
{
	if (strlen(name) != UUID_TEXT - 1 + strlen(suffix) || !text_ends_with(name, suffix))
		return false;
	memcpy(id, name, UUID_TEXT - 1);
	id[UUID_TEXT - 1] = '\0';
	return uuid_is_v7(id);
}

bool sweep_has_leftovers(const struct spool *s)
{
	DIR *handle = open_dir(s, spool_dir_name(SPOOL_TMP));
	struct dirent *entry;
	char id[UUID_TEXT];
	bool found = false;

	while (handle && !found && (entry = readdir(handle)))
		found = id_before(entry->d_name, ".gone", id) || id_before(entry->d_name, ".import", id);
	if (handle)
		closedir(handle);
	return found;
}

int sweep_leftovers(struct sweep *w, struct err *e)
{
	static const struct sweep_order order = {.reason = "its removal was interrupted, and is finished now"};
	DIR *handle = open_dir(w->s, spool_dir_name(SPOOL_TMP));
	struct dirent *entry;

	while (handle && (entry = readdir(handle))) {
		struct stored one = {.status = STORED_UNREADABLE};
		char path[SPOOL_PATH_MAX];
		struct err why;
		int r;

		if (id_before(entry->d_name, ".gone", one.id)) {
			vec_push(&w->gone, one);
			put_line(&w->lines, &one, &order); /* it may stand there already; none is missing */
			spool_gone_path(one.id, path);
			report(w, path, 0, NULL);
		} else if (id_before(entry->d_name, ".import", one.id)) {
			spool_import_path(one.id, path);
			r = w->dry ? 0 : delete_tree(w->s, path, &why);
			report(w, path, r, &why);
		}
	}
	if (handle)
		closedir(handle);
	if (!w->dry)
		return sweep_finish(w, e);
	vec_free(&w->gone);
	buf_free(&w->lines);
	return 0;
}

/* ---- beside executions ---- */

static void remove_file(struct sweep *w, enum spool_dir dir, const char *name)
{
	AUTO_FREE char *path = xasprintf("%s/%s", spool_dir_name(dir), name);
	struct err e = {0};
	int r = 0;

	if (!w->dry && unlinkat(w->s->fd[SPOOL_ROOT], path, 0) < 0 && errno != ENOENT)
		r = errno == EISDIR || errno == EPERM ? delete_tree(w->s, path, &e)
						      : err_sys(&e, errno, "cannot remove %s", path);
	report(w, path, r, &e);
}

void sweep_events(struct sweep *w, msec before)
{
	DIR *handle = open_dir(w->s, spool_dir_name(SPOOL_EVENTS));
	struct dirent *entry;
	char day[CLOCK_TEXT];

	clock_format(before, day);
	while (handle && (entry = readdir(handle))) {
		int y, m, d, end = 0;

		if (sscanf(entry->d_name, "%4d-%2d-%2d.jsonl%n", &y, &m, &d, &end) == 3 && end == 16 &&
		    !entry->d_name[end] && strncmp(entry->d_name, day, 10) < 0)
			remove_file(w, SPOOL_EVENTS, entry->d_name);
	}
	if (handle)
		closedir(handle);
}

/* 20261121T053244886Z-NAME or 20261121T053244886Z.3-NAME */
static bool rejected_at(const char *name, msec *at)
{
	char text[CLOCK_TEXT];

	if (strspn(name, "0123456789") != 8 || name[8] != 'T' || strspn(name + 9, "0123456789") != 9 || name[18] != 'Z' ||
	    (name[19] != '-' && name[19] != '.'))
		return false;
	snprintf(text, sizeof text, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2s.%.3sZ", name, name + 4, name + 6, name + 9, name + 11,
		 name + 13, name + 15);
	return clock_parse(text, at);
}

void sweep_rejected(struct sweep *w, msec before)
{
	DIR *handle = open_dir(w->s, spool_dir_name(SPOOL_REJECTED));
	struct dirent *entry;
	int round;

	/* First the files, then what explains them. */
	for (round = 0; handle && round < 2; round++) {
		rewinddir(handle);
		while ((entry = readdir(handle))) {
			msec at;

			if (rejected_at(entry->d_name, &at) && at < before &&
			    text_ends_with(entry->d_name, ".error.json") == (round == 1))
				remove_file(w, SPOOL_REJECTED, entry->d_name);
		}
	}
	if (handle)
		closedir(handle);
}

static bool is_empty(const struct spool *s, const char *path)
{
	DIR *handle = open_dir(s, path);
	struct dirent *entry;
	bool empty = handle != NULL;

	while (handle && empty && (entry = readdir(handle)))
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	if (handle)
		closedir(handle);
	return empty;
}

void sweep_days(struct sweep *w, msec now)
{
	DIR *handle = open_dir(w->s, spool_dir_name(SPOOL_EXECUTIONS));
	struct dirent *entry;
	char today[CLOCK_TEXT];

	/* In a day that is not over an execution may be placed at any moment; by a clock that is behind, in the one
	 * before. */
	clock_format(now - 2 * (msec)86400000, today);
	while (handle && (entry = readdir(handle))) {
		AUTO_FREE char *path = xasprintf("%s/%s", spool_dir_name(SPOOL_EXECUTIONS), entry->d_name);
		int y, m, d, end = 0;

		if (sscanf(entry->d_name, "%4d-%2d-%2d%n", &y, &m, &d, &end) != 3 || entry->d_name[end] ||
		    strncmp(entry->d_name, today, 10) > 0 || !is_empty(w->s, path))
			continue;
		if (w->dry || unlinkat(w->s->fd[SPOOL_ROOT], path, AT_REMOVEDIR) == 0)
			report(w, path, 0, NULL);
	}
	if (handle)
		closedir(handle);
}
