/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "store/blob_rows.h"

#include "store/conn.h"
#include "store/message_rows.h"

#include <assert.h>

/* Pieces that are erased in one step: a few milliseconds of the writer. */
enum { STEP = 16 };

struct sum {
	uint64_t octets;
	uint64_t n, n_open;
};

/* What has expired or was removed does not count, though it may still be there. */
static int sum_up(struct store_conn *c, int64_t account, int64_t but, int64_t now_us,
	struct sum *ret_sum)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select coalesce(sum(size), 0), count(*), coalesce(sum(1 - complete), 0)"
		" from account_blob where account = $1 and expires > $2 and upload <> $3",
		DB_ARGS(DB_INT(account), DB_INT(now_us), DB_INT(but))));
	*ret_sum = (struct sum){ (uint64_t)db_int(q, 0), (uint64_t)db_int(q, 1),
		(uint64_t)db_int(q, 2) };
	return 0;
}

/* Whether the account may have so many octets beside what sum says. */
static int check_room(struct store_conn *c, int64_t account, const struct sum *sum, uint64_t size,
	const struct store_blob_limits *limits)
{
	if (sum->octets > limits->octets_max || size > limits->octets_max - sum->octets)
		return STORE_E_LIMIT;
	return message_check_quota(c, account, (int64_t)(sum->octets + size));
}

int store_blob_begin(struct store_conn *c, const struct store_blob *blob,
	const struct store_blob_limits *limits, int64_t now_us, int64_t *ret_id)
{
	struct sum sum;
	int64_t id;
	int r;

	assert(c->writer);
	TRY(sum_up(c, blob->account, 0, now_us, &sum));
	if (sum.n_open >= limits->n_open_max)
		return STORE_E_IN_USE;
	if (sum.n >= limits->n_max)
		return STORE_E_LIMIT;
	r = check_room(c, blob->account, &sum, blob->size, limits);
	if (r)
		return r;
	TRY(store_upload_begin(c, &id));
	TRY(db_exec(c->db, NULL,
		"insert into account_blob (upload, account, type, size, complete, expires)"
		" values ($1, $2, $3, $4, 0, $5)",
		DB_ARGS(DB_INT(id), DB_INT(blob->account), DB_SPAN(blob->type), DB_INT(blob->size),
			DB_INT(blob->expires_us))));
	*ret_id = id;
	return 0;
}

/* Octets reserved for one that is being received. */
static int reserved(struct store_conn *c, const struct store_blob *blob, int64_t now_us,
	uint64_t *ret_size)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select size from account_blob where upload = $1 and account = $2"
		" and complete = 0 and expires > $3",
		DB_ARGS(DB_INT(blob->id), DB_INT(blob->account), DB_INT(now_us))));
	if (!row)
		return STORE_E_NOT_FOUND;
	*ret_size = (uint64_t)db_int(q, 0);
	return 0;
}

int store_blob_add(struct store_conn *c, const struct store_blob *blob,
	const struct store_blob_limits *limits, uint32_t number, const struct content_piece *piece,
	int64_t now_us)
{
	uint64_t size;
	struct sum sum;
	int r;

	assert(c->writer);
	r = reserved(c, blob, now_us, &size);
	if (r)
		return r;
	if (blob->size > size) {
		TRY(sum_up(c, blob->account, blob->id, now_us, &sum));
		r = check_room(c, blob->account, &sum, blob->size, limits);
		if (r)
			return r;
		size = blob->size;
	}
	TRY(store_upload_add(c, blob->id, number, piece));
	TRY(db_exec(c->db, NULL,
		"update account_blob set size = $2, expires = $3 where upload = $1",
		DB_ARGS(DB_INT(blob->id), DB_INT(size), DB_INT(blob->expires_us))));
	return 0;
}

int store_blob_end(struct store_conn *c, const struct store_blob *blob)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n,
		"update account_blob set size = $3, complete = 1, expires = $4"
		" where upload = $1 and account = $2 and complete = 0 and expires <> 0",
		DB_ARGS(DB_INT(blob->id), DB_INT(blob->account), DB_INT(blob->size),
			DB_INT(blob->expires_us))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

