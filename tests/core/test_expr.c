/*
 * Expressions: STEP-COND (`prev.x.status == 'success'`, safe), STEP-SKIP (lists over env. and prev.), EDGE-1 (what
 * cannot be compared is a clear error, not a guess).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "core/expr.h"

static json_t *world(void)
{
	json_t *w = json_loads(
	    "{\"a\":{\"n\":42,\"r\":0.5,\"t\":\"text\",\"num\":\"10\",\"ok\":\"true\",\"yes\":true,\"nil\":"
	    "null,\"big\":9007199254740993,"
	    "\"list\":[1,\"two\",\"3\",true],\"object\":{\"k\":1},\"path\":\"C:\\\\dir\",\"ver\":\"v1.2.3\","
	    "\"re\":\"^te\",\"bad\":\"(\"},"
	    "\"env\":{\"DRY_RUN\":\"1\",\"MODE\":\"\"},"
	    "\"secrets\":{\"token\":\"hunter2\"},"
	    "\"status\":{\"a\":\"completed\",\"build-linux\":\"completed\",\"preflight\":\"failed\"},"
	    "\"prev\":{\"a\":\"success\",\"snapshot_repo\":\"success\",\"preflight\":\"failed\"}}",
	    0, NULL);

	assert_non_null(w);
	return w;
}

static json_t *lookup(void *ctx, const struct ref *r, struct err *e)
{
	json_t *v = NULL;

	if (r->root == REF_ACTION && strcmp(r->action, "broken") == 0) {
		err_set(e, EIO, "the output cannot be read");
		return NULL;
	}
	if (r->root == REF_ACTION && r->field == REF_STATUS)
		v = json_object_get(json_object_get(ctx, r->prev ? "prev" : "status"), r->action);
	else if (r->root == REF_ACTION && r->field == REF_OUTPUT && strcmp(r->action, "a") == 0)
		v = ref_walk(r, json_object_get(ctx, "a"));
	else if (r->root == REF_ENV)
		v = ref_walk(r, json_object_get(ctx, "env"));
	else if (r->root == REF_SECRETS)
		v = ref_walk(r, json_object_get(ctx, "secrets"));
	if (!v)
		err_set(e, ENOENT, "there is no such thing");
	return json_incref(v);
}

/* The value as JSON, or the message. */
static char *result(const char *text, json_t *w)
{
	char *why = NULL, *got;
	struct expr *x = expr_compile(text, &why);
	json_t *v = NULL;
	struct err e = {0};

	if (!x)
		return why;
	if (expr_eval(x, lookup, w, &v, &e) == 0)
		got = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
	else
		got = xasprintf("%d %s", e.code, e.text);
	json_decref(v);
	expr_free(x);
	return got;
}

struct line {
	const char *text, *result;
};

static void check(const struct line *lines, size_t n)
{
	json_t *w = world();
	size_t i;

	for (i = 0; i < n; i++) {
		AUTO_FREE char *got = result(lines[i].text, w);

		if (strcmp(got, lines[i].result) != 0)
			fail_msg("%s\n  gives  %s\n  wanted %s", lines[i].text, got, lines[i].result);
	}
	json_decref(w);
}

#define CHECK(lines) check(lines, sizeof lines / sizeof *lines)

/* STEP-COND and STEP-SKIP: the two documents' own examples among others. */
static void values(void **state)
{
	static const struct line lines[] = {
	    {"prev.snapshot_repo.status == 'success'", "true"},
	    {"env.DRY_RUN == '1'", "true"},
	    {"prev.preflight.status == 'failed'", "true"},
	    {"build-linux.status == 'completed'", "true"},
	    {"steps.build-linux.status==\"completed\"", "true"},
	    {"'a'", "\"a\""},
	    {"\"it's\"", "\"it's\""},
	    {"'it\\'s \\\\ \\n\\t\\r\\$\\{'", "\"it's \\\\ \\n\\t\\r${\""},
	    {"1", "1"},
	    {"-5", "-5"},
	    {"1.5e2", "150.0"},
	    {"1e+2", "100.0"},
	    {"123456789012345678901234567890", "1.2345678901234568e29"},
	    {"true", "true"},
	    {"null", "null"},
	    {"a.output.n", "42"},
	    {"${a.output.n}", "42"},
	    {"{{ a.output.n }}", "42"},
	    {"${ steps.a.output.list[1] } == 'two'", "true"},
	    {"a.output['t']", "\"text\""},
	    {"${a.output[\"x=(y)\"]}", "null"},
	    {"(((a.output.list)))", "[1,\"two\",\"3\",true]"},
	    {" \t\n a.output.yes \r\n", "true"},
	    {"a.output.missing", "null"},
	    {"a.output.missing == null", "true"},
	    {"a.output.nil == null", "true"},
	    {"\"naïve\" == 'naïve'", "true"},
	};

	(void)state;
	CHECK(lines);
}

