/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Changing messages: flags, expunge, move, another body. All read the rows that are named, decide,
 * and then write, row by row, with the counters of mailbox and account updated once for all. A call
 * has one modification number.
 */

#include "store/message.h"

#include "base/clock.h"
#include "store/conn.h"
#include "store/content_rows.h"
#include "store/mailbox_rows.h"
#include "store/message_rows.h"

#include <assert.h>

/* Records of expunges kept for one mailbox, and how many more gather before they are trimmed. */
enum { EXPUNGED_MAX = 100000, EXPUNGED_SLACK = 1000 };

static uint64_t changed_flags(uint64_t old, enum flags_change change, uint64_t flags)
{
	switch (change) {
	case FLAGS_SET:
		return flags;
	case FLAGS_ADD:
		return old | flags;
	case FLAGS_REMOVE:
		return old & ~flags;
	}
	return old;
}

static int flags_write(struct store_conn *c, int64_t mailbox, const struct message_row *row,
	uint64_t flags, struct mailbox_change *change)
{
	change->n_unseen += !(flags & FLAG_SEEN) - !(row->flags & FLAG_SEEN);
	change->n_deleted += ((flags & FLAG_DELETED) != 0) - ((row->flags & FLAG_DELETED) != 0);
	TRY(db_exec(c->db, NULL,
		"update message set flags = $3, modseq = $4 where mailbox = $1 and uid = $2",
		DB_ARGS(DB_INT(mailbox), DB_INT(row->uid), DB_INT(flags),
			DB_INT(change->highest_modseq))));
	return 0;
}

int store_flags(struct store_conn *c, int64_t mailbox, const uint32_t *uids, size_t n_uids,
	enum flags_change change, uint64_t flags, uint64_t unchanged_since, struct buf *modified,
	uint64_t *ret_modseq)
{
	return store_flags_within(c, mailbox, uids, n_uids, change, flags, UINT64_MAX,
		unchanged_since, modified, ret_modseq);
}

int store_flags_within(struct store_conn *c, int64_t mailbox, const uint32_t *uids, size_t n_uids,
	enum flags_change change, uint64_t flags, uint64_t within, uint64_t unchanged_since,
	struct buf *modified, uint64_t *ret_modseq)
{
	CLEANUP(message_rows_done) struct message_rows rows = {};
	struct mailbox_change sum = {};
	int64_t account;
	int r;

	assert(c->writer);
	r = mailbox_account(c, mailbox, &account);
	if (r)
		return r;
	TRY(message_rows_read(c, mailbox, uids, n_uids, &rows));
	for (size_t i = 0; i < rows.n; i++) {
		const struct message_row *row = &rows.p[i];
		uint64_t wanted = (row->flags & ~within) |
				  (changed_flags(row->flags, change, flags) & within);

		/* RFC 7162 section 3.1.3: refused even where nothing would change. */
		if (row->modseq > unchanged_since) {
			buf_add(modified, span_of(&row->uid, sizeof row->uid));
			continue;
		}
		if (wanted == row->flags)
			continue;
		if (!sum.highest_modseq)
			TRY(account_take_modseq(c, account, 1, &sum.highest_modseq));
		TRY(flags_write(c, mailbox, row, wanted, &sum));
	}
	if (sum.highest_modseq)
		TRY(mailbox_apply(c, mailbox, &sum, NULL));
	*ret_modseq = sum.highest_modseq;
	return 0;
}

static int expunged_note(struct store_conn *c, int64_t mailbox, uint64_t modseq, uint32_t uid)
{
	TRY(db_exec(c->db, NULL, "insert into expunged (mailbox, modseq, uid) values ($1, $2, $3)",
		DB_ARGS(DB_INT(mailbox), DB_INT(modseq), DB_INT(uid))));
	return 0;
}

static int expunged_count(struct store_conn *c, int64_t mailbox, int64_t *ret_n)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db, "select n_expunged from mailbox where id = $1",
		DB_ARGS(DB_INT(mailbox))));
	*ret_n = db_int(q, 0);
	return 0;
}

