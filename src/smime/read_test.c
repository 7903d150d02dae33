/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Each verdict about a signer, each way to encrypt, and which header counts. What an attacker would
 * send is in attack_test.c. */

#include "smime/read.h"

#include "base/clock.h"
#include "base/test.h"
#include "pki/revocation_fixture.h"
#include "smime/cert_cache.h"
#include "smime/smime_fixture.h"

#include <openssl/evp.h>

static struct people people;

static const int64_t day_us = INT64_C(86400) * 1000000;

#define HELLO      SPAN("Content-Type: text/plain\r\n\r\nHello, Bob.\r\n")
#define FROM_ALICE "From: Alice <alice@example.org>\r\nTo: bob@example.org\r\nSubject: Hello\r\n"

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

static struct smime_request request_of(const struct buf *message)
{
	return (struct smime_request){
		.message = buf_span(message),
		.trust = people.trust,
		.time_us = people.now_us,
	};
}

/* The verdict about the first signer of a message by Alice with that signature. */
static enum smime_signer_verdict verdict_of(const struct smime_request *q)
{
	struct smime_result result;
	enum smime_signer_verdict verdict;

	assert_int_equal(smime_read(q, &result), 0);
	assert_int_equal(result.report.n_envelope, 1);
	assert_int_equal(result.report.layers[0].n_signers, 1);
	verdict = result.report.layers[0].signers[0].verdict;
	assert_int_equal(smime_report_is_verified(&result.report), verdict == SMIME_SIGNER_OK);
	smime_result_done(&result);
	return verdict;
}

static void sign_message(const char *header, const struct cert_made *signer, unsigned flags,
	struct buf *out)
{
	buf_add_string(out, header);
	fixture_sign(HELLO, signer, flags, out);
}

static enum smime_signer_verdict verdict_by(const struct cert_made *signer, unsigned flags)
{
	CLEANUP(buf_done) struct buf m = {};
	struct smime_request q;

	sign_message(FROM_ALICE, signer, flags, &m);
	q = request_of(&m);
	return verdict_of(&q);
}

static void signatures_hold(void **state)
{
	static const unsigned kinds[] = { 0, FIXTURE_DETACHED, FIXTURE_STREAM,
		FIXTURE_NO_ATTRIBUTES, FIXTURE_DETACHED | FIXTURE_NO_ATTRIBUTES };

	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		CLEANUP(buf_done) struct buf m = {};
		struct smime_request q;
		struct smime_result result;

		sign_message(FROM_ALICE, &people.alice, kinds[i], &m);
		q = request_of(&m);
		assert_int_equal(smime_read(&q, &result), 0);
		assert_int_equal(result.report.status, SMIME_STATUS_SIGNED);
		assert_true(smime_report_is_verified(&result.report));
		assert_true(span_equal(smime_payload(&result), HELLO));
		assert_int_equal(result.report.layers[0].signers[0].address, SMIME_ADDRESS_FROM);
		smime_result_done(&result);
	}
}

static void rsa_and_pss_hold(void **state)
{
	CLEANUP(buf_done) struct buf m = {};
	struct smime_request q;

	(void)state;
	sign_message("From: bob@example.org\r\n", &people.bob, FIXTURE_PSS, &m);
	q = request_of(&m);
	assert_int_equal(verdict_of(&q), SMIME_SIGNER_OK);
	buf_clear(&m);
	sign_message("From: bob@example.org\r\n", &people.bob, 0, &m);
	assert_int_equal(verdict_of(&(struct smime_request){ .message = buf_span(&m),
				 .trust = people.trust,
				 .time_us = people.now_us }),
		SMIME_SIGNER_OK);
}

/* Lines that end in LF alone are what a file has; the signature is over CRLF. */
static void line_ends_are_made_canonical(void **state)
{
	CLEANUP(buf_done) struct buf m = {};
	CLEANUP(buf_done) struct buf lf = {};
	struct smime_request q;
	struct span rest;

	(void)state;
	sign_message(FROM_ALICE, &people.alice, FIXTURE_DETACHED, &m);
	rest = buf_span(&m);
	while (rest.n) {
		buf_add(&lf, span_cut(&rest, '\r'));
	}
	q = request_of(&lf);
	assert_int_equal(verdict_of(&q), SMIME_SIGNER_OK);
}

