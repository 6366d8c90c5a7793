/*
 * answer.h - the body of an answer, understood as far as it can be: as JSON, as text, and as an error message.
 *
 * Services say what went wrong in many places.  Looked at, in this order: error.message, error_description,
 * errors[0].message, errors[0], message, error, detail, title, msg, fault.faultstring, reason; for the code error.code,
 * error.type, error.status, errors[0].code, code, errorCode, error_code, error, type.  In HTML it is the title; in other
 * text the first line.
 */
#ifndef CREEL_HTTP_ANSWER_H
#define CREEL_HTTP_ANSWER_H

#include <jansson.h>
#include <stdbool.h>

#include "actions/http/content.h"
#include "actions/http/exchange.h"
#include "base/err.h"

struct answer {
	struct content_type type;
	enum content content;
	json_t *json;       /* NULL if it is no JSON, or could not be parsed */
	struct err problem; /* why it could not, if it should have been JSON; hidden */
	char *text;         /* in UTF-8; NULL if it is none, or if it is too large to be in memory */
	size_t text_n;
	char *message;      /* of an error, in full, hidden; or NULL */
	char *code;         /* the service's own, hidden; or NULL */
};

/* quirks may be NULL: nonStandardJsonContentType, errorContentType, binaryErrorResponses have their effect here. */
void answer_read(struct answer *a, const struct exchange *x, const json_t *quirks, const struct redact *secrets);
void answer_free(struct answer *a);

/* Cut it to what a person reads, not inside a character. */
void answer_shorten(char *message);

/* quirks.successWithErrorBody: does the body of an answer with a good status say that it failed? */
bool answer_is_error_body(const struct answer *a, const json_t *quirks);

#endif
