/*
 * clock.h - time.  Records carry wall-clock milliseconds since the epoch, UTC; deadlines inside one process are
 * monotonic milliseconds.  The two never mix: a variable's name ends in _wall or _mono where it is not plain.
 */
#ifndef CREEL_BASE_CLOCK_H
#define CREEL_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int64_t msec; /* milliseconds */

msec clock_wall(void);
msec clock_mono(void);
int64_t clock_mono_us(void); /* microseconds, to measure with */

enum { CLOCK_TEXT = 25 }; /* "2026-11-21T03:45:00.123Z" and a NUL */

/* RFC 3339 in UTC with milliseconds.  Years 1970 to 9999; outside it is clamped. */
void clock_format(msec wall, char out[CLOCK_TEXT]);
/* The inverse; fraction of 0 to 9 digits, Z or an offset.  false if s is not such a time. */
bool clock_parse(const char *s, msec *wall);

#endif