static void comparisons(void **state)
{
	static const struct line lines[] = {
	    {"a.output.n == 42", "true"},
	    {"a.output.n === 42.0", "true"},
	    {"a.output.n != 42", "false"},
	    {"a.output.n !== 41", "true"},
	    {"a.output.n == '42'", "true"},
	    {"'4.2e1' == a.output.n", "true"},
	    {"a.output.num == 10", "true"},
	    {"a.output.num == '10.0'", "false"},
	    {"a.output.num == 10.0", "true"},
	    {"a.output.t == 10", "false"},
	    {"' 10' == 10", "false"},
	    {"'0x10' == 16", "false"},
	    {"'010' == 10", "false"},
	    {"a.output.big == 9007199254740993", "true"},
	    {"a.output.big == 9007199254740992.0", "false"},
	    {"a.output.ok == true", "true"},
	    {"a.output.ok == false", "false"},
	    {"true == 'yes'", "false"},
	    {"a.output.yes == true", "true"},
	    {"true == 1", "false"},
	    {"null == 0", "false"},
	    {"null == ''", "false"},
	    {"null == false", "false"},
	    {"a.output.list == a.output.list", "true"},
	    {"a.output.list == a.output.object", "false"},
	    {"'a' == 'A'", "false"},
	    {"9 < a.output.num", "true"},
	    {"'9' < a.output.num", "true"},
	    {"'9' < 'a10'", "true"},
	    {"a.output.r >= 0.5", "true"},
	    {"a.output.r > 0.5", "false"},
	    {"a.output.n <= 42", "true"},
	    {"'ab' < 'abc'", "true"},
	    {"'b' < 'abc'", "false"},
	    {"'ab' <= 'ab'", "true"},
	    {"'z' < 'é'", "true"},
	    /* EDGE-1 */
	    {"a.output.t < 5",
	     "74 column 12: these have no order: a.output.t, the text \"text\" and the number 5"},
	    {"a.output.missing > 1",
	     "74 column 18: these have no order: a.output.missing, null and the number 1"},
	    {"a.output.list < a.output.object",
	     "74 column 15: these have no order: a.output.list, a list and a.output.object, an object"},
	    {"true < false", "74 column 6: these have no order: true and false"},
	    {"secrets.token < 5",
	     "74 column 15: these have no order: secrets.token, a text and the number 5"},
	    {"broken.output.x == 1", "5 column 1: broken.output.x: the output cannot be read"},
	};

	(void)state;
	assert_int_equal(EBADMSG, 74);
	assert_int_equal(EIO, 5);
	CHECK(lines);
}

