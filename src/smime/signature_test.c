/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Each scheme of the table: OpenSSL signs, it holds over the same octets under the same key and
 * digest, and over nothing else; and what is hashed is counted. */

#include "smime/signature.h"

#include "base/test.h"
#include "pki/key.h"

#include <openssl/objects.h>
#include <openssl/rsa.h>

CLEANUP_POINTER(EVP_MD_CTX, EVP_MD_CTX_free)
CLEANUP_POINTER(X509_ALGOR, X509_ALGOR_free)

#define TEXT SPAN("what Alice has signed")

struct signed_text {
	uint8_t octets[1024];
	size_t n;
	struct buf parameter;
};

static struct span oid_of(int nid)
{
	const ASN1_OBJECT *object = OBJ_nid2obj(nid);

	return span_of(OBJ_get0_data(object), OBJ_length(object));
}

static void sign(EVP_PKEY *key, const EVP_MD *md, int salt, struct signed_text *out)
{
	CLEANUP(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pkey_ctx = NULL;

	out->n = sizeof out->octets;
	assert_int_equal(EVP_DigestSignInit(ctx, &pkey_ctx, md, NULL, key), 1);
	if (salt >= 0) {
		assert_true(EVP_PKEY_CTX_set_rsa_padding(pkey_ctx, RSA_PKCS1_PSS_PADDING) > 0);
		assert_true(EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey_ctx, salt) > 0);
	}
	assert_int_equal(EVP_DigestSign(ctx, out->octets, &out->n, TEXT.p, TEXT.n), 1);
}

static int verify(int scheme, int digest, EVP_PKEY *key, struct span text,
	const struct signed_text *s, bool *ret_weak)
{
	const struct cms_algorithm algorithm = { .oid = oid_of(scheme),
		.parameter = buf_span(&s->parameter) };
	struct signature_octets octets = { .octets = text };
	struct signature_result result;
	int r = signature_verify(&algorithm, digest, key, &octets, span_of(s->octets, s->n), &result);

	if (ret_weak)
		*ret_weak = result.is_weak;
	return r;
}

