/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Domains, accounts, aliases, and where addresses lead. */

#include "store/account.h"

#include "base/alloc.h"
#include "base/log.h"
#include "store/domain.h"
#include "store/fixture.h"
#include "store/settings.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

/* Runs one call on the writer; arguments and results lie in here. */
struct call {
	int (*f)(struct store_conn *c, struct call *call);
	int64_t id, id2;
	const char *a, *b;
	enum account_role role;
	struct store_credentials credentials;
	struct span targets[3];
	size_t n;
	struct why why;
	uint64_t number;
	struct buf text;
	struct arena arena;
	struct store_account account;
	struct store_domain domain;
	struct route route;
};

static int call_run(struct store_conn *c, void *arg)
{
	struct call *call = arg;

	return call->f(c, call);
}

static int run(struct fixture *f, struct call *call)
{
	return store_write(f->store, call_run, call);
}

static int domain_add(struct store_conn *c, struct call *k)
{
	return store_domain_add(c, span_str(k->a), &k->id);
}

static int domain_remove(struct store_conn *c, struct call *k)
{
	return store_domain_remove(c, k->id);
}

static int domain_rename(struct store_conn *c, struct call *k)
{
	return store_domain_rename(c, k->id, span_str(k->a));
}

static int domain_find(struct store_conn *c, struct call *k)
{
	return store_domain_find(c, &k->arena, span_str(k->a), &k->domain);
}

static int domain_set(struct store_conn *c, struct call *k)
{
	return store_domain_set(c, k->id, span_str(k->a), span_str(k->b), &k->why);
}

static int domain_set_main(struct store_conn *c, struct call *k)
{
	return store_domain_set_main(c, k->id);
}

static int domain_main(struct store_conn *c, struct call *k)
{
	return store_domain_main(c, &k->arena, &k->domain);
}

static int domain_alias_add(struct store_conn *c, struct call *k)
{
	return store_domain_alias_add(c, k->id, span_str(k->a));
}

static int domain_alias_remove(struct store_conn *c, struct call *k)
{
	return store_domain_alias_remove(c, span_str(k->a));
}

static int account_add(struct store_conn *c, struct call *k)
{
	return store_account_add(c, k->id, span_str(k->a), k->role, &k->credentials, &k->id2);
}

static int account_remove(struct store_conn *c, struct call *k)
{
	return store_account_remove(c, k->id);
}

static int account_find(struct store_conn *c, struct call *k)
{
	return store_account_find(c, &k->arena, span_str(k->a), &k->account, &k->credentials);
}

static int account_set(struct store_conn *c, struct call *k)
{
	return store_account_set(c, k->id, span_str(k->a), span_str(k->b), &k->why);
}

static int set_credentials(struct store_conn *c, struct call *k)
{
	return store_account_set_credentials(c, k->id, &k->credentials);
}

static int alias_add(struct store_conn *c, struct call *k)
{
	return store_alias_add(c, k->id, span_str(k->a), k->targets, k->n);
}

static int alias_remove(struct store_conn *c, struct call *k)
{
	return store_alias_remove(c, k->id, span_str(k->a));
}

static int route(struct store_conn *c, struct call *k)
{
	return store_route(c, &k->arena, span_str(k->a), span_str(k->b), "+", &k->route);
}

static int each_domain(const struct store_domain *d, void *context)
{
	buf_add_format(context, "%s ", d->name);
	return 0;
}

static int each_text(struct span text, void *context)
{
	buf_add(context, text);
	buf_add_octet(context, ' ');
	return 0;
}

static int each_alias(struct span address, struct span targets, void *context)
{
	buf_add(context, address);
	buf_add_octet(context, '=');
	buf_add(context, targets);
	buf_add_octet(context, ' ');
	return 0;
}

static int each_account(const struct store_account *account, void *context)
{
	return each_text(account->address, context);
}

static int list_domains(struct store_conn *c, struct call *k)
{
	return store_domain_each(c, each_domain, &k->text);
}

static int list_domain_aliases(struct store_conn *c, struct call *k)
{
	return store_domain_alias_each(c, k->id, each_text, &k->text);
}

static int list_aliases(struct store_conn *c, struct call *k)
{
	return store_alias_each(c, k->id, each_alias, &k->text);
}

static int list_accounts(struct store_conn *c, struct call *k)
{
	return store_account_each(c, k->id, each_account, &k->text);
}

