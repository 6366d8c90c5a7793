#include "creel/http_status.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"
#include "creel/json.h"
#include "store/catalog_http.h"

enum { LINES_MOST = 10 }; /* of limits: with many users there are many */

/* ---- apis/ ---- */

/* How many were sent within the window, by now. */
static json_int_t sent_of(const json_t *limit, msec now)
{
	msec window = json_number(limit, "windowMs"), at;
	json_int_t n = 0;
	json_t *mark;
	size_t k;

	json_array_foreach(json_object_get(limit, "sent"), k, mark) {
		const char *when = json_string_value(json_array_get(mark, 0));

		if (when && clock_parse(when, &at) && at > now - window)
			n += json_integer_value(json_array_get(mark, 1));
	}
	return n;
}

struct reading {
	json_t *apis, *limits;
	msec now;
};

static int read_one(void *ctx, int dir, const char *name, struct err *e)
{
	struct reading *r = ctx;
	json_t *o = text_ends_with(name, ".json") ? json_read(dir, name, NULL) : NULL;
	const char *key = json_text(o, "key");
	json_int_t sent;

	(void)e;
	if (key && json_text(o, "state")) {
		json_array_append(r->apis, o);
	} else if (key && (sent = sent_of(o, r->now)) > 0) {
		json_array_append_new(r->limits, json_pack("{s:s, s:I, s:I}", "key", key, "windowMs",
							   (json_int_t)json_number(o, "windowMs"), "sent", sent));
	}
	json_decref(o);
	return 0;
}

static void read_apis(struct cli *c, json_t *out)
{
	struct reading r = {json_array(), json_array(), clock_wall()};
	struct err e = {0};

	if (fs_each(c->spool.fd[SPOOL_ROOT], spool_dir_name(SPOOL_APIS), read_one, &r, &e) < 0 && e.code != ENOENT) {
		json_decref(r.apis);
		json_decref(r.limits);
		r.apis = json_null();
		r.limits = json_null();
	}
	json_object_set_new(out, "apis", r.apis);
	json_object_set_new(out, "limits", r.limits);
}

/* ---- catalog/ ---- */

static json_t *wrong_of(const struct catalog_item *i)
{
	const struct diag *d = i->errors.v;
	json_t *o = json_object();

	json_object_set_new(o, "file", json_sprintf("catalog/%s", i->file));
	json_object_set_new(o, "line", json_integer(d->line));
	json_object_set_new(o, "column", json_integer(d->column));
	json_object_set_new(o, "message", json_string(d->message));
	if (d->suggestion)
		json_object_set_new(o, "suggestion", json_string(d->suggestion));
	return o;
}

static void read_catalog(struct cli *c, json_t *out)
{
	struct http_catalog *catalog = http_catalog_new(c->spool.fd[SPOOL_ROOT]);
	json_int_t good[CATALOG_KINDS] = {0};
	json_t *wrong = json_array();
	size_t k;

	http_catalog_refresh(catalog);
	for (k = 0; k < http_catalog_count(catalog); k++) {
		const struct catalog_item *i = http_catalog_item(catalog, k);

		if (i->errors.n > 0)
			json_array_append_new(wrong, wrong_of(i));
		else
			good[i->kind]++;
	}
	json_object_set_new(out, "catalog", json_pack("{s:I, s:I, s:o}", "definitions", good[CATALOG_ACTION], "apis",
						      good[CATALOG_API], "wrong", wrong));
	http_catalog_free(catalog);
}

json_t *http_status_read(struct cli *c)
{
	json_t *out = json_object();

	read_apis(c, out);
	read_catalog(c, out);
	return out;
}

/* ---- for people ---- */

static void put_api(struct buf *b, const struct term *t, const json_t *o)
{
	bool probing = strcmp(json_text_or_empty(o, "state"), "probing") == 0;
	const json_t *reason = json_object_get(o, "reason");

	buf_puts(b, "left alone   ");
	put_safe(b, json_text_or_empty(o, "key"));
	if (probing) {
		put_tone(b, t, TONE_WARN, " is tried");
	} else {
		put_tone(b, t, TONE_BAD, " until ");
		put_time(b, json_text(o, "until"));
		buf_puts(b, " UTC");
	}
	if (json_text(reason, "message")) {
		buf_puts(b, ": ");
		put_safe(b, json_text(reason, "message"));
	}
	buf_putc(b, '\n');
}

static void put_limit(struct buf *b, const json_t *o)
{
	buf_puts(b, "rate limit   ");
	put_safe(b, json_text_or_empty(o, "key"));
	buf_printf(b, ": %lld sent in the last ", json_number(o, "sent"));
	put_duration(b, json_number(o, "windowMs"));
	buf_putc(b, '\n');
}

static void put_wrong(struct buf *b, const struct term *t, const json_t *o)
{
	put_tone(b, t, TONE_BAD, "catalog");
	buf_puts(b, "      ");
	put_safe(b, json_text_or_empty(o, "file"));
	if (json_number(o, "line") > 0)
		buf_printf(b, ":%lld:%lld", json_number(o, "line"), json_number(o, "column"));
	buf_puts(b, " cannot be used: ");
	put_safe(b, json_text_or_empty(o, "message"));
	if (json_text(o, "suggestion")) {
		buf_puts(b, "; ");
		put_safe(b, json_text(o, "suggestion"));
	}
	buf_putc(b, '\n');
}

void put_http_status(struct buf *b, const struct term *t, const json_t *status)
{
	json_t *limits = json_object_get(status, "limits"), *o;
	size_t k;

	json_array_foreach(json_object_get(status, "apis"), k, o)
		put_api(b, t, o);
	json_array_foreach(limits, k, o)
		if (k < LINES_MOST)
			put_limit(b, o);
	if (json_array_size(limits) > LINES_MOST)
		buf_printf(b, "             and %zu more\n", json_array_size(limits) - LINES_MOST);
	json_array_foreach(json_object_get(json_object_get(status, "catalog"), "wrong"), k, o)
		put_wrong(b, t, o);
}
