/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* A self-signed server certificate (RFC 5280 profile of an end entity). */

#include "pki/cert.h"

#include <openssl/evp.h>

struct selfsign {
	EVP_PKEY *signer;         /* a local key or one of keyd/provider.h */
	struct span spki;         /* its public half, DER */
	struct span common_name;  /* at most 64 characters are taken up as the subject, else none */
	const struct span *names; /* DNS names for subjectAltName, A-labels, at least one */
	size_t n_names;
	int64_t now_us;
	unsigned days;            /* 1 to 3650 */
	struct span serial;       /* kept from an older certificate; empty: 128 random bits */
};

enum { SELFSIGN_DAYS = 397, SELFSIGN_NAMES_MAX = 256 };

/* REFUSED: a value is out of range or not a DNS name, with why. */
enum selfsign_outcome { SELFSIGN_E_REFUSED = 1 };
int selfsign_make(struct cert **ret_cert, const struct selfsign *s, struct why *why) MUST_CHECK;
