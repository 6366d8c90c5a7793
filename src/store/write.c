#include "store/write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "store/again.h"

/* A new file, written and not flushed.  Its descriptor, or -1 and nothing is left of it. */
static int create_file(int dir, const char *name, const char *text, size_t n, struct err *e)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444);

	if (fd < 0 && errno == EEXIST && unlinkat(dir, name, 0) == 0) /* ours, of a try that failed */
		fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444);
	if (fd < 0)
		return err_sys(e, errno, "cannot create %s", name);
	if (fs_write_all(fd, text, n, e) == 0)
		return fd;
	close(fd);
	unlinkat(dir, name, 0);
	err_prefix(e, "%s", name);
	return -1;
}

static int write_file(int dir, const char *name, const char *text, size_t n, struct err *e)
{
	int fd = create_file(dir, name, text, n, e);

	if (fd < 0)
		return -1;
	if (close(fd) < 0) {
		unlinkat(dir, name, 0);
		return err_sys(e, errno, "%s: cannot close", name);
	}
	return 0;
}

int spool_sync(const struct spool *s, struct err *e)
{
	if (again(s, e) < 0)
		return err_prefix(e, "cannot flush the spool's file system");
	if (syncfs(s->fd[SPOOL_ROOT]) == 0)
		return 0;
	err_sys(e, errno, "cannot flush the spool's file system");
	again_needed();
	return -1;
}

/* ---- new executions ---- */

void admission_free(struct admission *a)
{
	free(a->ext);
	free(a->source);
	free(a->plan);
	free(a->commit);
	*a = (struct admission){0};
}

static int write_parts(int dir, const struct admission *a, struct err *e)
{
	AUTO_FREE char *source = xasprintf("source.%s", a->ext);

	if (fs_mkdir(dir, "journal", 0755, e) < 0 || fs_mkdir(dir, "actions", 0755, e) < 0)
		return -1;
	if (write_file(dir, source, a->source, a->source_n, e) < 0 ||
	    write_file(dir, "plan.json", a->plan, a->plan_n, e) < 0 ||
	    write_file(dir, "empty.json", "{}", 2, e) < 0 ||
	    write_file(dir, "journal/00000001.json", a->commit, a->commit_n, e) < 0)
		return -1;
	return 0;
}

int admission_write(const struct spool *s, const struct admission *a, struct err *e)
{
	AUTO_FREE char *path = xasprintf("tmp/%s/new", a->id);
	int dir, r;

	if (a->placed)
		return 0;
	if (fs_remove_tree(s->fd[SPOOL_ROOT], path, e) < 0 || fs_mkdir_all(s->fd[SPOOL_ROOT], path, 0755, e) < 0)
		return -1;
	dir = fs_open_dir(s->fd[SPOOL_ROOT], path, e);
	if (dir < 0)
		return -1;
	r = write_parts(dir, a, e);
	close(dir);
	return r < 0 ? err_prefix(e, "%s", path) : 0;
}

int admission_place(const struct spool *s, struct admission *a, struct err *e)
{
	char day[SPOOL_PATH_MAX], path[SPOOL_PATH_MAX], link[SPOOL_PATH_MAX];
	AUTO_FREE char *from = xasprintf("tmp/%s/new", a->id);
	AUTO_FREE char *target = NULL;

	if (a->placed)
		return 0;
	spool_execution_day(a->id, day);
	spool_execution_path(a->id, path);
	spool_active_path(a->id, link);
	target = xasprintf("../%s", path);
	if (fs_mkdir(s->fd[SPOOL_ROOT], day, 0755, e) < 0)
		return -1;
	if (symlinkat(target, s->fd[SPOOL_ROOT], link) < 0 && errno != EEXIST)
		return err_sys(e, errno, "cannot link %s", link);
	if (renameat(s->fd[SPOOL_ROOT], from, s->fd[SPOOL_ROOT], path) < 0)
		return err_sys(e, errno, "cannot move %s into place", from);
	a->placed = true;
	return 0;
}

int admission_forget(const struct spool *s, const struct admission *a, struct err *e)
{
	return fs_remove_tree(s->fd[SPOOL_TMP], a->id, e);
}

/* ---- commits ---- */

static void temporary_name(const char *id, uint32_t seq, char out[SPOOL_PATH_MAX])
{
	snprintf(out, SPOOL_PATH_MAX, "tmp/%.36s.%u.tmp", id, seq);
}

/* Renamed first and flushed then: both flushes can go on at once, and the second finds little left to do, where the
 * other order pays for both.  A power cut before they have returned may leave a name without its bytes: a torn last
 * commit, of which nothing took effect. */
int commit_put(const struct spool *s, const char *id, uint32_t seq, const char *text, size_t n, int *file,
	       struct err *e)
{
	char from[SPOOL_PATH_MAX], to[SPOOL_PATH_MAX];
	int root = s->fd[SPOOL_ROOT], fd;

	temporary_name(id, seq, from);
	spool_commit_path(id, seq, to);
	fd = create_file(root, from, text, n, e);
	if (fd < 0)
		return -1;
	if (renameat(root, from, root, to) < 0) {
		err_sys(e, errno, "cannot move %s into place", to);
		unlinkat(root, from, 0);
		close(fd);
		return -1;
	}
	if (file)
		*file = fd;
	else if (close(fd) < 0)
		return err_sys(e, errno, "cannot close %s", to);
	return 0;
}

void commit_take_back(const struct spool *s, const char *id, uint32_t seq)
{
	char path[SPOOL_PATH_MAX];

	spool_commit_path(id, seq, path);
	unlinkat(s->fd[SPOOL_ROOT], path, 0);
}