static void contains_and_matches(void **state)
{
	static const struct line lines[] = {
	    {"a.output.t contains 'ex'", "true"},
	    {"a.output.t contains ''", "true"},
	    {"a.output.t contains 'xe'", "false"},
	    {"a.output.list contains 1", "true"},
	    {"a.output.list contains 3", "true"},
	    {"a.output.list contains 'two'", "true"},
	    {"a.output.list contains 'three'", "false"},
	    {"a.output.object contains 'k'", "true"},
	    {"a.output.object contains 'v'", "false"},
	    {"a.output.missing contains 'x'", "false"},
	    {"a.output.n contains 4", "74 column 12: \"contains\" finds text in text, names in objects, "
				      "anything in lists: a.output.n, the number 42 "
				      "contains the number 4"},
	    {"a.output.t matches '^t.xt$'", "true"},
	    {"a.output.ver matches '^v\\d+\\.\\d+'", "true"},
	    {"a.output.ver matches \"\\\"\"", "false"},
	    {"a.output.path matches '^C:\\\\dir$'", "true"},
	    {"a.output.path == 'C:\\\\dir'", "true"},
	    {"a.output.n matches '^4\\d$'", "true"},
	    {"a.output.yes matches 'true'", "true"},
	    {"a.output.missing matches '.*'", "false"},
	    {"'É' matches '(?i)^é$'", "true"},
	    {"'naïve' matches '^.{5}$'", "true"},
	    {"a.output.t matches a.output.re", "true"},
	    {"a.output.t matches ('ext')", "true"},
	    {"a.output.list matches 'x'",
	     "74 column 15: \"matches\" tries a pattern on text, not on a.output.list, a list"},
	    {"a.output.t matches a.output.bad",
	     "74 column 12: the pattern is wrong at its offset 1: missing closing parenthesis"},
	    {"a.output.t matches a.output.n", "74 column 12: a pattern must be text: a.output.t, the text "
					      "\"text\" matches a.output.n, the number 42"},
	    {"a.output.t matches 'a(b'", "column 24: the pattern is wrong: missing closing parenthesis"},
	    {"a.output.t matches ('a(b')", "column 20: the pattern is wrong: missing closing parenthesis"},
	    {"a.output.t matches 5", "column 20: a pattern is text; put it in quotes"},
	    {"a.output.t matches '\\C'",
	     "column 23: the pattern is wrong: using \\C is disabled by the application"},
	};

	(void)state;
	CHECK(lines);
}

static void logic(void **state)
{
	static const struct line lines[] = {
	    {"true and false", "false"},
	    {"true && true", "true"},
	    {"false or true", "true"},
	    {"false || false", "false"},
	    {"not true", "false"},
	    {"!true", "false"},
	    {"!!'yes'", "true"},
	    {"not not not false", "true"},
	    {"not a.output.n == 42", "false"},
	    {"!a.output.missing", "true"},
	    {"true or false and false", "true"},
	    {"(true or false) and false", "false"},
	    {"false and false or true", "true"},
	    {"1 and 'on'", "true"},
	    {"'yes' and 'no'", "false"},
	    {"exists a.output.n", "true"},
	    {"a.output.n exists", "true"},
	    {"exists a.output.nil", "true"},
	    {"exists a.output.missing", "false"},
	    {"not exists a.output.missing", "true"},
	    {"exists(a.output.n)", "true"},
	    {"exists ${a.output.n} and a.output.n > 41", "true"},
	    {"exists a.output.missing and a.output.missing > 41", "false"},
	    {"(a.output.n exists) == true", "true"},
	    {"1 == 1 and 2 == 2 and 3 == 3", "true"},
	    {"1 == 2 or 2 == 3 or 3 == 3", "true"},
	    {"(1 == 1) == (2 == 2)", "true"},
	    /* No further than needed: the right side would be an error. */
	    {"false and a.output.t < 5", "false"},
	    {"true or a.output.t < 5", "true"},
	    {"true and 'maybe'", "74 column 10: neither true nor false: the text \"maybe\""},
	    {"a.output.n or true", "74 column 1: neither true nor false: a.output.n, the number 42"},
	    {"not a.output.list", "74 column 5: neither true nor false: a.output.list, a list"},
	};

	(void)state;
	CHECK(lines);
}

