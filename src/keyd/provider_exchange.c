/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * ECDH of the provider, for CMS (RFC 5753). Starting a derivation needs a private key, so there is
 * no shadow here: the few parameters are kept, and sent to keyd with the peer's point. keyd runs the
 * X9.63 key derivation and answers with the key-encryption key; the shared secret itself is not to
 * be had.
 */

#include "keyd/provider_parts.h"

#include "base/alloc.h"

#include <openssl/core_names.h>
#include <stdlib.h>

enum { POINT_MAX = 256, UKM_MAX = 1024 };

struct exchange {
	const struct remote_key *key; /* held by OpenSSL's own context as long as this one */
	uint8_t point[POINT_MAX];
	size_t n_point;
	char kdf[24];
	struct keyd_derive how;
	struct buf ukm;
};

static void *exchange_new(void *context)
{
	struct exchange *x = ALLOC(struct exchange);

	(void)context;
	x->how.cofactor = -1;
	return x;
}

static void exchange_free(void *data)
{
	struct exchange *x = data;

	buf_done(&x->ukm);
	free(x);
}

static void *exchange_dup(void *data)
{
	const struct exchange *from = data;
	struct exchange *to = ALLOC(struct exchange);

	*to = *from;
	to->ukm = (struct buf){};
	buf_add(&to->ukm, buf_span(&from->ukm));
	return to;
}

static int set_text(const OSSL_PARAM *param, char *text, size_t n)
{
	return !param || OSSL_PARAM_get_utf8_string(param, &text, n);
}

static int set_ukm(struct exchange *x, const OSSL_PARAM *param)
{
	const void *p;
	size_t n;

	if (!param)
		return 1;
	if (!OSSL_PARAM_get_octet_string_ptr(param, &p, &n) || n > UKM_MAX)
		return 0;
	buf_clear(&x->ukm);
	buf_add(&x->ukm, span_of(p, n));
	return 1;
}

static int exchange_set_params(void *data, const OSSL_PARAM params[])
{
	struct exchange *x = data;
	const OSSL_PARAM *p;
	size_t size;

	if (!params)
		return 1;
	p = OSSL_PARAM_locate_const(params, OSSL_EXCHANGE_PARAM_EC_ECDH_COFACTOR_MODE);
	if (p && !OSSL_PARAM_get_int32(p, &x->how.cofactor))
		return 0;
	p = OSSL_PARAM_locate_const(params, OSSL_EXCHANGE_PARAM_KDF_OUTLEN);
	if (p && (!OSSL_PARAM_get_size_t(p, &size) || size > KEYD_DERIVED_MAX))
		return 0;
	if (p)
		x->how.size = (uint32_t)size;
	p = OSSL_PARAM_locate_const(params, OSSL_EXCHANGE_PARAM_KDF_TYPE);
	if (!set_text(p, x->kdf, sizeof x->kdf))
		return 0;
	p = OSSL_PARAM_locate_const(params, OSSL_EXCHANGE_PARAM_KDF_DIGEST);
	if (!set_text(p, x->how.digest, sizeof x->how.digest))
		return 0;
	return set_ukm(x, OSSL_PARAM_locate_const(params, OSSL_EXCHANGE_PARAM_KDF_UKM));
}

static int exchange_get_params(void *data, OSSL_PARAM params[])
{
	struct exchange *x = data;
	OSSL_PARAM *p;

	p = OSSL_PARAM_locate(params, OSSL_EXCHANGE_PARAM_EC_ECDH_COFACTOR_MODE);
	if (p && !OSSL_PARAM_set_int32(p, x->how.cofactor))
		return 0;
	p = OSSL_PARAM_locate(params, OSSL_EXCHANGE_PARAM_KDF_OUTLEN);
	if (p && !OSSL_PARAM_set_size_t(p, x->how.size))
		return 0;
	p = OSSL_PARAM_locate(params, OSSL_EXCHANGE_PARAM_KDF_TYPE);
	if (p && !OSSL_PARAM_set_utf8_string(p, x->kdf))
		return 0;
	p = OSSL_PARAM_locate(params, OSSL_EXCHANGE_PARAM_KDF_DIGEST);
	if (p && !OSSL_PARAM_set_utf8_string(p, x->how.digest))
		return 0;
	p = OSSL_PARAM_locate(params, OSSL_EXCHANGE_PARAM_KDF_UKM);
	return !p || OSSL_PARAM_set_octet_ptr(p, buf_span(&x->ukm).p, buf_size(&x->ukm));
}

