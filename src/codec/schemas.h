/*
 * schemas.h - the text of every file in schemas/, compiled in.
 */
#ifndef CREEL_CODEC_SCHEMAS_H
#define CREEL_CODEC_SCHEMAS_H

#include <stddef.h>

/* The $id of each is this and its name. */
#define SCHEMA_ID_PREFIX "urn:creel:schema:"

struct schema_text {
	const char *name; /* the file's name without ".schema.json" */
	const char *text;
};

/* Ends with an entry whose name is NULL. */
extern const struct schema_text schema_texts[];

#endif
