/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The outgoing queue as rows. */

#include "store/queue_rows.h"

#include "base/clock.h"
#include "store/conn.h"
#include "store/content_rows.h"

#include <assert.h>

int store_queue_add(struct store_conn *c, const struct queue_row *row, int64_t *ret_id)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool found;

	assert(c->writer);
	TRY(db_query_row(&q, &found, c->db,
		"insert into queue (content, sender, recipient, envelope_id, original_recipient,"
		" notify, return_full, state, attempts, next, expires, created, last_error)"
		" values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) returning id",
		DB_ARGS(DB_INT(row->content), DB_SPAN(row->sender), DB_SPAN(row->recipient),
			DB_SPAN(row->envelope_id), DB_SPAN(row->original_recipient),
			DB_INT(row->notify), DB_INT(row->return_full), DB_INT(row->state),
			DB_INT(row->attempts), DB_INT(row->next_us), DB_INT(row->expires_us),
			DB_INT(row->created_us), DB_SPAN(row->last_error))));
	content_used(c, row->content);
	*ret_id = db_int(q, 0);
	return 0;
}

int store_queue_each(struct store_conn *c,
	int (*each)(const struct queue_row *row, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db,
		"select id, content, sender, recipient, envelope_id, original_recipient, notify,"
		" return_full, state, attempts, next, expires, created, last_error from queue"
		" order by id",
		NULL, 0));
	while (db_next(q, &r)) {
		struct queue_row row = {
			.id = db_int(q, 0),
			.content = db_int(q, 1),
			.sender = db_blob(q, 2),
			.recipient = db_blob(q, 3),
			.envelope_id = db_blob(q, 4),
			.original_recipient = db_blob(q, 5),
			.notify = (unsigned)db_int(q, 6),
			.return_full = db_int(q, 7) != 0,
			.state = (enum queue_state)db_int(q, 8),
			.attempts = (unsigned)db_int(q, 9),
			.next_us = db_int(q, 10),
			.expires_us = db_int(q, 11),
			.created_us = db_int(q, 12),
			.last_error = db_blob(q, 13),
		};

		r = each(&row, context);
	}
	return r;
}

int store_queue_set_state(struct store_conn *c, int64_t id, enum queue_state state)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n, "update queue set state = $2 where id = $1",
		DB_ARGS(DB_INT(id), DB_INT(state))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

int store_queue_remove(struct store_conn *c, int64_t id)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int64_t content;
	bool row;

	assert(c->writer);
	TRY(db_query_row(&q, &row, c->db, "delete from queue where id = $1 returning content",
		DB_ARGS(DB_INT(id))));
	if (!row)
		return STORE_E_NOT_FOUND;
	content = db_int(q, 0);
	return content_released(c, content, clock_now_us());
}
