/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Rows of messages, and walks over those of a mailbox that a list of UIDs names. Such lists are
 * dense mostly (all, the newest fifty) and thin sometimes (the result of a search): the walk steps
 * from row to row while they lie close and seeks anew where the next one is further away.
 */

#include "store/message_rows.h"

#include "store/conn.h"
#include "store/mailbox_rows.h"
#include "store/message.h"

/* Rows passed over before a new seek: about what a seek costs. */
enum { ROWS_PASSED_MAX = 6 };

static int seek(struct message_cursor *k)
{
	db_reset(TAKE(k->q));
	TRY(db_prepare(&k->q, k->db, k->sql));
	db_bind_int(k->q, 1, k->mailbox);
	db_bind_int(k->q, 2, k->uids[k->next]);
	if (k->want >= 0)
		db_bind_int(k->q, 3, k->want);
	return 0;
}

int message_cursor_next(struct message_cursor *k, bool *ret_found)
{
	unsigned passed = 0;
	bool row;

	while (k->next < k->n_uids) {
		uint32_t uid;

		if (!k->q || passed > ROWS_PASSED_MAX) {
			TRY(seek(k));
			passed = 0;
		}
		TRY(db_step(k->q, &row));
		if (!row) {
			k->q = NULL;
			k->next = k->n_uids;
			break;
		}
		uid = (uint32_t)db_int(k->q, 0);
		while (k->next < k->n_uids && k->uids[k->next] < uid)
			k->next++;
		if (k->next < k->n_uids && k->uids[k->next] == uid) {
			k->next++;
			*ret_found = true;
			return 0;
		}
		passed++;
	}
	*ret_found = false;
	return 0;
}

void message_cursor_done(struct message_cursor *k)
{
	db_reset(TAKE(k->q));
}

void message_rows_done(struct message_rows *rows)
{
	buf_done(&rows->buf);
}

int message_rows_read(struct store_conn *c, int64_t mailbox, const uint32_t *uids, size_t n_uids,
	struct message_rows *rows)
{
	CLEANUP(message_cursor_done)
	struct message_cursor k = {
		.db = c->db,
		.sql = "select uid, id, content, thread, flags, modseq, size, received, saved"
		       " from message where mailbox = $1 and uid >= $2 order by uid",
		.mailbox = mailbox,
		.uids = uids,
		.n_uids = n_uids,
		.want = -1,
	};

	for (;;) {
		struct message_row row;
		bool found;

		TRY(message_cursor_next(&k, &found));
		if (!found)
			break;
		row = (struct message_row){
			.uid = (uint32_t)db_int(k.q, 0),
			.id = db_int(k.q, 1),
			.content = db_int(k.q, 2),
			.thread = db_int(k.q, 3),
			.flags = (uint64_t)db_int(k.q, 4),
			.modseq = (uint64_t)db_int(k.q, 5),
			.size = db_int(k.q, 6),
			.received_us = db_int(k.q, 7),
			.saved_us = db_int(k.q, 8),
		};
		buf_add(&rows->buf, span_of(&row, sizeof row));
	}
	rows->p = (struct message_row *)(uintptr_t)buf_span(&rows->buf).p;
	rows->n = buf_size(&rows->buf) / sizeof(struct message_row);
	return 0;
}

void message_pair_add(struct buf *pairs, uint32_t source, uint32_t target)
{
	uint32_t pair[2] = { source, target };

	buf_add(pairs, span_of(pair, sizeof pair));
}

void message_row_count(struct mailbox_change *change, const struct message_row *row)
{
	change->n_messages++;
	change->n_unseen += !(row->flags & FLAG_SEEN);
	change->n_deleted += (row->flags & FLAG_DELETED) != 0;
	change->octets += row->size;
}

int message_row_insert(struct store_conn *c, int64_t mailbox, const struct message_row *row)
{
	TRY(db_exec(c->db, NULL,
		"insert into message (mailbox, uid, id, content, thread, flags, modseq, size,"
		" received, saved) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
		DB_ARGS(DB_INT(mailbox), DB_INT(row->uid), DB_INT(row->id), DB_INT(row->content),
			DB_INT(row->thread), DB_INT(row->flags), DB_INT(row->modseq),
			DB_INT(row->size), DB_INT(row->received_us), DB_INT(row->saved_us))));
	return 0;
}
