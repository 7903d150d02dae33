/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * What must never happen is settled by the database, not by whoever asks it: two certificates with
 * one serial number, two revocation lists with one number, a list without what was revoked before
 * it.
 */

#include "store/ca_rows.h"

#include "base/clock.h"
#include "store/conn.h"
#include "store/name.h"

#include <assert.h>

static const int64_t week_us = 7LL * 24 * 3600 * 1000000;

#define AUTHORITY_COLUMNS                                                                          \
	"select id, coalesce(domain, 0), coalesce(tls_key, 0), name, label, active, der, chain,"   \
	" crl_number, crl_next, created from authority"

#define ISSUED_FIELDS                                                                              \
	"i.id, i.authority, coalesce(i.account, 0), i.serial, i.address, i.der,"                   \
	" i.not_after, i.renew, i.failures, coalesce(i.successor, 0), i.revoked, i.reason,"        \
	" i.told, i.created, i.key_sha256"
#define ISSUED_COLUMNS "select " ISSUED_FIELDS " from issued i"

/* Of an index's few rows; without the sign the whole table is walked in that order instead. */
#define BY_ID "order by +i.id"

/* The account has it for such a key, and neither the account nor its Secure Mail is off. */
#define IS_OF_KEY(which)                                                                           \
	"exists (select 1 from account p join domain d on d.id = p.domain"                         \
	" join secure_mail m on m.account = p.id join secure_key k on k.account = p.id"            \
	" join secure_cert s on s.secure_key = k.id where p.id = i.account and p.disabled = 0"     \
	" and (p.smime > 0 or (p.smime < 0 and d.smime <> 0)) and s.der = i.der and " which ")"
#define IS_CURRENT   IS_OF_KEY("k.is_current <> 0 and s.is_current <> 0")
#define MAY_BE_USED  IS_OF_KEY("k.password = m.password")
#define SELECT_KEPT(certain)                                                                       \
	"select " ISSUED_FIELDS ", case when " certain " then 1 else 0 end from issued i"

const char *store_issued_reason_name(unsigned reason)
{
	static const char *const names[] = {
		[REASON_UNSPECIFIED] = "unspecified",
		[REASON_KEY_COMPROMISE] = "keyCompromise",
		[REASON_CA_COMPROMISE] = "cACompromise",
		[REASON_AFFILIATION] = "affiliationChanged",
		[REASON_SUPERSEDED] = "superseded",
		[REASON_CESSATION] = "cessationOfOperation",
		[REASON_PRIVILEGE] = "privilegeWithdrawn",
	};

	return reason < sizeof names / sizeof names[0] ? names[reason] : NULL;
}

static struct store_authority authority_of(struct db_statement *q)
{
	return (struct store_authority){
		.id = db_int(q, 0),
		.domain = db_int(q, 1),
		.key = db_int(q, 2),
		.name = db_blob(q, 3),
		.label = db_blob(q, 4),
		.active = db_int(q, 5) != 0,
		.der = db_blob(q, 6),
		.chain = db_blob(q, 7),
		.crl_number = db_int(q, 8),
		.crl_next_us = db_int(q, 9),
		.created_us = db_int(q, 10),
	};
}

static struct store_issued issued_of(struct db_statement *q)
{
	return (struct store_issued){
		.id = db_int(q, 0),
		.authority = db_int(q, 1),
		.account = db_int(q, 2),
		.serial = db_blob(q, 3),
		.address = db_blob(q, 4),
		.der = db_blob(q, 5),
		.not_after_us = db_int(q, 6),
		.renew_us = db_int(q, 7),
		.failures = (unsigned)db_int(q, 8),
		.successor = db_int(q, 9),
		.revoked_us = db_int(q, 10),
		.reason = (unsigned)db_int(q, 11),
		.told_days = db_int(q, 12),
		.created_us = db_int(q, 13),
		.key_sha256 = db_blob(q, 14),
	};
}

int store_authority_retire(struct store_conn *c, int64_t domain)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n, "update authority set active = 0 where domain = $1 and active <> 0",
		DB_ARGS(DB_INT(domain))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

