/*
 * What codec/source refuses: with which words, where, and at what cost.
 *
 * Serves STEP-CHECK and EDGE-2: a plan file is refused with line, column and a suggestion; and the promise that
 * nothing an outsider writes costs more than the limits allow.
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

/* Parse a copy without a NUL after it, so that a sanitizer sees every read beyond the end. */
static bool parse(enum source_form form, const char *text, size_t n, const struct source_limits *limits,
		  struct diags *errors)
{
	char *copy = xmalloc(n ? n : 1);
	struct source s;
	int line, column;
	bool good;

	memcpy(copy, text, n);
	good = source_parse(form, copy, n, limits, &s, errors);
	free(copy);
	assert_int_equal(good, errors->n == 0);
	if (good) {
		assert_true(source_place(&s, "/a/0/b", true, &line, &column));
		source_free(&s);
	} else {
		assert_null(s.root);
		assert_null(s.marks);
	}
	return good;
}

struct refusal {
	const char *text;
	int line, column;
	const char *pointer, *message, *suggestion;
};

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void expect_refusals(enum source_form form, const struct refusal *cases, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		const struct refusal *c = &cases[i];
		struct diags d = DIAGS_INIT;

		if (parse(form, c->text, strlen(c->text), &source_plan_limits, &d))
			fail_msg("accepted: %s", c->text);
		if (d.v[0].line != c->line || d.v[0].column != c->column || !same(d.v[0].pointer, c->pointer) ||
		    !same(d.v[0].message, c->message) || !same(d.v[0].suggestion, c->suggestion))
			fail_msg("%s\ngives %d:%d [%s] %s (%s)", c->text, d.v[0].line, d.v[0].column, d.v[0].pointer,
				 d.v[0].message, d.v[0].suggestion ? d.v[0].suggestion : "-");
		diags_free(&d);
	}
}

#define ALIAS  "write the value out where it is needed"
#define ANCHOR "remove it, and write the value out wherever it is needed"
#define TAG    "remove it; put the value in quotes if it is meant as text"
#define MERGE  "write the members out; if the key is meant as text, put it in quotes"
#define KEY    "use a plain word as the key"
#define ONE    "put each document into a file of its own"
#define TWICE  "keep one of the two"
#define QUOTE  "put it in quotes if it is meant as text"

