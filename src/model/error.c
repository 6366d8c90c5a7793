#include "model/error.h"

#include <stdarg.h>
#include <string.h>

#include "base/buf.h"

static const char *const names[ERROR_CATEGORY_COUNT] = {
    [ERROR_AUTH_EXPIRED] = "auth_expired",
    [ERROR_AUTH_INVALID] = "auth_invalid",
    [ERROR_RATE_LIMIT_DAILY] = "rate_limit_daily",
    [ERROR_RATE_LIMIT_BURST] = "rate_limit_burst",
    [ERROR_NETWORK_TIMEOUT] = "network_timeout",
    [ERROR_NETWORK_CONNECTION_REFUSED] = "network_connection_refused",
    [ERROR_API_RESPONSE_MALFORMED] = "api_response_malformed",
    [ERROR_API_ENDPOINT_REMOVED] = "api_endpoint_removed",
    [ERROR_API_UNEXPECTED_STATUS] = "api_unexpected_status",
    [ERROR_VALIDATION_FAILED] = "validation_failed",
    [ERROR_STATE_INCONSISTENT] = "state_inconsistent",
    [ERROR_USER_CANCELLED] = "user_cancelled",
};

const char *error_category_name(enum error_category c)
{
	return names[c];
}

int error_category_parse(const char *name)
{
	int i;

	for (i = 0; i < ERROR_CATEGORY_COUNT; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

json_t *error_new(enum error_category c, bool retryable, const char *fmt, ...)
{
	AUTO_BUF struct buf message = BUF_INIT;
	json_t *error = json_object();
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&message, fmt, ap);
	va_end(ap);
	json_object_set_new(error, "category", json_string(names[c]));
	json_object_set_new(error, "message", json_stringn_nocheck(buf_str(&message), message.len));
	json_object_set_new(error, "retryable", json_boolean(retryable));
	json_object_set_new(error, "context", json_object());
	return error;
}

void error_set_code(json_t *error, const char *code)
{
	json_object_set_new(error, "code", json_string(code));
}

void error_set_suggestion(json_t *error, const char *suggestion)
{
	if (suggestion)
		json_object_set_new(error, "suggestion", json_string(suggestion));
}

void error_set_context(json_t *error, const char *key, const char *value)
{
	json_object_set_new(json_object_get(error, "context"), key, json_string(value));
}

enum error_category error_category_of(const json_t *error)
{
	const char *name = json_string_value(json_object_get(error, "category"));
	int c = name ? error_category_parse(name) : -1;

	return c < 0 ? ERROR_STATE_INCONSISTENT : (enum error_category)c;
}
