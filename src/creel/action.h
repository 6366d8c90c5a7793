/*
 * action.h - the parts of `creel action`: a definition of the catalog shown, run once, and its examples tried.
 */
#ifndef CREEL_CREEL_ACTION_H
#define CREEL_CREEL_ACTION_H

#include <jansson.h>

#include "base/err.h"
#include "creel/verb.h"
#include "store/catalog_http.h"

/* What creel action show prints; file is below catalog/. */
void action_show(const struct http_found *found, const char *file);

/* ---- running one (action_run.c) ---- */

struct runner {
	const char *spool;   /* path: handlers are below it */
	const char *typed;   /* the variable whose value stands for what a person would type; or NULL */
	json_t *config;      /* of the daemon: what it says under http, secrets_dir; or NULL */
	char *executor;      /* path of creel-http */
	int tokens;          /* memory that the attempts share access tokens in */
};

/* config: a configuration file, or NULL for the usual one.  -1 and *e. */
int runner_open(struct runner *r, const char *spool, const char *config, const char *typed, struct err *e);
void runner_close(struct runner *r);

/* The secrets of a definition, for descriptor 3: a new value (whoever frees it: it holds secrets), or NULL and *e. */
json_t *runner_secrets(const struct runner *r, const json_t *definition, struct err *e);

/* One attempt with the true requests: {"output": …} or {"error": …}, and "trace"; NULL and *e if it could not be made.
 */
json_t *runner_attempt(struct runner *r, const struct http_found *what, const json_t *inputs, struct err *e);

/* ---- its examples (action_test.c) ---- */

struct action_test {
	const char *record;   /* a directory to write what came, or NULL */
	const char *recorded; /* a directory or file to compare with in place of the network, or NULL */
	const char *only;     /* the name of one example, or NULL */
	bool json;
};

/* An exit status. */
int action_test(struct runner *r, const struct http_found *found, const struct action_test *t);

/* What a definition expects of its example, beside what came: one {at, expected, found} for each difference. */
json_t *action_differences(const json_t *expected, const json_t *found);

#endif
