/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Keys: names, both encodings there and back, strictness, self-test. */

#include "pki/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those four before it. */
#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/err.h>

static const struct {
	enum key_type type;
	const char *name, *text;
} rows[] = {
	{ KEY_RSA_2048, "rsa:2048", "RSA, 2048 bits" },
	{ KEY_RSA_3072, "rsa:3072", "RSA, 3072 bits" },
	{ KEY_RSA_4096, "rsa:4096", "RSA, 4096 bits" },
	{ KEY_EC_P256, "ec:p256", "EC P-256, 256 bits" },
	{ KEY_EC_P384, "ec:p384", "EC P-384, 384 bits" },
	{ KEY_ED25519, "ed25519", "Ed25519, 256 bits" },
};

enum { N = sizeof rows / sizeof rows[0] };

static EVP_PKEY *keys[N];

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < N; i++)
		if (key_generate(&keys[i], rows[i].type))
			return -1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < N; i++)
		EVP_PKEY_free(keys[i]);
	return 0;
}

static void test_names(void **state)
{
	static const char *const wrong[] = { "", "rsa", "rsa:1024", "RSA:2048", "ec:p521", "ed448",
		"rsa:2048 " };
	enum key_type type;

	(void)state;
	for (size_t i = 0; i < N; i++) {
		assert_string_equal(key_type_name(rows[i].type), rows[i].name);
		assert_true(key_type_parse(span_str(rows[i].name), &type));
		assert_int_equal(type, rows[i].type);
	}
	assert_null(key_type_name(0));
	assert_null(key_type_name(99));
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_false(key_type_parse(span_str(wrong[i]), &type));
}

static void test_generated(void **state)
{
	(void)state;
	for (size_t i = 0; i < N; i++) {
		CLEANUP(buf_done) struct buf name = {};
		CLEANUP(buf_done) struct buf text = {};
		CLEANUP(buf_done) struct buf spki = {};
		struct why why = {};

		key_add_name(keys[i], &name);
		key_add_size_text(keys[i], &text);
		assert_true(span_is(buf_span(&name), rows[i].name));
		assert_true(span_is(buf_span(&text), rows[i].text));
		assert_int_equal(key_to_spki(keys[i], &spki), 0);
		assert_int_equal(key_self_test(keys[i], buf_span(&spki), true, &why), 0);
		assert_string_equal(why.text, "Verification String is OK");
	}
}

static void test_round(void **state)
{
	(void)state;
	for (size_t i = 0; i < N; i++) {
		CLEANUP(EVP_PKEY_freep) EVP_PKEY *public = NULL;
		CLEANUP(EVP_PKEY_freep) EVP_PKEY *private = NULL;
		CLEANUP(buf_done) struct buf spki = {};
		CLEANUP(buf_done) struct buf again = {};
		CLEANUP(secret_done) struct secret pkcs8 = {};
		CLEANUP(secret_done) struct secret pkcs8_again = {};

		assert_int_equal(key_to_spki(keys[i], &spki), 0);
		assert_int_equal(key_from_spki(&public, buf_span(&spki), NULL), 0);
		assert_int_equal(key_to_spki(public, &again), 0);
		assert_true(span_equal(buf_span(&spki), buf_span(&again)));
		assert_int_equal(EVP_PKEY_eq(public, keys[i]), 1);

		assert_int_equal(key_to_pkcs8(keys[i], &pkcs8), 0);
		assert_int_equal(key_from_pkcs8(&private, secret_span(&pkcs8), NULL), 0);
		assert_int_equal(key_to_pkcs8(private, &pkcs8_again), 0);
		assert_true(span_equal(secret_span(&pkcs8), secret_span(&pkcs8_again)));
		/* A public key has no private form. */
		assert_true(key_to_pkcs8(public, &pkcs8_again) < 0);
	}
}

