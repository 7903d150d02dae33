/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The message that tells a user that the certificate of their mail was renewed or revoked, or that it ends. Facts
 * and a time in, a message out. */

#include "base/buf.h"

struct own_cert_notice {
	struct span hostname;  /* of the server */
	struct span local, domain; /* of the account that it goes to */
	struct span unique;    /* letters and digits that nobody can guess */
	struct span address;   /* that the certificate is for */
	struct span issuer, serial; /* of the certificate, as text */
	struct span trouble;   /* why it was not renewed by itself; empty: nobody has tried */
	bool renewed;          /* it is a new one in the place of another */
	int64_t revoked_us;    /* since when; 0: it is not */
	struct span reason;    /* why: "keyCompromise" */
	bool key_compromised;  /* that is why */
	bool has_other;        /* another one is used by now */
	int64_t not_after_us;
	int64_t now_us;
};

void own_cert_notice_compose(const struct own_cert_notice *n, struct buf *out);