/* Forgets the oldest records, whole modification numbers of them. */
static int expunged_trim(struct store_conn *c, int64_t mailbox)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int64_t floor;
	int64_t n;
	bool row;

	TRY(expunged_count(c, mailbox, &n));
	if (n <= EXPUNGED_MAX + EXPUNGED_SLACK)
		return 0;
	TRY(db_query_row(&q, &row, c->db,
		"select modseq from expunged where mailbox = $1 order by modseq limit 1 offset $2",
		DB_ARGS(DB_INT(mailbox), DB_INT(n - EXPUNGED_MAX - 1))));
	if (!row)
		return 0;
	floor = db_int(q, 0);
	db_reset(TAKE(q));
	TRY(db_exec(c->db, &n, "delete from expunged where mailbox = $1 and modseq <= $2",
		DB_ARGS(DB_INT(mailbox), DB_INT(floor))));
	TRY(db_exec(c->db, NULL,
		"update mailbox set n_expunged = n_expunged - $2, expunged_floor = $3"
		" where id = $1",
		DB_ARGS(DB_INT(mailbox), DB_INT(n), DB_INT(floor))));
	return 0;
}

/* One message, and what must remember it. The counters are the caller's. */
static int row_expunge(struct store_conn *c, int64_t mailbox, const struct message_row *row,
	uint64_t modseq, int64_t now_us)
{
	TRY(db_exec(c->db, NULL, "delete from message where mailbox = $1 and uid = $2",
		DB_ARGS(DB_INT(mailbox), DB_INT(row->uid))));
	TRY(expunged_note(c, mailbox, modseq, row->uid));
	TRY(content_released(c, row->content, now_us));
	return 0;
}

/* The change of taking away what sum holds. */
static struct mailbox_change taken_away(const struct mailbox_change *sum, uint64_t modseq)
{
	return (struct mailbox_change){
		.n_messages = -sum->n_messages,
		.n_unseen = -sum->n_unseen,
		.n_deleted = -sum->n_deleted,
		.octets = -sum->octets,
		.n_expunged = sum->n_messages,
		.highest_modseq = modseq,
	};
}

int store_expunge(struct store_conn *c, int64_t mailbox, const uint32_t *uids, size_t n_uids,
	bool only_deleted, struct buf *removed, uint64_t *ret_modseq)
{
	CLEANUP(message_rows_done) struct message_rows rows = {};
	struct mailbox_change sum = {}, change;
	int64_t now_us = clock_now_us();
	uint64_t modseq = 0;
	int64_t account;
	int r;

	assert(c->writer);
	r = mailbox_account(c, mailbox, &account);
	if (r)
		return r;
	TRY(message_rows_read(c, mailbox, uids, n_uids, &rows));
	for (size_t i = 0; i < rows.n; i++) {
		const struct message_row *row = &rows.p[i];

		if (only_deleted && !(row->flags & FLAG_DELETED))
			continue;
		if (!modseq)
			TRY(account_take_modseq(c, account, 1, &modseq));
		TRY(row_expunge(c, mailbox, row, modseq, now_us));
		message_row_count(&sum, row);
		buf_add(removed, span_of(&row->uid, sizeof row->uid));
	}
	*ret_modseq = modseq;
	if (!modseq)
		return 0;
	change = taken_away(&sum, modseq);
	TRY(mailbox_apply(c, mailbox, &change, NULL));
	TRY(account_use(c, account, change.octets, change.n_messages));
	return expunged_trim(c, mailbox);
}

/* Keywords are bits of the account's: a mailbox of another account is no target. */
static int same_account(struct store_conn *c, int64_t mailbox, int64_t target, int64_t *ret_account)
{
	int64_t other;
	int r = mailbox_account(c, mailbox, ret_account);

	if (!r)
		r = mailbox_account(c, target, &other);
	if (r)
		return r;
	return *ret_account == other ? 0 : STORE_E_NOT_FOUND;
}

