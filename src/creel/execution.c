#include "creel/execution.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/vec.h"
#include "creel/common.h"
#include "creel/json.h"
#include "model/plan.h"

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

static void read_requests(int fd, char **names, size_t n, json_t *list)
{
	struct err e;
	size_t k;

	for (k = 0; k < n; k++) {
		json_t *r = json_read(fd, names[k], &e);

		if (r && request_is_sound(r))
			json_array_append(list, r);
		else if (!r && e.code != ENOENT) /* one that was answered in this moment is no loss */
			complain("%s", e.text);
		json_decref(r);
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
	read_requests(dirfd(handle), names.v, names.n, list);
	closedir(handle);
	for (k = 0; k < names.n; k++)
		free(names.v[k]);
	vec_free(&names);
	return list;
}