static void mistakes(void **state)
{
	static const struct line lines[] = {
	    {"", "column 1: the expression is empty"},
	    {"  ", "column 1: the expression is empty"},
	    {"a.output.x ==", "column 14: expected a value after \"==\", found the end"},
	    {"== 1", "column 1: expected a value, found \"==\""},
	    {"(", "column 2: expected a value after \"(\", found the end"},
	    {"()", "column 2: expected a value after \"(\", found \")\""},
	    {"true and or false", "column 10: expected a value after \"and\", found \"or\""},
	    {"not", "column 4: expected a value after \"not\", found the end"},
	    {"env.x = '1'", "column 7: use == to compare, = is not an operator"},
	    {"env.x & env.y", "column 7: use and or &&; \"&\" is not an operator"},
	    {"env.x | env.y", "column 7: use or or ||; \"|\" is not an operator"},
	    {"env.x <> '1'", "column 7: use != for unequal; \"<>\" is not an operator"},
	    {"env.x => '1'", "column 7: use >= for at least; \"=>\" is not an operator"},
	    {"env.x =~ '1'", "column 7: use matches to try a pattern; \"=~\" is not an operator"},
	    {"env.x + 1", "column 7: there is no arithmetic: \"+\" is not an operator"},
	    {"env.x -1", "column 7: expected an operator, found \"-1\"; there is no arithmetic"},
	    {"env.x - 1", "column 7: there is no arithmetic: \"-\" is not an operator"},
	    {"env.x ? 1 : 2", "column 7: there is no choice between values: \"?\" is not an operator"},
	    {"env.x == ‘1’", "column 10: put text in straight quotes, ' or \""},
	    {"env.x == `1`", "column 10: put text in ' or \""},
	    {"env.x == $HOME", "column 10: write env.NAME for a variable, ${path} for a reference"},
	    {"'é' == é", "column 8: \"é\" means nothing here; text stands in quotes"},
	    {"'a' == \x01", "column 8: a byte that means nothing here"},
	    {"'a' == '\xff'", "column 9: bytes that are not UTF-8"},
	    {"success", "column 1: \"success\" is not a reference; quote it if it is text"},
	    {"prev.a.status == success", "column 18: \"success\" is not a reference; quote it if it is text"},
	    {"a.output.ok == True", "column 16: \"True\" is not a reference; did you mean true?"},
	    {"a.output.ok == None", "column 16: \"None\" is not a reference; did you mean null?"},
	    {"007", "column 1: \"007\" is not a reference; quote it if it is text"},
	    {"5abc == 1", "column 1: \"5abc\" is not a reference; quote it if it is text"},
	    {"1e999", "column 1: the number is too large"},
	    {".5", "column 1: a reference or number cannot start with a dot"},
	    {"fetch.result == 1", "column 7: \"result\" is not a field of an action; those are output, "
				  "status, error and attempts"},
	    {"'é' == fetch.stats",
	     "column 14: \"stats\" is not a field of an action; did you mean \"status\"?"},
	    {"a.output.[0]", "column 10: a name is missing after \".\""},
	    {"a.output[\"x", "column 10: the quote is not closed"},
	    {"${a.output", "column 1: \"${\" is not closed by \"}\""},
	    {"{{a.output}", "column 1: \"{{\" is not closed by \"}}\""},
	    {"{{ }}", "column 4: a reference is missing"},
	    {"${HOME} == 'x'",
	     "column 7: \"HOME\" is not a reference: a field must follow, such as HOME.output"},
	    {"${{ a.output }}",
	     "column 1: write ${path} or {{path}}, not ${{path}}; a path alone does as well"},
	    {"{{ a.output.x == 1 }}",
	     "column 15: between {{ and }} stands one reference; an expression needs no braces"},
	    {"'${a.output.x}' == 'y'",
	     "column 2: inside quotes nothing is looked up; write a.output.x without quotes"},
	    {"'x' == 'y {{ a.output.x }}'",
	     "column 11: inside quotes nothing is looked up; write a.output.x without quotes"},
	    {"'abc", "column 1: the text that starts here has no closing '"},
	    {"'C:\\dir'", "column 4: this \"\\\" starts no escape (\\\\ \\' \\\" \\n \\t \\r \\$ \\{ are); "
			  "write \\\\ for a backslash"},
	    {"'it''s'", "column 5: expected an operator, found 's'; \\' and \\\" are quotes inside text"},
	    {"foo(1)", "column 1: calls are not allowed: foo(…)"},
	    {"system ('rm')", "column 1: calls are not allowed: system(…)"},
	    {"success() and true",
	     "column 1: calls are not allowed: success(…); write prev.ID.status == 'success'"},
	    {"contains(a.output.t, 'x')",
	     "column 1: calls are not allowed: contains(…); write VALUE contains VALUE"},
	    {"true and matches('x')",
	     "column 10: calls are not allowed: matches(…); write VALUE matches 'PATTERN'"},
	    {"a.output.t.includes('x')",
	     "column 1: calls are not allowed: a.output.t.includes(…); write VALUE contains VALUE"},
	    {"exists 5", "column 8: \"exists\" is asked of a reference, such as exists fetch.output.x"},
	    {"(1 == 1) exists",
	     "column 1: \"exists\" is asked of a reference, such as exists fetch.output.x"},
	    {"1 == 1 == 1",
	     "column 8: comparisons do not chain; join them with and, or put one in parentheses"},
	    {"1 < env.x < 3",
	     "column 11: comparisons do not chain; join them with and, or put one in parentheses"},
	    {"(1 == 1", "column 8: the \"(\" at column 1 is not closed"},
	    {"((1) == (2)", "column 12: the \"(\" at column 1 is not closed"},
	    {"1 == 1)", "column 7: this \")\" has no \"(\" before it"},
	    {"env.x not contains 'y'",
	     "column 7: \"not\" stands before the whole comparison: not a.output.x == 1"},
	    {"env.x env.y", "column 7: expected an operator such as == or and, found \"env.y\""},
	    {"env.x 'y'", "column 7: expected an operator such as == or and, found 'y'"},
	    {"env.x is 'y'", "column 7: \"is\" is not an operator; use =="},
	    {"env.x == 'y' AND true", "column 14: \"AND\" is not an operator; use and"},
	    {"env.x in 'y'", "column 7: use contains the other way round: LIST contains ELEMENT"},
	    {"env.x contain 'y'", "column 7: \"contain\" is not an operator; use contains"},
	    {"env.x frobs 'y'", "column 7: expected an operator such as == or and, found \"frobs\""},
	    {"env.x in [1, 2]", "column 7: use contains the other way round: LIST contains ELEMENT"},
	    {"env.x == [1]", "column 10: lists cannot be written here; compare with each, joined by or"},
	};

	(void)state;
	CHECK(lines);
}

