/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Mailboxes as rows. The row keeps the counters that SELECT and STATUS ask for, so neither counts
 * messages. Removing a mailbox only takes its owner away; the sweeper empties it.
 */

#include "store/mailbox.h"

#include "base/clock.h"
#include "base/limit.h"
#include "store/conn.h"
#include "store/mailbox_rows.h"
#include "store/message.h"

#include <assert.h>

enum { MAILBOXES_MAX = 10000 };

#define MAILBOX_COLUMNS                                                                            \
	"select m.id, m.account, m.name, m.special_use, s.name, m.uidvalidity, m.uidnext,"        \
	" m.highest_modseq, m.n_messages, m.n_unseen, m.n_deleted, m.octets, m.recent_from,"      \
	" m.created from mailbox m"                                                                \
	" left join subscription s on s.account = m.account and s.name = m.name"

static void mailbox_of(struct db_statement *q, struct arena *a, struct store_mailbox *m)
{
	*m = (struct store_mailbox){
		.id = db_int(q, 0),
		.account = db_int(q, 1),
		.name = arena_span(a, db_blob(q, 2)),
		.use = (enum special_use)db_int(q, 3),
		.subscribed = !db_is_null(q, 4),
		.uidvalidity = (uint32_t)db_int(q, 5),
		.uidnext = (uint32_t)db_int(q, 6),
		.highest_modseq = (uint64_t)db_int(q, 7),
		.n_messages = (uint64_t)db_int(q, 8),
		.n_unseen = (uint64_t)db_int(q, 9),
		.n_deleted = (uint64_t)db_int(q, 10),
		.octets = (uint64_t)db_int(q, 11),
		.recent_from = (uint32_t)db_int(q, 12),
		.created_us = db_int(q, 13),
	};
}

/* The one row of a statement that is bound. */
static int mailbox_row(struct db_statement *q, struct arena *a, struct store_mailbox *ret_mailbox)
{
	bool row;

	TRY(db_step(q, &row));
	if (!row)
		return STORE_E_NOT_FOUND;
	mailbox_of(q, a, ret_mailbox);
	return 0;
}

/* By a name that is normalized. */
static int mailbox_named(struct store_conn *c, struct arena *a, int64_t account, struct span name,
	struct store_mailbox *ret_mailbox)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;

	TRY(db_query(&q, c->db, MAILBOX_COLUMNS " where m.account = $1 and m.name = $2",
		DB_ARGS(DB_INT(account), DB_SPAN(name))));
	return mailbox_row(q, a, ret_mailbox);
}

int store_mailbox_find(struct store_conn *c, struct arena *a, int64_t account, struct span name,
	struct store_mailbox *ret_mailbox)
{
	int r = store_mailbox_name(a, name, &name, NULL);

	if (r)
		return r > 0 ? STORE_E_NOT_FOUND : r;
	return mailbox_named(c, a, account, name, ret_mailbox);
}

int store_mailbox_get(struct store_conn *c, struct arena *a, int64_t id,
	struct store_mailbox *ret_mailbox)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;

	TRY(db_query(&q, c->db, MAILBOX_COLUMNS " where m.id = $1 and m.account is not null",
		DB_ARGS(DB_INT(id))));
	return mailbox_row(q, a, ret_mailbox);
}

int store_mailbox_with_use(struct store_conn *c, struct arena *a, int64_t account,
	enum special_use use, struct store_mailbox *ret_mailbox)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;

	TRY(db_query(&q, c->db,
		MAILBOX_COLUMNS
		" where m.account = $1 and m.special_use = $2 order by m.name limit 1",
		DB_ARGS(DB_INT(account), DB_INT(use))));
	return mailbox_row(q, a, ret_mailbox);
}

static int mailbox_rows(struct db_statement *q, struct arena *a,
	struct store_mailbox **ret_mailboxes, size_t *ret_n)
{
	CLEANUP(buf_done) struct buf all = {};
	struct store_mailbox m;
	int r = 0;

	while (db_next(q, &r)) {
		mailbox_of(q, a, &m);
		buf_add(&all, span_of(&m, sizeof m));
	}
	if (r)
		return r;
	*ret_n = buf_size(&all) / sizeof m;
	*ret_mailboxes = (struct store_mailbox *)(uintptr_t)arena_span(a, buf_span(&all)).p;
	return 0;
}

