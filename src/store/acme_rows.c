/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The state of an order is a few columns, written whenever a step is done, so that a restart goes
 * on where it was. People and the machine write to the same row: a change by people counts up the
 * revision, and what the machine found out about an older one is refused.
 */

#include "store/acme_rows.h"

#include "base/clock.h"
#include "store/conn.h"

#include <assert.h>

int store_acme_account_put(struct store_conn *c, const struct store_acme_account *account)
{
	assert(c->writer);
	TRY(db_exec(c->db, NULL,
		"insert into acme_account (domain, directory, contact, terms, kid, mac_key, roots,"
		" key_id, wrapped, spki, url, contact_sent, created)"
		" values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
		" on conflict (coalesce(domain, 0)) do update set directory = excluded.directory,"
		" contact = excluded.contact, terms = excluded.terms, kid = excluded.kid,"
		" mac_key = excluded.mac_key, roots = excluded.roots, key_id = excluded.key_id,"
		" wrapped = excluded.wrapped, spki = excluded.spki, url = excluded.url,"
		" contact_sent = excluded.contact_sent",
		DB_ARGS(account->domain ? DB_INT(account->domain) : DB_NULL,
			DB_SPAN(account->directory), DB_SPAN(account->contact),
			DB_INT(account->terms), DB_SPAN(account->kid), DB_SPAN(account->mac_key),
			DB_SPAN(account->roots), DB_SPAN(account->key_id),
			DB_SPAN(account->wrapped), DB_SPAN(account->spki), DB_SPAN(account->url),
			DB_INT(account->contact_sent), DB_INT(clock_now_us()))));
	return 0;
}

int store_acme_account_registered(struct store_conn *c, int64_t id, struct span url,
	bool contact_sent)
{
	assert(c->writer);
	TRY(db_exec(c->db, NULL,
		"update acme_account set url = $2, contact_sent = $3 where id = $1",
		DB_ARGS(DB_INT(id), DB_SPAN(url), DB_INT(contact_sent))));
	return 0;
}

int store_acme_account_remove(struct store_conn *c, int64_t domain)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n, "delete from acme_account where coalesce(domain, 0) = $1",
		DB_ARGS(DB_INT(domain))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

int store_acme_account_get(struct store_conn *c, struct arena *a, int64_t domain, bool fallback,
	struct store_acme_account *ret_account)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select id, coalesce(domain, 0), directory, contact, terms, kid, mac_key, roots,"
		" key_id, wrapped, spki, url, contact_sent, created from acme_account"
		" where coalesce(domain, 0) = $1 or ($2 <> 0 and domain is null)"
		" order by coalesce(domain, 0) desc limit 1",
		DB_ARGS(DB_INT(domain), DB_INT(fallback))));
	if (!row)
		return STORE_E_NOT_FOUND;
	*ret_account = (struct store_acme_account){
		.id = db_int(q, 0),
		.domain = db_int(q, 1),
		.directory = arena_span(a, db_blob(q, 2)),
		.contact = arena_span(a, db_blob(q, 3)),
		.terms = db_int(q, 4) != 0,
		.kid = arena_span(a, db_blob(q, 5)),
		.mac_key = arena_span(a, db_blob(q, 6)),
		.roots = arena_span(a, db_blob(q, 7)),
		.key_id = arena_span(a, db_blob(q, 8)),
		.wrapped = arena_span(a, db_blob(q, 9)),
		.spki = arena_span(a, db_blob(q, 10)),
		.url = arena_span(a, db_blob(q, 11)),
		.contact_sent = db_int(q, 12) != 0,
		.created_us = db_int(q, 13),
	};
	return 0;
}

int store_acme_order_put(struct store_conn *c, const struct store_acme_order *order, int64_t now_us)
{
	assert(c->writer);
	TRY(db_exec(c->db, NULL,
		"insert into acme_order (domain, type, names, challenge, revision, state, url, next,"
		" renew, advice, failures, last_error, told, created)"
		" values ($1, $2, $3, $4, 1, $5, $6, $7, 0, 0, 0, $6, 0, $7)"
		" on conflict (domain, type) do update set names = excluded.names,"
		" challenge = excluded.challenge, revision = acme_order.revision + 1,"
		" state = excluded.state, url = excluded.url, next = excluded.next, failures = 0,"
		" last_error = excluded.last_error, told = 0",
		DB_ARGS(DB_INT(order->domain), DB_SPAN(order->type), DB_SPAN(order->names),
			DB_INT(order->challenge), DB_INT(ACME_STATE_WANTED), DB_SPAN(SPAN("")),
			DB_INT(now_us))));
	return 0;
}

