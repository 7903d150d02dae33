/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The certificate of an authority for the mail addresses of a domain: made here and signed by its
 * own key, or asked of another authority.
 */

#include "pki/cert.h"
#include "pki/check.h"
#include "pki/subject.h"

struct authority_order {
	EVP_PKEY *signer;       /* a local key or one of keyd/provider.h: RSA or EC */
	struct span spki;       /* its public half, DER */
	struct subject subject; /* names: the domains it may speak for, no wildcards */
	const struct cert *old; /* may be NULL; the subject's attributes are this one's then */
	int64_t now_us;
	unsigned days; /* 1 to AUTHORITY_DAYS_MAX; 0: as the old one, which is there then */
};

enum { AUTHORITY_DAYS = 3650, AUTHORITY_DAYS_MAX = 7300 };

/* A self-signed certificate (RFC 5280 section 4.2.1.9): an authority with no other below it, for
 * the addresses of those domains and no others (section 4.2.1.10), for mail. REFUSED with why. */
enum authority_outcome { AUTHORITY_E_REFUSED = 1 };
int authority_make(struct cert **ret_cert, const struct authority_order *o,
	struct why *why) MUST_CHECK;

/* Appends the DER of a request (PKCS #10) that asks another authority for the same; days and now
 * are not looked at. REFUSED with why. */
int authority_request(const struct authority_order *o, struct buf *out, struct why *why) MUST_CHECK;

/* Whether a certificate can issue others: an authority whose key is RSA (2048 bits or more) or EC
 * and that may sign certificates. REFUSED with why. */
int authority_check(const struct cert *c, struct why *why) MUST_CHECK;

/* Whether it may sign revocation lists, and answers about certificates, with that key (keyUsage).
 */
bool authority_signs_lists(const struct cert *c);

/* Whether its name constraints let it speak for addresses of a domain (A-labels); REFUSED with why.
 */
int authority_covers(const struct cert *c, struct span domain, struct why *why) MUST_CHECK;

/* What there is to say of one: "validity", "authority", "usage", "key", "names" (the domain and its
 * aliases), "lists", "signature". */
void authority_checks(struct check_list *l, const struct cert *c, const struct span *domains,
	size_t n_domains, int64_t now_us);
