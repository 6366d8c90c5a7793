/*
 * content.h - media types: what a body is, by its Content-Type field.
 */
#ifndef CREEL_HTTP_CONTENT_H
#define CREEL_HTTP_CONTENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum content {
	CONTENT_JSON,
	CONTENT_TEXT,
	CONTENT_BINARY,
	CONTENT_UNSAID /* no field */
};

struct content_type {
	char type[128];   /* "application/json", in lower case; empty if there is none */
	char charset[40]; /* in lower case; empty if there is none */
};

struct content_type content_type_parse(const char *field);
/* api_json: a further type that means JSON (quirks.nonStandardJsonContentType), or NULL. */
enum content content_of(const struct content_type *t, const char *api_json);
/* Does the field name the same type as wanted, whatever its parameters? */
bool content_type_is(const struct content_type *t, const char *wanted);

/* Text in UTF-8: the n bytes, from the charset if they are in another one.  NULL and *e if they are not in it, or have a
 * NUL among them.  The caller frees it; *out_n is its length. */
char *content_to_utf8(const struct content_type *t, const char *p, size_t n, size_t *out_n, struct err *e);

/* A JSON value of any kind from bytes (a byte order mark is skipped).  NULL and *e says what is wrong where; its code is
 * ERANGE if it is JSON, but with NUL in a text or a number that takes more than 64 bits, which outputs cannot have. */
json_t *content_json(const char *p, size_t n, struct err *e);

#endif
