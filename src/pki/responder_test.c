/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "pki/responder.h"

#include "base/clock.h"
#include "base/test.h"
#include "pki/cert_fixture.h"
#include "pki/ocsp.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>

CLEANUP_POINTER(OCSP_BASICRESP, OCSP_BASICRESP_free)
CLEANUP_POINTER(OCSP_RESPONSE, OCSP_RESPONSE_free)

static const int64_t hour_us = 3600LL * 1000000;
static struct cert_made ca, other, alice, bob;

static int setup(void **state)
{
	(void)state;
	ca = cert_make(&(struct cert_order){ .subject = "CN=CA", .is_authority = true });
	other = cert_make(&(struct cert_order){ .subject = "CN=Other", .is_authority = true });
	alice = cert_make(&(struct cert_order){ .subject = "CN=Alice", .issuer = &ca, .serial = 255 });
	bob = cert_make(&(struct cert_order){ .subject = "CN=Bob", .issuer = &ca, .serial = 4711 });
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	cert_made_done(&ca);
	cert_made_done(&other);
	cert_made_done(&alice);
	cert_made_done(&bob);
	return 0;
}

static OCSP_REQUEST *request_of(const EVP_MD *md, size_t n)
{
	OCSP_REQUEST *request = OCSP_REQUEST_new();

	for (size_t i = 0; i < n; i++)
		assert_non_null(OCSP_request_add0_id(request,
			OCSP_cert_to_id(md, cert_x509(i % 2 ? bob.cert : alice.cert),
				cert_x509(ca.cert))));
	return request;
}

static void der_of(OCSP_REQUEST *request, struct buf *out)
{
	uint8_t *p = buf_room(out, 8192);

	buf_added(out, (size_t)i2d_OCSP_REQUEST(request, &p));
	OCSP_REQUEST_free(request);
}

static void test_read(void **state)
{
	const EVP_MD *const digests[] = { EVP_sha1(), EVP_sha256(), EVP_sha384(), EVP_sha512() };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		CLEANUP(buf_done) struct buf der = {};
		struct responder_request r;

		der_of(request_of(digests[i], 2), &der);
		assert_int_equal(responder_read(buf_span(&der), &r), 0);
		assert_int_equal(r.n, 2);
		assert_true(span_equal(r.questions[0].serial, SPAN("\xff")));
		assert_true(span_equal(r.questions[1].serial, SPAN("\x12\x67")));
		assert_true(responder_is_about(&r.questions[0], ca.cert));
		assert_false(responder_is_about(&r.questions[0], other.cert));
		assert_int_equal(r.nonce.n, 0);
	}
}

/* What the other half of this project asks. */
static void test_own_client(void **state)
{
	CLEANUP(buf_done) struct buf der = {}, answer = {};
	struct responder_request r;
	struct responder_answer a = { .status = RESPONDER_GOOD };
	int64_t now_us = clock_now_us();
	struct responder_reply reply = { .issuer = ca.cert, .signer = ca.key, .answers = &a, .n = 1,
		.this_us = now_us, .next_us = now_us + hour_us };
	struct ocsp_answer said;
	struct why why = {};

	(void)state;
	assert_int_equal(ocsp_request(alice.cert, ca.cert, &der), 0);
	assert_int_equal(responder_read(buf_span(&der), &r), 0);
	a.id = r.questions[0].id;
	assert_int_equal(responder_write(&reply, &answer), 0);
	assert_int_equal(ocsp_check(buf_span(&answer), alice.cert, ca.cert, now_us, &said, &why), 0);
	buf_clear(&answer);
	a.status = RESPONDER_REVOKED;
	a.revoked_us = now_us - hour_us;
	assert_int_equal(responder_write(&reply, &answer), 0);
	assert_int_equal(ocsp_check(buf_span(&answer), alice.cert, ca.cert, now_us, &said, &why),
		OCSP_E_REVOKED);
	assert_int_equal(said.revoked_us / 1000000, (now_us - hour_us) / 1000000);
	buf_clear(&answer);
	a.status = RESPONDER_UNKNOWN;
	assert_int_equal(responder_write(&reply, &answer), 0);
	assert_int_equal(ocsp_check(buf_span(&answer), alice.cert, ca.cert, now_us, &said, &why),
		OCSP_E_UNKNOWN);
}

/* RFC 9654 section 2.1. */
static void test_nonce(void **state)
{
	static const struct {
		int n;
		int result;
	} cases[] = { { 1, 0 }, { 16, 0 }, { 32, 0 }, { 128, 0 }, { 129, RESPONDER_E_MALFORMED } };
	uint8_t nonce[129] = { 7 };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		OCSP_REQUEST *request = request_of(EVP_sha1(), 1);
		CLEANUP(buf_done) struct buf der = {};
		struct responder_request r;

		assert_int_equal(OCSP_request_add1_nonce(request, nonce, cases[i].n), 1);
		der_of(request, &der);
		assert_int_equal(responder_read(buf_span(&der), &r), cases[i].result);
		if (cases[i].result == 0)
			assert_int_equal(r.nonce.n, cases[i].n);
	}
}

