/*
 * auth.h - how a request proves who we are (S0 AuthenticationSchema).
 *
 *   bearer    Authorization: Bearer, with a token that the engine handed over; with tokenUrl as oauth2
 *   api_key   the named field, or with location: query the named parameter; prefix stands before the value
 *   oauth2    a token of the client, shared by all attempts (oauth.c)
 *   custom    fields, and perhaps a signed URL, from a program (handler.c)
 */
#ifndef CREEL_HTTP_AUTH_H
#define CREEL_HTTP_AUTH_H

#include <jansson.h>
#include <stdbool.h>

#include "actions/http/session.h"

/* Add them to the request.  0, or -1 and *error. */
int auth_apply(struct session *s, struct request *r, json_t **error);
/* Could other credentials be had, if these are refused? */
bool auth_renewable(const struct job *j);

/* oauth.c: "" never; the caller frees it.  NULL and *error. */
char *oauth_token(struct session *s, json_t **error);
/* handler.c */
int handler_sign(struct session *s, struct request *r, json_t **error);

/* A field that proves who we are; -1 and *error if the value cannot stand in one. */
int auth_add_field(struct session *s, struct request *r, const char *name, const char *value, json_t **error);
json_t *auth_error(const struct job *j, const char *code, const char *suggestion, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
