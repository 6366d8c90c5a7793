#include "actions/http/url.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "actions/http/headers.h"
#include "base/mem.h"
#include "base/text.h"

/* ---- parsing, by libcurl ---- */

static char *part(CURLU *u, CURLUPart which, unsigned flags)
{
	char *text = NULL, *copy;

	if (curl_url_get(u, which, &text, flags) != CURLUE_OK)
		return NULL;
	copy = xstrdup(text);
	curl_free(text);
	return copy;
}

static bool is_http(CURLU *u)
{
	AUTO_FREE char *scheme = part(u, CURLUPART_SCHEME, 0);

	return scheme && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
}

static char *finish(CURLU *u, struct err *e)
{
	AUTO_FREE char *host = part(u, CURLUPART_HOST, 0);
	char *url = NULL;

	if (!is_http(u))
		err_set(e, EBADMSG, "the URL is neither http nor https");
	else if (!host || !*host || curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0) != CURLUE_OK ||
		 !(url = part(u, CURLUPART_URL, 0)))
		err_set(e, EBADMSG, "the URL cannot be asked: it has no host");
	curl_url_cleanup(u);
	return url;
}

char *url_check(const char *text, struct err *e)
{
	CURLU *u = curl_url();
	CURLUcode r = u ? curl_url_set(u, CURLUPART_URL, text, 0) : CURLUE_OUT_OF_MEMORY;
	AUTO_FREE char *user = NULL, *password = NULL;

	if (r != CURLUE_OK) {
		curl_url_cleanup(u);
		if (r == CURLUE_UNSUPPORTED_SCHEME)
			err_set(e, EBADMSG, "the URL is neither http nor https");
		else
			err_set(e, EBADMSG, "the URL is wrong: %s", curl_url_strerror(r));
		return NULL;
	}
	user = part(u, CURLUPART_USER, 0);
	password = part(u, CURLUPART_PASSWORD, 0);
	if (user || password) {
		curl_url_cleanup(u);
		err_set(e, EBADMSG, "user and password stand in the URL: use the definition's authentication");
		return NULL;
	}
	return finish(u, e);
}

char *url_resolve(const char *base, const char *location, struct err *e)
{
	CURLU *u = curl_url();
	CURLUcode r = u ? curl_url_set(u, CURLUPART_URL, base, 0) : CURLUE_OUT_OF_MEMORY;

	if (r == CURLUE_OK)
		r = curl_url_set(u, CURLUPART_URL, location, CURLU_URLENCODE | CURLU_ALLOW_SPACE | CURLU_NON_SUPPORT_SCHEME);
	if (r == CURLUE_OK)
		r = curl_url_set(u, CURLUPART_USER, NULL, 0);
	if (r == CURLUE_OK)
		r = curl_url_set(u, CURLUPART_PASSWORD, NULL, 0);
	if (r != CURLUE_OK) {
		curl_url_cleanup(u);
		err_set(e, EBADMSG, "the URL is wrong: %s", curl_url_strerror(r));
		return NULL;
	}
	return finish(u, e);
}

char *url_origin(const char *url)
{
	CURLU *u = curl_url();
	AUTO_FREE char *scheme = NULL, *host = NULL, *port = NULL;
	char *origin = NULL, *p;

	if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK) {
		scheme = part(u, CURLUPART_SCHEME, 0);
		host = part(u, CURLUPART_HOST, 0);
		port = part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT);
	}
	curl_url_cleanup(u);
	if (!scheme || !host || !port)
		return xstrdup("?");
	origin = xasprintf("%s://%s:%s", scheme, host, port);
	for (p = origin; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p += 'a' - 'A';
	return origin;
}

bool url_same_origin(const char *a, const char *b)
{
	AUTO_FREE char *one = url_origin(a), *two = url_origin(b);

	return *one != '?' && strcmp(one, two) == 0;
}

bool url_is_https(const char *url)
{
	return strncasecmp(url, "https:", 6) == 0;
}

char *url_add_parameter(const char *url, const char *name, const char *value)
{
	struct buf b = BUF_INIT;

	buf_puts(&b, url);
	buf_putc(&b, strchr(url, '?') ? '&' : '?');
	template_percent(&b, PLACE_QUERY, name, strlen(name));
	buf_putc(&b, '=');
	template_percent(&b, PLACE_QUERY, value, strlen(value));
	return buf_steal(&b);
}

/* ---- for records ---- */

static bool sensitive_parameter(const char *name, size_t n)
{
	static const char *const words[] = {"key", "sig", "code", "auth", "assertion", "sas", "jwt"};
	AUTO_FREE char *copy = xstrndup(name, n);
	size_t k;

	for (k = 0; k < sizeof words / sizeof *words; k++)
		if (strcasecmp(copy, words[k]) == 0)
			return true;
	return header_is_sensitive(copy);
}

char *url_show(const char *url, const struct redact *secrets)
{
	AUTO_FREE char *hidden = redact_string(secrets, url, strlen(url));
	const char *query = strchr(hidden, '?'), *p, *at, *authority = strstr(hidden, "://"), *slash;
	struct buf b = BUF_INIT;
	size_t n;

	p = hidden;
	if (authority) {
		authority += 3;
		slash = authority + strcspn(authority, "/?#");
		at = memrchr(authority, '@', (size_t)(slash - authority));
		if (at) {
			buf_put(&b, hidden, (size_t)(authority - hidden));
			buf_puts(&b, "***");
			p = at;
		}
	}
	if (!query) {
		buf_puts(&b, p);
		return buf_steal(&b);
	}
	buf_put(&b, p, (size_t)(query + 1 - p));
	for (p = query + 1; *p; p += n) {
		size_t equals = strcspn(p, "=&");

		n = strcspn(p, "&");
		if (p[equals] == '=' && sensitive_parameter(p, equals)) {
			buf_put(&b, p, equals + 1);
			buf_puts(&b, "***");
		} else {
			buf_put(&b, p, n);
		}
		if (p[n] == '&')
			buf_putc(&b, p[n++]);
	}
	return buf_steal(&b);
}
