/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "pki/ocsp.h"

#include "base/clock.h"
#include "base/enc.h"
#include "pki/revocation_fixture.h"

#include <openssl/ocsp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const int64_t hour_us = 3600LL * 1000000;
static int64_t now_us;
static struct cert_made issuer, stranger, user, other, delegate, expired, plain, foreign;

static struct cert_made certify(const char *subject, const char *usage, int64_t till_us,
	const struct cert_made *by)
{
	return cert_make(&(struct cert_order){
		.subject = subject, .usage = usage, .issuer = by, .till_us = till_us });
}

static int set_up(void **state)
{
	struct cert_order o = { .subject = "CN=Test CA", .is_authority = true };

	(void)state;
	now_us = clock_now_us() / 1000000 * 1000000;
	issuer = cert_make(&o);
	stranger = cert_make(&o); /* of the same name */
	user = certify("CN=mail.example.org", "serverAuth", 0, &issuer);
	other = certify("CN=other", "serverAuth", 0, &issuer);
	delegate = certify("CN=Responder", "OCSPSigning", now_us + 2 * hour_us, &issuer);
	expired = certify("CN=Old responder", "OCSPSigning", now_us - 60 * 1000000LL, &issuer);
	plain = certify("CN=Not a responder", "serverAuth", 0, &issuer);
	foreign = certify("CN=Foreign responder", "OCSPSigning", 0, &stranger);
	return 0;
}

static int tear_down(void **state)
{
	struct cert_made *all[] = { &issuer, &stranger, &user, &other, &delegate, &expired, &plain,
		&foreign };

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		cert_made_done(all[i]);
	return 0;
}

static struct ocsp_order good(void)
{
	return (struct ocsp_order){ .subject = user.cert, .issuer = issuer.cert, .signer = &issuer,
		.status = V_OCSP_CERTSTATUS_GOOD, .this_us = now_us - hour_us,
		.next_us = now_us + hour_us };
}

static void expect(struct ocsp_order o, int expected, const char *reason)
{
	CLEANUP(buf_done) struct buf der = {};
	struct ocsp_answer answer = {};
	struct why why = {};
	int r;

	ocsp_make(&o, &der);
	r = ocsp_check(buf_span(&der), user.cert, issuer.cert, now_us, &answer, &why);
	if (r != expected || (reason && !strstr(why.text, reason)))
		fail_msg("%d \"%s\" instead of %d \"%s\"", r, why.text, expected,
			reason ? reason : "");
	if (r == 0 || r == OCSP_E_REVOKED) {
		assert_int_equal(answer.this_update_us, o.this_us);
		assert_int_equal(answer.until_us, o.next_us);
	} else {
		assert_int_equal(answer.until_us, 0);
	}
}

static void test_content(void **state)
{
	struct ocsp_order o = good();

	(void)state;
	expect(o, 0, NULL);
	o.by_key = true;
	expect(o, 0, NULL);
	o.id_digest = EVP_sha256();
	expect(o, 0, NULL);
	o.id_digest = EVP_md5();
	expect(o, OCSP_E_REFUSED, "another certificate");
	o = good();
	o.status = V_OCSP_CERTSTATUS_REVOKED;
	expect(o, OCSP_E_REVOKED, "was revoked (keyCompromise)");
	o = good();
	o.status = V_OCSP_CERTSTATUS_UNKNOWN;
	expect(o, OCSP_E_UNKNOWN, "does not know");
	o = good();
	o.subject = other.cert;
	expect(o, OCSP_E_REFUSED, "another certificate");
	o = good();
	o.issuer = stranger.cert; /* the same name, another key */
	expect(o, OCSP_E_REFUSED, "another certificate");
	o = good();
	o.twice = true;
	expect(o, OCSP_E_REFUSED, "twice");
	o = good();
	o.critical = true;
	expect(o, OCSP_E_REFUSED, "critical extension");
	o = good();
	o.single_critical = true;
	expect(o, OCSP_E_REFUSED, "critical extension");
}

