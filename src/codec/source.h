/*
 * source.h - text that a person wrote, YAML or JSON, as a value whose every node knows its place.
 *
 * YAML follows the 1.2 core schema for types.  Refused, with the position: aliases and anchors, tags, duplicate
 * keys, keys that are not scalars, several documents, NaN and infinities, bytes that are not UTF-8, NUL; and what
 * exceeds the limits, before memory is spent on it.
 */
#ifndef CREEL_CODEC_SOURCE_H
#define CREEL_CODEC_SOURCE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "model/diag.h"

enum source_form { SOURCE_YAML, SOURCE_JSON };

struct source_limits {
	size_t bytes; /* of text */
	size_t nodes; /* scalars, arrays and objects together */
	size_t depth; /* of nesting */
};

extern const struct source_limits source_plan_limits;  /* 16 MiB, 1,000,000 nodes, 64 deep */
extern const struct source_limits source_small_limits; /* decisions and control files: 64 KiB, 1,000, 16 */

struct marks; /* the place of each node */

struct source {
	json_t *root;        /* owned; NULL for an empty document */
	struct marks *marks; /* owned */
};

/* The form that a file's name asks for (.json is JSON, all else YAML). */
enum source_form source_form_of(const char *name);

/* Parse n bytes.  false: nothing is in *out and the reasons, with line and column, are in *errors. */
bool source_parse(enum source_form form, const char *text, size_t n, const struct source_limits *limits,
		  struct source *out, struct diags *errors);
void source_free(struct source *s);

/* Line and column (from 1; columns count code points) of the node at pointer, or of its name if key is set.  A
 * pointer to something that is not there gives the nearest place above it; false only if nothing is known. */
bool source_place(const struct source *s, const char *pointer, bool key, int *line, int *column);
/* Fill in line and column of every finding that has none, and sort. */
void source_place_all(const struct source *s, struct diags *d);

/* The text of the scalar at pointer as it was written (plain or quoted content), or NULL. */
const char *source_raw(const struct source *s, const char *pointer);

#endif
