/*
 * url_show.c - URLs for records.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "actions/http/headers.h"
#include "actions/http/url.h"
#include "base/mem.h"

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
