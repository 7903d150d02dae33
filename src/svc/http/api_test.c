/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The API as its users see it: who may do what, sessions, how mistakes are told, and what is not about one
 * subject. alice is an administrator.
 */

#include "svc/http/api_fixture.h"

#include "base/alloc.h"
#include "base/enc.h"
#include "base/log.h"
#include "keyd/provider.h"
#include "svc/http/dispatch.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct env_fixture *environment;

static int set_up(void **state)
{
	static struct http_fixture f;

	http_fixture_open(&f, environment);
	env_fixture_set(environment, "cleartext_login", "loopback");
	env_fixture_account_set(environment, "alice", "role", "admin");
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	http_fixture_close(*state);
	return 0;
}

static void test_rights(void **state)
{
	struct http_fixture *f = *state;
	static const char *const for_admins[] = { "/api/v1/status", "/api/v1/log", "/api/v1/audit",
		"/api/v1/settings", "/api/v1/queue", "/api/v1/domains", "/api/v1/accounts",
		"/api/v1/aliases", "/api/v1/domains/example.org/keys",
		"/api/v1/accounts/alice@example.org",
		"/api/v1/accounts/alice@example.org/mailboxes" };

	for (size_t i = 0; i < sizeof for_admins / sizeof for_admins[0]; i++) {
		api_refused(f, "X: y\r\n", "GET", for_admins[i], NULL, 401, NULL);
		api_refused(f, BOB, "GET", for_admins[i], NULL, 403, NULL);
		assert_int_equal(api_call(f, HTTP_PLAIN, ALICE, "GET", for_admins[i], NULL, NULL), 200);
		assert_int_equal(api_local(f, "GET", for_admins[i], NULL, NULL), 200);
	}
	/* The own account, however its name is written; and no other. */
	assert_int_equal(api_call(f, HTTP_PLAIN, BOB, "GET", "/api/v1/accounts/bob", NULL, NULL), 200);
	assert_int_equal(api_call(f, HTTP_PLAIN, BOB, "GET", "/api/v1/accounts/BOB%40Example.ORG", NULL,
				 NULL), 200);
	api_refused(f, BOB, "GET", "/api/v1/accounts/nobody", NULL, 403, NULL);
	api_refused(f, BOB, "DELETE", "/api/v1/accounts/bob", NULL, 403, NULL);
	api_refused(f, BOB, "PATCH", "/api/v1/accounts/bob", "{\"role\":\"admin\"}", 403, "role");
	api_refused(f, BOB, "PATCH", "/api/v1/accounts/bob", "{\"name\":\"B\",\"quota\":0}", 403, "quota");
	assert_int_equal(api_call(f, HTTP_PLAIN, BOB, "PATCH", "/api/v1/accounts/bob",
				 "{\"name\":\"Bob B.\"}", NULL), 200);
	assert_true(api_audited(f, "bob@example.org", "account.set", "bob@example.org"));
}

static void test_wrong_logins(void **state)
{
	struct http_fixture *f = *state;
	struct http_response r;

	api_refused(f, api_basic("alice@example.org:wrong"), "GET", "/api/v1/status", NULL, 401, NULL);
	api_refused(f, api_basic("nobody@example.org:wonderland"), "GET", "/api/v1/status", NULL, 401, NULL);
	api_refused(f, "Authorization: Basic !!!\r\n", "GET", "/api/v1/status", NULL, 401, "Authorization");
	api_refused(f, api_basic("no colon"), "GET", "/api/v1/status", NULL, 401, "Authorization");
	api_refused(f, "Authorization: Bearer x\r\n", "GET", "/api/v1/status", NULL, 401, "Authorization");
	api_refused(f, "Cookie: __Host-signet=x\r\n", "GET", "/api/v1/status", NULL, 401, NULL);
	r = http_request(f, HTTP_PLAIN, "GET", "/api/v1/status", NULL, NULL);
	assert_true(span_starts(http_response_header(&r, "WWW-Authenticate"), SPAN("Basic ")));
	http_response_done(&r);
	r = http_request(f, HTTP_PLAIN, "GET", "/api/v1/status", "Sec-Fetch-Mode: cors\r\n", NULL);
	assert_true(span_starts(http_response_header(&r, "WWW-Authenticate"), SPAN("Session ")));
	http_response_done(&r);
}

