/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/imap/mutf7.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct {
	const char *encoded, *utf8;
} pairs[] = {
	{ "", "" },
	{ "INBOX", "INBOX" },
	{ "a b~!", "a b~!" },
	{ "&-", "&" },
	{ "A&-B&-", "A&B&" },
	{ "Entw&APw-rfe", "Entw\xc3\xbcrfe" },
	{ "~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/"
		"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e" }, /* RFC 3501 section 5.1.3 */
	{ "&2D3eAA-", "\xf0\x9f\x98\x80" },
	{ "&AAk-", "\t" },
	{ "&AP8BAA-", "\xc3\xbf\xc4\x80" },
};

static void test_pairs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		struct buf encoded = {}, decoded = {};

		mutf7_encode(&encoded, span_str(pairs[i].utf8));
		buf_add_octet(&encoded, 0);
		assert_string_equal(buf_span(&encoded).p, pairs[i].encoded);
		assert_true(mutf7_decode(&decoded, span_str(pairs[i].encoded)));
		assert_true(span_is(buf_span(&decoded), pairs[i].utf8));
		buf_done(&encoded);
		buf_done(&decoded);
	}
}

static const char *const wrong[] = {
	"&",              /* no end */
	"a&APw",
	"&AP-",           /* bits that make no character */
	"&APx-",          /* stray bits behind it */
	"&APwA-",
	"&AGE-",          /* printable ASCII must stand for itself */
	"&APw-&APw-",     /* two runs in a row */
	"&2D0-",          /* half of a pair */
	"&3gA-",
	"&2D0AYQ-",
	"&A/8-",          /* '/' is no digit */
	"&AP w-",
	"Entw\xc3\xbcrfe", /* 8 bits */
	"a\tb",
	"a\x7f",
};

static void test_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct buf decoded = {};

		buf_add_string(&decoded, "kept");
		if (mutf7_decode(&decoded, span_str(wrong[i])))
			fail_msg("accepted: %s", wrong[i]);
		assert_true(span_is(buf_span(&decoded), "kept"));
		buf_done(&decoded);
	}
}

/* Whatever can be decoded is the encoding of what it decodes to. */
static void test_one_spelling(void **state)
{
	static const char octets[] = "&-A,/wP8+a";
	char text[6];

	(void)state;
	for (unsigned long n = 0; n < 100000; n++) {
		struct buf decoded = {}, again = {};
		unsigned long k = n;

		for (size_t i = 0; i < 5; i++, k /= 10)
			text[i] = octets[k % 10];
		if (mutf7_decode(&decoded, span_of(text, 5))) {
			assert_true(span_is_utf8(buf_span(&decoded)));
			mutf7_encode(&again, buf_span(&decoded));
			assert_true(span_equal(buf_span(&again), span_of(text, 5)));
		}
		buf_done(&decoded);
		buf_done(&again);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_one_spelling),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
