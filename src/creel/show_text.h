/*
 * show_text.h - putting things into words for a terminal.
 *
 * Everything that comes from a file goes through put_safe(): control characters are escaped, so that no dropped plan
 * and no action's message can drive the reader's terminal.
 */
#ifndef CREEL_CREEL_SHOW_TEXT_H
#define CREEL_CREEL_SHOW_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"

struct term {
	bool tty;
	bool color; /* a terminal that wants colours, and no NO_COLOR */
	int columns, rows;
};

/* What stands behind this descriptor, now. */
void term_look(int fd, struct term *t);

enum tone { TONE_PLAIN, TONE_GOOD, TONE_BAD, TONE_WARN, TONE_BUSY, TONE_DIM, TONE_BOLD };

/* The escape sequence that starts a tone, and the one that ends every tone; "" without colours. */
const char *tone_on(const struct term *t, enum tone tone);
const char *tone_off(const struct term *t);
/* Of a status in S0's words. */
enum tone tone_of_status(const char *status);

/* Append text of unknown origin, escaped. */
void put_safe(struct buf *b, const char *text);
void put_safe_n(struct buf *b, const char *text, size_t n);
/* Append text in a tone. */
void put_tone(struct buf *b, const struct term *t, enum tone tone, const char *text);

/* Columns that text (already escaped, without colours) takes on a terminal. */
int text_columns(const char *text, size_t n);
/* Append at most `columns` columns of the escaped text; what does not fit ends in "…".  Returns the columns used. */
int put_clipped(struct buf *b, const char *text, int columns);
/* The same, filled up with blanks. */
void put_padded(struct buf *b, const char *text, int columns);

/* "412 ms", "4.2 s", "3 min 12 s", "2 h 03 min", "3 d 4 h". */
void put_duration(struct buf *b, msec ms);
/* "2026-11-21 05:00:01" (UTC) from a record's time; "-" if it is none. */
void put_time(struct buf *b, const char *record_time);
/* "3 min ago", "in 2 h 03 min". */
void put_ago(struct buf *b, const char *record_time);

/* "1 action", "3 actions". */
void put_count(struct buf *b, long long n, const char *one, const char *many);

/* "412 bytes", "3.4 MiB". */
void put_bytes(struct buf *b, unsigned long long n);

/* Write the buffer to f and forget it. */
void put_out(struct buf *b, FILE *f);

#endif
