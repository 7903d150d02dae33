/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * What becomes of users' certificates as time passes, with a clock that is set: renewed while the key
 * is locked, and what their owners are told where that is not so.
 */

#include "svc/ca.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/test.h"
#include "keyd/provider.h"
#include "mail/own_cert.h"
#include "pki/cert_fixture.h"
#include "pki/key.h"
#include "pki/selfsign.h"
#include "store/account.h"
#include "store/secure_rows.h"
#include "store/store.h"
#include "svc/ca_fixture.h"
#include "svc/ca_parts.h"
#include "svc/secure_mail.h"
#include "svc/unlocked.h"

#include <stdlib.h>

static const int64_t day_us = 24LL * 3600 * 1000000;
static const int64_t start_us = 1770091506000000; /* 2026-02-03T04:05:06Z */
static const uint8_t session[UNLOCKED_SESSION] = "a session";

static int setup(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(arena_done) struct arena a = {};

	clock_set(start_us, 0);
	env_fixture_open(f);
	(void)ca_fixture_authority(f, &a, "ca", "Authority");
	return 0;
}

static int teardown(void **state)
{
	env_fixture_close(*state);
	clock_set(0, 0);
	return 0;
}

static struct secure_caller alice(struct env_fixture *f)
{
	return (struct secure_caller){ .account = env_fixture_account(f, "alice"),
		.address = SPAN("alice@example.org"),
		.actor = SPAN("alice@example.org"),
		.peer = SPAN("192.0.2.1"),
		.session = span_of(session, sizeof session) };
}

static int64_t make_key(struct env_fixture *f)
{
	CLEANUP(secure_made_done) struct secure_made made = {};
	struct secure_caller who = alice(f);
	struct secure_new new = { .password = SPAN("secret"), .type = SPAN("ec:p256") };
	struct why why = {};

	if (secure_mail_add(&f->env, &who, &new, &made, &why))
		fail_msg("%s", why.text);
	return made.key;
}

static void lock(struct env_fixture *f)
{
	struct secure_caller who = alice(f);

	secure_mail_lock(&f->env, &who);
	assert_int_equal(unlocked_count(f->env.unlocked, who.account), 0);
}

/* How many of the account's certificates open mail once the key is unlocked. */
static size_t n_unlocked(struct env_fixture *f)
{
	CLEANUP(secure_keys_done) struct secure_keys keys = {};
	struct secure_caller who = alice(f);
	struct why why = {};
	unsigned n;

	assert_int_equal(secure_mail_unlock(&f->env, &who, SPAN("secret"), &n, &why), 0);
	assert_int_equal(secure_mail_keys(&f->env, who.session, who.account, &keys, &why), 0);
	return keys.n;
}

/* Once a day, as many days. */
static void pass_days(struct env_fixture *f, int days)
{
	for (int i = 0; i < days; i++) {
		clock_set(clock_now_us() + day_us, 0);
		if (ca_tend(&f->env))
			fail_msg("%s", err_last_trace());
	}
}

struct current {
	int64_t account;
	struct own_cert own;
};

static int read_current(struct store_conn *c, void *arg)
{
	struct current *k = arg;

	return own_cert_find(c,
		&(struct own_cert_wish){ .account = k->account,
			.use = OWN_CERT_ENCRYPT,
			.now_us = clock_now_us() },
		&k->own);
}

static int64_t days_left(struct env_fixture *f)
{
	struct current k = { .account = env_fixture_account(f, "alice") };
	int64_t days;

	assert_int_equal(store_read(f->env.store, read_current, &k), 0);
	assert_non_null(k.own.cert);
	days = (cert_not_after_us(k.own.cert) - clock_now_us()) / day_us;
	own_cert_done(&k.own);
	return days;
}

static int64_t n_issued(struct env_fixture *f)
{
	return fixture_number(f->store, "select count(*) from issued");
}

