/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Issuing is three steps: look everything up in one reading, sign without a transaction (keyd may
 * take its time), write the row. The row counts: a certificate is handed out after it was written,
 * and a serial number that is taken is drawn again.
 */

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/random.h"
#include "pki/altname.h"
#include "pki/authority.h"
#include "pki/build.h"
#include "pki/mailcert.h"
#include "pki/key.h"
#include "store/account.h"
#include "store/settings.h"
#include "store/store.h"
#include "svc/ca.h"
#include "svc/ca_parts.h"
#include "svc/domain_keys.h"
#include "svc/env.h"

enum { SERIAL_TRIES = 5 };

/* One certificate on its way. */
struct issuing {
	struct env *env;
	struct arena *arena;
	const struct ca_wish *wish;
	ca_then_fn *then;
	void *context;
	struct why *why;
	struct settings *settings;

	struct store_account account;
	struct store_domain domain;
	struct store_authority authority;
	struct store_key key;
	struct buf crl_url, ocsp_url, issuer_url;
	uint8_t key_sha256[SHA256_OCTETS];
	struct store_issued row;
};

static void issuing_done(struct issuing *g)
{
	(void)settings_unref(g->settings);
	buf_done(&g->crl_url);
	buf_done(&g->ocsp_url);
	buf_done(&g->issuer_url);
}

static int refuse_address(struct issuing *g, struct span address, const char *text)
{
	why_set(g->why, "%.*s %s", (int)address.n, (const char *)address.p, text);
	return CA_E_REFUSED;
}

/* CGPW-12: mail for the address comes to the account, and to nobody else. */
static int check_address(struct issuing *g, struct store_conn *c, struct span address)
{
	struct span local, name;
	struct store_domain domain;
	struct route route;
	int r;

	if (address.n > LIMIT_ADDRESS || !altname_split_address(address, &local, &name))
		return refuse_address(g, span_head(address, LIMIT_ADDRESS),
			"is not a mail address");
	r = store_domain_find(c, g->arena, name, &domain);
	if (r < 0)
		return r;
	if (r || domain.id != g->domain.id)
		return refuse_address(g, address,
			"is not of the account's domain: its authority speaks for no other");
	TRY(store_route(c, g->arena, local, name, g->settings->subaddress_separators, &route));
	if (route.kind != ROUTE_ACCOUNT || route.n_targets != 1 ||
		route.targets[0].account != g->account.id)
		return refuse_address(g, address, "does not lead to this account alone");
	return 0;
}

static int check_account(struct issuing *g, struct store_conn *c)
{
	int r = store_account_get(c, g->arena, g->wish->account, &g->account);

	if (r == STORE_E_NOT_FOUND) {
		why_set(g->why, "there is no such account");
		return CA_E_REFUSED;
	}
	TRY(r);
	if (g->account.disabled) {
		why_set(g->why, "the account is disabled");
		return CA_E_REFUSED;
	}
	TRY(store_domain_get(c, g->arena, g->account.domain, &g->domain));
	/* CGP-58. */
	if (g->domain.pki == PKI_ENABLED)
		return 0;
	why_set(g->why, "the PKI of %s is not enabled: signet domain set %s pki=enabled",
		g->domain.name, g->domain.name);
	return CA_E_REFUSED;
}

/* Who may have what is asked for. */
static int check_wish(struct issuing *g, struct store_conn *c)
{
	int r = check_account(g, c);

	for (size_t i = 0; !r && i < g->wish->n_addresses; i++)
		r = check_address(g, c, g->wish->addresses[i]);
	return r;
}

static int look_up(struct store_conn *c, void *arg)
{
	struct issuing *g = arg;
	int r = check_wish(g, c);

	if (!r)
		r = ca_find(c, g->arena, &g->domain, &g->authority, g->why);
	if (r)
		return r;
	r = g->authority.key ? store_key_get(c, g->arena, g->authority.key, &g->key)
			     : STORE_E_NOT_FOUND;
	if (r != STORE_E_NOT_FOUND)
		return r;
	why_set(g->why,
		"the key of the domain's authority was removed: make a new authority with"
		" signet ca create %s",
		g->domain.name);
	return CA_E_NONE;
}

static struct ca_certificate result_of(const struct issuing *g)
{
	CLEANUP(buf_done) struct buf chain = {};

	buf_add(&chain, g->authority.der);
	buf_add(&chain, g->authority.chain);
	return (struct ca_certificate){ .id = g->row.id,
		.authority = g->authority.id,
		.der = g->row.der,
		.chain = arena_span(g->arena, buf_span(&chain)),
		.not_after_us = g->row.not_after_us };
}

static int succeed(struct issuing *g, struct store_conn *c)
{
	int r = store_issued_renewed(c, g->wish->predecessor, g->row.id);

	if (r != STORE_E_STALE)
		return r;
	why_set(g->why, "the certificate was renewed or revoked meanwhile");
	return CA_E_REFUSED;
}

/* The outcomes of this module and of the store have numbers in common: a serial number that is
 * taken is the one outcome of the store that comes out of here. */
enum { WRITE_E_SERIAL = 100 };

