/*
 * action_test.c - the examples of a definition against what comes: from the API, or from a recording of it.
 *
 * A recording is a JSON object {definition, version, example, input, output | error, trace}, one file an example.
 * Compared with one, an example's input and output and the definition's schemas are held against what came then; no
 * request is made.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"
#include "codec/io_schema.h"
#include "creel/action.h"
#include "creel/common.h"
#include "creel/json.h"
#include "creel/show_text.h"

/* ---- differences ---- */

static void differ(json_t *list, const char *at, const json_t *expected, const json_t *found)
{
	json_t *one = json_pack("{s:s, s:O}", "at", at, "expected", expected);

	if (found)
		json_object_set(one, "found", (json_t *)found);
	json_array_append_new(list, one);
}

/* An example may write as text what is none: S0's examples are records of text. */
static bool same(const json_t *expected, const json_t *found)
{
	AUTO_FREE char *text = NULL;

	if (json_equal(expected, found))
		return true;
	if (json_is_number(expected) && json_is_number(found))
		return json_number_value(expected) == json_number_value(found);
	if (!json_is_string(expected) || json_is_string(found))
		return false;
	text = json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT);
	return text && strcmp(text, json_string_value(expected)) == 0;
}

/* Members that the example does not name may be anything. */
static void compare(json_t *list, const char *at, const json_t *expected, const json_t *found)
{
	const char *name;
	json_t *v;

	if (!json_is_object(expected) || !json_is_object(found)) {
		if (!same(expected, found))
			differ(list, at, expected, found);
		return;
	}
	json_object_foreach((json_t *)expected, name, v) {
		AUTO_FREE char *below = xasprintf("%s%s%s", at, *at ? "." : "", name);

		if (json_object_get(found, name))
			compare(list, below, v, json_object_get(found, name));
		else
			differ(list, below, v, NULL);
	}
}

json_t *action_differences(const json_t *expected, const json_t *found)
{
	json_t *list = json_array();

	compare(list, "", expected, found);
	return list;
}

/* ---- inputs ---- */

/* Text where the definition wants another type is read as JSON. */
static json_t *inputs_of(const json_t *definition, const json_t *example)
{
	const json_t *declared = json_object_get(definition, "inputSchema");
	json_t *out = json_object(), *v, *value;
	const char *name, *type;

	json_object_foreach(json_object_get(example, "input"), name, v) {
		type = io_schema_is_flat(declared)
			   ? io_schema_type_of(declared, name)
			   : json_text(json_object_get(json_object_get(declared, "properties"), name), "type");
		value = NULL;
		if (json_is_string(v) && type && strcmp(type, "string") != 0)
			value = json_loads(json_string_value(v), JSON_DECODE_ANY, NULL);
		json_object_set_new(out, name, value ? value : json_incref(v));
	}
	return out;
}

/* What a schema finds wrong, as differences of a kind. */
static void check_against(json_t *list, const char *what, struct schema *s, const json_t *value)
{
	struct diags found = DIAGS_INIT;
	size_t k;

	if (s && !schema_check(s, value, "", &found))
		for (k = 0; k < found.n; k++)
			json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "at", what, "pointer", found.v[k].pointer, "message",
							      found.v[k].message));
	diags_free(&found);
	schema_free(s);
}

/* ---- recordings ---- */

/* DEFINITION.EXAMPLE.json, of letters that every file system takes. */
static char *file_name(const json_t *definition, size_t n)
{
	char *name = xasprintf("%s.%zu.json", json_text_or_empty(definition, "id"), n + 1), *p;

	for (p = name; *p; p++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *p))
			*p = '_';
	if (*name == '.')
		*name = '_';
	return name;
}

static int write_recording(const char *where, const json_t *definition, const json_t *example, size_t n,
			   const json_t *inputs, const json_t *result, struct err *e)
{
	AUTO_FREE char *name = file_name(definition, n), *text = NULL;
	json_t *o = json_pack("{s:O, s:O, s:O, s:O}", "definition", json_object_get(definition, "id"), "version",
			      json_object_get(definition, "version"), "example", json_object_get(example, "name"), "input", inputs);
	int dir, r;

	json_object_update(o, (json_t *)result);
	text = json_dumps(o, JSON_INDENT(2));
	json_decref(o);
	dir = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, errno, "cannot open the directory %s", where);
	r = fs_publish(dir, name, text, strlen(text), 0, e);
	close(dir);
	return r;
}

static json_t *read_recording(const char *where, const json_t *definition, size_t n, struct err *e)
{
	AUTO_FREE char *name = file_name(definition, n);
	AUTO_FREE char *path = text_ends_with(where, ".json") ? xstrdup(where) : xasprintf("%s/%s", where, name);
	json_t *o = json_read(AT_FDCWD, path, e);

	if (!o || strcmp(json_text_or_empty(o, "definition"), json_text_or_empty(definition, "id")) == 0)
		return o;
	err_set(e, EBADMSG, "%s is a recording of \"%s\"", path, json_text_or_empty(o, "definition"));
	json_decref(o);
	return NULL;
}

