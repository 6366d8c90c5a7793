/*
 * http_status.h - for creel status: APIs that are left alone, rate limits that something counts against, and files of the
 * catalog that cannot be used (S0-API, S0-DEF).
 */
#ifndef CREEL_CREEL_HTTP_STATUS_H
#define CREEL_CREEL_HTTP_STATUS_H

#include <jansson.h>

#include "creel/common.h"
#include "creel/show_text.h"

/* {apis: [what apis/ says of those that are left alone], limits: [{key, windowMs, sent}], catalog: {definitions, apis,
 * wrong: [{file, line, column, message, suggestion}]}}; a member is null where it cannot be read.  A new value. */
json_t *http_status_read(struct cli *c);
void put_http_status(struct buf *b, const struct term *t, const json_t *status);

#endif