/* Cut short, or with an octet behind, at every length. */
static void test_strict(void **state)
{
	(void)state;
	for (size_t i = 3; i < N; i++) {
		CLEANUP(buf_done) struct buf spki = {};
		CLEANUP(buf_done) struct buf long_pkcs8 = {};
		CLEANUP(secret_done) struct secret pkcs8 = {};
		EVP_PKEY *key = NULL;
		struct span s;

		assert_int_equal(key_to_spki(keys[i], &spki), 0);
		buf_add_octet(&spki, 0);
		assert_int_equal(key_from_spki(&key, buf_span(&spki), NULL), KEY_E_SYNTAX);
		s = span_head(buf_span(&spki), buf_size(&spki) - 1);
		for (size_t n = 0; n < s.n; n++)
			assert_int_equal(key_from_spki(&key, span_head(s, n), NULL), KEY_E_SYNTAX);

		assert_int_equal(key_to_pkcs8(keys[i], &pkcs8), 0);
		buf_add(&long_pkcs8, secret_span(&pkcs8));
		buf_add_octet(&long_pkcs8, 0);
		assert_int_equal(key_from_pkcs8(&key, buf_span(&long_pkcs8), NULL), KEY_E_SYNTAX);
		for (size_t n = 0; n < pkcs8.n; n++)
			assert_int_equal(key_from_pkcs8(&key, span_head(secret_span(&pkcs8), n), NULL),
				KEY_E_SYNTAX);
		/* What failed has left nothing behind for the next call's error text. */
		assert_int_equal(ERR_peek_error(), 0);
	}
}

static void assert_kind(EVP_PKEY *key, const char *text)
{
	CLEANUP(buf_done) struct buf spki = {};
	CLEANUP(secret_done) struct secret pkcs8 = {};
	EVP_PKEY *again = NULL;
	struct why why = {};

	assert_non_null(key);
	assert_int_equal(key_to_spki(key, &spki), 0);
	assert_int_equal(key_from_spki(&again, buf_span(&spki), &why), KEY_E_KIND);
	assert_non_null(strstr(why.text, text));
	assert_int_equal(key_to_pkcs8(key, &pkcs8), 0);
	assert_int_equal(key_from_pkcs8(&again, secret_span(&pkcs8), &why), KEY_E_KIND);
	assert_non_null(strstr(why.text, text));
	EVP_PKEY_free(key);
}

static EVP_PKEY *explicit_curve(void)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)"P-256", 0),
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_EC_ENCODING, (char *)"explicit", 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY *key = NULL;

	assert_true(EVP_PKEY_keygen_init(ctx) > 0);
	assert_true(EVP_PKEY_CTX_set_params(ctx, params) > 0);
	assert_true(EVP_PKEY_generate(ctx, &key) > 0);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static void test_kinds(void **state)
{
	(void)state;
	assert_kind(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)512), "512 bits");
	assert_kind(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), "not supported");
	assert_kind(EVP_PKEY_Q_keygen(NULL, NULL, "ED448"), "not supported");
	assert_kind(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1"), "not supported");
	assert_kind(explicit_curve(), "not supported");
}

/* RFC 8410 section 10.1: the example's public key; its identity was computed with sha256sum. */
static void test_id(void **state)
{
	static const uint8_t spki[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21,
		0x00, 0x19, 0xbf, 0x44, 0x09, 0x69, 0x84, 0xcd, 0xfe, 0x85, 0x41, 0xba, 0xc1, 0x67,
		0xdc, 0x3b, 0x96, 0xc8, 0x50, 0x86, 0xaa, 0x30, 0xb6, 0xb6, 0xcb, 0x0c, 0x5c, 0x38,
		0xad, 0x70, 0x31, 0x66, 0xe1 };
	char id[KEY_ID_LENGTH + 1];
	EVP_PKEY *key = NULL;

	(void)state;
	assert_int_equal(key_from_spki(&key, span_of(spki, sizeof spki), NULL), 0);
	assert_true(key_is_ed25519(key));
	assert_null(key_digest(key));
	EVP_PKEY_free(key);
	key_id(span_of(spki, sizeof spki), id);
	assert_string_equal(id, "a1e9156054e04fac899ae9f275132cdc07a5dbc4ea2c2ad3a1ffc6e0d253681f");
}

static void test_self_test_fails(void **state)
{
	CLEANUP(buf_done) struct buf other = {};
	EVP_PKEY *another = NULL;
	struct why why = {};

	(void)state;
	assert_int_equal(key_generate(&another, KEY_EC_P256), 0);
	assert_int_equal(key_to_spki(another, &other), 0);
	EVP_PKEY_free(another);
	assert_int_equal(key_self_test(keys[3], buf_span(&other), true, &why), KEY_TEST_E_FAILED);
	assert_non_null(strstr(why.text, "does not verify"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_generated),
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_strict),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_id),
		cmocka_unit_test(test_self_test_fails),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("key", tests, setup, teardown);
}
