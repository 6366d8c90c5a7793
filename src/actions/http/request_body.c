/*
 * request_body.c - the body of a request.
 *
 *   endpoint.body absent   POST, PUT, PATCH: an object of the inputs that neither URL nor headers used; else none
 *   a structure            its texts are templates; one that is nothing but {param} takes the value with its type, and a
 *                          member or element whose {param} is absent is left out
 *   a text                 a template, written by the Content-Type: JSON (values between quotes are escaped, others are JSON
 *                          values), form (percent-encoded), XML (entities), else as it is; nothing but {param}: the value
 *                          as text, or as JSON if it is no text
 *
 * A structure is sent as JSON, or as a form if the Content-Type says so.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "actions/http/content.h"
#include "actions/http/request.h"
#include "base/mem.h"
#include "base/text.h"
#include "codec/io_schema.h"

static void default_type(struct request *r, const char *type)
{
	if (!headers_get(&r->headers, "Content-Type"))
		headers_add(&r->headers, "Content-Type", type);
}

/* ---- structures ---- */

/* A new value; NULL with e->code 0: absent; NULL with another: wrong. */
static json_t *fill(const json_t *shape, const struct template_values *values, struct err *e);

static json_t *fill_text(const json_t *shape, const struct template_values *values, struct err *e)
{
	const char *text = json_string_value(shape);
	AUTO_FREE char *name = template_whole(text, json_string_length(shape));
	AUTO_BUF struct buf out = BUF_INIT;

	e->code = 0;
	if (name) {
		const json_t *v = template_value(values, name);

		return v ? json_deep_copy(v) : NULL;
	}
	if (template_expand(text, json_string_length(shape), PLACE_TEXT, values, &out, e) != TEMPLATE_DONE)
		return NULL;
	return json_stringn_nocheck(buf_str(&out), out.len);
}

static json_t *fill_object(const json_t *shape, const struct template_values *values, struct err *e)
{
	json_t *out = json_object(), *v, *filled;
	const char *name;

	json_object_foreach((json_t *)shape, name, v) {
		filled = fill(v, values, e);
		if (filled) {
			json_object_set_new(out, name, filled);
		} else if (e->code) {
			json_decref(out);
			return NULL;
		}
	}
	return out;
}

static json_t *fill_array(const json_t *shape, const struct template_values *values, struct err *e)
{
	json_t *out = json_array(), *v, *filled;
	size_t i;

	json_array_foreach((json_t *)shape, i, v) {
		filled = fill(v, values, e);
		if (filled) {
			json_array_append_new(out, filled);
		} else if (e->code) {
			json_decref(out);
			return NULL;
		}
	}
	return out;
}

static json_t *fill(const json_t *shape, const struct template_values *values, struct err *e)
{
	if (json_is_string(shape))
		return fill_text(shape, values, e);
	if (json_is_object(shape))
		return fill_object(shape, values, e);
	if (json_is_array(shape))
		return fill_array(shape, values, e);
	return json_deep_copy(shape);
}

/* ---- how it is written ---- */

static int put_pair(struct buf *out, const char *name, const json_t *value, struct err *e)
{
	if (out->len > 0)
		buf_putc(out, '&');
	template_percent(out, PLACE_FORM, name, strlen(name));
	buf_putc(out, '=');
	return template_put(out, PLACE_FORM, name, value, e);
}

static int put_form(struct buf *out, const json_t *o, struct err *e)
{
	const char *name;
	json_t *v, *item;
	size_t i;

	if (!json_is_object(o))
		return err_set(e, EBADMSG, "the body of a form must be an object");
	json_object_foreach((json_t *)o, name, v) {
		if (json_is_null(v))
			continue;
		if (!json_is_array(v)) {
			if (put_pair(out, name, v, e) < 0)
				return -1;
			continue;
		}
		json_array_foreach(v, i, item)
			if (put_pair(out, name, item, e) < 0)
				return -1;
	}
	return 0;
}

static bool is_form(const struct request *r)
{
	struct content_type t = content_type_parse(headers_get(&r->headers, "Content-Type"));

	return content_type_is(&t, "application/x-www-form-urlencoded");
}

/* Steals o. */
static int put_structure(struct request *r, json_t *o, struct err *e)
{
	int result = 0;

	r->has_body = true;
	if (is_form(r))
		result = put_form(&r->body, o, e);
	else
		result = template_put(&r->body, PLACE_JSON, "body", o, e);
	json_decref(o);
	default_type(r, "application/json");
	return result < 0 ? err_prefix(e, "body") : 0;
}

static enum template_place place_of(const struct request *r)
{
	struct content_type t = content_type_parse(headers_get(&r->headers, "Content-Type"));

	if (is_form(r))
		return PLACE_FORM;
	if (content_of(&t, NULL) == CONTENT_JSON || content_of(&t, NULL) == CONTENT_UNSAID)
		return PLACE_JSON;
	return strstr(t.type, "xml") ? PLACE_XML : PLACE_TEXT;
}

static int put_text(struct request *r, const json_t *body, const struct template_values *values, struct err *e)
{
	const char *text = json_string_value(body);
	AUTO_FREE char *name = template_whole(text, json_string_length(body));
	const json_t *whole = name ? template_value(values, name) : NULL;

	if (name && !whole)
		return 0; /* absent: no body */
	if (whole && !json_is_string(whole))
		return put_structure(r, json_deep_copy(whole), e);
	r->has_body = true;
	if (whole) {
		buf_put(&r->body, json_string_value(whole), json_string_length(whole));
		default_type(r, "text/plain; charset=utf-8");
		return 0;
	}
	if (template_expand(text, json_string_length(body), place_of(r), values, &r->body, e) != TEMPLATE_DONE)
		return err_prefix(e, "body");
	default_type(r, "application/json");
	return 0;
}

/* ---- the inputs that are left ---- */

/* Could an input that nothing used have been given, by what the definition declares? */
static bool more_declared(const struct job *j, const json_t *used)
{
	json_t *full = io_schema_expand(json_object_get(j->definition, "inputSchema"), NULL), *v;
	bool more = false;
	const char *name;

	json_object_foreach(json_object_get(full, "properties"), name, v)
		more = more || !json_object_get(used, name);
	json_decref(full);
	return more;
}

static int put_rest(struct request *r, const struct job *j, const struct template_values *values, struct err *e)
{
	json_t *rest = json_object(), *v;
	const char *name;

	json_object_foreach((json_t *)values->inputs, name, v)
		if (!json_object_get(values->used, name))
			json_object_set(rest, name, v);
	if (json_object_size(rest) > 0 || more_declared(j, values->used))
		return put_structure(r, rest, e);
	json_decref(rest);
	return 0;
}

int request_make_body(struct request *r, const struct job *j, const struct template_values *values, struct err *e)
{
	const json_t *body = json_object_get(j->endpoint, "body");
	json_t *filled;

	if (!body || json_is_null(body)) {
		bool by_default = r->method[0] == 'P'; /* POST, PUT, PATCH */

		return by_default ? put_rest(r, j, values, e) : 0;
	}
	if (json_is_string(body))
		return put_text(r, body, values, e);
	*e = (struct err){0};
	filled = fill(body, values, e);
	if (!filled)
		return err_prefix(e, "body");
	return put_structure(r, filled, e);
}
