/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "net/address.h"

#include "base/alloc.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

static const struct {
	const char *text, *canonical; /* NULL: refused */
} addresses[] = {
	{ "192.0.2.1", "192.0.2.1" },
	{ "2001:DB8::0:1", "2001:db8::1" },
	{ "[2001:db8::1]", "2001:db8::1" },
	{ "::ffff:192.0.2.1", "192.0.2.1" },
	{ "", NULL },
	{ "[]", NULL },
	{ "192.0.2", NULL },
	{ "192.0.2.256", NULL },
	{ "0300.0.2.1", NULL },
	{ "192.0.2.1 ", NULL },
	{ "2001:db8::1%eth0", NULL },
	{ "2001:db8:::1", NULL },
	{ "example.org", NULL },
	{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc", NULL },
};

static void test_text(void **state)
{
	char text[NET_ADDRESS_TEXT];
	struct net_address a;

	(void)state;
	for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
		int r = net_address_parse(span_str(addresses[i].text), &a);

		assert_int_equal(r, addresses[i].canonical ? 0 : NET_E_SYNTAX);
		if (r == 0)
			assert_string_equal(net_address_text(&a, text), addresses[i].canonical);
	}
	assert_int_equal(net_address_parse(SPAN("192.0.2.1\0x"), &a), NET_E_SYNTAX);
}

static const struct {
	const char *list, *address;
	bool has;
} prefixes[] = {
	{ "192.0.2.0/24", "192.0.2.255", true },
	{ "192.0.2.0/24", "192.0.3.0", false },
	{ "192.0.2.128/25, 10.0.0.1", "192.0.2.127", false },
	{ "192.0.2.128/25, 10.0.0.1", "10.0.0.1", true },
	{ "0.0.0.0/0", "2001:db8::1", false },
	{ "0.0.0.0/0", "255.255.255.255", true },
	{ "2001:db8::/33", "2001:db8:7fff::1", true },
	{ "2001:db8::/33", "2001:db8:8000::1", false },
	{ "127.0.0.0/8\n::1", "::1", true },
	{ "", "::1", false },
};

static void test_prefixes(void **state)
{
	static const char *const refused[] = { "192.0.2.1/24", "192.0.2.0/33", "192.0.2.0/",
		"192.0.2.0/-1", "/8", "10.0.0.0/8/8", "10.0.0.0/8 x", "::1/129" };

	(void)state;
	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
		struct net_prefix_list l;
		struct net_address a;

		assert_int_equal(net_prefix_list_parse(span_str(prefixes[i].list), &l), 0);
		assert_int_equal(net_address_parse(span_str(prefixes[i].address), &a), 0);
		assert_int_equal(net_prefix_list_has(&l, &a), prefixes[i].has);
		net_prefix_list_done(&l);
	}
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		struct net_prefix_list l;

		assert_int_equal(net_prefix_list_parse(span_str(refused[i]), &l), NET_E_SYNTAX);
	}
}

static const struct {
	const char *address;
	bool is_public;
} reaches[] = {
	{ "8.8.8.8", true }, { "172.15.255.255", true }, { "172.32.0.0", true },
	{ "100.63.255.255", true }, { "2600::1", true }, { "64:ff9b::8.8.8.8", true },
	{ "0.0.0.0", false }, { "10.1.2.3", false }, { "100.64.0.1", false },
	{ "127.9.9.9", false },
	{ "169.254.169.254", false }, { "172.16.0.1", false }, { "172.31.255.255", false },
	{ "192.0.2.1", false }, { "192.168.0.1", false }, { "198.19.0.1", false },
	{ "224.0.0.1", false }, { "255.255.255.255", false }, { "::", false }, { "::1", false },
	{ "::ffff:127.0.0.1", false }, { "::10.0.0.1", false }, { "64:ff9b::10.0.0.1", false },
	{ "64:ff9b:1::8.8.8.8", false }, { "fe80::1", false }, { "fc00::1", false },
	{ "fd12::1", false }, { "ff02::1", false }, { "2001::1", false }, { "2001:db8::1", false },
	{ "2002:7f00:1::", false }, { "3fff::1", false },
};

static void test_public(void **state)
{
	struct net_address local = { .family = NET_LOCAL }, none = {}, a;

	(void)state;
	for (size_t i = 0; i < sizeof reaches / sizeof reaches[0]; i++) {
		assert_int_equal(net_address_parse(span_str(reaches[i].address), &a), 0);
		if (net_address_is_public(&a) != reaches[i].is_public)
			fail_msg("%s", reaches[i].address);
	}
	assert_false(net_address_is_public(&local));
	assert_false(net_address_is_public(&none));
}

static void test_sockaddr(void **state)
{
	struct sockaddr_storage storage;
	struct net_address a, b;
	CLEANUP(buf_done) struct buf literal = {};

	(void)state;
	assert_int_equal(net_address_parse(SPAN("2001:db8::1"), &a), 0);
	a.port = 25;
	assert_int_equal(net_address_to_sockaddr(&a, &storage), sizeof(struct sockaddr_in6));
	b = net_address_from((struct sockaddr *)&storage, sizeof(struct sockaddr_in6));
	assert_true(net_address_equal(&a, &b));
	assert_int_equal(b.port, 25);
	assert_int_equal(net_address_key(&b).n, 8);
	net_address_add_literal(&literal, &a);
	assert_true(span_is(buf_span(&literal), "[IPv6:2001:db8::1]"));

	/* A dual-stack socket's IPv4 peer. */
	memset(&((struct sockaddr_in6 *)&storage)->sin6_addr, 0, 10);
	memcpy((uint8_t *)&((struct sockaddr_in6 *)&storage)->sin6_addr + 10,
		"\xFF\xFF\x7F\0\0\1", 6);
	b = net_address_from((struct sockaddr *)&storage, sizeof(struct sockaddr_in6));
	assert_int_equal(b.family, NET_IP4);
	assert_true(net_address_is_loopback(&b));
	assert_int_equal(net_address_key(&b).n, 4);
	assert_int_equal(net_address_from((struct sockaddr *)&storage, 1).family, NET_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_public),
		cmocka_unit_test(test_sockaddr),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
