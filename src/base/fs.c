#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

int fs_write_all(int fd, const void *p, size_t n, struct err *e)
{
	const char *at = p;

	while (n > 0) {
		ssize_t done = write(fd, at, n);

		if (done < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(e, errno, "cannot write");
		}
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

int fs_read_fd(int fd, const char *name, size_t max, struct buf *b, struct err *e)
{
	enum { ROOM = 32 };
	size_t start = b->len;
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
		if ((size_t)st.st_size > max)
			return err_set(e, EFBIG, "%s has %lld bytes; at most %zu are read", name, (long long)st.st_size, max);
		buf_reserve(b, (size_t)st.st_size + ROOM);
	}
	for (;;) {
		ssize_t got;

		if (b->cap - b->len < ROOM) /* what a file's size promised is read without growing */
			buf_reserve(b, 4096);
		got = read(fd, b->p + b->len, b->cap - b->len - 1);
		if (got < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(e, errno, "cannot read %s", name);
		}
		if (got == 0)
			break;
		b->len += (size_t)got;
		b->p[b->len] = '\0';
		if (b->len - start > max)
			return err_set(e, EFBIG, "%s is larger than the %zu bytes that are read at most", name, max);
	}
	buf_put(b, "", 0); /* an empty file is an empty string */
	return 0;
}

int fs_read(int dir, const char *name, size_t max, struct buf *b, struct err *e)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int r;

	if (fd < 0)
		return err_sys(e, errno, "cannot open %s", name);
	r = fs_read_fd(fd, name, max, b, e);
	close(fd);
	return r;
}

void fs_spread(int dir)
{
	int flags;

	if (ioctl(dir, FS_IOC_GETFLAGS, &flags) < 0 || (flags & FS_TOPDIR_FL))
		return;
	flags |= FS_TOPDIR_FL;
	if (ioctl(dir, FS_IOC_SETFLAGS, &flags) < 0)
		return;
}

int fs_sync_dir(int dir, const char *name, struct err *e)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return err_sys(e, errno, "cannot open directory %s", name);
	if (fsync(fd) < 0)
		r = err_sys(e, errno, "cannot flush directory %s", name);
	close(fd);
	return r;
}

/* The temporary's name: dotted, so that every scan leaves it alone, and beside the target, so that the rename
 * stays within one directory. */
static char *temporary_name(const char *name)
{
	const char *slash = strrchr(name, '/');

	if (!slash)
		return xasprintf(".%s.tmp", name);
	return xasprintf("%.*s/.%s.tmp", (int)(slash - name), name, slash + 1);
}

static int write_temporary(int dir, const char *temporary, const void *p, size_t n, unsigned flags, struct err *e)
{
	int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
			flags & FS_READ_ONLY ? 0444 : 0644);
	int r;

	if (fd < 0)
		return err_sys(e, errno, "cannot create %s", temporary);
	r = fs_write_all(fd, p, n, e);
	if (r == 0 && (flags & FS_SYNC) && fdatasync(fd) < 0)
		r = err_sys(e, errno, "cannot flush");
	if (close(fd) < 0 && r == 0)
		r = err_sys(e, errno, "cannot close");
	if (r < 0) {
		unlinkat(dir, temporary, 0);
		return err_prefix(e, "%s", temporary);
	}
	return 0;
}

/* A directory in the way, made by somebody who may drop files there: it goes aside under a dotted name that every
 * scan leaves alone, and nothing in it is touched. */
static void move_aside(int dir, const char *name)
{
	const char *slash = strrchr(name, '/');
	const char *last = slash ? slash + 1 : name;
	unsigned long long random = 0;
	AUTO_FREE char *aside = NULL;

	if (getrandom(&random, sizeof random, 0) < 0)
		return;
	aside = xasprintf("%.*s%s%s.%016llx", (int)(last - name), name, last[0] == '.' ? "" : ".", last, random);
	if (renameat(dir, name, dir, aside) < 0) {
		/* whoever wants the place says what is wrong with it */
	}
}

