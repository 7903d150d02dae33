/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Which authority a domain has: made here, given by another, or its own certificate. */

#include "svc/ca.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/enc.h"
#include "base/log.h"
#include "pki/authority.h"
#include "pki/key.h"
#include "store/secure_rows.h"
#include "store/settings.h"
#include "store/store.h"
#include "svc/ca_parts.h"
#include "svc/domain_keys.h"
#include "svc/env.h"

enum { LABEL_OCTETS = 6, HTTP_PORT = 80 };

const char *ca_reason_name(unsigned reason)
{
	const char *name = store_issued_reason_name(reason);

	return name ? name : "unspecified";
}

bool ca_reason_parse(struct span name, enum issued_reason *ret_reason)
{
	for (unsigned i = 0; i <= REASON_PRIVILEGE; i++) {
		const char *known = store_issued_reason_name(i);

		if (!known || !span_equal_nocase(name, span_str(known)))
			continue;
		*ret_reason = (enum issued_reason)i;
		return true;
	}
	return false;
}

void ca_add_url(struct env *e, const struct store_authority *row, const char *what, struct buf *out)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(e->store);
	size_t n = strlen(settings->ca_url);

	while (n && settings->ca_url[n - 1] == '/')
		n--;
	if (n)
		buf_add(out, span_of(settings->ca_url, n));
	else if (e->http_port && e->http_port != HTTP_PORT)
		buf_add_format(out, "http://%s:%u/pki", e->hostname, e->http_port);
	else
		buf_add_format(out, "http://%s/pki", e->hostname);
	buf_add_octet(out, '/');
	buf_add(out, row->name);
	buf_add_octet(out, '/');
	buf_add(out, row->label);
	buf_add_octet(out, '/');
	buf_add_string(out, what);
}

int ca_add_revoke(struct store_conn *c, int64_t authority, struct span serial, struct buf *out)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct store_authority row;
	struct store_domain domain = {};

	/* Its domain may have another name than in URLs by now. */
	TRY(store_authority_get(c, &arena, authority, &row));
	if (row.domain)
		TRY(store_domain_get(c, &arena, row.domain, &domain));
	buf_add_string(out, "revoke it: signet ca revoke ");
	buf_add(out, row.domain ? span_str(domain.name) : row.name);
	buf_add_octet(out, ' ');
	buf_add(out, serial);
	return 0;
}

/* What names an authority in URLs: its domain, subject and key. */
static struct span label_of(struct arena *a, int64_t domain, const struct cert *cert)
{
	CLEANUP(buf_done) struct buf text = {}, label = {};
	uint8_t digest[SHA256_OCTETS];

	buf_add_format(&text, "%lld ", (long long)domain);
	cert_add_subject(cert, &text);
	buf_add(&text, cert_spki(cert));
	digest_sha256(buf_span(&text), digest);
	enc_hex(&label, span_of(digest, LABEL_OCTETS));
	return arena_span(a, buf_span(&label));
}

static struct store_authority row_of(struct arena *a, const struct store_domain *domain,
	int64_t key, const struct cert *cert, struct span chain)
{
	return (struct store_authority){ .domain = domain->id,
		.key = key,
		.active = true,
		.name = arena_span(a, span_str(domain->name)),
		.label = label_of(a, domain->id, cert),
		.der = arena_span(a, cert_der(cert)),
		.chain = arena_span(a, chain),
		.created_us = clock_now_us() };
}

/* The best of the domain's own certificates that could issue: in use before others, newer before
 * older. */
struct own_search {
	struct arena *arena;
	const struct store_domain *domain;
	bool found, in_use;
	int64_t created_us;
	struct store_authority row;
};

static int match_own(const struct store_cert *row, void *context)
{
	struct own_search *s = context;
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	bool in_use = row->services.n > 0;

	if (!row->key || (s->found && s->in_use && !in_use) ||
		(s->found && s->in_use == in_use && row->created_us < s->created_us))
		return 0;
	if (cert_from_der(&cert, row->der, NULL) || authority_check(cert, NULL))
		return 0;
	s->found = true;
	s->in_use = in_use;
	s->created_us = row->created_us;
	s->row = row_of(s->arena, s->domain, row->key, cert, row->chain);
	return 0;
}

static int find_own(struct store_conn *c, struct own_search *s)
{
	struct store_authority known;
	int r;

	TRY(store_cert_each(c, s->domain->id, match_own, s));
	if (!s->found)
		return CA_E_NONE;
	r = store_authority_by_label(c, s->arena, s->row.label, &known);
	if (r == STORE_E_NOT_FOUND)
		return 0;
	TRY(r);
	s->row.id = known.id;
	return 0;
}

int ca_find(struct store_conn *c, struct arena *a, const struct store_domain *domain,
	struct store_authority *ret_row, struct why *why)
{
	struct own_search own = { .arena = a, .domain = domain };
	int r = store_authority_active(c, a, domain->id, ret_row);