static void altered_content(void **state)
{
	CLEANUP(buf_done) struct buf m = {};
	CLEANUP(buf_done) struct buf bare = {};
	struct smime_request q;

	(void)state;
	sign_message(FROM_ALICE, &people.alice, FIXTURE_DETACHED, &m);
	fixture_change(&m, "Hello, Bob");
	q = request_of(&m);
	assert_int_equal(verdict_of(&q), SMIME_SIGNER_ALTERED);
	sign_message(FROM_ALICE, &people.alice, FIXTURE_DETACHED | FIXTURE_NO_ATTRIBUTES, &bare);
	fixture_change(&bare, "Hello, Bob");
	q = request_of(&bare);
	assert_int_equal(verdict_of(&q), SMIME_SIGNER_ALTERED);
}

static void wrong_signature(void **state)
{
	CLEANUP(buf_done) struct buf m = {};
	CLEANUP(buf_done) struct buf der = {};
	struct smime_request q;

	(void)state;
	fixture_sign_der(HELLO, &people.alice, 0, &der);
	der.p[der.end - 1] ^= 1; /* the signature is what comes last */
	buf_add_string(&m, FROM_ALICE);
	fixture_wrap(buf_span(&der), &m);
	q = request_of(&m);
	assert_int_equal(verdict_of(&q), SMIME_SIGNER_INVALID);
}

static void missing_certificate(void **state)
{
	CLEANUP(buf_done) struct buf m = {};
	CLEANUP(cert_list_done) struct cert_list known = {};
	struct smime_request q;

	(void)state;
	sign_message(FROM_ALICE, &people.alice, FIXTURE_NO_CERTS, &m);
	q = request_of(&m);
	assert_int_equal(verdict_of(&q), SMIME_SIGNER_NO_CERTIFICATE);
	cert_list_add(&known, people.alice.cert);
	q.known = &known;
	assert_int_equal(verdict_of(&q), SMIME_SIGNER_OK);
}

static void incomplete_chain(void **state)
{
	struct cert_order o = { .subject = "CN=Middle",
		.is_authority = true,
		.issuer = &people.ca };
	struct cert_made middle = cert_make(&o), leaf;
	CLEANUP(buf_done) struct buf m = {};
	CLEANUP(cert_list_done) struct cert_list known = {};
	struct smime_request q;

	(void)state;
	o = (struct cert_order){ .subject = "CN=Alice",
		.names = "email:alice@example.org",
		.usage = "emailProtection",
		.issuer = &middle };
	leaf = cert_make(&o);
	sign_message(FROM_ALICE, &leaf, 0, &m);
	q = request_of(&m);
	assert_int_equal(verdict_of(&q), SMIME_SIGNER_CHAIN_INCOMPLETE);
	cert_list_add(&known, middle.cert);
	q.known = &known;
	assert_int_equal(verdict_of(&q), SMIME_SIGNER_OK);
	cert_made_done(&leaf);
	cert_made_done(&middle);
}

