/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "pki/pkcs7.h"

#include "base/alloc.h"
#include "pki/cert_fixture.h"
#include "pki/pem.h"

#include <openssl/pkcs7.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct cert_made root, leaf;

static int make_certs(void **state)
{
	(void)state;
	root = cert_make(&(struct cert_order){ .subject = "CN=Root", .is_authority = true });
	leaf = cert_make(&(struct cert_order){ .subject = "CN=Leaf",
		.names = "DNS:a.example",
		.issuer = &root });
	return 0;
}

static int drop_certs(void **state)
{
	(void)state;
	cert_made_done(&root);
	cert_made_done(&leaf);
	return 0;
}

static void add_der(PKCS7 *p7, struct buf *out)
{
	int n = i2d_PKCS7(p7, NULL);
	uint8_t *p = buf_room(out, (size_t)n);

	buf_added(out, (size_t)i2d_PKCS7(p7, &p));
	PKCS7_free(p7);
}

/* As authorities and "openssl crl2pkcs7" write it. */
static void make_bundle(struct buf *out, size_t n_leaves, bool with_root)
{
	PKCS7 *p7 = PKCS7_new();

	assert_int_equal(PKCS7_set_type(p7, NID_pkcs7_signed), 1);
	p7->d.sign->contents->type = OBJ_nid2obj(NID_pkcs7_data);
	for (size_t i = 0; i < n_leaves; i++)
		assert_int_equal(PKCS7_add_certificate(p7, cert_x509(leaf.cert)), 1);
	if (with_root)
		assert_int_equal(PKCS7_add_certificate(p7, cert_x509(root.cert)), 1);
	add_der(p7, out);
}

static void expect_both(const struct cert_list *list)
{
	bool first_is_leaf = span_equal(cert_der(list->certs[0]), cert_der(leaf.cert));

	assert_int_equal(list->n, 2);
	assert_true(span_equal(cert_der(list->certs[first_is_leaf ? 0 : 1]), cert_der(leaf.cert)));
	assert_true(span_equal(cert_der(list->certs[first_is_leaf ? 1 : 0]), cert_der(root.cert)));
}

static void test_der(void **state)
{
	CLEANUP(cert_list_done) struct cert_list list = {};
	CLEANUP(buf_done) struct buf der = {};

	(void)state;
	make_bundle(&der, 1, true);
	assert_true(pkcs7_is(buf_span(&der)));
	assert_int_equal(cert_list_from_file(&list, buf_span(&der), NULL), 0);
	expect_both(&list);
}

static void test_pem(void **state)
{
	static const char *const labels[] = { "PKCS7", "CMS", "PKCS #7 SIGNED DATA" };

	(void)state;
	for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
		CLEANUP(cert_list_done) struct cert_list list = {};
		CLEANUP(buf_done) struct buf der = {}, pem = {};

		make_bundle(&der, 1, true);
		pem_add(&pem, labels[i], buf_span(&der));
		assert_int_equal(cert_list_from_file(&list, buf_span(&pem), NULL), 0);
		expect_both(&list);
	}
}

static void test_beside_a_certificate(void **state)
{
	CLEANUP(cert_list_done) struct cert_list list = {};
	CLEANUP(buf_done) struct buf der = {}, pem = {};

	(void)state;
	make_bundle(&der, 0, true);
	cert_add_pem(leaf.cert, &pem);
	pem_add(&pem, "PKCS7", buf_span(&der));
	assert_int_equal(cert_list_from_pem(&list, buf_span(&pem), NULL), 0);
	expect_both(&list);
}

static void expect_refused(struct span der, const char *text)
{
	CLEANUP(cert_list_done) struct cert_list list = {};
	struct why why = {};

	assert_int_equal(pkcs7_add_certs(&list, der, &why), CERT_E_SYNTAX);
	if (!strstr(why.text, text))
		fail_msg("\"%s\" is not in \"%s\"", text, why.text);
}

static void test_what_is_no_bundle(void **state)
{
	CLEANUP(buf_done) struct buf empty = {}, message = {}, detached = {}, many = {};
	BIO *text = BIO_new_mem_buf("text", -1);

	(void)state;
	make_bundle(&empty, 0, false);
	expect_refused(buf_span(&empty), "no certificate");
	add_der(PKCS7_sign(cert_x509(leaf.cert), leaf.key, NULL, text, PKCS7_BINARY), &message);
	expect_refused(buf_span(&message), "a message");
	BIO_free(text);
	text = BIO_new_mem_buf("text", -1);
	add_der(PKCS7_sign(cert_x509(leaf.cert), leaf.key, NULL, text, PKCS7_DETACHED), &detached);
	expect_refused(buf_span(&detached), "a signed message");
	BIO_free(text);
	make_bundle(&many, CERT_LIST_MAX + 1, false);
	expect_refused(buf_span(&many), "more than 64");
	assert_false(pkcs7_is(cert_der(leaf.cert)));
	expect_refused(cert_der(leaf.cert), "damaged");
}

static void test_strict(void **state)
{
	CLEANUP(buf_done) struct buf der = {}, more = {};
	struct span whole;

	(void)state;
	make_bundle(&der, 1, true);
	whole = buf_span(&der);
	for (size_t n = 0; n < whole.n; n++)
		expect_refused(span_head(whole, n), "");
	buf_add(&more, whole);
	buf_add_octet(&more, 0);
	expect_refused(buf_span(&more), "damaged");
	/* A length that BER leaves open. */
	buf_clear(&more);
	buf_add(&more, SPAN("\x30\x80"));
	buf_add(&more, span_skip(whole, 4));
	buf_add(&more, span_of("\0\0", 2));
	expect_refused(buf_span(&more), "not in DER");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_der),
		cmocka_unit_test(test_pem),
		cmocka_unit_test(test_beside_a_certificate),
		cmocka_unit_test(test_what_is_no_bundle),
		cmocka_unit_test(test_strict),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
