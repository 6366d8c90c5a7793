/*
 * What codec/source makes of texts that are right: values, places, raw text, limits that are just met.
 *
 * Serves STEP-CHECK and EDGE-2 (findings with line and column) and S0-SCHEMA (the types that plan.json gets).
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
#include "base/mem.h"
#include "codec/source.h"

static struct source parsed(enum source_form form, const char *text)
{
	struct diags errors = DIAGS_INIT;
	struct source s;

	if (!source_parse(form, text, strlen(text), &source_plan_limits, &s, &errors))
		fail_msg("%s: %s", text, errors.v[0].message);
	assert_int_equal(errors.n, 0);
	return s;
}

static void expect_text_means(enum source_form form, const char *text, const char *want)
{
	struct source s = parsed(form, text);
	char *got = s.root ? json_dumps(s.root, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

	assert_string_equal(got ? got : "(empty)", want);
	free(got);
	source_free(&s);
}

/* S0-SCHEMA: what a plain scalar means, YAML 1.2.2 section 10.3.2. */
static void yaml_types(void **state)
{
	static const char *const cases[][2] = {
		{"null", "null"}, {"Null", "null"}, {"NULL", "null"}, {"~", "null"}, {"nUll", "\"nUll\""},
		{"true", "true"}, {"True", "true"}, {"TRUE", "true"}, {"tRUE", "\"tRUE\""},
		{"false", "false"}, {"False", "false"}, {"FALSE", "false"},
		{"yes", "\"yes\""}, {"no", "\"no\""}, {"on", "\"on\""}, {"off", "\"off\""}, {"y", "\"y\""}, {"Yes", "\"Yes\""},
		{"0", "0"}, {"-0", "0"}, {"+1", "1"}, {"-12", "-12"}, {"007", "7"}, {"0000000000000000000000001", "1"},
		{"9223372036854775807", "9223372036854775807"}, {"-9223372036854775808", "-9223372036854775808"},
		{"0o17", "15"}, {"0o8", "\"0o8\""}, {"-0o1", "\"-0o1\""}, {"0o", "\"0o\""}, {"017", "17"},
		{"0xff", "255"}, {"0xFF", "255"}, {"0XFF", "\"0XFF\""}, {"-0x1", "\"-0x1\""}, {"0x", "\"0x\""},
		{"0x7fffffffffffffff", "9223372036854775807"}, {"0b1", "\"0b1\""}, {"1_000", "\"1_000\""},
		{"1:30", "\"1:30\""}, {"1.5", "1.5"}, {"1.", "1.0"}, {".5", "0.5"}, {"-.5", "-0.5"}, {"+1.5", "1.5"},
		{"1e3", "1000.0"}, {"1E+3", "1000.0"}, {"1.5e-1", "0.14999999999999999"}, {"1e-999", "0.0"},
		{".", "\".\""}, {"1e", "\"1e\""}, {"e1", "\"e1\""}, {"1e1.5", "\"1e1.5\""}, {"1.2.3", "\"1.2.3\""}, {"+", "\"+\""},
		{"-.e1", "\"-.e1\""}, {"- 1", "[1]"}, {"2001-01-01", "\"2001-01-01\""}, {"inf", "\"inf\""}, {"nan", "\"nan\""},
		{"NaN", "\"NaN\""}, {".Nan", "\".Nan\""}, {"-.nan", "\"-.nan\""}, {"0x1p3", "\"0x1p3\""},
		{"'1'", "\"1\""}, {"\"true\"", "\"true\""}, {"''", "\"\""}, {"'.nan'", "\".nan\""}, {"|\n  1", "\"1\""},
		{">-\n  a\n  b\n", "\"a b\""}, {"\"a\\tb\\u00e9\"", "\"a\\tbé\""}, {"a b # c", "\"a b\""}, {"= x", "\"= x\""},
		{"{}", "{}"}, {"[]", "[]"}, {"[a, [1, {b: }]]", "[\"a\",[1,{\"b\":null}]]"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++)
		expect_text_means(SOURCE_YAML, cases[i][0], cases[i][1]);
}

static void yaml_documents(void **state)
{
	(void)state;
	expect_text_means(SOURCE_YAML, "", "(empty)");
	expect_text_means(SOURCE_YAML, "\xef\xbb\xbf", "(empty)");
	expect_text_means(SOURCE_YAML, "# nothing\n\n", "(empty)");
	expect_text_means(SOURCE_YAML, "---\n", "(empty)");
	expect_text_means(SOURCE_YAML, "--- # nothing\n...\n", "(empty)");
	expect_text_means(SOURCE_YAML, "~\n", "null");
	expect_text_means(SOURCE_YAML, "%YAML 1.2\n---\na: 1\n...\n# end\n", "{\"a\":1}");
	expect_text_means(SOURCE_YAML, "\xef\xbb\xbf" "a: 1\r\nb: 2\r\n", "{\"a\":1,\"b\":2}");
	/* Keys are their text as it is written. */
	expect_text_means(SOURCE_YAML, "1: a\ntrue: b\n~: c\n1.10: d\n? e\n: f\n'<<': g\n0x10: h",
		     "{\"1\":\"a\",\"true\":\"b\",\"~\":\"c\",\"1.10\":\"d\",\"e\":\"f\",\"<<\":\"g\",\"0x10\":\"h\"}");
	/* JSON is YAML. */
	expect_text_means(SOURCE_YAML, "{\"a\": [1, 2.0, \"x\", null], \"b\": {}}", "{\"a\":[1,2.0,\"x\",null],\"b\":{}}");
	/* %TAG at the beginning of a line of a script is no directive. */
	expect_text_means(SOURCE_YAML, "a: |\n  %TAG\n", "{\"a\":\"%TAG\\n\"}");
}

static void json_values(void **state)
{
	(void)state;
	expect_text_means(SOURCE_JSON, "", "(empty)");
	expect_text_means(SOURCE_JSON, " \n\t\r ", "(empty)");
	expect_text_means(SOURCE_JSON, "\xef\xbb\xbf{\"a\": 1}", "{\"a\":1}");
	expect_text_means(SOURCE_JSON, "null", "null");
	expect_text_means(SOURCE_JSON, "\"x\"", "\"x\"");
	expect_text_means(SOURCE_JSON, "[1, -2, 3.5, 1e2, true, false, null, \"\\u00e9\"]",
		     "[1,-2,3.5,100.0,true,false,null,\"é\"]");
	/* Equal keys of different objects are no duplicates. */
	expect_text_means(SOURCE_JSON, "{\"a\": {\"a\": 1}, \"b\": {\"a\": 2}}", "{\"a\":{\"a\":1},\"b\":{\"a\":2}}");
}

static void forms(void **state)
{
	(void)state;
	assert_int_equal(source_form_of("a.json"), SOURCE_JSON);
	assert_int_equal(source_form_of("a.yaml"), SOURCE_YAML);
	assert_int_equal(source_form_of("a.yml"), SOURCE_YAML);
	assert_int_equal(source_form_of("json"), SOURCE_YAML);
	assert_int_equal(source_form_of(""), SOURCE_YAML);
}

struct place_case {
	const char *pointer;
	int line, column;         /* of the value */
	int key_line, key_column; /* of its name */
};

static void expect_places(enum source_form form, const char *text, const struct place_case *cases, size_t n)
{
	struct source s = parsed(form, text);
	int line, column;
	size_t i;

	for (i = 0; i < n; i++) {
		const struct place_case *c = &cases[i];

		assert_true(source_place(&s, c->pointer, false, &line, &column));
		if (line != c->line || column != c->column)
			fail_msg("value of %s is at %d:%d", c->pointer, line, column);
		assert_true(source_place(&s, c->pointer, true, &line, &column));
		if (line != c->key_line || column != c->key_column)
			fail_msg("name of %s is at %d:%d", c->pointer, line, column);
	}
	source_free(&s);
}

/* EDGE-2, STEP-CHECK: every node has a line and a column, counted in characters. */
static void yaml_places(void **state)
{
	static const char text[] = "# comment\n"
				   "name: é\n"
				   "actions:\n"
				   "  - id: a\n"
				   "    \"ü\": [x, {y: z}]\n"
				   "  -\n"
				   "    id: 'b'\n"
				   "empty:\n";
	static const char flow[] = "{\"é\": 1, b: [10, é, {c: d}], ? e : f, g}";
	static const struct place_case cases[] = {
		{"", 2, 1, 2, 1}, {"/name", 2, 7, 2, 1}, {"/actions", 4, 3, 3, 1}, {"/actions/0", 4, 5, 4, 5},
		{"/actions/0/id", 4, 9, 4, 5}, {"/actions/0/ü", 5, 10, 5, 5}, {"/actions/0/ü/0", 5, 11, 5, 11},
		{"/actions/0/ü/1", 5, 14, 5, 14}, {"/actions/0/ü/1/y", 5, 18, 5, 15}, {"/actions/1", 7, 5, 7, 5},
		{"/actions/1/id", 7, 9, 7, 5}, {"/empty", 8, 7, 8, 1},
		/* What is not there is at the nearest place above it. */
		{"/actions/2", 4, 3, 4, 3}, {"/actions/-", 4, 3, 4, 3}, {"/actions/00", 4, 3, 4, 3},
		{"/actions/x/id", 4, 3, 4, 3}, {"/actions/0/nothing/deep", 4, 5, 4, 5}, {"/name/x", 2, 7, 2, 7},
		{"/nothing", 2, 1, 2, 1}, {"no pointer", 2, 1, 2, 1}, {"/actions/0/~2", 4, 5, 4, 5}, {"/~", 2, 1, 2, 1},
		{"/actions/99999999999999999999", 4, 3, 4, 3}, {"/", 2, 1, 2, 1}, {"/actions/0/", 4, 5, 4, 5},
	};
	static const struct place_case in_flow[] = {
		{"", 1, 1, 1, 1}, {"/é", 1, 7, 1, 2}, {"/b", 1, 13, 1, 10}, {"/b/0", 1, 14, 1, 14}, {"/b/1", 1, 18, 1, 18},
		{"/b/2", 1, 21, 1, 21}, {"/b/2/c", 1, 25, 1, 22}, {"/e", 1, 36, 1, 32}, {"/g", 1, 40, 1, 39},
	};
	static const char escaped[] = "a/b: 1\n~c: 2\n'~1': 3\n";
	static const struct place_case of_escaped[] = {
		{"/a~1b", 1, 6, 1, 1}, {"/~0c", 2, 5, 2, 1}, {"/~01", 3, 7, 3, 1}, {"/a/b", 1, 1, 1, 1},
	};

	(void)state;
	expect_places(SOURCE_YAML, "\xef\xbb\xbf" "a: 1", (struct place_case[]){{"/a", 1, 4, 1, 1}}, 1);
	expect_places(SOURCE_YAML, "a: 1\r\nb: 2", (struct place_case[]){{"/b", 2, 4, 2, 1}}, 1);
	expect_places(SOURCE_YAML, flow, in_flow, sizeof in_flow / sizeof *in_flow);
	expect_places(SOURCE_YAML, escaped, of_escaped, sizeof of_escaped / sizeof *of_escaped);
	expect_places(SOURCE_YAML, text, cases, sizeof cases / sizeof *cases);
}

static void json_places(void **state)
{
	static const char text[] = "{\n"
				   "\t\"name\" : \"é\", \"x\": 1,\r\n"
				   "  \"steps\": [\n"
				   "    {\"id\": \"a\", \"\\u00fc/~\": [1, [], {}, \"]\\\"}\", null]},\n"
				   "    2\n"
				   "  ], \"\": -0.5\n"
				   "}\n";
	static const struct place_case cases[] = {
		{"", 1, 1, 1, 1}, {"/name", 2, 11, 2, 2}, {"/x", 2, 21, 2, 16}, {"/steps", 3, 12, 3, 3},
		{"/steps/0", 4, 5, 4, 5}, {"/steps/0/id", 4, 12, 4, 6}, {"/steps/0/ü~1~0", 4, 29, 4, 17},
		{"/steps/0/ü~1~0/0", 4, 30, 4, 30}, {"/steps/0/ü~1~0/1", 4, 33, 4, 33}, {"/steps/0/ü~1~0/2", 4, 37, 4, 37},
		{"/steps/0/ü~1~0/3", 4, 41, 4, 41}, {"/steps/0/ü~1~0/4", 4, 49, 4, 49}, {"/steps/1", 5, 5, 5, 5},
		{"/", 6, 10, 6, 6}, {"/steps/2", 3, 12, 3, 12}, {"/steps/0/ü~1~0/1/0", 4, 33, 4, 33}, {"/none", 1, 1, 1, 1},
	};

	(void)state;
	expect_places(SOURCE_JSON, text, cases, sizeof cases / sizeof *cases);
	expect_places(SOURCE_JSON, "\xef\xbb\xbf 1", (struct place_case[]){{"", 1, 2, 1, 2}}, 1);
}

static void places_of_nothing(void **state)
{
	struct source none = {NULL, NULL};
	struct source empty = parsed(SOURCE_YAML, "# nothing\n");
	int line = 0, column = 0;

	(void)state;
	assert_false(source_place(&none, "", false, &line, &column));
	assert_null(source_raw(&none, ""));
	assert_true(source_place(&empty, "/a", true, &line, &column));
	assert_int_equal(line, 1);
	assert_int_equal(column, 1);
	assert_null(source_raw(&empty, ""));
	source_free(&empty);
	source_free(&none);
	/* A buffer that nothing was put in. */
	assert_true(source_parse(SOURCE_YAML, NULL, 0, &source_small_limits, &empty, NULL));
	source_free(&empty);
	assert_true(source_parse(SOURCE_JSON, NULL, 0, &source_small_limits, &empty, NULL));
	source_free(&empty);
}

/* EDGE-2: findings get their places from the text, and the order of the text. */
static void places_of_findings(void **state)
{
	struct source s = parsed(SOURCE_YAML, "a:\n  - dependson: x\nb: 1\n");
	struct diags d = DIAGS_INIT;
	struct diag *f;

	(void)state;
	diag_add(&d, "/b", NULL, "wrong value");
	f = diag_add(&d, "/a/0/dependson", xstrdup("did you mean \"dependsOn\"?"), "unknown member");
	f->at_key = 1;
	diag_add(&d, "/a/0/id", NULL, "missing");
	f = diag_add(&d, "/b", NULL, "placed before");
	f->line = 1;
	f->column = 1;
	source_place_all(&s, &d);
	assert_string_equal(d.v[0].message, "placed before");
	assert_string_equal(d.v[1].message, "unknown member");
	assert_int_equal(d.v[1].line, 2);
	assert_int_equal(d.v[1].column, 5);
	assert_string_equal(d.v[2].message, "missing");
	assert_int_equal(d.v[2].line, 2);
	assert_int_equal(d.v[2].column, 5);
	assert_int_equal(d.v[3].line, 3);
	assert_int_equal(d.v[3].column, 4);
	diags_free(&d);
	source_free(&s);
}

static void expect_raw(const struct source *s, const char *pointer, const char *want)
{
	const char *raw = source_raw(s, pointer);

	if (!want) {
		assert_null(raw);
		return;
	}
	assert_non_null(raw);
	assert_string_equal(raw, want);
}

/* S0-SCHEMA: inputs are text there, and a version of 1.10 must not become 1.1. */
static void raw_text(void **state)
{
	struct source y = parsed(SOURCE_YAML, "v: 1.10\nt: True\nz: 007\nn: ~\ne:\nq: '1.10'\nd: \"a\\nb\"\n"
					      "f: >\n  x\n  y\nl: [0x1F, {k: 1_0}]\no: {}\n");
	struct source j = parsed(SOURCE_JSON, "{\"v\": 1.10, \"t\": true, \"n\": null, \"e\": 1E2, \"s\": \"a\\u00e9\\n\", "
					      "\"p\": \"plain\", \"l\": [-0, \"\"], \"o\": {}}");

	(void)state;
	expect_raw(&y, "/v", "1.10");
	expect_raw(&y, "/t", "True");
	expect_raw(&y, "/z", "007");
	expect_raw(&y, "/n", "~");
	expect_raw(&y, "/e", "");
	expect_raw(&y, "/q", "1.10");
	expect_raw(&y, "/d", "a\nb");
	expect_raw(&y, "/f", "x y\n");
	expect_raw(&y, "/l/0", "0x1F");
	expect_raw(&y, "/l/1/k", "1_0");
	expect_raw(&y, "/l", NULL);
	expect_raw(&y, "/o", NULL);
	expect_raw(&y, "", NULL);
	expect_raw(&y, "/v/x", NULL);
	expect_raw(&y, "/none", NULL);
	source_free(&y);
	expect_raw(&j, "/v", "1.10");
	expect_raw(&j, "/t", "true");
	expect_raw(&j, "/n", "null");
	expect_raw(&j, "/e", "1E2");
	expect_raw(&j, "/s", "aé\n");
	expect_raw(&j, "/p", "plain");
	expect_raw(&j, "/l/0", "-0");
	expect_raw(&j, "/l/1", "");
	expect_raw(&j, "/o", NULL);
	source_free(&j);
}

/* Places do not depend on the caller's text or on what became of the value. */
static void source_keeps_what_it_needs(void **state)
{
	char text[] = "{\"a\": [1, 2]}";
	struct diags errors = DIAGS_INIT;
	struct source s;
	int line, column;

	(void)state;
	assert_true(source_parse(SOURCE_JSON, text, strlen(text), &source_plan_limits, &s, &errors));
	memset(text, 'x', sizeof text);
	json_object_clear(s.root);
	assert_true(source_place(&s, "/a/1", false, &line, &column));
	assert_int_equal(column, 11);
	assert_string_equal(source_raw(&s, "/a/1"), "2");
	source_free(&s);
}

/* A reproducible stream of small numbers below n. */
static unsigned pick(uint64_t *seed, unsigned n)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (unsigned)(*seed >> 33) % n;
}