int store_authority_add(struct store_conn *c, const struct store_authority *row, int64_t *ret_id)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool has;
	int r = row->active ? store_authority_retire(c, row->domain) : 0;

	assert(c->writer);
	if (r < 0)
		return r;
	TRY(db_query_row(&q, &has, c->db,
		"insert into authority (domain, tls_key, name, label, active, der, chain, "
		"crl_number,"
		" crl_next, created) values ($1, $2, $3, $4, $5, $6, $7, 0, 0, $8)"
		" on conflict (label) do nothing returning id",
		DB_ARGS(DB_INT(row->domain), DB_INT(row->key), DB_SPAN(row->name),
			DB_SPAN(row->label), DB_INT(row->active), DB_SPAN(row->der),
			DB_SPAN(row->chain), DB_INT(row->created_us))));
	if (!has)
		return STORE_E_EXISTS;
	*ret_id = db_int(q, 0);
	return 0;
}

int store_authority_replace(struct store_conn *c, int64_t id, struct span der, struct span chain)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n, "update authority set der = $2, chain = $3 where id = $1",
		DB_ARGS(DB_INT(id), DB_SPAN(der), DB_SPAN(chain))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

int store_authority_activate(struct store_conn *c, int64_t id)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n,
		"update authority set active = case when id = $1 then 1 else 0 end"
		" where domain = (select domain from authority where id = $1)",
		DB_ARGS(DB_INT(id))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

int store_authority_set_crl(struct store_conn *c, const struct store_authority *seen,
	struct span crl, int64_t next_us, int64_t listed_us)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n,
		"update authority set crl_number = $2 + 1, crl_next = $3"
		" where id = $1 and crl_number = $2 and crl_next = $4",
		DB_ARGS(DB_INT(seen->id), DB_INT(seen->crl_number), DB_INT(next_us),
			DB_INT(seen->crl_next_us))));
	if (!n)
		return STORE_E_STALE;
	TRY(db_exec(c->db, NULL,
		"insert into authority_list (authority, der) values ($1, $2)"
		" on conflict (authority) do update set der = excluded.der",
		DB_ARGS(DB_INT(seen->id), DB_SPAN(crl))));
	/* RFC 5280 section 3.3: an entry goes only after it stood on a list made after its end. */
	TRY(db_exec(c->db, NULL,
		"update issued set listed = 1"
		" where authority = $1 and revoked <> 0 and listed = 0 and not_after < $2",
		DB_ARGS(DB_INT(seen->id), DB_INT(listed_us))));
	return 0;
}

/* Another list is due at once; and one that is being made does not count (store_authority_set_crl). */
#define LIST_IS_DUE "update authority set crl_next = case when crl_next > 0 then 0 else crl_next - 1 end"


static void authority_keep(struct arena *a, struct store_authority *row)
{
	row->name = arena_span(a, row->name);
	row->label = arena_span(a, row->label);
	row->der = arena_span(a, row->der);
	row->chain = arena_span(a, row->chain);
}

int store_authority_list(struct store_conn *c, int64_t id, int64_t *ret_number, struct buf *out)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool has;

	TRY(db_query_row(&q, &has, c->db,
		"select a.crl_number, l.der from authority a join authority_list l on l.authority = a.id"
		" where a.id = $1",
		DB_ARGS(DB_INT(id))));
	if (!has)
		return STORE_E_NOT_FOUND;
	*ret_number = db_int(q, 0);
	buf_add(out, db_blob(q, 1));
	return 0;
}

int store_authority_list_each(struct store_conn *c,
	int (*each)(int64_t id, struct span der, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db, "select authority, der from authority_list order by authority", NULL, 0));
	while (db_next(q, &r)) {
		r = each(db_int(q, 0), db_blob(q, 1), context);
	}
	return r;
}

/* One row, if there is one. */
static int authority_row(struct store_conn *c, struct arena *a, const char *sql,
	const struct db_value *values, size_t n_values, struct store_authority *ret_row)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool has;

	TRY(db_query_row(&q, &has, c->db, sql, values, n_values));
	if (!has)
		return STORE_E_NOT_FOUND;
	*ret_row = authority_of(q);
	authority_keep(a, ret_row);
	return 0;
}

int store_authority_get(struct store_conn *c, struct arena *a, int64_t id,
	struct store_authority *ret_row)
{
	return authority_row(c, a, AUTHORITY_COLUMNS " where id = $1", DB_ARGS(DB_INT(id)),
		ret_row);
}

int store_authority_active(struct store_conn *c, struct arena *a, int64_t domain,
	struct store_authority *ret_row)
{
	return authority_row(c, a, AUTHORITY_COLUMNS " where domain = $1 and active <> 0",
		DB_ARGS(DB_INT(domain)), ret_row);
}

