/*
 * url.h - URLs: made from a template, resolved, compared, and shown.  Parsing is libcurl's.
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

/* Is it an absolute http or https URL without user and password?  Its canonical form, without the fragment; the
 * caller frees it; NULL and *e, which shows nothing of the URL: a secret may be in it. */
char *url_check(const char *text, struct err *e);
/* Where a Location field leads: user and password in it are dropped. */
char *url_resolve(const char *base, const char *location, struct err *e);

/* scheme://host:port, in lower case and with the port; the caller frees it.  "?" if it is no URL. */
char *url_origin(const char *url);
bool url_same_origin(const char *a, const char *b);
bool url_is_https(const char *url);

/* With one parameter more; name and value are encoded. */
char *url_add_parameter(const char *url, const char *name, const char *value);

/* For records: secrets hidden, and the values of parameters whose names say that they are secrets. */
char *url_show(const char *url, const struct redact *secrets);

#endif
