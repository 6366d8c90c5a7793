#include "actions/http/redact.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "actions/http/spellings.h"

void redact_add_spelling(struct redact *r, const char *p, size_t n)
{
	size_t i;

	if (n < REDACT_MIN)
		return;
	for (i = 0; i < r->list.n; i++)
		if (r->list.v[i].n == n && memcmp(r->list.v[i].p, p, n) == 0)
			return;
	vec_push(&r->list, (struct spelling){xstrndup(p, n), n});
	r->first[(unsigned char)*p] = true;
	if (n > r->longest)
		r->longest = n;
}

void redact_add_all(struct redact *r, const json_t *value)
{
	const char *name;
	size_t i;
	json_t *v;

	if (json_is_string(value))
		redact_add(r, json_string_value(value), json_string_length(value));
	json_array_foreach((json_t *)value, i, v)
		redact_add_all(r, v);
	json_object_foreach((json_t *)value, name, v)
		redact_add_all(r, v);
}

void redact_free(struct redact *r)
{
	size_t i;

	for (i = 0; i < r->list.n; i++)
		free(r->list.v[i].p);
	vec_free(&r->list);
	*r = (struct redact){0};
}

/* Length of the longest spelling that begins at p, or 0.  *begun: what is there may yet become one. */
static size_t match(const struct redact *r, const char *p, size_t n, bool *begun)
{
	size_t best = 0, i;

	*begun = false;
	if (!r->first[(unsigned char)*p])
		return 0;
	for (i = 0; i < r->list.n; i++) {
		const struct spelling *s = &r->list.v[i];

		if (memcmp(s->p, p, s->n < n ? s->n : n) != 0)
			continue;
		if (s->n > n)
			*begun = true;
		else if (s->n > best)
			best = s->n;
	}
	return best;
}

static void pass(struct redact_stream *s, const char *p, struct buf *out)
{
	if (s->covered > 0)
		s->covered--;
	else
		buf_putc(out, *p);
}

void redact_feed(struct redact_stream *s, const char *p, size_t n, bool last, struct buf *out)
{
	size_t i, length;
	bool begun;

	if (s->secrets->list.n == 0) {
		buf_put(out, p, n);
		return;
	}
	buf_put(&s->held, p, n);
	for (i = 0; i < s->held.len; i++) {
		length = match(s->secrets, s->held.p + i, s->held.len - i, &begun);
		if (begun && !last)
			break;
		if (length > 0 && s->covered == 0)
			buf_puts(out, "***");
		if (length > s->covered)
			s->covered = length;
		s->hits += length > 0;
		pass(s, s->held.p + i, out);
	}
	memmove(s->held.p, s->held.p + i, s->held.len - i);
	s->held.len -= i;
}

void redact_stream_free(struct redact_stream *s)
{
	buf_free(&s->held);
}

size_t redact_text(const struct redact *r, const char *p, size_t n, size_t stop, struct buf *out)
{
	size_t i, covered = 0, hits = 0;
	bool begun;

	for (i = 0; i < n && i < stop; i++) {
		size_t length = match(r, p + i, n - i, &begun);

		if (length > 0 && covered == 0)
			buf_puts(out, "***");
		if (length > covered)
			covered = length;
		hits += length > 0;
		if (covered > 0)
			covered--;
		else
			buf_putc(out, p[i]);
	}
	return hits;
}

char *redact_string(const struct redact *r, const char *p, size_t n)
{
	struct buf out = BUF_INIT;

	redact_text(r, p, n, SIZE_MAX, &out);
	buf_str(&out);
	return out.p ? buf_steal(&out) : xstrdup("");
}

bool redact_found(const struct redact *r, const char *p, size_t n)
{
	bool begun;
	size_t i;

	for (i = 0; i < n; i++)
		if (match(r, p + i, n - i, &begun) > 0)
			return true;
	return false;
}

static json_t *redact_object(const struct redact *r, const json_t *value)
{
	json_t *out = json_object(), *v;
	const char *name;

	json_object_foreach((json_t *)value, name, v) {
		AUTO_FREE char *shown = redact_string(r, name, strlen(name));

		json_object_set_new_nocheck(out, shown, redact_json(r, v));
	}
	return out;
}

json_t *redact_json(const struct redact *r, const json_t *value)
{
	json_t *out, *v;
	size_t i;

	if (json_is_string(value)) {
		AUTO_BUF struct buf b = BUF_INIT;

		redact_text(r, json_string_value(value), json_string_length(value), SIZE_MAX, &b);
		return json_stringn_nocheck(buf_str(&b), b.len);
	}
	if (json_is_object(value))
		return redact_object(r, value);
	if (!json_is_array(value))
		return json_copy((json_t *)value);
	out = json_array();
	json_array_foreach((json_t *)value, i, v)
		json_array_append_new(out, redact_json(r, v));
	return out;
}
