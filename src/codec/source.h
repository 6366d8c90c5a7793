/*
 * source.h - text that a person wrote, YAML or JSON, as a value whose every node knows its place.
 *
 *   struct source s;
 *   if (!source_parse(source_form_of(name), text, n, &source_plan_limits, &s, &errors)) … refuse …
 *   … check s.root, adding findings with pointers to errors …
 *   source_place_all(&s, &errors);
 *   source_free(&s);
 *
 * YAML follows the 1.2 core schema for types, so `yes`, `on` and `1_000` are text.  Refused, with the position:
 * aliases and anchors, tags, merge keys, duplicate keys, keys that are not scalars, several documents, NaN and
 * infinities, integers beyond 64 bits, bytes that are not UTF-8, NUL; and what exceeds the limits, before memory is
 * spent on it.  A byte order mark at the start is skipped.  What is wrong with the values themselves is reported
 * for all of them; after a mistake of syntax nothing more can be said.
 *
 * A source is used by one thread at a time: its lookups build their index when first asked.
 */
#ifndef CREEL_CODEC_SOURCE_H
#define CREEL_CODEC_SOURCE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "model/diag.h"

enum source_form { SOURCE_YAML, SOURCE_JSON };

/* No key is longer than this many bytes, so that the pointers in findings have an end. */
enum { SOURCE_KEY_MAX = 1024 };

struct source_limits {
	size_t bytes; /* of text; at most 1 GiB */
	size_t nodes; /* values: scalars, arrays and objects together; keys do not count */
	size_t depth; /* of nesting: the outermost array or object is 1 deep */
};

extern const struct source_limits source_plan_limits;  /* 16 MiB, 1,000,000 nodes, 64 deep */
extern const struct source_limits source_small_limits; /* decisions and control files: 64 KiB, 1,000, 16 */

struct marks; /* the place of each node */

struct source {
	json_t *root;        /* owned; NULL for an empty document (no value, or comments only) */
	struct marks *marks; /* owned */
};

/* The form that a file's name asks for (.json is JSON, all else YAML). */
enum source_form source_form_of(const char *name);

/* Parse n bytes.  false: nothing is in *out and the reasons, with line and column, are in *errors.  An empty
 * document is no failure: the caller decides what its absence means. */
bool source_parse(enum source_form form, const char *text, size_t n, const struct source_limits *limits,
		  struct source *out, struct diags *errors);
void source_free(struct source *s);

/* Line and column (from 1; columns count code points) of the node at pointer, or of its name if key is set.  A
 * pointer to something that is not there gives the nearest place above it; false only if nothing is known. */
bool source_place(const struct source *s, const char *pointer, bool key, int *line, int *column);
/* Fill in line and column of every finding that has none, and sort. */
void source_place_all(const struct source *s, struct diags *d);

/* The text of the scalar at pointer as it was written (plain or quoted content), or NULL.  Empty text is what an
 * empty YAML value was written as.  Valid until source_free. */
const char *source_raw(const struct source *s, const char *pointer);

#endif
