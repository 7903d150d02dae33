/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Domains, domain aliases and address aliases as rows. Where mail goes is route.c's. */

#include "store/domain.h"

#include "base/clock.h"
#include "base/conf.h"
#include "base/limit.h"
#include "store/conn.h"
#include "store/domain_rows.h"
#include "store/name.h"

#include <assert.h>

enum { ALIAS_TARGETS_MAX = 1000 };

#define DOMAIN_COLUMNS                                                                             \
	"select d.id, d.name, d.pki, d.main, d.account_quota, d.created, d.n_accounts, d.shared,"  \
	" d.client_required, d.smime from domain d"

static void domain_of(struct db_statement *q, struct arena *a, struct store_domain *d)
{
	*d = (struct store_domain){
		.id = db_int(q, 0),
		.name = arena_string(a, db_blob(q, 1)),
		.pki = (enum pki_mode)db_int(q, 2),
		.main = db_int(q, 3) != 0,
		.account_quota = (uint64_t)db_int(q, 4),
		.created_us = db_int(q, 5),
		.n_accounts = (uint64_t)db_int(q, 6),
		.shared = db_int(q, 7) != 0,
		.client_required = db_int(q, 8) != 0,
		.smime = db_int(q, 9) != 0,
	};
}

int domain_id(struct store_conn *c, struct span name, int64_t *ret_id)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	CLEANUP(arena_done) struct arena a = {};
	struct span lower;
	bool row;

	if (name.n > LIMIT_NAME)
		return STORE_E_NOT_FOUND;
	lower = name_lower(&a, name);
	TRY(db_query_row(&q, &row, c->db,
		"select id from domain where name = $1"
		" union all select domain from domain_alias where name = $1",
		DB_ARGS(DB_SPAN(lower))));
	if (!row)
		return STORE_E_NOT_FOUND;
	*ret_id = db_int(q, 0);
	return 0;
}

int domain_main_id(struct store_conn *c, int64_t *ret_id)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db, "select id from domain where main = 1", NULL, 0));
	if (!row)
		return STORE_E_NOT_FOUND;
	*ret_id = db_int(q, 0);
	return 0;
}

int domain_of_login(struct store_conn *c, struct span *login, int64_t *ret_id)
{
	const uint8_t *at = login->n ? memrchr(login->p, '@', login->n) : NULL;
	struct span domain;

	if (!at)
		return domain_main_id(c, ret_id);
	domain = span_skip(*login, (size_t)(at - login->p) + 1);
	*login = span_head(*login, (size_t)(at - login->p));
	return domain_id(c, domain, ret_id);
}

/* A domain's new name: well-formed and free. */
static int check_new_name(struct store_conn *c, struct span name)
{
	int64_t other;
	int r;

	if (name.n == 0 || name.n > LIMIT_NAME || !span_is_ascii(name))
		return STORE_E_REFUSED;
	r = domain_id(c, name, &other);
	if (r == STORE_E_NOT_FOUND)
		return 0;
	return r ? err_fold(r) : STORE_E_EXISTS;
}

int store_domain_add(struct store_conn *c, struct span name, int64_t *ret_id)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	CLEANUP(arena_done) struct arena a = {};
	bool row;
	int r;

	assert(c->writer);
	r = check_new_name(c, name);
	if (r)
		return r;
	conn_routes_changed(c);
	TRY(db_query_row(&q, &row, c->db,
		"insert into domain (name, pki, main, account_quota, n_accounts, created)"
		" values ($1, $2, 0, 0, 0, $3) returning id",
		DB_ARGS(DB_SPAN(name_lower(&a, name)), DB_INT(PKI_ENABLED),
			DB_INT(clock_now_us()))));
	*ret_id = db_int(q, 0);
	return 0;
}

int store_domain_get(struct store_conn *c, struct arena *a, int64_t id,
	struct store_domain *ret_domain)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db, DOMAIN_COLUMNS " where d.id = $1", DB_ARGS(DB_INT(id))));
	if (!row)
		return STORE_E_NOT_FOUND;
	domain_of(q, a, ret_domain);
	return 0;
}

int store_domain_remove(struct store_conn *c, int64_t id)
{
	CLEANUP(arena_done) struct arena a = {};
	struct store_domain d;
	int r;

	assert(c->writer);
	r = store_domain_get(c, &a, id, &d);
	if (r)
		return r;
	if (d.main)
		return STORE_E_REFUSED;
	if (d.n_accounts)
		return STORE_E_IN_USE;
	conn_routes_changed(c);
	TRY(db_exec(c->db, NULL, "delete from domain where id = $1", DB_ARGS(DB_INT(id))));
	return 0;
}