/* What YAML has and creel does not take. */
static const struct refusal yaml_features[] = {
	{"a: *b", 1, 4, "/a", "aliases are not accepted: *b", ALIAS},
	{"- *b", 1, 3, "/0", "aliases are not accepted: *b", ALIAS},
	{"*b", 1, 1, "", "aliases are not accepted: *b", ALIAS},
	{"*a : 1", 1, 1, "", "aliases are not accepted: *a", ALIAS},
	{"a: &b 1", 1, 4, "/a", "anchors are not accepted: &b", ANCHOR},
	{"a: &b\n  c: d", 1, 4, "/a", "anchors are not accepted: &b", ANCHOR},
	{"a:\n- 1\n- &b [c]", 3, 3, "/a/1", "anchors are not accepted: &b", ANCHOR},
	{"&a a: 1", 1, 1, "", "anchors are not accepted: &a", ANCHOR},
	{"a: &b", 1, 4, "/a", "anchors are not accepted: &b", ANCHOR},
	{"a: !!str 1", 1, 4, "/a", "tags are not accepted: !!str", TAG},
	{"a: !foo 1", 1, 4, "/a", "tags are not accepted: !foo", TAG},
	{"a: ! 1", 1, 4, "/a", "tags are not accepted: !", TAG},
	{"a: !<tag:x,2000:y> 1", 1, 4, "/a", "tags are not accepted: tag:x,2000:y", TAG},
	{"!!map {a: 1}", 1, 1, "", "tags are not accepted: !!map", TAG},
	{"a: !!seq [1]", 1, 4, "/a", "tags are not accepted: !!seq", TAG},
	{"!!str a: 1", 1, 1, "", "tags are not accepted: !!str", TAG},
	{"%TAG ! tag:x,2000:\n---\na: 1", 1, 1, "", "tags are not accepted: %TAG", "remove the line"},
	{"a: 1\nb: 2\n<<: {c: 3}", 3, 1, "/<<", "merge keys are not accepted: <<", MERGE},
	{"é: 1\nb: {x: 2, é: 3, x: 4}", 2, 17, "/b/x",
	 "the key \"x\" is given twice; the first is at line 2, column 5", TWICE},
	{"x:\n  - a\n  - \"b/c\": 1\n    b/c: 2", 4, 5, "/x/1/b~1c",
	 "the key \"b/c\" is given twice; the first is at line 3, column 5", TWICE},
	{"a: {b: 1}\nc: {b: 1}\na: 1", 3, 1, "/a", "the key \"a\" is given twice; the first is at line 1, column 1", TWICE},
	{"? [a]\n: 1", 1, 3, "", "a key must be text, not a sequence", KEY},
	{"a:\n  {b: c}: 1", 2, 3, "/a", "a key must be text, not a mapping", KEY},
	{"a: 1\n---\nb: 2", 2, 1, "", "a second document begins here; a file holds one", ONE},
	{"a: 1\n...\n---\n", 3, 1, "", "a second document begins here; a file holds one", ONE},
	{"a: 1\nb: [.nan]", 2, 5, "/b/0", "not a finite number: .nan", QUOTE},
	{"a: .NaN", 1, 4, "/a", "not a finite number: .NaN", QUOTE},
	{"a: .inf", 1, 4, "/a", "not a finite number: .inf", QUOTE},
	{"a: +.INF", 1, 4, "/a", "not a finite number: +.INF", QUOTE},
	{"a: -.Inf", 1, 4, "/a", "not a finite number: -.Inf", QUOTE},
	{"a: 9223372036854775808", 1, 4, "/a", "the number 9223372036854775808 is beyond 64 bits",
	 QUOTE ": \"9223372036854775808\""},
	{"a: -9223372036854775809", 1, 4, "/a", "the number -9223372036854775809 is beyond 64 bits",
	 QUOTE ": \"-9223372036854775809\""},
	{"a: 0xEFFFFFFFFFFFFFFF", 1, 4, "/a", "the number 0xEFFFFFFFFFFFFFFF is beyond 64 bits",
	 QUOTE ": \"0xEFFFFFFFFFFFFFFF\""},
	{"a: 0o7777777777777777777777", 1, 4, "/a", "the number 0o7777777777777777777777 is beyond 64 bits",
	 QUOTE ": \"0o7777777777777777777777\""},
	{"a: 12e3456", 1, 4, "/a", "the number 12e3456 is beyond the range of a double", QUOTE ": \"12e3456\""},
	{"a: 11111111111111111111111111111111111111111111111111", 1, 4, "/a",
	 "the number 111111111111111111111111111111111111111111111111… is beyond 64 bits", QUOTE},
	{"a: \"\\0\"", 1, 4, "/a", "text cannot hold a NUL character", "remove it"},
	{"a: {\"b\\0c\": 1}", 1, 5, "/a", "text cannot hold a NUL character", "remove it"},
	/* What is shown of an outsider's text is on one line and harmless to a terminal. */
	{"\"a\\e[1m\": 1\n\"a\\e[1m\": 1", 2, 1, "/a\x1b[1m",
	 "the key \"a\\x1b[1m\" is given twice; the first is at line 1, column 1", TWICE},
};

#define BAD      "this is not valid YAML: "
#define INDENT   "look at the indentation of this line and the one above"
#define NO_TABS  "indent with spaces: YAML takes no tabs there"
#define UNCLOSED "close it, or put text that contains quotes into quotes of the other kind"

