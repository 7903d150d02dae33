/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The old mail of an account that is being encrypted: how far it has come. What is dealt with is
 * told by the last message's id, because ids ascend and what is encrypted has a new one
 * (store/message.h).
 */

#include "base/arena.h"
#include "base/err.h"

struct store_conn;

enum encryption_state {
	ENCRYPTION_RUNNING = 1,
	ENCRYPTION_PAUSED,
	ENCRYPTION_DONE,
	ENCRYPTION_STOPPED, /* it cannot go on: last_error says why */
};
extern const char *const encryption_state_names[];

struct store_encryption {
	int64_t account;
	enum encryption_state state;
	uint64_t bound; /* the account's modification number at the start */
	int64_t after;  /* id of the last message dealt with */
	uint64_t n_total;
	uint64_t n_done;    /* encrypted */
	uint64_t n_already; /* were encrypted before */
	uint64_t n_failed;
	uint64_t n_held;        /* of those done: others still hold the clear text */
	struct span last_error; /* in the arena */
	int64_t started_us;
	int64_t changed_us;
};

/* Writes: from the first message, over those that are there now. STORE_E_EXISTS: one is running or
 * paused; STORE_E_NOT_FOUND: no such account. */
int store_encryption_start(struct store_conn *c, int64_t account, int64_t now_us) MUST_CHECK;

/* Reads. STORE_E_NOT_FOUND. */
int store_encryption_get(struct store_conn *c, struct arena *a, int64_t account,
	struct store_encryption *ret_encryption) MUST_CHECK;

/* Writes: from one state to another. STORE_E_NOT_FOUND; STORE_E_STALE: it is in another state. */
int store_encryption_set_state(struct store_conn *c, int64_t account, enum encryption_state from,
	enum encryption_state to, struct span error, int64_t now_us) MUST_CHECK;

/* Writes: forgets it. What is encrypted stays so. STORE_E_NOT_FOUND. */
int store_encryption_remove(struct store_conn *c, int64_t account) MUST_CHECK;

/* Writes: the message has been dealt with; *ret_paused: somebody paused it meanwhile.
 * STORE_E_STALE: it is over. */
enum encryption_step {
	ENCRYPTION_ENCRYPTED,
	ENCRYPTION_HELD,
	ENCRYPTION_ALREADY,
	ENCRYPTION_GONE,
	ENCRYPTION_FAILED
};
int store_encryption_step(struct store_conn *c, int64_t account, int64_t message,
	enum encryption_step step, struct span error, int64_t now_us, bool *ret_paused) MUST_CHECK;

/* Reads: the next account whose mail is being encrypted, by id. STORE_E_NOT_FOUND: none. */
int store_encryption_next(struct store_conn *c, int64_t after_account,
	int64_t *ret_account) MUST_CHECK;
