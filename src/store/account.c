/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Accounts as rows. Removing one takes the account, its address and its settings away at once; its
 * mailboxes lose their owner and the sweeper empties them in small steps, so that no other writer
 * waits for a million messages.
 */

#include "store/account.h"

#include "base/clock.h"
#include "base/conf.h"
#include "base/limit.h"
#include "store/blob_rows.h"
#include "store/ca_rows.h"
#include "store/conn.h"
#include "store/domain_rows.h"
#include "store/mailbox_rows.h"
#include "store/name.h"
#include "store/settings.h"

#include <assert.h>

/* Message ids hold the account's in 27 bits (message_rows.h). */
enum { ACCOUNT_ID_MAX = (1 << 27) - 1 };

#define ACCOUNT_COLUMNS                                                                            \
	"select a.id, a.domain, a.local, d.name, a.name, a.role, a.disabled, a.quota,"            \
	" d.account_quota, a.used_octets, a.used_messages, a.modseq, a.state, a.created, a.hash," \
	" a.scram, case when a.smime < 0 then d.smime else a.smime end from account a join domain d on d.id = a.domain"

uint64_t account_quota_of(struct store_conn *c, int64_t own, int64_t domain)
{
	CLEANUP(settings_unrefp) struct settings *settings = NULL;

	if (own >= 0)
		return (uint64_t)own;
	if (domain > 0)
		return (uint64_t)domain;
	settings = settings_get(c->store);
	return settings->account_quota;
}

static struct span address_of(struct arena *a, struct span local, struct span domain)
{
	uint8_t *p = arena_alloc(a, local.n + 1 + domain.n);

	memcpy(p, local.p, local.n);
	p[local.n] = '@';
	memcpy(p + local.n + 1, domain.p, domain.n);
	return span_of(p, local.n + 1 + domain.n);
}

static void account_of(struct store_conn *c, struct db_statement *q, struct arena *a,
	struct store_account *account)
{
	*account = (struct store_account){
		.id = db_int(q, 0),
		.domain = db_int(q, 1),
		.address = address_of(a, db_blob(q, 2), db_blob(q, 3)),
		.name = arena_span(a, db_blob(q, 4)),
		.role = (enum account_role)db_int(q, 5),
		.disabled = db_int(q, 6) != 0,
		.quota = account_quota_of(c, db_int(q, 7), db_int(q, 8)),
		.used_octets = (uint64_t)db_int(q, 9),
		.used_messages = (uint64_t)db_int(q, 10),
		.modseq = (uint64_t)db_int(q, 11),
		.state = (uint64_t)db_int(q, 12),
		.created_us = db_int(q, 13),
		.smime = db_int(q, 16) != 0,
	};
}

static int account_read(struct store_conn *c, struct arena *a, int64_t id,
	struct store_account *ret_account, struct store_credentials *ret_credentials)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db, ACCOUNT_COLUMNS " where a.id = $1", DB_ARGS(DB_INT(id))));
	if (!row)
		return STORE_E_NOT_FOUND;
	account_of(c, q, a, ret_account);
	if (ret_credentials)
		*ret_credentials = (struct store_credentials){
			.hash = arena_span(a, db_blob(q, 14)),
			.scram = arena_span(a, db_blob(q, 15)),
		};
	return 0;
}

int store_account_get(struct store_conn *c, struct arena *a, int64_t id,
	struct store_account *ret_account)
{
	return account_read(c, a, id, ret_account, NULL);
}

int store_account_find(struct store_conn *c, struct arena *a, struct span login,
	struct store_account *ret_account, struct store_credentials *ret_credentials)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int64_t domain;
	int64_t id;
	bool row;
	int r = domain_of_login(c, &login, &domain);

	if (r)
		return r;
	if (login.n > LIMIT_LOCAL_PART)
		return STORE_E_NOT_FOUND;
	TRY(db_query_row(&q, &row, c->db, "select id from account where domain = $1 and local = $2",
		DB_ARGS(DB_INT(domain), DB_SPAN(name_local(a, login)))));
	if (!row)
		return STORE_E_NOT_FOUND;
	id = db_int(q, 0);
	return account_read(c, a, id, ret_account, ret_credentials);
}

