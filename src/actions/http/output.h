/*
 * output.h - outputs from a good answer.
 *
 *   JSON object     the object itself
 *   other JSON      {"body": value}
 *   text            {"text": "…"}, in UTF-8
 *   no body         {}
 *   anything else, JSON with numbers above 64 bits, and what is larger than limits.inline_body: the file `body` of the
 *                   attempt, and
 *                   {"body": {provider, path, size, checksum, contentType, metadata}} (S0 StorageLocation)
 *
 * outputSchema is about this object, or, if its `type` is something other than object, about the JSON value.
 */
#ifndef CREEL_HTTP_OUTPUT_H
#define CREEL_HTTP_OUTPUT_H

#include <jansson.h>

#include "actions/http/answer.h"
#include "actions/http/session.h"

/* 0 and *output, or -1 and *error.  *keep: the file of the body belongs to the output. */
int output_make(const struct session *s, struct exchange *x, const struct answer *a, json_t **output, bool *keep,
		json_t **error);

#endif
