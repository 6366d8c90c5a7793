/*
 * error.h - S0's error detail: the twelve categories, and the record of one error as JSON.
 *
 * Source: seeds/000 section 4.1, ErrorCategorySchema and ErrorDetailSchema; schemas/error-detail.schema.json.
 */
#ifndef CREEL_MODEL_ERROR_H
#define CREEL_MODEL_ERROR_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum error_category {
	ERROR_AUTH_EXPIRED,
	ERROR_AUTH_INVALID,
	ERROR_RATE_LIMIT_DAILY,
	ERROR_RATE_LIMIT_BURST,
	ERROR_NETWORK_TIMEOUT,
	ERROR_NETWORK_CONNECTION_REFUSED,
	ERROR_API_RESPONSE_MALFORMED,
	ERROR_API_ENDPOINT_REMOVED,
	ERROR_API_UNEXPECTED_STATUS,
	ERROR_VALIDATION_FAILED,
	ERROR_STATE_INCONSISTENT,
	ERROR_USER_CANCELLED,
	ERROR_CATEGORY_COUNT
};

#define ERROR_ALL ((1u << ERROR_CATEGORY_COUNT) - 1)

const char *error_category_name(enum error_category c);
/* The category of that name, or -1. */
int error_category_parse(const char *name);

/* A new error detail {category, message, retryable, context: {}}.  retryable says whether trying again could help
 * at all, not whether the policy will. */
json_t *error_new(enum error_category c, bool retryable, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Add code, suggestion (static or NULL leaves it) or a context entry; values are copied. */
void error_set_code(json_t *error, const char *code);
void error_set_suggestion(json_t *error, const char *suggestion);
void error_set_context(json_t *error, const char *key, const char *value);

/* Category of an error detail; ERROR_STATE_INCONSISTENT if it has none. */
enum error_category error_category_of(const json_t *error);

#endif
