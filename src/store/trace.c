#include "store/trace.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"
#include "model/error.h"

static const char *text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* ---- as it should be ---- */

static json_t *strings_of(const json_t *o)
{
	json_t *out = json_object(), *v;
	const char *key;

	json_object_foreach((json_t *)o, key, v)
		if (json_is_string(v))
			json_object_set(out, key, v);
	return out;
}

static bool request_is_whole(json_t *r)
{
	const char *url = text(r, "url");

	if (!text(r, "method") || !url || !(text_starts_with(url, "http://") || text_starts_with(url, "https://")))
		return false;
	json_object_set_new(r, "headers", strings_of(json_object_get(r, "headers")));
	if (json_object_get(r, "body") && !text(r, "body"))
		json_object_del(r, "body");
	return true;
}

static bool response_is_whole(json_t *r)
{
	json_t *duration = json_object_get(r, "duration");

	if (!json_is_integer(json_object_get(r, "status")) || !json_is_number(duration) || json_number_value(duration) < 0)
		return false;
	json_object_set_new(r, "duration", json_integer((json_int_t)json_number_value(duration)));
	json_object_set_new(r, "headers", strings_of(json_object_get(r, "headers")));
	if (!text(r, "body"))
		json_object_set_new(r, "body", json_string(""));
	return true;
}

static bool error_is_whole(json_t *e)
{
	if (!text(e, "category") || error_category_parse(text(e, "category")) < 0 || !text(e, "message") ||
	    !json_is_boolean(json_object_get(e, "retryable")))
		return false;
	json_object_set_new(e, "context", strings_of(json_object_get(e, "context")));
	return true;
}

/* What does not fit is taken out; false: nothing is left that would say something. */
static bool entry_is_whole(json_t *entry, uint32_t attempt)
{
	char when[CLOCK_TEXT];
	msec at;

	if (!text(entry, "timestamp") || !clock_parse(text(entry, "timestamp"), &at) ||
	    !request_is_whole(json_object_get(entry, "request")))
		return false;
	clock_format(at, when);
	json_object_set_new(entry, "timestamp", json_string(when));
	json_object_set_new(entry, "attempt", json_integer(attempt));
	if (!response_is_whole(json_object_get(entry, "response")))
		json_object_del(entry, "response");
	if (!error_is_whole(json_object_get(entry, "error")))
		json_object_del(entry, "error");
	return true;
}

/* ---- reading ---- */

json_t *trace_read(const struct spool *s, const char *id, const char *action, uint32_t attempt)
{
	char path[SPOOL_PATH_MAX];

	spool_execution_path(id, path);
	return trace_read_at(s->fd[SPOOL_ROOT], path, action, attempt);
}

json_t *trace_read_at(int dir, const char *path, const char *action, uint32_t attempt)
{
	AUTO_BUF struct buf bytes = BUF_INIT;
	AUTO_FREE char *name = NULL;
	char file[SPOOL_PATH_MAX];
	struct stat st;
	struct err e;
	json_t *list;
	size_t k;

	spool_attempt_file(action, attempt, "http-trace.json", file);
	name = xasprintf("%s/%s", path, file);
	if (fs_read_dropped(dir, name, TRACE_FILE_MAX, &bytes, &st, &e) != FS_DROP_OK)
		return NULL;
	list = json_loadb(buf_str(&bytes), bytes.len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_array(list)) {
		json_decref(list);
		return NULL;
	}
	for (k = json_array_size(list); k-- > 0;)
		if (!json_is_object(json_array_get(list, k)) || !entry_is_whole(json_array_get(list, k), attempt))
			json_array_remove(list, k);
	return list;
}

/* ---- for state.json ---- */

static void cut_body(json_t *o, const char *flag, json_t *entry)
{
	const char *body = text(o, "body");
	size_t n = TRACE_BODY;

	if (!body || strlen(body) <= n)
		return;
	while (n > 0 && ((unsigned char)body[n] & 0xc0) == 0x80)
		n--;
	json_object_set_new(o, "body", json_stringn(body, n));
	json_object_set_new(entry, flag, json_true());
}

/* Put the last entries of an attempt before those that are there already; false when no more fit. */
static bool prepend(json_t *list, json_t *entries, size_t *room)
{
	size_t k;

	for (k = json_array_size(entries); k-- > 0;) {
		json_t *entry = json_array_get(entries, k);
		AUTO_FREE char *dump = NULL;

		cut_body(json_object_get(entry, "request"), "requestBodyTruncated", entry);
		cut_body(json_object_get(entry, "response"), "responseBodyTruncated", entry);
		dump = json_dumps(entry, JSON_COMPACT);
		if (!dump || strlen(dump) > *room || json_array_size(list) == TRACE_ENTRIES)
			return false;
		*room -= strlen(dump);
		json_array_insert(list, 0, entry);
	}
	return true;
}

const char *trace_of(int dir, const char *path, const struct exec *x, uint32_t i)
{
	struct action_state *a = &x->a[i];
	uint32_t ended = a->phase == PH_RUNNING ? a->attempt - 1 : a->attempt, attempt;
	size_t room = TRACE_TEXT;
	bool more = true;
	json_t *list;

	if (!x->plan->actions[i].http || ended == 0)
		return "[]";
	if (a->trace && a->traced == ended)
		return a->trace;
	list = json_array();
	for (attempt = ended; more && attempt > 0; attempt--) {
		json_t *entries = trace_read_at(dir, path, x->plan->actions[i].id, attempt);

		more = prepend(list, entries, &room);
		json_decref(entries);
	}
	free(a->trace);
	a->trace = json_dumps(list, JSON_COMPACT);
	a->traced = ended;
	json_decref(list);
	return a->trace ? a->trace : "[]";
}
