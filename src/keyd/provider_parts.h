/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What the parts of the provider share; nobody else includes this. */

#include "keyd/client.h"

#include <openssl/core_dispatch.h>
#include <openssl/evp.h>

#define PROVIDER_DEFAULT "provider=default"
#define PROVIDER_SIGNET "provider=signet"

/* An entry of a dispatch table, which holds functions of all types as one. */
#define PROVIDER_FUNCTION(id, function) { id, (void (*)(void))(function) }

/* The parameter that hands a struct remote_key over to EVP_PKEY_fromdata. */
#define PROVIDER_KEY_PARAM "signet-key"

/* A key as OpenSSL's core holds it for us: the public half as an ordinary key, and where there is a
 * private half, what names it to keyd. Keys without come into being when OpenSSL compares ours with
 * a certificate's. */
struct remote_key {
	EVP_PKEY *public; /* NULL: nothing in it yet */
	struct keyd_key *key;
	uint64_t number;            /* of what is in it, unique in the process */
	_Atomic uint64_t twin;      /* the number of one that was found to be equal, or 0 */
	EVP_MD_CTX *_Atomic shadow; /* what signatures begin with, or NULL; see provider_sign.c */
};

/* The tables of provider_keymgmt.c, provider_sign.c, provider_cipher.c, provider_exchange.c. */
extern const OSSL_ALGORITHM provider_keymgmt[];
extern const OSSL_ALGORITHM provider_signature[];
extern const OSSL_ALGORITHM provider_cipher[];
extern const OSSL_ALGORITHM provider_exchange[];

/* Puts the reason of a private operation that did not happen on OpenSSL's error queue. r is what a
 * function of keyd/client.h returned. Returns 0, OpenSSL's failure. */
int provider_fail(int r);

enum provider_reason {
	PROVIDER_R_PRIVATE = 100, /* the private half was asked for */
	PROVIDER_R_AWAY,
	PROVIDER_R_LOCKED,
	PROVIDER_R_OPEN,
	PROVIDER_R_REFUSED,
	PROVIDER_R_FAILED,
	PROVIDER_R_KDF,
	PROVIDER_R_SIZE,
};
int provider_raise(enum provider_reason reason);
