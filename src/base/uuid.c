#include "base/uuid.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/sha.h"

static void to_text(const unsigned char u[16], char out[UUID_TEXT])
{
	static const char hex[] = "0123456789abcdef";
	char *p = out;
	int i;

	for (i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = hex[u[i] >> 4];
		*p++ = hex[u[i] & 15];
	}
	*p = '\0';
}

void uuid_v7(msec wall, char out[UUID_TEXT])
{
	/* 48 bits of time, then 12 bits that count within one millisecond: RFC 9562 section 6.2, method 1. */
	static uint64_t last;
	unsigned char u[16];
	uint64_t stamp = (uint64_t)wall << 12;
	int i;

	if (stamp <= last)
		stamp = last + 1;
	last = stamp;
	if (getrandom(u, sizeof u, 0) != (ssize_t)sizeof u)
		memset(u, 0x5a, sizeof u); /* cannot happen once the pool is up; uniqueness still comes from `last` */
	for (i = 0; i < 6; i++)
		u[i] = (unsigned char)(stamp >> (52 - 8 * i));
	u[6] = (unsigned char)(0x70 | ((stamp >> 8) & 0x0f));
	u[7] = (unsigned char)stamp;
	u[8] = (unsigned char)(0x80 | (u[8] & 0x3f));
	to_text(u, out);
}

void uuid_v5(const char *name, size_t n, char out[UUID_TEXT])
{
	/* creel's namespace: 5c5ba32a-8d0e-5a0c-9d58-6d0f3c1e7b42 */
	static const unsigned char space[16] = {0x5c, 0x5b, 0xa3, 0x2a, 0x8d, 0x0e, 0x5a, 0x0c,
						0x9d, 0x58, 0x6d, 0x0f, 0x3c, 0x1e, 0x7b, 0x42};
	unsigned char digest[20];

	sha1_two(space, sizeof space, name, n, digest);
	digest[6] = (unsigned char)(0x50 | (digest[6] & 0x0f));
	digest[8] = (unsigned char)(0x80 | (digest[8] & 0x3f));
	to_text(digest, out);
}

bool uuid_is(const char *s)
{
	int i;

	for (i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s[i] != '-' : !isxdigit((unsigned char)s[i]))
			return false;
	}
	return s[36] == '\0';
}

bool uuid_is_v7(const char *s)
{
	int i;

	if (!uuid_is(s) || s[14] != '7' || !strchr("89ab", s[19]))
		return false;
	for (i = 0; i < 36; i++)
		if (isupper((unsigned char)s[i]))
			return false;
	return true;
}

msec uuid_v7_time(const char *s)
{
	msec t = 0;
	int i;

	for (i = 0; i < 13; i++)
		if (s[i] != '-')
			t = t * 16 + (s[i] <= '9' ? s[i] - '0' : s[i] - 'a' + 10);
	return t;
}
