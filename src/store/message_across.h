/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Copying and moving messages to where flags may be lost, or to another account. */

#include "base/buf.h"
#include "base/err.h"

struct store_conn;

/* Writes: as store_copy, to a mailbox that may be of another account. kept: the flags that are not
 * dropped on the way, in the bits of the source. Keywords get the target account's bits, and are
 * dropped where that has no room for more; the message joins a thread there. */
int store_copy_across(struct store_conn *c, int64_t mailbox, const uint32_t *uids, size_t n_uids,
	int64_t target, uint64_t kept, struct buf *pairs) MUST_CHECK;

/* Writes: the same and away from where they were. STORE_E_QUOTA too: another account pays. */
int store_move_across(struct store_conn *c, int64_t mailbox, const uint32_t *uids, size_t n_uids,
	int64_t target, uint64_t kept, struct buf *pairs, uint64_t *ret_modseq) MUST_CHECK;
