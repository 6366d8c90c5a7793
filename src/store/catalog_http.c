#include "store/catalog_http.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/sha.h"
#include "base/text.h"
#include "base/vec.h"
#include "store/spool.h"

enum {
	SETTLE_MS = 100, /* a file that was changed so short a time ago may change again without a new time of change */
	FILES_MAX = 20000
};

static const char *const dirs[CATALOG_KINDS] = {[CATALOG_ACTION] = "actions", [CATALOG_API] = "apis"};

struct file {
	struct catalog_item item;
	struct stat st;               /* when it was read */
	char digest[SHA256_TAGGED];   /* of what was read; "" before */
	bool unsettled;
	bool seen; /* in the pass under way */
};

struct http_catalog {
	int root;
	struct err trouble; /* why something could not be read that may be right: nothing is known of it */
	bool stale; /* what changed since has to be read before the next answer */
	VEC(struct file *) files;      /* by name */
	struct map ids[CATALOG_KINDS]; /* of entries -> place in files, the first of its id */
};

struct http_catalog *http_catalog_new(int root)
{
	struct http_catalog *c = xcalloc(1, sizeof *c);

	c->root = root;
	c->stale = true;
	return c;
}

static void clear_item(struct catalog_item *i)
{
	catalog_names_free(&i->names);
	json_decref(i->entry);
	i->entry = NULL;
	diags_free(&i->errors);
	i->errors = (struct diags)DIAGS_INIT;
	i->told = false;
}

static void free_file(struct file *f)
{
	clear_item(&f->item);
	free(f->item.file);
	free(f);
}

void http_catalog_free(struct http_catalog *c)
{
	size_t k;

	if (!c)
		return;
	for (k = 0; k < c->files.n; k++)
		free_file(c->files.v[k]);
	vec_free(&c->files);
	for (k = 0; k < CATALOG_KINDS; k++)
		map_free(&c->ids[k]);
	free(c);
}

/* ---- reading ---- */

static void cannot_take(struct catalog_item *i, enum fs_drop why, const struct err *e)
{
	switch (why) {
	case FS_DROP_KIND:
		diag_add(&i->errors, "", xstrdup("put the file itself there"), "it is no regular file, or a link");
		break;
	case FS_DROP_LINKS:
		diag_add(&i->errors, "", xstrdup("put a copy there"), "it has more than one link, so that others could change it");
		break;
	case FS_DROP_TOO_BIG:
		diag_add(&i->errors, "", NULL, "it is larger than the %d bytes that are read", CATALOG_FILE_MAX);
		break;
	default:
		diag_add(&i->errors, "", NULL, "%s", e->text[0] ? e->text : "it cannot be read");
		break;
	}
}

static msec changed_at(const struct stat *st)
{
	return (msec)st->st_ctim.tv_sec * 1000 + st->st_ctim.tv_nsec / 1000000;
}

/* Does it say anything else than before? */
static bool read_file(struct http_catalog *c, struct file *f)
{
	AUTO_FREE char *path = xasprintf("catalog/%s", f->item.file);
	AUTO_BUF struct buf text = BUF_INIT;
	char digest[SHA256_TAGGED];
	struct err e = {0};
	enum fs_drop taken;
	msec now = clock_wall();

	taken = fs_read_dropped(c->root, path, CATALOG_FILE_MAX, &text, &f->st, &e);
	if (taken == FS_DROP_FAILED && err_is_passing(e.code))
		c->trouble = e;
	f->unsettled = taken != FS_DROP_OK || changed_at(&f->st) + SETTLE_MS > now || changed_at(&f->st) > now;
	if (taken == FS_DROP_OK)
		sha256_tagged(text.p, text.len, digest);
	else
		snprintf(digest, sizeof digest, "%d %.60s", (int)taken, e.text);
	if (strcmp(digest, f->digest) == 0)
		return false;
	strcpy(f->digest, digest);
	clear_item(&f->item);
	if (taken == FS_DROP_OK)
		f->item.entry = catalog_decode(f->item.kind, path, buf_str(&text), text.len, &f->item.names, &f->item.errors);
	else
		cannot_take(&f->item, taken, &e);
	return true;
}

static bool is_as_read(const struct file *f, const struct stat *st)
{
	return !f->unsettled && f->st.st_ino == st->st_ino && f->st.st_dev == st->st_dev && f->st.st_size == st->st_size &&
	       f->st.st_mtim.tv_sec == st->st_mtim.tv_sec && f->st.st_mtim.tv_nsec == st->st_mtim.tv_nsec &&
	       f->st.st_ctim.tv_sec == st->st_ctim.tv_sec && f->st.st_ctim.tv_nsec == st->st_ctim.tv_nsec;
}

/* Where the file of that name is, or belongs. */
static size_t place_of(const struct http_catalog *c, const char *file, bool *found)
{
	size_t low = 0, high = c->files.n;

	*found = false;
	while (low < high && !*found) {
		size_t middle = (low + high) / 2;
		int order = strcmp(c->files.v[middle]->item.file, file);

		*found = order == 0;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
		if (*found)
			low = middle;
	}
	return low;
}

