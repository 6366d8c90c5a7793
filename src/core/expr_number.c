/*
 * Numbers as JSON writes them, read through jansson, which heeds no locale.
 */
#include "core/expr_impl.h"

static size_t digits(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n && s[i] >= '0' && s[i] <= '9'; i++)
		;
	return i;
}

size_t expr_number_len(const char *s, size_t n)
{
	size_t i = n > 0 && s[0] == '-', more, mark;

	more = i < n && s[i] == '0' ? 1 : digits(s + i, n - i);
	if (more == 0)
		return 0;
	i += more;
	if (i < n && s[i] == '.' && (more = digits(s + i + 1, n - i - 1)) > 0)
		i += 1 + more;
	if (i < n && (s[i] == 'e' || s[i] == 'E')) {
		mark = i + 1 + (i + 1 < n && (s[i + 1] == '+' || s[i + 1] == '-'));
		more = digits(s + mark, n - mark);
		if (more > 0)
			i = mark + more;
	}
	return i;
}

json_t *expr_number(const char *s, size_t n)
{
	json_t *v;

	/* More digits than that are text that happens to have no letters. */
	if (n == 0 || n > 400 || expr_number_len(s, n) != n)
		return NULL;
	v = json_loadb(s, n, JSON_DECODE_ANY, NULL);
	return v ? v : json_loadb(s, n, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
}
