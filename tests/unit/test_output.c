/*
 * codec/output: what an action may leave in $CREEL_OUTPUT (design section 4, "Outputs").
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
#include "codec/output.h"

static void right_ones(void **state)
{
	static const struct {
		const char *text, *means;
	} cases[] = {
	    {"", "{}"},
	    {"\n \n\t\n", "{}"},
	    {"a=1", "{\"a\":\"1\"}"},
	    {"a=1\nb=two words\n", "{\"a\":\"1\",\"b\":\"two words\"}"},
	    {"a=\n", "{\"a\":\"\"}"},
	    {"a= x \n", "{\"a\":\" x \"}"},
	    {"a=b=c", "{\"a\":\"b=c\"}"},
	    {"url=http://x/?a=1<<2", "{\"url\":\"http://x/?a=1<<2\"}"},
	    {"a=1\na=2", "{\"a\":\"2\"}"},
	    {"a.b-c_d9=x", "{\"a.b-c_d9\":\"x\"}"},
	    {"a=1\r\nb=2\r\n", "{\"a\":\"1\",\"b\":\"2\"}"},
	    {"log<<END\none\ntwo\nEND\nb=2", "{\"b\":\"2\",\"log\":\"one\\ntwo\"}"},
	    {"log<<END\nEND", "{\"log\":\"\"}"},
	    {"log<<END\n\nEND\n", "{\"log\":\"\"}"},
	    {"log<<END\n\n\nEND\n", "{\"log\":\"\\n\"}"},
	    {"log<<END\na=1\n ENDS\nEND \nEND", "{\"log\":\"a=1\\n ENDS\\nEND \"}"},
	    {"log<<=\nx\n=", "{\"log\":\"x\"}"},
	    {"{\"n\": 1, \"deep\": {\"list\": [1, \"x\"]}}", "{\"deep\":{\"list\":[1,\"x\"]},\"n\":1}"},
	    {" \n\t{}\n", "{}"},
	    {"name=na\xc3\xafve", "{\"name\":\"na\xc3\xafve\"}"},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof cases / sizeof *cases; k++) {
		struct err e = {0};
		json_t *o = output_parse(cases[k].text, strlen(cases[k].text), &e);
		char *text;

		if (!o)
			fail_msg("%s: %s", cases[k].text, e.text);
		text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
		assert_string_equal(text, cases[k].means);
		free(text);
		json_decref(o);
	}
}

static void wrong_ones(void **state)
{
	static const struct {
		const char *text;
		size_t n; /* 0: its length */
		const char *why;
	} cases[] = {
	    {"a", 0, "line 1: expected key=value"},
	    {"a=1\n\njust text\n", 0, "line 3: expected key=value"},
	    {"=1", 0, "line 1: expected key=value"},
	    {"two words=1", 0, "line 1: expected key=value"},
	    {"a/b=1", 0, "line 1: expected key=value"},
	    {"na\xc3\xafve=1", 0, "line 1: expected key=value"},
	    {"[1]", 0, "line 1: expected key=value"},
	    {"a<<", 0, "line 1: a word must follow \"<<\""},
	    {"b=1\na<<END\nx\n", 0, "line 2: the value of \"a\" is not closed by a line \"END\""},
	    {"{\"a\": 1", 0, "it begins like a JSON object and is none"},
	    {"{\"a\": 1} x", 0, "it begins like a JSON object and is none"},
	    {"{\"a\": 1, \"a\": 2}", 0, "it begins like a JSON object and is none"},
	    {"a=\xff", 0, "it is not UTF-8 text"},
	    {"a=\0", 3, "it is not UTF-8 text"},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof cases / sizeof *cases; k++) {
		struct err e = {0};

		assert_null(output_parse(cases[k].text, cases[k].n ? cases[k].n : strlen(cases[k].text), &e));
		if (!strstr(e.text, cases[k].why))
			fail_msg("%s: %s", cases[k].text, e.text);
	}
}

static void keys_have_a_limit(void **state)
{
	AUTO_BUF struct buf b = BUF_INIT;
	struct err e = {0};
	json_t *o;
	int k;

	(void)state;
	for (k = 0; k < OUTPUT_KEYS_MAX; k++)
		buf_printf(&b, "k%d=v\n", k);
	o = output_parse(b.p, b.len, &e);
	assert_int_equal(json_object_size(o), OUTPUT_KEYS_MAX);
	json_decref(o);
	buf_puts(&b, "one-more=v\n");
	assert_null(output_parse(b.p, b.len, &e));
	assert_string_equal(e.text, "more than 10000 outputs");
	buf_reset(&b);
	for (k = 0; k < 201; k++)
		buf_putc(&b, 'k');
	buf_puts(&b, "=v");
	assert_null(output_parse(b.p, b.len, &e));
}

/* Each value takes memory, however short it is; commas and brackets inside texts are none. */
static void json_values_have_a_limit(void **state)
{
	AUTO_BUF struct buf b = BUF_INIT;
	struct err e;
	json_t *o;
	size_t k;

	(void)state;
	buf_puts(&b, "{\"a\":\"\\\"");
	for (k = 0; k < OUTPUT_VALUES_MAX; k++)
		buf_putc(&b, ',');
	buf_puts(&b, "\",\"b\":[0");
	for (k = 0; k < OUTPUT_VALUES_MAX - 4; k++) /* the object, its two members and the list */
		buf_puts(&b, ",0");
	buf_puts(&b, "]}");
	o = output_parse(b.p, b.len, &e);
	assert_non_null(o);
	json_decref(o);
	b.len -= 2;
	buf_puts(&b, ",0]}");
	assert_null(output_parse(b.p, b.len, &e));
	assert_string_equal(e.text, "it holds more than 2000000 values");
}

/* A file cut anywhere is read or refused, never misread past its end. */
static void cut_anywhere(void **state)
{
	static const char text[] = "a=1\nlog<<END\none\ntwo\nEND\nna=na\xc3\xafve\n";
	size_t n;

	(void)state;
	for (n = 0; n <= strlen(text); n++) {
		char *copy = malloc(n + !n);
		struct err e = {0};
		json_t *o;

		memcpy(copy, text, n);
		o = output_parse(copy, n, &e);
		assert_true((o != NULL) != (e.text[0] != '\0'));
		json_decref(o);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(right_ones),
	    cmocka_unit_test(wrong_ones),
	    cmocka_unit_test(keys_have_a_limit),
	    cmocka_unit_test(json_values_have_a_limit),
	    cmocka_unit_test(cut_anywhere),
	};

	return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
