/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "store/rule_rows.h"

#include "base/clock.h"
#include "base/digest.h"
#include "store/conn.h"

#include <assert.h>

/* An owner as the two columns hold it. */
#define OWNER(owner)                                                                               \
	(owner).level == RULE_ACCOUNT ? DB_INT((owner).id) : DB_INT(0),                            \
		(owner).level == RULE_DOMAIN ? DB_INT((owner).id) : DB_INT(0)

static int check_name(struct span name, struct why *why)
{
	bool control = false;

	for (size_t i = 0; i < name.n; i++) {
		/* RFC 5804 section 1.6: no control characters, nor those of Unicode. */
		control |= name.p[i] < 32 || name.p[i] == 127;
		control |= name.p[i] == 0xC2 && i + 1 < name.n && name.p[i + 1] < 0xA0;
		control |= span_starts(span_skip(name, i), SPAN("\xE2\x80\xA8")) ||
			   span_starts(span_skip(name, i), SPAN("\xE2\x80\xA9"));
	}
	if (name.n && name.n <= RULE_NAME_MAX && span_is_utf8(name) && !control)
		return 0;
	why_set(why, "the name of a script has 1 to %d octets of UTF-8 and no control characters",
		RULE_NAME_MAX);
	return STORE_E_REFUSED;
}

int store_rule_room(struct store_conn *c, struct rule_owner owner, struct span name, uint64_t size,
	struct why *why)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;
	int r = check_name(name, why);

	if (r)
		return r;
	TRY(db_query_row(&q, &row, c->db,
		"select count(*), coalesce(sum(length(text)), 0) from rule_script"
		" where coalesce(account, 0) = $1 and coalesce(domain, 0) = $2 and name <> $3",
		DB_ARGS(OWNER(owner), DB_SPAN(name))));
	if (db_int(q, 0) >= RULES_MAX) {
		why_set(why, "there are %d scripts, which is as many as there can be: remove one",
			RULES_MAX);
		return STORE_E_LIMIT;
	}
	if (size > RULES_OCTETS_MAX || (uint64_t)db_int(q, 1) > RULES_OCTETS_MAX - size) {
		why_set(why, "all scripts together have at most %d octets", RULES_OCTETS_MAX);
		return STORE_E_QUOTA;
	}
	return 0;
}

static int owner_exists(struct store_conn *c, struct rule_owner owner)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row = true;

	if (owner.level == RULE_ACCOUNT)
		TRY(db_query_row(&q, &row, c->db, "select 1 from account where id = $1",
			DB_ARGS(DB_INT(owner.id))));
	else if (owner.level == RULE_DOMAIN)
		TRY(db_query_row(&q, &row, c->db, "select 1 from domain where id = $1",
			DB_ARGS(DB_INT(owner.id))));
	return row ? 0 : STORE_E_NOT_FOUND;
}

int store_rule_put(struct store_conn *c, struct rule_owner owner, struct span name,
	struct span text, struct why *why)
{
	uint8_t digest[SHA256_OCTETS];
	int r;

	assert(c->writer);
	r = owner_exists(c, owner);
	if (r == 0)
		r = store_rule_room(c, owner, name, text.n, why);
	if (r)
		return r;
	digest_sha256(text, digest);
	TRY(db_exec(c->db, NULL,
		"insert into rule_script (account, domain, name, active, text, sha256, changed)"
		" values ($1, $2, $3, 0, $4, $5, $6)"
		" on conflict (coalesce(account, 0), coalesce(domain, 0), name) do update set"
		" text = excluded.text, sha256 = excluded.sha256, changed = excluded.changed",
		DB_ARGS(owner.level == RULE_ACCOUNT ? DB_INT(owner.id) : DB_NULL,
			owner.level == RULE_DOMAIN ? DB_INT(owner.id) : DB_NULL, DB_SPAN(name),
			DB_SPAN(text), DB_SPAN(span_of(digest, sizeof digest)),
			DB_INT(clock_now_us()))));
	return 0;
}

static struct store_rule rule_of(struct db_statement *q, enum rule_level level)
{
	return (struct store_rule){
		.level = level,
		.name = db_blob(q, 0),
		.text = db_blob(q, 1),
		.sha256 = db_blob(q, 2),
		.active = db_int(q, 3) != 0,
		.changed_us = db_int(q, 4),
	};
}

static struct store_rule rule_copy(struct arena *a, struct store_rule rule)
{
	rule.name = arena_span(a, rule.name);
	rule.text = arena_span(a, rule.text);
	rule.sha256 = arena_span(a, rule.sha256);
	return rule;
}

int store_rule_get(struct store_conn *c, struct arena *a, struct rule_owner owner, struct span name,
	struct store_rule *ret_rule)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select name, text, sha256, active, changed from rule_script"
		" where coalesce(account, 0) = $1 and coalesce(domain, 0) = $2"
		" and (name = $3 or (length($3) = 0 and active = 1))",
		DB_ARGS(OWNER(owner), DB_SPAN(name))));
	if (!row)
		return STORE_E_NOT_FOUND;
	*ret_rule = rule_copy(a, rule_of(q, owner.level));
	return 0;
}

