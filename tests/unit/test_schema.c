/*
 * The JSON Schema validator: the official suite, its messages, text fields, hostile values.
 * Requirements: S0-SCHEMA (the schemas are obeyed), EDGE-1 (clear findings).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/vec.h"
#include "codec/schema.h"
#include "codec/schemas.h"

/* --- the official suite --- */

static struct {
	struct map index; /* URI: place in documents */
	VEC(json_t *) documents;
	VEC(char *) uris;
} library;

static char *suite_path(const char *name)
{
	const char *tests = getenv("CREEL_TESTS");

	return xasprintf("%s/corpus/json-schema-suite/%s", tests ? tests : "tests", name);
}

/* Where the suite keeps the document at uri; NULL if it has none. */
static char *document_path(const char *uri)
{
	static const char remote[] = "http://localhost:1234/",
			  meta[] = "https://json-schema.org/draft/2020-12/";
	AUTO_FREE char *name = NULL;

	if (text_starts_with(uri, remote))
		name = xasprintf("remotes/%s", uri + strlen(remote));
	else if (text_starts_with(uri, meta))
		name = xasprintf("metaschemas/2020-12/%s.json", uri + strlen(meta));
	return name ? suite_path(name) : NULL;
}

static const json_t *load_document(void *ctx, const char *uri)
{
	uint32_t i = map_get(&library.index, uri);
	AUTO_FREE char *path = NULL;
	json_t *json;

	(void)ctx;
	if (i != MAP_NONE)
		return library.documents.v[i];
	path = document_path(uri);
	json = path ? json_load_file(path, 0, NULL) : NULL;
	if (!json)
		return NULL;
	vec_push(&library.uris, xstrdup(uri));
	map_put(&library.index, library.uris.v[library.uris.n - 1], (uint32_t)library.documents.n);
	vec_push(&library.documents, json);
	return json;
}

static void forget_documents(void)
{
	size_t i;

	for (i = 0; i < library.documents.n; i++) {
		json_decref(library.documents.v[i]);
		free(library.uris.v[i]);
	}
	vec_free(&library.documents);
	vec_free(&library.uris);
	map_free(&library.index);
}

struct tally {
	size_t passed, refused, failed;
};

static void print_test(const char *how, const json_t *test, const char *why)
{
	printf("  %s: %s: %s: %s%s%s\n", how, json_string_value(json_object_get(test, "file")),
	       json_string_value(json_object_get(test, "group")),
	       json_string_value(json_object_get(test, "test")), why ? ": " : "", why ? why : "");
}

static void suite_test(const json_t *test, struct tally *tally)
{
	struct diags errors = DIAGS_INIT, found = DIAGS_INIT;
	struct schema *s = schema_compile(json_object_get(test, "schema"), load_document, NULL, &errors);
	const json_t *data = json_object_get(test, "data");
	bool want = json_is_true(json_object_get(test, "valid")), is;

	if (!s) {
		assert_true(errors.n > 0);
		if (strstr(errors.v[0].message, "keyword")) {
			tally->refused++;
			print_test("refused by name", test, errors.v[0].message);
		} else {
			tally->failed++;
			print_test("does not compile", test, errors.v[0].message);
		}
		diags_free(&errors);
		return;
	}
	is = schema_check(s, data, "", &found);
	if (is != want || is != schema_check(s, data, "", NULL) || is != (found.n == 0)) {
		tally->failed++;
		print_test(want ? "should be valid" : "should not be valid", test,
			   found.n ? found.v[0].message : NULL);
	} else {
		tally->passed++;
	}
	diags_free(&found);
	schema_free(s);
}

static void official_suite(void **state)
{
	AUTO_FREE char *path = suite_path("draft2020-12.required.jsonl");
	FILE *f = fopen(path, "r");
	struct tally tally = {0, 0, 0};
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	(void)state;
	if (!f)
		fail_msg("cannot open %s: set CREEL_TESTS to the tests directory", path);
	while ((n = getline(&line, &cap, f)) > 0) {
		json_t *test = json_loadb(line, (size_t)n, JSON_ALLOW_NUL, NULL);

		assert_non_null(test);
		suite_test(test, &tally);
		json_decref(test);
	}
	free(line);
	fclose(f);
	printf("  draft 2020-12, required tests: %zu passed, %zu refused by name, %zu failed\n", tally.passed,
	       tally.refused, tally.failed);
	assert_int_equal(tally.failed, 0);
	assert_int_equal(tally.passed + tally.refused, 1299); /* a suite cut short proves nothing */
	forget_documents();
}

