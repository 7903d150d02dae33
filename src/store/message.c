/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Adding messages and reading them. Changing them is message_change.c's.
 *
 * A thread is found by hashes of message ids: a message joins the thread that its own id or the
 * nearest of its references is known from, and makes all of them known, so that siblings meet
 * whatever arrives first.
 */

#include "store/message.h"

#include "base/clock.h"
#include "store/conn.h"
#include "store/content_rows.h"
#include "store/mailbox_rows.h"
#include "store/message_rows.h"

#include <assert.h>
#include <errno.h>

struct target {
	int64_t account;
	uint64_t used_octets;
	uint64_t quota;
};

static int target_read(struct store_conn *c, int64_t mailbox, struct target *ret_target)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select a.id, a.used_octets, a.quota, d.account_quota from mailbox m"
		" join account a on a.id = m.account join domain d on d.id = a.domain"
		" where m.id = $1",
		DB_ARGS(DB_INT(mailbox))));
	if (!row)
		return STORE_E_NOT_FOUND;
	ret_target->account = db_int(q, 0);
	ret_target->used_octets = (uint64_t)db_int(q, 1);
	ret_target->quota = account_quota_of(c, db_int(q, 2), db_int(q, 3));
	return 0;
}

int message_check_quota(struct store_conn *c, int64_t account, int64_t octets)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	uint64_t quota;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select a.used_octets, a.quota, d.account_quota from account a"
		" join domain d on d.id = a.domain where a.id = $1",
		DB_ARGS(DB_INT(account))));
	if (!row)
		return STORE_E_NOT_FOUND;
	quota = account_quota_of(c, db_int(q, 1), db_int(q, 2));
	return quota && (uint64_t)(db_int(q, 0) + octets) > quota ? STORE_E_QUOTA : 0;
}

static int thread_of_hash(struct store_conn *c, int64_t account, uint64_t hash, int64_t *ret_thread)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select thread from thread_ref where account = $1 and hash = $2",
		DB_ARGS(DB_INT(account), DB_INT(hash))));
	*ret_thread = row ? db_int(q, 0) : 0;
	return 0;
}

static int thread_note(struct store_conn *c, int64_t account, uint64_t hash, int64_t thread)
{
	TRY(db_exec(c->db, NULL,
		"insert into thread_ref (account, hash, thread) values ($1, $2, $3)"
		" on conflict do nothing",
		DB_ARGS(DB_INT(account), DB_INT(hash), DB_INT(thread))));
	return 0;
}

int thread_join(struct store_conn *c, int64_t account, const struct content_draft *d,
	int64_t id, int64_t *ret_thread)
{
	int64_t thread = 0;

	if (d->message_id_hash)
		TRY(thread_of_hash(c, account, d->message_id_hash, &thread));
	/* A message that is its thread's first and known already needs nothing more. */
	if (thread && !d->n_references) {
		*ret_thread = thread;
		return 0;
	}
	for (size_t i = d->n_references; i-- > 0 && !thread;)
		TRY(thread_of_hash(c, account, d->references[i], &thread));
	if (!thread)
		thread = id;
	if (d->message_id_hash)
		TRY(thread_note(c, account, d->message_id_hash, thread));
	for (size_t i = 0; i < d->n_references; i++)
		TRY(thread_note(c, account, d->references[i], thread));
	*ret_thread = thread;
	return 0;
}

/* The account's counters and its next modification number in one statement. */
static int account_add_message(struct store_conn *c, int64_t account, uint64_t size,
	uint64_t *ret_modseq)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"update account set modseq = modseq + 1, used_octets = used_octets + $2,"
		" used_messages = used_messages + 1 where id = $1 returning modseq",
		DB_ARGS(DB_INT(account), DB_INT(size))));
	*ret_modseq = (uint64_t)db_int(q, 0);
	if (*ret_modseq >> MESSAGE_ID_MODSEQ_BITS)
		return err_fault(EOVERFLOW, "modification numbers of an account");
	return 0;
}

int store_message_add(struct store_conn *c, const struct message_add *add, uint32_t *ret_uid,
	int64_t *ret_id)
{
	uint64_t size = add->draft->size;
	struct mailbox_change change = { .n_uids = 1 };
	struct message_row row = {
		.content = add->content,
		.flags = add->flags,
		.size = (int64_t)size,
		.received_us = add->received_us,
		.saved_us = clock_now_us(),
	};
	struct target t;
	int r;

	assert(c->writer);
	r = target_read(c, add->mailbox, &t);
	if (r)
		return r;
	if (t.quota && !add->over_quota && t.used_octets + size > t.quota)
		return STORE_E_QUOTA;
	message_row_count(&change, &row);
	TRY(account_add_message(c, t.account, size, &change.highest_modseq));
	TRY(mailbox_apply(c, add->mailbox, &change, &row.uid));
	row.modseq = change.highest_modseq;
	row.id = message_id_of(t.account, row.modseq);
	TRY(thread_join(c, t.account, add->draft, row.id, &row.thread));
	TRY(message_row_insert(c, add->mailbox, &row));
	content_used(c, add->content);
	*ret_uid = row.uid;
	*ret_id = row.id;
	return 0;
}

