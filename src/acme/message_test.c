/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "acme/message.h"

#include "base/alloc.h"
#include "base/test.h"

#include <stdlib.h>

#define TOKEN "DGyRejmCefe7v4NfDGDKfA"

static void test_directory(void **state)
{
	static const char *const refused[] = {
		"", "null", "[]", "\"https://ca.example/\"", "{", "{}",
		"{\"newNonce\":\"https://a/n\",\"newAccount\":\"https://a/a\"}",
		"{\"newNonce\":\"http://a/n\",\"newAccount\":\"https://a/a\",\"newOrder\":\"https://a/o\"}",
		"{\"newNonce\":7,\"newAccount\":\"https://a/a\",\"newOrder\":\"https://a/o\"}",
		"{\"newNonce\":\"https:///n\",\"newAccount\":\"https://a/a\",\"newOrder\":\"https://a/o\"}",
		"{\"newNonce\":\"https://a/ n\",\"newAccount\":\"https://a/a\",\"newOrder\":\"https://a/o\"}",
		"{\"newNonce\":\"https://a/\\u0000n\",\"newAccount\":\"https://a/a\","
			"\"newOrder\":\"https://a/o\"}",
		"{\"newNonce\":\"file:///etc/passwd\",\"newAccount\":\"https://a/a\","
			"\"newOrder\":\"https://a/o\"}",
		/* Whom to believe, if a name is there twice? */
		"{\"newNonce\":\"https://a/n\",\"newAccount\":\"https://a/a\",\"newOrder\":\"https://a/o\","
			"\"newOrder\":\"https://b/o\"}",
	};
	CLEANUP(arena_done) struct arena arena = {};
	struct acme_directory d;

	(void)state;
	assert_int_equal(acme_directory_read(&arena,
				 SPAN("{\"newNonce\":\"https://a/n\",\"newAccount\":\"https://a/a\","
				      "\"newOrder\":\"https://a/o\",\"keyChange\":17}"),
				 &d, NULL),
		0);
	assert_string_equal(d.new_order, "https://a/o");
	assert_null(d.renewal_info);
	assert_null(d.terms);
	assert_false(d.binding_required);
	assert_int_equal(acme_directory_read(&arena,
				 SPAN("{\"newNonce\":\"https://a/n\",\"newAccount\":\"https://a/a\","
				      "\"newOrder\":\"https://a/o\",\"renewalInfo\":\"https://a/r\","
				      "\"meta\":{\"termsOfService\":\"https://a/t\","
				      "\"externalAccountRequired\":true}}"),
				 &d, NULL),
		0);
	assert_string_equal(d.renewal_info, "https://a/r");
	assert_string_equal(d.terms, "https://a/t");
	assert_true(d.binding_required);
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		struct why why = {};

		if (acme_directory_read(&arena, span_str(refused[i]), &d, &why) != ACME_E_MALFORMED)
			fail_msg("%s", refused[i]);
		assert_true(why.text[0]);
	}
}

#define ORDER(status, more)                                                                        \
	"{\"status\":" status ",\"finalize\":\"https://a/f\",\"authorizations\":[\"https://a/z\"]" more "}"

