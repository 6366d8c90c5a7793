/*
 * call_dirs.c - the wrapped calls on names: make, link, rename, remove, look, list.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "tests/sim/fds.h"

static int find(int dir, const char *path, unsigned how, struct place *out)
{
	struct node *from = fd_dir(dir, path);
	int r;

	if (!from)
		return -1;
	r = tree_walk(from, path, how, out);
	return r < 0 ? fail(r) : 0;
}

/* A mutant's: the claim goes when the execution begins to be built. */
static void lose_claim(struct node *dir)
{
	struct place claim = {.dir = dir};
	size_t k;

	for (k = 0; k < dir->names.n; k++)
		if (strncmp(dir->names.v[k].name, "claim.", 6) == 0) {
			snprintf(claim.name, sizeof claim.name, "%s", dir->names.v[k].name);
			claim.node = dir->names.v[k].node;
			tree_unlink(&claim, false);
			return;
		}
}

int __wrap_mkdirat(int dir, const char *path, mode_t mode)
{
	int e = enter(CALL_MAKE, "mkdirat", path), r;
	struct place at;
	struct node *made;

	if (e)
		return fail(e);
	if (find(dir, path, WALK_NOFOLLOW, &at) < 0)
		return -1;
	if (at.node)
		return fail(EEXIST);
	r = tree_create(at.dir, at.name, DIR_NODE, mode & 07777, &made);
	if (r == 0 && strcmp(at.name, "new") == 0 && mutant("claims-go-early"))
		lose_claim(at.dir);
	return r < 0 ? fail(r) : 0;
}

int __wrap_symlinkat(const char *target, int dir, const char *path)
{
	int e = enter(CALL_MAKE, "symlinkat", path), r;
	struct place at;
	struct node *made;

	if (e)
		return fail(e);
	if (mutant("no-active-links") && strncmp(path, "active/", 7) == 0)
		return 0;
	if (find(dir, path, WALK_NOFOLLOW, &at) < 0)
		return -1;
	r = at.node ? -EEXIST : tree_create(at.dir, at.name, LINK_NODE, 0777, &made);
	if (r < 0)
		return fail(r);
	made->target = arena_text(target);
	return 0;
}

int __wrap_unlinkat(int dir, const char *path, int flags)
{
	int e = enter(CALL_REMOVE, "unlinkat", path), r;
	struct place at;

	if (e)
		return fail(e);
	if (find(dir, path, WALK_NOFOLLOW, &at) < 0)
		return -1;
	r = tree_unlink(&at, flags & AT_REMOVEDIR);
	return r < 0 ? fail(r) : 0;
}

/* A mutant's: an execution is active no more when the commit that ends it has its name. */
static void end_early(const struct place *commit)
{
	struct node *file = tree_child(commit->dir, commit->name), *active = tree_at(SPOOL "/active");
	static const char *const ends[] = {"\"execution.completed\"", "\"execution.failed\"", "\"execution.cancelled\""};
	struct place link = {.dir = active};
	size_t k, n;

	for (k = 0; k < 3 && !memmem(file->data.p, file->data.n, ends[k], strlen(ends[k])); k++)
		continue;
	for (n = 0; k < 3 && n < active->names.n; n++)
		if (tree_at(SPOOL "/active/%s/journal", active->names.v[n].name) == commit->dir) {
			snprintf(link.name, sizeof link.name, "%s", active->names.v[n].name);
			link.node = active->names.v[n].node;
			tree_unlink(&link, false);
			return;
		}
}

/* Something has its name now: has the daemon's hour come? */
static void take_aim(const struct place *named)
{
	struct node *n = tree_child(named->dir, named->name);
	bool commit = n->kind == FILE_NODE && tree_child(named->dir, "00000001.json");

	if (W->aim == AIM_NOWHERE || (W->aim == AIM_COMMIT ? !commit : n->kind != DIR_NODE || !tree_child(n, "journal")))
		return;
	if (--W->aim_after > 0)
		return;
	W->aim = AIM_NOWHERE;
	W->dies_at = W->calls + 1 + W->aim_calls;
}