int fs_publish(int dir, const char *name, const void *p, size_t n, unsigned flags, struct err *e)
{
	AUTO_FREE char *temporary = temporary_name(name);
	const char *slash;
	int r;

	r = write_temporary(dir, temporary, p, n, flags, e);
	if (r < 0 && e && e->code == EEXIST) {
		/* Ours from before a crash: nobody else writes dotted names here. */
		if (unlinkat(dir, temporary, 0) < 0) {
			if (err_is_passing(errno))
				return err_sys(e, errno, "cannot remove %s", temporary);
			if ((flags & FS_ASIDE) && (errno == EISDIR || errno == EPERM))
				move_aside(dir, temporary);
		}
		r = write_temporary(dir, temporary, p, n, flags, e);
	}
	if (r < 0)
		return r;
	if (flags & FS_NEW)
		r = (int)syscall(SYS_renameat2, dir, temporary, dir, name, 1 /* RENAME_NOREPLACE */);
	else
		r = renameat(dir, temporary, dir, name);
	if (r < 0 && errno == EISDIR && (flags & FS_ASIDE)) {
		move_aside(dir, name);
		r = renameat(dir, temporary, dir, name);
	}
	if (r < 0) {
		int code = errno;

		unlinkat(dir, temporary, 0);
		return err_sys(e, code, "cannot rename %s into place", name);
	}
	if (flags & FS_SYNC) {
		AUTO_FREE char *parent = NULL;

		slash = strrchr(name, '/');
		parent = slash ? xstrndup(name, (size_t)(slash - name)) : xstrdup(".");
		return fs_sync_dir(dir, parent, e);
	}
	return 0;
}

int fs_rename_new(int from_dir, const char *from, int to_dir, const char *to, struct err *e)
{
	struct stat st;

	if (syscall(SYS_renameat2, from_dir, from, to_dir, to, 1 /* RENAME_NOREPLACE */) == 0)
		return 0;
	if (errno == EINVAL || errno == ENOSYS) { /* a file system that cannot refuse to replace */
		if (fstatat(to_dir, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
			errno = EEXIST;
		else if (errno == ENOENT && renameat(from_dir, from, to_dir, to) == 0)
			return 0;
	}
	return err_sys(e, errno, "cannot move %s to %s", from, to);
}

int fs_mkdir(int dir, const char *name, mode_t mode, struct err *e)
{
	struct stat st;

	if (mkdirat(dir, name, mode) == 0)
		return 0;
	if (errno == EEXIST && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
		return 0;
	return err_sys(e, errno, "cannot make directory %s", name);
}

int fs_mkdir_all(int dir, const char *path, mode_t mode, struct err *e)
{
	AUTO_FREE char *copy = xstrdup(path);
	char *p;
	struct stat st;

	for (p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (fstatat(dir, copy, &st, 0) < 0 && mkdirat(dir, copy, mode) < 0 && errno != EEXIST)
			return err_sys(e, errno, "cannot make directory %s", copy);
		*p = '/';
	}
	if (fstatat(dir, copy, &st, 0) == 0 && S_ISDIR(st.st_mode))
		return 0;
	return fs_mkdir(dir, copy, mode, e);
}

static int mkdir_aside(int dir, const char *path, mode_t mode, struct err *e)
{
	struct stat st;

	if (fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (S_ISDIR(st.st_mode))
			return 0;
		move_aside(dir, path);
	}
	return fs_mkdir(dir, path, mode, e);
}

int fs_mkdir_all_aside(int dir, const char *path, mode_t mode, struct err *e)
{
	AUTO_FREE char *copy = xstrdup(path);
	char *p;

	for (p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir_aside(dir, copy, mode, e) < 0)
			return -1;
		*p = '/';
	}
	return mkdir_aside(dir, copy, mode, e);
}

enum { OPEN_TRIES = 100 };

static int open_beneath(int dir, const char *name, unsigned long long flags)
{
	struct open_how how = {
	    .flags = flags | O_CLOEXEC,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS,
	};
	int fd, tries = 0;

	/* EAGAIN: something was renamed meanwhile; or, for as long as its owner likes, a lease that is being broken. */
	do {
		fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof how);
	} while (fd < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < OPEN_TRIES)));
	return fd;
}

