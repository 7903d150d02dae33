/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Mail that is encrypted before it is stored (CGP-61): for certificates of accounts of ours. */

#include "base/buf.h"
#include "base/err.h"

struct cert_cache;
struct part_tree;

struct seal_recipient {
	struct span der;     /* the certificate */
	const char *cipher;  /* that its owner has chosen, by name; NULL or "automatic": none */
};

/* Whether a message is called encrypted, by S/MIME (RFC 8551 section 3.3, 3.9) or OpenPGP (RFC
 * 3156). */
bool seal_is_claimed(const struct part_tree *tree);

/* And whether it is: whether what is in it is an encrypted object for somebody. message: all of it,
 * or its first SEAL_FRONT octets, which tell unless it has thousands of recipients; then it counts
 * as not encrypted. */
enum { SEAL_FRONT = 4 << 20 };
bool seal_is_sealed(const struct part_tree *tree, struct span message);

enum seal_outcome {
	SEAL_E_REFUSED = 1, /* why: a certificate that will not do, a message that is too large */
};

/* Appends the message encrypted, with the cipher of the first recipient's choice, its outer header
 * fields kept. Takes about 4 ms for a megabyte.
 * certs (smime/cert_cache.h) may be NULL. */
int seal_message(const struct seal_recipient *recipients, size_t n, struct span message,
	struct cert_cache *certs, int64_t now_us, struct buf *out, struct why *why) MUST_CHECK;
