/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Inside store/: mailboxes as rows, and the counters their messages keep. */

#include "base/err.h"

#include <stdint.h>

struct store_conn;

/* Takes n modification numbers of the account; the first. */
int account_take_modseq(struct store_conn *c, int64_t account, uint64_t n, uint64_t *ret_first)
	MUST_CHECK;

/* The quota that applies, 0: none. own is the account's (-1: none said), domain its domain's. */
uint64_t account_quota_of(struct store_conn *c, int64_t own, int64_t domain);

/* The mailboxes of a new account. */
int mailbox_make_standard(struct store_conn *c, int64_t account) MUST_CHECK;

/* All mailboxes of an account lose their owner; the sweeper empties them. */
int mailbox_abandon_all(struct store_conn *c, int64_t account) MUST_CHECK;

/* The account of a mailbox that was not removed; STORE_E_NOT_FOUND. */
int mailbox_account(struct store_conn *c, int64_t mailbox, int64_t *ret_account) MUST_CHECK;

/* What a change adds to the counters of a mailbox. */
struct mailbox_change {
	int64_t n_messages, n_unseen, n_deleted, octets, n_expunged;
	uint64_t n_uids;         /* UIDs taken */
	uint64_t highest_modseq; /* of the change */
};

/* Applies it, notes the mailbox for its watchers, and gives the first UID taken. STORE_E_LIMIT when
 * the UIDs are used up. */
int mailbox_apply(struct store_conn *c, int64_t mailbox, const struct mailbox_change *change,
	uint32_t *ret_first_uid) MUST_CHECK;

/* Adds to what the account uses. */
int account_use(struct store_conn *c, int64_t account, int64_t octets, int64_t n_messages)
	MUST_CHECK;
