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

/*
 * What is signed. Many signers may sign one large content: each digest of it is computed once, and
 * what was hashed is charged to whoever reads (EdDSA hashes the octets together with its own
 * signature, RFC 8032 section 5.1.7, so there it is each time).
 */
enum { SIGNATURE_DIGESTS = 7 }; /* as many as signature_digest_of knows */
struct signature_octets {
	struct span octets;
	uint64_t *left; /* octets that may still be hashed; NULL: any number */
	struct {
		int nid;
		uint8_t octets[EVP_MAX_MD_SIZE];
		size_t n;
	} digests[SIGNATURE_DIGESTS];
	size_t n_digests;
};

enum signature_outcome {
	SIGNATURE_E_WRONG = 1,   /* does not hold under the key */
	SIGNATURE_E_UNSUPPORTED, /* an algorithm that is not verified here, or a key too large */
	SIGNATURE_E_LIMIT,       /* more than may be hashed */
};

/* The digest of all octets; *ret_digest points into o. LIMIT. nid: one of signature_digest_of. */
int signature_octets_digest(struct signature_octets *o, int nid,
	struct span *ret_digest) MUST_CHECK;

struct signature_result {
	const char *name; /* of the algorithm; NULL: not known by name */
	bool is_weak;     /* of digest or key */
};

/* Verifies over the octets; digest_nid is what digestAlgorithm said, for algorithms that do not say
 * it themselves. *ret_result is written whatever the outcome is. */
int signature_verify(const struct cms_algorithm *algorithm, int digest_nid, EVP_PKEY *key,
	struct signature_octets *octets, struct span signature, struct signature_result *ret_result) MUST_CHECK;