static int64_t make_domain(struct fixture *f, const char *name)
{
	struct call k = { .f = domain_add, .a = name };

	assert_int_equal(run(f, &k), 0);
	return k.id;
}

static int64_t make_account(struct fixture *f, int64_t domain, const char *local)
{
	struct call k = { .f = account_add, .id = domain, .a = local };

	assert_int_equal(run(f, &k), 0);
	return k.id2;
}

static void make_alias(struct fixture *f, int64_t domain, const char *local, const char *target,
	const char *other)
{
	struct call k = { .f = alias_add, .id = domain, .a = local,
		.targets = { span_str(target), span_str(other) }, .n = other ? 2 : 1 };

	assert_int_equal(run(f, &k), 0);
}

static void expect_text(struct fixture *f, int (*list)(struct store_conn *, struct call *),
	int64_t id, const char *expected)
{
	struct call k = { .f = list, .id = id };
	char *text;

	assert_int_equal(run(f, &k), 0);
	text = buf_steal_string(&k.text);
	assert_string_equal(text, expected);
	free(text);
}

static int try(struct fixture *f, int (*what)(struct store_conn *, struct call *), int64_t id,
	const char *a, const char *b)
{
	struct call k = { .f = what, .id = id, .a = a, .b = b };
	int r = run(f, &k);

	arena_done(&k.arena);
	buf_done(&k.text);
	if (r == STORE_E_REFUSED && b)
		assert_true(k.why.text[0] != 0);
	return r;
}

static void test_domains(void **state)
{
	struct fixture *f = *state;
	int64_t other = make_domain(f, "Other.Example");
	struct call found = { .f = domain_find, .a = "OTHER.example" };

	assert_int_equal(run(f, &found), 0);
	assert_true(found.domain.id == other);
	assert_string_equal(found.domain.name, "other.example");
	assert_int_equal(found.domain.pki, PKI_ENABLED);
	assert_int_equal(try(f, domain_add, 0, "other.example", NULL), STORE_E_EXISTS);
	assert_int_equal(try(f, domain_add, 0, "", NULL), STORE_E_REFUSED);
	assert_int_equal(try(f, domain_find, 0, "none.example", NULL), STORE_E_NOT_FOUND);
	assert_int_equal(try(f, domain_alias_add, other, "alias.example", NULL), 0);
	assert_int_equal(try(f, domain_alias_add, other, "alias.example", NULL), STORE_E_EXISTS);
	assert_int_equal(try(f, domain_alias_add, 4711, "x.example", NULL), STORE_E_NOT_FOUND);
	assert_int_equal(try(f, domain_add, 0, "alias.example", NULL), STORE_E_EXISTS);
	expect_text(f, list_domain_aliases, other, "alias.example ");
	expect_text(f, list_domains, 0, "example.org other.example ");
	assert_int_equal(try(f, domain_rename, other, "alias.example", NULL), STORE_E_EXISTS);
	assert_int_equal(try(f, domain_rename, 4711, "new.example", NULL), STORE_E_NOT_FOUND);
	assert_int_equal(try(f, domain_rename, other, "new.example", NULL), 0);
	assert_int_equal(try(f, domain_alias_remove, 0, "none.example", NULL), STORE_E_NOT_FOUND);
	assert_int_equal(try(f, domain_set, other, "pki", "test"), 0);
	assert_int_equal(try(f, domain_set, other, "account_quota", "2M"), 0);
	assert_int_equal(try(f, domain_set, other, "pki", "perhaps"), STORE_E_REFUSED);
	assert_int_equal(try(f, domain_set, other, "colour", "red"), STORE_E_REFUSED);
	found.a = "new.example";
	assert_int_equal(run(f, &found), 0);
	assert_int_equal(found.domain.pki, PKI_TEST);
	assert_int_equal(found.domain.account_quota, 2 << 20);
	assert_int_equal(try(f, domain_remove, f->domain, NULL, NULL), STORE_E_REFUSED);
	assert_int_equal(try(f, domain_set_main, other, NULL, NULL), 0);
	found.f = domain_main;
	assert_int_equal(run(f, &found), 0);
	assert_true(found.domain.id == other);
	assert_int_equal(try(f, domain_remove, f->domain, NULL, NULL), STORE_E_IN_USE);
	assert_int_equal(try(f, domain_set_main, f->domain, NULL, NULL), 0);
	assert_int_equal(try(f, domain_remove, other, NULL, NULL), 0);
	assert_int_equal(try(f, domain_find, 0, "alias.example", NULL), STORE_E_NOT_FOUND);
	arena_done(&found.arena);
}

