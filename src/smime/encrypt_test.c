/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Everybody whom a message is encrypted to can open it, nobody else is in it; who cannot be is
 * named with the reason. */

#include "smime/encrypt.h"

#include "base/clock.h"
#include "base/test.h"
#include "mime/decode.h"
#include "mime/encode.h"
#include "mime/header.h"
#include "mime/word.h"
#include "pki/cert_fixture.h"
#include "pki/key.h"
#include "smime/capability.h"

#include <openssl/err.h>
#include <openssl/rsa.h>

static struct cert_made rsa, ec, ec521, other;

static struct cert_made person(const char *subject, const char *key, EVP_PKEY *use_key)
{
	const struct cert_order order = { .subject = subject,
		.names = "email:a@example.org",
		.usage = "emailProtection",
		.key = key,
		.use_key = use_key,
		.more = { { "keyUsage", "critical,keyEncipherment,keyAgreement" } } };

	return cert_make(&order);
}

static int setup(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-521");

	(void)state;
	rsa = person("CN=rsa", "rsa:2048", NULL);
	ec = person("CN=ec", NULL, NULL);
	ec521 = person("CN=ec521", NULL, key);
	other = person("CN=other", "rsa:2048", NULL);
	EVP_PKEY_free(key);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	cert_made_done(&rsa);
	cert_made_done(&ec);
	cert_made_done(&ec521);
	cert_made_done(&other);
	return 0;
}

#define MESSAGE "From: a@example.org\nContent-Type: text/plain; charset=utf-8\n\ngr\xc3\xbcn\n"
#define ENTITY  "Content-Type: text/plain; charset=utf-8\r\n\r\ngr\xc3\xbcn\r\n"

static CMS_ContentInfo *cms_of(struct span message)
{
	struct decoder d = { .encoding = ENCODING_BASE64 };
	CLEANUP(buf_done) struct buf der = {};
	const uint8_t *p;
	CMS_ContentInfo *cms;

	decoder_feed(&d, span_skip(message, header_size(message)), &der);
	decoder_end(&d, &der);
	assert_false(d.damaged);
	p = buf_span(&der).p;
	cms = d2i_CMS_ContentInfo(NULL, &p, (long)buf_size(&der));
	assert_non_null(cms);
	return cms;
}

static bool opens(struct span message, const struct cert_made *who)
{
	CMS_ContentInfo *cms = cms_of(message);
	BIO *out = BIO_new(BIO_s_mem());
	bool opened = CMS_decrypt(cms, who->key, cert_x509(who->cert), NULL, out, CMS_BINARY) == 1;
	char *data;
	long n = BIO_get_mem_data(out, &data);

	if (opened)
		assert_true(span_is(span_of(data, (size_t)n), ENTITY));
	ERR_clear_error();
	BIO_free(out);
	CMS_ContentInfo_free(cms);
	return opened;
}

static void ciphers(void **state)
{
	const struct encrypt_recipient to[] = { { .cert = rsa.cert }, { .cert = ec.cert },
		{ .cert = ec521.cert }, { .cert = rsa.cert } };
	const struct cipher *c;

	(void)state;
	for (size_t i = 0; (c = cipher_at(i)); i++) {
		struct encrypt_request e = { to, 4, c, false, clock_now_us() };
		CLEANUP(buf_done) struct buf out = {};
		CLEANUP(encrypt_faults_done) struct encrypt_faults faults = {};
		struct why why = {};
		CMS_ContentInfo *cms;
		int r = encrypt_message(&e, SPAN(MESSAGE), &out, &faults, &why);

		if (!c->may_write) {
			assert_int_equal(r, ENCRYPT_E_REFUSED);
			assert_non_null(strstr(why.text, c->text));
			continue;
		}
		if (r)
			fail_msg("%s: %s", c->name, err_last_trace());
		assert_true(encode_is_7bit(buf_span(&out)) && encode_is_crlf(buf_span(&out)));
		assert_true(opens(buf_span(&out), &rsa) && opens(buf_span(&out), &ec) &&
			    opens(buf_span(&out), &ec521));
		assert_false(opens(buf_span(&out), &other));
		cms = cms_of(buf_span(&out));
		/* The one that is there twice is in it once. */
		assert_int_equal(sk_CMS_RecipientInfo_num(CMS_get0_RecipientInfos(cms)), 3);
		assert_int_equal(OBJ_obj2nid(CMS_get0_type(cms)),
			c->is_authenticated ? NID_id_smime_ct_authEnvelopedData
					    : NID_pkcs7_enveloped);
		assert_true(span_find_span(buf_span(&out),
				    c->is_authenticated
					    ? SPAN("smime-type=authEnveloped-data")
					    : SPAN("smime-type=enveloped-data")) < buf_size(&out));
		CMS_ContentInfo_free(cms);
	}
}

