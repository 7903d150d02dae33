/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Certificates made here, with a time that is set: what is told, to whom, and that it is told once. */

#include "svc/expiry.h"

#include "base/log.h"
#include "db/db.h"
#include "pki/selfsign.h"
#include "pki/trust.h"
#include "store/account.h"
#include "store/outgoing_rows.h"
#include "store/store.h"
#include "store/trust_rows.h"
#include "svc/env_fixture.h"

#include <errno.h>
#include <openssl/ec.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const int64_t start_us = 1770091506000000; /* 2026-02-03T04:05:06Z */
static const int64_t day_us = 24LL * 3600 * 1000000;

static int setup(void **state)
{
	struct env_fixture *f = *state;

	env_fixture_open(f);
	return 0;
}

static int teardown(void **state)
{
	env_fixture_close(*state);
	return 0;
}

/* DER of a self-signed certificate for a fresh key that lives so many days from the start. */
static void make_der(const char *name, unsigned days, struct buf *out)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct span names[] = { span_str(name) };
	struct selfsign s = { .signer = key,
		.subject = { .common_name = names[0], .names = names, .n_names = 1 },
		.now_us = start_us, .days = days };
	unsigned char *spki = NULL;
	int n = i2d_PUBKEY(key, &spki);

	assert_true(n > 0);
	s.spki = span_of(spki, (size_t)n);
	assert_int_equal(selfsign_make(&cert, &s, NULL), 0);
	buf_add(out, cert_der(cert));
	OPENSSL_free(spki);
}

struct planting {
	int64_t domain;
	const char *domain_name; /* made if it is not example.org */
	const char *alias, *services;
	struct span der, chain;
	int64_t id;
	bool disabled;
};

static int plant_domain(struct store_conn *c, struct planting *p)
{
	TRY(store_domain_add(c, span_str(p->domain_name), &p->domain));
	return 0;
}

static int plant_row(struct store_conn *c, void *arg)
{
	struct planting *p = arg;
	struct store_key key = { .domain = p->domain, .alias = span_str(p->alias),
		.type = SPAN("ec:p256"), .key_id = SPAN("id"), .wrapped = SPAN("w"),
		.spki = SPAN("s") };
	struct store_cert cert = { .alias = span_str(p->alias), .der = p->der, .chain = p->chain,
		.services = span_str(p->services) };

	if (p->domain_name)
		TRY(plant_domain(c, p));
	TRY(store_domain_set(c, p->domain, SPAN("pki"),
		p->disabled ? SPAN("disabled") : SPAN("enabled"), NULL));
	key.domain = cert.domain = p->domain;
	TRY(store_key_add(c, &key, &cert.key));
	TRY(store_cert_add(c, &cert, &p->id));
	return 0;
}

static void plant(struct env_fixture *f, struct planting *p, unsigned days)
{
	CLEANUP(buf_done) struct buf der = {};

	make_der(p->domain_name ? p->domain_name : "example.org", days, &der);
	p->der = buf_span(&der);
	if (!p->domain)
		p->domain = f->store->domain;
	assert_int_equal(store_write(f->env.store, plant_row, p), 0);
}

static int remove_row(struct store_conn *c, void *arg)
{
	return store_cert_remove(c, *(int64_t *)arg);
}

/* Hour by hour through a certificate's life: each threshold once, also after a restart. */
static void test_each_threshold_once(void **state)
{
	struct env_fixture *f = *state;
	struct planting p = { .alias = "first", .services = "all" };
	static const unsigned told_at[] = { 10, 26, 33, 39, 40 }; /* day of life */
	size_t n = 0;

	plant(f, &p, 40);
	for (int hour = 1; hour < 45 * 24; hour += 5) {
		unsigned day = (unsigned)hour / 24;

		assert_int_equal(expiry_check(&f->env, start_us + hour * day_us / 24), 0);
		if (n < 5 && day >= told_at[n])
			n++;
		if (env_fixture_inbox_count(f) != (int64_t)n)
			fail_msg("hour %d: %lld", hour, (long long)env_fixture_inbox_count(f));
		if (hour % 100 == 1) {
			fixture_reopen(f->store);
			f->env.store = f->store->store;
		}
	}
	env_fixture_assert_mail(f, 1, "Subject: A certificate of example.org expires in ");
	env_fixture_assert_mail(f, 1, "signet cert self-sign example.org");
	env_fixture_assert_mail(f, 3, "Name here:   first\r\n");
	env_fixture_assert_mail(f, 5, "Subject: A certificate of example.org has expired\r\n");
}

