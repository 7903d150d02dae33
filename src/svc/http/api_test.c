/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The API as its users see it: who may do what, what changes, how mistakes are told. The store is
 * real, so is the keyd that makes the keys. alice (password "wonderland") is a user until a test
 * makes her an administrator.
 */

#include "svc/http/client_fixture.h"

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

/* A header with Basic credentials. */
static const char *basic(const char *user_and_password)
{
	static char header[200];
	CLEANUP(buf_done) struct buf text = {};

	enc_base64(&text, span_str(user_and_password));
	(void)snprintf(header, sizeof header, "Authorization: Basic %.*s\r\n", (int)buf_size(&text),
		(const char *)buf_span(&text).p);
	return header;
}

#define ALICE basic("alice@example.org:wonderland")
#define BOB basic("bob@example.org:builder")

/* Does one request and returns the status; *ret_json, if asked for, is the body. */
static unsigned call(struct http_fixture *f, enum http_kind kind, const char *fields,
	const char *method, const char *path, const char *json, json_t **ret_json)
{
	struct http_response r = http_request(f, kind, method, path, fields, json);
	unsigned status = r.status;

	if (ret_json)
		*ret_json = http_response_json(&r);
	http_response_done(&r);
	return status;
}

/* The same over the Unix socket. */
static unsigned local(struct http_fixture *f, const char *method, const char *path, const char *json,
	json_t **ret_json)
{
	return call(f, HTTP_LOCAL, NULL, method, path, json, ret_json);
}

static const char *text_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text ? text : "(none)";
}

static long long number_of(const json_t *object, const char *member)
{
	return json_integer_value(json_object_get(object, member));
}

/* A refusal is a problem document of that status, which names the member. */
static void refused(struct http_fixture *f, const char *fields, const char *method, const char *path,
	const char *json, unsigned status, const char *field)
{
	enum http_kind kind = fields ? HTTP_PLAIN : HTTP_LOCAL;
	struct http_response r = http_request(f, kind, method, path, fields, json);
	json_t *problem = http_response_json(&r);

	if (r.status != status)
		fail_msg("%s %s: %u", method, path, r.status);
	assert_true(span_is(http_response_header(&r, "Content-Type"), "application/problem+json"));
	assert_int_equal(number_of(problem, "status"), status);
	assert_string_not_equal(text_of(problem, "detail"), "(none)");
	assert_string_not_equal(text_of(problem, "title"), "Error");
	assert_string_equal(text_of(problem, "field"), field ? field : "(none)");
	json_decref(problem);
	http_response_done(&r);
}

static bool audited(struct http_fixture *f, const char *actor, const char *action, const char *target)
{
	json_t *answer, *entry;
	bool found = false;
	size_t i;

	assert_int_equal(local(f, "GET", "/api/v1/audit", NULL, &answer), 200);
	json_array_foreach(json_object_get(answer, "entries"), i, entry)
		found |= strcmp(text_of(entry, "actor"), actor) == 0 &&
			strcmp(text_of(entry, "action"), action) == 0 &&
			strcmp(text_of(entry, "target"), target) == 0;
	json_decref(answer);
	return found;
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
		refused(f, "X: y\r\n", "GET", for_admins[i], NULL, 401, NULL);
		refused(f, BOB, "GET", for_admins[i], NULL, 403, NULL);
		assert_int_equal(call(f, HTTP_PLAIN, ALICE, "GET", for_admins[i], NULL, NULL), 200);
		assert_int_equal(local(f, "GET", for_admins[i], NULL, NULL), 200);
	}
	/* The own account, however its name is written; and no other. */
	assert_int_equal(call(f, HTTP_PLAIN, BOB, "GET", "/api/v1/accounts/bob", NULL, NULL), 200);
	assert_int_equal(call(f, HTTP_PLAIN, BOB, "GET", "/api/v1/accounts/BOB%40Example.ORG", NULL,
				 NULL), 200);
	refused(f, BOB, "GET", "/api/v1/accounts/nobody", NULL, 403, NULL);
	refused(f, BOB, "DELETE", "/api/v1/accounts/bob", NULL, 403, NULL);
	refused(f, BOB, "PATCH", "/api/v1/accounts/bob", "{\"role\":\"admin\"}", 403, "role");
	refused(f, BOB, "PATCH", "/api/v1/accounts/bob", "{\"name\":\"B\",\"quota\":0}", 403, "quota");
	assert_int_equal(call(f, HTTP_PLAIN, BOB, "PATCH", "/api/v1/accounts/bob",
				 "{\"name\":\"Bob B.\"}", NULL), 200);
	assert_true(audited(f, "bob@example.org", "account.set", "bob@example.org"));
}

