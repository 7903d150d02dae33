/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "store/tls_rows.h"

#include "store/conn.h"

#include <assert.h>

int store_tls_value_each(struct store_conn *c,
	int (*each)(const struct store_tls_value *v, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db,
		"select coalesce(domain, 0), listener, key, value from tls_policy"
		" order by coalesce(domain, 0), listener, key",
		NULL, 0));
	while (db_next(q, &r)) {
		struct store_tls_value v = { db_int(q, 0), db_blob(q, 1), db_blob(q, 2),
			db_blob(q, 3) };

		r = each(&v, context);
	}
	return r;
}

int store_tls_value_set(struct store_conn *c, const struct store_tls_value *v)
{
	assert(c->writer);
	TRY(db_exec(c->db, NULL,
		"delete from tls_policy where coalesce(domain, 0) = $1 and listener = $2 and"
		" key = $3",
		DB_ARGS(DB_INT(v->domain), DB_SPAN(v->listener), DB_SPAN(v->key))));
	if (!v->value.p)
		return 0;
	TRY(db_exec(c->db, NULL,
		"insert into tls_policy (domain, listener, key, value) values ($1, $2, $3, $4)",
		DB_ARGS(v->domain ? DB_INT(v->domain) : DB_NULL, DB_SPAN(v->listener),
			DB_SPAN(v->key), DB_SPAN(v->value))));
	return 0;
}

int store_address_each(struct store_conn *c, int64_t domain,
	int (*each)(int64_t domain, struct span address, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db,
		"select domain, address from domain_address where $1 = 0 or domain = $1"
		" order by address",
		DB_ARGS(DB_INT(domain))));
	while (db_next(q, &r)) {
		r = each(db_int(q, 0), db_blob(q, 1), context);
	}
	return r;
}

int store_addresses_set(struct store_conn *c, int64_t domain, const struct span *addresses, size_t n,
	size_t *ret_taken)
{
	int64_t n_added;

	assert(c->writer);
	TRY(db_exec(c->db, NULL, "delete from domain_address where domain = $1",
		DB_ARGS(DB_INT(domain))));
	for (size_t i = 0; i < n; i++) {
		TRY(db_exec(c->db, &n_added,
			"insert into domain_address (address, domain) values ($1, $2)"
			" on conflict (address) do update set domain = excluded.domain"
			" where domain_address.domain = excluded.domain",
			DB_ARGS(DB_SPAN(addresses[i]), DB_INT(domain))));
		if (n_added == 0) {
			*ret_taken = i;
			return STORE_E_EXISTS;
		}
	}
	return 0;
}
