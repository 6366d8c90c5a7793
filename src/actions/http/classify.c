#include "actions/http/classify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/http/defaults.h"
#include "actions/http/pattern.h"
#include "base/mem.h"

enum { DAILY_MS = 3600 * 1000 };

struct verdict {
	enum error_category category;
	bool retryable;
	bool explicit;            /* the API's entry says whether it may be tried again */
	const char *suggestion;   /* or NULL */
	const char *backoff;      /* of the mapping, or NULL */
};

struct failure {
	const struct job *job;
	const struct exchange *x;
	const struct answer *a;
	const char *says; /* the message of the service, of libcurl, or ours; NULL */
};

static bool is_status(const struct failure *f)
{
	return exchange_complete(f->x);
}

/* ---- 1 and 3: what others know ---- */

static bool says(const struct failure *f, const char *pattern)
{
	if (f->says && pattern_found(pattern, f->says, strlen(f->says)))
		return true;
	return is_status(f) && f->a->text && pattern_found(pattern, f->a->text, f->a->text_n);
}

static bool header_fits(const struct failure *f, const json_t *header)
{
	const char *name = job_text(header, "name"), *pattern = job_text(header, "pattern");
	const char *value = name && is_status(f) ? headers_get(&f->x->reply, name) : NULL;

	return value && (!pattern || pattern_found(pattern, value, strlen(value)));
}

static bool mapping_fits(const struct failure *f, const json_t *mapping)
{
	const json_t *status = json_object_get(mapping, "status"), *header = json_object_get(mapping, "header");
	const char *pattern = job_text(mapping, "pattern");

	if (status && !(is_status(f) && json_integer_value(status) == f->x->status))
		return false;
	if (json_is_object(header) && !header_fits(f, header))
		return false;
	return !pattern || says(f, pattern);
}

static bool category_in(const json_t *entry, enum error_category *out)
{
	const char *name = job_text(entry, "category");
	int c = name ? error_category_parse(name) : -1;

	if (c >= 0)
		*out = (enum error_category)c;
	return c >= 0;
}

static bool by_mapping(const struct failure *f, struct verdict *v)
{
	json_t *mapping;
	size_t i;

	json_array_foreach(json_object_get(f->job->api, "errorMappings"), i, mapping) {
		if (!mapping_fits(f, mapping) || !category_in(mapping, &v->category))
			continue;
		v->explicit = json_is_boolean(json_object_get(mapping, "retryable"));
		v->retryable = job_flag(mapping, "retryable", category_retryable(v->category));
		v->backoff = job_text(mapping, "backoffStrategy");
		return true;
	}
	return false;
}

static bool by_known_error(const struct failure *f, struct verdict *v)
{
	json_t *known;
	size_t i;

	json_array_foreach(json_object_get(f->job->definition, "knownErrors"), i, known) {
		const char *pattern = job_text(known, "pattern");

		if (!pattern || !says(f, pattern) || !category_in(known, &v->category))
			continue;
		v->suggestion = job_text(known, "suggestion");
		v->retryable = category_retryable(v->category);
		return true;
	}
	return false;
}

/* ---- 2: asked too much ---- */

static bool by_rate(const struct failure *f, const struct rate *rate, msec until, msec now, struct verdict *v)
{
	if (!rate->limited)
		return false;
	*v = (struct verdict){.category = ERROR_RATE_LIMIT_BURST, .retryable = true,
			      .suggestion = status_default(429).suggestion};
	if (until - now > DAILY_MS || says(f, "(?i)\\b(daily|per day|24 ?h(ours)?)\\b"))
		v->category = ERROR_RATE_LIMIT_DAILY;
	return true;
}

/* ---- 4: defaults ---- */

static bool says_expired(const struct failure *f)
{
	const char *challenge = headers_get(&f->x->reply, "WWW-Authenticate");

	return says(f, "(?i)\\bexpired\\b") ||
	       (challenge && pattern_found("(?i)\\bexpired\\b|error=\"?invalid_token", challenge, strlen(challenge)));
}

