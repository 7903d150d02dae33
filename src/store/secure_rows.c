/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Secure Mail as rows. All keys of an account are under one password, but for those that were left
 * behind when their owner forgot one and started over: they keep the number of theirs. Making and
 * rewrapping keys is slow and happens outside of transactions, so what is written names the
 * revision that it was made from.
 */

#include "store/secure_rows.h"

#include "base/clock.h"
#include "base/limit.h"
#include "store/conn.h"

#include <assert.h>

const char *const store_secure_ciphers[] = { "automatic", "aes-256-gcm", "aes-256-cbc",
	"aes-192-cbc", "aes-128-cbc", "3des", NULL };

struct values {
	char *from;
	uint64_t lock_after;
	unsigned cipher;
};

static const struct conf_row rows[] = {
	{ .key = "from",
		.type = CONF_TEXT,
		.fallback = "",
		.max = LIMIT_ADDRESS,
		.offset = offsetof(struct values, from),
		.help = "The address that new certificates are for." },
	{ .key = "lock_after",
		.type = CONF_NUMBER,
		.fallback = "3m",
		.min = SECURE_LOCK_MIN_S,
		.max = SECURE_LOCK_MAX_S,
		.unit = "seconds",
		.offset = offsetof(struct values, lock_after),
		.help = "How long keys stay unlocked without use." },
	{ .key = "cipher",
		.type = CONF_CHOICE,
		.fallback = "automatic",
		.choices = store_secure_ciphers,
		.offset = offsetof(struct values, cipher),
		.help = "How messages are encrypted." },
};

enum { ROWS = sizeof rows / sizeof rows[0], LOCK_AFTER_S = 180 };

int store_secure_get(struct store_conn *c, struct arena *a, int64_t account,
	struct store_secure *ret_secure)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	CLEANUP(buf_done) struct buf address = {};
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select a.local, d.name, a.name, a.domain, a.smime, d.smime, s.account, "
		"s.from_address,"
		" s.lock_after, s.cipher, s.password, s.revision from account a"
		" join domain d on d.id = a.domain left join secure_mail s on s.account = a.id"
		" where a.id = $1",
		DB_ARGS(DB_INT(account))));
	if (!row)
		return STORE_E_NOT_FOUND;
	buf_add(&address, db_blob(q, 0));
	buf_add_octet(&address, '@');
	buf_add(&address, db_blob(q, 1));
	*ret_secure = (struct store_secure){
		.account = account,
		.address = arena_span(a, buf_span(&address)),
		.name = arena_span(a, db_blob(q, 2)),
		.domain = db_int(q, 3),
		.enabled = db_int(q, 4) < 0 ? db_int(q, 5) != 0 : db_int(q, 4) != 0,
		.lock_after_s = LOCK_AFTER_S,
		.password = 1,
	};
	if (db_is_null(q, 6))
		return 0;
	ret_secure->from = arena_span(a, db_blob(q, 7));
	ret_secure->lock_after_s = (uint64_t)db_int(q, 8);
	ret_secure->cipher = (enum secure_cipher)db_int(q, 9);
	ret_secure->password = db_int(q, 10);
	ret_secure->revision = db_int(q, 11);
	return 0;
}

/* The account's row, so that there is one to change. */
static int make_row(struct store_conn *c, int64_t account)
{
	TRY(db_exec(c->db, NULL,
		"insert into secure_mail (account, from_address, lock_after, cipher, password, "
		"revision)"
		" values ($1, $2, $3, $4, 1, 0) on conflict (account) do nothing",
		DB_ARGS(DB_INT(account), DB_SPAN(SPAN("")), DB_INT(LOCK_AFTER_S),
			DB_INT(SECURE_CIPHER_AUTOMATIC))));
	return 0;
}

int store_secure_set(struct store_conn *c, int64_t account, struct span key, struct span value,
	struct why *why)
{
	CLEANUP(arena_done) struct arena a = {};
	struct store_secure secure;
	struct values values;
	int r;

