#include "store/stored.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/vec.h"
#include "codec/commit.h"
#include "store/journal.h"

enum { HEAD = 8192, DEPTH_MAX = 64, SIZE_UNIT = 512 };

/* ---- one execution ---- */

/* The beginning of state.json has what is needed, each in a place that no text of others can imitate: text in JSON
 * has its quotes and newlines escaped. */
static bool read_head(int dir, char head[HEAD])
{
	int fd = openat(dir, "state.json", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return false;
	n = pread(fd, head, HEAD - 1, 0);
	close(fd);
	head[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static void take_status(const char *head, struct stored *out)
{
	static const char mark[] = "\n\"status\":\"", end_mark[] = ",\"completedAt\":\"";
	const char *at = strstr(head, mark), *end;
	char word[32];
	int status;

	if (!at || sscanf(at + strlen(mark), "%31[a-z_]", word) != 1)
		return;
	status = stored_status_parse(word);
	out->status = status < 0 ? STORED_OPEN : (enum stored_status)status;
	end = strstr(at, end_mark);
	if (status >= 0 && (!end || !clock_parse(strndupa(end + strlen(end_mark), CLOCK_TEXT - 1), &out->ended)))
		out->status = STORED_UNREADABLE;
}

static uint32_t seq_of(const char *head)
{
	const char *at = strstr(head, ",\"seq\":");

	return at ? (uint32_t)strtoul(at + 7, NULL, 10) : 0;
}

static json_t *read_commit(int dir, uint32_t seq)
{
	AUTO_BUF struct buf bytes = BUF_INIT;
	char name[32];

	snprintf(name, sizeof name, "journal/%08u.json", seq);
	if (fs_read(dir, name, COMMIT_MAX, &bytes, NULL) < 0)
		return NULL;
	return json_loadb(buf_str(&bytes), bytes.len, 0, NULL);
}

static void take_parent(int dir, struct stored *out)
{
	json_t *c = read_commit(dir, 1), *first = json_array_get(json_object_get(c, "events"), 0);
	const char *parent = json_string_value(json_object_get(json_object_get(first, "parent"), "execution"));

	if (!c)
		out->status = STORED_UNREADABLE;
	else if (parent && uuid_is_v7(parent))
		strcpy(out->parent, parent);
	json_decref(c);
}

/* What cannot be told counts as there: then it stays. */
static bool is_linked(const struct spool *s, const char *id, void (*path_of)(const char *, char *))
{
	char path[SPOOL_PATH_MAX];

	path_of(id, path);
	return fs_there(s->fd[SPOOL_ROOT], path, NULL) != 0;
}

static bool is_quarantined(const struct spool *s, const char *id)
{
	AUTO_FREE char *reason = xasprintf("%s/%s.reason.json", spool_dir_name(SPOOL_QUARANTINE), id);

	return is_linked(s, id, spool_quarantine_path) || fs_there(s->fd[SPOOL_ROOT], reason, NULL) != 0;
}

void stored_read(const struct spool *s, const char *id, struct stored *out)
{
	char path[SPOOL_PATH_MAX], head[HEAD];
	int dir;

	*out = (struct stored){.status = STORED_UNREADABLE};
	memcpy(out->id, id, UUID_TEXT);
	/* The link is looked at first: what is no longer active has a state.json that says so. */
	out->active = is_linked(s, id, spool_active_path);
	out->quarantined = is_quarantined(s, id);
	spool_execution_path(id, path);
	dir = fs_open_dir(s->fd[SPOOL_ROOT], path, NULL);
	if (dir < 0)
		return;
	if (read_head(dir, head))
		take_status(head, out);
	take_parent(dir, out);
	close(dir);
}

/* Does the last commit end the execution with this status? */
static int check_end(int dir, uint32_t seq, enum stored_status status, struct err *e)
{
	json_t *c = read_commit(dir, seq), *ev;
	const char *last = "";
	size_t k;

	json_array_foreach(json_object_get(c, "events"), k, ev) {
		const char *type = json_string_value(json_object_get(ev, "type"));

		if (type && strncmp(type, "execution.", 10) == 0)
			last = type + 10;
	}
	if (strcmp(last, stored_status_name(status)) != 0)
		err_set(e, EBADMSG, "its journal does not end as state.json says");
	else
		last = NULL;
	json_decref(c);
	return last ? -1 : 0;
}

int stored_is_over(const struct spool *s, const struct stored *was, uint32_t *seq, struct err *e)
{
	struct stored now;
	char path[SPOOL_PATH_MAX], head[HEAD];
	long last;
	int dir, r;

	stored_read(s, was->id, &now);
	if (now.active || now.quarantined)
		return err_set(e, EBUSY, "it is %s", now.active ? "active" : "in quarantine");
	if (now.status != was->status || now.ended != was->ended || strcmp(now.parent, was->parent) != 0)
		return err_set(e, EBUSY, "it has changed meanwhile");
	spool_execution_path(was->id, path);
	dir = fs_open_dir(s->fd[SPOOL_ROOT], path, e);
	if (dir < 0)
		return -1;
	last = journal_last(s, was->id, e);
	if (last < 0)
		r = -1;
	else if (!read_head(dir, head) || (long)seq_of(head) != last)
		r = err_set(e, EBADMSG, "state.json does not reflect its last commit");
	else
		r = check_end(dir, (uint32_t)last, was->status, e);
	close(dir);
	if (r == 0 && seq)
		*seq = (uint32_t)last;
	return r;
}

/* ---- size ---- */

static void measure(int dir, const char *name, unsigned depth, struct stored *one)
{
	int fd = depth < DEPTH_MAX ? fs_open_dir(dir, name, NULL) : -1;
	DIR *handle = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct stat st;

	if (!handle) {
		if (fd >= 0)
			close(fd);
		return;
	}
	if (fstat(fd, &st) == 0) {
		one->bytes += (uint64_t)st.st_blocks * SIZE_UNIT;
		one->files++;
	}
	while ((entry = readdir(handle))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode)) {
			measure(fd, entry->d_name, depth + 1, one);
			continue;
		}
		one->bytes += (uint64_t)st.st_blocks * SIZE_UNIT;
		one->files++;
	}
	closedir(handle);
}

void stored_measure(const struct spool *s, struct stored *one)
{
	char path[SPOOL_PATH_MAX];

	one->bytes = one->files = 0;
	spool_execution_path(one->id, path);
	measure(s->fd[SPOOL_ROOT], path, 0, one);
}

/* ---- all of them ---- */

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct stored *)a)->id, ((const struct stored *)b)->id);
}

