/*
 * trace_text.c - an HTTP trace for people: what is asked first is where the time went and what the answer was.
 */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "creel/json.h"
#include "creel/trace_out.h"

static const json_t *header(const json_t *message, const char *wanted)
{
	const char *name;
	json_t *v;

	json_object_foreach(json_object_get(message, "headers"), name, v)
		if (strcasecmp(name, wanted) == 0)
			return v;
	return NULL;
}

static void begin_line(struct buf *b, const struct term *t, const char *what)
{
	buf_printf(b, "   %s%-10s%s ", tone_on(t, TONE_DIM), what, tone_off(t));
}

/* ---- header fields and bodies ---- */

static void put_fields(struct buf *b, const json_t *message, const char *mark)
{
	const char *name;
	json_t *v;

	json_object_foreach(json_object_get(message, "headers"), name, v) {
		buf_printf(b, "     %s ", mark);
		put_safe(b, name);
		buf_puts(b, ": ");
		json_put_value(b, v);
		buf_putc(b, '\n');
	}
}

static void put_body(struct buf *b, const json_t *message, const char *mark, bool cut)
{
	const char *body = json_text_or_empty(message, "body");

	for (; *body; body += *body == '\n') {
		size_t n = strcspn(body, "\n");

		buf_printf(b, "     %s ", mark);
		put_safe_n(b, body, n);
		buf_putc(b, '\n');
		body += n;
	}
	if (cut)
		buf_printf(b, "     %s … (the rest was not recorded)\n", mark);
}

static void put_messages(struct buf *b, const json_t *e)
{
	const json_t *request = json_object_get(e, "request"), *response = json_object_get(e, "response");

	put_fields(b, request, ">");
	put_body(b, request, ">", json_is_true(json_object_get(e, "requestBodyTruncated")));
	if (!response)
		return;
	put_fields(b, response, "<");
	put_body(b, response, "<", json_is_true(json_object_get(e, "responseBodyTruncated")));
}

/* ---- facts ---- */

static void put_ms(struct buf *b, const json_t *timings, const char *key, const char *name)
{
	double ms = json_number_value(json_object_get(timings, key));

	buf_printf(b, "%s %.*f, ", name, ms < 10 ? 1 : 0, ms);
}

/* The phases of a connection that was not made stand as 0. */
static void put_timings(struct buf *b, const struct term *t, const json_t *timings)
{
	if (!timings)
		return;
	begin_line(b, t, "times (ms)");
	put_ms(b, timings, "dns", "name");
	put_ms(b, timings, "connect", "connect");
	if (json_number_value(json_object_get(timings, "tls")) > 0)
		put_ms(b, timings, "tls", "TLS");
	put_ms(b, timings, "firstByte", "first byte after");
	put_ms(b, timings, "total", "all");
	b->len -= 2; /* the last comma */
	buf_putc(b, '\n');
}

static void put_answer(struct buf *b, const struct term *t, const json_t *e)
{
	const json_t *response = json_object_get(e, "response"), *size = json_object_get(e, "responseBodySize");
	const json_t *type = header(response, "content-type");
	long long status = json_number(response, "status");

	begin_line(b, t, "answer");
	if (!response) {
		buf_puts(b, json_object_get(e, "error") || json_object_get(e, "curl")
				? "none\n"
				: "none: the executor ended while it waited for it\n");
		return;
	}
	buf_printf(b, "%s%lld", tone_on(t, status < 300 ? TONE_GOOD : status < 400 ? TONE_PLAIN : TONE_BAD), status);
	if (json_text(response, "statusText")) {
		buf_putc(b, ' ');
		put_safe(b, json_text(response, "statusText"));
	}
	buf_puts(b, tone_off(t));
	if (json_text(e, "httpVersion")) {
		buf_puts(b, ", HTTP/");
		put_safe(b, json_text(e, "httpVersion"));
	}
	if (size) {
		buf_puts(b, ", ");
		put_bytes(b, (unsigned long long)json_integer_value(size));
	}
	if (type) {
		buf_puts(b, " of ");
		json_put_value(b, type);
	}
	buf_putc(b, '\n');
	if (status >= 300 && status < 400 && header(response, "location")) {
		begin_line(b, t, "redirect");
		buf_puts(b, "to ");
		json_put_value(b, header(response, "location"));
		buf_putc(b, '\n');
	}
}

