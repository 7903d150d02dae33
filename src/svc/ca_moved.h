/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Certificates that outlive an address: issued by authorities of this server to an account that mail
 * for the address does not come to any more, or not to it alone. Whoever has the key goes on signing
 * as that address, and others go on encrypting to them, until the certificate ends or is revoked.
 *
 * One change takes along more addresses than its own: those with a detail, aliases that lead to it,
 * in other domains too. So where mail goes is compared, before the change and behind it: an address has
 * moved if it goes elsewhere, and its certificates are those whose holders do not get it alone now,
 * whether they did before or an earlier change took it from them.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "store/ca_rows.h"

struct env;
struct route_names;
struct store_conn;

/* Zeroed memory until ca_moved_before. */
struct ca_moved {
	struct env *env;
	struct arena arena;
	struct buf watched; /* private */
};

void ca_moved_done(struct ca_moved *m);

/* Before the change: what it can matter to, where names are what it is about (without what leads to
 * them). Reads. */
int ca_moved_before(struct ca_moved *m, struct env *e, struct store_conn *c,
	struct route_names *names) MUST_CHECK;

/* Behind it: appends a sentence for each certificate, ended by a newline; of very many the first. Reads,
 * and may do so when the change is committed. */
int ca_moved_warn(struct ca_moved *m, struct store_conn *c, struct buf *warnings) MUST_CHECK;

/* Behind it, in the transaction of both: revokes them (ca_wake afterwards); how many. Writes. */
int ca_moved_revoke(struct ca_moved *m, struct store_conn *c, enum issued_reason reason,
	unsigned *ret_revoked) MUST_CHECK;