/* The public key is what is certified again: nobody's password is needed. */
static void test_renewed_while_locked(void **state)
{
	struct env_fixture *f = *state;

	env_fixture_set(f, "ca_days", "90");
	(void)make_key(f);
	lock(f);
	for (int day = 0; day < 365; day++) {
		pass_days(f, 1);
		assert_true(days_left(f) >= 29);
	}
	/* After 57 to 60 days each time, with a message each. */
	assert_int_equal(n_issued(f), 7);
	assert_int_equal(env_fixture_inbox_count(f), 6);
	env_fixture_assert_mail(f, 1, "Subject: The certificate of your mail was renewed");
	env_fixture_assert_mail(f, 6, "Your key is the same");
	assert_int_equal(fixture_number(f->store, "select count(*) from secure_key"), 1);
	assert_int_equal(
		fixture_number(f->store, "select count(*) from secure_cert where is_current = 1"), 1);
	/* The key is what it was, and opens what was encrypted to any of them. */
	assert_int_equal(n_unlocked(f), 7);
}

static int set_from_sales(struct store_conn *c, void *arg)
{
	return store_secure_set(c, *(int64_t *)arg, SPAN("from"), SPAN("sales@example.org"), NULL);
}

static int set_from_nothing(struct store_conn *c, void *arg)
{
	return store_secure_set(c, *(int64_t *)arg, SPAN("from"), SPAN(""), NULL);
}

/* The address leads elsewhere: it is tried on and on, its owner is told, and it works once it can. */
static void test_what_cannot_be_renewed(void **state)
{
	static const char *const told[] = { "ends in 29 days", "ends in 13 days", "ends in 6 days",
		"ends in 23 hours", "The certificate of your mail has expired" };
	struct env_fixture *f = *state;
	int64_t account = env_fixture_account(f, "alice");

	env_fixture_set(f, "ca_days", "90");
	env_fixture_alias(f, "sales", "alice@example.org");
	assert_int_equal(store_write(f->env.store, set_from_sales, &account), 0);
	(void)make_key(f);
	env_fixture_alias(f, "sales", "bob@example.org");
	pass_days(f, 57);
	assert_int_equal(env_fixture_inbox_count(f), 0);
	pass_days(f, 40);
	assert_int_equal(n_issued(f), 1);
	assert_true(fixture_number(f->store, "select failures from issued") > 10);
	assert_int_equal(env_fixture_inbox_count(f), 5);
	for (uint32_t i = 0; i < 5; i++) {
		env_fixture_assert_mail(f, i + 1, told[i]);
		env_fixture_assert_mail(f, i + 1, "it could not be renewed by itself");
	}
	env_fixture_alias(f, "sales", "alice@example.org");
	pass_days(f, 1);
	assert_int_equal(n_issued(f), 2);
	assert_true(days_left(f) >= 89);
	assert_int_equal(env_fixture_inbox_count(f), 6);
	env_fixture_assert_mail(f, 6, "was renewed");
}

/* An earlier key decrypts old mail, which needs no certificate that is valid; should it become the
 * current one again, it gets one. */
static int make_current(struct store_conn *c, void *arg)
{
	const int64_t *ids = arg;

	return store_secure_key_make_current(c, ids[0], ids[1]);
}

static int64_t n_due(struct env_fixture *f)
{
	CLEANUP(alloc_freep) char *sql = alloc_format(
		"select count(*) from issued where renew > 0 and renew <= %lld", (long long)clock_now_us());

	return fixture_number(f->store, sql);
}

