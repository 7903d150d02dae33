/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "pki/build.h"

#include "base/random.h"
#include "pki/key.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>

CLEANUP_POINTER(ASN1_BIT_STRING, ASN1_BIT_STRING_free)
CLEANUP_POINTER(ASN1_IA5STRING, ASN1_IA5STRING_free)
CLEANUP_POINTER(ASN1_OCTET_STRING, ASN1_OCTET_STRING_free)
CLEANUP_POINTER(AUTHORITY_KEYID, AUTHORITY_KEYID_free)
CLEANUP_POINTER(BIGNUM, BN_free)
CLEANUP_POINTER(EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free)

void build_random_serial(uint8_t ret_serial[static BUILD_SERIAL_OCTETS])
{
	random_fill(ret_serial, BUILD_SERIAL_OCTETS);
	/* RFC 5280 section 4.1.2.2: positive; so neither the sign bit nor all zeros. */
	ret_serial[0] = (uint8_t)((ret_serial[0] & 0x7F) | 0x40);
}

int build_serial(X509 *x, struct span serial)
{
	CLEANUP(BN_freep) BIGNUM *n = BN_bin2bn(serial.p, (int)serial.n, NULL);

	if (!n || !BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)))
		return key_openssl_fault("BN_to_ASN1_INTEGER");
	return 0;
}

int build_validity(X509 *x, int64_t not_before_us, int64_t not_after_us)
{
	if (!ASN1_TIME_set(X509_getm_notBefore(x), (time_t)(not_before_us / 1000000)) ||
		!ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(not_after_us / 1000000)))
		return key_openssl_fault("ASN1_TIME_set");
	return 0;
}

int build_extension(X509 *x, int nid, void *value, bool critical)
{
	if (!value || X509_add1_ext_i2d(x, nid, value, critical, X509V3_ADD_DEFAULT) != 1)
		return key_openssl_fault("X509_add1_ext_i2d");
	return 0;
}

int build_list_extension(STACK_OF(X509_EXTENSION) **list, int nid, void *value, bool critical)
{
	if (!value || X509V3_add1_i2d(list, nid, value, critical, X509V3_ADD_DEFAULT) != 1)
		return key_openssl_fault("X509V3_add1_i2d");
	return 0;
}

int build_key_identifier(X509 *x)
{
	CLEANUP(ASN1_OCTET_STRING_freep) ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n;

	if (!id || !X509_pubkey_digest(x, EVP_sha1(), digest, &n) ||
		!ASN1_OCTET_STRING_set(id, digest, (int)n))
		return key_openssl_fault("X509_pubkey_digest");
	return build_extension(x, NID_subject_key_identifier, id, false);
}

int build_authority_key(AUTHORITY_KEYID **ret_id, const struct cert *issuer)
{
	CLEANUP(AUTHORITY_KEYID_freep) AUTHORITY_KEYID *id = AUTHORITY_KEYID_new();
	const ASN1_OCTET_STRING *named = X509_get0_subject_key_id(cert_x509(issuer));
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n;

	if (!id)
		return key_openssl_fault("AUTHORITY_KEYID_new");
	id->keyid = named ? ASN1_OCTET_STRING_dup(named) : ASN1_OCTET_STRING_new();
	if (!id->keyid)
		return key_openssl_fault("ASN1_OCTET_STRING_dup");
	if (!named && (!X509_pubkey_digest(cert_x509(issuer), EVP_sha1(), digest, &n) ||
			      !ASN1_OCTET_STRING_set(id->keyid, digest, (int)n)))
		return key_openssl_fault("X509_pubkey_digest");
	*ret_id = TAKE(id);
	return 0;
}

int build_usage(ASN1_BIT_STRING **ret_usage, const int *bits)
{
	CLEANUP(ASN1_BIT_STRING_freep) ASN1_BIT_STRING *usage = ASN1_BIT_STRING_new();

	for (; usage && *bits >= 0; bits++) {
		if (!ASN1_BIT_STRING_set_bit(usage, *bits, 1))
			return key_openssl_fault("ASN1_BIT_STRING_set_bit");
	}
	if (!usage)
		return key_openssl_fault("ASN1_BIT_STRING_new");
	*ret_usage = TAKE(usage);
	return 0;
}

int build_extended_usage(EXTENDED_KEY_USAGE **ret_usage, const int *nids)
{
	CLEANUP(EXTENDED_KEY_USAGE_freep) EXTENDED_KEY_USAGE *usage = EXTENDED_KEY_USAGE_new();

	for (; usage && *nids != NID_undef; nids++) {
		if (!sk_ASN1_OBJECT_push(usage, OBJ_nid2obj(*nids)))
			return key_openssl_fault("sk_ASN1_OBJECT_push");
	}
	if (!usage)
		return key_openssl_fault("EXTENDED_KEY_USAGE_new");
	*ret_usage = TAKE(usage);
	return 0;
}

int build_name(GENERAL_NAME **ret_name, int kind, struct span text)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	CLEANUP(ASN1_IA5STRING_freep) ASN1_IA5STRING *value = ASN1_IA5STRING_new();

	if (!name || !value || !ASN1_STRING_set(value, text.p, (int)text.n)) {
		GENERAL_NAME_free(name);
		return key_openssl_fault("ASN1_STRING_set");
	}
	GENERAL_NAME_set0_value(name, kind, TAKE(value));
	*ret_name = name;
	return 0;
}

int build_add_request(X509_REQ *req, struct buf *out)
{
	int n = i2d_X509_REQ(req, NULL);
	uint8_t *p;

	if (n <= 0)
		return key_openssl_fault("i2d_X509_REQ");
	p = buf_room(out, (size_t)n);
	buf_added(out, (size_t)i2d_X509_REQ(req, &p));
	return 0;
}
