/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Copying messages, also on their way to another account. Body, envelope and structure are shared;
 * what an account has of its own (keywords, threads, quota) is made anew there. Each new message
 * needs a modification number of its own for its id.
 */

#include "store/message_copy.h"

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

struct copy {
	struct store_conn *c;
	int64_t from, to; /* accounts */
	int64_t target;
	uint64_t kept;
	struct keywords *keywords;   /* the source's, where the accounts differ */
	uint64_t bits[KEYWORDS_MAX]; /* of the target, 0: not asked for yet */
	bool asked[KEYWORDS_MAX];
	struct message_rows rows;
};

static void copy_done(struct copy *x)
{
	(void)keywords_unref(x->keywords);
	message_rows_done(&x->rows);
}

/* The target's bit of one of the source's keywords. */
static int keyword_bit(struct copy *x, unsigned i, uint64_t *ret_bit)
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

static int flags_there(struct copy *x, uint64_t flags, uint64_t *ret_flags)
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

static int thread_there(struct copy *x, const struct message_row *m, int64_t id,
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

static int row_write(struct copy *x, const struct message_row *from, uint32_t uid, uint64_t modseq,
	int64_t now_us)
{
	struct message_row row = *from;

	row.uid = uid;
	row.id = message_id_of(x->to, modseq);
	row.modseq = modseq;
	row.saved_us = now_us;
	TRY(thread_there(x, from, row.id, &row.thread));
	TRY(message_row_insert(x->c, x->target, &row));
	return 0;
}

static int rows_write(struct copy *x, struct buf *pairs)
{
	struct mailbox_change sum = { .n_uids = x->rows.n };
	struct message_row *rows = x->rows.p;
	int64_t now_us = clock_now_us();
	uint64_t modseq;
	uint32_t uid;
	int r;

	for (size_t i = 0; i < x->rows.n; i++) {
		TRY(flags_there(x, rows[i].flags & x->kept, &rows[i].flags));
		message_row_count(&sum, &rows[i]);
	}
	r = message_check_quota(x->c, x->to, sum.octets);
	if (r)
		return r;
	TRY(account_take_modseq(x->c, x->to, x->rows.n, &modseq));
	sum.highest_modseq = modseq + x->rows.n - 1;
	TRY(mailbox_apply(x->c, x->target, &sum, &uid));
	for (size_t i = 0; i < x->rows.n; i++, uid++, modseq++) {
		TRY(row_write(x, &rows[i], uid, modseq, now_us));
		message_pair_add(pairs, rows[i].uid, uid);
	}
	return account_use(x->c, x->to, sum.octets, sum.n_messages);
}

int store_copy(struct store_conn *c, int64_t mailbox, const uint32_t *uids, size_t n_uids,
	int64_t target, uint64_t kept, struct buf *pairs)
{
	CLEANUP(copy_done) struct copy x = { .c = c, .target = target, .kept = kept };
	int r;

	assert(c->writer);
	r = mailbox_account(c, mailbox, &x.from);
	if (!r)
		r = mailbox_account(c, target, &x.to);
	if (r)
		return r;
	if (x.from != x.to)
		TRY(store_keywords(c, x.from, &x.keywords));
	TRY(message_rows_read(c, mailbox, uids, n_uids, &x.rows));
	return x.rows.n ? rows_write(&x, pairs) : 0;
}

int store_move_across(struct store_conn *c, int64_t mailbox, const uint32_t *uids, size_t n_uids,
	int64_t target, uint64_t kept, struct buf *pairs, uint64_t *ret_modseq)
{
	CLEANUP(buf_done) struct buf moved = {}, removed = {};
	const uint8_t *p;
	size_t n;
	int r = store_copy(c, mailbox, uids, n_uids, target, kept, pairs);

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