static void test_earlier_keys(void **state)
{
	struct env_fixture *f = *state;
	int64_t ids[] = { env_fixture_account(f, "alice"), make_key(f) };

	env_fixture_set(f, "ca_days", "825");
	(void)make_key(f);
	assert_int_equal(n_issued(f), 2);
	pass_days(f, 300);
	assert_int_equal(n_due(f), 0); /* it was looked at, and is not with each errand */
	pass_days(f, 120);
	assert_int_equal(n_issued(f), 2);
	assert_int_equal(env_fixture_inbox_count(f), 0);
	assert_int_equal(store_write(f->env.store, make_current, ids), 0);
	/* Its certificate is over: that of the other key is used meanwhile. */
	assert_true(days_left(f) < 425 && days_left(f) > 0);
	pass_days(f, 1);
	assert_true(days_left(f) > 800);
	assert_int_equal(env_fixture_inbox_count(f), 1);
}

/* What is used of an earlier key is kept up: here all that the account has for its own address. */
static void test_earlier_key_in_use(void **state)
{
	struct env_fixture *f = *state;
	int64_t account = env_fixture_account(f, "alice");

	env_fixture_set(f, "ca_days", "90");
	env_fixture_alias(f, "sales", "alice@example.org");
	(void)make_key(f);
	assert_int_equal(store_write(f->env.store, set_from_sales, &account), 0);
	env_fixture_set(f, "ca_days", "825");
	(void)make_key(f);
	assert_int_equal(store_write(f->env.store, set_from_nothing, &account), 0);
	assert_true(days_left(f) <= 90);
	env_fixture_set(f, "ca_days", "90");
	for (int day = 0; day < 130; day++) {
		pass_days(f, 1);
		assert_true(days_left(f) >= 29 && days_left(f) <= 90);
	}
	assert_int_equal(n_issued(f), 4);
	assert_int_equal(env_fixture_inbox_count(f), 2);
	/* It cannot be any more: its owner is told, also that it is over. */
	ca_fixture_sql(f, "update authority set active = 0");
	pass_days(f, 90);
	assert_int_equal(n_issued(f), 4);
	assert_int_equal(env_fixture_inbox_count(f), 7);
	env_fixture_assert_mail(f, 3, "For:         alice@example.org\r\n");
	env_fixture_assert_mail(f, 3, "it could not be renewed by itself");
	env_fixture_assert_mail(f, 7, "The certificate of your mail has expired");
}

/* CGPW-7: nothing is made for whom Secure Mail is off, and what waited is made when it is on again. */
static void test_switched_off(void **state)
{
	struct env_fixture *f = *state;

	env_fixture_set(f, "ca_days", "90");
	(void)make_key(f);
	env_fixture_account_set(f, "alice", "smime", "no");
	pass_days(f, 89);
	assert_int_equal(n_issued(f), 1);
	assert_int_equal(env_fixture_inbox_count(f), 0);
	env_fixture_account_set(f, "alice", "smime", "default");
	pass_days(f, 1);
	assert_int_equal(n_issued(f), 2);
}

static void issue_for_requests(struct env_fixture *f, int n)
{
	struct span address = SPAN("alice@example.org");

	for (int i = 0; i < n; i++) {
		CLEANUP(arena_done) struct arena a = {};
		CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
		CLEANUP(buf_done) struct buf spki = {};
		struct ca_wish wish = { .account = env_fixture_account(f, "alice"),
			.addresses = &address,
			.n_addresses = 1,
			.days = 100 };
		struct ca_certificate made;
		struct why why = {};

		assert_int_equal(key_generate(&key, KEY_EC_P256), 0);
		assert_int_equal(key_to_spki(key, &spki), 0);
		wish.spki = buf_span(&spki);
		if (ca_issue(&f->env, &a, &wish, NULL, NULL, &made, &why))
			fail_msg("%s", why.text);
	}
}

