#include "store/import.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/vec.h"
#include "store/import_impl.h"
#include "store/write.h"

/* ---- placing ---- */

static int move(const struct spool *s, const char *from, const char *to, struct err *e)
{
	int root = s->fd[SPOOL_ROOT];

	if (syscall(SYS_renameat2, root, from, root, to, 1 /* RENAME_NOREPLACE */) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS) /* a file system that cannot refuse to replace */
		return err_sys(e, errno, "cannot move %s into place", to);
	if (fs_exists(root, to))
		return err_set(e, EEXIST, "%s is there already", to);
	return renameat(root, from, root, to) < 0 ? err_sys(e, errno, "cannot move %s into place", to) : 0;
}

/* The link comes before the directory, so that a kill leaves none that nobody goes on with, and after it once more: a
 * daemon that started in between has removed what led nowhere. */
static int place(const struct spool *s, struct imported *one, struct err *e)
{
	char from[SPOOL_PATH_MAX], to[SPOOL_PATH_MAX], day[SPOOL_PATH_MAX];

	spool_import_path(one->id, from);
	spool_execution_path(one->id, to);
	spool_execution_day(one->id, day);
	if (fs_mkdir(s->fd[SPOOL_ROOT], day, 0755, e) < 0)
		return -1;
	if (!one->over && active_link(s, one->id, e) < 0)
		return -1;
	if (move(s, from, to, e) < 0) {
		active_remove(s, one->id, NULL);
		return -1;
	}
	one->placed = true;
	if (!one->over && active_link(s, one->id, e) < 0)
		return -1;
	if (fs_sync_dir(s->fd[SPOOL_ROOT], day, e) < 0)
		return -1;
	return fs_sync_dir(s->fd[SPOOL_ROOT], spool_dir_name(SPOOL_EXECUTIONS), e);
}

static int youngest_first(const void *a, const void *b)
{
	return strcmp(((const struct imported *)b)->id, ((const struct imported *)a)->id);
}

static int place_all(const struct spool *s, struct imports *l, struct err *e)
{
	size_t k;

	/* A child is younger than what runs it, and must be found when that is taken up. */
	qsort(l->v, l->n, sizeof *l->v, youngest_first);
	for (k = 0; k < l->n; k++)
		if (place(s, &l->v[k], e) < 0)
			return -1;
	return 0;
}

/* ---- telling ---- */

static void put_by(struct buf *b)
{
	char space[4096];
	struct passwd pw, *found = NULL;

	buf_printf(b, ",\"by\":{\"uid\":%u,\"user\":", geteuid());
	if (getpwuid_r(geteuid(), &pw, space, sizeof space, &found) == 0 && found)
		buf_json_string(b, pw.pw_name, strlen(pw.pw_name));
	else
		buf_printf(b, "\"%u\"", geteuid());
	buf_putc(b, '}');
}

static int tell(const struct spool *s, const struct import_order *o, const struct imports *l, struct err *e)
{
	AUTO_BUF struct buf b = BUF_INIT;
	const char *slash = strrchr(o->file, '/'), *name = slash ? slash + 1 : o->file;
	char when[CLOCK_TEXT];
	size_t k;

	clock_format(clock_wall(), when);
	for (k = 0; k < l->n; k++) {
		const struct imported *one = &l->v[k];

		if (!one->placed)
			continue;
		buf_printf(&b, "{\"type\":\"execution.imported\",\"at\":\"%s\",\"execution\":\"%s\",\"commit\":%u,\"status\":\"%s\"",
			   when, one->id, one->seq, one->status);
		put_by(&b);
		buf_puts(&b, ",\"file\":");
		buf_json_string(&b, name, strlen(name));
		buf_puts(&b, "}\n");
	}
	when[10] = '\0';
	return b.len == 0 ? 0 : events_append(s, when, b.p, b.len, e);
}

/* ---- all of it ---- */

static int check_all(const struct spool *s, const struct import_order *o, struct imports *l, struct err *e)
{
	size_t k;

	for (k = 0; k < l->n; k++) {
		if (import_check(s, &l->v[k], e) < 0)
			return err_prefix(e, "%s", o->file);
		if (!l->v[k].over && !o->go_on)
			return err_set(e, EINVAL,
				       "%s: execution %s \"%s\" has not ended (%s): with --continue the daemon of this spool goes on with it, and "
				       "nobody else must",
				       o->file, l->v[k].id, l->v[k].name, l->v[k].status);
	}
	return 0;
}

static int check_head(const struct import_order *o, const struct imports *l, struct err *e)
{
	size_t k;

	for (k = 0; o->head && k < l->n; k++)
		if (strcmp(l->v[k].head, o->head) == 0)
			return 0;
	return o->head ? err_set(e, EBADMSG, "%s: no execution in it ends with the commit %s: it is another, was changed, or was cut",
				 o->file, o->head)
		       : 0;
}

static void clear(const struct spool *s, const struct imports *l)
{
	char path[SPOOL_PATH_MAX];
	struct err ignored; /* the next gc clears what is left */
	size_t k;

	for (k = 0; k < l->n; k++) {
		if (l->v[k].placed)
			continue;
		spool_import_path(l->v[k].id, path);
		fs_remove_tree(s->fd[SPOOL_ROOT], path, &ignored);
	}
}

int import_archive(const struct spool *s, const struct import_order *o, struct imports *out, struct err *e)
{
	struct err later;
	int r;

	*out = (struct imports){0};
	r = import_unpack(s, o, out, e);
	if (r == 0)
		r = check_all(s, o, out, e);
	if (r == 0)
		r = check_head(o, out, e);
	if (r == 0)
		r = spool_sync(s, e);
	if (r == 0)
		r = place_all(s, out, e);
	clear(s, out);
	if (tell(s, o, out, r == 0 ? e : &later) < 0)
		r = -1;
	return r;
}

void imports_free(struct imports *l)
{
	vec_free(l);
}