static int write_row(struct store_conn *c, void *arg)
{
	struct issuing *g = arg;
	struct ca_certificate result;
	int r = ca_key_check(c, g->wish->spki, g->wish->account, g->why);

	/* Signing takes its time: an alias may lead to somebody else by now. */
	if (!r)
		r = check_wish(g, c);
	if (r)
		return r;
	/* The domain's own certificate may be another one by now. */
	if (!g->authority.active)
		TRY(ca_put(c, &g->authority, &g->authority.id));
	g->row.authority = g->authority.id;
	r = store_issued_add(c, &g->row, &g->row.id);
	if (r == STORE_E_EXISTS)
		return WRITE_E_SERIAL;
	if (r == STORE_E_NOT_FOUND) {
		why_set(g->why, "the domain's authority was removed meanwhile");
		return CA_E_NONE;
	}
	TRY(r);
	for (size_t i = 0; i < g->wish->n_addresses; i++)
		TRY(ca_note_address(c, g->row.id, g->wish->addresses[i]));
	r = g->wish->predecessor ? succeed(g, c) : 0;
	if (r || !g->then)
		return r;
	result = result_of(g);
	r = g->then(c, &result, g->context, g->why);
	return r > 0 ? CA_E_REFUSED : r;
}

static int sign(struct issuing *g, struct cert *issuer, EVP_PKEY *signer)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	uint8_t serial[BUILD_SERIAL_OCTETS] = {};
	const struct ca_wish *w = g->wish;
	struct mailcert_order o = { .issuer = issuer,
		.signer = signer,
		.spki = w->spki,
		.name = w->name.n ? w->name : g->account.name,
		.addresses = w->addresses,
		.n_addresses = w->n_addresses,
		.serial = span_of(serial, sizeof serial),
		.now_us = clock_now_us(),
		.days = w->days ? w->days : (unsigned)g->settings->ca_days,
		.client_auth = g->settings->ca_client_auth,
		.ocsp_url = buf_span(&g->ocsp_url),
		.issuer_url = buf_span(&g->issuer_url) };
	int r;

	if (authority_signs_lists(issuer))
		o.crl_url = buf_span(&g->crl_url);
	build_random_serial(serial);
	digest_sha256(w->spki, g->key_sha256);
	r = mailcert_make(&cert, &o, g->why);
	if (r)
		return r < 0 ? r : CA_E_REFUSED;
	g->row = (struct store_issued){ .account = w->account,
		.serial = arena_span(g->arena, o.serial),
		.address = w->addresses[0],
		.der = arena_span(g->arena, cert_der(cert)),
		.not_after_us = cert_not_after_us(cert),
		.renew_us = w->renews ? mailcert_renewal_us(cert, random_below(UINT32_MAX)) : 0,
		.created_us = o.now_us,
		.key_sha256 = span_of(g->key_sha256, sizeof g->key_sha256) };
	return 0;
}

/* Until a serial number is free: at once, but for a wonder. */
static int sign_and_write(struct issuing *g)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *signer = NULL;
	CLEANUP(cert_unrefp) struct cert *issuer = NULL;
	int r;

	TRY(cert_from_der(&issuer, g->authority.der, g->why));
	TRY(domain_key_open(g->env, &g->key, &signer));
	ca_add_url(g->env, &g->authority, "ca.crl", &g->crl_url);
	ca_add_url(g->env, &g->authority, "ocsp", &g->ocsp_url);
	ca_add_url(g->env, &g->authority, "ca.der", &g->issuer_url);
	for (unsigned i = 0; i < SERIAL_TRIES; i++) {
		r = sign(g, issuer, signer);
		if (!r)
			r = store_write(g->env->store, write_row, g);
		if (r != WRITE_E_SERIAL)
			return r;
	}
	return err_fold(WRITE_E_SERIAL);
}

static void log_issued(const struct issuing *g)
{
	CLEANUP(buf_done) struct buf end = {};

	clock_add_rfc3339(&end, g->row.not_after_us);
	LOG(NULL, LOG_INFO, "PKI", "ca.issued", log_str("domain", g->domain.name),
		log_span("account", g->account.address), log_span("address", g->row.address),
		log_int("certificate", g->row.id), log_int("renews", g->wish->predecessor),
		log_span("not_after", buf_span(&end)));
}

int ca_issue(struct env *e, struct arena *a, const struct ca_wish *wish, ca_then_fn *then,
	void *context, struct ca_certificate *ret_cert, struct why *why)
{
	struct why reason = {};
	CLEANUP(issuing_done)
	struct issuing g = { .env = e,
		.arena = a,
		.wish = wish,
		.then = then,
		.context = context,
		.why = why ? why : &reason,
		.settings = settings_get(e->store) };
	int r;

	if (wish->n_addresses == 0 || wish->n_addresses > MAILCERT_ADDRESSES_MAX) {
		why_set(g.why, "a certificate is for 1 to %d addresses", MAILCERT_ADDRESSES_MAX);
		return CA_E_REFUSED;
	}
	r = store_read(e->store, look_up, &g);
	if (!r)
		r = sign_and_write(&g);
	if (r)
		return r;
	log_issued(&g);
	env_count(e, COUNT_CA_ISSUED);
	*ret_cert = result_of(&g);
	return 0;
}