static void scan_day(const struct spool *s, const char *day, bool size, struct stored_list *out)
{
	AUTO_FREE char *path = xasprintf("%s/%s", spool_dir_name(SPOOL_EXECUTIONS), day);
	int fd = fs_open_dir(s->fd[SPOOL_ROOT], path, NULL);
	DIR *handle = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!handle && fd >= 0)
		close(fd);
	while (handle && (entry = readdir(handle))) {
		char right[SPOOL_PATH_MAX];
		struct stored one;

		if (!uuid_is_v7(entry->d_name))
			continue;
		spool_execution_day(entry->d_name, right);
		if (strcmp(right, path) != 0) /* somebody put it there; nobody finds it by its id */
			continue;
		stored_read(s, entry->d_name, &one);
		if (size)
			stored_measure(s, &one);
		vec_push(out, one);
	}
	if (handle)
		closedir(handle);
}

int stored_scan(const struct spool *s, msec cutoff, bool size, struct stored_list *out, struct err *e)
{
	int fd = fs_open_dir(s->fd[SPOOL_ROOT], spool_dir_name(SPOOL_EXECUTIONS), e);
	DIR *handle = fd < 0 ? NULL : fdopendir(fd);
	char last[CLOCK_TEXT] = "9999-12-31";
	struct dirent *entry;

	*out = (struct stored_list){0};
	if (!handle) {
		if (fd < 0)
			return -1;
		close(fd);
		return err_sys(e, ENOMEM, "cannot read %s", spool_dir_name(SPOOL_EXECUTIONS));
	}
	if (cutoff != INT64_MAX)
		clock_format(cutoff, last);
	/* Nothing ends before it is accepted. */
	while ((entry = readdir(handle)))
		if (strlen(entry->d_name) == 10 && entry->d_name[0] != '.' && strncmp(entry->d_name, last, 10) <= 0)
			scan_day(s, entry->d_name, size, out);
	closedir(handle);
	if (out->n > 1)
		qsort(out->v, out->n, sizeof *out->v, by_id);
	return 0;
}

static int count_day(void *n, int dir, const char *day, struct err *e)
{
	struct err inside = {0};
	DIR *handle = fs_dir_open(dir, day, &inside);

	(void)e;
	while (handle && fs_dir_next(handle, &inside))
		++*(uint64_t *)n;
	if (handle)
		closedir(handle);
	if (inside.code && inside.code != ENOENT && inside.code != ENOTDIR)
		*(uint64_t *)n = UINT64_MAX / 2; /* that is not known */
	return 0;
}

uint64_t stored_count(const struct spool *s)
{
	uint64_t n = 0;
	struct err e;

	return fs_each(s->fd[SPOOL_ROOT], spool_dir_name(SPOOL_EXECUTIONS), count_day, &n, &e) < 0 ? UINT64_MAX : n;
}

void stored_free(struct stored_list *l)
{
	vec_free(l);
}
