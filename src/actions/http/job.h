/*
 * job.h - what one attempt is to do: the request that the engine wrote, read once and checked.
 *
 *   request.json   {execution, action, attempt, idempotencyKey, inputs, timeoutMs, http: {definition, api, allowPrivate,
 *                  caFile, userAgent, proxy, handler, limits}}
 *   descriptor 3   {secrets: {NAME: value}, input: {NAME: value}, mask: [text]}
 *
 * The definition and the API were checked against their schemas when they were taken into the catalog; what is missing
 * here has its default, what cannot be worked with is a validation_failed.
 */
#ifndef CREEL_HTTP_JOB_H
#define CREEL_HTTP_JOB_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "actions/http/address.h"
#include "actions/http/redact.h"
#include "base/clock.h"
#include "base/err.h"

struct limits {
	uint64_t response;     /* decoded bytes of an answer */
	uint64_t inline_body;  /* of them parsed in memory; beyond that a file */
	uint64_t headers;      /* fields of an answer, and */
	uint64_t header_bytes; /* all their bytes */
	uint64_t trace_body;   /* recorded bytes of a body */
	msec connect, idle;    /* to connect; without a byte while an answer comes */
	msec retry_after;      /* the longest wait that a server may demand */
};

struct job {
	json_t *request;         /* owned; all below points into it unless it says otherwise */
	json_t *secrets;         /* owned: what descriptor 3 holds */
	json_t *inputs;          /* owned: with the true values of secrets */
	const json_t *definition;
	const json_t *endpoint;
	const json_t *auth;      /* NULL: none */
	const json_t *api;       /* NULL: none */
	const json_t *quirks;    /* NULL: none */
	const char *method;
	const char *id;          /* of the definition */
	const char *api_id;      /* or NULL */
	const char *action;      /* or NULL */
	const char *idempotency_key; /* or NULL */
	const char *ca_file;     /* only this CA; or NULL */
	const char *more_ca_file; /* this CA beside the system's; or NULL */
	const char *proxy;       /* or NULL */
	const char *user_agent;  /* of the configuration, or NULL */
	const char *handler;     /* path of the program that signs; or NULL */
	uint32_t attempt;
	bool unsafe;             /* doing it twice is not the same as doing it once, and nothing says that it may be */
	unsigned redirects;
	msec deadline_mono;      /* for all of it; 0: none */
	struct limits limits;
	struct address_ranges allowed;
};

/* Both arguments become the job's, also on failure.  0, or -1 with *e. */
int job_read(struct job *j, json_t *request, json_t *secrets, struct err *e);
/* For --health: only http's settings and the API. */
int job_read_health(struct job *j, json_t *request, struct err *e);
void job_free(struct job *j);

/* All secrets that are known at the start. */
void job_redact(const struct job *j, struct redact *r);
/* A secret of descriptor 3, or NULL. */
const char *job_secret(const struct job *j, const char *name);

/* Members of definitions and the like: NULL or the fallback if absent. */
const char *job_text(const json_t *o, const char *key);
bool job_flag(const json_t *o, const char *key, bool fallback);

#endif
