/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Whatever makes addresses lead elsewhere says which certificates that leaves behind. */

#include "svc/http/api_fixture.h"

#include "base/log.h"
#include "keyd/provider.h"
#include "pki/key.h"
#include "svc/ca.h"
#include "svc/ca_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

#define API "/api/v1"

static struct env_fixture *environment;

static int set_up(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	static struct http_fixture f;

	http_fixture_open(&f, environment);
	env_fixture_account_set(environment, "alice", "role", "admin");
	(void)ca_fixture_authority(environment, &a, "one", "First");
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	http_fixture_close(*state);
	return 0;
}

/* For a key of its own. */
static void issue(const char *account, const char *address)
{
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(buf_done) struct buf spki = {};
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	struct span one = span_str(address);
	struct ca_wish wish = { .account = env_fixture_account(environment, account),
		.addresses = &one,
		.n_addresses = 1 };
	struct ca_certificate made;
	struct why why = {};

	assert_int_equal(key_generate(&key, KEY_EC_P256), 0);
	assert_int_equal(key_to_spki(key, &spki), 0);
	wish.spki = buf_span(&spki);
	if (ca_issue(&environment->env, &a, &wish, NULL, NULL, &made, &why))
		fail_msg("%s: %s", address, why.text);
}

/* One request: its status, and whose certificate the one warning is about; NULL: there is none. */
struct step {
	const char *method, *path, *json;
	unsigned status;
	const char *left;
};

static void take(struct http_fixture *f, const struct step *s)
{
	json_t *answer = NULL;
	unsigned status = api_local(f, s->method, s->path, s->json, &answer);
	const json_t *warnings = json_object_get(answer, "warnings");
	const char *text = json_string_value(json_array_get(warnings, 0));
	char wanted[100] = "";

	if (s->left)
		(void)snprintf(wanted, sizeof wanted, " keeps a certificate for %s, ", s->left);
	if (status != s->status || json_array_size(warnings) != (s->left != NULL) ||
		(s->left && !strstr(text, wanted)))
		fail_msg("%s %s %s: %u, %zu warnings: %s", s->method, s->path, s->json ? s->json : "",
			status, json_array_size(warnings), text ? text : "-");
	assert_null(json_object_get(answer, "revoked"));
	json_decref(answer);
}

static void take_all(struct http_fixture *f, const struct step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++)
		take(f, &steps[i]);
}

#define TAKE_ALL(f, ...)                                                                           \
	take_all((f), (const struct step[]){ __VA_ARGS__ },                                        \
		sizeof((const struct step[]){ __VA_ARGS__ }) / sizeof(struct step))

#define NEW(address) "{\"address\":\"" address "\",\"password\":\"a long enough word\"}"

static void test_accounts(void **state)
{
	env_fixture_alias(environment, "desk", "bob@example.org");
	issue("bob", "desk@example.org");
	issue("bob", "bob+x@example.org");
	TAKE_ALL(*state,
		{ "POST", API "/accounts", NEW("carol@example.org"), 201, NULL },
		{ "DELETE", API "/aliases/desk@example.org", NULL, 200, "desk@example.org" },
		{ "POST", API "/accounts", NEW("Desk@example.org"), 201, "desk@example.org" },
		{ "DELETE", API "/accounts/desk@example.org", NULL, 200, "desk@example.org" },
		/* A name of its own, which was the detail of another. */
		{ "POST", API "/accounts", NEW("bob+x@example.org"), 201, "bob+x@example.org" },
		{ "DELETE", API "/accounts/bob+x@example.org", NULL, 204, NULL },
		{ "DELETE", API "/accounts/carol", NULL, 204, NULL },
		/* What an account has goes with it. */
		{ "DELETE", API "/accounts/bob@example.org", NULL, 204, NULL });
}

/* Which administrator it is where nobody is called so, and which domain's. */
static void test_postmaster(void **state)
{
	issue("alice", "postmaster@example.org");
	TAKE_ALL(*state,
		{ "PATCH", API "/accounts/bob@example.org", "{\"role\":\"admin\"}", 200, NULL },
		{ "PATCH", API "/accounts/alice@example.org", "{\"name\":\"Alice\"}", 200, NULL },
		{ "PATCH", API "/accounts/alice@example.org", "{\"disabled\":true}", 200,
			"postmaster@example.org" },
		{ "PATCH", API "/accounts/alice@example.org", "{\"disabled\":false}", 200, NULL },
		{ "PATCH", API "/accounts/alice@example.org", "{\"role\":\"user\"}", 200,
			"postmaster@example.org" },
		{ "DELETE", API "/accounts/bob@example.org", NULL, 422, NULL },
		{ "PATCH", API "/accounts/alice@example.org", "{\"role\":\"admin\"}", 200, NULL },
		{ "POST", API "/domains", "{\"name\":\"m.example\",\"pki\":\"test\"}", 201, NULL },
		{ "POST", API "/aliases",
			"{\"address\":\"postmaster@m.example\",\"targets\":[\"bob@example.org\"]}",
			201, NULL },
		{ "PATCH", API "/domains/m.example", "{\"main\":true}", 200,
			"postmaster@example.org" },
		{ "PUT", API "/aliases/postmaster@m.example",
			"{\"targets\":[\"alice@example.org\"]}", 204, NULL });
}

