/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * RSA decryption of the provider: parameters go to a shadow context of the default provider on the
 * public key, the ciphertext goes to keyd, which takes the padding off. Encryption is the shadow's.
 */

#include "keyd/provider_parts.h"

#include "base/alloc.h"

#include <openssl/core_names.h>
#include <openssl/rsa.h>
#include <stdlib.h>

struct cipher {
	const struct remote_key *key; /* held by OpenSSL's own context as long as this one */
	EVP_PKEY_CTX *shadow;
};

static void *cipher_new(void *context)
{
	(void)context;
	return ALLOC(struct cipher);
}

static void cipher_free(void *data)
{
	struct cipher *c = data;

	EVP_PKEY_CTX_free(c->shadow);
	free(c);
}

static bool cipher_start(struct cipher *c, void *key)
{
	c->key = key ? key : c->key;
	EVP_PKEY_CTX_free(c->shadow);
	c->shadow = NULL;
	if (c->key && c->key->public)
		c->shadow = EVP_PKEY_CTX_new_from_pkey(NULL, c->key->public, PROVIDER_DEFAULT);
	return c->shadow;
}

static int cipher_set_params(void *data, const OSSL_PARAM params[])
{
	struct cipher *c = data;

	if (!params || !params->key)
		return 1;
	return c->shadow && EVP_PKEY_CTX_set_params(c->shadow, params) > 0;
}

static int cipher_get_params(void *data, OSSL_PARAM params[])
{
	struct cipher *c = data;

	return c->shadow && EVP_PKEY_CTX_get_params(c->shadow, params) > 0;
}

static int encrypt_init(void *data, void *key, const OSSL_PARAM params[])
{
	struct cipher *c = data;

	return cipher_start(c, key) && EVP_PKEY_encrypt_init(c->shadow) > 0 &&
		cipher_set_params(c, params);
}

static int decrypt_init(void *data, void *key, const OSSL_PARAM params[])
{
	struct cipher *c = data;

	return cipher_start(c, key) && EVP_PKEY_decrypt_init(c->shadow) > 0 &&
		cipher_set_params(c, params);
}

static int cipher_encrypt(void *data, unsigned char *out, size_t *n, size_t room,
	const unsigned char *in, size_t n_in)
{
	struct cipher *c = data;

	*n = room;
	return EVP_PKEY_encrypt(c->shadow, out, n, in, n_in) > 0;
}

static bool read_how(struct cipher *c, struct keyd_decrypt *how, struct span *ret_label)
{
	int padding = 0;
	void *label = NULL;
	OSSL_PARAM basic[] = {
		OSSL_PARAM_construct_int(OSSL_ASYM_CIPHER_PARAM_PAD_MODE, &padding),
		OSSL_PARAM_construct_end(),
	};
	OSSL_PARAM oaep[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, how->digest,
			sizeof how->digest),
		OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, how->mgf1,
			sizeof how->mgf1),
		OSSL_PARAM_construct_octet_ptr(OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL, &label, 0),
		OSSL_PARAM_construct_end(),
	};

	if (EVP_PKEY_CTX_get_params(c->shadow, basic) <= 0)
		return false;
	how->padding = padding == RSA_PKCS1_PADDING ? KEYD_PAD_PKCS1 :
		padding == RSA_PKCS1_OAEP_PADDING ? KEYD_PAD_OAEP : KEYD_PAD_NONE;
	if (how->padding != KEYD_PAD_OAEP)
		return true;
	if (EVP_PKEY_CTX_get_params(c->shadow, oaep) <= 0)
		return false;
	*ret_label = span_of(label, label ? oaep[2].return_size : 0);
	return true;
}

static int cipher_decrypt(void *data, unsigned char *out, size_t *n, size_t room,
	const unsigned char *in, size_t n_in)
{
	CLEANUP(secret_done) struct secret plain = {};
	struct cipher *c = data;
	struct keyd_decrypt how = {};
	struct span label = {};
	int r;

	if (!out) {
		*n = (size_t)EVP_PKEY_get_size(c->key->public);
		return 1;
	}
	if (!c->key->key)
		return provider_raise(PROVIDER_R_PRIVATE);
	if (!read_how(c, &how, &label))
		return provider_raise(PROVIDER_R_REFUSED);
	r = keyd_key_decrypt(c->key->key, &how, label, span_of(in, n_in), &plain);
	if (r)
		return provider_fail(r);
	if (plain.n > room)
		return provider_raise(PROVIDER_R_SIZE);
	memcpy(out, plain.p, plain.n);
	*n = plain.n;
	return 1;
}

static const OSSL_PARAM *cipher_gettable(void *data, void *context)
{
	EVP_ASYM_CIPHER *rsa = EVP_ASYM_CIPHER_fetch(NULL, "RSA", PROVIDER_DEFAULT);
	const OSSL_PARAM *table = rsa ? EVP_ASYM_CIPHER_gettable_ctx_params(rsa) : NULL;

	(void)data;
	(void)context;
	EVP_ASYM_CIPHER_free(rsa);
	return table;
}

static const OSSL_PARAM *cipher_settable(void *data, void *context)
{
	EVP_ASYM_CIPHER *rsa = EVP_ASYM_CIPHER_fetch(NULL, "RSA", PROVIDER_DEFAULT);
	const OSSL_PARAM *table = rsa ? EVP_ASYM_CIPHER_settable_ctx_params(rsa) : NULL;

	(void)data;
	(void)context;
	EVP_ASYM_CIPHER_free(rsa);
	return table;
}

static const OSSL_DISPATCH rsa_cipher[] = {
	PROVIDER_FUNCTION(OSSL_FUNC_ASYM_CIPHER_NEWCTX, cipher_new),
	PROVIDER_FUNCTION(OSSL_FUNC_ASYM_CIPHER_FREECTX, cipher_free),
	PROVIDER_FUNCTION(OSSL_FUNC_ASYM_CIPHER_ENCRYPT_INIT, encrypt_init),
	PROVIDER_FUNCTION(OSSL_FUNC_ASYM_CIPHER_ENCRYPT, cipher_encrypt),
	PROVIDER_FUNCTION(OSSL_FUNC_ASYM_CIPHER_DECRYPT_INIT, decrypt_init),
	PROVIDER_FUNCTION(OSSL_FUNC_ASYM_CIPHER_DECRYPT, cipher_decrypt),
	PROVIDER_FUNCTION(OSSL_FUNC_ASYM_CIPHER_GET_CTX_PARAMS, cipher_get_params),
	PROVIDER_FUNCTION(OSSL_FUNC_ASYM_CIPHER_GETTABLE_CTX_PARAMS, cipher_gettable),
	PROVIDER_FUNCTION(OSSL_FUNC_ASYM_CIPHER_SET_CTX_PARAMS, cipher_set_params),
	PROVIDER_FUNCTION(OSSL_FUNC_ASYM_CIPHER_SETTABLE_CTX_PARAMS, cipher_settable),
	{ 0, NULL },
};

const OSSL_ALGORITHM provider_cipher[] = {
	{ "RSA:rsaEncryption", PROVIDER_SIGNET, rsa_cipher, NULL },
	{ NULL, NULL, NULL, NULL },
};
