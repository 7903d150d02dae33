/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/client_fixture.h"

#include "net/tls.h"
#include "pki/trust.h"
#include "store/client_rows.h"
#include "store/domain.h"
#include "store/store.h"
#include "store/trust_rows.h"
#include "svc/client.h"
#include "svc/trust.h"

#include <stdio.h>
#include <stdlib.h>

/* 2001 and 2049: whatever the test's clock says. */
static const int64_t early_us = 1000000000LL * 1000000, late_us = 2500000000LL * 1000000;

static void must(int r, const char *what)
{
	if (r == 0)
		return;
	(void)fprintf(stderr, "client fixture: %s: %d (%s)\n", what, r, err_last_trace());
	abort();
}

struct cert_made client_fixture_make(const struct client_fixture *c, const struct cert_order *order)
{
	struct cert_order o = *order;

	if (!o.usage && !o.is_authority)
		o.usage = "clientAuth";
	if (!o.issuer)
		o.issuer = &c->authority;
	if (!o.from_us)
		o.from_us = early_us;
	if (!o.till_us)
		o.till_us = late_us;
	return cert_make(&o);
}

static struct tls_profile *profile_new(struct client_fixture *c, struct client_rules *rules,
	const char *name, int64_t domain)
{
	struct tls_profile *p = tls_profile_new(name);

	(void)c;
	client_rules_apply(rules, domain, p);
	return p;
}

static void rebuild(struct client_fixture *c)
{
	struct tls_directory *d = tls_directory_new();
	struct client_rules *rules = NULL;
	struct tls_profile *strict, *lax;

	must(client_rules_load(&c->f->env, &rules), "client_rules_load");
	strict = profile_new(c, rules, "example.org", c->f->store->domain);
	lax = profile_new(c, rules, "lax.example", 0);
	tls_directory_add_name(d, "example.org", strict);
	tls_directory_add_name(d, "lax.example", lax);
	tls_directory_set_default(d, lax);
	tls_profile_unref(strict);
	tls_profile_unref(lax);
	client_rules_free(rules);
	tls_host_swap(c->f->env.tls, d);
}

struct change {
	struct client_fixture *c;
	const struct cert *cert;
	unsigned purposes;
	bool required;
};

static int write_trust(struct store_conn *c, void *arg)
{
	struct change *change = arg;
	uint8_t sha256[32] = {};
	const struct store_trust row = { .domain = change->c->f->store->domain,
		.scope = TRUST_DOMAIN, .sha256 = span_of(sha256, sizeof sha256),
		.der = cert_der(change->cert), .purposes = change->purposes };

	cert_fingerprint(change->cert, sha256);
	return store_trust_put(c, &row);
}

static int write_start(struct store_conn *c, void *arg)
{
	struct change *change = arg;
	uint8_t sha256[32];

	cert_fingerprint(change->cert, sha256);
	TRY(store_client_issuer_add(c, change->c->f->store->domain,
		span_of(sha256, sizeof sha256), cert_der(change->cert)));
	return write_trust(c, change);
}

static int write_required(struct store_conn *c, void *arg)
{
	struct change *change = arg;

	return store_domain_set(c, change->c->f->store->domain, SPAN("client_required"),
		change->required ? SPAN("yes") : SPAN("no"), NULL);
}

void client_fixture_require(struct client_fixture *c, bool required)
{
	struct change change = { .c = c, .required = required };

	must(store_write(c->f->env.store, write_required, &change), "client_required");
	rebuild(c);
}

void client_fixture_trust(struct client_fixture *c, const struct cert *cert, unsigned purposes)
{
	struct change change = { .c = c, .cert = cert, .purposes = purposes };

	must(store_write(c->f->env.store, write_trust, &change), "trust");
	trust_changed(&c->f->env);
	rebuild(c);
}

static struct cert_made made_ref(const struct cert_made *m)
{
	(void)EVP_PKEY_up_ref(m->key);
	return (struct cert_made){ cert_ref(m->cert), m->key };
}

/* Once in a process: dialogs open hundreds of stores. */
static void make_people(struct client_fixture *c)
{
	static struct cert_made authority, alice;

	if (!authority.cert) {
		authority = cert_make(&(struct cert_order){ .subject = "CN=People,O=Example",
			.is_authority = true, .from_us = early_us, .till_us = late_us });
		c->authority = authority;
		alice = client_fixture_make(c, &(struct cert_order){ .subject = "CN=Alice",
			.names = "email:alice@example.org" });
	}
	c->authority = made_ref(&authority);
	c->alice = made_ref(&alice);
}

void client_fixture_open(struct client_fixture *c, struct env_fixture *f)
{
	struct change change = { .c = c, .purposes = TRUST_CLIENT };

	*c = (struct client_fixture){ .f = f, .before = f->env.tls };
	must(tls_host_new(&f->env.tls, NULL, NULL), "tls_host_new");
	make_people(c);
	change.cert = c->authority.cert;
	must(store_write(f->env.store, write_start, &change), "issuer");
	trust_changed(&f->env);
	rebuild(c);
}

void client_fixture_close(struct client_fixture *c)
{
	tls_host_free(c->f->env.tls);
	c->f->env.tls = c->before;
	trust_changed(&c->f->env);
	cert_made_done(&c->authority);
	cert_made_done(&c->alice);
}

struct tls_client *client_fixture_show(struct client_fixture *c, const struct cert_made *cert,
	const struct cert_made *other)
{
	struct tls_profile *p = tls_host_profile(c->f->env.tls, "example.org");
	STACK_OF(X509) *others = sk_X509_new_null();
	struct tls_client *client;

	if (other && !sk_X509_push(others, cert_x509(other->cert)))
		abort();
	client = tls_client_new(cert_x509(cert->cert), others);
	sk_X509_free(others);
	if (p->client_verify)
		p->client_verify(p->client_context, client);
	tls_profile_unref(p);
	return client;
}
