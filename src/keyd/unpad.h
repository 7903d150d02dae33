/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* PKCS #1 v1.5 decryption padding with implicit rejection. */

#include "base/err.h"
#include "base/secret.h"

/* Takes the padding off `block` (the RSA result, as long as the modulus). Bad padding gives a message
 * that depends on key and ciphertext only, as draft-irtf-cfrg-rsa-guidance section 7.2 makes it, so
 * that nobody learns from the result, its length or the time whether the padding was good.
 * key_digest: SHA-256 of the private exponent. Writes at most block.n octets to out. */
int unpad_pkcs1(struct span block, struct span ciphertext, struct span key_digest, uint8_t *out,
	size_t *ret_n) MUST_CHECK;
