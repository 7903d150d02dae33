/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "net/proxy_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define IP4_BLOCK "\xC0\0\2\1\xC0\0\2\2\x30\x39\0\x19" /* 192.0.2.1:12345 to 192.0.2.2:25 */

static const struct {
	struct span data;
	int r;
	size_t size;
	const char *peer; /* of a header without error; NULL: none */
	uint16_t port;
} rows[] = {
	{ SPAN("PROXY TCP4 192.0.2.1 192.0.2.2 12345 25\r\nEHLO"), 0, 41, "192.0.2.1", 12345 },
	{ SPAN("PROXY TCP6 2001:db8::1 2001:db8::2 65535 0\r\n"), 0, 44, "2001:db8::1", 65535 },
	{ SPAN("PROXY UNKNOWN\r\n"), 0, 15, NULL, 0 },
	{ SPAN("PROXY UNKNOWN ffff::1 whatever\r\nx"), 0, 32, NULL, 0 },
	{ SPAN("PROXY TCP4 192.0.2.1 192.0.2.2 12345 25\r"), PROXY_HEADER_E_MORE },
	{ SPAN("PRO"), PROXY_HEADER_E_MORE },
	{ SPAN(""), PROXY_HEADER_E_MORE },
	{ SPAN("PRX"), PROXY_HEADER_E_SYNTAX },
	{ SPAN("EHLO example.org\r\n"), PROXY_HEADER_E_SYNTAX },
	{ SPAN("PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n"), PROXY_HEADER_E_SYNTAX },
	{ SPAN("PROXY TCP4 2001:db8::1 192.0.2.2 1 2\r\n"), PROXY_HEADER_E_SYNTAX },
	{ SPAN("PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n"), PROXY_HEADER_E_SYNTAX },
	{ SPAN("PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n"), PROXY_HEADER_E_SYNTAX },
	{ SPAN("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n"), PROXY_HEADER_E_SYNTAX },
	{ SPAN("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n"), PROXY_HEADER_E_SYNTAX },
	{ SPAN("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n"), PROXY_HEADER_E_SYNTAX },
	{ SPAN("PROXY TCP6 [2001:db8::1] 2001:db8::2 1 2\r\n"), PROXY_HEADER_E_SYNTAX },
	{ SPAN("PROXY TCP4 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), PROXY_HEADER_E_SYNTAX },
	{ SPAN(SIGNATURE "\x21\x11\0\x0C" IP4_BLOCK "rest"), 0, 28, "192.0.2.1", 12345 },
	{ SPAN(SIGNATURE "\x20\x11\0\x0C" IP4_BLOCK), 0, 28, NULL, 0 },
	{ SPAN(SIGNATURE "\x20\xFF\0\x03" "abc"), 0, 19, NULL, 0 },
	{ SPAN(SIGNATURE "\x21\0\0\0"), 0, 16, NULL, 0 },
	/* TLVs: an unknown one, and SSL with a nested CN. */
	{ SPAN(SIGNATURE "\x21\x11\0\x1C" IP4_BLOCK "\x05\0\x01x" "\x20\0\x09\1\0\0\0\0\x22\0\x01" "c"),
		0, 44, "192.0.2.1", 12345 },
	{ SPAN(SIGNATURE "\x21\x11\0\x0F" IP4_BLOCK "\x05\0\x01"), PROXY_HEADER_E_SYNTAX },
	{ SPAN(SIGNATURE "\x21\x11\0\x0E" IP4_BLOCK "\x05\0"), PROXY_HEADER_E_SYNTAX },
	{ SPAN(SIGNATURE "\x21\x11\0\x13" IP4_BLOCK "\x20\0\x04\1\0\0\0"), PROXY_HEADER_E_SYNTAX },
	{ SPAN(SIGNATURE "\x21\x11\0\x18" IP4_BLOCK "\x20\0\x09\1\0\0\0\0\x22\0\x02" "c"),
		PROXY_HEADER_E_SYNTAX },
	{ SPAN(SIGNATURE "\x21\x11\0\x0B" IP4_BLOCK), PROXY_HEADER_E_SYNTAX },
	{ SPAN(SIGNATURE "\x21\x21\0\x0C" IP4_BLOCK), PROXY_HEADER_E_SYNTAX },
	{ SPAN(SIGNATURE "\x21\x12\0\x0C" IP4_BLOCK), PROXY_HEADER_E_SYNTAX },
	{ SPAN(SIGNATURE "\x31\x11\0\x0C" IP4_BLOCK), PROXY_HEADER_E_SYNTAX },
	{ SPAN(SIGNATURE "\x22\x11"), PROXY_HEADER_E_SYNTAX },
	{ SPAN(SIGNATURE "\x21\x11\xFF\xFF"), PROXY_HEADER_E_SYNTAX },
	{ SPAN(SIGNATURE "\x21\x11\0\x0C" "\xC0\0"), PROXY_HEADER_E_MORE },
	{ SPAN("\r\n\r\n\0\r\nQUIX"), PROXY_HEADER_E_SYNTAX },
	{ SPAN("\r\n\r"), PROXY_HEADER_E_MORE },
};

static void test_rows(void **state)
{
	char text[NET_ADDRESS_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct proxy_header h;
		int r = proxy_header_parse(rows[i].data, &h);

		if (r != rows[i].r)
			fail_msg("row %zu: %d instead of %d", i, r, rows[i].r);
		if (r)
			continue;
		assert_int_equal(h.size, rows[i].size);
		assert_string_equal(net_address_text(&h.peer, text),
			rows[i].peer ? rows[i].peer : "unknown");
		assert_int_equal(h.peer.port, rows[i].port);
	}
}

/* Every true prefix of a header asks for more: the answer does not depend on how it arrives. */
static void test_prefixes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct proxy_header h;

		for (size_t n = 0; rows[i].r == 0 && n < rows[i].size; n++)
			assert_int_equal(proxy_header_parse(span_head(rows[i].data, n), &h),
				PROXY_HEADER_E_MORE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_prefixes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
