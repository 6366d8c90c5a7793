/*
 * trace_har.c - an HTTP trace as HTTP Archive 1.2, as browsers' network tools open it.
 *
 * A request without an answer has a response with status 0 and `_error`, as browsers write it.  Sizes that were not
 * recorded are -1, which the format has for that.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "creel/json.h"
#include "creel/trace_out.h"

static const char *header(const json_t *message, const char *wanted)
{
	const char *name;
	json_t *v;

	json_object_foreach(json_object_get(message, "headers"), name, v)
		if (strcasecmp(name, wanted) == 0)
			return json_string_value(v) ? json_string_value(v) : "";
	return "";
}

static json_t *pair(json_t *name, json_t *value)
{
	return json_pack("{s:o, s:o}", "name", name, "value", value);
}

static json_t *headers_of(const json_t *message)
{
	json_t *list = json_array(), *v;
	const char *name;

	json_object_foreach(json_object_get(message, "headers"), name, v)
		json_array_append_new(list, pair(json_string(name), json_incref(v)));
	return list;
}

/* ---- parameters ---- */

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* Decoded, unless that is no text. */
static json_t *decoded(const char *p, size_t n)
{
	AUTO_BUF struct buf b = BUF_INIT;
	size_t i;

	for (i = 0; i < n; i++) {
		if (p[i] == '%' && i + 2 < n && hex(p[i + 1]) >= 0 && hex(p[i + 2]) >= 0) {
			buf_putc(&b, (char)(hex(p[i + 1]) * 16 + hex(p[i + 2])));
			i += 2;
		} else {
			buf_putc(&b, p[i] == '+' ? ' ' : p[i]);
		}
	}
	if (!text_is_utf8(buf_str(&b), b.len) || memchr(buf_str(&b), '\0', b.len))
		return json_stringn(p, n);
	return json_stringn(buf_str(&b), b.len);
}

static json_t *parameters(const char *p)
{
	json_t *list = json_array();

	while (*p && *p != '#') {
		size_t n = strcspn(p, "&#"), name = strcspn(p, "=&#");

		if (n > 0)
			json_array_append_new(list, pair(decoded(p, name), name < n ? decoded(p + name + 1, n - name - 1) : json_string("")));
		p += n;
		p += *p == '&';
	}
	return list;
}

static json_t *query_of(const char *url)
{
	const char *query = url + strcspn(url, "?#");

	return *query == '?' ? parameters(query + 1) : json_array();
}

/* ---- messages ---- */

static long long number_or(const json_t *o, const char *key, long long fallback)
{
	const json_t *v = json_object_get(o, key);

	return json_is_number(v) ? (long long)json_number_value(v) : fallback;
}

static json_t *version_of(const json_t *e)
{
	const char *version = json_text(e, "httpVersion");

	return version ? json_sprintf("HTTP/%s", version) : json_string("");
}

static void note_cut(json_t *o, const json_t *entry, const char *flag)
{
	if (json_is_true(json_object_get(entry, flag)))
		json_object_set_new(o, "comment", json_string("only the beginning was recorded"));
}

static json_t *request_of(const json_t *e)
{
	const json_t *r = json_object_get(e, "request"), *body = json_object_get(r, "body");
	json_t *o = json_pack("{s:O, s:O, s:o, s:[], s:o, s:o, s:i, s:I}", "method", json_object_get(r, "method"), "url",
			      json_object_get(r, "url"), "httpVersion", version_of(e), "cookies", "headers", headers_of(r),
			      "queryString", query_of(json_text_or_empty(r, "url")), "headersSize", -1,
			      "bodySize", (json_int_t)number_or(e, "requestBodySize", body ? -1 : 0));
	json_t *post;

	if (!body)
		return o;
	post = json_pack("{s:s, s:O}", "mimeType", header(r, "content-type"), "text", body);
	if (strncasecmp(header(r, "content-type"), "application/x-www-form-urlencoded", 33) == 0)
		json_object_set_new(post, "params", parameters(json_string_value(body)));
	note_cut(post, e, "requestBodyTruncated");
	json_object_set_new(o, "postData", post);
	return o;
}

