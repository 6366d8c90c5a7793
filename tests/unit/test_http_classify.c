/*
 * What a failure is (S0-ERR, S0-API, S0-DEF): who is asked first, every code of libcurl, every status, rate limits,
 * quirks, and what may be tried again.
 */
#include <curl/curl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actions/http/classify.h"
#include "actions/http/defaults.h"
#include "base/mem.h"

#define NOW 1795228113000LL /* 2026-11-21T02:28:33Z */

/* ---- an exchange, and what is made of it ---- */

struct given {
	const char *definition, *api; /* members; "" */
	const char *method;           /* NULL: GET */
	int curl, status;
	enum stop stop;
	const char *headers; /* "Name: value\n…" */
	const char *body;
	bool sent, renewable, renewed;
	int attempt;
};

static void add_headers(struct headers *h, const char *lines)
{
	while (lines && *lines) {
		size_t n = strcspn(lines, "\n"), colon = strcspn(lines, ":");
		AUTO_FREE char *name = xstrndup(lines, colon), *value = xstrndup(lines + colon + 2, n - colon - 2);

		headers_add(h, name, value);
		lines += n + (lines[n] == '\n');
	}
}

static json_t *verdict(const struct given *g, struct rate *rate)
{
	AUTO_FREE char *text = xasprintf("{\"attempt\": %d, \"http\": {\"api\": {\"apiId\": \"api\" %s %s}, \"definition\": {\"id\": \"d\" %s %s,"
					 "\"endpoint\": {\"url\": \"https://h/\", \"method\": \"%s\"}}}}",
					 g->attempt ? g->attempt : 1, g->api && *g->api ? "," : "", g->api ? g->api : "",
					 g->definition && *g->definition ? "," : "", g->definition ? g->definition : "",
					 g->method ? g->method : "GET");
	const struct circumstances c = {g->renewable, g->renewed};
	struct request r = {.method = g->method ? g->method : "GET", .url = xstrdup("https://h/")};
	json_t *request = json_loads(text, 0, NULL), *error;
	struct rate_clock clock;
	struct exchange x;
	struct answer a;
	struct err e;
	struct job j;

	if (!request)
		fail_msg("%s", text);
	assert_int_equal(job_read(&j, request, NULL, &e), 0);
	exchange_init(&x, "request", &r);
	x.shown_url = xstrdup("https://h/");
	x.curl = g->curl;
	x.status = g->status;
	x.stop = g->stop;
	x.sent = g->sent || g->status > 0;
	if (g->curl || g->stop)
		strcpy(x.message, g->body ? g->body : "it broke");
	add_headers(&x.reply, g->headers);
	if (g->body && !g->curl && !g->stop) {
		buf_puts(&x.body.head, g->body);
		x.body.size = x.body.head.len;
	}
	answer_read(&a, &x, j.quirks, &(struct redact){0});
	clock = rate_clock_make(&x.reply, NOW, j.limits.retry_after);
	if (exchange_complete(&x))
		rate_read(j.api, x.status, &x.reply, a.text, a.text_n, &clock, rate);
	else
		*rate = (struct rate){.limit = -1, .remaining = -1};
	error = classify(&j, &x, &a, &c, rate, &clock);
	answer_free(&a);
	exchange_free(&x, true);
	job_free(&j);
	return error;
}

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* "category code retryable", or "none". */
static char *summary(const struct given *g)
{
	struct rate rate;
	json_t *error = verdict(g, &rate);
	char *s = error ? xasprintf("%s %s %s", text_of(error, "category"), text_of(error, "code"),
				    json_is_true(json_object_get(error, "retryable")) ? "retry" : "no")
			: xstrdup("none");

	json_decref(error);
	return s;
}

#define JSON "Content-Type: application/json\n"
#define MAPPINGS                                                                                                       \
	"\"errorMappings\": [{\"status\": 403, \"pattern\": \"quota\", \"category\": \"rate_limit_daily\", \"retryable\": true},"   \
	"{\"pattern\": \"(?i)token.*expired\", \"category\": \"auth_expired\", \"retryable\": false},"                         \
	"{\"header\": {\"name\": \"X-Kind\", \"pattern\": \"^gone\"}, \"category\": \"api_endpoint_removed\", \"retryable\": false}," \
	"{\"status\": 500, \"category\": \"state_inconsistent\", \"retryable\": false, \"backoffStrategy\": \"linear\"}]"
