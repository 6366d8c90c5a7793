/*
 * decode.h - content codings undone (RFC 9110 section 8.4): gzip and deflate, also one inside the other.
 *
 * Ours and not libcurl's, because libcurl (7.88) takes a compressed body that ends in the middle for a whole one.
 * What is asked for (Accept-Encoding) is what is understood here.  The sink bounds what comes out.
 */
#ifndef CREEL_HTTP_DECODE_H
#define CREEL_HTTP_DECODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define DECODE_ACCEPT "gzip, deflate"

struct decoder;

/* Takes decoded bytes; -1 and *e stops the rest. */
typedef int (*decode_sink)(void *ctx, const char *p, size_t n, struct err *e);

/* For a Content-Encoding field (NULL or "identity": bytes go through as they are).  NULL and *e (EBADMSG) for a coding
 * that was not asked for. */
struct decoder *decoder_new(const char *codings, decode_sink sink, void *ctx, struct err *e);
/* 0, or -1 with *e: EBADMSG if the bytes are wrong, else what the sink said. */
int decoder_feed(struct decoder *d, const char *p, size_t n, struct err *e);
/* All bytes were fed: is what came a whole? */
int decoder_end(struct decoder *d, struct err *e);
void decoder_free(struct decoder *d);

#endif