static void certificates_that_do_not_count(void **state)
{
	const struct cert_made *ca = &people.ca;
	const struct {
		struct cert_order order;
		enum smime_signer_verdict verdict;
	} cases[] = {
		{ { .names = "email:alice@example.org", .usage = "emailProtection" },
			SMIME_SIGNER_UNTRUSTED },
		{ { .names = "email:alice@example.org",
			  .usage = "emailProtection",
			  .issuer = ca,
			  .from_us = people.now_us - 20 * day_us,
			  .till_us = people.now_us - 10 * day_us },
			SMIME_SIGNER_EXPIRED },
		{ { .names = "email:alice@example.org",
			  .usage = "emailProtection",
			  .issuer = ca,
			  .from_us = people.now_us + 10 * day_us },
			SMIME_SIGNER_NOT_YET_VALID },
		{ { .names = "email:alice@example.org", .usage = "serverAuth", .issuer = ca },
			SMIME_SIGNER_WRONG_PURPOSE },
		{ { .names = "email:alice@example.org",
			  .usage = "emailProtection",
			  .issuer = ca,
			  .more = { { "keyUsage", "critical,keyAgreement" } } },
			SMIME_SIGNER_WRONG_PURPOSE },
		{ { .names = "email:alice@example.org",
			  .usage = "emailProtection",
			  .issuer = ca,
			  .digest = "SHA1" },
			SMIME_SIGNER_WEAK },
		{ { .names = "email:alice@example.org",
			  .usage = "emailProtection",
			  .issuer = ca,
			  .key = "rsa:1024" },
			SMIME_SIGNER_WEAK },
		{ { .names = "email:alice@example.org",
			  .usage = "emailProtection",
			  .issuer = ca,
			  .more = { { "1.2.3.4.5.6", "critical,DER:0500" } } },
			SMIME_SIGNER_CERTIFICATE_INVALID },
		{ { .names = "email:alice@example.com", .usage = "emailProtection", .issuer = ca },
			SMIME_SIGNER_ADDRESS_MISMATCH },
		{ { .names = "DNS:example.org", .usage = "emailProtection", .issuer = ca },
			SMIME_SIGNER_ADDRESS_MISMATCH },
		{ { .names = "email:ALICE@Example.ORG", .usage = "emailProtection", .issuer = ca },
			SMIME_SIGNER_OK },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct cert_order o = cases[i].order;
		struct cert_made made;
		enum smime_signer_verdict verdict;

		o.subject = "CN=Alice";
		made = cert_make(&o);
		verdict = verdict_by(&made, 0);
		if (verdict != cases[i].verdict)
			fail_msg("case %zu: %s", i, smime_signer_verdict_name(verdict));
		cert_made_done(&made);
	}
}

static void weak_digest(void **state)
{
	(void)state;
	assert_int_equal(verdict_by(&people.alice, FIXTURE_SHA1), SMIME_SIGNER_WEAK);
}

static void revoked(void **state)
{
	CLEANUP(buf_done) struct buf m = {};
	CLEANUP(buf_done) struct buf der = {};
	CLEANUP(crl_list_done) struct crl_list crls = {};
	const struct crl_order order = {
		.authority = &people.ca,
		.number = 1,
		.this_us = people.now_us - day_us,
		.next_us = people.now_us + day_us,
		.revoked = { people.alice.cert },
	};
	struct smime_request q;

	(void)state;
	crl_make(&order, &der);
	assert_int_equal(crl_list_add(&crls, buf_span(&der), NULL), 0);
	sign_message(FROM_ALICE, &people.alice, 0, &m);
	q = request_of(&m);
	q.crls = &crls;
	assert_int_equal(verdict_of(&q), SMIME_SIGNER_REVOKED);
}

/* A list that is younger than the signature, when the certificate has expired. */
static void revoked_and_expired_since(void **state)
{
	for (size_t listed = 0; listed < 2; listed++) {
		CLEANUP(buf_done) struct buf m = {};
		CLEANUP(buf_done) struct buf der = {};
		CLEANUP(crl_list_done) struct crl_list crls = {};
		const struct crl_order order = {
			.authority = &people.ca,
			.number = 1,
			.this_us = people.now_us + 799 * day_us,
			.next_us = people.now_us + 801 * day_us,
			.revoked = { listed ? people.alice.cert : people.carol.cert },
		};
		struct smime_request q;

		(void)state;
		crl_make(&order, &der);
		assert_int_equal(crl_list_add(&crls, buf_span(&der), NULL), 0);
		sign_message(FROM_ALICE, &people.alice, 0, &m);
		q = request_of(&m);
		q.crls = &crls;
		q.time_us = people.now_us + 800 * day_us;
		assert_int_equal(verdict_of(&q), listed ? SMIME_SIGNER_REVOKED : SMIME_SIGNER_OK);
	}
}