static int row_move(struct store_conn *c, int64_t mailbox, const struct message_row *row,
	int64_t target, uint32_t uid, uint64_t modseq, int64_t now_us)
{
	TRY(db_exec(c->db, NULL,
		"update message set mailbox = $3, uid = $4, modseq = $5, saved = $6"
		" where mailbox = $1 and uid = $2",
		DB_ARGS(DB_INT(mailbox), DB_INT(row->uid), DB_INT(target), DB_INT(uid),
			DB_INT(modseq), DB_INT(now_us))));
	return expunged_note(c, mailbox, modseq, row->uid);
}

int store_move(struct store_conn *c, int64_t mailbox, const uint32_t *uids, size_t n_uids,
	int64_t target, struct buf *pairs, uint64_t *ret_modseq)
{
	CLEANUP(message_rows_done) struct message_rows rows = {};
	struct mailbox_change sum = {}, change;
	int64_t now_us = clock_now_us();
	uint64_t modseq = 0;
	uint32_t uid;
	int64_t account;
	int r;

	assert(c->writer);
	r = same_account(c, mailbox, target, &account);
	if (r)
		return r;
	TRY(message_rows_read(c, mailbox, uids, n_uids, &rows));
	*ret_modseq = 0;
	if (!rows.n)
		return 0;
	for (size_t i = 0; i < rows.n; i++)
		message_row_count(&sum, &rows.p[i]);
	TRY(account_take_modseq(c, account, 1, &modseq));
	change = taken_away(&sum, modseq);
	TRY(mailbox_apply(c, mailbox, &change, NULL));
	sum.n_uids = rows.n;
	sum.highest_modseq = modseq;
	TRY(mailbox_apply(c, target, &sum, &uid));
	for (size_t i = 0; i < rows.n; i++, uid++) {
		TRY(row_move(c, mailbox, &rows.p[i], target, uid, modseq, now_us));
		message_pair_add(pairs, rows.p[i].uid, uid);
	}
	*ret_modseq = modseq;
	return expunged_trim(c, mailbox);
}

static int row_replace(struct store_conn *c, const struct message_replace *replace,
	const struct message_row *old, const struct message_replaced *new)
{
	struct message_row row = *old;

	row.uid = new->uid;
	row.id = new->id;
	row.modseq = new->modseq;
	row.size = (int64_t)replace->draft->size;
	TRY(store_content_add(c, replace->draft, &row.content));
	TRY(message_row_insert(c, replace->mailbox, &row));
	content_used(c, row.content);
	TRY(db_exec(c->db, NULL, "delete from message where mailbox = $1 and uid = $2",
		DB_ARGS(DB_INT(replace->mailbox), DB_INT(old->uid))));
	return expunged_note(c, replace->mailbox, new->modseq, old->uid);
}

int store_message_replace(struct store_conn *c, const struct message_replace *replace,
	struct message_replaced *ret_replaced)
{
	CLEANUP(message_rows_done) struct message_rows rows = {};
	struct message_replaced new = {};
	struct mailbox_change change = { .n_uids = 1, .n_expunged = 1 };
	int64_t account;
	int r;

	assert(c->writer);
	r = mailbox_account(c, replace->mailbox, &account);
	if (r)
		return r;
	TRY(message_rows_read(c, replace->mailbox, &replace->uid, 1, &rows));
	if (!rows.n)
		return STORE_E_NOT_FOUND;
	if (rows.p->content != replace->content)
		return STORE_E_STALE;
	TRY(account_take_modseq(c, account, 1, &new.modseq));
	change.highest_modseq = new.modseq;
	change.octets = (int64_t)replace->draft->size - rows.p->size;
	TRY(mailbox_apply(c, replace->mailbox, &change, &new.uid));
	new.id = message_id_of(account, new.modseq);
	TRY(row_replace(c, replace, rows.p, &new));
	TRY(account_use(c, account, change.octets, 0));
	TRY(content_erase(c, replace->content, &new.n_holders));
	TRY(expunged_trim(c, replace->mailbox));
	*ret_replaced = new;
	return 0;
}