#define KNOWN                                                                                                          \
	"\"knownErrors\": [{\"pattern\": \"no such customer\", \"category\": \"validation_failed\", \"suggestion\": \"check id\"},"   \
	"{\"pattern\": \"Couldn't|refused\", \"category\": \"state_inconsistent\", \"suggestion\": \"wake it\"}]"

static void who_is_asked_first(void **state)
{
	static const struct {
		struct given given;
		const char *want;
	} rows[] = {
	    {{.status = 200, .body = "ok"}, "none"},
	    {{.status = 299}, "none"},
	    /* the API's mappings: all that an entry has must fit, and the first that fits counts */
	    {{.status = 403, .api = MAPPINGS, .headers = JSON, .body = "{\"message\": \"quota used up\"}"}, "rate_limit_daily http:403 retry"},
	    {{.status = 403, .api = MAPPINGS, .body = "other"}, "auth_invalid http:403 no"},
	    {{.status = 400, .api = MAPPINGS, .body = "your Token has EXPIRED"}, "auth_expired http:400 no"},
	    {{.status = 403, .api = MAPPINGS, .body = "quota: token expired"}, "rate_limit_daily http:403 retry"},
	    {{.status = 418, .api = MAPPINGS, .headers = "x-kind: gone for good\n"}, "api_endpoint_removed http:418 no"},
	    {{.status = 418, .api = MAPPINGS, .headers = "x-kind: not gone\n"}, "api_unexpected_status http:418 no"},
	    {{.status = 500, .api = MAPPINGS}, "state_inconsistent http:500 no"},
	    {{.status = 500, .api = MAPPINGS, .definition = KNOWN, .body = "no such customer"}, "state_inconsistent http:500 no"},
	    {{.status = 200, .api = MAPPINGS, .body = "token expired"}, "none"},
	    {{.curl = 7, .api = "\"errorMappings\": [{\"pattern\": \"it broke\", \"category\": \"network_timeout\", \"retryable\": false}]"},
	     "network_timeout curl:7 no"},
	    /* the service's own code is kept */
	    {{.status = 422, .headers = JSON, .body = "{\"error\": {\"code\": \"E42\", \"message\": \"bad\"}}"}, "validation_failed E42 no"},
	    /* then what the definition knows */
	    {{.status = 500, .definition = KNOWN, .body = "there is no such customer here"}, "validation_failed http:500 no"},
	    {{.status = 429, .definition = KNOWN, .body = "no such customer"}, "rate_limit_burst http:429 retry"},
	    {{.curl = 7, .definition = KNOWN, .body = "Couldn't connect"}, "state_inconsistent curl:7 retry"},
	    {{.status = 200, .definition = KNOWN, .body = "no such customer"}, "none"},
	    /* a pattern with line ends, and one that is wrong */
	    {{.status = 500, .definition = "\"knownErrors\": [{\"pattern\": \"(\", \"category\": \"auth_invalid\", \"suggestion\": \"\"}]"},
	     "api_unexpected_status http:500 retry"},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		AUTO_FREE char *is = summary(&rows[k].given);

		if (strcmp(is, rows[k].want) != 0)
			fail_msg("row %zu is \"%s\", not \"%s\"", k, is, rows[k].want);
	}
}

static void suggestions_and_circumstances(void **state)
{
	const struct given known = {.status = 400, .definition = KNOWN, .body = "no such customer",
				    .headers = "X-Request-Id: r-1\nContent-Type: text/plain\n"};
	const struct given linear = {.status = 500, .api = MAPPINGS};
	struct rate rate;
	json_t *error = verdict(&known, &rate), *context = json_object_get(error, "context");

	(void)state;
	assert_string_equal(text_of(error, "suggestion"), "check id");
	assert_string_equal(text_of(error, "message"), "GET https://h/ answered 400 Bad Request: no such customer");
	assert_int_equal(json_integer_value(json_object_get(error, "statusCode")), 400);
	assert_string_equal(text_of(context, "requestId"), "r-1");
	assert_string_equal(text_of(context, "method"), "GET");
	assert_string_equal(text_of(context, "api"), "api");
	json_decref(error);
	error = verdict(&linear, &rate);
	assert_string_equal(text_of(json_object_get(error, "context"), "backoffStrategy"), "linear");
	json_decref(error);
}

