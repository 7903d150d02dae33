/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "store/expiry_rows.h"

#include "store/conn.h"

#include <assert.h>

int store_expiry_told(struct store_conn *c, int64_t domain, struct span sha256, unsigned *ret_days)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select days from expiry_notice where domain = $1 and sha256 = $2",
		DB_ARGS(DB_INT(domain), DB_SPAN(sha256))));
	if (!row)
		return STORE_E_NOT_FOUND;
	*ret_days = (unsigned)db_int(q, 0);
	return 0;
}

int store_expiry_tell(struct store_conn *c, int64_t domain, struct span sha256, unsigned days,
	int64_t now_us)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n,
		"insert into expiry_notice (domain, sha256, days, told) values ($1, $2, $3, $4)"
		" on conflict (domain, sha256) do update set days = excluded.days,"
		" told = excluded.told where expiry_notice.days > excluded.days",
		DB_ARGS(DB_INT(domain), DB_SPAN(sha256), DB_INT(days), DB_INT(now_us))));
	return n ? 0 : STORE_E_EXISTS;
}
