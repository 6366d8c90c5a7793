#include "actions/http/ratelimit.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "actions/http/http_date.h"
#include "actions/http/pattern.h"

enum { SKEW_IGNORED = 5000 };

/* Numbers below are no points in time since 1973, so they are delays. */
#define SMALLEST_SECONDS 100000000LL
#define SMALLEST_MS 100000000000LL

struct rate_clock rate_clock_make(const struct headers *reply, msec now, msec cap)
{
	struct rate_clock c = {.now = now, .cap = cap};
	const char *date = headers_get(reply, "Date");
	msec theirs;

	if (date && http_date_parse(date, now, &theirs) && llabs(now - theirs) > SKEW_IGNORED)
		c.skew = now - theirs;
	return c;
}

static msec clamp(const struct rate_clock *c, msec until)
{
	if (until < c->now)
		return c->now;
	return until > c->now + c->cap ? c->now + c->cap : until;
}

/* Milliseconds in a decimal number of units of that many; a huge number is as good as any beyond the caps.  false
 * if the text is no such number. */
static bool decimal(const char *p, int unit, bool fraction, msec *out)
{
	const msec huge = INT64_MAX / 4;
	int scale = unit;
	msec v = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++)
		v = v > huge / 10 / unit ? huge / unit : v * 10 + (*p - '0');
	v *= unit;
	if (fraction && *p == '.')
		for (p++; *p >= '0' && *p <= '9'; p++) {
			scale /= 10;
			v += (*p - '0') * scale;
		}
	*out = v;
	return *p == '\0';
}

bool retry_after_parse(const char *value, const struct rate_clock *clock, msec *until)
{
	msec t;

	if (decimal(value, 1000, false, &t))
		*until = clamp(clock, t > clock->cap ? clock->now + clock->cap : clock->now + t);
	else if (http_date_parse(value, clock->now, &t))
		*until = clamp(clock, t + clock->skew);
	else
		return false;
	return true;
}

bool rate_reset_parse(const char *value, enum reset_format format, const struct rate_clock *clock, msec *until)
{
	bool ms = format == RESET_UNIX_MS;
	msec t;

	if (format != RESET_ISO8601 && decimal(value, ms ? 1 : 1000, true, &t)) {
		if (format == RESET_GUESS && t / 1000 >= SMALLEST_MS) {
			t /= 1000; /* so many seconds are more than three thousand years */
			ms = true;
		}
		if (t < (ms ? SMALLEST_MS : SMALLEST_SECONDS * 1000))
			t += clock->now;
		else
			t += clock->skew;
	} else if ((format == RESET_ISO8601 || format == RESET_GUESS) && clock_parse(value, &t)) {
		t += clock->skew;
	} else if (format == RESET_GUESS && http_date_parse(value, clock->now, &t)) {
		t += clock->skew;
	} else {
		return false;
	}
	*until = clamp(clock, t);
	return true;
}

/* ---- an answer ---- */

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static enum reset_format format_of(const char *name)
{
	if (name && strcmp(name, "unix_seconds") == 0)
		return RESET_UNIX_SECONDS;
	if (name && strcmp(name, "unix_ms") == 0)
		return RESET_UNIX_MS;
	return name && strcmp(name, "iso8601") == 0 ? RESET_ISO8601 : RESET_GUESS;
}

static int64_t count_of(const struct headers *reply, const char *name)
{
	const char *value = name ? headers_get(reply, name) : NULL;
	char *end;
	long long v;

	if (!value || *value < '0' || *value > '9')
		return -1;
	v = strtoll(value, &end, 10); /* a list like "60, 60;w=1" begins with the number that counts */
	return *end == '\0' || strchr(" ,;", *end) ? v : -1;
}

static void extract(const json_t *extraction, const struct headers *reply, const struct rate_clock *clock,
		    struct rate *out)
{
	const char *name = text_of(extraction, "resetHeader");
	const char *value = name ? headers_get(reply, name) : NULL;

