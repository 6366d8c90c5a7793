/*
 * schema.h - JSON Schema 2020-12: is this value of that shape, and if not, what exactly is wrong?
 *
 * Ours because Debian has no C library for it; proved by the official test suite.  A schema is compiled once and
 * then checks any number of values, from any thread.  A keyword that is not implemented is an error of
 * compilation, by name: a schema is never half obeyed.
 *
 *   struct schema *s = schema_compile(root, NULL, NULL, &diags);
 *   if (!schema_check(s, value, "", &diags)) … every finding is in diags …
 *   schema_free(s);
 *
 * format and content* are annotations.  A schema may say in its own words what it wants: `x-message` stands in place
 * of the message for pattern, contains, not, and branches of which none came near, and is the suggestion with the
 * messages of the other keywords.  Other keywords that begin with x- are left alone.
 *
 * Hostile values are expected: depth and work are bounded, matches too (PCRE2's limits); a value beyond that fails
 * with a finding that says so.
 *
 * Source: https://json-schema.org/draft/2020-12/json-schema-core and -validation.
 */
#ifndef CREEL_CODEC_SCHEMA_H
#define CREEL_CODEC_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>

#include "model/diag.h"

struct schema;

/* The document at an absolute URI (without fragment) that a $ref leads to; borrowed, and must outlive the compiled
 * schema; NULL if there is none.  Nothing is ever fetched. */
typedef const json_t *(*schema_loader)(void *ctx, const char *uri);

/* Compile the document at root, which the schema keeps a reference to, and which must not change while it lives.  On
 * failure NULL, and the findings, with pointers into the schema itself, are in *errors (which may be NULL). */
struct schema *schema_compile(json_t *root, schema_loader load, void *ctx, struct diags *errors);
void schema_free(struct schema *s);

/* Check value, adding what is wrong to *out (may be NULL: the first finding ends the check).  Pointers start with
 * base.  A finding for one bad branch of anyOf/oneOf names the nearest branch's complaint. */
bool schema_check(const struct schema *s, const json_t *value, const char *base, struct diags *out);

/* How a scalar stood in its source, for the fields that want text: "1.10", "true".  NULL if it is not known. */
typedef const char *(*schema_raw_text)(void *ctx, const char *pointer);

/* Where the schema wants nothing but a string (through properties, patternProperties, additionalProperties, items,
 * allOf and $ref) and the value is a number, true, false or null, put the text as it was written in its place; the
 * order of members stays.  Pointers begin at value.  What has no known text stays as it is. */
void schema_text_fields(const struct schema *s, json_t *value, schema_raw_text raw, void *ctx);

/* A schema from schemas/ by its file's name, compiled at first use and kept; a name that is not there or a schema
 * that does not compile is our bug and aborts. */
const struct schema *schema_builtin(const char *name);

#endif