int store_authority_by_label(struct store_conn *c, struct arena *a, struct span label,
	struct store_authority *ret_row)
{
	return authority_row(c, a, AUTHORITY_COLUMNS " where label = $1", DB_ARGS(DB_SPAN(label)),
		ret_row);
}

int store_authority_each(struct store_conn *c, int64_t domain,
	int (*each)(const struct store_authority *row, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db, AUTHORITY_COLUMNS " where $1 = 0 or domain = $1 order by id",
		DB_ARGS(DB_INT(domain))));
	while (db_next(q, &r)) {
		struct store_authority row = authority_of(q);

		r = each(&row, context);
	}
	return r;
}

int store_authority_needs_key(struct store_conn *c, int64_t key, int64_t now_us, bool *ret_needs)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;

	TRY(db_query_row(&q, ret_needs, c->db,
		"select 1 from authority a where a.tls_key = $1 and (a.active <> 0 or exists"
		" (select 1 from issued i where i.authority = a.id and i.revoked = 0"
		" and i.not_after > $2)) limit 1",
		DB_ARGS(DB_INT(key), DB_INT(now_us))));
	return 0;
}

int store_issued_add(struct store_conn *c, const struct store_issued *row, int64_t *ret_id)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	CLEANUP(db_resetp) struct db_statement *alive = NULL;
	bool has;

	assert(c->writer);
	TRY(db_query_row(&alive, &has, c->db,
		"select 1 from authority where id = $1 and tls_key is not null",
		DB_ARGS(DB_INT(row->authority))));
	if (!has)
		return STORE_E_NOT_FOUND;
	TRY(db_query_row(&q, &has, c->db,
		"insert into issued (authority, account, serial, address, der, not_after, renew,"
		" failures, successor, revoked, reason, listed, told, created, key_sha256)"
		" values ($1, $2, $3, $4, $5, $6, $7, 0, null, 0, 0, 0, -1, $8, $9)"
		" on conflict (serial) do nothing returning id",
		DB_ARGS(DB_INT(row->authority), row->account ? DB_INT(row->account) : DB_NULL,
			DB_SPAN(row->serial), DB_SPAN(row->address), DB_SPAN(row->der),
			DB_INT(row->not_after_us), DB_INT(row->renew_us),
			DB_INT(row->created_us), DB_SPAN(row->key_sha256))));
	if (!has)
		return STORE_E_EXISTS;
	*ret_id = db_int(q, 0);
	return 0;
}

static int issued_row(struct store_conn *c, struct arena *a, const char *sql,
	const struct db_value *values, size_t n_values, struct store_issued *ret_row)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool has;

	TRY(db_query_row(&q, &has, c->db, sql, values, n_values));
	if (!has)
		return STORE_E_NOT_FOUND;
	*ret_row = issued_of(q);
	ret_row->serial = arena_span(a, ret_row->serial);
	ret_row->address = arena_span(a, ret_row->address);
	ret_row->der = arena_span(a, ret_row->der);
	ret_row->key_sha256 = arena_span(a, ret_row->key_sha256);
	return 0;
}

int store_issued_get(struct store_conn *c, struct arena *a, int64_t id,
	struct store_issued *ret_row)
{
	return issued_row(c, a, ISSUED_COLUMNS " where i.id = $1", DB_ARGS(DB_INT(id)), ret_row);
}

int store_issued_by_serial(struct store_conn *c, struct arena *a, struct span serial,
	struct store_issued *ret_row)
{
	return issued_row(c, a, ISSUED_COLUMNS " where i.serial = $1", DB_ARGS(DB_SPAN(serial)),
		ret_row);
}

static int issued_rows(struct store_conn *c, const char *sql, const struct db_value *values,
	size_t n_values, int (*each)(const struct store_issued *row, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db, sql, values, n_values));
	while (db_next(q, &r)) {
		struct store_issued row = issued_of(q);

		r = each(&row, context);
	}
	return r;
}

int store_issued_each(struct store_conn *c, int64_t domain, int64_t account,
	int (*each)(const struct store_issued *row, void *context), void *context)
{
	return issued_rows(c,
		ISSUED_COLUMNS " join authority a on a.id = i.authority"
			       " where ($1 = 0 or a.domain = $1) and ($2 = 0 or i.account = $2)"
			       " order by i.id",
		DB_ARGS(DB_INT(domain), DB_INT(account)), each, context);
}

int store_issued_revoked(struct store_conn *c, int64_t authority,
	int (*each)(const struct store_issued *row, void *context), void *context)
{
	return issued_rows(c,
		ISSUED_COLUMNS
		" where i.authority = $1 and i.revoked <> 0 and i.listed = 0 order by i.id",
		DB_ARGS(DB_INT(authority)), each, context);
}

