/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "pki/der.h"

#include "base/test.h"

static void test_strict(void **state)
{
	static const struct {
		struct span der;
		bool strict;
	} rows[] = {
		{ SPAN("\x30\x00"), true },
		{ SPAN("\x02\x01\x00"), true },
		{ SPAN("\x30\x06\x02\x01\x7f\x01\x01\xff"), true },
		{ SPAN("\x30\x04\xa0\x02\x05\x00"), true },
		{ SPAN("\x03\x02\x07\x80"), true },
		{ SPAN("\x03\x01\x00"), true },
		{ SPAN("\x06\x03\x2a\x86\x48"), true },
		{ SPAN(""), false },
		{ SPAN("\x30"), false },
		{ SPAN("\x30\x01"), false },
		{ SPAN("\x30\x00\x00"), false },     /* something behind it */
		{ SPAN("\x30\x80\x00\x00"), false }, /* no length */
		{ SPAN("\x30\x81\x00"), false },     /* a length in too many octets */
		{ SPAN("\x30\x82\x00\x01\x00"), false },
		{ SPAN("\x30\x85\x00\x00\x00\x00\x00"), false },
		{ SPAN("\x02\x00"), false },         /* an integer of no octets */
		{ SPAN("\x02\x02\x00\x7f"), false }, /* and with one too many */
		{ SPAN("\x02\x02\xff\x80"), false },
		{ SPAN("\x01\x01\x01"), false }, /* a boolean that is neither */
		{ SPAN("\x01\x00"), false },
		{ SPAN("\x05\x01\x00"), false },
		{ SPAN("\x06\x00"), false },
		{ SPAN("\x06\x02\x80\x01"), false }, /* a number that begins with nothing */
		{ SPAN("\x06\x02\x2a\x86"), false }, /* and one that does not end */
		{ SPAN("\x03\x00"), false },
		{ SPAN("\x03\x01\x01"), false },
		{ SPAN("\x03\x02\x08\x00"), false },
		{ SPAN("\x03\x02\x01\x01"), false },   /* unused bits that are used */
		{ SPAN("\x10\x00"), false },           /* a sequence that is primitive */
		{ SPAN("\x24\x04\x04\x02hi"), false }, /* a string in pieces */
		{ SPAN("\x1f\x81\x01\x00"), false },   /* a tag in more octets than one */
		{ SPAN("\x30\x03\x02\x01"), false },   /* what is inside ends outside */
		{ SPAN("\x30\x03\x02\x02\x00"), false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (der_is_strict(rows[i].der) != rows[i].strict)
			fail_msg("row %zu", i);
	}
}

/* Deeper than anything real: refused, whatever is inside. */
static void test_depth(void **state)
{
	uint8_t nest[200];

	(void)state;
	for (size_t n = 2; n < 128; n += 2) {
		for (size_t i = 0; i < n; i += 2) {
			nest[i] = 0x30;
			nest[i + 1] = (uint8_t)(n - i - 2);
		}
		assert_int_equal(der_is_strict(span_of(nest, n)), n / 2 < 32);
	}
}

static void test_only(void **state)
{
	struct span content = {};

	(void)state;
	assert_true(der_only(SPAN("\x04\x02hi"), DER_OCTET_STRING, &content));
	assert_true(span_is(content, "hi"));
	assert_false(der_only(SPAN("\x04\x02hi!"), DER_OCTET_STRING, &content));
	assert_false(der_only(SPAN("\x04\x02hi"), DER_SEQUENCE, &content));
	assert_false(der_only(SPAN("\x04\x03hi"), DER_OCTET_STRING, &content));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strict),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_only),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("der", tests, NULL, NULL);
}
