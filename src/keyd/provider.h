/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Keys of keyd as EVP_PKEY, so that TLS, certificates, requests, CRLs and CMS are ordinary OpenSSL
 * code: a built-in OpenSSL provider named "signet". Public operations go to the default provider,
 * private ones over keyd/client.h. Writing such a key out (i2d_PrivateKey, PKCS12_create) fails, with
 * OpenSSL's error queue saying why.
 *
 * X509_set_pubkey and X509_REQ_set_pubkey take the plain public key (key_from_spki): they keep what
 * they are given.
 */

#include "base/err.h"
#include "base/span.h"

#include <openssl/evp.h>

struct keyd_key;

/* Loads the provider into OpenSSL's default context, once per process and before anything else of
 * OpenSSL is used: it also sets the default properties to "?provider=default". */
int provider_load(void) MUST_CHECK;

/* At the end of the process, when no key and no TLS context is left. */
void provider_unload(void);

/* The key as an EVP_PKEY, which holds a reference to it. spki: its public half. */
int provider_key(EVP_PKEY **ret_pkey, struct keyd_key *key, struct span spki) MUST_CHECK;

/* The same with the public half read already, of which a reference is kept. */
int provider_key_of(EVP_PKEY **ret_pkey, struct keyd_key *key, EVP_PKEY *public) MUST_CHECK;