static int each_kept(struct db_statement *q, store_issued_kept_fn *each, void *context)
{
	int r = 0;

	while (db_next(q, &r)) {
		struct store_issued row = issued_of(q);

		r = each(&row, db_int(q, 15) != 0, context);
	}
	return r;
}

int store_issued_due(struct store_conn *c, int64_t now_us, store_issued_kept_fn *each, void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;

	TRY(db_query(&q, c->db,
		SELECT_KEPT(IS_CURRENT) " where i.renew > 0 and i.renew <= $1 and i.revoked = 0"
					" and i.successor is null and (" IS_CURRENT
					" or (i.not_after > $2 and " MAY_BE_USED "))"
					" order by i.renew",
		DB_ARGS(DB_INT(now_us), DB_INT(now_us - week_us))));
	return each_kept(q, each, context);
}

int store_issued_ending(struct store_conn *c, int64_t now_us, int64_t before_us,
	store_issued_kept_fn *each, void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;

	/* What ended long ago was told long ago. */
	TRY(db_query(&q, c->db,
		SELECT_KEPT("i.renew = 0 or " IS_CURRENT)
		" where i.account is not null and i.revoked = 0 and i.successor is null"
		" and i.not_after < $2 and i.not_after > $1"
		" and (i.renew = 0 or " IS_CURRENT " or " MAY_BE_USED ") " BY_ID,
		DB_ARGS(DB_INT(now_us - week_us), DB_INT(before_us))));
	return each_kept(q, each, context);
}

int store_issued_revoke(struct store_conn *c, int64_t id, unsigned reason, int64_t now_us)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool has;
	int64_t n;

	assert(c->writer);
	TRY(db_query_row(&q, &has, c->db, "select 1 from issued where id = $1",
		DB_ARGS(DB_INT(id))));
	if (!has)
		return STORE_E_NOT_FOUND;
	TRY(db_exec(c->db, &n,
		"update issued set revoked = $2, reason = $3, renew = 0 where id = $1 and revoked "
		"= 0",
		DB_ARGS(DB_INT(id), DB_INT(now_us), DB_INT(reason))));
	if (!n)
		return STORE_E_STALE;
	TRY(db_exec(c->db, NULL,
		LIST_IS_DUE " where id = (select authority from issued where id = $1)",
		DB_ARGS(DB_INT(id))));
	return 0;
}

int store_issued_revoke_account(struct store_conn *c, int64_t account, unsigned reason,
	int64_t now_us)
{
	assert(c->writer);
	TRY(db_exec(c->db, NULL,
		LIST_IS_DUE " where id in (select authority from issued"
			    " where account = $1 and revoked = 0 and not_after > $2)",
		DB_ARGS(DB_INT(account), DB_INT(now_us))));
	TRY(db_exec(c->db, NULL,
		"update issued set revoked = $2, reason = $3, renew = 0"
		" where account = $1 and revoked = 0 and not_after > $2",
		DB_ARGS(DB_INT(account), DB_INT(now_us), DB_INT(reason))));
	return 0;
}

int store_issued_of_key(struct store_conn *c, struct span key_sha256,
	int (*each)(const struct store_issued *row, void *context), void *context)
{
	return issued_rows(c, ISSUED_COLUMNS " where i.key_sha256 = $1 order by i.id",
		DB_ARGS(DB_SPAN(key_sha256)), each, context);
}

int store_issued_revoke_key(struct store_conn *c, struct span key_sha256, unsigned reason,
	int64_t now_us, int64_t *ret_n)
{
	assert(c->writer);
	TRY(db_exec(c->db, NULL,
		LIST_IS_DUE " where id in (select authority from issued"
			    " where key_sha256 = $1 and revoked = 0 and not_after > $2)",
		DB_ARGS(DB_SPAN(key_sha256), DB_INT(now_us))));
	TRY(db_exec(c->db, ret_n,
		"update issued set revoked = $2, reason = $3, renew = 0"
		" where key_sha256 = $1 and revoked = 0 and not_after > $2",
		DB_ARGS(DB_SPAN(key_sha256), DB_INT(now_us), DB_INT(reason))));
	return 0;
}

int store_issued_without_key(struct store_conn *c, struct arena *a, struct store_issued *ret_row)
{
	return issued_row(c, a, ISSUED_COLUMNS " where i.key_sha256 is null limit 1", NULL, 0,
		ret_row);
}