static void test_order(void **state)
{
	static const char *const refused[] = {
		"{}", ORDER("\"done\"", ""), ORDER("1", ""), ORDER("\"pending\\u0000\"", ""),
		"{\"status\":\"ready\",\"authorizations\":[\"https://a/z\"]}",
		"{\"status\":\"ready\",\"finalize\":\"https://a/f\"}",
		"{\"status\":\"ready\",\"finalize\":\"https://a/f\",\"authorizations\":[]}",
		"{\"status\":\"ready\",\"finalize\":\"https://a/f\",\"authorizations\":{\"0\":\"https://a/z\"}}",
		"{\"status\":\"ready\",\"finalize\":\"https://a/f\",\"authorizations\":[\"http://a/z\"]}",
		"{\"status\":\"ready\",\"finalize\":\"https://a/f\",\"authorizations\":[null]}",
		"{\"status\":\"ready\",\"finalize\":\"https://a/f\",\"authorizations\":"
			"[\"https://a/z\\u0000x\"]}",
		"{\"status\":\"ready\",\"finalize\":\"https://a/f\",\"authorizations\":[\"https://a/z\",7]}",
	};
	CLEANUP(arena_done) struct arena arena = {};
	CLEANUP(buf_done) struct buf many = {};
	struct acme_order o;

	(void)state;
	assert_int_equal(acme_order_read(&arena, span_str(ORDER("\"valid\"",
				 ",\"certificate\":\"https://a/c\"")), &o, NULL), 0);
	assert_int_equal(o.status, ACME_VALID);
	assert_string_equal(o.certificate, "https://a/c");
	assert_int_equal(o.n_authorizations, 1);
	assert_string_equal(o.authorizations[0], "https://a/z");
	assert_false(o.has_problem);
	assert_int_equal(acme_order_read(&arena, span_str(ORDER("\"invalid\"",
				 ",\"certificate\":\"ftp://a/c\",\"error\":{\"type\":\"x:y\","
				 "\"detail\":\"no\\nway\"}")), &o, NULL), 0);
	assert_int_equal(o.status, ACME_INVALID);
	assert_null(o.certificate);
	assert_true(o.has_problem);
	assert_string_equal(o.problem.text, "x:y: no?way");
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		if (acme_order_read(&arena, span_str(refused[i]), &o, NULL) != ACME_E_MALFORMED)
			fail_msg("%s", refused[i]);
	}
	buf_add_string(&many, "{\"status\":\"ready\",\"finalize\":\"https://a/f\",\"authorizations\":[");
	for (int i = 0; i <= ACME_NAMES_MAX; i++)
		buf_add_format(&many, "%s\"https://a/%d\"", i ? "," : "", i);
	buf_add_string(&many, "]}");
	assert_int_equal(acme_order_read(&arena, buf_span(&many), &o, NULL), ACME_E_MALFORMED);
}

#define AUTHORIZATION(name, challenges)                                                            \
	"{\"status\":\"pending\",\"identifier\":{\"type\":\"dns\",\"value\":" name "},"            \
	"\"challenges\":[" challenges "]}"
#define CHALLENGE(type, token, url)                                                                \
	"{\"type\":" type ",\"status\":\"pending\",\"token\":" token ",\"url\":" url "}"
#define GOOD CHALLENGE("\"http-01\"", "\"" TOKEN "\"", "\"https://a/c\"")

static void test_authorization(void **state)
{
	static const char *const refused[] = {
		"{}", AUTHORIZATION("\"\"", GOOD), AUTHORIZATION("\"*.example.org\"", GOOD),
		AUTHORIZATION("\"192.0.2.1\"", GOOD), AUTHORIZATION("\"a b.example\"", GOOD),
		AUTHORIZATION("\"example.org\\u0000.net\"", GOOD), AUTHORIZATION("7", GOOD),
		AUTHORIZATION("\"example.org\"", "7"), AUTHORIZATION("\"example.org\"", "{}"),
		AUTHORIZATION("\"example.org\"", GOOD "," GOOD),
		AUTHORIZATION("\"example.org\"",
			CHALLENGE("\"http-01\"", "\"short\"", "\"https://a/c\"")),
		AUTHORIZATION("\"example.org\"",
			CHALLENGE("\"http-01\"", "\"../../../../etc/passwd/\"", "\"https://a/c\"")),
		AUTHORIZATION("\"example.org\"",
			CHALLENGE("\"http-01\"", "\"" TOKEN "\\n\"", "\"https://a/c\"")),
		AUTHORIZATION("\"example.org\"",
			CHALLENGE("\"http-01\"", "\"" TOKEN "\"", "\"http://a/c\"")),
		AUTHORIZATION("\"example.org\"", "{\"type\":\"dns-01\",\"url\":\"https://a/c\","
			"\"status\":\"pending\"}"),
		AUTHORIZATION("\"example.org\"", "{\"type\":\"dns-01\",\"url\":\"https://a/c\","
			"\"token\":\"" TOKEN "\"}"),
		"{\"status\":\"pending\",\"identifier\":{\"type\":\"ip\",\"value\":\"192.0.2.1\"},"
			"\"challenges\":[" GOOD "]}",
		"{\"status\":\"pending\",\"identifier\":{\"type\":\"dns\",\"value\":\"example.org\"}}",
	};
	CLEANUP(arena_done) struct arena arena = {};
	CLEANUP(alloc_freep) char *large = alloc_zero(4096);
	struct acme_authorization z;

	(void)state;
	assert_int_equal(acme_authorization_read(&arena, span_str(AUTHORIZATION("\"example.org\"",
				 GOOD ",{\"type\":\"device-attest-01\",\"token\":7}")), &z, NULL), 0);
	assert_string_equal(z.name, "example.org");
	assert_false(z.wildcard);
	assert_string_equal(z.challenges[ACME_HTTP_01].url, "https://a/c");
	assert_string_equal(z.challenges[ACME_HTTP_01].token, TOKEN);
	assert_null(z.challenges[ACME_DNS_01].url);
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		if (acme_authorization_read(&arena, span_str(refused[i]), &z, NULL) !=
			ACME_E_MALFORMED)
			fail_msg("%s", refused[i]);
	}
	/* A token of any size would become a row and a path. */
	(void)strcpy(large, "{\"status\":\"pending\",\"identifier\":{\"type\":\"dns\","
		"\"value\":\"example.org\"},\"challenges\":[{\"type\":\"http-01\","
		"\"status\":\"pending\",\"url\":\"https://a/c\",\"token\":\"");
	memset(large + strlen(large), 'a', ACME_TOKEN_MAX + 1);
	(void)strcat(large, "\"}]}");
	assert_int_equal(acme_authorization_read(&arena, span_str(large), &z, NULL),
		ACME_E_MALFORMED);
}

