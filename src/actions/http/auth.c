#include "actions/http/auth.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "actions/http/url.h"
#include "base/mem.h"
#include "model/error.h"

json_t *auth_error(const struct job *j, const char *code, const char *suggestion, const char *fmt, ...)
{
	AUTO_BUF struct buf why = BUF_INIT;
	json_t *error;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&why, fmt, ap);
	va_end(ap);
	error = error_new(ERROR_AUTH_INVALID, false, "%s: %s", j->id, buf_str(&why));
	error_set_code(error, code);
	error_set_suggestion(error, suggestion);
	return error;
}

int auth_add_field(struct session *s, struct request *r, const char *name, const char *value, json_t **error)
{
	if (!header_name_ok(name) || header_is_framing(name)) {
		*error = auth_error(&s->job, "auth_header", "give authentication the name of an ordinary header",
				    "\"%s\" cannot be the header of the credentials", name);
		return -1;
	}
	if (!header_value_ok(value, strlen(value))) {
		*error = auth_error(&s->job, "auth_value", "look for a line break or a stray character in the secret",
				    "the credentials for the header %s have a control character in them", name);
		return -1;
	}
	headers_set(&r->headers, name, value)->credential = true;
	return 0;
}

static const char *secret(struct session *s, const char *name, json_t **error)
{
	const char *value = job_secret(&s->job, name);

	if (!value || !*value) {
		*error = auth_error(&s->job, "auth_missing", "see authentication in the definition, and that the variable or secret it "
				    "names is there", "the engine handed over no %s", name);
		return NULL;
	}
	return value;
}

static int put_bearer(struct session *s, struct request *r, const char *token, json_t **error)
{
	AUTO_FREE char *value = xasprintf("Bearer %s", token);

	return auth_add_field(s, r, "Authorization", value, error);
}

static int api_key(struct session *s, struct request *r, json_t **error)
{
	const char *value = secret(s, "value", error), *name = job_text(s->job.auth, "header");
	const char *prefix = job_text(s->job.auth, "prefix"), *location = job_text(s->job.auth, "location");
	AUTO_FREE char *whole = NULL;
	char *url;

	if (!value)
		return -1;
	whole = xasprintf("%s%s", prefix ? prefix : "", value);
	if (!location || strcmp(location, "query") != 0)
		return auth_add_field(s, r, name ? name : "X-Api-Key", whole, error);
	url = url_add_parameter(r->url, name ? name : "api_key", whole);
	free(r->url);
	r->url = url;
	return 0;
}

static bool is_oauth(const json_t *auth, const char *type)
{
	return strcmp(type, "oauth2") == 0 || (strcmp(type, "bearer") == 0 && job_text(auth, "tokenUrl"));
}

bool auth_renewable(const struct job *j)
{
	const char *type = job_text(j->auth, "type");

	return type && (is_oauth(j->auth, type) || strcmp(type, "custom") == 0);
}

int auth_apply(struct session *s, struct request *r, json_t **error)
{
	const char *type = job_text(s->job.auth, "type"), *token;
	char *shared;

	if (!s->job.auth)
		return 0;
	if (type && is_oauth(s->job.auth, type)) {
		shared = oauth_token(s, error); /* another one than used_token, which was refused */
		free(s->used_token);
		s->used_token = shared;
		return shared ? put_bearer(s, r, shared, error) : -1;
	}
	if (type && strcmp(type, "bearer") == 0) {
		token = secret(s, "token", error);
		return token ? put_bearer(s, r, token, error) : -1;
	}
	if (type && strcmp(type, "api_key") == 0)
		return api_key(s, r, error);
	if (type && strcmp(type, "custom") == 0)
		return handler_sign(s, r, error);
	*error = auth_error(&s->job, "auth_type", "use bearer, api_key, oauth2 or custom", "there is no authentication of type %s",
			    type ? type : "(none)");
	return -1;
}
