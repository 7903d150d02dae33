/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "smime/ber.h"

#include "base/buf.h"
#include "base/enc.h"
#include "base/test.h"

static void expect(const char *ber_hex, int outcome, const char *der_hex)
{
	CLEANUP(buf_done) struct buf ber = {};
	CLEANUP(buf_done) struct buf hex = {};
	struct secret_buf out = { .max = 1000, .is_plain = true };

	assert_true(enc_hex_decode(&ber, span_str(ber_hex)));
	assert_int_equal(ber_to_definite(buf_span(&ber), &out), outcome);
	enc_hex(&hex, secret_buf_span(&out));
	if (outcome == 0)
		assert_true(span_is(buf_span(&hex), der_hex));
	secret_buf_done(&out);
}

static void definite_stays(void **state)
{
	(void)state;
	expect("3003020101", 0, "3003020101");
	expect("0500", 0, "0500");
	expect("a0023000", 0, "a0023000");
}

static void lengths_become_short(void **state)
{
	(void)state;
	expect("308103020101", 0, "3003020101");
	expect("3084000000030201ff", 0, "30030201ff");
	expect("30800201010000", 0, "3003020101");
	expect("3080308005000000"
	       "0000",
		0, "300430020500");
}

static void strings_come_together(void **state)
{
	(void)state;
	expect("2480040161040162"
	       "0000",
		0, "04026162");
	expect("2406040161040162", 0, "04026162");
	expect("248024800401610000040162"
	       "0000",
		0, "04026162");
	expect("24800000", 0, "0400");
	/* Of an implicit tag nobody knows. */
	expect("a080040161040162"
	       "0000",
		0, "a006040161040162");
}

static void nonsense_is_refused(void **state)
{
	(void)state;
	expect("", 1, NULL);
	expect("30", 1, NULL);
	expect("3003020101"
	       "00",
		1, NULL); /* behind it */
	expect("30800201010000"
	       "00",
		1, NULL);
	expect("3080020101", 1, NULL); /* no end */
	expect("308002010100", 1, NULL);
	expect("0480040161"
	       "0000",
		1, NULL);          /* a primitive without a length */
	expect("1f8100", 1, NULL); /* a long tag */
	expect("2480020161"
	       "0000",
		1, NULL);                  /* another type in a string */
	expect("23800301000000", 1, NULL); /* a BIT STRING in pieces */
	expect("30ffffffffffffffffff", 1, NULL);
	expect("3088ffffffffffffffff", 1, NULL);
	expect("30020000", 1, NULL); /* an end that ends nothing */
}

static void limits_hold(void **state)
{
	CLEANUP(buf_done) struct buf deep = {};
	CLEANUP(buf_done) struct buf large = {};
	struct secret_buf out = { .max = 100, .is_plain = true };

	(void)state;
	for (int i = 0; i < 1000; i++)
		buf_add(&deep, SPAN("\x30\x80"));
	assert_int_equal(ber_to_definite(buf_span(&deep), &out), BER_E_LIMIT);
	buf_add(&large, SPAN("\x04\x81\xc8"));
	for (int i = 0; i < 200; i++)
		buf_add_octet(&large, 'x');
	assert_int_equal(ber_to_definite(buf_span(&large), &out), BER_E_LIMIT);
	secret_buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(definite_stays),
		cmocka_unit_test(lengths_become_short),
		cmocka_unit_test(strings_come_together),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(limits_hold),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
