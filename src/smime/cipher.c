/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The tables. A new algorithm is a row; the readers and writers beside this file ask here and have
 * no lists of their own.
 */

#include "smime/cipher.h"

#include <openssl/err.h>
#include <openssl/objects.h>

/* 3DES is written where a client can do no better and the sender says so. RC2 and DES are read,
 * because old mail lies around in them. */
static const struct cipher ciphers[] = {
	{ "aes-256-gcm", "AES-256-GCM", "2.16.840.1.101.3.4.1.46", NID_aes_256_gcm, 256, true,
		false, true },
	{ "aes-192-gcm", "AES-192-GCM", "2.16.840.1.101.3.4.1.26", NID_aes_192_gcm, 192, true,
		false, false },
	{ "aes-128-gcm", "AES-128-GCM", "2.16.840.1.101.3.4.1.6", NID_aes_128_gcm, 128, true, false,
		false },
	{ "aes-256-cbc", "AES-256-CBC", "2.16.840.1.101.3.4.1.42", NID_aes_256_cbc, 256, false,
		false, true },
	{ "aes-192-cbc", "AES-192-CBC", "2.16.840.1.101.3.4.1.22", NID_aes_192_cbc, 192, false,
		false, true },
	{ "aes-128-cbc", "AES-128-CBC", "2.16.840.1.101.3.4.1.2", NID_aes_128_cbc, 128, false,
		false, true },
	{ "3des", "3DES", "1.2.840.113549.3.7", NID_des_ede3_cbc, 112, false, true, true },
	{ "rc2-128", "RC2-128", "1.2.840.113549.3.2", NID_rc2_cbc, 128, false, true, false },
	{ "rc2-64", "RC2-64", "1.2.840.113549.3.2", NID_rc2_64_cbc, 64, false, true, false },
	{ "des", "DES", "1.3.14.3.2.7", NID_des_cbc, 56, false, true, false },
	{ "rc2-40", "RC2-40", "1.2.840.113549.3.2", NID_rc2_40_cbc, 40, false, true, false },
};

static const struct smime_digest digests[] = {
	{ "sha-256", "SHA-256", NID_sha256, 256, false, true },
	{ "sha-384", "SHA-384", NID_sha384, 384, false, true },
	{ "sha-512", "SHA-512", NID_sha512, 512, false, true },
	{ "sha-224", "SHA-224", NID_sha224, 224, false, false },
	{ "sha-1", "SHA-1", NID_sha1, 160, true, false },
	{ "md5", "MD5", NID_md5, 128, true, false },
};

static const struct key_method methods[] = {
	{ "rsa", "RSA (PKCS #1 v1.5)", NID_rsaEncryption, NID_undef, false, false, true },
	{ "rsa-oaep", "RSA-OAEP", NID_rsaesOaep, NID_undef, false, false, true },
	{ "ecdh-sha256", "ECDH (SHA-256)", NID_dhSinglePass_stdDH_sha256kdf_scheme, NID_sha256,
		true, false, true },
	{ "ecdh-sha384", "ECDH (SHA-384)", NID_dhSinglePass_stdDH_sha384kdf_scheme, NID_sha384,
		true, false, false },
	{ "ecdh-sha512", "ECDH (SHA-512)", NID_dhSinglePass_stdDH_sha512kdf_scheme, NID_sha512,
		true, false, false },
	{ "ecdh-sha224", "ECDH (SHA-224)", NID_dhSinglePass_stdDH_sha224kdf_scheme, NID_sha224,
		true, false, false },
	{ "ecdh-sha1", "ECDH (SHA-1)", NID_dhSinglePass_stdDH_sha1kdf_scheme, NID_sha1, true, true,
		false },
	{ "ecdh-cofactor-sha256", "ECDH with cofactor (SHA-256)",
		NID_dhSinglePass_cofactorDH_sha256kdf_scheme, NID_sha256, true, false, false },
	{ "ecdh-cofactor-sha384", "ECDH with cofactor (SHA-384)",
		NID_dhSinglePass_cofactorDH_sha384kdf_scheme, NID_sha384, true, false, false },
	{ "ecdh-cofactor-sha512", "ECDH with cofactor (SHA-512)",
		NID_dhSinglePass_cofactorDH_sha512kdf_scheme, NID_sha512, true, false, false },
	{ "ecdh-cofactor-sha224", "ECDH with cofactor (SHA-224)",
		NID_dhSinglePass_cofactorDH_sha224kdf_scheme, NID_sha224, true, false, false },
	{ "ecdh-cofactor-sha1", "ECDH with cofactor (SHA-1)",
		NID_dhSinglePass_cofactorDH_sha1kdf_scheme, NID_sha1, true, true, false },
};

