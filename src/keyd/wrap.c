/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * How private keys and secrets lie in the database. Nonces are random: 2^32 wrappings under one key
 * would be the limit of NIST SP 800-38D section 8.3, far above the number of keys of a node. Both
 * forms begin with a version octet, so that another cipher can come beside this one.
 */

#include "keyd/wrap.h"

#include "base/random.h"
#include "pki/key.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>

enum { VERSION = 1, NONCE = 12, TAG = 16, KEY = 32, SALT = 16, COST = 3 };

/* What a stored blob may ask for: it is authenticated by the KEK, but a mistake must not take all
 * memory. */
static const struct wrap_cost cost_max = { 20, 16, 4 };

CLEANUP_POINTER(EVP_CIPHER, EVP_CIPHER_free)
CLEANUP_POINTER(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)
CLEANUP_POINTER(EVP_KDF, EVP_KDF_free)
CLEANUP_POINTER(EVP_KDF_CTX, EVP_KDF_CTX_free)

void wrap_aad(struct buf *out, const struct span *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_add_varint(out, fields[i].n);
		buf_add(out, fields[i]);
	}
}

static int gcm_start(EVP_CIPHER_CTX **ret_ctx, struct span key, const uint8_t *nonce,
	struct span aad, int encrypt)
{
	CLEANUP(EVP_CIPHER_freep) EVP_CIPHER *aes = NULL;
	CLEANUP(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n;

	if (key.n != KEY)
		return err_fault(EINVAL, "wrapping key");
	aes = EVP_CIPHER_fetch(NULL, "AES-256-GCM", "provider=default");
	/* Twelve octets are GCM's default nonce. */
	if (!aes || !ctx || EVP_CipherInit_ex2(ctx, aes, key.p, nonce, encrypt, NULL) <= 0 ||
		EVP_CipherUpdate(ctx, NULL, &n, aad.p, (int)aad.n) <= 0)
		return key_openssl_fault("AES-256-GCM");
	*ret_ctx = TAKE(ctx);
	return 0;
}

int wrap_seal(struct span key, struct span aad, struct span plain, struct buf *out)
{
	CLEANUP(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = NULL;
	uint8_t *p = buf_room(out, 1 + NONCE + plain.n + TAG);
	uint8_t *body = p + 1 + NONCE;
	int n = 0, tail;

	p[0] = VERSION;
	random_fill(p + 1, NONCE);
	TRY(gcm_start(&ctx, key, p + 1, aad, 1));
	if ((plain.n && EVP_CipherUpdate(ctx, body, &n, plain.p, (int)plain.n) <= 0) ||
		EVP_CipherFinal_ex(ctx, body + n, &tail) <= 0 ||
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, body + plain.n) <= 0)
		return key_openssl_fault("AES-256-GCM");
	buf_added(out, 1 + NONCE + plain.n + TAG);
	return 0;
}

int wrap_open(struct span key, struct span aad, struct span sealed, struct secret *ret_plain)
{
	CLEANUP(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = NULL;
	CLEANUP(secret_done) struct secret plain = {};
	struct span body;
	int n = 0, tail;

	if (sealed.n < 1 + NONCE + TAG || sealed.p[0] != VERSION)
		return WRAP_E_OPEN;
	body = span_skip(sealed, 1 + NONCE);
	body.n -= TAG;
	plain = secret_new(body.n);
	TRY(gcm_start(&ctx, key, sealed.p + 1, aad, 0));
	if ((body.n && EVP_CipherUpdate(ctx, plain.p, &n, body.p, (int)body.n) <= 0) ||
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, (void *)(body.p + body.n)) <= 0)
		return key_openssl_fault("AES-256-GCM");
	if (EVP_CipherFinal_ex(ctx, plain.p + n, &tail) <= 0) {
		ERR_clear_error();
		return WRAP_E_OPEN;
	}
	*ret_plain = plain;
	plain = (struct secret){};
	return 0;
}

int wrap_scrypt(struct span password, struct span salt, const struct wrap_cost *cost, uint8_t *out,
	size_t n)
{
	CLEANUP(EVP_KDF_freep) EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SCRYPT", "provider=default");
	CLEANUP(EVP_KDF_CTX_freep) EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	uint64_t cost_n = 1ULL << cost->log2_n;
	uint32_t r = cost->r, p = cost->p;
	/* RFC 7914 section 2: 128 * r * N octets, and 128 * r for each of p and two more. */
	uint64_t memory = 128ULL * r * (cost_n + p + 2) + 65536;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, (void *)password.p,
			password.n),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt.p, salt.n),
		OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &cost_n),
		OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
		OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
		OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
		OSSL_PARAM_construct_end(),
	};

	if (!ctx || EVP_KDF_derive(ctx, out, n, params) <= 0)
		return key_openssl_fault("scrypt");
	return 0;
}

int wrap_seal_password(struct span password, struct span aad, struct span plain, struct buf *out)
{
	CLEANUP(secret_done) struct secret key = secret_new(KEY);
	CLEANUP(buf_done) struct buf sealed = {};
	uint8_t salt[SALT];

	random_fill(salt, sizeof salt);
	TRY(wrap_scrypt(password, span_of(salt, SALT), &wrap_cost, key.p, key.n));
	TRY(wrap_seal(secret_span(&key), aad, plain, &sealed));
	buf_add_octet(out, VERSION);
	buf_add(out, span_of(&wrap_cost, COST));
	buf_add(out, span_of(salt, SALT));
	buf_add(out, buf_span(&sealed));
	return 0;
}

int wrap_open_password(struct span password, struct span aad, struct span sealed,
	struct secret *ret_plain)
{
	CLEANUP(secret_done) struct secret key = secret_new(KEY);
	struct wrap_cost cost;

	if (sealed.n < 1 + COST + SALT || sealed.p[0] != VERSION)
		return WRAP_E_OPEN;
	cost = (struct wrap_cost){ sealed.p[1], sealed.p[2], sealed.p[3] };
	if (cost.log2_n == 0 || cost.log2_n > cost_max.log2_n || cost.r == 0 ||
		cost.r > cost_max.r || cost.p == 0 || cost.p > cost_max.p)
		return WRAP_E_OPEN;
	TRY(wrap_scrypt(password, span_of(sealed.p + 1 + COST, SALT), &cost, key.p, key.n));
	return wrap_open(secret_span(&key), aad, span_skip(sealed, 1 + COST + SALT), ret_plain);
}