static const struct refusal yaml_mistakes[] = {
	{"a:\n\tb: 1", 2, 1, "", BAD "a tab in the indentation", NO_TABS},
	{"a: |\n\tb", 2, 1, "",
	 BAD "a tab in the indentation, while scanning a block scalar that begins at line 1, column 4", NO_TABS},
	{"a: x\n\ty\nb: 1", 2, 1, "",
	 BAD "a tab in the indentation, while scanning a plain scalar that begins at line 1, column 4", NO_TABS},
	{"a: b: c", 1, 5, "", BAD "a ':' is not expected here",
	 "put text that contains ': ' in quotes; else look at the indentation of this line and the one above"},
	{"a: ? b", 1, 4, "", BAD "a key is not expected here", INDENT},
	{"a: - b", 1, 4, "", BAD "a list entry ('- ') is not expected here",
	 "begin the list on a line of its own; put text that begins with '-' in quotes"},
	{"a:\n  - b\n - c", 3, 2, "",
	 BAD "a key, or the end of this block, is expected here, while parsing a block mapping that begins at line 1, column 1",
	 "look at the indentation of this line, and for a quote or bracket that ends too early"},
	{"- a\nb: 1", 2, 1, "",
	 BAD "a list entry ('- ') is expected here, while parsing a block collection that begins at line 1, column 1",
	 "look at the indentation: all entries of a list begin in the same column"},
	{"a: 1\nb\nc: 2", 2, 1, "", BAD "a ':' is missing after this key",
	 "write 'key: value' on one line; a key has at most 1024 characters"},
	{"a: [1\nb: 2\n", 2, 2, "",
	 BAD "a ',' or ']' is expected here, while parsing a flow sequence that begins at line 1, column 4",
	 "look for a '[' that is not closed"},
	{"a: {b: 1\nc: 2\n", 2, 2, "",
	 BAD "a ',' or '}' is expected here, while parsing a flow mapping that begins at line 1, column 4",
	 "look for a '{' that is not closed"},
	{"a: [1,\n  2", 1, 4, "", BAD "a bracket that is not closed", "close it"},
	{"a: [{b: 1\n\n", 1, 5, "", BAD "a bracket that is not closed", "close it"},
	{"[,]", 1, 2, "", BAD "a value is missing here", "look for a comma too many, or a bracket that is not closed"},
	{"a:\n - [", 2, 5, "", BAD "a value is missing here",
	 "look for a comma too many, or a bracket that is not closed"},
	{"a: \"b\n\nc", 1, 4, "", BAD "a quote that is not closed", UNCLOSED},
	{"a: 'b", 1, 4, "", BAD "a quote that is not closed", UNCLOSED},
	{"a: 'b\n---\n", 2, 1, "",
	 BAD "'---' or '...' inside a quoted text, while scanning a quoted scalar that begins at line 1, column 4",
	 "look for a quote that is not closed"},
	{"é: @x", 1, 4, "", BAD "plain text cannot begin with '@'", "put the text in quotes"},
	{"a: `x`", 1, 4, "", BAD "plain text cannot begin with '`'", "put the text in quotes"},
	{"a: %x", 1, 4, "", BAD "plain text cannot begin with '%'", "put the text in quotes"},
	{"a: \"C:\\q\"", 1, 7, "",
	 BAD "an unknown escape in a double-quoted text, while parsing a quoted scalar that begins at line 1, column 4",
	 "write a backslash as \\\\, or use single quotes"},
	{"a: \"\\xg\"", 1, 7, "",
	 BAD "an escape that lacks its hexadecimal digits, while parsing a quoted scalar that begins at line 1, column 4",
	 "write a backslash as \\\\, or use single quotes"},
	{"a: \"\\ud83d\\ude00\"", 1, 7, "",
	 BAD "an escape that stands for no character, while parsing a quoted scalar that begins at line 1, column 4",
	 "write the character itself instead of an escape"},
	{"{a: 1}}", 1, 7, "", BAD "nothing more is expected after the document",
	 "look at the indentation of this line and at what stands before it"},
	{"%YAML 3.0\n---\na: 1", 1, 1, "", BAD "an unknown version in the %YAML line", "remove the line"},
	{"%FOO\n---\na: 1", 1, 5, "",
	 BAD "an unknown directive, while scanning a directive that begins at line 1, column 1",
	 "put text that begins with '%' in quotes"},
	{"%YAML 1.2\n%YAML 1.2\n---\na: 1", 2, 1, "", BAD "found duplicate %YAML directive", NULL},
	{"a: !e!x 1", 1, 4, "", BAD "tags are not accepted", "put text that begins with '!' in quotes"},
	{"a: *", 1, 5, "", BAD "a name is missing after '*' or '&', while scanning an alias that begins at line 1, column 4",
	 "put text that begins with '*' or '&' in quotes"},
	{"a: 1\né: \x07", 2, 4, "", BAD "the control character U+0007",
	 "remove it, or write it as \"\\u0007\" in a double-quoted text"},
	{"\xef\xbb\xbf" "a: \x07", 1, 4, "", BAD "the control character U+0007",
	 "remove it, or write it as \"\\u0007\" in a double-quoted text"},
};