enum {
	N_CIPHERS = sizeof ciphers / sizeof ciphers[0],
	N_DIGESTS = sizeof digests / sizeof digests[0],
	N_METHODS = sizeof methods / sizeof methods[0],
};

const struct cipher *cipher_at(size_t i)
{
	return i < N_CIPHERS ? &ciphers[i] : NULL;
}

const struct cipher *cipher_by_name(struct span name)
{
	for (size_t i = 0; i < N_CIPHERS; i++) {
		if (span_is_nocase(name, ciphers[i].name))
			return &ciphers[i];
	}
	return NULL;
}

const struct cipher *cipher_by_nid(int nid)
{
	for (size_t i = 0; i < N_CIPHERS; i++) {
		if (ciphers[i].nid == nid)
			return &ciphers[i];
	}
	return NULL;
}

/* RC2-CBC-Parameter ::= SEQUENCE { rc2ParameterVersion INTEGER, iv OCTET STRING } (RFC 2268 section
 * 6; RFC 3370 section 5.2). A message without the version number means 32 bits, which nobody reads.
 */
static const struct cipher *rc2_of(const ASN1_TYPE *parameter)
{
	static const struct {
		long version;
		int nid;
	} versions[] = { { 160, NID_rc2_40_cbc }, { 120, NID_rc2_64_cbc }, { 58, NID_rc2_cbc } };
	unsigned char iv[8];
	long version = 0;
	int n;

	if (!parameter || parameter->type != V_ASN1_SEQUENCE)
		return NULL;
	n = ASN1_TYPE_get_int_octetstring(parameter, &version, iv, sizeof iv);
	ERR_clear_error();
	for (size_t i = 0; n == sizeof iv && i < sizeof versions / sizeof versions[0]; i++) {
		if (versions[i].version == version)
			return cipher_by_nid(versions[i].nid);
	}
	return NULL;
}

const struct cipher *cipher_of_algorithm(const X509_ALGOR *algorithm)
{
	const ASN1_OBJECT *object;
	const void *value;
	int nid, type;

	X509_ALGOR_get0(&object, &type, &value, algorithm);
	nid = OBJ_obj2nid(object);
	return nid == NID_rc2_cbc ? rc2_of(algorithm->parameter) : cipher_by_nid(nid);
}

const struct smime_digest *smime_digest_at(size_t i)
{
	return i < N_DIGESTS ? &digests[i] : NULL;
}

/* Equal but for case and hyphens. */
static bool name_is(struct span name, const char *expected)
{
	size_t i = 0;

	for (const char *c = expected; *c; c++) {
		if (*c == '-' && (i == name.n || name.p[i] != '-'))
			continue;
		if (i == name.n || octet_lower(name.p[i]) != (uint8_t)*c)
			return false;
		i++;
	}
	return i == name.n;
}

const struct smime_digest *smime_digest_by_name(struct span name)
{
	for (size_t i = 0; i < N_DIGESTS; i++) {
		if (name_is(name, digests[i].name))
			return &digests[i];
	}
	return NULL;
}

const struct smime_digest *smime_digest_by_nid(int nid)
{
	for (size_t i = 0; i < N_DIGESTS; i++) {
		if (digests[i].nid == nid)
			return &digests[i];
	}
	return NULL;
}

const struct key_method *key_method_at(size_t i)
{
	return i < N_METHODS ? &methods[i] : NULL;
}

const struct key_method *key_method_by_name(struct span name)
{
	for (size_t i = 0; i < N_METHODS; i++) {
		if (span_is_nocase(name, methods[i].name))
			return &methods[i];
	}
	return NULL;
}

const struct key_method *key_method_by_nid(int nid)
{
	for (size_t i = 0; i < N_METHODS; i++) {
		if (methods[i].nid == nid)
			return &methods[i];
	}
	return NULL;
}
