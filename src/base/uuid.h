/*
 * uuid.h - RFC 9562 UUIDs as lower-case text.
 */
#ifndef CREEL_BASE_UUID_H
#define CREEL_BASE_UUID_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"

enum { UUID_TEXT = 37 }; /* 36 characters and a NUL */

/* Version 7 from the wall clock; within one process each is greater than the one before, also within a
 * millisecond and when the clock steps back. */
void uuid_v7(msec wall, char out[UUID_TEXT]);
/* Version 5 of name under creel's own namespace (one constant, for ever). */
void uuid_v5(const char *name, size_t n, char out[UUID_TEXT]);
/* Is s a UUID in the form 8-4-4-4-12, of any version and either case? */
bool uuid_is(const char *s);
/* Is s exactly as uuid_v7 writes them (lower case, version 7, variant 10)? */
bool uuid_is_v7(const char *s);
/* The time in a version 7 UUID. */
msec uuid_v7_time(const char *s);

#endif