int store_domain_rename(struct store_conn *c, int64_t id, struct span name)
{
	CLEANUP(arena_done) struct arena a = {};
	int64_t n;
	int r;

	assert(c->writer);
	r = check_new_name(c, name);
	if (r)
		return r;
	conn_routes_changed(c);
	TRY(db_exec(c->db, &n, "update domain set name = $2 where id = $1",
		DB_ARGS(DB_INT(id), DB_SPAN(name_lower(&a, name)))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

/* The values that can be set, read by the table-driven reader. */
struct domain_values {
	unsigned pki;
	uint64_t account_quota;
	bool shared;
	bool client_required;
	bool smime;
};

static const char *const pki_words[] = { "disabled", "test", "enabled", NULL };

static const struct conf_row domain_rows[] = {
	{ .key = "pki", .type = CONF_CHOICE, .fallback = "enabled", .choices = pki_words,
		.offset = offsetof(struct domain_values, pki),
		.help = "Whether the domain's keys and certificates are used." },
	{ .key = "account_quota", .type = CONF_NUMBER, .fallback = "0", .max = (uint64_t)1 << 50,
		.unit = "octets", .offset = offsetof(struct domain_values, account_quota),
		.help = "What its accounts may store; 0: what the server says." },
	{ .key = "shared", .type = CONF_BOOL, .fallback = "no",
		.offset = offsetof(struct domain_values, shared),
		.help = "Whether it lives on all nodes of a cluster, and trusts what the cluster trusts." },
	{ .key = "client_required", .type = CONF_BOOL, .fallback = "no",
		.offset = offsetof(struct domain_values, client_required),
		.help = "Whether only clients with a valid certificate are let in." },
	{ .key = "smime", .type = CONF_BOOL, .fallback = "yes",
		.offset = offsetof(struct domain_values, smime),
		.help = "Whether its accounts may have Secure Mail keys." },
};

int store_domain_set(struct store_conn *c, int64_t id, struct span key, struct span value,
	struct why *why)
{
	CLEANUP(arena_done) struct arena a = {};
	struct domain_values values;
	struct store_domain d;
	int r;

	assert(c->writer);
	r = store_domain_get(c, &a, id, &d);
	if (r)
		return r;
	values = (struct domain_values){ .pki = d.pki, .account_quota = d.account_quota,
		.shared = d.shared, .client_required = d.client_required, .smime = d.smime };
	r = conf_set(domain_rows, sizeof domain_rows / sizeof domain_rows[0], &values, key, value,
		why);
	if (r == CONF_E_UNKNOWN)
		why_set(why, "a domain has the keys pki, account_quota, shared, client_required"
			" and smime");
	if (r)
		return r > 0 ? STORE_E_REFUSED : r;
	conn_routes_changed(c);
	TRY(db_exec(c->db, NULL,
		"update domain set pki = $2, account_quota = $3, shared = $4, client_required = $5,"
		" smime = $6 where id = $1",
		DB_ARGS(DB_INT(id), DB_INT(values.pki), DB_INT(values.account_quota),
			DB_INT(values.shared), DB_INT(values.client_required),
			DB_INT(values.smime))));
	return 0;
}

int store_domain_set_main(struct store_conn *c, int64_t id)
{
	int64_t n;

	assert(c->writer);
	conn_routes_changed(c);
	TRY(db_exec(c->db, NULL, "update domain set main = 0 where main = 1 and id <> $1",
		DB_ARGS(DB_INT(id))));
	TRY(db_exec(c->db, &n, "update domain set main = 1 where id = $1", DB_ARGS(DB_INT(id))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

int store_domain_find(struct store_conn *c, struct arena *a, struct span name,
	struct store_domain *ret_domain)
{
	int64_t id;
	int r = domain_id(c, name, &id);

	return r ? r : store_domain_get(c, a, id, ret_domain);
}

int store_domain_of_login(struct store_conn *c, struct arena *a, struct span login,
	struct store_domain *ret_domain)
{
	int64_t id;
	int r = domain_of_login(c, &login, &id);

	return r ? r : store_domain_get(c, a, id, ret_domain);
}

int store_domain_main(struct store_conn *c, struct arena *a, struct store_domain *ret_domain)
{
	int64_t id;
	int r = domain_main_id(c, &id);

	return r ? r : store_domain_get(c, a, id, ret_domain);
}

int store_domain_each(struct store_conn *c,
	int (*each)(const struct store_domain *d, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	CLEANUP(arena_done) struct arena a = {};
	int r = 0;

	TRY(db_query(&q, c->db, DOMAIN_COLUMNS " order by d.name", NULL, 0));
	while (db_next(q, &r)) {
		struct store_domain d;

		arena_clear(&a);
		domain_of(q, &a, &d);
		r = each(&d, context);
	}
	return r;
}

int store_domain_alias_add(struct store_conn *c, int64_t domain, struct span alias)
{
	CLEANUP(arena_done) struct arena a = {};
	struct store_domain d;
	int r;

	assert(c->writer);
	r = store_domain_get(c, &a, domain, &d);
	if (!r)
		r = check_new_name(c, alias);
	if (r)
		return r;
	conn_routes_changed(c);
	TRY(db_exec(c->db, NULL, "insert into domain_alias (name, domain) values ($1, $2)",
		DB_ARGS(DB_SPAN(name_lower(&a, alias)), DB_INT(domain))));
	return 0;
}

int store_domain_alias_remove(struct store_conn *c, struct span alias)
{
	CLEANUP(arena_done) struct arena a = {};
	int64_t n;

	assert(c->writer);
	conn_routes_changed(c);
	TRY(db_exec(c->db, &n, "delete from domain_alias where name = $1",
		DB_ARGS(DB_SPAN(name_lower(&a, alias)))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

int store_domain_alias_each(struct store_conn *c, int64_t domain,
	int (*each)(struct span alias, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db, "select name from domain_alias where domain = $1 order by name",
		DB_ARGS(DB_INT(domain))));
	while (db_next(q, &r)) {
		r = each(db_blob(q, 0), context);
	}
	return r;
}

int local_is_taken(struct store_conn *c, int64_t domain, struct span local, bool *ret_taken)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;

	TRY(db_query_row(&q, ret_taken, c->db,
		"select 1 from account where domain = $1 and local = $2"
		" union all select 1 from address_alias where domain = $1 and local = $2",
		DB_ARGS(DB_INT(domain), DB_SPAN(local))));
	return 0;
}

/* Addresses in one text; a comma within one would read as two. */
static int join_targets(const struct span *targets, size_t n, struct buf *out)
{
	if (n == 0)
		return STORE_E_REFUSED;
	if (n > ALIAS_TARGETS_MAX)
		return STORE_E_LIMIT;
	for (size_t i = 0; i < n; i++) {
		if (targets[i].n > LIMIT_ADDRESS)
			return STORE_E_LIMIT;
		if (span_find(targets[i], ',') < targets[i].n ||
			span_find(targets[i], '@') == targets[i].n)
			return STORE_E_REFUSED;
		if (i)
			buf_add_octet(out, ',');
		buf_add(out, targets[i]);
	}
	return 0;
}

int store_alias_add(struct store_conn *c, int64_t domain, struct span local,
	const struct span *targets, size_t n_targets)
{
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(buf_done) struct buf list = {};
	struct store_domain d;
	bool taken;
	int r;

	assert(c->writer);
	r = store_domain_get(c, &a, domain, &d);
	if (!r)
		r = name_local_is_valid(local) ? join_targets(targets, n_targets, &list) :
						 STORE_E_REFUSED;
	if (r)
		return r;
	local = name_local(&a, local);
	TRY(local_is_taken(c, domain, local, &taken));
	if (taken)
		return STORE_E_EXISTS;
	conn_routes_changed(c);
	TRY(db_exec(c->db, NULL,
		"insert into address_alias (domain, local, targets) values ($1, $2, $3)",
		DB_ARGS(DB_INT(domain), DB_SPAN(local), DB_SPAN(buf_span(&list)))));
	return 0;
}

int store_alias_remove(struct store_conn *c, int64_t domain, struct span local)
{
	CLEANUP(arena_done) struct arena a = {};
	int64_t n;

	assert(c->writer);
	conn_routes_changed(c);
	TRY(db_exec(c->db, &n, "delete from address_alias where domain = $1 and local = $2",
		DB_ARGS(DB_INT(domain), DB_SPAN(name_local(&a, local)))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

int store_alias_each(struct store_conn *c, int64_t domain,
	int (*each)(struct span address, struct span targets, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	CLEANUP(buf_done) struct buf address = {};
	int r = 0;

	TRY(db_query(&q, c->db,
		"select t.local, d.name, t.targets from address_alias t join domain d"
		" on d.id = t.domain where $1 = 0 or t.domain = $1 order by d.name, t.local",
		DB_ARGS(DB_INT(domain))));
	while (db_next(q, &r)) {
		buf_clear(&address);
		buf_add(&address, db_blob(q, 0));
		buf_add_octet(&address, '@');
		buf_add(&address, db_blob(q, 1));
		r = each(buf_span(&address), db_blob(q, 2), context);
	}
	return r;
}
