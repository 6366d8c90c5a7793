/*
 * call_files.c - the wrapped calls on descriptors: open, read, write, flush, lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/sim/fds.h"

int __real_close(int fd);
ssize_t __real_read(int fd, void *p, size_t n);
ssize_t __real_write(int fd, const void *p, size_t n);

static struct fd fds[FDS];

/* ---- descriptors ---- */

struct fd *fd_of(int fd)
{
	if (fd >= FD_BASE && fd < FD_BASE + FDS && fds[fd - FD_BASE].kind != FD_FREE)
		return &fds[fd - FD_BASE];
	errno = EBADF;
	return NULL;
}

int fd_new(enum fd_kind kind, struct fd **out)
{
	int k;

	for (k = 0; k < FDS && fds[k].kind != FD_FREE; k++)
		continue;
	if (k == FDS)
		broke("the daemon has %d descriptors open: it leaks them", FDS);
	fds[k] = (struct fd){.kind = kind, .holder = ++W->next_holder};
	*out = &fds[k];
	return FD_BASE + k;
}

void fd_free(int fd)
{
	struct fd *f = fd_of(fd);

	if (!f)
		return;
	if (f->locks && f->node->lock == f->holder)
		f->node->lock = 0;
	if (f->kind == FD_SOCKET && !f->theirs) {
		f->channel->daemon_there = false;
		procs_words(f->channel);
	}
	bytes_free(&f->text);
	f->kind = FD_FREE;
}

void calls_forget(void)
{
	int k;

	for (k = 0; k < FDS; k++)
		if (fds[k].kind != FD_FREE)
			fd_free(FD_BASE + k);
}

struct node *fd_dir(int dir, const char *path)
{
	struct fd *f;

	if (dir == AT_FDCWD || path[0] == '/')
		return W->root;
	f = fd_of(dir);
	if (!f)
		return NULL;
	if (f->kind == FD_NODE && f->node->kind == DIR_NODE)
		return f->node;
	errno = ENOTDIR;
	return NULL;
}

/* ---- open ---- */

static int open_proc(const char *path, int flags)
{
	struct fd *f;
	struct bytes text = {0};
	int fd, r;

	if (strcmp(path, "/proc") == 0 && (flags & O_DIRECTORY))
		return fd_new(FD_PROC_DIR, &f);
	r = procs_file(path, &text);
	if (r < 0)
		return fail(r);
	fd = fd_new(FD_TEXT, &f);
	f->text = text;
	f->can_read = true;
	return fd;
}

static int open_node(struct place *at, int flags, mode_t mode)
{
	struct node *n = at->node;
	struct fd *f;
	int fd, r;

	if (n && (flags & O_CREAT) && (flags & O_EXCL) && !site_lies("O_EXCL") && !mutant("creates-are-not-exclusive"))
		return fail(EEXIST);
	if (n && n->kind == LINK_NODE)
		return fail(ELOOP);
	if (n && (flags & O_DIRECTORY) && n->kind != DIR_NODE)
		return fail(ENOTDIR);
	if (n && n->kind == DIR_NODE && (flags & O_ACCMODE) != O_RDONLY)
		return fail(EISDIR);
	if (!n && !(flags & O_CREAT))
		return fail(ENOENT);
	if (!n && (r = tree_create(at->dir, at->name, FILE_NODE, mode & 0777, &n)) < 0)
		return fail(r);
	if ((flags & O_TRUNC) && n->data.n > 0)
		tree_cut(n, 0);
	fd = fd_new(FD_NODE, &f);
	f->node = n;
	f->can_read = (flags & O_ACCMODE) != O_WRONLY;
	f->can_write = (flags & O_ACCMODE) != O_RDONLY;
	f->append = flags & O_APPEND;
	return fd;
}

static int open_at(const char *what, int dir, const char *path, int flags, mode_t mode, unsigned how)
{
	struct node *from;
	struct place at;
	int e = enter(flags & O_CREAT ? CALL_FD | CALL_MAKE : CALL_FD, what, path), r;

	if (e)
		return fail(e);
	if (strncmp(path, "/proc", 5) == 0)
		return open_proc(path, flags);
	from = fd_dir(dir, path);
	if (!from)
		return -1;
	if ((flags & O_CREAT) && strcmp(path, "void") == 0 && mutant("void-is-not-made"))
		path = ".void"; /* where no supervisor looks */
	r = tree_walk(from, path, how | (flags & O_NOFOLLOW ? WALK_NOFOLLOW : 0), &at);
	return r < 0 ? fail(r) : open_node(&at, flags, mode);
}

