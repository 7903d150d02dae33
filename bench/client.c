/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * What a client certificate costs: validating its path by a domain's rule, in a handshake (with the
 * look-up of its account) and in a login by it (with the same and the account's name). Microseconds on
 * one thread, for a certificate of an issuer itself and for one behind three intermediates.
 */

#include "base/alloc.h"
#include "base/log.h"
#include "net/tls.h"
#include "svc/auth.h"
#include "svc/client.h"
#include "svc/client_fixture.h"

#include <stdio.h>
#include <time.h>

enum { ROUNDS = 2000 };

static double now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static struct tls_client *client_of(const struct cert_made *leaf, const struct cert_made *others,
	size_t n)
{
	STACK_OF(X509) *stack = sk_X509_new_null();
	struct tls_client *c;

	for (size_t i = 0; i < n; i++)
		(void)sk_X509_push(stack, cert_x509(others[i].cert));
	c = tls_client_new(cert_x509(leaf->cert), stack);
	sk_X509_free(stack);
	return c;
}

static void measure(struct client_fixture *world, struct tls_client *client, const char *name)
{
	struct env *e = &world->f->env;
	struct auth_source from = { .peer = SPAN("peer"), .domain = "example.org", .client = client };
	struct tls_profile *p = tls_host_profile(e->tls, "example.org");
	struct auth_identity who;
	struct why why;
	double start = now_us();

	for (int i = 0; i < ROUNDS; i++) {
		if (client_check(e, "example.org", client, &why))
			(void)fprintf(stderr, "%s\n", why.text);
	}
	printf("client_validate_%s %.0f us\n", name, (now_us() - start) / ROUNDS);
	start = now_us();
	for (int i = 0; i < ROUNDS; i++) {
		struct tls_client *c = tls_client_new(client->certificate, client->others);

		p->client_verify(p->client_context, c);
		tls_client_unref(c);
	}
	printf("client_handshake_%s %.0f us\n", name, (now_us() - start) / ROUNDS);
	start = now_us();
	for (int i = 0; i < ROUNDS; i++) {
		if (auth_certificate(e, &from, &who, &why))
			(void)fprintf(stderr, "%s\n", why.text);
	}
	printf("client_login_%s %.0f us\n", name, (now_us() - start) / ROUNDS);
	tls_profile_unref(p);
}

int main(void)
{
	struct env_fixture *f = env_fixture_new();
	struct client_fixture world;
	struct cert_made middle[3], deep;
	struct tls_client *client;

	log_set_stderr(false);
	env_fixture_open(f);
	client_fixture_open(&world, f);
	for (int i = 0; i < 3; i++)
		middle[i] = client_fixture_make(&world, &(struct cert_order){
			.subject = i == 0 ? "CN=One" : i == 1 ? "CN=Two" : "CN=Three",
			.is_authority = true, .issuer = i ? &middle[i - 1] : NULL });
	deep = client_fixture_make(&world, &(struct cert_order){ .subject = "CN=Alice",
		.names = "email:alice@example.org", .issuer = &middle[2] });
	client = client_of(&world.alice, NULL, 0);
	measure(&world, client, "direct");
	tls_client_unref(client);
	client = client_of(&deep, middle, 3);
	measure(&world, client, "deep");
	tls_client_unref(client);
	for (int i = 0; i < 3; i++)
		cert_made_done(&middle[i]);
	cert_made_done(&deep);
	client_fixture_close(&world);
	env_fixture_close(f);
	env_fixture_free(f);
	return 0;
}