/* ---- every code, every status ---- */

static void every_curl_code(void **state)
{
	int code;

	(void)state;
	for (code = 0; code < CURL_LAST; code++) {
		struct default_error d = curl_code_default(code, false);

		if (!curl_code_known(code))
			fail_msg("curl code %d has no entry in curl_codes.c", code);
		assert_in_range(d.category, 0, ERROR_CATEGORY_COUNT - 1);
		assert_non_null(d.suggestion);
	}
	assert_false(curl_code_known(-1));
	assert_false(curl_code_known(10000));
	assert_string_equal(curl_code_name(CURLE_GOT_NOTHING), "CURLE_GOT_NOTHING");
	assert_int_equal(curl_code_default(CURLE_COULDNT_RESOLVE_HOST, false).category, ERROR_NETWORK_CONNECTION_REFUSED);
	assert_int_equal(curl_code_default(CURLE_OPERATION_TIMEDOUT, false).category, ERROR_NETWORK_TIMEOUT);
	assert_int_equal(curl_code_default(CURLE_PARTIAL_FILE, true).category, ERROR_API_RESPONSE_MALFORMED);
	assert_int_equal(curl_code_default(CURLE_RECV_ERROR, false).category, ERROR_NETWORK_CONNECTION_REFUSED);
	assert_int_equal(curl_code_default(CURLE_RECV_ERROR, true).category, ERROR_API_RESPONSE_MALFORMED);
	assert_false(curl_code_default(CURLE_PEER_FAILED_VERIFICATION, false).retryable);
}

static void every_status(void **state)
{
	static const struct {
		int status;
		enum error_category category;
		bool retryable;
	} rows[] = {
	    {300, ERROR_API_UNEXPECTED_STATUS, false}, {304, ERROR_API_UNEXPECTED_STATUS, false},
	    {400, ERROR_VALIDATION_FAILED, false}, {401, ERROR_AUTH_INVALID, false}, {403, ERROR_AUTH_INVALID, false},
	    {404, ERROR_API_ENDPOINT_REMOVED, false}, {405, ERROR_API_UNEXPECTED_STATUS, false}, {408, ERROR_NETWORK_TIMEOUT, true},
	    {409, ERROR_STATE_INCONSISTENT, false}, {410, ERROR_API_ENDPOINT_REMOVED, false}, {412, ERROR_STATE_INCONSISTENT, false},
	    {413, ERROR_VALIDATION_FAILED, false}, {418, ERROR_API_UNEXPECTED_STATUS, false}, {422, ERROR_VALIDATION_FAILED, false},
	    {423, ERROR_STATE_INCONSISTENT, true}, {429, ERROR_RATE_LIMIT_BURST, true}, {440, ERROR_AUTH_EXPIRED, false},
	    {499, ERROR_API_UNEXPECTED_STATUS, false}, {500, ERROR_API_UNEXPECTED_STATUS, true},
	    {501, ERROR_API_UNEXPECTED_STATUS, false}, {502, ERROR_API_UNEXPECTED_STATUS, true},
	    {503, ERROR_API_UNEXPECTED_STATUS, true}, {504, ERROR_NETWORK_TIMEOUT, true}, {511, ERROR_AUTH_INVALID, false},
	    {521, ERROR_NETWORK_CONNECTION_REFUSED, true}, {599, ERROR_API_UNEXPECTED_STATUS, true},
	    {600, ERROR_API_RESPONSE_MALFORMED, false}, {999, ERROR_API_RESPONSE_MALFORMED, false}, {100, ERROR_API_RESPONSE_MALFORMED, false},
	};
	int status;
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		struct default_error d = status_default(rows[k].status);

		if (d.category != rows[k].category || d.retryable != rows[k].retryable)
			fail_msg("%d is %s %d", rows[k].status, error_category_name(d.category), d.retryable);
	}
	/* None of 4xx and 5xx falls through to "no status of HTTP". */
	for (status = 300; status < 600; status++)
		assert_int_not_equal(status_default(status).category, ERROR_API_RESPONSE_MALFORMED);
}

/* ---- 401 ---- */

