/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The key that a message's content is encrypted with, out of what was sent for one recipient: RSA
 * (PKCS #1 v1.5 and OAEP, RFC 3560), ECDH (RFC 5753) and X25519, X448 (RFC 8418).
 */

#include "base/secret.h"
#include "smime/cms.h"
#include "smime/key.h"

enum content_key_outcome {
	CONTENT_KEY_E_UNSUPPORTED = 1, /* from what everybody can see of the message */
	CONTENT_KEY_E_FAILED,
};

/* Whether the way that the key was sent is one of these; what it is called is appended, and whether
 * it is weak written. */
bool content_key_method(const struct cms_recipient *recipient, struct buf *out, bool *ret_is_weak);

/*
 * n_octets: what the cipher wants. With PKCS #1 v1.5 there is always a key: if the padding or the
 * size is wrong, a random one, so that nobody learns anything from the kind of failure (RFC 3218
 * section 2.3.2). secret_done it.
 */
int content_key_open(const struct cms_recipient *recipient, const struct smime_key *key,
	size_t n_octets, struct secret *ret_key) MUST_CHECK;

/* RFC 9709 section 2: the key of the content from the one that was sent, bound to the algorithm
 * (its AlgorithmIdentifier). Replaces it. */
int content_key_derive(struct secret *key, struct span algorithm, size_t n_octets) MUST_CHECK;
