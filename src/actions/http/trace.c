#include "actions/http/trace.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "actions/http/content.h"
#include "actions/http/defaults.h"
#include "actions/http/url.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"

void trace_open(struct trace *t, const struct job *j, const struct redact *secrets, int dir)
{
	*t = (struct trace){j, secrets, dir, json_array()};
}

void trace_close(struct trace *t)
{
	json_decref(t->entries);
	t->entries = NULL;
}

static json_t *time_json(msec wall)
{
	char text[CLOCK_TEXT];

	clock_format(wall, text);
	return json_string(text);
}

/* Readers refuse the character NUL in JSON (\u0000), and with it the whole trace: it becomes U+FFFD, as what is no UTF-8
 * does. */
static json_t *text_json(const char *p, size_t n)
{
	AUTO_BUF struct buf quoted = BUF_INIT, text = BUF_INIT;
	size_t i;

	for (i = 0; i < n; i++) {
		if (p[i])
			buf_putc(&text, p[i]);
		else
			buf_puts(&text, "\xef\xbf\xbd");
	}
	buf_json_string(&quoted, buf_str(&text), text.len); /* makes it UTF-8 */
	return json_loadb(quoted.p, quoted.len, JSON_DECODE_ANY, NULL);
}

/* Microseconds are all that libcurl knows. */
static json_t *ms_json(double ms)
{
	return json_real(round(ms * 1000) / 1000);
}

/* ---- fields ---- */

/* The scheme of an Authorization field is no secret, and tells much. */
static char *hide_value(const char *name, const char *value)
{
	size_t scheme = strcspn(value, " ");

	if (strcasecmp(name, "Authorization") == 0 && value[scheme] == ' ')
		return xasprintf("%.*s ***", (int)scheme, value);
	return xstrdup("***");
}

static char *shown_value(const struct trace *t, const struct header *h, bool credential)
{
	if (credential || header_is_sensitive(h->name))
		return hide_value(h->name, h->value);
	if (strcasecmp(h->name, "Location") == 0 || strcasecmp(h->name, "Referer") == 0)
		return url_show(h->value, t->secrets);
	return redact_string(t->secrets, h->value, strlen(h->value));
}

static bool is_credential(const struct headers *asked, const char *name)
{
	size_t i;

	for (i = 0; i < asked->n; i++)
		if (asked->v[i].credential && strcasecmp(asked->v[i].name, name) == 0)
			return true;
	return false;
}

/* Several fields of one name become one, as RFC 9110 section 5.2 has it. */
static json_t *headers_json(const struct trace *t, const struct headers *h, const struct headers *asked)
{
	json_t *o = json_object(), *before;
	size_t i;

	for (i = 0; i < h->n; i++) {
		AUTO_FREE char *value = shown_value(t, &h->v[i], asked && is_credential(asked, h->v[i].name));
		AUTO_FREE char *joined = NULL;
		const char *name;
		json_t *v;

		before = NULL;
		json_object_foreach(o, name, v)
			if (strcasecmp(name, h->v[i].name) == 0) {
				before = v;
				break;
			}
		if (before)
			joined = xasprintf("%s, %s", json_string_value(before), value);
		json_object_set_new(o, before ? name : h->v[i].name,
				    text_json(joined ? joined : value, strlen(joined ? joined : value)));
	}
	return o;
}

/* ---- bodies ---- */

static bool is_form_or_text(const char *field, const char *p, size_t n)
{
	struct content_type type = content_type_parse(field);

	/* A cut may fall into the middle of a character. */
	return content_of(&type, NULL) != CONTENT_BINARY || text_is_utf8(p, n > 4 ? n - 4 : n);
}

/* The beginning of a body of size bytes, of which n are known: hidden, then cut. */
static json_t *body_json(const struct trace *t, const char *field, const char *p, size_t n, uint64_t size, bool *cut)
{
	AUTO_BUF struct buf shown = BUF_INIT;
	size_t most = (size_t)t->job->limits.trace_body;

	if (!is_form_or_text(field, p, n)) {
		*cut = size > 0;
		buf_printf(&shown, "[%llu bytes that are no text]", (unsigned long long)size);
		return json_string(buf_str(&shown));
	}
	redact_text(t->secrets, p, n, most, &shown);
	*cut = size > most;
	return text_json(buf_str(&shown), shown.len);
}

/* ---- entries ---- */

static json_t *request_json(const struct trace *t, const struct exchange *x, json_t *entry)
{
	AUTO_FREE char *url = url_show(x->request.url, t->secrets);
	const struct headers *sent = x->sent_headers.n > 0 ? &x->sent_headers : &x->request.headers;
	const char *type = headers_get(&x->request.headers, "Content-Type");
	json_t *o = json_object();
	bool cut;

	json_object_set_new(o, "method", json_string(x->request.method));
	json_object_set_new(o, "url", text_json(url, strlen(url)));
	json_object_set_new(o, "headers", headers_json(t, sent, &x->request.headers));
	if (x->request.has_body) {
		json_object_set_new(o, "body", body_json(t, type, buf_str(&x->request.body), x->request.body.len,
							 x->request.body.len, &cut));
		json_object_set_new(entry, "requestBodySize", json_integer((json_int_t)x->request.body.len));
		if (cut)
			json_object_set_new(entry, "requestBodyTruncated", json_true());
	}
	return o;
}

