#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <pthread.h>

#include "base/buf.h"
#include "codec/schema_impl.h"

typedef unsigned __int128 u128;

/* 2 to the 63rd, the first double that is too large for json_int_t. */
static const double int_end = 9223372036854775808.0;

static bool is_whole(double d)
{
	return isfinite(d) && floor(d) == d;
}

unsigned schema_type_of(const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_NULL:
		return TYPE_NULL;
	case JSON_TRUE:
	case JSON_FALSE:
		return TYPE_BOOLEAN;
	case JSON_INTEGER:
		return TYPE_INTEGER | TYPE_NUMBER;
	case JSON_REAL:
		return is_whole(json_real_value(v)) ? TYPE_INTEGER | TYPE_NUMBER : TYPE_NUMBER;
	case JSON_STRING:
		return TYPE_STRING;
	case JSON_ARRAY:
		return TYPE_ARRAY;
	case JSON_OBJECT:
		return TYPE_OBJECT;
	}
	return 0;
}

/* Exact, also where the integer has more digits than a double can hold. */
static int compare_mixed(json_int_t i, double d)
{
	json_int_t whole;

	if (d >= int_end)
		return -1;
	if (d < -int_end)
		return 1;
	whole = (json_int_t)floor(d);
	if (i != whole)
		return i < whole ? -1 : 1;
	return d > (double)whole ? -1 : 0;
}

int schema_number_compare(const json_t *a, const json_t *b)
{
	double x, y;

	if (json_is_integer(a) && json_is_integer(b)) {
		json_int_t i = json_integer_value(a), j = json_integer_value(b);

		return (i > j) - (i < j);
	}
	if (json_is_integer(a))
		return compare_mixed(json_integer_value(a), json_real_value(b));
	if (json_is_integer(b))
		return -compare_mixed(json_integer_value(b), json_real_value(a));
	x = json_real_value(a);
	y = json_real_value(b);
	return (x > y) - (x < y);
}

static bool equal_objects(const json_t *a, const json_t *b)
{
	/* jansson iterates over non-const objects only; nothing is written. */
	json_t *object = (json_t *)(uintptr_t)a;
	void *i;

	if (json_object_size(a) != json_object_size(b))
		return false;
	for (i = json_object_iter(object); i; i = json_object_iter_next(object, i)) {
		const json_t *other =
		    json_object_getn(b, json_object_iter_key(i), json_object_iter_key_len(i));

		if (!other || !schema_equal(json_object_iter_value(i), other))
			return false;
	}
	return true;
}

bool schema_equal(const json_t *a, const json_t *b)
{
	size_t n, i;

	if (json_is_number(a) && json_is_number(b))
		return schema_number_compare(a, b) == 0;
	if (json_typeof(a) != json_typeof(b))
		return false;
	switch (json_typeof(a)) {
	case JSON_STRING:
		n = json_string_length(a);
		return n == json_string_length(b) &&
		       memcmp(json_string_value(a), json_string_value(b), n) == 0;
	case JSON_ARRAY:
		n = json_array_size(a);
		if (n != json_array_size(b))
			return false;
		for (i = 0; i < n; i++)
			if (!schema_equal(json_array_get(a, i), json_array_get(b, i)))
				return false;
		return true;
	case JSON_OBJECT:
		return equal_objects(a, b);
	default:
		return true;
	}
}

/* --- hashes: keyed, so that nobody can prepare elements that collide --- */

static uint64_t key;

static void make_key(void)
{
	if (getrandom(&key, sizeof key, GRND_NONBLOCK) != (ssize_t)sizeof key)
		key = (uint64_t)(uintptr_t)&key;
}

static uint64_t mix(uint64_t h)
{
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	return h ^ h >> 32;
}

static uint64_t hash_bytes(uint64_t h, const char *p, size_t n)
{
	for (; n >= 8; p += 8, n -= 8) {
		uint64_t word;

		memcpy(&word, p, 8);
		h = mix(h ^ word);
	}
	while (n-- > 0)
		h = (h ^ (unsigned char)*p++) * 0x100000001b3u;
	return mix(h);
}

static uint64_t hash_number(const json_t *v)
{
	double d;
	uint64_t bits;

	if (json_is_integer(v))
		return mix(key ^ (uint64_t)json_integer_value(v));
	d = json_real_value(v);
	if (is_whole(d) && d < int_end && d >= -int_end)
		return mix(key ^ (uint64_t)(json_int_t)d);
	memcpy(&bits, &d, sizeof bits);
	return mix(key ^ bits);
}

