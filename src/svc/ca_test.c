/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* A domain's authority with its key in keyd: who gets a certificate, and what becomes of it. */

#include "svc/ca.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/test.h"
#include "keyd/provider.h"
#include "pki/authority.h"
#include "pki/crl.h"
#include "pki/key.h"
#include "store/store.h"
#include "svc/ca_status.h"
#include "svc/domain_keys.h"
#include "svc/ca_fixture.h"

#include <pthread.h>

enum { PARALLEL = 50, REVOKERS = 20 };

static const int64_t day_us = 24LL * 3600 * 1000000;

static struct buf person_spki;

static int setup(void **state)
{
	env_fixture_open(*state);
	return 0;
}

static int teardown(void **state)
{
	clock_set(0, 0);
	env_fixture_close(*state);
	return 0;
}

static struct span alice[] = { { (const uint8_t *)"alice@example.org", 17 } };

static struct ca_wish wish_of(struct env_fixture *f)
{
	return (struct ca_wish){ .account = env_fixture_account(f, "alice"),
		.addresses = alice,
		.n_addresses = 1,
		.spki = buf_span(&person_spki) };
}

static void test_issue(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	CLEANUP(cert_list_done) struct cert_list chain = {};
	struct ca_wish wish = wish_of(f);
	struct ca_certificate made = {};
	struct why why = {};

	assert_int_equal(ca_issue(&f->env, &a, &wish, NULL, NULL, &made, &why), CA_E_NONE);
	assert_non_null(strstr(why.text, "signet ca create example.org"));
	(void)ca_fixture_authority(f, &a, "one", "First");
	assert_int_equal(ca_issue(&f->env, &a, &wish, NULL, NULL, &made, &why), 0);
	assert_int_equal(cert_from_der(&cert, made.der, &why), 0);
	assert_int_equal(cert_list_from_der(&chain, made.chain, &why), 0);
	assert_int_equal(chain.n, 1);
	assert_int_equal(X509_verify(cert_x509(cert), X509_get0_pubkey(cert_x509(chain.certs[0]))),
		1);
	assert_true(cert_has_key(cert, buf_span(&person_spki)));
	/* The setting ca_days. */
	assert_true(cert_not_after_us(cert) - clock_now_us() < 397LL * 24 * 3600 * 1000000);
	env_fixture_set(f, "ca_days", "10");
	assert_int_equal(ca_issue(&f->env, &a, &wish, NULL, NULL, &made, &why), 0);
	assert_true(made.not_after_us - clock_now_us() < 10LL * 24 * 3600 * 1000000);
}

static void test_refused(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(arena_done) struct arena a = {};
	struct span others[] = { SPAN("bob@example.org"), SPAN("alice@example.com"),
		SPAN("nobody@example.org"), SPAN("both@example.org"), SPAN("alice"), SPAN("") };
	struct span alias[] = { SPAN("alice@example.org"), SPAN("ally@example.org"),
		SPAN("alice+lists@example.org") };
	struct ca_wish wish = wish_of(f);
	struct ca_certificate made = {};
	struct why why = {};

	env_fixture_alias(f, "both", "alice@example.org,bob@example.org");
	env_fixture_alias(f, "ally", "alice@example.org");
	(void)ca_fixture_authority(f, &a, "one", "First");
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		wish.addresses = &others[i];
		why.text[0] = 0;
		assert_int_equal(ca_issue(&f->env, &a, &wish, NULL, NULL, &made, &why),
			CA_E_REFUSED);
		assert_true(why.text[0]);
	}
	wish.addresses = alias;
	wish.n_addresses = 3;
	assert_int_equal(ca_issue(&f->env, &a, &wish, NULL, NULL, &made, &why), 0);
	wish = wish_of(f);
	wish.n_addresses = 0;
	assert_int_equal(ca_issue(&f->env, &a, &wish, NULL, NULL, &made, &why), CA_E_REFUSED);
	wish = wish_of(f);
	wish.spki = SPAN("junk");
	assert_int_equal(ca_issue(&f->env, &a, &wish, NULL, NULL, &made, &why), CA_E_REFUSED);
	wish = wish_of(f);
	wish.days = 826;
	assert_int_equal(ca_issue(&f->env, &a, &wish, NULL, NULL, &made, &why), CA_E_REFUSED);
	wish = wish_of(f);
	wish.account = 999;
	assert_int_equal(ca_issue(&f->env, &a, &wish, NULL, NULL, &made, &why), CA_E_REFUSED);
	env_fixture_account_set(f, "bob", "disabled", "yes");
	wish.account = env_fixture_account(f, "bob");
	assert_int_equal(ca_issue(&f->env, &a, &wish, NULL, NULL, &made, &why), CA_E_REFUSED);
}

