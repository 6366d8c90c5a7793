#include "creel/breakers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "creel/json.h"

static int by_name(const void *a, const void *b)
{
	return strcmp(json_text_or_empty(*(json_t *const *)a, "name"), json_text_or_empty(*(json_t *const *)b, "name"));
}

static json_t *sorted(json_t *list)
{
	size_t n = json_array_size(list), k;
	json_t **v = xcalloc(n + 1, sizeof *v), *out = json_array();

	for (k = 0; k < n; k++)
		v[k] = json_array_get(list, k);
	qsort(v, n, sizeof *v, by_name);
	for (k = 0; k < n; k++)
		json_array_append(out, v[k]);
	free(v);
	json_decref(list);
	return out;
}

json_t *breakers_read(struct cli *c)
{
	const char *name = spool_dir_name(SPOOL_BREAKERS);
	int fd = openat(c->spool.fd[SPOOL_ROOT], name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *handle = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	json_t *list;

	if (!handle) {
		if (fd >= 0)
			close(fd);
		return errno == ENOENT ? json_array() : NULL; /* no daemon has made it yet */
	}
	list = json_array();
	while ((entry = readdir(handle))) {
		json_t *o = !spool_ignored_name(entry->d_name) && text_ends_with(entry->d_name, ".json")
				? json_read(dirfd(handle), entry->d_name, NULL)
				: NULL;

		if (json_text(o, "state") && strcmp(json_text(o, "state"), "closed") != 0)
			json_array_append(list, o);
		json_decref(o);
	}
	closedir(handle);
	return sorted(list);
}

static void put_one(struct buf *b, const struct term *t, const json_t *o)
{
	bool probing = strcmp(json_text_or_empty(o, "state"), "half_open") == 0;
	const json_t *last = json_object_get(o, "lastError"), *probe = json_object_get(o, "probe");

	buf_puts(b, "breaker      ");
	put_safe(b, json_text_or_empty(o, "name"));
	buf_puts(b, " is ");
	put_tone(b, t, probing ? TONE_WARN : TONE_BAD, probing ? "half open" : "open");
	if (probing) {
		buf_puts(b, ": ");
		put_safe(b, json_text_or_empty(probe, "action"));
		buf_puts(b, " tries the tool, the others wait for it");
	} else if (json_text(o, "probeAt")) {
		buf_puts(b, ", tried again from ");
		put_time(b, json_text(o, "probeAt"));
		buf_puts(b, " UTC");
	}
	if (json_text(last, "message")) {
		buf_puts(b, "; last failure: ");
		put_safe(b, json_text(last, "message"));
	}
	buf_putc(b, '\n');
}

void put_breakers(struct buf *b, const struct term *t, const json_t *breakers)
{
	const json_t *o;
	size_t k;

	if (!breakers)
		buf_puts(b, "breakers     you may not read them\n");
	json_array_foreach(breakers, k, o)
		put_one(b, t, o);
}
