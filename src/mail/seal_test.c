/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What counts as encrypted already, and certificates that will not do. That mail can be read again
 * is tested live, with keys of keyd. */

#include "mail/seal.h"

#include "base/test.h"
#include "mime/part.h"
#include "mime/word.h"
#include "pki/cert_fixture.h"
#include "smime/cert_cache.h"
#include "smime/smime_fixture.h"

static bool is_sealed(struct span message)
{
	CLEANUP(part_tree_freep) struct part_tree *tree = part_parse(message);

	return seal_is_claimed(tree) && seal_is_sealed(tree, message);
}

/* What it is called alone is nothing: in each of these the body is clear text. */
static void labels(void **state)
{
	static const struct {
		const char *type;
		bool claimed;
	} rows[] = {
		{ "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", true },
		{ "application/pkcs7-mime; smime-type=authEnveloped-data", true },
		{ "APPLICATION/X-PKCS7-MIME; SMIME-TYPE=\"Enveloped-Data\"", true },
		/* signed only, perhaps: what is in it says so */
		{ "application/pkcs7-mime; smime-type=signed-data", true },
		{ "multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b",
			false },
		{ "multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=b", false },
		{ "application/pkcs7-mime; name=smime.p7m", true },
		{ "application/octet-stream; name=smime.p7m", true },
		{ "text/plain", false },
		{ "application/octet-stream; smime-type=enveloped-data", false },
	};

	(void)state;
	word_init();
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(buf_done) struct buf message = {};
		CLEANUP(part_tree_freep) struct part_tree *tree = NULL;

		buf_add_format(&message, "Content-Type: %s\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
			rows[i].type);
		tree = part_parse(buf_span(&message));
		if (seal_is_claimed(tree) != rows[i].claimed)
			fail_msg("%s", rows[i].type);
		assert_false(seal_is_sealed(tree, buf_span(&message)));
	}
}

/* The same objects, whatever they are called and however they are encoded, as far as they are what
 * they should be. */
static void objects(void **state)
{
	static const unsigned flags[] = { 0, FIXTURE_STREAM, FIXTURE_OAEP };
	struct people people;

	(void)state;
	people_make(&people);
	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
		CLEANUP(buf_done) struct buf entity = {}, message = {};
		const struct cert_made *to[] = { &people.bob };

		fixture_encrypt(SPAN("Content-Type: text/plain\r\n\r\nsecret\r\n"),
			EVP_aes_128_cbc(), to, 1, flags[i], &entity);
		buf_add_string(&message, "From: jim@example.com\r\nMIME-Version: 1.0\r\n");
		buf_add(&message, buf_span(&entity));
		assert_true(is_sealed(buf_span(&message)));
		/* More of it than there is. */
		buf_add_string(&message, "QUFB\r\n");
		assert_false(is_sealed(buf_span(&message)));
	}
	for (unsigned i = 0; i < 2; i++) {
		CLEANUP(buf_done) struct buf message = {};

		if (i)
			fixture_sign(SPAN("Content-Type: text/plain\r\n\r\nclear\r\n"),
				&people.alice, 0, &message);
		else
			fixture_compress(SPAN("Content-Type: text/plain\r\n\r\nclear\r\n"),
				&message);
		assert_false(is_sealed(buf_span(&message)));
	}
	people_done(&people);
}

static void pgp(void **state)
{
	static const struct {
		const char *version, *armor;
		bool sealed;
	} rows[] = {
		{ "application/pgp-encrypted",
			"-----BEGIN PGP MESSAGE-----\r\n\r\nhQEMA1234567\r\n", true },
		{ "application/pgp-encrypted",
			"\r\n-----BEGIN PGP MESSAGE-----\r\nVersion: x\r\n\r\nwV4Dabcd\r\n", true },
		/* by a passphrase */
		{ "application/pgp-encrypted", "-----BEGIN PGP MESSAGE-----\r\n\r\njA0EBwMC\r\n",
			true },
		/* a signed message, clear text, and nothing */
		{ "application/pgp-encrypted", "-----BEGIN PGP MESSAGE-----\r\n\r\nowEBWwKk\r\n",
			false },
		{ "application/pgp-encrypted", "-----BEGIN PGP MESSAGE-----\r\n\r\nhello\r\n",
			false },
		{ "application/pgp-encrypted", "-----BEGIN PGP MESSAGE-----", false },
		{ "application/pgp-encrypted", "hello\r\n", false },
		{ "text/plain", "-----BEGIN PGP MESSAGE-----\r\n\r\nhQEMA1234567\r\n", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(buf_done) struct buf message = {};

		buf_add_format(&message,
			"Content-Type: multipart/encrypted; boundary=b;\r\n"
			" protocol=\"application/pgp-encrypted\"\r\n\r\n--b\r\nContent-Type: "
			"%s\r\n\r\n"
			"Version: 1\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\n%s\r\n"
			"--b--\r\n",
			rows[i].version, rows[i].armor);
		if (is_sealed(buf_span(&message)) != rows[i].sealed)
			fail_msg("row %zu", i);
	}
}

static void bad_certificate(void **state)
{
	CLEANUP(buf_done) struct buf out = {};
	struct seal_recipient to = { .der = SPAN("no certificate") };
	struct why why = {};

	(void)state;
	assert_int_equal(seal_message(&to, 1, SPAN("Subject: x\r\n\r\ny\r\n"), NULL,
				 1770091506000000, &out, &why),
		SEAL_E_REFUSED);
	assert_true(why.text[0]);
	assert_int_equal(buf_size(&out), 0);
}

/* What is remembered of a certificate is what is in it, not what was found about it. */
static void not_valid_any_more(void **state)
{
	static const int64_t now_us = 1770091506000000, second_us = 1000000;
	struct cert_order order = { .subject = "CN=a",
		.names = "email:a@b.example",
		.usage = "emailProtection",
		.from_us = now_us - second_us,
		.till_us = now_us + second_us,
		.more = { { "keyUsage", "keyAgreement" } } };
	static const struct {
		int64_t now_us;
		int outcome;
	} cases[] = {
		{ now_us, 0 },
		{ now_us + 5 * second_us, SEAL_E_REFUSED },
		{ now_us - 5 * second_us, SEAL_E_REFUSED },
		{ now_us, 0 },
	};
	CLEANUP(cert_cache_freep) struct cert_cache *cache = cert_cache_new(10);
	struct cert_made made = cert_make(&order);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		CLEANUP(buf_done) struct buf out = {};
		struct seal_recipient to = { .der = cert_der(made.cert) };
		struct why why = {};

		if (seal_message(&to, 1, SPAN("Subject: x\r\n\r\ny\r\n"), cache,
			    cases[i].now_us, &out, &why) != cases[i].outcome)
			fail_msg("%zu: %s", i, why.text);
		assert_int_equal(buf_size(&out) > 0, cases[i].outcome == 0);
	}
	cert_made_done(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels),
		cmocka_unit_test(objects),
		cmocka_unit_test(pgp),
		cmocka_unit_test(bad_certificate),
		cmocka_unit_test(not_valid_any_more),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
