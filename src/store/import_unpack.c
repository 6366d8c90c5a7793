/*
 * import_unpack.c - from an archive that nobody vouches for to directories below tmp/.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/tarball.h"
#include "base/text.h"
#include "base/vec.h"
#include "store/import_impl.h"
#include "store/member.h"

enum { CHUNK = 128 * 1024, LOOK_EVERY = 64 << 20, LOOK_EVERY_FILES = 1000, RESERVE = 256 << 20, RESERVE_INODES = 1000 };

struct unpacking {
	const struct spool *s;
	const struct import_order *o;
	struct imports *out;
	struct tarball *tar;
	int dir; /* of the execution in hand, below tmp/; -1: none */
	char id[UUID_TEXT];
	bool wanted;
	uint64_t bytes, files;     /* so far */
	uint64_t looked, looked_files; /* when the room was looked at */
	char *chunk;
};

/* ---- limits ---- */

/* What an archive claims must not fill the disk that the daemon writes to. */
static int check_room(struct unpacking *u, struct err *e)
{
	unsigned long long reserve = RESERVE, inodes = RESERVE_INODES;
	struct statvfs v;

	if (u->bytes - u->looked < LOOK_EVERY && u->files - u->looked_files < LOOK_EVERY_FILES && u->looked_files)
		return 0;
	u->looked = u->bytes;
	u->looked_files = u->files;
	if (fstatvfs(u->s->fd[SPOOL_ROOT], &v) < 0)
		return 0;
	if (reserve > (unsigned long long)v.f_blocks * v.f_frsize / 20) /* of a small disk a twentieth */
		reserve = (unsigned long long)v.f_blocks * v.f_frsize / 20;
	if (inodes > v.f_files / 20)
		inodes = v.f_files / 20;
	if ((unsigned long long)v.f_bavail * v.f_frsize <= reserve + LOOK_EVERY / 8)
		return err_set(e, ENOSPC, "the spool's disk would be full: %llu bytes are left", (unsigned long long)v.f_bavail * v.f_frsize);
	if (v.f_files && v.f_favail <= inodes)
		return err_set(e, ENOSPC, "the spool's disk would be full: %llu inodes are left", (unsigned long long)v.f_favail);
	return 0;
}

static int count(struct unpacking *u, uint64_t size, struct err *e)
{
	u->files++;
	if (u->files > u->o->max_files)
		return err_set(e, EFBIG, "the archive has more than %llu entries", (unsigned long long)u->o->max_files);
	if (size > u->o->max_bytes || u->bytes > u->o->max_bytes - size)
		return err_set(e, EFBIG, "what it unpacks to is larger than %llu bytes: --max-bytes allows more",
			       (unsigned long long)u->o->max_bytes);
	u->bytes += size;
	return check_room(u, e);
}

/* ---- an execution ---- */

static bool is_wanted(const struct unpacking *u, const char *id)
{
	size_t k;

	for (k = 0; k < u->o->n; k++)
		if (strcmp(u->o->ids[k], id) == 0)
			return true;
	return u->o->n == 0;
}

/* In executions/, or about to be. */
static int check_absent(const struct spool *s, const char *id, struct err *e)
{
	AUTO_FREE char *claim = xasprintf("%s/%s", spool_dir_name(SPOOL_TMP), id);
	AUTO_FREE char *reason = xasprintf("%s/%s.reason.json", spool_dir_name(SPOOL_QUARANTINE), id);
	char path[SPOOL_PATH_MAX], link[SPOOL_PATH_MAX];

	spool_execution_path(id, path);
	if (fs_exists(s->fd[SPOOL_ROOT], path))
		return err_set(e, EEXIST, "execution %s is there already", id);
	spool_active_path(id, link);
	if (fs_exists(s->fd[SPOOL_ROOT], link) || fs_exists(s->fd[SPOOL_ROOT], claim))
		return err_set(e, EEXIST, "execution %s is being made in this spool", id);
	spool_quarantine_path(id, link);
	if (fs_exists(s->fd[SPOOL_ROOT], link) || fs_exists(s->fd[SPOOL_ROOT], reason))
		return err_set(e, EEXIST, "execution %s is in quarantine here: remove %s and its reason first", id, link);
	return 0;
}

static int begin_execution(struct unpacking *u, const char *id, struct err *e)
{
	struct imported one = {0};
	char path[SPOOL_PATH_MAX];

	if (check_absent(u->s, id, e) < 0)
		return -1;
	spool_import_path(id, path);
	if (fs_remove_tree(u->s->fd[SPOOL_ROOT], path, e) < 0) /* what a kill left: nobody else imports */
		return -1;
	if (mkdirat(u->s->fd[SPOOL_ROOT], path, 0755) < 0)
		return err_sys(e, errno, "cannot make %s", path);
	strcpy(one.id, id);
	vec_push(u->out, one);
	return 0;
}

static int open_execution(struct unpacking *u, const char *id, struct err *e)
{
	char path[SPOOL_PATH_MAX];
	size_t k;

	if (strcmp(u->id, id) == 0)
		return 0;
	if (u->dir >= 0)
		close(u->dir);
	u->dir = -1;
	strcpy(u->id, id);
	u->wanted = is_wanted(u, id);
	if (!u->wanted)
		return 0;
	for (k = u->out->n; k-- > 0;)
		if (strcmp(u->out->v[k].id, id) == 0)
			break;
	if (k == SIZE_MAX && begin_execution(u, id, e) < 0)
		return -1;
	spool_import_path(id, path);
	u->dir = fs_open_dir(u->s->fd[SPOOL_ROOT], path, e);
	return u->dir < 0 ? -1 : 0;
}

