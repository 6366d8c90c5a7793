/*
 * again.c - what a flush of the whole file system failed on is given to the kernel once more.
 *
 * When writing back fails the kernel reports it once, takes the pages for clean, and keeps them for a while: the next
 * flush succeeds and has written nothing of them.  So everything that may have been waiting and that promises rest on is
 * made dirty again first, by writing the same bytes: of what is active the last commit, state.json and what supervisors
 * and the daemon left of attempts; open requests; and the latest lines of events/.  What an action writes itself is not
 * touched.
 */
#include "store/again.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/uuid.h"

enum { CHUNK = 128 * 1024, COMMIT_MAX = 256 * 1024 * 1024 };

static atomic_bool forgotten;

/* What went away meanwhile, or cannot be read at all, is nothing to be saved here. */
static int passing(int code, const char *name, struct err *e)
{
	if (err_is_passing(code))
		return err_sys(e, code, "cannot write %s again", name);
	*e = (struct err){0};
	return 0;
}

enum { FLAGS = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC };

/* Ours may be read-only: outputs are, and links to one file. */
static int open_to_write(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDWR | FLAGS), ours;
	struct stat st;

	if (fd >= 0 || errno != EACCES || (ours = openat(dir, name, O_RDONLY | FLAGS)) < 0)
		return fd;
	if (fstat(ours, &st) == 0 && S_ISREG(st.st_mode) && fchmod(ours, (st.st_mode & 07777) | S_IWUSR) == 0) {
		fd = openat(dir, name, O_RDWR | FLAGS);
		fchmod(ours, st.st_mode & 07777);
	}
	close(ours);
	return fd;
}

static int in_place(int dir, const char *name, struct err *e)
{
	int fd = open_to_write(dir, name), r = 0;
	AUTO_FREE char *chunk = NULL;
	struct stat st;
	off_t at = 0;
	ssize_t n;

	if (fd < 0)
		return passing(errno, name, e);
	chunk = xmalloc(CHUNK);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		while (r == 0 && (n = pread(fd, chunk, CHUNK, at)) > 0) {
			if (pwrite(fd, chunk, (size_t)n, at) != n)
				r = err_sys(e, errno, "cannot write %s again", name);
			at += n;
		}
	close(fd);
	return r;
}

/* ---- an execution ---- */

/* The last two names of a kind: what is set aside beside them has another ending. */
struct last {
	const char *ending;
	char name[64], before[64];
};

static int later(void *ctx, int dir, const char *name, struct err *e)
{
	struct last *l = ctx;
	const char *dot = strrchr(name, '.');

	(void)dir;
	(void)e;
	if (!dot || strcmp(dot, l->ending) != 0 || strlen(name) >= sizeof l->name)
		return 0;
	if (strcmp(name, l->name) > 0) {
		strcpy(l->before, l->name);
		strcpy(l->name, name);
	} else if (strcmp(name, l->before) > 0) {
		strcpy(l->before, name);
	}
	return 0;
}

/* There are never two commits of one execution that are not flushed. */
static int last_commit(int dir, struct err *e)
{
	AUTO_BUF struct buf text = BUF_INIT;
	struct last last = {.ending = ".json"};
	int journal = fs_open_dir(dir, "journal", e), r = 0;

	if (journal < 0)
		return passing(e->code, "journal", e);
	if (fs_each(journal, ".", later, &last, e) < 0 || (last.name[0] && fs_read(journal, last.name, COMMIT_MAX, &text, e) < 0))
		r = passing(e->code, last.name, e);
	else if (last.name[0])
		r = fs_publish(journal, last.name, text.p, text.len, FS_READ_ONLY | FS_SYNC, e); /* it may be durable already */
	close(journal);
	return r;
}

static int attempt(void *ctx, int dir, const char *name, struct err *e)
{
	static const char *const files[] = {"output.json", "result.json", "request.json"};
	int at = fs_open_dir(dir, name, e), r = 0;
	size_t k;

	(void)ctx;
	if (at < 0)
		return passing(e->code, name, e);
	for (k = 0; r == 0 && k < sizeof files / sizeof *files; k++)
		r = in_place(at, files[k], e);
	close(at);
	return r;
}

static int action(void *ctx, int dir, const char *name, struct err *e)
{
	return fs_each(dir, name, attempt, ctx, e) < 0 ? passing(e->code, name, e) : 0;
}

int again_execution(const struct spool *s, const char *id, struct err *e)
{
	char path[SPOOL_PATH_MAX];
	int dir, r = 0;

	spool_execution_path(id, path);
	dir = fs_open_dir(s->fd[SPOOL_ROOT], path, e);
	if (dir < 0)
		return passing(e->code, path, e);
	if (last_commit(dir, e) < 0 || in_place(dir, "state.json", e) < 0 || in_place(dir, "empty.json", e) < 0)
		r = -1;
	else if (fs_each(dir, "actions", action, NULL, e) < 0)
		r = passing(e->code, "actions", e);
	close(dir);
	return r < 0 ? err_prefix(e, "%s", path) : 0;
}

/* ---- all ---- */

static int active(void *spool, int dir, const char *id, struct err *e)
{
	(void)dir;
	return uuid_is_v7(id) ? again_execution(spool, id, e) : 0;
}

/* What others put there, or linked to, is not ours to write. */
static int request(void *ctx, int confirm, const char *name, struct err *e)
{
	struct stat st;

	(void)ctx;
	if (!text_ends_with(name, ".request.json") || fstatat(confirm, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    st.st_uid != geteuid() || st.st_nlink != 1)
		return 0;
	return in_place(confirm, name, e);
}

/* Those of two days: it may be a moment after midnight. */
static int last_lines(const struct spool *s, struct err *e)
{
	struct last last = {.ending = ".jsonl"};
	int events = s->fd[SPOOL_EVENTS];

	if (fs_each(events, ".", later, &last, e) < 0)
		return passing(e->code, "events", e);
	if (last.name[0] && in_place(events, last.name, e) < 0)
		return -1;
	return last.before[0] ? in_place(events, last.before, e) : 0;
}

void again_needed(void)
{
	atomic_store(&forgotten, true);
}

int again(const struct spool *s, struct err *e)
{
	/* Another failure meanwhile must not be taken for this one. */
	if (!atomic_exchange(&forgotten, false))
		return 0;
	if (fs_each(s->fd[SPOOL_ACTIVE], ".", active, (void *)s, e) == 0 &&
	    fs_each(s->fd[SPOOL_CONFIRM], ".", request, NULL, e) == 0 && last_lines(s, e) == 0)
		return 0;
	again_needed();
	return -1;
}