int store_mailbox_list(struct store_conn *c, struct arena *a, int64_t account,
	struct store_mailbox **ret_mailboxes, size_t *ret_n)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;

	TRY(db_query(&q, c->db,
		MAILBOX_COLUMNS " where m.account = $1"
				" order by case when m.name = $2 then 0 else 1 end, m.name",
		DB_ARGS(DB_INT(account), DB_SPAN(SPAN("INBOX")))));
	return mailbox_rows(q, a, ret_mailboxes, ret_n);
}

int store_subscriptions(struct store_conn *c, struct arena *a, int64_t account,
	struct span **ret_names, size_t *ret_n)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	CLEANUP(buf_done) struct buf all = {};
	struct span name;
	int r = 0;

	TRY(db_query(&q, c->db, "select name from subscription where account = $1 order by name",
		DB_ARGS(DB_INT(account))));
	while (db_next(q, &r)) {
		name = arena_span(a, db_blob(q, 0));
		buf_add(&all, span_of(&name, sizeof name));
	}
	if (r)
		return r;
	*ret_n = buf_size(&all) / sizeof name;
	*ret_names = (struct span *)(uintptr_t)arena_span(a, buf_span(&all)).p;
	return 0;
}

int account_take_modseq(struct store_conn *c, int64_t account, uint64_t n, uint64_t *ret_first)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"update account set modseq = modseq + $2 where id = $1 returning modseq",
		DB_ARGS(DB_INT(account), DB_INT(n))));
	if (!row)
		return STORE_E_NOT_FOUND;
	*ret_first = (uint64_t)db_int(q, 0) - n + 1;
	return 0;
}

int account_use(struct store_conn *c, int64_t account, int64_t octets, int64_t n_messages)
{
	TRY(db_exec(c->db, NULL,
		"update account set used_octets = used_octets + $2,"
		" used_messages = used_messages + $3 where id = $1",
		DB_ARGS(DB_INT(account), DB_INT(octets), DB_INT(n_messages))));
	return 0;
}

int mailbox_account(struct store_conn *c, int64_t mailbox, int64_t *ret_account)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select account from mailbox where id = $1 and account is not null",
		DB_ARGS(DB_INT(mailbox))));
	if (!row)
		return STORE_E_NOT_FOUND;
	*ret_account = db_int(q, 0);
	return 0;
}

int mailbox_apply(struct store_conn *c, int64_t mailbox, const struct mailbox_change *change,
	uint32_t *ret_first_uid)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"update mailbox set n_messages = n_messages + $2, n_unseen = n_unseen + $3,"
		" n_deleted = n_deleted + $4, octets = octets + $5, n_expunged = n_expunged + $6,"
		" uidnext = uidnext + $7, highest_modseq = $8"
		" where id = $1 and uidnext + $7 <= 4294967295 returning uidnext",
		DB_ARGS(DB_INT(mailbox), DB_INT(change->n_messages), DB_INT(change->n_unseen),
			DB_INT(change->n_deleted), DB_INT(change->octets),
			DB_INT(change->n_expunged), DB_INT(change->n_uids),
			DB_INT(change->highest_modseq))));
	if (!row)
		return STORE_E_LIMIT;
	if (ret_first_uid)
		*ret_first_uid = (uint32_t)((uint64_t)db_int(q, 0) - change->n_uids);
	conn_changed(c, mailbox);
	return 0;
}

/* RFC 9051 section 2.3.1.1: larger than that of any earlier mailbox of the name. Seconds since 1970
 * where they go up, one more than the last where they do not. */
static int take_uidvalidity(struct store_conn *c, int64_t account, int64_t *ret_uidvalidity)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"update account set uidvalidity ="
		" case when uidvalidity >= $2 then uidvalidity + 1 else $2 end"
		" where id = $1 returning uidvalidity",
		DB_ARGS(DB_INT(account), DB_INT(clock_now_us() / 1000000))));
	if (!row)
		return STORE_E_NOT_FOUND;
	*ret_uidvalidity = db_int(q, 0);
	return 0;
}