/* Valid when it was signed, expired now: still good, as far as the time is believed. */
static void expired_since(void **state)
{
	CLEANUP(buf_done) struct buf m = {};
	struct smime_request q;
	struct smime_result result;

	(void)state;
	sign_message(FROM_ALICE, &people.alice, 0, &m);
	q = request_of(&m);
	q.time_us = people.now_us + 800 * day_us;
	assert_int_equal(smime_read(&q, &result), 0);
	assert_true(smime_report_is_verified(&result.report));
	assert_true(result.report.layers[0].signers[0].expired_since);
	smime_result_done(&result);
	q.received_us = people.now_us + day_us;
	assert_int_equal(verdict_of(&q), SMIME_SIGNER_OK);
	/* It came long after the time that the signer claims. */
	q.received_us = people.now_us + 700 * day_us;
	assert_int_equal(verdict_of(&q), SMIME_SIGNER_EXPIRED);
	/* Nobody says when. */
	buf_clear(&m);
	sign_message(FROM_ALICE, &people.alice, FIXTURE_NO_ATTRIBUTES, &m);
	q = request_of(&m);
	q.time_us = people.now_us + 800 * day_us;
	assert_int_equal(verdict_of(&q), SMIME_SIGNER_EXPIRED);
	q.received_us = people.now_us + day_us;
	assert_int_equal(verdict_of(&q), SMIME_SIGNER_OK);
}

static void unknown_algorithm(void **state)
{
	static const uint8_t ecdsa[] = "\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
	CLEANUP(buf_done) struct buf m = {};
	CLEANUP(buf_done) struct buf der = {};
	struct smime_request q;
	size_t at = 0, last = 0;

	(void)state;
	fixture_sign_der(HELLO, &people.alice, 0, &der);
	for (;;) { /* the last one is the signer's, those before are of certificates */
		size_t next = span_find_span(span_skip(buf_span(&der), at), span_of(ecdsa, 10));

		if (at + next >= buf_size(&der))
			break;
		last = at + next;
		at = last + 1;
	}
	der.p[last + 9] = 0x7f;
	buf_add_string(&m, FROM_ALICE);
	fixture_wrap(buf_span(&der), &m);
	q = request_of(&m);
	assert_int_equal(verdict_of(&q), SMIME_SIGNER_UNSUPPORTED);
}

static void sender_alone_is_not_enough(void **state)
{
	CLEANUP(buf_done) struct buf m = {};
	struct smime_request q;

	(void)state;
	sign_message("From: boss@example.org\r\nSender: alice@example.org\r\n", &people.alice, 0,
		&m);
	q = request_of(&m);
	assert_int_equal(verdict_of(&q), SMIME_SIGNER_SENDER_ONLY);
	q.expect = SMIME_EXPECT_GIVEN;
	q.address = SPAN("alice@example.org");
	assert_int_equal(verdict_of(&q), SMIME_SIGNER_OK);
	q.address = SPAN("boss@example.org");
	assert_int_equal(verdict_of(&q), SMIME_SIGNER_ADDRESS_MISMATCH);
	q.expect = SMIME_EXPECT_ANYBODY;
	assert_int_equal(verdict_of(&q), SMIME_SIGNER_OK);
}

static void nobody_is_trusted_without_trust(void **state)
{
	CLEANUP(buf_done) struct buf m = {};
	struct smime_request q;

	(void)state;
	sign_message(FROM_ALICE, &people.alice, 0, &m);
	q = request_of(&m);
	q.trust = NULL;
	assert_int_equal(verdict_of(&q), SMIME_SIGNER_CHAIN_INCOMPLETE);
}

/* Encryption. */

struct decrypting {
	const EVP_CIPHER *cipher;
	const struct cert_made *to;
};

