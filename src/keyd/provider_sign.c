/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Signatures of the provider. The shadow is a signing context of the default provider on the public
 * key (initialising one does not need the private half): it takes the parameters and knows the
 * algorithm identifier. The digest is computed here and only it is sent, except for Ed25519, which
 * signs the message itself. Verifying is the shadow's work altogether.
 */

#include "keyd/provider_parts.h"

#include "base/alloc.h"
#include "pki/key.h"

#include <openssl/core_names.h>
#include <openssl/rsa.h>
#include <stdatomic.h>
#include <stdlib.h>

struct sign {
	const struct remote_key *key; /* held by OpenSSL's own context as long as this one */
	EVP_MD_CTX *shadow_md;          /* owns the shadow for operations with a digest */
	EVP_PKEY_CTX *shadow;
	EVP_MD_CTX *hash;
};

static void *sign_new(void *context, const char *properties)
{
	(void)context;
	(void)properties;
	return ALLOC(struct sign);
}

static void sign_clear(struct sign *s)
{
	if (s->shadow_md)
		EVP_MD_CTX_free(s->shadow_md);
	else
		EVP_PKEY_CTX_free(s->shadow);
	EVP_MD_CTX_free(s->hash);
	*s = (struct sign){};
}

static void sign_free(void *data)
{
	sign_clear(data);
	free(data);
}

static void *sign_dup(void *data)
{
	const struct sign *from = data;
	struct sign *to = ALLOC(struct sign);
	bool ok = true;

	to->key = from->key;
	if (from->shadow_md) {
		to->shadow_md = EVP_MD_CTX_new();
		ok = to->shadow_md && EVP_MD_CTX_copy_ex(to->shadow_md, from->shadow_md);
		to->shadow = ok ? EVP_MD_CTX_get_pkey_ctx(to->shadow_md) : NULL;
	} else if (from->shadow) {
		to->shadow = EVP_PKEY_CTX_dup(from->shadow);
		ok = to->shadow;
	}
	if (ok && from->hash) {
		to->hash = EVP_MD_CTX_new();
		ok = to->hash && EVP_MD_CTX_copy_ex(to->hash, from->hash);
	}
	if (ok)
		return to;
	sign_free(to);
	return NULL;
}

static int set_shadow_params(struct sign *s, const OSSL_PARAM params[])
{
	return !params || !params->key || EVP_PKEY_CTX_set_params(s->shadow, params) > 0;
}

/* A key that is initialised again without being named stays. */
static bool sign_start(struct sign *s, void *key)
{
	const struct remote_key *k = key ? key : s->key;

	sign_clear(s);
	s->key = k;
	return k && k->public;
}

static int sign_init(void *data, void *key, const OSSL_PARAM params[])
{
	struct sign *s = data;

	if (!sign_start(s, key))
		return 0;
	s->shadow = EVP_PKEY_CTX_new_from_pkey(NULL, s->key->public, PROVIDER_DEFAULT);
	return s->shadow && EVP_PKEY_sign_init(s->shadow) > 0 && set_shadow_params(s, params);
}

static int verify_init(void *data, void *key, const OSSL_PARAM params[])
{
	struct sign *s = data;

	if (!sign_start(s, key))
		return 0;
	s->shadow = EVP_PKEY_CTX_new_from_pkey(NULL, s->key->public, PROVIDER_DEFAULT);
	return s->shadow && EVP_PKEY_verify_init(s->shadow) > 0 && set_shadow_params(s, params);
}

/* The digest's name as the shadow has it; empty if none is set. */
static bool shadow_digest(struct sign *s, char *name, size_t n)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, name, n),
		OSSL_PARAM_construct_end(),
	};

	name[0] = '\0';
	return EVP_PKEY_CTX_get_params(s->shadow, params) > 0;
}

/* With the digest that the shadow has looked up. */
static bool hash_start(struct sign *s)
{
	const EVP_MD *md = EVP_MD_CTX_get0_md(s->shadow_md);

	s->hash = EVP_MD_CTX_new();
	return md && s->hash && EVP_DigestInit_ex2(s->hash, md, NULL) > 0;
}

/* Looking up what a signature needs takes a tenth of its time, so it is done once for each key.
 * NULL: it cannot be. The context is never changed, so all threads may copy it; it stays as long as
 * the key, because OpenSSL 3.0 lets the algorithm identifiers of copies point into it. */
static const EVP_MD_CTX *first_shadow(struct remote_key *k, const char *digest)
{
	EVP_MD_CTX *first = k->shadow, *found = NULL;

	if (first)
		return first;
	first = EVP_MD_CTX_new();
	if (first && EVP_DigestSignInit_ex(first, NULL, digest, NULL, PROVIDER_DEFAULT, k->public,
			     NULL) > 0 &&
		atomic_compare_exchange_strong(&k->shadow, &found, first))
		return first;
	EVP_MD_CTX_free(first);
	return found;
}

