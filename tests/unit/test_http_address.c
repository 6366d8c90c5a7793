/*
 * Which addresses a request may go to (design section 5): every special-purpose range is refused at both its ends, and
 * what lies beside it is not.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "actions/http/address.h"

union any {
	struct sockaddr sa;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
};

static union any address(const char *text)
{
	union any a = {.sa.sa_family = AF_UNSPEC};

	if (inet_pton(AF_INET, text, &a.four.sin_addr) == 1)
		a.sa.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &a.six.sin6_addr) == 1)
		a.sa.sa_family = AF_INET6;
	else
		fail_msg("%s is no address", text);
	return a;
}

static void without_permission(void **state)
{
	static const struct {
		const char *address;
		bool refused;
	} rows[] = {
	    {"0.0.0.0", true}, {"0.255.255.255", true}, {"1.0.0.0", false}, {"1.1.1.1", false}, {"8.8.8.8", false},
	    {"9.255.255.255", false}, {"10.0.0.0", true}, {"10.255.255.255", true}, {"11.0.0.0", false},
	    {"100.63.255.255", false}, {"100.64.0.0", true}, {"100.127.255.255", true}, {"100.128.0.0", false},
	    {"126.255.255.255", false}, {"127.0.0.0", true}, {"127.0.0.1", true}, {"127.255.255.255", true}, {"128.0.0.0", false},
	    {"169.253.255.255", false}, {"169.254.0.0", true}, {"169.254.169.254", true}, {"169.255.0.0", false},
	    {"172.15.255.255", false}, {"172.16.0.0", true}, {"172.31.255.255", true}, {"172.32.0.0", false},
	    {"192.0.0.1", true}, {"192.0.2.1", true}, {"192.0.3.0", false}, {"192.88.99.1", true},
	    {"192.167.255.255", false}, {"192.168.0.0", true}, {"192.168.255.255", true}, {"192.169.0.0", false},
	    {"198.17.255.255", false}, {"198.18.0.0", true}, {"198.19.255.255", true}, {"198.20.0.0", false},
	    {"198.51.100.7", true}, {"203.0.113.7", true}, {"223.255.255.255", false},
	    {"224.0.0.1", true}, {"239.255.255.255", true}, {"240.0.0.0", true}, {"255.255.255.255", true},
	    {"::", true}, {"::1", true}, {"::2", true}, {"::127.0.0.1", true}, {"::8.8.8.8", true},
	    {"::ffff:127.0.0.1", true}, {"::ffff:10.1.2.3", true}, {"::ffff:169.254.169.254", true}, {"::ffff:8.8.8.8", false},
	    {"64:ff9b::8.8.8.8", false}, {"64:ff9b::127.0.0.1", true}, {"64:ff9b::a9fe:a9fe", true}, {"64:ff9b:1::1", true},
	    {"100::1", true}, {"2001::1", true}, {"2001:1ff::1", true}, {"2001:200::1", false}, {"2001:db8::1", true},
	    {"2001:4860:4860::8888", false}, {"2002:7f00:1::", true}, {"2002:a00:1::1", true}, {"2002:808:808::1", false},
	    {"2606:4700::1111", false}, {"3fff::1", true}, {"3fff:fff::1", true}, {"4000::1", true}, {"1fff::1", true},
	    {"fbff::1", true}, {"fc00::1", true}, {"fdff::1", true}, {"fe80::1", true}, {"febf::1", true}, {"fec0::1", true},
	    {"ff02::1", true},
	};
	const struct address_ranges none = {0};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		union any a = address(rows[k].address);

		if ((address_refused(&a.sa, &none) != NULL) != rows[k].refused)
			fail_msg("%s is %s", rows[k].address, rows[k].refused ? "allowed" : address_refused(&a.sa, &none));
	}
}

static void with_permission(void **state)
{
	static const struct {
		const char *range, *address;
		bool refused;
	} rows[] = {
	    {"127.0.0.0/8", "127.0.0.1", false},
	    {"127.0.0.0/8", "::ffff:127.0.0.1", false}, /* that is the same address */
	    {"127.0.0.0/8", "64:ff9b::127.0.0.1", false},
	    {"127.0.0.0/8", "::1", true},
	    {"127.0.0.0/8", "10.0.0.1", true},
	    {"127.0.0.1", "127.0.0.1", false},
	    {"127.0.0.1", "127.0.0.2", true},
	    {"10.20.0.0/15", "10.21.255.255", false},
	    {"10.20.0.0/15", "10.22.0.0", true},
	    {"10.0.0.128/25", "10.0.0.127", true},
	    {"10.0.0.128/25", "10.0.0.128", false},
	    {"0.0.0.0/0", "192.168.1.1", false},
	    {"0.0.0.0/0", "fd00::1", true},
	    {"::/0", "192.168.1.1", false}, /* everything */
	    {"::/0", "fd00::1", false},
	    {"fd00::/8", "fd12::1", false},
	    {"fd00::/8", "fc12::1", true},
	    {"::1", "::1", false},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		union any a = address(rows[k].address);
		struct address_range range;
		struct address_ranges ranges = {&range, 1};
		struct err e = {0};

		if (address_range_parse(rows[k].range, &range, &e) < 0)
			fail_msg("%s", e.text);
		if ((address_refused(&a.sa, &ranges) != NULL) != rows[k].refused)
			fail_msg("%s with %s", rows[k].address, rows[k].range);
	}
}