static EVP_PKEY *key_of(const char *type)
{
	EVP_PKEY *key = NULL;

	if (strcmp(type, "ED448") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
	if (strcmp(type, "rsa:1024") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
	assert_int_equal(key_generate(&key, strcmp(type, "ec:p256") == 0 ? KEY_EC_P256
				: strcmp(type, "ed25519") == 0          ? KEY_ED25519
									: KEY_RSA_2048),
		0);
	return key;
}

static void schemes(void **state)
{
	static const struct {
		const char *type;
		int scheme, digest;      /* what the message says */
		const char *signed_with; /* NULL: no digest of its own */
		bool is_weak;
		int outcome;
	} rows[] = {
		{ "rsa:2048", NID_rsaEncryption, NID_sha256, "SHA256", false, 0 },
		{ "rsa:2048", NID_rsaEncryption, NID_md5, "MD5", true, 0 },
		{ "rsa:2048", NID_rsaEncryption, NID_sha256, "SHA512", false, SIGNATURE_E_WRONG },
		{ "rsa:2048", NID_sha512WithRSAEncryption, NID_sha256, "SHA512", false, 0 },
		{ "rsa:2048", NID_sha1WithRSAEncryption, NID_sha256, "SHA1", true, 0 },
		{ "rsa:1024", NID_rsaEncryption, NID_sha256, "SHA256", true, 0 },
		{ "ec:p256", NID_ecdsa_with_SHA256, NID_sha256, "SHA256", false, 0 },
		{ "ec:p256", NID_ecdsa_with_SHA512, NID_sha256, "SHA512", false, 0 },
		{ "ec:p256", NID_X9_62_id_ecPublicKey, NID_sha384, "SHA384", false, 0 },
		{ "ec:p256", NID_ecdsa_with_SHA384, NID_sha256, "SHA256", false,
			SIGNATURE_E_WRONG },
		{ "ec:p256", NID_sha256WithRSAEncryption, NID_sha256, "SHA256", false,
			SIGNATURE_E_WRONG },
		{ "ec:p256", NID_ED25519, NID_sha256, "SHA256", false, SIGNATURE_E_WRONG },
		{ "ed25519", NID_ED25519, NID_sha512, NULL, false, 0 },
		{ "ed25519", NID_ED448, NID_sha512, NULL, false, SIGNATURE_E_WRONG },
		{ "ED448", NID_ED448, NID_shake256, NULL, false, 0 },
		/* A digest that goes with Ed448 alone; a scheme that there is none of. */
		{ "rsa:2048", NID_rsaEncryption, NID_shake256, "SHA256", false,
			SIGNATURE_E_UNSUPPORTED },
		{ "rsa:2048", NID_sha256, NID_sha256, "SHA256", false, SIGNATURE_E_UNSUPPORTED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = key_of(rows[i].type);
		CLEANUP(EVP_PKEY_freep) EVP_PKEY *other = key_of(rows[i].type);
		const EVP_MD *md = rows[i].signed_with ? EVP_get_digestbyname(rows[i].signed_with)
						       : NULL;
		struct signed_text s = {};
		bool is_weak;

		sign(key, md, -1, &s);
		assert_int_equal(
			verify(rows[i].scheme, rows[i].digest, key, TEXT, &s, &is_weak),
			rows[i].outcome);
		if (rows[i].outcome)
			continue;
		assert_int_equal(is_weak, rows[i].is_weak);
		assert_int_equal(verify(rows[i].scheme, rows[i].digest, key, SPAN("else"), &s, NULL),
			SIGNATURE_E_WRONG);
		assert_int_equal(verify(rows[i].scheme, rows[i].digest, other, TEXT, &s, NULL),
			SIGNATURE_E_WRONG);
		s.octets[s.n / 2] ^= 1;
		assert_int_equal(verify(rows[i].scheme, rows[i].digest, key, TEXT, &s, NULL),
			SIGNATURE_E_WRONG);
		s.n = 0;
		assert_int_equal(verify(rows[i].scheme, rows[i].digest, key, TEXT, &s, NULL),
			SIGNATURE_E_WRONG);
	}
}

/* RSASSA-PSS-params with SHA-256 for both, and the salt. */
static void set_pss(struct signed_text *s, uint8_t salt)
{
	static const uint8_t head[] = "\x30\x34\xa0\x0f\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04"
				      "\x02\x01\x05\x00\xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7"
				      "\x0d\x01\x01\x08\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04"
				      "\x02\x01\x05\x00\xa2\x03\x02\x01";

	buf_clear(&s->parameter);
	buf_add(&s->parameter, span_of(head, sizeof head - 1));
	buf_add_octet(&s->parameter, salt);
}

static void pss(void **state)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = key_of("rsa:2048");
	struct signed_text s = {};

	(void)state;
	sign(key, EVP_sha256(), 32, &s);
	set_pss(&s, 32);
	assert_int_equal(verify(NID_rsassaPss, NID_sha256, key, TEXT, &s, NULL), 0);
	/* The parameters count, not the message's digestAlgorithm. */
	assert_int_equal(verify(NID_rsassaPss, NID_sha512, key, TEXT, &s, NULL), 0);
	assert_int_equal(verify(NID_rsassaPss, NID_sha256, key, SPAN("x"), &s, NULL),
		SIGNATURE_E_WRONG);
	assert_int_equal(verify(NID_rsaEncryption, NID_sha256, key, TEXT, &s, NULL),
		SIGNATURE_E_WRONG);
	set_pss(&s, 20);
	assert_int_equal(verify(NID_rsassaPss, NID_sha256, key, TEXT, &s, NULL), SIGNATURE_E_WRONG);
	/* A negative salt, octets behind the parameters, none at all. */
	set_pss(&s, 0x80);
	assert_int_equal(verify(NID_rsassaPss, NID_sha256, key, TEXT, &s, NULL),
		SIGNATURE_E_UNSUPPORTED);
	set_pss(&s, 32);
	buf_add_octet(&s.parameter, 0);
	assert_int_equal(verify(NID_rsassaPss, NID_sha256, key, TEXT, &s, NULL),
		SIGNATURE_E_UNSUPPORTED);
	buf_clear(&s.parameter);
	assert_int_equal(verify(NID_rsassaPss, NID_sha256, key, TEXT, &s, NULL),
		SIGNATURE_E_UNSUPPORTED);
	buf_done(&s.parameter);
}

/* A digest is computed once; EdDSA hashes each time; and nothing beyond what is left. */
static void what_is_hashed(void **state)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *rsa = key_of("rsa:2048"), *ed = key_of("ed25519");
	const struct cms_algorithm with_rsa = { .oid = oid_of(NID_rsaEncryption) };
	const struct cms_algorithm with_ed = { .oid = oid_of(NID_ED25519) };
	struct signed_text by_rsa = {}, by_ed = {};
	uint64_t left = 4 * TEXT.n + 1;
	struct signature_octets o = { .octets = TEXT, .left = &left };
	struct signature_result result;

	(void)state;
	sign(rsa, EVP_sha256(), -1, &by_rsa);
	sign(ed, NULL, -1, &by_ed);
	for (int i = 0; i < 3; i++)
		assert_int_equal(signature_verify(&with_rsa, NID_sha256, rsa, &o,
					 span_of(by_rsa.octets, by_rsa.n), &result),
			0);
	assert_int_equal(left, 3 * TEXT.n + 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(signature_verify(&with_ed, NID_sha512, ed, &o,
					 span_of(by_ed.octets, by_ed.n), &result),
			0);
	assert_int_equal(left, 1);
	assert_int_equal(signature_verify(&with_ed, NID_sha512, ed, &o,
				 span_of(by_ed.octets, by_ed.n), &result),
		SIGNATURE_E_LIMIT);
	assert_int_equal(signature_verify(&with_rsa, NID_sha512, rsa, &o,
				 span_of(by_rsa.octets, by_rsa.n), &result),
		SIGNATURE_E_LIMIT);
	assert_int_equal(signature_verify(&with_rsa, NID_sha256, rsa, &o,
				 span_of(by_rsa.octets, by_rsa.n), &result),
		0);
	assert_int_equal(left, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schemes),
		cmocka_unit_test(pss),
		cmocka_unit_test(what_is_hashed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
