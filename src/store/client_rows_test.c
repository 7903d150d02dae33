/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "store/client_rows.h"

#include "base/log.h"
#include "store/account.h"
#include "store/domain.h"
#include "store/fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

struct call {
	int (*f)(struct store_conn *c, struct call *call);
	struct fixture *fixture;
	int64_t domain, account, other; /* other: an account of another domain */
	struct span sha256;
	const struct span *one;
	const struct span *rules;
	size_t n_rules;
	struct buf text;
	bool has;
};

static int call_run(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return k->f(c, k);
}

static int write(struct call *k, int (*f)(struct store_conn *c, struct call *k))
{
	k->f = f;
	return store_write(k->fixture->store, call_run, k);
}

static int see_cert(const struct store_client_cert *cert, void *context)
{
	struct call *k = context;

	buf_add(&k->text, cert->sha256);
	buf_add_octet(&k->text, '=');
	buf_add(&k->text, cert->der);
	buf_add_octet(&k->text, ' ');
	return 0;
}

static int see_rule(struct span rule, void *context)
{
	struct call *k = context;

	buf_add(&k->text, rule);
	buf_add_octet(&k->text, ' ');
	return 0;
}

static int see_account(int64_t account, void *context)
{
	struct call *k = context;

	buf_add_string(&k->text, account == k->account ? "alice " : "other ");
	return 0;
}

static int issuer_add(struct store_conn *c, struct call *k)
{
	return store_client_issuer_add(c, k->domain, k->sha256, SPAN("der"));
}

static int issuer_remove(struct store_conn *c, struct call *k)
{
	return store_client_issuer_remove(c, k->domain, k->one);
}

static int issuer_each(struct store_conn *c, struct call *k)
{
	return store_client_issuer_each(c, k->domain, see_cert, k);
}

static int rules_set(struct store_conn *c, struct call *k)
{
	return store_certmap_set(c, k->domain, k->rules, k->n_rules);
}

static int rules_each(struct store_conn *c, struct call *k)
{
	return store_certmap_each(c, k->domain, see_rule, k);
}

static int own_add(struct store_conn *c, struct call *k)
{
	return store_account_cert_add(c, k->account, k->sha256, SPAN("der"));
}

static int own_remove(struct store_conn *c, struct call *k)
{
	return store_account_cert_remove(c, k->account, k->sha256);
}

static int own_each(struct store_conn *c, struct call *k)
{
	return store_account_cert_each(c, k->account, see_cert, k);
}

static int own_has(struct store_conn *c, struct call *k)
{
	return store_account_cert_has(c, k->account, k->sha256, &k->has);
}

static int owners(struct store_conn *c, struct call *k)
{
	return store_account_cert_owners(c, k->domain, k->sha256, see_account, k);
}

static void expect(struct call *k, int (*f)(struct store_conn *c, struct call *k), const char *text)
{
	buf_clear(&k->text);
	k->f = f;
	assert_int_equal(store_read(k->fixture->store, call_run, k), 0);
	assert_true(span_is(buf_span(&k->text), text));
}

static int add_stranger(struct store_conn *c, struct call *k)
{
	struct store_credentials none = {};
	int64_t domain;

	TRY(store_domain_add(c, SPAN("example.net"), &domain));
	TRY(store_account_add(c, domain, SPAN("alice"), ROLE_USER, &none, &k->other));
	TRY(store_account_cert_add(c, k->other, SPAN("one"), SPAN("der")));
	return 0;
}

static int account_remove(struct store_conn *c, struct call *k)
{
	return store_account_remove(c, k->other);
}

static struct call start(void **state)
{
	struct fixture *f = *state;

	return (struct call){ .fixture = f, .domain = f->domain, .account = f->account };
}

