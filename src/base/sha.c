#include "base/sha.h"

#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct sha_stream {
	struct sha256_ctx state;
};

static void to_hex(const unsigned char digest[32], char out[SHA256_HEX])
{
	static const char hex[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < 32; i++) {
		out[2 * i] = hex[digest[i] >> 4];
		out[2 * i + 1] = hex[digest[i] & 15];
	}
	out[64] = '\0';
}

void sha256_hex(const void *p, size_t n, char out[SHA256_HEX])
{
	struct sha256_ctx state;
	unsigned char digest[SHA256_DIGEST_SIZE];

	sha256_init(&state);
	sha256_update(&state, n, p);
	sha256_digest(&state, sizeof digest, digest);
	to_hex(digest, out);
}

struct sha_stream *sha_begin(void)
{
	struct sha_stream *s = xmalloc(sizeof *s);

	sha256_init(&s->state);
	return s;
}

void sha_add(struct sha_stream *s, const void *p, size_t n)
{
	sha256_update(&s->state, n, p);
}

void sha_end(struct sha_stream *s, char out[SHA256_HEX])
{
	unsigned char digest[SHA256_DIGEST_SIZE];

	sha256_digest(&s->state, sizeof digest, digest);
	to_hex(digest, out);
	free(s);
}

void sha256_tagged(const void *p, size_t n, char out[SHA256_TAGGED])
{
	memcpy(out, "sha256:", 7);
	sha256_hex(p, n, out + 7);
}

void sha1_two(const void *a, size_t an, const void *b, size_t bn, unsigned char out[20])
{
	struct sha1_ctx state;

	sha1_init(&state);
	sha1_update(&state, an, a);
	sha1_update(&state, bn, b);
	sha1_digest(&state, SHA1_DIGEST_SIZE, out);
}