static void test_accounts(void **state)
{
	struct fixture *f = *state;
	struct call bob = { .f = account_add, .id = f->domain, .a = "Bob",
		.credentials = { SPAN("$argon2id$x"), SPAN("sealed") } };
	struct call found = { .f = account_find, .a = "BOB@Example.ORG" };
	uint64_t state_before;

	assert_int_equal(run(f, &bob), 0);
	assert_int_equal(run(f, &found), 0);
	assert_true(found.account.id == bob.id2);
	assert_true(span_is(found.account.address, "bob@example.org"));
	assert_true(span_is(found.credentials.hash, "$argon2id$x"));
	assert_true(span_is(found.credentials.scram, "sealed"));
	assert_int_equal(found.account.role, ROLE_USER);
	state_before = found.account.state;
	found.a = "bob"; /* of the main domain */
	assert_int_equal(run(f, &found), 0);
	assert_int_equal(try(f, account_find, 0, "bob+detail", NULL), STORE_E_NOT_FOUND);
	assert_int_equal(try(f, account_find, 0, "bob@none.example", NULL), STORE_E_NOT_FOUND);
	assert_int_equal(try(f, account_find, 0, "", NULL), STORE_E_NOT_FOUND);
	assert_int_equal(try(f, account_add, f->domain, "BOB", NULL), STORE_E_EXISTS);
	assert_int_equal(try(f, account_add, 4711, "carol", NULL), STORE_E_NOT_FOUND);
	assert_int_equal(try(f, account_add, f->domain, "a b", NULL), STORE_E_REFUSED);
	assert_int_equal(try(f, account_add, f->domain, "", NULL), STORE_E_REFUSED);
	expect_text(f, list_accounts, 0, "alice@example.org bob@example.org ");

	assert_int_equal(try(f, account_set, bob.id2, "name", "Robert"), 0);
	assert_int_equal(try(f, account_set, bob.id2, "quota", "3k"), 0);
	assert_int_equal(run(f, &found), 0);
	assert_true(span_is(found.account.name, "Robert"));
	assert_int_equal(found.account.quota, 3072);
	assert_int_equal(found.account.state, state_before);
	assert_int_equal(try(f, account_set, bob.id2, "quota", "default"), 0);
	assert_int_equal(try(f, domain_set, f->domain, "account_quota", "5k"), 0);
	assert_int_equal(run(f, &found), 0);
	assert_int_equal(found.account.quota, 5120);
	assert_int_equal(try(f, account_set, bob.id2, "quota", "0"), 0);
	assert_int_equal(try(f, account_set, bob.id2, "disabled", "yes"), 0);
	assert_int_equal(run(f, &found), 0);
	assert_int_equal(found.account.quota, 0);
	assert_true(found.account.disabled);
	assert_true(found.account.state != state_before);
	assert_int_equal(try(f, account_set, bob.id2, "quota", "much"), STORE_E_REFUSED);
	assert_int_equal(try(f, account_set, bob.id2, "colour", "red"), STORE_E_REFUSED);
	assert_int_equal(try(f, account_set, 4711, "name", "x"), STORE_E_NOT_FOUND);

	state_before = found.account.state;
	bob.f = set_credentials;
	bob.id = bob.id2;
	bob.credentials.hash = SPAN("other");
	assert_int_equal(run(f, &bob), 0);
	assert_int_equal(run(f, &found), 0);
	assert_true(found.account.state != state_before);
	assert_true(span_is(found.credentials.hash, "other"));
	arena_done(&found.arena);
}

static void test_last_administrator(void **state)
{
	struct fixture *f = *state;
	int64_t bob = make_account(f, f->domain, "bob");

	assert_int_equal(try(f, account_remove, f->account, NULL, NULL), STORE_E_REFUSED);
	assert_int_equal(try(f, account_set, f->account, "role", "user"), STORE_E_REFUSED);
	assert_int_equal(try(f, account_set, f->account, "disabled", "yes"), STORE_E_REFUSED);
	assert_int_equal(try(f, account_set, f->account, "name", "Alice"), 0);
	assert_int_equal(try(f, account_set, bob, "role", "admin"), 0);
	assert_int_equal(try(f, account_remove, f->account, NULL, NULL), 0);
	assert_int_equal(try(f, account_remove, f->account, NULL, NULL), STORE_E_NOT_FOUND);
}

