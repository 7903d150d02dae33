/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/domain_identity.h"

#include "pki/key.h"
#include "store/key_rows.h"
#include "svc/domain_keys.h"

static STACK_OF(X509) *stack_of(const struct cert_list *list)
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

int domain_identity_open(struct env *e, const struct store_cert *row, const struct store_key *key,
	struct domain_identity *ret_identity, struct why *why)
{
	CLEANUP(domain_identity_done) struct domain_identity i = {};
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *pkey = NULL;
	EVP_PKEY *public = NULL;
	STACK_OF(X509) *chain;
	int r = cert_from_der(&i.cert, row->der, why);

	if (!r)
		r = cert_list_from_der(&i.chain, row->chain, why);
	if (r)
		return r;
	/* Reading a public key is most of the work: that of the certificate will do for both. */
	if (span_equal(cert_spki(i.cert), key->spki))
	public = X509_get0_pubkey(cert_x509(i.cert));
	why_set(why, "its key cannot be used");
	TRY(domain_key_open_as(e, key, public, &pkey));
	chain = stack_of(&i.chain);
	r = tls_identity_make(&i.tls, cert_x509(i.cert), chain, pkey, why);
	sk_X509_pop_free(chain, X509_free);
	if (r)
		return r;
	*ret_identity = i;
	i = (struct domain_identity){};
	return 0;
}

void domain_identity_done(struct domain_identity *i)
{
	tls_identity_done(&i->tls);
	i->cert = cert_unref(i->cert);
	cert_list_done(&i->chain);
}