static void unauthorized(void **state)
{
	static const struct {
		struct given given;
		const char *want;
	} rows[] = {
	    {{.status = 401}, "auth_invalid http:401 no"},
	    {{.status = 401, .body = "the key has expired"}, "auth_expired http:401 no"},
	    {{.status = 401, .headers = "WWW-Authenticate: Bearer realm=\"x\", error=\"invalid_token\"\n"}, "auth_expired http:401 no"},
	    {{.status = 401, .renewable = true}, "auth_expired http:401 retry"},
	    {{.status = 401, .renewed = true, .body = "expired"}, "auth_invalid http:401 no"},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		AUTO_FREE char *is = summary(&rows[k].given);

		if (strcmp(is, rows[k].want) != 0)
			fail_msg("row %zu is \"%s\", not \"%s\"", k, is, rows[k].want);
	}
}

/* ---- what may have been done must not be done again unasked ---- */

static void unknown_outcomes(void **state)
{
	static const struct {
		struct given given;
		const char *want, *outcome; /* NULL: none said */
	} rows[] = {
	    {{.method = "POST", .curl = 7}, "network_connection_refused curl:7 retry", NULL}, /* nothing was sent */
	    {{.method = "POST", .curl = 52, .sent = true}, "network_connection_refused curl:52 no", "unknown"},
	    {{.method = "PATCH", .curl = 28, .sent = true}, "network_timeout curl:28 no", "unknown"},
	    {{.method = "PUT", .curl = 52, .sent = true}, "network_connection_refused curl:52 retry", NULL},
	    {{.method = "DELETE", .curl = 52, .sent = true}, "network_connection_refused curl:52 retry", NULL},
	    {{.method = "GET", .curl = 18, .sent = true, .status = 200}, "api_response_malformed curl:18 retry", NULL},
	    {{.method = "POST", .curl = 18, .sent = true, .status = 200}, "api_response_malformed curl:18 no", "unknown"},
	    {{.method = "POST", .curl = 52, .sent = true, .definition = "\"retryUnsafe\": true"},
	     "network_connection_refused curl:52 retry", "unknown"},
	    {{.method = "POST", .curl = 52, .sent = true, .definition = "\"idempotencyKeyHeader\": \"Idempotency-Key\""},
	     "network_connection_refused curl:52 retry", "unknown"},
	    {{.method = "POST", .curl = 52, .sent = true, .definition = "\"idempotencyKeyHeader\": false"},
	     "network_connection_refused curl:52 no", "unknown"},
	    /* an API's entry cannot allow it where there is no answer … */
	    {{.method = "POST", .curl = 52, .sent = true,
	      .api = "\"errorMappings\": [{\"pattern\": \"broke\", \"category\": \"network_timeout\", \"retryable\": true}]"},
	     "network_timeout curl:52 no", "unknown"},
	    /* … but knows what its gateway's answer means */
	    {{.method = "POST", .status = 502}, "api_unexpected_status http:502 no", "unknown"},
	    {{.method = "POST", .status = 504}, "network_timeout http:504 no", "unknown"},
	    {{.method = "POST", .status = 502,
	      .api = "\"errorMappings\": [{\"status\": 502, \"category\": \"network_timeout\", \"retryable\": true}]"},
	     "network_timeout http:502 retry", "unknown"},
	    {{.method = "POST", .status = 503}, "api_unexpected_status http:503 retry", NULL},
	    {{.method = "POST", .status = 429}, "rate_limit_burst http:429 retry", NULL},
	    {{.method = "POST", .stop = STOP_IDLE, .sent = true, .status = 200}, "network_timeout idle_timeout no", "unknown"},
	    {{.method = "POST", .stop = STOP_REDIRECTS, .sent = true, .status = 302}, "api_unexpected_status too_many_redirects no", NULL},
	    {{.stop = STOP_ADDRESS, .api = "\"errorMappings\": [{\"category\": \"network_timeout\", \"retryable\": true}]"},
	     "validation_failed address_refused no", NULL}, /* nobody's to call otherwise */
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		AUTO_FREE char *is = summary(&rows[k].given);
		struct rate rate;
		json_t *error = verdict(&rows[k].given, &rate);
		const char *outcome = text_of(json_object_get(error, "context"), "outcome");

		if (strcmp(is, rows[k].want) != 0)
			fail_msg("row %zu is \"%s\", not \"%s\"", k, is, rows[k].want);
		if (!outcome != !rows[k].outcome || (outcome && strcmp(outcome, rows[k].outcome) != 0))
			fail_msg("row %zu: outcome %s", k, outcome ? outcome : "not said");
		json_decref(error);
	}
}