/* With all its mail, which other copies of the same content do not notice. */
static void test_account_removal(void **state)
{
	struct fixture *f = *state;
	int64_t bob = make_account(f, f->domain, "bob");
	int64_t inbox = fixture_mailbox(f, bob, "INBOX");
	int64_t again;

	for (int i = 0; i < 250; i++)
		(void)fixture_deliver(f, inbox, SPAN("x"), 0);
	(void)fixture_deliver(f, f->inbox, SPAN("y"), 0);
	assert_int_equal(try(f, account_remove, bob, NULL, NULL), 0);
	assert_int_equal(try(f, account_find, 0, "bob", NULL), STORE_E_NOT_FOUND);
	again = make_account(f, f->domain, "bob");
	assert_true(again != bob);
	fixture_sweep(f);
	fixture_recount(f);
	assert_int_equal(fixture_number(f, "select count(*) from message"), 1);
	assert_int_equal(fixture_number(f, "select count(*) from content"), 1);
	assert_int_equal(fixture_number(f, "select count(*) from mailbox"), 12);
	assert_int_equal(
		fixture_number(f, "select count(*) from mailbox where account is null"), 0);
	assert_int_equal(fixture_number(f, "select n_accounts from domain"), 2);
	assert_int_equal(fixture_number(f, "select count(*) from account_removed"), 0);
}

static int lease_take(struct store_conn *c, struct call *k)
{
	return store_lease_take(c, k->id, k->number, k->id2, k->id2 + 100);
}

static int lease_release(struct store_conn *c, struct call *k)
{
	return store_lease_release(c, k->id, k->number);
}

static void test_lease(void **state)
{
	struct fixture *f = *state;
	struct call one = { .f = lease_take, .id = f->account, .number = 1, .id2 = 1000 };
	struct call two = { .f = lease_take, .id = f->account, .number = UINT64_MAX, .id2 = 1050 };

	assert_int_equal(run(f, &one), 0);
	assert_int_equal(run(f, &one), 0); /* renewed */
	assert_int_equal(run(f, &two), STORE_E_IN_USE);
	two.id2 = 1100; /* it has ended by itself */
	assert_int_equal(run(f, &two), 0);
	assert_int_equal(run(f, &one), STORE_E_IN_USE);
	one.f = lease_release; /* not the holder any more */
	assert_int_equal(run(f, &one), 0);
	one.f = lease_take;
	assert_int_equal(run(f, &one), STORE_E_IN_USE);
	two.f = lease_release;
	assert_int_equal(run(f, &two), 0);
	assert_int_equal(run(f, &one), 0);
	two.f = lease_take;
	two.id2 = 1050;
	assert_int_equal(run(f, &two), STORE_E_IN_USE);
	fixture_reopen(f); /* the holder was a process that is gone */
	assert_int_equal(run(f, &two), 0);
}

static const char *const kind_names[] = { "remote", "none", "account", "list" };

/* The route as text: kind, then the targets with their details. */
static void expect_route(struct fixture *f, const char *local, const char *domain,
	const char *expected)
{
	struct call k = { .f = route, .a = local, .b = domain };
	char *text;

	assert_int_equal(run(f, &k), 0);
	buf_add_string(&k.text, kind_names[k.route.kind]);
	for (size_t i = 0; i < k.route.n_targets; i++) {
		const struct route_target *t = &k.route.targets[i];

		buf_add_string(&k.text, t->account ? " =" : " >");
		buf_add(&k.text, t->address);
		if (t->detail.n) {
			buf_add_octet(&k.text, '/');
			buf_add(&k.text, t->detail);
		}
		if (t->disabled)
			buf_add_octet(&k.text, '!');
	}
	text = buf_steal_string(&k.text);
	assert_string_equal(text, expected);
	free(text);
	arena_done(&k.arena);
}

