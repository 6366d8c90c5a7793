#include "actions/http/template.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "actions/http/headers.h"
#include "actions/http/json_text.h"
#include "base/mem.h"

/* ---- values as text ---- */

char *template_text(const json_t *value)
{
	struct buf b = BUF_INIT;

	switch (json_typeof(value)) {
	case JSON_STRING:
		return xstrdup(json_string_value(value));
	case JSON_INTEGER:
	case JSON_REAL:
	case JSON_TRUE:
	case JSON_FALSE:
		json_text_put(&b, value);
		return buf_steal(&b);
	default:
		return NULL;
	}
}

void template_percent(struct buf *out, enum template_place place, const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
		    c == '_' || c == '~')
			buf_putc(out, (char)c);
		else if (c == ' ' && place == PLACE_FORM)
			buf_putc(out, '+');
		else
			buf_printf(out, "%%%02X", c);
	}
}

static int put_host(struct buf *out, const char *name, const char *text, struct err *e)
{
	const char *p;

	for (p = text; *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '-' || *p == '.'))
			return err_set(e, EBADMSG, "input \"%s\" cannot stand in the host's name: letters, digits, dots and "
				       "hyphens can", name);
	if (!*text)
		return err_set(e, EBADMSG, "input \"%s\" is empty, and stands in the host's name", name);
	buf_puts(out, text);
	return 0;
}

static void put_xml(struct buf *out, const char *text)
{
	for (; *text; text++) {
		const char *entity = *text == '&'    ? "&amp;"
				     : *text == '<'  ? "&lt;"
				     : *text == '>'  ? "&gt;"
				     : *text == '"'  ? "&quot;"
				     : *text == '\'' ? "&apos;"
						     : NULL;

		if (entity)
			buf_puts(out, entity);
		else
			buf_putc(out, *text);
	}
}

static void put_json_text(struct buf *out, const char *text)
{
	AUTO_BUF struct buf quoted = BUF_INIT;

	buf_json_string(&quoted, text, strlen(text));
	buf_put(out, quoted.p + 1, quoted.len - 2);
}

static int put_scalar(struct buf *out, enum template_place place, const char *name, const json_t *value,
		      struct err *e)
{
	AUTO_FREE char *text = template_text(value);

	if (!text)
		return err_set(e, EBADMSG, "input \"%s\" is %s, which cannot stand there: text, a number or a boolean can", name,
			       json_is_array(value) ? "a list" : "an object");
	switch (place) {
	case PLACE_HOST:
		return put_host(out, name, text, e);
	case PLACE_PATH:
		/* Also before a ;parameter, which some servers take off before they look for steps up. */
		if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
			return err_set(e, EBADMSG, "input \"%s\" is \"%s\", which would lead to another path", name, text);
		/* fall through */
	case PLACE_QUERY:
	case PLACE_FORM:
		template_percent(out, place, text, strlen(text));
		break;
	case PLACE_HEADER:
		if (!header_value_ok(text, strlen(text)))
			return err_set(e, EBADMSG, "input \"%s\" has a control character and cannot stand in a header", name);
		buf_puts(out, text);
		break;
	case PLACE_XML:
		put_xml(out, text);
		break;
	case PLACE_JSON_TEXT:
		put_json_text(out, text);
		break;
	case PLACE_TEXT:
	case PLACE_JSON:
		buf_puts(out, text);
	}
	return 0;
}

int template_put(struct buf *out, enum template_place place, const char *name, const json_t *value, struct err *e)
{
	size_t i;
	json_t *v;

	if (place == PLACE_JSON) {
		json_text_put(out, value);
		return 0;
	}
	if (place != PLACE_HEADER || !json_is_array(value))
		return put_scalar(out, place, name, value, e);
	json_array_foreach((json_t *)value, i, v) {
		if (i > 0)
			buf_puts(out, ", ");
		if (put_scalar(out, place, name, v, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- placeholders ---- */

static bool name_begins(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool name_goes_on(char c)
{
	return name_begins(c) || (c >= '0' && c <= '9') || c == '.' || c == '-';
}

/* The length of the placeholder at p with its braces, or 0. */
static size_t placeholder(const char *p, size_t n)
{
	size_t i = 2;

	if (n < 3 || *p != '{' || !name_begins(p[1]))
		return 0;
	while (i < n && name_goes_on(p[i]))
		i++;
	return i < n && p[i] == '}' ? i + 1 : 0;
}

char *template_whole(const char *text, size_t n)
{
	return n > 0 && placeholder(text, n) == n ? xstrndup(text + 1, n - 2) : NULL;
}

const json_t *template_value(const struct template_values *values, const char *name)
{
	const json_t *v = json_object_get(values->inputs, name);

	json_object_set_new(values->used, name, json_true());
	return json_is_null(v) ? NULL : v;
}

enum template_result template_expand(const char *text, size_t n, enum template_place place,
				     const struct template_values *values, struct buf *out, struct err *e)
{
	size_t before = out->len, i = 0, length;
	bool in_text = false; /* between the quotes of a JSON text */

	for (; i < n; i += length) {
		AUTO_FREE char *name = NULL;
		const json_t *value;

		length = placeholder(text + i, n - i);
		if (length == 0) {
			length = 1;
			if (in_text && text[i] == '\\' && i + 1 < n)
				length = 2;
			else if (text[i] == '"')
				in_text = !in_text;
			buf_put(out, text + i, length);
			continue;
		}
		name = xstrndup(text + i + 1, length - 2);
		value = template_value(values, name);
		if (value && template_put(out, place == PLACE_JSON && in_text ? PLACE_JSON_TEXT : place, name, value, e) == 0)
			continue;
		if (!value)
			err_set(e, ENOENT, "there is no input \"%s\"", name);
		out->len = before;
		return value ? TEMPLATE_BAD : TEMPLATE_MISSING;
	}
	return TEMPLATE_DONE;
}
