/*
 * describe.h - an event in words.
 */
#ifndef CREEL_CREEL_DESCRIBE_H
#define CREEL_CREEL_DESCRIBE_H

#include <jansson.h>

#include "creel/show_text.h"

/* Append one line without its end, escaped: "fetch: completed (exit 0, 1.2 s)". */
void describe(struct buf *b, const struct term *t, const json_t *event);

/* Append an error detail: message, code. */
void describe_error(struct buf *b, const json_t *error);

#endif