#undef BAD
#define BAD    "this is not valid JSON: "
#define ESCAPE "within a string write a line break as \\n, a tab as \\t, a backslash as \\\\"
#define WORDS  "put text and keys in double quotes; the only bare words are true, false, null and numbers"
#define CLOSE  "look for a bracket or quote that is not closed"
#define COMMA  "look for a comma that is missing before it"
#define EARLY  "look for a bracket that is closed too early; a file holds one value"
#define NUMBER "write a number like 12, -1 or 0.5, and text in double quotes"

static const struct refusal json_mistakes[] = {
	{"{\"é\": 1,\n \"b\": {\"é\": 2, \"é\": 3}}", 2, 16, "/b/é",
	 "the key \"é\" is given twice; the first is at line 2, column 8", TWICE},
	{"{\"a\": 1, \"\\u0061\": 2}", 1, 10, "/a", "the key \"a\" is given twice; the first is at line 1, column 2", TWICE},
	{"[0, {\"a/b~\": 1, \"c\": [{}, {}], \"a/b~\": 2}]", 1, 32, "/1/a~1b~0",
	 "the key \"a/b~\" is given twice; the first is at line 1, column 6", TWICE},
	{"{\"a\": 1, \"a\": 2 x}", 1, 17, "", BAD "'}' expected near 'x'", COMMA},
	{"{\"a\": 1,}", 1, 9, "", BAD "string or '}' expected near '}'", "remove the comma before it"},
	{"[1,\n 2,\n]", 3, 1, "", BAD "unexpected token near ']'", "remove the comma before it"},
	{"{'a': 1}", 1, 2, "", BAD "string or '}' expected near '''", "use double quotes"},
	{"{a: 1}", 1, 2, "", BAD "string or '}' expected near 'a'", WORDS},
	{"{\"a\": NaN}", 1, 7, "", BAD "invalid token near 'NaN'", WORDS},
	{"{\"é\": True}", 1, 7, "", BAD "invalid token near 'True'", WORDS},
	{"// x\n{}", 1, 1, "", BAD "invalid token near '/'", "JSON has no comments; write YAML if you want them"},
	{"{\"a\": 1", 1, 8, "", BAD "'}' expected near end of file", CLOSE},
	{"[1,\n", 2, 1, "", BAD "']' expected near end of file", CLOSE},
	{"{\"a\"", 1, 5, "", BAD "':' expected near end of file", CLOSE},
	{"{\"a\": 1}}", 1, 9, "", BAD "end of file expected near '}'", EARLY},
	{"{} {}", 1, 4, "", BAD "end of file expected near '{'", EARLY},
	{"{\"a\": \"b", 1, 7, "", BAD "a quote that is not closed", "close it"},
	{"{\"a\": \"b\nc\"}", 1, 9, "", BAD "unexpected newline near '\"b'", ESCAPE},
	{"{\"a\": \"b\tc\"}", 1, 9, "", BAD "control character 0x9 near '\"b'", ESCAPE},
	{"{\"a\": \"é\\qc\"}", 1, 11, "", BAD "invalid escape near '\"é\\q'", ESCAPE},
	{"{\"a\": \"\\ud800\"}", 1, 7, "", BAD "invalid Unicode '\\uD800' near '\"\\ud800\"'", ESCAPE},
	{"{\"a\": \"\\u0000\"}", 1, 7, "", "text cannot hold a NUL character", "remove it"},
	{"{\"\\u0000\": 1}", 1, 2, "", "text cannot hold a NUL character", "remove it"},
	{"{\"a\": 9223372036854775808}", 1, 7, "", "the number 9223372036854775808 is beyond 64 bits",
	 QUOTE ": \"9223372036854775808\""},
	{"{\"a\": -9223372036854775809}", 1, 7, "", "the number -9223372036854775809 is beyond 64 bits",
	 QUOTE ": \"-9223372036854775809\""},
	{"[0,\n1e999]", 2, 1, "", "the number 1e999 is beyond the range of a double", QUOTE ": \"1e999\""},
	{"{\"a\": 012}", 1, 7, "", BAD "invalid token near '0'", NUMBER},
	{"{\"a\": .5}", 1, 7, "", BAD "invalid token near '.'", NUMBER},
	{"{\"a\" 1}", 1, 6, "", BAD "':' expected near '1'", "put a ':' between the key and its value"},
	{"{\"a\": 1\n \"b\": 2}", 2, 2, "", BAD "'}' expected near '\"b\"'", COMMA},
	{"[1 2]", 1, 4, "", BAD "']' expected near '2'", COMMA},
	{"\xef\xbb\xbf[x]", 1, 2, "", BAD "invalid token near 'x'", WORDS},
};