static void put_limits(struct buf *b, const struct term *t, const json_t *rate, const json_t *response)
{
	const json_t *wait = header(response, "retry-after");
	bool limited = json_is_true(json_object_get(rate, "limited")), some = limited;

	if (!limited && json_object_size(rate) < 2 && !wait)
		return; /* it said nothing of limits */
	begin_line(b, t, "rate limit");
	if (limited)
		put_tone(b, t, TONE_WARN, "reached");
	if (json_object_get(rate, "remaining")) {
		buf_printf(b, "%s%lld left", some ? ", " : "", json_number(rate, "remaining"));
		some = true;
	}
	if (json_object_get(rate, "limit")) {
		buf_printf(b, "%s of %lld", some ? "" : "at most", json_number(rate, "limit"));
		some = true;
	}
	if (json_text(rate, "resetAt")) {
		buf_puts(b, some ? ", room again at " : "room again at ");
		put_time(b, json_text(rate, "resetAt"));
		buf_puts(b, " UTC");
		some = true;
	}
	if (wait) {
		buf_puts(b, some ? ", Retry-After: " : "Retry-After: ");
		json_put_value(b, wait);
	}
	buf_putc(b, '\n');
}

static void put_error(struct buf *b, const struct term *t, const json_t *e)
{
	const json_t *error = json_object_get(e, "error"), *curl = json_object_get(e, "curl");

	if (curl) {
		begin_line(b, t, "connection");
		put_safe(b, json_text_or_empty(curl, "message"));
		buf_printf(b, " (curl %lld)\n", json_number(curl, "code"));
	}
	if (!error)
		return;
	begin_line(b, t, "error");
	put_tone(b, t, TONE_BAD, json_text_or_empty(error, "category"));
	buf_puts(b, ": ");
	put_safe(b, json_text_or_empty(error, "message"));
	buf_puts(b, json_is_true(json_object_get(error, "retryable")) ? "; may be tried again" : "; not to be tried again");
	if (json_text(error, "retryAfter")) {
		buf_puts(b, ", from ");
		put_time(b, json_text(error, "retryAfter"));
		buf_puts(b, " UTC on");
	}
	buf_putc(b, '\n');
	if (json_text(error, "suggestion")) {
		begin_line(b, t, "suggestion");
		put_safe(b, json_text(error, "suggestion"));
		buf_putc(b, '\n');
	}
}

static void put_entry(struct buf *b, const struct term *t, const json_t *e, size_t n, bool whole)
{
	const json_t *request = json_object_get(e, "request");
	const char *kind = json_text_or_empty(e, "kind");

	buf_printf(b, "%zu  %s", n, tone_on(t, TONE_BOLD));
	put_safe(b, json_text_or_empty(request, "method"));
	buf_putc(b, ' ');
	put_safe(b, json_text_or_empty(request, "url"));
	buf_puts(b, tone_off(t));
	buf_puts(b, strcmp(kind, "token") == 0 ? " (for an access token)\n" : strcmp(kind, "redirect") == 0 ? " (redirected)\n" : "\n");
	begin_line(b, t, "sent");
	put_time(b, json_text_or_empty(e, "timestamp"));
	buf_puts(b, " UTC");
	if (json_text(e, "remoteAddress")) {
		buf_puts(b, " to ");
		put_safe(b, json_text(e, "remoteAddress"));
	}
	if (json_object_get(e, "requestBodySize")) {
		buf_puts(b, ", ");
		put_bytes(b, (unsigned long long)json_number(e, "requestBodySize"));
	}
	if (json_text(e, "api")) {
		buf_puts(b, ", API ");
		put_safe(b, json_text(e, "api"));
	}
	buf_putc(b, '\n');
	put_answer(b, t, e);
	put_timings(b, t, json_object_get(e, "timings"));
	put_limits(b, t, json_object_get(e, "rateLimit"), json_object_get(e, "response"));
	put_error(b, t, e);
	if (whole)
		put_messages(b, e);
}

void trace_text(struct buf *b, const struct term *t, const json_t *entries, bool whole)
{
	json_t *e;
	size_t k;

	json_array_foreach((json_t *)entries, k, e) {
		if (k > 0)
			buf_putc(b, '\n');
		put_entry(b, t, e, k + 1, whole);
	}
}
