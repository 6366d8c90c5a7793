/*
 * text.h - small facts about text: UTF-8, numbers, likeness, and what may be shown on a terminal.
 */
#ifndef CREEL_BASE_TEXT_H
#define CREEL_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/* Length in bytes of the well-formed UTF-8 sequence at s (1 to 4), or 0 if there is none within n bytes
 * (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF). */
size_t text_utf8_len(const char *s, size_t n);
bool text_is_utf8(const char *s, size_t n);

bool text_starts_with(const char *s, const char *prefix);
bool text_ends_with(const char *s, const char *suffix);

/* Decimal digits only, the whole string; false on anything else or overflow. */
bool text_to_u64(const char *s, uint64_t *out);

/* Among the n candidates the one that `word` most likely meant, or NULL when none is near: edit distance with
 * transpositions, ignoring case and - against _, at most a third of the word's length (at least one). */
const char *text_nearest(const char *word, const char *const *candidates, size_t n);

/* Append s to b for a terminal or a log: control characters, DEL, C1 controls and bytes that are not UTF-8 are
 * written as \xNN, and what changes the direction or the line as \uNNNN, so that no dropped file can drive the
 * operator's terminal, nor make one name look like another. */
void text_escape(struct buf *b, const char *s, size_t n);

#endif