static int disable_pki(struct store_conn *c, void *arg)
{
	return store_domain_set(c, *(int64_t *)arg, SPAN("pki"), SPAN("disabled"), NULL);
}

static void test_pki_mode(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(arena_done) struct arena a = {};
	int64_t domain = ca_fixture_domain(f, &a).id;
	struct ca_wish wish = wish_of(f);
	struct ca_certificate made = {};
	struct why why = {};

	(void)ca_fixture_authority(f, &a, "one", "First");
	assert_int_equal(store_write(f->env.store, disable_pki, &domain), 0);
	assert_int_equal(ca_issue(&f->env, &a, &wish, NULL, NULL, &made, &why), CA_E_REFUSED);
	assert_non_null(strstr(why.text, "pki=enabled"));
}

static int refuse(struct store_conn *c, const struct ca_certificate *cert, void *context,
	struct why *why)
{
	(void)c;
	assert_true(cert->id > 0);
	*(int64_t *)context = cert->id;
	why_set(why, "no");
	return 1;
}

struct listing {
	unsigned n;
	struct buf serials;
	bool differ;
};

static int count(const struct store_issued *row, void *context)
{
	struct listing *l = context;

	for (size_t i = 0; i + 16 <= buf_size(&l->serials); i += 16)
		l->differ = l->differ &&
			    memcmp(buf_span(&l->serials).p + i, row->serial.p, 16) != 0;
	assert_int_equal(row->serial.n, 16);
	buf_add(&l->serials, row->serial);
	l->n++;
	return 0;
}

static int list(struct store_conn *c, void *arg)
{
	return store_issued_each(c, 0, 0, count, arg);
}

/* What is written besides belongs to the same transaction. */
static void test_then(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(arena_done) struct arena a = {};
	struct ca_wish wish = wish_of(f);
	struct ca_certificate made = {};
	struct listing l = { .differ = true };
	struct why why = {};
	int64_t seen = 0;

	(void)ca_fixture_authority(f, &a, "one", "First");
	assert_int_equal(ca_issue(&f->env, &a, &wish, refuse, &seen, &made, &why), CA_E_REFUSED);
	assert_string_equal(why.text, "no");
	assert_true(seen > 0);
	assert_int_equal(store_read(f->env.store, list, &l), 0);
	assert_int_equal(l.n, 0);
	buf_done(&l.serials);
}

struct worker {
	struct env_fixture *f;
	pthread_t thread;
	int result;
};

static void *issue_one(void *arg)
{
	struct worker *w = arg;
	CLEANUP(arena_done) struct arena a = {};
	struct ca_wish wish = wish_of(w->f);
	struct ca_certificate made = {};
	struct why why = {};

	w->result = ca_issue(&w->f->env, &a, &wish, NULL, NULL, &made, &why);
	return NULL;
}

static void test_parallel(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(arena_done) struct arena a = {};
	struct worker workers[PARALLEL] = {};
	struct listing l = { .differ = true };

	(void)ca_fixture_authority(f, &a, "one", "First");
	for (size_t i = 0; i < PARALLEL; i++) {
		workers[i].f = f;
		assert_int_equal(pthread_create(&workers[i].thread, NULL, issue_one, &workers[i]),
			0);
	}
	for (size_t i = 0; i < PARALLEL; i++) {
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
		assert_int_equal(workers[i].result, 0);
	}
	assert_int_equal(store_read(f->env.store, list, &l), 0);
	assert_int_equal(l.n, PARALLEL);
	assert_true(l.differ);
	buf_done(&l.serials);
}

