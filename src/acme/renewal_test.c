/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "acme/renewal.h"

#include "base/test.h"
#include "pki/key.h"
#include "pki/selfsign.h"

#include <openssl/x509v3.h>

#define SECOND ((int64_t)1000000)
#define DAY    (86400 * SECOND)

static const int64_t now = 1770091506 * SECOND;

/* A certificate with that authority key identifier (n 0: none) and serial number, in hexadecimal.
 */
static struct cert *make(const char *issuer, const char *serial)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	X509 *x509 = X509_new();
	BIGNUM *number = NULL;
	struct cert *cert = NULL;

	assert_int_equal(key_generate(&key, KEY_EC_P256), 0);
	assert_int_equal(X509_set_version(x509, X509_VERSION_3), 1);
	assert_int_equal(X509_set_pubkey(x509, key), 1);
	assert_true(BN_hex2bn(&number, serial) > 0);
	assert_non_null(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)));
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x509), 0));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x509), 60));
	if (issuer) {
		AUTHORITY_KEYID *id = AUTHORITY_KEYID_new();
		long n = 0;
		uint8_t *octets = OPENSSL_hexstr2buf(issuer, &n);

		id->keyid = ASN1_OCTET_STRING_new();
		assert_int_equal(ASN1_OCTET_STRING_set(id->keyid, octets, (int)n), 1);
		assert_int_equal(X509_add1_ext_i2d(x509, NID_authority_key_identifier, id, 0, 0),
			1);
		OPENSSL_free(octets);
		AUTHORITY_KEYID_free(id);
	}
	assert_true(X509_sign(x509, key, EVP_sha256()) > 0);
	assert_int_equal(cert_from_x509(&cert, x509, NULL), 0);
	BN_free(number);
	X509_free(x509);
	return cert;
}

static void test_id(void **state)
{
	static const struct {
		const char *issuer, *serial, *id;
	} rows[] = {
		/* RFC 9773 section 4.1: the example, whose serial number gets a leading zero. */
		{ "69885b6b87464041e1b37b847bd0ae2cde01c8d4", "0087654321",
			"aYhba4dGQEHhs3uEe9CuLN4ByNQ.AIdlQyE" },
		{ "69885b6b87464041e1b37b847bd0ae2cde01c8d4", "07654321",
			"aYhba4dGQEHhs3uEe9CuLN4ByNQ.B2VDIQ" },
		{ NULL, "07654321", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(cert_unrefp) struct cert *cert = make(rows[i].issuer, rows[i].serial);
		CLEANUP(buf_done) struct buf id = {};

		assert_int_equal(renewal_add_id(cert, &id), rows[i].id ? 0 : RENEWAL_E_NONE);
		assert_true(span_is(buf_span(&id), rows[i].id ? rows[i].id : ""));
	}
}

static void test_time(void **state)
{
	int64_t end = now + 90 * DAY, first = now + 90 * DAY, last = now;

	(void)state;
	for (uint64_t i = 0; i < 1000; i++) {
		int64_t at = renewal_time(now, end, i * 0x9E3779B97F4A7C15u);

		first = at < first ? at : first;
		last = at > last ? at : last;
	}
	assert_true(last <= now + 60 * DAY);
	assert_true(first >= now + 60 * DAY - 90 * DAY / 20);
	/* Spread over the days, not all at once. */
	assert_true(last - first > 4 * DAY);
	/* A certificate that ends before it begins is renewed at once, not never. */
	assert_true(renewal_time(now, now - DAY, 7) <= now);
	assert_true(renewal_time(now, now, 7) <= now);
}

static void test_pick(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 1000; i++) {
		int64_t at = renewal_pick(now + DAY, now + 2 * DAY, now, i * 0x9E3779B97F4A7C15u);

		assert_true(at >= now + DAY && at < now + 2 * DAY);
		/* RFC 9773 section 4.2: what lies in the past means now. */
		assert_int_equal(renewal_pick(now - 2 * DAY, now - DAY, now, i), now);
	}
}

static void test_ask_again(void **state)
{
	(void)state;
	assert_int_equal(renewal_ask_again(0, now), now + DAY / 4);
	assert_int_equal(renewal_ask_again(now + 3600 * SECOND, now), now + 3600 * SECOND);
	assert_int_equal(renewal_ask_again(now - DAY, now), now + 60 * SECOND);
	assert_int_equal(renewal_ask_again(now + 1 * SECOND, now), now + 60 * SECOND);
	assert_int_equal(renewal_ask_again(now + 400 * DAY, now), now + DAY);
}

static void test_retry(void **state)
{
	int64_t before = 0;

	(void)state;
	for (unsigned n = 1; n < 40; n++) {
		int64_t wait = renewal_retry(n, 0, now, 0) - now;

		assert_true(wait >= before && wait >= 300 * SECOND && wait <= DAY);
		assert_true(renewal_retry(n, 0, now, UINT64_MAX) - now <= DAY + DAY / 4);
		before = wait;
	}
	assert_int_equal(before, DAY);
	assert_int_equal(renewal_retry(1, now + 3 * DAY, now, 0), now + 3 * DAY);
	assert_int_equal(renewal_retry(1, now + 10 * SECOND, now, 0), now + 300 * SECOND);
	assert_int_equal(renewal_retry(1, now + 4000 * DAY, now, 0), now + 7 * DAY);
	assert_int_equal(renewal_retry(1, now - 4000 * DAY, now, 0), now + 300 * SECOND);
}

static void test_retry_after(void **state)
{
	static const char *const none[] = { "", "-1", "1.5", "soon", "12x", "99999999999999999999",
		"Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 +0100",
		"Sun, 06 Nov 1894 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT and more" };

	(void)state;
	assert_int_equal(renewal_retry_after("0", now), now);
	assert_int_equal(renewal_retry_after("120", now), now + 120 * SECOND);
	assert_int_equal(renewal_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now),
		784111777 * SECOND);
	assert_int_equal(renewal_retry_after(NULL, now), 0);
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		assert_int_equal(renewal_retry_after(none[i], now), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_id),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_pick),
		cmocka_unit_test(test_ask_again),
		cmocka_unit_test(test_retry),
		cmocka_unit_test(test_retry_after),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
