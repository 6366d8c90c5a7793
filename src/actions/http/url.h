/*
 * url.h - URLs of http and https: made from a template, resolved, compared, and shown.
 *
 * The grammar is RFC 3986's, and stricter where readers of URLs differ: a host is letters, digits, dot, hyphen and
 * underscore, or an IPv6 address in brackets; nothing in it is percent-encoded (a name in another script is written as
 * xn--…); no user and password; no control character anywhere.  So what is compared here is what libcurl connects to.
 */
#ifndef CREEL_HTTP_URL_H
#define CREEL_HTTP_URL_H

#include <jansson.h>
#include <stdbool.h>

#include "actions/http/redact.h"
#include "actions/http/template.h"
#include "base/err.h"

/* From endpoint.url and endpoint.query (an object or NULL).  A parameter of the query whose value is nothing but one
 * placeholder is left out if that input is absent; a list there is written as several parameters of the name.  Refused
 * are values that would make an empty path segment, or one of dots.  The caller frees it; NULL and *e. */
char *url_from_template(const char *url, const json_t *query, const struct template_values *values, struct err *e);

/* Is it an absolute URL without user and password?  Its canonical form - scheme and host in lower case, no default port,
 * no steps up, no fragment; the caller frees it; NULL and *e, which shows nothing of the URL: a secret may be in it. */
char *url_check(const char *text, struct err *e);
/* Where a Location field leads: user and password in it are dropped. */
char *url_resolve(const char *base, const char *location, struct err *e);

/* scheme://host:port of a canonical URL, always with the port; the caller frees it.  "?" if it is none. */
char *url_origin(const char *url);
bool url_same_origin(const char *a, const char *b);
bool url_is_https(const char *url);
/* The host of a canonical URL, without brackets; the caller frees it. */
char *url_host(const char *url);

/* With one parameter more; name and value are encoded. */
char *url_add_parameter(const char *url, const char *name, const char *value);
/* Append the n bytes at p, with what does not belong into a URL percent-encoded; %XX stays as it is. */
void url_put_literal(struct buf *out, const char *p, size_t n);

/* For records: secrets hidden, and the values of parameters whose names say that they are secrets (url_show.c). */
char *url_show(const char *url, const struct redact *secrets);

#endif
