/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What TLS is told, as rows: whose it is, in which order it comes, what goes when a domain goes. */

#include "store/tls_rows.h"

#include "base/log.h"
#include "base/test.h"
#include "store/domain.h"
#include "store/fixture.h"
#include "store/key_rows.h"

#include <stdio.h>
#include <stdlib.h>

/* What the next call is given, and what it has listed. */
struct call {
	int (*f)(struct store_conn *c, struct call *call);
	int64_t domain, id, key;
	const char *name, *services;
	struct store_tls_value value;
	struct span addresses[4];
	size_t n, taken;
	struct buf text;
};

static int call_run(struct store_conn *c, void *arg)
{
	struct call *call = arg;

	return call->f(c, call);
}

static int run(struct fixture *f, int (*what)(struct store_conn *, struct call *), struct call *k)
{
	k->f = what;
	return store_write(f->store, call_run, k);
}

static void expect(struct fixture *f, int (*what)(struct store_conn *, struct call *),
	struct call *k, const char *expected)
{
	char *text;

	buf_add_string(&k->text, "");
	assert_int_equal(run(f, what, k), 0);
	text = buf_steal_string(&k->text);
	assert_string_equal(text, expected);
	free(text);
}

static int domain_add(struct store_conn *c, struct call *k)
{
	return store_domain_add(c, span_str(k->name), &k->domain);
}

static int domain_remove(struct store_conn *c, struct call *k)
{
	return store_domain_remove(c, k->domain);
}

static int64_t add_domain(struct fixture *f, const char *name)
{
	struct call k = { .name = name };

	assert_int_equal(run(f, domain_add, &k), 0);
	return k.domain;
}

static int value_set(struct store_conn *c, struct call *k)
{
	return store_tls_value_set(c, &k->value);
}

static int see_value(const struct store_tls_value *v, void *context)
{
	struct call *k = context;

	buf_add_format(&k->text, "%lld/%.*s/%.*s=%.*s ", (long long)v->domain, (int)v->listener.n,
		(const char *)v->listener.p, (int)v->key.n, (const char *)v->key.p, (int)v->value.n,
		(const char *)v->value.p);
	return 0;
}

static int list_values(struct store_conn *c, struct call *k)
{
	return store_tls_value_each(c, see_value, k);
}

/* value NULL: taken away. */
static void set(struct fixture *f, int64_t domain, const char *listener, const char *key,
	const char *value)
{
	struct call k = { .value = { domain, span_str(listener), span_str(key),
				  value ? span_str(value) : (struct span){} } };

	assert_int_equal(run(f, value_set, &k), 0);
}

static void test_values(void **state)
{
	struct fixture *f = *state;
	int64_t other = add_domain(f, "other.example");
	struct call k = { .domain = other };
	char expected[200];

	expect(f, list_values, &k, "");
	set(f, other, "", "oldest", "1.3");
	set(f, f->domain, "", "ciphers", "ALL");
	set(f, 0, "smtp", "oldest", "1.0");
	set(f, 0, "", "oldest", "1.2");
	set(f, 0, "imap", "cbc", "yes");
	/* The server's first, then listeners', then domains'. */
	(void)snprintf(expected, sizeof expected,
		"0//oldest=1.2 0/imap/cbc=yes 0/smtp/oldest=1.0 %lld//ciphers=ALL %lld//oldest=1.3 ",
		(long long)f->domain, (long long)other);
	expect(f, list_values, &k, expected);
	/* Each once: another value takes the place of the one before, an empty one too. */
	set(f, 0, "smtp", "oldest", "1.1");
	set(f, 0, "imap", "cbc", "");
	set(f, f->domain, "", "ciphers", NULL);
	set(f, f->domain, "", "ciphers", NULL);
	(void)snprintf(expected, sizeof expected,
		"0//oldest=1.2 0/imap/cbc= 0/smtp/oldest=1.1 %lld//oldest=1.3 ", (long long)other);
	expect(f, list_values, &k, expected);
	/* A domain's go with it. */
	assert_int_equal(run(f, domain_remove, &k), 0);
	expect(f, list_values, &k, "0//oldest=1.2 0/imap/cbc= 0/smtp/oldest=1.1 ");
}

static int addresses_set(struct store_conn *c, struct call *k)
{
	return store_addresses_set(c, k->domain, k->addresses, k->n, &k->taken);
}

static int see_address(int64_t domain, struct span address, void *context)
{
	struct call *k = context;

	buf_add_format(&k->text, "%lld:", (long long)(domain - k->id));
	for (size_t i = 0; i < address.n; i++)
		buf_add_format(&k->text, "%02x", address.p[i]);
	buf_add_octet(&k->text, ' ');
	return 0;
}