int fs_open_dir(int dir, const char *name, struct err *e)
{
	int fd = open_beneath(dir, name, O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return err_sys(e, errno, "cannot open directory %s", name);
	return fd;
}

int fs_remove_tree(int dir, const char *name, struct err *e)
{
	struct dirent *d;
	DIR *handle;
	int fd, r = 0;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_sys(e, errno, "cannot remove %s", name);
	fd = open_beneath(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(e, errno, "cannot open directory %s", name);
	handle = fdopendir(fd);
	if (!handle) {
		close(fd);
		return err_sys(e, ENOMEM, "cannot read directory %s", name);
	}
	while (r == 0 && (d = readdir(handle))) /* one that ends too early is not empty, and cannot be removed */
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			r = fs_remove_tree(fd, d->d_name, e);
	closedir(handle);
	if (r == 0 && unlinkat(dir, name, AT_REMOVEDIR) < 0)
		r = err_sys(e, errno, "cannot remove directory %s", name);
	return r;
}

bool fs_exists(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int fs_there(int dir, const char *name, struct err *e)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	if (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG)
		return 0;
	return err_sys(e, errno, "cannot look for %s", name);
}

DIR *fs_dir_open(int dir, const char *name, struct err *e)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), code;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (d)
		return d;
	code = errno;
	if (fd >= 0)
		close(fd);
	err_sys(e, code, "cannot read directory %s", name);
	return NULL;
}

const char *fs_dir_next(DIR *d, struct err *e)
{
	struct dirent *entry;

	*e = (struct err){0};
	do {
		errno = 0;
		entry = readdir(d);
	} while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
	if (!entry && errno)
		err_sys(e, errno, "cannot read a directory to its end");
	return entry ? entry->d_name : NULL;
}

int fs_each(int dir, const char *name, fs_visit visit, void *ctx, struct err *e)
{
	DIR *handle = fs_dir_open(dir, name, e);
	const char *entry;
	int r = 0;

	if (!handle)
		return -1;
	while (r == 0 && (entry = fs_dir_next(handle, e)))
		if (entry[0] != '.')
			r = visit(ctx, dirfd(handle), entry, e);
	closedir(handle);
	return r < 0 || e->code ? -1 : 0;
}

enum fs_drop fs_read_dropped(int dir, const char *name, size_t max, struct buf *b, struct stat *st, struct err *e)
{
	enum fs_drop result = FS_DROP_OK;
	int fd;

	/* Looked at before it is opened: opening a device may do something, and opening a FIFO frees who waits at its
	 * other end.  What is exchanged in between is still no regular file when it is open. */
	if (fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st->st_mode))
		return FS_DROP_KIND;
	fd = open_beneath(dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
	if (fd < 0) {
		if (errno == ENOENT)
			return FS_DROP_GONE;
		if (errno == ELOOP || errno == EXDEV || errno == ENXIO || errno == ENODEV)
			return FS_DROP_KIND;
		err_sys(e, errno, "cannot open %s", name);
		return FS_DROP_FAILED;
	}
	if (fstat(fd, st) < 0) {
		err_sys(e, errno, "cannot look at %s", name);
		result = FS_DROP_FAILED;
	} else if (!S_ISREG(st->st_mode)) {
		result = FS_DROP_KIND;
	} else if (st->st_nlink != 1) {
		result = st->st_nlink == 0 ? FS_DROP_GONE : FS_DROP_LINKS;
	} else if (st->st_size > 0 && (size_t)st->st_size > max) {
		result = FS_DROP_TOO_BIG;
	} else if (fs_read_fd(fd, name, max, b, e) < 0) {
		result = e && e->code == EFBIG ? FS_DROP_TOO_BIG : FS_DROP_FAILED;
	}
	close(fd);
	return result;
}
