#include "base/tarball.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/sha.h"
#include "base/text.h"

enum { CHUNK = 128 * 1024 };

struct tarball {
	struct archive *a;
	int dir; /* borrowed */
	int fd;
	char *name, *temporary; /* NULL: not to a file of ours */
	struct sha_stream *digest; /* of the entries, as they were written */
	char *chunk;
};

static const struct {
	const char *suffix;
	int filter;
} kinds[] = {
    {"tar.zst", ARCHIVE_FILTER_ZSTD}, {"tar.gz", ARCHIVE_FILTER_GZIP}, {"tgz", ARCHIVE_FILTER_GZIP},
    {"tar", ARCHIVE_FILTER_NONE},
};

static int kind_of(const char *name)
{
	size_t k;

	for (k = 0; k < sizeof kinds / sizeof *kinds; k++) {
		size_t n = strlen(name), m = strlen(kinds[k].suffix);

		if (n > m && name[n - m - 1] == '.' && text_ends_with(name, kinds[k].suffix))
			return (int)k;
	}
	return -1;
}

const char *tarball_suffix(const char *name)
{
	int k = kind_of(name);

	return k < 0 ? NULL : kinds[k].suffix;
}

static int failed(struct tarball *t, struct err *e, const char *what)
{
	int code = archive_errno(t->a);
	const char *why = archive_error_string(t->a);

	/* What the library says of content that is wrong: it has no number of the system's for that. */
	return err_set(e, code > 0 && code != EILSEQ && code != EINVAL ? code : EBADMSG, "%s: %s", what, why ? why : "it is no archive");
}

/* ---- writing ---- */

static struct tarball *new_tarball(int fd)
{
	struct tarball *t = xcalloc(1, sizeof *t);

	t->fd = fd;
	t->dir = -1;
	t->chunk = xmalloc(CHUNK);
	t->digest = sha_begin();
	return t;
}

static void free_tarball(struct tarball *t)
{
	char unused[SHA256_HEX];

	if (t->a)
		archive_free(t->a);
	if (t->digest)
		sha_end(t->digest, unused);
	if (t->fd >= 0 && t->name)
		close(t->fd);
	free(t->name);
	free(t->temporary);
	free(t->chunk);
	free(t);
}

static int begin(struct tarball *t, int kind, struct err *e)
{
	t->a = archive_write_new();
	/* GNU's form keeps names as the bytes that they are, of any length. */
	if (!t->a || archive_write_set_format_gnutar(t->a) != ARCHIVE_OK ||
	    archive_write_add_filter(t->a, kinds[kind].filter) != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(t->a, 1) != ARCHIVE_OK ||
	    archive_write_open_fd(t->a, t->fd) != ARCHIVE_OK)
		return t->a ? failed(t, e, "cannot begin an archive") : err_set(e, ENOMEM, "cannot begin an archive");
	return 0;
}

/* The temporary, locked.  One that nobody has locked is what a kill left. */
static int open_temporary(int dir, const char *temporary, struct err *e)
{
	int tries, fd, old;

	for (tries = 0; tries < 3; tries++) {
		fd = openat(dir, temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd >= 0) {
			if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
				close(fd);
				break; /* whoever cleared it a moment ago has it */
			}
			return fd;
		}
		if (errno != EEXIST)
			return err_sys(e, errno, "cannot create %s", temporary);
		old = openat(dir, temporary, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (old >= 0 && flock(old, LOCK_EX | LOCK_NB) < 0) {
			close(old);
			break;
		}
		if (unlinkat(dir, temporary, 0) < 0 && errno != ENOENT)
			err_sys(e, errno, "cannot remove %s", temporary);
		if (old >= 0)
			close(old);
	}
	return err_set(e, EBUSY, "%s is being written by another", temporary);
}

struct tarball *tarball_create(int dir, const char *name, struct err *e)
{
	int kind = kind_of(name), fd;
	const char *slash = strrchr(name, '/');
	AUTO_FREE char *temporary = NULL;
	struct tarball *t;

	if (kind < 0) {
		err_set(e, EINVAL, "%s: the name of an archive ends in .tar.zst, .tar.gz or .tar", name);
		return NULL;
	}
	if (fs_exists(dir, name)) {
		err_set(e, EEXIST, "%s is there already: choose another name", name);
		return NULL;
	}
	temporary = slash ? xasprintf("%.*s/.%s.tmp", (int)(slash - name), name, slash + 1) : xasprintf(".%s.tmp", name);
	fd = open_temporary(dir, temporary, e);
	if (fd < 0)
		return NULL;
	t = new_tarball(fd);
	t->dir = dir;
	t->name = xstrdup(name);
	t->temporary = xstrdup(temporary);
	if (begin(t, kind, e) == 0)
		return t;
	tarball_abort(t);
	return NULL;
}

