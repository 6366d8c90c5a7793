#include "actions/http/http_date.h"

#include <string.h>
#include <strings.h>
#include <time.h>

static const char *const short_days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
static const char *const long_days[] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
				     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* Each step moves *p behind what it read; one that fails makes *p NULL, and the rest of the steps does nothing. */

static int name(const char **p, const char *const *list, int n)
{
	int i;

	for (i = 0; *p && i < n; i++) {
		size_t length = strlen(list[i]);

		if (strncasecmp(*p, list[i], length) == 0) {
			*p += length;
			return i;
		}
	}
	*p = NULL;
	return 0;
}

static void literal(const char **p, const char *text)
{
	name(p, &text, 1);
}

static int digits(const char **p, int n)
{
	int value = 0;

	for (; *p && n > 0; n--, (*p)++) {
		if (**p < '0' || **p > '9') {
			*p = NULL;
			return 0;
		}
		value = value * 10 + (**p - '0');
	}
	return value;
}

static void time_of_day(const char **p, struct tm *t)
{
	t->tm_hour = digits(p, 2);
	literal(p, ":");
	t->tm_min = digits(p, 2);
	literal(p, ":");
	t->tm_sec = digits(p, 2);
}

static bool to_time(const char *end, const struct tm *t, msec *out)
{
	static const int lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	struct tm copy = *t;
	int year = t->tm_year + 1900;
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	if (!end || *end || t->tm_mday < 1 || t->tm_mday > lengths[t->tm_mon] || t->tm_hour > 23 || t->tm_min > 59 ||
	    t->tm_sec > 60 || (t->tm_mon == 1 && t->tm_mday == 29 && !leap))
		return false;
	*out = (msec)timegm(&copy) * 1000;
	return true;
}

static bool imf_fixdate(const char *p, msec *out)
{
	struct tm t = {0};

	name(&p, short_days, 7);
	literal(&p, ", ");
	t.tm_mday = digits(&p, 2);
	literal(&p, " ");
	t.tm_mon = name(&p, months, 12);
	literal(&p, " ");
	t.tm_year = digits(&p, 4) - 1900;
	literal(&p, " ");
	time_of_day(&p, &t);
	literal(&p, " GMT");
	return to_time(p, &t, out);
}

static bool asctime_date(const char *p, msec *out)
{
	struct tm t = {0};
	bool padded;

	name(&p, short_days, 7);
	literal(&p, " ");
	t.tm_mon = name(&p, months, 12);
	literal(&p, " ");
	padded = p && *p == ' ';
	if (padded)
		p++;
	t.tm_mday = digits(&p, padded ? 1 : 2);
	literal(&p, " ");
	time_of_day(&p, &t);
	literal(&p, " ");
	t.tm_year = digits(&p, 4) - 1900;
	return to_time(p, &t, out);
}

static bool rfc850_date(const char *p, msec now, msec *out)
{
	const msec fifty_years = 50 * 365250LL * 24 * 3600; /* of 365.25 days */
	struct tm t = {0};
	int century;

	name(&p, long_days, 7);
	literal(&p, ", ");
	t.tm_mday = digits(&p, 2);
	literal(&p, "-");
	t.tm_mon = name(&p, months, 12);
	literal(&p, "-");
	t.tm_year = digits(&p, 2);
	literal(&p, " ");
	time_of_day(&p, &t);
	literal(&p, " GMT");
	if (!p)
		return false;
	/* The latest date with these digits that is at most fifty years ahead. */
	for (century = 2200; century >= 1900; century -= 100) {
		struct tm in = t;

		in.tm_year = century + t.tm_year - 1900;
		if (to_time(p, &in, out) && *out <= now + fifty_years)
			return true;
	}
	return false;
}

bool http_date_parse(const char *text, msec now, msec *out)
{
	return imf_fixdate(text, out) || asctime_date(text, out) || rfc850_date(text, now, out);
}
