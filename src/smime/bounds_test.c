/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Messages that are made so that reading them takes long or much: each bound, and that what is
 * within it is read. doc/smime-security.md names them. */

#include "smime/read.h"

#include "base/alloc.h"
#include "base/limit.h"
#include "base/test.h"
#include "smime/cms.h"
#include "smime/smime_fixture.h"
#include "smime/verify.h"

#include <openssl/evp.h>
#include <stdio.h>

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
	result = people_read(&people, &m);
	assert_int_equal(result.report.status, SMIME_STATUS_UNREADABLE);
	assert_int_equal(result.report.n_layers, LIMIT_SMIME_DEPTH + 1);
	assert_true(fixture_has_note(&result.report, "limit"));
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
	result = people_read(&people, &m);
	assert_int_equal(result.report.n_layers, LIMIT_SMIME_LAYERS);
	assert_true(fixture_has_note(&result.report, "limit"));
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
	result = people_read(&people, &m);
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
	result = people_read(&people, &m);
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
	fixture_unwrap(buf_span(&entity), &der);
	assert_int_equal(cms_parse(buf_span(&der), &cms, NULL), 0);
	for (size_t i = 0; i < n_wrong; i++) {
		struct span key = cms.enveloped.recipients[i].encrypted_key;

		der.p[key.p - der.p + (ptrdiff_t)key.n - 1] ^= 1;
	}
	cms_done(&cms);
	buf_add_string(&m, FROM_ALICE);
	fixture_wrap(buf_span(&der), &m);
	result = people_read(&people, &m);
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
	result = people_read(&people, &m);
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
	leaf = cert_make(&(struct cert_order){ .subject = "CN=leaf",
		.names = "email:alice@example.org",
		.issuer = &first[0] });
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
	result = people_read(&people, &m);
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
	assert_int_equal(
		hashed_for(3, FIXTURE_NO_ATTRIBUTES, VERIFY_HASHED_MAX - 100000, SMIME_SIGNER_OK),
		100000);
	assert_int_equal(hashed_for(3, FIXTURE_NO_ATTRIBUTES, VERIFY_HASHED_MAX - 99999,
				 SMIME_SIGNER_UNSUPPORTED),
		0);
	assert_int_equal(hashed_for(3, 0, VERIFY_HASHED_MAX - 99999, SMIME_SIGNER_UNSUPPORTED), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