/* ---- entries ---- */

static int make_parent(struct unpacking *u, const char *rest, struct err *e)
{
	const char *slash = strrchr(rest, '/');
	AUTO_FREE char *parent = slash ? xstrndup(rest, (size_t)(slash - rest)) : NULL;

	return parent ? fs_mkdir_all(u->dir, parent, 0755, e) : 0;
}

static int fill(struct unpacking *u, int fd, uint64_t size, struct err *e)
{
	uint64_t got = 0;
	ssize_t n;

	while ((n = tarball_read(u->tar, u->chunk, CHUNK, e)) > 0) {
		got += (uint64_t)n;
		if (got > size)
			return err_set(e, EBADMSG, "it is longer than the archive says");
		if (fs_write_all(fd, u->chunk, (size_t)n, e) < 0)
			return -1;
	}
	if (n < 0)
		return -1;
	return got == size ? 0 : err_set(e, EBADMSG, "it is cut short");
}

/* The lock of an attempt names processes of elsewhere.  That there was something in it says that the attempt began. */
static int write_lock(int fd, uint64_t size, struct err *e)
{
	static const char text[] = "imported\n";

	return size ? fs_write_all(fd, text, strlen(text), e) : 0;
}

static int unpack_file(struct unpacking *u, const struct member *m, const struct tarball_entry *t, struct err *e)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = t->mtime}};
	bool lock = m->kind == MEMBER_ATTEMPT && strcmp(m->below, "lock") == 0;
	int fd, r;

	if (make_parent(u, m->rest, e) < 0)
		return -1;
	fd = openat(u->dir, m->rest, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    m->kind == MEMBER_COMMIT ? 0444 : 0644);
	if (fd < 0)
		return errno == EEXIST ? err_set(e, EEXIST, "it stands in the archive twice")
				       : err_sys(e, errno, "cannot make it");
	r = lock ? write_lock(fd, t->size, e) : fill(u, fd, t->size, e);
	futimens(fd, times);
	if (close(fd) < 0 && r == 0)
		r = err_sys(e, errno, "cannot close it");
	return r;
}

static int unpack_dir(struct unpacking *u, const struct member *m, struct err *e)
{
	AUTO_FREE char *path = xstrdup(m->rest);
	size_t n = strlen(path);

	if (n > 0 && path[n - 1] == '/')
		path[n - 1] = '\0';
	return *path ? fs_mkdir_all(u->dir, path, 0755, e) : 0;
}

/* Directories are where directories are, and files where files are; below an attempt it may be either. */
static int check_kind(const struct member *m, const struct tarball_entry *t, struct err *e)
{
	bool either = (m->kind == MEMBER_ATTEMPT || m->kind == MEMBER_CONFIRM) && *m->below;

	if (t->kind == TARBALL_OTHER)
		return err_set(e, EBADMSG, "it is a device, a FIFO or a socket");
	if (!either && (t->kind == TARBALL_LINK || (t->kind == TARBALL_DIR) != member_is_dir(m)))
		return err_set(e, EBADMSG, "it is %s", t->kind == TARBALL_LINK ? "a link"
						       : t->kind == TARBALL_DIR ? "a directory" : "not a directory");
	return 0;
}

static int unpack_one(struct unpacking *u, const struct tarball_entry *t, struct err *e)
{
	struct member m;

	if (member_parse(t->path, &m, e) < 0 || check_kind(&m, t, e) < 0 || count(u, t->size, e) < 0)
		return -1;
	if (t->kind == TARBALL_LINK && !u->o->without_links)
		return err_set(e, EBADMSG, "it is a link, and a link may lead anywhere: --without-links leaves them out");
	if (m.kind == MEMBER_ABOVE || t->kind == TARBALL_LINK)
		return 0;
	if (open_execution(u, m.id, e) < 0)
		return -1;
	if (!u->wanted || m.kind == MEMBER_STATE) /* that is made anew from the journal */
		return 0;
	return t->kind == TARBALL_DIR ? unpack_dir(u, &m, e) : unpack_file(u, &m, t, e);
}

static int unpack_all(struct unpacking *u, struct err *e)
{
	struct tarball_entry t;
	int r;

	while ((r = tarball_next(u->tar, &t, e)) > 0)
		if (unpack_one(u, &t, e) < 0) {
			AUTO_BUF struct buf shown = BUF_INIT;

			text_escape(&shown, t.path, strnlen(t.path, 300));
			return err_prefix(e, "%s", buf_str(&shown));
		}
	return r;
}

static int check_found(const struct unpacking *u, struct err *e)
{
	size_t k, i;

	for (k = 0; k < u->o->n; k++) {
		for (i = 0; i < u->out->n && strcmp(u->out->v[i].id, u->o->ids[k]) != 0;)
			i++;
		if (i == u->out->n)
			return err_set(e, ENOENT, "it does not hold execution %s", u->o->ids[k]);
	}
	return u->out->n ? 0 : err_set(e, EBADMSG, "it holds no execution");
}

int import_unpack(const struct spool *s, const struct import_order *o, struct imports *out, struct err *e)
{
	struct unpacking u = {.s = s, .o = o, .out = out, .dir = -1};
	int r;

	u.tar = tarball_open(o->file, e);
	if (!u.tar)
		return -1;
	u.chunk = xmalloc(CHUNK);
	r = unpack_all(&u, e);
	if (r == 0)
		r = check_found(&u, e);
	if (u.dir >= 0)
		close(u.dir);
	tarball_close(u.tar);
	free(u.chunk);
	return r < 0 ? err_prefix(e, "%s", o->file) : 0;
}