static void unauthorized(const struct failure *f, const struct circumstances *c, struct verdict *v)
{
	if (c->renewed) {
		v->suggestion = "the renewed credentials are refused too: check what they may do";
	} else if (c->renewable || says_expired(f)) {
		v->category = ERROR_AUTH_EXPIRED;
		v->retryable = c->renewable;
		v->suggestion = c->renewable ? NULL : "renew the token or key that the definition's authentication names";
	}
}

static void by_default(const struct failure *f, const struct circumstances *c, struct verdict *v)
{
	const struct exchange *x = f->x;
	struct default_error d;

	if (x->stop != STOP_NONE)
		d = stop_default(x->stop);
	else if (x->curl != 0)
		d = curl_code_default(x->curl, x->status > 0 && !x->os_error);
	else
		d = status_default(x->status);
	*v = (struct verdict){.category = d.category, .retryable = d.retryable, .suggestion = d.suggestion};
	if (is_status(f) && x->status == 401)
		unauthorized(f, c, v);
}

/* ---- the error ---- */

static bool is_unsafe_method(const char *method)
{
	return strcmp(method, "POST") == 0 || strcmp(method, "PATCH") == 0;
}

/* The server may have done what was asked, and nothing tells. */
static bool outcome_unknown(const struct exchange *x)
{
	/* A redirect was an answer: it was not done there.  And asking for a token twice does no harm. */
	if (!is_unsafe_method(x->request.method) || x->stop == STOP_URL || x->stop == STOP_REDIRECTS ||
	    strcmp(x->kind, "token") == 0)
		return false;
	return exchange_complete(x) ? status_is_unknown_outcome(x->status) : x->sent;
}

static void set_text(json_t *error, const char *key, const char *value)
{
	if (value && *value)
		error_set_context(error, key, value);
}

static void add_circumstances(json_t *error, const struct job *j, const struct exchange *x)
{
	static const char *const ids[] = {"X-Request-Id", "Request-Id", "X-Correlation-Id", "X-Amzn-RequestId", "CF-Ray"};
	size_t i;

	set_text(error, "method", x->request.method);
	set_text(error, "url", x->shown_url);
	set_text(error, "api", j->api_id);
	set_text(error, "remoteAddress", x->remote);
	for (i = 0; i < sizeof ids / sizeof *ids; i++)
		if (headers_get(&x->reply, ids[i])) {
			set_text(error, "requestId", headers_get(&x->reply, ids[i]));
			break;
		}
	if (strcmp(x->kind, "request") != 0)
		set_text(error, "kind", x->kind);
	if (x->status >= 200)
		json_object_set_new(error, "statusCode", json_integer(x->status));
}

static json_t *status_error(const struct failure *f, const struct verdict *v)
{
	const struct exchange *x = f->x;
	const char *phrase = *x->reason ? x->reason : status_phrase(x->status);
	AUTO_FREE char *code = f->a->code ? xstrdup(f->a->code) : xasprintf("http:%d", x->status);
	AUTO_FREE char *message = xstrdup(f->says ? f->says : "");
	json_t *error;

	answer_shorten(message);
	error = error_new(v->category, v->retryable, "%s %s answered %d%s%s%s%s", x->request.method, x->shown_url,
				  x->status, *phrase ? " " : "", phrase, *message ? ": " : "", message);

	error_set_code(error, code);
	return error;
}

static json_t *transport_error(const struct failure *f, const struct verdict *v)
{
	const struct exchange *x = f->x;
	json_t *error = error_new(v->category, v->retryable, "%s %s: %s", x->request.method, x->shown_url, f->says);
	AUTO_FREE char *code = x->stop == STOP_NONE ? xasprintf("curl:%d", x->curl) : xstrdup(stop_name(x->stop));

	error_set_code(error, code);
	if (x->stop == STOP_NONE)
		error_set_context(error, "curl", curl_code_name(x->curl));
	return error;
}

