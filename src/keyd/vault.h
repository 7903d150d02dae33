/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The keys in clear, by random handle. A user's keys belong to one session and are forgotten
 * together when none of them was used for a while; a domain's key stays until the table is full and
 * it is the one that was used longest ago. Thread-safe.
 */

#include "base/err.h"
#include "keyd/protocol.h"
#include "pki/key.h"

struct vault;

struct vault *vault_new(size_t max_keys);
struct vault *vault_free(struct vault *v);

/* Takes a reference of its own to the key. idle_ms: how long the session's keys stay without use,
 * from now on for all of them; 0: they do not expire. */
void vault_add(struct vault *v, EVP_PKEY *key, enum keyd_purpose purpose, struct span session,
	int64_t idle_ms, int64_t now_ms, uint8_t ret_handle[static KEYD_HANDLE]);

/* A new reference to the key of a handle, if it is this session's and not expired. */
enum vault_outcome { VAULT_E_GONE = 1 };
int vault_get(struct vault *v, struct span handle, struct span session, int64_t now_ms,
	EVP_PKEY **ret_key, enum keyd_purpose *ret_purpose) MUST_CHECK;

/* How long the key stays if nobody uses it; asking is no use of it. */
int vault_left(struct vault *v, struct span handle, struct span session, int64_t now_ms,
	int64_t *ret_left_ms) MUST_CHECK;

/* To begin a signature costs as much as an elliptic one itself, so what the first one with a key
 * began with (keyd/operation.h) is kept beside it, and forgotten with it. Copies, or NULL: there is
 * none, or one for other parameters. Whether the session may use the key was asked before. */
EVP_PKEY_CTX *vault_signer(struct vault *v, struct span handle, const struct keyd_sign *how);
void vault_keep_signer(struct vault *v, struct span handle, const struct keyd_sign *how,
	const EVP_PKEY_CTX *signer);

void vault_forget(struct vault *v, struct span handle, struct span session);
void vault_forget_session(struct vault *v, struct span session);
void vault_expire(struct vault *v, int64_t now_ms);
