/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Whether a revocation list is worth keeping: signed by the authority it names, current, and without
 * anything that whoever goes by it would not understand (RFC 5280 section 5). A list and a time in.
 *
 * Not checked here: whether that authority is trusted, and what the list is about; a path does.
 */

#include "pki/cert.h"
#include "pki/crl.h"

enum crl_check_outcome { CRL_CHECK_E_REFUSED = 1 };
int crl_check(const struct crl *crl, const struct cert *authority, int64_t now_us, struct why *why)
	MUST_CHECK;

/* Whether the certificate bears the name of the list's issuer. */
bool crl_is_named_after(const struct crl *crl, const struct cert *authority);

/* Appends: the DER of the issuer's Name; the number, big-endian without leading zeros (nothing if there
 * is none); what distinguishes the list from others of the issuer (section 5.2.5, and whether it is a
 * delta, section 5.2.4), empty for a whole list about everything. */
void crl_add_issuer_der(const struct crl *crl, struct buf *out);
void crl_add_number(const struct crl *crl, struct buf *out);
void crl_add_scope(const struct crl *crl, struct buf *out);

size_t crl_n_revoked(const struct crl *crl);
bool crl_is_delta(const struct crl *crl);

/* Appends the first http URL of a list about the certificate (section 4.2.1.13), signed by the
 * certificate's issuer itself and with all reasons; false if it names none. */
enum { CRL_URL_MAX = 2048 };
bool crl_point(const struct cert *c, struct buf *out);