static void decrypts(void **state)
{
	const struct decrypting cases[] = {
		{ EVP_aes_256_gcm(), &people.bob },
		{ EVP_aes_192_gcm(), &people.carol },
		{ EVP_aes_128_gcm(), &people.carol },
		{ EVP_aes_256_cbc(), &people.bob },
		{ EVP_aes_128_cbc(), &people.carol },
		{ EVP_des_ede3_cbc(), &people.bob },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct cert_made *const to[] = { &people.alice, cases[i].to };
		const struct smime_key key = { cases[i].to->cert, cases[i].to->key, NULL };
		bool is_gcm = EVP_CIPHER_get_mode(cases[i].cipher) == EVP_CIPH_GCM_MODE;
		CLEANUP(buf_done) struct buf m = {};
		struct smime_request q;
		struct smime_result result;

		buf_add_string(&m, FROM_ALICE);
		fixture_encrypt(HELLO, cases[i].cipher, to, 2, 0, &m);
		q = request_of(&m);
		assert_int_equal(smime_read(&q, &result), 0);
		assert_int_equal(result.report.status, SMIME_STATUS_LOCKED);
		assert_null(smime_payload(&result).p);
		smime_result_done(&result);
		q.keys = &key;
		q.n_keys = 1;
		assert_int_equal(smime_read(&q, &result), 0);
		assert_int_equal(result.report.status, SMIME_STATUS_ENCRYPTED);
		assert_int_equal(result.report.is_authenticated, is_gcm);
		assert_true(span_equal(smime_payload(&result), HELLO));
		/* In what order they come is up to DER. */
		assert_int_not_equal(result.report.layers[0].recipients[0].opened,
			result.report.layers[0].recipients[1].opened);
		smime_result_done(&result);
	}
}

static void decrypts_oaep(void **state)
{
	const struct cert_made *const to[] = { &people.bob };
	const struct smime_key keys[] = { { people.carol.cert, people.carol.key, NULL },
		{ people.bob.cert, people.bob.key, NULL } };
	CLEANUP(buf_done) struct buf m = {};
	struct smime_request q;
	struct smime_result result;

	(void)state;
	buf_add_string(&m, FROM_ALICE);
	fixture_encrypt(HELLO, EVP_aes_256_cbc(), to, 1, FIXTURE_OAEP, &m);
	q = request_of(&m);
	q.keys = keys;
	q.n_keys = 2;
	assert_int_equal(smime_read(&q, &result), 0);
	assert_true(span_equal(smime_payload(&result), HELLO));
	assert_string_equal(result.report.layers[0].recipients[0].method, "RSA-OAEP");
	smime_result_done(&result);
}

static void signed_inside_encrypted(void **state)
{
	const struct cert_made *const to[] = { &people.bob };
	const struct smime_key key = { people.bob.cert, people.bob.key, NULL };
	CLEANUP(buf_done) struct buf inner = {};
	CLEANUP(buf_done) struct buf packed = {};
	CLEANUP(buf_done) struct buf m = {};
	struct smime_request q;
	struct smime_result result;

	(void)state;
	fixture_sign(HELLO, &people.alice, FIXTURE_DETACHED, &inner);
	fixture_compress(buf_span(&inner), &packed);
	buf_add_string(&m, FROM_ALICE);
	fixture_encrypt(buf_span(&packed), EVP_aes_256_cbc(), to, 1, 0, &m);
	q = request_of(&m);
	q.keys = &key;
	q.n_keys = 1;
	assert_int_equal(smime_read(&q, &result), 0);
	assert_int_equal(result.report.status, SMIME_STATUS_SIGNED_ENCRYPTED);
	assert_int_equal(result.report.n_envelope, 3);
	assert_true(result.report.is_authenticated); /* by the signature inside */
	assert_true(span_equal(smime_payload(&result), HELLO));
	smime_result_done(&result);
}

/* Headers. */

static void check_field(const struct smime_report *r, const char *name, const char *value,
	enum smime_field_protection protection)
{
	const struct smime_field *f = smime_report_field(r, name);

	assert_non_null(f);
	assert_string_equal(f->value, value);
	assert_int_equal(f->protection, protection);
}

#define HP_CIPHER                                                                                  \
	"From: alice@example.org\r\nSubject: The secret\r\nDate: now\r\n"                          \
	"HP-Outer: Subject: [...]\r\nHP-Outer: Date: now\r\nHP-Outer: From: alice@example.org\r\n" \
	"Content-Type: text/plain; hp=\"cipher\"\r\n\r\nText\r\n"

