/*
 * json_text.h - JSON as others are to read it: numbers in the fewest digits that give the same number back.
 *
 * jansson writes 19.99 as 19.989999999999998, which is the same to whoever reads it as a double, and wrong to whoever
 * reads it as a decimal, as those do who count money.
 */
#ifndef CREEL_HTTP_JSON_TEXT_H
#define CREEL_HTTP_JSON_TEXT_H

#include <jansson.h>

#include "base/buf.h"

/* Append the value, compact, its members in their order. */
void json_text_put(struct buf *out, const json_t *value);

#endif
