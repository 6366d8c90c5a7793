/*
 * redact.h - secrets out of everything that is recorded or given on, in whatever spelling they come back.
 *
 *   struct redact r = {0};
 *   redact_add(&r, value, n);         each secret, before the first text in which it could be
 *   redact_text(&r, p, n, SIZE_MAX, &out);
 *   redact_free(&r);
 *
 * A secret is hidden as it is, percent-encoded (either case, and with + for a blank), as JSON text (either escape of
 * what can be escaped), with HTML's entities, and inside base64 (all three alignments, both alphabets).  Each
 * occurrence becomes ***; occurrences that overlap become one.  Secrets below REDACT_MIN bytes are not hidden: they
 * would make every text unreadable.
 */
#ifndef CREEL_HTTP_REDACT_H
#define CREEL_HTTP_REDACT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/vec.h"

enum { REDACT_MIN = 4 };

struct spelling {
	char *p;
	size_t n;
};

struct redact {
	VEC(struct spelling) list;
	bool first[256]; /* bytes that a spelling begins with */
	size_t longest;
};

void redact_add(struct redact *r, const char *secret, size_t n);
/* Every text inside the value. */
void redact_add_all(struct redact *r, const json_t *value);
void redact_free(struct redact *r);

/* Append the n bytes at p, hidden; what begins at or after stop is left out (so that a cut never shows the beginning of
 * a secret).  How many occurrences were hidden. */
size_t redact_text(const struct redact *r, const char *p, size_t n, size_t stop, struct buf *out);
/* A new string; p need not end with a NUL. */
char *redact_string(const struct redact *r, const char *p, size_t n);
/* Is one of them in the text? */
bool redact_found(const struct redact *r, const char *p, size_t n);
/* Hide them in every text inside the value, names of members included: a new value. */
json_t *redact_json(const struct redact *r, const json_t *value);

/* The same for bytes that come in pieces. */
struct redact_stream {
	const struct redact *secrets;
	struct buf held; /* what may be the beginning of a secret */
	size_t covered;  /* bytes at the front of held that an occurrence hides */
	size_t hits;
};

void redact_feed(struct redact_stream *s, const char *p, size_t n, bool last, struct buf *out);
void redact_stream_free(struct redact_stream *s);

#endif