/* RFC 4314 section 4, CREATE: others have the rights that they have in the mailbox above. */
static int inherit_rights(struct store_conn *c, int64_t account, struct span name, int64_t mailbox)
{
	const uint8_t *end = memrchr(name.p, '/', name.n);

	if (!end)
		return 0;
	TRY(db_exec(c->db, NULL,
		"insert into mailbox_acl (mailbox, account, domain, rights)"
		" select $3, x.account, x.domain, x.rights from mailbox_acl x"
		" join mailbox m on m.id = x.mailbox where m.account = $1 and m.name = $2",
		DB_ARGS(DB_INT(account), DB_SPAN(span_head(name, (size_t)(end - name.p))),
			DB_INT(mailbox))));
	return 0;
}

static int mailbox_insert(struct store_conn *c, int64_t account, struct span name,
	enum special_use use, int64_t *ret_id)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int64_t uidvalidity;
	uint64_t modseq;
	bool row;

	TRY(take_uidvalidity(c, account, &uidvalidity));
	TRY(account_take_modseq(c, account, 1, &modseq));
	TRY(db_query_row(&q, &row, c->db,
		"insert into mailbox (account, name, special_use, uidvalidity, uidnext,"
		" highest_modseq, n_messages, n_unseen, n_deleted, octets, recent_from, n_expunged,"
		" expunged_floor, created)"
		" values ($1, $2, $3, $4, 1, $5, 0, 0, 0, 0, 1, 0, 0, $6) returning id",
		DB_ARGS(DB_INT(account), DB_SPAN(name), DB_INT(use), DB_INT(uidvalidity),
			DB_INT(modseq), DB_INT(clock_now_us()))));
	*ret_id = db_int(q, 0);
	db_reset(TAKE(q));
	return inherit_rights(c, account, name, *ret_id);
}

int mailbox_make_standard(struct store_conn *c, int64_t account)
{
	static const struct {
		struct span name;
		enum special_use use;
	} standard[] = {
		{ SPAN("INBOX"), USE_NONE },
		{ SPAN("Drafts"), USE_DRAFTS },
		{ SPAN("Sent"), USE_SENT },
		{ SPAN("Junk"), USE_JUNK },
		{ SPAN("Trash"), USE_TRASH },
		{ SPAN("Archive"), USE_ARCHIVE },
	};
	int64_t id;

	for (size_t i = 0; i < sizeof standard / sizeof standard[0]; i++) {
		TRY(mailbox_insert(c, account, standard[i].name, standard[i].use, &id));
		TRY(store_mailbox_subscribe(c, account, standard[i].name, true));
	}
	return 0;
}

static int mailbox_exists(struct store_conn *c, int64_t account, struct span name, bool *ret_exists)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;

	TRY(db_query_row(&q, ret_exists, c->db,
		"select 1 from mailbox where account = $1 and name = $2",
		DB_ARGS(DB_INT(account), DB_SPAN(name))));
	return 0;
}

/* Room for the levels of one more name. */
static int check_count(struct store_conn *c, int64_t account, struct why *why)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db, "select count(*) from mailbox where account = $1",
		DB_ARGS(DB_INT(account))));
	if (db_int(q, 0) + LIMIT_MAILBOX_LEVELS <= MAILBOXES_MAX)
		return 0;
	why_set(why, "the account has %lld mailboxes: remove some first", (long long)db_int(q, 0));
	return STORE_E_LIMIT;
}

/* The levels above a name that do not exist yet. */
static int make_above(struct store_conn *c, int64_t account, struct span name)
{
	for (size_t i = 0; i < name.n; i++) {
		struct span above = span_head(name, i);
		bool exists;
		int64_t id;

		if (name.p[i] != '/')
			continue;
		TRY(mailbox_exists(c, account, above, &exists));
		if (!exists)
			TRY(mailbox_insert(c, account, above, USE_NONE, &id));
	}
	return 0;
}

/* RFC 6154 section 3: one mailbox a use here, so that clients agree on it. */
static int check_use(struct store_conn *c, struct arena *a, int64_t account, enum special_use use,
	struct why *why)
{
	struct store_mailbox other;
	int r;

	if (use == USE_NONE)
		return 0;
	if (use == USE_ALL || use == USE_FLAGGED || use == USE_IMPORTANT) {
		why_set(why, "there are no virtual mailboxes here");
		return STORE_E_REFUSED;
	}
	r = store_mailbox_with_use(c, a, account, use, &other);
	if (r == STORE_E_NOT_FOUND)
		return 0;
	if (r)
		return err_fold(r);
	why_set(why, "the mailbox %.*s has that use", (int)other.name.n,
		(const char *)other.name.p);
	return STORE_E_REFUSED;
}

