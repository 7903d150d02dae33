/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Certificates that outlive an address: issued by authorities of this server to an account that mail
 * for the address does not come to any more, or not to it alone. Whoever has the key goes on signing
 * as that address, and others go on encrypting to them, until the certificate ends or is revoked. One
 * address that changes takes others along, those with a detail and aliases that lead to it: all of the
 * domain are looked at, also those that changed hands before.
 */

#include "base/buf.h"
#include "base/err.h"
#include "store/ca_rows.h"

struct env;
struct store_conn;

struct ca_moved {
	int64_t domain;
	bool revokes; /* with this reason; else the warnings name them */
	enum issued_reason reason;
};

/* Behind the change, in its transaction: appends a sentence for each to warnings, each ended by a
 * newline, or revokes it (ca_wake afterwards) and counts it. Writes. */
int ca_moved(struct env *e, struct store_conn *c, const struct ca_moved *m, struct buf *warnings,
	unsigned *ret_revoked) MUST_CHECK;