static int exchange_init(void *data, void *key, const OSSL_PARAM params[])
{
	struct exchange *x = data;

	x->key = key;
	return key && exchange_set_params(data, params);
}

static int exchange_set_peer(void *data, void *key)
{
	struct exchange *x = data;
	const struct remote_key *peer = key;

	return peer && peer->public && EVP_PKEY_get_octet_string_param(peer->public,
					       OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, x->point,
					       sizeof x->point, &x->n_point);
}

static int exchange_derive(void *data, unsigned char *out, size_t *n, size_t room)
{
	CLEANUP(secret_done) struct secret secret = {};
	struct exchange *x = data;
	int r;

	if (strcmp(x->kdf, OSSL_KDF_NAME_X963KDF) != 0 || x->how.size == 0)
		return provider_raise(PROVIDER_R_KDF);
	if (!out) {
		*n = x->how.size;
		return 1;
	}
	if (!x->key->key)
		return provider_raise(PROVIDER_R_PRIVATE);
	if (room < x->how.size || x->n_point == 0)
		return provider_raise(PROVIDER_R_SIZE);
	r = keyd_key_derive(x->key->key, &x->how, span_of(x->point, x->n_point), buf_span(&x->ukm),
		&secret);
	if (r)
		return provider_fail(r);
	memcpy(out, secret.p, secret.n);
	*n = secret.n;
	return 1;
}

static const OSSL_PARAM *exchange_settable(void *data, void *context)
{
	static const OSSL_PARAM table[] = {
		OSSL_PARAM_int(OSSL_EXCHANGE_PARAM_EC_ECDH_COFACTOR_MODE, NULL),
		OSSL_PARAM_utf8_string(OSSL_EXCHANGE_PARAM_KDF_TYPE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_EXCHANGE_PARAM_KDF_DIGEST, NULL, 0),
		OSSL_PARAM_size_t(OSSL_EXCHANGE_PARAM_KDF_OUTLEN, NULL),
		OSSL_PARAM_octet_string(OSSL_EXCHANGE_PARAM_KDF_UKM, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)data;
	(void)context;
	return table;
}

static const OSSL_PARAM *exchange_gettable(void *data, void *context)
{
	static const OSSL_PARAM table[] = {
		OSSL_PARAM_int(OSSL_EXCHANGE_PARAM_EC_ECDH_COFACTOR_MODE, NULL),
		OSSL_PARAM_utf8_string(OSSL_EXCHANGE_PARAM_KDF_TYPE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_EXCHANGE_PARAM_KDF_DIGEST, NULL, 0),
		OSSL_PARAM_size_t(OSSL_EXCHANGE_PARAM_KDF_OUTLEN, NULL),
		OSSL_PARAM_octet_ptr(OSSL_EXCHANGE_PARAM_KDF_UKM, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)data;
	(void)context;
	return table;
}

static const OSSL_DISPATCH ecdh_exchange[] = {
	PROVIDER_FUNCTION(OSSL_FUNC_KEYEXCH_NEWCTX, exchange_new),
	PROVIDER_FUNCTION(OSSL_FUNC_KEYEXCH_FREECTX, exchange_free),
	PROVIDER_FUNCTION(OSSL_FUNC_KEYEXCH_DUPCTX, exchange_dup),
	PROVIDER_FUNCTION(OSSL_FUNC_KEYEXCH_INIT, exchange_init),
	PROVIDER_FUNCTION(OSSL_FUNC_KEYEXCH_SET_PEER, exchange_set_peer),
	PROVIDER_FUNCTION(OSSL_FUNC_KEYEXCH_DERIVE, exchange_derive),
	PROVIDER_FUNCTION(OSSL_FUNC_KEYEXCH_SET_CTX_PARAMS, exchange_set_params),
	PROVIDER_FUNCTION(OSSL_FUNC_KEYEXCH_SETTABLE_CTX_PARAMS, exchange_settable),
	PROVIDER_FUNCTION(OSSL_FUNC_KEYEXCH_GET_CTX_PARAMS, exchange_get_params),
	PROVIDER_FUNCTION(OSSL_FUNC_KEYEXCH_GETTABLE_CTX_PARAMS, exchange_gettable),
	{ 0, NULL },
};

const OSSL_ALGORITHM provider_exchange[] = {
	{ "ECDH", PROVIDER_SIGNET, ecdh_exchange, NULL },
	{ NULL, NULL, NULL, NULL },
};