static struct file *insert(struct http_catalog *c, enum catalog_kind kind, const char *name, size_t at)
{
	struct file *f = xcalloc(1, sizeof *f);

	f->item.kind = kind;
	f->item.file = xstrdup(name);
	f->unsettled = true;
	vec_push(&c->files, f);
	memmove(c->files.v + at + 1, c->files.v + at, (c->files.n - 1 - at) * sizeof *c->files.v);
	c->files.v[at] = f;
	return f;
}

static bool look_at(struct http_catalog *c, enum catalog_kind kind, int dir, const char *name)
{
	AUTO_FREE char *file = xasprintf("%s/%s", dirs[kind], name);
	struct stat st;
	struct file *f;
	bool found;
	size_t at;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	at = place_of(c, file, &found);
	if (!found && c->files.n >= FILES_MAX)
		return false;
	f = found ? c->files.v[at] : insert(c, kind, file, at);
	f->seen = true;
	return is_as_read(f, &st) ? false : read_file(c, f);
}

static bool is_entry(const char *name)
{
	return !spool_ignored_name(name) &&
	       (text_ends_with(name, ".yaml") || text_ends_with(name, ".yml") || text_ends_with(name, ".json"));
}

static bool look_in(struct http_catalog *c, enum catalog_kind kind)
{
	AUTO_FREE char *path = xasprintf("catalog/%s", dirs[kind]);
	struct err e;
	DIR *handle = fs_dir_open(c->root, path, &e);
	bool changed = false;
	const char *name;

	while (handle && (name = fs_dir_next(handle, &e)))
		if (is_entry(name))
			changed |= look_at(c, kind, dirfd(handle), name);
	if (handle)
		closedir(handle);
	if (e.code && e.code != ENOENT)
		c->trouble = e;
	return changed;
}

/* Forget the files that are there no more. */
static bool drop_gone(struct http_catalog *c)
{
	size_t from, to = 0, n = c->files.n;

	if (c->trouble.code) { /* what was not seen may be there */
		for (from = 0; from < n; from++)
			c->files.v[from]->seen = false;
		return false;
	}
	for (from = 0; from < n; from++) {
		struct file *f = c->files.v[from];

		if (!f->seen) {
			free_file(f);
			continue;
		}
		f->seen = false;
		c->files.v[to++] = f;
	}
	c->files.n = to;
	return to < n;
}

/* ---- which belong together ---- */

static void set_place(struct diag *d, int line, int column)
{
	if (!d)
		return;
	d->line = line;
	d->column = column;
}

static void say_twice(struct catalog_item *i, const struct catalog_item *other)
{
	set_place(diag_add(&i->errors, i->kind == CATALOG_API ? "/apiId" : "/id", xstrdup("remove one of them"),
			   "the id \"%s\" is also that of catalog/%s", i->names.id, other->file),
		  i->names.id_line, i->names.id_column);
}

static void index_ids(struct http_catalog *c)
{
	size_t k;

	for (k = 0; k < CATALOG_KINDS; k++) {
		map_free(&c->ids[k]);
		c->ids[k] = (struct map)MAP_INIT;
	}
	for (k = 0; k < c->files.n; k++) {
		struct catalog_item *i = &c->files.v[k]->item, *first;
		uint32_t at;

		if (!i->entry)
			continue;
		diags_free(&i->errors);
		i->errors = (struct diags)DIAGS_INIT;
		at = map_get(&c->ids[i->kind], i->names.id);
		if (at == MAP_NONE) {
			map_put(&c->ids[i->kind], i->names.id, (uint32_t)k);
			continue;
		}
		first = &c->files.v[at]->item;
		say_twice(i, first);
		if (first->errors.n == 0)
			say_twice(first, i);
	}
}

/* The API, whole or wrong, whose base URL is the longest that the URL begins with. */
static struct catalog_item *api_for(const struct http_catalog *c, const char *url)
{
	struct catalog_item *best = NULL;
	size_t most = 0, k;

	for (k = 0; k < c->files.n; k++) {
		struct catalog_item *i = &c->files.v[k]->item;
		size_t n = i->names.base_url ? catalog_url_fits(i->names.base_url, url) : 0;

		if (n > most) {
			most = n;
			best = i;
		}
	}
	return best;
}

static struct catalog_item *named(const struct http_catalog *c, enum catalog_kind kind, const char *id)
{
	uint32_t at = map_get(&c->ids[kind], id);
	size_t k;

	if (at != MAP_NONE)
		return &c->files.v[at]->item;
	for (k = 0; k < c->files.n; k++) {
		struct catalog_item *i = &c->files.v[k]->item;

		if (i->kind == kind && i->names.id && strcmp(i->names.id, id) == 0)
			return i; /* it is wrong, but it is the one that is meant */
	}
	return NULL;
}

/* The API of a definition; NULL: none fits, or the one that it names is not there (*missing). */
static struct catalog_item *api_of(const struct http_catalog *c, const json_t *definition, const char **missing)
{
	const char *id = json_string_value(json_object_get(definition, "apiId"));
	struct catalog_item *api;