	assert(c->writer);
	r = store_secure_get(c, &a, account, &secure);
	if (r)
		return r;
	values = (struct values){ span_to_string(secure.from), secure.lock_after_s, secure.cipher };
	r = conf_set(rows, ROWS, &values, key, value, why);
	if (r == CONF_E_UNKNOWN)
		why_set(why, "Secure Mail has the keys from, lock_after and cipher");
	if (!r)
		r = make_row(c, account);
	if (!r)
		r = db_exec(c->db, NULL,
			"update secure_mail set from_address = $2, lock_after = $3, cipher = $4"
			" where account = $1",
			DB_ARGS(DB_INT(account), DB_SPAN(span_str(values.from)),
				DB_INT(values.lock_after), DB_INT(values.cipher)));
	else if (r > 0)
		r = STORE_E_REFUSED;
	conf_done(rows, ROWS, &values);
	return r;
}

static struct store_secure_key key_of(struct db_statement *q)
{
	return (struct store_secure_key){
		.id = db_int(q, 0),
		.account = db_int(q, 1),
		.key_id = db_blob(q, 2),
		.type = db_blob(q, 3),
		.spki = db_blob(q, 4),
		.wrapped = db_blob(q, 5),
		.password = db_int(q, 6),
		.current = db_int(q, 7) != 0,
		.created_us = db_int(q, 8),
	};
}

int store_secure_key_each(struct store_conn *c, int64_t account,
	int (*each)(const struct store_secure_key *key, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db,
		"select id, account, key_id, type, spki, wrapped, password, is_current, created"
		" from secure_key where account = $1 order by is_current desc, id desc",
		DB_ARGS(DB_INT(account))));
	while (db_next(q, &r)) {
		struct store_secure_key key = key_of(q);

		r = each(&key, context);
	}
	return r;
}

/* Goes on from this revision to the next; STALE if it is another one. */
static int advance(struct store_conn *c, int64_t account, int64_t revision, bool start_over,
	int64_t *ret_password)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(make_row(c, account));
	TRY(db_query_row(&q, &row, c->db,
		"update secure_mail set revision = revision + 1, password = password + $3"
		" where account = $1 and revision = $2 returning password",
		DB_ARGS(DB_INT(account), DB_INT(revision), DB_INT(start_over))));
	if (!row)
		return STORE_E_STALE;
	*ret_password = db_int(q, 0);
	return 0;
}

static int count_keys(struct store_conn *c, int64_t account, int64_t *ret_n)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db, "select count(*) from secure_key where account = $1",
		DB_ARGS(DB_INT(account))));
	*ret_n = db_int(q, 0);
	return 0;
}

static int insert_key(struct store_conn *c, const struct store_secure_key *key, int64_t password,
	int64_t *ret_id)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"insert into secure_key (account, key_id, type, spki, wrapped, password, "
		"is_current,"
		" created) values ($1, $2, $3, $4, $5, $6, 0, $7)"
		" on conflict (account, key_id) do nothing returning id",
		DB_ARGS(DB_INT(key->account), DB_SPAN(key->key_id), DB_SPAN(key->type),
			DB_SPAN(key->spki), DB_SPAN(key->wrapped), DB_INT(password),
			DB_INT(clock_now_us()))));
	if (!row)
		return STORE_E_EXISTS;
	*ret_id = db_int(q, 0);
	return 0;
}

/* The one and no other. */
static int write_current(struct store_conn *c, int64_t account, int64_t id)
{
	TRY(db_exec(c->db, NULL,
		"update secure_key set is_current = 0 where account = $1 and id <> $2",
		DB_ARGS(DB_INT(account), DB_INT(id))));
	TRY(db_exec(c->db, NULL,
		"update secure_key set is_current = 1 where account = $1 and id = $2",
		DB_ARGS(DB_INT(account), DB_INT(id))));
	return 0;
}

int store_secure_key_add(struct store_conn *c, const struct store_secure_key *key, int64_t revision,
	bool start_over, int64_t *ret_id)
{
	int64_t password, n, id;
	int r;

	assert(c->writer);
	TRY(count_keys(c, key->account, &n));
	if (n >= SECURE_KEYS_MAX)
		return STORE_E_LIMIT;
	r = advance(c, key->account, revision, start_over, &password);
	if (!r)
		r = insert_key(c, key, password, &id);
	if (!r && (key->current || n == 0))
		r = write_current(c, key->account, id);
	if (!r)
		*ret_id = id;
	return r;
}