struct tarball *tarball_to_fd(int fd, const char *suffix, struct err *e)
{
	AUTO_FREE char *name = xasprintf(".%s", suffix);
	int kind = kind_of(name);
	struct tarball *t;

	if (kind < 0) {
		err_set(e, EINVAL, "an archive is tar.zst, tar.gz or tar, not \"%s\"", suffix);
		return NULL;
	}
	t = new_tarball(fd);
	if (begin(t, kind, e) == 0)
		return t;
	tarball_abort(t);
	return NULL;
}

/* What is compared when the archive is read back: every entry with its kind, its name and its bytes. */
static void digest_head(struct sha_stream *d, char kind, const char *path, uint64_t size)
{
	AUTO_FREE char *head = xasprintf("%c %llu %s", kind, (unsigned long long)size, path);

	sha_add(d, head, strlen(head) + 1);
}

static int put_head(struct tarball *t, char kind, const char *path, const char *target, uint64_t size, time_t mtime,
		    struct err *e)
{
	struct archive_entry *h = archive_entry_new();
	int r;

	archive_entry_set_pathname(h, path);
	archive_entry_set_filetype(h, kind == 'd' ? AE_IFDIR : kind == 'l' ? AE_IFLNK : AE_IFREG);
	archive_entry_set_perm(h, kind == 'd' ? 0755 : 0644);
	archive_entry_set_size(h, (la_int64_t)size);
	archive_entry_set_mtime(h, mtime, 0);
	if (target)
		archive_entry_set_symlink(h, target);
	r = archive_write_header(t->a, h);
	archive_entry_free(h);
	if (r < ARCHIVE_WARN)
		return failed(t, e, path);
	digest_head(t->digest, kind, path, size);
	if (target)
		sha_add(t->digest, target, strlen(target) + 1);
	return 0;
}

