/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Certificates for people's mail (RFC 8550, in the shape of the CA/Browser Forum's S/MIME profile
 * for validated mailboxes), signed by an authority of pki/authority.h.
 *
 * No certificatePolicies: the Forum's identifiers are for authorities that are audited by its
 * rules, and one of our own would say nothing to anybody.
 *
 * Not checked here: whether the person may have the addresses, and whether the key is theirs
 * (pki/request.h reads requests, which prove it).
 */

#include "pki/cert.h"

struct mailcert_order {
	struct cert *issuer;
	EVP_PKEY *signer; /* the issuer's key: a local one or one of keyd/provider.h */
	struct span spki; /* the person's public key, DER: RSA (2048 to 8192 bits) or EC */
	struct span name; /* of the person, UTF-8; empty: the first address stands for it */
	const struct span *addresses; /* UTF-8; the domain may have U-labels */
	size_t n_addresses;           /* 1 to MAILCERT_ADDRESSES_MAX */
	struct span serial;           /* 8 to 20 octets, the first from 1 to 127 */
	int64_t now_us;
	unsigned days;    /* 1 to MAILCERT_DAYS_MAX; cut where the issuer's own life ends */
	bool client_auth; /* may log in with it, too */
	struct span crl_url, ocsp_url, issuer_url; /* empty: left out */
};

enum { MAILCERT_ADDRESSES_MAX = 32, MAILCERT_DAYS_MAX = 825, MAILCERT_DAYS = 397 };

/* REFUSED: a value is out of range, or the issuer may not issue it (its life, its name
 * constraints), with why. */
enum mailcert_outcome { MAILCERT_E_REFUSED = 1 };
int mailcert_make(struct cert **ret_cert, const struct mailcert_order *o, struct why *why) MUST_CHECK;

/* Appends the address as it stands in certificates: the domain in A-labels and lower case; REFUSED:
 * it is none, with why. */
int mailcert_address(struct span address, struct buf *out, struct why *why) MUST_CHECK;

/* The mail addresses of a certificate, as an order for another one has them: how many. Borrowed from
 * the certificate. */
size_t mailcert_addresses(const struct cert *c, struct span ret_addresses[static MAILCERT_ADDRESSES_MAX]);

/* When a certificate is due to be renewed: two thirds of its life, up to a twentieth of it earlier;
 * jitter is a random number. */
int64_t mailcert_renewal_us(const struct cert *c, uint64_t jitter);
