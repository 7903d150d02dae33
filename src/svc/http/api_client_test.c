/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The API's side of client certificates: what may be chosen, set and stored, and by whom. */

#include "svc/http/client_fixture.h"

#include "base/alloc.h"
#include "base/enc.h"
#include "base/log.h"
#include "pki/trust.h"
#include "svc/client_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define DOMAIN "/api/v1/domains/example.org"
#define BOB "/api/v1/accounts/bob@example.org"

static struct env_fixture *environment;
static struct client_fixture people;

static int set_up(void **state)
{
	static struct http_fixture f;

	http_fixture_open(&f, environment);
	client_fixture_open(&people, environment);
	env_fixture_set(environment, "cleartext_login", "loopback");
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	client_fixture_close(&people);
	http_fixture_close(*state);
	return 0;
}

/* One request over the Unix socket, or as bob; the status. */
static unsigned ask(struct http_fixture *f, const char *fields, const char *method, const char *path,
	const char *json, json_t **ret_json)
{
	struct http_response r = http_request(f, fields ? HTTP_PLAIN : HTTP_LOCAL, method, path,
		fields, json);
	unsigned status = r.status;

	if (ret_json)
		*ret_json = http_response_json(&r);
	http_response_done(&r);
	return status;
}

static const char *text_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text ? text : "(none)";
}

static void refused(struct http_fixture *f, const char *method, const char *path, const char *json,
	unsigned status, const char *field, const char *detail)
{
	json_t *problem;
	unsigned got = ask(f, NULL, method, path, json, &problem);

	if (got != status || strcmp(text_of(problem, "field"), field) != 0 ||
		!strstr(text_of(problem, "detail"), detail))
		fail_msg("%s %s %s: %u %s: %s", method, path, json ? json : "", got,
			text_of(problem, "field"), text_of(problem, "detail"));
	json_decref(problem);
}

/* A body of one member that is a certificate in PEM, or a list of it. */
static char *cert_body(const char *member, const struct cert *cert, bool is_list)
{
	CLEANUP(buf_done) struct buf pem = {};
	json_t *text, *body = json_object();
	char *printed;

	cert_add_pem(cert, &pem);
	text = json_stringn((const char *)buf_span(&pem).p, buf_size(&pem));
	(void)json_object_set_new(body, member, is_list ? json_pack("[o]", text) : text);
	printed = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	return printed;
}

static char *print_of(const struct cert *cert)
{
	CLEANUP(buf_done) struct buf print = {};

	cert_add_fingerprint_text(cert, &print);
	return buf_steal_string(&print);
}

static void test_issuers(void **state)
{
	struct http_fixture *f = *state;
	struct cert_made other = cert_make(&(struct cert_order){ .subject = "CN=Other",
		.is_authority = true });
	CLEANUP(alloc_freep) char *theirs = cert_body("issuers", other.cert, true);
	CLEANUP(alloc_freep) char *ours = cert_body("issuers", people.authority.cert, true);
	CLEANUP(alloc_freep) char *print = print_of(people.authority.cert);
	CLEANUP(alloc_freep) char *one = alloc_format(DOMAIN "/client-issuers/%s", print);
	CLEANUP(alloc_freep) char *twice = alloc_format("{\"issuers\":[\"%s\",\"%s\"]}", print, print);
	json_t *answer;
	unsigned n;

	assert_int_equal(ask(f, NULL, "GET", DOMAIN "/client-issuers", NULL, &answer), 200);
	assert_string_equal(text_of(answer, "of"), "domain");
	assert_true(json_is_true(json_object_get(
		json_array_get(json_object_get(answer, "issuers"), 0), "usable")));
	json_decref(answer);
	assert_int_equal(ask(f, NULL, "GET", "/api/v1/client-issuers", NULL, &answer), 200);
	assert_string_equal(text_of(answer, "of"), "nobody");
	json_decref(answer);

	refused(f, "PUT", DOMAIN "/client-issuers", "{\"issuers\":[]}", 422, "issuers", "");
	refused(f, "PUT", DOMAIN "/client-issuers", "{\"issuers\":[1]}", 422, "issuers", "");
	refused(f, "PUT", DOMAIN "/client-issuers", "{}", 422, "issuers", "missing");
	refused(f, "PUT", DOMAIN "/client-issuers", "{\"issuers\":[\"\"]}", 422, "issuers", "PEM");
	refused(f, "PUT", DOMAIN "/client-issuers", "{\"issuers\":[\"AB:CD\"]}", 422, "issuers",
		"fingerprint");
	refused(f, "PUT", DOMAIN "/client-issuers",
		"{\"issuers\":[\"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n\"]}",
		422, "issuers", "");
	refused(f, "PUT", DOMAIN "/client-issuers", theirs, 422, "issuers",
		"CN=Other is not trusted for clients: signet trust add FILE --domain example.org");
	refused(f, "PUT", "/api/v1/client-issuers", ours, 422, "issuers", "--server --for client");
	refused(f, "PUT", DOMAIN "/client-issuers", twice, 422, "issuers", "twice");
	refused(f, "PUT", "/api/v1/domains/gone.example/client-issuers", ours, 404, "domain", "");
	refused(f, "DELETE", DOMAIN "/client-issuers/AB:CD", NULL, 404, "fingerprint", "no such");
	refused(f, "DELETE", "/api/v1/client-issuers", NULL, 404, "issuers", "no issuer");

	n = f->n_rebuilds;
	assert_int_equal(ask(f, NULL, "PUT", DOMAIN "/client-issuers", ours, NULL), 204);
	assert_int_equal(f->n_rebuilds, n + 1);
	assert_int_equal(ask(f, NULL, "PATCH", DOMAIN, "{\"client_required\":true}", NULL), 200);
	refused(f, "DELETE", one, NULL, 409, "issuers", "client_required=no");
	refused(f, "DELETE", DOMAIN "/client-issuers", NULL, 409, "issuers", "client_required=no");
	assert_int_equal(ask(f, NULL, "PATCH", DOMAIN, "{\"client_required\":\"no\"}", NULL), 200);
	assert_int_equal(ask(f, NULL, "DELETE", one, NULL, NULL), 204);
	refused(f, "DELETE", one, NULL, 404, "fingerprint", "");
	cert_made_done(&other);
}