static void test_cleartext(void **state)
{
	struct http_fixture *f = *state;

	env_fixture_set(environment, "cleartext_login", "never");
	api_refused(f, ALICE, "GET", "/api/v1/status", NULL, 403, NULL);
	api_refused(f, "X: y\r\n", "POST", "/api/v1/session",
		"{\"login\":\"alice\",\"password\":\"wonderland\"}", 403, NULL);
}

/* Guessing costs: after some failures even the right password is not looked at. */
static void test_rate(void **state)
{
	struct http_fixture *f = *state;
	unsigned status = 401;

	for (int i = 0; i < 30 && status == 401; i++)
		status = api_call(f, HTTP_PLAIN, api_basic("dave@example.org:guess"), "GET",
			"/api/v1/accounts/dave", NULL, NULL);
	assert_int_equal(status, 429);
	assert_int_equal(api_call(f, HTTP_PLAIN, api_basic("dave@example.org:secret"), "GET",
				 "/api/v1/accounts/dave", NULL, NULL), 429);
}

/* Failures are counted by what one peer has, which is a whole /64 of IPv6 (net_address_key). */
static unsigned guess(struct http_fixture *f, int n)
{
	CLEANUP(alloc_freep) char *address = alloc_format("2001:db8::%x", n + 1);
	CLEANUP(alloc_freep) char *login = alloc_format("nobody%d:guess", n);
	CLEANUP(buf_done) struct buf credentials = {};
	struct http_peer *peer = ALLOC(struct http_peer);
	struct http_request q = { .env = &f->env->env, .peer = peer, .method = SPAN("GET"),
		.target = SPAN("/api/v1/session") };
	unsigned status;

	peer->refs = 1;
	peer->kind = HTTP_TLS;
	assert_int_equal(net_address_parse(span_str(address), &peer->from), 0);
	(void)net_address_text(&peer->from, peer->address);
	buf_add_string(&credentials, "Basic ");
	enc_base64(&credentials, span_str(login));
	q.fields[q.n_fields++] = (struct http_pair){ SPAN("Authorization"), buf_span(&credentials) };
	http_dispatch(&q);
	status = q.status;
	http_request_done(&q);
	return status;
}

static void test_rate_of_network(void **state)
{
	struct http_fixture *f = *state;
	unsigned status = 401;

	for (int i = 0; i < 30 && status == 401; i++)
		status = guess(f, i);
	assert_int_equal(status, 429);
}

static void test_session(void **state)
{
	struct http_fixture *f = *state;
	struct http_response r = http_request(f, HTTP_PLAIN, "POST", "/api/v1/session", NULL,
		"{\"login\":\"alice\",\"password\":\"wonderland\"}");
	json_t *answer = http_response_json(&r);
	struct span set_cookie = http_response_header(&r, "Set-Cookie");
	char cookie[200], both[300], wrong[300];

	assert_int_equal(r.status, 200);
	assert_string_equal(api_text_of(answer, "address"), "alice@example.org");
	assert_string_equal(api_text_of(answer, "role"), "admin");
	assert_true(span_starts(set_cookie, SPAN("__Host-signet=")));
	assert_true(span_find_span(set_cookie, SPAN("; Secure; HttpOnly; SameSite=Strict")) <
		set_cookie.n);
	set_cookie = span_cut(&set_cookie, ';');
	(void)snprintf(cookie, sizeof cookie, "Cookie: a=b; %.*s\r\n", (int)set_cookie.n,
		(const char *)set_cookie.p);
	(void)snprintf(both, sizeof both, "%sX-CSRF-Token: %s\r\n", cookie, api_text_of(answer, "csrf"));
	(void)snprintf(wrong, sizeof wrong, "%sX-CSRF-Token: x%s\r\n", cookie,
		api_text_of(answer, "csrf"));
	json_decref(answer);
	http_response_done(&r);

	assert_int_equal(api_call(f, HTTP_PLAIN, cookie, "GET", "/api/v1/status", NULL, NULL), 200);
	api_refused(f, cookie, "POST", "/api/v1/domains", "{\"name\":\"a.example\"}", 403, "X-CSRF-Token");
	api_refused(f, wrong, "POST", "/api/v1/domains", "{\"name\":\"a.example\"}", 403, "X-CSRF-Token");
	assert_int_equal(api_call(f, HTTP_PLAIN, both, "POST", "/api/v1/domains",
				 "{\"name\":\"a.example\"}", NULL), 201);
	assert_true(api_audited(f, "alice@example.org", "domain.add", "a.example"));
	assert_int_equal(api_call(f, HTTP_PLAIN, cookie, "GET", "/api/v1/session", NULL, &answer), 200);
	assert_int_equal(strlen(api_text_of(answer, "csrf")), 43);
	json_decref(answer);

	/* What the account is counts now, not at the login. */
	env_fixture_account_set(environment, "alice", "role", "admin");
	assert_int_equal(api_call(f, HTTP_PLAIN, both, "DELETE", "/api/v1/session", NULL, NULL), 204);
	api_refused(f, cookie, "GET", "/api/v1/status", NULL, 401, NULL);
}

