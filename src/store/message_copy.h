/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Copying messages, and moving them to where flags may be lost, or to another account. */

#include "base/buf.h"
#include "base/err.h"

struct store_conn;

/* Writes: copies, ascending, to any mailbox; the pairs {uint32_t source, uint32_t target} of those
 * that existed are appended. All or nothing. STORE_E_NOT_FOUND (a mailbox), STORE_E_QUOTA (of the
 * target's account). kept: the flags that are not dropped on the way, in the bits of the source.
 * Received time and content are kept; saved is now. In another account keywords get its bits, and
 * are dropped where that has no room for more; the message joins a thread there. */
int store_copy(struct store_conn *c, int64_t mailbox, const uint32_t *uids, size_t n_uids,
	int64_t target, uint64_t kept, struct buf *pairs) MUST_CHECK;

/* Writes: the same and away from where they were, of which *ret_modseq tells. */
int store_move_across(struct store_conn *c, int64_t mailbox, const uint32_t *uids, size_t n_uids,
	int64_t target, uint64_t kept, struct buf *pairs, uint64_t *ret_modseq) MUST_CHECK;
