/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Private key operations, by OpenSSL's default provider. The caller of these requests may be a
 * server that was taken over, so what is offered is no more than what signatures, CMS and PKCS #12
 * need: no bare RSA, no shared secret of ECDH without its key derivation function, no answer that
 * tells good RSA padding from bad.
 */

#include "keyd/operation.h"

#include "base/digest.h"
#include "keyd/unpad.h"
#include "pki/cert.h"
#include "pki/key.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#define PROVIDER "provider=default"

CLEANUP_POINTER(EVP_PKEY_CTX, EVP_PKEY_CTX_free)
CLEANUP_POINTER(EVP_MD_CTX, EVP_MD_CTX_free)
CLEANUP_POINTER(BIGNUM, BN_clear_free)
CLEANUP_POINTER(PKCS12, PKCS12_free)
CLEANUP_POINTER(PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free)
CLEANUP_POINTER(X509_SIG, X509_SIG_free)

enum { RSA_MAX = 1024, EXPORT_ITERATIONS = 100000, GROUP_NAME = 64 };

/* OpenSSL said no: what it has to say helps nobody on the other side. */
static int say_no(enum keyd_outcome outcome)
{
	ERR_clear_error();
	return outcome;
}

static int sign_set(EVP_PKEY_CTX *ctx, EVP_PKEY *key, const struct keyd_sign *how)
{
	int padding = how->padding == KEYD_PAD_PSS ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING;

	if (key_is_rsa(key)) {
		if (how->padding != KEYD_PAD_PKCS1 && how->padding != KEYD_PAD_PSS)
			return KEYD_E_REFUSED;
		if (EVP_PKEY_CTX_set_rsa_padding(ctx, padding) <= 0)
			return KEYD_E_REFUSED;
	}
	if (how->digest[0] && EVP_PKEY_CTX_ctrl_str(ctx, "digest", how->digest) <= 0)
		return KEYD_E_REFUSED;
	if (how->padding != KEYD_PAD_PSS)
		return 0;
	if (how->mgf1[0] && EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, how->mgf1, PROVIDER) <= 0)
		return KEYD_E_REFUSED;
	return EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, how->salt) > 0 ? 0 : KEYD_E_REFUSED;
}

static int sign_message(EVP_PKEY *key, struct span message, struct operation_out out, size_t *ret_n)
{
	CLEANUP(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = out.room;

	if (!ctx || EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, PROVIDER, key, NULL) <= 0 ||
		EVP_DigestSign(ctx, out.p, &n, message.p, message.n) <= 0)
		return say_no(KEYD_E_FAILED);
	*ret_n = n;
	return 0;
}

int operation_signer(EVP_PKEY *key, const struct keyd_sign *how, EVP_PKEY_CTX **ret_signer)
{
	CLEANUP(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
	int r;

	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, PROVIDER);
	if (!ctx || EVP_PKEY_sign_init(ctx) <= 0)
		return say_no(KEYD_E_REFUSED);
	r = sign_set(ctx, key, how);
	if (r)
		return say_no(r);
	*ret_signer = TAKE(ctx);
	return 0;
}

int operation_sign(EVP_PKEY *key, EVP_PKEY_CTX *signer, struct span data, struct operation_out out,
	size_t *ret_n)
{
	size_t n = out.room;

	if (!signer)
		return sign_message(key, data, out, ret_n);
	if (EVP_PKEY_sign(signer, out.p, &n, data.p, data.n) <= 0)
		return say_no(KEYD_E_FAILED);
	*ret_n = n;
	return 0;
}

/* What stands for bad padding depends on this: SHA-256 of the private exponent, a secret. It costs
 * a few microseconds of the hundreds that RSA takes, so nobody keeps it. */
static int digest_exponent(EVP_PKEY *key, size_t n_modulus,
	uint8_t ret_digest[static SHA256_OCTETS])
{
	CLEANUP(BN_clear_freep) BIGNUM *d = NULL;
	uint8_t octets[RSA_MAX];

	if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_D, &d) <= 0 ||
		BN_bn2binpad(d, octets, (int)n_modulus) < 0)
		return key_openssl_fault("private exponent");
	digest_sha256(span_of(octets, n_modulus), ret_digest);
	explicit_bzero(octets, sizeof octets);
	return 0;
}

/* A ciphertext that is not below the modulus fails for everybody who looks: that is no secret. The
 * padded block lies behind the result for as long as it is looked at. */
static int decrypt_pkcs1(EVP_PKEY *key, EVP_PKEY_CTX *ctx, const struct operation_decrypt *d,
	struct operation_out out, size_t *ret_n)
{
	uint8_t *block = out.p + RSA_MAX;
	uint8_t digest[SHA256_OCTETS];
	size_t n = RSA_MAX;
	int r;