static void put_space(struct buf *b, uint64_t *seed)
{
	static const char *const spaces[] = {"", "", " ", "  ", "\n", "\r\n", "\n  \n   "};

	buf_puts(b, spaces[pick(seed, sizeof spaces / sizeof *spaces)]);
}

/* A random JSON text of the kind that is YAML too; members have the names 0, 1, …, some of them escaped. */
static void put_value(struct buf *b, uint64_t *seed, int depth)
{
	static const char *const scalars[] = {"1", "-0", "1.50", "1E2", "true", "null", "\"\"", "\"é, [\\\"]\"", "\"\\u00e9\\n\"",
					      "\"\\\\\"", "9223372036854775807", "\"# {x: y}\""};
	unsigned i, n = pick(seed, 5), kind = pick(seed, depth > 0 ? 3 : 1);

	if (kind == 0) {
		buf_puts(b, scalars[pick(seed, sizeof scalars / sizeof *scalars)]);
		return;
	}
	buf_putc(b, kind == 1 ? '[' : '{');
	for (i = 0; i < n; i++) {
		put_space(b, seed);
		if (kind == 2) {
			buf_printf(b, pick(seed, 2) ? "\"%u\"" : "\"\\u003%u\"", i);
			buf_puts(b, pick(seed, 2) ? " : " : ": ");
		}
		put_value(b, seed, depth - 1);
		put_space(b, seed);
		buf_puts(b, i + 1 < n ? "," : "");
	}
	put_space(b, seed);
	buf_putc(b, kind == 1 ? ']' : '}');
}

