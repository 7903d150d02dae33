/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Paths and the rows they lead to, decoding, and the table itself. */

#include "svc/http/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct row {
	const char *method, *path;
	int outcome;
	const char *pattern, *first, *second;
};

#define NONE ROUTE_E_NOT_FOUND

static const struct row rows[] = {
	{ "GET", "/", 0, "/", NULL, NULL },
	{ "HEAD", "/", 0, "/", NULL, NULL },
	{ "GET", "/api/v1/domains", 0, "/api/v1/domains", NULL, NULL },
	{ "GET", "/api/v1/domains/example.org", 0, "/api/v1/domains/{domain}", "example.org",
		NULL },
	{ "DELETE", "/api/v1/accounts/a%40b/mailboxes/x%2Fy", 0,
		"/api/v1/accounts/{address}/mailboxes/{mailbox}", "a@b", "x/y" },
	{ "GET", "/api/v1/accounts/%C3%A4@b", 0, "/api/v1/accounts/{address}", "\xc3\xa4@b", NULL },
	{ "DELETE", "/api/v1/status", ROUTE_E_METHOD, NULL, NULL, NULL },
	{ "FROBNICATE", "/", ROUTE_E_METHOD, NULL, NULL, NULL },
	{ "get", "/", ROUTE_E_METHOD, NULL, NULL, NULL },
	{ "HEAD", "/api/v1/domains/a/aliases/b", ROUTE_E_METHOD, NULL, NULL, NULL },
	{ "GET", "", NONE, NULL, NULL, NULL },
	{ "GET", "*", NONE, NULL, NULL, NULL },
	{ "GET", "//", NONE, NULL, NULL, NULL },
	{ "GET", "/api/v1/domains/", NONE, NULL, NULL, NULL },
	{ "GET", "/api/v1/domains//", NONE, NULL, NULL, NULL },
	{ "GET", "/api/v1/domains/a/", NONE, NULL, NULL, NULL },
	{ "GET", "/api/v1/../v1/domains", NONE, NULL, NULL, NULL },
	{ "GET", "/API/v1/domains", NONE, NULL, NULL, NULL },
	{ "GET", "/api/v1/domains/%", NONE, NULL, NULL, NULL },
	{ "GET", "/api/v1/domains/%4", NONE, NULL, NULL, NULL },
	{ "GET", "/api/v1/domains/%zz", NONE, NULL, NULL, NULL },
	{ "GET", "/api/v1/domains/a%00b", NONE, NULL, NULL, NULL },
	{ "GET", "/api/v1/domains/a%0d%0aX", NONE, NULL, NULL, NULL },
	{ "GET", "/api/v1/domains/%c3%28", NONE, NULL, NULL, NULL },
	{ "GET", "/pki/example.org/key.pem", NONE, NULL, NULL, NULL },
};

static void test_find(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(arena_done) struct arena arena = {};
		struct span params[HTTP_PARAMS_MAX] = {};
		const struct http_route *route = NULL;
		int r = route_find(&arena, span_str(rows[i].method), span_str(rows[i].path), &route,
			params);

		if (r != rows[i].outcome)
			fail_msg("%s %s: %d", rows[i].method, rows[i].path, r);
		if (r)
			continue;
		assert_string_equal(route->path, rows[i].pattern);
		assert_true(span_is(params[0], rows[i].first ? rows[i].first : ""));
		assert_true(span_is(params[1], rows[i].second ? rows[i].second : ""));
	}
}

static void test_allow(void **state)
{
	CLEANUP(buf_done) struct buf none = {}, some = {};

	(void)state;
	route_allow(SPAN("/nowhere"), &none);
	assert_int_equal(buf_size(&none), 0);
	route_allow(SPAN("/api/v1/domains/x"), &some);
	assert_true(span_is(buf_span(&some), "OPTIONS, GET, HEAD, PATCH, DELETE"));
}

/* What is open to everybody is a short list, kept by hand: a new row does not slip in. */
static void test_open(void **state)
{
	static const char *const open[] = { "/api/v1/session", "/", "/pki/{domain}/cert.pem",
		"/pki/{domain}/cert.der", "/pki/{domain}/chain.pem", "/pki/{domain}/ca.der",
		"/pki/{domain}/ca.crl", "/pki/{domain}/ocsp", "/pki/{domain}/ocsp/{request*}",
		"/pki/{domain}/{authority}/ca.der", "/pki/{domain}/{authority}/ca.crl",
		"/pki/{domain}/{authority}/ocsp", "/pki/{domain}/{authority}/ocsp/{request*}",
		"/.well-known/acme-challenge/{token}" };

	(void)state;
	for (size_t i = 0; i < n_http_routes; i++) {
		const struct http_route *route = &http_routes[i];
		bool listed = false;

		for (size_t k = 0; k < sizeof open / sizeof open[0]; k++)
			listed |= strcmp(open[k], route->path) == 0;
		if (route->right == RIGHT_ANYONE)
			assert_true(listed);
		else if (route->right == RIGHT_OWN || route->right == RIGHT_SELF ||
			route->right == RIGHT_WORD)
			assert_true(strncmp(route->path, "/api/v1/accounts/{address}", 26) == 0 ||
				    strncmp(route->path, "/api/v1/rules/{owner}", 21) == 0);
		/* What changes something is no GET, and what is no GET changes in a transaction. */
		if (strcmp(route->method, "GET") == 0)
			assert_int_not_equal(route->where, ROUTE_WRITES);
	}
}

static void test_query(void **state)
{
	struct http_request q = { .query = SPAN("a=1&b=%41%20&c&=x&a=2&n=70000") };
	uint64_t number;

	(void)state;
	assert_true(span_is(http_query(&q, "a"), "1"));
	assert_true(span_is(http_query(&q, "b"), "A "));
	assert_non_null(http_query(&q, "c").p);
	assert_int_equal(http_query(&q, "c").n, 0);
	assert_null(http_query(&q, "d").p);
	assert_int_equal(http_query_number(&q, "n", 70000, 1, &number), 0);
	assert_int_equal(number, 70000);
	assert_int_equal(http_query_number(&q, "n", 69999, 1, &number), 400);
	assert_int_equal(http_query_number(&q, "b", 69999, 1, &number), 400);
	assert_int_equal(http_query_number(&q, "x", 69999, 7, &number), 0);
	assert_int_equal(number, 7);
	arena_done(&q.arena);
}

static void test_json_text(void **state)
{
	json_t *text;

	(void)state;
	text = http_json_text(SPAN("gr\xc3\xbc\xc3\x9f"));
	assert_string_equal(json_string_value(text), "gr\xc3\xbc\xc3\x9f");
	json_decref(text);
	text = http_json_text(SPAN("a\xff\xc3z"));
	assert_string_equal(json_string_value(text), "a??z");
	json_decref(text);
	text = http_json_text((struct span){});
	assert_string_equal(json_string_value(text), "");
	json_decref(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_allow),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_json_text),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
