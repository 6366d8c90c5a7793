/*
 * pattern.h - regular expressions of definitions and APIs on text from outside, under the limits of core/expr.h.
 */
#ifndef CREEL_HTTP_PATTERN_H
#define CREEL_HTTP_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

/* Is it found in the text?  A pattern that is wrong or takes too long is said on stderr, and is not found; after three that
 * took too long no more are tried. */
bool pattern_found(const char *pattern, const char *text, size_t n);

#endif
