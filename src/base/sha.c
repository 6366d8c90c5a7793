#include "base/sha.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

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
	unsigned char digest[32];

	if (!EVP_Digest(p, n, digest, NULL, EVP_sha256(), NULL))
		abort(); /* a library without SHA-256 cannot serve */
	to_hex(digest, out);
}

struct sha_stream {
	EVP_MD_CTX *ctx;
};

struct sha_stream *sha_begin(void)
{
	struct sha_stream *s = xmalloc(sizeof *s);

	s->ctx = EVP_MD_CTX_new();
	if (!s->ctx || !EVP_DigestInit_ex(s->ctx, EVP_sha256(), NULL))
		abort();
	return s;
}

void sha_add(struct sha_stream *s, const void *p, size_t n)
{
	if (!EVP_DigestUpdate(s->ctx, p, n))
		abort();
}

void sha_end(struct sha_stream *s, char out[SHA256_HEX])
{
	unsigned char digest[32];

	if (!EVP_DigestFinal_ex(s->ctx, digest, NULL))
		abort();
	to_hex(digest, out);
	EVP_MD_CTX_free(s->ctx);
	free(s);
}

void sha256_tagged(const void *p, size_t n, char out[SHA256_TAGGED])
{
	memcpy(out, "sha256:", 7);
	sha256_hex(p, n, out + 7);
}

void sha1_two(const void *a, size_t an, const void *b, size_t bn, unsigned char out[20])
{
	unsigned char *both = xmalloc(an + bn);

	memcpy(both, a, an);
	memcpy(both + an, b, bn);
	if (!EVP_Digest(both, an + bn, out, NULL, EVP_sha1(), NULL))
		abort();
	free(both);
}
