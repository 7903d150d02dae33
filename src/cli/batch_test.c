/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Lines of "verify --batch": what is answered to those that are no request. The suites in
 * test/vectors send good ones. */

#include "cli/batch.h"

#include "base/alloc.h"
#include "base/test.h"
#include "pki/cert.h"
#include "pki/key.h"
#include "pki/selfsign.h"

#include <jansson.h>
#include <openssl/err.h>
#include <stdlib.h>

static const int64_t now_us = 1700000000LL * 1000000; /* 2023-11-14T22:13:20Z */

static char
	*pem; /* a self-signed certificate for mail.example.org, as the inside of a JSON string */

static int setup(void **state)
{
	static const struct span names[] = { SPAN("mail.example.org") };
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	CLEANUP(buf_done) struct buf spki = {};
	CLEANUP(buf_done) struct buf text = {};
	struct buf escaped = {};
	struct selfsign s = { .subject = { .common_name = names[0], .names = names, .n_names = 1 },
		.now_us = now_us,
		.days = 10 };

	(void)state;
	if (key_generate(&key, KEY_EC_P256) || key_to_spki(key, &spki))
		return -1;
	s.signer = key;
	s.spki = buf_span(&spki);
	if (selfsign_make(&cert, &s, NULL))
		return -1;
	cert_add_pem(cert, &text);
	for (size_t i = 0; i < buf_size(&text); i++) {
		if (buf_span(&text).p[i] == '\n')
			buf_add_string(&escaped, "\\n");
		else
			buf_add_octet(&escaped, buf_span(&text).p[i]);
	}
	pem = buf_steal_string(&escaped);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(pem);
	return 0;
}

/* The answer to a line, which must be one JSON object and its end of line. */
static json_t *answer(struct span line)
{
	CLEANUP(buf_done) struct buf out = {};
	json_t *object;

	assert_int_equal(batch_answer(line, now_us, &out), 0);
	assert_int_equal(span_find(buf_span(&out), '\n'), buf_size(&out) - 1);
	object = json_loadb((const char *)buf_span(&out).p, buf_size(&out), 0, NULL);
	assert_true(json_is_object(object));
	assert_true(json_is_boolean(json_object_get(object, "valid")));
	assert_true(json_is_array(json_object_get(object, "findings")));
	assert_int_equal(ERR_peek_error(), 0);
	return object;
}

static const char *first_rule(const json_t *object)
{
	return json_string_value(
		json_object_get(json_array_get(json_object_get(object, "findings"), 0), "rule"));
}