static void test_issuers(void **state)
{
	struct span one = SPAN("one");
	struct call k = start(state);

	expect(&k, issuer_each, "");
	assert_int_equal(write(&k, issuer_remove), STORE_E_NOT_FOUND);
	k.sha256 = SPAN("two");
	assert_int_equal(write(&k, issuer_add), 0);
	k.sha256 = one;
	assert_int_equal(write(&k, issuer_add), 0);
	assert_int_equal(write(&k, issuer_add), STORE_E_EXISTS);
	expect(&k, issuer_each, "two=der one=der ");

	/* The server's are others. */
	k.domain = 0;
	expect(&k, issuer_each, "");
	assert_int_equal(write(&k, issuer_add), 0);
	assert_int_equal(write(&k, issuer_add), STORE_E_EXISTS);
	expect(&k, issuer_each, "one=der ");
	k.one = &one;
	assert_int_equal(write(&k, issuer_remove), 0);
	assert_int_equal(write(&k, issuer_remove), STORE_E_NOT_FOUND);
	expect(&k, issuer_each, "");

	k.domain = k.fixture->domain;
	assert_int_equal(write(&k, issuer_remove), 0);
	expect(&k, issuer_each, "two=der ");
	k.one = NULL;
	assert_int_equal(write(&k, issuer_remove), 0);
	expect(&k, issuer_each, "");

	for (int i = 0; i < CLIENT_ISSUERS_MAX; i++) {
		uint8_t octet = (uint8_t)i;

		k.sha256 = span_of(&octet, 1);
		assert_int_equal(write(&k, issuer_add), 0);
	}
	k.sha256 = one;
	assert_int_equal(write(&k, issuer_add), STORE_E_LIMIT);
	k.domain = 0;
	assert_int_equal(write(&k, issuer_add), 0);
	buf_done(&k.text);
}

static void test_rules(void **state)
{
	const struct span rules[] = { SPAN("b"), SPAN("a"), SPAN("b") };
	struct span many[CERTMAP_RULES_MAX + 1];
	struct call k = start(state);

	k.rules = rules;
	k.n_rules = 3;
	assert_int_equal(write(&k, rules_set), 0);
	expect(&k, rules_each, "b a b ");
	k.domain = 0;
	expect(&k, rules_each, "");
	k.n_rules = 1;
	assert_int_equal(write(&k, rules_set), 0);
	expect(&k, rules_each, "b ");
	k.domain = k.fixture->domain;
	expect(&k, rules_each, "b a b ");
	k.n_rules = 0;
	assert_int_equal(write(&k, rules_set), 0);
	expect(&k, rules_each, "");

	for (size_t i = 0; i <= CERTMAP_RULES_MAX; i++)
		many[i] = SPAN("x");
	k.rules = many;
	k.n_rules = CERTMAP_RULES_MAX + 1;
	assert_int_equal(write(&k, rules_set), STORE_E_LIMIT);
	k.n_rules = CERTMAP_RULES_MAX;
	assert_int_equal(write(&k, rules_set), 0);
	buf_done(&k.text);
}

static void test_own(void **state)
{
	struct call k = start(state);

	assert_int_equal(write(&k, add_stranger), 0);
	k.sha256 = SPAN("one");
	expect(&k, owners, "");
	assert_int_equal(write(&k, own_remove), STORE_E_NOT_FOUND);
	assert_int_equal(write(&k, own_add), 0);
	assert_int_equal(write(&k, own_add), STORE_E_EXISTS);
	expect(&k, own_each, "one=der ");
	expect(&k, owners, "alice ");
	expect(&k, own_has, "");
	assert_true(k.has);
	k.sha256 = SPAN("two");
	expect(&k, own_has, "");
	assert_false(k.has);

	/* They go with their account. */
	assert_int_equal(write(&k, account_remove), 0);
	assert_int_equal(fixture_number(k.fixture, "SELECT count(*) FROM account_cert"), 1);
	k.account = k.other;
	assert_int_equal(write(&k, own_add), STORE_E_NOT_FOUND);

	k.account = k.fixture->account;
	k.sha256 = SPAN("one");
	assert_int_equal(write(&k, own_remove), 0);
	expect(&k, own_each, "");
	for (int i = 0; i < ACCOUNT_CERTS_MAX; i++) {
		uint8_t octet = (uint8_t)i;

		k.sha256 = span_of(&octet, 1);
		assert_int_equal(write(&k, own_add), 0);
	}
	k.sha256 = SPAN("one");
	assert_int_equal(write(&k, own_add), STORE_E_LIMIT);
	buf_done(&k.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_issuers),
		FIXTURE_TEST(test_rules),
		FIXTURE_TEST(test_own),
	};

	log_set_stderr(false);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