static void test_routes(void **state)
{
	struct fixture *f = *state;
	int64_t other = make_domain(f, "other.example");
	int64_t bob = make_account(f, other, "bob");

	(void)make_account(f, other, "bob+real");
	(void)make_account(f, other, "j\xc3\xb6rg");
	assert_int_equal(try(f, domain_alias_add, other, "alias.example", NULL), 0);
	make_alias(f, other, "team", "bob@other.example", "carol@far.example");
	make_alias(f, other, "one", "Bob@alias.example", NULL);
	make_alias(f, other, "all", "team@other.example", "one@other.example");
	make_alias(f, other, "loop", "pool@other.example", "bob@other.example");
	make_alias(f, other, "pool", "loop@other.example", NULL);
	make_alias(f, other, "nobody", "gone@other.example", NULL);

	expect_route(f, "x", "far.example", "remote");
	expect_route(f, "x", "other.example", "none");
	expect_route(f, "BOB", "Other.Example", "account =bob@other.example");
	expect_route(f, "bob", "alias.example", "account =bob@other.example");
	expect_route(f, "bob+Lists+x", "other.example", "account =bob@other.example/Lists+x");
	expect_route(f, "bob+real", "other.example", "account =bob+real@other.example");
	expect_route(f, "bob+", "other.example", "account =bob@other.example");
	expect_route(f, "+bob", "other.example", "none");
	expect_route(f, "J\xc3\x96RG", "other.example", "account =j\xc3\xb6rg@other.example");
	expect_route(f, "Jo\xcc\x88rg", "alias.example", "account =j\xc3\xb6rg@other.example");
	expect_route(f, "\xff\xfe", "other.example", "none");
	expect_route(f, "", "other.example", "none");
	expect_route(f, "team", "other.example", "list =bob@other.example >carol@far.example");
	expect_route(f, "one", "other.example", "account =bob@other.example");
	expect_route(f, "one+d", "other.example", "account =bob@other.example/d");
	expect_route(f, "all", "other.example", "list =bob@other.example >carol@far.example");
	expect_route(f, "loop", "other.example", "account =bob@other.example");
	expect_route(f, "nobody", "other.example", "none");
	assert_int_equal(try(f, account_set, bob, "disabled", "yes"), 0);
	expect_route(f, "bob", "other.example", "account =bob@other.example!");
	expect_text(f, list_aliases, f->domain, "");
	assert_int_equal(try(f, alias_remove, other, "NOBODY", NULL), 0);
	assert_int_equal(try(f, alias_remove, other, "nobody", NULL), STORE_E_NOT_FOUND);
}

static void test_postmaster(void **state)
{
	struct fixture *f = *state;
	int64_t other = make_domain(f, "other.example");

	/* Nobody of that name anywhere: the administrator. */
	expect_route(f, "postmaster", "example.org", "account =alice@example.org");
	expect_route(f, "Postmaster+x", "other.example", "account =alice@example.org/x");
	(void)make_account(f, f->domain, "postmaster");
	expect_route(f, "POSTMASTER", "other.example", "account =postmaster@example.org");
	(void)make_account(f, other, "postmaster");
	expect_route(f, "postmaster", "other.example", "account =postmaster@other.example");
}

static void test_alias_rules(void **state)
{
	struct fixture *f = *state;
	struct call k = { .f = alias_add, .id = f->domain, .a = "new", .n = 1 };

	k.targets[0] = SPAN("a,b@example.org");
	assert_int_equal(run(f, &k), STORE_E_REFUSED);
	k.targets[0] = SPAN("nowhere");
	assert_int_equal(run(f, &k), STORE_E_REFUSED);
	k.targets[0] = SPAN("x@far.example");
	k.n = 0;
	assert_int_equal(run(f, &k), STORE_E_REFUSED);
	k.n = 1;
	k.a = "Alice";
	assert_int_equal(run(f, &k), STORE_E_EXISTS);
	k.a = "new";
	assert_int_equal(run(f, &k), 0);
	assert_int_equal(run(f, &k), STORE_E_EXISTS);
	assert_int_equal(try(f, account_add, f->domain, "NEW", NULL), STORE_E_EXISTS);
	k.id = 4711;
	assert_int_equal(run(f, &k), STORE_E_NOT_FOUND);
	expect_text(f, list_aliases, 0, "new@example.org=x@far.example ");
}

static int setting_set(struct store_conn *c, struct call *k)
{
	return settings_write(c, span_str(k->a), span_str(k->b), &k->why);
}

static bool new_version(struct fixture *f, int (*what)(struct store_conn *, struct call *),
	int64_t id, const char *a, const char *b)
{
	uint64_t before = store_routes_version(f->store);

	assert_int_equal(try(f, what, id, a, b), 0);
	return store_routes_version(f->store) != before;
}

