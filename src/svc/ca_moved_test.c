/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Whose certificates stay behind when mail for their addresses goes elsewhere. */

#include "svc/ca_moved.h"

#include "base/log.h"
#include "base/test.h"
#include "keyd/provider.h"
#include "pki/key.h"
#include "store/account.h"
#include "store/route_back.h"
#include "store/store.h"
#include "svc/ca.h"
#include "svc/ca_fixture.h"
#include "svc/ca_parts.h"

#include <string.h>

enum { MANY = 102 };

/* A key belongs to one account. */
static struct buf spki_of_alice, spki_of_bob;

/* A change, of whose domain by default the fixture's is: what it is about, and what it does. */
struct change {
	struct env_fixture *f;
	int (*about)(struct store_conn *c, struct change *k, struct route_names *names);
	int (*act)(struct store_conn *c, struct change *k);
	const char *local;
	const char *value;     /* targets, or a name */
	const char *domain;
	int64_t domain_id;
	bool revokes;
	enum issued_reason reason;
	struct ca_moved moved;
	struct buf warnings;
	unsigned n_revoked;
};

static int setup(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(arena_done) struct arena a = {};

	env_fixture_open(f);
	(void)ca_fixture_authority(f, &a, "one", "First");
	return 0;
}

static int teardown(void **state)
{
	env_fixture_close(*state);
	return 0;
}

static int find_domain(struct store_conn *c, struct change *k)
{
	CLEANUP(arena_done) struct arena a = {};
	struct store_domain domain;

	TRY(store_domain_find(c, &a, span_str(k->domain ? k->domain : "example.org"), &domain));
	k->domain_id = domain.id;
	return 0;
}

static int about_address(struct store_conn *c, struct change *k, struct route_names *names)
{
	return route_names_add_address(names, c, k->domain_id, span_str(k->local));
}

static int about_domain(struct store_conn *c, struct change *k, struct route_names *names)
{
	(void)c;
	route_names_add_domain(names, span_str(k->domain ? k->domain : "example.org"));
	route_names_add_domain(names, span_str(k->value));
	return 0;
}

static int set_alias(struct store_conn *c, struct change *k)
{
	struct span targets[3], rest = span_str(k->value);
	size_t n = 0;
	int r = store_alias_remove(c, k->domain_id, span_str(k->local));

	while (rest.n)
		targets[n++] = span_cut(&rest, ',');
	TRY(r == STORE_E_NOT_FOUND ? 0 : r);
	return n ? store_alias_add(c, k->domain_id, span_str(k->local), targets, n) : 0;
}

static int add_account(struct store_conn *c, struct change *k)
{
	const struct store_credentials credentials = { .hash = SPAN("x"), .scram = SPAN("") };
	int64_t id;

	return store_account_add(c, k->domain_id, span_str(k->local), ROLE_USER, &credentials, &id);
}

static int rename_domain(struct store_conn *c, struct change *k)
{
	return store_domain_rename(c, k->domain_id, span_str(k->value));
}

static int add_domain(struct store_conn *c, void *arg)
{
	struct change *k = arg;

	return store_domain_add(c, span_str(k->domain), &k->domain_id);
}

static int look(struct store_conn *c, void *arg)
{
	CLEANUP(route_names_done) struct route_names names = {};
	struct change *k = arg;

	TRY(find_domain(c, k));
	TRY(k->about(c, k, &names));
	return ca_moved_before(&k->moved, &k->f->env, c, &names);
}

static int act(struct store_conn *c, void *arg)
{
	struct change *k = arg;

	TRY(find_domain(c, k));
	return k->act(c, k);
}

static int warn(struct store_conn *c, void *arg)
{
	struct change *k = arg;

	return ca_moved_warn(&k->moved, c, &k->warnings);
}

static int look_act_revoke(struct store_conn *c, void *arg)
{
	struct change *k = arg;

	TRY(look(c, k));
	TRY(k->act(c, k));
	return ca_moved_revoke(&k->moved, c, k->reason, &k->n_revoked);
}

/* The change, with looks around it or, where it revokes, within. */
static void change(struct env_fixture *f, struct change *k)
{
	struct store *s = f->env.store;

	k->f = f;
	if (k->revokes) {
		assert_int_equal(store_write(s, look_act_revoke, k), 0);
	} else {
		assert_int_equal(store_read(s, look, k), 0);
		assert_int_equal(store_write(s, act, k), 0);
		assert_int_equal(store_read(s, warn, k), 0);
	}
	ca_moved_done(&k->moved);
}

/* The warnings are these, a line for each, which begins so. */
static void expect_warnings(struct change *k, const char *const *beginnings, size_t n)
{
	struct span text = buf_span(&k->warnings);

	for (size_t i = 0; i < n; i++) {
		struct span line = span_cut(&text, '\n');

		if (!span_starts(line, span_str(beginnings[i])))
			fail_msg("\"%.*s\" is not \"%s...\"", (int)line.n, (const char *)line.p,
				beginnings[i]);
	}
	if (text.n)
		fail_msg("and \"%.*s\"", (int)text.n, (const char *)text.p);
	buf_done(&k->warnings);
}