static int put_bytes(struct tarball *t, const char *path, const void *p, size_t n, struct err *e)
{
	const char *at = p;

	sha_add(t->digest, p, n);
	while (n > 0) {
		la_ssize_t done = archive_write_data(t->a, at, n);

		if (done <= 0)
			return failed(t, e, path);
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

int tarball_add_dir(struct tarball *t, const char *path, time_t mtime, struct err *e)
{
	AUTO_FREE char *name = xasprintf("%s/", path); /* as it is read back */

	return put_head(t, 'd', name, NULL, 0, mtime, e);
}

int tarball_add_link(struct tarball *t, const char *path, const char *target, time_t mtime, struct err *e)
{
	return put_head(t, 'l', path, target, 0, mtime, e);
}

int tarball_add_bytes(struct tarball *t, const char *path, const void *p, size_t n, time_t mtime, struct err *e)
{
	return put_head(t, 'f', path, NULL, n, mtime, e) < 0 ? -1 : put_bytes(t, path, p, n, e);
}

int tarball_add_fd(struct tarball *t, const char *path, int fd, struct err *e)
{
	struct err unread = {0};
	struct stat st;
	off_t left;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot look at %s", path);
	if (put_head(t, 'f', path, NULL, (uint64_t)st.st_size, st.st_mtime, e) < 0)
		return -1;
	for (left = st.st_size; left > 0;) {
		size_t want = left < CHUNK ? (size_t)left : CHUNK;
		ssize_t n = unread.code ? 0 : read(fd, t->chunk, want);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err_sys(&unread, errno, "cannot read %s", path);
			continue; /* its place in the archive is filled all the same */
		}
		if (n == 0)
			memset(t->chunk, 0, (size_t)(n = (ssize_t)want));
		if (put_bytes(t, path, t->chunk, (size_t)n, e) < 0)
			return -1;
		left -= n;
	}
	if (unread.code)
		*e = unread;
	return unread.code ? 1 : 0;
}

/* ---- is it whole? ---- */

static int digest_entry(struct tarball *t, struct archive_entry *h, struct sha_stream *d)
{
	const char *path = archive_entry_pathname(h), *target = archive_entry_symlink(h);
	la_ssize_t n;

	if (!path)
		return -1;
	digest_head(d, target ? 'l' : archive_entry_filetype(h) == AE_IFDIR ? 'd' : 'f', path,
		    target ? 0 : (uint64_t)archive_entry_size(h));
	if (target)
		sha_add(d, target, strlen(target) + 1);
	while ((n = archive_read_data(t->a, t->chunk, CHUNK)) > 0)
		sha_add(d, t->chunk, (size_t)n);
	return n < 0 ? -1 : 0;
}

static int open_to_read(struct tarball *t, struct err *e)
{
	t->a = archive_read_new();
	if (!t->a)
		return err_set(e, ENOMEM, "cannot read an archive");
	if (archive_read_support_filter_zstd(t->a) == ARCHIVE_OK && archive_read_support_filter_gzip(t->a) == ARCHIVE_OK &&
	    archive_read_support_format_tar(t->a) == ARCHIVE_OK && archive_read_open_fd(t->a, t->fd, CHUNK) == ARCHIVE_OK)
		return 0;
	return failed(t, e, "cannot read it");
}

static int read_back(struct tarball *t, struct err *e)
{
	char written[SHA256_HEX], read[SHA256_HEX];
	struct sha_stream *d;
	struct archive_entry *h;
	int r;

	sha_end(t->digest, written);
	t->digest = NULL;
	posix_fadvise(t->fd, 0, 0, POSIX_FADV_DONTNEED); /* from the disk, not from memory */
	if (lseek(t->fd, 0, SEEK_SET) < 0)
		return err_sys(e, errno, "cannot read it again");
	if (open_to_read(t, e) < 0)
		return -1;
	d = sha_begin();
	while ((r = archive_read_next_header(t->a, &h)) == ARCHIVE_OK)
		if (digest_entry(t, h, d) < 0) {
			r = ARCHIVE_FATAL;
			break;
		}
	sha_end(d, read);
	if (r != ARCHIVE_EOF)
		return failed(t, e, "cannot read it again");
	return strcmp(written, read) == 0 ? 0 : err_set(e, EIO, "what is read again is not what was written");
}

static int close_written(struct tarball *t, struct err *e)
{
	int r = archive_write_close(t->a) == ARCHIVE_OK ? 0 : failed(t, e, "cannot write the end of the archive");

	archive_free(t->a);
	t->a = NULL;
	return r;
}

static int place(struct tarball *t, struct err *e)
{
	const char *slash = strrchr(t->name, '/');
	AUTO_FREE char *parent = slash ? xstrndup(t->name, (size_t)(slash - t->name) + (slash == t->name)) : xstrdup(".");

	if (syscall(SYS_renameat2, t->dir, t->temporary, t->dir, t->name, 1 /* RENAME_NOREPLACE */) < 0) {
		if (errno != EINVAL && errno != ENOSYS) /* a file system that cannot refuse to replace */
			return err_sys(e, errno, "cannot rename it into place");
		if (fs_exists(t->dir, t->name) || renameat(t->dir, t->temporary, t->dir, t->name) < 0)
			return err_set(e, EEXIST, "cannot rename it into place");
	}
	free(t->temporary);
	t->temporary = NULL; /* in place: it stays */
	return fs_sync_dir(t->dir, parent, e);
}

int tarball_finish(struct tarball *t, struct err *e)
{
	AUTO_FREE char *name = xstrdup_opt(t->name);
	int r = close_written(t, e);

	if (r == 0 && t->name) {
		if (fsync(t->fd) < 0)
			r = err_sys(e, errno, "cannot flush it");
		if (r == 0)
			r = read_back(t, e);
		if (r == 0)
			r = place(t, e);
	}
	if (r < 0 && name)
		err_prefix(e, "archive %s", name);
	tarball_abort(t);
	return r;
}

void tarball_abort(struct tarball *t)
{
	if (t->temporary)
		unlinkat(t->dir, t->temporary, 0);
	free_tarball(t);
}

/* ---- reading ---- */

struct tarball *tarball_open(const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct tarball *t;

	if (fd < 0) {
		err_sys(e, errno, "cannot open %s", path);
		return NULL;
	}
	t = new_tarball(fd);
	t->name = xstrdup(path);
	if (open_to_read(t, e) == 0)
		return t;
	err_prefix(e, "%s", path);
	tarball_close(t);
	return NULL;
}

int tarball_next(struct tarball *t, struct tarball_entry *out, struct err *e)
{
	struct archive_entry *h;
	int r = archive_read_next_header(t->a, &h);

	if (r == ARCHIVE_EOF)
		return 0;
	if (r != ARCHIVE_OK)
		return failed(t, e, "it is damaged");
	*out = (struct tarball_entry){.path = archive_entry_pathname(h), .mtime = archive_entry_mtime(h)};
	if (!out->path)
		return err_set(e, EBADMSG, "an entry has no name");
	if (archive_entry_hardlink(h) || archive_entry_symlink(h) || archive_entry_filetype(h) == AE_IFLNK)
		out->kind = TARBALL_LINK;
	else if (archive_entry_filetype(h) == AE_IFREG)
		out->kind = TARBALL_FILE;
	else if (archive_entry_filetype(h) == AE_IFDIR)
		out->kind = TARBALL_DIR;
	else
		out->kind = TARBALL_OTHER;
	if (archive_entry_size(h) < 0)
		return err_set(e, EBADMSG, "the size of an entry is wrong");
	out->size = (uint64_t)archive_entry_size(h);
	return 1;
}

ssize_t tarball_read(struct tarball *t, void *p, size_t n, struct err *e)
{
	la_ssize_t got = archive_read_data(t->a, p, n);

	return got < 0 ? failed(t, e, "it is damaged") : (ssize_t)got;
}

void tarball_close(struct tarball *t)
{
	free_tarball(t);
}