	*missing = NULL;
	if (!id)
		return api_for(c, json_string_value(json_object_get(json_object_get(definition, "endpoint"), "url")));
	api = named(c, CATALOG_API, id);
	if (!api)
		*missing = id;
	return api;
}

static const char *nearest(const struct http_catalog *c, enum catalog_kind kind, const char *id)
{
	const char **list = xcalloc(c->files.n + 1, sizeof *list), *near;
	size_t k, n = 0;

	for (k = 0; k < c->files.n; k++)
		if (c->files.v[k]->item.kind == kind && c->files.v[k]->item.names.id)
			list[n++] = c->files.v[k]->item.names.id;
	near = text_nearest(id, list, n);
	free(list);
	return near;
}

static void link_apis(struct http_catalog *c)
{
	size_t k;

	for (k = 0; k < c->files.n; k++) {
		struct catalog_item *i = &c->files.v[k]->item, *api;
		const char *missing, *near;

		if (i->kind != CATALOG_ACTION || !i->entry)
			continue;
		api = api_of(c, i->entry, &missing);
		if (missing) {
			near = nearest(c, CATALOG_API, missing);
			set_place(diag_add(&i->errors, "/apiId",
					   near ? xasprintf("did you mean \"%s\"?", near)
						: xstrdup("put it into catalog/apis, or leave apiId out"),
					   "catalog/apis has no API \"%s\"", missing),
				  i->names.api_line, i->names.api_column);
		} else if (api && (!api->entry || api->errors.n > 0)) {
			set_place(diag_add(&i->errors, json_object_get(i->entry, "apiId") ? "/apiId" : "/endpoint/url",
					   xasprintf("mend catalog/%s", api->file),
					   "its API is described in catalog/%s, which is wrong: %s", api->file,
					   api->errors.v[0].message),
				  i->names.api_line, i->names.api_column);
		}
	}
}

bool http_catalog_refresh(struct http_catalog *c)
{
	bool changed;

	c->trouble = (struct err){0};
	changed = look_in(c, CATALOG_ACTION);
	c->stale = false;
	changed |= look_in(c, CATALOG_API);
	changed |= drop_gone(c);
	if (changed) {
		index_ids(c);
		link_apis(c);
	}
	return changed;
}

void http_catalog_look_again(struct http_catalog *c)
{
	c->stale = true;
}

const struct err *http_catalog_trouble(const struct http_catalog *c)
{
	return c->trouble.code ? &c->trouble : NULL;
}

/* ---- asking ---- */

static void be_fresh(struct http_catalog *c)
{
	if (c->stale)
		http_catalog_refresh(c);
}

size_t http_catalog_count(const struct http_catalog *c)
{
	return c->files.n;
}

struct catalog_item *http_catalog_item(const struct http_catalog *c, size_t k)
{
	return &c->files.v[k]->item;
}

static char *why_not(const struct catalog_item *i)
{
	const struct diag *d = &i->errors.v[0];

	if (d->line)
		return xasprintf("catalog/%s:%d:%d: %s%s%s", i->file, d->line, d->column, d->message,
				 d->suggestion ? "; " : "", d->suggestion ? d->suggestion : "");
	return xasprintf("catalog/%s: %s%s%s", i->file, d->message, d->suggestion ? "; " : "",
			 d->suggestion ? d->suggestion : "");
}

/* A file that cannot even say its id may be named like it. */
static const struct catalog_item *named_like(const struct http_catalog *c, const char *id)
{
	size_t k, n = strlen(id);

	for (k = 0; k < c->files.n; k++) {
		const struct catalog_item *i = &c->files.v[k]->item;
		const char *name = i->file + strlen(dirs[CATALOG_ACTION]) + 1;

		if (i->kind == CATALOG_ACTION && !i->names.id && strncmp(name, id, n) == 0 && name[n] == '.' &&
		    !strchr(name + n + 1, '.'))
			return i;
	}
	return NULL;
}

int http_catalog_find(struct http_catalog *c, const char *id, struct http_found *out, char **why)
{
	const struct catalog_item *i, *api;
	const char *missing;

	be_fresh(c);
	i = named(c, CATALOG_ACTION, id);
	if (!i)
		i = named_like(c, id);
	if (!i)
		return 0;
	if (!i->entry || i->errors.n > 0) {
		*why = why_not(i);
		return -1;
	}
	api = api_of(c, i->entry, &missing);
	*out = (struct http_found){i->entry, api ? api->entry : NULL};
	return 1;
}

int http_catalog_api_of(struct http_catalog *c, const char *url, json_t **api, char **why)
{
	const struct catalog_item *i;

	be_fresh(c);
	i = api_for(c, url);
	if (!i)
		return 0;
	if (!i->entry || i->errors.n > 0) {
		*why = why_not(i);
		return -1;
	}
	*api = i->entry;
	return 1;
}

const char *http_catalog_nearest(struct http_catalog *c, const char *id)
{
	be_fresh(c);
	return nearest(c, CATALOG_ACTION, id);
}
