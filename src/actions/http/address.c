#include "actions/http/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* ---- ranges ---- */

int address_range_parse(const char *text, struct address_range *out, struct err *e)
{
	const char *slash = strchr(text, '/');
	AUTO_FREE char *address = slash ? xstrndup(text, (size_t)(slash - text)) : xstrdup(text);
	unsigned most, bit;
	uint64_t bits;

	if (inet_pton(AF_INET, address, out->bytes + 12) == 1) {
		memcpy(out->bytes, mapped, sizeof mapped);
		most = 32;
	} else if (inet_pton(AF_INET6, address, out->bytes) == 1) {
		most = 128;
	} else {
		return err_set(e, EBADMSG, "\"%s\" is no address range: write 10.0.0.0/8, 127.0.0.1 or fd00::/8", text);
	}
	bits = most;
	if (slash && (!text_to_u64(slash + 1, &bits) || bits > most))
		return err_set(e, EBADMSG, "\"%s\": the length of a prefix is a number up to %u", text, most);
	out->bits = (unsigned)bits + (128 - most);
	for (bit = out->bits; bit < 128; bit++)
		if (out->bytes[bit / 8] & (0x80 >> bit % 8))
			return err_set(e, EBADMSG, "\"%s\": bits are set behind the prefix", text);
	return 0;
}

int address_ranges_parse(const json_t *list, struct address_ranges *out, struct err *e)
{
	size_t i;
	json_t *v;

	*out = (struct address_ranges){0};
	if (list && !json_is_null(list) && !json_is_array(list))
		return err_set(e, EBADMSG, "allowPrivate must be a list of address ranges");
	out->v = xcalloc(json_array_size(list) + 1, sizeof *out->v);
	json_array_foreach((json_t *)list, i, v) {
		if (!json_is_string(v)) {
			address_ranges_free(out);
			return err_set(e, EBADMSG, "allowPrivate must hold text: address ranges");
		}
		if (address_range_parse(json_string_value(v), &out->v[i], e) < 0) {
			address_ranges_free(out);
			return err_prefix(e, "allowPrivate");
		}
		out->n++;
	}
	return 0;
}

void address_ranges_free(struct address_ranges *r)
{
	free(r->v);
	*r = (struct address_ranges){0};
}

static bool holds(const unsigned char *prefix, unsigned bits, const unsigned char *address)
{
	if (memcmp(prefix, address, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || ((prefix[bits / 8] ^ address[bits / 8]) & (0xff00 >> bits % 8 & 0xff)) == 0;
}

/* ---- kinds of addresses ---- */

struct kind {
	unsigned char prefix[16];
	unsigned bits;
	const char *what;
};

/* https://www.iana.org/assignments/iana-ipv4-special-registry; and multicast, and what is reserved. */
static const struct kind kinds4[] = {
    {{0}, 8, "an address of this network (0.0.0.0/8)"},
    {{10}, 8, "a private address"},
    {{100, 64}, 10, "an address behind a carrier's NAT (100.64.0.0/10)"},
    {{127}, 8, "a loopback address"},
    {{169, 254}, 16, "a link-local address"},
    {{172, 16}, 12, "a private address"},
    {{192, 0, 0}, 24, "an address for protocol assignments (192.0.0.0/24)"},
    {{192, 0, 2}, 24, "an address for documentation"},
    {{192, 88, 99}, 24, "a 6to4 relay"},
    {{192, 168}, 16, "a private address"},
    {{198, 18}, 15, "an address for benchmarks (198.18.0.0/15)"},
    {{198, 51, 100}, 24, "an address for documentation"},
    {{203, 0, 113}, 24, "an address for documentation"},
    {{224}, 4, "a multicast address"},
    {{240}, 4, "a reserved address (240.0.0.0/4)"},
};

/* https://www.iana.org/assignments/iana-ipv6-special-registry; all outside 2000::/3 is refused anyway. */
static const struct kind kinds6[] = {
    {{0xfc}, 7, "a unique local address"},
    {{0xfe, 0x80}, 10, "a link-local address"},
    {{0xfe, 0xc0}, 10, "a site-local address"},
    {{0xff}, 8, "a multicast address"},
    {{0x20, 0x01}, 23, "an address for protocol assignments (2001::/23)"},
    {{0x20, 0x01, 0x0d, 0xb8}, 32, "an address for documentation"},
    {{0x3f, 0xff}, 20, "an address for documentation"},
};

static const unsigned char nat64[12] = {0, 0x64, 0xff, 0x9b};
static const unsigned char sixto4[2] = {0x20, 0x02};

static const char *refused4(const unsigned char *address)
{
	size_t i;

	for (i = 0; i < sizeof kinds4 / sizeof *kinds4; i++)
		if (holds(kinds4[i].prefix, kinds4[i].bits, address))
			return kinds4[i].what;
	return NULL;
}

static const char *refused6(const unsigned char *address)
{
	static const unsigned char zeros[16], one[16] = {[15] = 1};
	size_t i;

	if (memcmp(address, one, 16) == 0)
		return "a loopback address";
	if (memcmp(address, zeros, 16) == 0)
		return "the unspecified address";
	if (memcmp(address, mapped, 12) == 0)
		return refused4(address + 12);
	for (i = 0; i < sizeof kinds6 / sizeof *kinds6; i++)
		if (holds(kinds6[i].prefix, kinds6[i].bits, address))
			return kinds6[i].what;
	return (address[0] & 0xe0) == 0x20 ? NULL : "no public address";
}

/* As one of 128 bits.  Where an IPv4 address stands inside an IPv6 one, that is where the packet ends up. */
static bool canonical(const struct sockaddr *sa, unsigned char out[16])
{
	const unsigned char *six;

	if (sa->sa_family == AF_INET) {
		memcpy(out, mapped, 12);
		memcpy(out + 12, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
		return true;
	}
	if (sa->sa_family != AF_INET6)
		return false;
	six = ((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr.s6_addr;
	memcpy(out, six, 16);
	if (memcmp(six, nat64, 12) == 0)
		memcpy(out, mapped, 12);
	if (memcmp(six, sixto4, 2) == 0) {
		memcpy(out, mapped, 12);
		memcpy(out + 12, six + 2, 4);
	}
	return true;
}

const char *address_refused(const struct sockaddr *sa, const struct address_ranges *allowed)
{
	unsigned char address[16];
	size_t i;

	if (!canonical(sa, address))
		return "neither an IPv4 nor an IPv6 address";
	for (i = 0; i < allowed->n; i++)
		if (holds(allowed->v[i].bytes, allowed->v[i].bits, address))
			return NULL;
	return refused6(address);
}

void address_text(const struct sockaddr *sa, char out[ADDRESS_TEXT])
{
	char text[INET6_ADDRSTRLEN] = "?";

	if (sa->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, text, sizeof text);
	else if (sa->sa_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, text, sizeof text);
	snprintf(out, ADDRESS_TEXT, sa->sa_family == AF_INET6 ? "[%s]" : "%s", text);
}
