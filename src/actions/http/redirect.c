/*
 * redirect.c - redirects, followed by hand: each is a request of its own, with its own checks and its own entry in the
 * trace.
 *
 * 303, and 301 and 302 after POST, go on as GET without a body; 307 and 308, and 301 and 302 after other methods, go on
 * as they are (RFC 9110 section 15.4).  From https never to http.  To another origin - scheme, host or port - go no
 * credentials, no field whose name or value is a secret, and no body with a secret in it; and they do not come back
 * when the next redirect leads home.  The address is checked as each socket is made (client.c).
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "actions/http/session.h"
#include "actions/http/url.h"
#include "base/mem.h"

static bool is_redirect(const struct exchange *x)
{
	return exchange_complete(x) && (x->status == 301 || x->status == 302 || x->status == 303 || x->status == 307 ||
					x->status == 308);
}

static void stop(struct exchange *x, enum stop why, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void stop(struct exchange *x, enum stop why, const char *fmt, ...)
{
	va_list ap;

	x->stop = why;
	va_start(ap, fmt);
	vsnprintf(x->message, sizeof x->message, fmt, ap);
	va_end(ap);
}

static void to_get(struct request *r)
{
	size_t i = 0;

	r->method = "GET";
	r->has_body = false;
	buf_free(&r->body);
	while (i < r->headers.n) {
		if (strncasecmp(r->headers.v[i].name, "Content-", 8) == 0)
			headers_drop_at(&r->headers, i);
		else
			i++;
	}
}

static void drop_secrets(const struct session *s, struct request *r)
{
	size_t i = 0;

	while (i < r->headers.n) {
		const struct header *h = &r->headers.v[i];

		if (h->credential || header_is_sensitive(h->name) || redact_found(&s->secrets, h->value, strlen(h->value)))
			headers_drop_at(&r->headers, i);
		else
			i++;
	}
}

/* The next request, or false: x says why it may not be made. */
static bool next_request(const struct session *s, struct exchange *x, const char *location, struct request *next)
{
	struct err e;
	AUTO_FREE char *url = url_resolve(x->request.url, location, &e);
	AUTO_FREE char *shown = url ? url_show(url, &s->secrets) : NULL;

	if (!url) {
		shown = url_show(location, &s->secrets);
		stop(x, STOP_URL, "it redirects to \"%s\": %s", shown, e.text);
		return false;
	}
	if (url_is_https(x->request.url) && !url_is_https(url)) {
		stop(x, STOP_URL, "it redirects from https to %s, which anyone on the way can read", shown);
		return false;
	}
	request_copy(next, &x->request);
	free(next->url);
	next->url = xstrdup(url);
	if ((x->status == 303 && strcmp(next->method, "GET") != 0 && strcmp(next->method, "HEAD") != 0) ||
	    ((x->status == 301 || x->status == 302) && strcmp(next->method, "POST") == 0))
		to_get(next);
	if (url_same_origin(x->request.url, url))
		return true;
	drop_secrets(s, next);
	if (redact_found(&s->secrets, buf_str(&next->body), next->body.len)) {
		request_free(next);
		stop(x, STOP_URL, "it redirects to %s, and the body that would go there has a secret in it", shown);
		return false;
	}
	return true;
}

void session_follow(struct session *s, struct request *r, struct exchange *last)
{
	unsigned followed = 0;
	struct request next;
	const char *location;

	exchange_init(last, "request", r);
	for (;;) {
		session_send(s, last, true);
		location = headers_get(&last->reply, "Location");
		if (!is_redirect(last) || !location || !*location || s->job.redirects == 0)
			return;
		if (followed++ == s->job.redirects) {
			stop(last, STOP_REDIRECTS, "it redirects once more after %u redirects", s->job.redirects);
			return;
		}
		if (!next_request(s, last, location, &next))
			return;
		trace_end(&s->trace, last, NULL);
		exchange_free(last, false);
		exchange_init(last, "redirect", &next);
	}
}