int __wrap_openat(int dir, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (flags & O_CREAT) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	return open_at("openat", dir, path, flags, mode, 0);
}

int __wrap_open(const char *path, int flags, ...)
{
	return open_at("open", AT_FDCWD, path, flags, 0644, 0);
}

int call_openat2(int dir, const char *path, const struct open_how *how)
{
	return open_at("openat2", dir, path, (int)how->flags, 0,
		       WALK_BENEATH | (how->resolve & RESOLVE_NO_SYMLINKS ? WALK_NO_LINKS : 0));
}

int __wrap_close(int fd)
{
	if (fd < FD_BASE && !(sim_live() && fd <= STDERR_FILENO))
		return __real_close(fd);
	if (!fd_of(fd))
		broke("the daemon closes a descriptor that is not open, or not its own");
	fd_free(fd);
	return 0;
}

/* ---- read and write ---- */

/* A short read or write. */
static bool is_cut_short(void)
{
	bool yes = sim_live() && W->faults.one_in && one_in(W->faults.one_in);

	if (yes) {
		say("    is cut short");
		W->failed_calls++;
	}
	return yes;
}

static ssize_t take_bytes(const struct bytes *b, size_t at, void *p, size_t n)
{
	size_t left = at < b->n ? b->n - at : 0;

	if (n > left)
		n = left;
	if (n > 1 && is_cut_short())
		n = 1 + below((uint32_t)n - 1);
	if (n)
		memcpy(p, b->p + at, n);
	return (ssize_t)n;
}

ssize_t call_read_special(struct fd *f, void *p, size_t n); /* call_procs.c */

ssize_t __wrap_read(int fd, void *p, size_t n)
{
	struct fd *f;
	ssize_t got;
	int e;

	if (fd < FD_BASE)
		return __real_read(fd, p, n);
	if (!(f = fd_of(fd)))
		return -1;
	if (f->kind == FD_EVENT || f->kind == FD_SIGNALS)
		return call_read_special(f, p, n);
	e = enter(CALL_READ, "read", "");
	if (e)
		return fail(e);
	if (f->kind == FD_NODE && f->node->kind == DIR_NODE)
		return fail(EISDIR);
	got = take_bytes(f->kind == FD_NODE ? &f->node->data : &f->text, f->at, p, n);
	f->at += (size_t)got;
	return got;
}

ssize_t __wrap_pread(int fd, void *p, size_t n, off_t at)
{
	struct fd *f = fd_of(fd);
	int e = enter(CALL_READ, "pread", "");

	if (e || !f)
		return fail(e ? e : EBADF);
	return take_bytes(&f->node->data, (size_t)at, p, n);
}

static ssize_t put_bytes(struct fd *f, const void *p, size_t n, size_t at, int e)
{
	bool dies = sim_live() && W->dies_at && W->calls >= W->dies_at;

	if (e)
		return fail(e);
	if (!f->can_write)
		return fail(EBADF);
	if (dies)
		n = below((uint32_t)n + 1); /* in the middle of it */
	else if (n > 1 && is_cut_short())
		n = 1 + below((uint32_t)n - 1);
	tree_write(f->node, at, p, n > 1 && mutant("torn-writes") ? n / 2 : n);
	if (dies)
		daemon_dies();
	return (ssize_t)n;
}

ssize_t __wrap_write(int fd, const void *p, size_t n)
{
	struct fd *f;
	uint64_t count;
	ssize_t done;
	int e;

	if (fd < FD_BASE)
		return __real_write(fd, p, n);
	if (!(f = fd_of(fd)))
		return -1;
	if (f->kind == FD_EVENT) {
		memcpy(&count, p, sizeof count);
		f->count += count;
		return sizeof count;
	}
	if (f->kind == FD_MEMORY) {
		bytes_put(&f->memory->text, f->at, p, n);
		f->at += n;
		return (ssize_t)n;
	}
	e = enter(CALL_WRITE, "write", "");
	done = put_bytes(f, p, n, f->append ? f->node->data.n : f->at, e);
	if (done > 0)
		f->at += (size_t)done;
	return done;
}

ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t at)
{
	struct fd *f = fd_of(fd);

	if (f && f->kind == FD_MEMORY) {
		bytes_put(&f->memory->text, (size_t)at, p, n);
		return (ssize_t)n;
	}
	return f ? put_bytes(f, p, n, (size_t)at, enter(CALL_WRITE, "pwrite", "")) : -1;
}