/* A server that was down while thresholds passed gives the nearest one only. */
static void test_missed_thresholds_are_not_made_up_for(void **state)
{
	struct env_fixture *f = *state;
	struct planting p = { .alias = "first", .services = "imap" };

	plant(f, &p, 40);
	assert_int_equal(expiry_check(&f->env, start_us + 36 * day_us), 0);
	assert_int_equal(expiry_check(&f->env, start_us + 36 * day_us + 1), 0);
	assert_int_equal(env_fixture_inbox_count(f), 1);
	env_fixture_assert_mail(f, 1, "Serves:      imap\r\n");
	assert_int_equal(expiry_check(&f->env, start_us + 100 * day_us), 0);
	assert_int_equal(expiry_check(&f->env, start_us + 200 * day_us), 0);
	assert_int_equal(env_fixture_inbox_count(f), 2);
}

/* Another domain's postmaster is the main domain's where it has none (RFC 5321 section 4.5.1). */
static void test_which_are_told(void **state)
{
	struct env_fixture *f = *state;
	struct planting idle = { .alias = "idle", .services = "" };
	struct planting newest = { .alias = "newest", .services = "" };
	struct planting other = { .alias = "x", .services = "all", .domain_name = "example.net" };
	struct planting off = { .alias = "x", .services = "all", .domain_name = "example.com",
		.disabled = true };

	plant(f, &idle, 20);
	plant(f, &newest, 20);
	plant(f, &other, 20);
	plant(f, &off, 20);
	assert_int_equal(expiry_check(&f->env, start_us), 0);
	assert_int_equal(env_fixture_inbox_count(f), 2);
	assert_int_equal(store_write(f->env.store, remove_row, &newest.id), 0);
	assert_int_equal(expiry_check(&f->env, start_us), 0);
	assert_int_equal(env_fixture_inbox_count(f), 3);
	env_fixture_assert_mail(f, 3, "Name here:   idle\r\n");
	assert_int_equal(store_write(f->env.store, remove_row, &other.id), 0);
	assert_int_equal(store_write(f->env.store, remove_row, &idle.id), 0);
	assert_int_equal(expiry_check(&f->env, start_us + 20 * day_us), 0);
	assert_int_equal(env_fixture_inbox_count(f), 3);
}

static int show_row(struct store_conn *c, void *arg)
{
	struct planting *p = arg;
	const struct store_outgoing rule = { .pattern = SPAN("*"), .tls = SPAN(""),
		.oldest = SPAN(""), .identity = SPAN("domain"), .domain = p->domain,
		.alias = span_str(p->alias) };

	return store_outgoing_set(c, &rule);
}

/* One that serves nothing and is what other servers are shown. */
static void test_outgoing_identity(void **state)
{
	struct env_fixture *f = *state;
	struct planting shown = { .alias = "shown", .services = "" };
	struct planting newest = { .alias = "newest", .services = "all" };

	plant(f, &shown, 20);
	plant(f, &newest, 200);
	assert_int_equal(expiry_check(&f->env, start_us), 0);
	assert_int_equal(env_fixture_inbox_count(f), 0);
	assert_int_equal(store_write(f->env.store, show_row, &shown), 0);
	assert_int_equal(expiry_check(&f->env, start_us), 0);
	assert_int_equal(env_fixture_inbox_count(f), 1);
	env_fixture_assert_mail(f, 1, "Name here:   shown\r\n");
}

/* Of a chain, what ends before the certificate; the same issuer of two certificates once. */
static void test_chain(void **state)
{
	CLEANUP(buf_done) struct buf chain = {};
	struct env_fixture *f = *state;
	struct planting first = { .alias = "first", .services = "all" };
	struct planting second = { .alias = "second", .services = "" };

	make_der("short.example", 50, &chain);
	make_der("long.example", 500, &chain);
	first.chain = second.chain = buf_span(&chain);
	plant(f, &first, 400);
	plant(f, &second, 400);
	assert_int_equal(expiry_check(&f->env, start_us + 45 * day_us), 0);
	assert_int_equal(env_fixture_inbox_count(f), 1);
	env_fixture_assert_mail(f, 1, "Subject: An issuer of the certificate of example.org expires in 5 days");
	env_fixture_assert_mail(f, 1, "Issued to:   CN=short.example\r\n");
	env_fixture_assert_mail(f, 1, "signet chain set example.org FILE");
}

struct trusting {
	enum trust_scope scope;
	int64_t domain;
	unsigned purposes;
	struct span der;
};

