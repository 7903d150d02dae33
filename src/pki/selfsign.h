/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* A self-signed server certificate (RFC 5280 profile of an end entity). */

#include "pki/cert.h"
#include "pki/subject.h"

struct selfsign {
	EVP_PKEY *signer;         /* a local key or one of keyd/provider.h */
	struct span spki;         /* its public half, DER */
	struct subject subject;
	int64_t now_us;
	unsigned days;            /* 1 to 3650 */
};

enum { SELFSIGN_DAYS = 397, SELFSIGN_DAYS_MAX = 3650 };

/* REFUSED: a value is out of range or cannot be a subject; refreshed: the certificate is not signed by
 * this key. With why. */
enum selfsign_outcome { SELFSIGN_E_REFUSED = 1 };
int selfsign_make(struct cert **ret_cert, const struct selfsign *s, struct why *why) MUST_CHECK;

/* The same certificate for another time: subject, names, extensions and, unless a new one is wanted,
 * the serial number stay. days 0: as many as before. RFC 5280 section 4.1.2.2 wants a serial number to
 * be used once by an issuer, and clients that keep certificates refuse one that returns. */
struct selfsign_refresh {
	EVP_PKEY *signer;
	struct span spki;
	const struct cert *old;
	int64_t now_us;
	unsigned days;
	bool new_serial;
};
int selfsign_renew(struct cert **ret_cert, const struct selfsign_refresh *s, struct why *why)
	MUST_CHECK;
