/*
 * base/heap: the least first, ties by the lower id.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/heap.h"

static void gives_the_least_first(void **state)
{
	struct heap h = HEAP_INIT;
	struct heap_item item = {0, 0}, last = {INT64_MIN, 0};
	unsigned seed = 3;
	int k, n = 0;

	(void)state;
	assert_false(heap_peek(&h, &item));
	assert_false(heap_pop(&h, &item));
	for (k = 0; k < 5000; k++) {
		heap_push(&h, rand_r(&seed) % 100 - 50, (uint32_t)rand_r(&seed) % 50);
		n++;
		if (rand_r(&seed) % 4 == 0) {
			struct heap_item peeked;

			assert_true(heap_peek(&h, &peeked));
			assert_true(heap_pop(&h, &item));
			assert_int_equal(peeked.key, item.key);
			assert_int_equal(peeked.id, item.id);
			n--;
		}
	}
	for (; n > 0; n--) {
		assert_true(heap_pop(&h, &item));
		assert_true(item.key > last.key || (item.key == last.key && item.id >= last.id));
		last = item;
	}
	assert_false(heap_pop(&h, &item));
	heap_free(&h);
}

static void keeps_extreme_keys_apart(void **state)
{
	struct heap h = HEAP_INIT;
	struct heap_item item;

	(void)state;
	heap_push(&h, INT64_MAX, 1);
	heap_push(&h, INT64_MIN, UINT32_MAX);
	heap_push(&h, 0, 0);
	assert_true(heap_pop(&h, &item) && item.id == UINT32_MAX);
	assert_true(heap_pop(&h, &item) && item.id == 0);
	assert_true(heap_pop(&h, &item) && item.id == 1);
	heap_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(gives_the_least_first),
	    cmocka_unit_test(keeps_extreme_keys_apart),
	};

	return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
