#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "codec/schema_impl.h"

enum { SHOWN_POINTS = 60 }; /* of a text, in a message */

void schema_show_text(struct buf *b, const char *s, size_t n)
{
	size_t i, points = 0;

	for (i = 0; i < n && points < SHOWN_POINTS; points++) {
		size_t len = text_utf8_len(s + i, n - i);

		i += len ? len : 1;
	}
	buf_json_string(b, s, i);
	if (i < n) {
		b->len--;
		buf_puts(b, "…\"");
	}
}

void schema_show(struct buf *b, const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_NULL:
		buf_puts(b, "null");
		break;
	case JSON_TRUE:
		buf_puts(b, "true");
		break;
	case JSON_FALSE:
		buf_puts(b, "false");
		break;
	case JSON_INTEGER:
	case JSON_REAL:
		schema_number_text(b, v);
		break;
	case JSON_STRING:
		schema_show_text(b, json_string_value(v), json_string_length(v));
		break;
	case JSON_ARRAY:
		buf_puts(b, json_array_size(v) ? "an array" : "an empty array");
		break;
	case JSON_OBJECT:
		buf_puts(b, json_object_size(v) ? "an object" : "an empty object");
		break;
	}
}

void schema_show_separator(struct buf *b, size_t i, size_t n, const char *conjunction)
{
	if (i > 0)
		buf_printf(b, i + 1 < n ? ", " : " %s ", conjunction);
}

void schema_show_names(struct buf *b, const char *const *names, size_t n, const char *conjunction)
{
	size_t i;

	for (i = 0; i < n; i++) {
		schema_show_separator(b, i, n, conjunction);
		schema_show_text(b, names[i], strlen(names[i]));
	}
}

void schema_show_types(struct buf *b, unsigned types)
{
	static const struct {
		unsigned bit;
		const char *name;
	} all[] = {{TYPE_STRING, "a string"},  {TYPE_NUMBER, "a number"}, {TYPE_INTEGER, "an integer"},
		   {TYPE_OBJECT, "an object"}, {TYPE_ARRAY, "an array"},  {TYPE_BOOLEAN, "true"},
		   {TYPE_BOOLEAN, "false"},    {TYPE_NULL, "null"}};
	const char *names[8];
	size_t i, n = 0;

	if (types & TYPE_NUMBER)
		types &= ~(unsigned)TYPE_INTEGER;
	for (i = 0; i < 8; i++)
		if (types & all[i].bit)
			names[n++] = all[i].name;
	for (i = 0; i < n; i++) {
		schema_show_separator(b, i, n, "or");
		buf_puts(b, names[i]);
	}
}

void schema_at_pointer(struct buf *b, const char *base, const struct at *at)
{
	char index[24];

	if (!at->up) {
		buf_puts(b, base);
		return;
	}
	schema_at_pointer(b, base, at->up);
	if (at->key) {
		schema_pointer_add(b, at->key, at->key_len);
	} else {
		snprintf(index, sizeof index, "%zu", at->index);
		schema_pointer_add(b, index, strlen(index));
	}
}