static void expect_same_places(const struct source *y, const struct source *j, const json_t *value, struct buf *pointer)
{
	int at[4], key;
	const char *a = source_raw(y, buf_str(pointer)), *b = source_raw(j, buf_str(pointer));
	size_t i, n = json_is_array(value) ? json_array_size(value) : json_object_size(value), len = pointer->len;

	for (key = 0; key < 2; key++) {
		assert_true(source_place(y, buf_str(pointer), key, &at[0], &at[1]));
		assert_true(source_place(j, buf_str(pointer), key, &at[2], &at[3]));
		assert_int_equal(at[0], at[2]);
		assert_int_equal(at[1], at[3]);
	}
	assert_int_equal(a == NULL, b == NULL);
	assert_int_equal(a == NULL, json_is_array(value) || json_is_object(value));
	if (a)
		assert_string_equal(a, b);
	for (i = 0; i < n; i++) {
		char name[24];

		buf_printf(pointer, "/%zu", i);
		snprintf(name, sizeof name, "%zu", i);
		expect_same_places(y, j, json_is_array(value) ? json_array_get(value, i) : json_object_get(value, name),
				   pointer);
		pointer->len = len;
		pointer->p[len] = '\0';
	}
}

/* JSON is YAML, so two readers that share nothing but the store must tell the same of it. */
static void both_readers_agree(void **state)
{
	uint64_t seed = 20260101;
	int i;

	(void)state;
	for (i = 0; i < 500; i++) {
		AUTO_BUF struct buf text = BUF_INIT;
		AUTO_BUF struct buf pointer = BUF_INIT;
		struct source y, j;

		put_value(&text, &seed, 5);
		y = parsed(SOURCE_YAML, text.p);
		j = parsed(SOURCE_JSON, text.p);
		if (!json_equal(y.root, j.root))
			fail_msg("different values from %s", text.p);
		expect_same_places(&y, &j, j.root, &pointer);
		source_free(&y);
		source_free(&j);
	}
}