static json_t *response_of(const json_t *e)
{
	const json_t *r = json_object_get(e, "response");
	const char *type = header(r, "content-type"), *why = json_text_or_empty(json_object_get(e, "error"), "message");
	json_int_t size = (json_int_t)number_or(e, "responseBodySize", r ? -1 : 0);
	json_t *content = json_pack("{s:I, s:s}", "size", size, "mimeType", *type ? type : "x-unknown");
	json_t *o;

	if (r)
		json_object_set(content, "text", json_object_get(r, "body"));
	note_cut(content, e, "responseBodyTruncated");
	o = json_pack("{s:I, s:s, s:o, s:[], s:o, s:o, s:s, s:i, s:I}", "status", (json_int_t)json_number(r, "status"),
		      "statusText", json_text_or_empty(r, "statusText"), "httpVersion", version_of(e), "cookies",
		      "headers", headers_of(r), "content", content, "redirectURL", header(r, "location"), "headersSize",
		      -1, "bodySize", size);
	if (*why)
		json_object_set_new(o, "_error", json_string(why));
	return o;
}

/* ---- times ---- */

static double ms(const json_t *timings, const char *key)
{
	double v = json_number_value(json_object_get(timings, key));

	return v > 0 ? v : 0;
}

static double at_least(double v, double least)
{
	return v > least ? v : least;
}

/* The parts make up `time`, as the format wants it: blocked is what none of them explains; ssl is within connect. */
static void set_times(json_t *o, const json_t *e)
{
	const json_t *t = json_object_get(e, "timings");
	double dns = ms(t, "dns"), connect = ms(t, "connect") + ms(t, "tls");
	double total = at_least(ms(t, "total"), dns + connect), first = ms(t, "firstByte"), sent = ms(t, "sent");
	double send = at_least(sent - dns - connect, 0), wait = at_least(first - at_least(sent, dns + connect), 0);
	double receive = first > 0 ? at_least(total - at_least(first, dns + connect), 0) : 0;
	double blocked = at_least(total - dns - connect - send - wait - receive, 0);

	json_object_set_new(o, "time", json_real(blocked + dns + connect + send + wait + receive));
	json_object_set_new(o, "timings",
			    json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "blocked", blocked, "dns", dns, "connect", connect,
				      "ssl", ms(t, "tls") > 0 ? ms(t, "tls") : -1.0, "send", send, "wait", wait, "receive",
				      receive));
}

/* ---- together ---- */

/* "[::1]:80" and "127.0.0.1:80" are an address and a port. */
static void set_address(json_t *o, const char *remote)
{
	const char *colon = strrchr(remote, ':'), *from = remote + (*remote == '[');
	size_t n = colon ? (size_t)(colon - from) : strlen(from);

	if (!*remote)
		return;
	if (n > 0 && from[n - 1] == ']')
		n--;
	json_object_set_new(o, "serverIPAddress", json_stringn(from, n));
}

static json_t *entry_of(const json_t *e)
{
	json_t *o = json_object();

	json_object_set(o, "startedDateTime", json_object_get(e, "timestamp"));
	set_times(o, e);
	json_object_set_new(o, "request", request_of(e));
	json_object_set_new(o, "response", response_of(e));
	json_object_set_new(o, "cache", json_object());
	json_object_set_new(o, "pageref", json_string("attempt"));
	set_address(o, json_text_or_empty(e, "remoteAddress"));
	if (json_text(e, "kind"))
		json_object_set(o, "comment", json_object_get(e, "kind"));
	return o;
}

json_t *trace_har(const json_t *entries, const char *title)
{
	json_t *list = json_array(), *e, *first = json_array_get(entries, 0);
	size_t k;

	json_array_foreach((json_t *)entries, k, e)
		json_array_append_new(list, entry_of(e));
	return json_pack("{s:{s:s, s:{s:s, s:s}, s:[{s:O, s:s, s:s, s:{}}], s:o}}", "log", "version", "1.2", "creator", "name",
			 "creel", "version", CREEL_VERSION, "pages", "startedDateTime", json_object_get(first, "timestamp"), "id",
			 "attempt", "title", title, "pageTimings", "entries", list);
}
