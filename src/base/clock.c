#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static msec read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (msec)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

msec clock_wall(void)
{
	return read_clock(CLOCK_REALTIME);
}

msec clock_mono(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_mono_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Days since 1970-01-01 of a proleptic Gregorian date (Howard Hinnant's algorithm). */
static int64_t days_from_civil(int64_t y, unsigned m, unsigned d)
{
	int64_t era;
	unsigned yoe, doy, doe;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = (unsigned)(y - era * 400);
	doy = (153 * (m + (m > 2 ? -3u : 9u)) + 2) / 5 + d - 1;
	doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return era * 146097 + (int64_t)doe - 719468;
}

static void civil_from_days(int64_t z, int *y, unsigned *m, unsigned *d)
{
	int64_t era;
	unsigned doe, yoe, doy, mp;

	z += 719468;
	era = (z >= 0 ? z : z - 146096) / 146097;
	doe = (unsigned)(z - era * 146097);
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	*d = doy - (153 * mp + 2) / 5 + 1;
	*m = mp < 10 ? mp + 3 : mp - 9;
	*y = (int)((int64_t)yoe + era * 400 + (*m <= 2));
}

static void put_digits(char *p, unsigned v, int n)
{
	while (n-- > 0) {
		p[n] = (char)('0' + v % 10);
		v /= 10;
	}
}

void clock_format(msec wall, char out[CLOCK_TEXT])
{
	const msec last = 253402300799999; /* 9999-12-31T23:59:59.999Z */
	unsigned m, d, in_day;
	int y;

	if (wall < 0)
		wall = 0;
	if (wall > last)
		wall = last;
	civil_from_days(wall / 86400000, &y, &m, &d);
	in_day = (unsigned)(wall % 86400000);
	memcpy(out, "0000-00-00T00:00:00.000Z", CLOCK_TEXT);
	put_digits(out, (unsigned)y, 4);
	put_digits(out + 5, m, 2);
	put_digits(out + 8, d, 2);
	put_digits(out + 11, in_day / 3600000, 2);
	put_digits(out + 14, in_day / 60000 % 60, 2);
	put_digits(out + 17, in_day / 1000 % 60, 2);
	put_digits(out + 20, in_day % 1000, 3);
}

static bool get_digits(const char **s, int n, unsigned *out)
{
	unsigned v = 0;

	while (n-- > 0) {
		if (**s < '0' || **s > '9')
			return false;
		v = v * 10 + (unsigned)(*(*s)++ - '0');
	}
	*out = v;
	return true;
}

static bool get_char(const char **s, const char *any)
{
	if (!**s || !strchr(any, **s))
		return false;
	(*s)++;
	return true;
}

static unsigned days_in_month(unsigned y, unsigned m)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return m == 2 && y % 4 == 0 && (y % 100 != 0 || y % 400 == 0) ? 29 : days[m - 1];
}

bool clock_parse(const char *s, msec *wall)
{
	unsigned y, mo, d, h, mi, sec, ms = 0, scale = 100, oh = 0, om = 0;
	int sign = 0;
	int n;

	if (!get_digits(&s, 4, &y) || !get_char(&s, "-") || !get_digits(&s, 2, &mo) || !get_char(&s, "-") ||
	    !get_digits(&s, 2, &d) || !get_char(&s, "Tt ") || !get_digits(&s, 2, &h) || !get_char(&s, ":") ||
	    !get_digits(&s, 2, &mi) || !get_char(&s, ":") || !get_digits(&s, 2, &sec))
		return false;
	if (mo < 1 || mo > 12 || d < 1 || d > days_in_month(y, mo) || h > 23 || mi > 59 || sec > 60)
		return false;
	if (*s == '.') {
		for (s++, n = 0; *s >= '0' && *s <= '9' && n < 9; s++, n++) {
			ms += (unsigned)(*s - '0') * scale;
			scale /= 10;
		}
		if (n == 0)
			return false;
	}
	if (*s == 'Z' || *s == 'z') {
		s++;
	} else if (*s == '+' || *s == '-') {
		sign = *s++ == '+' ? 1 : -1;
		if (!get_digits(&s, 2, &oh) || !get_char(&s, ":") || !get_digits(&s, 2, &om) || oh > 23 || om > 59)
			return false;
	} else {
		return false;
	}
	if (*s)
		return false;
	*wall = (days_from_civil(y, mo, d) * 86400 + (int64_t)h * 3600 + mi * 60 + sec -
		 sign * (int64_t)(oh * 3600 + om * 60)) * 1000 + ms;
	return true;
}