static void test_password(void **state)
{
	struct http_fixture *f = *state;
	const char *path = "/api/v1/accounts/bob/password";

	api_refused(f, BOB, "PUT", path, "{\"password\":\"new one\"}", 422, "current");
	api_refused(f, BOB, "PUT", path, "{\"password\":\"new one\",\"current\":\"x\"}", 403, "current");
	api_refused(f, BOB, "PUT", "/api/v1/accounts/alice/password",
		"{\"password\":\"new one\",\"current\":\"wonderland\"}", 403, NULL);
	api_refused(f, BOB, "PUT", path, "{\"password\":\"\",\"current\":\"builder\"}", 422, "password");
	assert_int_equal(api_call(f, HTTP_PLAIN, BOB, "PUT", path,
				 "{\"password\":\"new one\",\"current\":\"builder\"}", NULL), 204);
	api_refused(f, BOB, "GET", "/api/v1/accounts/bob", NULL, 401, NULL);
	assert_int_equal(api_call(f, HTTP_PLAIN, api_basic("bob@example.org:new one"), "GET",
				 "/api/v1/accounts/bob", NULL, NULL), 200);
	/* An administrator sets it without knowing the old one; a session ends with the password. */
	assert_int_equal(api_local(f, "PUT", path, "{\"password\":\"third\"}", NULL), 204);
	api_refused(f, api_basic("bob@example.org:new one"), "GET", "/api/v1/accounts/bob", NULL, 401, NULL);
	assert_true(api_audited(f, "local", "account.password", "bob@example.org"));
}

/* A body that is not what the route wants; nothing is changed by any of them. */
static void test_bodies(void **state)
{
	static const struct {
		const char *json;
		unsigned status;
		const char *field;
	} rows[] = {
		{ "", 400, NULL },
		{ "{", 400, NULL },
		{ "{\"name\":\"a.example\",\"name\":\"b.example\"}", 400, NULL },
		{ "{\"name\":\"a\\u0000b\"}", 400, NULL },
		{ "{\"name\":\"\xff\"}", 400, NULL },
		{ "[]", 422, NULL },
		{ "{}", 422, "name" },
		{ "{\"name\":null}", 422, "name" },
		{ "{\"name\":7}", 422, "name" },
		{ "{\"name\":\"\"}", 422, "name" },
		{ "{\"name\":\"a b\"}", 422, "name" },
		{ "{\"name\":\"-.example\"}", 422, "name" },
		{ "{\"name\":\"192.0.2.1\"}", 422, "name" },
		{ "{\"name\":\"[192.0.2.1]\"}", 422, "name" },
		{ "{\"name\":\"[IPv6:2001:db8::1]\"}", 422, "name" },
		{ "{\"name\":\"a.example\",\"nmae\":1}", 422, "nmae" },
		{ "{\"name\":\"a.example\",\"pki\":\"maybe\"}", 422, "pki" },
		{ "{\"name\":\"a.example\",\"account_quota\":\"lots\"}", 422, "account_quota" },
		{ "{\"name\":\"a.example\",\"account_quota\":[]}", 422, "account_quota" },
		{ "{\"name\":\"example.org\"}", 409, "name" },
	};
	struct http_fixture *f = *state;
	struct http_response r;
	json_t *answer;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		api_refused(f, NULL, "POST", "/api/v1/domains", rows[i].json, rows[i].status,
			rows[i].field);
	r = http_request(f, HTTP_LOCAL, "POST", "/api/v1/domains",
		"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", NULL);
	assert_int_equal(r.status, 415);
	http_response_done(&r);
	assert_int_equal(api_local(f, "GET", "/api/v1/domains", NULL, &answer), 200);
	assert_int_equal(json_array_size(json_object_get(answer, "domains")), 1);
	json_decref(answer);
	assert_false(api_audited(f, "local", "domain.add", "a.example"));
}

