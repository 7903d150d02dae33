/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/digest.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/random.h"
#include "base/test.h"

static void assert_hex(const uint8_t *octets, const char *expected)
{
	CLEANUP(buf_done) struct buf text = {};

	enc_hex(&text, span_of(octets, SHA256_OCTETS));
	assert_true(span_is(buf_span(&text), expected));
}

static void known_answers(void **state)
{
	uint8_t out[SHA256_OCTETS];
	struct digest *d = digest_new();
	struct hmac *h;

	(void)state;
	digest_sha256(SPAN("abc"), out); /* FIPS 180-4 example */
	assert_hex(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_add(d, SPAN("a"));
	digest_add(d, SPAN(""));
	digest_add(d, SPAN("bc"));
	digest_end(d, out);
	digest_free(d);
	assert_hex(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_hmac_sha256(SPAN("Jefe"), SPAN("what do ya want for nothing?"), out); /* RFC 4231 */
	assert_hex(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	h = hmac_new(SPAN("Jefe"));
	for (int i = 0; i < 3; i++) {
		hmac_sha256(h, SPAN("what do ya want for nothing?"), out);
		assert_hex(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
		hmac_sha256(h, SPAN("something else"), out);
	}
	hmac_free(h);
	digest_pbkdf2_sha256(SPAN("password"), SPAN("salt"), 4096, out);
	assert_hex(out, "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a");
}

static void times(void **state)
{
	static const struct {
		int64_t us;
		const char *rfc3339, *rfc5322;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 +0000" },
		{ -1, "1969-12-31T23:59:59Z", "Wed, 31 Dec 1969 23:59:59 +0000" },
		{ 1770091506999999, "2026-02-03T04:05:06Z", "Tue, 03 Feb 2026 04:05:06 +0000" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(buf_done) struct buf a = {}, b = {};

		clock_add_rfc3339(&a, rows[i].us);
		clock_add_rfc5322(&b, rows[i].us);
		assert_true(span_is(buf_span(&a), rows[i].rfc3339));
		assert_true(span_is(buf_span(&b), rows[i].rfc5322));
	}
}

static void random_is_spread(void **state)
{
	unsigned seen[10] = {};

	(void)state;
	for (unsigned i = 0; i < 10000; i++)
		seen[random_below(10)]++;
	for (unsigned i = 0; i < 10; i++)
		assert_in_range(seen[i], 700, 1300);
	assert_int_equal(random_below(1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers),
		cmocka_unit_test(times),
		cmocka_unit_test(random_is_spread),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