/* --- help for the rest: texts with ' for " --- */

static json_t *value_of(const char *text)
{
	AUTO_FREE char *copy = xstrdup(text);
	json_error_t error;
	json_t *v;
	char *p;

	for (p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	v = json_loads(copy, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	if (!v)
		fail_msg("%s: %s", error.text, text);
	return v;
}

static struct schema *compile(const char *text)
{
	struct diags errors = DIAGS_INIT;
	json_t *root = value_of(text);
	struct schema *s = schema_compile(root, NULL, NULL, &errors);

	json_decref(root);
	if (!s)
		fail_msg("%s: %s", errors.v[0].pointer, errors.v[0].message);
	diags_free(&errors);
	return s;
}

/* The findings as lines "pointer: message (suggestion)"; a place that is a name ends in @. */
static char *findings_of(const struct schema *s, const char *value)
{
	struct diags found = DIAGS_INIT;
	struct buf text = BUF_INIT;
	json_t *v = value_of(value);
	bool ok = schema_check(s, v, "", &found);
	size_t i;

	assert_int_equal(ok, found.n == 0);
	assert_int_equal(ok, schema_check(s, v, "", NULL));
	for (i = 0; i < found.n; i++) {
		const struct diag *d = &found.v[i];

		buf_printf(&text, "%s%s%s: %s", i ? "\n" : "", d->pointer, d->at_key ? "@" : "", d->message);
		if (d->suggestion)
			buf_printf(&text, " (%s)", d->suggestion);
	}
	diags_free(&found);
	json_decref(v);
	return buf_steal(&text);
}

static void check_findings(const char *schema, const char *value, const char *want, int line)
{
	struct schema *s = compile(schema);
	AUTO_FREE char *is = findings_of(s, value);

	if (strcmp(is, want) != 0)
		fail_msg("line %d\n%s\nagainst %s\n  is:   %s\n  want: %s", line, value, schema, is, want);
	schema_free(s);
}

#define CHECK(schema, value, want) check_findings(schema, value, want, __LINE__)

static void refused(const char *schema, const char *want)
{
	struct diags errors = DIAGS_INIT;
	json_t *root = value_of(schema);
	struct schema *s = schema_compile(root, NULL, NULL, &errors);
	AUTO_BUF struct buf is = BUF_INIT;

	if (s)
		fail_msg("should not compile: %s", schema);
	assert_true(errors.n > 0);
	buf_printf(&is, "%s: %s", errors.v[0].pointer, errors.v[0].message);
	if (errors.v[0].suggestion)
		buf_printf(&is, " (%s)", errors.v[0].suggestion);
	assert_string_equal(buf_str(&is), want);
	diags_free(&errors);
	json_decref(root);
}

/* --- schemas that are refused --- */

static void keywords_are_never_passed_over(void **state)
{
	(void)state;
	refused("{'properties': {'a': {'minimun': 3}}}",
		"/properties/a/minimun: unknown keyword \"minimun\" (did you mean \"minimum\"?)");
	refused("{'frobnicate': 3}",
		"/frobnicate: unknown keyword \"frobnicate\" (names of your own start with x-)");
	refused("{'definitions': {}}",
		"/definitions: the keyword \"definitions\" is not in draft 2020-12 (write \"$defs\")");
	refused("{'$schema': 'http://json-schema.org/draft-07/schema#'}",
		": the dialect http://json-schema.org/draft-07/schema# is not known; use "
		"https://json-schema.org/draft/2020-12/schema");
	schema_free(compile("{'x-anything': [1], '$comment': 'c', 'examples': [1], 'format': 'uuid'}"));
}

static void malformed_schemas(void **state)
{
	(void)state;
	refused("3", ": a schema must be an object, true or false");
	refused("{'type': 'text'}",
		"/type: \"type\" must name null, boolean, integer, number, string, array or object");
	refused("{'type': []}", "/type: \"type\" must name at least one type");
	refused("{'minLength': -1}", "/minLength: \"minLength\" must be a non-negative integer");
	refused("{'multipleOf': 0}", "/multipleOf: \"multipleOf\" must be a number above 0");
	refused("{'required': 'a'}", "/required: \"required\" must list names of properties");
	refused("{'required': ['a', 1]}", "/required: \"required\" must list names of properties");
	refused("{'properties': []}", "/properties: \"properties\" must be an object");
	refused("{'anyOf': []}", "/anyOf: \"anyOf\" must be an array with at least one schema");
	refused("{'uniqueItems': 1}", "/uniqueItems: \"uniqueItems\" must be true or false");
	refused("{'pattern': '(a'}", "/pattern: the pattern (a cannot be used: missing closing parenthesis");
	refused("{'patternProperties': {'a\\\\Z': true}}",
		"/patternProperties: the pattern a\\Z cannot be used: \\Z is not an escape of ECMA-262, at "
		"offset 1");
	refused("{'$ref': 'other.json'}", ": $ref leads to other.json, and there is no such schema");
	refused("{'items': {'$ref': '#/$defs/x'}}",
		"/items: $ref leads to #/$defs/x, which is not in that schema");
	refused("{'items': {'$ref': '#here'}}", "/items: $ref leads to #here, which is not in that schema");
	refused("{'$ref': '#'}", ": this schema refers to itself without end");
	refused("{'$defs': {'a': {'allOf': [{'$ref': '#/$defs/b'}]}, 'b': {'anyOf': [true, {'$ref': "
		"'#/$defs/a'}]}}}",
		"/$defs/a: this schema refers to itself without end");
	refused("{'$defs': {'a': {'$anchor': 'x'}, 'b': {'$anchor': 'x'}}}",
		"/$defs/b/$anchor: the anchor \"x\" is there twice");
}

static void references_to_odd_places(void **state)
{
	(void)state;
	CHECK("{'$ref': '#/x-parts/0', 'x-parts': [{'type': 'null'}]}", "1", ": must be null, not a number");
	CHECK("{'$id': 'http://a/b/c', '$defs': {'d': {'$id': '../e', '$anchor': 'f', 'const': 1}}, '$ref': "
	      "'/e#f'}",
	      "2", ": must be 1, not 2");
}

/* --- messages --- */

static void messages_for_types_and_values(void **state)
{
	(void)state;
	CHECK("{'type': 'string'}", "5", ": must be a string, not a number");
	CHECK("{'type': ['string', 'null']}", "true", ": must be a string or null, not true");
	CHECK("{'type': 'integer'}", "1.5", ": must be an integer, not 1.5");
	CHECK("{'type': 'integer'}", "'12'", ": must be an integer, not a string (write 12 without quotes)");
	CHECK("{'type': 'boolean'}", "'yes'",
	      ": must be true or false, not a string (write true, without quotes)");
	CHECK("{'type': 'array', 'x-message': 'at most 10'}", "'a'",
	      ": must be an array, not a string (write a list: [\"a\"])");
	CHECK("{'type': ['boolean', 'object']}", "null", ": must be an object, true or false, not null");
	CHECK("{'type': ['array', 'object', 'integer', 'number']}", "null",
	      ": must be a number, an object or an array, not null");
	CHECK("{'enum': ['skip', 'fail']}", "'fial'",
	      ": must be one of \"skip\", \"fail\", not \"fial\" (did you mean \"fail\"?)");
	CHECK("{'enum': ['skip', 'fail', 1, null]}", "{'a': 1}",
	      ": must be one of \"skip\", \"fail\", 1, null, not an object");
	CHECK("{'const': 'on'}", "'off'", ": must be \"on\", not \"off\"");
	CHECK("{'minimum': 0, 'maximum': 9}", "12", ": must be at most 9, not 12");
	CHECK("{'minimum': 0.5}", "-1", ": must be at least 0.5, not -1");
	CHECK("{'exclusiveMinimum': 0}", "0", ": must be more than 0, not 0");
	CHECK("{'exclusiveMaximum': 1}", "1.0", ": must be less than 1, not 1.0");
	CHECK("{'multipleOf': 5}", "7", ": must be a multiple of 5, not 7");
	CHECK("{'minLength': 1}", "''", ": must not be empty");
	CHECK("{'minLength': 3}", "'ab'", ": must have at least 3 characters, not 2");
	CHECK("{'maxLength': 1}", "'ab'", ": must have at most 1 character, not 2");
	CHECK("{'pattern': '^[a-z]+$'}", "'A'", ": must match ^[a-z]+$");
	CHECK("{'pattern': '^[a-z]+$', 'x-message': 'must be lower case'}", "'A'", ": must be lower case");
	CHECK("{'maximum': 9, 'x-message': 'retries is a number from 0 to 9'}", "12",
	      ": must be at most 9, not 12 (retries is a number from 0 to 9)");
	CHECK("{'type': 'integer', 'x-message': 'a whole number'}", "null",
	      ": must be an integer, not null (a whole number)");
	CHECK("{'propertyNames': {'pattern': '^[A-Z]+$', 'x-message': 'names are capitals'}}", "{'a': 1}",
	      "/a@: names are capitals");
	CHECK("{'not': {'const': 'root'}}", "'root'", ": must not be \"root\"");
}

static void messages_for_objects(void **state)
{
	static const char action[] =
	    "{'properties': {'a': {'required': ['continueOnFailure'], 'additionalProperties': false,"
	    " 'properties': {'continueOnFailure': {'type': 'boolean'}, 'dependencies': true}}}}";

	(void)state;
	CHECK(action, "{'a': {}}", "/a: missing property \"continueOnFailure\"");
	CHECK(action, "{'a': {'continueOnFailure': true, 'dependancies': 1}}",
	      "/a/dependancies@: unknown property \"dependancies\" (did you mean \"dependencies\"?)");
	CHECK(
	    action, "{'a': {'continueOnFailure': 1, 'zzz': 1}}",
	    "/a/continueOnFailure: must be true or false, not a number\n"
	    "/a/zzz@: unknown property \"zzz\" (known here are \"continueOnFailure\" and \"dependencies\")");
	CHECK("{'propertyNames': {'pattern': '^[A-Z]+$'}}", "{'A': 1, 'b/c': 1}",
	      "/b~1c@: the name \"b/c\" must match ^[A-Z]+$");
	CHECK("{'propertyNames': {'pattern': '^[A-Z]+$'}, 'properties': {'ABC': true}, "
	      "'additionalProperties': false}",
	      "{'ABc': 1}", "/ABc@: unknown property \"ABc\" (did you mean \"ABC\"?)");
	CHECK("{'dependentRequired': {'a': ['b']}}", "{'a': 1}",
	      ": missing property \"b\", which \"a\" needs");
	CHECK("{'properties': {'a': false}}", "{'a': 1}", "/a: property \"a\" is not allowed here");
	CHECK("{'minProperties': 1}", "{}", ": must not be empty");
	CHECK("{'maxProperties': 1}", "{'a': 1, 'b': 1}", ": must have at most 1 property, not 2");
	CHECK("{'not': {'required': ['a', 'b']}}", "{'a': 1, 'b': 1}",
	      ": \"a\" and \"b\" exclude each other");
	CHECK("{'not': {'required': ['a']}}", "{'a': 1}", ": property \"a\" is not allowed here");
}

static void unevaluated_names_come_from_all_parts(void **state)
{
	static const char schema[] =
	    "{'unevaluatedProperties': false, 'properties': {'id': true}, 'allOf': [{'$ref': "
	    "'#/$defs/more'}],"
	    " '$defs': {'more': {'properties': {'timeoutMs': {'type': 'integer'}}}}}";

	(void)state;
	CHECK(schema, "{'id': 1, 'timeoutMs': 3}", "");
	CHECK(schema, "{'id': 1, 'timeOutMs': 3}",
	      "/timeOutMs@: unknown property \"timeOutMs\" (did you mean \"timeoutMs\"?)");
	/* What a failing part knows is not unknown for that. */
	CHECK(schema, "{'id': 1, 'timeoutMs': 'x'}", "/timeoutMs: must be an integer, not a string");
	CHECK("{'unevaluatedProperties': false, 'oneOf': [{'properties': {'a': {'type': 'string'}}, "
	      "'required': ['a']},"
	      " {'properties': {'b': true}, 'required': ['b']}]}",
	      "{'a': 1}", "/a: must be a string, not a number");
}

static void messages_for_arrays(void **state)
{
	(void)state;
	CHECK("{'uniqueItems': true}", "['a', 'b', 'a']", "/2: repeats element 1 of the list, \"a\"");
	CHECK("{'uniqueItems': true}", "[1, true, [1], [true], '1', 0, false]", "");
	CHECK("{'uniqueItems': true}", "[{'a': 1, 'b': 2}, {'b': 2.0, 'a': 1}]",
	      "/1: repeats element 1 of the list, an object");
	CHECK("{'items': {'type': 'string'}}", "['a', 1, 2]",
	      "/1: must be a string, not a number\n/2: must be a string, not a number");
	CHECK("{'prefixItems': [true], 'items': false}", "[1, 2, 3]", ": must have at most 1 element, not 3");
	CHECK("{'minItems': 1}", "[]", ": must not be empty");
	CHECK("{'contains': {'const': 1}}", "[2]",
	      ": must have at least 1 element of the wanted kind, not 0");
	CHECK("{'contains': {'const': 1}, 'x-message': 'must have a 1'}", "[2]", ": must have a 1");
}

static const char step[] =
    "{'oneOf': [{'type': 'string'}, {'$ref': '#/$defs/command'}, {'$ref': '#/$defs/api'}],"
    " '$defs': {'command': {'type': 'object', 'required': ['type', 'command'], 'additionalProperties': false,"
    "  'properties': {'type': {'const': 'command'}, 'command': {'type': 'string'}}},"
    " 'api': {'type': 'object', 'required': ['type', 'url'], 'additionalProperties': false,"
    "  'properties': {'type': {'const': 'api'}, 'url': {'type': 'string'}}}}}";

static void branches_tell_what_was_meant(void **state)
{
	(void)state;
	CHECK(step, "5", ": must be a string or an object, not a number");
	CHECK(step, "{'type': 'command', 'command': 5}", "/command: must be a string, not a number");
	CHECK(step, "{'type': 'api', 'uri': 'x'}",
	      ": missing property \"url\"\n/uri@: unknown property \"uri\" (did you mean \"url\"?)");
	CHECK(step, "{'type': 'comand', 'command': 'x'}",
	      "/type: must be one of \"command\", \"api\", not \"comand\" (did you mean \"command\"?)");
	CHECK(step, "{'command': 'x'}", ": missing property \"type\"");
	CHECK("{'oneOf': [{'required': ['command']}, {'required': ['step_def']}]}", "{}",
	      ": missing property \"command\" or \"step_def\"");
	CHECK("{'oneOf': [{'required': ['command']}, {'required': ['step_def']}]}",
	      "{'command': 1, 'step_def': 2}", ": \"command\" and \"step_def\" exclude each other");
	CHECK("{'oneOf': [{'const': 'a'}, {'const': 'b'}]}", "'xyz'",
	      ": must be one of \"a\", \"b\", not \"xyz\"");
	CHECK("{'oneOf': [true, {'type': 'string'}]}", "'c'",
	      ": fits more than one of the forms that exclude each other");
	/* The nearest: fewest findings, then the deepest. */
	CHECK("{'anyOf': [{'properties': {'a': {'minimum': 1}, 'b': {'minimum': 1}}}, {'properties': {'a': "
	      "{'maximum': "
	      "-1}}}]}",
	      "{'a': 0, 'b': 0}", "/a: must be at most -1, not 0");
	CHECK("{'anyOf': [{'pattern': '^a'}, {'pattern': '^b'}], 'x-message': 'must begin with a or b'}",
	      "'c'", ": must begin with a or b");
}

static void more_findings_than_anyone_reads(void **state)
{
	struct schema *s = compile("{'items': {'anyOf': [{'type': 'string'}, {'type': 'null'}]}}");
	struct diags found = DIAGS_INIT;
	json_t *v = json_array();
	int i;

	(void)state;
	for (i = 0; i < 250; i++)
		json_array_append_new(v, json_integer(i));
	assert_false(schema_check(s, v, "/base", &found));
	assert_int_equal(found.n, DIAG_MAX);
	assert_int_equal(found.more, 150);
	assert_string_equal(found.v[99].pointer, "/base/99");
	diags_free(&found);
	json_decref(v);
	schema_free(s);
}

/* --- numbers --- */

static void numbers_are_exact(void **state)
{
	(void)state;
	CHECK("{'const': 1}", "1.0", "");
	CHECK("{'const': 1}", "true", ": must be 1, not true");
	CHECK("{'const': 9007199254740993}", "9007199254740992.0",
	      ": must be 9007199254740993, not 9007199254740992.0");
	CHECK("{'maximum': 9007199254740992.0}", "9007199254740993",
	      ": must be at most 9007199254740992.0, not 9007199254740993");
	CHECK("{'multipleOf': 0.0001}", "0.0075", "");
	CHECK("{'multipleOf': 0.0001}", "0.00751", ": must be a multiple of 0.0001, not 0.00751");
	CHECK("{'multipleOf': 0.1}", "4.35", ": must be a multiple of 0.1, not 4.35");
	CHECK("{'multipleOf': 0.01}", "4.35", "");
	CHECK("{'multipleOf': 1e-8}", "12391239123", "");
	CHECK("{'multipleOf': 0.5}", "1e308", "");
	CHECK("{'multipleOf': 3}", "-9223372036854775808",
	      ": must be a multiple of 3, not -9223372036854775808");
	CHECK("{'type': 'integer'}", "1e300", "");
	CHECK("{'minimum': -9223372036854775808}", "-1e19",
	      ": must be at least -9223372036854775808, not -1e+19");
}

/* --- patterns are those of ECMA-262 --- */

static bool matches(const char *pattern, const char *value)
{
	json_t *root = json_pack("{ss}", "pattern", pattern), *v = json_string(value);
	struct schema *s = schema_compile(root, NULL, NULL, NULL);
	bool ok;

	assert_non_null(s);
	ok = schema_check(s, v, "", NULL);
	schema_free(s);
	json_decref(root);
	json_decref(v);
	return ok;
}

static void patterns(void **state)
{
	(void)state;
	assert_true(matches("b", "abc")); /* not anchored */
	assert_false(matches("^a$", "a\n"));
	assert_false(matches("^.$", "\n"));
	assert_true(matches("^.$", "€"));
	assert_true(matches("^\\p{Letter}+$", "Übung"));
	assert_true(matches("^\\p{Script=Greek}$", "λ"));
	assert_false(matches("^\\P{L}$", "x"));
	assert_false(matches("^\\d$", "߀")); /* a digit elsewhere */
	assert_true(matches("^\\s$", "\xef\xbb\xbf"));
	assert_true(matches("^[\\s]\\S$", "\xc2\xa0x"));
	assert_true(matches("^\\u20ac$", "€"));
	assert_true(matches("^\\u{20AC}$", "€"));
	assert_true(matches("^[^]$", "\n"));
	assert_true(matches("^[[:]+$", "[:"));
	assert_true(matches("^\\/\\-\\.$", "/-."));
	refused("{'pattern': '(*LIMIT_MATCH=1)a'}",
		"/pattern: the pattern (*LIMIT_MATCH=1)a cannot be used: nothing to repeat at offset 1");
}

/* --- text fields --- */

static const char *raw_text(void *ctx, const char *pointer)
{
	return json_string_value(json_object_get(ctx, pointer));
}

static void check_texts(const char *schema, const char *value, const char *raw, const char *want)
{
	struct schema *s = compile(schema);
	json_t *v = value_of(value), *texts = value_of(raw), *expected = value_of(want);
	char *is, *must;

	schema_text_fields(s, v, raw_text, texts);
	is = json_dumps(v, JSON_COMPACT);
	must = json_dumps(expected, JSON_COMPACT);
	assert_string_equal(is, must); /* the order of members too */
	free(is);
	free(must);
	json_decref(v);
	json_decref(texts);
	json_decref(expected);
	schema_free(s);
}

static void text_fields(void **state)
{
	static const char schema[] =
	    "{'properties': {'version': {'type': 'string'}, 'n': {'type': 'integer'}, 'any': {},"
	    "  'either': {'type': ['string', 'number']}, 'mode': {'enum': ['on', '1']},"
	    "  'args': {'type': 'array', 'items': {'$ref': '#/$defs/text'}}},"
	    " 'patternProperties': {'^p_': {'allOf': [{'$ref': '#/$defs/text'}, {'minLength': 1}]}},"
	    " 'additionalProperties': {'additionalProperties': {'type': 'string'}},"
	    " '$defs': {'text': {'type': 'string'}}}";

	(void)state;
	check_texts(schema, "{'version': 1.1, 'n': 1, 'any': 2, 'either': 3, 'mode': 1}",
		    "{'/version': '1.10', '/n': '1', '/any': '2', '/either': '3', '/mode': '1'}",
		    "{'version': '1.10', 'n': 1, 'any': 2, 'either': 3, 'mode': '1'}");
	check_texts(schema, "{'p_a': true, 'args': ['-n', 7, null, [1]], 'version': 'x'}",
		    "{'/p_a': 'True', '/args/1': '0x7', '/args/2': '~', '/args/3/0': '1'}",
		    "{'p_a': 'True', 'args': ['-n', '0x7', '~', [1]], 'version': 'x'}");
	check_texts(schema, "{'env': {'a/b': 1, 'c': {'d': 1}}}", "{'/env/a~1b': '01', '/env/c/d': '1'}",
		    "{'env': {'a/b': '01', 'c': {'d': 1}}}");
	/* Nothing is made up where the text is not known. */
	check_texts(schema, "{'version': 1.1}", "{}", "{'version': 1.1}");
}

/* --- hostile values --- */

static json_t *nested(size_t depth)
{
	json_t *v = json_array();

	while (depth-- > 0) {
		json_t *outer = json_array();

		json_array_append_new(outer, v);
		v = outer;
	}
	return v;
}

static void deep_values(void **state)
{
	struct schema *s =
	    compile("{'type': 'array', 'uniqueItems': true, 'items': {'anyOf': [{'$ref': '#'}]}}");
	struct schema *unique = compile("{'uniqueItems': true}");
	struct schema *not_deep =
	    compile("{'not': {'$ref': '#/$defs/a'}, '$defs': {'a': {'items': {'$ref': '#/$defs/a'}}}}");
	struct schema *endless = compile("{'$dynamicAnchor': 'a', '$dynamicRef': '#a'}");
	struct diags found = DIAGS_INIT;
	json_t *v = nested(200), *twice;

	(void)state;
	assert_true(schema_check(s, v, "", NULL));
	json_decref(v);
	v = nested(10000);
	assert_false(schema_check(s, v, "", &found));
	assert_int_equal(found.n, 1);
	assert_string_equal(found.v[0].message, "is nested too deeply to be checked");
	diags_free(&found);
	/* Nor does a "not" turn giving up into a pass. */
	assert_false(schema_check(not_deep, v, "", NULL));
	twice = json_array();
	json_array_append(twice, v);
	json_array_append_new(twice, v);
	assert_false(schema_check(unique, twice, "", &found));
	assert_string_equal(found.v[0].message, "is nested too deeply to be checked");
	diags_free(&found);
	assert_false(schema_check(endless, twice, "", &found));
	assert_string_equal(found.v[0].message, "is nested too deeply to be checked");
	diags_free(&found);
	json_decref(twice);
	schema_free(s);
	schema_free(unique);
	schema_free(not_deep);
	schema_free(endless);
}

static void deep_schemas(void **state)
{
	struct buf text = BUF_INIT;
	int i;

	(void)state;
	for (i = 0; i < 300; i++)
		buf_puts(&text, "{'items':");
	buf_puts(&text, "true");
	for (i = 0; i < 300; i++)
		buf_puts(&text, "}");
	{
		struct diags errors = DIAGS_INIT;
		json_t *root = value_of(buf_str(&text));

		assert_null(schema_compile(root, NULL, NULL, &errors));
		assert_string_equal(errors.v[0].message, "schemas are nested too deeply: at most 256 levels");
		diags_free(&errors);
		json_decref(root);
	}
	buf_free(&text);
}

static void costly_pattern(void **state)
{
	msec start = clock_mono();
	struct schema *s = compile("{'items': {'not': {'pattern': '^(a|a)*$'}}}");
	struct diags found = DIAGS_INIT;
	json_t *v = json_array();
	int i;

	(void)state;
	for (i = 0; i < 10000; i++)
		json_array_append_new(v, json_string("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"));
	assert_false(schema_check(s, v, "", &found));
	assert_int_equal(found.n, 1);
	assert_string_equal(found.v[0].pointer, "/0");
	assert_string_equal(found.v[0].message, "takes too long to match against ^(a|a)*$");
	assert_true(clock_mono() - start < 5000);
	diags_free(&found);
	json_decref(v);
	schema_free(s);
}

static void long_lists(void **state)
{
	struct schema *s = compile("{'uniqueItems': true}");
	json_t *same = json_array(), *other = json_array();
	msec start = clock_mono();
	int i;

	(void)state;
	for (i = 0; i < 200000; i++) {
		json_array_append_new(same, json_string("x"));
		json_array_append_new(other, json_pack("{si}", "k", i));
	}
	assert_false(schema_check(s, same, "", NULL));
	assert_true(schema_check(s, other, "", NULL));
	assert_true(clock_mono() - start < 5000);
	json_decref(same);
	json_decref(other);
	schema_free(s);
}

static void values_that_are_not_text(void **state)
{
	struct schema *s = compile("{'pattern': 'a', 'maxLength': 3}");
	json_t *v = json_stringn_nocheck("\xff\xfe"
					 "a",
					 3);

	(void)state;
	assert_false(schema_check(s, v, "", NULL));
	json_decref(v);
	schema_free(s);
}

/* A branch for each level of nesting must not double the work for each. */
static void nested_branches(void **state)
{
	struct schema *s =
	    compile("{'anyOf': [{'type': 'integer'}, {'type': 'array', 'items': {'$ref': '#'}}]}");
	msec start = clock_mono();
	json_t *v = json_string("x");
	struct diags found = DIAGS_INIT;
	int i;

	(void)state;
	for (i = 0; i < 200; i++) {
		json_t *outer = json_array();

		json_array_append_new(outer, v);
		v = outer;
	}
	assert_false(schema_check(s, v, "", &found));
	assert_int_equal(found.n, 1);
	assert_string_equal(found.v[0].message, "must be an integer or an array, not a string");
	assert_true(clock_mono() - start < 5000);
	diags_free(&found);
	json_decref(v);
	schema_free(s);
}

/* --- the schemas that are compiled in: each compiles, and its own examples are valid --- */

static void builtin_schemas(void **state)
{
	const struct schema_text *t;

	(void)state;
	for (t = schema_texts; t->name; t++) {
		const struct schema *s = schema_builtin(t->name);
		json_t *json = json_loads(t->text, 0, NULL);
		const json_t *examples = json_object_get(json, "examples");
		struct diags found = DIAGS_INIT;
		size_t i;

		assert_ptr_equal(s, schema_builtin(t->name));
		assert_memory_equal(json_string_value(json_object_get(json, "$id")), SCHEMA_ID_PREFIX, strlen(SCHEMA_ID_PREFIX));
		assert_string_equal(json_string_value(json_object_get(json, "$id")) + strlen(SCHEMA_ID_PREFIX), t->name);
		for (i = 0; i < json_array_size(examples); i++)
			if (!schema_check(s, json_array_get(examples, i), "", &found))
				fail_msg("%s, example %zu: %s: %s", t->name, i, found.v[0].pointer,
					 found.v[0].message);
		json_decref(json);
	}
}

/* --- speed: a plan of 12,000 actions --- */

static json_t *big_plan(int n)
{
	json_t *list = json_array();
	int i;

	for (i = 0; i < n; i++) {
		char id[32];

		snprintf(id, sizeof id, "action-%d", i);
		json_array_append_new(list, json_pack("{ss ss s{ss si} s[ss] s{sb si} s[ss] si}", "id", id,
						      "actionDefinitionId", "command", "inputs", "command",
						      "true", "n", i, "dependencies", "a", "b",
						      "errorHandling", "continueOnFailure", 0, "maxRetries",
						      3, "tags", "x", "y", "timeoutMs", 1000));
	}
	return list;
}

static void big_plans_are_quick(void **state)
{
	struct schema *s = compile(
	    "{'items': {'$ref': '#/$defs/action'}, '$defs': {'id': {'type': 'string', 'pattern': "
	    "'^[A-Za-z][A-Za-z0-9_.-]*$',"
	    " 'maxLength': 64}, 'action': {'type': 'object', 'required': ['id', 'actionDefinitionId'],"
	    " 'additionalProperties': false, 'patternProperties': {'^x-': true}, 'properties': {'id': "
	    "{'$ref': '#/$defs/id'},"
	    " 'actionDefinitionId': {'type': 'string'}, 'inputs': {'type': 'object'}, 'dependencies': "
	    "{'type': 'array',"
	    " 'items': {'$ref': '#/$defs/id'}, 'uniqueItems': true}, 'errorHandling': {'type': 'object', "
	    "'required':"
	    " ['continueOnFailure'], 'properties': {'continueOnFailure': {'type': 'boolean'}, 'maxRetries': "
	    "{'type':"
	    " 'integer', 'maximum': 9}}, 'additionalProperties': false}, 'tags': {'type': 'array', 'items': "
	    "{'type':"
	    " 'string'}}, 'timeoutMs': {'anyOf': [{'type': 'integer', 'minimum': 0}, {'type': 'null'}]}}}}}");
	json_t *v = big_plan(12000);
	struct diags found = DIAGS_INIT;
	msec start = clock_mono();
	msec took;

	(void)state;
	assert_true(schema_check(s, v, "", &found));
	took = clock_mono() - start;
	printf("  12,000 actions checked in %lld ms\n", (long long)took);
	assert_true(took < 1000);
	json_decref(v);
	schema_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(official_suite),
	    cmocka_unit_test(keywords_are_never_passed_over),
	    cmocka_unit_test(malformed_schemas),
	    cmocka_unit_test(references_to_odd_places),
	    cmocka_unit_test(messages_for_types_and_values),
	    cmocka_unit_test(messages_for_objects),
	    cmocka_unit_test(unevaluated_names_come_from_all_parts),
	    cmocka_unit_test(messages_for_arrays),
	    cmocka_unit_test(branches_tell_what_was_meant),
	    cmocka_unit_test(more_findings_than_anyone_reads),
	    cmocka_unit_test(numbers_are_exact),
	    cmocka_unit_test(patterns),
	    cmocka_unit_test(text_fields),
	    cmocka_unit_test(deep_values),
	    cmocka_unit_test(deep_schemas),
	    cmocka_unit_test(costly_pattern),
	    cmocka_unit_test(long_lists),
	    cmocka_unit_test(values_that_are_not_text),
	    cmocka_unit_test(nested_branches),
	    cmocka_unit_test(builtin_schemas),
	    cmocka_unit_test(big_plans_are_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
