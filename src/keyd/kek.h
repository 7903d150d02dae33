/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The key-encryption key, and the keys that are derived from it for one use each. */

#include "base/err.h"
#include "base/secret.h"
#include "keyd/keyd.h"

struct kek {
	struct secret wrap;   /* private keys; another one for each role */
	struct secret seal;   /* small secrets */
	struct secret ticket; /* session ticket keys */
	uint8_t check[KEYD_CHECK];
	bool has_password;    /* it comes from one */
};

/* Reads (or makes) the KEK where the options say. REFUSED: with why and the remedy. */
enum kek_outcome { KEK_E_REFUSED = 1 };
int kek_open(struct kek *ret_kek, const struct keyd_options *o, struct why *why) MUST_CHECK;

/* Whether the KEK comes from this password; REFUSED: it does not. Takes a third of a second and
 * 128 MiB. */
int kek_check_password(const struct kek *k, struct span password) MUST_CHECK;

/* From the KEK's octets; tests and kek_open. */
int kek_derive(struct kek *ret_kek, struct span master, enum keyd_role role) MUST_CHECK;
void kek_done(struct kek *k);

/* HKDF-SHA-256 (RFC 5869) of a secret with an info text, filling `out`. */
int kek_hkdf(struct span secret, struct span info, uint8_t *out, size_t n) MUST_CHECK;
