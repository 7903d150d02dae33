/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A list has a row, whether it came from a file or from a URL. Of one issuer and scope a domain has one:
 * a file may bring a newer form of what is otherwise fetched, and a fetch takes over what came as a
 * file. That a list only ever gets newer is seen to here, in the transaction that writes it.
 */

#include "store/crl_rows.h"

#include "store/conn.h"

#include <assert.h>

#define CRL_COLUMNS                                                                                \
	"select id, coalesce(domain, 0), url, named, issuer, scope, der, authority, number,"       \
	" this_update, next_update, fetched, next_fetch, failures, problem, warned, created"       \
	" from crl"

static struct store_crl crl_of(struct db_statement *q)
{
	return (struct store_crl){
		.id = db_int(q, 0),
		.domain = db_int(q, 1),
		.url = db_blob(q, 2),
		.named = db_int(q, 3) != 0,
		.issuer = db_blob(q, 4),
		.scope = db_blob(q, 5),
		.der = db_blob(q, 6),
		.authority = db_blob(q, 7),
		.number = db_blob(q, 8),
		.this_update_us = db_int(q, 9),
		.next_update_us = db_int(q, 10),
		.fetched_us = db_int(q, 11),
		.next_fetch_us = db_int(q, 12),
		.failures = (unsigned)db_int(q, 13),
		.problem = db_blob(q, 14),
		.warned_us = db_int(q, 15),
		.created_us = db_int(q, 16),
	};
}

static int check_room(struct store_conn *c, int64_t domain)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db, "select count(*) from crl where coalesce(domain, 0) = $1",
		DB_ARGS(DB_INT(domain))));
	return db_int(q, 0) < STORE_CRLS_MAX ? 0 : STORE_E_LIMIT;
}

static int insert(struct store_conn *c, const struct store_crl *crl, int64_t *ret_id)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;
	int r = check_room(c, crl->domain);

	if (r)
		return r;
	TRY(db_query_row(&q, &row, c->db,
		"insert into crl (domain, url, named, issuer, scope, der, authority, number,"
		" this_update, next_update, fetched, next_fetch, failures, problem, warned, created)"
		" values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, $13, 0, $14)"
		" returning id",
		DB_ARGS(crl->domain ? DB_INT(crl->domain) : DB_NULL, DB_SPAN(crl->url),
			DB_INT(crl->named), DB_SPAN(crl->issuer), DB_SPAN(crl->scope),
			DB_SPAN(crl->der), DB_SPAN(crl->authority), DB_SPAN(crl->number),
			DB_INT(crl->this_update_us), DB_INT(crl->next_update_us),
			DB_INT(crl->fetched_us), DB_INT(crl->next_fetch_us), DB_SPAN(SPAN("")),
			DB_INT(crl->created_us))));
	*ret_id = db_int(q, 0);
	return 0;
}

int store_crl_add_url(struct store_conn *c, const struct store_crl *crl, int64_t *ret_id)
{
	struct store_crl row = { .domain = crl->domain, .url = crl->url, .named = crl->named,
		.issuer = SPAN(""), .scope = SPAN(""), .der = SPAN(""), .authority = crl->authority,
		.number = SPAN(""), .created_us = crl->created_us };
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool there;

	assert(c->writer);
	if (!row.authority.p)
		row.authority = SPAN("");
	TRY(db_query_row(&q, &there, c->db,
		"select id from crl where coalesce(domain, 0) = $1 and url = $2",
		DB_ARGS(DB_INT(crl->domain), DB_SPAN(crl->url))));
	return there ? STORE_E_EXISTS : insert(c, &row, ret_id);
}

static int number_compare(struct span a, struct span b)
{
	if (a.n != b.n)
		return a.n < b.n ? -1 : 1;
	return a.n ? memcmp(a.p, b.p, a.n) : 0;
}

/* RFC 5280 section 5.2.3: numbers grow, and one number is one content. */
static int check_newer(const struct store_crl *crl, struct span number, struct span der)
{
	int order = number_compare(crl->number, number);

	if (order > 0 || (order == 0 && span_equal(crl->der, der)))
		return 0;
	return STORE_E_STALE;
}

/* What is there of the same issuer and scope: its row (0: none) and whether it has a URL. */
static int find_same(struct store_conn *c, const struct store_crl *crl, int64_t *ret_id,
	bool *ret_has_url)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select id, length(url), number, der from crl"
		" where coalesce(domain, 0) = $1 and issuer = $2 and scope = $3",
		DB_ARGS(DB_INT(crl->domain), DB_SPAN(crl->issuer), DB_SPAN(crl->scope))));
	*ret_id = row ? db_int(q, 0) : 0;
	*ret_has_url = row && db_int(q, 1) > 0;
	return row ? check_newer(crl, db_blob(q, 2), db_blob(q, 3)) : 0;
}