static void bounds(void **state)
{
	AUTO_BUF struct buf b = BUF_INIT;
	char *why = NULL;
	struct expr *x;
	json_t *v;
	int i;

	(void)state;
	/* Deep on the side that holds a value back: the stack's worst case. */
	for (i = 0; i < EXPR_DEPTH; i++)
		buf_puts(&b, "true == (");
	buf_puts(&b, "1 == 1");
	for (i = 0; i < EXPR_DEPTH; i++)
		buf_putc(&b, ')');
	x = expr_compile(b.p, &why);
	assert_non_null(x);
	assert_int_equal(expr_eval(x, lookup, NULL, &v, NULL), 0);
	assert_true(json_is_true(v));
	json_decref(v);
	expr_free(x);
	buf_reset(&b);
	for (i = 0; i <= EXPR_DEPTH; i++)
		buf_putc(&b, '(');
	assert_null(expr_compile(b.p, &why));
	assert_string_equal(why, "column 65: parentheses nest deeper than 64");
	free(why);
	buf_reset(&b);
	while (b.len < EXPR_TEXT_MAX)
		buf_putc(&b, '(');
	assert_null(expr_compile(b.p, &why));
	free(why);
	buf_putc(&b, '(');
	assert_null(expr_compile(b.p, &why));
	assert_string_equal(why, "the expression has 4097 bytes; at most 4096 are allowed");
	free(why);
	buf_reset(&b);
	while (b.len < EXPR_TEXT_MAX - 4)
		buf_putc(&b, '!');
	buf_puts(&b, "true");
	x = expr_compile(b.p, &why);
	assert_non_null(x);
	assert_int_equal(expr_eval(x, lookup, NULL, &v, NULL), 0);
	assert_true(json_is_true(v)); /* 4092 of them */
	json_decref(v);
	expr_free(x);
	buf_reset(&b);
	while (b.len < EXPR_TEXT_MAX - 12)
		buf_puts(&b, "true and ");
	buf_puts(&b, "1");
	x = expr_compile(b.p, &why);
	assert_non_null(x);
	assert_int_equal(expr_eval(x, lookup, NULL, &v, NULL), 0);
	json_decref(v);
	expr_free(x);
}

