/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "acme/proof.h"

#include "base/digest.h"
#include "base/enc.h"
#include "base/random.h"
#include "pki/key.h"

#include <openssl/asn1.h>
#include <openssl/x509v3.h>

enum { SERIAL = 16 };

CLEANUP_POINTER(X509_EXTENSION, X509_EXTENSION_free)
CLEANUP_POINTER(ASN1_OBJECT, ASN1_OBJECT_free)
CLEANUP_POINTER(ASN1_OCTET_STRING, ASN1_OCTET_STRING_free)
CLEANUP_POINTER(GENERAL_NAMES, GENERAL_NAMES_free)
static void number_free(BIGNUM *number)
{
	BN_free(number);
}
CLEANUP_POINTER(BIGNUM, number_free)

void proof_add_authorization(struct span token, struct span thumbprint, struct buf *out)
{
	buf_add(out, token);
	buf_add_octet(out, '.');
	buf_add(out, thumbprint);
}

void proof_add_record_name(struct span name, struct buf *out)
{
	buf_add_string(out, "_acme-challenge.");
	buf_add(out, name);
}

void proof_add_record_text(struct span authorization, struct buf *out)
{
	uint8_t digest[SHA256_OCTETS];

	digest_sha256(authorization, digest);
	enc_base64url(out, span_of(digest, sizeof digest));
}

static int add_name(X509 *x509, struct span name)
{
	CLEANUP(GENERAL_NAMES_freep) GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *item = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();

	if (!names || !item || !text || !ASN1_STRING_set(text, name.p, (int)name.n))
		return key_openssl_fault("ASN1_STRING_set");
	GENERAL_NAME_set0_value(item, GEN_DNS, text);
	if (!sk_GENERAL_NAME_push(names, item) ||
		X509_add1_ext_i2d(x509, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) != 1)
		return key_openssl_fault("X509_add1_ext_i2d");
	return 0;
}

/* id-pe-acmeIdentifier, critical: the digest of the key authorization as an octet string in the
 * extension's octet string. */
static int add_identifier(X509 *x509, struct span authorization)
{
	CLEANUP(ASN1_OBJECT_freep) ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
	CLEANUP(ASN1_OCTET_STRING_freep) ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	CLEANUP(X509_EXTENSION_freep) X509_EXTENSION *extension = NULL;
	uint8_t der[2 + SHA256_OCTETS] = { V_ASN1_OCTET_STRING, SHA256_OCTETS };

	digest_sha256(authorization, der + 2);
	if (!oid || !value || !ASN1_OCTET_STRING_set(value, der, sizeof der))
		return key_openssl_fault("ASN1_OCTET_STRING_set");
	extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, value);
	if (!extension || X509_add_ext(x509, extension, -1) != 1)
		return key_openssl_fault("X509_add_ext");
	return 0;
}

static int set_serial(X509 *x509)
{
	CLEANUP(number_freep) BIGNUM *number = NULL;
	uint8_t octets[SERIAL];

	random_fill(octets, sizeof octets);
	octets[0] = (uint8_t)(octets[0] >> 1 | 1);
	number = BN_bin2bn(octets, sizeof octets, NULL);
	if (!number || !BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)))
		return key_openssl_fault("BN_to_ASN1_INTEGER");
	return 0;
}

static int set_time(X509 *x509, int64_t now_us)
{
	time_t now = (time_t)(now_us / 1000000);

	if (!ASN1_TIME_adj(X509_getm_notBefore(x509), now, -1, 0) ||
		!ASN1_TIME_adj(X509_getm_notAfter(x509), now, 7, 0))
		return key_openssl_fault("ASN1_TIME_adj");
	return 0;
}

int proof_certificate(struct cert **ret_cert, EVP_PKEY *signer, struct span spki, struct span name,
	struct span authorization, int64_t now_us)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *public = NULL;
	CLEANUP(X509_freep) X509 *x509 = X509_new();

	TRY(key_from_spki(&public, spki, NULL));
	if (!x509 || !X509_set_version(x509, X509_VERSION_3) || !X509_set_pubkey(x509, public) ||
		!X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC,
			(const uint8_t *)"ACME challenge", -1, -1, 0) ||
		!X509_set_issuer_name(x509, X509_get_subject_name(x509)))
		return key_openssl_fault("X509_set_pubkey");
	TRY(set_serial(x509));
	TRY(set_time(x509, now_us));
	TRY(add_name(x509, name));
	TRY(add_identifier(x509, authorization));
	if (X509_sign(x509, signer, key_digest(public)) <= 0)
		return key_openssl_fault("X509_sign");
	TRY(cert_from_x509(ret_cert, x509, NULL));
	return 0;
}
