/*
 * base/uuid: ORCH-001 (ids that are unique and sort by time), and the forms that are recognised.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/uuid.h"

static void version_7_grows(void **state)
{
	char last[UUID_TEXT] = "", id[UUID_TEXT];
	msec now = 1767225600123;
	int k;

	(void)state;
	for (k = 0; k < 20000; k++) {
		/* many within a millisecond, and a clock that steps back */
		uuid_v7(now + k / 5000 - (k > 10000 ? 3600000 : 0), id);
		assert_true(uuid_is_v7(id));
		assert_true(strcmp(id, last) > 0);
		strcpy(last, id);
	}
	uuid_v7(now + 3600000, id);
	assert_true(uuid_v7_time(id) == now + 3600000);
}

static void version_5_is_a_function_of_the_name(void **state)
{
	char a[UUID_TEXT], b[UUID_TEXT], c[UUID_TEXT];

	(void)state;
	uuid_v5("nightly", 7, a);
	uuid_v5("nightly", 7, b);
	uuid_v5("nightlY", 7, c);
	assert_string_equal(a, b);
	assert_string_not_equal(a, c);
	assert_true(uuid_is(a));
	assert_int_equal(a[14], '5');
	assert_non_null(strchr("89ab", a[19]));
	assert_false(uuid_is_v7(a));
}

static void what_is_a_uuid(void **state)
{
	static const char *const yes[] = {"00000000-0000-0000-0000-000000000000", "ABCDEF01-2345-6789-abcd-ef0123456789"};
	static const char *const no[] = {"", "00000000-0000-0000-0000-00000000000", "00000000-0000-0000-0000-0000000000000",
					 "00000000x0000-0000-0000-000000000000", "g0000000-0000-0000-0000-000000000000",
					 "{0000000-0000-0000-0000-000000000000", "00000000000000000000000000000000-0--"};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof yes / sizeof *yes; k++)
		assert_true(uuid_is(yes[k]));
	for (k = 0; k < sizeof no / sizeof *no; k++) {
		assert_false(uuid_is(no[k]));
		assert_false(uuid_is_v7(no[k]));
	}
	assert_true(uuid_is_v7("01890000-0000-7000-8000-00000000000a"));
	assert_false(uuid_is_v7("01890000-0000-7000-8000-00000000000A")); /* only in lower case: it becomes a path */
	assert_false(uuid_is_v7("01890000-0000-4000-8000-00000000000a"));
	assert_false(uuid_is_v7("01890000-0000-7000-c000-00000000000a"));
	assert_true(uuid_v7_time("00000000-0001-7000-8000-000000000000") == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(version_7_grows),
	    cmocka_unit_test(version_5_is_a_function_of_the_name),
	    cmocka_unit_test(what_is_a_uuid),
	};

	return cmocka_run_group_tests_name("uuid", tests, NULL, NULL);
}