static void protected_header(void **state)
{
	const struct cert_made *const to[] = { &people.bob };
	const struct smime_key key = { people.bob.cert, people.bob.key, NULL };
	CLEANUP(buf_done) struct buf inner = {};
	CLEANUP(buf_done) struct buf m = {};
	struct smime_request q;
	struct smime_result result;

	(void)state;
	fixture_sign(SPAN(HP_CIPHER), &people.alice, 0, &inner);
	buf_add_string(&m, "From: alice@example.org\r\nSubject: [...]\r\nDate: now\r\n"
			   "Reply-To: mallory@example.net\r\n");
	fixture_encrypt(buf_span(&inner), EVP_aes_256_gcm(), to, 1, 0, &m);
	q = request_of(&m);
	q.keys = &key;
	q.n_keys = 1;
	assert_int_equal(smime_read(&q, &result), 0);
	assert_int_equal(result.report.status, SMIME_STATUS_SIGNED_ENCRYPTED);
	assert_int_equal(result.report.header, SMIME_HEADER_HP);
	check_field(&result.report, "Subject", "The secret", SMIME_FIELD_SIGNED_ENCRYPTED);
	check_field(&result.report, "Date", "now", SMIME_FIELD_SIGNED);
	check_field(&result.report, "From", "alice@example.org", SMIME_FIELD_SIGNED);
	assert_true(smime_report_field(&result.report, "Subject")->differs);
	assert_null(smime_report_field(&result.report, "Reply-To"));
	smime_result_done(&result);
}

/* What servers found out on the way is not for the author to say; nor does a value have lines. */
static void trace_inside_is_not_reported(void **state)
{
	const struct cert_made *const to[] = { &people.bob };
	const struct smime_key key = { people.bob.cert, people.bob.key, NULL };
	CLEANUP(buf_done) struct buf m = {};
	struct smime_request q;
	struct smime_result result;

	(void)state;
	buf_add_string(&m, "Authentication-Results: mx; spf=fail\r\nFrom: mallory@example.net\r\n"
			   "Subject: [...]\r\n");
	fixture_encrypt(
		SPAN("Authentication-Results: mx; spf=pass\r\nReturn-Path: <ceo@example.org>\r\n"
		     "From: mallory@example.net\r\nSubject: a\rReceived: b\r\n"
		     "Content-Type: text/plain; hp=\"cipher\"\r\n\r\nText\r\n"),
		EVP_aes_256_gcm(), to, 1, 0, &m);
	q = request_of(&m);
	q.keys = &key;
	q.n_keys = 1;
	assert_int_equal(smime_read(&q, &result), 0);
	assert_null(smime_report_field(&result.report, "Authentication-Results"));
	assert_null(smime_report_field(&result.report, "Return-Path"));
	for (size_t i = 0; i < result.report.n_fields; i++)
		assert_null(strpbrk(result.report.fields[i].value, "\r\n"));
	smime_result_done(&result);
}

static void wrapped_message(void **state)
{
	CLEANUP(buf_done) struct buf m = {};
	struct smime_request q;
	struct smime_result result;

	(void)state;
	buf_add_string(&m, "From: alice@example.org\r\nSubject: outside\r\n");
	fixture_sign(SPAN("Content-Type: message/rfc822; forwarded=no\r\n\r\n"
			  "From: alice@example.org\r\nSubject: inside\r\n\r\nText\r\n"),
		&people.alice, 0, &m);
	q = request_of(&m);
	assert_int_equal(smime_read(&q, &result), 0);
	assert_int_equal(result.report.header, SMIME_HEADER_WRAPPED);
	check_field(&result.report, "Subject", "inside", SMIME_FIELD_SIGNED);
	assert_true(span_starts(smime_payload(&result), SPAN("From: alice")));
	smime_result_done(&result);
}