/* With the digest of the key's first signature; false: with another, or something is amiss. */
static bool shadow_copy(struct sign *s, const char *digest)
{
	const EVP_MD_CTX *first = first_shadow((struct remote_key *)s->key, digest);

	if (!first || !EVP_MD_is_a(EVP_MD_CTX_get0_md(first), digest))
		return false;
	s->shadow_md = EVP_MD_CTX_new();
	if (!s->shadow_md || EVP_MD_CTX_copy_ex(s->shadow_md, first) != 1)
		return false;
	s->shadow = EVP_MD_CTX_get_pkey_ctx(s->shadow_md);
	return true;
}

static bool shadow_make(struct sign *s, const char *digest, const OSSL_PARAM params[])
{
	/* What has no private half may be changed. */
	if (digest && !params && s->key->key && shadow_copy(s, digest))
		return true;
	EVP_MD_CTX_free(s->shadow_md);
	s->shadow_md = EVP_MD_CTX_new();
	return s->shadow_md && EVP_DigestSignInit_ex(s->shadow_md, &s->shadow, digest, NULL,
				       PROVIDER_DEFAULT, s->key->public, params) > 0;
}

static int digest_sign_init(void *data, const char *digest, void *key, const OSSL_PARAM params[])
{
	struct sign *s = data;

	if (!sign_start(s, key) || !shadow_make(s, digest, params))
		return 0;
	return key_is_ed25519(s->key->public) || hash_start(s);
}

static int digest_verify_init(void *data, const char *digest, void *key, const OSSL_PARAM params[])
{
	struct sign *s = data;

	if (!sign_start(s, key))
		return 0;
	s->shadow_md = EVP_MD_CTX_new();
	return s->shadow_md && EVP_DigestVerifyInit_ex(s->shadow_md, &s->shadow, digest, NULL,
				       PROVIDER_DEFAULT, s->key->public, params) > 0;
}

static bool read_rsa(struct sign *s, struct keyd_sign *how)
{
	int padding = 0, salt = 0;
	OSSL_PARAM basic[] = {
		OSSL_PARAM_construct_int(OSSL_SIGNATURE_PARAM_PAD_MODE, &padding),
		OSSL_PARAM_construct_end(),
	};
	OSSL_PARAM pss[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, how->mgf1,
			sizeof how->mgf1),
		OSSL_PARAM_construct_int(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, &salt),
		OSSL_PARAM_construct_end(),
	};

	if (EVP_PKEY_CTX_get_params(s->shadow, basic) <= 0)
		return false;
	if (padding == RSA_PKCS1_PADDING) {
		how->padding = KEYD_PAD_PKCS1;
		return true;
	}
	if (padding != RSA_PKCS1_PSS_PADDING || EVP_PKEY_CTX_get_params(s->shadow, pss) <= 0)
		return false;
	how->padding = KEYD_PAD_PSS;
	how->salt = salt;
	return true;
}

/* Asks keyd. sig NULL asks for the greatest size only. */
static int sign_remote(struct sign *s, uint8_t *sig, size_t *n, size_t room, struct span data)
{
	CLEANUP(buf_done) struct buf out = {};
	struct keyd_sign how = {};
	int r;

	if (!sig) {
		*n = (size_t)EVP_PKEY_get_size(s->key->public);
		return 1;
	}
	if (!s->key->key)
		return provider_raise(PROVIDER_R_PRIVATE);
	if (!key_is_ed25519(s->key->public) &&
		!shadow_digest(s, how.digest, sizeof how.digest))
		return 0;
	if (key_is_rsa(s->key->public) && !read_rsa(s, &how))
		return provider_raise(PROVIDER_R_REFUSED);
	if (data.n > KEYD_SIGN_MAX)
		return provider_raise(PROVIDER_R_SIZE);
	r = keyd_key_sign(s->key->key, &how, data, &out);
	if (r)
		return provider_fail(r);
	if (buf_size(&out) > room)
		return provider_raise(PROVIDER_R_SIZE);
	memcpy(sig, buf_span(&out).p, buf_size(&out));
	*n = buf_size(&out);
	return 1;
}

static int sign_sign(void *data, unsigned char *sig, size_t *n, size_t room,
	const unsigned char *tbs, size_t n_tbs)
{
	return sign_remote(data, sig, n, room, span_of(tbs, n_tbs));
}

static int sign_verify(void *data, const unsigned char *sig, size_t n, const unsigned char *tbs,
	size_t n_tbs)
{
	struct sign *s = data;

	return EVP_PKEY_verify(s->shadow, sig, n, tbs, n_tbs);
}

static int digest_sign_update(void *data, const unsigned char *p, size_t n)
{
	struct sign *s = data;

	return s->hash && EVP_DigestUpdate(s->hash, p, n);
}

static int digest_sign_final(void *data, unsigned char *sig, size_t *n, size_t room)
{
	struct sign *s = data;
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n_digest = 0;

	if (sig && (!s->hash || !EVP_DigestFinal_ex(s->hash, digest, &n_digest)))
		return 0;
	return sign_remote(s, sig, n, room, span_of(digest, n_digest));
}