/* The key is elsewhere: its owner is told in time, each thing once, also over a restart. */
static void test_requests_are_told_of(void **state)
{
	struct env_fixture *f = *state;
	static const int told_on[] = { 70, 86, 93, 99, 100 };
	int n = 0;

	issue_for_requests(f, 1);
	for (int day = 1; day < 110; day++) {
		pass_days(f, 1);
		while (n < 5 && told_on[n] <= day)
			n++;
		if (env_fixture_inbox_count(f) != n)
			fail_msg("day %d: %d told", day, (int)env_fixture_inbox_count(f));
		if (day % 20 == 0) {
			fixture_reopen(f->store);
			f->env.store = f->store->store;
		}
	}
	assert_int_equal(n_issued(f), 1);
	env_fixture_assert_mail(f, 1, "Subject: The certificate of your mail will expire");
	env_fixture_assert_mail(f, 5, "Subject: The certificate of your mail has expired");
}

static int revoke_first(struct store_conn *c, void *arg)
{
	return ca_revoke(arg, c, 1, REASON_SUPERSEDED, NULL);
}

/* That it was revoked, at once and once; not that it ends then. */
static void test_revocation_is_told_of(void **state)
{
	struct env_fixture *f = *state;

	issue_for_requests(f, 1);
	pass_days(f, 1);
	assert_int_equal(env_fixture_inbox_count(f), 0);
	assert_int_equal(store_write(f->env.store, revoke_first, &f->env), 0);
	assert_int_equal(ca_tend(&f->env), 0);
	assert_int_equal(env_fixture_inbox_count(f), 1);
	env_fixture_assert_mail(f, 1, "Subject: The certificate of your mail was revoked");
	env_fixture_assert_mail(f, 1, "Reason:      superseded");
	fixture_reopen(f->store);
	f->env.store = f->store->store;
	pass_days(f, 110);
	assert_int_equal(env_fixture_inbox_count(f), 1);
}

/* Those that were told do not stand in the way of the others. */
static void test_many_at_once(void **state)
{
	struct env_fixture *f = *state;

	issue_for_requests(f, 250);
	clock_set(start_us + 75 * day_us, 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(ca_tend(&f->env), 0);
	assert_int_equal(env_fixture_inbox_count(f), 250);
}

/* A certificate that did not come from here, as the current one of a key. */
struct foreign {
	int64_t account;
	struct span spki, der;
	int64_t not_after_us; /* 0: from before anybody looked */
};

static int add_foreign(struct store_conn *c, void *arg)
{
	const struct foreign *x = arg;
	struct store_secure_key key = { .account = x->account,
		.key_id = x->spki,
		.type = SPAN("ec:p256"),
		.spki = x->spki,
		.wrapped = SPAN("w"),
		.current = true };
	struct store_secure_cert cert = { .sha256 = SPAN("digest"),
		.der = x->der,
		.chain = SPAN(""),
		.not_after_us = x->not_after_us,
		.current = true };
	CLEANUP(arena_done) struct arena a = {};
	struct store_secure secure;
	int64_t id;

	TRY(store_secure_get(c, &a, x->account, &secure));
	TRY(store_secure_key_add(c, &key, secure.revision, false, &cert.key));
	TRY(store_secure_cert_add(c, &cert, &id));
	return 0;
}

static void bring(struct env_fixture *f, const struct cert *cert, bool has_end)
{
	struct foreign x = { .account = env_fixture_account(f, "alice"),
		.spki = cert_spki(cert),
		.der = cert_der(cert),
		.not_after_us = has_end ? cert_not_after_us(cert) : 0 };

	assert_int_equal(store_write(f->env.store, add_foreign, &x), 0);
}

static void bring_foreign(struct env_fixture *f, unsigned days, bool has_end)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	CLEANUP(buf_done) struct buf spki = {};
	struct span names[] = { SPAN("elsewhere.example") };
	struct selfsign order = { .subject = { .common_name = names[0], .names = names, .n_names = 1 },
		.now_us = start_us,
		.days = days };

	assert_int_equal(key_generate(&key, KEY_EC_P256), 0);
	assert_int_equal(key_to_spki(key, &spki), 0);
	order.signer = key;
	order.spki = buf_span(&spki);
	assert_int_equal(selfsign_make(&cert, &order, NULL), 0);
	bring(f, cert, has_end);
}