int store_account_each(struct store_conn *c, int64_t domain,
	int (*each)(const struct store_account *account, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	CLEANUP(arena_done) struct arena a = {};
	int r = 0;

	TRY(db_query(&q, c->db,
		ACCOUNT_COLUMNS " where $1 = 0 or a.domain = $1 order by d.name, a.local",
		DB_ARGS(DB_INT(domain))));
	while (db_next(q, &r)) {
		struct store_account account;

		arena_clear(&a);
		account_of(c, q, &a, &account);
		r = each(&account, context);
	}
	return r;
}

static int account_insert(struct store_conn *c, int64_t domain, struct span local,
	enum account_role role, const struct store_credentials *credentials, int64_t *ret_id)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"insert into account (domain, local, name, role, disabled, quota, hash, scram,"
		" state, modseq, uidvalidity, used_octets, used_messages, created)"
		" values ($1, $2, $3, $4, 0, -1, $5, $6, 1, 0, 0, 0, 0, $7) returning id",
		DB_ARGS(DB_INT(domain), DB_SPAN(local), DB_SPAN(SPAN("")), DB_INT(role),
			DB_SPAN(credentials->hash), DB_SPAN(credentials->scram),
			DB_INT(clock_now_us()))));
	*ret_id = db_int(q, 0);
	return 0;
}

int store_account_add(struct store_conn *c, int64_t domain, struct span local,
	enum account_role role, const struct store_credentials *credentials, int64_t *ret_id)
{
	CLEANUP(arena_done) struct arena a = {};
	int64_t n_domains;
	bool taken;
	int64_t id;

	assert(c->writer);
	if (!name_local_is_valid(local))
		return STORE_E_REFUSED;
	local = name_local(&a, local);
	TRY(local_is_taken(c, domain, local, &taken));
	if (taken)
		return STORE_E_EXISTS;
	TRY(db_exec(c->db, &n_domains,
		"update domain set n_accounts = n_accounts + 1 where id = $1",
		DB_ARGS(DB_INT(domain))));
	if (!n_domains)
		return STORE_E_NOT_FOUND;
	TRY(account_insert(c, domain, local, role, credentials, &id));
	if (id > ACCOUNT_ID_MAX)
		return STORE_E_LIMIT;
	conn_routes_changed(c);
	TRY(mailbox_make_standard(c, id));
	*ret_id = id;
	return 0;
}

/* Whether nobody else can administer the server. */
static int is_last_admin(struct store_conn *c, const struct store_account *account, bool *ret_last)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool other = true;

	if (account->role == ROLE_ADMIN && !account->disabled)
		TRY(db_query_row(&q, &other, c->db,
			"select id from account where role = $1 and disabled = 0 and id <> $2"
			" limit 1",
			DB_ARGS(DB_INT(ROLE_ADMIN), DB_INT(account->id))));
	*ret_last = !other;
	return 0;
}

int store_account_remove(struct store_conn *c, int64_t id)
{
	CLEANUP(arena_done) struct arena a = {};
	struct store_account account;
	bool last;
	int r;

	assert(c->writer);
	r = store_account_get(c, &a, id, &account);
	if (r)
		return r;
	TRY(is_last_admin(c, &account, &last));
	if (last)
		return STORE_E_REFUSED;
	TRY(store_issued_revoke_account(c, id, REASON_CESSATION, clock_now_us()));
	conn_routes_changed(c);
	TRY(mailbox_abandon_all(c, id));
	TRY(store_blob_remove_all(c, id));
	TRY(db_exec(c->db, NULL, "insert into account_removed (account) values ($1)",
		DB_ARGS(DB_INT(id))));
	TRY(db_exec(c->db, NULL, "delete from account where id = $1", DB_ARGS(DB_INT(id))));
	TRY(db_exec(c->db, NULL, "update domain set n_accounts = n_accounts - 1 where id = $1",
		DB_ARGS(DB_INT(account.domain))));
	return 0;
}

int store_account_set_credentials(struct store_conn *c, int64_t id,
	const struct store_credentials *credentials)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n,
		"update account set hash = $2, scram = $3, state = state + 1 where id = $1",
		DB_ARGS(DB_INT(id), DB_SPAN(credentials->hash), DB_SPAN(credentials->scram))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

struct account_values {
	char *name;
	unsigned role;
	bool disabled;
	bool smime;
	uint64_t quota;
};

static const char *const role_words[] = { "user", "admin", NULL };