static struct store_blob row_of(struct db_statement *q)
{
	return (struct store_blob){
		.id = db_int(q, 0),
		.account = db_int(q, 1),
		.type = db_blob(q, 2),
		.size = (uint64_t)db_int(q, 3),
		.expires_us = db_int(q, 4),
	};
}

int store_blob_get(struct store_conn *c, struct arena *a, int64_t account, int64_t id,
	int64_t now_us, struct store_blob *ret_blob)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select upload, account, type, size, expires from account_blob"
		" where upload = $1 and account = $2 and complete = 1 and expires > $3",
		DB_ARGS(DB_INT(id), DB_INT(account), DB_INT(now_us))));
	if (!row)
		return STORE_E_NOT_FOUND;
	*ret_blob = row_of(q);
	ret_blob->type = arena_span(a, ret_blob->type);
	return 0;
}

int store_blob_each(struct store_conn *c, int64_t account, int64_t now_us, store_blob_fn *each,
	void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db,
		"select upload, account, type, size, expires from account_blob"
		" where account = $1 and complete = 1 and expires > $2 order by upload",
		DB_ARGS(DB_INT(account), DB_INT(now_us))));
	while (db_next(q, &r)) {
		struct store_blob blob = row_of(q);

		r = each(&blob, context);
	}
	return r;
}

int store_blob_remove(struct store_conn *c, int64_t account, int64_t id)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n,
		"update account_blob set expires = 0 where upload = $1 and account = $2"
		" and expires <> 0",
		DB_ARGS(DB_INT(id), DB_INT(account))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

int store_blob_remove_all(struct store_conn *c, int64_t account)
{
	assert(c->writer);
	TRY(db_exec(c->db, NULL, "update account_blob set expires = 0 where account = $1",
		DB_ARGS(DB_INT(account))));
	return 0;
}

static int find_expired(struct store_conn *c, int64_t now_us, int64_t *ret_upload)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select upload from account_blob where expires <= $1 order by expires, upload "
		"limit 1",
		DB_ARGS(DB_INT(now_us))));
	*ret_upload = row ? db_int(q, 0) : 0;
	return 0;
}

int store_blob_due(struct store_conn *c, int64_t now_us, bool *ret_due)
{
	int64_t upload;

	TRY(find_expired(c, now_us, &upload));
	*ret_due = upload != 0;
	return 0;
}

static int erase_step(struct store_conn *c, int64_t upload)
{
	int64_t n;

	c->has_erased = true;
	db_erase(c->db);
	TRY(db_exec(c->db, &n,
		"delete from content_piece where upload = $1 and n in"
		" (select n from content_piece where upload = $1 order by n limit $2)",
		DB_ARGS(DB_INT(upload), DB_INT(STEP))));
	if (n == STEP)
		return 0;
	TRY(db_exec(c->db, NULL, "delete from account_blob where upload = $1",
		DB_ARGS(DB_INT(upload))));
	TRY(db_exec(c->db, NULL, "delete from upload where id = $1", DB_ARGS(DB_INT(upload))));
	return 0;
}

static int is_removed(struct store_conn *c, int64_t id, bool *ret_removed)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;

	return db_query_row(&q, ret_removed, c->db,
		"select 1 from account_blob where upload = $1 and expires = 0", DB_ARGS(DB_INT(id)));
}

int store_blob_erase(struct store_conn *c, int64_t id, bool *ret_more)
{
	assert(c->writer);
	TRY(is_removed(c, id, ret_more));
	return *ret_more ? erase_step(c, id) : 0;
}

int store_blob_sweep(struct store_conn *c, int64_t now_us, bool *ret_more)
{
	int64_t upload;

	assert(c->writer);
	TRY(find_expired(c, now_us, &upload));
	*ret_more = upload != 0;
	return upload ? erase_step(c, upload) : 0;
}