static void other_families(void **state)
{
	const struct address_ranges none = {0};
	const struct sockaddr sa = {.sa_family = AF_UNIX};
	char text[ADDRESS_TEXT];

	(void)state;
	assert_string_equal(address_refused(&sa, &none), "neither an IPv4 nor an IPv6 address");
	address_text(&sa, text);
	assert_string_equal(text, "?");
}

static void no_ranges(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
	    {"", "\"\" is no address range: write 10.0.0.0/8, 127.0.0.1 or fd00::/8"},
	    {"localhost", "\"localhost\" is no address range: write 10.0.0.0/8, 127.0.0.1 or fd00::/8"},
	    {"10.0.0/8", "\"10.0.0/8\" is no address range: write 10.0.0.0/8, 127.0.0.1 or fd00::/8"},
	    {"10.0.0.0/33", "\"10.0.0.0/33\": the length of a prefix is a number up to 32"},
	    {"10.0.0.0/", "\"10.0.0.0/\": the length of a prefix is a number up to 32"},
	    {"10.0.0.0/-1", "\"10.0.0.0/-1\": the length of a prefix is a number up to 32"},
	    {"fd00::/129", "\"fd00::/129\": the length of a prefix is a number up to 128"},
	    {"10.0.0.1/8", "\"10.0.0.1/8\": bits are set behind the prefix"},
	};
	struct address_range range;
	struct err e;
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		assert_int_equal(address_range_parse(rows[k].text, &range, &e), -1);
		assert_string_equal(e.text, rows[k].why);
	}
}

static void lists(void **state)
{
	json_t *good = json_pack("[s, s]", "10.0.0.0/8", "fd00::/8"), *bad = json_pack("[s, i]", "10.0.0.0/8", 3);
	struct address_ranges r;
	struct err e;

	(void)state;
	assert_int_equal(address_ranges_parse(good, &r, &e), 0);
	assert_int_equal(r.n, 2);
	address_ranges_free(&r);
	assert_int_equal(address_ranges_parse(NULL, &r, &e), 0);
	assert_int_equal(r.n, 0);
	address_ranges_free(&r);
	assert_int_equal(address_ranges_parse(bad, &r, &e), -1);
	assert_string_equal(e.text, "allowPrivate must hold text: address ranges");
	json_decref(good);
	json_decref(bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_permission), cmocka_unit_test(with_permission), cmocka_unit_test(other_families),
	    cmocka_unit_test(no_ranges),          cmocka_unit_test(lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
