/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "acme/jws.h"

#include "base/digest.h"
#include "base/enc.h"
#include "pki/key.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <stdlib.h>

enum { COORDINATE = 32, POINT = 1 + 2 * COORDINATE };

CLEANUP_POINTER(EVP_MD_CTX, EVP_MD_CTX_free)
CLEANUP_POINTER(ECDSA_SIG, ECDSA_SIG_free)

typedef json_t json_owned;
static void json_owned_free(json_owned *j)
{
	json_decref(j);
}
CLEANUP_POINTER(json_owned, json_owned_free)

int jws_add_jwk(const EVP_PKEY *key, struct buf *out)
{
	uint8_t point[POINT];
	char group[16] = "";
	size_t n = 0;

	/* Uncompressed (SEC 1 section 2.3.3), so it has x and y. */
	if (!EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group,
		    NULL) ||
		strcmp(group, "prime256v1") != 0 ||
		!EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point,
			sizeof point, &n) ||
		n != POINT || point[0] != POINT_CONVERSION_UNCOMPRESSED)
		return key_openssl_fault("an account's key is EC P-256");
	buf_add_string(out, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"");
	enc_base64url(out, span_of(point + 1, COORDINATE));
	buf_add_string(out, "\",\"y\":\"");
	enc_base64url(out, span_of(point + 1 + COORDINATE, COORDINATE));
	buf_add_string(out, "\"}");
	return 0;
}

int jws_add_thumbprint(const EVP_PKEY *key, struct buf *out)
{
	CLEANUP(buf_done) struct buf jwk = {};
	uint8_t digest[SHA256_OCTETS];

	TRY(jws_add_jwk(key, &jwk));
	digest_sha256(buf_span(&jwk), digest);
	enc_base64url(out, span_of(digest, sizeof digest));
	return 0;
}

/* RFC 7518 section 3.4: r and s side by side, where OpenSSL gives a DER sequence. */
static int add_signature(EVP_PKEY *key, struct span data, struct buf *out)
{
	CLEANUP(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	CLEANUP(ECDSA_SIG_freep) ECDSA_SIG *pair = NULL;
	uint8_t der[128], raw[2 * COORDINATE];
	const uint8_t *p = der;
	size_t n = sizeof der;

	if (!ctx || EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) != 1 ||
		EVP_DigestSign(ctx, der, &n, data.p, data.n) != 1)
		return key_openssl_fault("EVP_DigestSign");
	pair = d2i_ECDSA_SIG(NULL, &p, (long)n);
	if (!pair || BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, COORDINATE) != COORDINATE ||
		BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + COORDINATE, COORDINATE) != COORDINATE)
		return key_openssl_fault("d2i_ECDSA_SIG");
	enc_base64url(out, span_of(raw, sizeof raw));
	return 0;
}

static int set_key(json_t *header, const EVP_PKEY *key)
{
	CLEANUP(buf_done) struct buf jwk = {};

	TRY(jws_add_jwk(key, &jwk));
	(void)json_object_set_new(header, "jwk",
		json_loadb((const char *)buf_span(&jwk).p, buf_size(&jwk), 0, NULL));
	return 0;
}

static int add_encoded(const json_t *header, struct buf *out)
{
	char *text = header ? json_dumps(header, JSON_COMPACT) : NULL;

	if (!text)
		return err_fault(EINVAL, "a header that is no JSON");
	enc_base64url(out, span_str(text));
	free(text);
	return 0;
}

static void add_flattened(struct span protected, struct span payload, struct span signature,
	struct buf *out)
{
	buf_add_string(out, "{\"protected\":\"");
	buf_add(out, protected);
	buf_add_string(out, "\",\"payload\":\"");
	buf_add(out, payload);
	buf_add_string(out, "\",\"signature\":\"");
	buf_add(out, signature);
	buf_add_string(out, "\"}");
}

int jws_sign(EVP_PKEY *key, const struct jws_header *h, struct span payload, struct buf *out)
{
	CLEANUP(buf_done) struct buf input = {}, signature = {};
	CLEANUP(json_owned_freep) json_t *header = json_pack("{s:s, s:s, s:s}", "alg", "ES256",
		"nonce", h->nonce, "url", h->url);
	size_t n;

	if (h->kid)
		(void)json_object_set_new(header, "kid", json_string(h->kid));
	else
		TRY(set_key(header, key));
	TRY(add_encoded(header, &input));
	n = buf_size(&input);
	buf_add_octet(&input, '.');
	if (payload.p)
		enc_base64url(&input, payload);
	TRY(add_signature(key, buf_span(&input), &signature));
	add_flattened(span_head(buf_span(&input), n), span_skip(buf_span(&input), n + 1),
		buf_span(&signature), out);
	return 0;
}

int jws_add_binding(const EVP_PKEY *key, const char *kid, struct span mac_key, const char *url,
	struct buf *out)
{
	CLEANUP(json_owned_freep) json_t *header = json_pack("{s:s, s:s, s:s}", "alg", "HS256",
		"kid", kid, "url", url);
	CLEANUP(buf_done) struct buf input = {}, jwk = {}, signature = {};
	uint8_t mac[SHA256_OCTETS];
	size_t n;

	TRY(jws_add_jwk(key, &jwk));
	TRY(add_encoded(header, &input));
	n = buf_size(&input);
	buf_add_octet(&input, '.');
	enc_base64url(&input, buf_span(&jwk));
	digest_hmac_sha256(mac_key, buf_span(&input), mac);
	enc_base64url(&signature, span_of(mac, sizeof mac));
	add_flattened(span_head(buf_span(&input), n), span_skip(buf_span(&input), n + 1),
		buf_span(&signature), out);
	return 0;
}
