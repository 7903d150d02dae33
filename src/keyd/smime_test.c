/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Mail signed and opened with people's keys that keyd-user holds: the same code as with local keys,
 * until the key is locked. */

#include "base/clock.h"
#include "keyd/provider.h"
#include "keyd/testing.h"
#include "mime/decode.h"
#include "mime/header.h"
#include "mime/word.h"
#include "pki/cert_fixture.h"
#include "smime/encrypt.h"
#include "smime/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those four before it. */
#include <cmocka.h>
#include <openssl/err.h>
#include <stdlib.h>

enum { N_KINDS = 3 };

static struct kind {
	const char *name;
	enum key_type type;
	struct keyd_made made;
	struct keyd_key *key;
	EVP_PKEY *remote;
	struct cert_made cert; /* its key is the public half */
} kinds[N_KINDS] = {
	{ .name = "rsa:2048", .type = KEY_RSA_2048 },
	{ .name = "ec:p256", .type = KEY_EC_P256 },
	{ .name = "ec:p384", .type = KEY_EC_P384 },
};

static struct testing keyd;
static struct cert_made root;

#define OWNER    SPAN("account:1")
#define PASSWORD SPAN("a good password")
#define SESSION  SPAN("0123456789abcdef")
#define MESSAGE  "From: a@example.org\r\n\r\nhello\r\n"
#define ENTITY   "Content-Type: text/plain; charset=us-ascii\r\n\r\nhello\r\n"

static void make(struct kind *k)
{
	EVP_PKEY *public = NULL;
	struct cert_order order = { .subject = "CN=a",
		.names = "email:a@example.org",
		.usage = "emailProtection",
		.issuer = &root,
		.more = { { "keyUsage", "digitalSignature,keyEncipherment,keyAgreement" } } };

	assert_int_equal(keyd_user_generate(keyd.client, k->type, OWNER, PASSWORD, &k->made), 0);
	assert_int_equal(keyd_unlock(keyd.client, buf_span(&k->made.wrapped),
				 span_str(k->made.key_id), OWNER, PASSWORD, SESSION, 60000,
				 &k->key),
		0);
	assert_int_equal(provider_key(&k->remote, k->key, buf_span(&k->made.spki)), 0);
	assert_int_equal(key_from_spki(&public, buf_span(&k->made.spki), NULL), 0);
	order.use_key = public;
	k->cert = cert_make(&order);
	EVP_PKEY_free(public);
}

static int setup(void **state)
{
	const struct cert_order order = { .subject = "CN=Root", .is_authority = true };

	(void)state;
	testing_start(&keyd, KEYD_USER, 2);
	assert_int_equal(provider_load(), 0);
	root = cert_make(&order);
	for (struct kind *k = kinds; k < kinds + N_KINDS; k++)
		make(k);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (struct kind *k = kinds; k < kinds + N_KINDS; k++) {
		EVP_PKEY_free(k->remote);
		cert_made_done(&k->cert);
		keyd_key_unref(k->key);
		keyd_made_done(&k->made);
	}
	cert_made_done(&root);
	testing_done(&keyd);
	provider_unload();
	return 0;
}

/* The CMS structure in a message whose whole body is base64. */
static CMS_ContentInfo *cms_of(struct span message)
{
	struct decoder d = { .encoding = ENCODING_BASE64 };
	CLEANUP(buf_done) struct buf der = {};
	CMS_ContentInfo *cms;
	const uint8_t *p;

	decoder_feed(&d, span_skip(message, header_size(message)), &der);
	decoder_end(&d, &der);
	p = buf_span(&der).p;
	cms = d2i_CMS_ContentInfo(NULL, &p, (long)buf_size(&der));
	assert_non_null(cms);
	return cms;
}

static void assert_entity(BIO *out)
{
	char *data;
	long n = BIO_get_mem_data(out, &data);

	assert_true(span_is(span_of(data, (size_t)n), ENTITY));
}

static int sign(const struct kind *k, bool pss, struct buf *out, struct why *why)
{
	const struct smime_key key = { k->cert.cert, k->remote, NULL };
	const struct sign_request s = { .signers = &key,
		.n_signers = 1,
		.opaque = true,
		.pss = pss,
		.now_us = clock_now_us() };

	return sign_message(&s, SPAN(MESSAGE), out, why);
}

static void signs(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * N_KINDS; i++) {
		const struct kind *k = &kinds[i / 2];
		CLEANUP(buf_done) struct buf out = {};
		X509_STORE *store = X509_STORE_new();
		BIO *content = BIO_new(BIO_s_mem());
		CMS_ContentInfo *cms;
		struct why why = {};

		if (sign(k, i % 2, &out, &why))
			fail_msg("%s: %s", k->name, why.text);
		cms = cms_of(buf_span(&out));
		X509_STORE_add_cert(store, cert_x509(root.cert));
		if (CMS_verify(cms, NULL, store, NULL, content, CMS_BINARY) != 1)
			fail_msg("%s: %s", k->name, ERR_error_string(ERR_peek_last_error(), NULL));
		assert_entity(content);
		BIO_free(content);
		X509_STORE_free(store);
		CMS_ContentInfo_free(cms);
	}
}

static void opens(void **state)
{
	struct encrypt_recipient to[N_KINDS] = {};

	(void)state;
	for (size_t i = 0; i < N_KINDS; i++)
		to[i].cert = kinds[i].cert.cert;
	for (size_t i = 0; i < 4; i++) {
		struct encrypt_request e = { to, N_KINDS,
			cipher_by_name(i / 2 ? SPAN("aes-256-gcm") : SPAN("aes-128-cbc")), i % 2,
			clock_now_us() };
		CLEANUP(encrypt_faults_done) struct encrypt_faults faults = {};
		CLEANUP(buf_done) struct buf out = {};

		assert_int_equal(encrypt_message(&e, SPAN(MESSAGE), &out, &faults, NULL), 0);
		for (size_t k = 0; k < N_KINDS; k++) {
			CMS_ContentInfo *cms = cms_of(buf_span(&out));
			BIO *content = BIO_new(BIO_s_mem());

			if (CMS_decrypt(cms, kinds[k].remote, cert_x509(to[k].cert), NULL, content,
				    CMS_BINARY) != 1)
				fail_msg("%s: %s", kinds[k].name,
					ERR_error_string(ERR_peek_last_error(), NULL));
			assert_entity(content);
			BIO_free(content);
			CMS_ContentInfo_free(cms);
		}
	}
}

/* Last: a key that is locked does not sign, and that is an answer, not a fault. */
static void locked(void **state)
{
	(void)state;
	assert_int_equal(keyd_lock_session(keyd.client, SESSION), 0);
	for (size_t i = 0; i < N_KINDS; i++) {
		CLEANUP(buf_done) struct buf out = {};
		struct why why = {};

		assert_int_equal(sign(&kinds[i], false, &out, &why), SIGN_E_REFUSED);
		assert_non_null(strstr(why.text, "does not sign"));
		assert_int_equal(buf_size(&out), 0);
		assert_int_equal(ERR_peek_error(), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signs),
		cmocka_unit_test(opens),
		cmocka_unit_test(locked),
	};

	word_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