static void test_methods(void **state)
{
	struct http_fixture *f = *state;
	struct http_response r = http_request(f, HTTP_PLAIN, "DELETE", "/", NULL, NULL);

	assert_int_equal(r.status, 405);
	assert_true(span_is(http_response_header(&r, "Allow"), "OPTIONS, GET, HEAD"));
	http_response_done(&r);
	r = http_request(f, HTTP_PLAIN, "OPTIONS", "/api/v1/session", NULL, NULL);
	assert_int_equal(r.status, 204);
	assert_true(span_is(http_response_header(&r, "Allow"), "OPTIONS, POST, GET, HEAD, DELETE"));
	http_response_done(&r);
	r = http_request(f, HTTP_PLAIN, "HEAD", "/", NULL, NULL);
	assert_int_equal(r.status, 200);
	assert_true(http_response_header(&r, "Content-Length").n > 3);
	http_response_done(&r);
	api_refused(f, "X: y\r\n", "GET", "/nowhere", NULL, 404, NULL);
}

static void test_pages(void **state)
{
	struct http_fixture *f = *state;
	struct http_response r = http_request(f, HTTP_PLAIN, "GET", "/", NULL, NULL);
	struct span policy;
	json_t *answer;

	assert_int_equal(r.status, 200);
	assert_true(span_find_span(buf_span(&r.body),
			    SPAN("href=\"/pki/example.org/cert.pem\">Secure Certificate</a>")) <
		buf_size(&r.body));
	policy = http_response_header(&r, "Content-Security-Policy");
	assert_true(span_starts(policy, SPAN("default-src 'none'; ")));
	assert_true(span_is(http_response_header(&r, "X-Content-Type-Options"), "nosniff"));
	http_response_done(&r);

	/* Metrics: from here without login, from elsewhere with. */
	r = http_request(f, HTTP_PLAIN, "GET", "/metrics", NULL, NULL);
	assert_int_equal(r.status, 200);
	assert_true(span_find_span(buf_span(&r.body), SPAN("\nsignet_accounts 3\n")) <
		buf_size(&r.body));
	assert_true(span_find_span(buf_span(&r.body), SPAN("\nsignet_keyd_up 1\n")) <
		buf_size(&r.body));
	http_response_done(&r);

	assert_int_equal(api_local(f, "GET", "/api/v1/status", NULL, &answer), 200);
	assert_int_equal(json_array_size(json_object_get(answer, "ports")), 2);
	assert_true(json_is_true(json_object_get(json_object_get(answer, "keyd"), "domain")));
	assert_true(api_number_of(json_object_get(answer, "counters"), "http_requests_total") >= 2);
	json_decref(answer);

	LOG(NULL, LOG_WARNING, "TEST", "test.line", log_str("x", "1"));
	assert_int_equal(api_local(f, "GET", "/api/v1/log?tag=TEST&max=1000", NULL, &answer), 200);
	assert_int_equal(json_array_size(json_object_get(answer, "lines")), 1);
	json_decref(answer);
	api_refused(f, NULL, "GET", "/api/v1/log?after=x", NULL, 400, "after");
	api_refused(f, NULL, "GET", "/api/v1/log?max=1&since=2", NULL, 400, "since");
	api_refused(f, NULL, "GET", "/api/v1/log?max=1&max=1", NULL, 400, "max");
	api_refused(f, NULL, "GET", "/api/v1/status?max=1", NULL, 400, "max");
	api_refused(f, NULL, "GET", "/api/v1/log?tag=%zz", NULL, 400, NULL);
}

/* The line at a position of an answer ends with this. */
static void line_ends(const json_t *answer, size_t i, const char *end)
{
	const char *line = json_string_value(json_array_get(json_object_get(answer, "lines"), i));
	size_t n = strlen(end);

	assert_non_null(line);
	assert_true(strlen(line) > n);
	assert_string_equal(line + strlen(line) - n, end);
}