static void yaml_features_refused(void **state)
{
	(void)state;
	expect_refusals(SOURCE_YAML, yaml_features, sizeof yaml_features / sizeof *yaml_features);
}

static void yaml_mistakes_explained(void **state)
{
	(void)state;
	expect_refusals(SOURCE_YAML, yaml_mistakes, sizeof yaml_mistakes / sizeof *yaml_mistakes);
}

static void json_mistakes_explained(void **state)
{
	(void)state;
	expect_refusals(SOURCE_JSON, json_mistakes, sizeof json_mistakes / sizeof *json_mistakes);
}

static void expect_one(enum source_form form, const char *text, size_t n, const struct source_limits *limits, int line,
		       int column, const char *message, const char *suggestion)
{
	struct diags d = DIAGS_INIT;

	assert_false(parse(form, text, n, limits, &d));
	assert_int_equal(d.n, 1);
	assert_string_equal(d.v[0].message, message);
	assert_string_equal(d.v[0].suggestion, suggestion);
	assert_int_equal(d.v[0].line, line);
	assert_int_equal(d.v[0].column, column);
	diags_free(&d);
}

/* Bytes that are no text, in either form. */
static void bytes_refused(void **state)
{
	const char *utf8 = "save the file as UTF-8", *nul = "remove it; if the file is UTF-16, save it as UTF-8";
	const struct source_limits *plan = &source_plan_limits;
	enum source_form f;

	(void)state;
	for (f = SOURCE_YAML; f <= SOURCE_JSON; f++) {
		expect_one(f, "[\n\"é\xff\"]", 7, plan, 2, 3, "the byte 0xff at offset 5 is not UTF-8", utf8);
		expect_one(f, "\xef\xbb\xbf[\xc3]", 6, plan, 1, 2, "the byte 0xc3 at offset 4 is not UTF-8", utf8);
		expect_one(f, "\"\xed\xa0\x80\"", 5, plan, 1, 2, "the byte 0xed at offset 1 is not UTF-8", utf8);
		expect_one(f, "\xe2\x82", 2, plan, 1, 1, "the byte 0xe2 at offset 0 is not UTF-8", utf8);
		expect_one(f, "\xff\xfe[\0", 4, plan, 1, 1, "this is UTF-16; only UTF-8 is read", utf8);
		expect_one(f, "\xfe\xff\0[", 4, plan, 1, 1, "this is UTF-16; only UTF-8 is read", utf8);
		expect_one(f, "[\0]\0", 4, plan, 1, 2, "a NUL byte at offset 1", nul);
		expect_one(f, "[1,\r\n2\r3\n\0]", 11, plan, 4, 1, "a NUL byte at offset 9", nul);
	}
}

