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
#include "store/account.h"
#include "store/store.h"
#include "svc/ca_parts.h"
#include "svc/ca_status.h"
#include "svc/domain_keys.h"
#include "svc/ca_fixture.h"

#include <openssl/ocsp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

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

/* The writer is busy until it is told otherwise; then an alias leads elsewhere. */
struct held {
	struct env_fixture *f;
	atomic_bool held, go;
	pthread_t thread;
};

static int hold_and_move(struct store_conn *c, void *arg)
{
	struct held *h = arg;
	struct span target = SPAN("bob@example.org");

	atomic_store(&h->held, true);
	while (!atomic_load(&h->go))
		(void)usleep(1000);
	TRY(store_alias_remove(c, h->f->store->domain, SPAN("ally")));
	return store_alias_add(c, h->f->store->domain, SPAN("ally"), &target, 1);
}

static void *hold(void *arg)
{
	struct held *h = arg;

	assert_int_equal(store_write(h->f->env.store, hold_and_move, h), 0);
	return NULL;
}

static void *let_go(void *arg)
{
	struct held *h = arg;

	/* By then the certificate is signed and waits to be written. */
	(void)usleep(500000);
	atomic_store(&h->go, true);
	return NULL;
}

/* An address that leads to somebody else by the time at which its certificate is written has none. */
static void test_moved_meanwhile(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(arena_done) struct arena a = {};
	struct span alias = SPAN("ally@example.org");
	struct held h = { .f = f };
	struct ca_wish wish = wish_of(f);
	struct ca_certificate made = {};
	struct why why = {};
	pthread_t timer;

	env_fixture_alias(f, "ally", "alice@example.org");
	(void)ca_fixture_authority(f, &a, "one", "First");
	wish.addresses = &alias;
	assert_int_equal(ca_issue(&f->env, &a, &wish, NULL, NULL, &made, &why), 0);
	assert_int_equal(pthread_create(&h.thread, NULL, hold, &h), 0);
	while (!atomic_load(&h.held))
		(void)usleep(1000);
	assert_int_equal(pthread_create(&timer, NULL, let_go, &h), 0);
	assert_int_equal(ca_issue(&f->env, &a, &wish, NULL, NULL, &made, &why), CA_E_REFUSED);
	assert_non_null(strstr(why.text, "does not lead to this account alone"));
	assert_int_equal(pthread_join(timer, NULL), 0);
	assert_int_equal(pthread_join(h.thread, NULL), 0);
	assert_int_equal(fixture_number(f->store, "select count(*) from issued"), 1);
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

static int64_t issue_key(struct env_fixture *f, const char *account, struct span address,
	struct span spki, int expected, struct why *why)
{
	CLEANUP(arena_done) struct arena a = {};
	struct ca_wish wish = { .account = env_fixture_account(f, account),
		.addresses = &address,
		.n_addresses = 1,
		.spki = spki };
	struct ca_certificate made = {};

	assert_int_equal(ca_issue(&f->env, &a, &wish, NULL, NULL, &made, why), expected);
	return made.id;
}

struct revocation {
	struct env_fixture *f;
	int64_t id;
	enum issued_reason reason;
};

static int revoke_for(struct store_conn *c, void *arg)
{
	struct revocation *v = arg;

	return ca_revoke(&v->f->env, c, v->id, v->reason, NULL);
}

static int is_revoked(struct store_conn *c, void *arg)
{
	CLEANUP(arena_done) struct arena a = {};
	struct store_issued row;

	TRY(store_issued_get(c, &a, *(int64_t *)arg, &row));
	return row.revoked_us ? row.reason == REASON_KEY_COMPROMISE ? 2 : 1 : 0;
}

static int remove_account(struct store_conn *c, void *arg)
{
	return store_account_remove(c, *(int64_t *)arg);
}

/* A key is one account's, as long as that is there. */
static void test_key_owner(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(arena_done) struct arena a = {};
	struct revocation v = { .f = f, .reason = REASON_SUPERSEDED };
	struct span key = buf_span(&person_spki);
	struct why why = {};
	int64_t account = env_fixture_account(f, "bob");

	(void)ca_fixture_authority(f, &a, "one", "First");
	v.id = issue_key(f, "bob", SPAN("bob@example.org"), key, 0, &why);
	(void)issue_key(f, "alice", SPAN("alice@example.org"), key, CA_E_REFUSED, &why);
	assert_non_null(strstr(why.text, "another account"));
	/* Not by another authority, nor after it was revoked; and the owner may have more. */
	(void)ca_fixture_authority(f, &a, "two", "Second");
	assert_int_equal(store_write(f->env.store, revoke_for, &v), 0);
	(void)issue_key(f, "alice", SPAN("alice@example.org"), key, CA_E_REFUSED, &why);
	(void)issue_key(f, "bob", SPAN("bob@example.org"), key, 0, &why);
	assert_int_equal(store_write(f->env.store, remove_account, &account), 0);
	(void)issue_key(f, "alice", SPAN("alice@example.org"), key, 0, &why);
}

/* What somebody else has got hold of is certified no more, and none of its certificates holds. */
static void test_key_compromised(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(arena_done) struct arena a = {};
	struct revocation v = { .f = f, .reason = REASON_KEY_COMPROMISE };
	struct span key = buf_span(&person_spki);
	int64_t account = env_fixture_account(f, "bob");
	int64_t ids[3];
	struct why why = {};

	(void)ca_fixture_authority(f, &a, "one", "First");
	for (size_t i = 0; i < 3; i++)
		ids[i] = issue_key(f, "bob", SPAN("bob@example.org"), key, 0, &why);
	v.id = ids[0];
	v.reason = REASON_SUPERSEDED;
	assert_int_equal(store_write(f->env.store, revoke_for, &v), 0);
	v.id = ids[1];
	v.reason = REASON_KEY_COMPROMISE;
	assert_int_equal(store_write(f->env.store, revoke_for, &v), 0);
	assert_int_equal(store_read(f->env.store, is_revoked, &ids[0]), 1);
	assert_int_equal(store_read(f->env.store, is_revoked, &ids[1]), 2);
	assert_int_equal(store_read(f->env.store, is_revoked, &ids[2]), 2);
	(void)issue_key(f, "bob", SPAN("bob@example.org"), key, CA_E_REFUSED, &why);
	assert_non_null(strstr(why.text, "keyCompromise"));
	/* For nobody, and for ever. */
	assert_int_equal(store_write(f->env.store, remove_account, &account), 0);
	why = (struct why){};
	(void)issue_key(f, "alice", SPAN("alice@example.org"), key, CA_E_REFUSED, &why);
	assert_non_null(strstr(why.text, "keyCompromise"));
}

/* A row that nobody can read, from before the schema knew keys, ends neither issuing nor revoking. */
static void test_damaged_row(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(arena_done) struct arena a = {};
	struct revocation v = { .f = f, .reason = REASON_KEY_COMPROMISE };
	struct span key = buf_span(&person_spki);
	struct why why = {};
	int64_t damaged, other;

	(void)ca_fixture_authority(f, &a, "one", "First");
	damaged = issue_key(f, "bob", SPAN("bob@example.org"), key, 0, &why);
	ca_fixture_sql(f, "update issued set der = cast('damaged' as blob), key_sha256 = null");
	other = issue_key(f, "bob", SPAN("bob@example.org"), key, 0, &why);
	assert_int_equal(fixture_number(f->store, "select count(*) from issued where key_sha256 is null"),
		0);
	v.id = damaged;
	assert_int_equal(store_write(f->env.store, revoke_for, &v), 0);
	assert_int_equal(store_read(f->env.store, is_revoked, &damaged), 2);
	assert_int_equal(store_read(f->env.store, is_revoked, &other), 0);
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

	return ca_revoke(&w->f->env, c, w->made.id, REASON_SUPERSEDED, NULL);
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
	CLEANUP(ca_list_unrefp) struct ca_list *list = NULL;
	struct revoker *w = arg;

	if (store_write(w->f->env.store, revoke_one, w) ||
		ca_list_newest(&w->f->env, w->made.authority, &list))
		return NULL;
	w->number = list->number;
	w->listed = is_listed(list->der, w->made.der);
	return NULL;
}

static void test_lists(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(ca_list_unrefp) struct ca_list *list = NULL;
	struct revoker workers[REVOKERS] = {};
	struct ca_wish wish = wish_of(f);
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
	assert_int_equal(ca_list_newest(&f->env, workers[0].made.authority, &list), 0);
	for (size_t i = 0; i < REVOKERS; i++) {
		assert_true(is_listed(list->der, workers[i].made.der));
		assert_true(workers[i].number <= list->number);
		arena_done(&workers[i].arena);
	}
}

/* The newest list's number, and whether it has the certificate. */
static int64_t newest(struct revoker *w, bool *ret_listed)
{
	CLEANUP(ca_list_unrefp) struct ca_list *list = NULL;

	assert_int_equal(ca_list_newest(&w->f->env, w->made.authority, &list), 0);
	*ret_listed = is_listed(list->der, w->made.der);
	return list->number;
}

/* RFC 5280 section 3.3: it stands on one list made after its end, and on no other. */
static void test_entry_ends(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(arena_done) struct arena a = {};
	struct revoker w = { .f = f };
	struct ca_wish wish = wish_of(f);
	struct why why = {};
	int64_t now_us = clock_now_us();
	bool listed;

	(void)ca_fixture_authority(f, &a, "one", "First");
	wish.days = 2;
	assert_int_equal(ca_issue(&f->env, &a, &wish, NULL, NULL, &w.made, &why), 0);
	assert_int_equal(store_write(f->env.store, revoke_one, &w), 0);
	assert_int_equal(newest(&w, &listed), 1);
	assert_true(listed);
	/* Nothing is due: it is the same list. */
	assert_int_equal(newest(&w, &listed), 1);
	clock_set(now_us + 5 * day_us, 0);
	assert_int_equal(newest(&w, &listed), 2);
	assert_true(listed);
	clock_set(now_us + 10 * day_us, 0);
	assert_int_equal(newest(&w, &listed), 3);
	assert_false(listed);
}

/* A list is read from the database once, whoever fetches it, and again when it is another one. */
static void test_list_is_kept(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(ca_list_unrefp) struct ca_list *first = NULL;
	struct ca_wish wish = wish_of(f);
	struct revoker w = { .f = f }, other = { .f = f };
	struct why why = {};
	uint64_t reads = ca_lists_reads(f->env.ca->lists);
	int64_t before_ms;
	bool listed;

	(void)ca_fixture_authority(f, &a, "one", "First");
	assert_int_equal(ca_issue(&f->env, &a, &wish, NULL, NULL, &w.made, &why), 0);
	assert_int_equal(ca_issue(&f->env, &a, &wish, NULL, NULL, &other.made, &why), 0);
	assert_int_equal(ca_list_newest(&f->env, w.made.authority, &first), 0);
	for (int i = 0; i < 100; i++) {
		CLEANUP(ca_list_unrefp) struct ca_list *list = NULL;

		assert_int_equal(ca_list_newest(&f->env, w.made.authority, &list), 0);
		assert_ptr_equal(list, first);
	}
	assert_int_equal(ca_lists_reads(f->env.ca->lists), reads + 1);
	assert_false(is_listed(first->der, w.made.der));
	assert_true(first->next_update_us > first->this_update_us);
	assert_int_equal(store_write(f->env.store, revoke_one, &w), 0);
	for (int i = 0; i < 2; i++) {
		CLEANUP(ca_list_unrefp) struct ca_list *list = NULL;

		assert_int_equal(ca_list_newest(&f->env, w.made.authority, &list), 0);
		assert_int_equal(list->number, 2);
		assert_true(is_listed(list->der, w.made.der));
	}
	assert_int_equal(ca_lists_reads(f->env.ca->lists), reads + 2);
	/* Another is due, and whoever makes it takes his time: nobody waits for that long. */
	assert_int_equal(store_write(f->env.store, revoke_one, &other), 0);
	assert_true(ca_turns_take(f->env.ca->turns, w.made.authority, true));
	before_ms = clock_monotonic_ms();
	assert_int_equal(newest(&w, &listed), 2);
	assert_in_range(clock_monotonic_ms() - before_ms, 500, 20000);
	/* Nor at all, once that much has passed. */
	before_ms = clock_monotonic_ms();
	for (int i = 0; i < 10; i++)
		assert_int_equal(newest(&w, &listed), 2);
	assert_in_range(clock_monotonic_ms() - before_ms, 0, 900);
	ca_turns_give(f->env.ca->turns, w.made.authority);
	assert_int_equal(newest(&w, &listed), 3);
	/* Who has the one before keeps it. */
	assert_int_equal(first->number, 1);
	assert_false(is_listed(first->der, w.made.der));
}

/* Whoever makes an authority's list keeps none of another one's back. */
static void test_list_of_another(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(arena_done) struct arena a = {};
	struct ca_wish wish = wish_of(f);
	struct revoker slow = { .f = f }, other = { .f = f };
	struct why why = {};
	bool listed;

	(void)ca_fixture_authority(f, &a, "one", "First");
	assert_int_equal(ca_issue(&f->env, &a, &wish, NULL, NULL, &slow.made, &why), 0);
	(void)ca_fixture_authority(f, &a, "two", "Second");
	assert_int_equal(ca_issue(&f->env, &a, &wish, NULL, NULL, &other.made, &why), 0);
	assert_int_equal(newest(&slow, &listed), 1);
	assert_int_equal(newest(&other, &listed), 1);
	assert_true(ca_turns_take(f->env.ca->turns, slow.made.authority, true));
	assert_int_equal(store_write(f->env.store, revoke_one, &slow), 0);
	assert_int_equal(store_write(f->env.store, revoke_one, &other), 0);
	assert_int_equal(newest(&other, &listed), 2);
	assert_true(listed);
	assert_int_equal(newest(&slow, &listed), 1);
	ca_turns_give(f->env.ca->turns, slow.made.authority);
	assert_int_equal(newest(&slow, &listed), 2);
	assert_true(listed);
}

/* A request about certificates of the issuer, by serial number; with a nonce, or without (0). */
static void ask_about(const struct cert *issuer, struct cert *const *certs, size_t n, uint64_t nonce,
	struct buf *out)
{
	OCSP_REQUEST *request = OCSP_REQUEST_new();
	uint8_t *p;
	int size;

	for (size_t i = 0; i < n; i++)
		assert_non_null(OCSP_request_add0_id(request,
			OCSP_cert_to_id(EVP_sha1(), cert_x509(certs[i]), cert_x509(issuer))));
	if (nonce)
		assert_int_equal(OCSP_request_add1_nonce(request, (uint8_t *)&nonce, sizeof nonce), 1);
	size = i2d_OCSP_REQUEST(request, NULL);
	p = buf_room(out, (size_t)size);
	buf_added(out, (size_t)i2d_OCSP_REQUEST(request, &p));
	OCSP_REQUEST_free(request);
}

enum { ANSWER_UNAUTHORIZED = -1, ANSWER_LATER = -2 };
struct answered {
	int status; /* V_OCSP_CERTSTATUS_*, or one of the two */
	bool has_nonce;
};

static struct answered answer_to(struct env_fixture *f, struct span request)
{
	struct ca_question q = { .domain = SPAN("example.org"), .request = request };
	CLEANUP(buf_done) struct buf out = {};
	struct answered a = {};
	int64_t until_us;
	const uint8_t *p;
	OCSP_RESPONSE *response;
	OCSP_BASICRESP *basic;
	int status;

	assert_int_equal(ca_answer(&f->env, &q, &out, &until_us), 0);
	p = buf_span(&out).p;
	response = d2i_OCSP_RESPONSE(NULL, &p, (long)buf_size(&out));
	assert_non_null(response);
	status = OCSP_response_status(response);
	if (status == OCSP_RESPONSE_STATUS_SUCCESSFUL) {
		basic = OCSP_response_get1_basic(response);
		a.status = OCSP_single_get0_status(OCSP_resp_get0(basic, 0), NULL, NULL, NULL, NULL);
		a.has_nonce = OCSP_BASICRESP_get_ext_by_NID(basic, NID_id_pkix_OCSP_Nonce, -1) >= 0;
		OCSP_BASICRESP_free(basic);
	} else {
		assert_true(status == OCSP_RESPONSE_STATUS_UNAUTHORIZED ||
			status == OCSP_RESPONSE_STATUS_TRYLATER);
		a.status = status == OCSP_RESPONSE_STATUS_TRYLATER ? ANSWER_LATER
								   : ANSWER_UNAUTHORIZED;
	}
	OCSP_RESPONSE_free(response);
	return a;
}

static struct answered ask(struct env_fixture *f, const struct cert *issuer, struct cert *cert,
	uint64_t nonce)
{
	CLEANUP(buf_done) struct buf request = {};

	ask_about(issuer, &cert, 1, nonce, &request);
	return answer_to(f, buf_span(&request));
}

/* A question about a serial number that nobody has. */
static struct answered ask_unknown(struct env_fixture *f, const struct cert *issuer,
	struct cert *cert, uint64_t number)
{
	CLEANUP(buf_done) struct buf request = {};
	struct span serial;

	ask_about(issuer, &cert, 1, 0, &request);
	/* It is the last value of the request. */
	serial = span_of(buf_span(&request).p + buf_size(&request) - sizeof number, sizeof number);
	memcpy((uint8_t *)(uintptr_t)serial.p, &number, sizeof number);
	return answer_to(f, buf_span(&request));
}

/* One authority that nobody can read leaves the others their answers. */
static void test_damaged_authority(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(cert_list_done) struct cert_list issuers = {};
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct ca_wish wish = wish_of(f);
	struct ca_certificate made;
	struct why why = {};

	(void)ca_fixture_authority(f, &a, "one", "First");
	(void)ca_fixture_authority(f, &a, "two", "Second");
	ca_fixture_sql(f, "update authority set der = cast('damaged' as blob) where active = 0");
	assert_int_equal(ca_issue(&f->env, &a, &wish, NULL, NULL, &made, &why), 0);
	assert_int_equal(cert_from_der(&cert, made.der, NULL), 0);
	assert_int_equal(cert_list_from_der(&issuers, made.chain, NULL), 0);
	assert_int_equal(ask(f, issuers.certs[0], cert, 0).status, V_OCSP_CERTSTATUS_GOOD);
}

/* What is asked again costs no signature, what there is not none at all, and who asks for what is good
 * for him alone makes nobody else wait. */
static void test_answers_are_kept(void **state)
{
	struct env_fixture *f = *state;
	struct ca *ca = f->env.ca;
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(cert_list_done) struct cert_list issuers = {}, certs = {};
	CLEANUP(buf_done) struct buf both = {};
	struct ca_wish wish = wish_of(f);
	struct revoker w = { .f = f };
	struct why why = {};
	int64_t now_us = clock_now_us();
	int64_t now_ms = clock_monotonic_ms();
	uint64_t before, single_use = 0;
	struct answered answered;

	clock_set(now_us, now_ms);
	(void)ca_fixture_authority(f, &a, "one", "First");
	for (int i = 0; i < 3; i++) {
		CLEANUP(cert_unrefp) struct cert *cert = NULL;

		assert_int_equal(ca_issue(&f->env, &a, &wish, NULL, NULL, &w.made, &why), 0);
		assert_int_equal(cert_from_der(&cert, w.made.der, NULL), 0);
		cert_list_add(&certs, cert);
	}
	assert_int_equal(cert_list_from_der(&issuers, w.made.chain, NULL), 0);
	before = ca->n_signed;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(ask(f, issuers.certs[0], certs.certs[2], 0).status,
			V_OCSP_CERTSTATUS_GOOD);
	assert_int_equal(ca->n_signed, before + 1);
	for (uint64_t i = 1; i <= 1000; i++)
		assert_int_equal(ask_unknown(f, issuers.certs[0], certs.certs[2], i).status,
			ANSWER_UNAUTHORIZED);
	assert_int_equal(ca->n_signed, before + 1);
	/* Revoked: another answer at once, which is kept. */
	assert_int_equal(store_write(f->env.store, revoke_one, &w), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(ask(f, issuers.certs[0], certs.certs[2], 0).status,
			V_OCSP_CERTSTATUS_REVOKED);
	assert_int_equal(ca->n_signed, before + 2);
	/* With nonces, until there are no more of these: then the one that is kept, without. */
	for (uint64_t i = 1; i <= 1000; i++) {
		answered = ask(f, issuers.certs[0], certs.certs[2], i);
		assert_int_equal(answered.status, V_OCSP_CERTSTATUS_REVOKED);
		single_use += answered.has_nonce;
	}
	assert_int_equal(single_use, CA_SINGLE_USE_BURST);
	assert_int_equal(ca->n_signed, before + 2 + single_use);
	/* Several at once have to wait; somebody else with a question about another one has not. */
	ask_about(issuers.certs[0], certs.certs, 2, 0, &both);
	assert_int_equal(answer_to(f, buf_span(&both)).status, ANSWER_LATER);
	assert_int_equal(ask(f, issuers.certs[0], certs.certs[0], 0).status, V_OCSP_CERTSTATUS_GOOD);
	assert_int_equal(ask(f, issuers.certs[0], certs.certs[1], 7).status, V_OCSP_CERTSTATUS_GOOD);
	/* Half of its life later it is signed anew. */
	before = ca->n_signed;
	clock_set(now_us + 6LL * 3600 * 1000000 - 1, now_ms);
	(void)ask(f, issuers.certs[0], certs.certs[0], 0);
	assert_int_equal(ca->n_signed, before);
	clock_set(now_us + 6LL * 3600 * 1000000, now_ms + 60000);
	assert_int_equal(ask(f, issuers.certs[0], certs.certs[0], 0).status, V_OCSP_CERTSTATUS_GOOD);
	assert_int_equal(ca->n_signed, before + 1);
	assert_int_equal(answer_to(f, buf_span(&both)).status, V_OCSP_CERTSTATUS_GOOD);
}

int main(void)
{
	struct env_fixture *f = env_fixture_new();
	EVP_PKEY *key;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate_setup_teardown(test_issue, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_refused, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_moved_meanwhile, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_pki_mode, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_then, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_parallel, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_fallback, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_key_owner, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_key_compromised, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_damaged_row, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_lists, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_entry_ends, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_list_is_kept, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_damaged_authority, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_list_of_another, setup, teardown, f),
		cmocka_unit_test_prestate_setup_teardown(test_answers_are_kept, setup, teardown, f),
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
