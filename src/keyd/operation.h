/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What keyd does with a private key that is in clear. Results are 0, an enum keyd_outcome (REFUSED:
 * not with this key or these parameters; FAILED: not on this input) or a fault. */

#include "base/secret.h"
#include "keyd/protocol.h"
#include "pki/key.h"

/* A place of `room` octets for a result. */
struct operation_out {
	uint8_t *p;
	size_t room;
};

int operation_sign(EVP_PKEY *key, const struct keyd_sign *how, struct span data,
	struct operation_out out, size_t *ret_n) MUST_CHECK;
int operation_decrypt(EVP_PKEY *key, const struct keyd_decrypt *how, struct span label,
	struct span ciphertext, struct operation_out out, size_t *ret_n) MUST_CHECK;
int operation_derive(EVP_PKEY *key, const struct keyd_derive *how, struct span peer,
	struct span ukm, struct operation_out out, size_t *ret_n) MUST_CHECK;
int operation_export(EVP_PKEY *key, unsigned form, struct span certs, struct span name, struct span password,
	struct operation_out out, size_t *ret_n) MUST_CHECK;
