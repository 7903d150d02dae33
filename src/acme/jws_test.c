/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "acme/jws.h"

#include "base/enc.h"
#include "base/test.h"
#include "pki/key.h"

#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <stdlib.h>

/* RFC 7515 appendix A.3.1. */
static const char point[] = "047fcdce2770f6c45d4183cbee6fdb4b7b580733357be9ef13bacf6e3c7bd15445"
	"c7f144cd1bbd9b7e872cdfedb9eeb9f4b3695d6ea90b24ad8a4623288588e5ad";

static EVP_PKEY *known_key(void)
{
	CLEANUP(buf_done) struct buf octets = {};
	OSSL_PARAM params[3];
	char group[] = "prime256v1";
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;

	assert_true(enc_hex_decode(&octets, span_str(point)));
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
		(void *)(uintptr_t)buf_span(&octets).p, buf_size(&octets));
	params[2] = OSSL_PARAM_construct_end();
	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static void test_thumbprint(void **state)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = known_key();
	CLEANUP(buf_done) struct buf jwk = {}, thumbprint = {};

	(void)state;
	assert_int_equal(jws_add_jwk(key, &jwk), 0);
	assert_true(
		span_is(buf_span(&jwk), "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":"
					"\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
					"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"));
	assert_int_equal(jws_add_thumbprint(key, &thumbprint), 0);
	assert_true(span_is(buf_span(&thumbprint), "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"));
}

static void test_binding(void **state)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = known_key();
	CLEANUP(buf_done) struct buf out = {};

	(void)state;
	assert_int_equal(jws_add_binding(key, "kid-1", SPAN("0123456789abcdef"),
				 "https://ca.example/new-account", &out),
		0);
	assert_true(
		span_find_span(buf_span(&out),
			SPAN("\"signature\":\"1-zOH2XpJAppVrZA_B5y6yfeWhCPN7l4gtkA_fBguLY\"}")) <
		buf_size(&out));
}

/* The member of a flattened JWS, decoded; and as it stands. */
static const char *member(const json_t *jws, const char *name, struct buf *plain)
{
	const char *text = json_string_value(json_object_get(jws, name));

	assert_non_null(text);
	buf_clear(plain);
	assert_true(enc_base64url_decode(plain, span_str(text)));
	return text;
}

static bool verifies(EVP_PKEY *key, struct span input, struct span raw)
{
	ECDSA_SIG *pair = ECDSA_SIG_new();
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t *der = NULL;
	bool ok;
	int n;

	assert_int_equal(raw.n, 64);
	assert_int_equal(ECDSA_SIG_set0(pair, BN_bin2bn(raw.p, 32, NULL), BN_bin2bn(raw.p + 32, 32,
				 NULL)), 1);
	n = i2d_ECDSA_SIG(pair, &der);
	assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
	ok = EVP_DigestVerify(ctx, der, (size_t)n, input.p, input.n) == 1;
	OPENSSL_free(der);
	ECDSA_SIG_free(pair);
	EVP_MD_CTX_free(ctx);
	return ok;
}

static void check(EVP_PKEY *key, const char *kid, struct span payload)
{
	struct jws_header h = { .url = "https://ca.example/order/1", .nonce = "abc-_", .kid = kid };
	CLEANUP(buf_done) struct buf out = {}, plain = {}, input = {};
	json_t *jws, *header;

	assert_int_equal(jws_sign(key, &h, payload, &out), 0);
	jws = json_loadb((const char *)buf_span(&out).p, buf_size(&out), JSON_REJECT_DUPLICATES,
		NULL);
	assert_non_null(jws);
	assert_int_equal(json_object_size(jws), 3);
	buf_add_string(&input, member(jws, "protected", &plain));
	header = json_loadb((const char *)buf_span(&plain).p, buf_size(&plain), 0, NULL);
	assert_string_equal(json_string_value(json_object_get(header, "alg")), "ES256");
	assert_string_equal(json_string_value(json_object_get(header, "url")), h.url);
	assert_string_equal(json_string_value(json_object_get(header, "nonce")), h.nonce);
	/* RFC 8555 section 6.2: jwk and kid exclude each other. */
	assert_true(!json_object_get(header, "jwk") == (kid != NULL));
	assert_true(!json_object_get(header, "kid") == (kid == NULL));
	json_decref(header);
	buf_add_octet(&input, '.');
	buf_add_string(&input, member(jws, "payload", &plain));
	assert_true(span_equal(buf_span(&plain), payload));
	(void)member(jws, "signature", &plain);
	assert_true(verifies(key, buf_span(&input), buf_span(&plain)));
	buf_add_octet(&input, 'x');
	assert_false(verifies(key, buf_span(&input), buf_span(&plain)));
	json_decref(jws);
}

static void test_sign(void **state)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;

	(void)state;
	assert_int_equal(key_generate(&key, KEY_EC_P256), 0);
	/* Often: r and s have leading zeros one time in 256. */
	for (int i = 0; i < 300; i++) {
		check(key, NULL, SPAN("{\"a\":1}"));
		check(key, "https://ca.example/account/\"1\"", (struct span){});
	}
}

static void test_wrong_key(void **state)
{
	static const enum key_type types[] = { KEY_EC_P384, KEY_RSA_2048, KEY_ED25519 };

	(void)state;
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
		CLEANUP(buf_done) struct buf out = {};
		struct jws_header h = { .url = "https://ca.example/", .nonce = "n" };

		assert_int_equal(key_generate(&key, types[i]), 0);
		assert_true(jws_add_jwk(key, &out) < 0);
		assert_true(jws_sign(key, &h, SPAN("{}"), &out) < 0);
		assert_int_equal(buf_size(&out), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thumbprint),
		cmocka_unit_test(test_binding),
		cmocka_unit_test(test_sign),
		cmocka_unit_test(test_wrong_key),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
