/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Trusted and denied certificates as rows, besides those that come with the system. Octets in,
 * octets out: what scopes and purposes mean is pki/trust.h's. */

#include "base/err.h"
#include "base/span.h"

struct store_conn;

struct store_trust {
	int64_t id;
	int64_t domain;      /* 0: of no domain */
	unsigned scope;      /* enum trust_scope */
	struct span sha256;  /* of the certificate */
	struct span der;
	struct span alias;   /* how people call it; may be empty */
	unsigned purposes;   /* bits of enum trust_purpose; 0: denied */
	int64_t created_us;
};

/* Writes: adds the certificate, or sets the purposes of one that is there, and its alias where one is
 * given. */
int store_trust_put(struct store_conn *c, const struct store_trust *trust) MUST_CHECK;

/* Writes. STORE_E_NOT_FOUND. */
int store_trust_remove(struct store_conn *c, int64_t id) MUST_CHECK;

/* Reads, in the order in which they were added. Spans are valid during each(). */
int store_trust_each(struct store_conn *c, unsigned scope, int64_t domain,
	int (*each)(const struct store_trust *trust, void *context), void *context) MUST_CHECK;
