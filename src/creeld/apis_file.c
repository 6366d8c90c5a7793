/*
 * apis_file.c - the files below apis/: one for each API that is left alone, and for each window in which something was
 * sent.  What has nothing to say any more has no file.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sha.h"
#include "base/text.h"
#include "creeld/apis_impl.h"

enum { FILE_MAX = 1024 * 1024, NAME_MOST = 200 };

/* A key as the name of a file: what is unusual as %XX, and where that gets long its digest. */
static char *file_of(const char *key)
{
	struct buf b = BUF_INIT;
	char digest[SHA256_TAGGED];
	const char *p;

	for (p = key; *p; p++) {
		if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("_-.:", *p))
			buf_putc(&b, *p);
		else if (*p == ' ')
			buf_putc(&b, '.');
		else
			buf_printf(&b, "%%%02X", (unsigned char)*p);
	}
	if (b.len > NAME_MOST) {
		sha256_tagged(key, strlen(key), digest);
		buf_reset(&b);
		buf_printf(&b, "%.*s.%s", (int)strcspn(key, " "), key, strchr(digest, ':') + 1);
	}
	buf_puts(&b, ".json");
	return buf_steal(&b);
}

static void set_time(json_t *o, const char *key, msec at)
{
	char text[CLOCK_TEXT];

	clock_format(at, text);
	json_object_set_new(o, key, json_string(text));
}

/* ---- writing ---- */

static json_t *encode_api(const struct api *a)
{
	json_t *o = json_pack("{s:s, s:s, s:I}", "key", a->key, "state", park_state_name(a->p.state), "times",
			      (json_int_t)a->p.times);

	set_time(o, "since", a->p.since);
	set_time(o, "until", a->p.until);
	if (a->p.state == PARK_PROBING && a->execution[0])
		json_object_set_new(o, "probe", json_pack("{s:s, s:s, s:I}", "execution", a->execution, "action", a->action,
							  "attempt", (json_int_t)a->attempt));
	if (a->last)
		json_object_set(o, "reason", a->last);
	return o;
}

static json_t *encode_limit(const struct limit *l)
{
	json_t *sent = json_array();
	char when[CLOCK_TEXT];
	size_t k;

	for (k = 0; k < l->w.marks.n; k++) {
		clock_format(l->w.marks.v[k].at, when);
		json_array_append_new(sent, json_pack("[s, I]", when, (json_int_t)l->w.marks.v[k].n));
	}
	return json_pack("{s:s, s:I, s:o}", "key", l->key, "windowMs", (json_int_t)l->w.longest, "sent", sent);
}

/* o is taken over; NULL: there is nothing to say. */
static int write_one(const struct daemon *d, const char *key, json_t *o, struct err *e)
{
	AUTO_FREE char *file = file_of(key), *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	int dir = d->spool.fd[SPOOL_APIS];

	json_decref(o);
	if (text) /* not flushed: what a power cut takes of it makes an API that is asked too early */
		return fs_publish(dir, file, text, strlen(text), 0, e);
	return unlinkat(dir, file, 0) < 0 && errno != ENOENT ? err_sys(e, errno, "cannot remove apis/%s", file) : 0;
}

void apis_save(struct daemon *d)
{
	struct apis *all = d->apis;
	struct err e = {0};
	bool failed = false;
	size_t k;

	for (k = 0; k < all->all.n; k++) {
		struct api *a = all->all.v[k];

		if (a->changed && write_one(d, a->key, a->p.state == PARK_OPEN ? NULL : encode_api(a), &e) == 0)
			a->changed = false;
		failed = failed || a->changed;
	}
	for (k = all->limits.n; k-- > 0;) {
		struct limit *l = all->limits.v[k];
		bool had = l->w.marks.n > 0, empty = window_tidy(&l->w, all->checked);

		if ((l->changed || (had && empty)) && write_one(d, l->key, empty ? NULL : encode_limit(l), &e) == 0)
			l->changed = false;
		failed = failed || l->changed;
		if (!l->changed && l->under_way == 0 && l->w.marks.n == 0)
			apis_drop_limit(d, k);
	}
	if (failed && !all->told)
		log_error("the state of APIs cannot be written: %s", e.text);
	all->told = failed;
}