/* ---- rate limits ---- */

#define DETECTION                                                                                                      \
	"\"rateLimiting\": {\"detection\": {\"statusCodes\": [429, 509], \"headers\": [\"X-Throttled\", \"X-Left\"],"               \
	"\"bodyPatterns\": [\"slow down\"]}, \"extraction\": {\"limitHeader\": \"X-Limit\", \"remainingHeader\": \"X-Left\","       \
	"\"resetHeader\": \"X-Reset\", \"resetFormat\": \"unix_seconds\"}, \"backoffStrategy\": {"
#define RESET DETECTION "\"type\": \"respect_reset\", \"initialDelay\": 1000, \"maxDelay\": 60000}}"
#define EXPONENTIAL DETECTION "\"type\": \"exponential\", \"initialDelay\": 1000, \"maxDelay\": 60000}}"
#define LINEAR DETECTION "\"type\": \"linear\", \"initialDelay\": 1000, \"maxDelay\": 60000}}"

static void rate_limits(void **state)
{
	static const struct {
		struct given given;
		const char *want, *after; /* retryAfter, NULL: none */
		bool limited;
		int limit, remaining;
	} rows[] = {
	    {{.status = 429}, "rate_limit_burst http:429 retry", NULL, true, -1, -1},
	    {{.status = 429, .headers = "Retry-After: 30\n"}, "rate_limit_burst http:429 retry", "2026-11-21T02:29:03.000Z", true, -1, -1},
	    {{.status = 429, .headers = "Retry-After: 7200\n"}, "rate_limit_daily http:429 retry", "2026-11-21T04:28:33.000Z", true, -1, -1},
	    {{.status = 429, .body = "daily limit exceeded"}, "rate_limit_daily http:429 retry", NULL, true, -1, -1},
	    {{.status = 503, .headers = "Retry-After: Sat, 21 Nov 2026 02:29:03 GMT\n"}, "api_unexpected_status http:503 retry",
	     "2026-11-21T02:29:03.000Z", false, -1, -1},
	    /* detection: statuses, fields, patterns */
	    {{.status = 509, .api = RESET}, "rate_limit_burst http:509 retry", "2026-11-21T02:28:34.000Z", true, -1, -1},
	    {{.status = 403, .api = RESET, .headers = "X-Throttled: yes\n"}, "rate_limit_burst http:403 retry", "2026-11-21T02:28:34.000Z", true, -1, -1},
	    {{.status = 403, .api = RESET, .headers = "X-Throttled: false\n"}, "auth_invalid http:403 no", NULL, false, -1, -1},
	    {{.status = 403, .api = RESET, .headers = "X-Left: 0\n"}, "rate_limit_burst http:403 retry", "2026-11-21T02:28:34.000Z", true, -1, 0},
	    {{.status = 403, .api = RESET, .headers = "X-Left: 12\nX-Limit: 60\n"}, "auth_invalid http:403 no", NULL, false, 60, 12},
	    {{.status = 400, .api = RESET, .body = "please slow down"}, "rate_limit_burst http:400 retry", "2026-11-21T02:28:34.000Z", true, -1, -1},
	    /* extraction, also from good answers */
	    {{.status = 200, .api = RESET, .headers = "X-Left: 0\nX-Limit: 60, 60;w=60\nX-Reset: 1795228173\n"}, "none", NULL, false, 60, 0},
	    {{.status = 200, .api = RESET, .headers = "X-Left: -1\nX-Limit: none\n"}, "none", NULL, false, -1, -1},
	    /* when to come back: Retry-After, the reset, the backoff */
	    {{.status = 429, .api = RESET, .headers = "X-Reset: 1795228143\n"}, "rate_limit_burst http:429 retry", "2026-11-21T02:29:03.000Z", true, -1, -1},
	    {{.status = 429, .api = RESET, .headers = "X-Reset: 1795238143\n"}, "rate_limit_burst http:429 retry", "2026-11-21T02:29:33.000Z", true, -1, -1},
	    {{.status = 429, .api = RESET, .headers = "X-Reset: 1795228143\nRetry-After: 5\n"}, "rate_limit_burst http:429 retry", "2026-11-21T02:29:03.000Z", true, -1, -1},
	    {{.status = 429, .api = EXPONENTIAL, .headers = "X-Reset: 1795228143\nRetry-After: 5\n"}, "rate_limit_burst http:429 retry", "2026-11-21T02:28:38.000Z", true, -1, -1},
	    {{.status = 429, .api = EXPONENTIAL, .attempt = 1}, "rate_limit_burst http:429 retry", "2026-11-21T02:28:34.000Z", true, -1, -1},
	    {{.status = 429, .api = EXPONENTIAL, .attempt = 4}, "rate_limit_burst http:429 retry", "2026-11-21T02:28:41.000Z", true, -1, -1},
	    {{.status = 429, .api = EXPONENTIAL, .attempt = 10}, "rate_limit_burst http:429 retry", "2026-11-21T02:29:33.000Z", true, -1, -1},
	    {{.status = 429, .api = LINEAR, .attempt = 4}, "rate_limit_burst http:429 retry", "2026-11-21T02:28:37.000Z", true, -1, -1},
	    /* one day at most */
	    {{.status = 429, .headers = "Retry-After: 99999999\n"}, "rate_limit_daily http:429 retry", "2026-11-22T02:28:33.000Z", true, -1, -1},
	    /* a mapping that calls it so makes it one */
	    {{.status = 403, .api = MAPPINGS, .body = "quota", .headers = "Retry-After: 30\n"}, "rate_limit_daily http:403 retry",
	     "2026-11-21T02:29:03.000Z", true, -1, -1},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		AUTO_FREE char *is = summary(&rows[k].given);
		struct rate rate;
		json_t *error = verdict(&rows[k].given, &rate);
		const char *after = text_of(error, "retryAfter");

		if (strcmp(is, rows[k].want) != 0)
			fail_msg("row %zu is \"%s\", not \"%s\"", k, is, rows[k].want);
		if (!after != !rows[k].after || (after && strcmp(after, rows[k].after) != 0))
			fail_msg("row %zu: retryAfter %s", k, after ? after : "not said");
		if (rate.limited != rows[k].limited || rate.limit != rows[k].limit || rate.remaining != rows[k].remaining)
			fail_msg("row %zu: limited %d, limit %lld, remaining %lld", k, rate.limited, (long long)rate.limit,
				 (long long)rate.remaining);
		if (rate.limited && after)
			assert_true(rate.reset > NOW);
		json_decref(error);
	}
}

