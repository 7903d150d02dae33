/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Digests and keyed digests, by OpenSSL's libcrypto. A failure of these is a broken installation:
 * they abort rather than return. */

#include "base/err.h"
#include "base/span.h"

enum { SHA256_OCTETS = 32 };

void digest_sha256(struct span data, uint8_t ret_digest[static SHA256_OCTETS]);
void digest_hmac_sha256(struct span key, struct span data, uint8_t ret_mac[static SHA256_OCTETS]);

/* The same for many texts with one key, which is then worked on once. One thread at a time. */
struct hmac;
struct hmac *hmac_new(struct span key);
void hmac_sha256(struct hmac *h, struct span data, uint8_t ret_mac[static SHA256_OCTETS]);
struct hmac *hmac_free(struct hmac *h);
CLEANUP_POINTER(struct hmac, hmac_free)

/* RFC 8018 section 5.2, the Hi() of RFC 5802. */
void digest_pbkdf2_sha256(struct span password, struct span salt, uint32_t iterations,
	uint8_t ret_key[static SHA256_OCTETS]);

/* SHA-256 over data that arrives in pieces. */
struct digest;
struct digest *digest_new(void);
void digest_add(struct digest *d, struct span data);
void digest_end(struct digest *d, uint8_t ret_digest[static SHA256_OCTETS]);
struct digest *digest_free(struct digest *d);
