/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "pki/crl_writer.h"

#include "base/alloc.h"
#include "pki/build.h"
#include "pki/key.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <stdlib.h>

CLEANUP_POINTER(ASN1_ENUMERATED, ASN1_ENUMERATED_free)
CLEANUP_POINTER(ASN1_INTEGER, ASN1_INTEGER_free)
CLEANUP_POINTER(ASN1_TIME, ASN1_TIME_free)
CLEANUP_POINTER(AUTHORITY_KEYID, AUTHORITY_KEYID_free)
CLEANUP_POINTER(BIGNUM, BN_free)
CLEANUP_POINTER(X509_REVOKED, X509_REVOKED_free)

struct crl_writer {
	X509_CRL *crl;
	const struct cert *authority; /* a reference */
};

struct crl_writer *crl_writer_free(struct crl_writer *w)
{
	if (!w)
		return NULL;
	X509_CRL_free(w->crl);
	(void)cert_unref((struct cert *)(uintptr_t)w->authority);
	free(w);
	return NULL;
}

int crl_writer_new(struct crl_writer **ret_writer, const struct cert *authority)
{
	CLEANUP(crl_writer_freep) struct crl_writer *w = ALLOC(struct crl_writer);

	w->authority = cert_ref((struct cert *)(uintptr_t)authority);
	/* Without a property query of its own: its signer need not be in the default provider. */
	w->crl = X509_CRL_new();
	if (!w->crl || !X509_CRL_set_version(w->crl, X509_CRL_VERSION_2) ||
		!X509_CRL_set_issuer_name(w->crl, X509_get_subject_name(cert_x509(authority))))
		return key_openssl_fault("X509_CRL_new");
	*ret_writer = TAKE(w);
	return 0;
}

static int add_reason(X509_REVOKED *entry, unsigned reason)
{
	CLEANUP(ASN1_ENUMERATED_freep) ASN1_ENUMERATED *value = ASN1_ENUMERATED_new();

	if (!value || !ASN1_ENUMERATED_set(value, (long)reason) ||
		X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, value, 0, 0) != 1)
		return key_openssl_fault("X509_REVOKED_add1_ext_i2d");
	return 0;
}

int crl_writer_add(struct crl_writer *w, struct span serial, int64_t revoked_us, unsigned reason)
{
	CLEANUP(X509_REVOKED_freep) X509_REVOKED *entry = X509_REVOKED_new();
	CLEANUP(BN_freep) BIGNUM *n = BN_bin2bn(serial.p, (int)serial.n, NULL);
	CLEANUP(ASN1_INTEGER_freep) ASN1_INTEGER *number = n ? BN_to_ASN1_INTEGER(n, NULL) : NULL;
	CLEANUP(ASN1_TIME_freep) ASN1_TIME *time = ASN1_TIME_set(NULL, revoked_us / 1000000);

	if (!entry || !number || !time || !X509_REVOKED_set_serialNumber(entry, number) ||
		!X509_REVOKED_set_revocationDate(entry, time))
		return key_openssl_fault("X509_REVOKED_new");
	if (reason)
		TRY(add_reason(entry, reason));
	if (!X509_CRL_add0_revoked(w->crl, entry))
		return key_openssl_fault("X509_CRL_add0_revoked");
	(void)TAKE(entry);
	return 0;
}

static int set_times(X509_CRL *crl, int64_t this_us, int64_t next_us)
{
	CLEANUP(ASN1_TIME_freep) ASN1_TIME *this = ASN1_TIME_set(NULL, this_us / 1000000);
	CLEANUP(ASN1_TIME_freep) ASN1_TIME *next = ASN1_TIME_set(NULL, next_us / 1000000);

	if (!this || !next || !X509_CRL_set1_lastUpdate(crl, this) ||
		!X509_CRL_set1_nextUpdate(crl, next))
		return key_openssl_fault("X509_CRL_set1_lastUpdate");
	return 0;
}

/* RFC 5280 sections 5.2.1 and 5.2.3: whose key, and which number. */
static int add_extensions(struct crl_writer *w, int64_t number)
{
	CLEANUP(AUTHORITY_KEYID_freep) AUTHORITY_KEYID *id = NULL;
	CLEANUP(ASN1_INTEGER_freep) ASN1_INTEGER *n = ASN1_INTEGER_new();

	TRY(build_authority_key(&id, w->authority));
	if (!n || !ASN1_INTEGER_set_int64(n, number) ||
		X509_CRL_add1_ext_i2d(w->crl, NID_authority_key_identifier, id, 0, 0) != 1 ||
		X509_CRL_add1_ext_i2d(w->crl, NID_crl_number, n, 0, 0) != 1)
		return key_openssl_fault("X509_CRL_add1_ext_i2d");
	return 0;
}

int crl_writer_finish(struct crl_writer *w, EVP_PKEY *signer, int64_t number, int64_t this_us,
	int64_t next_us, struct buf *out)
{
	EVP_PKEY *public = X509_get0_pubkey(cert_x509(w->authority));
	uint8_t *p;
	int n;

	TRY(set_times(w->crl, this_us, next_us));
	TRY(add_extensions(w, number));
	if (!X509_CRL_sort(w->crl) || X509_CRL_sign(w->crl, signer, key_digest(public)) <= 0)
		return key_openssl_fault("X509_CRL_sign");
	/* Never to be given out with a signature that does not hold. */
	if (X509_CRL_verify(w->crl, public) != 1)
		return key_openssl_fault("X509_CRL_verify");
	n = i2d_X509_CRL(w->crl, NULL);
	if (n <= 0)
		return key_openssl_fault("i2d_X509_CRL");
	p = buf_room(out, (size_t)n);
	buf_added(out, (size_t)i2d_X509_CRL(w->crl, &p));
	return 0;
}
