/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Requests that are made are read back; what is not a request, or not a subject, is refused. */

#include "pki/request.h"

#include "pki/key.h"
#include "pki/pem.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>

#include <cmocka.h>

static EVP_PKEY *key;
static struct buf spki;

static const struct span names[] = { SPAN("mail.example.org"), SPAN("*.example.org"),
	SPAN("xn--bcher-kva.example") };

static struct subject whole(void)
{
	return (struct subject){
		.common_name = SPAN("mail.example.org"),
		.organization = SPAN("Bücher & Söhne"),
		.unit = SPAN("Post"),
		.city = SPAN("Köln"),
		.state = SPAN("NRW"),
		.country = SPAN("DE"),
		.email = SPAN("postmaster@example.net"),
		.names = names,
		.n_names = 3,
	};
}

static int setup(void **state)
{
	(void)state;
	assert_int_equal(key_generate(&key, KEY_EC_P256), 0);
	assert_int_equal(key_to_spki(key, &spki), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	buf_done(&spki);
	return 0;
}

static void test_round_trip(void **state)
{
	CLEANUP(request_freep) struct request *r = NULL;
	CLEANUP(request_freep) struct request *again = NULL;
	CLEANUP(buf_done) struct buf der = {}, pem = {}, text = {};
	struct subject s = whole();
	struct span name;
	struct why why = {};

	(void)state;
	assert_int_equal(request_make(key, buf_span(&spki), &s, &der, &why), 0);
	assert_int_equal(request_read(&r, buf_span(&der), &why), 0);
	request_add_subject(r, &text);
	assert_true(span_is(buf_span(&text), "emailAddress=postmaster@example.net,"
		"CN=mail.example.org,OU=Post,O=Bücher & Söhne,L=Köln,ST=NRW,C=DE"));
	for (size_t i = 0; i < 3; i++) {
		assert_true(request_name(r, i, &name));
		assert_true(span_equal(name, names[i]));
	}
	assert_false(request_name(r, 3, &name));
	assert_true(span_equal(request_spki(r), buf_span(&spki)));
	request_add_pem(r, &pem);
	assert_int_equal(request_read(&again, buf_span(&pem), &why), 0);
}

static void test_all_kinds(void **state)
{
	static const enum key_type types[] = { KEY_RSA_2048, KEY_EC_P384, KEY_ED25519 };

	(void)state;
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		CLEANUP(EVP_PKEY_freep) EVP_PKEY *k = NULL;
		CLEANUP(request_freep) struct request *r = NULL;
		CLEANUP(buf_done) struct buf public = {}, der = {};
		struct subject s = whole();

		assert_int_equal(key_generate(&k, types[i]), 0);
		assert_int_equal(key_to_spki(k, &public), 0);
		assert_int_equal(request_make(k, buf_span(&public), &s, &der, NULL), 0);
		assert_int_equal(request_read(&r, buf_span(&der), NULL), 0);
	}
}

#define LONG "12345678901234567890123456789012345678901234567890123456789012345"

static void test_subjects_refused(void **state)
{
	static const struct span nul[] = { { (const uint8_t *)"mail\0.example.org", 17 } };
	static const struct span star[] = { SPAN("mail.*.example.org") };
	static const struct span address[] = { SPAN("192.0.2.1") };
	static const struct {
		struct subject s;
		const char *says;
	} rows[] = {
		{ { .names = names, .n_names = 0 }, "0 names" },
		{ { .names = names, .n_names = SUBJECT_NAMES_MAX + 1 }, "257 names" },
		{ { .names = nul, .n_names = 1 }, "not a DNS name" },
		{ { .names = star, .n_names = 1 }, "not a DNS name" },
		{ { .names = address, .n_names = 1 }, "not a DNS name" },
		{ { .names = names, .n_names = 1, .country = SPAN("DEU") }, "two letters" },
		{ { .names = names, .n_names = 1, .country = SPAN("D1") }, "two letters" },
		{ { .names = names, .n_names = 1, .email = SPAN("nobody") }, "e-mail address" },
		{ { .names = names, .n_names = 1, .email = SPAN("@example.org") }, "e-mail address" },
		{ { .names = names, .n_names = 1, .email = SPAN("jürgen@example.org") },
			"outside ASCII before the @" },
		{ { .names = names, .n_names = 1, .organization = SPAN(LONG) }, "more than 64" },
		{ { .names = names, .n_names = 1, .city = SPAN("a\nb") }, "control" },
		{ { .names = names, .n_names = 1, .state = SPAN("\xff") }, "control" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(buf_done) struct buf der = {};
		struct why why = {};

		assert_int_equal(request_make(key, buf_span(&spki), &rows[i].s, &der, &why),
			REQUEST_E_REFUSED);
		assert_non_null(strstr(why.text, rows[i].says));
		assert_int_equal(buf_size(&der), 0);
	}
}

static void test_files_refused(void **state)
{
	CLEANUP(buf_done) struct buf der = {}, pem = {};
	struct subject s = whole();
	struct request *r = NULL;
	struct why why = {};

	(void)state;
	assert_int_equal(request_make(key, buf_span(&spki), &s, &der, NULL), 0);
	for (size_t n = 0; n < buf_size(&der); n++)
		assert_int_equal(request_read(&r, span_head(buf_span(&der), n), &why),
			REQUEST_E_SYNTAX);
	buf_add_octet(&der, 0);
	assert_int_equal(request_read(&r, buf_span(&der), &why), REQUEST_E_SYNTAX);
	buf_cut(&der, buf_size(&der) - 1);
	/* Another name in it: the signature does not hold any more. */
	der.p[span_find_span(buf_span(&der), SPAN("mail.example.org"))] ^= 1;
	assert_int_equal(request_read(&r, buf_span(&der), &why), REQUEST_E_SIGNATURE);
	pem_add(&pem, "CERTIFICATE", buf_span(&der));
	assert_int_equal(request_read(&r, buf_span(&pem), &why), REQUEST_E_SYNTAX);
	assert_string_equal(why.text, "there is no certificate request in the file");
	(void)buf_room(&der, REQUEST_MAX);
	buf_added(&der, REQUEST_MAX);
	assert_int_equal(request_read(&r, buf_span(&der), &why), REQUEST_E_SYNTAX);
	assert_null(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_all_kinds),
		cmocka_unit_test(test_subjects_refused),
		cmocka_unit_test(test_files_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("request", tests, setup, teardown);
}
