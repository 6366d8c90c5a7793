#include "store/http_setup.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

enum { INLINE_BODY = 1024 * 1024 };

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* ---- which program ---- */

char *http_executor(const json_t *config)
{
	const char *at = getenv("PATH");
	char path[PATH_MAX], *slash;
	ssize_t n;

	if (*text(config, "executor"))
		return xstrdup(text(config, "executor"));
	n = readlink("/proc/self/exe", path, sizeof path - 16);
	path[n > 0 ? n : 0] = '\0';
	slash = strrchr(path, '/');
	strcpy(slash ? slash + 1 : path, "creel-http");
	if (access(path, X_OK) == 0)
		return xstrdup(path);
	for (; at && *at; at += strcspn(at, ":"), at += *at == ':') {
		char *found = xasprintf("%.*s/creel-http", (int)strcspn(at, ":"), at);

		if (found[0] == '/' && access(found, X_OK) == 0)
			return found;
		free(found);
	}
	return xstrdup(path);
}

/* ---- what to do ---- */

static void copy_member(json_t *to, const char *key, const json_t *from, const char *name)
{
	json_t *v = json_object_get(from, name);

	if (v)
		json_object_set(to, key, v);
}

json_t *http_settings(const json_t *config)
{
	json_t *o = json_object(), *limits = json_object();

	json_object_set_new(o, "allowPrivate", json_array());
	copy_member(o, "allowPrivate", config, "allow_private");
	copy_member(o, "caFile", config, "ca_file");
	copy_member(o, "userAgent", config, "user_agent");
	copy_member(o, "proxy", config, "proxy");
	json_object_set_new(limits, "inlineBody", json_integer(INLINE_BODY));
	copy_member(limits, "inlineBody", config, "inline_body");
	copy_member(limits, "maxResponseSize", config, "max_response_size");
	json_object_set_new(o, "limits", limits);
	return o;
}

json_t *http_job(const json_t *config, const char *spool, json_t *definition, json_t *api)
{
	const char *handler = text(json_object_get(definition, "authentication"), "handler");
	json_t *http = http_settings(config);

	if (*handler == '/')
		json_object_set_new(http, "handler", json_string(handler));
	else if (*handler)
		json_object_set_new(http, "handler", json_sprintf("%s/catalog/handlers/%s", spool, handler));
	json_object_set_new(http, "definition", definition);
	json_object_set_new(http, "api", api ? json_incref(api) : json_null());
	return http;
}

/* ---- credentials ---- */

struct credentials {
	const json_t *authentication;
	credential_take take;
	void *ctx;
};

/* TOKEN and TOKENFrom: user_input has no name. */
static int named_by(const struct credentials *c, const char *key, struct err *e)
{
	AUTO_FREE char *from_key = xasprintf("%sFrom", key);
	const char *from = text(c->authentication, from_key), *name = text(c->authentication, key);

	if (strcmp(from, "env") == 0)
		return c->take(c->ctx, key, CREDENTIAL_ENV, name, e);
	if (strcmp(from, "secret") == 0)
		return c->take(c->ctx, key, CREDENTIAL_SECRET, name, e);
	if (strcmp(from, "user_input") == 0)
		return c->take(c->ctx, key, CREDENTIAL_TYPED, "", e);
	return 0;
}

/* env:NAME or secret:NAME */
static int indirect(const struct credentials *c, const char *key, const json_t *where, struct err *e)
{
	const char *name = json_string_value(where);

	if (!name)
		return 0;
	if (text_starts_with(name, "env:"))
		return c->take(c->ctx, key, CREDENTIAL_ENV, name + strlen("env:"), e);
	if (text_starts_with(name, "secret:"))
		name += strlen("secret:");
	return c->take(c->ctx, key, CREDENTIAL_SECRET, name, e);
}

int http_credentials(const json_t *authentication, credential_take take, void *ctx, struct err *e)
{
	const struct credentials c = {authentication, take, ctx};
	json_t *where;
	const char *key;

	if (named_by(&c, "token", e) < 0 || named_by(&c, "value", e) < 0 ||
	    indirect(&c, "clientSecret", json_object_get(authentication, "clientSecret"), e) < 0 ||
	    indirect(&c, "refreshToken", json_object_get(authentication, "refreshToken"), e) < 0)
		return -1;
	json_object_foreach(json_object_get(authentication, "secrets"), key, where)
		if (indirect(&c, key, where, e) < 0)
			return -1;
	return 0;
}