static void oaep(void **state)
{
	const struct encrypt_recipient to = { .cert = rsa.cert };
	const struct encrypt_request e = { &to, 1, NULL, true, clock_now_us() };
	CLEANUP(buf_done) struct buf out = {};
	CLEANUP(encrypt_faults_done) struct encrypt_faults faults = {};
	X509_ALGOR *algorithm;
	CMS_ContentInfo *cms;

	(void)state;
	assert_int_equal(encrypt_message(&e, SPAN(MESSAGE), &out, &faults, NULL), 0);
	assert_true(opens(buf_span(&out), &rsa));
	cms = cms_of(buf_span(&out));
	CMS_RecipientInfo_ktri_get0_algs(
		sk_CMS_RecipientInfo_value(CMS_get0_RecipientInfos(cms), 0), NULL, NULL,
		&algorithm);
	assert_int_equal(OBJ_obj2nid(algorithm->algorithm), NID_rsaesOaep);
	CMS_ContentInfo_free(cms);
}

static void automatic(void **state)
{
	CLEANUP(buf_done) struct buf ours = {};
	static const uint8_t old[] = { 0x30, 0x0c, 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0x86,
		0xf7, 0x0d, 0x03, 0x07 }; /* 3DES only */
	const struct cert_order order = { .subject = "CN=knows",
		.more = { { "1.2.840.113549.1.9.15",
			"DER:30:0d:30:0b:06:09:60:86:48:01:65:03:04:01:2e" } } };
	struct cert_made knows = cert_make(&order);

	(void)state;
	assert_int_equal(capability_add(&ours), 0);
	{
		const struct encrypt_recipient good = { .cert = rsa.cert,
			.capabilities = buf_span(&ours) };
		const struct encrypt_recipient unknown = { .cert = rsa.cert };
		const struct encrypt_recipient ext = { .cert = knows.cert };
		const struct encrypt_recipient outdated = { .cert = knows.cert,
			.capabilities = span_of(old, sizeof old) };
		const struct encrypt_recipient damaged = { .cert = rsa.cert,
			.capabilities = SPAN("x") };
		const struct {
			struct encrypt_recipient to[2];
			const char *cipher;
		} rows[] = {
			{ { good, good }, "aes-256-gcm" },
			{ { good, ext }, "aes-256-gcm" },
			{ { good, unknown }, "aes-256-cbc" },
			{ { unknown, unknown }, "aes-256-cbc" },
			{ { good, outdated }, "aes-256-cbc" },
			{ { good, damaged }, "aes-256-cbc" },
		};

		for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
			const struct encrypt_request e = { rows[i].to, 2, NULL, false, 0 };

			assert_string_equal(encrypt_cipher(&e)->name, rows[i].cipher);
		}
	}
	cert_made_done(&knows);
}

static void faults_of_all(void **state)
{
	const int64_t now = clock_now_us();
	const struct cert_order expired = { .subject = "CN=old",
		.till_us = now - 1000000,
		.more = { { "keyUsage", "keyAgreement" } } };
	struct cert_made old = cert_make(&expired);
	const struct encrypt_recipient to[] = { { .cert = rsa.cert,
							.address = SPAN("a@example.org") },
		{ .cert = old.cert }, { .address = SPAN("nobody@example.org") },
		{ .cert = ec.cert, .address = SPAN("b@example.org") } };
	const struct encrypt_request e = { to, 4, NULL, false, now };
	CLEANUP(buf_done) struct buf out = {};
	CLEANUP(encrypt_faults_done) struct encrypt_faults faults = {};
	const struct encrypt_request none = { to, 0, NULL, false, now };

	(void)state;
	assert_int_equal(encrypt_message(&e, SPAN(MESSAGE), &out, &faults, NULL),
		ENCRYPT_E_RECIPIENTS);
	assert_int_equal(buf_size(&out), 0);
	assert_int_equal(faults.n, 3);
	assert_int_equal(faults.faults[0].recipient, 1);
	assert_int_equal(faults.faults[0].fault, RECIPIENT_EXPIRED);
	assert_int_equal(faults.faults[1].fault, RECIPIENT_NONE);
	assert_non_null(strstr(faults.faults[1].why.text, "nobody@example.org"));
	assert_int_equal(faults.faults[2].recipient, 3);
	assert_int_equal(faults.faults[2].fault, RECIPIENT_ADDRESS);
	encrypt_faults_done(&faults);
	assert_int_equal(encrypt_message(&none, SPAN(MESSAGE), &out, &faults, NULL),
		ENCRYPT_E_REFUSED);
	cert_made_done(&old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ciphers),
		cmocka_unit_test(oaep),
		cmocka_unit_test(automatic),
		cmocka_unit_test(faults_of_all),
	};

	word_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
