/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "store/request_rows.h"

#include "base/clock.h"
#include "store/conn.h"

#include <assert.h>

int store_request_add(struct store_conn *c, const struct store_request *request, int64_t *ret_id)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	assert(c->writer);
	TRY(db_query_row(&q, &row, c->db,
		"insert into request (domain, tls_key, alias, der, created)"
		" values ($1, $2, $3, $4, $5) on conflict (domain, alias) do nothing returning id",
		DB_ARGS(DB_INT(request->domain), DB_INT(request->key), DB_SPAN(request->alias),
			DB_SPAN(request->der), DB_INT(clock_now_us()))));
	if (!row)
		return STORE_E_EXISTS;
	*ret_id = db_int(q, 0);
	return 0;
}

int store_request_remove(struct store_conn *c, int64_t domain, struct span alias)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n, "delete from request where domain = $1 and alias = $2",
		DB_ARGS(DB_INT(domain), DB_SPAN(alias))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

int store_request_each(struct store_conn *c, int64_t domain,
	int (*each)(const struct store_request *request, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db,
		"select r.id, r.domain, r.tls_key, r.alias, r.der, k.alias, r.created from request r"
		" join tls_key k on k.id = r.tls_key where r.domain = $1 order by r.id",
		DB_ARGS(DB_INT(domain))));
	while (db_next(q, &r)) {
		struct store_request request = {
			.id = db_int(q, 0),
			.domain = db_int(q, 1),
			.key = db_int(q, 2),
			.alias = db_blob(q, 3),
			.der = db_blob(q, 4),
			.key_alias = db_blob(q, 5),
			.created_us = db_int(q, 6),
		};

		r = each(&request, context);
	}
	return r;
}