static void test_problem(void **state)
{
	static const struct {
		const char *json, *text;
		enum acme_problem_kind kind;
	} rows[] = {
		{ "{\"type\":\"urn:ietf:params:acme:error:badNonce\",\"detail\":\"again\"}",
			"badNonce: again", ACME_PROBLEM_NONCE },
		{ "{\"type\":\"urn:ietf:params:acme:error:rateLimited\",\"detail\":\"later\"}",
			"rateLimited: later", ACME_PROBLEM_RATE },
		{ "{\"type\":\"urn:ietf:params:acme:error:alreadyReplaced\"}",
			"alreadyReplaced: without a reason", ACME_PROBLEM_REPLACED },
		{ "{\"type\":\"badNonceX\",\"detail\":\"a\\u001b[31mb\\u00e9\"}",
			"badNonceX: a?[31mb??", ACME_PROBLEM_OTHER },
		{ "{\"type\":7,\"detail\":[]}", "error: without a reason", ACME_PROBLEM_OTHER },
		{ "<html>", "error: without a reason", ACME_PROBLEM_OTHER },
		{ "", "error: without a reason", ACME_PROBLEM_OTHER },
	};
	CLEANUP(buf_done) struct buf large = {};
	struct acme_problem p;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		acme_problem_read(span_str(rows[i].json), &p);
		assert_string_equal(p.text, rows[i].text);
		assert_int_equal(p.kind, rows[i].kind);
	}
	buf_add_string(&large, "{\"type\":\"x\",\"detail\":\"");
	memset(buf_room(&large, 10000), 'd', 10000);
	buf_added(&large, 10000);
	buf_add_string(&large, "\"}");
	acme_problem_read(buf_span(&large), &p);
	assert_in_range(strlen(p.text), ACME_DETAIL_MAX - 10, ACME_DETAIL_MAX + 10);
}

#define WINDOW(start, end) "{\"suggestedWindow\":{\"start\":" start ",\"end\":" end "}}"

static void test_renewal_info(void **state)
{
	static const char *const refused[] = {
		"{}", "{\"suggestedWindow\":null}", "{\"suggestedWindow\":[1,2]}",
		WINDOW("\"2026-01-01T00:00:00Z\"", "1"), WINDOW("\"now\"", "\"2026-01-01T00:00:00Z\""),
		WINDOW("\"2026-01-01T00:00:00Z\"", "\"2026-01-01T00:00:00Z\""),
		WINDOW("\"2026-01-02T00:00:00Z\"", "\"2026-01-01T00:00:00Z\""),
		WINDOW("\"2026-01-01T00:00:00Z\"", "\"99999-01-01T00:00:00Z\""),
	};
	CLEANUP(arena_done) struct arena arena = {};
	struct acme_renewal_info i;

	(void)state;
	assert_int_equal(acme_renewal_info_read(&arena,
				 span_str(WINDOW("\"2026-01-01T00:00:00Z\"",
					 "\"2026-01-03T01:00:00+01:00\"")), &i, NULL), 0);
	assert_int_equal(i.end_us - i.start_us, 2 * (int64_t)86400 * 1000000);
	assert_null(i.explanation);
	for (size_t k = 0; k < sizeof refused / sizeof refused[0]; k++) {
		if (acme_renewal_info_read(&arena, span_str(refused[k]), &i, NULL) !=
			ACME_E_MALFORMED)
			fail_msg("%s", refused[k]);
	}
}

