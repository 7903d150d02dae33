/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * OCSP (RFC 6960, in the form of RFC 5019) for a certificate whose issuer is known: what is asked, and
 * whether an answer can be shown to clients. Octets and a time in; whoever wants to fetch does.
 *
 * Not checked here: whether a responder's own certificate was revoked (RFC 6960 section 4.2.2.2.1): it
 * is the issuer's, who can stop answering for it; nonces, which answers made in advance do not have.
 */

#include "pki/cert.h"

enum {
	OCSP_RESPONSE_MAX = 32 << 10, /* octets; it goes into every handshake that wants it */
	OCSP_URL_MAX = 2048,
	OCSP_GET_MAX = 255,           /* RFC 5019 section 5: up to this length by GET */
};

/* Appends the first http URL of a responder that the certificate names (RFC 5280 section 4.2.2.1); false
 * if it names none. */
bool ocsp_responder(const struct cert *c, struct buf *out);

/* RFC 7633: the certificate says that it is not to be believed without a stapled answer. */
bool ocsp_must_staple(const struct cert *c);

/* Whether this is the certificate that signed the other one. */
bool ocsp_is_issuer(const struct cert *issuer, const struct cert *c);

/* Appends a request for the one certificate in DER, without nonce. */
int ocsp_request(const struct cert *c, const struct cert *issuer, struct buf *out) MUST_CHECK;

/* Appends the URL that asks the same by GET (RFC 6960 appendix A.1); false, and nothing, if it would be
 * longer than OCSP_GET_MAX. */
bool ocsp_get_url(struct span responder, struct span request, struct buf *out);

struct ocsp_answer {
	int64_t this_update_us;
	int64_t until_us;   /* it holds before this time: nextUpdate, or the end of a certificate */
	int64_t revoked_us; /* OCSP_E_REVOKED: since when */
};

/* Whether the answer says that the certificate is good, at this time, and by whom that must be said.
 * REFUSED: it cannot be used; UNKNOWN: it says nothing about it now ("try later", "unauthorized", of
 * another time); REVOKED: it says so. With why. */
enum ocsp_outcome { OCSP_E_REFUSED = 1, OCSP_E_UNKNOWN, OCSP_E_REVOKED };
int ocsp_check(struct span response, const struct cert *c, const struct cert *issuer,
	int64_t now_us, struct ocsp_answer *ret_answer, struct why *why) MUST_CHECK;
