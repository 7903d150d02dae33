/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Piles of sets made of self-signed certificates: what they trust, deny, find and print. */

#include "pki/trust.h"

#include "base/test.h"
#include "pki/key.h"
#include "pki/selfsign.h"

#include <openssl/err.h>

/* Two certificates of one holder, and one with the same key but another subject. */
static struct cert *first, *renewed, *neighbour, *other;

static struct cert *make(EVP_PKEY *key, const char *name, int64_t now_us)
{
	CLEANUP(buf_done) struct buf spki = {};
	const struct span names[] = { span_str(name) };
	struct selfsign s = { .signer = key,
		.subject = { .common_name = names[0], .names = names, .n_names = 1 },
		.now_us = now_us, .days = 10 };
	struct cert *cert = NULL;
	struct why why = {};

	if (key_to_spki(key, &spki))
		return NULL;
	s.spki = buf_span(&spki);
	return selfsign_make(&cert, &s, &why) ? NULL : cert;
}

static int setup(void **state)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *one = NULL;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *two = NULL;

	(void)state;
	if (key_generate(&one, KEY_EC_P256) || key_generate(&two, KEY_EC_P256))
		return -1;
	first = make(one, "a.example", 1700000000000000);
	renewed = make(one, "a.example", 1710000000000000);
	neighbour = make(one, "b.example", 1700000000000000);
	other = make(two, "a.example", 1700000000000000);
	return first && renewed && neighbour && other ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	cert_unref(first);
	cert_unref(renewed);
	cert_unref(neighbour);
	cert_unref(other);
	return 0;
}

static void test_purposes_text(void **state)
{
	static const struct {
		const char *text;
		unsigned purposes; /* 0: refused */
		const char *printed;
	} rows[] = {
		{ "server", TRUST_SERVER, "server" },
		{ "mail,server", TRUST_SERVER | TRUST_MAIL, "server,mail" },
		{ "client, mail", TRUST_CLIENT | TRUST_MAIL, "client,mail" },
		{ "all", TRUST_ALL_PURPOSES, "server,client,mail" },
		{ "mail,all", TRUST_ALL_PURPOSES, "server,client,mail" },
		{ "server,server", TRUST_SERVER, "server" },
		{ "", 0, NULL },
		{ ",", 0, NULL },
		{ "server,", 0, NULL },
		{ ",server", 0, NULL },
		{ "Server", 0, NULL },
		{ "servers", 0, NULL },
		{ "server mail", 0, NULL },
		{ "none", 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(buf_done) struct buf text = {};
		unsigned purposes = 99;

		assert_int_equal(trust_purposes_parse(span_str(rows[i].text), &purposes),
			rows[i].purposes != 0);
		assert_int_equal(purposes, rows[i].purposes ? rows[i].purposes : 99);
		if (!rows[i].purposes)
			continue;
		trust_purposes_print(purposes, &text);
		assert_true(span_is(buf_span(&text), rows[i].printed));
	}
}

static void test_pile(void **state)
{
	CLEANUP(trust_unrefp) struct trust *built_in = trust_new(TRUST_BUILT_IN, NULL);
	CLEANUP(trust_unrefp) struct trust *server = trust_new(TRUST_SERVER_WIDE, built_in);
	CLEANUP(trust_unrefp) struct trust *domain = trust_new(TRUST_DOMAIN, server);
	enum trust_scope scope = TRUST_SCOPES;

	(void)state;
	trust_add(built_in, first, TRUST_SERVER);
	trust_add(server, first, TRUST_MAIL);
	trust_add(domain, other, TRUST_CLIENT);
	assert_int_equal(trust_purposes(domain, first, &scope), TRUST_SERVER | TRUST_MAIL);
	assert_int_equal(scope, TRUST_SERVER_WIDE);
	assert_int_equal(trust_purposes(domain, other, &scope), TRUST_CLIENT);
	assert_int_equal(scope, TRUST_DOMAIN);
	assert_int_equal(trust_purposes(server, other, &scope), 0);
	assert_int_equal(scope, TRUST_DOMAIN); /* not written */
	assert_int_equal(trust_purposes(domain, renewed, NULL), 0);
	assert_int_equal(trust_purposes(NULL, first, NULL), 0);
	assert_false(trust_is_denied(domain, first));
}

static void test_denied(void **state)
{
	CLEANUP(trust_unrefp) struct trust *built_in = trust_new(TRUST_BUILT_IN, NULL);
	CLEANUP(trust_unrefp) struct trust *domain = trust_new(TRUST_DOMAIN, built_in);

	(void)state;
	trust_deny(built_in, first);
	trust_deny(built_in, first);
	trust_add(built_in, first, TRUST_SERVER);
	trust_add(domain, first, TRUST_ALL_PURPOSES);
	trust_add(domain, renewed, TRUST_ALL_PURPOSES);
	trust_add(domain, neighbour, TRUST_SERVER);
	trust_add(domain, other, TRUST_SERVER);
	assert_int_equal(trust_purposes(domain, first, NULL), 0);
	assert_true(trust_is_denied(domain, first));
	/* Another certificate of the same holder. */
	assert_int_equal(trust_purposes(domain, renewed, NULL), 0);
	/* The same key or the same subject alone is somebody else. */
	assert_int_equal(trust_purposes(domain, neighbour, NULL), TRUST_SERVER);
	assert_int_equal(trust_purposes(domain, other, NULL), TRUST_SERVER);
	trust_deny(domain, neighbour);
	assert_int_equal(trust_purposes(domain, neighbour, NULL), 0);
	assert_true(trust_is_denied(domain, first));
	assert_false(trust_is_denied(built_in, neighbour));
}

static void test_by_subject(void **state)
{
	CLEANUP(trust_unrefp) struct trust *built_in = trust_new(TRUST_BUILT_IN, NULL);
	CLEANUP(trust_unrefp) struct trust *domain = trust_new(TRUST_DOMAIN, built_in);
	const X509_NAME *subject = X509_get_subject_name(cert_x509(first));
	struct cert *found = NULL;

	(void)state;
	assert_false(trust_by_subject(domain, subject, 0, &found));
	trust_add(built_in, neighbour, TRUST_SERVER);
	trust_add(built_in, first, TRUST_SERVER);
	trust_add(built_in, renewed, TRUST_SERVER);
	trust_add(domain, other, TRUST_SERVER);
	trust_add(domain, first, TRUST_MAIL);
	assert_true(trust_by_subject(domain, subject, 0, &found));
	assert_ptr_equal(found, other);
	assert_true(trust_by_subject(domain, subject, 1, &found));
	assert_ptr_equal(found, first);
	assert_true(trust_by_subject(domain, subject, 2, &found));
	assert_ptr_equal(found, renewed);
	assert_false(trust_by_subject(domain, subject, 3, &found));
	trust_deny(domain, renewed);
	assert_true(trust_by_subject(domain, subject, 0, &found));
	assert_ptr_equal(found, other);
	assert_false(trust_by_subject(domain, subject, 1, &found));
}

/* Names that differ in case and spaces are one name (RFC 5280 section 7.1). */
static void test_by_subject_case(void **state)
{
	CLEANUP(trust_unrefp) struct trust *t = trust_new(TRUST_DOMAIN, NULL);
	X509_NAME *name = X509_NAME_new();
	struct cert *found = NULL;

	(void)state;
	trust_add(t, first, TRUST_SERVER);
	assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
				 (const uint8_t *)" A.Example ", -1, -1, 0), 1);
	assert_true(trust_by_subject(t, name, 0, &found));
	X509_NAME_free(name);
}

