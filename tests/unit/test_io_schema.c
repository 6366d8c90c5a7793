/*
 * codec/io_schema: the two forms in which a definition declares inputs and outputs (S0-DEF).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "codec/io_schema.h"

static void which_form(void **state)
{
	static const struct {
		const char *declared;
		bool flat;
	} rows[] = {
	    {"{}", true},
	    {"{\"id\": \"string\"}", true},
	    {"{\"type\": \"string\"}", true},                  /* an input whose name is type */
	    {"{\"type\": \"string?\", \"id\": \"number\"}", true},
	    {"{\"type\": \"object\"}", false},
	    {"{\"type\": [\"object\"]}", false},
	    {"{\"properties\": {}}", false},
	    {"{\"id\": \"string\", \"x\": {\"type\": \"string\"}}", false},
	    {"{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\"}", false},
	    {"[]", false},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		json_t *v = json_loads(rows[k].declared, 0, NULL);

		assert_non_null(v);
		assert_int_equal(io_schema_is_flat(v), rows[k].flat);
		json_decref(v);
	}
}

static void what_fits(void **state)
{
	static const struct {
		const char *declared, *value;
		const char *pointer; /* of the first finding; NULL: it fits */
	} rows[] = {
	    {"{}", "{}", NULL},
	    {"{}", "{\"a\": 1}", NULL},
	    {"{}", "[]", ""},
	    {"{\"a\": \"string\"}", "{\"a\": \"x\"}", NULL},
	    {"{\"a\": \"string\"}", "{\"a\": \"x\", \"more\": 1}", NULL},
	    {"{\"a\": \"string\"}", "{\"a\": 1}", "/a"},
	    {"{\"a\": \"string\"}", "{}", ""},
	    {"{\"a\": \"string?\"}", "{}", NULL},
	    {"{\"a\": \"string?\"}", "{\"a\": null}", "/a"},
	    {"{\"a\": \"number\"}", "{\"a\": 1.5}", NULL},
	    {"{\"a\": \"number\"}", "{\"a\": \"1.5\"}", "/a"}, /* EDGE-1 */
	    {"{\"a\": \"integer\"}", "{\"a\": 1}", NULL},
	    {"{\"a\": \"integer\"}", "{\"a\": 1.5}", "/a"},
	    {"{\"a\": \"boolean\"}", "{\"a\": true}", NULL},
	    {"{\"a\": \"boolean\"}", "{\"a\": \"true\"}", "/a"},
	    {"{\"a\": \"array\", \"o\": \"object\"}", "{\"a\": [], \"o\": {}}", NULL},
	    {"{\"a\": \"array\"}", "{\"a\": {}}", "/a"},
	    {"{\"a\": \"object\"}", "{\"a\": []}", "/a"},
	    {"{\"type\": \"string\"}", "{\"type\": \"x\"}", NULL},
	    {"{\"properties\": {\"a\": {\"minimum\": 3}}}", "{\"a\": 2}", "/a"},
	    {"{\"type\": \"object\", \"additionalProperties\": false}", "{\"a\": 2}", "/a"},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		json_t *declared = json_loads(rows[k].declared, 0, NULL), *value = json_loads(rows[k].value, 0, NULL);
		struct schema *s = io_schema_compile(declared, NULL);
		struct diags found = DIAGS_INIT;

		assert_non_null(s);
		assert_int_equal(schema_check(s, value, "", &found), rows[k].pointer == NULL);
		if (rows[k].pointer)
			assert_string_equal(found.v[0].pointer, rows[k].pointer);
		diags_free(&found);
		schema_free(s);
		json_decref(declared);
		json_decref(value);
	}
}

static void what_is_no_type(void **state)
{
	static const struct {
		const char *declared, *pointer, *message, *suggestion;
	} rows[] = {
	    {"{\"a/b\": \"sting\"}", "/a~1b", "\"sting\" is no type", "did you mean \"string\"?"},
	    {"{\"a\": \"string??\"}", "/a", "\"string??\" is no type", "did you mean \"string\"?"},
	    {"{\"a\": \"\"}", "/a", "\"\" is no type", NULL},
	    {"[]", "", "it must be an object: names with their types, or a JSON Schema", NULL},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		json_t *declared = json_loads(rows[k].declared, 0, NULL);
		struct diags found = DIAGS_INIT;

		assert_null(io_schema_compile(declared, &found));
		assert_int_equal(found.n, 1);
		assert_string_equal(found.v[0].pointer, rows[k].pointer);
		assert_string_equal(found.v[0].message, rows[k].message);
		if (rows[k].suggestion)
			assert_string_equal(found.v[0].suggestion, rows[k].suggestion);
		diags_free(&found);
		json_decref(declared);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(which_form),
	    cmocka_unit_test(what_fits),
	    cmocka_unit_test(what_is_no_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