static void truth(void **state)
{
	static const struct {
		const char *json;
		int truth;
	} cases[] = {
	    {"false", 0},      {"0", 0},         {"0.0", 0},       {"-0.0", 0},       {"null", 0},
	    {"\"\"", 0},       {"\"false\"", 0}, {"\"FALSE\"", 0}, {"\"0\"", 0},      {"\"no\"", 0},
	    {"\"No\"", 0},     {"\"off\"", 0},   {"\"OFF\"", 0},   {"\"null\"", 0},   {"true", 1},
	    {"1", 1},          {"1.0", 1},       {"\"true\"", 1},  {"\"True\"", 1},   {"\"1\"", 1},
	    {"\"yes\"", 1},    {"\"YES\"", 1},   {"\"on\"", 1},    {"\"On\"", 1},     {"2", -1},
	    {"-1", -1},        {"0.5", -1},      {"\"2\"", -1},    {"\"maybe\"", -1}, {"\" \"", -1},
	    {"\"true \"", -1}, {"[]", -1},       {"{}", -1},       {"[true]", -1},    {"\"y\"", -1},
	    {"\"00\"", -1},
	};
	size_t i;

	(void)state;
	assert_int_equal(expr_truth(NULL), 0);
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		json_t *v = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);

		assert_non_null(v);
		if (expr_truth(v) != cases[i].truth)
			fail_msg("%s is %d", cases[i].json, expr_truth(v));
		json_decref(v);
	}
}

/* STEP-COND: the two sets of words are never mixed up unnoticed. */
static void impossible(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
	    {"prev.a.status == 'success'", NULL},
	    {"prev.a.status != 'skipped' and 'failed' == prev.b.status", NULL},
	    {"a.status == 'completed'", NULL},
	    {"'running' != a.status or (steps.a.status) == ('pending')", NULL},
	    {"a.output.status == 'green'", NULL},
	    {"a.status contains 'green' and a.status matches 'x'", NULL},
	    {"a.status == prev.b.status", NULL},
	    {"a.status and 'green' == a.output.x", NULL},
	    {"prev.a.status == 'completed'", "column 18: prev.a.status is success, failed or skipped; "
					     "\"completed\" is the state's word: write a.status == "
					     "'completed' or 'success'"},
	    {"prev.a.status == 'running'", "column 18: prev.a.status is success, failed or skipped; "
					   "\"running\" is the state's word: write a.status == 'running'"},
	    {"'success' != steps.a.status", "column 1: steps.a.status is pending, running, completed, failed "
					    "or skipped; \"success\" is the word of prev: "
					    "write prev.a.status == 'success' or 'completed'"},
	    {"a.status == 'complet'",
	     "column 13: a.status is pending, running, completed, failed or skipped, never "
	     "\"complet\"; did you mean 'completed'?"},
	    {"true and (prev.a.status) !== ('error')", "column 31: prev.a.status is success, failed or "
						       "skipped, never \"error\"; did you mean 'failed'?"},
	    {"a.status === 'green'",
	     "column 14: a.status is pending, running, completed, failed or skipped, never \"green\""},
	    {"a.status == 'Failed'",
	     "column 13: a.status is pending, running, completed, failed or skipped, never "
	     "\"Failed\"; did you mean 'failed'?"},
	    {"a.status == 0",
	     "column 13: a.status is a word in quotes, such as 'failed'; it is never equal to this"},
	    {"null != a.status",
	     "column 1: a.status is a word in quotes, such as 'failed'; it is never equal to this"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_FREE char *why = NULL, *got = NULL;
		struct expr *x = expr_compile(cases[i].text, &why);

		if (!x)
			fail_msg("%s: %s", cases[i].text, why);
		got = expr_impossible(x);
		if (!got != !cases[i].message || (got && strcmp(got, cases[i].message) != 0))
			fail_msg("%s: %s", cases[i].text, got ? got : "nothing");
		expr_free(x);
	}
}

