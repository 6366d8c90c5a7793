/*
 * Masking of secrets in what an action writes (design section 5): every way to cut the bytes into pieces gives what
 * masking them at once gives, and nothing of a secret is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "creel-run/mask.c"

static const struct {
	const char *secrets[4];
	const char *text, *want;
} rows[] = {
    {{NULL}, "plain", "plain"},
    {{"hunter22"}, "", ""},
    {{"hunter22"}, "nothing here", "nothing here"},
    {{"hunter22"}, "hunter22", "***"},
    {{"hunter22"}, "<hunter22>hunter22hunter22<", "<***>******<"},
    {{"hunter22"}, "hunter2", "hunter2"},
    {{"hunter22"}, "hunterhunter22hunte", "hunter***hunte"},
    {{"aaaa"}, "aaaaaa", "***"},           /* occurrences that overlap are one */
    {{"aaaa"}, "aaaabaaaa", "***b***"},
    {{"aaab"}, "aaaab", "a***"},
    {{"abcd", "abcdefgh"}, "abcdefghi abcdefg", "***i ***efg"},
    {{"abcdefgh", "abcd"}, "abcdefghi abcdefg", "***i ***efg"}, /* in whatever order they are named */
    {{"abcd", "cdef"}, "abcdef", "***"},
    {{"abcd", "cdef", "efgh"}, "xabcdefghx", "x***x"},
    {{"line1\nline2"}, "line1\nline2\n", "***\n"},
    {{"p\xc3\xa4ss"}, "p\xc3\xa4ss p\xc3ss", "*** p\xc3ss"},
};

static void feed_in_pieces(const struct mask_set *set, const char *text, size_t first, size_t second, struct buf *out)
{
	struct mask m = {.set = set};
	size_t n = strlen(text);

	mask_feed(&m, text, first, false, out);
	mask_feed(&m, text + first, second - first, false, out);
	mask_feed(&m, text + second, n - second, false, out);
	mask_feed(&m, "", 0, true, out);
	mask_free(&m);
}

static void every_cut(void **state)
{
	size_t k, first, second;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		size_t n = strlen(rows[k].text);
		struct mask_set set;

		mask_set_init(&set, (char **)(uintptr_t)rows[k].secrets);
		for (first = 0; first <= n; first++)
			for (second = first; second <= n; second++) {
				AUTO_BUF struct buf out = BUF_INIT;

				feed_in_pieces(&set, rows[k].text, first, second, &out);
				assert_string_equal(buf_str(&out), rows[k].want);
			}
	}
}

/* Random texts over few letters, in random pieces, against the definition: a byte is hidden if an occurrence covers
 * it, and what is hidden shows as stars where its first occurrence begins. */
static void by_definition(const struct mask_set *set, const char *text, size_t n, struct buf *out)
{
	size_t i, k, until = 0;

	for (i = 0; i < n; i++) {
		size_t longest = 0;

		for (k = 0; k < set->n; k++) {
			size_t length = strlen(set->values[k]);

			if (length <= n - i && length > longest && memcmp(text + i, set->values[k], length) == 0)
				longest = length;
		}
		if (longest > 0 && i >= until)
			buf_puts(out, stars);
		if (i + longest > until)
			until = i + longest;
		if (i >= until)
			buf_putc(out, text[i]);
	}
}

static void random_pieces(void **state)
{
	char one[] = "abab", two[] = "babba", three[] = "aaaaaaa", *values[] = {one, two, three, NULL};
	struct mask_set set;
	int round;

	(void)state;
	srand(1);
	mask_set_init(&set, values);
	for (round = 0; round < 20000; round++) {
		AUTO_BUF struct buf want = BUF_INIT;
		AUTO_BUF struct buf got = BUF_INIT;
		struct mask m = {.set = &set};
		char text[64];
		size_t n = (size_t)rand() % sizeof text, at, i;

		for (i = 0; i < n; i++)
			text[i] = "aab"[rand() % 3];
		by_definition(&set, text, n, &want);
		for (at = 0; at < n; at += i) {
			i = (size_t)rand() % (n - at) + 1;
			mask_feed(&m, text + at, i, false, &got);
		}
		mask_feed(&m, "", 0, true, &got);
		mask_free(&m);
		assert_int_equal(got.len, want.len);
		assert_memory_equal(buf_str(&got), buf_str(&want), want.len);
	}
}

/* What cannot become a secret any more is shown at once. */
static void nothing_waits_needlessly(void **state)
{
	char secret[] = "hunter22", *values[] = {secret, NULL};
	AUTO_BUF struct buf out = BUF_INIT;
	struct mask_set set;
	struct mask m = {.set = &set};

	(void)state;
	mask_set_init(&set, values);
	mask_feed(&m, "working\n", 8, false, &out);
	assert_string_equal(buf_str(&out), "working\n");
	mask_feed(&m, "hunter", 6, false, &out);
	assert_string_equal(buf_str(&out), "working\n");
	mask_feed(&m, "s\n", 2, false, &out);
	assert_string_equal(buf_str(&out), "working\nhunters\n");
	mask_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_cut),
	    cmocka_unit_test(random_pieces),
	    cmocka_unit_test(nothing_waits_needlessly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