/* CGP6-2: without an authority of its own the domain's certificate issues, if it can. */
struct fallback {
	struct env_fixture *f;
	struct store_key *key;
	struct span der;
};

static int add_own(struct store_conn *c, void *arg)
{
	struct fallback *b = arg;
	struct store_cert cert = { .domain = b->key->domain,
		.alias = SPAN("own"),
		.der = b->der,
		.services = SPAN("") };
	int64_t id;

	TRY(store_key_add(c, b->key, &b->key->id));
	cert.key = b->key->id;
	return store_cert_add(c, &cert, &id);
}

static void test_fallback(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *signer = NULL;
	CLEANUP(cert_unrefp) struct cert *ca = NULL;
	struct store_domain domain = ca_fixture_domain(f, &a);
	struct span names[] = { SPAN("example.org") };
	struct store_key key;
	struct authority_order o = { .now_us = clock_now_us(),
		.days = 30,
		.subject = { .common_name = SPAN("example.org"), .names = names, .n_names = 1 } };
	struct fallback b = { .f = f, .key = &key };
	struct ca_wish wish = wish_of(f);
	struct ca_certificate first = {}, second = {}, third = {};
	struct why why = {};

	assert_int_equal(domain_key_make(&f->env, &a, domain.id, KEY_TLS, SPAN("tls"),
				 SPAN("ec:p256"), &key, &why),
		0);
	assert_int_equal(domain_key_open(&f->env, &key, &signer), 0);
	o.signer = signer;
	o.spki = key.spki;
	assert_int_equal(authority_make(&ca, &o, &why), 0);
	b.der = cert_der(ca);
	assert_int_equal(store_write(f->env.store, add_own, &b), 0);
	assert_int_equal(ca_issue(&f->env, &a, &wish, NULL, NULL, &first, &why), 0);
	assert_true(span_equal(first.chain, cert_der(ca)));
	assert_int_equal(ca_issue(&f->env, &a, &wish, NULL, NULL, &second, &why), 0);
	assert_int_equal(first.authority, second.authority);
	/* One of its own goes before. */
	(void)ca_fixture_authority(f, &a, "one", "First");
	assert_int_equal(ca_issue(&f->env, &a, &wish, NULL, NULL, &third, &why), 0);
	assert_int_not_equal(third.authority, first.authority);
}

static void test_urls(void **state)
{
	struct env_fixture *f = *state;
	struct store_authority row = { .name = SPAN("example.net"), .label = SPAN("ab12") };
	CLEANUP(buf_done) struct buf url = {};

	f->env.http_port = 80;
	ca_add_url(&f->env, &row, "ca.crl", &url);
	buf_add_octet(&url, ' ');
	f->env.http_port = 10080;
	ca_add_url(&f->env, &row, "ocsp", &url);
	buf_add_octet(&url, ' ');
	env_fixture_set(f, "ca_url", "http://pki.example.org/x/");
	ca_add_url(&f->env, &row, "ca.der", &url);
	f->env.http_port = 0;
	assert_true(span_is(buf_span(&url), "http://example.org/pki/example.net/ab12/ca.crl"
					    " http://example.org:10080/pki/example.net/ab12/ocsp"
					    " http://pki.example.org/x/example.net/ab12/ca.der"));
}

/* Everybody who revokes finds it on the list that he asks for, whoever else makes one meanwhile. */
struct revoker {
	struct env_fixture *f;
	pthread_t thread;
	struct ca_certificate made;
	struct arena arena;
	int64_t number;
	bool listed;
};

static int revoke_one(struct store_conn *c, void *arg)
{
	struct revoker *w = arg;

	return ca_revoke(&w->f->env, c, w->made.id, REASON_SUPERSEDED);
}

