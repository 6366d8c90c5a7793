/*
 * config_file.h - the configuration file: YAML, snake_case, checked against schemas/config.schema.json.
 */
#ifndef CREEL_STORE_CONFIG_FILE_H
#define CREEL_STORE_CONFIG_FILE_H

#include <jansson.h>

#include "base/err.h"

/* What stands in it, a new value.  NULL: it cannot be read or is wrong, and *e names file, line and column. */
json_t *config_file_read(const char *file, struct err *e);

#endif