int store_rule_each(struct store_conn *c, struct rule_owner owner,
	int (*each)(const struct store_rule *rule, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db,
		"select name, text, sha256, active, changed from rule_script"
		" where coalesce(account, 0) = $1 and coalesce(domain, 0) = $2 order by name",
		DB_ARGS(OWNER(owner))));
	while (db_next(q, &r)) {
		struct store_rule rule = rule_of(q, owner.level);

		r = each(&rule, context);
	}
	return r;
}

static int exists(struct store_conn *c, struct rule_owner owner, struct span name, bool *ret_exists,
	bool *ret_active)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;

	TRY(db_query_row(&q, ret_exists, c->db,
		"select active from rule_script"
		" where coalesce(account, 0) = $1 and coalesce(domain, 0) = $2 and name = $3",
		DB_ARGS(OWNER(owner), DB_SPAN(name))));
	*ret_active = *ret_exists && db_int(q, 0) != 0;
	return 0;
}

int store_rule_activate(struct store_conn *c, struct rule_owner owner, struct span name)
{
	bool there, active;

	assert(c->writer);
	TRY(exists(c, owner, name, &there, &active));
	if (name.n && !there)
		return STORE_E_NOT_FOUND;
	TRY(db_exec(c->db, NULL,
		"update rule_script set active = case when name = $3 then 1 else 0 end"
		" where coalesce(account, 0) = $1 and coalesce(domain, 0) = $2",
		DB_ARGS(OWNER(owner), DB_SPAN(name))));
	/* Who is remembered as somebody without rules (mail/known.h) is looked up again. */
	conn_routes_changed(c);
	return 0;
}

int store_rule_remove(struct store_conn *c, struct rule_owner owner, struct span name)
{
	bool there, active;

	assert(c->writer);
	TRY(exists(c, owner, name, &there, &active));
	if (!there)
		return STORE_E_NOT_FOUND;
	if (active)
		return STORE_E_IN_USE;
	TRY(db_exec(c->db, NULL,
		"delete from rule_script"
		" where coalesce(account, 0) = $1 and coalesce(domain, 0) = $2 and name = $3",
		DB_ARGS(OWNER(owner), DB_SPAN(name))));
	return 0;
}

int store_rule_rename(struct store_conn *c, struct rule_owner owner, struct span from,
	struct span to, struct why *why)
{
	bool there, active;
	int r = check_name(to, why);

	assert(c->writer);
	if (r)
		return r;
	TRY(exists(c, owner, to, &there, &active));
	if (there)
		return STORE_E_EXISTS;
	TRY(exists(c, owner, from, &there, &active));
	if (!there)
		return STORE_E_NOT_FOUND;
	TRY(db_exec(c->db, NULL,
		"update rule_script set name = $4"
		" where coalesce(account, 0) = $1 and coalesce(domain, 0) = $2 and name = $3",
		DB_ARGS(OWNER(owner), DB_SPAN(from), DB_SPAN(to))));
	return 0;
}

static int domain_of(struct store_conn *c, int64_t account, int64_t *ret_domain)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db, "select domain from account where id = $1",
		DB_ARGS(DB_INT(account))));
	*ret_domain = row ? db_int(q, 0) : 0;
	return 0;
}

int store_rules_for(struct store_conn *c, struct arena *a, int64_t account,
	struct store_rule ret_rules[static 3], size_t *ret_n)
{
	struct rule_owner owners[] = { { RULE_SERVER, 0 }, { RULE_DOMAIN, 0 },
		{ RULE_ACCOUNT, account } };
	int r;

	TRY(domain_of(c, account, &owners[1].id));
	*ret_n = 0;
	for (size_t i = 0; i < sizeof owners / sizeof owners[0]; i++) {
		r = store_rule_get(c, a, owners[i], (struct span){}, &ret_rules[*ret_n]);
		if (r == STORE_E_NOT_FOUND)
			continue;
		TRY(r);
		++*ret_n;
	}
	return 0;
}

int store_rules_due(struct store_conn *c, int64_t account, bool *ret_due)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int64_t domain;
	bool row;

	TRY(domain_of(c, account, &domain));
	TRY(db_query_row(&q, &row, c->db,
		"select count(*) from rule_script where active = 1 and (account = $1 or domain = $2"
		" or (account is null and domain is null))",
		DB_ARGS(DB_INT(account), DB_INT(domain))));
	*ret_due = db_int(q, 0) > 0;
	return 0;
}

int store_vacation_take(struct store_conn *c, int64_t account, struct span handle,
	struct span sender, int64_t now_us, int64_t until_us)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int64_t n;
	bool row;

	assert(c->writer);
	TRY(db_exec(c->db, NULL, "delete from vacation_reply where account = $1 and until <= $2",
		DB_ARGS(DB_INT(account), DB_INT(now_us))));
	TRY(db_query_row(&q, &row, c->db, "select count(*) from vacation_reply where account = $1",
		DB_ARGS(DB_INT(account))));
	if (db_int(q, 0) >= VACATION_REPLIES_MAX)
		return STORE_E_LIMIT;
	TRY(db_exec(c->db, &n,
		"insert into vacation_reply (account, handle, sender, until) values ($1, $2, $3, "
		"$4)"
		" on conflict (account, handle, sender) do nothing",
		DB_ARGS(DB_INT(account), DB_SPAN(handle), DB_SPAN(sender), DB_INT(until_us))));
	return n ? 0 : STORE_E_EXISTS;
}
