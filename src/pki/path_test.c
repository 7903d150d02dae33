/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Paths over certificates made here: an authority, an intermediate, leaves. The suites of vectors
 * are in test/vectors. */

#include "pki/path.h"

#include "base/test.h"
#include "pki/key.h"
#include "pki/selfsign.h"

#include <openssl/err.h>

static const int64_t now_us = 1700000000LL * 1000000; /* 2023-11-14T22:13:20Z */
static const int64_t day_us = 86400LL * 1000000;

static EVP_PKEY *key;
static struct cert *server; /* self-signed, for mail.example.org */

static int setup(void **state)
{
	static const struct span names[] = { SPAN("mail.example.org"), SPAN("*.example.net") };
	CLEANUP(buf_done) struct buf spki = {};
	struct selfsign s = { .subject = { .common_name = names[0], .names = names, .n_names = 2 },
		.now_us = now_us,
		.days = 10 };

	(void)state;
	if (key_generate(&key, KEY_EC_P256) || key_to_spki(key, &spki))
		return -1;
	s.signer = key;
	s.spki = buf_span(&spki);
	return selfsign_make(&server, &s, NULL);
}

static int teardown(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	cert_unref(server);
	return 0;
}

/* A trusted leaf ends its own path, and is held to all that is said of a leaf. */
static void test_trusted_leaf(void **state)
{
	static const struct {
		unsigned trusted, purposes;
		int days;
		struct path_name name;
		const char *rule; /* of the first error; NULL: valid */
	} rows[] = {
		{ TRUST_ALL_PURPOSES, TRUST_SERVER, 0, { PATH_DNS, SPAN("mail.example.org") },
			NULL },
		{ TRUST_SERVER, TRUST_SERVER, 0, { PATH_DNS, SPAN("MAIL.example.org.") }, NULL },
		{ TRUST_SERVER, TRUST_SERVER, 0, { PATH_DNS, SPAN("a.example.net") }, NULL },
		{ TRUST_SERVER, 0, 0, { PATH_DNS, SPAN("mail.example.org") }, NULL },
		{ TRUST_ALL_PURPOSES, TRUST_SERVER, 0, { PATH_DNS, SPAN("example.org") }, "name" },
		{ TRUST_ALL_PURPOSES, TRUST_SERVER, 0, { PATH_DNS, SPAN("a.b.example.net") },
			"name" },
		{ TRUST_ALL_PURPOSES, TRUST_SERVER, 0, { PATH_IP, SPAN("192.0.2.1") }, "name" },
		{ TRUST_ALL_PURPOSES, TRUST_SERVER, 0, { PATH_EMAIL, SPAN("a@mail.example.org") },
			"name" },
		{ TRUST_ALL_PURPOSES, TRUST_SERVER, 11, { PATH_DNS, SPAN("mail.example.org") },
			"expired" },
		{ TRUST_ALL_PURPOSES, TRUST_SERVER, -2, { PATH_DNS, SPAN("mail.example.org") },
			"not-yet-valid" },
		{ TRUST_ALL_PURPOSES, TRUST_CLIENT, 0, { PATH_DNS, SPAN("mail.example.org") },
			"extended-key-usage" },
		{ TRUST_MAIL, TRUST_SERVER, 0, { PATH_DNS, SPAN("mail.example.org") },
			"untrusted" },
		{ 0, TRUST_SERVER, 0, { PATH_DNS, SPAN("mail.example.org") }, "untrusted" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(trust_unrefp) struct trust *trust = trust_new(TRUST_DOMAIN, NULL);
		CLEANUP(verdict_done) struct verdict v = {};
		const struct path_request q = {
			.leaf = server,
			.trust = trust,
			.time_us = now_us + rows[i].days * day_us,
			.purposes = rows[i].purposes,
			.names = &rows[i].name,
			.n_names = 1,
		};

		if (rows[i].trusted)
			trust_add(trust, server, rows[i].trusted);
		assert_int_equal(path_validate(&q, &v), 0);
		assert_int_equal(v.valid, rows[i].rule == NULL);
		if (rows[i].rule)
			assert_string_equal(verdict_error(&v)->rule, rows[i].rule);
		assert_int_equal(v.path.n, 1);
		assert_int_equal(ERR_peek_error(), 0);
	}
}

static void test_denied(void **state)
{
	CLEANUP(trust_unrefp) struct trust *below = trust_new(TRUST_BUILT_IN, NULL);
	CLEANUP(trust_unrefp) struct trust *trust = trust_new(TRUST_DOMAIN, below);
	CLEANUP(verdict_done) struct verdict v = {};
	const struct path_request q = { .leaf = server, .trust = trust, .time_us = now_us };

	(void)state;
	trust_add(below, server, TRUST_ALL_PURPOSES);
	trust_deny(trust, server);
	assert_int_equal(path_validate(&q, &v), 0);
	assert_false(v.valid);
	assert_string_equal(verdict_error(&v)->rule, "denied");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trusted_leaf),
		cmocka_unit_test(test_denied),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("path", tests, setup, teardown);
}
