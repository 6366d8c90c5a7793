#include "base/text.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"

size_t text_utf8_len(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	unsigned char lo = 0x80, hi = 0xbf;
	size_t len, i;

	if (n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (len > n)
		return 0;
	/* The second byte's range depends on the first: overlong forms, surrogates, the end of Unicode. */
	if (p[0] == 0xe0)
		lo = 0xa0;
	else if (p[0] == 0xed)
		hi = 0x9f;
	else if (p[0] == 0xf0)
		lo = 0x90;
	else if (p[0] == 0xf4)
		hi = 0x8f;
	if (p[1] < lo || p[1] > hi)
		return 0;
	for (i = 2; i < len; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return len;
}

bool text_is_utf8(const char *s, size_t n)
{
	while (n > 0) {
		size_t len = text_utf8_len(s, n);

		if (len == 0)
			return false;
		s += len;
		n -= len;
	}
	return true;
}

bool text_starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool text_ends_with(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

bool text_to_u64(const char *s, uint64_t *out)
{
	uint64_t v = 0;

	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return false;
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return false;
	}
	*out = v;
	return true;
}

enum { NEAR_MAX = 64 };

static char fold(char c)
{
	return c == '-' ? '_' : (char)tolower((unsigned char)c);
}

/* Optimal string alignment distance of two words of at most NEAR_MAX bytes. */
static unsigned distance(const char *a, size_t n, const char *b, size_t m)
{
	unsigned row[3][NEAR_MAX + 1];
	unsigned *prev2 = row[0], *prev = row[1], *cur = row[2], *spare;
	size_t i, j;

	for (j = 0; j <= m; j++) {
		prev[j] = (unsigned)j;
		prev2[j] = 0;
	}
	for (i = 1; i <= n; i++) {
		cur[0] = (unsigned)i;
		for (j = 1; j <= m; j++) {
			unsigned cost = fold(a[i - 1]) != fold(b[j - 1]);
			unsigned best = prev[j - 1] + cost;

			if (prev[j] + 1 < best)
				best = prev[j] + 1;
			if (cur[j - 1] + 1 < best)
				best = cur[j - 1] + 1;
			if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]) &&
			    prev2[j - 2] + 1 < best)
				best = prev2[j - 2] + 1;
			cur[j] = best;
		}
		spare = prev2;
		prev2 = prev;
		prev = cur;
		cur = spare;
	}
	return prev[m];
}

const char *text_nearest(const char *word, const char *const *candidates, size_t n)
{
	size_t len = strlen(word), i;
	unsigned best = len / 3 > 0 ? (unsigned)(len / 3) : 1;
	const char *found = NULL;

	if (len == 0 || len > NEAR_MAX)
		return NULL;
	for (i = 0; i < n; i++) {
		size_t m = strlen(candidates[i]);
		unsigned d;

		if (m > NEAR_MAX || m == 0 || (m > len ? m - len : len - m) > best)
			continue;
		d = distance(word, len, candidates[i], m);
		if (d < best || (d == best && !found)) {
			best = d;
			found = candidates[i];
		}
	}
	return found;
}

/* The code point of a character of len bytes if it turns the direction of what is shown around, or breaks the line;
 * else 0. */
static unsigned turns(const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;
	unsigned c = 0;

	if (len == 2)
		c = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
	else if (len == 3)
		c = (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
	return c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ? c : 0;
}

void text_escape(struct buf *b, const char *s, size_t n)
{
	size_t i = 0;

	while (i < n) {
		unsigned char c = (unsigned char)s[i];
		size_t len = text_utf8_len(s + i, n - i);
		/* U+0080 to U+009F are C1 controls: terminals obey some of them. */
		int c1 = len == 2 && c == 0xc2 && (unsigned char)s[i + 1] < 0xa0;

		if (c == '\\') {
			buf_puts(b, "\\\\");
			i++;
		} else if (turns(s + i, len)) {
			buf_printf(b, "\\u%04x", turns(s + i, len));
			i += len;
		} else if (c >= 0x20 && c != 0x7f && len > 0 && !c1) {
			buf_put(b, s + i, len);
			i += len;
		} else {
			buf_printf(b, "\\x%02x", c);
			i++;
		}
	}
}
