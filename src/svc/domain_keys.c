/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Rows, keyd and OpenSSL. A row of a key names what keyd needs to open it; an EVP_PKEY of the
 * "signet" provider is made from it without asking keyd, so building the TLS directory of a
 * thousand domains costs parsing of certificates and nothing else.
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
	}
	return KEYD_TLS;
}

int domain_key_open(struct env *e, const struct store_key *row, EVP_PKEY **ret_key)
{
	CLEANUP(buf_done) struct buf owner = {};
	struct keyd_key *key;
	int r;

	domain_key_owner(row->domain, &owner);
	key = keyd_key_new(e->keyd, row->wrapped, row->key_id, buf_span(&owner),
		purpose_of(row->use));
	r = provider_key(ret_key, key, row->spki);
	keyd_key_unref(key);
	return r;
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

/* What is collected while the directory is built. Certificates of one domain come in a row. */
struct build {
	struct env *env;
	struct store_conn *conn;
	struct tls_directory *directory;
	const struct store_domain *domain;
	struct tls_profile *profile;
	unsigned n_main; /* identities of the main domain */
};

static void log_left_out(const struct build *b, struct span alias, const char *reason)
{
	LOG(NULL, LOG_ERROR, "TLS", "certificate.unusable", log_str("domain", b->domain->name),
		log_span("alias", alias), log_str("reason", reason));
}

static STACK_OF(X509) *chain_of(const struct cert_list *list)
{
	STACK_OF(X509) *chain = sk_X509_new_null();

	for (size_t i = 0; chain && i < list->n; i++) {
		if (!X509_up_ref(cert_x509(list->certs[i])))
			continue;
		if (!sk_X509_push(chain, cert_x509(list->certs[i])))
			X509_free(cert_x509(list->certs[i]));
	}
	return chain;
}

static void add_names(struct build *b, const struct cert *cert)
{
	struct cert_name name;

	for (size_t i = 0; cert_alt_name(cert, i, &name); i++) {
		CLEANUP(alloc_freep) char *text = NULL;

		if (name.type != CERT_NAME_DNS || span_find(name.text, '*') < name.text.n)
			continue;
		text = span_to_string(name.text);
		if (text)
			tls_directory_add_name(b->directory, text, b->profile);
	}
}

static int add_cert(const struct store_cert *row, void *context)
{
	struct build *b = context;
	CLEANUP(arena_done) struct arena arena = {};
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *pkey = NULL;
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	CLEANUP(cert_list_done) struct cert_list list = {};
	STACK_OF(X509) *chain;
	struct store_key key;
	struct why why = { "its key cannot be used" };
	unsigned services;
	int r;

	if (row->services.n == 0 || row->key == 0)
		return 0;
	TRY(store_cert_services(row->services, &services));
	TRY(store_key_get(b->conn, &arena, row->key, &key));
	r = domain_key_open(b->env, &key, &pkey);
	if (!r)
		r = cert_from_der(&cert, row->der, &why);
	if (!r)
		r = cert_list_from_der(&list, row->chain, &why);
	if (r) {
		log_left_out(b, row->alias, why.text);
		return 0;
	}
	chain = chain_of(&list);
	r = tls_profile_add(b->profile, cert_x509(cert), chain, pkey, &why);
	sk_X509_pop_free(chain, X509_free);
	if (r) {
		log_left_out(b, row->alias, why.text);
		return 0;
	}
	b->profile->identities[b->profile->n_identities - 1].services = services;
	if (b->domain->main)
		b->n_main++;
	add_names(b, cert);
	return 0;
}

static int add_alias(struct span alias, void *context)
{
	struct build *b = context;
	CLEANUP(alloc_freep) char *name = span_to_string(alias);

	if (name)
		tls_directory_add_name(b->directory, name, b->profile);
	return 0;
}

static int add_domain(const struct store_domain *domain, void *context)
{
	struct build *b = context;
	int r = 0;

	if (domain->pki != PKI_ENABLED)
		return 0;
	b->domain = domain;
	b->profile = tls_profile_new(domain->name);
	r = store_cert_each(b->conn, domain->id, add_cert, b);
	if (!r && b->profile->n_identities) {
		tls_directory_add_name(b->directory, domain->name, b->profile);
		r = store_domain_alias_each(b->conn, domain->id, add_alias, b);
		if (domain->main)
			tls_directory_set_default(b->directory, b->profile);
	}
	b->profile = tls_profile_unref(b->profile);
	return r;
}

static int build_directory(struct store_conn *c, void *arg)
{
	struct build *b = arg;

	b->conn = c;
	return store_domain_each(c, add_domain, b);
}

int domain_tls_rebuild(struct env *e)
{
	struct build b = { .env = e, .directory = tls_directory_new() };
	int r = store_read(e->store, build_directory, &b);

	if (!r && b.n_main == 0)
		r = err_fault(ENOENT, "the main domain has no usable certificate");
	if (r) {
		tls_directory_unref(b.directory);
		return err_fold(r);
	}
	tls_host_swap(e->tls, b.directory);
	return 0;
}