static json_t *make_error(const struct failure *f, struct verdict *v)
{
	const struct job *j = f->job;
	const struct exchange *x = f->x;
	bool unknown = outcome_unknown(x);
	json_t *error;

	/* Nothing but the definition may say that an unsafe request is sent again without knowing; but what a gateway's answer
	 * means the API's entry may know. */
	if (unknown && j->unsafe && !(v->explicit && is_status(f)))
		v->retryable = false;
	error = is_status(f) ? status_error(f, v) : transport_error(f, v);
	add_circumstances(error, j, x);
	if (unknown) {
		error_set_context(error, "outcome", "unknown");
		if (!v->retryable)
			v->suggestion = "find out whether the service did it before trying again; retryUnsafe: true in the "
					"definition allows retries";
	}
	set_text(error, "backoffStrategy", v->backoff);
	error_set_suggestion(error, v->suggestion);
	return error;
}

static bool is_failure(const struct job *j, const struct exchange *x, const struct answer *a)
{
	return !exchange_complete(x) || x->status < 200 || x->status >= 300 || answer_is_error_body(a, j->quirks);
}

/* Under a good status the mappings and known errors are asked only where the API is said to hide errors there. */
static bool hidden_error(struct failure *f, struct verdict *v)
{
	return job_flag(f->job->quirks, "successWithErrorBody", false) && (by_mapping(f, v) || by_known_error(f, v));
}

static bool is_ours(enum stop stop)
{
	return stop == STOP_ADDRESS || stop == STOP_URL || stop == STOP_REDIRECTS || stop == STOP_CANCELLED ||
	       stop == STOP_DISK;
}

json_t *classify(const struct job *j, const struct exchange *x, const struct answer *a, const struct circumstances *c,
		 struct rate *rate, const struct rate_clock *clock)
{
	struct failure f = {j, x, a, exchange_complete(x) ? a->message : x->message};
	struct verdict v = {0};
	char text[CLOCK_TEXT];
	json_t *error;
	msec until;

	if (!is_failure(j, x, a) && !rate->limited && !hidden_error(&f, &v))
		return NULL;
	until = rate->limited ? rate_retry_at(j->api, rate, j->attempt, clock) : rate->retry_after;
	v = (struct verdict){0};
	if (is_ours(x->stop) || !(by_mapping(&f, &v) || by_rate(&f, rate, until, clock->now, &v) || by_known_error(&f, &v)))
		by_default(&f, c, &v);
	if ((v.category == ERROR_RATE_LIMIT_BURST || v.category == ERROR_RATE_LIMIT_DAILY) && !rate->limited) {
		rate->limited = true;
		until = rate_retry_at(j->api, rate, j->attempt, clock);
	}
	if (rate->limited && rate->reset < until)
		rate->reset = until;
	error = make_error(&f, &v);
	if (until > 0) {
		clock_format(until, text);
		json_object_set_new(error, "retryAfter", json_string(text));
	}
	return error;
}

/* ---- failures beside an exchange ---- */

json_t *classify_unusable(const struct job *j, const struct exchange *x, enum error_category category, const char *code,
			  const char *suggestion, const char *fmt, ...)
{
	AUTO_BUF struct buf why = BUF_INIT;
	bool unsafe = is_unsafe_method(x->request.method);
	json_t *error;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&why, fmt, ap);
	va_end(ap);
	error = error_new(category, category_retryable(category) && !j->unsafe, "%s %s answered %d, but %s", x->request.method,
			  x->shown_url, x->status, buf_str(&why));
	error_set_code(error, code);
	error_set_suggestion(error, suggestion);
	add_circumstances(error, j, x);
	/* The service has done it: a retry would do it again. */
	if (unsafe)
		error_set_context(error, "outcome", "done");
	return error;
}

json_t *classify_invalid(const struct job *j, const char *code, const char *fmt, ...)
{
	AUTO_BUF struct buf why = BUF_INIT;
	json_t *error;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&why, fmt, ap);
	va_end(ap);
	error = error_new(ERROR_VALIDATION_FAILED, false, "%s: %s", j->id ? j->id : "creel-http", buf_str(&why));
	error_set_code(error, code);
	return error;
}
