/*
 * base/buf: growth, formatting, JSON strings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/text.h"

static void grows_and_stays_a_string(void **state)
{
	struct buf b = BUF_INIT;
	char *taken;
	int k;

	(void)state;
	assert_string_equal(buf_str(&b), "");
	for (k = 0; k < 10000; k++)
		buf_putc(&b, (char)('a' + k % 26));
	assert_int_equal(b.len, 10000);
	assert_int_equal(strlen(b.p), 10000);
	buf_reset(&b);
	assert_string_equal(buf_str(&b), "");
	buf_puts(&b, "x");
	buf_put(&b, "\0y", 2);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.p, "x\0y", 4);
	taken = buf_steal(&b);
	assert_int_equal(b.len, 0);
	assert_string_equal(taken, "x");
	free(taken);
	taken = buf_steal(&b);
	assert_string_equal(taken, "");
	free(taken);
	buf_free(&b);
	buf_free(&b);
}

static void formats_of_every_length(void **state)
{
	size_t n;

	(void)state;
	for (n = 0; n < 600; n++) {
		AUTO_BUF struct buf b = BUF_INIT;

		buf_printf(&b, "%*s|", (int)n, "x");
		assert_int_equal(b.len, (n ? n : 1) + 1);
		assert_int_equal(b.p[b.len - 1], '|');
		buf_printf(&b, "%s", "end");
		assert_string_equal(b.p + b.len - 4, "|end");
	}
}

/* Whatever the bytes, the result is a JSON string, and well-formed text comes back from it. */
static void json_strings_always_parse(void **state)
{
	unsigned seed = 11;
	int k;

	(void)state;
	for (k = 0; k < 20000; k++) {
		AUTO_BUF struct buf b = BUF_INIT;
		char raw[12];
		size_t n = (size_t)rand_r(&seed) % sizeof raw, i;
		json_t *v;

		for (i = 0; i < n; i++)
			raw[i] = (char)(rand_r(&seed) % 3 ? rand_r(&seed) % 128 : rand_r(&seed) % 256);
		buf_json_string(&b, raw, n);
		v = json_loadb(b.p, b.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		assert_true(json_is_string(v));
		if (text_is_utf8(raw, n)) {
			assert_int_equal(json_string_length(v), n);
			assert_memory_equal(json_string_value(v), raw, n);
		}
		json_decref(v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(grows_and_stays_a_string),
	    cmocka_unit_test(formats_of_every_length),
	    cmocka_unit_test(json_strings_always_parse),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