	out->limit = count_of(reply, text_of(extraction, "limitHeader"));
	out->remaining = count_of(reply, text_of(extraction, "remainingHeader"));
	if (value && !rate_reset_parse(value, format_of(text_of(extraction, "resetFormat")), clock, &out->reset))
		out->reset = 0;
}

/* A field that counts what is left says it with 0; any other one by being there. */
static bool header_says_limited(const char *name, const struct headers *reply, const json_t *extraction)
{
	const char *value = headers_get(reply, name), *remaining = text_of(extraction, "remainingHeader");

	if (!value)
		return false;
	if (strcasestr(name, "remaining") || (remaining && strcasecmp(remaining, name) == 0))
		return count_of(reply, name) == 0;
	return strcasecmp(value, "false") != 0;
}

static bool detected(const json_t *detection, const json_t *extraction, int status, const struct headers *reply,
		     const char *text, size_t n)
{
	size_t i;
	json_t *v;

	json_array_foreach(json_object_get(detection, "statusCodes"), i, v)
		if (json_integer_value(v) == status)
			return true;
	json_array_foreach(json_object_get(detection, "bodyPatterns"), i, v)
		if (text && json_is_string(v) && pattern_found(json_string_value(v), text, n))
			return true;
	if (status < 400)
		return false; /* such fields come with every answer */
	json_array_foreach(json_object_get(detection, "headers"), i, v)
		if (json_is_string(v) && header_says_limited(json_string_value(v), reply, extraction))
			return true;
	return false;
}

void rate_read(const json_t *api, int status, const struct headers *reply, const char *text, size_t n,
	       const struct rate_clock *clock, struct rate *out)
{
	const json_t *config = json_object_get(api, "rateLimiting");
	const json_t *extraction = json_object_get(config, "extraction");
	const char *after = headers_get(reply, "Retry-After");

	*out = (struct rate){.limit = -1, .remaining = -1};
	if (config) {
		extract(extraction, reply, clock, out);
		out->limited = detected(json_object_get(config, "detection"), extraction, status, reply, text, n);
	}
	if (status == 429)
		out->limited = true;
	if (after && status >= 300 && !retry_after_parse(after, clock, &out->retry_after))
		out->retry_after = 0;
}

/* What the API's backoff gives: linear grows by the first delay each time, all else doubles. */
static msec backoff(const json_t *strategy, uint32_t attempt, msec most)
{
	msec first = json_integer_value(json_object_get(strategy, "initialDelay")), delay = first;
	const char *type = text_of(strategy, "type");
	bool linear = type && strcmp(type, "linear") == 0;
	uint32_t i;

	for (i = 1; i < attempt && delay < most; i++)
		delay += linear ? first : delay;
	return delay < most ? delay : most;
}

msec rate_retry_at(const json_t *api, const struct rate *rate, uint32_t attempt, const struct rate_clock *clock)
{
	const json_t *strategy = json_object_get(json_object_get(api, "rateLimiting"), "backoffStrategy");
	const char *type = text_of(strategy, "type");
	const json_t *max = json_object_get(strategy, "maxDelay");
	msec most = json_is_integer(max) ? json_integer_value(max) : clock->cap, at = rate->retry_after, delay;
	bool by_reset = type && strcmp(type, "respect_reset") == 0;

	if (most > clock->cap)
		most = clock->cap;
	/* The server's own demand is not cut short by what an API's entry finds long enough. */
	if (at > 0 && !(by_reset && rate->reset > at))
		return at;
	if (rate->reset > 0 && (by_reset || !type)) {
		msec reset = rate->reset < clock->now + most ? rate->reset : clock->now + most;

		return reset > at ? reset : at;
	}
	delay = strategy ? backoff(strategy, attempt, most) : 0;
	return delay > 0 ? clock->now + delay : at;
}
