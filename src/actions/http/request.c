#include "actions/http/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "actions/http/decode.h"
#include "actions/http/url.h"
#include "base/mem.h"

/* ---- fields ---- */

static int put_header(struct request *r, const char *name, const json_t *value, const struct template_values *values,
		      struct err *e)
{
	AUTO_FREE char *text = template_text(value), *whole = text ? template_whole(text, strlen(text)) : NULL;
	AUTO_BUF struct buf out = BUF_INIT;

	if (!header_name_ok(name))
		return err_set(e, EBADMSG, "endpoint.headers: \"%s\" cannot be the name of a header", name);
	if (header_is_framing(name))
		return err_set(e, EBADMSG, "endpoint.headers: \"%s\" is set by creel and cannot be given", name);
	if (!text || !header_value_ok(text, strlen(text)))
		return err_set(e, EBADMSG, "endpoint.headers: the value of \"%s\" must be text without control characters", name);
	switch (template_expand(text, strlen(text), PLACE_HEADER, values, &out, e)) {
	case TEMPLATE_DONE:
		headers_set(&r->headers, name, buf_str(&out));
		return 0;
	case TEMPLATE_MISSING:
		return whole ? 0 : err_prefix(e, "header %s", name);
	default:
		return err_prefix(e, "header %s", name);
	}
}

static int put_headers(struct request *r, const struct job *j, const struct template_values *values, struct err *e)
{
	const char *agent = job_text(j->quirks, "requiresUserAgent"), *name;
	json_t *v;

	headers_add(&r->headers, "Accept", "application/json, */*;q=0.8");
	headers_add(&r->headers, "User-Agent", agent ? agent : j->user_agent ? j->user_agent : "creel-http/" CREEL_VERSION);
	json_object_foreach((json_t *)json_object_get(j->endpoint, "headers"), name, v)
		if (put_header(r, name, v, values, e) < 0)
			return -1;
	headers_add(&r->headers, "Accept-Encoding", DECODE_ACCEPT);
	return 0;
}

/* The same key for every attempt: a server that knows it does a thing once. */
static int put_idempotency(struct request *r, const struct job *j, struct err *e)
{
	const json_t *given = json_object_get(j->definition, "idempotencyKeyHeader");
	const char *name = json_is_string(given) ? json_string_value(given) : "Idempotency-Key";

	bool reads = strcmp(j->method, "GET") == 0 || strcmp(j->method, "HEAD") == 0;

	if (json_is_false(given) || !j->idempotency_key || reads || headers_get(&r->headers, name))
		return 0;
	if (!header_name_ok(name) || header_is_framing(name))
		return err_set(e, EBADMSG, "idempotencyKeyHeader: \"%s\" cannot be the name of a header", name);
	headers_add(&r->headers, name, j->idempotency_key);
	return 0;
}

/* ---- all of it ---- */

static int make(struct request *r, const struct job *j, const struct template_values *values, struct err *e)
{
	r->url = url_from_template(job_text(j->endpoint, "url"), json_object_get(j->endpoint, "query"), values, e);
	if (!r->url)
		return -1;
	if (put_headers(r, j, values, e) < 0 || request_make_body(r, j, values, e) < 0)
		return -1;
	return put_idempotency(r, j, e);
}

int request_make(struct request *r, const struct job *j, struct err *e)
{
	struct template_values values = {j->inputs, json_object()};
	int result;

	*r = (struct request){.method = j->method};
	result = make(r, j, &values, e);
	json_decref(values.used);
	if (result < 0)
		request_free(r);
	return result;
}

void request_copy(struct request *to, const struct request *from)
{
	*to = (struct request){.method = from->method, .url = xstrdup(from->url), .has_body = from->has_body};
	headers_copy(&to->headers, &from->headers);
	buf_put(&to->body, buf_str(&from->body), from->body.len);
}

void request_free(struct request *r)
{
	free(r->url);
	headers_free(&r->headers);
	buf_free(&r->body);
	*r = (struct request){0};
}