struct seen {
	size_t n;
	struct trust_entry entries[8];
	int stop_with;
};

static int see(const struct trust_entry *entry, void *context)
{
	struct seen *seen = context;

	seen->entries[seen->n++] = *entry;
	return seen->stop_with;
}

static void test_each(void **state)
{
	CLEANUP(trust_unrefp) struct trust *built_in = trust_new(TRUST_BUILT_IN, NULL);
	CLEANUP(trust_unrefp) struct trust *cluster = trust_new(TRUST_CLUSTER, built_in);
	struct seen seen = {};

	(void)state;
	trust_add(built_in, first, TRUST_SERVER);
	trust_add(cluster, other, TRUST_MAIL);
	trust_deny(cluster, first);
	assert_int_equal(trust_each(cluster, see, &seen), 0);
	assert_int_equal(seen.n, 3);
	assert_ptr_equal(seen.entries[0].cert, other);
	assert_int_equal(seen.entries[0].purposes, TRUST_MAIL);
	assert_int_equal(seen.entries[0].scope, TRUST_CLUSTER);
	assert_ptr_equal(seen.entries[1].cert, first);
	assert_int_equal(seen.entries[1].purposes, 0);
	assert_int_equal(seen.entries[2].purposes, TRUST_SERVER);
	assert_int_equal(seen.entries[2].scope, TRUST_BUILT_IN);
	seen = (struct seen){ .stop_with = -7 };
	assert_int_equal(trust_each(cluster, see, &seen), -7);
	assert_int_equal(seen.n, 1);
}

static void test_bundle(void **state)
{
	CLEANUP(trust_unrefp) struct trust *t = trust_new(TRUST_BUILT_IN, NULL);
	CLEANUP(trust_unrefp) struct trust *above = trust_new(TRUST_DOMAIN, t);
	CLEANUP(trust_unrefp) struct trust *again = trust_new(TRUST_BUILT_IN, NULL);
	CLEANUP(buf_done) struct buf pem = {};
	CLEANUP(buf_done) struct buf out = {};
	size_t n_unreadable = 99;

	(void)state;
	buf_add_string(&pem, "# a comment\n");
	cert_add_pem(first, &pem);
	buf_add_string(&pem, "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n");
	cert_add_pem(other, &pem);
	cert_add_pem(neighbour, &pem);
	trust_add_bundle(t, buf_span(&pem), TRUST_SERVER, &n_unreadable);
	assert_int_equal(n_unreadable, 1);
	assert_int_equal(trust_purposes(t, other, NULL), TRUST_SERVER);

	trust_add(above, first, TRUST_SERVER);
	trust_deny(above, neighbour);
	trust_print_pem(above, TRUST_SERVER, &out);
	trust_add_bundle(again, buf_span(&out), TRUST_MAIL, &n_unreadable);
	assert_int_equal(n_unreadable, 0);
	assert_int_equal(trust_purposes(again, first, NULL), TRUST_MAIL);
	assert_int_equal(trust_purposes(again, other, NULL), TRUST_MAIL);
	assert_int_equal(trust_purposes(again, neighbour, NULL), 0);
	buf_clear(&out);
	trust_print_pem(above, TRUST_MAIL, &out);
	assert_int_equal(buf_size(&out), 0);

	trust_add_bundle(again, SPAN(""), TRUST_MAIL, &n_unreadable);
	assert_int_equal(n_unreadable, 0);
	trust_add_bundle(again, SPAN("-----BEGIN CERTIFICATE-----\nMAA"), TRUST_MAIL, &n_unreadable);
	assert_int_equal(n_unreadable, 1);
	assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_purposes_text),
		cmocka_unit_test(test_pile),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_by_subject),
		cmocka_unit_test(test_by_subject_case),
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_bundle),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("trust", tests, setup, teardown);
}