/* A token endpoint's answer is nothing but secrets. */
static json_t *token_body(const struct exchange *x)
{
	AUTO_FREE char *text = xasprintf("[%llu bytes of a token endpoint]", (unsigned long long)x->body.size);

	return json_string(text);
}

static json_t *response_json(const struct trace *t, const struct exchange *x, json_t *entry)
{
	const char *type = headers_get(&x->reply, "Content-Type");
	bool secret = strcmp(x->kind, "token") == 0 && x->status < 300, cut = false;
	json_t *o = json_object();

	json_object_set_new(o, "status", json_integer(x->status));
	if (*x->reason)
		json_object_set_new(o, "statusText", text_json(x->reason, strlen(x->reason)));
	json_object_set_new(o, "headers", headers_json(t, &x->reply, NULL));
	json_object_set_new(o, "body",
			    secret ? token_body(x)
				   : body_json(t, type, buf_str(&x->body.head), x->body.head.len, x->body.size, &cut));
	json_object_set_new(o, "duration", json_integer((json_int_t)llround(x->timings.total)));
	json_object_set_new(entry, "responseBodySize", json_integer((json_int_t)x->body.size));
	if (cut)
		json_object_set_new(entry, "responseBodyTruncated", json_true());
	return o;
}

static json_t *timings_json(const struct timings *t)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "dns", ms_json(t->dns), "connect", ms_json(t->connect), "tls",
			 ms_json(t->tls), "sent", ms_json(t->sent), "firstByte", ms_json(t->first_byte), "total",
			 ms_json(t->total));
}

static json_t *rate_json(const struct rate *r)
{
	json_t *o = json_pack("{s:b}", "limited", (int)r->limited);

	if (r->limit >= 0)
		json_object_set_new(o, "limit", json_integer((json_int_t)r->limit));
	if (r->remaining >= 0)
		json_object_set_new(o, "remaining", json_integer((json_int_t)r->remaining));
	if (r->reset > 0)
		json_object_set_new(o, "resetAt", time_json(r->reset));
	return o;
}

static json_t *entry_json(const struct trace *t, const struct exchange *x, bool over, const struct rate *rate)
{
	json_t *e = json_object();

	json_object_set_new(e, "timestamp", time_json(over ? x->started : clock_wall()));
	json_object_set_new(e, "kind", json_string(x->kind));
	json_object_set_new(e, "attempt", json_integer((json_int_t)t->job->attempt));
	json_object_set_new(e, "definition", json_string(t->job->id));
	if (t->job->api_id)
		json_object_set_new(e, "api", json_string(t->job->api_id));
	json_object_set_new(e, "request", request_json(t, x, e));
	if (!over)
		return e;
	if (x->status >= 200)
		json_object_set_new(e, "response", response_json(t, x, e));
	json_object_set_new(e, "timings", timings_json(&x->timings));
	if (x->version)
		json_object_set_new(e, "httpVersion", json_string(x->version));
	if (*x->remote)
		json_object_set_new(e, "remoteAddress", json_string(x->remote));
	if (x->reused)
		json_object_set_new(e, "connectionReused", json_true());
	if (x->curl != 0 && x->stop == STOP_NONE) {
		AUTO_FREE char *message = redact_string(t->secrets, x->message, strlen(x->message));

		json_object_set_new(e, "curl", json_pack("{s:i, s:s, s:o}", "code", x->curl, "name", curl_code_name(x->curl),
							 "message", text_json(message, strlen(message))));
	}
	if (rate)
		json_object_set_new(e, "rateLimit", rate_json(rate));
	return e;
}

int trace_begin(struct trace *t, const struct exchange *x, struct err *e)
{
	json_array_append_new(t->entries, entry_json(t, x, false, NULL));
	return trace_write(t, e);
}

void trace_end(struct trace *t, const struct exchange *x, const struct rate *rate)
{
	size_t n = json_array_size(t->entries);

	if (n > 0)
		json_array_set_new(t->entries, n - 1, entry_json(t, x, true, rate));
}

void trace_error(struct trace *t, const json_t *error)
{
	size_t n = json_array_size(t->entries);

	if (n > 0)
		json_object_set_new(json_array_get(t->entries, n - 1), "error", redact_json(t->secrets, error));
}

int trace_write(const struct trace *t, struct err *e)
{
	AUTO_FREE char *text = json_dumps(t->entries, JSON_INDENT(2) | JSON_REAL_PRECISION(12));

	return fs_publish(t->dir, "http-trace.json", text, strlen(text), 0, e);
}
