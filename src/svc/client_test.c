/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Which certificates a domain takes, and what logins make of them. */

#include "svc/client.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/tls.h"
#include "pki/revocation_fixture.h"
#include "pki/trust.h"
#include "store/client_rows.h"
#include "store/store.h"
#include "svc/auth.h"
#include "svc/client_fixture.h"
#include "svc/revocation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct client_fixture world;

static int start(void **state)
{
	struct env_fixture *f = env_fixture_new();

	env_fixture_person(f, "bob", "builder");
	*state = f;
	return 0;
}

static int stop(void **state)
{
	env_fixture_free(*state);
	return 0;
}

static int open_store(void **state)
{
	env_fixture_open(*state);
	client_fixture_open(&world, *state);
	return 0;
}

static int close_store(void **state)
{
	client_fixture_close(&world);
	env_fixture_close(*state);
	clock_set(0, 0);
	return 0;
}

static const int64_t day_us = 86400LL * 1000000;

/* What is found of a certificate, and why. Takes the certificate. */
static void expect_shown(struct cert_made made, const struct cert_made *other, long result,
	const char *name, const char *reason)
{
	struct tls_client *client = client_fixture_show(&world, &made, other);

	if (client->result != result)
		fail_msg("%ld %s", client->result, client->reason);
	if (name)
		assert_string_equal(client->name, name);
	else
		assert_null(client->name);
	if (reason && !(client->reason && strstr(client->reason, reason)))
		fail_msg("%s", client->reason);
	tls_client_unref(client);
	cert_made_done(&made);
}

static struct cert_made order(struct cert_order o)
{
	o.subject = "CN=Somebody";
	if (!o.names)
		o.names = "email:alice@example.org";
	return client_fixture_make(&world, &o);
}

static void test_valid(void **state)
{
	int64_t now_us = clock_now_us();
	struct cert_made middle = client_fixture_make(&world, &(struct cert_order){
		.subject = "CN=Middle", .is_authority = true });
	struct cert_made foreign = cert_make(&(struct cert_order){ .subject = "CN=People,O=Example",
		.is_authority = true });

	(void)state;
	expect_shown(order((struct cert_order){}), NULL, X509_V_OK, "alice@example.org", NULL);
	expect_shown(order((struct cert_order){ .usage = "emailProtection,clientAuth" }), NULL,
		X509_V_OK, "alice@example.org", NULL);
	expect_shown(order((struct cert_order){ .issuer = &middle }), &middle, X509_V_OK,
		"alice@example.org", NULL);
	expect_shown(order((struct cert_order){}), &middle, X509_V_OK, "alice@example.org", NULL);
	/* Valid, and nobody's. */
	expect_shown(order((struct cert_order){ .names = "email:nobody@example.org" }), NULL,
		X509_V_OK, NULL, "no rule");

	expect_shown(order((struct cert_order){ .issuer = &middle }), NULL,
		X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, NULL, "");
	expect_shown(order((struct cert_order){ .till_us = now_us - day_us }), NULL,
		X509_V_ERR_CERT_HAS_EXPIRED, NULL, "expired");
	expect_shown(order((struct cert_order){ .from_us = now_us + day_us }), NULL,
		X509_V_ERR_CERT_NOT_YET_VALID, NULL, "from");
	expect_shown(order((struct cert_order){ .usage = "serverAuth" }), NULL,
		X509_V_ERR_INVALID_PURPOSE, NULL, "");
	expect_shown(order((struct cert_order){ .usage = "emailProtection" }), NULL,
		X509_V_ERR_INVALID_PURPOSE, NULL, "");
	/* The same name, another key; with the authority's own certificate beside it. */
	expect_shown(order((struct cert_order){ .issuer = &foreign }), NULL,
		X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, NULL, "");
	expect_shown(order((struct cert_order){ .issuer = &foreign }), &foreign,
		X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, NULL, "");
	expect_shown(order((struct cert_order){ .issuer = &foreign }), &world.authority,
		X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, NULL, "");
	cert_made_done(&middle);
	cert_made_done(&foreign);
}

/* With an intermediate behind n others. */
static long result_behind(const struct cert_made *leaf, const struct cert_made *middle, int n)
{
	struct tls_profile *p = tls_host_profile(world.f->env.tls, "example.org");
	STACK_OF(X509) *others = sk_X509_new_null();
	struct tls_client *client;
	long result;

	for (int i = 0; i < n; i++)
		assert_true(sk_X509_push(others, cert_x509(world.alice.cert)));
	assert_true(sk_X509_push(others, cert_x509(middle->cert)));
	client = tls_client_new(cert_x509(leaf->cert), others);
	p->client_verify(p->client_context, client);
	result = client->result;
	tls_client_unref(client);
	tls_profile_unref(p);
	sk_X509_free(others);
	return result;
}

