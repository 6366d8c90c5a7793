/*
 * catalog_http.h - the definitions of a spool's catalog/actions and the API entries of its catalog/apis.
 *
 *   struct http_catalog *c = http_catalog_new(root);    nothing is read yet
 *   http_catalog_look_again(c)                          whoever asks next reads what changed since: a stat for each file
 *   http_catalog_find(c, "tracker.create-issue", …)     a definition and its API, as they stand now
 *
 * Every *.yaml, *.yml and *.json there is one entry; its id is what it says, not its file's name.  Files are read like
 * what is dropped: below the directory, no links, regular files under a cap.  A file that is wrong is no entry: it is
 * kept with its findings.  Two files with one id are both wrong, and so is a definition whose API is missing or wrong.
 */
#ifndef CREEL_STORE_CATALOG_HTTP_H
#define CREEL_STORE_CATALOG_HTTP_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "codec/catalog.h"
#include "model/diag.h"

struct http_catalog;

/* One file. */
struct catalog_item {
	enum catalog_kind kind;
	char *file; /* below catalog/: actions/x.yaml */
	struct catalog_names names;
	json_t *entry;       /* what it says; NULL: nothing that can be used */
	struct diags errors; /* why it is wrong; with an entry: why it cannot be used all the same */
	bool told;           /* for whoever reports wrong files: this one was, as it is */
};

struct http_found {
	json_t *definition; /* borrowed until the next refresh */
	json_t *api;        /* the same; NULL: none fits */
};

/* root: a descriptor of the spool's own directory, which must outlive it. */
struct http_catalog *http_catalog_new(int root);
void http_catalog_free(struct http_catalog *c);

/* Read what changed.  Did anything? */
bool http_catalog_refresh(struct http_catalog *c);
/* Why something could not be read that may be right; NULL: everything was.  What was not found then may be there. */
const struct err *http_catalog_trouble(const struct http_catalog *c);
/* Let the next question do so first. */
void http_catalog_look_again(struct http_catalog *c);

/* All files, by name. */
size_t http_catalog_count(const struct http_catalog *c);
struct catalog_item *http_catalog_item(const struct http_catalog *c, size_t k);

/* The definition of that id, and its API: 1.  0: there is none.  -1: it cannot be used, and *why (owned by the caller)
 * says so. */
int http_catalog_find(struct http_catalog *c, const char *id, struct http_found *out, char **why);
/* The API that a URL belongs to, in the same way. */
int http_catalog_api_of(struct http_catalog *c, const char *url, json_t **api, char **why);

/* The id that was most likely meant, or NULL. */
const char *http_catalog_nearest(struct http_catalog *c, const char *id);

#endif