/* Every limit is named with its value, at the place where it is passed. */
static void limits_passed(void **state)
{
	static const struct source_limits tight = {40, 6, 3};
	const char *large = "keep large data in a file of its own and refer to that", *flat = "make the structure flatter";
	const char *depth = "nested deeper than 3 levels, which is the limit";
	const char *nodes = "more than 6 values, which is the limit";
	const char *key = "a key longer than 1024 bytes, which is the limit";
	AUTO_BUF struct buf b = BUF_INIT;
	enum source_form f;
	int i;

	(void)state;
	for (f = SOURCE_YAML; f <= SOURCE_JSON; f++) {
		expect_one(f, "[                                       ]", 41, &tight, 1, 1,
			   "41 bytes of text; the limit is 40", large);
		expect_one(f, "[[[\n[", 5, &tight, 2, 1, depth, flat);
		expect_one(f, "{\"a\": {\"a\": [{", 14, &tight, 1, 14, depth, flat);
		expect_one(f, "[[1, 2],\n [3, 4]]", 17, &tight, 2, 6, nodes, large);
		expect_one(f, "[\"1\", \"2\",\n\"3\", \"4\", \"5\", \"6\"]", 30, &tight, 2, 16, nodes, large);
		expect_one(f, "[[], {}, [],\n{}, [], {}]", 24, &tight, 2, 9, nodes, large);
		buf_reset(&b);
		buf_puts(&b, "{\"a\": 1, \"");
		for (i = 0; i < SOURCE_KEY_MAX; i++)
			buf_putc(&b, 'k');
		buf_puts(&b, "\": 1}");
		/* libyaml itself takes no longer key on one line than this, the quotes included. */
		if (f == SOURCE_JSON)
			assert_true(parse(f, b.p, b.len, &source_plan_limits, &(struct diags)DIAGS_INIT));
		buf_reset(&b);
		buf_puts(&b, f == SOURCE_JSON ? "{\"a\": 1, \"" : "{\"a\": 1, ? \"");
		for (i = 0; i <= SOURCE_KEY_MAX; i++)
			buf_putc(&b, 'k');
		buf_puts(&b, "\": 1}");
		expect_one(f, b.p, b.len, &source_plan_limits, 1, f == SOURCE_JSON ? 10 : 12, key, "use a shorter key");
	}
	expect_one(SOURCE_YAML, "- - - -", 7, &tight, 1, 7, depth, flat);
	expect_one(SOURCE_YAML, "a: {b: {c: [{", 13, &tight, 1, 12, depth, flat);
}

