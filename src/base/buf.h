/*
 * buf.h - a growable run of bytes.
 *
 * Calling sequence: `struct buf b = BUF_INIT; buf_puts(&b, "x"); … buf_free(&b);`.  The bytes are always
 * followed by a NUL that does not count in `len`, so b.p may be used as a string once something was put in
 * (buf_str() also serves an empty buffer).  Growth uses xrealloc: callers cap what outsiders can make them add.
 */
#ifndef CREEL_BASE_BUF_H
#define CREEL_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

struct buf {
	char *p;
	size_t len;
	size_t cap;
};

#define BUF_INIT {NULL, 0, 0}

void buf_reserve(struct buf *b, size_t extra);
void buf_put(struct buf *b, const void *p, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* Append s as a JSON string with its quotes.  Bytes that are not UTF-8 become U+FFFD, so the result always
 * parses (RFC 8259). */
void buf_json_string(struct buf *b, const char *s, size_t n);

/* The contents as a string, never NULL. */
const char *buf_str(const struct buf *b);

/* Hand the bytes over to the caller, who frees them; the buffer is empty afterwards. */
char *buf_steal(struct buf *b);

void buf_reset(struct buf *b); /* forget the contents, keep the memory */
void buf_free(struct buf *b);

#define AUTO_BUF __attribute__((cleanup(buf_free)))

#endif
