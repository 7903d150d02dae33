/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "store/trust_rows.h"

#include "base/clock.h"
#include "store/conn.h"

#include <assert.h>

int store_trust_put(struct store_conn *c, const struct store_trust *trust)
{
	assert(c->writer);
	TRY(db_exec(c->db, NULL,
		"insert into trust (domain, scope, sha256, der, purposes, created, alias)"
		" values ($1, $2, $3, $4, $5, $6, $7)"
		" on conflict (scope, coalesce(domain, 0), sha256)"
		" do update set purposes = excluded.purposes, alias = case"
		" when length(excluded.alias) > 0 then excluded.alias else trust.alias end",
		DB_ARGS(trust->domain ? DB_INT(trust->domain) : DB_NULL, DB_INT(trust->scope),
			DB_SPAN(trust->sha256), DB_SPAN(trust->der), DB_INT(trust->purposes),
			DB_INT(clock_now_us()), DB_SPAN(trust->alias))));
	return 0;
}

int store_trust_remove(struct store_conn *c, int64_t id)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n, "delete from trust where id = $1", DB_ARGS(DB_INT(id))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

int store_trust_each(struct store_conn *c, unsigned scope, int64_t domain,
	int (*each)(const struct store_trust *trust, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db,
		"select id, coalesce(domain, 0), scope, sha256, der, purposes, created, alias from trust"
		" where scope = $1 and coalesce(domain, 0) = $2 order by id",
		DB_ARGS(DB_INT(scope), DB_INT(domain))));
	while (db_next(q, &r)) {
		struct store_trust trust = {
			.id = db_int(q, 0),
			.domain = db_int(q, 1),
			.scope = (unsigned)db_int(q, 2),
			.sha256 = db_blob(q, 3),
			.der = db_blob(q, 4),
			.purposes = (unsigned)db_int(q, 5),
			.created_us = db_int(q, 6),
			.alias = db_blob(q, 7),
		};

		r = each(&trust, context);
	}
	return r;
}