int store_acme_order_renew(struct store_conn *c, int64_t domain, int64_t now_us)
{
	int64_t n;

	assert(c->writer);
	/* An order that is under way goes on, at once. */
	TRY(db_exec(c->db, &n,
		"update acme_order set next = $2, failures = 0, last_error = $5,"
		" revision = revision + 1,"
		" state = case when state = $3 then $4 else state end where domain = $1",
		DB_ARGS(DB_INT(domain), DB_INT(now_us), DB_INT(ACME_STATE_IDLE),
			DB_INT(ACME_STATE_WANTED), DB_SPAN(SPAN("")))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

int store_acme_order_save(struct store_conn *c, const struct store_acme_order *order)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n,
		"update acme_order set state = $3, url = $4, tls_key = $5, cert = $6, next = $7,"
		" renew = $8, advice = $9, failures = $10, last_error = $11, told = $12"
		" where id = $1 and revision = $2",
		DB_ARGS(DB_INT(order->id), DB_INT(order->revision), DB_INT(order->state),
			DB_SPAN(order->url), order->key ? DB_INT(order->key) : DB_NULL,
			order->cert ? DB_INT(order->cert) : DB_NULL, DB_INT(order->next_us),
			DB_INT(order->renew_us), DB_INT(order->advice_us),
			DB_INT(order->failures), DB_SPAN(order->last_error),
			DB_INT(order->told_us))));
	return n ? 0 : STORE_E_STALE;
}

int store_acme_order_remove(struct store_conn *c, int64_t domain)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n, "delete from acme_order where domain = $1", DB_ARGS(DB_INT(domain))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

int store_acme_order_drop(struct store_conn *c, int64_t id)
{
	assert(c->writer);
	TRY(db_exec(c->db, NULL, "delete from acme_order where id = $1", DB_ARGS(DB_INT(id))));
	return 0;
}

#define ORDER_COLUMNS                                                                              \
	"select id, domain, type, names, challenge, revision, state, url, tls_key, cert, next,"    \
	" renew, advice, failures, last_error, told, created from acme_order"

static struct store_acme_order order_of(struct db_statement *q)
{
	return (struct store_acme_order){
		.id = db_int(q, 0),
		.domain = db_int(q, 1),
		.type = db_blob(q, 2),
		.names = db_blob(q, 3),
		.challenge = (unsigned)db_int(q, 4),
		.revision = db_int(q, 5),
		.state = (enum store_acme_state)db_int(q, 6),
		.url = db_blob(q, 7),
		.key = db_int(q, 8),
		.cert = db_int(q, 9),
		.next_us = db_int(q, 10),
		.renew_us = db_int(q, 11),
		.advice_us = db_int(q, 12),
		.failures = (unsigned)db_int(q, 13),
		.last_error = db_blob(q, 14),
		.told_us = db_int(q, 15),
		.created_us = db_int(q, 16),
	};
}

static int order_row(struct db_statement *q, bool row, struct arena *a,
	struct store_acme_order *ret_order)
{
	struct store_acme_order order;

	if (!row)
		return STORE_E_NOT_FOUND;
	order = order_of(q);
	order.type = arena_span(a, order.type);
	order.names = arena_span(a, order.names);
	order.url = arena_span(a, order.url);
	order.last_error = arena_span(a, order.last_error);
	*ret_order = order;
	return 0;
}

int store_acme_order_get(struct store_conn *c, struct arena *a, int64_t id,
	struct store_acme_order *ret_order)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db, ORDER_COLUMNS " where id = $1", DB_ARGS(DB_INT(id))));
	return order_row(q, row, a, ret_order);
}

int store_acme_order_of_cert(struct store_conn *c, struct arena *a, int64_t cert,
	struct store_acme_order *ret_order)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db, ORDER_COLUMNS " where cert = $1", DB_ARGS(DB_INT(cert))));
	return order_row(q, row, a, ret_order);
}

int store_acme_order_each(struct store_conn *c, int64_t domain,
	int (*each)(const struct store_acme_order *order, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db, ORDER_COLUMNS " where $1 = 0 or domain = $1 order by domain, type",
		DB_ARGS(DB_INT(domain))));
	while (db_next(q, &r)) {
		struct store_acme_order order = order_of(q);

		r = each(&order, context);
	}
	return r;
}

