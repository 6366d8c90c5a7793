/*
 * template.h - text with {param} in it, and how a value is written where it stands.
 *
 * A placeholder is a brace, a name ([A-Za-z_][A-Za-z0-9_.-]*), a brace; every other brace is text.  What a value may
 * not be in its place is refused and never repaired: it came from somewhere else, and might be meant to lead the
 * request somewhere else.
 */
#ifndef CREEL_HTTP_TEMPLATE_H
#define CREEL_HTTP_TEMPLATE_H

#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum template_place {
	PLACE_HOST,      /* letters, digits, dot, hyphen; or refused */
	PLACE_PATH,      /* all but unreserved characters percent-encoded, so / too */
	PLACE_QUERY,     /* the same */
	PLACE_FORM,      /* the same, but + for a blank */
	PLACE_HEADER,    /* as it is; control characters are refused */
	PLACE_TEXT,      /* as it is */
	PLACE_XML,       /* with entities */
	PLACE_JSON,      /* as a JSON value */
	PLACE_JSON_TEXT  /* between the quotes of a JSON text */
};

struct template_values {
	const json_t *inputs;
	json_t *used; /* an object: each name that was used becomes a member */
};

enum template_result { TEMPLATE_DONE, TEMPLATE_MISSING, TEMPLATE_BAD };

/* Append the n bytes of text with the values in place.  TEMPLATE_MISSING: an input is absent or null; TEMPLATE_BAD: a
 * value cannot stand there; *e says which and why, and out is as it was. */
enum template_result template_expand(const char *text, size_t n, enum template_place place,
				     const struct template_values *values, struct buf *out, struct err *e);

/* The name, if text is nothing but one placeholder; else NULL.  The caller frees it. */
char *template_whole(const char *text, size_t n);
/* Note the name as used and return its value, or NULL if it is absent or null. */
const json_t *template_value(const struct template_values *values, const char *name);

/* A scalar as text: NULL for arrays, objects and null.  The caller frees it. */
char *template_text(const json_t *value);
/* One value, written for its place; -1 and *e if it cannot stand there.  name is for the message. */
int template_put(struct buf *out, enum template_place place, const char *name, const json_t *value, struct err *e);
/* Bytes, percent-encoded but for unreserved characters; in PLACE_FORM with + for a blank. */
void template_percent(struct buf *out, enum template_place place, const char *p, size_t n);

#endif
