/*
 * base/map: against a plain table, through growth and deletion.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/mem.h"

static void finds_what_was_put(void **state)
{
	struct map m = MAP_INIT;

	(void)state;
	assert_int_equal(map_get(&m, "a"), MAP_NONE);
	assert_int_equal(map_del(&m, "a"), MAP_NONE);
	assert_int_equal(map_put(&m, "a", 1), MAP_NONE);
	assert_int_equal(map_put(&m, "", 2), MAP_NONE);
	assert_int_equal(map_put(&m, "a", 3), 1);
	assert_int_equal(map_get(&m, "a"), 3);
	assert_int_equal(map_get(&m, ""), 2);
	assert_int_equal(m.n, 2);
	assert_int_equal(map_get_n(&m, "abc", 1), 3);
	assert_int_equal(map_get_n(&m, "abc", 2), MAP_NONE);
	assert_int_equal(map_get_n(&m, "abc", 0), 2);
	/* a key with a NUL in it is none that was put */
	assert_int_equal(map_get_n(&m, "a\0b", 3), MAP_NONE);
	assert_int_equal(map_del(&m, "a"), 3);
	assert_int_equal(map_get(&m, "a"), MAP_NONE);
	assert_int_equal(map_put(&m, "a", 4), MAP_NONE);
	assert_int_equal(map_get(&m, "a"), 4);
	map_free(&m);
	assert_int_equal(map_get(&m, "a"), MAP_NONE);
}

/* A thousand keys come and go in every order; after each step the map knows exactly what the table knows. */
static void agrees_with_a_table(void **state)
{
	enum { KEYS = 1000, STEPS = 100000 };
	static char keys[KEYS][16];
	static uint32_t table[KEYS];
	struct map m = MAP_INIT;
	unsigned seed = 7;
	size_t n = 0;
	int k;

	(void)state;
	for (k = 0; k < KEYS; k++) {
		snprintf(keys[k], sizeof keys[k], "key-%d", k);
		table[k] = MAP_NONE;
	}
	for (k = 0; k < STEPS; k++) {
		int i = rand_r(&seed) % KEYS;
		uint32_t was = table[i];

		if (rand_r(&seed) % 2) {
			table[i] = (uint32_t)k;
			n += was == MAP_NONE;
			assert_int_equal(map_put(&m, keys[i], (uint32_t)k), was);
		} else {
			table[i] = MAP_NONE;
			n -= was != MAP_NONE;
			assert_int_equal(map_del(&m, keys[i]), was);
		}
		assert_int_equal(m.n, n);
		i = rand_r(&seed) % KEYS;
		assert_int_equal(map_get(&m, keys[i]), table[i]);
	}
	/* deleted slots are reclaimed: the map did not grow with the steps */
	assert_true(m.cap <= 8 * KEYS);
	map_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_what_was_put),
	    cmocka_unit_test(agrees_with_a_table),
	};

	return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
