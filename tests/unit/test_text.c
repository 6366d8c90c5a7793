/*
 * base/text: UTF-8, numbers, likeness, and what a terminal may be shown (design section 5).
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
#include "base/text.h"

static void utf8_is_what_rfc_3629_says(void **state)
{
	static const struct {
		const char *bytes;
		size_t len; /* of the first character; 0: it is none */
	} cases[] = {
	    {"a", 1}, {"\x7f", 1}, {"\xc2\x80", 2}, {"\xdf\xbf", 2}, {"\xe0\xa0\x80", 3}, {"\xed\x9f\xbf", 3}, {"\xee\x80\x80", 3},
	    {"\xef\xbf\xbf", 3}, {"\xf0\x90\x80\x80", 4}, {"\xf4\x8f\xbf\xbf", 4},
	    {"\x80", 0}, {"\xbf", 0}, {"\xc0\x80", 0}, {"\xc1\xbf", 0}, {"\xc2", 0}, {"\xc2\x41", 0}, {"\xe0\x9f\xbf", 0}, {"\xe0\xa0", 0},
	    {"\xed\xa0\x80", 0}, {"\xed\xbf\xbf", 0}, {"\xf0\x8f\xbf\xbf", 0}, {"\xf4\x90\x80\x80", 0}, {"\xf5\x80\x80\x80", 0},
	    {"\xf8\x88\x80\x80\x80", 0}, {"\xff", 0}, {"\xf0\x90\x80", 0}, {"\xe2\x82\x28", 0},
	};
	size_t k;

	(void)state;
	assert_int_equal(text_utf8_len("a", 0), 0);
	assert_int_equal(text_utf8_len("\0", 1), 1);
	for (k = 0; k < sizeof cases / sizeof *cases; k++) {
		assert_int_equal(text_utf8_len(cases[k].bytes, strlen(cases[k].bytes)), cases[k].len);
		assert_int_equal(text_is_utf8(cases[k].bytes, strlen(cases[k].bytes)), cases[k].len > 0);
	}
	assert_true(text_is_utf8("", 0));
	assert_true(text_is_utf8("na\xc3\xafve", 6));
	assert_false(text_is_utf8("na\xc3\xafve\xc3", 7));
}

static void beginnings_and_ends(void **state)
{
	(void)state;
	assert_true(text_starts_with("abc", "") && text_starts_with("abc", "abc") && !text_starts_with("ab", "abc"));
	assert_true(text_ends_with("abc", "") && text_ends_with("abc", "bc") && !text_ends_with("bc", "abc"));
}

static void numbers(void **state)
{
	static const char *const bad[] = {"", " 1", "1 ", "+1", "-1", "1.0", "0x1", "18446744073709551616", "99999999999999999999"};
	uint64_t v;
	size_t k;

	(void)state;
	assert_true(text_to_u64("0", &v) && v == 0);
	assert_true(text_to_u64("007", &v) && v == 7);
	assert_true(text_to_u64("18446744073709551615", &v) && v == UINT64_MAX);
	v = 5;
	for (k = 0; k < sizeof bad / sizeof *bad; k++)
		assert_false(text_to_u64(bad[k], &v));
	assert_int_equal(v, 5);
}

/* EDGE-2: "did you mean". */
static void likeness(void **state)
{
	static const char *const ids[] = {"fetch", "render", "publish", "check_all", "b", "dependencies"};
	static const struct {
		const char *word, *means;
	} cases[] = {
	    {"fetch", "fetch"}, {"fecth", "fetch"}, {"Fetch", "fetch"}, {"feth", "fetch"}, {"fetchh", "fetch"}, {"check-all", "check_all"},
	    {"dependancies", "dependencies"}, {"dependson", NULL}, {"xyz", NULL}, {"", NULL}, {"a", "b"}, {"pubish", "publish"}, {"renderer", "render"},
	};
	char lengthy[200];
	size_t k;

	(void)state;
	for (k = 0; k < sizeof cases / sizeof *cases; k++) {
		const char *got = text_nearest(cases[k].word, ids, sizeof ids / sizeof *ids);

		if ((got && cases[k].means ? strcmp(got, cases[k].means) != 0 : got != cases[k].means))
			fail_msg("%s: %s", cases[k].word, got ? got : "nothing");
	}
	memset(lengthy, 'f', sizeof lengthy - 1);
	lengthy[sizeof lengthy - 1] = '\0';
	assert_null(text_nearest(lengthy, ids, 6));
	assert_null(text_nearest("fetch", ids, 0));
}

static void terminals_are_not_driven(void **state)
{
	static const struct {
		const char *raw, *shown;
	} cases[] = {
	    {"plain", "plain"}, {"na\xc3\xafve", "na\xc3\xafve"}, {"\x1b[2J", "\\x1b[2J"}, {"a\nb\tc", "a\\x0ab\\x09c"}, {"\x7f", "\\x7f"},
	    {"\xc2\x9b", "\\xc2\\x9b"}, {"\xc2\xa0", "\xc2\xa0"}, {"\xff", "\\xff"}, {"a\\b", "a\\\\b"}, {"\xe2\x82", "\\xe2\\x82"},
	    {"\xe2\x80\xaegpj", "\\u202egpj"}, {"\xd8\x9c\xe2\x81\xa6", "\\u061c\\u2066"}, {"\xe2\x80\xa8", "\\u2028"},
	    {"\xe2\x80\x93\xd7\x90", "\xe2\x80\x93\xd7\x90"}, /* a dash, and a letter that is written from the right */
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof cases / sizeof *cases; k++) {
		AUTO_BUF struct buf b = BUF_INIT;

		text_escape(&b, cases[k].raw, strlen(cases[k].raw));
		assert_string_equal(buf_str(&b), cases[k].shown);
	}
	{
		AUTO_BUF struct buf b = BUF_INIT;

		text_escape(&b, "a\0b", 3);
		assert_string_equal(buf_str(&b), "a\\x00b");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(utf8_is_what_rfc_3629_says),
	    cmocka_unit_test(beginnings_and_ends),
	    cmocka_unit_test(numbers),
	    cmocka_unit_test(likeness),
	    cmocka_unit_test(terminals_are_not_driven),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
