/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Octets at rest: AES-256-GCM under a key, and scrypt with AES-256-GCM under a password. */

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"

/* What else goes into the tag: fields with their lengths, so that no two lists look the same. */
void wrap_aad(struct buf *out, const struct span *fields, size_t n);

enum wrap_outcome { WRAP_E_OPEN = 1 };

/* Appends version, nonce, ciphertext, tag. */
int wrap_seal(struct span key, struct span aad, struct span plain, struct buf *out) MUST_CHECK;
int wrap_open(struct span key, struct span aad, struct span sealed, struct secret *ret_plain)
	MUST_CHECK;

struct wrap_cost {
	uint8_t log2_n, r, p;
};
extern const struct wrap_cost wrap_cost; /* of what is sealed now: 2^17, 8, 1 */

int wrap_scrypt(struct span password, struct span salt, const struct wrap_cost *cost, uint8_t *out,
	size_t n) MUST_CHECK;

/* Appends version, cost, salt and what wrap_seal makes. Takes a third of a second and 128 MiB. */
int wrap_seal_password(struct span password, struct span aad, struct span plain, struct buf *out)
	MUST_CHECK;
int wrap_open_password(struct span password, struct span aad, struct span sealed,
	struct secret *ret_plain) MUST_CHECK;
