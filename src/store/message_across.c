/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Messages on their way to another account. Body, envelope and structure are shared as between the
 * mailboxes of one account; what an account has of its own (keywords, threads, ids, quota) is made
 * anew.
 */

#include "store/message_across.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "mime/envelope.h"
#include "mime/message_id.h"
#include "store/conn.h"
#include "store/mailbox_rows.h"
#include "store/message.h"
#include "store/message_rows.h"

#include <assert.h>
#include <stdlib.h>

struct across {
	struct store_conn *c;
	int64_t from, to; /* accounts */
	int64_t target;
	uint64_t kept;
	struct keywords *keywords;   /* the source's, where the accounts differ */
	uint64_t bits[KEYWORDS_MAX]; /* of the target, 0: not asked for yet */
	bool asked[KEYWORDS_MAX];
	struct buf rows; /* struct store_message, without spans */
};

static void across_done(struct across *x)
{
	(void)keywords_unref(x->keywords);
	buf_done(&x->rows);
}

static int add_row(const struct store_message *m, void *context)
{
	struct across *x = context;

	buf_add(&x->rows, span_of(m, sizeof *m));
	return 0;
}

/* The target's bit of one of the source's keywords. */
static int keyword_bit(struct across *x, unsigned i, uint64_t *ret_bit)
{
	int r = 0;

	if (!x->asked[i] && i < x->keywords->n)
		r = store_keyword_bit(x->c, x->to, span_str(x->keywords->names[i]), &x->bits[i]);
	if (r < 0)
		return r;
	x->asked[i] = true;
	*ret_bit = r ? 0 : x->bits[i];
	return 0;
}

static int flags_there(struct across *x, uint64_t flags, uint64_t *ret_flags)
{
	uint64_t system = (UINT64_C(1) << FLAG_KEYWORD_SHIFT) - 1;
	uint64_t result = flags & system;

	if (x->from == x->to) {
		*ret_flags = flags;
		return 0;
	}
	for (unsigned i = 0; i < KEYWORDS_MAX; i++) {
		uint64_t bit = 0;

		if (flags & UINT64_C(1) << (FLAG_KEYWORD_SHIFT + i))
			TRY(keyword_bit(x, i, &bit));
		result |= bit;
	}
	*ret_flags = result;
	return 0;
}

static uint64_t own_id_hash(struct span envelope_text)
{
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(buf_done) struct buf id = {};
	struct envelope envelope;
	struct message_ids ids;

	if (envelope_parse(envelope_text, &a, &envelope) || !envelope.message_id.p)
		return 0;
	ids = message_ids_of(envelope.message_id);
	return message_id_next(&ids, &id) ? message_id_hash(buf_span(&id)) : 0;
}

/* The ids that a content was stored with. */
static int ids_read(struct store_conn *c, int64_t content, struct content_draft *d)
{
	enum { MAX = sizeof d->references / sizeof d->references[0] };
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	struct span refs;
	bool row;

	TRY(db_query_row(&q, &row, c->db, "select envelope, refs from content where id = $1",
		DB_ARGS(DB_INT(content))));
	if (!row)
		return 0;
	d->message_id_hash = own_id_hash(db_blob(q, 0));
	refs = db_blob(q, 1);
	while (refs.n && d->n_references < MAX)
		d->references[d->n_references++] = message_id_hash(span_cut(&refs, '\n'));
	return 0;
}

static int thread_there(struct across *x, const struct store_message *m, int64_t id,
	int64_t *ret_thread)
{
	struct content_draft *d;
	int r;

	*ret_thread = m->thread;
	if (x->from == x->to)
		return 0;
	d = ALLOC(struct content_draft);
	r = ids_read(x->c, m->content, d);
	if (!r)
		r = thread_join(x->c, x->to, d, id, ret_thread);
	free(d);
	return r;
}

static int row_write(struct across *x, const struct store_message *m, uint32_t uid, uint64_t modseq)
{
	int64_t id = message_id_of(x->to, modseq);
	int64_t thread;

	TRY(thread_there(x, m, id, &thread));
	TRY(db_exec(x->c->db, NULL,
		"insert into message (mailbox, uid, id, content, thread, flags, modseq, size,"
		" received, saved) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
		DB_ARGS(DB_INT(x->target), DB_INT(uid), DB_INT(id), DB_INT(m->content),
			DB_INT(thread), DB_INT(m->flags), DB_INT(modseq), DB_INT(m->size),
			DB_INT(m->received_us), DB_INT(clock_now_us()))));
	return 0;
}

static int rows_write(struct across *x, struct store_message *rows, size_t n, struct buf *pairs)
{
	struct mailbox_change sum = { .n_uids = n };
	uint64_t modseq;
	uint32_t uid;
	int r;

	for (size_t i = 0; i < n; i++) {
		TRY(flags_there(x, rows[i].flags & x->kept, &rows[i].flags));
		sum.n_messages++;
		sum.n_unseen += !(rows[i].flags & FLAG_SEEN);
		sum.n_deleted += (rows[i].flags & FLAG_DELETED) != 0;
		sum.octets += (int64_t)rows[i].size;
	}
	r = message_check_quota(x->c, x->to, sum.octets);
	if (r)
		return r;
	TRY(account_take_modseq(x->c, x->to, n, &modseq));
	sum.highest_modseq = modseq + n - 1;
	TRY(mailbox_apply(x->c, x->target, &sum, &uid));
	for (size_t i = 0; i < n; i++) {
		uint32_t pair[2] = { rows[i].uid, uid + (uint32_t)i };

		TRY(row_write(x, &rows[i], pair[1], modseq + i));
		buf_add(pairs, span_of(pair, sizeof pair));
	}
	return account_use(x->c, x->to, sum.octets, sum.n_messages);
}

int store_copy_across(struct store_conn *c, int64_t mailbox, const uint32_t *uids, size_t n_uids,
	int64_t target, uint64_t kept, struct buf *pairs)
{
	CLEANUP(across_done) struct across x = { .c = c, .target = target, .kept = kept };
	size_t n;
	int r;

	assert(c->writer);
	r = mailbox_account(c, mailbox, &x.from);
	if (!r)
		r = mailbox_account(c, target, &x.to);
	if (r)
		return r;
	if (x.from != x.to)
		TRY(store_keywords(c, x.from, &x.keywords));
	TRY(store_messages(c, mailbox, uids, n_uids, 0, add_row, &x, NULL));
	n = buf_size(&x.rows) / sizeof(struct store_message);
	if (n == 0)
		return 0;
	return rows_write(&x, (struct store_message *)(uintptr_t)buf_span(&x.rows).p, n, pairs);
}

int store_move_across(struct store_conn *c, int64_t mailbox, const uint32_t *uids, size_t n_uids,
	int64_t target, uint64_t kept, struct buf *pairs, uint64_t *ret_modseq)
{
	CLEANUP(buf_done) struct buf moved = {}, removed = {};
	const uint8_t *p;
	size_t n;
	int r = store_copy_across(c, mailbox, uids, n_uids, target, kept, pairs);

	if (r)
		return r;
	/* Not those that came into the same mailbox by this. */
	p = buf_span(pairs).p;
	n = buf_size(pairs) / (2 * sizeof(uint32_t));
	for (size_t i = 0; i < n; i++)
		buf_add(&moved, span_of(p + i * 2 * sizeof(uint32_t), sizeof(uint32_t)));
	return store_expunge(c, mailbox, (const uint32_t *)(const void *)buf_span(&moved).p, n,
		false, &removed, ret_modseq);
}
