/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Client certificates as rows. Which of two rows of the same certificate is meant is never asked: a
 * certificate is in each list once. */

#include "store/client_rows.h"

#include "base/clock.h"
#include "store/conn.h"

#include <assert.h>

static struct db_value scope_of(int64_t domain)
{
	return domain ? DB_INT(domain) : DB_NULL;
}

static int count(struct store_conn *c, const char *sql, int64_t of, int64_t *ret_n)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db, sql, DB_ARGS(DB_INT(of))));
	*ret_n = row ? db_int(q, 0) : 0;
	return 0;
}

int store_client_issuer_add(struct store_conn *c, int64_t domain, struct span sha256,
	struct span der)
{
	int64_t n;

	assert(c->writer);
	TRY(count(c, "select count(*) from client_issuer where coalesce(domain, 0) = $1", domain,
		&n));
	if (n >= CLIENT_ISSUERS_MAX)
		return STORE_E_LIMIT;
	TRY(db_exec(c->db, &n,
		"insert into client_issuer (domain, sha256, der, created) values ($1, $2, $3, $4)"
		" on conflict do nothing",
		DB_ARGS(scope_of(domain), DB_SPAN(sha256), DB_SPAN(der), DB_INT(clock_now_us()))));
	return n ? 0 : STORE_E_EXISTS;
}

int store_client_issuer_remove(struct store_conn *c, int64_t domain, const struct span *sha256)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n,
		"delete from client_issuer where coalesce(domain, 0) = $1"
		" and ($2 = 1 or sha256 = $3)",
		DB_ARGS(DB_INT(domain), DB_INT(sha256 == NULL),
			DB_SPAN(sha256 ? *sha256 : SPAN("")))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

/* Rows of sha256, der, created. */
static int each_cert(struct db_statement *q,
	int (*each)(const struct store_client_cert *cert, void *context), void *context)
{
	int r = 0;

	while (db_next(q, &r)) {
		struct store_client_cert cert = {
			.sha256 = db_blob(q, 0),
			.der = db_blob(q, 1),
			.created_us = db_int(q, 2),
		};

		r = each(&cert, context);
	}
	return r;
}

int store_client_issuer_each(struct store_conn *c, int64_t domain,
	int (*each)(const struct store_client_cert *cert, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;

	TRY(db_query(&q, c->db,
		"select sha256, der, created from client_issuer where coalesce(domain, 0) = $1"
		" order by id",
		DB_ARGS(DB_INT(domain))));
	return each_cert(q, each, context);
}

int store_certmap_set(struct store_conn *c, int64_t domain, const struct span *rules,
	size_t n_rules)
{
	assert(c->writer);
	if (n_rules > CERTMAP_RULES_MAX)
		return STORE_E_LIMIT;
	TRY(db_exec(c->db, NULL, "delete from certmap where coalesce(domain, 0) = $1",
		DB_ARGS(DB_INT(domain))));
	for (size_t i = 0; i < n_rules; i++)
		TRY(db_exec(c->db, NULL,
			"insert into certmap (domain, n, rule) values ($1, $2, $3)",
			DB_ARGS(scope_of(domain), DB_INT(i), DB_SPAN(rules[i]))));
	return 0;
}

int store_certmap_each(struct store_conn *c, int64_t domain,
	int (*each)(struct span rule, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db,
		"select rule from certmap where coalesce(domain, 0) = $1 order by n",
		DB_ARGS(DB_INT(domain))));
	while (db_next(q, &r)) {
		r = each(db_blob(q, 0), context);
	}
	return r;
}

int store_account_cert_add(struct store_conn *c, int64_t account, struct span sha256,
	struct span der)
{
	int64_t n;

	assert(c->writer);
	TRY(count(c, "select count(*) from account where id = $1", account, &n));
	if (n == 0)
		return STORE_E_NOT_FOUND;
	TRY(count(c, "select count(*) from account_cert where account = $1", account, &n));
	if (n >= ACCOUNT_CERTS_MAX)
		return STORE_E_LIMIT;
	TRY(db_exec(c->db, &n,
		"insert into account_cert (account, sha256, der, created) values ($1, $2, $3, $4)"
		" on conflict do nothing",
		DB_ARGS(DB_INT(account), DB_SPAN(sha256), DB_SPAN(der), DB_INT(clock_now_us()))));
	return n ? 0 : STORE_E_EXISTS;
}

int store_account_cert_remove(struct store_conn *c, int64_t account, struct span sha256)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n, "delete from account_cert where account = $1 and sha256 = $2",
		DB_ARGS(DB_INT(account), DB_SPAN(sha256))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

int store_account_cert_each(struct store_conn *c, int64_t account,
	int (*each)(const struct store_client_cert *cert, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;

	TRY(db_query(&q, c->db,
		"select sha256, der, created from account_cert where account = $1"
		" order by created, sha256",
		DB_ARGS(DB_INT(account))));
	return each_cert(q, each, context);
}

int store_account_cert_has(struct store_conn *c, int64_t account, struct span sha256, bool *ret_has)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;

	TRY(db_query_row(&q, ret_has, c->db,
		"select 1 from account_cert where account = $1 and sha256 = $2",
		DB_ARGS(DB_INT(account), DB_SPAN(sha256))));
	return 0;
}

int store_account_cert_owners(struct store_conn *c, int64_t domain, struct span sha256,
	int (*each)(int64_t account, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db,
		"select t.account from account_cert t join account a on a.id = t.account"
		" where t.sha256 = $1 and a.domain = $2 order by t.account",
		DB_ARGS(DB_SPAN(sha256), DB_INT(domain))));
	while (db_next(q, &r)) {
		r = each(db_int(q, 0), context);
	}
	return r;
}
