/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * What administrators do over the API: domains, accounts, settings, keys and certificates. The store is
 * real, so is the keyd that makes the keys.
 */

#include "svc/http/api_fixture.h"

#include "base/log.h"
#include "keyd/provider.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

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

static void test_domains(void **state)
{
	struct http_fixture *f = *state;
	json_t *answer;

	assert_int_equal(api_local(f, "POST", "/api/v1/domains",
				 "{\"name\":\"B\xc3\xbc" "cher.Example\",\"pki\":\"enabled\","
				 "\"account_quota\":\"5M\"}", &answer), 201);
	assert_string_equal(api_text_of(answer, "name"), "xn--bcher-kva.example");
	assert_string_equal(api_text_of(answer, "pki"), "enabled");
	assert_int_equal(api_number_of(answer, "account_quota"), 5 << 20);
	json_decref(answer);
	assert_int_equal(api_local(f, "PUT", "/api/v1/domains/xn--bcher-kva.example/aliases/c.example",
				 NULL, NULL), 204);
	api_refused(f, NULL, "PUT", "/api/v1/domains/example.org/aliases/c.example", NULL, 409, "alias");
	assert_int_equal(api_local(f, "GET", "/api/v1/domains/c.example", NULL, &answer), 200);
	assert_string_equal(api_text_of(answer, "name"), "xn--bcher-kva.example");
	assert_int_equal(json_array_size(json_object_get(answer, "aliases")), 1);
	json_decref(answer);
	assert_int_equal(api_local(f, "PATCH", "/api/v1/domains/c.example", "{\"name\":\"d.example\"}",
				 &answer), 200);
	assert_string_equal(api_text_of(answer, "name"), "d.example");
	json_decref(answer);
	assert_true(api_audited(f, "local", "domain.rename", "xn--bcher-kva.example"));
	api_refused(f, NULL, "DELETE", "/api/v1/domains/example.org/aliases/c.example", NULL, 404, "alias");
	assert_int_equal(api_local(f, "DELETE", "/api/v1/domains/d.example/aliases/c.example", NULL, NULL),
		204);
	api_refused(f, NULL, "DELETE", "/api/v1/domains/example.org", NULL, 422, "domain");
	api_refused(f, NULL, "PATCH", "/api/v1/domains/d.example", "{\"main\":false}", 422, "main");
	/* It has nothing to show to those who name nobody. */
	api_refused(f, NULL, "PATCH", "/api/v1/domains/d.example", "{\"main\":\"yes\"}", 409, "main");
	api_refused(f, NULL, "PATCH", "/api/v1/domains/example.org", "{\"pki\":\"disabled\"}", 409, "pki");
	assert_int_equal(api_local(f, "PATCH", "/api/v1/domains/d.example",
				 "{\"pki\":\"test\",\"main\":\"yes\"}", &answer), 200);
	assert_true(json_is_true(json_object_get(answer, "main")));
	json_decref(answer);
	assert_int_equal(api_local(f, "PATCH", "/api/v1/domains/example.org",
				 "{\"pki\":\"test\",\"main\":true}", NULL), 200);
	assert_int_equal(api_local(f, "DELETE", "/api/v1/domains/d.example", NULL, NULL), 204);
	api_refused(f, NULL, "GET", "/api/v1/domains/d.example", NULL, 404, "domain");
	/* Each change of a domain's names reaches TLS. */
	assert_int_equal(f->n_rebuilds, 7);
}