static void test_malformed(void **state)
{
	static const struct span lines[] = {
		SPAN(""),
		SPAN(" "),
		SPAN("x"),
		SPAN("null"),
		SPAN("[]"),
		SPAN("\"text\""),
		SPAN("{"),
		SPAN("{}{}"),
		SPAN("{}"),
		SPAN("{\"id\":1}"),
		SPAN("{\"id\":\"a\",\"id\":\"b\"}"),
		SPAN("{\"peer_certificate\":\"\",\"trusted_certs\":[]}"),
		SPAN("{\"peer_certificate\":1,\"trusted_certs\":[]}"),
		SPAN("{\"id\":\"\xff\"}"),
		SPAN("{\0}"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		json_t *object = answer(lines[i]);

		assert_true(json_is_false(json_object_get(object, "valid")));
		assert_string_equal(first_rule(object), "input");
		json_decref(object);
	}
}

/* A request that holds, with one member more or another. */
static void test_members(void **state)
{
	static const struct {
		const char *members;
		const char *rule; /* of the first finding; NULL: valid without any */
	} rows[] = {
		{ "", NULL },
		{ ",\"expected_peer_name\":null,\"validation_time\":null,\"max_chain_depth\":null",
			NULL },
		{ ",\"expected_peer_name\":{\"kind\":\"DNS\",\"value\":\"mail.example.org\"}",
			NULL },
		{ ",\"validation_kind\":\"CLIENT\"", NULL },
		{ ",\"key_usage\":[\"digitalSignature\"],\"unknown\":{\"a\":[1]}", NULL },
		{ ",\"max_chain_depth\":0", NULL },
		{ ",\"initial_policies\":[\"2.5.29.32.0\"]", NULL },
		{ ",\"expected_peer_names\":[{\"kind\":\"DNS\",\"value\":\"mail.example.org\"},"
		  "{\"kind\":\"DNS\",\"value\":\"example.org\"}]",
			"name" },
		{ ",\"expected_peer_name\":{\"kind\":\"DNS\",\"value\":\"other.example\"}",
			"name" },
		{ ",\"expected_peer_name\":{\"kind\":\"IP\",\"value\":\"mail.example.org\"}",
			"name" },
		{ ",\"validation_time\":\"2024-01-01T00:00:00Z\"", "expired" },
		{ ",\"extended_key_usage\":[\"clientAuth\"]", "extended-key-usage" },
		{ ",\"key_usage\":[\"keyCertSign\"]", "key-usage" },
		{ ",\"validation_time\":\"yesterday\"", "input" },
		{ ",\"validation_time\":17", "input" },
		{ ",\"validation_kind\":\"server\"", "input" },
		{ ",\"expected_peer_name\":\"mail.example.org\"", "input" },
		{ ",\"expected_peer_name\":{\"kind\":\"URI\",\"value\":\"a\"}", "input" },
		{ ",\"expected_peer_name\":{\"kind\":\"DNS\"}", "input" },
		{ ",\"expected_peer_names\":{}", "input" },
		{ ",\"extended_key_usage\":[\"serverauth\"]", "input" },
		{ ",\"extended_key_usage\":\"serverAuth\"", "input" },
		{ ",\"key_usage\":[\"\"]", "input" },
		{ ",\"max_chain_depth\":-1", "input" },
		{ ",\"max_chain_depth\":4294967296", NULL },
		{ ",\"max_chain_depth\":\"1\"", "input" },
		{ ",\"crls\":[\"\"]", "input" },
		{ ",\"crls\":[\"-----BEGIN X509 CRL-----\\nMAA=\\n-----END X509 CRL-----\"]",
			"input" },
		{ ",\"initial_policies\":[\"a policy\"]", "input" },
		{ ",\"initial_policies\":[\"1.2\\u0000.3\"]", "input" },
		{ ",\"signature_algorithms\":[\"ED25519\"]", "input" },
		{ ",\"require_explicit_policy\":\"yes\"", "input" },
		{ ",\"untrusted_intermediates\":[1]", "input" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(alloc_freep)
		char *line = alloc_format(
			"{\"id\":\"x\",\"peer_certificate\":\"%s\",\"trusted_certs\":[\"%s\"]%s}",
			pem, pem, rows[i].members);
		json_t *object = answer(span_str(line));

		assert_string_equal(json_string_value(json_object_get(object, "id")), "x");
		if (json_is_true(json_object_get(object, "valid")) != (rows[i].rule == NULL) ||
			(rows[i].rule && strcmp(first_rule(object), rows[i].rule) != 0))
			fail_msg("%s: %s", rows[i].members, json_dumps(object, 0));
		json_decref(object);
	}
}

/* Certificates that cannot be read are left out, and said. */
static void test_unreadable(void **state)
{
	CLEANUP(alloc_freep)
	char *line = alloc_format(
		"{\"id\":\"x\",\"peer_certificate\":\"%s\","
		"\"trusted_certs\":[\"nothing\",\"%s\"],\"untrusted_intermediates\":[\"nothing\"]}",
		pem, pem);
	json_t *object = answer(span_str(line));

	(void)state;
	assert_true(json_is_true(json_object_get(object, "valid")));
	assert_int_equal(json_array_size(json_object_get(object, "findings")), 2);
	assert_string_equal(first_rule(object), "encoding");
	json_decref(object);
}

static void test_too_long(void **state)
{
	char *line = alloc_zero(BATCH_LINE_MAX + 1);
	json_t *object = answer(span_of(line, BATCH_LINE_MAX + 1));

	(void)state;
	assert_string_equal(first_rule(object), "input");
	json_decref(object);
	free(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_too_long),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("batch", tests, setup, teardown);
}
