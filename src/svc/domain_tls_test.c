/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Which certificate answers for which name and address, as the rows change; and changes at the same
 * time, each of which is seen when its rebuild has returned. */

#include "svc/domain_tls.h"

#include "base/log.h"
#include "base/test.h"
#include "keyd/provider.h"
#include "net/tls_host.h"
#include "pki/subject.h"
#include "store/domain.h"
#include "store/key_rows.h"
#include "store/store.h"
#include "store/tls_rows.h"
#include "svc/domain_keys.h"
#include "svc/env_fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHANGERS = 8, CHANGES = 6 };

static int setup(void **state)
{
	struct env_fixture *f = *state;

	env_fixture_open(f);
	f->env.domain_tls = domain_tls_new();
	assert_int_equal(tls_host_new(&f->env.tls, NULL, NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	struct env_fixture *f = *state;

	tls_host_free(f->env.tls);
	f->env.tls = (struct tls_host *)f;
	f->env.domain_tls = domain_tls_free(f->env.domain_tls);
	env_fixture_close(f);
	return 0;
}

/* A change of rows. */
struct change {
	int64_t domain, id;
	const char *key, *value;
	struct store_key *key_row;
	struct store_cert *cert_row;
	struct span address;
};

static int domain_add(struct store_conn *c, void *arg)
{
	struct change *x = arg;

	TRY(store_domain_add(c, span_str(x->value), &x->domain));
	return store_domain_set(c, x->domain, SPAN("pki"), SPAN("enabled"), NULL);
}

static int64_t add_domain(struct env_fixture *f, const char *name)
{
	struct change x = { .value = name };

	assert_int_equal(store_write(f->env.store, domain_add, &x), 0);
	return x.domain;
}

static int domain_set(struct store_conn *c, void *arg)
{
	const struct change *x = arg;

	return store_domain_set(c, x->domain, span_str(x->key), span_str(x->value), NULL);
}

static void set_pki(struct env_fixture *f, int64_t domain, const char *mode)
{
	struct change x = { .domain = domain, .key = "pki", .value = mode };

	assert_int_equal(store_write(f->env.store, domain_set, &x), 0);
}

static int cert_add(struct store_conn *c, void *arg)
{
	struct change *x = arg;

	TRY(store_key_add(c, x->key_row, &x->key_row->id));
	x->cert_row->key = x->key_row->id;
	return store_cert_add(c, x->cert_row, &x->id);
}

/* A self-signed certificate with a key in keyd, for the names, in use for everything. damaged: its key
 * is not the one that it says. */
static int64_t add_cert(struct env_fixture *f, int64_t domain, const char *alias,
	const char *first, const char *second, bool damaged)
{
	CLEANUP(arena_done) struct arena a = {};
	struct span names[] = { span_str(first), span_str(second ? second : "") };
	struct subject subject = { .common_name = names[0],
		.names = names,
		.n_names = second ? 2 : 1 };
	struct store_key key, other;
	struct store_cert cert;
	struct change x = { .key_row = &key, .cert_row = &cert };
	struct why why = {};

	assert_int_equal(domain_key_make(&f->env, &a, domain, KEY_TLS, span_str(alias),
				 SPAN("ec:p256"), &key, &why),
		0);
	if (domain_cert_self_sign(&f->env, &a, &key, span_str(alias), &subject, 30, &cert, &why))
		fail_msg("%s", why.text);
	cert.domain = domain;
	if (damaged) {
		assert_int_equal(domain_key_make(&f->env, &a, domain, KEY_TLS, SPAN("other"),
					 SPAN("ec:p256"), &other, &why),
			0);
		key.spki = other.spki;
	}
	assert_int_equal(store_write(f->env.store, cert_add, &x), 0);
	return x.id;
}

static int cert_remove(struct store_conn *c, void *arg)
{
	return store_cert_remove(c, *(int64_t *)arg);
}

/* Who answers for the name: "domain: number of certificates". */
static void expect(struct env_fixture *f, const char *name, const char *expected)
{
	struct tls_profile *p = tls_host_profile(f->env.tls, name);
	char text[100];

	assert_non_null(p);
	(void)snprintf(text, sizeof text, "%s: %zu", p->name, p->n_identities);
	assert_string_equal(text, expected);
	(void)tls_profile_unref(p);
}

static void rebuild(struct env_fixture *f)
{
	if (domain_tls_rebuild(&f->env))
		fail_msg("%s", err_last_trace());
}

/* Without a certificate the test certificate is shown; without that nothing is swapped in. */
static void test_nothing_to_show(void **state)
{
	struct env_fixture *f = *state;

	set_pki(f, f->store->domain, "enabled");
	assert_true(domain_tls_rebuild(&f->env) < 0);
	assert_null(tls_host_profile(f->env.tls, "example.org"));
	assert_int_equal(domain_tls_renew_test(&f->env), 0);
	rebuild(f);
	expect(f, "example.org", "example.org: 1");
	expect(f, "anybody.example", "example.org: 1");
}

static void test_names(void **state)
{
	struct env_fixture *f = *state;
	int64_t other = add_domain(f, "other.example");

	set_pki(f, f->store->domain, "enabled");
	/* What stands in a certificate leads to its domain, but not what is another's own name. */
	(void)add_cert(f, f->store->domain, "ours", "mail.example.org", "other.example", false);
	rebuild(f);
	expect(f, "example.org", "example.org: 1");
	expect(f, "MAIL.example.org", "example.org: 1");
	expect(f, "other.example", "example.org: 1");
	(void)add_cert(f, other, "theirs", "other.example", "www.other.example", false);
	rebuild(f);
	expect(f, "other.example", "other.example: 1");
	expect(f, "www.other.example", "other.example: 1");
	expect(f, "nobody.example", "example.org: 1");
	/* Without PKI its names are its own still: whoever asks for one gets no TLS. */
	set_pki(f, other, "disabled");
	rebuild(f);
	expect(f, "other.example", "other.example: 0");
	expect(f, "www.other.example", "example.org: 1");
	assert_int_equal(domain_tls_renew_test(&f->env), 0);
	set_pki(f, other, "test");
	rebuild(f);
	expect(f, "other.example", "other.example: 1");
}

static int set_addresses(struct store_conn *c, void *arg)
{
	const struct change *x = arg;
	size_t taken;

	return store_addresses_set(c, x->domain, &x->address, 1, &taken);
}

/* Who answers at 192.0.2.7 if no name is asked for. */
static void expect_there(struct env_fixture *f, const char *expected)
{
	struct net_address there = net_address_of_ip(SPAN("\xC0\x00\x02\x07"), 0);
	struct tls_profile *p = tls_host_find(f->env.tls, (struct span){}, &there);

	assert_non_null(p);
	assert_string_equal(p->name, expected);
	(void)tls_profile_unref(p);
}

static void test_addresses(void **state)
{
	struct env_fixture *f = *state;
	struct change x = { .domain = add_domain(f, "other.example"),
		.address = SPAN("\xC0\x00\x02\x07") };

	set_pki(f, f->store->domain, "enabled");
	(void)add_cert(f, f->store->domain, "ours", "example.org", NULL, false);
	assert_int_equal(store_write(f->env.store, set_addresses, &x), 0);
	/* An address of a domain without certificates is nobody's. */
	rebuild(f);
	expect_there(f, "example.org");
	(void)add_cert(f, x.domain, "theirs", "other.example", NULL, false);
	rebuild(f);
	expect_there(f, "other.example");
}

/* One that cannot be used is left out and told of once; the others go on. */
static void test_unusable(void **state)
{
	struct env_fixture *f = *state;
	int64_t bad;

	set_pki(f, f->store->domain, "enabled");
	(void)add_cert(f, f->store->domain, "good", "example.org", NULL, false);
	bad = add_cert(f, add_domain(f, "other.example"), "bad", "other.example", NULL, true);
	rebuild(f);
	rebuild(f);
	expect(f, "example.org", "example.org: 1");
	/* It has nothing to show of its own. */
	expect(f, "other.example", "example.org: 1");
	assert_int_equal(store_write(f->env.store, cert_remove, &bad), 0);
	rebuild(f);
	expect(f, "other.example", "example.org: 1");
}

static X509 *shown(struct env_fixture *f, const char *name)
{
	struct tls_profile *p = tls_host_profile(f->env.tls, name);
	X509 *x = p->identities[0].certificate;

	(void)tls_profile_unref(p);
	return x;
}

/* What has not changed is not parsed again; what has gone is forgotten. */
static void test_kept(void **state)
{
	struct env_fixture *f = *state;
	int64_t other = add_domain(f, "other.example"), cert;
	X509 *ours, *theirs;

	set_pki(f, f->store->domain, "enabled");
	(void)add_cert(f, f->store->domain, "ours", "example.org", NULL, false);
	cert = add_cert(f, other, "theirs", "other.example", NULL, false);
	rebuild(f);
	ours = shown(f, "example.org");
	theirs = shown(f, "other.example");
	rebuild(f);
	assert_ptr_equal(shown(f, "example.org"), ours);
	assert_ptr_equal(shown(f, "other.example"), theirs);
	assert_int_equal(store_write(f->env.store, cert_remove, &cert), 0);
	rebuild(f);
	expect(f, "other.example", "example.org: 1");
	(void)add_cert(f, other, "newer", "other.example", NULL, false);
	rebuild(f);
	assert_ptr_equal(shown(f, "example.org"), ours);
	expect(f, "other.example", "other.example: 1");
}

struct changer {
	struct env_fixture *f;
	pthread_t thread;
	int number, wrong;
};

struct aliasing {
	int64_t domain;
	char name[40];
};

static int alias_add(struct store_conn *c, void *arg)
{
	const struct aliasing *x = arg;

	return store_domain_alias_add(c, x->domain, span_str(x->name));
}

/* Adds a name, rebuilds, and looks whether it is known: somebody else's build may have done it. */
static void *change_names(void *arg)
{
	struct changer *x = arg;
	struct env *e = &x->f->env;

	for (int i = 0; i < CHANGES; i++) {
		struct aliasing a = { .domain = x->f->store->domain };
		struct tls_profile *p;

		(void)snprintf(a.name, sizeof a.name, "n%d-%d.example", x->number, i);
		if (store_write(e->store, alias_add, &a) || domain_tls_rebuild(e)) {
			x->wrong++;
			break;
		}
		p = tls_host_profile(e->tls, a.name);
		/* The default is another domain, so that an unknown name is told apart. */
		x->wrong += !p || strcmp(p->name, "example.org") != 0;
		(void)tls_profile_unref(p);
	}
	return NULL;
}

static int set_main(struct store_conn *c, void *arg)
{
	return store_domain_set_main(c, *(int64_t *)arg);
}

static void test_changes_at_once(void **state)
{
	struct env_fixture *f = *state;
	struct changer changers[CHANGERS];
	int64_t other = add_domain(f, "other.example");

	set_pki(f, f->store->domain, "enabled");
	(void)add_cert(f, f->store->domain, "ours", "example.org", NULL, false);
	(void)add_cert(f, other, "theirs", "other.example", NULL, false);
	assert_int_equal(store_write(f->env.store, set_main, &other), 0);
	rebuild(f);
	expect(f, "n0-0.example", "other.example: 1");
	for (int i = 0; i < CHANGERS; i++) {
		changers[i] = (struct changer){ .f = f, .number = i };
		assert_int_equal(
			pthread_create(&changers[i].thread, NULL, change_names, &changers[i]), 0);
	}
	for (int i = 0; i < CHANGERS; i++) {
		assert_int_equal(pthread_join(changers[i].thread, NULL), 0);
		assert_int_equal(changers[i].wrong, 0);
	}
	expect(f, "n0-0.example", "example.org: 1");
}

int main(void)
{
	struct env_fixture *f = env_fixture_new();
	int failed;
#define ROW(test) cmocka_unit_test_prestate_setup_teardown(test, setup, teardown, f)
	const struct CMUnitTest tests[] = {
		ROW(test_nothing_to_show),
		ROW(test_names),
		ROW(test_addresses),
		ROW(test_unusable),
		ROW(test_kept),
		ROW(test_changes_at_once),
	};

	log_set_stderr(false);
	if (provider_load())
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	env_fixture_free(f);
	provider_unload();
	return failed;
}
