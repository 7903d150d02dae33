/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * A maildrop: INBOX as of the moment it was opened, held by one session at a time (RFC 1939 section
 * 4). Across nodes a lease row holds it, renewed while the session lasts; it ends by itself when the
 * holder is gone without a word.
 */

#include "base/err.h"
#include "base/span.h"

struct executor;
struct store;
struct store_conn;

enum {
	DROP_LEASE_MS = 60 * 1000,
	DROP_RENEW_MS = 20 * 1000,
};

struct drop_message {
	int64_t content;
	uint64_t size;
	uint32_t uid;
	bool deleted;
};

struct drop {
	int64_t account;
	uint64_t holder; /* 0: not held */
	int64_t mailbox;
	uint32_t uidvalidity;
	uint32_t n;
	struct drop_message *messages;
};

void drop_done(struct drop *d);

/* Writes: takes or renews the lease until DROP_LEASE_MS from now. STORE_E_IN_USE. */
int drop_hold(struct store_conn *c, int64_t account, uint64_t holder) MUST_CHECK;

/* Reads: the messages of the account's INBOX. account and holder are left alone. */
int drop_load(struct store_conn *c, int64_t account, struct drop *ret_drop) MUST_CHECK;

/* Writes: removes these messages for good and gives the lease back. */
int drop_commit(struct store_conn *c, const struct drop *d, const uint32_t *uids, size_t n)
	MUST_CHECK;

/* Gives the lease back some time soon; for sessions that end without QUIT. Does not block. */
void drop_abandon(struct store *s, int64_t account, uint64_t holder);

/* Messages that are not marked as deleted, and their octets. */
void drop_figures(const struct drop *d, uint32_t *ret_n, uint64_t *ret_octets);
