/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Reading revocation lists, in DER and PEM, one and many; what a path makes of them is path_test's.
 */

#include "pki/crl.h"

#include "base/test.h"
#include "pki/cert_fixture.h"

#include <openssl/err.h>

static struct buf der; /* a list */

static int setup(void **state)
{
	const struct cert_order order = { .subject = "CN=Root", .is_authority = true };
	struct cert_made ca = cert_make(&order);
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *time = ASN1_TIME_set(NULL, 1700000000);
	uint8_t *octets = NULL;
	int n;

	(void)state;
	(void)X509_CRL_set_version(crl, X509_CRL_VERSION_2);
	(void)X509_CRL_set_issuer_name(crl, X509_get_subject_name(cert_x509(ca.cert)));
	(void)X509_CRL_set1_lastUpdate(crl, time);
	(void)X509_CRL_set1_nextUpdate(crl, ASN1_TIME_set(time, 1800000000));
	if (!X509_CRL_sign(crl, ca.key, EVP_sha256()))
		return -1;
	n = i2d_X509_CRL(crl, &octets);
	buf_add(&der, span_of(octets, (size_t)n));
	OPENSSL_free(octets);
	ASN1_TIME_free(time);
	X509_CRL_free(crl);
	cert_made_done(&ca);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_done(&der);
	return 0;
}

static void test_fields(void **state)
{
	CLEANUP(crl_unrefp) struct crl *crl = NULL;
	CLEANUP(buf_done) struct buf issuer = {};
	int64_t next = 0;

	(void)state;
	assert_int_equal(crl_from_der(&crl, buf_span(&der), NULL), 0);
	crl_add_issuer(crl, &issuer);
	assert_true(span_is(buf_span(&issuer), "CN=Root"));
	assert_int_equal(crl_this_update_us(crl), 1700000000000000);
	assert_true(crl_next_update_us(crl, &next));
	assert_int_equal(next, 1800000000000000);
	assert_true(span_equal(crl_der(crl), buf_span(&der)));
}

/* What the front says is what the whole says, wherever it is cut there is no list. */
static void test_times(void **state)
{
	struct crl_times times;

	(void)state;
	assert_true(crl_read_times(buf_span(&der), &times));
	assert_int_equal(times.this_update_us, 1700000000000000);
	assert_true(times.has_next_update);
	assert_int_equal(times.next_update_us, 1800000000000000);
	for (size_t n = 0; n < buf_size(&der); n++)
		assert_false(crl_read_times(span_head(buf_span(&der), n), &times));
	/* Without the optional ones, and with what is no time in the place of one. */
	assert_true(crl_read_times(SPAN("\x30\x15\x30\x13\x30\x00\x30\x00\x17\x0d"
					"231114221320Z"),
		&times));
	assert_false(times.has_next_update);
	assert_int_equal(times.this_update_us, 1700000000000000);
	assert_false(crl_read_times(SPAN("\x30\x15\x30\x13\x30\x00\x30\x00\x04\x0d"
					 "231114221320Z"),
		&times));
	assert_false(crl_read_times(SPAN("\x30\x15\x30\x13\x30\x00\x30\x00\x17\x0d"
					 "231314221320Z"),
		&times));
	assert_false(crl_read_times(SPAN("\x30\x06\x30\x04\x30\x00\x30\x00"), &times));
}

static void test_der(void **state)
{
	CLEANUP(buf_done) struct buf changed = {};
	struct crl *none = NULL;
	struct why why = {};

	(void)state;
	for (size_t n = 0; n < buf_size(&der); n++)
		assert_int_equal(crl_from_der(&none, span_head(buf_span(&der), n), &why),
			CRL_E_SYNTAX);
	buf_add(&changed, buf_span(&der));
	buf_add_octet(&changed, 0);
	assert_int_equal(crl_from_der(&none, buf_span(&changed), &why), CRL_E_SYNTAX);
	/* A length in more octets than it needs. */
	buf_clear(&changed);
	assert_int_equal(buf_span(&der).p[1], 0x81);
	buf_add(&changed, SPAN("\x30\x82\x00"));
	buf_add(&changed, span_skip(buf_span(&der), 2));
	assert_int_equal(crl_from_der(&none, buf_span(&changed), &why), CRL_E_SYNTAX);
	assert_string_equal(why.text, "not a revocation list in DER");
	assert_null(none);
	assert_int_equal(ERR_peek_error(), 0);
}

static void test_list(void **state)
{
	CLEANUP(crl_list_done) struct crl_list list = {};
	CLEANUP(crl_unrefp) struct crl *crl = NULL;
	CLEANUP(buf_done) struct buf pem = {};
	struct why why = {};

	(void)state;
	assert_int_equal(crl_from_der(&crl, buf_span(&der), NULL), 0);
	buf_add_string(&pem, "a line\n");
	crl_add_pem(crl, &pem);
	crl_add_pem(crl, &pem);
	assert_int_equal(crl_list_add(&list, buf_span(&pem), &why), 0);
	assert_int_equal(list.n, 2);
	assert_int_equal(crl_list_add(&list, buf_span(&der), &why), 0);
	assert_int_equal(list.n, 3);

	assert_int_equal(crl_list_add(&list, SPAN(""), &why), CRL_E_SYNTAX);
	assert_int_equal(crl_list_add(&list, SPAN("text"), &why), CRL_E_SYNTAX);
	assert_int_equal(
		crl_list_add(&list,
			SPAN("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"),
			&why),
		CRL_E_SYNTAX);
	assert_string_equal(why.text, "there is no revocation list in the file");
	assert_int_equal(crl_list_add(&list, span_head(buf_span(&pem), buf_size(&pem) - 20), &why),
		CRL_E_SYNTAX);
	buf_clear(&pem);
	for (size_t i = 0; i <= CRL_LIST_MAX; i++)
		crl_add_pem(crl, &pem);
	assert_int_equal(crl_list_add(&list, buf_span(&pem), &why), CRL_E_SYNTAX);
	assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_der),
		cmocka_unit_test(test_list),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("crl", tests, setup, teardown);
}
