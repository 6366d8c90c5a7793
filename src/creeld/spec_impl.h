/*
 * spec_impl.h - shared by the files that make specifications; nobody else includes it.
 */
#ifndef CREEL_CREELD_SPEC_IMPL_H
#define CREEL_CREELD_SPEC_IMPL_H

#include "creeld/secrets.h"

void spec_put(struct buf *b, const char *key, const char *value);
void spec_put_env(struct buf *b, const char *name, const char *value);
/* The variables that every attempt has. */
void spec_put_creel_env(struct buf *b, const struct live *l, uint32_t action, const char *dir);
/* request.json; http (or NULL) is what it says about the request. */
void spec_put_request(struct buf *b, const struct live *l, uint32_t action, const json_t *inputs, json_t *http);

/* All that an HTTP action has of its own: creel-http, its environment, what it is to do, and what it must keep to
 * itself. */
int spec_put_http(struct buf *b, struct daemon *d, struct live *l, uint32_t action, const char *dir,
		  const json_t *inputs, struct err *e);

#endif