static uint64_t hash_at(const json_t *v, unsigned depth, bool *deep)
{
	json_t *object = (json_t *)(uintptr_t)v;
	uint64_t h;
	size_t i;
	void *m;

	switch (json_typeof(v)) {
	case JSON_INTEGER:
	case JSON_REAL:
		return hash_number(v);
	case JSON_STRING:
		return hash_bytes(key ^ 1, json_string_value(v), json_string_length(v));
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	default:
		return mix(key ^ ((uint64_t)json_typeof(v) + 1) << 56);
	}
	if (depth == 0) {
		*deep = true;
		return 0;
	}
	h = mix(key ^ ((uint64_t)json_typeof(v) + 1) << 48);
	for (i = 0; i < json_array_size(v); i++)
		h = mix(h ^ hash_at(json_array_get(v, i), depth - 1, deep));
	/* A sum: the order of members does not matter. */
	for (m = json_object_iter(object); m; m = json_object_iter_next(object, m))
		h += hash_bytes(hash_at(json_object_iter_value(m), depth - 1, deep), json_object_iter_key(m),
				json_object_iter_key_len(m));
	return h;
}

uint64_t schema_hash(const json_t *v, unsigned depth, bool *deep)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_key);
	return hash_at(v, depth, deep);
}

/* --- decimals --- */

/* The shortest digits that read back as d: what the author wrote, where that has at most 15 digits. */
static void shortest(double d, char out[40])
{
	int digits;

	for (digits = DBL_DIG; digits <= DBL_DECIMAL_DIG; digits++) {
		snprintf(out, 40, "%.*e", digits - 1, d);
		if (strtod(out, NULL) == d)
			return;
	}
}

struct decimal schema_decimal(const json_t *number)
{
	struct decimal x = {0, 0};
	char text[40], *s;
	bool fraction = false;

	if (json_is_integer(number)) {
		json_int_t i = json_integer_value(number);

		x.digits = i < 0 ? -(uint64_t)i : (uint64_t)i;
		return x;
	}
	shortest(fabs(json_real_value(number)), text);
	for (s = text; *s && *s != 'e'; s++) {
		if (*s < '0' || *s > '9') {
			fraction = true;
			continue;
		}
		x.digits = x.digits * 10 + (uint64_t)(*s - '0');
		x.exponent -= fraction;
	}
	if (*s == 'e')
		x.exponent += atoi(s + 1);
	while (x.digits > 0 && x.digits % 10 == 0) {
		x.digits /= 10;
		x.exponent++;
	}
	return x;
}

/* Decimal arithmetic, because 0.0075 is a multiple of 0.0001 for everybody but a double. */
bool schema_is_multiple(const json_t *number, struct decimal divisor)
{
	struct decimal x = schema_decimal(number);
	int shift = x.exponent - divisor.exponent;
	u128 rest;

	if (x.digits == 0)
		return true;
	if (shift < 0) {
		rest = divisor.digits;
		while (shift++ < 0) {
			rest *= 10;
			if (rest > x.digits)
				return false;
		}
		return x.digits % rest == 0;
	}
	rest = x.digits % divisor.digits;
	while (shift-- > 0 && rest > 0)
		rest = rest * 10 % divisor.digits;
	return rest == 0;
}

void schema_number_text(struct buf *b, const json_t *number)
{
	char text[40];
	double d;
	int digits;

	if (json_is_integer(number)) {
		buf_printf(b, "%" JSON_INTEGER_FORMAT, json_integer_value(number));
		return;
	}
	d = json_real_value(number);
	for (digits = DBL_DIG; digits <= DBL_DECIMAL_DIG; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, d);
		if (strtod(text, NULL) == d)
			break;
	}
	buf_puts(b, text);
	if (!strpbrk(text, ".en"))
		buf_puts(b, ".0");
}

bool schema_count(const json_t *v, size_t *out)
{
	if (json_is_integer(v) && json_integer_value(v) >= 0) {
		*out = (size_t)json_integer_value(v);
		return true;
	}
	if (json_is_real(v) && is_whole(json_real_value(v)) && json_real_value(v) >= 0 &&
	    json_real_value(v) < int_end) {
		*out = (size_t)json_real_value(v);
		return true;
	}
	return false;
}

size_t schema_code_points(const char *s, size_t n)
{
	size_t count = 0, i;

	for (i = 0; i < n; i++)
		count += ((unsigned char)s[i] & 0xc0) != 0x80;
	return count;
}
