/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The record of what administrators did. The schema refuses to change or remove its rows. */

#include "store/audit.h"

#include "base/clock.h"
#include "store/conn.h"

#include <assert.h>

int store_audit(struct store_conn *c, struct span actor, const char *action, struct span target,
	struct span detail)
{
	assert(c->writer);
	TRY(db_exec(c->db, NULL,
		"insert into audit (time, actor, action, target, detail)"
		" values ($1, $2, $3, $4, $5)",
		DB_ARGS(DB_INT(clock_now_us()), DB_SPAN(actor), DB_SPAN(span_str(action)),
			DB_SPAN(target), DB_SPAN(detail))));
	return 0;
}

int store_audit_each(struct store_conn *c, size_t n,
	int (*each)(int64_t time_us, struct span actor, struct span action, struct span target,
		struct span detail, void *context),
	void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db,
		"select time, actor, action, target, detail from audit order by id desc limit $1",
		DB_ARGS(DB_INT(n))));
	while (db_next(q, &r)) {
		r = each(db_int(q, 0), db_blob(q, 1), db_blob(q, 2), db_blob(q, 3), db_blob(q, 4),
			context);
	}
	return r;
}