static int digest_sign(void *data, unsigned char *sig, size_t *n, size_t room,
	const unsigned char *p, size_t n_p)
{
	return (!sig || digest_sign_update(data, p, n_p)) && digest_sign_final(data, sig, n, room);
}

static int digest_verify_update(void *data, const unsigned char *p, size_t n)
{
	struct sign *s = data;

	return EVP_DigestVerifyUpdate(s->shadow_md, p, n);
}

static int digest_verify_final(void *data, const unsigned char *sig, size_t n)
{
	struct sign *s = data;

	return EVP_DigestVerifyFinal(s->shadow_md, sig, n);
}

static int digest_verify(void *data, const unsigned char *sig, size_t n, const unsigned char *p,
	size_t n_p)
{
	struct sign *s = data;

	return EVP_DigestVerify(s->shadow_md, sig, n, p, n_p);
}

static int sign_get_params(void *data, OSSL_PARAM params[])
{
	struct sign *s = data;

	return s->shadow && EVP_PKEY_CTX_get_params(s->shadow, params) > 0;
}

/* The shadow refuses another digest than the one that is being computed here. */
static int sign_set_params(void *data, const OSSL_PARAM params[])
{
	struct sign *s = data;

	return !params || (s->shadow && EVP_PKEY_CTX_set_params(s->shadow, params) > 0);
}

/* The tables are constants of the default provider, which is never unloaded. */
static const OSSL_PARAM *gettable_named(const char *algorithm)
{
	EVP_SIGNATURE *signature = EVP_SIGNATURE_fetch(NULL, algorithm, PROVIDER_DEFAULT);
	const OSSL_PARAM *table = NULL;

	if (signature)
		table = EVP_SIGNATURE_gettable_ctx_params(signature);
	EVP_SIGNATURE_free(signature);
	return table;
}

static const OSSL_PARAM *settable_named(const char *algorithm)
{
	EVP_SIGNATURE *signature = EVP_SIGNATURE_fetch(NULL, algorithm, PROVIDER_DEFAULT);
	const OSSL_PARAM *table = NULL;

	if (signature)
		table = EVP_SIGNATURE_settable_ctx_params(signature);
	EVP_SIGNATURE_free(signature);
	return table;
}

#define GETTABLE(name, algorithm)                                                                  \
	static const OSSL_PARAM *name##_gettable(void *data, void *context)                        \
	{                                                                                          \
		(void)data;                                                                        \
		(void)context;                                                                     \
		return gettable_named(algorithm);                                                  \
	}

#define SETTABLE(name, algorithm)                                                                  \
	static const OSSL_PARAM *name##_settable(void *data, void *context)                        \
	{                                                                                          \
		(void)data;                                                                        \
		(void)context;                                                                     \
		return settable_named(algorithm);                                                  \
	}

#define SIGNATURE(name)                                                                            \
	static const OSSL_DISPATCH name##_signature[] = {                                          \
		PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_NEWCTX, sign_new),                           \
		PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_FREECTX, sign_free),                         \
		PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DUPCTX, sign_dup),                           \
		PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_SIGN_INIT, sign_init),                       \
		PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_SIGN, sign_sign),                            \
		PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_VERIFY_INIT, verify_init),                   \
		PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_VERIFY, sign_verify),                        \
		PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, digest_sign_init),         \
		PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE, digest_sign_update),     \
		PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL, digest_sign_final),       \
		PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, digest_sign),                   \
		PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_INIT, digest_verify_init),     \
		PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_UPDATE, digest_verify_update), \
		PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_FINAL, digest_verify_final),   \
		PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY, digest_verify),               \
		PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS, sign_get_params),            \
		PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS, name##_gettable),       \
		PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, sign_set_params),            \
		PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, name##_settable),       \
		{ 0, NULL },                                                                       \
	}

GETTABLE(rsa, "RSA")
SETTABLE(rsa, "RSA")
SIGNATURE(rsa);
GETTABLE(ecdsa, "ECDSA")
SETTABLE(ecdsa, "ECDSA")
SIGNATURE(ecdsa);
GETTABLE(ed25519, "ED25519")

/* Only in one piece (RFC 8032 section 5.1.6 reads the message twice); no parameters to set. */
static const OSSL_DISPATCH ed25519_signature[] = {
	PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_NEWCTX, sign_new),
	PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_FREECTX, sign_free),
	PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DUPCTX, sign_dup),
	PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, digest_sign_init),
	PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, sign_sign),
	PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_INIT, digest_verify_init),
	PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY, digest_verify),
	PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS, sign_get_params),
	PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS, ed25519_gettable),
	{ 0, NULL },
};

const OSSL_ALGORITHM provider_signature[] = {
	{ "RSA:rsaEncryption", PROVIDER_SIGNET, rsa_signature, NULL },
	{ "ECDSA", PROVIDER_SIGNET, ecdsa_signature, NULL },
	{ "ED25519", PROVIDER_SIGNET, ed25519_signature, NULL },
	{ NULL, NULL, NULL, NULL },
};