int store_acme_order_due(struct store_conn *c, int64_t now_us, struct store_acme_due *due, size_t max,
	size_t *ret_n)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	size_t n = 0;
	int r = 0;

	TRY(db_query(&q, c->db,
		"select id, domain from acme_order where next <= $1 order by next, id limit $2",
		DB_ARGS(DB_INT(now_us), DB_INT(max))));
	while (n < max && db_next(q, &r))
		due[n++] = (struct store_acme_due){ .id = db_int(q, 0), .domain = db_int(q, 1) };
	if (r)
		return r;
	*ret_n = n;
	return 0;
}

int store_acme_proof_add(struct store_conn *c, const struct store_acme_proof *proof)
{
	assert(c->writer);
	TRY(db_exec(c->db, NULL,
		"insert into acme_proof (acme_order, challenge, token, name, value, created)"
		" values ($1, $2, $3, $4, $5, $6)"
		" on conflict (acme_order, challenge, token) do update set value = excluded.value",
		DB_ARGS(DB_INT(proof->order), DB_INT(proof->challenge), DB_SPAN(proof->token),
			DB_SPAN(proof->name), DB_SPAN(proof->value), DB_INT(clock_now_us()))));
	return 0;
}

int store_acme_proof_remove(struct store_conn *c, int64_t id)
{
	assert(c->writer);
	TRY(db_exec(c->db, NULL, "delete from acme_proof where id = $1", DB_ARGS(DB_INT(id))));
	return 0;
}

int store_acme_proof_each(struct store_conn *c, int64_t order,
	int (*each)(const struct store_acme_proof *proof, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db,
		"select id, acme_order, challenge, token, name, value from acme_proof"
		" where acme_order = $1 order by id",
		DB_ARGS(DB_INT(order))));
	while (db_next(q, &r)) {
		struct store_acme_proof proof = {
			.id = db_int(q, 0),
			.order = db_int(q, 1),
			.challenge = (unsigned)db_int(q, 2),
			.token = db_blob(q, 3),
			.name = db_blob(q, 4),
			.value = db_blob(q, 5),
		};

		r = each(&proof, context);
	}
	return r;
}

int store_acme_proof_find(struct store_conn *c, struct arena *a, unsigned challenge, struct span token,
	struct span *ret_value)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select value from acme_proof where token = $1 and challenge = $2",
		DB_ARGS(DB_SPAN(token), DB_INT(challenge))));
	if (!row)
		return STORE_E_NOT_FOUND;
	*ret_value = arena_span(a, db_blob(q, 0));
	return 0;
}

/* A key goes with its certificate, unless somebody uses it for something else, too: with the key would
 * go everything that is for it. */
static int remove_expired(struct store_conn *c, int64_t order, int64_t now_us)
{
	TRY(db_exec(c->db, NULL,
		"delete from tls_key where id in (select c.tls_key from acme_cert a"
		" join cert c on c.id = a.cert where a.acme_order = $1 and a.not_after < $2"
		" and c.services = $3"
		" and not exists (select 1 from cert o where o.tls_key = c.tls_key and o.id <> c.id)"
		" and not exists (select 1 from request r where r.tls_key = c.tls_key))",
		DB_ARGS(DB_INT(order), DB_INT(now_us), DB_SPAN(SPAN("")))));
	TRY(db_exec(c->db, NULL,
		"delete from cert where services = $3 and id in (select cert from acme_cert"
		" where acme_order = $1 and not_after < $2)",
		DB_ARGS(DB_INT(order), DB_INT(now_us), DB_SPAN(SPAN("")))));
	return 0;
}

int store_acme_cert_add(struct store_conn *c, int64_t order, int64_t cert, int64_t not_after_us,
	int64_t now_us)
{
	assert(c->writer);
	TRY(remove_expired(c, order, now_us));
	TRY(db_exec(c->db, NULL,
		"insert into acme_cert (cert, acme_order, not_after) values ($1, $2, $3)",
		DB_ARGS(DB_INT(cert), DB_INT(order), DB_INT(not_after_us))));
	return 0;
}

int store_acme_cert_recent(struct store_conn *c, int64_t order, int64_t since_us, unsigned *ret_n)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select count(*) from acme_cert a join cert c on c.id = a.cert"
		" where a.acme_order = $1 and c.created > $2",
		DB_ARGS(DB_INT(order), DB_INT(since_us))));
	*ret_n = row ? (unsigned)db_int(q, 0) : 0;
	return 0;
}
