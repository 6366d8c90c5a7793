/*
 * address.h - to which addresses a request may go.
 *
 * A name is resolved by somebody else's server, so what counts is the address that the socket is about to be
 * connected to: refused are all that are no public unicast addresses (IANA's special-purpose registries), also where
 * an IPv4 address stands inside an IPv6 one (mapped, compatible, NAT64, 6to4), unless the configuration's ranges have
 * them.
 */
#ifndef CREEL_HTTP_ADDRESS_H
#define CREEL_HTTP_ADDRESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/err.h"

struct address_range {
	unsigned char bytes[16]; /* an IPv4 range stands as ::ffff:a.b.c.d with 96 bits more */
	unsigned bits;
};

struct address_ranges {
	struct address_range *v;
	size_t n;
};

enum { ADDRESS_TEXT = 64 };

/* "10.0.0.0/8", "fd00::/8", or one address; bits behind the prefix must be 0.  -1 and *e says what is wrong. */
int address_range_parse(const char *text, struct address_range *out, struct err *e);
/* An array of them; NULL is an empty one. */
int address_ranges_parse(const json_t *list, struct address_ranges *out, struct err *e);
void address_ranges_free(struct address_ranges *r);

/* NULL if a connection to it is allowed; else what kind of address it is: "a loopback address". */
const char *address_refused(const struct sockaddr *sa, const struct address_ranges *allowed);
/* "192.0.2.1" or "[2001:db8::1]"; other families give "?". */
void address_text(const struct sockaddr *sa, char out[ADDRESS_TEXT]);

#endif