/* The newest lines, then those after them: none twice, none left out. */
static void test_log(void **state)
{
	struct http_fixture *f = *state;
	char path[100];
	json_t *answer;

	for (int i = 0; i < 5; i++)
		LOG(NULL, LOG_WARNING, "TAIL", "tail.line", log_int("n", i));
	assert_int_equal(api_local(f, "GET", "/api/v1/log?tag=TAIL&max=2", NULL, &answer), 200);
	assert_int_equal(json_array_size(json_object_get(answer, "lines")), 2);
	line_ends(answer, 0, " n=3");
	line_ends(answer, 1, " n=4");
	(void)snprintf(path, sizeof path, "/api/v1/log?tag=TAIL&max=2&after=%lld",
		(long long)api_number_of(answer, "last"));
	json_decref(answer);
	for (int i = 5; i < 8; i++)
		LOG(NULL, LOG_WARNING, "TAIL", "tail.line", log_int("n", i));
	assert_int_equal(api_local(f, "GET", path, NULL, &answer), 200);
	assert_int_equal(json_array_size(json_object_get(answer, "lines")), 2);
	line_ends(answer, 0, " n=5");
	line_ends(answer, 1, " n=6");
	json_decref(answer);
	assert_int_equal(api_local(f, "GET", "/api/v1/log?tag=TAIL&max=0", NULL, &answer), 200);
	assert_int_equal(json_array_size(json_object_get(answer, "lines")), 0);
	json_decref(answer);
}

static void test_metrics_from_afar(void **state)
{
	struct http_fixture *f = *state;
	int fd = http_client(f, HTTP_PLAIN, "192.0.2.7");
	struct http_response r;

	http_client_send(fd, SPAN("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"));
	http_client_read(fd, &r, false);
	assert_int_equal(r.status, 401);
	http_response_done(&r);
	(void)close(fd);
}

/* The dispatcher by itself, for connections with TLS: a domain's connection is no way to another's. */
static unsigned misdirected(struct http_fixture *f, const char *sni, const char *host)
{
	struct http_peer *peer = calloc(1, sizeof *peer);
	struct http_request q = { .env = &f->env->env, .peer = peer, .method = SPAN("GET"),
		.target = SPAN("/") };
	unsigned status;

	peer->refs = 1;
	peer->kind = HTTP_TLS;
	peer->domain = strdup("example.org");
	peer->sni = sni ? strdup(sni) : NULL;
	q.fields[q.n_fields++] = (struct http_pair){ SPAN("Host"), span_str(host) };
	http_dispatch(&q);
	status = q.status;
	http_request_done(&q);
	return status;
}

static void test_misdirected(void **state)
{
	struct http_fixture *f = *state;

	assert_int_equal(api_local(f, "POST", "/api/v1/domains", "{\"name\":\"other.example\"}", NULL), 201);
	assert_int_equal(api_local(f, "PUT", "/api/v1/domains/example.org/aliases/alias.example", NULL,
				 NULL), 204);
	assert_int_equal(misdirected(f, "example.org", "example.org"), 200);
	assert_int_equal(misdirected(f, "example.org", "EXAMPLE.org:8443"), 200);
	assert_int_equal(misdirected(f, "example.org", "alias.example"), 200);
	assert_int_equal(misdirected(f, "mail.example.org", "mail.example.org"), 200);
	assert_int_equal(misdirected(f, "example.org", "other.example"), 421);
	assert_int_equal(misdirected(f, "example.org", "unknown.example"), 421);
	assert_int_equal(misdirected(f, NULL, "other.example"), 421);
	assert_int_equal(misdirected(f, NULL, "example.org"), 200);
	assert_int_equal(misdirected(f, NULL, "127.0.0.1:10443"), 200);
	assert_int_equal(misdirected(f, NULL, "[::1]:10443"), 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rights, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wrong_logins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cleartext, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rate, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rate_of_network, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_session, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_password, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bodies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_methods, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pages, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_log, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_metrics_from_afar, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_misdirected, set_up, tear_down),
	};
	int failed;

	if (provider_load())
		return 1;
	log_set_stderr(false);
	environment = env_fixture_new();
	env_fixture_person(environment, "bob", "builder");
	env_fixture_person(environment, "dave", "secret"); /* logs in nowhere but in test_rate */
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	env_fixture_free(environment);
	return failed;
}
