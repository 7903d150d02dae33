/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "pki/crl_writer.h"

#include "base/clock.h"
#include "base/test.h"
#include "pki/cert_fixture.h"
#include "pki/crl_check.h"
#include "pki/path.h"

static const int64_t hour_us = 3600LL * 1000000;

/* What is written is read by our own reader, and says so in a path. */
static void test_list(void **state)
{
	struct cert_made ca = cert_make(&(struct cert_order){ .subject = "CN=CA", .is_authority = true });
	struct cert_made alice = cert_make(&(struct cert_order){ .subject = "CN=Alice", .issuer = &ca,
		.serial = 255, .names = "email:alice@example.org" });
	struct cert_made bob = cert_make(&(struct cert_order){ .subject = "CN=Bob", .issuer = &ca,
		.serial = 4711, .names = "email:bob@example.org" });
	CLEANUP(crl_writer_freep) struct crl_writer *w = NULL;
	CLEANUP(buf_done) struct buf der = {}, number = {};
	CLEANUP(trust_unrefp) struct trust *trust = trust_new(TRUST_DOMAIN, NULL);
	CLEANUP(crl_list_done) struct crl_list lists = {};
	CLEANUP(verdict_done) struct verdict revoked = {};
	CLEANUP(verdict_done) struct verdict good = {};
	int64_t now_us = clock_now_us();
	struct path_request q = { .leaf = alice.cert, .trust = trust, .crls = &lists,
		.time_us = now_us, .purposes = TRUST_MAIL, .revocation = PATH_REVOCATION_REQUIRED };
	X509_REVOKED *entry;
	ASN1_ENUMERATED *reason;
	struct why why = {};

	(void)state;
	assert_int_equal(crl_writer_new(&w, ca.cert), 0);
	assert_int_equal(crl_writer_add(w, SPAN("\xff"), now_us - hour_us, 1), 0);
	assert_int_equal(crl_writer_add(w, SPAN("\x01\x02"), now_us - hour_us, 0), 0);
	assert_int_equal(crl_writer_finish(w, ca.key, 258, now_us - 1000000, now_us + hour_us, &der), 0);

	assert_int_equal(crl_list_add(&lists, buf_span(&der), &why), 0);
	assert_int_equal(crl_check(lists.crls[0], ca.cert, now_us, &why), 0);
	crl_add_number(lists.crls[0], &number);
	assert_true(span_equal(buf_span(&number), SPAN("\x01\x02")));
	assert_int_equal(crl_n_revoked(lists.crls[0]), 2);
	assert_int_equal(X509_CRL_get0_by_cert(crl_x509(lists.crls[0]), &entry, cert_x509(alice.cert)),
		1);
	reason = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
	assert_int_equal(ASN1_ENUMERATED_get(reason), 1);
	ASN1_ENUMERATED_free(reason);
	trust_add(trust, ca.cert, TRUST_MAIL);
	assert_int_equal(path_validate(&q, &revoked), 0);
	assert_false(revoked.valid);
	assert_string_equal(verdict_error(&revoked)->rule, "revoked");
	q.leaf = bob.cert;
	assert_int_equal(path_validate(&q, &good), 0);
	assert_true(good.valid);
	cert_made_done(&ca);
	cert_made_done(&alice);
	cert_made_done(&bob);
}

static void test_empty(void **state)
{
	struct cert_made ca = cert_make(&(struct cert_order){ .subject = "CN=CA", .is_authority = true });
	CLEANUP(crl_writer_freep) struct crl_writer *w = NULL;
	CLEANUP(crl_list_done) struct crl_list lists = {};
	CLEANUP(buf_done) struct buf der = {};
	int64_t now_us = clock_now_us();
	struct why why = {};

	(void)state;
	assert_int_equal(crl_writer_new(&w, ca.cert), 0);
	assert_int_equal(crl_writer_finish(w, ca.key, 1, now_us, now_us + hour_us, &der), 0);
	assert_int_equal(crl_list_add(&lists, buf_span(&der), &why), 0);
	/* RFC 5280 section 5.1.2.6: no list rather than an empty one. */
	assert_null(X509_CRL_get_REVOKED(crl_x509(lists.crls[0])));
	cert_made_done(&ca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_empty),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
