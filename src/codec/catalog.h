/*
 * catalog.h - one file of catalog/actions or catalog/apis: from its text to a definition that can be obeyed.
 *
 *   json_t *def = catalog_decode(CATALOG_ACTION, "actions/x.yaml", text, n, &names, &errors);
 *
 * What comes back has every member that the source document asks for, defaults included, and `checksum`, the SHA-256
 * of the text.  A file with a finding gives nothing: a definition is never half obeyed.
 */
#ifndef CREEL_CODEC_CATALOG_H
#define CREEL_CODEC_CATALOG_H

#include <jansson.h>

#include "model/diag.h"

enum catalog_kind { CATALOG_ACTION, CATALOG_API, CATALOG_KINDS };

enum { CATALOG_FILE_MAX = 1024 * 1024 }; /* bytes */

/* What a file calls itself, also when it is wrong; members are NULL where that cannot be told. */
struct catalog_names {
	char *id;
	char *base_url; /* of an API */
	int id_line, id_column;
	int api_line, api_column; /* of a definition: where it says which API is its own, apiId or the URL */
};

/* NULL: *errors says why, with line and column. */
json_t *catalog_decode(enum catalog_kind kind, const char *file, const char *text, size_t n, struct catalog_names *names,
		       struct diags *errors);
void catalog_names_free(struct catalog_names *names);

/* Does a URL (or the template of one) belong to an API with this base URL?  Then the length that they share, else 0. */
size_t catalog_url_fits(const char *base_url, const char *url);

/* Call visit for each {name} in a template; n is the length of the name. */
void catalog_placeholders(const char *template, void (*visit)(void *ctx, const char *name, size_t n), void *ctx);

#endif
