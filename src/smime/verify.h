/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The signers of one SignedData: private to smime/read. */
#pragma once

#include "smime/cms.h"
#include "smime/read.h"

/*
 * What validating the certificates of a message's signers may come to. A path that is not found
 * costs 1, one that was given up 6 (that is half a second of hostile certificates); those that hold
 * cost nothing.
 */
enum { VERIFY_COST_MAX = 20, VERIFY_COST_GIVEN_UP = 6 };

/* Octets of contents that are hashed for one message, each digest algorithm counting: a second's
 * work at most. The largest message with two layers and two digests for each is half of it. */
enum { VERIFY_HASHED_MAX = 512 << 20 };

/* Zeroed: nothing was spent. */
struct verify_budget {
	unsigned cost;
	uint64_t hashed;
};

/* Reads the certificates that were sent and verifies each signer over the content (RFC 5652 section
 * 5.6), with its certificate at the time that counts. Addresses are not compared here. The layer
 * gets certs and signers. */
int verify_signers(const struct smime_request *request, const struct cms_signed *data,
	struct span content, struct verify_budget *budget, struct smime_layer *layer) MUST_CHECK;