/* Who signs here with a certificate from elsewhere is told in time; also where nobody had looked at its
 * end before. */
static void test_foreign(void **state)
{
	struct env_fixture *f = *state;

	for (int has_end = 0; has_end < 2; has_end++) {
		bring_foreign(f, 100, has_end);
		pass_days(f, 65);
		assert_int_equal(env_fixture_inbox_count(f), 0);
		assert_int_equal(fixture_number(f->store,
					 "select count(*) from secure_cert where not_after = 0"),
			0);
		pass_days(f, 40);
		assert_int_equal(env_fixture_inbox_count(f), 5);
		env_fixture_assert_mail(f, 1, "For:         alice@example.org\r\n");
		env_fixture_assert_mail(f, 1, "Issued by:   CN=elsewhere.example\r\n");
		assert_int_equal(n_issued(f), 0);
		if (!has_end) {
			(void)teardown(state);
			(void)setup(state);
		}
	}
}

/* Not while Secure Mail is off, and not of a key that another one has followed. */
static void test_foreign_not_in_use(void **state)
{
	struct env_fixture *f = *state;

	bring_foreign(f, 100, true);
	env_fixture_account_set(f, "alice", "smime", "no");
	pass_days(f, 75);
	assert_int_equal(env_fixture_inbox_count(f), 0);
	env_fixture_account_set(f, "alice", "smime", "default");
	pass_days(f, 1);
	assert_int_equal(env_fixture_inbox_count(f), 1);
	bring_foreign(f, 3000, true);
	pass_days(f, 30);
	assert_int_equal(env_fixture_inbox_count(f), 1);
}

/* Of a key that another one has followed: while that one is not for the same. */
static void test_foreign_of_earlier_key(void **state)
{
	static const char *const usages[] = { "digitalSignature", "keyAgreement",
		"digitalSignature,keyAgreement" };
	static const int64_t days[] = { 100, 3000, 3000 };
	static const int64_t told[] = { 0, 1, 1 };
	struct env_fixture *f = *state;

	for (size_t i = 0; i < 3; i++) {
		struct cert_order order = { .subject = "CN=Alice",
			.names = "email:alice@example.org",
			.from_us = start_us,
			.till_us = start_us + days[i] * day_us,
			.more = { { "keyUsage", usages[i] } } };
		struct cert_made made = cert_make(&order);

		bring(f, made.cert, true);
		cert_made_done(&made);
		clock_set(start_us + (i < 1 ? 60 : i < 2 ? 75 : 90) * day_us, 0);
		assert_int_equal(ca_tend(&f->env), 0);
		assert_int_equal(env_fixture_inbox_count(f), told[i]);
	}
}

struct damage {
	int64_t account;
};

static int damage(struct store_conn *c, void *arg)
{
	const struct damage *d = arg;
	struct store_issued row = { .authority = 1,
		.account = d->account,
		.serial = SPAN("damaged"),
		.address = SPAN("alice@example.org"),
		.der = SPAN("no certificate"),
		.not_after_us = start_us + 60 * day_us };

	return store_issued_add(c, &row, &row.id);
}

/* A row that nobody can read ends neither lists nor what others are told. */
static void test_damaged_row(void **state)
{
	struct env_fixture *f = *state;
	struct damage d = { env_fixture_account(f, "alice") };

	issue_for_requests(f, 1);
	assert_int_equal(store_write(f->env.store, damage, &d), 0);
	clock_set(start_us + 75 * day_us, 0);
	assert_int_equal(ca_tend(&f->env), 0);
	assert_int_equal(env_fixture_inbox_count(f), 1);
	assert_int_equal(fixture_number(f->store, "select crl_number from authority"), 1);
}