	if (d->ciphertext.n != (size_t)EVP_PKEY_get_size(key) || d->ciphertext.n > RSA_MAX ||
		out.room < 2 * RSA_MAX)
		return KEYD_E_FAILED;
	if (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) <= 0)
		return say_no(KEYD_E_REFUSED);
	TRY(digest_exponent(key, d->ciphertext.n, digest));
	if (EVP_PKEY_decrypt(ctx, block, &n, d->ciphertext.p, d->ciphertext.n) <= 0)
		r = say_no(KEYD_E_FAILED);
	else
		r = unpad_pkcs1(span_of(block, n), d->ciphertext, span_of(digest, sizeof digest),
			out.p, ret_n);
	explicit_bzero(digest, sizeof digest);
	explicit_bzero(block, RSA_MAX);
	return r;
}

static int decrypt_set_oaep(EVP_PKEY_CTX *ctx, const struct keyd_decrypt *how, struct span label)
{
	uint8_t *copy;

	if (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) <= 0)
		return KEYD_E_REFUSED;
	if (how->digest[0] && EVP_PKEY_CTX_set_rsa_oaep_md_name(ctx, how->digest, PROVIDER) <= 0)
		return KEYD_E_REFUSED;
	if (how->mgf1[0] && EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, how->mgf1, PROVIDER) <= 0)
		return KEYD_E_REFUSED;
	if (label.n == 0)
		return 0;
	copy = OPENSSL_memdup(label.p, label.n);
	if (EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, copy, (int)label.n) > 0)
		return 0;
	OPENSSL_free(copy);
	return KEYD_E_REFUSED;
}

int operation_decrypt(EVP_PKEY *key, const struct operation_decrypt *d, struct operation_out out,
	size_t *ret_n)
{
	CLEANUP(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
	size_t n = out.room;
	int r;

	/* RFC 4055 section 1.2: an RSA-PSS key is not for encryption. */
	if (!EVP_PKEY_is_a(key, "RSA"))
		return KEYD_E_REFUSED;
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, PROVIDER);
	if (!ctx || EVP_PKEY_decrypt_init(ctx) <= 0)
		return say_no(KEYD_E_REFUSED);
	if (d->how.padding == KEYD_PAD_PKCS1)
		return decrypt_pkcs1(key, ctx, d, out, ret_n);
	if (d->how.padding != KEYD_PAD_OAEP)
		return KEYD_E_REFUSED;
	r = decrypt_set_oaep(ctx, &d->how, d->label);
	if (r)
		return say_no(r);
	if (EVP_PKEY_decrypt(ctx, out.p, &n, d->ciphertext.p, d->ciphertext.n) <= 0)
		return say_no(KEYD_E_FAILED);
	*ret_n = n;
	return 0;
}

/* The peer's point on the curve of our key. OpenSSL refuses one that is not on the curve. */
static int peer_key(EVP_PKEY *key, struct span peer, EVP_PKEY **ret_peer)
{
	CLEANUP(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
	char group[GROUP_NAME];
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)peer.p, peer.n),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY *made = NULL;

	if (EVP_PKEY_get_group_name(key, group, sizeof group, NULL) <= 0)
		return say_no(KEYD_E_REFUSED);
	params[0].data_size = strlen(group);
	ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", PROVIDER);
	if (!ctx || EVP_PKEY_fromdata_init(ctx) <= 0 ||
		EVP_PKEY_fromdata(ctx, &made, EVP_PKEY_PUBLIC_KEY, params) <= 0)
		return say_no(KEYD_E_FAILED);
	*ret_peer = made;
	return 0;
}

static int derive_set(EVP_PKEY_CTX *ctx, const struct keyd_derive *how, struct span ukm)
{
	int cofactor = how->cofactor;
	size_t size = how->size;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int(OSSL_EXCHANGE_PARAM_EC_ECDH_COFACTOR_MODE, &cofactor),
		OSSL_PARAM_construct_utf8_string(OSSL_EXCHANGE_PARAM_KDF_TYPE,
			(char *)OSSL_KDF_NAME_X963KDF, 0),
		OSSL_PARAM_construct_utf8_string(OSSL_EXCHANGE_PARAM_KDF_DIGEST,
			(char *)how->digest, 0),
		OSSL_PARAM_construct_size_t(OSSL_EXCHANGE_PARAM_KDF_OUTLEN, &size),
		OSSL_PARAM_construct_octet_string(OSSL_EXCHANGE_PARAM_KDF_UKM, (void *)ukm.p, ukm.n),
		OSSL_PARAM_construct_end(),
	};

	return EVP_PKEY_CTX_set_params(ctx, params) > 0 ? 0 : KEYD_E_REFUSED;
}

