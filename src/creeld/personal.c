/*
 * personal.c - confirm/by/USER: directories that belong to one person each.
 *
 * What lies there is its owner's: read, remembered and never moved.  Each change of a file is looked at once, also
 * after a restart: what was looked at stands in confirm/by/.looked, one line for each, written when what came of it is
 * durable.  A line that a crash took costs one more look, and a repeated decision is harmless.
 *
 *   CTIME MTIME SIZE USER/NAME      (bytes of the name other than letters, digits and - . _ as %XX)
 *
 * In a spool that was copied from elsewhere every file has a new ctime: there the mtime and the size decide, so that
 * an old decision does not count anew for a later request.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "creeld/drops.h"

enum {
	FILES_MAX = 10000, /* of one person: more are not looked at */
	BATCH = 128,       /* looked at in one turn: a flood must not keep the others waiting */
	LOOKED_MAX = 256 * 1024 * 1024
};

/* ---- what was looked at ---- */

static char *key_of(const char *user, const char *name)
{
	AUTO_FREE char *whole = xasprintf("%s/%s", user, name);
	struct buf key = BUF_INIT;
	const char *p;

	for (p = whole; *p; p++)
		if (isalnum((unsigned char)*p) || strchr("/-._", *p))
			buf_putc(&key, *p);
		else
			buf_printf(&key, "%%%02X", (unsigned char)*p);
	return buf_steal(&key);
}

static char *look_of(const struct stat *st)
{
	return xasprintf("%lld.%09ld %lld.%09ld %lld", (long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec,
			 (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, (long long)st->st_size);
}

enum looked { LOOKED_NOT, LOOKED_COPY /* before it was copied */, LOOKED_SO };

static enum looked was_looked_at(const struct daemon *d, const char *key, const char *look)
{
	const char *before = json_string_value(json_object_get(d->personal, key));
	const char *since = before ? strchr(before, ' ') : NULL;

	if (before && strcmp(before, look) == 0)
		return LOOKED_SO;
	return d->restored && since && strcmp(since, strchr(look, ' ')) == 0 ? LOOKED_COPY : LOOKED_NOT;
}

static void remember(struct daemon *d, struct flush_job *j, const char *key, const char *look)
{
	json_object_set_new(d->personal, key, json_string(look));
	buf_printf(&j->looked, "%s %s\n", look, key);
}

/* Undoes key_of. */
static void plain_name(const char *key, char *out)
{
	for (; *key; key++) {
		char hex[3] = {key[0] == '%' ? key[1] : '\0', key[0] == '%' && key[1] ? key[2] : '\0', '\0'};

		*out++ = hex[0] && hex[1] ? (char)strtoul(hex, NULL, 16) : *key;
		key += hex[0] && hex[1] ? 2 : 0;
	}
	*out = '\0';
}

static void load_line(json_t *all, char *line)
{
	char *key = line;
	int k;

	for (k = 0; k < 3 && key; k++)
		key = strchr(key + 1, ' ');
	if (!key || !key[1])
		return;
	*key = '\0';
	json_object_set_new(all, key + 1, json_string(line));
}

/* Those whose file is there no more are forgotten. */
static int drop_gone(struct daemon *d, json_t *all, struct err *e)
{
	const char *key;
	json_t *look;
	void *next;

	json_object_foreach_safe(all, next, key, look) {
		AUTO_FREE char *name = xstrdup(key);
		int there;

		plain_name(key, name);
		there = fs_there(d->spool.fd[SPOOL_CONFIRM_BY], name, e);
		if (there < 0)
			return -1;
		if (there == 0)
			json_object_del(all, key);
	}
	return 0;
}

static int write_again(struct daemon *d, struct err *e)
{
	AUTO_BUF struct buf text = BUF_INIT;
	const char *key;
	json_t *look;

	json_object_foreach(d->personal, key, look)
		buf_printf(&text, "%s %s\n", json_string_value(look), key);
	return fs_publish(d->spool.fd[SPOOL_CONFIRM_BY], ".looked", buf_str(&text), text.len, 0, e);
}

int personal_load(struct daemon *d, struct err *e)
{
	AUTO_BUF struct buf text = BUF_INIT;
	char *line, *save = NULL;
	size_t before;

	if (fs_read(d->spool.fd[SPOOL_CONFIRM_BY], ".looked", LOOKED_MAX, &text, e) < 0 && e->code != ENOENT)
		return err_prefix(e, "confirm/by");
	for (line = text.len ? strtok_r(text.p, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save))
		load_line(d->personal, line);
	before = json_object_size(d->personal);
	if (drop_gone(d, d->personal, e) < 0)
		return -1;
	if (json_object_size(d->personal) < before && write_again(d, e) < 0)
		log_warn("%s; it stays longer than it needs to be", e->text);
	return 0;
}

/* ---- looking ---- */

/* Is this directory USER's alone to write?  -1: it cannot be told. */
static int belongs_to(int fd, const char *user, struct err *e)
{
	struct stat st;
	uid_t uid;
	int r = uid_of(user, &uid, e);

	if (r <= 0)
		return r;
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot look at %s", user);
	return st.st_uid == uid && !(st.st_mode & 0022);
}

struct look {
	struct daemon *d;
	struct flush_job *j;
	const char *user;
	unsigned files, taken;
};

static void look_at(struct look *l, DIR *own, const char *name)
{
	AUTO_FREE char *shown = xasprintf("%s/%s", l->user, name), *key = NULL, *look = NULL;
	enum looked looked;
	struct stat st;

	if (fstatat(dirfd(own), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	key = key_of(l->user, name);
	look = look_of(&st);
	looked = was_looked_at(l->d, key, look);
	if (looked == LOOKED_COPY)
		remember(l->d, l->j, key, look);
	if (looked != LOOKED_NOT || !drop_is_ready(l->d, dirfd(own), name))
		return;
	l->taken++;
	if (drop_take(l->d, SPOOL_CONFIRM_BY, dirfd(own), name, shown))
		remember(l->d, l->j, key, look);
}

static void look_through(struct look *l, DIR *own, struct err *e)
{
	const char *name;

	l->files = 0;
	while ((name = fs_dir_next(own, e))) {
		if (spool_ignored_name(name))
			continue;
		if (l->files++ == FILES_MAX) {
			if (drop_tell(l->d, l->user, EFBIG))
				log_error("confirm/by/%s holds more than %d files: the rest is not looked at; remove old ones",
					  l->user, FILES_MAX);
			return;
		}
		if (l->taken == BATCH) {
			l->d->scan |= 1u << SPOOL_CONFIRM_BY; /* the rest in the next turn */
			return;
		}
		look_at(l, own, name);
	}
}

static int scan_person(void *look, int dir, const char *user, struct err *e)
{
	struct look *l = look;
	DIR *own = fs_dir_open(dir, user, e);
	int mine;

	if (!own) /* what is no directory is nobody's */
		return err_is_passing(e->code) ? -1 : 0;
	l->user = user;
	mine = belongs_to(dirfd(own), user, e);
	*e = mine < 0 ? *e : (struct err){0};
	if (mine > 0)
		look_through(l, own, e);
	closedir(own);
	return e->code ? -1 : 0;
}

void personal_scan(struct daemon *d, struct flush_job *j)
{
	struct look l = {.d = d, .j = j};
	struct err e;

	if (fs_each(d->spool.fd[SPOOL_CONFIRM_BY], ".", scan_person, &l, &e) == 0)
		return;
	drop_again(d);
	if (drop_tell(d, "confirm/by", e.code))
		log_error("cannot read confirm/by/: %s; trying again and again", e.text);
}
