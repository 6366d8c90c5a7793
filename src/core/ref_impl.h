/*
 * ref_impl.h - what the files of the reference and expression languages share.  Nobody else includes it.
 */
#ifndef CREEL_CORE_REF_IMPL_H
#define CREEL_CORE_REF_IMPL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "core/ref.h"

/* [A-Za-z0-9_-], the same in every locale. */
bool ref_name_char(char c);
/* Space, tab, CR or LF. */
bool ref_blank(char c);
/* Narrow *s, *n to what lies between the blanks around it. */
void ref_trim(const char **s, size_t *n);

enum { REF_SHOWN = 64 };
/* The n bytes at s for a message: cut after at most `most` (up to REF_SHOWN) bytes, at a character, with "…". */
const char *ref_shown(char out[REF_SHOWN + 4], const char *s, size_t n, size_t most);

/* Text cut into references and what lies between: set s and n, then call ref_next until PIECE_END. */
struct ref_cursor {
	const char *s;
	size_t n;
	size_t pos;   /* what lies before was handed out */
	size_t close; /* the first "}}" at or after where it was last looked for, so that this stays linear */
};

enum ref_piece_kind {
	PIECE_END,
	PIECE_REF,
	PIECE_BAD,    /* means to be a reference; why says what is wrong */
	PIECE_ESCAPED /* span is to stand as it is */
};

struct ref_piece {
	enum ref_piece_kind kind;
	const char *text; /* plain text before it */
	size_t ntext;
	const char *span; /* the thing itself with its brackets */
	size_t nspan;
	struct ref ref;  /* PIECE_REF; the caller frees it */
	const char *why; /* PIECE_BAD; as long-lived as ref_parse's */
};

void ref_next(struct ref_cursor *c, struct ref_piece *out);

/* Append "/key" to a JSON pointer (RFC 6901). */
void ref_pointer_add(struct buf *pointer, const char *key);

/* Append a value as text: a string as it is, a number so that it reads back equal, true, false, null as nothing,
 * arrays and objects as compact JSON.  false if it is nested deeper than REF_DEPTH. */
bool ref_put_value(struct buf *b, const json_t *value);

#endif
