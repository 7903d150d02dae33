/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Which Secure Mail keys are unlocked for whom: a handle of keyd's is bound to one web session and
 * the account whose keys they are, and is good for nobody else. The clock is keyd's; what is found
 * here may be locked there. Thread-safe.
 */

#include "base/err.h"
#include "base/secret.h"
#include "store/secure_rows.h"

struct keyd_client;
struct keyd_key;
struct unlocked;

enum { UNLOCKED_SESSION = 32 }; /* octets that name a web session (web_session_id) */

struct unlocked *unlocked_new(struct keyd_client *keyd_user);
struct unlocked *unlocked_free(struct unlocked *u);

/* What keyd binds the handles to: the session and the account. */
enum { UNLOCKED_HOLDER = UNLOCKED_SESSION + sizeof(int64_t) };
void unlocked_holder(struct span session, int64_t account,
	uint8_t ret_holder[static UNLOCKED_HOLDER]);

/* Keys that are open, in the order in which they were put. */
struct unlocked_key {
	int64_t id; /* store_secure_key */
	struct keyd_key *key;
};
struct unlocked_keys {
	struct unlocked_key keys[SECURE_KEYS_MAX];
	size_t n;
};
void unlocked_keys_done(struct unlocked_keys *k);

/* Takes the keys over; those before are forgotten, and those of the session that was unlocked longest ago
 * where the account has them open in too many: keyd's table is for everybody. */
enum { UNLOCKED_SESSIONS_MAX = 10 }; /* of an account */
void unlocked_put(struct unlocked *u, struct span session, int64_t account,
	struct unlocked_keys *keys);

/* References to them; none: it is locked. Asks keyd, which is no use of them: *ret_left_ms is how
 * long they stay. */
void unlocked_get(struct unlocked *u, struct span session, int64_t account,
	struct unlocked_keys *ret_keys, uint32_t *ret_left_ms);

/* In how many web sessions the account's keys are open. Asks keyd of each, which is no use of them. */
unsigned unlocked_count(struct unlocked *u, int64_t account);

/* The account with the smallest id above after that has keys open; 0: none. */
int64_t unlocked_next_account(struct unlocked *u, int64_t after);

/* Locks: keyd forgets the keys at once. One session's keys of an account, all of a session's, all
 * of an account's. Block on keyd. */
void unlocked_lock(struct unlocked *u, struct span session, int64_t account);
void unlocked_end_session(struct unlocked *u, struct span session);
void unlocked_lock_account(struct unlocked *u, int64_t account);
