/*
 * output.h - what an action leaves in $CREEL_OUTPUT.
 *
 * Either one JSON object, or lines: key=value, and for values of several lines key<<WORD up to a line that is WORD.
 * Values of the second form are text.  Blank lines are passed over.  Source: design section 4.
 */
#ifndef CREEL_CODEC_OUTPUT_H
#define CREEL_CODEC_OUTPUT_H

#include <jansson.h>

#include "base/err.h"

/* OUTPUT_MAX: more than so many bytes stand in a file only and not in the commit.  OUTPUT_VALUES_MAX: of JSON. */
enum { OUTPUT_MAX = 8 * 1024 * 1024, OUTPUT_KEYS_MAX = 10000, OUTPUT_VALUES_MAX = 2 * 1000 * 1000 };

/* A new object, or NULL and *e says what is wrong and in which line. */
json_t *output_parse(const char *text, size_t n, struct err *e);

#endif