/* Nor is it tried to be renewed again and again. */
static void test_damaged_renewal(void **state)
{
	struct env_fixture *f = *state;

	(void)make_key(f);
	ca_fixture_sql(f, "update secure_cert set der = 'no certificate'");
	ca_fixture_sql(f, "update issued set der = 'no certificate', renew = 1");
	assert_int_equal(ca_tend(&f->env), 0);
	assert_int_equal(fixture_number(f->store, "select renew from issued"), 0);
	assert_int_equal(n_issued(f), 1);
}

/* An authority that nobody can read ends no other one's lists. */
static void test_lists_beside_damage(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(arena_done) struct arena a = {};

	(void)ca_fixture_authority(f, &a, "two", "Second");
	ca_fixture_sql(f, "update authority set der = 'no certificate' where id = 1");
	assert_true(ca_tend(&f->env) < 0);
	assert_int_equal(fixture_number(f->store, "select crl_number from authority where id = 1"), 0);
	assert_int_equal(fixture_number(f->store, "select crl_number from authority where id = 2"), 1);
}

/* A message that cannot be delivered keeps none of the others back. */
static void test_failing_notice(void **state)
{
	struct env_fixture *f = *state;

	issue_for_requests(f, 3);
	bring_foreign(f, 90, false);
	ca_fixture_sql(f, "create trigger broken before update of told on issued when old.id = 1"
			  " begin select raise(abort, 'broken'); end");
	clock_set(start_us + 75 * day_us, 0);
	assert_true(ca_tend(&f->env) < 0);
	assert_int_equal(env_fixture_inbox_count(f), 3);
	assert_int_equal(fixture_number(f->store,
				 "select count(*) from secure_cert where not_after = 0"), 0);
	ca_fixture_sql(f, "drop trigger broken");
	assert_int_equal(ca_tend(&f->env), 0);
	assert_int_equal(env_fixture_inbox_count(f), 4);
}

/* Nor do many: the next errand goes on behind them, and they have their turn again. */
static void test_many_failing(void **state)
{
	struct env_fixture *f = *state;

	issue_for_requests(f, 250);
	ca_fixture_sql(f, "update issued set revoked = 1770091506000001 where id % 2 = 0");
	ca_fixture_sql(f, "create trigger broken before update of told on issued when old.id <= 240"
			  " begin select raise(abort, 'broken'); end");
	clock_set(start_us + 5 * day_us, 0);
	for (int i = 0; i < 2; i++)
		assert_true(ca_tend(&f->env) < 0);
	assert_int_equal(env_fixture_inbox_count(f), 5);
	clock_set(start_us + 75 * day_us, 0);
	for (int i = 0; i < 2; i++)
		assert_true(ca_tend(&f->env) < 0);
	assert_int_equal(env_fixture_inbox_count(f), 10);
	ca_fixture_sql(f, "drop trigger broken");
	for (int i = 0; i < 2; i++)
		assert_int_equal(ca_tend(&f->env), 0);
	assert_int_equal(env_fixture_inbox_count(f), 130);
}

int main(void)
{
	struct env_fixture *f = env_fixture_new();
	int failed;
#define ROW(test) cmocka_unit_test_prestate_setup_teardown(test, setup, teardown, f)
	const struct CMUnitTest tests[] = {
		ROW(test_renewed_while_locked),
		ROW(test_what_cannot_be_renewed),
		ROW(test_earlier_keys),
		ROW(test_earlier_key_in_use),
		ROW(test_switched_off),
		ROW(test_requests_are_told_of),
		ROW(test_revocation_is_told_of),
		ROW(test_many_at_once),
		ROW(test_foreign),
		ROW(test_foreign_not_in_use),
		ROW(test_foreign_of_earlier_key),
		ROW(test_damaged_row),
		ROW(test_damaged_renewal),
		ROW(test_lists_beside_damage),
		ROW(test_failing_notice),
		ROW(test_many_failing),
	};

	log_set_stderr(false);
	env_fixture_person(f, "bob", "builder");
	if (provider_load())
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	env_fixture_free(f);
	provider_unload();
	return failed;
}
