#include "store/catalog_plans.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "codec/source.h"

static const char *const endings[] = {".yaml", ".yml", ".json"};

enum { ENDINGS = sizeof endings / sizeof *endings, NAMES_MAX = 10000 };

static int no_plan(enum fs_drop why, const char *file, struct err *e)
{
	switch (why) {
	case FS_DROP_KIND:
		return err_set(e, EINVAL, "%s is not a regular file", file);
	case FS_DROP_LINKS:
		return err_set(e, EMLINK, "%s has more than one link, so that others could change it", file);
	case FS_DROP_TOO_BIG:
		return err_set(e, EFBIG, "%s is larger than the %zu bytes that a plan may have", file,
			       source_plan_limits.bytes);
	default:
		return -1;
	}
}

static int read_plan(struct plan_catalog *c, const char *name, struct buf *text, char **file, struct err *e)
{
	const struct spool *s = c->ctx;
	enum fs_drop taken;
	struct stat st;
	size_t k;

	if (!plan_name_is(name)) /* it becomes a path here */
		return err_set(e, EINVAL, "\"%.100s\" cannot be the name of a plan", name);
	for (k = 0; k < ENDINGS; k++) {
		AUTO_FREE char *path = xasprintf("plans/%s%s", name, endings[k]);

		taken = fs_read_dropped(s->fd[SPOOL_CATALOG], path, source_plan_limits.bytes, text, &st, e);
		if (taken == FS_DROP_GONE)
			continue;
		*file = xasprintf("catalog/%s", path);
		if (taken == FS_DROP_FAILED && err_is_passing(e->code))
			c->trouble = *e;
		return taken == FS_DROP_OK ? 1 : no_plan(taken, *file, e);
	}
	return 0;
}

static json_t *list_plans(void *spool)
{
	const struct spool *s = spool;
	json_t *names = json_array();
	const char *entry;
	struct err e;
	DIR *handle = fs_dir_open(s->fd[SPOOL_CATALOG], "plans", &e);
	size_t k;

	/* For suggestions only: a list that breaks off makes a poorer one. */
	while (handle && json_array_size(names) < NAMES_MAX && (entry = fs_dir_next(handle, &e)))
		for (k = 0; k < ENDINGS; k++) {
			size_t n = strlen(entry), tail = strlen(endings[k]);
			AUTO_FREE char *name = NULL;

			if (n <= tail || strcmp(entry + n - tail, endings[k]) != 0)
				continue;
			name = xstrndup(entry, n - tail);
			if (plan_name_is(name))
				json_array_append_new(names, json_string(name));
		}
	if (handle)
		closedir(handle);
	return names;
}

struct plan_catalog catalog_plans(const struct spool *s)
{
	return (struct plan_catalog){.read = read_plan, .names = list_plans, .ctx = (void *)s};
}
