/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Takes away what nothing refers to any more, a small step at a time: messages of mailboxes that
 * were removed, contents on the garbage list whose last reference is gone, uploads that were never
 * finished, and thread references of accounts that were removed. The grace keeps a content that was
 * just found unused from meeting a copy in flight.
 */

#include "store/content.h"

#include "store/conn.h"
#include "store/content_rows.h"

#include <assert.h>

/* Rows of each kind in one step: a few milliseconds of the writer. */
enum { STEP = 100 };

struct sweep {
	struct store_conn *c;
	int64_t before_us; /* what is older than the grace */
	int64_t now_us;
	bool more;
};

static int content_delete(struct store_conn *c, int64_t content)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int64_t upload;
	bool row;

	/* The newest stays on the list: its id would be given again, and clients keep ids. */
	TRY(db_query_row(&q, &row, c->db,
		"delete from content where id = $1"
		" and not exists (select 1 from message where content = $1)"
		" and not exists (select 1 from queue where content = $1)"
		" and id < (select max(id) from content) returning upload",
		DB_ARGS(DB_INT(content))));
	upload = row ? db_int(q, 0) : 0;
	db_reset(TAKE(q));
	if (upload)
		TRY(db_exec(c->db, NULL, "delete from content_piece where upload = $1",
			DB_ARGS(DB_INT(upload))));
	return 0;
}

/* Numbers two by two from a statement of at most STEP rows, so that it is over before they go. */
static int read_pairs(struct db_statement *q, struct buf *pairs)
{
	int r = 0;

	while (db_next(q, &r))
		buf_add(pairs, span_of((int64_t[2]){ db_int(q, 0), db_int(q, 1) },
				       2 * sizeof(int64_t)));
	return r;
}

static size_t pairs_of(const struct buf *buf, const int64_t (**ret_pairs)[2])
{
	*ret_pairs = (const int64_t(*)[2])(const void *)buf_span(buf).p;
	return buf_size(buf) / (2 * sizeof(int64_t));
}

static int sweep_garbage(struct sweep *s)
{
	CLEANUP(buf_done) struct buf list = {};
	const int64_t(*pairs)[2];
	struct db_statement *q;
	size_t n;

	/* Without the newest content, which stays: its rows alone could fill every step. */
	TRY(db_query(&q, s->c->db,
		"select since, content from garbage where since < $1"
		" and content < (select max(id) from content) order by since, content limit $2",
		DB_ARGS(DB_INT(s->before_us), DB_INT(STEP))));
	TRY(read_pairs(q, &list));
	n = pairs_of(&list, &pairs);
	for (size_t i = 0; i < n; i++) {
		TRY(content_delete(s->c, pairs[i][1]));
		TRY(db_exec(s->c->db, NULL, "delete from garbage where since = $1 and content = $2",
			DB_ARGS(DB_INT(pairs[i][0]), DB_INT(pairs[i][1]))));
	}
	s->more |= n == STEP;
	return 0;
}

/* Blobs of accounts end in their own way (store/blob_rows.h). */
static int sweep_upload(struct sweep *s)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int64_t upload;
	bool row;

	TRY(db_query_row(&q, &row, s->c->db,
		"select id from upload where created < $1"
		" and not exists (select 1 from account_blob b where b.upload = upload.id)"
		" order by id limit 1",
		DB_ARGS(DB_INT(s->before_us))));
	if (!row)
		return 0;
	upload = db_int(q, 0);
	db_reset(TAKE(q));
	TRY(db_exec(s->c->db, NULL, "delete from content_piece where upload = $1",
		DB_ARGS(DB_INT(upload))));
	TRY(db_exec(s->c->db, NULL, "delete from upload where id = $1", DB_ARGS(DB_INT(upload))));
	s->more = true;
	return 0;
}

/* The mailbox itself, once it is empty, and its records of expunges. */
static int mailbox_end(struct sweep *s, int64_t mailbox)
{
	int64_t n;

	TRY(db_exec(s->c->db, &n,
		"delete from expunged where mailbox = $1 and (modseq, uid) in"
		" (select modseq, uid from expunged where mailbox = $1 order by modseq, uid limit "
		"$2)",
		DB_ARGS(DB_INT(mailbox), DB_INT(STEP))));
	s->more = true;
	if (n)
		return 0;
	TRY(db_exec(s->c->db, NULL, "delete from mailbox where id = $1", DB_ARGS(DB_INT(mailbox))));
	return 0;
}

static int sweep_mailbox(struct sweep *s)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	CLEANUP(buf_done) struct buf list = {};
	const int64_t(*pairs)[2];
	struct db_statement *messages;
	int64_t mailbox;
	size_t n;
	bool row;

	TRY(db_query_row(&q, &row, s->c->db,
		"select id from mailbox where account is null order by id limit 1", NULL, 0));
	if (!row)
		return 0;
	mailbox = db_int(q, 0);
	db_reset(TAKE(q));
	TRY(db_query(&messages, s->c->db,
		"select uid, content from message where mailbox = $1 order by uid limit $2",
		DB_ARGS(DB_INT(mailbox), DB_INT(STEP))));
	TRY(read_pairs(messages, &list));
	n = pairs_of(&list, &pairs);
	if (n == 0)
		return mailbox_end(s, mailbox);
	for (size_t i = 0; i < n; i++) {
		TRY(db_exec(s->c->db, NULL, "delete from message where mailbox = $1 and uid = $2",
			DB_ARGS(DB_INT(mailbox), DB_INT(pairs[i][0]))));
		TRY(content_released(s->c, pairs[i][1], s->now_us));
	}
	s->more = true;
	return 0;
}

static int sweep_account(struct sweep *s)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int64_t account;
	int64_t n;
	bool row;

	TRY(db_query_row(&q, &row, s->c->db,
		"select account from account_removed order by account limit 1", NULL, 0));
	if (!row)
		return 0;
	account = db_int(q, 0);
	db_reset(TAKE(q));
	TRY(db_exec(s->c->db, &n,
		"delete from thread_ref where account = $1 and hash in"
		" (select hash from thread_ref where account = $1 order by hash limit $2)",
		DB_ARGS(DB_INT(account), DB_INT(STEP))));
	if (!n)
		TRY(db_exec(s->c->db, NULL, "delete from account_removed where account = $1",
			DB_ARGS(DB_INT(account))));
	s->more = true;
	return 0;
}

int store_content_sweep(struct store_conn *c, int64_t now_us, int64_t grace_us, bool *ret_more)
{
	struct sweep s = { .c = c, .now_us = now_us, .before_us = now_us - grace_us };

	assert(c->writer);
	TRY(sweep_mailbox(&s));
	TRY(sweep_garbage(&s));
	TRY(sweep_upload(&s));
	TRY(sweep_account(&s));
	*ret_more = s.more;
	return 0;
}