static bool is_listed(struct span crl_der, struct span cert_der)
{
	CLEANUP(crl_unrefp) struct crl *crl = NULL;
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	X509_REVOKED *entry;

	return crl_from_der(&crl, crl_der, NULL) == 0 && cert_from_der(&cert, cert_der, NULL) == 0 &&
		X509_CRL_get0_by_cert(crl_x509(crl), &entry, cert_x509(cert)) == 1;
}

static void *revoke_and_look(void *arg)
{
	struct revoker *w = arg;
	struct store_authority row;

	if (store_write(w->f->env.store, revoke_one, w) ||
		ca_list(&w->f->env, &w->arena, w->made.authority, &row))
		return NULL;
	w->number = row.crl_number;
	w->listed = is_listed(row.crl, w->made.der);
	return NULL;
}

static void test_lists(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(arena_done) struct arena a = {};
	struct revoker workers[REVOKERS] = {};
	struct ca_wish wish = wish_of(f);
	struct store_authority row;
	struct why why = {};

	(void)ca_fixture_authority(f, &a, "one", "First");
	for (size_t i = 0; i < REVOKERS; i++) {
		workers[i].f = f;
		assert_int_equal(ca_issue(&f->env, &workers[i].arena, &wish, NULL, NULL,
					 &workers[i].made, &why), 0);
	}
	for (size_t i = 0; i < REVOKERS; i++)
		assert_int_equal(pthread_create(&workers[i].thread, NULL, revoke_and_look,
					 &workers[i]), 0);
	for (size_t i = 0; i < REVOKERS; i++) {
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
		assert_true(workers[i].listed);
		assert_true(workers[i].number >= 1);
	}
	assert_int_equal(ca_list(&f->env, &a, workers[0].made.authority, &row), 0);
	for (size_t i = 0; i < REVOKERS; i++) {
		assert_true(is_listed(row.crl, workers[i].made.der));
		assert_true(workers[i].number <= row.crl_number);
		arena_done(&workers[i].arena);
	}
}

/* RFC 5280 section 3.3: it stands on one list made after its end, and on no other. */
static void test_entry_ends(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(arena_done) struct arena a = {};
	struct revoker w = { .f = f };
	struct ca_wish wish = wish_of(f);
	struct store_authority row;
	struct why why = {};
	int64_t now_us = clock_now_us();

	(void)ca_fixture_authority(f, &a, "one", "First");
	wish.days = 2;
	assert_int_equal(ca_issue(&f->env, &a, &wish, NULL, NULL, &w.made, &why), 0);
	assert_int_equal(store_write(f->env.store, revoke_one, &w), 0);
	assert_int_equal(ca_list(&f->env, &a, w.made.authority, &row), 0);
	assert_true(is_listed(row.crl, w.made.der));
	/* Nothing is due: it is the same list. */
	assert_int_equal(ca_list(&f->env, &a, w.made.authority, &row), 0);
	assert_int_equal(row.crl_number, 1);
	clock_set(now_us + 5 * day_us, 0);
	assert_int_equal(ca_list(&f->env, &a, w.made.authority, &row), 0);
	assert_int_equal(row.crl_number, 2);
	assert_true(is_listed(row.crl, w.made.der));
	clock_set(now_us + 10 * day_us, 0);
	assert_int_equal(ca_list(&f->env, &a, w.made.authority, &row), 0);
	assert_int_equal(row.crl_number, 3);
	assert_false(is_listed(row.crl, w.made.der));
}

int main(void)
{
	struct env_fixture *f = env_fixture_new();
	EVP_PKEY *key;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate_setup_teardown(test_issue, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_refused, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_pki_mode, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_then, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_parallel, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_fallback, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_lists, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_entry_ends, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_urls, setup, teardown, f),
	};
	int failed;

	log_set_stderr(false);
	env_fixture_person(f, "bob", "builder");
	if (provider_load() || key_generate(&key, KEY_EC_P256) || key_to_spki(key, &person_spki))
		return 1;
	EVP_PKEY_free(key);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	buf_done(&person_spki);
	env_fixture_free(f);
	provider_unload();
	return failed;
}