static void test_required(void **state)
{
	static const char *const ways[] = { "true", "\"yes\"", "\"on\"", "\"true\"", "1" };
	struct http_fixture *f = *state;
	json_t *answer;

	client_fixture_trust(&people, people.authority.cert, TRUST_SERVER);
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		CLEANUP(alloc_freep) char *body =
			alloc_format("{\"client_required\":%s}", ways[i]);

		refused(f, "PATCH", DOMAIN, body, 422, "client_required", "signet client-ca set");
	}
	client_fixture_trust(&people, people.authority.cert, TRUST_CLIENT);
	assert_int_equal(ask(f, NULL, "PATCH", DOMAIN, "{\"client_required\":\"on\"}", &answer), 200);
	assert_true(json_is_true(json_object_get(answer, "client_required")));
	json_decref(answer);
	refused(f, "PATCH", DOMAIN, "{\"client_required\":\"maybe\"}", 422, "client_required", "");
	refused(f, "PATCH", DOMAIN, "{\"client_abort\":\"maybe\"}", 422, "client_abort", "default");
	assert_int_equal(ask(f, NULL, "PATCH", DOMAIN, "{\"client_abort\":true}", NULL), 200);
	assert_int_equal(ask(f, NULL, "PATCH", DOMAIN, "{\"client_abort\":\"default\"}", NULL), 200);
}

static void test_certmap(void **state)
{
	struct http_fixture *f = *state;
	CLEANUP(alloc_freep) char *alice = cert_body("certificate", people.alice.cert, false);
	json_t *answer;

	assert_int_equal(ask(f, NULL, "GET", DOMAIN "/certmap", NULL, &answer), 200);
	assert_string_equal(text_of(answer, "of"), "default");
	json_decref(answer);
	refused(f, "PUT", DOMAIN "/certmap", "{\"rules\":[]}", 422, "rules", "");
	refused(f, "PUT", DOMAIN "/certmap", "{\"rules\":[\"mail\"]}", 422, "rules", "rule 1");
	refused(f, "PUT", DOMAIN "/certmap", "{\"rules\":[\"email\",\"subject:UID\"]}", 422, "rules",
		"rule 2");
	refused(f, "POST", DOMAIN "/certmap/test", "{\"certificate\":\"\"}", 422, "certificate", "");
	refused(f, "POST", DOMAIN "/certmap/test", "{\"certificate\":\"AAAA\"}", 422, "certificate",
		"");
	assert_int_equal(ask(f, NULL, "POST", DOMAIN "/certmap/test", alice, &answer), 200);
	assert_string_equal(text_of(answer, "account"), "alice@example.org");
	assert_string_equal(text_of(answer, "rule"), "email");
	assert_true(json_is_true(json_object_get(answer, "valid")));
	json_decref(answer);

	assert_int_equal(ask(f, NULL, "PUT", DOMAIN "/certmap",
		"{\"rules\":[\"fingerprint\",\"email;verifycert;issuer=CN=X\"]}", NULL), 204);
	assert_int_equal(ask(f, NULL, "GET", DOMAIN "/certmap", NULL, &answer), 200);
	assert_string_equal(text_of(answer, "of"), "domain");
	assert_string_equal(text_of(json_array_get(json_object_get(answer, "rules"), 1), "issuer"),
		"CN=X");
	json_decref(answer);
	assert_int_equal(ask(f, NULL, "POST", DOMAIN "/certmap/test", alice, &answer), 200);
	assert_true(json_is_null(json_object_get(answer, "account")));
	assert_string_not_equal(text_of(answer, "reason"), "(none)");
	json_decref(answer);
	assert_int_equal(ask(f, NULL, "DELETE", DOMAIN "/certmap", NULL, NULL), 204);

	/* Issued by nobody whom the domain has chosen. */
	client_fixture_trust(&people, people.authority.cert, 0);
	client_fixture_require(&people, true);
	assert_int_equal(ask(f, NULL, "POST", DOMAIN "/certmap/test", alice, &answer), 200);
	assert_true(json_is_false(json_object_get(answer, "valid")));
	assert_string_not_equal(text_of(answer, "invalid_because"), "(none)");
	assert_string_equal(text_of(answer, "account"), "alice@example.org");
	json_decref(answer);
}

