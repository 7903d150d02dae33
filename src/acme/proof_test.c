/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "acme/proof.h"

#include "base/digest.h"
#include "base/test.h"
#include "pki/key.h"

#include <openssl/x509v3.h>

static void test_texts(void **state)
{
	CLEANUP(buf_done) struct buf authorization = {}, name = {}, text = {};

	(void)state;
	proof_add_authorization(SPAN("evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"),
		SPAN("oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"), &authorization);
	assert_true(span_is(buf_span(&authorization), "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA."
		"oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"));
	proof_add_record_name(SPAN("example.org"), &name);
	assert_true(span_is(buf_span(&name), "_acme-challenge.example.org"));
	proof_add_record_text(buf_span(&authorization), &text);
	assert_true(span_is(buf_span(&text), "ZaJgFtIV4WA0t2MzN7kbSk0sfRd2GZjaxRqaSTAK6lI"));
}

/* RFC 8737 section 3: what the authority looks at. */
static void check_certificate(enum key_type type)
{
	static const int64_t now_us = 1770091506000000;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	CLEANUP(buf_done) struct buf spki = {};
	uint8_t want[2 + SHA256_OCTETS] = { 4, SHA256_OCTETS };
	const ASN1_OCTET_STRING *value;
	X509_EXTENSION *extension;
	struct cert_name name;
	ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
	int at;

	assert_int_equal(key_generate(&key, type), 0);
	assert_int_equal(key_to_spki(key, &spki), 0);
	assert_int_equal(proof_certificate(&cert, key, buf_span(&spki), SPAN("mail.example.org"),
				 SPAN("token.thumbprint"), now_us),
		0);
	assert_true(cert_is_self_signed(cert));
	assert_true(cert_has_key(cert, buf_span(&spki)));
	assert_true(cert_not_before_us(cert) < now_us && cert_not_after_us(cert) > now_us);
	assert_true(cert_alt_name(cert, 0, &name));
	assert_true(name.type == CERT_NAME_DNS && span_is(name.text, "mail.example.org"));
	assert_false(cert_alt_name(cert, 1, &name));
	at = X509_get_ext_by_OBJ(cert_x509(cert), oid, -1);
	assert_true(at >= 0);
	extension = X509_get_ext(cert_x509(cert), at);
	assert_true(X509_EXTENSION_get_critical(extension));
	value = X509_EXTENSION_get_data(extension);
	digest_sha256(SPAN("token.thumbprint"), want + 2);
	assert_int_equal(ASN1_STRING_length(value), sizeof want);
	assert_memory_equal(ASN1_STRING_get0_data(value), want, sizeof want);
	ASN1_OBJECT_free(oid);
}

static void test_certificate(void **state)
{
	(void)state;
	check_certificate(KEY_EC_P256);
	check_certificate(KEY_RSA_2048);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_certificate),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