static const struct conf_row account_rows[] = {
	{ .key = "name",
		.type = CONF_TEXT,
		.fallback = "",
		.max = 200,
		.offset = offsetof(struct account_values, name),
		.help = "The name that is shown." },
	{ .key = "role",
		.type = CONF_CHOICE,
		.fallback = "user",
		.choices = role_words,
		.offset = offsetof(struct account_values, role),
		.help = "Whether it administers the server." },
	{ .key = "disabled",
		.type = CONF_BOOL,
		.fallback = "no",
		.offset = offsetof(struct account_values, disabled),
		.help = "A disabled account cannot log in." },
	{ .key = "quota",
		.type = CONF_NUMBER,
		.fallback = "0",
		.max = (uint64_t)1 << 50,
		.unit = "octets",
		.offset = offsetof(struct account_values, quota),
		.help = "What it may store; 0: no limit; default: what its domain or the server "
			"says." },
	{ .key = "smime",
		.type = CONF_BOOL,
		.fallback = "yes",
		.offset = offsetof(struct account_values, smime),
		.help = "Whether it may have Secure Mail keys; default: what its domain says." },
};

enum { ACCOUNT_N_ROWS = sizeof account_rows / sizeof account_rows[0] };

static int account_write(struct store_conn *c, const struct store_account *account,
	const struct account_values *values, struct why *why)
{
	bool weaker = values->role != ROLE_ADMIN || values->disabled;
	bool access_changed =
		values->role != account->role || values->disabled != account->disabled;
	bool last;

	TRY(is_last_admin(c, account, &last));
	if (last && weaker) {
		why_set(why, "it is the only administrator: make another one first");
		return STORE_E_REFUSED;
	}
	conn_routes_changed(c);
	TRY(db_exec(c->db, NULL,
		"update account set name = $2, role = $3, disabled = $4, state = state + $5"
		" where id = $1",
		DB_ARGS(DB_INT(account->id), DB_SPAN(span_str(values->name)), DB_INT(values->role),
			DB_INT(values->disabled), DB_INT(access_changed))));
	return 0;
}

/* What an account may leave to its domain, which is -1 in its row. */
static int account_write_inherited(struct store_conn *c, int64_t id, bool is_quota, int64_t value)
{
	if (is_quota)
		TRY(db_exec(c->db, NULL, "update account set quota = $2 where id = $1",
			DB_ARGS(DB_INT(id), DB_INT(value))));
	else
		TRY(db_exec(c->db, NULL, "update account set smime = $2 where id = $1",
			DB_ARGS(DB_INT(id), DB_INT(value))));
	return 0;
}

static int account_set_value(struct store_conn *c, const struct store_account *account,
	struct account_values *values, struct span key, struct span value, struct why *why)
{
	bool is_quota = span_is(key, "quota"), is_smime = span_is(key, "smime");
	int r;

	conn_routes_changed(c);
	if ((is_quota || is_smime) && span_is(value, "default"))
		return account_write_inherited(c, account->id, is_quota, -1);
	r = conf_set(account_rows, ACCOUNT_N_ROWS, values, key, value, why);
	if (r == CONF_E_UNKNOWN)
		why_set(why, "an account has the keys name, role, disabled, quota and smime");
	if (r)
		return r > 0 ? STORE_E_REFUSED : r;
	if (is_quota || is_smime)
		return account_write_inherited(c, account->id, is_quota,
			is_quota ? (int64_t)values->quota : values->smime);
	return account_write(c, account, values, why);
}

int store_account_set(struct store_conn *c, int64_t id, struct span key, struct span value,
	struct why *why)
{
	CLEANUP(arena_done) struct arena a = {};
	struct account_values values = {};
	struct store_account account;
	int r;

	assert(c->writer);
	r = store_account_get(c, &a, id, &account);
	if (r)
		return r;
	values.name = span_to_string(account.name);
	values.role = account.role;
	values.disabled = account.disabled;
	r = account_set_value(c, &account, &values, key, value, why);
	conf_done(account_rows, ACCOUNT_N_ROWS, &values);
	return r;
}

int store_lease_take(struct store_conn *c, int64_t account, uint64_t holder, int64_t now_us,
	int64_t expires_us)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n,
		"insert into lease (account, holder, expires) values ($1, $2, $4)"
		" on conflict (account) do update"
		" set holder = excluded.holder, expires = excluded.expires"
		" where lease.expires <= $3 or lease.holder = excluded.holder",
		DB_ARGS(DB_INT(account), DB_INT(holder), DB_INT(now_us), DB_INT(expires_us))));
	return n ? 0 : STORE_E_IN_USE;
}

int store_lease_release(struct store_conn *c, int64_t account, uint64_t holder)
{
	assert(c->writer);
	TRY(db_exec(c->db, NULL, "delete from lease where account = $1 and holder = $2",
		DB_ARGS(DB_INT(account), DB_INT(holder))));
	return 0;
}