/* What is not wanted is not even read: an envelope beside the row costs little, a body much. */
static const char messages_sql[] =
	"select m.uid, m.id, m.content, m.thread, m.flags, m.modseq, m.size, m.received, m.saved,"
	" c.sent, c.upload, c.codec, case when $3 & 1 <> 0 then c.envelope end,"
	" case when $3 & 2 <> 0 then c.structure end, case when $3 & 4 <> 0 then c.refs end,"
	" case when $3 & 8 <> 0 then c.data end"
	" from message m join content c on c.id = m.content"
	" where m.mailbox = $1 and m.uid >= $2 order by m.uid";

_Static_assert(WANT_ENVELOPE == 1 && WANT_STRUCTURE == 2 && WANT_REFERENCES == 4 && WANT_DATA == 8,
	"the statement's numbers");

static int message_of(struct store_conn *c, struct db_statement *q, unsigned want,
	struct store_message *m)
{
	*m = (struct store_message){
		.uid = (uint32_t)db_int(q, 0),
		.id = db_int(q, 1),
		.content = db_int(q, 2),
		.thread = db_int(q, 3),
		.flags = (uint64_t)db_int(q, 4),
		.modseq = (uint64_t)db_int(q, 5),
		.size = (uint64_t)db_int(q, 6),
		.received_us = db_int(q, 7),
		.saved_us = db_int(q, 8),
		.sent_us = db_int(q, 9),
		.large = db_int(q, 10) != 0,
		.envelope = db_blob(q, 12),
		.structure = db_blob(q, 13),
		.references = db_blob(q, 14),
	};
	if (!(want & WANT_DATA) || m->large)
		return 0;
	buf_clear(&c->unpacked);
	TRY(content_unpack(c, (unsigned)db_int(q, 11), db_blob(q, 15), m->size, &c->unpacked));
	m->data = buf_span(&c->unpacked);
	return 0;
}

int store_messages(struct store_conn *c, int64_t mailbox, const uint32_t *uids, size_t n_uids,
	unsigned want, int (*each)(const struct store_message *m, void *context), void *context,
	size_t *ret_n)
{
	CLEANUP(message_cursor_done) struct message_cursor k = {
		.db = c->db,
		.sql = messages_sql,
		.mailbox = mailbox,
		.uids = uids,
		.n_uids = n_uids,
		.want = want,
	};
	int r = 0;

	while (!r) {
		struct store_message m;
		bool found;

		TRY(message_cursor_next(&k, &found));
		if (!found)
			break;
		TRY(message_of(c, k.q, want, &m));
		r = each(&m, context);
	}
	if (r < 0)
		return r;
	if (ret_n)
		*ret_n = k.next;
	return 0;
}

int store_message_find(struct store_conn *c, int64_t id, struct store_place *ret_place)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select b.account, m.mailbox, m.uid from message m join mailbox b on b.id = m.mailbox"
		" where m.id = $1 and b.account is not null",
		DB_ARGS(DB_INT(id))));
	if (!row)
		return STORE_E_NOT_FOUND;
	*ret_place = (struct store_place){
		.account = db_int(q, 0),
		.mailbox = db_int(q, 1),
		.uid = (uint32_t)db_int(q, 2),
	};
	return 0;
}

/* An id begins with the account and ends with the modification number of its birth. */
static int64_t id_after(int64_t account, int64_t after)
{
	int64_t first = message_id_of(account, 0);

	return after > first ? after : first;
}

int store_message_ids(struct store_conn *c, int64_t account, int64_t after, uint64_t modseq,
	int64_t *ret_ids, size_t n, size_t *ret_n)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	size_t n_found = 0;
	int r = 0;

	TRY(db_query(&q, c->db,
		"select id from message where id > $1 and id <= $2 order by id limit $3",
		DB_ARGS(DB_INT(id_after(account, after)), DB_INT(message_id_of(account, modseq)),
			DB_INT(n))));
	while (db_next(q, &r))
		ret_ids[n_found++] = db_int(q, 0);
	if (r)
		return r;
	*ret_n = n_found;
	return 0;
}

int store_message_count(struct store_conn *c, int64_t account, int64_t after, uint64_t modseq,
	uint64_t *ret_n)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db, "select count(*) from message where id > $1 and id <= $2",
		DB_ARGS(DB_INT(id_after(account, after)), DB_INT(message_id_of(account, modseq)))));
	*ret_n = (uint64_t)db_int(q, 0);
	return 0;
}

int store_expunged_since(struct store_conn *c, int64_t mailbox, uint64_t modseq, struct buf *uids,
	bool *ret_complete)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;
	int r = 0;

	TRY(db_query_row(&q, &row, c->db,
		"select expunged_floor from mailbox where id = $1 and account is not null",
		DB_ARGS(DB_INT(mailbox))));
	if (!row)
		return STORE_E_NOT_FOUND;
	*ret_complete = modseq >= (uint64_t)db_int(q, 0);
	db_reset(TAKE(q));
	TRY(db_query(&q, c->db,
		"select uid from expunged where mailbox = $1 and modseq > $2 order by uid",
		DB_ARGS(DB_INT(mailbox), DB_INT(modseq))));
	while (db_next(q, &r)) {
		uint32_t uid = (uint32_t)db_int(q, 0);

		buf_add(uids, span_of(&uid, sizeof uid));
	}
	return r;
}