static void test_addresses(void **state)
{
	struct http_fixture *f = *state;
	json_t *answer;

	assert_int_equal(api_local(f, "POST", "/api/v1/domains", "{\"name\":\"a.example\"}", NULL), 201);
	assert_int_equal(api_local(f, "PATCH", "/api/v1/domains/a.example",
				 "{\"addresses\":\"192.0.2.1, ::ffff:192.0.2.2,2001:DB8::1\"}",
				 &answer), 200);
	assert_int_equal(json_array_size(json_object_get(answer, "addresses")), 3);
	assert_string_equal(json_string_value(json_array_get(
				    json_object_get(answer, "addresses"), 2)), "192.0.2.2");
	json_decref(answer);
	api_refused(f, NULL, "PATCH", "/api/v1/domains/example.org", "{\"addresses\":\"192.0.2.2\"}", 409,
		"addresses");
	api_refused(f, NULL, "PATCH", "/api/v1/domains/a.example", "{\"addresses\":\"192.0.2\"}", 422,
		"addresses");
	api_refused(f, NULL, "PATCH", "/api/v1/domains/a.example", "{\"addresses\":\",192.0.2.1\"}", 422,
		"addresses");
	api_refused(f, NULL, "PATCH", "/api/v1/domains/a.example", "{\"addresses\":\"::1%eth0\"}", 422,
		"addresses");
	/* What was refused has taken nothing away. */
	assert_int_equal(api_local(f, "GET", "/api/v1/domains/a.example", NULL, &answer), 200);
	assert_int_equal(json_array_size(json_object_get(answer, "addresses")), 3);
	json_decref(answer);
	assert_int_equal(api_local(f, "PATCH", "/api/v1/domains/a.example", "{\"addresses\":\"\"}",
				 &answer), 200);
	assert_int_equal(json_array_size(json_object_get(answer, "addresses")), 0);
	json_decref(answer);
	assert_int_equal(api_local(f, "PATCH", "/api/v1/domains/example.org",
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
	assert_int_equal(api_local(f, "GET", path, NULL, &answer), 200);
	json_array_foreach(json_object_get(answer, "settings"), i, setting) {
		if (strcmp(api_text_of(setting, "key"), key) == 0)
			(void)snprintf(got, sizeof got, "%s (%s)", api_text_of(setting, "value"),
				api_text_of(setting, "source"));
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
	api_refused(f, NULL, "GET", "/api/v1/tls?domain=other.example", NULL, 404, "domain");
	api_refused(f, NULL, "GET", "/api/v1/tls?listener=http", NULL, 404, "listener");
	api_refused(f, NULL, "PATCH", "/api/v1/tls?domain=example.org&listener=imaps",
		"{\"oldest\":\"1.3\"}", 422, "listener");
	api_refused(f, NULL, "PATCH", "/api/v1/tls", "{\"oldest\":\"1.4\"}", 422, "oldest");
	api_refused(f, NULL, "PATCH", "/api/v1/tls", "{\"eldest\":\"1.2\"}", 422, "eldest");
	api_refused(f, NULL, "PATCH", domain, "{\"sni\":false}", 422, "sni");
	api_refused(f, NULL, "PATCH", "/api/v1/tls", "{\"oldest\":\"1.0\"}", 422, NULL);
	api_refused(f, NULL, "PATCH", listener, "{\"ciphers\":\"NULL\"}", 422, NULL);
	api_refused(f, NULL, "PATCH", domain, "{\"groups\":\"P-256:P-1\"}", 422, NULL);

	assert_int_equal(api_local(f, "PATCH", "/api/v1/tls", "{\"oldest\":\"1.0\",\"cbc\":true}",
				 &answer), 200);
	assert_int_equal(json_array_size(json_object_get(answer, "notes")), 1);
	json_decref(answer);
	/* Field by field; what would not go together anywhere is refused. */
	expect_tls(f, "?domain=example.org&listener=imaps", "oldest", "1.0 (server)");
	api_refused(f, NULL, "PATCH", listener, "{\"cbc\":false}", 422, NULL);
	api_refused(f, NULL, "PATCH", domain, "{\"cbc\":false}", 422, NULL);
	assert_int_equal(api_local(f, "PATCH", listener, "{\"oldest\":\"1.2\"}", NULL), 200);
	assert_int_equal(api_local(f, "PATCH", domain, "{\"oldest\":\"1.3\"}", NULL), 200);
	expect_tls(f, "", "oldest", "1.0 (server)");
	expect_tls(f, "?listener=imaps", "oldest", "1.2 (listener)");
	expect_tls(f, "?listener=imaps", "cbc", "yes (server)");
	expect_tls(f, "?listener=imap", "oldest", "1.0 (server)");
	expect_tls(f, "?domain=example.org&listener=imaps", "oldest", "1.3 (domain)");
	/* The server's value is fine by itself, but not for the domain. */
	api_refused(f, NULL, "PATCH", "/api/v1/tls", "{\"newest\":\"1.2\"}", 422, NULL);
	assert_int_equal(api_local(f, "PATCH", domain, "{\"oldest\":null}", NULL), 200);
	assert_int_equal(api_local(f, "PATCH", "/api/v1/tls", "{\"newest\":\"1.2\"}", NULL), 200);
	expect_tls(f, "?domain=example.org", "newest", "1.2 (server)");
	assert_true(api_audited(f, "local", "tls.set", "example.org"));
	assert_true(api_audited(f, "local", "tls.set", "imaps"));
	assert_int_equal(f->n_rebuilds, 5);
}

static void test_accounts(void **state)
{
	struct http_fixture *f = *state;
	json_t *answer, *list;

	assert_int_equal(api_local(f, "POST", "/api/v1/accounts",
				 "{\"address\":\"Carol@Example.org\",\"password\":\"secret carol\","
				 "\"name\":\"Carol <&> \xc3\xa9\",\"quota\":\"1G\"}", &answer), 201);
	assert_string_equal(api_text_of(answer, "role"), "user");
	assert_int_equal(api_number_of(answer, "quota"), 1 << 30);
	assert_string_equal(api_text_of(answer, "name"), "Carol <&> \xc3\xa9");
	json_decref(answer);
	api_refused(f, NULL, "POST", "/api/v1/accounts",
		"{\"address\":\"carol@example.org\",\"password\":\"x\"}", 409, "address");
	api_refused(f, NULL, "POST", "/api/v1/accounts",
		"{\"address\":\"a@other.example\",\"password\":\"x\"}", 422, "address");
	api_refused(f, NULL, "POST", "/api/v1/accounts", "{\"address\":\"a@\",\"password\":\"x\"}", 422,
		"address");
	api_refused(f, NULL, "POST", "/api/v1/accounts",
		"{\"address\":\"dora@example.org\",\"password\":\"x\",\"role\":\"king\"}", 422, "role");
	api_refused(f, NULL, "GET", "/api/v1/accounts/dora@example.org", NULL, 404, "address");
	assert_int_equal(api_local(f, "PATCH", "/api/v1/accounts/carol@example.org",
				 "{\"disabled\":true,\"quota\":\"default\"}", &answer), 200);
	assert_true(json_is_true(json_object_get(answer, "disabled")));
	json_decref(answer);
	api_refused(f, api_basic("carol@example.org:secret carol"), "GET", "/api/v1/accounts/carol", NULL,
		401, NULL);
	assert_int_equal(api_local(f, "GET", "/api/v1/accounts?domain=example.org", NULL, &answer), 200);
	assert_int_equal(json_array_size(json_object_get(answer, "accounts")), 3);
	json_decref(answer);
	api_refused(f, NULL, "GET", "/api/v1/accounts?domain=other.example", NULL, 404, "domain");

	assert_int_equal(api_local(f, "POST", "/api/v1/accounts/carol/mailboxes",
				 "{\"name\":\"Work/\xc3\x84rger\"}", &answer), 201);
	assert_string_equal(api_text_of(answer, "name"), "Work/\xc3\x84rger");
	json_decref(answer);
	api_refused(f, NULL, "POST", "/api/v1/accounts/carol/mailboxes", "{\"name\":\"inbox\"}", 409, "name");
	api_refused(f, NULL, "POST", "/api/v1/accounts/carol/mailboxes", "{\"name\":\"a//b\"}", 422, "name");
	api_refused(f, NULL, "POST", "/api/v1/accounts/carol/mailboxes",
		"{\"name\":\"x\",\"use\":\"fun\"}", 422, "use");
	assert_int_equal(api_local(f, "DELETE", "/api/v1/accounts/carol/mailboxes/Work%2F%C3%84rger", NULL,
				 NULL), 204);
	api_refused(f, NULL, "DELETE", "/api/v1/accounts/carol/mailboxes/INBOX", NULL, 422, "mailbox");
	assert_int_equal(api_local(f, "GET", "/api/v1/accounts/alice/mailboxes", NULL, &answer), 200);
	list = json_object_get(answer, "mailboxes");
	assert_string_equal(api_text_of(json_array_get(list, 0), "name"), "INBOX");
	json_decref(answer);

	assert_int_equal(api_local(f, "DELETE", "/api/v1/accounts/carol@example.org", NULL, NULL), 204);
	api_refused(f, NULL, "DELETE", "/api/v1/accounts/carol@example.org", NULL, 404, "address");
	api_refused(f, NULL, "DELETE", "/api/v1/accounts/alice@example.org", NULL, 422, "address");
}

static void test_aliases(void **state)
{
	struct http_fixture *f = *state;
	json_t *answer;

	assert_int_equal(api_local(f, "POST", "/api/v1/aliases",
				 "{\"address\":\"team@example.org\",\"targets\":[\"alice@example.org\","
				 "\"x@B\xc3\xbc" "cher.example\"]}", NULL), 201);
	assert_int_equal(api_local(f, "GET", "/api/v1/aliases/Team@example.org", NULL, &answer), 200);
	assert_string_equal(json_string_value(json_array_get(json_object_get(answer, "targets"), 1)),
		"x@xn--bcher-kva.example");
	json_decref(answer);
	api_refused(f, NULL, "POST", "/api/v1/aliases",
		"{\"address\":\"team@example.org\",\"targets\":[\"bob@example.org\"]}", 409, "address");
	api_refused(f, NULL, "POST", "/api/v1/aliases",
		"{\"address\":\"alice@example.org\",\"targets\":[\"bob@example.org\"]}", 409, "address");
	api_refused(f, NULL, "POST", "/api/v1/aliases",
		"{\"address\":\"t2@example.org\",\"targets\":[\"bob@example.org\",\"no address\"]}", 422,
		"targets");
	api_refused(f, NULL, "POST", "/api/v1/aliases",
		"{\"address\":\"t2@example.org\",\"targets\":[]}", 422, "targets");
	api_refused(f, NULL, "POST", "/api/v1/aliases",
		"{\"address\":\"t2@example.org\",\"targets\":[7]}", 422, "targets");
	assert_int_equal(api_local(f, "PUT", "/api/v1/aliases/team@example.org",
				 "{\"targets\":[\"bob@example.org\"]}", NULL), 204);
	assert_int_equal(api_local(f, "GET", "/api/v1/aliases?domain=example.org", NULL, &answer), 200);
	assert_int_equal(json_array_size(json_object_get(answer, "aliases")), 1);
	json_decref(answer);
	assert_int_equal(api_local(f, "DELETE", "/api/v1/aliases/team@example.org", NULL, NULL), 204);
	api_refused(f, NULL, "GET", "/api/v1/aliases/team@example.org", NULL, 404, "address");
	api_refused(f, NULL, "DELETE", "/api/v1/aliases/team@example.org", NULL, 404, "address");
}

static void test_settings(void **state)
{
	struct http_fixture *f = *state;
	json_t *answer;

	/* All or none. */
	api_refused(f, NULL, "PATCH", "/api/v1/settings", "{\"hops_max\":142,\"nonsense\":1}", 422,
		"nonsense");
	api_refused(f, NULL, "PATCH", "/api/v1/settings", "{\"hops_max\":\"many\"}", 422, "hops_max");
	api_refused(f, NULL, "PATCH", "/api/v1/settings", "{\"proxies\":\"192.0.2.1/24\"}", 422,
		"proxies");
	assert_int_equal(api_local(f, "PATCH", "/api/v1/settings",
				 "{\"proxies\":\"192.0.2.0/24, ::1\"}", NULL), 204);
	assert_int_equal(api_local(f, "PATCH", "/api/v1/settings", "{\"proxies\":null}", NULL), 204);
	assert_int_equal(api_local(f, "GET", "/api/v1/settings/hops_max", NULL, &answer), 200);
	assert_string_equal(api_text_of(answer, "value"), api_text_of(answer, "default"));
	json_decref(answer);
	assert_int_equal(api_local(f, "PATCH", "/api/v1/settings",
				 "{\"hops_max\":142,\"cleartext_login\":\"never\"}", NULL), 204);
	assert_int_equal(api_local(f, "GET", "/api/v1/settings/hops_max", NULL, &answer), 200);
	assert_string_equal(api_text_of(answer, "value"), "142");
	json_decref(answer);
	api_refused(f, ALICE, "GET", "/api/v1/status", NULL, 403, NULL);
	assert_int_equal(api_local(f, "PATCH", "/api/v1/settings", "{\"hops_max\":null}", NULL), 204);
	assert_int_equal(api_local(f, "GET", "/api/v1/settings/hops_max", NULL, &answer), 200);
	assert_string_equal(api_text_of(answer, "value"), api_text_of(answer, "default"));
	json_decref(answer);
	api_refused(f, NULL, "GET", "/api/v1/settings/nonsense", NULL, 404, "key");
	assert_true(api_audited(f, "local", "setting.set", "hops_max"));
}

static void test_pki(void **state)
{
	struct http_fixture *f = *state;
	struct http_response r;
	json_t *answer;

	assert_int_equal(api_call(f, HTTP_PLAIN, NULL, "GET", "/pki/example.org/cert.pem", NULL, NULL), 404);
	assert_int_equal(api_local(f, "POST", "/api/v1/domains/example.org/keys",
				 "{\"alias\":\"first\",\"type\":\"ec:p384\"}", &answer), 201);
	assert_string_equal(api_text_of(answer, "size"), "EC P-384, 384 bits");
	assert_memory_equal(api_text_of(answer, "public_key"), "-----BEGIN PUBLIC KEY-----\n", 27);
	assert_null(strstr(api_text_of(answer, "public_key"), "PRIVATE"));
	json_decref(answer);
	api_refused(f, NULL, "POST", "/api/v1/domains/example.org/keys", "{\"alias\":\"first\"}", 409,
		"alias");
	api_refused(f, NULL, "POST", "/api/v1/domains/example.org/keys", "{\"alias\":\"a/b\"}", 422, "alias");
	api_refused(f, NULL, "POST", "/api/v1/domains/example.org/keys", "{\"type\":\"rsa:512\"}", 422,
		"type");
	api_refused(f, NULL, "POST", "/api/v1/domains/example.org/keys",
		"{\"type\":\"ec:p256\",\"use\":\"dkim\"}", 422, "type");
	api_refused(f, NULL, "POST", "/api/v1/domains/example.org/keys", "{\"use\":\"fun\"}", 422, "use");
	assert_int_equal(api_local(f, "POST", "/api/v1/domains/example.org/keys/first/test", NULL, &answer),
		200);
	assert_true(json_is_true(json_object_get(answer, "passed")));
	assert_non_null(strstr(api_text_of(answer, "result"), "Verification String is OK"));
	json_decref(answer);
	api_refused(f, NULL, "POST", "/api/v1/domains/example.org/keys/other/test", NULL, 404, "key");

	assert_int_equal(api_local(f, "PUT", "/api/v1/domains/example.org/aliases/alias.example", NULL,
				 NULL), 204);
	f->n_rebuilds = 0;
	assert_int_equal(api_local(f, "POST", "/api/v1/domains/example.org/certificates",
				 "{\"alias\":\"mine\",\"days\":30}", &answer), 201);
	assert_int_equal(f->n_rebuilds, 1);
	assert_true(json_is_true(json_object_get(answer, "self_signed")));
	assert_int_equal(json_array_size(json_object_get(answer, "names")), 2);
	assert_string_equal(api_text_of(answer, "services"), "all");
	json_decref(answer);
	api_refused(f, NULL, "POST", "/api/v1/domains/example.org/certificates", "{\"days\":4000}", 422,
		"days");
	api_refused(f, NULL, "POST", "/api/v1/domains/example.org/certificates", "{\"days\":0}", 422, "days");
	api_refused(f, NULL, "POST", "/api/v1/domains/example.org/certificates", "{\"key\":\"other\"}", 404,
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
	assert_int_equal(api_call(f, HTTP_PLAIN, NULL, "GET", "/pki/example.org/chain.pem", NULL, NULL),
		200);

	api_refused(f, NULL, "PATCH", "/api/v1/domains/example.org/certificates/mine",
		"{\"services\":\"smtp,fun\"}", 422, "services");
	assert_int_equal(api_local(f, "PATCH", "/api/v1/domains/example.org/certificates/mine",
				 "{\"services\":\"smtp,imap\"}", &answer), 200);
	assert_string_equal(api_text_of(answer, "services"), "smtp,imap");
	json_decref(answer);
	assert_int_equal(api_call(f, HTTP_PLAIN, NULL, "GET", "/pki/example.org/cert.pem", NULL, NULL), 404);
	assert_int_equal(api_local(f, "GET", "/api/v1/domains/example.org/certificates", NULL, &answer), 200);
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

	assert_int_equal(api_local(f, "POST", "/api/v1/domains/example.org/keys", "{}", NULL), 201);
	assert_int_equal(api_local(f, "POST", certs, "{\"alias\":\"used\"}", NULL), 201);
	f->n_rebuilds = 0;
	assert_int_equal(api_local(f, "POST", certs, "{\"alias\":\"kept\",\"services\":\"none\"}", &answer),
		201);
	assert_int_equal(f->n_rebuilds, 0);
	assert_string_equal(api_text_of(answer, "services"), "");
	json_decref(answer);
	api_refused(f, NULL, "POST", certs, "{\"services\":\"fun\"}", 422, "services");
	api_refused(f, NULL, "PUT", "/api/v1/domains/example.org/certificates/none",
		"{\"certificate\":\"AAAA\"}", 404, "certificate");
	api_refused(f, NULL, "PUT", "/api/v1/domains/example.org/certificates/used",
		"{\"certificate\":\"AAAA\"}", 422, "certificate");
	api_refused(f, NULL, "PUT", "/api/v1/domains/example.org/certificates/used", "{}", 422, "certificate");

	assert_int_equal(api_local(f, "GET", "/api/v1/key-store", NULL, &answer), 200);
	assert_true(json_is_false(json_object_get(answer, "password")));
	json_decref(answer);
	assert_int_equal(api_local(f, "POST", "/api/v1/key-store/check", "{\"password\":\"x\"}", &answer), 200);
	assert_true(json_is_false(json_object_get(answer, "password")));
	json_decref(answer);
	api_refused(f, NULL, "POST", "/api/v1/key-store/check", "{\"password\":\"\"}", 422, "password");
	assert_int_equal(api_call(f, HTTP_PLAIN, BOB, "GET", "/api/v1/key-store", NULL, NULL), 403);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_domains, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_addresses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tls, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_accounts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_aliases, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_settings, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pki, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_certificates_beside, set_up, tear_down),
	};
	int failed;

	if (provider_load())
		return 1;
	log_set_stderr(false);
	environment = env_fixture_new();
	env_fixture_person(environment, "bob", "builder");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	env_fixture_free(environment);
	return failed;
}
