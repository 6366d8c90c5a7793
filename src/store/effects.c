#include "store/effects.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"

enum { PIECE = 1024 * 1024, DAY_S = 86400, REQUEST_MAX = 64 * 1024 * 1024 };

/* ---- events/ ---- */

/* 1: needle stands in the file; in pieces, so that its size does not matter. */
static int search(int fd, const char *name, const char *needle, struct err *e)
{
	size_t n = strlen(needle), kept = 0;
	AUTO_FREE char *piece = xmalloc(PIECE);
	ssize_t got;

	for (;;) {
		got = read(fd, piece + kept, PIECE - kept);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(e, errno, "cannot read events/%s", name);
		if (got == 0)
			return 0;
		kept += (size_t)got;
		if (memmem(piece, kept, needle, n))
			return 1;
		if (kept >= n) { /* it may begin at the end of this piece */
			memmove(piece, piece + kept - (n - 1), n - 1);
			kept = n - 1;
		}
	}
}

/* Lines are appended after the commit's file was written: to the file of that day or, after a restart, of a later one.
 * A day more on either side: the turn that it was written in may have begun before midnight, and clocks are set. */
static bool may_tell(const char *name, const struct stat *file, time_t written)
{
	char from[CLOCK_TEXT];

	clock_format(((msec)written - DAY_S) * 1000, from);
	return strncmp(name, from, 10) >= 0 || file->st_mtime >= written - DAY_S;
}

static int file_tells(int events, const char *name, const char *needle, time_t written, struct err *e)
{
	struct stat st;
	int fd, r;

	if (!text_ends_with(name, ".jsonl"))
		return 0;
	fd = openat(events, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_sys(e, errno, "cannot open events/%s", name);
	if (fstat(fd, &st) < 0)
		r = err_sys(e, errno, "cannot look at events/%s", name);
	else
		r = S_ISREG(st.st_mode) && may_tell(name, &st, written) ? search(fd, name, needle, e) : 0;
	close(fd);
	return r;
}

/* A line that can only come from it. */
static int events_tell(const struct spool *s, int dir, const char *id, uint32_t seq, struct err *e)
{
	AUTO_FREE char *needle = xasprintf("\"execution\":\"%s\",\"seq\":%u,", id, seq);
	char commit[40];
	const char *name;
	struct stat st;
	DIR *events;
	int r = 0;

	snprintf(commit, sizeof commit, "journal/%08u.json", seq);
	if (fstatat(dir, commit, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, errno, "cannot look at %s", commit);
	events = fs_dir_open(s->fd[SPOOL_ROOT], spool_dir_name(SPOOL_EVENTS), e);
	if (!events)
		return -1;
	while (r == 0 && (name = fs_dir_next(events, e)))
		r = file_tells(dirfd(events), name, needle, st.st_mtime, e);
	closedir(events);
	return r == 0 && e->code ? -1 : r;
}

/* ---- what it announced ---- */

int effects_attempt_began(int dir, const char *action, uint32_t n, struct err *e)
{
	char path[SPOOL_PATH_MAX];
	struct stat st;

	spool_attempt_file(action, n, "lock", path);
	if (fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return err_sys(e, errno, "cannot look at %s", path);
	} else if (st.st_size > 0) {
		return 1;
	}
	spool_attempt_file(action, n, "result.json", path);
	return fs_there(dir, path, e);
}

/* A request of another number than those that were asked so far.  One of them may still lie there: it leaves after its
 * answer is durable, and a power cut may take that. */
static int request_tells(const struct spool *s, const char *path, uint32_t asked, struct err *e)
{
	AUTO_BUF struct buf text = BUF_INIT;
	json_t *request;
	json_int_t number;
	int r = fs_there(s->fd[SPOOL_ROOT], path, e);

	if (r <= 0)
		return r;
	if (fs_read(s->fd[SPOOL_ROOT], path, REQUEST_MAX, &text, e) < 0)
		return err_is_passing(e->code) ? -1 : 1;
	request = json_loadb(buf_str(&text), text.len, 0, NULL);
	number = json_integer_value(json_object_get(request, "number"));
	json_decref(request);
	return number < 1 || number > (json_int_t)asked;
}

/* An attempt or a request of action i that the journal before it does not know. */
static int action_tells(const struct spool *s, int dir, const struct loaded *l, uint32_t i, struct err *e)
{
	const struct action_state *a = &l->exec->a[i];
	const char *id = l->plan->actions[i].id;
	char path[SPOOL_PATH_MAX];
	int r;

	r = effects_attempt_began(dir, id, a->attempt + 1, e);
	if (r != 0 || a->phase == PH_CONFIRM || a->phase == PH_ASKING)
		return r;
	spool_request_path(l->exec->id, id, path);
	return request_tells(s, path, a->asked, e);
}

int effects_seen(const struct spool *s, int dir, const struct loaded *l, const char **sign, struct err *e)
{
	uint32_t i;
	int r;

	*sign = "state.json reflects it";
	if (l->state_seq > l->seq)
		return 1;
	*sign = "events/ tells of it";
	*e = (struct err){0};
	r = events_tell(s, dir, l->exec->id, l->seq + 1, e);
	if (r != 0)
		return r;
	*sign = "there are traces of what it announced";
	for (i = 0; r == 0 && i < l->plan->n; i++)
		r = action_tells(s, dir, l, i, e);
	return r;
}
