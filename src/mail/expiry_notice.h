/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The message that tells a domain's postmaster of a certificate whose life ends. Facts and a time in,
 * a message out. */

#include "base/buf.h"
#include "base/err.h"

/* Why the certificate matters, which is also what there is to be done. */
enum expiry_kind {
	EXPIRY_SELF_SIGNED, /* of the domain, signed by its own key */
	EXPIRY_ISSUED,      /* of the domain, from an authority that is asked by hand */
	EXPIRY_RENEWAL,     /* of the domain, from an authority that should have renewed it by itself */
	EXPIRY_CHAIN,       /* sent with one of the domain */
	EXPIRY_TRUSTED,     /* an authority whose certificates the domain accepts */
};

/* "self-signed", "issued", "renewal", "chain", "trusted". */
const char *expiry_kind_name(enum expiry_kind kind);

struct expiry_warning {
	struct span hostname;    /* of the server */
	struct span domain;
	struct span unique;      /* letters and digits that nobody can guess */
	enum expiry_kind kind;
	struct span alias;       /* of the domain's certificate; EXPIRY_TRUSTED: empty */
	struct span services;    /* as in the store; empty: it is the newest and serves nothing yet */
	struct span subject, issuer, serial, fingerprint; /* of what ends, as text */
	struct span trouble;     /* EXPIRY_RENEWAL: what the authority said last; may be empty */
	int64_t not_after_us;
	int64_t now_us;
};

/* The nearest of the thresholds 30, 14, 7, 1 and 0 days (it is over) that has been reached. NONE: more
 * time than that is left. */
enum expiry_outcome { EXPIRY_E_NONE = 1 };
int expiry_threshold(int64_t not_after_us, int64_t now_us, unsigned *ret_days) MUST_CHECK;

void expiry_compose(const struct expiry_warning *w, struct buf *out);