/* RFC 9788 section 4.4: an author inside that no signature vouches for is not shown as one. */
static void from_inside_without_signature(void **state)
{
	const struct cert_made *const to[] = { &people.bob };
	const struct smime_key key = { people.bob.cert, people.bob.key, NULL };
	CLEANUP(buf_done) struct buf m = {};
	struct smime_request q;
	struct smime_result result;

	(void)state;
	buf_add_string(&m, "From: mallory@example.net\r\nSubject: [...]\r\n");
	fixture_encrypt(SPAN(HP_CIPHER), EVP_aes_256_gcm(), to, 1, 0, &m);
	q = request_of(&m);
	q.keys = &key;
	q.n_keys = 1;
	assert_int_equal(smime_read(&q, &result), 0);
	assert_true(result.report.from_mismatch);
	check_field(&result.report, "From", "mallory@example.net", SMIME_FIELD_UNPROTECTED);
	check_field(&result.report, "Subject", "The secret", SMIME_FIELD_ENCRYPTED);
	smime_result_done(&result);
}

/* The cache makes no difference but in time, and another generation forgets. */
static void cache_follows_trust(void **state)
{
	CLEANUP(cert_cache_freep) struct cert_cache *cache = cert_cache_new(2);
	CLEANUP(trust_unrefp) struct trust *nobody = trust_new(TRUST_DOMAIN, NULL);
	CLEANUP(buf_done) struct buf m = {};
	struct smime_request q;

	(void)state;
	sign_message(FROM_ALICE, &people.alice, 0, &m);
	q = request_of(&m);
	q.cache = cache;
	q.generation = 1;
	for (int i = 0; i < 3; i++)
		assert_int_equal(verdict_of(&q), SMIME_SIGNER_OK);
	q.trust = nobody;
	assert_int_equal(verdict_of(&q), SMIME_SIGNER_OK); /* the caller's word */
	q.generation = 2;
	assert_int_equal(verdict_of(&q), SMIME_SIGNER_CHAIN_INCOMPLETE);
	q.trust = people.trust;
	assert_int_equal(verdict_of(&q), SMIME_SIGNER_OK);
	q.time_us += 10000 * day_us;
	assert_int_equal(verdict_of(&q), SMIME_SIGNER_OK); /* expired since */
}

static void plain_message(void **state)
{
	CLEANUP(buf_done) struct buf m = {};
	struct smime_request q;
	struct smime_result result;

	(void)state;
	buf_add_string(&m, FROM_ALICE "\r\nHello\r\n");
	q = request_of(&m);
	assert_int_equal(smime_read(&q, &result), 0);
	assert_int_equal(result.report.status, SMIME_STATUS_NONE);
	assert_int_equal(result.report.n_layers, 0);
	assert_null(smime_payload(&result).p);
	check_field(&result.report, "Subject", "Hello", SMIME_FIELD_UNPROTECTED);
	smime_result_done(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signatures_hold),
		cmocka_unit_test(rsa_and_pss_hold),
		cmocka_unit_test(line_ends_are_made_canonical),
		cmocka_unit_test(altered_content),
		cmocka_unit_test(wrong_signature),
		cmocka_unit_test(missing_certificate),
		cmocka_unit_test(incomplete_chain),
		cmocka_unit_test(certificates_that_do_not_count),
		cmocka_unit_test(weak_digest),
		cmocka_unit_test(revoked),
		cmocka_unit_test(revoked_and_expired_since),
		cmocka_unit_test(expired_since),
		cmocka_unit_test(unknown_algorithm),
		cmocka_unit_test(sender_alone_is_not_enough),
		cmocka_unit_test(nobody_is_trusted_without_trust),
		cmocka_unit_test(decrypts),
		cmocka_unit_test(decrypts_oaep),
		cmocka_unit_test(signed_inside_encrypted),
		cmocka_unit_test(protected_header),
		cmocka_unit_test(trace_inside_is_not_reported),
		cmocka_unit_test(wrapped_message),
		cmocka_unit_test(from_inside_without_signature),
		cmocka_unit_test(cache_follows_trust),
		cmocka_unit_test(plain_message),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
