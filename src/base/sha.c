#include "base/sha.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void sha256_hex(const void *p, size_t n, char out[SHA256_HEX])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char digest[32];
	size_t i;

	if (!EVP_Digest(p, n, digest, NULL, EVP_sha256(), NULL))
		abort(); /* a library without SHA-256 cannot serve */
	for (i = 0; i < sizeof digest; i++) {
		out[2 * i] = hex[digest[i] >> 4];
		out[2 * i + 1] = hex[digest[i] & 15];
	}
	out[64] = '\0';
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