	if (r != STORE_E_NOT_FOUND)
		return r;
	/* CGP6-2: the domain's own certificate; only one that is an authority's can issue others.
	 */
	r = find_own(c, &own);
	if (r == CA_E_NONE) {
		why_set(why,
			"%s has no authority that issues certificates: an administrator makes one"
			" with signet ca create %s",
			domain->name, domain->name);
		return CA_E_NONE;
	}
	TRY(r);
	*ret_row = own.row;
	ret_row->active = false;
	return 0;
}

static int order_of(const struct ca_order *order, EVP_PKEY *signer, const struct cert *old,
	struct authority_order *ret_order, struct why *why)
{
	if (order->key->use != KEY_CA && order->key->use != KEY_SMIME) {
		why_set(why, "the key of an authority is one for ca or smime");
		return CA_E_REFUSED;
	}
	*ret_order = (struct authority_order){ .signer = signer,
		.spki = order->key->spki,
		.subject = order->subject,
		.old = old,
		.now_us = clock_now_us(),
		.days = order->days };
	return 0;
}

int ca_make(struct env *e, struct arena *a, const struct ca_order *order,
	struct store_authority *ret_row, struct why *why)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *signer = NULL;
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	CLEANUP(cert_unrefp) struct cert *old = NULL;
	struct authority_order o;
	int r;

	if (order->old)
		TRY(cert_from_der(&old, order->old->der, why));
	TRY(domain_key_open(e, order->key, &signer));
	r = order_of(order, signer, old, &o, why);
	if (!r)
		r = authority_make(&cert, &o, why);
	if (r)
		return r < 0 ? r : CA_E_REFUSED;
	*ret_row = row_of(a, order->domain, order->key->id, cert, SPAN(""));
	return 0;
}

int ca_request(struct env *e, const struct ca_order *order, struct buf *out, struct why *why)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *signer = NULL;
	CLEANUP(cert_unrefp) struct cert *old = NULL;
	struct authority_order o;
	int r;

	if (order->old)
		TRY(cert_from_der(&old, order->old->der, why));
	TRY(domain_key_open(e, order->key, &signer));
	r = order_of(order, signer, old, &o, why);
	if (!r)
		r = authority_request(&o, out, why);
	return r > 0 ? CA_E_REFUSED : r;
}

int ca_take(struct arena *a, const struct store_domain *domain, const struct store_key *key,
	const struct cert *cert, struct span chain, struct store_authority *ret_row,
	struct why *why)
{
	if (authority_check(cert, why))
		return CA_E_REFUSED;
	*ret_row = row_of(a, domain, key->id, cert, chain);
	return 0;
}

int ca_put(struct store_conn *c, const struct store_authority *row, int64_t *ret_id)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct store_authority known;
	int r = store_authority_by_label(c, &arena, row->label, &known);

	if (r == STORE_E_NOT_FOUND)
		return err_fold(store_authority_add(c, row, ret_id));
	TRY(r);
	TRY(store_authority_replace(c, known.id, row->der, row->chain));
	if (row->active)
		TRY(store_authority_activate(c, known.id));
	*ret_id = known.id;
	return 0;
}

int ca_revoke(struct env *e, struct store_conn *c, int64_t issued, enum issued_reason reason,
	int64_t *ret_n)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct store_issued row;
	int64_t others = 0;
	int r = store_issued_get(c, &arena, issued, &row);

	if (!r)
		r = store_issued_revoke(c, issued, reason, clock_now_us());
	if (r)
		return r;
	/* Who has the key can use each of its certificates. */
	if (reason == REASON_KEY_COMPROMISE)
		TRY(ca_key_revoke(c, issued, reason, &others));
	LOG(NULL, LOG_INFO, "PKI", "ca.revoked", log_span("address", row.address),
		log_int("certificate", issued), log_str("reason", ca_reason_name(reason)),
		log_int("others", others));
	env_count(e, COUNT_CA_REVOKED);
	if (ret_n)
		*ret_n = 1 + others;
	return 0;
}

struct key_search {
	struct span spki;
	int64_t key;
};

static int match_secure(const struct store_secure_key *key, void *context)
{
	struct key_search *s = context;

	if (span_equal(key->spki, s->spki))
		s->key = key->id;
	return 0;
}

int ca_give(struct store_conn *c, int64_t account, struct span spki,
	const struct ca_certificate *cert, struct why *why)
{
	struct key_search search = { .spki = spki };
	struct store_secure_cert row = { .der = cert->der, .chain = cert->chain, .current = true,
		.not_after_us = cert->not_after_us, .created_us = clock_now_us() };
	uint8_t digest[SHA256_OCTETS];
	int r;

	digest_sha256(cert->der, digest);
	row.sha256 = span_of(digest, sizeof digest);
	TRY(store_secure_key_each(c, account, match_secure, &search));
	row.key = search.key;
	r = search.key ? store_secure_cert_add(c, &row, &row.id) : STORE_E_NOT_FOUND;
	if (r <= 0)
		return r;
	if (r == STORE_E_LIMIT)
		why_set(why, "the key has had %d certificates, which is the most: make a new key",
			SECURE_CERTS_MAX);
	else
		why_set(why, "the account does not have the key any more");
	return CA_E_REFUSED;
}
