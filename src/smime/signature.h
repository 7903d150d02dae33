/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Digests and signatures of one signer: octets and a public key in, whether it holds out. */

#include "smime/cipher.h"
#include "smime/cms.h"

#include <openssl/evp.h>

/* A digest algorithm that a message names: one of the table of smime/cipher.h, or SHAKE256 with 512
 * bits (RFC 8702), which goes with Ed448 alone. */
struct signature_digest {
	int nid;
	const char *name;
	bool is_weak;
};

/* False: not one that is computed here. */
bool signature_digest_of(struct span oid, struct signature_digest *ret_digest);

/* At most EVP_MAX_MD_SIZE octets. */
int signature_digest(int nid, struct span content, uint8_t *ret_octets, size_t *ret_n) MUST_CHECK;

enum signature_outcome {
	SIGNATURE_E_WRONG = 1,   /* does not hold under the key */
	SIGNATURE_E_UNSUPPORTED, /* an algorithm that is not verified here, or a key too large */
};

struct signature_result {
	const char *name; /* of the algorithm; NULL: not known by name */
	bool is_weak;     /* of digest or key */
};

/* Verifies over the octets; digest_nid is what digestAlgorithm said, for algorithms that do not say
 * it themselves. *ret_result is written whatever the outcome is. */
int signature_verify(const struct cms_algorithm *algorithm, int digest_nid, EVP_PKEY *key,
	struct span octets, struct span signature, struct signature_result *ret_result) MUST_CHECK;