/* A limit that is just met is no offence. */
static void limits_met(void **state)
{
	static const struct source_limits tight = {24, 6, 3};
	static const char *const texts[] = {"{\"a\": [{\"b\": 1}, 2, 3]}", "[1, [2, [3 ]]]          ", "[[[], []], []]"};
	struct diags errors = DIAGS_INIT;
	struct source s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof texts / sizeof *texts; i++) {
		assert_true(source_parse(SOURCE_YAML, texts[i], strlen(texts[i]), &tight, &s, &errors));
		source_free(&s);
		assert_true(source_parse(SOURCE_JSON, texts[i], strlen(texts[i]), &tight, &s, &errors));
		source_free(&s);
	}
}

/* Looking up every node of a wide document is not quadratic: that would take minutes here. */
static void wide_lookups(void **state)
{
	enum { WIDE = 200000 };
	AUTO_BUF struct buf text = BUF_INIT;
	char pointer[64], want[16];
	enum source_form form;
	msec begin;
	int i;

	(void)state;
	buf_puts(&text, "{\"list\": [0");
	for (i = 1; i < WIDE; i++)
		buf_printf(&text, ",\n%d", i);
	buf_puts(&text, "], \"map\": {\"k0\": 0");
	for (i = 1; i < WIDE; i++)
		buf_printf(&text, ",\n\"k%d\": %d", i, i);
	buf_puts(&text, "}}");
	for (form = SOURCE_YAML; form <= SOURCE_JSON; form++) {
		struct source s = parsed(form, text.p);

		begin = clock_mono();
		for (i = 0; i < WIDE; i++) {
			snprintf(want, sizeof want, "%d", i);
			snprintf(pointer, sizeof pointer, "/list/%d", i);
			assert_string_equal(source_raw(&s, pointer), want);
			snprintf(pointer, sizeof pointer, "/map/k%d", i);
			assert_string_equal(source_raw(&s, pointer), want);
		}
		assert_true(clock_mono() - begin < 20000);
		source_free(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(yaml_types),          cmocka_unit_test(yaml_documents),
		cmocka_unit_test(json_values),         cmocka_unit_test(forms),
		cmocka_unit_test(yaml_places),         cmocka_unit_test(json_places),
		cmocka_unit_test(places_of_nothing),   cmocka_unit_test(places_of_findings),
		cmocka_unit_test(raw_text),            cmocka_unit_test(source_keeps_what_it_needs),
		cmocka_unit_test(both_readers_agree),  cmocka_unit_test(limits_met),
		cmocka_unit_test(wide_lookups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
