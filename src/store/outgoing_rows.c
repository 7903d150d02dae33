/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "store/outgoing_rows.h"

#include "store/conn.h"

#include <assert.h>

#define OUTGOING_COLUMNS                                                                           \
	"select pattern, tls, oldest, identity, coalesce(domain, 0), alias from outgoing_rule"

static struct store_outgoing outgoing_of(struct db_statement *q)
{
	return (struct store_outgoing){
		.pattern = db_blob(q, 0),
		.tls = db_blob(q, 1),
		.oldest = db_blob(q, 2),
		.identity = db_blob(q, 3),
		.domain = db_int(q, 4),
		.alias = db_blob(q, 5),
	};
}

int store_outgoing_each(struct store_conn *c,
	int (*each)(const struct store_outgoing *row, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_prepare(&q, c->db, OUTGOING_COLUMNS " order by pattern"));
	while (db_next(q, &r)) {
		struct store_outgoing outgoing = outgoing_of(q);

		r = each(&outgoing, context);
	}
	return r;
}

int store_outgoing_get(struct store_conn *c, struct arena *a, struct span pattern,
	struct store_outgoing *ret_row)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	struct store_outgoing outgoing;
	bool row;

	TRY(db_query_row(&q, &row, c->db, OUTGOING_COLUMNS " where pattern = $1",
		DB_ARGS(DB_SPAN(pattern))));
	if (!row)
		return STORE_E_NOT_FOUND;
	outgoing = outgoing_of(q);
	outgoing.pattern = arena_span(a, outgoing.pattern);
	outgoing.tls = arena_span(a, outgoing.tls);
	outgoing.oldest = arena_span(a, outgoing.oldest);
	outgoing.identity = arena_span(a, outgoing.identity);
	outgoing.alias = arena_span(a, outgoing.alias);
	*ret_row = outgoing;
	return 0;
}

int store_outgoing_names(struct store_conn *c, int64_t domain, struct span alias, bool *ret_named)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;

	TRY(db_query_row(&q, ret_named, c->db,
		"select pattern from outgoing_rule where domain = $1 and alias = $2 limit 1",
		DB_ARGS(DB_INT(domain), DB_SPAN(alias))));
	return 0;
}

static int check_room(struct store_conn *c)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db, "select count(*) from outgoing_rule", NULL, 0));
	return db_int(q, 0) < STORE_OUTGOING_MAX ? 0 : STORE_E_LIMIT;
}

int store_outgoing_set(struct store_conn *c, const struct store_outgoing *row)
{
	int r;

	assert(c->writer);
	TRY(db_exec(c->db, NULL, "delete from outgoing_rule where pattern = $1",
		DB_ARGS(DB_SPAN(row->pattern))));
	r = check_room(c);
	if (r)
		return r;
	TRY(db_exec(c->db, NULL,
		"insert into outgoing_rule (pattern, tls, oldest, identity, domain, alias)"
		" values ($1, $2, $3, $4, $5, $6)",
		DB_ARGS(DB_SPAN(row->pattern), DB_SPAN(row->tls), DB_SPAN(row->oldest),
			DB_SPAN(row->identity), row->domain ? DB_INT(row->domain) : DB_NULL,
			DB_SPAN(row->alias))));
	return 0;
}

int store_outgoing_remove(struct store_conn *c, struct span pattern)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n, "delete from outgoing_rule where pattern = $1",
		DB_ARGS(DB_SPAN(pattern))));
	return n ? 0 : STORE_E_NOT_FOUND;
}
