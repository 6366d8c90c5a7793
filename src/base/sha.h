/*
 * sha.h - digests, from nettle: as fast as libcrypto's for what is large, faster for what is small, and a program that
 * needs nothing else of libcrypto starts a millisecond sooner without it.
 */
#ifndef CREEL_BASE_SHA_H
#define CREEL_BASE_SHA_H

#include <stddef.h>

enum { SHA256_HEX = 65, SHA256_TAGGED = 72 };

/* "…64 hex digits…" of the n bytes at p: as sha256sum prints it, and as `checksum` has it in records. */
void sha256_hex(const void *p, size_t n, char out[SHA256_HEX]);
/* The same with "sha256:" before it: the form of `prev` and of a plan's digest. */
void sha256_tagged(const void *p, size_t n, char out[SHA256_TAGGED]);
/* The digest of what comes in parts: begin, add any number of times, and end, which gives the memory back. */
struct sha_stream;
struct sha_stream *sha_begin(void);
void sha_add(struct sha_stream *s, const void *p, size_t n);
void sha_end(struct sha_stream *s, char out[SHA256_HEX]);
/* SHA-1 of a followed by b: for UUID version 5 only. */
void sha1_two(const void *a, size_t an, const void *b, size_t bn, unsigned char out[20]);

#endif