off_t __wrap_lseek(int fd, off_t at, int whence)
{
	struct fd *f = fd_of(fd);

	if (!f)
		return -1;
	f->at = (size_t)at + (whence == SEEK_END ? f->node->data.n : whence == SEEK_CUR ? f->at : 0);
	return (off_t)f->at;
}

int __wrap_ftruncate(int fd, off_t n)
{
	struct fd *f = fd_of(fd);
	int e = enter(CALL_WRITE, "ftruncate", "");

	if (e || !f)
		return fail(e ? e : EBADF);
	if (f->node->data.n != (size_t)n)
		tree_cut(f->node, (size_t)n);
	return 0;
}

/* ---- flush ---- */

/* A mutant's lie: this flush is reported done, and nothing was. */
static bool lies(const struct fd *f, bool data_only)
{
	return site_lies(data_only ? "fdatasync" : "fsync") || mutant("no-flush-at-all") ||
	       (f->node->kind == DIR_NODE && mutant("no-flush-of-directories")) || (data_only && mutant("no-fdatasync"));
}

/* Another one: what a flush should have reached is there only after the next one. */
static bool comes_late(struct node *node)
{
	static struct node *late;
	struct node *now = late;

	if (!mutant("flushes-come-late"))
		return false;
	late = node;
	if (now && now->kind == DIR_NODE)
		disk_flush_dir(now);
	else if (now)
		disk_flush_file(now);
	return true;
}

static int flush(int fd, bool data_only)
{
	struct fd *f = fd_of(fd);
	int e = enter(CALL_FLUSH, data_only ? "fdatasync" : "fsync", "");

	if (!f)
		return -1;
	if (e) {
		if (e == EIO && f->node->kind == FILE_NODE)
			disk_forget(f->node);
		return fail(e);
	}
	if (lies(f, data_only) || comes_late(f->node))
		return 0;
	if (f->node->kind == DIR_NODE)
		disk_flush_dir(f->node);
	else
		disk_flush_file(f->node);
	return 0;
}

int __wrap_fsync(int fd)
{
	return flush(fd, false);
}

int __wrap_fdatasync(int fd)
{
	return flush(fd, true);
}

/* All that could not be written is taken for clean: the next flush says nothing of it. */
static void forget_some(void)
{
	size_t k;

	for (k = W->ndirty; k-- > 0;)
		if (one_in(2))
			disk_forget(W->dirty[k]);
}

int __wrap_syncfs(int fd)
{
	int e = enter(CALL_FLUSH, "syncfs", "");

	(void)fd;
	if (e) {
		if (e == EIO)
			forget_some();
		return fail(e);
	}
	if (site_lies("syncfs") || mutant("no-flush-at-all") || mutant("no-syncfs"))
		return 0;
	if (mutant("syncfs-of-bytes-only"))
		disk_flush_bytes();
	else
		disk_flush_all();
	return 0;
}

/* ---- locks and leases ---- */

static bool lock_is_free(void *node)
{
	return ((struct node *)node)->lock == 0;
}

int __wrap_flock(int fd, int op)
{
	struct fd *f = fd_of(fd);
	int e = enter(CALL_NEVER, "flock", "");

	if (!f || e)
		return fail(e ? e : EBADF);
	if (site_lies("flock") || mutant("locks-exclude-nobody"))
		return 0;
	if (op & LOCK_UN) {
		f->node->lock = 0;
		return 0;
	}
	if (f->node->lock == f->holder)
		return 0;
	if (f->node->lock && (op & LOCK_NB))
		return fail(EWOULDBLOCK);
	threads_block(lock_is_free, f->node, NEVER);
	f->node->lock = f->holder;
	f->locks = true;
	return 0;
}

int __wrap_fcntl(int fd, int op, ...)
{
	(void)op; /* leases: nobody here holds a dropped file open */
	return fd_of(fd) ? 0 : -1;
}
