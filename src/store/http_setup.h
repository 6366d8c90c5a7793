/*
 * http_setup.h - what creel-http is given by whoever starts it, the daemon or creel action test.
 *
 * config is the member http of the daemon's configuration (schemas/config.schema.json), or NULL.
 */
#ifndef CREEL_STORE_HTTP_SETUP_H
#define CREEL_STORE_HTTP_SETUP_H

#include <jansson.h>

#include "base/err.h"

/* Path of the executor: the configured one, the one beside this program, or the first along PATH; a new string.  If it is
 * nowhere, the path where it should be. */
char *http_executor(const json_t *config);

/* A new object with what the configuration says about requests: allowPrivate, caFile, userAgent, proxy, limits. */
json_t *http_settings(const json_t *config);

/* The member http of request.json: the settings, the definition (taken over), its API's entry or NULL, and the program
 * that signs, as a path. */
json_t *http_job(const json_t *config, const char *spool, json_t *definition, json_t *api);

/* Where a credential comes from: a variable or a secret of that name, or a person. */
enum credential_from { CREDENTIAL_ENV, CREDENTIAL_SECRET, CREDENTIAL_TYPED };

/* Called for each credential that an authentication names; key is what the executor knows it by.  -1 and *e end it. */
typedef int (*credential_take)(void *ctx, const char *key, enum credential_from from, const char *name, struct err *e);
int http_credentials(const json_t *authentication, credential_take take, void *ctx, struct err *e);

#endif
