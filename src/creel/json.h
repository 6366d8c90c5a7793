/*
 * json.h - reading the spool's JSON, leniently: what is missing or of another type reads as nothing.
 */
#ifndef CREEL_CREEL_JSON_H
#define CREEL_CREEL_JSON_H

#include <jansson.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"

/* Read and parse the file name below dir; NULL and *e if that cannot be. */
json_t *json_read(int dir, const char *name, struct err *e);

/* The text of member key, or NULL. */
const char *json_text(const json_t *o, const char *key);
/* The same, with "" for NULL. */
const char *json_text_or_empty(const json_t *o, const char *key);
long long json_number(const json_t *o, const char *key);

/* Write a value to stdout with indentation and a newline. */
void json_print(const json_t *value);
/* The same on one line. */
void json_print_line(const json_t *value);

/* Append a value for people: text as it is (escaped), all else as JSON. */
void json_put_value(struct buf *b, const json_t *value);

#endif
