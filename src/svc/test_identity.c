/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/test_identity.h"

#include "base/clock.h"
#include "keyd/client.h"
#include "keyd/provider.h"
#include "net/tls.h"
#include "pki/selfsign.h"
#include "svc/env.h"

static const char issuer_name[] = "Signet Test CA";

/* Not an id, so it is no domain's. */
static const char owner[] = "test";

CLEANUP_POINTER(X509_NAME, X509_NAME_free)

static int make_key(struct env *e, struct keyd_made *made, EVP_PKEY **ret_key)
{
	struct keyd_key *key;
	int r = keyd_generate(e->keyd, KEY_EC_P256, span_str(owner), KEYD_TLS, made);

	if (r)
		return err_fold(r);
	key = keyd_key_new(e->keyd, buf_span(&made->wrapped), span_str(made->key_id), span_str(owner),
		KEYD_TLS);
	r = provider_key(ret_key, key, buf_span(&made->spki));
	keyd_key_unref(key);
	return r;
}

/* The same certificate as from the authority, whose key nobody has afterwards. */
static int sign_as_issuer(struct env *e, const struct cert *own, X509 **ret_x509)
{
	CLEANUP(keyd_made_done) struct keyd_made made = {};
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(X509_NAME_freep) X509_NAME *name = X509_NAME_new();
	CLEANUP(X509_freep) X509 *x = NULL;
	const uint8_t *der = cert_der(own).p;

	TRY(make_key(e, &made, &key));
	x = d2i_X509(NULL, &der, (long)cert_der(own).n);
	if (!x || !name ||
		!X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
			(const uint8_t *)issuer_name, sizeof issuer_name - 1, -1, 0) ||
		!X509_set_issuer_name(x, name) || X509_sign(x, key, EVP_sha256()) <= 0)
		return key_openssl_fault("test certificate");
	*ret_x509 = TAKE(x);
	return 0;
}

int test_identity_make(struct env *e, struct tls_identity *ret_identity)
{
	CLEANUP(keyd_made_done) struct keyd_made made = {};
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(cert_unrefp) struct cert *own = NULL;
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	CLEANUP(X509_freep) X509 *x = NULL;
	struct span name = span_str(e->hostname);
	struct selfsign s = { .subject = { .common_name = name, .names = &name, .n_names = 1 },
		.now_us = clock_now_us(), .days = TEST_DAYS };
	struct why why;

	TRY(make_key(e, &made, &key));
	s.signer = key;
	s.spki = buf_span(&made.spki);
	TRY(selfsign_make(&own, &s, &why));
	TRY(sign_as_issuer(e, own, &x));
	TRY(cert_from_x509(&cert, x, &why));
	return tls_identity_make(ret_identity, cert_x509(cert), NULL, key, &why);
}