/* ---- quirks ---- */

#define HIDDEN "\"quirks\": {\"successWithErrorBody\": true}"
#define PROBLEM "\"quirks\": {\"successWithErrorBody\": true, \"errorContentType\": \"application/vnd.problem\"}"

static void quirks(void **state)
{
	static const struct {
		struct given given;
		const char *want;
	} rows[] = {
	    /* successWithErrorBody */
	    {{.status = 200, .headers = JSON, .body = "{\"error\": {\"code\": \"E1\", \"message\": \"no\"}}"}, "none"},
	    {{.status = 200, .api = HIDDEN, .headers = JSON, .body = "{\"error\": {\"code\": \"E1\", \"message\": \"no\"}}"}, "api_unexpected_status E1 no"},
	    {{.status = 200, .api = HIDDEN, .headers = JSON, .body = "{\"error\": null, \"errors\": [], \"x\": 1}"}, "none"},
	    {{.status = 200, .api = HIDDEN, .headers = JSON, .body = "{\"ok\": false, \"error\": \"not_authed\"}"}, "api_unexpected_status not_authed no"},
	    {{.status = 200, .api = HIDDEN, .headers = JSON, .body = "{\"ok\": true}"}, "none"},
	    {{.status = 200, .api = HIDDEN, .headers = JSON, .body = "{\"status\": \"ERROR\"}"}, "api_unexpected_status http:200 no"},
	    {{.status = 200, .api = HIDDEN ", " MAPPINGS, .body = "token expired"}, "auth_expired http:200 no"},
	    {{.status = 200, .api = HIDDEN, .definition = KNOWN, .body = "no such customer"}, "validation_failed http:200 no"},
	    {{.status = 200, .api = HIDDEN ", " RESET, .body = "slow down"}, "rate_limit_burst http:200 retry"},
	    /* errorContentType */
	    {{.status = 200, .api = PROBLEM, .headers = "Content-Type: application/vnd.problem; v=1\n", .body = "{\"code\": \"P1\"}"},
	     "api_unexpected_status P1 no"},
	    {{.status = 400, .api = PROBLEM, .headers = "Content-Type: application/vnd.problem\n", .body = "{\"code\": \"P1\"}"},
	     "validation_failed P1 no"},
	    {{.status = 400, .headers = "Content-Type: application/vnd.problem\n", .body = "{\"code\": \"P1\"}"}, "validation_failed http:400 no"},
	    /* nonStandardJsonContentType */
	    {{.status = 400, .api = "\"quirks\": {\"nonStandardJsonContentType\": \"text/json\"}", .headers = "Content-Type: text/json\n",
	      .body = "{\"code\": \"P1\"}"}, "validation_failed P1 no"},
	    {{.status = 400, .headers = "Content-Type: text/json\n", .body = "{\"code\": \"P1\"}"}, "validation_failed http:400 no"},
	    /* binaryErrorResponses: nothing in it is believed */
	    {{.status = 500, .definition = KNOWN, .body = "no such customer"}, "validation_failed http:500 no"},
	    {{.status = 500, .definition = KNOWN, .body = "no such customer", .api = "\"quirks\": {\"binaryErrorResponses\": true}"},
	     "api_unexpected_status http:500 retry"},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		AUTO_FREE char *is = summary(&rows[k].given);

		if (strcmp(is, rows[k].want) != 0)
			fail_msg("row %zu is \"%s\", not \"%s\"", k, is, rows[k].want);
	}
}