static void test_own(void **state)
{
	static const char as_bob[] = "Authorization: Basic Ym9iOmJ1aWxkZXI=\r\n";
	struct http_fixture *f = *state;
	CLEANUP(alloc_freep) char *body = cert_body("certificate", people.alice.cert, false);
	CLEANUP(alloc_freep) char *print = print_of(people.alice.cert);
	CLEANUP(alloc_freep) char *one = alloc_format(BOB "/certificates/%s", print);
	json_t *answer;

	refused(f, "POST", BOB "/certificates", "{}", 422, "certificate", "missing");
	refused(f, "POST", BOB "/certificates", "{\"certificate\":\"?\"}", 422, "certificate", "");
	refused(f, "DELETE", one, NULL, 404, "fingerprint", "");
	/* Who could add one would have a login that outlives the password. */
	assert_int_equal(ask(f, as_bob, "POST", BOB "/certificates", body, NULL), 403);
	assert_int_equal(ask(f, NULL, "POST", BOB "/certificates", body, NULL), 201);
	refused(f, "POST", BOB "/certificates", body, 409, "certificate", "");
	assert_int_equal(ask(f, as_bob, "GET", BOB "/certificates", NULL, &answer), 200);
	assert_string_equal(text_of(json_array_get(json_object_get(answer, "certificates"), 0),
		"fingerprint"), print);
	json_decref(answer);
	assert_int_equal(ask(f, as_bob, "GET", "/api/v1/accounts/alice@example.org/certificates",
		NULL, NULL), 403);
	assert_int_equal(ask(f, as_bob, "DELETE", one, NULL, NULL), 403);
	assert_int_equal(ask(f, NULL, "DELETE", one, NULL, NULL), 204);
	refused(f, "DELETE", one, NULL, 404, "fingerprint", "");
}

static void test_session(void **state)
{
	struct http_fixture *f = *state;
	static const char plain[] = "X: y\r\n";
	json_t *answer;

	/* Nothing was presented here, over TLS or without. */
	assert_int_equal(ask(f, plain, "POST", "/api/v1/session", "{\"certificate\":true}", &answer),
		401);
	assert_non_null(strstr(text_of(answer, "detail"), "no client certificate"));
	json_decref(answer);
	assert_int_equal(ask(f, plain, "POST", "/api/v1/session", "{}", NULL), 422);
	assert_int_equal(ask(f, plain, "POST", "/api/v1/session", "{\"login\":\"bob\"}", NULL), 422);
	assert_int_equal(ask(f, plain, "POST", "/api/v1/session",
		"{\"login\":\"bob\",\"password\":\"builder\",\"certificate\":true}", NULL), 422);
	/* An account of a domain that requires one. */
	client_fixture_require(&people, true);
	assert_int_equal(ask(f, plain, "POST", "/api/v1/session",
		"{\"login\":\"bob\",\"password\":\"builder\"}", &answer), 403);
	assert_non_null(strstr(text_of(answer, "detail"), "client certificate"));
	json_decref(answer);
}

int main(void)
{
#define CLIENT_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CLIENT_TEST(test_issuers),
		CLIENT_TEST(test_required),
		CLIENT_TEST(test_certmap),
		CLIENT_TEST(test_own),
		CLIENT_TEST(test_session),
	};
	int failed;

	log_set_stderr(false);
	environment = env_fixture_new();
	env_fixture_person(environment, "bob", "builder");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	env_fixture_free(environment);
	return failed;
}