int store_mailbox_create(struct store_conn *c, int64_t account, struct span name,
	enum special_use use, int64_t *ret_id, struct why *why)
{
	CLEANUP(arena_done) struct arena a = {};
	bool exists;
	int r;

	assert(c->writer);
	r = store_mailbox_name(&a, name, &name, why);
	if (r)
		return r;
	TRY(mailbox_exists(c, account, name, &exists));
	if (exists)
		return STORE_E_EXISTS;
	r = check_use(c, &a, account, use, why);
	if (!r)
		r = check_count(c, account, why);
	if (r)
		return r;
	TRY(make_above(c, account, name));
	return mailbox_insert(c, account, name, use, ret_id);
}

int mailbox_abandon_all(struct store_conn *c, int64_t account)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db, "select id from mailbox where account = $1",
		DB_ARGS(DB_INT(account))));
	while (db_next(q, &r))
		conn_changed(c, db_int(q, 0));
	if (r)
		return r;
	TRY(db_exec(c->db, NULL, "update mailbox set account = null where account = $1",
		DB_ARGS(DB_INT(account))));
	return 0;
}

int store_mailbox_delete(struct store_conn *c, int64_t account, struct span name, struct why *why)
{
	CLEANUP(arena_done) struct arena a = {};
	struct store_mailbox m;
	uint64_t modseq;
	int r;

	assert(c->writer);
	r = store_mailbox_find(c, &a, account, name, &m);
	if (r)
		return r;
	if (span_is(m.name, "INBOX")) {
		why_set(why, "INBOX cannot be removed");
		return STORE_E_REFUSED;
	}
	TRY(account_take_modseq(c, account, 1, &modseq));
	TRY(account_use(c, account, -(int64_t)m.octets, -(int64_t)m.n_messages));
	TRY(db_exec(c->db, NULL, "delete from mailbox_acl where mailbox = $1",
		DB_ARGS(DB_INT(m.id))));
	TRY(db_exec(c->db, NULL, "update mailbox set account = null where id = $1",
		DB_ARGS(DB_INT(m.id))));
	conn_changed(c, m.id);
	return 0;
}

/* The mailboxes below a name; '0' is what follows '/'. */
static int list_below(struct store_conn *c, struct arena *a, int64_t account, struct span name,
	struct store_mailbox **ret_mailboxes, size_t *ret_n)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	CLEANUP(buf_done) struct buf from = {}, until = {};

	buf_add(&from, name);
	buf_add_octet(&from, '/');
	buf_add(&until, name);
	buf_add_octet(&until, '/' + 1);
	TRY(db_query(&q, c->db,
		MAILBOX_COLUMNS " where m.account = $1 and m.name > $2 and m.name < $3",
		DB_ARGS(DB_INT(account), DB_SPAN(buf_span(&from)), DB_SPAN(buf_span(&until)))));
	return mailbox_rows(q, a, ret_mailboxes, ret_n);
}

/* One mailbox under its new name. A subscription to the old one stays (RFC 9051 section 6.3.7). */
static int rename_one(struct store_conn *c, const struct store_mailbox *m, struct span to,
	struct why *why)
{
	CLEANUP(arena_done) struct arena a = {};
	struct span normal;
	bool exists;
	int r = store_mailbox_name(&a, to, &normal, why);

	if (r)
		return r;
	TRY(mailbox_exists(c, m->account, normal, &exists));
	if (exists) {
		why_set(why, "there is a mailbox %.*s", (int)normal.n, (const char *)normal.p);
		return STORE_E_EXISTS;
	}
	TRY(db_exec(c->db, NULL, "update mailbox set name = $2 where id = $1",
		DB_ARGS(DB_INT(m->id), DB_SPAN(normal))));
	if (m->subscribed)
		TRY(store_mailbox_subscribe(c, m->account, normal, true));
	conn_changed(c, m->id);
	return 0;
}

static int rename_below(struct store_conn *c, struct arena *a, const struct store_mailbox *m,
	struct span to, struct why *why)
{
	struct store_mailbox *below;
	size_t n;
	int r;