/* ---- where services put their messages ---- */

static void messages(void **state)
{
	static const struct {
		const char *type, *body, *message, *code; /* NULL: none */
	} rows[] = {
	    {"application/json", "{\"error\": {\"message\": \"m\", \"code\": 7}}", "m", "7"},
	    {"application/json", "{\"error\": \"invalid_grant\", \"error_description\": \"m\"}", "m", "invalid_grant"},
	    {"application/json", "{\"errors\": [{\"message\": \"m\", \"code\": \"c\"}]}", "m", "c"},
	    {"application/json", "{\"errors\": [\"m one\"]}", "m one", NULL},
	    {"application/json", "{\"message\": \"m\", \"errorCode\": \"c\"}", "m", "c"},
	    {"application/problem+json", "{\"type\": \"urn:x\", \"title\": \"t\", \"detail\": \"m\"}", "m", "urn:x"},
	    {"application/json", "{\"error\": \"it went wrong\"}", "it went wrong", NULL},
	    {"application/json", "\"m\"", "m", NULL},
	    {"application/json", "{\"x\": 1}", NULL, NULL},
	    {"application/json", "{broken", "{broken", NULL},
	    {"text/html", "<html><title>\n 502 Bad </title>", "502 Bad ", NULL},
	    {"text/html", "<html><p>x", NULL, NULL},
	    {"text/plain", "\n first line\nsecond", "first line", NULL},
	    {"text/plain; charset=iso-8859-1", "gr\xfc\xdf" "e", "gr\xc3\xbc\xc3\x9f" "e", NULL},
	    {"text/plain", "bad \xff\xfe byte", "bad \xef\xbf\xbd\xef\xbf\xbd byte", NULL},
	    {NULL, "{\"message\": \"m\"}", "m", NULL},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		struct exchange x = {.status = 500};
		struct answer a;

		if (rows[k].type)
			headers_add(&x.reply, "Content-Type", rows[k].type);
		buf_puts(&x.body.head, rows[k].body);
		x.body.size = x.body.head.len;
		answer_read(&a, &x, NULL, &(struct redact){0});
		if (!a.message != !rows[k].message || (a.message && strcmp(a.message, rows[k].message) != 0))
			fail_msg("%s: message \"%s\"", rows[k].body, a.message ? a.message : "none");
		if (!a.code != !rows[k].code || (a.code && strcmp(a.code, rows[k].code) != 0))
			fail_msg("%s: code \"%s\"", rows[k].body, a.code ? a.code : "none");
		answer_free(&a);
		headers_free(&x.reply);
		buf_free(&x.body.head);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_is_asked_first), cmocka_unit_test(suggestions_and_circumstances),
	    cmocka_unit_test(every_curl_code),    cmocka_unit_test(every_status),
	    cmocka_unit_test(unauthorized),       cmocka_unit_test(unknown_outcomes),
	    cmocka_unit_test(rate_limits),        cmocka_unit_test(quirks),
	    cmocka_unit_test(messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
