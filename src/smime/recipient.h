/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Which certificate of an address mail is encrypted to, and why one will not do. */

#include "pki/cert.h"

/*
 * Not checked here: that somebody who is trusted issued the certificate, and revocation. Those were
 * asked when it was taken (pki/path.h).
 */
enum recipient_fault {
	RECIPIENT_FIT,
	RECIPIENT_NONE, /* there is no certificate */
	RECIPIENT_NOT_YET,
	RECIPIENT_EXPIRED,
	RECIPIENT_KEY_KIND, /* no key that can be encrypted to: Ed25519, RSA-PSS, unknown curves */
	RECIPIENT_WEAK_KEY, /* RSA below 1,024 bits */
	RECIPIENT_KEY_USAGE,
	RECIPIENT_EXTENDED_USAGE,
	RECIPIENT_ADDRESS, /* it is for other addresses */
	RECIPIENT_REVOKED, /* never found here: for whoever has asked */
};

/* A stable word for the API: "expired", "weak_key". */
const char *recipient_fault_name(enum recipient_fault fault);

/* Whether mail for the address (UTF-8; empty: any) can be encrypted to the certificate at that
 * time, else what is wrong, with why (one sentence that names the certificate). */
enum recipient_fault recipient_check(const struct cert *cert, struct span address, int64_t now_us,
	struct why *why);

/* That part of it: whether the certificate is valid at that time, else NOT_YET or EXPIRED. */
enum recipient_fault recipient_check_time(const struct cert *cert, int64_t now_us, struct why *why);

/* Such a reason: "the certificate of NAME ", and the text. */
void recipient_why(const struct cert *cert, struct why *why, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The newest of those that are fit. RECIPIENT_FIT: borrowed from the list. Else what is wrong with
 * the one that is newest, with why. */
enum recipient_fault recipient_choose(const struct cert_list *certs, struct span address,
	int64_t now_us, struct cert **ret_cert, struct why *why);