int commit_flush(int file, struct err *e)
{
	int r = fdatasync(file) < 0 ? err_sys(e, errno, "cannot flush a commit") : 0;

	if (close(file) < 0 && r == 0)
		r = err_sys(e, errno, "cannot close a commit");
	return r;
}

int journal_flush(const struct spool *s, const char *id, struct err *e)
{
	char path[SPOOL_PATH_MAX];

	spool_commit_path(id, 1, path);
	*strrchr(path, '/') = '\0';
	return fs_sync_dir(s->fd[SPOOL_ROOT], path, e);
}

int commit_write(const struct spool *s, const char *id, uint32_t seq, const char *text, size_t n, struct err *e)
{
	int file;

	if (commit_put(s, id, seq, text, n, &file, e) < 0 || commit_flush(file, e) < 0)
		return -1;
	return journal_flush(s, id, e);
}

/* ---- events, states ---- */

static int open_lines(int dir, const char *name, struct err *e)
{
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);

	return fd < 0 ? err_sys(e, errno, "cannot open %s", name) : fd;
}

static int open_events(const struct spool *s, const char *day, struct err *e)
{
	AUTO_FREE char *name = xasprintf("events/%s.jsonl", day);

	return open_lines(s->fd[SPOOL_ROOT], name, e);
}

/* n bytes from there; -1 if they are not to be had. */
static int read_part(int fd, char *p, size_t n, off_t at)
{
	while (n > 0) {
		ssize_t got = pread(fd, p, n, at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got == 0)
			errno = EIO; /* it became shorter, and nobody may do that */
		if (got <= 0)
			return -1;
		p += got;
		n -= (size_t)got;
		at += got;
	}
	return 0;
}

/* The length of its whole lines.  What follows them is a line that was cut short, by a crash or a full disk: it is
 * written again, and must not take the next one with it. */
static off_t whole_lines(int fd)
{
	off_t end = lseek(fd, 0, SEEK_END);
	char part[4096];

	while (end > 0) {
		size_t n = end > (off_t)sizeof part ? sizeof part : (size_t)end;
		const char *newline;

		if (read_part(fd, part, n, end - (off_t)n) < 0)
			return -1;
		newline = memrchr(part, '\n', n);
		if (newline)
			return end - (off_t)n + (newline - part) + 1;
		end -= (off_t)n;
	}
	return end;
}

/* Both threads append, and so may a program while no daemon runs: one at a time. */
static int append_lines(int fd, const char *text, size_t n, struct err *e)
{
	struct stat st;
	off_t whole;
	int r;

	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, "cannot lock");
	whole = whole_lines(fd);
	if (whole < 0 || fstat(fd, &st) < 0 || (st.st_size > whole && ftruncate(fd, whole) < 0))
		return err_sys(e, errno, "cannot find the last whole line");
	r = fs_write_all(fd, text, n, e);
	if (r < 0 && ftruncate(fd, whole) < 0)
		return r; /* the next one cuts it */
	return r;
}

static int append_to(int fd, const char *text, size_t n, struct err *e)
{
	int r;

	if (fd < 0)
		return -1;
	r = append_lines(fd, text, n, e);
	if (close(fd) < 0 && r == 0)
		r = err_sys(e, errno, "cannot close");
	return r;
}

int events_append(const struct spool *s, const char *day, const char *text, size_t n, struct err *e)
{
	if (n == 0)
		return 0;
	return append_to(open_events(s, day, e), text, n, e) < 0 ? err_prefix(e, "events/%s.jsonl", day) : 0;
}

int looked_append(const struct spool *s, const char *text, size_t n, struct err *e)
{
	if (n == 0)
		return 0;
	return append_to(open_lines(s->fd[SPOOL_CONFIRM_BY], ".looked", e), text, n, e) < 0 ? err_prefix(e, "confirm/by")
											    : 0;
}

int events_sync(const struct spool *s, const char *day, struct err *e)
{
	int fd = open_events(s, day, e), r = 0;

	if (fd < 0)
		return -1;
	if (fdatasync(fd) < 0)
		r = err_sys(e, errno, "cannot flush events/%s.jsonl", day);
	close(fd);
	return r == 0 ? fs_sync_dir(s->fd[SPOOL_ROOT], "events", e) : r;
}

int state_publish(const struct spool *s, const char *id, const char *text, size_t n, bool flush, struct err *e)
{
	char path[SPOOL_PATH_MAX], name[SPOOL_PATH_MAX];

	spool_execution_path(id, path);
	snprintf(name, sizeof name, "%.80s/state.json", path);
	return fs_publish(s->fd[SPOOL_ROOT], name, text, n, flush ? FS_SYNC : 0, e);
}

int active_link(const struct spool *s, const char *id, struct err *e)
{
	char link[SPOOL_PATH_MAX], path[SPOOL_PATH_MAX];
	AUTO_FREE char *target = NULL;

	spool_active_path(id, link);
	spool_execution_path(id, path);
	target = xasprintf("../%s", path);
	if (symlinkat(target, s->fd[SPOOL_ROOT], link) < 0 && errno != EEXIST)
		return err_sys(e, errno, "cannot link %s", link);
	return fs_sync_dir(s->fd[SPOOL_ROOT], spool_dir_name(SPOOL_ACTIVE), e);
}

int active_remove(const struct spool *s, const char *id, struct err *e)
{
	char path[SPOOL_PATH_MAX];

	spool_active_path(id, path);
	if (unlinkat(s->fd[SPOOL_ROOT], path, 0) < 0 && errno != ENOENT)
		return err_sys(e, errno, "cannot remove %s", path);
	return 0;
}
