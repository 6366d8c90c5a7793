/*
 * url_template.c - a URL from a template: each part with its own rules.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "actions/http/url.h"
#include "base/mem.h"

/* A run of the template with its placeholders: the text between them as url_put_literal() has it. */
static enum template_result put_part(struct buf *out, const char *p, size_t n, enum template_place place,
				     const struct template_values *values, struct err *e)
{
	size_t i = 0, end;
	enum template_result r;

	while (i < n) {
		const char *brace = memchr(p + i, '{', n - i), *close = brace ? memchr(brace, '}', n - (size_t)(brace - p)) : NULL;
		AUTO_FREE char *name = NULL;

		if (close)
			name = template_whole(brace, (size_t)(close + 1 - brace));
		end = name ? (size_t)(brace - p) : brace ? (size_t)(brace - p) + 1 : n;
		url_put_literal(out, p + i, end - i);
		i = end;
		if (!name)
			continue;
		r = template_expand(brace, (size_t)(close + 1 - brace), place, values, out, e);
		if (r != TEMPLATE_DONE)
			return r;
		i = (size_t)(close + 1 - p);
	}
	return TEMPLATE_DONE;
}

static int done(enum template_result r)
{
	return r == TEMPLATE_DONE ? 0 : -1;
}

/* One segment: with a value in it, it must not become a step up or nothing at all. */
static int put_segment(struct buf *out, const char *p, size_t n, const struct template_values *values, struct err *e)
{
	AUTO_BUF struct buf segment = BUF_INIT;
	const char *s;

	if (done(put_part(&segment, p, n, PLACE_PATH, values, e)) < 0)
		return -1;
	s = buf_str(&segment);
	if (memchr(p, '{', n) && (!*s || strcmp(s, ".") == 0 || strcmp(s, "..") == 0))
		return err_set(e, EBADMSG, "the inputs make the path segment \"%.*s\" %s, which would ask for something else",
			       (int)n, p, *s ? s : "empty");
	buf_puts(out, s);
	return 0;
}

static int put_path(struct buf *out, const char *p, size_t n, const struct template_values *values, struct err *e)
{
	size_t i = 0, length;

	while (i < n) {
		const char *slash = memchr(p + i, '/', n - i);

		length = slash ? (size_t)(slash - p) - i : n - i;
		if (put_segment(out, p + i, length, values, e) < 0)
			return -1;
		i += length;
		if (slash) {
			buf_putc(out, '/');
			i++;
		}
	}
	return 0;
}

/* name=value parameters, one by one. */
struct query {
	struct buf *out;
	bool begun;
	const struct template_values *values;
};

static void separate(struct query *q)
{
	buf_putc(q->out, q->begun ? '&' : '?');
	q->begun = true;
}

static int put_list(struct query *q, const char *name, size_t n, const char *input, const json_t *list, struct err *e)
{
	size_t i;
	json_t *v;

	json_array_foreach((json_t *)list, i, v) {
		separate(q);
		buf_put(q->out, name, n);
		buf_putc(q->out, '=');
		if (template_put(q->out, PLACE_QUERY, input, v, e) < 0)
			return -1;
	}
	return 0;
}

/* name is encoded already. */
static int put_parameter(struct query *q, const char *name, size_t n, const char *value, size_t value_n, struct err *e)
{
	AUTO_FREE char *input = template_whole(value, value_n);
	const json_t *v = input ? template_value(q->values, input) : NULL;

	if (input && !v)
		return 0;
	if (json_is_array(v))
		return put_list(q, name, n, input, v, e);
	separate(q);
	buf_put(q->out, name, n);
	buf_putc(q->out, '=');
	return done(put_part(q->out, value, value_n, PLACE_QUERY, q->values, e));
}

/* What stands behind the ? of the template. */
static int put_written_query(struct query *q, const char *p, size_t n, struct err *e)
{
	size_t i = 0, length;

	while (i < n) {
		const char *end = memchr(p + i, '&', n - i), *equals;
		AUTO_BUF struct buf name = BUF_INIT;

		length = end ? (size_t)(end - p) - i : n - i;
		equals = memchr(p + i, '=', length);
		if (done(put_part(&name, p + i, equals ? (size_t)(equals - p) - i : length, PLACE_QUERY, q->values, e)) < 0)
			return -1;
		if (!equals && length > 0) {
			separate(q);
			buf_puts(q->out, buf_str(&name));
		} else if (equals && put_parameter(q, buf_str(&name), name.len, equals + 1,
						   length - (size_t)(equals + 1 - (p + i)), e) < 0) {
			return -1;
		}
		i += length + (end ? 1 : 0);
	}
	return 0;
}

static int put_query_record(struct query *q, const json_t *record, struct err *e)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)record, key, v) {
		AUTO_FREE char *text = template_text(v);
		AUTO_BUF struct buf name = BUF_INIT;

		if (!text)
			return err_set(e, EBADMSG, "endpoint.query: the value of \"%s\" is no text", key);
		template_percent(&name, PLACE_QUERY, key, strlen(key));
		if (put_parameter(q, buf_str(&name), name.len, text, strlen(text), e) < 0)
			return -1;
	}
	return 0;
}

char *url_from_template(const char *url, const json_t *query, const struct template_values *values, struct err *e)
{
	const char *authority = strstr(url, "://"), *path, *question, *end = url + strcspn(url, "#");
	AUTO_BUF struct buf out = BUF_INIT;
	struct query q = {.out = &out, .values = values};

	if (!authority || authority > end || memchr(url, '{', (size_t)(authority - url)) || strchr("/?#", authority[3])) {
		err_set(e, EBADMSG, "the URL must begin with https:// or http:// and a host");
		return NULL;
	}
	authority += 3;
	path = authority + strcspn(authority, "/?#");
	question = memchr(path, '?', (size_t)(end - path));
	buf_put(&out, url, (size_t)(authority - url));
	if (done(put_part(&out, authority, (size_t)(path - authority), PLACE_HOST, values, e)) < 0 ||
	    put_path(&out, path, (size_t)((question ? question : end) - path), values, e) < 0 ||
	    (question && put_written_query(&q, question + 1, (size_t)(end - question - 1), e) < 0) ||
	    put_query_record(&q, query, e) < 0)
		return NULL;
	return url_check(buf_str(&out), e);
}