/* Readers of a rejected file want all findings at once. */
static void all_findings(void **state)
{
	static const char text[] = "a: &x 1\n"
				   "b: *x\n"
				   "c: .inf\n"
				   "a: !!int 3\n"
				   "<<: {d: 99999999999999999999}\n"
				   "a: 4\n";
	static const int lines[] = {1, 2, 3, 4, 4, 5, 5, 6};
	static const int columns[] = {4, 4, 4, 1, 4, 1, 9, 1};
	AUTO_BUF struct buf many = BUF_INIT;
	struct diags d = DIAGS_INIT;
	size_t i;

	(void)state;
	assert_false(parse(SOURCE_YAML, text, strlen(text), &source_plan_limits, &d));
	assert_int_equal(d.n, sizeof lines / sizeof *lines);
	for (i = 0; i < d.n; i++) {
		assert_int_equal(d.v[i].line, lines[i]);
		assert_int_equal(d.v[i].column, columns[i]);
	}
	assert_true(d.v[3].at_key);
	assert_string_equal(d.v[7].message, "the key \"a\" is given twice; the first is at line 1, column 1");
	diags_free(&d);

	buf_puts(&many, "{\"a\": 0");
	for (i = 0; i < DIAG_MAX + 10; i++)
		buf_puts(&many, ", \"a\": 0");
	buf_puts(&many, "}");
	assert_false(parse(SOURCE_JSON, many.p, many.len, &source_plan_limits, &d));
	assert_int_equal(d.n, DIAG_MAX);
	assert_int_equal(d.more, 10);
	assert_string_equal(d.v[99].message, "the key \"a\" is given twice; the first is at line 1, column 2");
	diags_free(&d);
	assert_false(parse(SOURCE_YAML, many.p, many.len, &source_plan_limits, &d));
	assert_int_equal(d.n, DIAG_MAX);
	assert_int_equal(d.more, 10);
	diags_free(&d);
}

/* Whatever is cut off or altered: an answer, no crash, and no success with findings. */
static void mangled(void **state)
{
	static const char yaml[] = "# sample\nname: \"é\\u00e9\"\n? a\n: - 1.5\n  - {b: [x, 'y''z'], c: }\n  - |+\n   te\n\n   xt\n"
				   "d: &a !!str *b\ne: >-\n  f\n\n  g\n'h': ~\ni: [0x1F, .inf, ? j : k]\n<<: 99999999999999999999\n"
				   "d: 1\n---\n%TAG\n...\n";
	static const char json[] = "{\"a\": [1, -2.5e3, true, null, \"x\\u00e9\\n\\ud83d\\ude00é\"], \"b\": {\"c\": {}, \"d\": []},\n"
				   " \"a\": \"\\\\\", \"e\": 99999999999999999999, \"\": false}";
	static const char nasty[] = {'\0', '\n', '\r', '\t', '"', '\'', '\\', '[', ']', '{', '}', ':', ',', '-', '?', '&',
				     '*', '!', '%', '#', '|', '>', '\x7f', '\x80', '\xc3', '\xff', '9', ' '};
	const char *texts[] = {yaml, json};
	size_t t, i, k;

	(void)state;
	for (t = 0; t < 2; t++) {
		size_t n = strlen(texts[t]);
		char *copy = xstrdup(texts[t]);
		enum source_form f;

		for (f = SOURCE_YAML; f <= SOURCE_JSON; f++) {
			for (i = 0; i <= n; i++) {
				struct diags d = DIAGS_INIT;

				parse(f, texts[t], i, &source_plan_limits, &d);
				diags_free(&d);
			}
			for (i = 0; i < n; i++) {
				for (k = 0; k < sizeof nasty; k++) {
					struct diags d = DIAGS_INIT;

					copy[i] = nasty[k];
					parse(f, copy, n, &source_plan_limits, &d);
					diags_free(&d);
				}
				copy[i] = texts[t][i];
			}
		}
		free(copy);
	}
}

/* Inputs of the kind that is quadratic or bottomless in careless readers.  1 MiB of each take milliseconds; a
 * reader that was quadratic in one would take minutes. */