	TRY(list_below(c, a, m->account, m->name, &below, &n));
	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf_done) struct buf name = {};

		buf_add(&name, to);
		buf_add(&name, span_skip(below[i].name, m->name.n));
		r = rename_one(c, &below[i], buf_span(&name), why);
		if (r)
			return r;
	}
	return 0;
}

/* RFC 9051 section 6.3.6: INBOX stays, empty, with what is below it; its messages move. */
static int rename_inbox(struct store_conn *c, const struct store_mailbox *inbox, struct span to)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	CLEANUP(buf_done) struct buf uids = {}, pairs = {};
	uint64_t modseq;
	int64_t target;
	int r = 0;

	TRY(mailbox_insert(c, inbox->account, to, USE_NONE, &target));
	TRY(db_query(&q, c->db, "select uid from message where mailbox = $1 order by uid",
		DB_ARGS(DB_INT(inbox->id))));
	while (db_next(q, &r)) {
		uint32_t uid = (uint32_t)db_int(q, 0);

		buf_add(&uids, span_of(&uid, sizeof uid));
	}
	if (r)
		return r;
	TRY(store_move(c, inbox->id, (const uint32_t *)(const void *)buf_span(&uids).p,
		buf_size(&uids) / sizeof(uint32_t), target, &pairs, &modseq));
	return 0;
}

int store_mailbox_rename(struct store_conn *c, int64_t account, struct span from, struct span to,
	struct why *why)
{
	CLEANUP(arena_done) struct arena a = {};
	struct store_mailbox m;
	uint64_t modseq;
	bool exists;
	int r;

	assert(c->writer);
	r = store_mailbox_find(c, &a, account, from, &m);
	if (!r)
		r = store_mailbox_name(&a, to, &to, why);
	if (r)
		return r;
	TRY(mailbox_exists(c, account, to, &exists));
	if (exists)
		return STORE_E_EXISTS;
	r = check_count(c, account, why);
	if (r)
		return r;
	if (span_is(m.name, "INBOX")) {
		TRY(make_above(c, account, to));
		return rename_inbox(c, &m, to);
	}
	if (to.n > m.name.n && span_starts(to, m.name) && to.p[m.name.n] == '/') {
		why_set(why, "a mailbox cannot lie below itself");
		return STORE_E_REFUSED;
	}
	TRY(account_take_modseq(c, account, 1, &modseq));
	TRY(make_above(c, account, to));
	r = rename_one(c, &m, to, why);
	return r ? r : rename_below(c, &a, &m, to, why);
}

/* Names need not exist to be subscribed, so their number needs a limit of its own. */
static int check_subscriptions(struct store_conn *c, int64_t account)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db, "select count(*) from subscription where account = $1",
		DB_ARGS(DB_INT(account))));
	return db_int(q, 0) < MAILBOXES_MAX ? 0 : STORE_E_LIMIT;
}

int store_mailbox_subscribe(struct store_conn *c, int64_t account, struct span name, bool on)
{
	CLEANUP(arena_done) struct arena a = {};
	int r;

	assert(c->writer);
	r = store_mailbox_name(&a, name, &name, NULL);
	if (r)
		return r;
	if (!on) {
		TRY(db_exec(c->db, NULL,
			"delete from subscription where account = $1 and name = $2",
			DB_ARGS(DB_INT(account), DB_SPAN(name))));
		return 0;
	}
	r = check_subscriptions(c, account);
	if (r)
		return r;
	TRY(db_exec(c->db, NULL,
		"insert into subscription (account, name) values ($1, $2) on conflict do nothing",
		DB_ARGS(DB_INT(account), DB_SPAN(name))));
	return 0;
}

int store_mailbox_claim_recent(struct store_conn *c, int64_t mailbox, uint32_t *ret_from)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	assert(c->writer);
	TRY(db_query_row(&q, &row, c->db,
		"select recent_from from mailbox where id = $1 and account is not null",
		DB_ARGS(DB_INT(mailbox))));
	if (!row)
		return STORE_E_NOT_FOUND;
	*ret_from = (uint32_t)db_int(q, 0);
	db_reset(TAKE(q));
	TRY(db_exec(c->db, NULL,
		"update mailbox set recent_from = uidnext where id = $1 and recent_from < uidnext",
		DB_ARGS(DB_INT(mailbox))));
	return 0;
}
