/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "smime/identity.h"

#include "base/alloc.h"
#include "base/enc.h"
#include "pki/subject.h"

#include <openssl/err.h>

CLEANUP_POINTER(X509_NAME, X509_NAME_free)

enum { NAME_MAX_OCTETS = 16 << 10 };

static X509_NAME *name_of(struct span der)
{
	const uint8_t *p = der.p;
	X509_NAME *name;

	if (der.n > NAME_MAX_OCTETS)
		return NULL;
	name = d2i_X509_NAME(NULL, &p, (long)der.n);
	ERR_clear_error();
	return name;
}

/* Equal octets, else equal names (RFC 5280 section 7.1: case and spaces do not count). */
static bool issuer_is(struct span issuer, const X509 *x509)
{
	CLEANUP(X509_NAME_freep) X509_NAME *name = NULL;
	const X509_NAME *has = X509_get_issuer_name(x509);
	const uint8_t *der;
	size_t n;

	if (X509_NAME_get0_der(has, &der, &n) == 1 && span_equal(issuer, span_of(der, n)))
		return true;
	name = name_of(issuer);
	return name && X509_NAME_cmp(name, has) == 0;
}

/* Octets of a number without those that say nothing. */
static struct span magnitude(struct span s)
{
	while (s.n > 1 && s.p[0] == 0)
		s = span_skip(s, 1);
	return s;
}

/* Negative ones, which are not allowed, are met in old mail by their encoding. */
static bool serial_is(struct span serial, const X509 *x509)
{
	const ASN1_INTEGER *has = X509_get0_serialNumber(x509);
	uint8_t der[64], *p = der;
	int n = i2d_ASN1_INTEGER(has, NULL);

	if (n < 3 || n > (int)sizeof der || i2d_ASN1_INTEGER(has, &p) != n)
		return false;
	/* So short a number has a header of two octets. */
	return span_equal(magnitude(serial), magnitude(span_of(der + 2, (size_t)n - 2)));
}

static bool key_id_is(struct span key_id, const X509 *x509)
{
	X509 *x = (X509 *)(uintptr_t)x509; /* extensions are looked up on first use */
	const ASN1_OCTET_STRING *has = X509_get0_subject_key_id(x);
	uint8_t sha1[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (has)
		return span_equal(key_id,
			span_of(ASN1_STRING_get0_data(has), (size_t)ASN1_STRING_length(has)));
	return X509_pubkey_digest(x509, EVP_sha1(), sha1, &n) == 1 &&
	       span_equal(key_id, span_of(sha1, n));
}

bool identity_is(const struct cms_identity *id, const struct cert *cert)
{
	const X509 *x509 = cert_x509(cert);

	if (id->key_id.p)
		return key_id_is(id->key_id, x509);
	return id->issuer.p && serial_is(id->serial, x509) && issuer_is(id->issuer, x509);
}

void identity_name(const struct cms_identity *id, char **ret_issuer, char **ret_serial,
	char **ret_key_id)
{
	CLEANUP(X509_NAME_freep) X509_NAME *name = NULL;
	CLEANUP(buf_done) struct buf text = {};

	*ret_issuer = *ret_serial = *ret_key_id = NULL;
	if (id->key_id.p) {
		enc_hex(&text, span_head(id->key_id, 64));
		*ret_key_id = buf_steal_string(&text);
	}
	if (!id->issuer.p)
		return;
	name = name_of(id->issuer);
	if (name)
		subject_add_text(name, &text);
	*ret_issuer = buf_steal_string(&text);
	enc_hex(&text, span_head(magnitude(id->serial), 64));
	*ret_serial = buf_steal_string(&text);
}
