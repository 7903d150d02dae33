/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Accounts: who logs in, with what, and how much they may store. */

#include "base/arena.h"
#include "base/err.h"

struct store_conn;

enum account_role { ROLE_USER, ROLE_ADMIN };

struct store_account {
	int64_t id;
	int64_t domain;
	struct span address;    /* local@domain, domain as A-labels */
	struct span name;       /* display name, may be empty */
	enum account_role role;
	bool disabled;
	bool smime;             /* it may have Secure Mail keys: its own say, else the domain's */
	uint64_t quota;         /* octets that apply: its own, the domain's or the server's; 0: none */
	uint64_t used_octets;
	uint64_t used_messages;
	uint64_t modseq;
	uint64_t state;         /* changes with password, role, disabled: the login cache's key */
	int64_t created_us;
};

/* What proves a password. hash: an argon2id string. scram: SCRAM-SHA-256 verifier sealed by keyd,
 * may be empty. */
struct store_credentials {
	struct span hash;
	struct span scram;
};

/* Writes: the account with its mailboxes INBOX, Drafts, Sent, Junk, Trash, Archive (special uses).
 * STORE_E_EXISTS (account or alias of that address), STORE_E_NOT_FOUND (domain), STORE_E_REFUSED (no
 * local part: see name_local_is_valid). */
int store_account_add(struct store_conn *c, int64_t domain, struct span local,
	enum account_role role, const struct store_credentials *credentials, int64_t *ret_id)
	MUST_CHECK;

/* Writes: with all its mail. STORE_E_NOT_FOUND, STORE_E_REFUSED (the last administrator). */
int store_account_remove(struct store_conn *c, int64_t id) MUST_CHECK;

int store_account_set_credentials(struct store_conn *c, int64_t id,
	const struct store_credentials *credentials) MUST_CHECK;

/* Writes; keys: name, role (user, admin), disabled (yes, no), quota (octets, with k M G; "default"),
 * smime (yes, no, default). STORE_E_REFUSED with why. */
int store_account_set(struct store_conn *c, int64_t id, struct span key, struct span value,
	struct why *why) MUST_CHECK;

/* Reads. By login name: a whole address, or a local part of the main domain; domain aliases and
 * case are resolved, sub-addresses and address aliases are not. STORE_E_NOT_FOUND. credentials may
 * be NULL. */
int store_account_find(struct store_conn *c, struct arena *a, struct span login,
	struct store_account *ret_account, struct store_credentials *ret_credentials) MUST_CHECK;
int store_account_get(struct store_conn *c, struct arena *a, int64_t id,
	struct store_account *ret_account) MUST_CHECK;

/* Reads; domain 0: all; by address. */
int store_account_each(struct store_conn *c, int64_t domain,
	int (*each)(const struct store_account *account, void *context), void *context) MUST_CHECK;

/* A lease for something only one session may hold, here an account's maildrop (POP3). Writes:
 * STORE_E_IN_USE. holder is random; the lease ends by itself at expires_us. */
int store_lease_take(struct store_conn *c, int64_t account, uint64_t holder, int64_t now_us,
	int64_t expires_us) MUST_CHECK;
int store_lease_release(struct store_conn *c, int64_t account, uint64_t holder) MUST_CHECK;