static void note_ref(void *ctx, const struct ref *r)
{
	buf_printf(ctx, "%s ", r->text);
}

static void references(void **state)
{
	AUTO_BUF struct buf b = BUF_INIT;
	char *why;
	struct expr *x = expr_compile(
	    "exists a.output.x and (${ b.status } == 'failed' or not env.Y) and {{a.output.x}} matches 'x'",
	    &why);

	(void)state;
	assert_non_null(x);
	expr_refs(x, note_ref, &b);
	assert_string_equal(buf_str(&b), "a.output.x b.status env.Y a.output.x ");
	expr_free(x);
	expr_free(NULL);
}

static void matching(void **state)
{
	struct err e = {0};

	(void)state;
	assert_int_equal(expr_match("^\\d+$", "123", 3, &e), 1);
	assert_int_equal(expr_match("^\\d+$", "12x", 3, &e), 0);
	assert_int_equal(expr_match("(a)(b)(c)", "abc", 3, &e), 1);
	assert_int_equal(expr_match("", "", 0, &e), 1);
	assert_int_equal(expr_match("b",
				    "a\xff"
				    "b",
				    3, &e),
			 1); /* bytes that are not UTF-8 match nothing, but do no harm */
	assert_int_equal(expr_match("[", "x", 1, &e), -1);
	assert_int_equal(e.code, EBADMSG);
	assert_string_equal(
	    e.text, "the pattern is wrong at its offset 1: missing terminating ] for character class");
}

/* Patterns made to take for ever end, with an error that says so.  The classes at their ends keep PCRE2 from seeing
 * at once that a byte it needs is missing. */
static void hostile_patterns(void **state)
{
	static const char *const patterns[] = {
	    "(a+)+$",
	    "(a|aa)+$",
	    "(a*)*b",
	    "^(.*?,){11}P",
	    "(?:a*a*)*[bc]",
	    "(x+x+)+y|(a+a+)+y",
	    "a.*a.*a.*a.*a.*[bc]",
	    "\\w+[=:]",
	    "(?>a*)[cd]",
	    "a[^x]*+[yz]",
	    "(?:a[^x]*+[yz]|a)+[bc]",
	    "(?:a{5000}z|a)+[bc]",
	    "(a{0,5000}){0,5}b",
	    "(?i)(a*)\\1\\1[cd]",
	    "(?<=a{200})[bc]",
	    "a(?=.*[zx])",
	};
	static const size_t sizes[] = {30, 4096, 65536, EXPR_MATCH_MAX};
	AUTO_FREE char *text = malloc(EXPR_MATCH_MAX + 1);
	struct err e = {0};
	size_t i, k;

	(void)state;
	for (k = 0; k < sizeof sizes / sizeof *sizes; k++) {
		for (i = 0; i < sizeof patterns / sizeof *patterns; i++) {
			memset(text, 'a', sizes[k]);
			text[sizes[k] - 1] = '!';
			e = (struct err){0};
			if (expr_match(patterns[i], text, sizes[k], &e) < 0) {
				assert_int_equal(e.code, E2BIG);
				assert_non_null(strstr(e.text, "the pattern takes too m"));
			}
		}
	}
	memset(text, 'a', EXPR_MATCH_MAX + 1);
	text[EXPR_MATCH_MAX - 1] = '!';
	assert_int_equal(expr_match("(a+)+$", text, 5000, &e), 1);
	text[4999] = '!';
	assert_int_equal(expr_match("(a+)+$", text, 5000, &e), -1);
	assert_string_equal(e.text, "the pattern takes too many steps on this text");
	assert_int_equal(expr_match("a", text, EXPR_MATCH_MAX + 1, &e), -1);
	assert_string_equal(e.text, "the text has 1048577 bytes; patterns are tried on at most 1048576");
	/* What is only long is no trouble. */
	assert_int_equal(expr_match("[\\s\\S]*!", text, EXPR_MATCH_MAX, &e), 1);
	assert_int_equal(expr_match("\\d+ passed", text, EXPR_MATCH_MAX, &e), 0);
	assert_int_equal(expr_match("error.*timeout", text, EXPR_MATCH_MAX, &e), 0);
}

