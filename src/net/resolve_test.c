/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "net/resolve.h"

#include "base/test.h"

static void hosts_have_addresses(void **state)
{
	struct net_address a[4];
	struct why why = {};
	size_t n;

	(void)state;
	assert_int_equal(resolve_host("192.0.2.7", 25, a, 4, &n, &why), 0);
	assert_int_equal(n, 1);
	assert_int_equal(a[0].family, NET_IP4);
	assert_int_equal(a[0].port, 25);
	assert_int_equal(resolve_host("2001:db8::1", 26, a, 4, &n, &why), 0);
	assert_int_equal(a[0].family, NET_IP6);
	/* In /etc/hosts of every machine. */
	assert_int_equal(resolve_host("localhost", 2525, a, 4, &n, &why), 0);
	assert_true(n >= 1);
	assert_true(net_address_is_loopback(&a[0]));
	assert_int_equal(a[0].port, 2525);
	assert_int_equal(resolve_host("localhost", 2525, a, 1, &n, &why), 0);
	assert_int_equal(n, 1);
	assert_int_equal(resolve_host("no such host", 25, a, 4, &n, &why), RESOLVE_E_NOT_FOUND);
	assert_non_null(strstr(why.text, "no such host"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(hosts_have_addresses) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