/* The newest that the present password opens, else the newest. */
static int choose_current(struct store_conn *c, int64_t account)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int64_t id;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select id from secure_key where account = $1 order by is_current desc, password "
		"desc,"
		" id desc limit 1",
		DB_ARGS(DB_INT(account))));
	if (!row)
		return 0;
	id = db_int(q, 0);
	db_reset(TAKE(q));
	return write_current(c, account, id);
}

int store_secure_key_remove(struct store_conn *c, int64_t account, int64_t id)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n, "delete from secure_key where account = $1 and id = $2",
		DB_ARGS(DB_INT(account), DB_INT(id))));
	if (!n)
		return STORE_E_NOT_FOUND;
	TRY(db_exec(c->db, NULL,
		"update secure_mail set revision = revision + 1 where account = $1",
		DB_ARGS(DB_INT(account))));
	return choose_current(c, account);
}

int store_secure_key_make_current(struct store_conn *c, int64_t account, int64_t id)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row, opens;

	assert(c->writer);
	TRY(db_query_row(&q, &row, c->db,
		"select s.password = k.password from secure_key k"
		" join secure_mail s on s.account = k.account where k.account = $1 and k.id = $2",
		DB_ARGS(DB_INT(account), DB_INT(id))));
	if (!row)
		return STORE_E_NOT_FOUND;
	opens = db_int(q, 0) != 0;
	db_reset(TAKE(q));
	return opens ? write_current(c, account, id) : STORE_E_REFUSED;
}

static int count_present(struct store_conn *c, int64_t account, int64_t password, int64_t *ret_n)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select count(*) from secure_key where account = $1 and password = $2",
		DB_ARGS(DB_INT(account), DB_INT(password))));
	*ret_n = db_int(q, 0);
	return 0;
}

int store_secure_rewrap(struct store_conn *c, int64_t account, int64_t revision,
	const struct store_secure_wrapped *wrapped, size_t n)
{
	int64_t password, n_present;
	int r;

	assert(c->writer);
	r = advance(c, account, revision, false, &password);
	if (r)
		return r;
	TRY(count_present(c, account, password, &n_present));
	if ((uint64_t)n_present != n)
		return STORE_E_STALE;
	for (size_t i = 0; i < n; i++) {
		int64_t changed;

		TRY(db_exec(c->db, &changed,
			"update secure_key set wrapped = $4 where id = $1 and account = $2 and"
			" password = $3",
			DB_ARGS(DB_INT(wrapped[i].id), DB_INT(account), DB_INT(password),
				DB_SPAN(wrapped[i].wrapped))));
		if (!changed)
			return STORE_E_STALE;
	}
	return 0;
}

static struct store_secure_cert cert_of(struct db_statement *q)
{
	return (struct store_secure_cert){
		.id = db_int(q, 0),
		.key = db_int(q, 1),
		.sha256 = db_blob(q, 2),
		.der = db_blob(q, 3),
		.chain = db_blob(q, 4),
		.current = db_int(q, 5) != 0,
		.created_us = db_int(q, 6),
		.not_after_us = db_int(q, 7),
	};
}

#define CERT_COLUMNS                                                                               \
	"t.id, t.secure_key, t.sha256, t.der, t.chain, t.is_current, t.created, t.not_after"
#define CERTS "select " CERT_COLUMNS " from secure_cert t"
#define IS_CURRENT "t.is_current <> 0 and k.is_current <> 0"

static int insert_cert(struct store_conn *c, const struct store_secure_cert *cert, int64_t *ret_id)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"insert into secure_cert (secure_key, sha256, der, chain, is_current, created,"
		" not_after, told) values ($1, $2, $3, $4, 0, $5, $6, -1)"
		" on conflict (secure_key, sha256) do nothing returning id",
		DB_ARGS(DB_INT(cert->key), DB_SPAN(cert->sha256), DB_SPAN(cert->der),
			DB_SPAN(cert->chain), DB_INT(clock_now_us()), DB_INT(cert->not_after_us))));
	if (!row)
		return STORE_E_EXISTS;
	*ret_id = db_int(q, 0);
	return 0;
}