int store_issued_set_key(struct store_conn *c, int64_t id, struct span key_sha256)
{
	assert(c->writer);
	TRY(db_exec(c->db, NULL, "update issued set key_sha256 = $2 where id = $1",
		DB_ARGS(DB_INT(id), DB_SPAN(key_sha256))));
	return 0;
}

int store_issued_add_address(struct store_conn *c, int64_t id, struct span local, struct span domain)
{
	CLEANUP(arena_done) struct arena a = {};

	assert(c->writer);
	TRY(db_exec(c->db, NULL,
		"insert into issued_address (domain, local, issued) values ($1, $2, $3)"
		" on conflict (domain, local, issued) do nothing",
		DB_ARGS(DB_SPAN(name_lower(&a, domain)), DB_SPAN(name_local(&a, local)),
			DB_INT(id))));
	return 0;
}

int store_issued_has_addresses(struct store_conn *c, bool *ret_has)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;

	return db_query_row(&q, ret_has, c->db, "select 1 from issued_address limit 1", NULL, 0);
}

int store_issued_address_each(struct store_conn *c, struct span domain, struct span local,
	int64_t now_us, int (*each)(const struct store_issued_address *row, void *context),
	void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	CLEANUP(buf_done) struct buf above = {};
	int r = 0;

	buf_add(&above, local);
	buf_add_octet(&above, 0xff); /* which is in no UTF-8 */
	TRY(db_query(&q, c->db,
		"select m.issued, i.account, m.local, m.domain from issued_address m"
		" join issued i on i.id = m.issued where m.domain = $1 and m.local >= $2"
		" and m.local < $3 and i.account is not null and i.revoked = 0 and i.not_after > $4",
		DB_ARGS(DB_SPAN(domain), DB_SPAN(local), DB_SPAN(buf_span(&above)),
			DB_INT(now_us))));
	while (db_next(q, &r)) {
		struct store_issued_address row = { .issued = db_int(q, 0),
			.account = db_int(q, 1),
			.local = db_blob(q, 2),
			.domain = db_blob(q, 3) };

		r = each(&row, context);
	}
	return r;
}

int store_issued_renewed(struct store_conn *c, int64_t id, int64_t successor)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n,
		"update issued set successor = $2, renew = 0"
		" where id = $1 and successor is null and revoked = 0",
		DB_ARGS(DB_INT(id), DB_INT(successor))));
	return n ? 0 : STORE_E_STALE;
}

int store_issued_put_off(struct store_conn *c, int64_t id, unsigned failures, int64_t renew_us)
{
	assert(c->writer);
	TRY(db_exec(c->db, NULL,
		"update issued set renew = $3, failures = $2 where id = $1 and revoked = 0",
		DB_ARGS(DB_INT(id), DB_INT(failures), DB_INT(renew_us))));
	return 0;
}

int store_issued_tell(struct store_conn *c, int64_t id, unsigned days)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n,
		"update issued set told = $2 where id = $1 and (told = -1 or told > $2)",
		DB_ARGS(DB_INT(id), DB_INT(days))));
	return n ? 0 : STORE_E_EXISTS;
}

int store_issued_revoked_untold(struct store_conn *c, int64_t after_us, int64_t now_us,
	int (*each)(const struct store_issued *row, void *context), void *context)
{
	return issued_rows(c,
		ISSUED_COLUMNS " join account p on p.id = i.account where i.revoked > 0"
			       " and i.revoked > $1 and i.not_after > $2 and i.told <> -2"
			       " and p.disabled = 0 " BY_ID,
		DB_ARGS(DB_INT(after_us), DB_INT(now_us)), each, context);
}

int store_issued_tell_revoked(struct store_conn *c, int64_t id)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n,
		"update issued set told = -2 where id = $1 and revoked <> 0 and told <> -2",
		DB_ARGS(DB_INT(id))));
	return n ? 0 : STORE_E_EXISTS;
}

int store_issued_figures(struct store_conn *c, int64_t now_us,
	struct store_issued_figures *ret_figures)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool has;

	TRY(db_query_row(&q, &has, c->db,
		"select coalesce(sum(case when revoked = 0 and not_after > $1 then 1 else 0 end), "
		"0),"
		" coalesce(sum(case when revoked <> 0 then 1 else 0 end), 0) from issued",
		DB_ARGS(DB_INT(now_us))));
	ret_figures->valid = db_int(q, 0);
	ret_figures->revoked = db_int(q, 1);
	return 0;
}