static int rename_at(const char *what, int from_dir, const char *from, int to_dir, const char *to, bool keep)
{
	char both[1024];
	struct place a, b;
	int e, r;

	snprintf(both, sizeof both, "%s -> %s", from, to);
	e = enter(CALL_MAKE | CALL_REMOVE, what, both);
	if (e)
		return fail(e);
	if (find(from_dir, from, WALK_NOFOLLOW, &a) < 0 || find(to_dir, to, WALK_NOFOLLOW, &b) < 0)
		return -1;
	if (keep && b.node && a.node && (site_lies("NOREPLACE") || mutant("renames-replace")))
		keep = false;
	/* The plan stays in the inbox; once is enough. */
	if (a.node && a.dir == tree_at(SPOOL "/inbox") && mutant("claims-are-copies") && W->mutant_used == 1)
		return tree_put(b.dir, b.name, a.node->data.p, a.node->data.n, 0644) ? 0 : fail(EIO);
	r = tree_rename(&a, &b, keep);
	if (r == 0)
		take_aim(&b);
	if (r == 0 && mutant("active-links-go-early"))
		end_early(&b);
	return r < 0 ? fail(r) : 0;
}

int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return rename_at("renameat", from_dir, from, to_dir, to, false);
}

int call_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	return rename_at("renameat2", from_dir, from, to_dir, to, flags & 1);
}

/* ---- looking ---- */

static void fill_stat(const struct node *n, struct stat *st)
{
	static const mode_t kinds[] = {[FILE_NODE] = S_IFREG, [DIR_NODE] = S_IFDIR, [LINK_NODE] = S_IFLNK};

	*st = (struct stat){.st_dev = 1, .st_ino = n->ino, .st_mode = kinds[n->kind] | n->mode, .st_nlink = n->nlink,
			    .st_uid = geteuid(), .st_size = (off_t)n->data.n};
	st->st_mtim = (struct timespec){n->mtime / SECOND, n->mtime % SECOND};
	st->st_ctim = (struct timespec){n->ctime / SECOND, n->ctime % SECOND};
}

int __wrap_fstatat(int dir, const char *path, struct stat *st, int flags)
{
	int e = enter(CALL_LOOK, "fstatat", path);
	struct place at;

	if (e)
		return fail(e);
	if (find(dir, path, flags & AT_SYMLINK_NOFOLLOW ? WALK_NOFOLLOW : 0, &at) < 0)
		return -1;
	if (!at.node)
		return fail(ENOENT);
	fill_stat(at.node, st);
	return 0;
}

int __wrap_fstat(int fd, struct stat *st)
{
	struct fd *f = fd_of(fd);
	int e = enter(CALL_LOOK, "fstat", "");

	if (e || !f)
		return fail(e ? e : EBADF);
	if (f->kind == FD_NODE)
		fill_stat(f->node, st);
	else
		*st = (struct stat){.st_mode = S_IFREG | 0600, .st_nlink = 1, .st_size = (off_t)f->text.n};
	return 0;
}

int __wrap_stat(const char *path, struct stat *st)
{
	return __wrap_fstatat(AT_FDCWD, path, st, 0);
}

int __wrap_faccessat(int dir, const char *path, int mode, int flags)
{
	struct stat st;

	(void)mode;
	return __wrap_fstatat(dir, path, &st, flags);
}

int __wrap_fstatvfs(int fd, struct statvfs *v)
{
	(void)fd;
	*v = (struct statvfs){.f_frsize = 4096, .f_bavail = 1 << 20, .f_favail = 1 << 20};
	return 0;
}

char *__wrap_realpath(const char *path, char *out)
{
	(void)out;
	return strdup(path);
}

