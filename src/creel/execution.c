#include "creel/execution.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/vec.h"
#include "creel/common.h"
#include "creel/json.h"
#include "model/plan.h"

enum { REQUEST_MAX = 64 * 1024 * 1024 };

static json_t *read_member(struct cli *c, const char *id, const char *name, struct err *e)
{
	AUTO_FREE char *path = NULL;
	char dir[SPOOL_PATH_MAX];

	spool_execution_path(id, dir);
	path = xasprintf("%s/%s", dir, name);
	return json_read(c->spool.fd[SPOOL_ROOT], path, e);
}

json_t *execution_state(struct cli *c, const char *id, struct err *e)
{
	return read_member(c, id, "state.json", e);
}

json_t *execution_plan(struct cli *c, const char *id, struct err *e)
{
	return read_member(c, id, "plan.json", e);
}

char *execution_path(struct cli *c, const char *id)
{
	char dir[SPOOL_PATH_MAX];

	spool_execution_path(id, dir);
	return xasprintf("%s/%s", c->spool.path, dir);
}

json_t *execution_next_commit(struct cli *c, const char *id, uint32_t *seq, struct err *e)
{
	char path[SPOOL_PATH_MAX];
	json_t *commit;

	*e = (struct err){0};
	spool_commit_path(id, *seq + 1, path);
	commit = json_read(c->spool.fd[SPOOL_ROOT], path, e);
	if (!commit && e->code == ENOENT)
		*e = (struct err){0};
	if (commit)
		++*seq;
	return commit;
}

/* ---- actions ---- */

bool execution_action_name_is(const char *s)
{
	AUTO_FREE char *first = xstrndup(s, strcspn(s, "."));
	const char *instance = s + strlen(first);
	uint64_t n;

	return action_id_is(first) && (!*instance || text_to_u64(instance + 1, &n));
}

char *execution_action_path(const char *id, const char *action, uint32_t attempt)
{
	char dir[SPOOL_PATH_MAX];

	spool_execution_path(id, dir);
	if (attempt)
		return xasprintf("%s/actions/%s/%u", dir, action, attempt);
	return xasprintf("%s/actions/%s", dir, action);
}

uint32_t execution_last_attempt(struct cli *c, const char *id, const char *action)
{
	AUTO_FREE char *path = execution_action_path(id, action, 0);
	int fd = openat(c->spool.fd[SPOOL_ROOT], path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *handle = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint32_t last = 0;
	uint64_t n;

	if (!handle) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while ((entry = readdir(handle)))
		if (text_to_u64(entry->d_name, &n) && n > last && n < UINT32_MAX)
			last = (uint32_t)n;
	closedir(handle);
	return last;
}

/* ---- what people are asked ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Members that everything here relies on: names that are fit to become names of files. */
static bool request_is_sound(const json_t *r)
{
	const char *id = json_text(r, "execution"), *action = json_text(r, "action");

	return id && action && uuid_is_v7(id) && execution_action_name_is(action);
}

/* Others may write to confirm/: a request is the daemon's word only if it is the daemon's file, which is the spool's
 * owner's or root's. */
static json_t *read_request(struct cli *c, int fd, const char *name)
{
	AUTO_BUF struct buf text = BUF_INIT;
	struct stat st, own;
	json_t *r = NULL;
	struct err e;

	switch (fs_read_dropped(fd, name, REQUEST_MAX, &text, &st, &e)) {
	case FS_DROP_OK:
		break;
	case FS_DROP_GONE: /* answered in this moment */
		return NULL;
	default:
		complain("confirm/%s cannot be read as a request: it is passed over", name);
		return NULL;
	}
	if (fstat(c->spool.fd[SPOOL_ROOT], &own) < 0 || (st.st_uid != own.st_uid && st.st_uid != 0)) {
		complain("confirm/%s was not written by the daemon: it is passed over", name);
		return NULL;
	}
	r = json_loadb(buf_str(&text), text.len, 0, NULL);
	if (r && request_is_sound(r))
		return r;
	complain("confirm/%s is damaged: it is passed over", name);
	json_decref(r);
	return NULL;
}

static void read_requests(struct cli *c, int fd, char **names, size_t n, json_t *list)
{
	size_t k;

	for (k = 0; k < n; k++) {
		json_t *r = read_request(c, fd, names[k]);

		if (r)
			json_array_append_new(list, r);
	}
}

json_t *execution_requests(struct cli *c, const char *id)
{
	int fd = cli_open_dir(c, SPOOL_CONFIRM);
	DIR *handle = fd < 0 ? NULL : fdopendir(fd);
	VEC(char *) names = {0};
	struct dirent *entry;
	json_t *list = json_array();
	size_t k;

	if (!handle) {
		if (fd >= 0)
			close(fd);
		json_decref(list);
		return NULL;
	}
	while ((entry = readdir(handle)))
		if (!spool_ignored_name(entry->d_name) && text_ends_with(entry->d_name, ".request.json") &&
		    (!id || text_starts_with(entry->d_name, id)))
			vec_push(&names, xstrdup(entry->d_name));
	if (names.n > 1)
		qsort(names.v, names.n, sizeof *names.v, by_name);
	read_requests(c, dirfd(handle), names.v, names.n, list);
	closedir(handle);
	for (k = 0; k < names.n; k++)
		free(names.v[k]);
	vec_free(&names);
	return list;
}