static int update(struct store_conn *c, int64_t id, const struct store_crl *crl)
{
	int64_t n;

	TRY(db_exec(c->db, &n,
		"update crl set issuer = $2, scope = $3, der = $4, authority = $5, number = $6,"
		" this_update = $7, next_update = $8, fetched = $9, next_fetch = $10, failures = 0,"
		" problem = $11, warned = 0 where id = $1",
		DB_ARGS(DB_INT(id), DB_SPAN(crl->issuer), DB_SPAN(crl->scope), DB_SPAN(crl->der),
			DB_SPAN(crl->authority), DB_SPAN(crl->number), DB_INT(crl->this_update_us),
			DB_INT(crl->next_update_us), DB_INT(crl->fetched_us),
			DB_INT(crl->next_fetch_us), DB_SPAN(SPAN("")))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

int store_crl_put(struct store_conn *c, const struct store_crl *crl, int64_t *ret_id)
{
	int64_t id = crl->id, same;
	bool has_url;
	int r;

	assert(c->writer);
	r = find_same(c, crl, &same, &has_url);
	if (r)
		return r;
	if (!id && !same)
		return insert(c, crl, ret_id);
	if (id && same && same != id) {
		if (has_url)
			return STORE_E_EXISTS;
		TRY(store_crl_remove(c, same));
	}
	if (!id)
		id = same;
	*ret_id = id;
	return update(c, id, crl);
}

int store_crl_fetched(struct store_conn *c, int64_t id, int64_t next_fetch_us, unsigned failures,
	struct span problem)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n,
		"update crl set next_fetch = $2, failures = $3, problem = $4 where id = $1",
		DB_ARGS(DB_INT(id), DB_INT(next_fetch_us), DB_INT(failures), DB_SPAN(problem))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

int store_crl_warned(struct store_conn *c, int64_t id, int64_t now_us)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n, "update crl set warned = $2 where id = $1",
		DB_ARGS(DB_INT(id), DB_INT(now_us))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

int store_crl_remove(struct store_conn *c, int64_t id)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n, "delete from crl where id = $1", DB_ARGS(DB_INT(id))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

int store_crl_get(struct store_conn *c, struct arena *a, int64_t id, struct store_crl *ret_crl)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	struct store_crl crl;
	bool row;

	TRY(db_query_row(&q, &row, c->db, CRL_COLUMNS " where id = $1", DB_ARGS(DB_INT(id))));
	if (!row)
		return STORE_E_NOT_FOUND;
	crl = crl_of(q);
	crl.url = arena_span(a, crl.url);
	crl.issuer = arena_span(a, crl.issuer);
	crl.scope = arena_span(a, crl.scope);
	crl.der = arena_span(a, crl.der);
	crl.authority = arena_span(a, crl.authority);
	crl.number = arena_span(a, crl.number);
	crl.problem = arena_span(a, crl.problem);
	*ret_crl = crl;
	return 0;
}

int store_crl_each(struct store_conn *c, int (*each)(const struct store_crl *crl, void *context),
	void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_prepare(&q, c->db, CRL_COLUMNS " order by coalesce(domain, 0), id"));
	while (db_next(q, &r)) {
		struct store_crl crl = crl_of(q);

		r = each(&crl, context);
	}
	return r;
}

int store_crl_version(struct store_conn *c, struct buf *out)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select count(*), coalesce(sum(id), 0), coalesce(sum(fetched), 0),"
		" coalesce(sum(length(der)), 0) from crl",
		NULL, 0));
	for (int i = 0; i < 4; i++)
		buf_add_format(out, "%lld ", (long long)db_int(q, i));
	return 0;
}

int store_ocsp_put(struct store_conn *c, struct span sha256, struct span der, int64_t now_us)
{
	assert(c->writer);
	TRY(db_exec(c->db, NULL,
		"insert into ocsp_answer (sha256, der, fetched) values ($1, $2, $3)"
		" on conflict (sha256) do update set der = excluded.der, fetched = excluded.fetched",
		DB_ARGS(DB_SPAN(sha256), DB_SPAN(der), DB_INT(now_us))));
	return 0;
}

int store_ocsp_get(struct store_conn *c, struct span sha256, struct buf *der)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db, "select der from ocsp_answer where sha256 = $1",
		DB_ARGS(DB_SPAN(sha256))));
	if (!row)
		return STORE_E_NOT_FOUND;
	buf_add(der, db_blob(q, 0));
	return 0;
}

int store_ocsp_forget(struct store_conn *c, int64_t before_us)
{
	assert(c->writer);
	TRY(db_exec(c->db, NULL, "delete from ocsp_answer where fetched < $1",
		DB_ARGS(DB_INT(before_us))));
	return 0;
}
