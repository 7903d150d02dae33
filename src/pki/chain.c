/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "pki/chain.h"

#include "pki/key.h"

#include <openssl/err.h>
#include <openssl/x509.h>

void chain_done(struct chain *c)
{
	cert_list_done(&c->sent);
	cert_list_done(&c->added);
	cert_list_done(&c->foreign);
	buf_done(&c->missing);
	buf_done(&c->forged);
}

static bool list_has(const struct cert_list *l, const struct cert *c)
{
	for (size_t i = 0; i < l->n; i++) {
		if (span_equal(cert_der(l->certs[i]), cert_der(c)))
			return true;
	}
	return false;
}

static bool has_issuer_name(const struct cert *c, const struct cert *issuer)
{
	return X509_NAME_cmp(X509_get_issuer_name(cert_x509(c)),
		       X509_get_subject_name(cert_x509(issuer))) == 0;
}

static bool has_signed(const struct cert *issuer, const struct cert *c)
{
	EVP_PKEY *key = X509_get0_pubkey(cert_x509(issuer));
	bool ok = key && key_is_bounded(key) && X509_verify(cert_x509(c), key) == 1;

	ERR_clear_error();
	return ok;
}

/* The issuer of c among those of the list that are not in the chain yet. One that only has the name is
 * remembered: it explains why nothing fits. */
static struct cert *find_issuer(struct chain *chain, const struct cert_list *list,
	const struct cert *c)
{
	for (size_t i = 0; i < list->n; i++) {
		struct cert *issuer = list->certs[i];

		if (!has_issuer_name(c, issuer) || list_has(&chain->sent, issuer))
			continue;
		if (has_signed(issuer, c))
			return issuer;
		if (buf_size(&chain->forged) == 0)
			cert_add_subject(issuer, &chain->forged);
	}
	return NULL;
}

static bool is_trusted(const struct trust *trust, const struct cert *c)
{
	return trust && trust_purposes(trust, c, NULL) != 0;
}

static bool trusted_issuer(const struct trust *trust, const struct cert *c)
{
	const X509_NAME *name = X509_get_issuer_name(cert_x509(c));
	struct cert *issuer;

	for (size_t i = 0; trust && trust_by_subject(trust, name, i, &issuer); i++) {
		if (has_signed(issuer, c))
			return true;
	}
	return false;
}

/* One step upward from `last`. Returns the next, or NULL with chain->end set. */
static struct cert *step(struct chain *chain, const struct cert *last, const struct cert_list *given,
	const struct cert_list *known, const struct trust *trust)
{
	struct cert *issuer = find_issuer(chain, given, last);

	if (!issuer && trusted_issuer(trust, last)) {
		chain->end = CHAIN_TRUSTED;
		return NULL;
	}
	if (!issuer) {
		issuer = find_issuer(chain, known, last);
		if (issuer && !cert_is_self_signed(issuer))
			cert_list_add(&chain->added, issuer);
	}
	if (!issuer) {
		chain->end = CHAIN_INCOMPLETE;
		cert_add_issuer(last, &chain->missing);
		return NULL;
	}
	if (cert_is_self_signed(issuer)) {
		chain->end = is_trusted(trust, issuer) ? CHAIN_TRUSTED : CHAIN_UNTRUSTED;
		return NULL;
	}
	return issuer;
}

/* A root that was given is no stranger, though it is not sent. */
static bool belongs(const struct chain *chain, const struct cert *leaf, const struct cert *c)
{
	const struct cert *last = chain->sent.n ? chain->sent.certs[chain->sent.n - 1] : leaf;

	return list_has(&chain->sent, c) || span_equal(cert_der(leaf), cert_der(c)) ||
		(has_issuer_name(last, c) && has_signed(c, last));
}

int chain_build(const struct cert *leaf, const struct cert_list *given, const struct cert_list *known,
	const struct trust *trust, struct chain *ret_chain)
{
	struct chain chain = { .end = CHAIN_INCOMPLETE };
	const struct cert *last = leaf;

	if (cert_is_self_signed(leaf)) {
		chain.end = is_trusted(trust, leaf) ? CHAIN_TRUSTED : CHAIN_SELF_SIGNED;
		last = NULL;
	}
	while (last && chain.sent.n < CHAIN_MAX) {
		struct cert *issuer = step(&chain, last, given, known, trust);

		if (issuer)
			cert_list_add(&chain.sent, issuer);
		last = issuer;
	}
	for (size_t i = 0; i < given->n; i++) {
		if (!belongs(&chain, leaf, given->certs[i]))
			cert_list_add(&chain.foreign, given->certs[i]);
	}
	if (chain.foreign.n == 0)
		buf_clear(&chain.forged);
	*ret_chain = chain;
	return 0;
}

bool chain_is_sound(const struct chain *c)
{
	return c->end == CHAIN_TRUSTED && c->foreign.n == 0;
}

static void add_foreign(const struct chain *c, struct buf *out)
{
	for (size_t i = 0; i < c->foreign.n; i++) {
		buf_add_string(out, i ? ", " : "not part of the chain: ");
		cert_add_subject(c->foreign.certs[i], out);
	}
	if (buf_size(&c->forged)) {
		buf_add_string(out, "; this one has the issuer's name but another key: ");
		buf_add(out, buf_span(&c->forged));
	}
}

void chain_add_text(const struct chain *c, struct buf *out)
{
	switch (c->end) {
	case CHAIN_TRUSTED:
		buf_add_string(out, "complete up to a trusted authority");
		break;
	case CHAIN_SELF_SIGNED:
		buf_add_string(out, "signed by nobody but itself");
		break;
	case CHAIN_UNTRUSTED:
		buf_add_string(out, "complete, but its authority is not among the trusted ones");
		break;
	case CHAIN_INCOMPLETE:
		buf_add_string(out, "the certificate of this issuer is missing: ");
		buf_add(out, buf_span(&c->missing));
		break;
	}
	if (c->foreign.n)
		buf_add_string(out, "; ");
	add_foreign(c, out);
}