static void test_nonce_echo(void **state)
{
	OCSP_REQUEST *request = request_of(EVP_sha1(), 1);
	CLEANUP(OCSP_RESPONSE_freep) OCSP_RESPONSE *response = NULL;
	CLEANUP(OCSP_BASICRESP_freep) OCSP_BASICRESP *basic = NULL;
	CLEANUP(buf_done) struct buf der = {}, out = {};
	struct responder_request r;
	struct responder_answer a = { .status = RESPONDER_GOOD };
	int64_t now_us = clock_now_us();
	struct responder_reply reply = { .issuer = ca.cert, .signer = ca.key, .answers = &a, .n = 1,
		.this_us = now_us, .next_us = now_us + hour_us };
	const uint8_t *p;

	(void)state;
	assert_int_equal(OCSP_request_add1_nonce(request, NULL, 32), 1);
	der_of(request, &der);
	assert_int_equal(responder_read(buf_span(&der), &r), 0);
	a.id = r.questions[0].id;
	reply.nonce = r.nonce;
	assert_int_equal(responder_write(&reply, &out), 0);
	p = buf_span(&out).p;
	response = d2i_OCSP_RESPONSE(NULL, &p, (long)buf_size(&out));
	basic = OCSP_response_get1_basic(response);
	p = buf_span(&der).p;
	request = d2i_OCSP_REQUEST(NULL, &p, (long)buf_size(&der));
	assert_int_equal(OCSP_check_nonce(request, basic), 1);
	assert_true(sk_X509_num(OCSP_resp_get0_certs(basic)) <= 0);
	OCSP_REQUEST_free(request);
}

static void expect_malformed(struct span der)
{
	struct responder_request r;

	assert_int_equal(responder_read(der, &r), RESPONDER_E_MALFORMED);
}

static void test_malformed(void **state)
{
	CLEANUP(buf_done) struct buf der = {}, many = {}, extension = {}, md5 = {};
	OCSP_REQUEST *request = request_of(EVP_sha1(), 1);
	struct responder_request r;
	X509_EXTENSION *critical;
	uint8_t copy[512];
	size_t n;

	(void)state;
	der_of(request_of(EVP_sha1(), 1), &der);
	n = buf_size(&der);
	assert_true(n < sizeof copy);
	for (size_t i = 0; i < n; i++)
		expect_malformed(span_head(buf_span(&der), i));
	memcpy(copy, buf_span(&der).p, n);
	copy[n] = 0;
	expect_malformed(span_of(copy, n + 1));
	/* The outermost length in more octets than it needs. */
	memmove(copy + 3, copy + 2, n - 2);
	copy[2] = copy[1];
	copy[1] = 0x81;
	expect_malformed(span_of(copy, n + 1));
	der_of(request_of(EVP_sha1(), RESPONDER_CERTS_MAX), &many);
	assert_int_equal(responder_read(buf_span(&many), &r), 0);
	buf_clear(&many);
	der_of(request_of(EVP_sha1(), RESPONDER_CERTS_MAX + 1), &many);
	expect_malformed(buf_span(&many));
	buf_clear(&many);
	der_of(request_of(EVP_sha1(), 0), &many);
	expect_malformed(buf_span(&many));
	der_of(request_of(EVP_md5(), 1), &md5);
	expect_malformed(buf_span(&md5));
	critical = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_key_identifier, "critical,00");
	assert_non_null(critical);
	assert_int_equal(OCSP_REQUEST_add_ext(request, critical, -1), 1);
	X509_EXTENSION_free(critical);
	der_of(request, &extension);
	expect_malformed(buf_span(&extension));
	expect_malformed(SPAN(""));
}

static void test_errors(void **state)
{
	CLEANUP(buf_done) struct buf out = {};
	CLEANUP(OCSP_RESPONSE_freep) OCSP_RESPONSE *response = NULL;
	const uint8_t *p;

	(void)state;
	responder_write_error(RESPONDER_UNAUTHORIZED, &out);
	p = buf_span(&out).p;
	response = d2i_OCSP_RESPONSE(NULL, &p, (long)buf_size(&out));
	assert_non_null(response);
	assert_int_equal(OCSP_response_status(response), OCSP_RESPONSE_STATUS_UNAUTHORIZED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_own_client),
		cmocka_unit_test(test_nonce),
		cmocka_unit_test(test_nonce_echo),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_errors),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