static int64_t issue(struct env_fixture *f, const char *account, const struct span *addresses,
	size_t n)
{
	CLEANUP(arena_done) struct arena a = {};
	struct ca_wish wish = { .account = env_fixture_account(f, account),
		.addresses = addresses,
		.n_addresses = n,
		.spki = buf_span(strcmp(account, "bob") == 0 ? &spki_of_bob : &spki_of_alice) };
	struct ca_certificate made;
	struct why why = {};

	if (ca_issue(&f->env, &a, &wish, NULL, NULL, &made, &why))
		fail_msg("%s: %s", err_last_trace(), why.text);
	return made.id;
}

static int64_t issue_for(struct env_fixture *f, const char *account, const char *address)
{
	struct span one = span_str(address);

	return issue(f, account, &one, 1);
}

static int get_state(struct store_conn *c, void *arg)
{
	CLEANUP(arena_done) struct arena a = {};
	struct store_issued row;

	TRY(store_issued_get(c, &a, *(int64_t *)arg, &row));
	return row.revoked_us ? 1 + (int)row.reason : 0;
}

static void expect_valid(struct env_fixture *f, int64_t id)
{
	assert_int_equal(store_read(f->env.store, get_state, &id), 0);
}

static void expect_revoked(struct env_fixture *f, int64_t id, enum issued_reason reason)
{
	assert_int_equal(store_read(f->env.store, get_state, &id), 1 + (int)reason);
}

/* The address goes to somebody else, and who had it has several certificates of one key for it. */
static void test_with_key(void **state)
{
	struct env_fixture *f = *state;
	struct change k = { .about = about_address, .act = set_alias, .local = "sales",
		.value = "alice@example.org", .revokes = true, .reason = REASON_KEY_COMPROMISE };
	int64_t ids[2];

	env_fixture_alias(f, "sales", "bob@example.org");
	for (size_t i = 0; i < 2; i++)
		ids[i] = issue_for(f, "bob", "sales@example.org");
	change(f, &k);
	assert_int_equal(k.n_revoked, 2);
	for (size_t i = 0; i < 2; i++)
		expect_revoked(f, ids[i], REASON_KEY_COMPROMISE);
}

/* An alias that moves takes along what leads to it: its addresses with a detail, and other aliases. */
static void test_along(void **state)
{
	static const char *const left[] = {
		"bob@example.org keeps a certificate for info+orders@example.org, valid until ",
		"bob@example.org keeps a certificate for sales@example.org, valid until ",
	};
	struct env_fixture *f = *state;
	struct change k = { .about = about_address, .act = set_alias, .local = "INFO",
		.value = "bob@example.org" };

	env_fixture_alias(f, "info", "bob@example.org");
	env_fixture_alias(f, "informatics", "bob@example.org");
	env_fixture_alias(f, "sales", "info@example.org");
	(void)issue_for(f, "bob", "bob@example.org");
	(void)issue_for(f, "bob", "info+orders@example.org");
	(void)issue_for(f, "bob", "sales@example.org");
	(void)issue_for(f, "bob", "informatics@example.org");
	/* To where it led before. */
	change(f, &k);
	expect_warnings(&k, NULL, 0);
	k.value = "alice@example.org";
	change(f, &k);
	expect_warnings(&k, left, 2);
}

/* An alias of another domain stands between the address and whoever had it. */
static void test_other_domain(void **state)
{
	static const char *const left[] = { "bob@example.org keeps a certificate for desk@example.org" };
	struct env_fixture *f = *state;
	struct change k = { .f = f, .about = about_address, .act = set_alias, .domain = "example.net",
		.local = "front", .value = "bob@example.org" };

	assert_int_equal(store_write(f->env.store, add_domain, &k), 0);
	assert_int_equal(store_write(f->env.store, act, &k), 0);
	env_fixture_alias(f, "desk", "front@example.net");
	(void)issue_for(f, "bob", "desk@example.org");
	k.value = "alice@example.org";
	change(f, &k);
	expect_warnings(&k, left, 1);
}

/* What an earlier change has left behind is not this one's; the order of targets is no change. */
static void test_only_this(void **state)
{
	struct env_fixture *f = *state;
	struct change k = { .about = about_address, .act = set_alias, .local = "first",
		.value = "alice@example.org", .revokes = true, .reason = REASON_AFFILIATION };
	struct change both = { .about = about_address, .act = set_alias, .local = "second",
		.value = "alice@example.org,bob@example.org" };
	int64_t first, second;

	env_fixture_alias(f, "first", "bob@example.org");
	env_fixture_alias(f, "second", "bob@example.org");
	first = issue_for(f, "bob", "first@example.org");
	second = issue_for(f, "bob", "second@example.org");
	env_fixture_alias(f, "second", "bob@example.org,alice@example.org");
	change(f, &k);
	assert_int_equal(k.n_revoked, 1);
	expect_revoked(f, first, REASON_AFFILIATION);
	expect_valid(f, second);
	change(f, &both);
	expect_warnings(&both, NULL, 0);
}