static int count_certs(struct store_conn *c, int64_t key, int64_t *ret_n)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db, "select count(*) from secure_cert where secure_key = $1",
		DB_ARGS(DB_INT(key))));
	*ret_n = db_int(q, 0);
	return 0;
}

int store_secure_cert_add(struct store_conn *c, const struct store_secure_cert *cert,
	int64_t *ret_id)
{
	int64_t n;
	int r;

	assert(c->writer);
	TRY(count_certs(c, cert->key, &n));
	if (n >= SECURE_CERTS_MAX)
		return STORE_E_LIMIT;
	r = insert_cert(c, cert, ret_id);
	if (r || (n && !cert->current))
		return r;
	TRY(db_exec(c->db, NULL,
		"update secure_cert set is_current = case when id = $2 then 1 else 0 end"
		" where secure_key = $1",
		DB_ARGS(DB_INT(cert->key), DB_INT(*ret_id))));
	return 0;
}

int store_secure_cert_each(struct store_conn *c, int64_t key,
	int (*each)(const struct store_secure_cert *cert, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db,
		CERTS " where t.secure_key = $1 order by t.is_current desc, t.id desc",
		DB_ARGS(DB_INT(key))));
	while (db_next(q, &r)) {
		struct store_secure_cert cert = cert_of(q);

		r = each(&cert, context);
	}
	return r;
}

int store_secure_cert_present(struct store_conn *c, int64_t account,
	int (*each)(const struct store_secure_cert *cert, bool of_current, void *context),
	void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db,
		"select " CERT_COLUMNS ", k.is_current from secure_cert t"
		" join secure_key k on k.id = t.secure_key"
		" join secure_mail s on s.account = k.account"
		" where k.account = $1 and k.password = s.password order by k.is_current desc, t.id desc",
		DB_ARGS(DB_INT(account))));
	while (db_next(q, &r)) {
		struct store_secure_cert cert = cert_of(q);

		r = each(&cert, db_int(q, 8) != 0, context);
	}
	return r;
}

int store_secure_cert_ending(struct store_conn *c, int64_t now_us, int64_t before_us,
	int (*each)(const struct store_secure_ending *row, void *context), void *context)
{
	static const int64_t week_us = 7LL * 24 * 3600 * 1000000;
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db,
		"select " CERT_COLUMNS ", k.account, t.told,"
		" case when " IS_CURRENT " then 1 else 0 end from secure_cert t"
		" join secure_key k on k.id = t.secure_key join account a on a.id = k.account"
		" join secure_mail s on s.account = a.id join domain d on d.id = a.domain"
		" where t.not_after < $2 and (t.not_after > $1 or t.not_after = 0)"
		" and (" IS_CURRENT " or k.password = s.password) and a.disabled = 0"
		" and (a.smime > 0 or (a.smime < 0 and d.smime <> 0))"
		" and not exists (select 1 from issued i where i.account = a.id and i.der = t.der)"
		" order by +t.id", /* the sign: sorted, rather than the whole table in that order */
		DB_ARGS(DB_INT(now_us - week_us), DB_INT(before_us))));
	while (db_next(q, &r)) {
		struct store_secure_ending row = { .account = db_int(q, 8),
			.cert = cert_of(q),
			.told_days = db_int(q, 9),
			.certain = db_int(q, 10) != 0 };

		r = each(&row, context);
	}
	return r;
}

int store_secure_cert_set_end(struct store_conn *c, int64_t id, int64_t not_after_us)
{
	assert(c->writer);
	TRY(db_exec(c->db, NULL, "update secure_cert set not_after = $2 where id = $1",
		DB_ARGS(DB_INT(id), DB_INT(not_after_us))));
	return 0;
}

int store_secure_cert_tell(struct store_conn *c, int64_t id, unsigned days)
{
	int64_t n;

	assert(c->writer);
	TRY(db_exec(c->db, &n,
		"update secure_cert set told = $2 where id = $1 and (told = -1 or told > $2)",
		DB_ARGS(DB_INT(id), DB_INT(days))));
	return n ? 0 : STORE_E_EXISTS;
}