static void test_domains(void **state)
{
	issue("bob", "bob@example.org");
	TAKE_ALL(*state,
		{ "PATCH", API "/domains/example.org", "{\"account_quota\":\"5M\"}", 200, NULL },
		{ "PATCH", API "/domains/example.org", "{\"name\":\"new.example\"}", 200,
			"bob@example.org" },
		/* The old name leads there still. */
		{ "PUT", API "/domains/new.example/aliases/example.org", NULL, 204, NULL },
		{ "DELETE", API "/domains/new.example/aliases/example.org", NULL, 200,
			"bob@example.org" },
		/* A domain of others, then of nobody, then of another bob. */
		{ "POST", API "/domains", "{\"name\":\"Example.org\"}", 201, "bob@example.org" },
		{ "POST", API "/accounts", NEW("bob@example.org"), 201, "bob@example.org" },
		{ "DELETE", API "/domains/example.org", NULL, 409, NULL },
		{ "DELETE", API "/accounts/bob@example.org", NULL, 200, "bob@example.org" },
		{ "DELETE", API "/domains/example.org", NULL, 200, "bob@example.org" },
		/* Of another domain, and gone with it. */
		{ "POST", API "/domains", "{\"name\":\"other.example\"}", 201, NULL },
		{ "PUT", API "/domains/other.example/aliases/example.org", NULL, 200,
			"bob@example.org" },
		{ "DELETE", API "/domains/other.example", NULL, 200, "bob@example.org" },
		{ "PATCH", API "/domains/new.example", "{\"name\":\"example.org\"}", 200, NULL });
}

static void test_separators(void **state)
{
	issue("bob", "bob+list@example.org");
	TAKE_ALL(*state, { "PATCH", API "/settings", "{\"hops_max\":142}", 204, NULL },
		{ "PATCH", API "/settings", "{\"subaddress_separators\":\"-\"}", 200,
			"bob+list@example.org" },
		{ "PATCH", API "/settings", "{\"subaddress_separators\":null}", 204, NULL });
}

static void revoke(struct http_fixture *f, const char *method, const char *path, const char *json,
	unsigned status)
{
	json_t *answer;

	assert_int_equal(api_local(f, method, path, json, &answer), status);
	assert_int_equal(api_number_of(answer, "revoked"), 1);
	assert_int_equal(json_array_size(json_object_get(answer, "warnings")), 0);
	json_decref(answer);
}

/* With the reason given, and with the change or not at all. */
static void test_revoked(void **state)
{
	struct http_fixture *f = *state;

	env_fixture_alias(environment, "desk", "bob@example.org");
	issue("bob", "desk@example.org");
	take(f, &(struct step){ "DELETE", API "/aliases/desk@example.org", NULL, 200,
			"desk@example.org" });
	api_refused(f, NULL, "POST", API "/accounts?revoke=boredom", NEW("desk@example.org"), 422,
		"revoke");
	api_refused(f, NULL, "POST", API "/accounts?revoke=", NEW("desk@example.org"), 422, "revoke");
	api_refused(f, NULL, "POST", API "/accounts?revok=superseded", NEW("desk@example.org"), 400,
		"revok");
	api_refused(f, NULL, "POST", API "/accounts?revoke=superseded",
		"{\"address\":\"desk@example.org\",\"password\":\"a long enough word\","
		"\"quota\":\"much\"}", 422, "quota");
	assert_int_equal(fixture_number(environment->store, "select count(*) from issued"
							    " where revoked <> 0"), 0);
	revoke(f, "POST", API "/accounts?revoke=affiliationChanged", NEW("desk@example.org"), 201);
	issue("bob", "bob@example.org");
	revoke(f, "PATCH", API "/domains/example.org?revoke=affiliationChanged",
		"{\"name\":\"new.example\"}", 200);
	assert_int_equal(fixture_number(environment->store, "select count(*) from issued"
							    " where revoked <> 0 and reason = 3"), 2);
	/* There is nothing left to be said or done. */
	take(f, &(struct step){ "DELETE", API "/accounts/desk@new.example?revoke=superseded", NULL, 204,
			NULL });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_accounts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_postmaster, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_domains, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_separators, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_revoked, set_up, tear_down),
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
	provider_unload();
	return failed;
}
