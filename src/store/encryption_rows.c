/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "store/encryption_rows.h"

#include "store/conn.h"
#include "store/message.h"

#include <assert.h>

const char *const encryption_state_names[] = {
	[ENCRYPTION_RUNNING] = "running",
	[ENCRYPTION_PAUSED] = "paused",
	[ENCRYPTION_DONE] = "done",
	[ENCRYPTION_STOPPED] = "stopped",
};

static int account_modseq(struct store_conn *c, int64_t account, uint64_t *ret_modseq)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db, "select modseq from account where id = $1",
		DB_ARGS(DB_INT(account))));
	if (!row)
		return STORE_E_NOT_FOUND;
	*ret_modseq = (uint64_t)db_int(q, 0);
	return 0;
}

int store_encryption_start(struct store_conn *c, int64_t account, int64_t now_us)
{
	uint64_t modseq;
	uint64_t n_total;
	int64_t n;
	int r;

	assert(c->writer);
	r = account_modseq(c, account, &modseq);
	if (r)
		return r;
	TRY(store_message_count(c, account, 0, modseq, &n_total));
	TRY(db_exec(c->db, NULL, "delete from encryption where account = $1 and state in ($2, $3)",
		DB_ARGS(DB_INT(account), DB_INT(ENCRYPTION_DONE), DB_INT(ENCRYPTION_STOPPED))));
	TRY(db_exec(c->db, &n,
		"insert into encryption (account, state, bound, after, n_total, n_done, n_already,"
		" n_failed, n_held, last_error, started, changed)"
		" values ($1, $2, $3, 0, $4, 0, 0, 0, 0, $5, $6, $6) on conflict do nothing",
		DB_ARGS(DB_INT(account), DB_INT(ENCRYPTION_RUNNING), DB_INT(modseq),
			DB_INT(n_total), DB_SPAN(span_str("")), DB_INT(now_us))));
	return n ? 0 : STORE_E_EXISTS;
}

int store_encryption_get(struct store_conn *c, struct arena *a, int64_t account,
	struct store_encryption *ret_encryption)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select state, bound, after, n_total, n_done, n_already, n_failed, n_held, "
		"last_error,"
		" started, changed from encryption where account = $1",
		DB_ARGS(DB_INT(account))));
	if (!row)
		return STORE_E_NOT_FOUND;
	*ret_encryption = (struct store_encryption){
		.account = account,
		.state = (enum encryption_state)db_int(q, 0),
		.bound = (uint64_t)db_int(q, 1),
		.after = db_int(q, 2),
		.n_total = (uint64_t)db_int(q, 3),
		.n_done = (uint64_t)db_int(q, 4),
		.n_already = (uint64_t)db_int(q, 5),
		.n_failed = (uint64_t)db_int(q, 6),
		.n_held = (uint64_t)db_int(q, 7),
		.last_error = arena_span(a, db_blob(q, 8)),
		.started_us = db_int(q, 9),
		.changed_us = db_int(q, 10),
	};
	return 0;
}

static int exists(struct store_conn *c, int64_t account)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db, "select 1 from encryption where account = $1",
		DB_ARGS(DB_INT(account))));
	return row ? 0 : STORE_E_NOT_FOUND;
}

int store_encryption_set_state(struct store_conn *c, int64_t account, enum encryption_state from,
	enum encryption_state to, struct span error, int64_t now_us)
{
	int64_t n;
	int r;

	assert(c->writer);
	r = exists(c, account);
	if (r)
		return r;
	TRY(db_exec(c->db, &n,
		"update encryption set state = $3, last_error = $4, changed = $5"
		" where account = $1 and state = $2",
		DB_ARGS(DB_INT(account), DB_INT(from), DB_INT(to), DB_SPAN(error),
			DB_INT(now_us))));
	return n ? 0 : STORE_E_STALE;
}

int store_encryption_remove(struct store_conn *c, int64_t account)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n, "delete from encryption where account = $1",
		DB_ARGS(DB_INT(account))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

int store_encryption_step(struct store_conn *c, int64_t account, int64_t message,
	enum encryption_step step, struct span error, int64_t now_us, bool *ret_paused)
{
	bool encrypted = step == ENCRYPTION_ENCRYPTED || step == ENCRYPTION_HELD, row;
	CLEANUP(db_resetp) struct db_statement *q = NULL;

	assert(c->writer);
	TRY(db_query_row(&q, &row, c->db,
		"update encryption set after = $2, n_done = n_done + $3, n_held = n_held + $4,"
		" n_already = n_already + $5, n_failed = n_failed + $6, changed = $7,"
		" last_error = case when $6 > 0 then $8 else last_error end"
		" where account = $1 and state in ($9, $10) returning state",
		DB_ARGS(DB_INT(account), DB_INT(message), DB_INT(encrypted),
			DB_INT(step == ENCRYPTION_HELD), DB_INT(step == ENCRYPTION_ALREADY),
			DB_INT(step == ENCRYPTION_FAILED), DB_INT(now_us), DB_SPAN(error),
			DB_INT(ENCRYPTION_RUNNING), DB_INT(ENCRYPTION_PAUSED))));
	if (!row)
		return STORE_E_STALE;
	*ret_paused = db_int(q, 0) == ENCRYPTION_PAUSED;
	return 0;
}

int store_encryption_next(struct store_conn *c, int64_t after_account, int64_t *ret_account)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select account from encryption where state = $1 and account > $2"
		" order by account limit 1",
		DB_ARGS(DB_INT(ENCRYPTION_RUNNING), DB_INT(after_account))));
	if (!row)
		return STORE_E_NOT_FOUND;
	*ret_account = db_int(q, 0);
	return 0;
}
