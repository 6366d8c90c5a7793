/*
 * http_date.h - the three forms of a date in HTTP (RFC 9110 section 5.6.7), and nothing else.
 *
 *   Sun, 06 Nov 1994 08:49:37 GMT     IMF-fixdate
 *   Sunday, 06-Nov-94 08:49:37 GMT    RFC 850: two digits of the year
 *   Sun Nov  6 08:49:37 1994          asctime
 *
 * Names may be in any case, as caches take them.  The day of the week must be one, but need not be the right one.
 */
#ifndef CREEL_HTTP_HTTP_DATE_H
#define CREEL_HTTP_HTTP_DATE_H

#include <stdbool.h>

#include "base/clock.h"

/* now decides on the century of two digits: a date more than 50 years ahead is taken for the past. */
bool http_date_parse(const char *text, msec now, msec *out);

#endif