/* Somebody new has the address: whoever had it before does not get its mail back. */
static void test_account_added(void **state)
{
	static const char *const left[] = { "bob@example.org keeps a certificate for desk@example.org" };
	struct env_fixture *f = *state;
	struct change k = { .about = about_address, .act = add_account, .local = "desk" };
	struct change other = { .about = about_address, .act = add_account, .local = "carol" };
	struct change gone = { .act = set_alias, .local = "desk", .value = "" };

	env_fixture_alias(f, "desk", "bob@example.org");
	(void)issue_for(f, "bob", "desk@example.org");
	assert_int_equal(store_write(f->env.store, act, &gone), 0);
	change(f, &other);
	expect_warnings(&other, NULL, 0);
	change(f, &k);
	expect_warnings(&k, left, 1);
}

/* All its addresses cease to be; what is to be done is said with its name of today. */
static void test_domain_renamed(void **state)
{
	static const char *const left[] = { "alice@example.com keeps a certificate for alice@example.org",
		"bob@example.com keeps a certificate for bob@example.org" };
	struct env_fixture *f = *state;
	struct change k = { .about = about_domain, .act = rename_domain, .value = "example.com" };

	(void)issue_for(f, "alice", "alice@example.org");
	(void)issue_for(f, "bob", "bob@example.org");
	change(f, &k);
	assert_true(span_find_span(buf_span(&k.warnings), SPAN("signet ca revoke example.com ")) <
		buf_size(&k.warnings));
	expect_warnings(&k, left, 2);
}

/* Where nobody is called so, an administrator gets it: that ends with an account of that name. */
static void test_postmaster(void **state)
{
	static const char *const left[] = {
		"alice@example.org keeps a certificate for postmaster@example.org" };
	struct env_fixture *f = *state;
	struct change k = { .about = about_address, .act = add_account, .local = "postmaster" };

	(void)issue_for(f, "alice", "postmaster@example.org");
	change(f, &k);
	expect_warnings(&k, left, 1);
}

/* A certificate for several addresses is named once, whichever of them move. */
static void test_several(void **state)
{
	static const char *const left[] = { "bob@example.org keeps a certificate for " };
	static const struct span addresses[] = { SPAN("bob@example.org"), SPAN("info@example.org"),
		SPAN("sales@example.org") };
	struct env_fixture *f = *state;
	struct change k = { .about = about_address, .act = set_alias, .local = "info",
		.value = "alice@example.org" };

	env_fixture_alias(f, "info", "bob@example.org");
	env_fixture_alias(f, "sales", "info@example.org");
	(void)issue(f, "bob", addresses, 3);
	change(f, &k);
	expect_warnings(&k, left, 1);
}

static void test_many(void **state)
{
	struct env_fixture *f = *state;
	struct change k = { .about = about_address, .act = set_alias, .local = "info", .value = "" };
	const char *left[101];

	env_fixture_alias(f, "info", "bob@example.org");
	for (size_t i = 0; i < MANY; i++)
		(void)issue_for(f, "bob", "info@example.org");
	for (size_t i = 0; i < 100; i++)
		left[i] = "bob@example.org keeps a certificate for info@example.org";
	left[100] = "and 2 more certificates ";
	change(f, &k);
	expect_warnings(&k, left, 101);
}

/* Rows of a schema that did not know the addresses. */
static void test_noted(void **state)
{
	static const char *const left[] = { "bob@example.org keeps a certificate for info@example.org" };
	struct env_fixture *f = *state;
	struct change k = { .about = about_address, .act = set_alias, .local = "info",
		.value = "alice@example.org" };

	env_fixture_alias(f, "info", "bob@example.org");
	(void)issue_for(f, "bob", "info@example.org");
	ca_fixture_sql(f, "delete from issued_address");
	ca_fixture_sql(f, "update issued set key_sha256 = null");
	assert_int_equal(ca_tend(&f->env), 0);
	change(f, &k);
	expect_warnings(&k, left, 1);
}

static int make_key(struct buf *spki)
{
	EVP_PKEY *key;

	TRY(key_generate(&key, KEY_EC_P256));
	TRY(key_to_spki(key, spki));
	EVP_PKEY_free(key);
	return 0;
}

int main(void)
{
	struct env_fixture *f = env_fixture_new();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate_setup_teardown(test_with_key, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_along, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_other_domain, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_only_this, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_account_added, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_domain_renamed, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_postmaster, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_several, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_many, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_noted, setup, teardown, f),
	};
	int failed;

	log_set_stderr(false);
	env_fixture_person(f, "bob", "builder");
	if (provider_load() || make_key(&spki_of_alice) || make_key(&spki_of_bob))
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	buf_done(&spki_of_alice);
	buf_done(&spki_of_bob);
	env_fixture_free(f);
	provider_unload();
	return failed;
}
