/*
 * source_core.c - the types of plain YAML scalars: YAML 1.2.2 section 10.3.2, the core schema.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/source_marks.h"

static bool one_of(const char *s, const char *a, const char *b, const char *c)
{
	return strcmp(s, a) == 0 || strcmp(s, b) == 0 || strcmp(s, c) == 0;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

static bool all_digits(const char *s, int base)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (digit_of(*s) >= base)
			return false;
	return true;
}

static enum core_result integer(const char *digits, int base, bool negative, json_t **value)
{
	json_int_t v = 0;

	for (; *digits; digits++) {
		json_int_t d = digit_of(*digits);

		if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, negative ? -d : d, &v))
			return CORE_TOO_BIG;
	}
	*value = json_integer(v);
	return CORE_OK;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_float(const char *s)
{
	size_t before, after = 0;

	s += *s == '-' || *s == '+';
	before = strspn(s, "0123456789");
	s += before;
	if (*s == '.') {
		s++;
		after = strspn(s, "0123456789");
		s += after;
	}
	if (before + after == 0)
		return false;
	if (*s != 'e' && *s != 'E')
		return *s == '\0';
	s++;
	s += *s == '-' || *s == '+';
	return all_digits(s, 10);
}

/* No program of creel sets a locale, so strtod takes the point. */
static enum core_result real(const char *s, json_t **value)
{
	double v = strtod(s, NULL);

	if (!isfinite(v))
		return CORE_TOO_BIG;
	*value = json_real(v);
	return CORE_OK;
}

enum core_result core_resolve(const char *s, size_t n, json_t **value)
{
	const char *digits = s + (*s == '-' || *s == '+');

	if (n == 0 || strcmp(s, "~") == 0 || one_of(s, "null", "Null", "NULL"))
		*value = json_null();
	else if (one_of(s, "true", "True", "TRUE"))
		*value = json_true();
	else if (one_of(s, "false", "False", "FALSE"))
		*value = json_false();
	else if (all_digits(digits, 10))
		return integer(digits, 10, *s == '-', value);
	else if (strncmp(s, "0o", 2) == 0 && all_digits(s + 2, 8))
		return integer(s + 2, 8, false, value);
	else if (strncmp(s, "0x", 2) == 0 && all_digits(s + 2, 16))
		return integer(s + 2, 16, false, value);
	else if (is_float(s))
		return real(s, value);
	else if (one_of(digits, ".inf", ".Inf", ".INF") || one_of(s, ".nan", ".NaN", ".NAN"))
		return CORE_NOT_FINITE;
	else
		*value = json_stringn_nocheck(s, n);
	return CORE_OK;
}