static void hostile(void **state)
{
	static const struct {
		enum source_form form;
		const char *head, *unit;
	} cases[] = {
		{SOURCE_YAML, "", "["}, {SOURCE_YAML, "", "{"}, {SOURCE_YAML, "", "- "}, {SOURCE_YAML, "", "? "},
		{SOURCE_YAML, "", "[?"}, {SOURCE_YAML, "", "{? "}, {SOURCE_YAML, "", "a: "}, {SOURCE_YAML, "", "a\n"},
		{SOURCE_YAML, "", "&a "}, {SOURCE_YAML, "[", "&a b,"}, {SOURCE_YAML, "[", "*a,"}, {SOURCE_YAML, "[", "!a b,"},
		{SOURCE_YAML, "", "%TAG !a! b\n"}, {SOURCE_YAML, "a\n...\n", "%TAG !a! b\n"}, {SOURCE_YAML, "", "%YAML 1.2\n"},
		{SOURCE_YAML, "", "---\n"}, {SOURCE_YAML, "", "a\n...\n"}, {SOURCE_YAML, "{", "a,"}, {SOURCE_YAML, "{", "a: b,"},
		{SOURCE_YAML, "", "a:\n"}, {SOURCE_YAML, "", "? a\n"}, {SOURCE_YAML, "[", "a,"}, {SOURCE_YAML, "[", "{},"},
		{SOURCE_YAML, "{", "x"}, {SOURCE_YAML, "? ", "x"}, {SOURCE_YAML, "a: '", "''"}, {SOURCE_YAML, "a: \"", "\\L"},
		{SOURCE_YAML, "a: \"", "\n"}, {SOURCE_YAML, "a: ", "\n "}, {SOURCE_YAML, "a: |\n", "\n"}, {SOURCE_YAML, "", "#\n"},
		{SOURCE_YAML, "a: ", "9"}, {SOURCE_YAML, "[", "99999999999999999999,"}, {SOURCE_YAML, "!<", "%61"},
		{SOURCE_YAML, "", "\xe2\x80\xa8"}, {SOURCE_YAML, "a: ", "[a]"}, {SOURCE_YAML, "", "\xf0\x9f\x98\x80"},
		{SOURCE_JSON, "", "["}, {SOURCE_JSON, "", "{\"a\":"}, {SOURCE_JSON, "", "\""}, {SOURCE_JSON, "\"", "\\"},
		{SOURCE_JSON, "[", "1,"}, {SOURCE_JSON, "[", "{},"}, {SOURCE_JSON, "{", "\"a\":1,"}, {SOURCE_JSON, "", "1"},
		{SOURCE_JSON, "", "]"}, {SOURCE_JSON, "", " "}, {SOURCE_JSON, "\"", "\\u0041"}, {SOURCE_JSON, "", "\\"},
	};
	AUTO_BUF struct buf b = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct diags d = DIAGS_INIT;
		msec begin = clock_mono();

		buf_reset(&b);
		buf_puts(&b, cases[i].head);
		while (b.len < 1 << 20)
			buf_puts(&b, cases[i].unit);
		parse(cases[i].form, b.p, b.len, &source_plan_limits, &d);
		diags_free(&d);
		if (clock_mono() - begin > 20000)
			fail_msg("%s%s… took %ld ms", cases[i].head, cases[i].unit, (long)(clock_mono() - begin));
	}
}

/* libyaml compares each %TAG with all before it: a file full of different ones would take it hours. */
static void few_directives(void **state)
{
	static const char *const heads[] = {"", "a\n...\n"};
	AUTO_BUF struct buf b = BUF_INIT;
	size_t i, k;

	(void)state;
	for (i = 0; i < 2; i++) {
		buf_reset(&b);
		buf_puts(&b, heads[i]);
		for (k = 0; b.len < source_plan_limits.bytes - 20; k++)
			buf_printf(&b, "%%TAG !%zu! x\n", k);
		expect_one(SOURCE_YAML, b.p, b.len, &source_plan_limits, i ? 19 : 17, 1, "tags are not accepted: %TAG",
			   "remove the line");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(yaml_features_refused),   cmocka_unit_test(yaml_mistakes_explained),
		cmocka_unit_test(json_mistakes_explained), cmocka_unit_test(bytes_refused),
		cmocka_unit_test(limits_passed),           cmocka_unit_test(all_findings),
		cmocka_unit_test(mangled),                 cmocka_unit_test(hostile),
		cmocka_unit_test(few_directives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