static int list_addresses(struct store_conn *c, struct call *k)
{
	return store_address_each(c, k->domain, see_address, k);
}

static void test_addresses(void **state)
{
	struct fixture *f = *state;
	int64_t other = add_domain(f, "other.example");
	struct span first = SPAN("\xC0\x00\x02\x01"), second = SPAN("\xC0\x00\x02\x02");
	struct span long_one = SPAN("\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01");
	struct call ours = { .domain = f->domain, .addresses = { second, first }, .n = 2 };
	struct call theirs = { .domain = other, .addresses = { long_one, first }, .n = 2 };
	/* Counted from the first domain, whose number does not matter. */
	struct call list = { .id = f->domain - 1 };
	char expected[100];

	assert_int_equal(run(f, addresses_set, &ours), 0);
	expect(f, list_addresses, &list, "1:c0000201 1:c0000202 ");
	/* One that is another's: nothing of the list is taken. */
	assert_int_equal(run(f, addresses_set, &theirs), STORE_E_EXISTS);
	assert_int_equal(theirs.taken, 1);
	expect(f, list_addresses, &list, "1:c0000201 1:c0000202 ");
	/* The same again is no conflict with oneself, nor is one that was given twice. */
	ours.addresses[2] = first;
	ours.n = 3;
	assert_int_equal(run(f, addresses_set, &ours), 0);
	expect(f, list_addresses, &list, "1:c0000201 1:c0000202 ");
	ours.n = 1;
	assert_int_equal(run(f, addresses_set, &ours), 0);
	assert_int_equal(run(f, addresses_set, &theirs), 0);
	(void)snprintf(expected, sizeof expected,
		"%lld:20010db8000000000000000000000001 %lld:c0000201 1:c0000202 ",
		(long long)(other - list.id), (long long)(other - list.id));
	expect(f, list_addresses, &list, expected);
	list.domain = f->domain;
	expect(f, list_addresses, &list, "1:c0000202 ");
	assert_int_equal(run(f, domain_remove, &theirs), 0);
	list.domain = 0;
	expect(f, list_addresses, &list, "1:c0000202 ");
}

static int cert_add(struct store_conn *c, struct call *k)
{
	struct store_key key = { .domain = k->domain, .use = KEY_TLS, .alias = span_str(k->name),
		.type = span_str(k->name), .key_id = SPAN("key id"), .wrapped = SPAN("wrapped"),
		.spki = SPAN("spki"), .created_us = 5 };
	struct store_cert cert = { .domain = k->domain, .alias = span_str(k->name),
		.der = SPAN("der"), .chain = SPAN("chain"), .services = span_str(k->services),
		.created_us = 6 };

	TRY(store_key_add(c, &key, &cert.key));
	return store_cert_add(c, &cert, &k->id);
}

static int see_active(const struct store_cert *cert, const struct store_key *key, void *context)
{
	struct call *k = context;

	assert_true(cert->key == key->id && cert->domain == key->domain && key->use == KEY_TLS);
	assert_true(span_equal(cert->alias, key->alias) && span_equal(key->type, key->alias));
	assert_true(span_is(cert->der, "der") && span_is(cert->chain, "chain"));
	assert_true(span_is(key->key_id, "key id") && span_is(key->wrapped, "wrapped") &&
		    span_is(key->spki, "spki"));
	buf_add(&k->text, cert->alias);
	buf_add_format(&k->text, ":%.*s ", (int)cert->services.n, (const char *)cert->services.p);
	return 0;
}

static int list_active(struct store_conn *c, struct call *k)
{
	return store_active_cert_each(c, see_active, k);
}

static int activate(struct store_conn *c, struct call *k)
{
	return store_cert_activate(c, k->id, span_str(k->services));
}

static void test_active(void **state)
{
	struct fixture *f = *state;
	struct call theirs = { .domain = add_domain(f, "other.example"), .name = "theirs",
		.services = "all" };
	struct call idle = { .domain = f->domain, .name = "idle", .services = "" };
	struct call ours = { .domain = f->domain, .name = "ours", .services = "smtp,imap" };
	struct call list = {};

	expect(f, list_active, &list, "");
	assert_int_equal(run(f, cert_add, &theirs), 0);
	assert_int_equal(run(f, cert_add, &idle), 0);
	assert_int_equal(run(f, cert_add, &ours), 0);
	/* By domain, whichever came first; what serves nothing is left out. */
	expect(f, list_active, &list, "ours:smtp,imap theirs:all ");
	idle.services = "http";
	assert_int_equal(run(f, activate, &idle), 0);
	expect(f, list_active, &list, "idle:http ours:smtp,imap theirs:all ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_values),
		FIXTURE_TEST(test_addresses),
		FIXTURE_TEST(test_active),
	};

	log_set_stderr(false);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