static json_t *long_text(void *ctx, const struct ref *r, struct err *e)
{
	(void)r;
	(void)e;
	return json_incref(ctx);
}

/* Many slow matches in one expression share one allowance. */
static void shared_budget(void **state)
{
	AUTO_BUF struct buf b = BUF_INIT, text = BUF_INIT;
	struct err e = {0};
	struct expr *x;
	json_t *v, *subject;
	char *why;

	(void)state;
	while (text.len < 5000)
		buf_putc(&text, 'a');
	buf_putc(&text, '!');
	subject = json_stringn(text.p, text.len);
	while (b.len < EXPR_TEXT_MAX - 60)
		buf_puts(&b, "(env.x matches '\\w+[=:]') or ");
	buf_puts(&b, "true");
	x = expr_compile(b.p, &why);
	assert_non_null(x);
	assert_int_equal(expr_eval(x, long_text, subject, &v, &e), -1);
	assert_null(v);
	assert_int_equal(e.code, E2BIG);
	assert_non_null(strstr(e.text, "the pattern takes too many steps on this text"));
	expr_free(x);
	json_decref(subject);
}

/* Any string of tokens: a value or a sentence, no crash, no leak (under ASan). */
static void random_tokens(void **state)
{
	static const char *const tokens[] = {"(",
					     ")",
					     "and",
					     "or",
					     "not",
					     "!",
					     "==",
					     "!=",
					     "<",
					     ">=",
					     "contains",
					     "matches",
					     "exists",
					     "'x'",
					     "\"y\"",
					     "'(a+)+'",
					     "1",
					     "-2.5",
					     "true",
					     "null",
					     "a.output.n",
					     "a.output.list",
					     "prev.a.status",
					     "env.MODE",
					     "${a.output.t}",
					     "{{",
					     "}}",
					     "${",
					     "word",
					     "f(",
					     "é",
					     "'",
					     "[",
					     "]",
					     ".",
					     "\\",
					     "a",
					     "=",
					     "-",
					     "e5"};
	json_t *w = world();
	uint64_t seed = 0x2545f4914f6cdd1du;
	int round, n, good = 0;

	(void)state;
	for (round = 0; round < 20000; round++) {
		AUTO_BUF struct buf b = BUF_INIT;
		AUTO_FREE char *why = NULL;
		struct expr *x;

		for (n = (int)(seed >> 61) * 2 + 1; n > 0; n--) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			/* The first 25 tokens more often, so that some make sense. */
			buf_puts(
			    &b,
			    tokens[(seed >> 32) % (seed >> 20 & 3 ? 25 : sizeof tokens / sizeof *tokens)]);
			if (seed >> 24 & 7)
				buf_putc(&b, ' ');
		}
		x = expr_compile(buf_str(&b), &why);
		if (x) {
			struct err e = {0};
			json_t *v;

			assert_null(why);
			free(expr_impossible(x));
			if (expr_eval(x, lookup, w, &v, &e) == 0)
				good++;
			else
				assert_true(e.code != 0 && e.text[0]);
			json_decref(v);
			expr_free(x);
		} else {
			assert_non_null(why);
			assert_true(text_is_utf8(why, strlen(why)));
		}
	}
	assert_true(good > 500);
	json_decref(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values),
	    cmocka_unit_test(comparisons),
	    cmocka_unit_test(contains_and_matches),
	    cmocka_unit_test(logic),
	    cmocka_unit_test(mistakes),
	    cmocka_unit_test(bounds),
	    cmocka_unit_test(truth),
	    cmocka_unit_test(impossible),
	    cmocka_unit_test(references),
	    cmocka_unit_test(matching),
	    cmocka_unit_test(hostile_patterns),
	    cmocka_unit_test(shared_budget),
	    cmocka_unit_test(random_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