static void test_wrong_logins(void **state)
{
	struct http_fixture *f = *state;
	struct http_response r;

	refused(f, basic("alice@example.org:wrong"), "GET", "/api/v1/status", NULL, 401, NULL);
	refused(f, basic("nobody@example.org:wonderland"), "GET", "/api/v1/status", NULL, 401, NULL);
	refused(f, "Authorization: Basic !!!\r\n", "GET", "/api/v1/status", NULL, 401, "Authorization");
	refused(f, basic("no colon"), "GET", "/api/v1/status", NULL, 401, "Authorization");
	refused(f, "Authorization: Bearer x\r\n", "GET", "/api/v1/status", NULL, 401, "Authorization");
	refused(f, "Cookie: __Host-signet=x\r\n", "GET", "/api/v1/status", NULL, 401, NULL);
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
	refused(f, ALICE, "GET", "/api/v1/status", NULL, 403, NULL);
	refused(f, "X: y\r\n", "POST", "/api/v1/session",
		"{\"login\":\"alice\",\"password\":\"wonderland\"}", 403, NULL);
}

/* Guessing costs: after some failures even the right password is not looked at. */
static void test_rate(void **state)
{
	struct http_fixture *f = *state;
	unsigned status = 401;

	for (int i = 0; i < 30 && status == 401; i++)
		status = call(f, HTTP_PLAIN, basic("dave@example.org:guess"), "GET",
			"/api/v1/accounts/dave", NULL, NULL);
	assert_int_equal(status, 429);
	assert_int_equal(call(f, HTTP_PLAIN, basic("dave@example.org:secret"), "GET",
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
	assert_string_equal(text_of(answer, "address"), "alice@example.org");
	assert_string_equal(text_of(answer, "role"), "admin");
	assert_true(span_starts(set_cookie, SPAN("__Host-signet=")));
	assert_true(span_find_span(set_cookie, SPAN("; Secure; HttpOnly; SameSite=Strict")) <
		set_cookie.n);
	set_cookie = span_cut(&set_cookie, ';');
	(void)snprintf(cookie, sizeof cookie, "Cookie: a=b; %.*s\r\n", (int)set_cookie.n,
		(const char *)set_cookie.p);
	(void)snprintf(both, sizeof both, "%sX-CSRF-Token: %s\r\n", cookie, text_of(answer, "csrf"));
	(void)snprintf(wrong, sizeof wrong, "%sX-CSRF-Token: x%s\r\n", cookie,
		text_of(answer, "csrf"));
	json_decref(answer);
	http_response_done(&r);

	assert_int_equal(call(f, HTTP_PLAIN, cookie, "GET", "/api/v1/status", NULL, NULL), 200);
	refused(f, cookie, "POST", "/api/v1/domains", "{\"name\":\"a.example\"}", 403, "X-CSRF-Token");
	refused(f, wrong, "POST", "/api/v1/domains", "{\"name\":\"a.example\"}", 403, "X-CSRF-Token");
	assert_int_equal(call(f, HTTP_PLAIN, both, "POST", "/api/v1/domains",
				 "{\"name\":\"a.example\"}", NULL), 201);
	assert_true(audited(f, "alice@example.org", "domain.add", "a.example"));
	assert_int_equal(call(f, HTTP_PLAIN, cookie, "GET", "/api/v1/session", NULL, &answer), 200);
	assert_int_equal(strlen(text_of(answer, "csrf")), 43);
	json_decref(answer);

	/* What the account is counts now, not at the login. */
	env_fixture_account_set(environment, "alice", "role", "admin");
	assert_int_equal(call(f, HTTP_PLAIN, both, "DELETE", "/api/v1/session", NULL, NULL), 204);
	refused(f, cookie, "GET", "/api/v1/status", NULL, 401, NULL);
}

static void test_password(void **state)
{
	struct http_fixture *f = *state;
	const char *path = "/api/v1/accounts/bob/password";

	refused(f, BOB, "PUT", path, "{\"password\":\"new one\"}", 422, "current");
	refused(f, BOB, "PUT", path, "{\"password\":\"new one\",\"current\":\"x\"}", 403, "current");
	refused(f, BOB, "PUT", "/api/v1/accounts/alice/password",
		"{\"password\":\"new one\",\"current\":\"wonderland\"}", 403, NULL);
	refused(f, BOB, "PUT", path, "{\"password\":\"\",\"current\":\"builder\"}", 422, "password");
	assert_int_equal(call(f, HTTP_PLAIN, BOB, "PUT", path,
				 "{\"password\":\"new one\",\"current\":\"builder\"}", NULL), 204);
	refused(f, BOB, "GET", "/api/v1/accounts/bob", NULL, 401, NULL);
	assert_int_equal(call(f, HTTP_PLAIN, basic("bob@example.org:new one"), "GET",
				 "/api/v1/accounts/bob", NULL, NULL), 200);
	/* An administrator sets it without knowing the old one; a session ends with the password. */
	assert_int_equal(local(f, "PUT", path, "{\"password\":\"third\"}", NULL), 204);
	refused(f, basic("bob@example.org:new one"), "GET", "/api/v1/accounts/bob", NULL, 401, NULL);
	assert_true(audited(f, "local", "account.password", "bob@example.org"));
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
		refused(f, NULL, "POST", "/api/v1/domains", rows[i].json, rows[i].status,
			rows[i].field);
	r = http_request(f, HTTP_LOCAL, "POST", "/api/v1/domains",
		"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", NULL);
	assert_int_equal(r.status, 415);
	http_response_done(&r);
	assert_int_equal(local(f, "GET", "/api/v1/domains", NULL, &answer), 200);
	assert_int_equal(json_array_size(json_object_get(answer, "domains")), 1);
	json_decref(answer);
	assert_false(audited(f, "local", "domain.add", "a.example"));
}

static void test_domains(void **state)
{
	struct http_fixture *f = *state;
	json_t *answer;

	assert_int_equal(local(f, "POST", "/api/v1/domains",
				 "{\"name\":\"B\xc3\xbc" "cher.Example\",\"pki\":\"enabled\","
				 "\"account_quota\":\"5M\"}", &answer), 201);
	assert_string_equal(text_of(answer, "name"), "xn--bcher-kva.example");
	assert_string_equal(text_of(answer, "pki"), "enabled");
	assert_int_equal(number_of(answer, "account_quota"), 5 << 20);
	json_decref(answer);
	assert_int_equal(local(f, "PUT", "/api/v1/domains/xn--bcher-kva.example/aliases/c.example",
				 NULL, NULL), 204);
	refused(f, NULL, "PUT", "/api/v1/domains/example.org/aliases/c.example", NULL, 409, "alias");
	assert_int_equal(local(f, "GET", "/api/v1/domains/c.example", NULL, &answer), 200);
	assert_string_equal(text_of(answer, "name"), "xn--bcher-kva.example");
	assert_int_equal(json_array_size(json_object_get(answer, "aliases")), 1);
	json_decref(answer);
	assert_int_equal(local(f, "PATCH", "/api/v1/domains/c.example", "{\"name\":\"d.example\"}",
				 &answer), 200);
	assert_string_equal(text_of(answer, "name"), "d.example");
	json_decref(answer);
	assert_true(audited(f, "local", "domain.rename", "xn--bcher-kva.example"));
	refused(f, NULL, "DELETE", "/api/v1/domains/example.org/aliases/c.example", NULL, 404, "alias");
	assert_int_equal(local(f, "DELETE", "/api/v1/domains/d.example/aliases/c.example", NULL, NULL),
		204);
	refused(f, NULL, "DELETE", "/api/v1/domains/example.org", NULL, 422, "domain");
	refused(f, NULL, "PATCH", "/api/v1/domains/d.example", "{\"main\":false}", 422, "main");
	/* It has nothing to show to those who name nobody. */
	refused(f, NULL, "PATCH", "/api/v1/domains/d.example", "{\"main\":\"yes\"}", 409, "main");
	refused(f, NULL, "PATCH", "/api/v1/domains/example.org", "{\"pki\":\"disabled\"}", 409, "pki");
	assert_int_equal(local(f, "PATCH", "/api/v1/domains/d.example",
				 "{\"pki\":\"test\",\"main\":\"yes\"}", &answer), 200);
	assert_true(json_is_true(json_object_get(answer, "main")));
	json_decref(answer);
	assert_int_equal(local(f, "PATCH", "/api/v1/domains/example.org",
				 "{\"pki\":\"test\",\"main\":true}", NULL), 200);
	assert_int_equal(local(f, "DELETE", "/api/v1/domains/d.example", NULL, NULL), 204);
	refused(f, NULL, "GET", "/api/v1/domains/d.example", NULL, 404, "domain");
	/* Each change of a domain's names reaches TLS. */
	assert_int_equal(f->n_rebuilds, 7);
}

static void test_addresses(void **state)
{
	struct http_fixture *f = *state;
	json_t *answer;

	assert_int_equal(local(f, "POST", "/api/v1/domains", "{\"name\":\"a.example\"}", NULL), 201);
	assert_int_equal(local(f, "PATCH", "/api/v1/domains/a.example",
				 "{\"addresses\":\"192.0.2.1, ::ffff:192.0.2.2,2001:DB8::1\"}",
				 &answer), 200);
	assert_int_equal(json_array_size(json_object_get(answer, "addresses")), 3);
	assert_string_equal(json_string_value(json_array_get(
				    json_object_get(answer, "addresses"), 2)), "192.0.2.2");
	json_decref(answer);
	refused(f, NULL, "PATCH", "/api/v1/domains/example.org", "{\"addresses\":\"192.0.2.2\"}", 409,
		"addresses");
	refused(f, NULL, "PATCH", "/api/v1/domains/a.example", "{\"addresses\":\"192.0.2\"}", 422,
		"addresses");
	refused(f, NULL, "PATCH", "/api/v1/domains/a.example", "{\"addresses\":\",192.0.2.1\"}", 422,
		"addresses");
	refused(f, NULL, "PATCH", "/api/v1/domains/a.example", "{\"addresses\":\"::1%eth0\"}", 422,
		"addresses");
	/* What was refused has taken nothing away. */
	assert_int_equal(local(f, "GET", "/api/v1/domains/a.example", NULL, &answer), 200);
	assert_int_equal(json_array_size(json_object_get(answer, "addresses")), 3);
	json_decref(answer);
	assert_int_equal(local(f, "PATCH", "/api/v1/domains/a.example", "{\"addresses\":\"\"}",
				 &answer), 200);
	assert_int_equal(json_array_size(json_object_get(answer, "addresses")), 0);
	json_decref(answer);
	assert_int_equal(local(f, "PATCH", "/api/v1/domains/example.org",
				 "{\"addresses\":\"192.0.2.2\"}", NULL), 200);
}

/* "VALUE (SOURCE)" of one setting. */
static void expect_tls(struct http_fixture *f, const char *query, const char *key, const char *want)
{
	char path[128], got[128] = "";
	const json_t *setting;
	json_t *answer;
	size_t i;

	(void)snprintf(path, sizeof path, "/api/v1/tls%s", query);
	assert_int_equal(local(f, "GET", path, NULL, &answer), 200);
	json_array_foreach(json_object_get(answer, "settings"), i, setting) {
		if (strcmp(text_of(setting, "key"), key) == 0)
			(void)snprintf(got, sizeof got, "%s (%s)", text_of(setting, "value"),
				text_of(setting, "source"));
	}
	assert_string_equal(got, want);
	json_decref(answer);
}

static void test_tls(void **state)
{
	struct http_fixture *f = *state;
	const char *const domain = "/api/v1/tls?domain=example.org";
	const char *const listener = "/api/v1/tls?listener=imaps";
	json_t *answer;

	expect_tls(f, "", "oldest", "1.2 (default)");
	refused(f, NULL, "GET", "/api/v1/tls?domain=other.example", NULL, 404, "domain");
	refused(f, NULL, "GET", "/api/v1/tls?listener=http", NULL, 404, "listener");
	refused(f, NULL, "PATCH", "/api/v1/tls?domain=example.org&listener=imaps",
		"{\"oldest\":\"1.3\"}", 422, "listener");
	refused(f, NULL, "PATCH", "/api/v1/tls", "{\"oldest\":\"1.4\"}", 422, "oldest");
	refused(f, NULL, "PATCH", "/api/v1/tls", "{\"eldest\":\"1.2\"}", 422, "eldest");
	refused(f, NULL, "PATCH", domain, "{\"sni\":false}", 422, "sni");
	refused(f, NULL, "PATCH", "/api/v1/tls", "{\"oldest\":\"1.0\"}", 422, NULL);
	refused(f, NULL, "PATCH", listener, "{\"ciphers\":\"NULL\"}", 422, NULL);
	refused(f, NULL, "PATCH", domain, "{\"groups\":\"P-256:P-1\"}", 422, NULL);

	assert_int_equal(local(f, "PATCH", "/api/v1/tls", "{\"oldest\":\"1.0\",\"cbc\":true}",
				 &answer), 200);
	assert_int_equal(json_array_size(json_object_get(answer, "notes")), 1);
	json_decref(answer);
	/* Field by field; what would not go together anywhere is refused. */
	expect_tls(f, "?domain=example.org&listener=imaps", "oldest", "1.0 (server)");
	refused(f, NULL, "PATCH", listener, "{\"cbc\":false}", 422, NULL);
	refused(f, NULL, "PATCH", domain, "{\"cbc\":false}", 422, NULL);
	assert_int_equal(local(f, "PATCH", listener, "{\"oldest\":\"1.2\"}", NULL), 200);
	assert_int_equal(local(f, "PATCH", domain, "{\"oldest\":\"1.3\"}", NULL), 200);
	expect_tls(f, "", "oldest", "1.0 (server)");
	expect_tls(f, "?listener=imaps", "oldest", "1.2 (listener)");
	expect_tls(f, "?listener=imaps", "cbc", "yes (server)");
	expect_tls(f, "?listener=imap", "oldest", "1.0 (server)");
	expect_tls(f, "?domain=example.org&listener=imaps", "oldest", "1.3 (domain)");
	/* The server's value is fine by itself, but not for the domain. */
	refused(f, NULL, "PATCH", "/api/v1/tls", "{\"newest\":\"1.2\"}", 422, NULL);
	assert_int_equal(local(f, "PATCH", domain, "{\"oldest\":null}", NULL), 200);
	assert_int_equal(local(f, "PATCH", "/api/v1/tls", "{\"newest\":\"1.2\"}", NULL), 200);
	expect_tls(f, "?domain=example.org", "newest", "1.2 (server)");
	assert_true(audited(f, "local", "tls.set", "example.org"));
	assert_true(audited(f, "local", "tls.set", "imaps"));
	assert_int_equal(f->n_rebuilds, 5);
}

static void test_accounts(void **state)
{
	struct http_fixture *f = *state;
	json_t *answer, *list;

	assert_int_equal(local(f, "POST", "/api/v1/accounts",
				 "{\"address\":\"Carol@Example.org\",\"password\":\"secret carol\","
				 "\"name\":\"Carol <&> \xc3\xa9\",\"quota\":\"1G\"}", &answer), 201);
	assert_string_equal(text_of(answer, "role"), "user");
	assert_int_equal(number_of(answer, "quota"), 1 << 30);
	assert_string_equal(text_of(answer, "name"), "Carol <&> \xc3\xa9");
	json_decref(answer);
	refused(f, NULL, "POST", "/api/v1/accounts",
		"{\"address\":\"carol@example.org\",\"password\":\"x\"}", 409, "address");
	refused(f, NULL, "POST", "/api/v1/accounts",
		"{\"address\":\"a@other.example\",\"password\":\"x\"}", 422, "address");
	refused(f, NULL, "POST", "/api/v1/accounts", "{\"address\":\"a@\",\"password\":\"x\"}", 422,
		"address");
	refused(f, NULL, "POST", "/api/v1/accounts",
		"{\"address\":\"dora@example.org\",\"password\":\"x\",\"role\":\"king\"}", 422, "role");
	refused(f, NULL, "GET", "/api/v1/accounts/dora@example.org", NULL, 404, "address");
	assert_int_equal(local(f, "PATCH", "/api/v1/accounts/carol@example.org",
				 "{\"disabled\":true,\"quota\":\"default\"}", &answer), 200);
	assert_true(json_is_true(json_object_get(answer, "disabled")));
	json_decref(answer);
	refused(f, basic("carol@example.org:secret carol"), "GET", "/api/v1/accounts/carol", NULL,
		401, NULL);
	assert_int_equal(local(f, "GET", "/api/v1/accounts?domain=example.org", NULL, &answer), 200);
	assert_int_equal(json_array_size(json_object_get(answer, "accounts")), 4);
	json_decref(answer);
	refused(f, NULL, "GET", "/api/v1/accounts?domain=other.example", NULL, 404, "domain");

	assert_int_equal(local(f, "POST", "/api/v1/accounts/carol/mailboxes",
				 "{\"name\":\"Work/\xc3\x84rger\"}", &answer), 201);
	assert_string_equal(text_of(answer, "name"), "Work/\xc3\x84rger");
	json_decref(answer);
	refused(f, NULL, "POST", "/api/v1/accounts/carol/mailboxes", "{\"name\":\"inbox\"}", 409, "name");
	refused(f, NULL, "POST", "/api/v1/accounts/carol/mailboxes", "{\"name\":\"a//b\"}", 422, "name");
	refused(f, NULL, "POST", "/api/v1/accounts/carol/mailboxes",
		"{\"name\":\"x\",\"use\":\"fun\"}", 422, "use");
	assert_int_equal(local(f, "DELETE", "/api/v1/accounts/carol/mailboxes/Work%2F%C3%84rger", NULL,
				 NULL), 204);
	refused(f, NULL, "DELETE", "/api/v1/accounts/carol/mailboxes/INBOX", NULL, 422, "mailbox");
	assert_int_equal(local(f, "GET", "/api/v1/accounts/alice/mailboxes", NULL, &answer), 200);
	list = json_object_get(answer, "mailboxes");
	assert_string_equal(text_of(json_array_get(list, 0), "name"), "INBOX");
	json_decref(answer);

	assert_int_equal(local(f, "DELETE", "/api/v1/accounts/carol@example.org", NULL, NULL), 204);
	refused(f, NULL, "DELETE", "/api/v1/accounts/carol@example.org", NULL, 404, "address");
	refused(f, NULL, "DELETE", "/api/v1/accounts/alice@example.org", NULL, 422, "address");
}

static void test_aliases(void **state)
{
	struct http_fixture *f = *state;
	json_t *answer;

	assert_int_equal(local(f, "POST", "/api/v1/aliases",
				 "{\"address\":\"team@example.org\",\"targets\":[\"alice@example.org\","
				 "\"x@B\xc3\xbc" "cher.example\"]}", NULL), 201);
	assert_int_equal(local(f, "GET", "/api/v1/aliases/Team@example.org", NULL, &answer), 200);
	assert_string_equal(json_string_value(json_array_get(json_object_get(answer, "targets"), 1)),
		"x@xn--bcher-kva.example");
	json_decref(answer);
	refused(f, NULL, "POST", "/api/v1/aliases",
		"{\"address\":\"team@example.org\",\"targets\":[\"bob@example.org\"]}", 409, "address");
	refused(f, NULL, "POST", "/api/v1/aliases",
		"{\"address\":\"alice@example.org\",\"targets\":[\"bob@example.org\"]}", 409, "address");
	refused(f, NULL, "POST", "/api/v1/aliases",
		"{\"address\":\"t2@example.org\",\"targets\":[\"bob@example.org\",\"no address\"]}", 422,
		"targets");
	refused(f, NULL, "POST", "/api/v1/aliases",
		"{\"address\":\"t2@example.org\",\"targets\":[]}", 422, "targets");
	refused(f, NULL, "POST", "/api/v1/aliases",
		"{\"address\":\"t2@example.org\",\"targets\":[7]}", 422, "targets");
	assert_int_equal(local(f, "PUT", "/api/v1/aliases/team@example.org",
				 "{\"targets\":[\"bob@example.org\"]}", NULL), 204);
	assert_int_equal(local(f, "GET", "/api/v1/aliases?domain=example.org", NULL, &answer), 200);
	assert_int_equal(json_array_size(json_object_get(answer, "aliases")), 1);
	json_decref(answer);
	assert_int_equal(local(f, "DELETE", "/api/v1/aliases/team@example.org", NULL, NULL), 204);
	refused(f, NULL, "GET", "/api/v1/aliases/team@example.org", NULL, 404, "address");
	refused(f, NULL, "DELETE", "/api/v1/aliases/team@example.org", NULL, 404, "address");
}

static void test_settings(void **state)
{
	struct http_fixture *f = *state;
	json_t *answer;

	/* All or none. */
	refused(f, NULL, "PATCH", "/api/v1/settings", "{\"hops_max\":142,\"nonsense\":1}", 422,
		"nonsense");
	refused(f, NULL, "PATCH", "/api/v1/settings", "{\"hops_max\":\"many\"}", 422, "hops_max");
	refused(f, NULL, "PATCH", "/api/v1/settings", "{\"proxies\":\"192.0.2.1/24\"}", 422,
		"proxies");
	assert_int_equal(local(f, "PATCH", "/api/v1/settings",
				 "{\"proxies\":\"192.0.2.0/24, ::1\"}", NULL), 204);
	assert_int_equal(local(f, "PATCH", "/api/v1/settings", "{\"proxies\":null}", NULL), 204);
	assert_int_equal(local(f, "GET", "/api/v1/settings/hops_max", NULL, &answer), 200);
	assert_string_equal(text_of(answer, "value"), text_of(answer, "default"));
	json_decref(answer);
	assert_int_equal(local(f, "PATCH", "/api/v1/settings",
				 "{\"hops_max\":142,\"cleartext_login\":\"never\"}", NULL), 204);
	assert_int_equal(local(f, "GET", "/api/v1/settings/hops_max", NULL, &answer), 200);
	assert_string_equal(text_of(answer, "value"), "142");
	json_decref(answer);
	refused(f, ALICE, "GET", "/api/v1/status", NULL, 403, NULL);
	assert_int_equal(local(f, "PATCH", "/api/v1/settings", "{\"hops_max\":null}", NULL), 204);
	assert_int_equal(local(f, "GET", "/api/v1/settings/hops_max", NULL, &answer), 200);
	assert_string_equal(text_of(answer, "value"), text_of(answer, "default"));
	json_decref(answer);
	refused(f, NULL, "GET", "/api/v1/settings/nonsense", NULL, 404, "key");
	assert_true(audited(f, "local", "setting.set", "hops_max"));
}

static void test_pki(void **state)
{
	struct http_fixture *f = *state;
	struct http_response r;
	json_t *answer;

	assert_int_equal(call(f, HTTP_PLAIN, NULL, "GET", "/pki/example.org/cert.pem", NULL, NULL), 404);
	assert_int_equal(local(f, "POST", "/api/v1/domains/example.org/keys",
				 "{\"alias\":\"first\",\"type\":\"ec:p384\"}", &answer), 201);
	assert_string_equal(text_of(answer, "size"), "EC P-384, 384 bits");
	assert_memory_equal(text_of(answer, "public_key"), "-----BEGIN PUBLIC KEY-----\n", 27);
	assert_null(strstr(text_of(answer, "public_key"), "PRIVATE"));
	json_decref(answer);
	refused(f, NULL, "POST", "/api/v1/domains/example.org/keys", "{\"alias\":\"first\"}", 409,
		"alias");
	refused(f, NULL, "POST", "/api/v1/domains/example.org/keys", "{\"alias\":\"a/b\"}", 422, "alias");
	refused(f, NULL, "POST", "/api/v1/domains/example.org/keys", "{\"type\":\"rsa:512\"}", 422,
		"type");
	refused(f, NULL, "POST", "/api/v1/domains/example.org/keys",
		"{\"type\":\"ec:p256\",\"use\":\"dkim\"}", 422, "type");
	refused(f, NULL, "POST", "/api/v1/domains/example.org/keys", "{\"use\":\"fun\"}", 422, "use");
	assert_int_equal(local(f, "POST", "/api/v1/domains/example.org/keys/first/test", NULL, &answer),
		200);
	assert_true(json_is_true(json_object_get(answer, "passed")));
	assert_non_null(strstr(text_of(answer, "result"), "Verification String is OK"));
	json_decref(answer);
	refused(f, NULL, "POST", "/api/v1/domains/example.org/keys/other/test", NULL, 404, "key");

	assert_int_equal(local(f, "PUT", "/api/v1/domains/example.org/aliases/alias.example", NULL,
				 NULL), 204);
	f->n_rebuilds = 0;
	assert_int_equal(local(f, "POST", "/api/v1/domains/example.org/certificates",
				 "{\"alias\":\"mine\",\"days\":30}", &answer), 201);
	assert_int_equal(f->n_rebuilds, 1);
	assert_true(json_is_true(json_object_get(answer, "self_signed")));
	assert_int_equal(json_array_size(json_object_get(answer, "names")), 2);
	assert_string_equal(text_of(answer, "services"), "all");
	json_decref(answer);
	refused(f, NULL, "POST", "/api/v1/domains/example.org/certificates", "{\"days\":4000}", 422,
		"days");
	refused(f, NULL, "POST", "/api/v1/domains/example.org/certificates", "{\"days\":0}", 422, "days");
	refused(f, NULL, "POST", "/api/v1/domains/example.org/certificates", "{\"key\":\"other\"}", 404,
		"key");

	r = http_request(f, HTTP_PLAIN, "GET", "/pki/alias.example/cert.pem", NULL, NULL);
	assert_int_equal(r.status, 200);
	assert_true(span_starts(buf_span(&r.body), SPAN("-----BEGIN CERTIFICATE-----\n")));
	assert_true(span_is(http_response_header(&r, "Content-Disposition"),
		"attachment; filename=\"example.org.pem\""));
	http_response_done(&r);
	r = http_request(f, HTTP_PLAIN, "GET", "/pki/example.org/cert.der", NULL, NULL);
	assert_true(span_is(http_response_header(&r, "Content-Type"), "application/pkix-cert"));
	assert_int_equal(buf_span(&r.body).p[0], 0x30);
	http_response_done(&r);
	assert_int_equal(call(f, HTTP_PLAIN, NULL, "GET", "/pki/example.org/chain.pem", NULL, NULL),
		200);

	refused(f, NULL, "PATCH", "/api/v1/domains/example.org/certificates/mine",
		"{\"services\":\"smtp,fun\"}", 422, "services");
	assert_int_equal(local(f, "PATCH", "/api/v1/domains/example.org/certificates/mine",
				 "{\"services\":\"smtp,imap\"}", &answer), 200);
	assert_string_equal(text_of(answer, "services"), "smtp,imap");
	json_decref(answer);
	assert_int_equal(call(f, HTTP_PLAIN, NULL, "GET", "/pki/example.org/cert.pem", NULL, NULL), 404);
	assert_int_equal(local(f, "GET", "/api/v1/domains/example.org/certificates", NULL, &answer), 200);
	assert_int_equal(json_array_size(json_object_get(answer, "certificates")), 1);
	json_decref(answer);
}

/* A certificate that is only kept; one that takes the place of another; who may be asked about the key
 * store's password. */
static void test_certificates_beside(void **state)
{
	static const char certs[] = "/api/v1/domains/example.org/certificates";
	struct http_fixture *f = *state;
	json_t *answer;

	assert_int_equal(local(f, "POST", "/api/v1/domains/example.org/keys", "{}", NULL), 201);
	assert_int_equal(local(f, "POST", certs, "{\"alias\":\"used\"}", NULL), 201);
	f->n_rebuilds = 0;
	assert_int_equal(local(f, "POST", certs, "{\"alias\":\"kept\",\"services\":\"none\"}", &answer),
		201);
	assert_int_equal(f->n_rebuilds, 0);
	assert_string_equal(text_of(answer, "services"), "");
	json_decref(answer);
	refused(f, NULL, "POST", certs, "{\"services\":\"fun\"}", 422, "services");
	refused(f, NULL, "PUT", "/api/v1/domains/example.org/certificates/none",
		"{\"certificate\":\"AAAA\"}", 404, "certificate");
	refused(f, NULL, "PUT", "/api/v1/domains/example.org/certificates/used",
		"{\"certificate\":\"AAAA\"}", 422, "certificate");
	refused(f, NULL, "PUT", "/api/v1/domains/example.org/certificates/used", "{}", 422, "certificate");

	assert_int_equal(local(f, "GET", "/api/v1/key-store", NULL, &answer), 200);
	assert_true(json_is_false(json_object_get(answer, "password")));
	json_decref(answer);
	assert_int_equal(local(f, "POST", "/api/v1/key-store/check", "{\"password\":\"x\"}", &answer), 200);
	assert_true(json_is_false(json_object_get(answer, "password")));
	json_decref(answer);
	refused(f, NULL, "POST", "/api/v1/key-store/check", "{\"password\":\"\"}", 422, "password");
	assert_int_equal(call(f, HTTP_PLAIN, BOB, "GET", "/api/v1/key-store", NULL, NULL), 403);
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
	refused(f, "X: y\r\n", "GET", "/nowhere", NULL, 404, NULL);
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

	assert_int_equal(local(f, "GET", "/api/v1/status", NULL, &answer), 200);
	assert_int_equal(json_array_size(json_object_get(answer, "ports")), 2);
	assert_true(json_is_true(json_object_get(json_object_get(answer, "keyd"), "domain")));
	assert_true(number_of(json_object_get(answer, "counters"), "http_requests_total") >= 2);
	json_decref(answer);

	LOG(NULL, LOG_WARNING, "TEST", "test.line", log_str("x", "1"));
	assert_int_equal(local(f, "GET", "/api/v1/log?tag=TEST&max=1000", NULL, &answer), 200);
	assert_int_equal(json_array_size(json_object_get(answer, "lines")), 1);
	json_decref(answer);
	refused(f, NULL, "GET", "/api/v1/log?after=x", NULL, 400, "after");
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
	assert_int_equal(local(f, "GET", "/api/v1/log?tag=TAIL&max=2", NULL, &answer), 200);
	assert_int_equal(json_array_size(json_object_get(answer, "lines")), 2);
	line_ends(answer, 0, " n=3");
	line_ends(answer, 1, " n=4");
	(void)snprintf(path, sizeof path, "/api/v1/log?tag=TAIL&max=2&after=%lld",
		(long long)number_of(answer, "last"));
	json_decref(answer);
	for (int i = 5; i < 8; i++)
		LOG(NULL, LOG_WARNING, "TAIL", "tail.line", log_int("n", i));
	assert_int_equal(local(f, "GET", path, NULL, &answer), 200);
	assert_int_equal(json_array_size(json_object_get(answer, "lines")), 2);
	line_ends(answer, 0, " n=5");
	line_ends(answer, 1, " n=6");
	json_decref(answer);
	assert_int_equal(local(f, "GET", "/api/v1/log?tag=TAIL&max=0", NULL, &answer), 200);
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

	assert_int_equal(local(f, "POST", "/api/v1/domains", "{\"name\":\"other.example\"}", NULL), 201);
	assert_int_equal(local(f, "PUT", "/api/v1/domains/example.org/aliases/alias.example", NULL,
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
		cmocka_unit_test_setup_teardown(test_domains, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_addresses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tls, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_accounts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_aliases, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_settings, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pki, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_certificates_beside, set_up, tear_down),
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