/* A client sends what is needed and little else (RFC 8446 section 4.4.2). */
static void test_many(void **state)
{
	struct cert_made middle = client_fixture_make(&world, &(struct cert_order){
		.subject = "CN=Middle", .is_authority = true });
	struct cert_made leaf = order((struct cert_order){ .issuer = &middle });

	(void)state;
	assert_int_equal(result_behind(&leaf, &middle, 0), X509_V_OK);
	assert_int_equal(result_behind(&leaf, &middle, 9), X509_V_OK);
	assert_int_equal(result_behind(&leaf, &middle, 10),
		X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
	cert_made_done(&leaf);
	cert_made_done(&middle);
}

static void test_trust(void **state)
{
	struct cert_made middle = client_fixture_make(&world, &(struct cert_order){
		.subject = "CN=Middle", .is_authority = true });

	(void)state;
	/* Trusted by the domain for clients, but not chosen. */
	{
		struct cert_made other = cert_make(&(struct cert_order){ .subject = "CN=Other",
			.is_authority = true });

		client_fixture_trust(&world, other.cert, TRUST_CLIENT);
		expect_shown(order((struct cert_order){ .issuer = &other }), NULL,
			X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, NULL, "");
		cert_made_done(&other);
	}
	/* A denied intermediate. */
	client_fixture_trust(&world, middle.cert, 0);
	expect_shown(order((struct cert_order){}), NULL, X509_V_OK, "alice@example.org", NULL);
	expect_shown(order((struct cert_order){ .issuer = &middle }), &middle,
		X509_V_ERR_CERT_REJECTED, NULL, "denied");
	/* Chosen, but trusted for something else; with "required" nobody gets in any more. */
	client_fixture_require(&world, true);
	expect_shown(order((struct cert_order){}), NULL, X509_V_OK, "alice@example.org", NULL);
	client_fixture_trust(&world, world.authority.cert, TRUST_SERVER | TRUST_MAIL);
	expect_shown(order((struct cert_order){}), NULL,
		X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, NULL, "no issuer");
	client_fixture_trust(&world, world.authority.cert, 0);
	expect_shown(order((struct cert_order){}), NULL,
		X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, NULL, "no issuer");
	cert_made_done(&middle);
}

static void test_profile(void **state)
{
	struct env_fixture *f = *state;
	struct tls_profile *p = tls_host_profile(f->env.tls, "example.org");
	uint8_t before[32];
	size_t n;

	assert_int_equal(p->client_mode, SSL_VERIFY_PEER);
	assert_int_equal(sk_X509_NAME_num(p->client_names), 1);
	assert_int_equal(X509_NAME_cmp(sk_X509_NAME_value(p->client_names, 0),
		X509_get_subject_name(cert_x509(world.authority.cert))), 0);
	memcpy(before, p->client_rule, sizeof before);
	tls_profile_unref(p);
	assert_int_equal(client_usable_issuers(&f->env, f->store->domain, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(client_usable_issuers(&f->env, 0, &n), 0);
	assert_int_equal(n, 0);

	p = tls_host_profile(f->env.tls, "lax.example");
	assert_int_equal(p->client_mode, SSL_VERIFY_NONE);
	tls_profile_unref(p);

	client_fixture_require(&world, true);
	p = tls_host_profile(f->env.tls, "example.org");
	assert_int_equal(p->client_mode, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
	tls_profile_unref(p);

	/* Without an issuer that can be used nobody is asked, unless it is required. */
	client_fixture_trust(&world, world.authority.cert, TRUST_SERVER);
	assert_int_equal(client_usable_issuers(&f->env, f->store->domain, &n), 0);
	assert_int_equal(n, 0);
	p = tls_host_profile(f->env.tls, "example.org");
	assert_int_equal(p->client_mode, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
	assert_memory_not_equal(before, p->client_rule, sizeof before);
	tls_profile_unref(p);
	client_fixture_require(&world, false);
	p = tls_host_profile(f->env.tls, "example.org");
	assert_int_equal(p->client_mode, SSL_VERIFY_NONE);
	tls_profile_unref(p);
}

static int by_certificate(struct env_fixture *f, const char *domain, struct tls_client *client,
	const char *reason)
{
	struct auth_source from = { .peer = SPAN("peer"), .domain = domain, .client = client };
	struct auth_identity who = {};
	struct why why = {};
	int r = auth_certificate(&f->env, &from, &who, &why);

	if (r == 0)
		assert_string_equal(who.address, "alice@example.org");
	else if (!strstr(why.text, reason))
		fail_msg("%s", why.text);
	return r;
}

static void test_certificate(void **state)
{
	struct env_fixture *f = *state;
	struct tls_client *alice = client_fixture_show(&world, &world.alice, NULL);
	struct cert_made brief = order((struct cert_order){
		.till_us = clock_now_us() + day_us });
	struct tls_client *passing = client_fixture_show(&world, &brief, NULL);

	assert_int_equal(by_certificate(f, "example.org", alice, ""), 0);
	assert_int_equal(by_certificate(f, "example.org", passing, ""), 0);
	assert_int_equal(by_certificate(f, "example.org", NULL, "no client certificate"),
		AUTH_E_REFUSED);
	assert_int_equal(by_certificate(f, NULL, alice, "no client certificate"), AUTH_E_REFUSED);
	/* By the name of a domain that does not ask, or that there is not. */
	assert_int_equal(by_certificate(f, "lax.example", alice, "does not ask"), AUTH_E_REFUSED);
	assert_int_equal(by_certificate(f, "gone.example", alice, "does not ask"), AUTH_E_REFUSED);
	/* It was valid in the handshake. */
	clock_set(clock_now_us() + 2 * day_us, 0);
	assert_int_equal(passing->result, X509_V_OK);
	assert_int_equal(by_certificate(f, "example.org", passing, "expired"), AUTH_E_REFUSED);
	assert_int_equal(by_certificate(f, "example.org", alice, ""), 0);
	clock_set(0, 0);

	env_fixture_account_set(f, "bob", "role", "admin");
	env_fixture_account_set(f, "alice", "disabled", "yes");
	assert_int_equal(by_certificate(f, "example.org", alice, "disabled"), AUTH_E_REFUSED);
	env_fixture_account_set(f, "alice", "disabled", "no");
	client_fixture_trust(&world, world.authority.cert, 0);
	assert_int_equal(by_certificate(f, "example.org", alice, "does not ask"), AUTH_E_REFUSED);
	client_fixture_require(&world, true);
	assert_int_equal(by_certificate(f, "example.org", alice, "no issuer"), AUTH_E_REFUSED);
	tls_client_unref(alice);
	tls_client_unref(passing);
	cert_made_done(&brief);
}

static int by_password(struct env_fixture *f, const char *domain, struct tls_client *client,
	const char *user, const char *password)
{
	struct auth_source from = { .peer = SPAN("peer"), .domain = domain, .client = client };
	struct auth_identity who;

	return auth_password(&f->env, &from, span_str(user), span_str(password), &who);
}

/* A certificate that is nobody's costs tries as a wrong password does. */
static void test_failures(void **state)
{
	struct env_fixture *f = *state;
	struct cert_made made = order((struct cert_order){ .names = "email:x@example.org" });
	struct tls_client *nobody = client_fixture_show(&world, &made, NULL);
	struct tls_client *alice = client_fixture_show(&world, &world.alice, NULL);
	int r = AUTH_E_REFUSED;
	unsigned n = 0;

	clock_set(clock_now_us(), 1000000);
	for (; r == AUTH_E_REFUSED && n < 100; n++)
		r = by_certificate(f, "example.org", nobody, "");
	assert_int_equal(r, AUTH_E_TOO_MANY);
	assert_int_equal(n, 21);
	assert_int_equal(by_password(f, "example.org", NULL, "alice", "wonderland"),
		AUTH_E_TOO_MANY);
	/* Who has the right one is not one of those who guess. */
	assert_int_equal(by_certificate(f, "example.org", alice, ""), 0);
	tls_client_unref(nobody);
	tls_client_unref(alice);
	cert_made_done(&made);
}

/* An account of a domain that requires certificates comes in by that door only. */
static void test_password(void **state)
{
	struct env_fixture *f = *state;
	struct cert_made made = order((struct cert_order){ .names = "email:x@example.org" });
	struct cert_made foreign = cert_make(&(struct cert_order){ .subject = "CN=x" });
	struct tls_client *alice = client_fixture_show(&world, &world.alice, NULL);
	struct tls_client *nobody = client_fixture_show(&world, &made, NULL);
	struct tls_client *stranger = client_fixture_show(&world, &foreign, NULL);

	assert_int_equal(by_password(f, NULL, NULL, "bob", "builder"), 0);
	assert_int_equal(by_password(f, "lax.example", NULL, "bob", "builder"), 0);
	client_fixture_require(&world, true);
	/* The login cache remembers bob; it does not open other doors. */
	assert_int_equal(by_password(f, NULL, NULL, "bob", "builder"), AUTH_E_CERTIFICATE);
	assert_int_equal(by_password(f, "lax.example", NULL, "bob", "builder"),
		AUTH_E_CERTIFICATE);
	assert_int_equal(by_password(f, "lax.example", alice, "bob", "builder"),
		AUTH_E_CERTIFICATE);
	assert_int_equal(by_password(f, "example.org", NULL, "bob", "builder"),
		AUTH_E_CERTIFICATE);
	assert_int_equal(by_password(f, "example.org", stranger, "bob", "builder"),
		AUTH_E_CERTIFICATE);
	/* Any valid one will do, also nobody's. */
	assert_int_equal(by_password(f, "example.org", alice, "bob", "builder"), 0);
	assert_int_equal(by_password(f, "example.org", nobody, "bob", "builder"), 0);
	assert_int_equal(by_password(f, "example.org", alice, "bob", "wrong"), AUTH_E_REFUSED);
	/* Whether there is such an account does not show. */
	assert_int_equal(by_password(f, "lax.example", NULL, "nobody", "x"), AUTH_E_CERTIFICATE);
	assert_int_equal(by_password(f, "lax.example", NULL, "x@gone.example", "x"),
		AUTH_E_REFUSED);
	tls_client_unref(alice);
	tls_client_unref(nobody);
	tls_client_unref(stranger);
	cert_made_done(&made);
	cert_made_done(&foreign);
}

struct listing {
	struct env *env;
	struct revocation_taking taking;
};

static int put_list(struct store_conn *c, void *arg)
{
	struct listing *l = arg;

	return revocation_put(c, &l->taking, NULL);
}

/* A list of the authority's reaches the server. */
static void revoke(struct env_fixture *f, const struct cert *cert)
{
	CLEANUP(arena_done) struct arena arena = {};
	CLEANUP(buf_done) struct buf der = {};
	struct listing l = { .env = &f->env };
	struct why why = {};

	crl_make(&(struct crl_order){ .authority = &world.authority, .number = 1,
			 .this_us = clock_now_us() - day_us, .next_us = clock_now_us() + day_us,
			 .revoked = { cert } },
		&der);
	if (revocation_take(&f->env, &arena, f->store->domain, buf_span(&der), SPAN(""), &l.taking,
		    &why))
		fail_msg("%s", why.text);
	assert_int_equal(store_write(f->env.store, put_list, &l), 0);
	assert_int_equal(revocation_load(&f->env), 0);
}

/* Also where the handshake was before: on a connection that is there, or with a ticket. */
static void test_revoked(void **state)
{
	struct env_fixture *f = *state;
	struct cert_made made = order((struct cert_order){});
	struct tls_client *before = client_fixture_show(&world, &made, NULL);

	client_fixture_require(&world, true);
	assert_int_equal(before->result, X509_V_OK);
	assert_int_equal(by_certificate(f, "example.org", before, ""), 0);
	assert_int_equal(by_password(f, "example.org", before, "bob", "builder"), 0);
	revoke(f, made.cert);
	assert_int_equal(by_certificate(f, "example.org", before, "revoked"), AUTH_E_REFUSED);
	assert_int_equal(by_password(f, "example.org", before, "bob", "builder"),
		AUTH_E_CERTIFICATE);
	tls_client_unref(before);
	expect_shown(made, NULL, X509_V_ERR_CERT_REVOKED, NULL, "revoked");
	expect_shown(order((struct cert_order){}), NULL, X509_V_OK, "alice@example.org", NULL);
}

int main(void)
{
#define CLIENT_TEST(f) cmocka_unit_test_setup_teardown(f, open_store, close_store)
	const struct CMUnitTest tests[] = {
		CLIENT_TEST(test_valid),
		CLIENT_TEST(test_many),
		CLIENT_TEST(test_trust),
		CLIENT_TEST(test_profile),
		CLIENT_TEST(test_certificate),
		CLIENT_TEST(test_failures),
		CLIENT_TEST(test_password),
		CLIENT_TEST(test_revoked),
	};

	log_set_stderr(false);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, start, stop);
}
