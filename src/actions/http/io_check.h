/*
 * io_check.h - inputs and outputs against what the definition declares.
 */
#ifndef CREEL_HTTP_IO_CHECK_H
#define CREEL_HTTP_IO_CHECK_H

#include <jansson.h>

#include "actions/http/redact.h"
#include "codec/io_schema.h"

/* NULL if value fits what is declared (NULL: everything fits), else what does not, in one sentence without secrets; the
 * caller frees it. */
char *io_check(const json_t *declared, const json_t *value, const struct redact *secrets);

#endif