static void test_times(void **state)
{
	struct ocsp_order o = good();

	(void)state;
	o.next_us = 0;
	expect(o, OCSP_E_REFUSED, "until when");
	o.next_us = now_us;
	expect(o, OCSP_E_UNKNOWN, "no longer");
	o.next_us = o.this_us;
	expect(o, OCSP_E_REFUSED, "times");
	o = good();
	o.this_us = now_us + 10 * 60 * 1000000LL;
	expect(o, OCSP_E_UNKNOWN, "of the future");
	o.this_us = now_us + 4 * 60 * 1000000LL;
	expect(o, 0, NULL);
	/* What is over says nothing about revocation either. */
	o = good();
	o.status = V_OCSP_CERTSTATUS_REVOKED;
	o.next_us = now_us - 1000000;
	expect(o, OCSP_E_UNKNOWN, "no longer");
}

static void test_failures(void **state)
{
	static const struct {
		int status;
		const char *text;
	} rows[] = { { 1, "malformedrequest" }, { 2, "internalerror" }, { 3, "trylater" },
		{ 5, "sigrequired" }, { 6, "unauthorized" } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct ocsp_order o = good();

		o.response_status = rows[i].status;
		expect(o, OCSP_E_UNKNOWN, rows[i].text);
	}
}

