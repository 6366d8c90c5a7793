#include "actions/http/job.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

/* Shortly before the supervisor's own limit, so that there is time to say what happened. */
enum { SAY_SO_MS = 500, SAY_SO_PART = 10 };

const char *job_text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

bool job_flag(const json_t *o, const char *key, bool fallback)
{
	const json_t *v = json_object_get(o, key);

	return json_is_boolean(v) ? json_is_true(v) : fallback;
}

const char *job_secret(const struct job *j, const char *name)
{
	return job_text(json_object_get(j->secrets, "secrets"), name);
}

static const json_t *object_of(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_object(v) ? v : NULL;
}

/* ---- limits ---- */

static uint64_t number(const json_t *o, const char *key, uint64_t fallback)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) && json_integer_value(v) >= 0 ? (uint64_t)json_integer_value(v) : fallback;
}

static void read_limits(struct job *j, const json_t *http)
{
	const json_t *given = json_object_get(http, "limits");
	struct limits *l = &j->limits;

	l->response = number(given, "maxResponseSize", 64 << 20);
	l->inline_body = number(given, "inlineBody", 1 << 20);
	l->headers = number(given, "maxHeaders", 500);
	l->header_bytes = number(given, "maxHeaderBytes", 256 << 10);
	l->trace_body = number(given, "traceBody", 16 << 10);
	l->connect = (msec)number(given, "connectTimeoutMs", 10000);
	l->idle = (msec)number(given, "idleTimeoutMs", 60000);
	l->retry_after = (msec)number(given, "retryAfterCapMs", 24 * 3600 * 1000);
	/* The definition knows best how large an answer may be; then whoever described the API. */
	if (number(j->quirks, "maxResponseSize", 0) > 0)
		l->response = number(j->quirks, "maxResponseSize", 0);
	if (number(j->definition, "maxResponseSize", 0) > 0)
		l->response = number(j->definition, "maxResponseSize", 0);
	if (l->inline_body > 4 << 20)
		l->inline_body = 4 << 20; /* outputs stand in the journal */
}

static void read_deadline(struct job *j)
{
	msec own = (msec)number(j->endpoint, "timeout", 0), outer = (msec)number(j->request, "timeoutMs", 0);

	if (outer > 0) {
		outer -= outer / SAY_SO_PART < SAY_SO_MS ? outer / SAY_SO_PART : SAY_SO_MS;
		own = own > 0 && own < outer ? own : outer;
	}
	j->deadline_mono = own > 0 ? clock_mono() + own : 0;
}

/* ---- the request ---- */

static int read_settings(struct job *j, const json_t *http, struct err *e)
{
	j->api = object_of(http, "api");
	j->quirks = object_of(j->api, "quirks");
	j->api_id = job_text(j->api, "apiId");
	j->more_ca_file = job_text(http, "caFile");
	j->proxy = job_text(http, "proxy");
	j->user_agent = job_text(http, "userAgent");
	j->handler = job_text(http, "handler");
	return address_ranges_parse(json_object_get(http, "allowPrivate"), &j->allowed, e);
}

static int read_definition(struct job *j, struct err *e)
{
	static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
	const json_t *redirects = json_object_get(j->definition, "followRedirects");
	size_t k, n = sizeof methods / sizeof *methods;

	j->id = job_text(j->definition, "id");
	j->endpoint = object_of(j->definition, "endpoint");
	j->auth = object_of(j->definition, "authentication");
	j->ca_file = job_text(j->definition, "caFile");
	j->method = job_text(j->endpoint, "method");
	if (!j->id || !job_text(j->endpoint, "url"))
		return err_set(e, EBADMSG, "the request has no definition with id and endpoint.url");
	for (k = 0; k < n; k++)
		if (j->method && strcmp(methods[k], j->method) == 0)
			break;
	if (k == n)
		return err_set(e, EBADMSG, "endpoint.method must be GET, HEAD, POST, PUT, PATCH or DELETE");
	/* Whoever names the header says that the service knows the key. */
	j->unsafe = (strcmp(j->method, "POST") == 0 || strcmp(j->method, "PATCH") == 0) &&
		    !job_flag(j->definition, "retryUnsafe", false) && !job_text(j->definition, "idempotencyKeyHeader");
	j->redirects = json_is_false(redirects) ? 0 : (unsigned)number(j->definition, "followRedirects", 5);
	return 0;
}

/* Those of the request, with the values of descriptor 3 in place of what stands for them. */
static void read_inputs(struct job *j)
{
	const json_t *given = object_of(j->request, "inputs"), *true_values = object_of(j->secrets, "input");

	j->inputs = given ? json_copy((json_t *)given) : json_object();
	if (true_values)
		json_object_update(j->inputs, (json_t *)true_values);
}

static void start(struct job *j, json_t *request, json_t *secrets)
{
	*j = (struct job){.request = request, .secrets = secrets, .attempt = 1};
}

int job_read(struct job *j, json_t *request, json_t *secrets, struct err *e)
{
	const json_t *http = object_of(request, "http");

	start(j, request, secrets);
	j->definition = object_of(http, "definition");
	j->action = job_text(request, "action");
	j->idempotency_key = job_text(request, "idempotencyKey");
	j->attempt = (uint32_t)number(request, "attempt", 1);
	if (!http)
		return err_set(e, EBADMSG, "the request has no member \"http\": it is not meant for creel-http");
	if (read_settings(j, http, e) < 0 || read_definition(j, e) < 0)
		return -1;
	read_inputs(j);
	read_limits(j, http);
	read_deadline(j);
	return 0;
}

int job_read_health(struct job *j, json_t *request, struct err *e)
{
	/* As in request.json, or what stands in its `http` alone. */
	const json_t *http = object_of(request, "http") ? object_of(request, "http") : request;
	const json_t *check;

	start(j, request, NULL);
	if (read_settings(j, http, e) < 0)
		return -1;
	check = object_of(j->api, "healthCheck");
	if (!check || !job_text(check, "endpoint") || !job_text(j->api, "baseUrl"))
		return err_set(e, EBADMSG, "the API has no healthCheck with an endpoint, or no baseUrl");
	j->method = "GET";
	j->id = "health check";
	read_limits(j, http);
	j->deadline_mono = clock_mono() + (msec)(number(check, "timeout", 0) ? number(check, "timeout", 0) : 5000);
	return 0;
}

void job_free(struct job *j)
{
	json_decref(j->request);
	json_decref(j->secrets);
	json_decref(j->inputs);
	address_ranges_free(&j->allowed);
	*j = (struct job){0};
}

void job_redact(const struct job *j, struct redact *r)
{
	redact_add_all(r, json_object_get(j->secrets, "secrets"));
	redact_add_all(r, json_object_get(j->secrets, "input"));
	redact_add_all(r, json_object_get(j->secrets, "mask"));
}
