#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "core/ref_impl.h"

/* The shortest form that reads back as the same number: 0.1, where 17 digits would say 0.10000000000000001.  Both
 * ways through jansson, which heeds no locale. */
static void put_real(struct buf *b, const json_t *value)
{
	char text[64];
	size_t digits, n = 0;

	for (digits = 15; digits <= 17; digits++) {
		json_t *back;
		bool same;

		n = json_dumpb(value, text, sizeof text, JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
		back = json_loadb(text, n < sizeof text ? n : 0, JSON_DECODE_ANY, NULL);
		same = back && json_number_value(back) == json_real_value(value);
		json_decref(back);
		if (same)
			break;
	}
	buf_put(b, text, n < sizeof text ? n : 0);
}

static bool put_json(struct buf *b, const json_t *value, int depth)
{
	json_t *v = (json_t *)value, *child;
	const char *key;
	size_t i, count = 0;

	switch (json_typeof(value)) {
	case JSON_STRING:
		buf_json_string(b, json_string_value(value), json_string_length(value));
		return true;
	case JSON_INTEGER:
		buf_printf(b, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return true;
	case JSON_REAL:
		put_real(b, value);
		return true;
	case JSON_TRUE:
	case JSON_FALSE:
	case JSON_NULL:
		buf_puts(b, json_is_true(value) ? "true" : json_is_false(value) ? "false" : "null");
		return true;
	case JSON_ARRAY:
		if (depth > REF_DEPTH)
			return false;
		buf_putc(b, '[');
		json_array_foreach(v, i, child) {
			buf_puts(b, i ? "," : "");
			if (!put_json(b, child, depth + 1))
				return false;
		}
		buf_putc(b, ']');
		return true;
	case JSON_OBJECT:
		if (depth > REF_DEPTH)
			return false;
		buf_putc(b, '{');
		json_object_foreach(v, key, child) {
			buf_puts(b, count++ ? "," : "");
			buf_json_string(b, key, strlen(key));
			buf_putc(b, ':');
			if (!put_json(b, child, depth + 1))
				return false;
		}
		buf_putc(b, '}');
		return true;
	}
	return false;
}

bool ref_put_value(struct buf *b, const json_t *value)
{
	if (json_is_null(value))
		return true;
	if (!json_is_string(value))
		return put_json(b, value, 1);
	buf_put(b, json_string_value(value), json_string_length(value));
	return true;
}

#define AUTO_JSON __attribute__((cleanup(json_decrefp)))

struct expand {
	ref_lookup lookup;
	void *ctx;
	struct err *e;
	size_t total;       /* bytes of text that went into the result */
	struct buf pointer; /* where in the value we are */
};

static int too_large(struct expand *x)
{
	return err_set(x->e, EFBIG, "with its references replaced, the value is larger than %d MiB",
		       REF_EXPAND_MAX / (1024 * 1024));
}

static int too_deep(struct expand *x)
{
	return err_set(x->e, EBADMSG, "the value is nested deeper than %d", REF_DEPTH);
}

static int count(struct expand *x, size_t n)
{
	if (n > REF_EXPAND_MAX - x->total)
		return too_large(x);
	x->total += n;
	return 0;
}

static bool deeper_than(const json_t *value, int depth)
{
	json_t *v = (json_t *)value, *child;
	const char *key;
	size_t i;

	if (!json_is_array(v) && !json_is_object(v))
		return false;
	if (depth == 0)
		return true;
	json_array_foreach(v, i, child)
		if (deeper_than(child, depth - 1))
			return true;
	json_object_foreach(v, key, child)
		if (deeper_than(child, depth - 1))
			return true;
	return false;
}

static json_t *look_up(struct expand *x, const struct ref *r)
{
	struct err inner = {0};
	json_t *v = x->lookup(x->ctx, r, &inner);
	char shown[REF_SHOWN + 4];

	if (v)
		return v;
	ref_shown(shown, r->text, strlen(r->text), REF_SHOWN);
	if (inner.code != 0 && inner.code != ENOENT)
		err_set(x->e, inner.code, "reference ${%s}: %s", shown, inner.text);
	else
		err_set(x->e, ENOENT, "reference ${%s} has no value%s%s", shown, inner.text[0] ? ": " : "",
			inner.text);
	return NULL;
}

/* A reference that is the whole string: the value, its type kept. */
static json_t *put_whole(struct expand *x, const struct ref *r, int depth)
{
	AUTO_JSON json_t *v = look_up(x, r);
	size_t size;

	if (!v)
		return NULL;
	/* Depth before size: jansson's own recursion must be bounded. */
	if (deeper_than(v, REF_DEPTH + 1 - depth)) {
		too_deep(x);
		return NULL;
	}
	if (json_is_string(v))
		size = json_string_length(v);
	else
		size = json_is_array(v) || json_is_object(v) ? json_dumpb(v, NULL, 0, JSON_COMPACT) : 1;
	return count(x, size) == 0 ? json_deep_copy(v) : NULL;
}

static int put_inside(struct expand *x, struct buf *b, const struct ref *r)
{
	AUTO_JSON json_t *v = look_up(x, r);
	size_t before = b->len, size = 0;

	if (!v)
		return -1;
	if (deeper_than(v, REF_DEPTH))
		return too_deep(x);
	/* Looked at before memory is spent on it; counted as what it came to. */
	if (json_is_string(v))
		size = json_string_length(v);
	else if (json_is_array(v) || json_is_object(v))
		size = json_dumpb(v, NULL, 0, JSON_COMPACT);
	if (size > REF_EXPAND_MAX - x->total)
		return too_large(x);
	ref_put_value(b, v);
	return count(x, b->len - before);
}

static int put_piece(struct expand *x, struct buf *b, const struct ref_piece *piece)
{
	char shown[REF_SHOWN + 4];

	if (count(x, piece->ntext) != 0)
		return -1;
	buf_put(b, piece->text, piece->ntext);
	switch (piece->kind) {
	case PIECE_END:
		return 0;
	case PIECE_REF:
		return put_inside(x, b, &piece->ref);
	case PIECE_BAD:
		return err_set(x->e, EBADMSG, "%s is not a reference: %s",
			       ref_shown(shown, piece->span, piece->nspan, REF_SHOWN), piece->why);
	case PIECE_ESCAPED:
		buf_put(b, piece->span, piece->nspan);
		return count(x, piece->nspan);
	}
	return -1;
}

static json_t *expand_string(struct expand *x, const char *s, size_t n, int depth)
{
	struct ref_cursor c = {.s = s, .n = n};
	AUTO_BUF struct buf b = BUF_INIT;
	struct ref_piece piece;
	json_t *whole;
	int rc;

	do {
		ref_next(&c, &piece);
		if (piece.kind == PIECE_REF && piece.nspan == n) {
			whole = put_whole(x, &piece.ref, depth);
			ref_free(&piece.ref);
			return whole;
		}
		rc = put_piece(x, &b, &piece);
		if (piece.kind == PIECE_REF)
			ref_free(&piece.ref);
	} while (rc == 0 && piece.kind != PIECE_END);
	return rc == 0 ? json_stringn_nocheck(buf_str(&b), b.len) : NULL;
}

static json_t *expand_value(struct expand *x, const json_t *value, int depth);

/* On failure the pointer is left at the place. */
static json_t *expand_container(struct expand *x, const json_t *value, int depth)
{
	json_t *v = (json_t *)value, *out = json_is_array(v) ? json_array() : json_object(), *child, *made;
	size_t here = x->pointer.len, i;
	const char *key;

	json_array_foreach(v, i, child) {
		buf_printf(&x->pointer, "/%zu", i);
		made = expand_value(x, child, depth + 1);
		if (json_array_append_new(out, made) != 0)
			goto failed;
		x->pointer.len = here;
	}
	json_object_foreach(v, key, child) {
		ref_pointer_add(&x->pointer, key);
		made = expand_value(x, child, depth + 1);
		if (json_object_set_new_nocheck(out, key, made) != 0)
			goto failed;
		x->pointer.len = here;
	}
	return out;
failed:
	json_decref(out);
	return NULL;
}

static json_t *expand_value(struct expand *x, const json_t *value, int depth)
{
	if (json_is_string(value))
		return expand_string(x, json_string_value(value), json_string_length(value), depth);
	if (!json_is_array(value) && !json_is_object(value))
		return json_incref((json_t *)value);
	if (depth > REF_DEPTH) {
		too_deep(x);
		return NULL;
	}
	return expand_container(x, value, depth);
}

json_t *ref_expand(const json_t *value, ref_lookup lookup, void *ctx, struct err *e)
{
	struct err own = {0};
	struct expand x = {.lookup = lookup, .ctx = ctx, .e = e ? e : &own, .pointer = BUF_INIT};
	json_t *out;

	*x.e = (struct err){0};
	out = expand_value(&x, value, 1);
	if (!out && x.e->code == 0)
		err_set(x.e, ENOMEM, "memory ran out");
	if (!out && x.pointer.len > 0) {
		char shown[REF_SHOWN + 4];

		err_prefix(x.e, "%s", ref_shown(shown, buf_str(&x.pointer), x.pointer.len, REF_SHOWN));
	}
	buf_free(&x.pointer);
	return out;
}