/* RFC 6960 section 4.2.2.2. */
static void test_signers(void **state)
{
	const struct {
		const struct cert_made *signer;
		bool with_cert;
		int r;
		const char *reason;
	} rows[] = {
		{ &issuer, true, 0, NULL },
		{ &delegate, true, 0, NULL },
		{ &delegate, false, OCSP_E_REFUSED, "not the issuer's" },
		{ &stranger, false, OCSP_E_REFUSED, "not the issuer's" },
		{ &stranger, true, OCSP_E_REFUSED, "did not certify" },
		{ &foreign, true, OCSP_E_REFUSED, "did not certify" },
		{ &plain, true, OCSP_E_REFUSED, "not for OCSP" },
		{ &user, true, OCSP_E_REFUSED, "not for OCSP" },
		{ &expired, true, OCSP_E_REFUSED, "not valid now" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (int by_key = 0; by_key < 2; by_key++) {
			struct ocsp_order o = good();

			o.signer = rows[i].signer;
			o.with_cert = rows[i].with_cert;
			o.by_key = by_key;
			expect(o, rows[i].r, rows[i].reason);
		}
	}
}

static void test_weak_signature(void **state)
{
	struct ocsp_order o = good();

	(void)state;
	o.digest = EVP_sha1();
	expect(o, OCSP_E_REFUSED, "not believed");
	o.digest = EVP_sha384();
	expect(o, 0, NULL);
}

/* The end of the certificate, or of the responder's, ends the answer. */
static void test_until(void **state)
{
	CLEANUP(buf_done) struct buf der = {};
	struct ocsp_order o = good();
	struct ocsp_answer answer = {};

	(void)state;
	o.signer = &delegate;
	o.with_cert = true;
	o.next_us = now_us + 100 * hour_us;
	ocsp_make(&o, &der);
	assert_int_equal(ocsp_check(buf_span(&der), user.cert, issuer.cert, now_us, &answer, NULL), 0);
	assert_int_equal(answer.until_us, now_us + 2 * hour_us);
}

static void test_changed(void **state)
{
	CLEANUP(buf_done) struct buf der = {}, longer = {};
	struct ocsp_order o = good();
	struct ocsp_answer answer;

	(void)state;
	ocsp_make(&o, &der);
	for (size_t i = 0; i < buf_size(&der); i++) {
		CLEANUP(buf_done) struct buf changed = {};

		buf_add(&changed, buf_span(&der));
		changed.p[changed.start + i] ^= 0x01;
		assert_int_not_equal(ocsp_check(buf_span(&changed), user.cert, issuer.cert, now_us,
					     &answer, NULL), 0);
		assert_int_not_equal(ocsp_check(span_head(buf_span(&der), i), user.cert,
					     issuer.cert, now_us, &answer, NULL), 0);
	}
	buf_add(&longer, buf_span(&der));
	buf_add_octet(&longer, 0);
	assert_int_equal(ocsp_check(buf_span(&longer), user.cert, issuer.cert, now_us, &answer, NULL),
		OCSP_E_REFUSED);
	while (buf_size(&longer) <= OCSP_RESPONSE_MAX)
		buf_add_octet(&longer, 0);
	assert_int_equal(ocsp_check(buf_span(&longer), user.cert, issuer.cert, now_us, &answer, NULL),
		OCSP_E_REFUSED);
}

static void test_request(void **state)
{
	CLEANUP(buf_done) struct buf der = {}, url = {}, none = {};
	const uint8_t *p;
	OCSP_REQUEST *request;

	(void)state;
	assert_int_equal(ocsp_request(user.cert, issuer.cert, &der), 0);
	p = buf_span(&der).p;
	request = d2i_OCSP_REQUEST(NULL, &p, (long)buf_size(&der));
	assert_non_null(request);
	assert_int_equal(OCSP_request_onereq_count(request), 1);
	OCSP_REQUEST_free(request);
	assert_true(ocsp_get_url(SPAN("http://r.example/x/"), buf_span(&der), &url));
	assert_true(span_starts(buf_span(&url), SPAN("http://r.example/x/M")));
	assert_int_equal(span_find(span_skip(buf_span(&url), 19), 0x2F), buf_size(&url) - 19);
	assert_false(ocsp_get_url(SPAN("http://r.example/"), SPAN(
		"0123456789012345678901234567890123456789012345678901234567890123456789012345678901"
		"0123456789012345678901234567890123456789012345678901234567890123456789012345678901"
		"0123456789012345678901234567890123456789"), &none));
	assert_int_equal(buf_size(&none), 0);
	assert_true(ocsp_get_url(SPAN("http://r.example"), SPAN("\xfb\xff\xfe""a"), &none));
	assert_true(span_is(buf_span(&none), "http://r.example/%2B%2F%2F%2BYQ%3D%3D"));
}

static void expect_responder(const char *access, const char *url)
{
	CLEANUP(buf_done) struct buf out = {};
	struct cert_made m = cert_make(&(struct cert_order){ .subject = "CN=x", .access = access });

	assert_int_equal(ocsp_responder(m.cert, &out), url != NULL);
	assert_true(span_is(buf_span(&out), url ? url : ""));
	cert_made_done(&m);
}

static void test_extensions(void **state)
{
	struct cert_made m = cert_make(&(struct cert_order){ .subject = "CN=x", .must_staple = true });

	(void)state;
	assert_true(ocsp_must_staple(m.cert));
	assert_false(ocsp_must_staple(user.cert));
	cert_made_done(&m);
	expect_responder(NULL, NULL);
	expect_responder("OCSP;URI:http://r.example/", "http://r.example/");
	expect_responder("caIssuers;URI:http://r.example/", NULL);
	expect_responder("OCSP;URI:https://r.example/", NULL);
	expect_responder("OCSP;URI:ldap://x/,OCSP;URI:HTTP://r.example", "HTTP://r.example");
	expect_responder("OCSP;URI:http://r.example/a b", NULL);
	expect_responder("OCSP;email:a@b", NULL);
	assert_true(ocsp_is_issuer(issuer.cert, user.cert));
	assert_false(ocsp_is_issuer(stranger.cert, user.cert));
	assert_false(ocsp_is_issuer(user.cert, issuer.cert));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_content),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_signers),
		cmocka_unit_test(test_weak_signature),
		cmocka_unit_test(test_until),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_extensions),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
