#include "codec/commit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void put_string(struct buf *b, const char *key, const char *value)
{
	buf_printf(b, "\"%s\":", key);
	buf_json_string(b, value, strlen(value));
}

static int append(const char *bytes, size_t n, void *b)
{
	buf_put(b, bytes, n);
	return 0;
}

static void put_time(struct buf *b, const char *key, msec at)
{
	char text[CLOCK_TEXT];

	clock_format(at, text);
	buf_printf(b, "\"%s\":\"%s\"", key, text);
}

/* The members that follow type (and in events/ the place), each with a comma before it. */
static void put_members(struct buf *b, const struct plan *p, const struct event *ev)
{
	const char *key;
	json_t *value;

	if (ev->action != NO_ACTION) {
		buf_putc(b, ',');
		put_string(b, "action", p->actions[ev->action].id);
	}
	if (ev->attempt)
		buf_printf(b, ",\"attempt\":%u", ev->attempt);
	json_object_foreach(ev->data, key, value) {
		buf_putc(b, ',');
		buf_json_string(b, key, strlen(key));
		buf_putc(b, ':');
		json_dump_callback(value, append, b, JSON_COMPACT | JSON_ENCODE_ANY);
	}
}

void commit_encode(struct buf *b, const struct plan *p, const struct commit *c)
{
	size_t k;

	buf_printf(b, "{\"seq\":%u,\"prev\":\"%s\",", c->seq, c->prev);
	put_time(b, "at", c->at);
	buf_puts(b, ",\"events\":[");
	for (k = 0; k < c->events.n; k++) {
		const struct event *ev = &c->events.v[k];

		buf_printf(b, "%s{\"type\":\"%s\"", k ? "," : "", event_name(ev->type));
		if (ev->at != c->at) {
			buf_putc(b, ',');
			put_time(b, "at", ev->at);
		}
		put_members(b, p, ev);
		buf_putc(b, '}');
	}
	buf_puts(b, "]}\n");
}

void commit_event_lines(struct buf *b, const struct plan *p, const char *execution, const struct commit *c)
{
	size_t k;

	for (k = 0; k < c->events.n; k++) {
		const struct event *ev = &c->events.v[k];

		buf_printf(b, "{\"type\":\"%s\",", event_name(ev->type));
		put_time(b, "at", ev->at);
		buf_printf(b, ",\"execution\":\"%s\",\"seq\":%u,\"n\":%zu", execution, c->seq, k);
		put_members(b, p, ev);
		buf_puts(b, "}\n");
	}
}

static int decode_event(const json_t *o, const struct plan *p, msec at, struct event *ev, struct err *e)
{
	const char *type = json_string_value(json_object_get(o, "type"));
	const char *action = json_string_value(json_object_get(o, "action"));
	const char *when = json_string_value(json_object_get(o, "at"));
	json_int_t attempt = json_integer_value(json_object_get(o, "attempt"));
	int t = type ? event_parse(type) : -1;

	*ev = (struct event){.action = NO_ACTION, .at = at};
	if (t < 0)
		return err_set(e, EBADMSG, "an event of unknown type \"%s\"", type ? type : "");
	ev->type = (enum event_type)t;
	if (action && (ev->action = plan_find(p, action)) == NO_ACTION)
		return err_set(e, EBADMSG, "%s names an action that is not in the plan: \"%s\"", type, action);
	if (attempt < 0 || attempt > UINT32_MAX)
		return err_set(e, EBADMSG, "%s has an impossible attempt number", type);
	ev->attempt = (uint32_t)attempt;
	if (when && !clock_parse(when, &ev->at))
		return err_set(e, EBADMSG, "%s has an unreadable time", type);
	ev->data = json_copy((json_t *)o);
	json_object_del(ev->data, "type");
	json_object_del(ev->data, "action");
	json_object_del(ev->data, "attempt");
	json_object_del(ev->data, "at");
	return 0;
}

static int decode(const json_t *root, const struct plan *p, struct commit *c, commit_apply apply, void *ctx,
		  struct err *e)
{
	json_t *seq = json_object_get(root, "seq"), *events = json_object_get(root, "events"), *o;
	const char *prev = json_string_value(json_object_get(root, "prev"));
	const char *at = json_string_value(json_object_get(root, "at"));
	size_t k;

	if (!json_is_integer(seq) || json_integer_value(seq) < 1 || json_integer_value(seq) > UINT32_MAX)
		return err_set(e, EBADMSG, "it has no valid \"seq\"");
	if (!prev || strlen(prev) != SHA256_TAGGED - 1 || strncmp(prev, "sha256:", 7) != 0)
		return err_set(e, EBADMSG, "it has no valid \"prev\"");
	if (!at || !clock_parse(at, &c->at))
		return err_set(e, EBADMSG, "it has no valid \"at\"");
	if (!json_is_array(events) || json_array_size(events) == 0)
		return err_set(e, EBADMSG, "it has no events");
	c->seq = (uint32_t)json_integer_value(seq);
	strcpy(c->prev, prev);
	if (apply && apply(ctx, c, NULL, e) < 0)
		return -1;
	json_array_foreach(events, k, o) {
		struct event ev;

		if (decode_event(o, p, c->at, &ev, e) < 0)
			return -1;
		vec_push(&c->events, ev);
		if (apply && apply(ctx, c, &ev, e) < 0)
			return -1;
	}
	return 0;
}

int commit_decode(const char *text, size_t n, const struct plan *p, struct commit *c, commit_apply apply, void *ctx,
		  struct err *e)
{
	json_error_t where;
	json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &where);
	int r;

	memset(c, 0, sizeof *c);
	if (!root)
		return err_set(e, EBADMSG, "it is not whole JSON (line %d, column %d: %s)", where.line, where.column,
			       where.text);
	r = decode(root, p, c, apply, ctx, e);
	json_decref(root);
	if (r < 0)
		events_free(&c->events);
	return r;
}