static int trust_row(struct store_conn *c, void *arg)
{
	const struct trusting *t = arg;
	struct store_trust row = { .domain = t->domain, .scope = t->scope, .sha256 = t->der,
		.der = t->der, .purposes = t->purposes };

	return store_trust_put(c, &row);
}

/* Authorities of client certificates: of the domain, and of the server. Others are not missed by
 * anybody who logs in. */
static void test_trusted(void **state)
{
	struct env_fixture *f = *state;
	const struct trusting rows[] = {
		{ TRUST_DOMAIN, f->store->domain, TRUST_CLIENT, {} },
		{ TRUST_SERVER_WIDE, 0, TRUST_CLIENT | TRUST_MAIL, {} },
		{ TRUST_DOMAIN, f->store->domain, TRUST_MAIL, {} },
		{ TRUST_SERVER_WIDE, 0, 0, {} },
		{ TRUST_DOMAIN, f->store->domain, TRUST_ALL_PURPOSES, {} }, /* lives on */
	};
	struct planting p = { .alias = "first", .services = "all" };

	plant(f, &p, 400);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(buf_done) struct buf der = {};
		struct trusting t = rows[i];

		make_der("ca.example", i == 4 ? 400 : 20, &der);
		t.der = buf_span(&der);
		assert_int_equal(store_write(f->env.store, trust_row, &t), 0);
	}
	assert_int_equal(expiry_check(&f->env, start_us + 15 * day_us), 0);
	assert_int_equal(env_fixture_inbox_count(f), 2);
	env_fixture_assert_mail(f, 1, "Subject: A trusted authority of example.org expires in 5 days\r\n");
	env_fixture_assert_mail(f, 2, "nobody can log in with a certificate from this authority");
}

static void test_log(void **state)
{
	CLEANUP(buf_done) struct buf log = {};
	struct env_fixture *f = *state;
	struct planting p = { .alias = "lonely", .services = "imap,pop3" };
	uint64_t before = log_read(0, "PKI", 1000, &log);

	plant(f, &p, 5);
	assert_int_equal(expiry_check(&f->env, start_us), 0);
	assert_int_equal(expiry_check(&f->env, start_us), 0);
	buf_clear(&log);
	(void)log_read(before, "PKI", 1000, &log);
	assert_int_equal(span_find(buf_span(&log), '\n'), buf_size(&log) - 1);
	assert_true(span_find_span(buf_span(&log),
			    SPAN("certificate.expires domain=example.org certificate=lonely"
				 " kind=self-signed subject=\"CN=example.org\" serves=imap,pop3"
				 " not_after=2026-02-08T04:05:06Z days=7 mailboxes=1\n")) <
		buf_size(&log));
}

/* Whatever call of the store fails: a warning is given whole at the next check, or was given. */
static void test_failures(void **state)
{
	struct env_fixture *f = *state;
	struct planting p = { .alias = "first", .services = "all" };
	unsigned n_failed = 0;
	int r = -EIO;

	plant(f, &p, 5);
	for (uint64_t nth = 1; r; nth++) {
		db_fail_at(nth, -EIO);
		r = expiry_check(&f->env, start_us);
		db_fail_at(0, 0);
		n_failed += r != 0;
		assert_int_equal(env_fixture_inbox_count(f), r == 0);
	}
	assert_true(n_failed > 10);
	assert_int_equal(expiry_check(&f->env, start_us), 0);
	assert_int_equal(env_fixture_inbox_count(f), 1);
}

/* A mailbox that is full has it all the same. */
static void test_full_mailbox(void **state)
{
	struct env_fixture *f = *state;
	struct planting p = { .alias = "first", .services = "all" };

	plant(f, &p, 5);
	env_fixture_account_set(f, "alice", "quota", "1");
	assert_int_equal(expiry_check(&f->env, start_us), 0);
	assert_int_equal(env_fixture_inbox_count(f), 1);
}

int main(void)
{
	struct env_fixture *f;
	int r;
#define ROW(test) { #test, test, setup, teardown, NULL }
	struct CMUnitTest tests[] = {
		ROW(test_each_threshold_once),
		ROW(test_missed_thresholds_are_not_made_up_for),
		ROW(test_which_are_told),
		ROW(test_outgoing_identity),
		ROW(test_chain),
		ROW(test_trusted),
		ROW(test_log),
		ROW(test_failures),
		ROW(test_full_mailbox),
	};

	log_set_stderr(false);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	f = env_fixture_new();
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		tests[i].initial_state = f;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	env_fixture_free(f);
	return r;
}