/* What is remembered of routes is forgotten whenever one of them may have changed. */
static void test_routes_version(void **state)
{
	struct fixture *f = *state;
	int64_t other, bob;

	assert_true(new_version(f, domain_add, 0, "other.example", NULL));
	other = fixture_number(f, "select max(id) from domain");
	assert_true(new_version(f, account_add, other, "bob", NULL));
	bob = fixture_number(f, "select max(id) from account");
	assert_true(new_version(f, account_set, bob, "disabled", "yes"));
	assert_true(new_version(f, account_set, bob, "quota", "1M"));
	assert_true(new_version(f, account_remove, bob, NULL, NULL));
	assert_true(new_version(f, domain_alias_add, other, "alias.example", NULL));
	assert_true(new_version(f, domain_alias_remove, 0, "alias.example", NULL));
	make_alias(f, other, "team", "x@far.example", NULL);
	assert_true(new_version(f, alias_remove, other, "team", NULL));
	assert_true(new_version(f, domain_set, other, "account_quota", "1M"));
	assert_true(new_version(f, domain_rename, other, "third.example", NULL));
	assert_true(new_version(f, domain_set_main, other, NULL, NULL));
	assert_true(new_version(f, domain_set_main, f->domain, NULL, NULL));
	assert_true(new_version(f, domain_remove, other, NULL, NULL));
	assert_true(new_version(f, setting_set, 0, "subaddress_separators", "-"));
	assert_false(new_version(f, set_credentials, f->account, NULL, NULL));
	assert_false(new_version(f, domain_find, 0, "example.org", NULL));
}

/* Not before the commit, and not for what is rolled back. */
static int refused(struct store_conn *c, struct call *k)
{
	k->number = store_routes_version(store_of(c));
	if (store_domain_add(c, SPAN("other.example"), &k->id))
		return -1;
	assert_true(store_routes_version(store_of(c)) == k->number);
	return STORE_E_REFUSED;
}

static void test_routes_version_refused(void **state)
{
	struct fixture *f = *state;
	struct call k = { .f = refused };

	assert_int_equal(run(f, &k), STORE_E_REFUSED);
	expect_route(f, "x", "other.example", "remote");
}

struct many {
	int64_t domain;
	const char *local;
	const char *prefix;
};

/* An alias with 600 remote targets. */
static int add_many(struct store_conn *c, void *arg)
{
	const struct many *many = arg;
	CLEANUP(arena_done) struct arena a = {};
	struct span targets[600];

	for (int i = 0; i < 600; i++) {
		CLEANUP(alloc_freep) char *name = alloc_format("%s%d@far.example", many->prefix, i);

		targets[i] = arena_span(&a, span_str(name));
	}
	return store_alias_add(c, many->domain, span_str(many->local), targets, 600);
}

/* Beyond ten levels or a thousand targets the look-up fails as a whole: nobody is left out
 * silently. */
static void test_route_limits(void **state)
{
	struct fixture *f = *state;
	struct many half = { f->domain, "half", "x" };
	struct many rest = { f->domain, "rest", "y" };
	struct call k = { .f = route, .b = "example.org" };

	for (int i = 0; i < 15; i++) {
		CLEANUP(alloc_freep) char *name = alloc_format("level%d", i);
		CLEANUP(alloc_freep) char *target = alloc_format("level%d@example.org", i + 1);

		make_alias(f, f->domain, name, target, NULL);
	}
	k.a = "level0";
	assert_int_equal(run(f, &k), STORE_E_LIMIT);
	k.a = "level10";
	assert_int_equal(run(f, &k), 0);
	assert_int_equal(k.route.kind, ROUTE_NONE);
	assert_int_equal(store_write(f->store, add_many, &half), 0);
	assert_int_equal(store_write(f->store, add_many, &rest), 0);
	k.a = "half";
	assert_int_equal(run(f, &k), 0);
	assert_int_equal(k.route.n_targets, 600);
	make_alias(f, f->domain, "both", "half@example.org", "rest@example.org");
	k.a = "both";
	assert_int_equal(run(f, &k), STORE_E_LIMIT);
	arena_done(&k.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_domains),
		FIXTURE_TEST(test_accounts),
		FIXTURE_TEST(test_last_administrator),
		FIXTURE_TEST(test_account_removal),
		FIXTURE_TEST(test_lease),
		FIXTURE_TEST(test_routes),
		FIXTURE_TEST(test_postmaster),
		FIXTURE_TEST(test_routes_version),
		FIXTURE_TEST(test_routes_version_refused),
		FIXTURE_TEST(test_alias_rules),
		FIXTURE_TEST(test_route_limits),
	};

	log_set_stderr(false);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
