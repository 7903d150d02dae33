/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Rows, keyd and OpenSSL. A row of a key names what keyd needs to open it; an EVP_PKEY of the
 * "signet" provider is made from it without asking keyd, so opening the keys of a thousand domains
 * costs next to nothing.
 */

#include "svc/domain_keys.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "keyd/client.h"
#include "keyd/provider.h"
#include "net/tls.h"
#include "pki/selfsign.h"
#include "store/domain.h"
#include "store/store.h"
#include "svc/env.h"

#include <errno.h>
#include <stdlib.h>

void domain_key_owner(int64_t domain, struct buf *out)
{
	buf_add_string(out, "domain:");
	buf_add_u64(out, (uint64_t)domain);
}

static enum keyd_purpose purpose_of(enum key_use use)
{
	switch (use) {
	case KEY_TLS:
		return KEYD_TLS;
	case KEY_SMIME:
		return KEYD_SMIME;
	case KEY_DKIM:
		return KEYD_DKIM;
	case KEY_CA:
		return KEYD_CA;
	}
	return KEYD_TLS;
}

int domain_key_open_as(struct env *e, const struct store_key *row, EVP_PKEY *public,
	EVP_PKEY **ret_key)
{
	CLEANUP(buf_done) struct buf owner = {};
	struct keyd_key *key;
	int r;

	domain_key_owner(row->domain, &owner);
	key = keyd_key_new(e->keyd, row->wrapped, row->key_id, buf_span(&owner),
		purpose_of(row->use));
	r = public ? provider_key_of(ret_key, key, public) :
		     provider_key(ret_key, key, row->spki);
	keyd_key_unref(key);
	return r;
}

int domain_key_open(struct env *e, const struct store_key *row, EVP_PKEY **ret_key)
{
	return domain_key_open_as(e, row, NULL, ret_key);
}

int domain_key_make(struct env *e, struct arena *a, int64_t domain, enum key_use use,
	struct span alias, struct span type, struct store_key *ret_row, struct why *why)
{
	CLEANUP(keyd_made_done) struct keyd_made made = {};
	CLEANUP(buf_done) struct buf owner = {};
	enum key_type kind;
	int r;

	if (!key_type_parse(type, &kind)) {
		why_set(why, "a key's type is rsa:2048, rsa:3072, rsa:4096, ec:p256, ec:p384 or"
			" ed25519");
		return DOMAIN_KEY_E_TYPE;
	}
	domain_key_owner(domain, &owner);
	r = keyd_generate(e->keyd, kind, buf_span(&owner), purpose_of(use), &made);
	if (r < 0)
		return r;
	if (r) {
		why_set(why, "the key process does not make keys of this type");
		return DOMAIN_KEY_E_REFUSED;
	}
	*ret_row = (struct store_key){ .domain = domain, .use = use, .alias = arena_span(a, alias),
		.type = arena_span(a, type), .key_id = arena_span(a, span_str(made.key_id)),
		.wrapped = arena_span(a, buf_span(&made.wrapped)),
		.spki = arena_span(a, buf_span(&made.spki)), .created_us = clock_now_us() };
	return 0;
}

int domain_key_take(struct env *e, int64_t domain, enum key_use use, struct span pkcs8,
	struct keyd_made *ret_made)
{
	CLEANUP(buf_done) struct buf owner = {};

	domain_key_owner(domain, &owner);
	return keyd_wrap(e->keyd, pkcs8, buf_span(&owner), purpose_of(use), ret_made);
}

int domain_key_export(struct env *e, const struct store_key *row, unsigned form, struct span certs,
	struct span name, struct span file_password, struct buf *out)
{
	CLEANUP(buf_done) struct buf owner = {};
	struct keyd_key *key;
	int r;

	domain_key_owner(row->domain, &owner);
	key = keyd_key_new(e->keyd, row->wrapped, row->key_id, buf_span(&owner),
		purpose_of(row->use));
	r = keyd_key_export(key, form, certs, name, file_password, out);
	keyd_key_unref(key);
	return r;
}

int domain_cert_self_sign(struct env *e, struct arena *a, const struct store_key *key,
	struct span alias, const struct subject *subject, unsigned days,
	struct store_cert *ret_row, struct why *why)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *signer = NULL;
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct selfsign s = { .spki = key->spki, .subject = *subject, .now_us = clock_now_us(),
		.days = days };
	int r;

	TRY(domain_key_open(e, key, &signer));
	s.signer = signer;
	r = selfsign_make(&cert, &s, why);
	if (r)
		return r < 0 ? r : DOMAIN_KEY_E_REFUSED;
	*ret_row = (struct store_cert){ .domain = key->domain, .key = key->id,
		.alias = arena_span(a, alias), .der = arena_span(a, cert_der(cert)),
		.services = SPAN("all"), .created_us = clock_now_us() };
	return 0;
}

int domain_cert_refresh(struct env *e, struct arena *a, const struct store_key *key, unsigned days,
	bool new_serial, struct store_cert *ret_row, struct why *why)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *signer = NULL;
	CLEANUP(cert_unrefp) struct cert *old = NULL;
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct selfsign_refresh s = { .spki = key->spki, .now_us = clock_now_us(), .days = days,
		.new_serial = new_serial };
	int r;

	TRY(domain_key_open(e, key, &signer));
	TRY(cert_from_der(&old, ret_row->der, why));
	s.signer = signer;
	s.old = old;
	r = selfsign_renew(&cert, &s, why);
	if (r)
		return r < 0 ? r : DOMAIN_KEY_E_REFUSED;
	ret_row->der = arena_span(a, cert_der(cert));
	ret_row->created_us = s.now_us;
	return 0;
}
