/* The names of a spool, taken apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/spool.h"

#define ID "01a1fc7b-9a04-7000-9fb3-707953140dc8"

/* EDGE-5: a result that an orphaned supervisor announces names its attempt, also that of a forEach item. */
static void announced_results(void **state)
{
	static const struct {
		const char *name, *action; /* NULL: no such name */
		uint32_t attempt;
	} rows[] = {
	    {ID ".a.1.json", "a", 1},      {ID ".a.12.json", "a", 12}, {ID ".a.3.1.json", "a.3", 1},
	    {ID ".7.2.json", "7", 2},      {ID ".a.json", NULL, 0},    {ID ".a.x.json", NULL, 0},
	    {ID ".a.1.2.3.json", NULL, 0}, {ID ".a.1", NULL, 0},       {ID "x.a.1.json", NULL, 0},
	    {ID ".a.99999999999.json", NULL, 0}, {".json", NULL, 0},   {"", NULL, 0},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		char name[SPOOL_PATH_MAX], *action = NULL;
		uint32_t attempt = 0;

		strcpy(name, rows[k].name);
		assert_int_equal(spool_split_result(name, &action, &attempt), rows[k].action != NULL);
		if (!rows[k].action)
			continue;
		assert_string_equal(name, ID);
		assert_string_equal(action, rows[k].action);
		assert_int_equal(attempt, rows[k].attempt);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(announced_results)};

	return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