/* ---- reading ---- */

static bool get_time(const json_t *o, const char *key, msec *at)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text && clock_parse(text, at);
}

static bool decode_api(struct daemon *d, const char *key, const json_t *o)
{
	const char *state = json_string_value(json_object_get(o, "state"));
	json_t *probe = json_object_get(o, "probe");
	const char *execution = json_string_value(json_object_get(probe, "execution"));
	int s = state ? park_state_parse(state) : -1;
	struct parking p;
	struct api *a;

	if (s < 0 || !get_time(o, "since", &p.since) || !get_time(o, "until", &p.until))
		return false;
	p.state = (enum park_state)s;
	p.times = (uint32_t)json_integer_value(json_object_get(o, "times"));
	a = apis_get(d, key);
	a->p = p;
	if (execution && uuid_is_v7(execution))
		strcpy(a->execution, execution);
	a->action = xstrdup_opt(json_string_value(json_object_get(probe, "action")));
	a->attempt = (uint32_t)json_integer_value(json_object_get(probe, "attempt"));
	a->last = json_incref(json_object_get(o, "reason"));
	return true;
}

static bool decode_limit(struct daemon *d, const char *key, const json_t *o)
{
	json_t *sent = json_object_get(o, "sent"), *mark;
	json_int_t window = json_integer_value(json_object_get(o, "windowMs"));
	struct limit *l;
	size_t k;

	if (!json_is_array(sent) || window <= 0)
		return false;
	l = apis_limit(d, key);
	l->w.longest = window;
	json_array_foreach(sent, k, mark) {
		const char *when = json_string_value(json_array_get(mark, 0));
		json_int_t n = json_integer_value(json_array_get(mark, 1));
		msec at;

		if (when && clock_parse(when, &at) && n > 0 && n <= UINT32_MAX)
			window_sent(&l->w, at, (uint32_t)n);
	}
	return true;
}

static int load_one(void *daemon, int dir, const char *file, struct err *e)
{
	AUTO_BUF struct buf text = BUF_INIT;
	struct daemon *d = daemon;
	struct err why = {0};
	const char *key;
	json_t *o = NULL;
	bool good;

	if (file[0] == '.' || !text_ends_with(file, ".json"))
		return 0;
	if (fs_read(dir, file, FILE_MAX, &text, &why) == 0)
		o = json_loadb(buf_str(&text), text.len, JSON_REJECT_DUPLICATES, NULL);
	else if (err_is_passing(why.code))
		return err_set(e, why.code, "%s", why.text);
	key = json_string_value(json_object_get(o, "key"));
	if (key && (text_starts_with(key, "api ") || text_starts_with(key, "definition ")))
		good = decode_api(d, key, o);
	else
		good = key && decode_limit(d, key, o);
	if (!good)
		log_warn("apis/%s cannot be used%s%s; it is as if nothing had been sent", file, why.text[0] ? ": " : "", why.text);
	json_decref(o);
	return 0;
}

int apis_load(struct daemon *d, struct err *e)
{
	d->apis = xcalloc(1, sizeof *d->apis);
	return fs_each(d->spool.fd[SPOOL_APIS], ".", load_one, d, e) < 0 ? err_prefix(e, "cannot read apis/") : 0;
}

void apis_free(struct daemon *d)
{
	size_t k;

	if (!d->apis)
		return;
	for (k = 0; k < d->apis->all.n; k++) {
		struct api *a = d->apis->all.v[k];

		json_decref(a->last);
		json_decref(a->entry);
		free(a->action);
		free(a->key);
		free(a);
	}
	while (d->apis->limits.n > 0)
		apis_drop_limit(d, d->apis->limits.n - 1);
	vec_free(&d->apis->all);
	vec_free(&d->apis->limits);
	map_free(&d->apis->index);
	map_free(&d->apis->limit_index);
	free(d->apis);
	d->apis = NULL;
}
