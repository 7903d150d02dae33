/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Inside store/: messages as rows, and walking over those of a mailbox. */

#include "base/buf.h"
#include "base/err.h"
#include "db/db.h"

struct content_draft;
struct mailbox_change;
struct store_conn;

/*
 * A message's id is its account's in 27 bits, then the modification number of its birth in 36: both
 * are taken anyway, so a delivery touches no row that all accounts share, and the id is never given
 * again.
 */
enum { MESSAGE_ID_MODSEQ_BITS = 36 };

static inline int64_t message_id_of(int64_t account, uint64_t modseq)
{
	return account << MESSAGE_ID_MODSEQ_BITS | (int64_t)modseq;
}

/* A walk over those of the UIDs (ascending) that exist. sql selects the uid first, takes the
 * mailbox as $1 and the first UID as $2, and orders by UID. */
struct message_cursor {
	struct db *db;
	const char *sql;
	int64_t mailbox;
	const uint32_t *uids;
	size_t n_uids;
	size_t next;  /* UIDs dealt with */
	int64_t want; /* $3, if the statement has one; -1: it has none */
	struct db_statement *q;
};

/* Goes to the next message; *ret_found is false at the end. Its columns are those of k->q. */
int message_cursor_next(struct message_cursor *k, bool *ret_found) MUST_CHECK;
void message_cursor_done(struct message_cursor *k);

struct message_row {
	int64_t id, content, thread;
	uint64_t flags, modseq;
	int64_t size, received_us, saved_us;
	uint32_t uid;
};

struct message_rows {
	struct buf buf;
	struct message_row *p;
	size_t n;
};

/* Those of the UIDs (ascending) that exist: no more than the mailbox has messages. */
int message_rows_read(struct store_conn *c, int64_t mailbox, const uint32_t *uids, size_t n_uids,
	struct message_rows *rows) MUST_CHECK;
void message_rows_done(struct message_rows *rows);

/* The row alone: counters are the caller's. */
int message_row_insert(struct store_conn *c, int64_t mailbox,
	const struct message_row *row) MUST_CHECK;

/* Where a message came from and where it is now, for what store_copy and store_move append. */
void message_pair_add(struct buf *pairs, uint32_t source, uint32_t target);

/* Adds the message to what a mailbox gets. */
void message_row_count(struct mailbox_change *change, const struct message_row *row);

/* The thread that a message with the draft's ids joins in an account, or a new one that has the
 * message's id. */
int thread_join(struct store_conn *c, int64_t account, const struct content_draft *d, int64_t id,
	int64_t *ret_thread) MUST_CHECK;

/* STORE_E_QUOTA if so many octets more are too many; STORE_E_NOT_FOUND. */
int message_check_quota(struct store_conn *c, int64_t account, int64_t octets) MUST_CHECK;
