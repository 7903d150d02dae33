/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What keyd does with a private key that is in clear. Results are 0, an enum keyd_outcome (REFUSED:
 * not with this key or these parameters; FAILED: not on this input) or a fault. */

#include "base/err.h"
#include "base/span.h"
#include "keyd/protocol.h"
#include "pki/key.h"

/* A place of `room` octets for a result. */
struct operation_out {
	uint8_t *p;
	size_t room;
};

/* What a signature begins with, except Ed25519's, which has no parameters. It holds the key. */
int operation_signer(EVP_PKEY *key, const struct keyd_sign *how, EVP_PKEY_CTX **ret_signer) MUST_CHECK;
/* `signer` is used up: each signature needs a new one or a copy. NULL with Ed25519, and only with
 * that. */
int operation_sign(EVP_PKEY *key, EVP_PKEY_CTX *signer, struct span data, struct operation_out out,
	size_t *ret_n) MUST_CHECK;

struct operation_decrypt {
	struct keyd_decrypt how;
	struct span label, ciphertext;
};

/* `out` has room for 2,048 octets, which are used and wiped behind the result. */
int operation_decrypt(EVP_PKEY *key, const struct operation_decrypt *d, struct operation_out out,
	size_t *ret_n) MUST_CHECK;
int operation_derive(EVP_PKEY *key, const struct keyd_derive *how, struct span peer,
	struct span ukm, struct operation_out out, size_t *ret_n) MUST_CHECK;
int operation_export(EVP_PKEY *key, unsigned form, struct span certs, struct span name, struct span password,
	struct operation_out out, size_t *ret_n) MUST_CHECK;