int operation_derive(EVP_PKEY *key, const struct keyd_derive *how, struct span peer,
	struct span ukm, struct operation_out out, size_t *ret_n)
{
	CLEANUP(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *other = NULL;
	size_t n = how->size;
	int r;

	if (!key_is_ec(key) || how->size == 0 || how->size > out.room || how->cofactor < -1 ||
		how->cofactor > 1)
		return KEYD_E_REFUSED;
	r = peer_key(key, peer, &other);
	if (r)
		return r;
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, PROVIDER);
	if (!ctx || EVP_PKEY_derive_init(ctx) <= 0)
		return say_no(KEYD_E_REFUSED);
	r = derive_set(ctx, how, ukm);
	if (r)
		return say_no(r);
	if (EVP_PKEY_derive_set_peer(ctx, other) <= 0 || EVP_PKEY_derive(ctx, out.p, &n) <= 0)
		return say_no(KEYD_E_FAILED);
	*ret_n = n;
	return 0;
}

static STACK_OF(X509) *issuers(const struct cert_list *certs)
{
	STACK_OF(X509) *stack = sk_X509_new_null();

	for (size_t i = 1; i < certs->n; i++)
		sk_X509_push(stack, cert_x509(certs->certs[i]));
	return stack;
}

/* PBES2 with AES-256-CBC and HMAC-SHA-256, integrity by HMAC-SHA-256 (RFC 7292 section 4); the old form
 * has the schemes of RFC 7292 appendix C and HMAC-SHA-1, which any program reads. */
static const struct pkcs12_form {
	int cipher;      /* a PBE, or a cipher for PBES2 */
	const char *mac;
} pkcs12_new = { NID_aes_256_cbc, "SHA256" },
  pkcs12_old = { NID_pbe_WithSHA1And3_Key_TripleDES_CBC, "SHA1" };

static int export_pkcs12(EVP_PKEY *key, const struct pkcs12_form *form, const struct cert_list *list,
	const char *name, const char *password, struct operation_out out, size_t *ret_n)
{
	STACK_OF(X509) *others = issuers(list);
	CLEANUP(PKCS12_freep) PKCS12 *p12 = NULL;
	uint8_t *p = out.p;
	int n;

	/* -1: without a MAC, which is added below with the digest of the form. */
	p12 = PKCS12_create(password, name[0] ? name : NULL, key,
		list->n ? cert_x509(list->certs[0]) : NULL, others, form->cipher, form->cipher,
		EXPORT_ITERATIONS, -1, 0);
	sk_X509_free(others);
	if (p12 && !PKCS12_set_mac(p12, password, -1, NULL, 0, EXPORT_ITERATIONS,
			   EVP_get_digestbyname(form->mac)))
		return say_no(KEYD_E_FAILED);
	n = p12 ? i2d_PKCS12(p12, NULL) : 0;
	if (n <= 0 || (size_t)n > out.room || i2d_PKCS12(p12, &p) != n)
		return say_no(KEYD_E_FAILED);
	*ret_n = (size_t)n;
	return 0;
}

/* RFC 5958 section 3, EncryptedPrivateKeyInfo with PBES2 (AES-256-CBC, HMAC-SHA-256). */
static int export_pkcs8(EVP_PKEY *key, const char *password, struct operation_out out, size_t *ret_n)
{
	CLEANUP(PKCS8_PRIV_KEY_INFO_freep) PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	CLEANUP(X509_SIG_freep) X509_SIG *sealed = NULL;
	X509_ALGOR *algorithm;
	uint8_t *p = out.p;
	int n;

	algorithm = PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), EXPORT_ITERATIONS, NULL, 0, NULL,
		NID_hmacWithSHA256);
	if (info && algorithm)
		sealed = PKCS8_set0_pbe(password, -1, info, algorithm);
	if (!sealed)
		X509_ALGOR_free(algorithm);
	n = sealed ? i2d_X509_SIG(sealed, NULL) : 0;
	if (n <= 0 || (size_t)n > out.room || i2d_X509_SIG(sealed, &p) != n)
		return say_no(KEYD_E_FAILED);
	*ret_n = (size_t)n;
	return 0;
}

int operation_export(EVP_PKEY *key, unsigned form, struct span certs, struct span name,
	struct span password, struct operation_out out, size_t *ret_n)
{
	CLEANUP(cert_list_done) struct cert_list list = {};
	CLEANUP(secret_done) struct secret pass = secret_new(password.n + 1);
	char *friendly;
	int r = KEYD_E_REFUSED;

	memcpy(pass.p, password.p, password.n);
	friendly = span_to_string(name);
	if (friendly && strlen((char *)pass.p) == password.n &&
		cert_list_from_der(&list, certs, NULL) == 0) {
		if (form == KEYD_FORM_PKCS12 || form == KEYD_FORM_PKCS12_OLD)
			r = export_pkcs12(key, form == KEYD_FORM_PKCS12 ? &pkcs12_new : &pkcs12_old,
				&list, friendly, (char *)pass.p, out, ret_n);
		else if (form == KEYD_FORM_PKCS8)
			r = export_pkcs8(key, (char *)pass.p, out, ret_n);
	}
	free(friendly);
	return r;
}
