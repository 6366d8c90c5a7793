/*
 * headers.h - the fields of a message: an ordered list of names and values.
 *
 *   struct headers h = {0};
 *   headers_add(&h, "Accept", "text/plain");
 *   headers_get(&h, "accept") is "text/plain"
 *   headers_free(&h);
 *
 * Names compare without regard to case (RFC 9110 section 5.1).  Names and values are copied.
 */
#ifndef CREEL_HTTP_HEADERS_H
#define CREEL_HTTP_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

struct header {
	char *name, *value;
	bool credential; /* proves who we are: goes to the origin it was made for and to no other, and is never shown */
};

struct headers {
	struct header *v;
	size_t n, cap;
};

/* Append; the new field may be refined until the next one is added. */
struct header *headers_add(struct headers *h, const char *name, const char *value);
/* Replace all of that name by one. */
struct header *headers_set(struct headers *h, const char *name, const char *value);
/* The first of that name, or NULL. */
const char *headers_get(const struct headers *h, const char *name);
/* Remove all of that name, which must not be the list's own copy. */
void headers_drop(struct headers *h, const char *name);
/* Remove the one at i; those behind it move up. */
void headers_drop_at(struct headers *h, size_t i);
void headers_copy(struct headers *to, const struct headers *from);
void headers_free(struct headers *h);

/* A token of RFC 9110: letters, digits and !#$%&'*+-.^_`|~ . */
bool header_name_ok(const char *name);
/* May the value stand in a message? No control characters but tab, so that it cannot end its line. */
bool header_value_ok(const char *value, size_t n);
/* Names that a definition must not set, because they say where a message ends or to whom it goes. */
bool header_is_framing(const char *name);
/* Names whose values are credentials by custom: Authorization, Cookie, X-Api-Key, … */
bool header_is_sensitive(const char *name);

#endif