ssize_t __wrap_readlink(const char *path, char *out, size_t n)
{
	static const char self[] = "/usr/local/bin/creeld";

	if (strcmp(path, "/proc/self/exe") != 0)
		return fail(ENOENT);
	n = n < strlen(self) ? n : strlen(self);
	memcpy(out, self, n);
	return (ssize_t)n;
}

/* Modes and owners are not what is simulated. */
int __wrap_fchmodat(int dir, const char *path, mode_t mode, int flags)
{
	(void)dir;
	(void)path;
	(void)mode;
	(void)flags;
	return 0;
}

int __wrap_fchownat(int dir, const char *path, uid_t uid, gid_t gid, int flags)
{
	(void)dir;
	(void)path;
	(void)uid;
	(void)gid;
	(void)flags;
	return 0;
}

int __wrap_fchmod(int fd, mode_t mode)
{
	(void)fd;
	(void)mode;
	return 0;
}

/* Hints to a file system that this one has not. */
int __wrap_ioctl(int fd, unsigned long what, ...)
{
	(void)fd;
	(void)what;
	return fail(ENOTTY);
}

/* ---- lists ---- */

struct listing {
	int fd;
	char **names;
	size_t n, at;
	struct dirent entry;
};

static void list_node(struct listing *l, const struct node *dir)
{
	size_t k;

	l->names = calloc(dir->names.n + 1, sizeof *l->names);
	for (k = 0; k < dir->names.n; k++)
		l->names[l->n++] = strdup(dir->names.v[k].name);
}

static void list_procs(struct listing *l)
{
	size_t k, most = sizeof W->procs / sizeof *W->procs;

	l->names = calloc(most, sizeof *l->names);
	for (k = 0; k < most; k++)
		if (W->procs[k].state != PROC_FREE && (W->procs[k].supervisor || !mutant("survivors-live-on"))) {
			char name[16];

			snprintf(name, sizeof name, "%d", W->procs[k].pid);
			l->names[l->n++] = strdup(name);
		}
}

/* The order of a directory is nobody's promise. */
static void shuffle(struct listing *l)
{
	size_t k;

	for (k = l->n; k > 1; k--) {
		size_t other = below((uint32_t)k);
		char *name = l->names[k - 1];

		l->names[k - 1] = l->names[other];
		l->names[other] = name;
	}
}

DIR *__wrap_fdopendir(int fd)
{
	struct fd *f = fd_of(fd);
	int e = enter(CALL_PROC, "fdopendir", "");
	struct listing *l;

	if (!f || e) {
		errno = e ? ENOMEM : EBADF;
		return NULL;
	}
	if (f->kind != FD_PROC_DIR && (f->kind != FD_NODE || f->node->kind != DIR_NODE)) {
		errno = ENOTDIR;
		return NULL;
	}
	l = calloc(1, sizeof *l);
	l->fd = fd;
	if (f->kind == FD_PROC_DIR)
		list_procs(l);
	else
		list_node(l, f->node);
	shuffle(l);
	return (DIR *)l;
}

DIR *__wrap_opendir(const char *path)
{
	int fd = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : __wrap_fdopendir(fd);

	if (!d && fd >= 0)
		close(fd);
	return d;
}

struct dirent *__wrap_readdir(DIR *d)
{
	struct listing *l = (struct listing *)d;
	int e = enter(CALL_READ, "readdir", "");

	if (e == EIO || e == ENOMEM) {
		errno = e;
		return NULL;
	}
	if (l->at == l->n)
		return NULL;
	snprintf(l->entry.d_name, sizeof l->entry.d_name, "%s", l->names[l->at++]);
	return &l->entry;
}

int __wrap_dirfd(DIR *d)
{
	return ((struct listing *)d)->fd;
}

int __wrap_closedir(DIR *d)
{
	struct listing *l = (struct listing *)d;
	size_t k;

	for (k = 0; k < l->n; k++)
		free(l->names[k]);
	free(l->names);
	fd_free(l->fd);
	free(l);
	return 0;
}
