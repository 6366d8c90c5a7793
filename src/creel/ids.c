#include "creel/ids.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/text.h"
#include "creel/common.h"
#include "creel/show_text.h"

/* ---- names in a directory, greatest first ---- */

static int greatest_first(const void *a, const void *b)
{
	return strcmp(*(char *const *)b, *(char *const *)a);
}

static bool is_day(const char *name)
{
	size_t k;

	for (k = 0; k < 10; k++)
		if (k == 4 || k == 7 ? name[k] != '-' : !isdigit((unsigned char)name[k]))
			return false;
	return name[10] == '\0';
}

/* Append the names that fit; -1 and errno if the directory cannot be read. */
static int list_names(int dir, const char *path, bool (*fits)(const char *), struct id_list *out)
{
	int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *handle = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!handle) {
		int code = errno;

		if (fd >= 0)
			close(fd);
		errno = code;
		return -1;
	}
	while ((entry = readdir(handle)))
		if (fits(entry->d_name))
			vec_push(out, xstrdup(entry->d_name));
	closedir(handle);
	if (out->n > 1)
		qsort(out->v, out->n, sizeof *out->v, greatest_first);
	return 0;
}

void id_list_free(struct id_list *l)
{
	size_t k;

	for (k = 0; k < l->n; k++)
		free(l->v[k]);
	vec_free(l);
}

int id_list_dir(struct cli *c, enum spool_dir d, struct id_list *out)
{
	*out = (struct id_list){0};
	if (list_names(c->spool.fd[SPOOL_ROOT], spool_dir_name(d), uuid_is_v7, out) == 0)
		return 0;
	complain("cannot read %s/%s: %s", c->spool.path, spool_dir_name(d), strerror(errno));
	return -1;
}

static bool link_exists(struct cli *c, enum spool_dir d, const char *id)
{
	AUTO_FREE char *path = xasprintf("%s/%s", spool_dir_name(d), id);
	struct stat st;

	return fstatat(c->spool.fd[SPOOL_ROOT], path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool id_is_active(struct cli *c, const char *id)
{
	return link_exists(c, SPOOL_ACTIVE, id);
}

bool id_is_quarantined(struct cli *c, const char *id)
{
	return link_exists(c, SPOOL_QUARANTINE, id);
}

/* ---- all of them ---- */

int id_walk_open(struct id_walk *w, struct cli *c)
{
	*w = (struct id_walk){.c = c};
	if (list_names(c->spool.fd[SPOOL_ROOT], "executions", is_day, &w->days) == 0)
		return 0;
	complain("cannot read %s/executions: %s", c->spool.path, strerror(errno));
	return -1;
}

bool id_walk_next(struct id_walk *w, char id[UUID_TEXT])
{
	while (w->at == w->ids.n) {
		AUTO_FREE char *path = NULL;

		if (w->day == w->days.n)
			return false;
		id_list_free(&w->ids);
		w->at = 0;
		path = xasprintf("%s/%s", spool_dir_name(SPOOL_EXECUTIONS), w->days.v[w->day++]);
		list_names(w->c->spool.fd[SPOOL_ROOT], path, uuid_is_v7, &w->ids); /* gone meanwhile: nothing in it */
	}
	memcpy(id, w->ids.v[w->at++], UUID_TEXT);
	return true;
}

void id_walk_close(struct id_walk *w)
{
	id_list_free(&w->days);
	id_list_free(&w->ids);
}

/* ---- what was meant ---- */

enum { CANDIDATES_SHOWN = 10 };

/* The last part of a path, in lower case: people paste directories. */
static char *clean_word(const char *word)
{
	size_t n = strlen(word), k;
	const char *start;
	char *clean;

	while (n > 0 && word[n - 1] == '/')
		n--;
	for (start = word + n; start > word && start[-1] != '/'; start--)
		;
	clean = xstrndup(start, n - (size_t)(start - word));
	for (k = 0; clean[k]; k++)
		clean[k] = (char)tolower((unsigned char)clean[k]);
	return clean;
}

static bool exists(struct cli *c, const char *id)
{
	char path[SPOOL_PATH_MAX];

	spool_execution_path(id, path);
	return fs_exists(c->spool.fd[SPOOL_ROOT], path);
}

static int newest(struct cli *c, char id[UUID_TEXT])
{
	struct id_walk w;
	bool found;

	if (id_walk_open(&w, c) < 0)
		return EXIT_UNABLE;
	found = id_walk_next(&w, id);
	id_walk_close(&w);
	if (!found)
		complain("there is no execution yet: \"creel submit FILE\" makes one");
	return found ? EXIT_DONE : EXIT_NO;
}

static void list_candidates(struct cli *c, const char *word, const struct id_list *found, size_t all)
{
	int round;
	size_t k;

	complain("\"%s\" fits %zu executions; say more of the id:", word, all);
	/* those that are active first: they are meant more often */
	for (round = 0; round < 2; round++)
		for (k = 0; k < found->n; k++) {
			bool active = id_is_active(c, found->v[k]);

			if (active == (round == 0))
				note("  %s%s", found->v[k], active ? "  active" : "");
		}
	if (all > found->n)
		note("  … and %zu older ones", all - found->n);
}

static int search(struct cli *c, const char *word, char id[UUID_TEXT])
{
	struct id_list found = {0};
	struct id_walk w;
	char each[UUID_TEXT];
	size_t all = 0;

	if (id_walk_open(&w, c) < 0)
		return EXIT_UNABLE;
	while (id_walk_next(&w, each)) {
		if (!text_starts_with(each, word) && !text_ends_with(each, word))
			continue;
		if (++all <= CANDIDATES_SHOWN)
			vec_push(&found, xstrdup(each));
	}
	id_walk_close(&w);
	if (all == 1)
		memcpy(id, found.v[0], UUID_TEXT);
	else if (all == 0)
		complain("there is no execution \"%s\"; \"creel ls\" lists the newest", word);
	else
		list_candidates(c, word, &found, all);
	id_list_free(&found);
	return all == 1 ? EXIT_DONE : EXIT_NO;
}

int id_resolve(struct cli *c, const char *word, char id[UUID_TEXT])
{
	AUTO_FREE char *clean = clean_word(word);

	if (strcmp(clean, "last") == 0)
		return newest(c, id);
	if (uuid_is_v7(clean)) {
		memcpy(id, clean, UUID_TEXT);
		if (exists(c, id))
			return EXIT_DONE;
		complain("there is no execution %s in %s: it never was there, or creel gc removed it (then events/ says so, and whether an "
		 "archive has it)", id, c->spool.path);
		return EXIT_NO;
	}
	if (!*clean || strspn(clean, "0123456789abcdef-") != strlen(clean)) {
		complain("\"%s\" is not an execution: give its id, a beginning or an end of it, or \"last\"", word);
		return EXIT_UNABLE;
	}
	if (strlen(clean) < ID_LEAST) {
		complain("\"%s\" is too short: give at least %d characters of the id", word, ID_LEAST);
		return EXIT_UNABLE;
	}
	return search(c, clean, id);
}
