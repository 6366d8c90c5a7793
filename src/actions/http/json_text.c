#include "actions/http/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_real(struct buf *out, double v)
{
	char text[40];
	int digits;

	for (digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	buf_puts(out, text);
	/* A real stays one. */
	if (!strpbrk(text, ".e"))
		buf_puts(out, ".0");
}

static void put_object(struct buf *out, const json_t *o)
{
	const char *name, *between = "";
	json_t *v;

	buf_putc(out, '{');
	json_object_foreach((json_t *)o, name, v) {
		buf_puts(out, between);
		buf_json_string(out, name, strlen(name));
		buf_putc(out, ':');
		json_text_put(out, v);
		between = ",";
	}
	buf_putc(out, '}');
}

static void put_array(struct buf *out, const json_t *a)
{
	size_t i;
	json_t *v;

	buf_putc(out, '[');
	json_array_foreach((json_t *)a, i, v) {
		if (i > 0)
			buf_putc(out, ',');
		json_text_put(out, v);
	}
	buf_putc(out, ']');
}

void json_text_put(struct buf *out, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		put_object(out, value);
		break;
	case JSON_ARRAY:
		put_array(out, value);
		break;
	case JSON_STRING:
		buf_json_string(out, json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER:
		buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		break;
	case JSON_REAL:
		put_real(out, json_real_value(value));
		break;
	case JSON_TRUE:
		buf_puts(out, "true");
		break;
	case JSON_FALSE:
		buf_puts(out, "false");
		break;
	case JSON_NULL:
		buf_puts(out, "null");
	}
}