/* Depth and size are bounded before anything is built from them. */
static void test_bounds(void **state)
{
	CLEANUP(arena_done) struct arena arena = {};
	CLEANUP(buf_done) struct buf deep = {}, large = {};
	struct acme_directory d;

	(void)state;
	buf_add_string(&deep, "{\"a\":");
	for (int i = 0; i < 100000; i++)
		buf_add_octet(&deep, '[');
	assert_int_equal(acme_directory_read(&arena, buf_span(&deep), &d, NULL), ACME_E_MALFORMED);
	buf_add_string(&large, "{\"newNonce\":\"https://a/n\",\"newAccount\":\"https://a/a\","
			       "\"newOrder\":\"https://a/o\"");
	memset(buf_room(&large, ACME_JSON_MAX), ' ', ACME_JSON_MAX);
	buf_added(&large, ACME_JSON_MAX);
	buf_add_octet(&large, '}');
	assert_int_equal(acme_directory_read(&arena, buf_span(&large), &d, NULL), ACME_E_MALFORMED);
}

static void test_nonce(void **state)
{
	CLEANUP(alloc_freep) char *large = alloc_zero(2000);

	(void)state;
	assert_true(acme_nonce_fits("abc-_09"));
	assert_false(acme_nonce_fits(""));
	assert_false(acme_nonce_fits("a b"));
	assert_false(acme_nonce_fits("a\"b"));
	assert_false(acme_nonce_fits("a=="));
	memset(large, 'a', 1999);
	assert_false(acme_nonce_fits(large));
}

static void test_print(void **state)
{
	const struct span names[] = { SPAN("example.org"), SPAN("*.example.org") };
	CLEANUP(buf_done) struct buf out = {};

	(void)state;
	acme_order_print(names, 2, SPAN(""), &out);
	assert_true(span_is(buf_span(&out),
		"{\"identifiers\":[{\"type\":\"dns\",\"value\":\"example.org\"},"
		"{\"type\":\"dns\",\"value\":\"*.example.org\"}]}"));
	buf_clear(&out);
	acme_order_print(names, 1, SPAN("aki.serial"), &out);
	assert_true(span_is(buf_span(&out),
		"{\"identifiers\":[{\"type\":\"dns\",\"value\":\"example.org\"}],"
		"\"replaces\":\"aki.serial\"}"));
	buf_clear(&out);
	acme_account_print(SPAN("a@example.org,b@example.org"), true, SPAN("{\"x\":1}"), &out);
	assert_true(span_is(buf_span(&out),
		"{\"termsOfServiceAgreed\":true,\"contact\":[\"mailto:a@example.org\","
		"\"mailto:b@example.org\"],\"externalAccountBinding\":{\"x\":1}}"));
	buf_clear(&out);
	acme_account_print(SPAN("a+b?cc=c%@example.org"), false, SPAN(""), &out);
	assert_true(span_is(buf_span(&out),
		"{\"contact\":[\"mailto:a+b%3Fcc%3Dc%25@example.org\"]}"));
	buf_clear(&out);
	acme_account_print(SPAN(""), false, SPAN(""), &out);
	assert_true(span_is(buf_span(&out), "{\"contact\":[]}"));
	buf_clear(&out);
	acme_finalize_print(SPAN("\xff\xfe"), &out);
	assert_true(span_is(buf_span(&out), "{\"csr\":\"__4\"}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_authorization),
		cmocka_unit_test(test_problem),
		cmocka_unit_test(test_renewal_info),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_nonce),
		cmocka_unit_test(test_print),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
