/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Requests to an ACME server are JSON Web Signatures (RFC 7515, flattened) under the account's key,
 * an EC P-256 one: ES256. The key is any EVP_PKEY, so a remote one of keyd/provider.h too.
 */

#include "base/buf.h"
#include "base/err.h"

#include <openssl/evp.h>

/* RFC 8555 section 6.2. */
struct jws_header {
	const char *url;
	const char *nonce;  /* base64url, as the server gave it */
	const char *kid;    /* the account's URL; NULL: the key itself stands there (jwk) */
};

/* Appends the request's body. payload.p NULL: a POST-as-GET (RFC 8555 section 6.3). */
int jws_sign(EVP_PKEY *key, const struct jws_header *h, struct span payload, struct buf *out)
	MUST_CHECK;

/* Appends the public key as a JSON Web Key in the form that RFC 7638 section 3 digests. */
int jws_add_jwk(const EVP_PKEY *key, struct buf *out) MUST_CHECK;

/* Appends the key's thumbprint (RFC 7638), base64url of SHA-256. */
int jws_add_thumbprint(const EVP_PKEY *key, struct buf *out) MUST_CHECK;

/* Appends an external account binding (RFC 8555 section 7.3.4): the account's key, authenticated
 * with HS256 under a key that the authority gave out. */
int jws_add_binding(const EVP_PKEY *key, const char *kid, struct span mac_key, const char *url,
	struct buf *out) MUST_CHECK;