/* ---- one example ---- */

/* What is not as the example says; an attempt that failed is one difference. */
static json_t *judge(const json_t *definition, const json_t *example, const json_t *inputs, const json_t *result,
		     bool recorded)
{
	const json_t *error = json_object_get(result, "error"), *output = json_object_get(result, "output");
	json_t *list;

	if (error) {
		list = json_array();
		json_array_append_new(list, json_pack("{s:s, s:O}", "at", "", "error", error));
		return list;
	}
	list = action_differences(json_object_get(example, "output"), output);
	if (!recorded)
		return list;
	/* What creel-http would have said now of what came then. */
	check_against(list, "input", io_schema_compile_inputs(json_object_get(definition, "inputSchema"), NULL), inputs);
	check_against(list, "output", io_schema_compile(json_object_get(definition, "outputSchema"), NULL), output);
	if (!json_equal(inputs, json_object_get(result, "input")))
		json_array_append_new(list, json_pack("{s:s, s:s}", "at", "input", "message",
						      "it was recorded with other inputs; record it again"));
	return list;
}

static void put_difference(struct buf *b, const json_t *d)
{
	const json_t *error = json_object_get(d, "error"), *found = json_object_get(d, "found");

	buf_puts(b, "    ");
	if (error) {
		buf_puts(b, "it failed: ");
		put_safe(b, json_text_or_empty(error, "category"));
		buf_puts(b, ": ");
		put_safe(b, json_text_or_empty(error, "message"));
		if (json_text(error, "suggestion")) {
			buf_puts(b, "; ");
			put_safe(b, json_text(error, "suggestion"));
		}
	} else if (json_text(d, "message")) {
		put_safe(b, json_text_or_empty(d, "at"));
		put_safe(b, json_text_or_empty(d, "pointer"));
		buf_puts(b, ": ");
		put_safe(b, json_text(d, "message"));
	} else {
		put_safe(b, json_text_or_empty(d, "at"));
		buf_puts(b, ": expected ");
		json_put_value(b, json_object_get(d, "expected"));
		if (found) {
			buf_puts(b, ", came ");
			json_put_value(b, found);
		} else {
			buf_puts(b, ", which did not come");
		}
	}
	buf_putc(b, '\n');
}

static void say(const json_t *example, const json_t *differences)
{
	AUTO_BUF struct buf b = BUF_INIT;
	json_t *d;
	size_t k;

	put_safe(&b, json_text_or_empty(example, "name"));
	buf_puts(&b, json_array_size(differences) ? ": differs\n" : ": as expected\n");
	json_array_foreach((json_t *)differences, k, d)
		put_difference(&b, d);
	put_out(&b, stdout);
	fflush(stdout);
}

static int try_one(struct runner *r, const struct http_found *found, const struct action_test *t, size_t n, json_t *report)
{
	const json_t *definition = found->definition, *example = json_array_get(json_object_get(definition, "examples"), n);
	json_t *inputs = inputs_of(definition, example), *result, *differences;
	struct err e = {0};
	int status = EXIT_UNABLE;

	result = t->recorded ? read_recording(t->recorded, definition, n, &e) : runner_attempt(r, found, inputs, &e);
	if (result && (!t->record || write_recording(t->record, definition, example, n, inputs, result, &e) == 0)) {
		differences = judge(definition, example, inputs, result, t->recorded != NULL);
		status = json_array_size(differences) ? EXIT_NO : EXIT_DONE;
		if (report)
			json_array_append_new(report, json_pack("{s:O, s:b, s:O, s:O}", "example", json_object_get(example, "name"), "ok",
								(int)(status == EXIT_DONE), "input", inputs, "differences",
								differences));
		else
			say(example, differences);
		json_decref(differences);
	} else {
		complain("%s: %s", json_text_or_empty(example, "name"), e.text);
	}
	json_decref(result);
	json_decref(inputs);
	return status;
}

int action_test(struct runner *r, const struct http_found *found, const struct action_test *t)
{
	const json_t *examples = json_object_get(found->definition, "examples");
	json_t *report = t->json ? json_array() : NULL;
	int status = EXIT_DONE, one;
	size_t k, tried = 0;

	for (k = 0; k < json_array_size(examples); k++) {
		if (t->only && strcmp(json_text_or_empty(json_array_get(examples, k), "name"), t->only) != 0)
			continue;
		tried++;
		one = try_one(r, found, t, k, report);
		if (one > status)
			status = one;
	}
	if (report)
		json_print(report);
	json_decref(report);
	if (tried > 0)
		return status;
	if (t->only)
		complain("\"%s\" has no example \"%s\"", json_text_or_empty(found->definition, "id"), t->only);
	else
		complain("\"%s\" has no examples", json_text_or_empty(found->definition, "id"));
	return EXIT_NO;
}
