#include "codec/io_schema.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

static const char *const types[] = {"string", "number", "integer", "boolean", "object", "array"};

enum { TYPES = sizeof types / sizeof *types };

bool io_schema_is_flat(const json_t *declared)
{
	const char *type = json_string_value(json_object_get(declared, "type")), *name;
	json_t *v;

	if (!json_is_object(declared) || (type && strcmp(type, "object") == 0) || json_object_get(declared, "$schema"))
		return false;
	json_object_foreach((json_t *)declared, name, v)
		if (!json_is_string(v))
			return false;
	return true;
}

/* A name as one token of a JSON pointer (RFC 6901). */
static void put_token(struct buf *b, const char *name)
{
	for (; *name; name++) {
		if (*name == '~' || *name == '/')
			buf_puts(b, *name == '~' ? "~0" : "~1");
		else
			buf_putc(b, *name);
	}
}

static void no_type(const char *name, const char *word, struct diags *errors)
{
	const char *near = text_nearest(word, types, TYPES);
	AUTO_BUF struct buf pointer = BUF_INIT;

	if (!errors)
		return;
	buf_putc(&pointer, '/');
	put_token(&pointer, name);
	diag_add(errors, buf_str(&pointer),
		 near ? xasprintf("did you mean \"%s\"?", near)
		      : xstrdup("use string, number, integer, boolean, object or array, with ? behind it if it may be absent; "
				"or write a JSON Schema with \"type\": \"object\""),
		 "\"%s\" is no type", word);
}

/* The type that a word names, or NULL; *optional: it ends in ?. */
static const char *type_of(const char *word, bool *optional)
{
	size_t n = strlen(word), k;

	*optional = n > 0 && word[n - 1] == '?';
	if (*optional)
		n--;
	for (k = 0; k < TYPES; k++)
		if (strlen(types[k]) == n && memcmp(types[k], word, n) == 0)
			return types[k];
	return NULL;
}

static json_t *expand_flat(const json_t *declared, struct diags *errors)
{
	json_t *properties = json_object(), *required = json_array(), *v;
	bool optional, good = true;
	const char *name, *type;

	json_object_foreach((json_t *)declared, name, v) {
		type = type_of(json_string_value(v), &optional);
		if (!type) {
			no_type(name, json_string_value(v), errors);
			good = false;
			continue;
		}
		json_object_set_new(properties, name, json_pack("{s:s}", "type", type));
		if (!optional)
			json_array_append_new(required, json_string(name));
	}
	if (!good) {
		json_decref(properties);
		json_decref(required);
		return NULL;
	}
	return json_pack("{s:s, s:o, s:o}", "type", "object", "properties", properties, "required", required);
}

json_t *io_schema_expand(const json_t *declared, struct diags *errors)
{
	if (!json_is_object(declared)) {
		if (errors)
			diag_add(errors, "", xstrdup("write {} where nothing is to be said"),
				 "it must be an object: names with their types, or a JSON Schema");
		return NULL;
	}
	return io_schema_is_flat(declared) ? expand_flat(declared, errors) : json_deep_copy(declared);
}

struct schema *io_schema_compile(const json_t *declared, struct diags *errors)
{
	json_t *full = io_schema_expand(declared, errors);
	struct schema *s = full ? schema_compile(full, NULL, NULL, errors) : NULL;

	json_decref(full); /* the compiled schema keeps its own reference */
	return s;
}

struct schema *io_schema_compile_inputs(const json_t *declared, struct diags *errors)
{
	json_t *full = io_schema_expand(declared, errors);
	struct schema *s;

	if (full && io_schema_is_flat(declared) && json_object_size(declared) > 0)
		json_object_set_new(full, "additionalProperties", json_false());
	s = full ? schema_compile(full, NULL, NULL, errors) : NULL;
	json_decref(full);
	return s;
}

const char *io_schema_type_of(const json_t *declared, const char *name)
{
	const char *word = io_schema_is_flat(declared) ? json_string_value(json_object_get(declared, name)) : NULL;
	bool optional;

	return word ? type_of(word, &optional) : NULL;
}

const json_t *io_schema_names(const json_t *declared)
{
	if (json_object_size(declared) == 0)
		return NULL;
	if (io_schema_is_flat(declared))
		return declared;
	return json_is_false(json_object_get(declared, "additionalProperties")) ? json_object_get(declared, "properties") : NULL;
}
