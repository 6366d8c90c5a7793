#include "creel/json.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "creel/show_text.h"

enum { JSON_FILE_MAX = 512 * 1024 * 1024 }; /* state.json of the largest plan, with large outputs */

json_t *json_read(int dir, const char *name, struct err *e)
{
	AUTO_BUF struct buf text = BUF_INIT;
	json_error_t where;
	json_t *value;

	if (fs_read(dir, name, JSON_FILE_MAX, &text, e) < 0)
		return NULL;
	value = json_loadb(buf_str(&text), text.len, 0, &where);
	if (!value)
		err_set(e, EBADMSG, "%s is damaged: line %d: %s", name, where.line, where.text);
	return value;
}

const char *json_text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

const char *json_text_or_empty(const json_t *o, const char *key)
{
	const char *s = json_text(o, key);

	return s ? s : "";
}

long long json_number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* On a terminal nothing that it could obey. */
static size_t for_stdout(void)
{
	return isatty(STDOUT_FILENO) ? JSON_ENCODE_ANY | JSON_ENSURE_ASCII : JSON_ENCODE_ANY;
}

void json_print(const json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | for_stdout());
	putchar('\n');
}

void json_print_line(const json_t *value)
{
	json_dumpf(value, stdout, JSON_COMPACT | for_stdout());
	putchar('\n');
}

static int append(const char *bytes, size_t n, void *b)
{
	buf_put(b, bytes, n);
	return 0;
}

void json_put_value(struct buf *b, const json_t *value)
{
	AUTO_BUF struct buf text = BUF_INIT;
	size_t i;

	if (json_is_string(value)) {
		put_safe_n(b, json_string_value(value), json_string_length(value));
		return;
	}
	/* jansson escapes C0 controls; terminals also obey DEL and C1 (two bytes in UTF-8, c2 80 to c2 9f) */
	json_dump_callback(value, append, &text, JSON_COMPACT | JSON_ENCODE_ANY);
	for (i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i], next = i + 1 < text.len ? (unsigned char)text.p[i + 1] : 0;

		if (c == 0x7f || (c == 0xc2 && next < 0xa0))
			buf_printf(b, "\\u%04x", c == 0x7f ? c : (unsigned char)text.p[++i]);
		else
			buf_putc(b, (char)c);
	}
}
