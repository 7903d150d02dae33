/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Who may do what in whose mailbox. Rights are rows; what an account may do is asked of them each
 * time, in the transaction of what it does, so that a right that was taken away is gone at once.
 */

#include "store/sharing.h"

#include "base/limit.h"
#include "store/account.h"
#include "store/conn.h"
#include "store/domain.h"
#include "store/domain_rows.h"
#include "store/mailbox_rows.h"
#include "store/name.h"

#include <assert.h>

/* An account, as far as names of mailboxes go. */
struct person {
	int64_t id, domain;
	struct span local, domain_name; /* in the arena */
};

static int person_read(struct store_conn *c, struct arena *a, int64_t account,
	struct person *ret_person)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select a.domain, a.local, d.name from account a join domain d on d.id = a.domain"
		" where a.id = $1",
		DB_ARGS(DB_INT(account))));
	if (!row)
		return STORE_E_NOT_FOUND;
	*ret_person = (struct person){
		.id = account,
		.domain = db_int(q, 0),
		.local = arena_span(a, db_blob(q, 1)),
		.domain_name = arena_span(a, db_blob(q, 2)),
	};
	return 0;
}

/* "~local/path", with the domain where it is not the account's own. */
static struct span name_of(struct arena *a, const struct person *me, const struct person *owner,
	struct span path)
{
	CLEANUP(buf_done) struct buf name = {};

	if (owner->id == me->id && !(path.n && path.p[0] == '~'))
		return path;
	buf_add_octet(&name, '~');
	buf_add(&name, owner->local);
	if (owner->domain != me->domain) {
		buf_add_octet(&name, '@');
		buf_add(&name, owner->domain_name);
	}
	buf_add_octet(&name, '/');
	buf_add(&name, path);
	return arena_span(a, buf_span(&name));
}

static int account_named(struct store_conn *c, struct arena *a, int64_t domain, struct span local,
	int64_t *ret_account)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	if (local.n > LIMIT_LOCAL_PART)
		return STORE_E_NOT_FOUND;
	TRY(db_query_row(&q, &row, c->db, "select id from account where domain = $1 and local = $2",
		DB_ARGS(DB_INT(domain), DB_SPAN(name_local(a, local)))));
	if (!row)
		return STORE_E_NOT_FOUND;
	*ret_account = db_int(q, 0);
	return 0;
}

/* The account of "jim" or "jim@example.net". */
static int owner_named(struct store_conn *c, struct arena *a, const struct person *me,
	struct span user, int64_t *ret_owner)
{
	size_t at = span_find(user, '@');
	int64_t domain = me->domain;
	int r = 0;

	if (at < user.n)
		r = domain_id(c, span_skip(user, at + 1), &domain);
	return r ? r : account_named(c, a, domain, span_head(user, at), ret_owner);
}

static int place_of(struct store_conn *c, struct arena *a, const struct person *me,
	struct span name, int64_t *ret_owner, struct span *ret_path)
{
	int64_t owner;
	size_t end;
	int r;

	if (name.n == 0 || name.p[0] != '~') {
		*ret_owner = me->id;
		*ret_path = name;
		return 0;
	}
	name = span_skip(name, 1);
	end = span_find(name, '/');
	r = owner_named(c, a, me, span_head(name, end), &owner);
	if (r)
		return r;
	if (end + 1 >= name.n)
		return STORE_E_NOT_FOUND;
	*ret_owner = owner;
	*ret_path = span_skip(name, end + 1);
	return 0;
}

int store_mailbox_place(struct store_conn *c, struct arena *a, int64_t account, struct span name,
	int64_t *ret_owner, struct span *ret_path)
{
	struct person me;
	int r = person_read(c, a, account, &me);

	return r ? r : place_of(c, a, &me, name, ret_owner, ret_path);
}

/* All that apply, together. */
static int rights_of(struct store_conn *c, const struct person *me, int64_t mailbox,
	unsigned *ret_rights)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	unsigned rights = 0;
	int r = 0;

	TRY(db_query(&q, c->db,
		"select rights from mailbox_acl where mailbox = $1"
		" and (account = $2 or domain = $3 or (account is null and domain is null))",
		DB_ARGS(DB_INT(mailbox), DB_INT(me->id), DB_INT(me->domain))));
	while (db_next(q, &r))
		rights |= (unsigned)db_int(q, 0) & ACL_ALL;
	if (r)
		return r;
	*ret_rights = rights;
	return 0;
}

int store_mailbox_rights(struct store_conn *c, int64_t account, int64_t mailbox,
	unsigned *ret_rights)
{
	CLEANUP(arena_done) struct arena a = {};
	struct person me;
	int64_t owner;
	int r = mailbox_account(c, mailbox, &owner);

	if (r)
		return r;
	if (owner == account) {
		*ret_rights = ACL_ALL;
		return 0;
	}
	r = person_read(c, &a, account, &me);
	if (r == STORE_E_NOT_FOUND) {
		*ret_rights = 0;
		return 0;
	}
	return r ? r : rights_of(c, &me, mailbox, ret_rights);
}

/* Whether these rights are enough; if not, whether the mailbox may be known of. */
static int rights_suffice(unsigned rights, unsigned need)
{
	if (need ? (rights & need) == need : (rights & ACL_ANY) != 0)
		return 0;
	return rights & ACL_LOOKUP ? STORE_E_RIGHTS : STORE_E_NOT_FOUND;
}

/* The mailbox of an account by its own name for it. */
static int reach_at(struct store_conn *c, struct arena *a, const struct person *me, int64_t owner,
	struct span path, unsigned need, struct shared_mailbox *ret)
{
	struct person person = *me;
	int r = store_mailbox_find(c, a, owner, path, &ret->box);

	if (r)
		return r;
	ret->own = owner == me->id;
	ret->rights = ACL_ALL;
	ret->path = ret->box.name;
	if (!ret->own) {
		TRY(rights_of(c, me, ret->box.id, &ret->rights));
		r = rights_suffice(ret->rights, need);
		if (r)
			return r;
		TRY(person_read(c, a, owner, &person));
	}
	ret->box.name = name_of(a, me, &person, ret->path);
	return 0;
}

int store_mailbox_reach(struct store_conn *c, struct arena *a, int64_t account, struct span name,
	unsigned need, struct shared_mailbox *ret_mailbox)
{
	struct person me;
	struct span path;
	int64_t owner;
	int r = person_read(c, a, account, &me);

	if (!r)
		r = place_of(c, a, &me, name, &owner, &path);
	return r ? r : reach_at(c, a, &me, owner, path, need, ret_mailbox);
}

/* A mailbox and rights that somebody was given in it; rows of one mailbox follow each other. */
struct given {
	int64_t mailbox, owner;
	unsigned rights;
};

static int given_read(struct store_conn *c, const struct person *me, struct buf *out)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	struct given given = {};
	bool row;

	TRY(db_query(&q, c->db,
		"select m.id, m.account, x.rights from mailbox_acl x join mailbox m on m.id = "
		"x.mailbox"
		" where x.account = $1 and m.account <> $1"
		" union all select m.id, m.account, x.rights from mailbox_acl x"
		" join mailbox m on m.id = x.mailbox where x.domain = $2 and m.account <> $1"
		" union all select m.id, m.account, x.rights from mailbox_acl x"
		" join mailbox m on m.id = x.mailbox"
		" where x.account is null and x.domain is null and m.account <> $1"
		" order by 2, 1",
		DB_ARGS(DB_INT(me->id), DB_INT(me->domain))));
	for (;;) {
		TRY(db_step(q, &row));
		if (!row || (given.mailbox && db_int(q, 0) != given.mailbox)) {
			if (given.rights & ACL_LOOKUP)
				buf_add(out, span_of(&given, sizeof given));
			given.rights = 0;
		}
		if (!row)
			return 0;
		given.mailbox = db_int(q, 0);
		given.owner = db_int(q, 1);
		given.rights |= (unsigned)db_int(q, 2) & ACL_ALL;
	}
}

int store_shared_list(struct store_conn *c, struct arena *a, int64_t account,
	struct shared_mailbox **ret_mailboxes, size_t *ret_n)
{
	CLEANUP(buf_done) struct buf all = {};
	const struct given *given;
	struct person me, owner = {};
	struct shared_mailbox *list;
	size_t n, n_listed = 0;

	TRY(person_read(c, a, account, &me));
	TRY(given_read(c, &me, &all));
	given = (const struct given *)(const void *)buf_span(&all).p;
	n = buf_size(&all) / sizeof *given;
	list = arena_alloc(a, n * sizeof *list + 1);
	for (size_t i = 0; i < n; i++) {
		struct shared_mailbox *m = &list[n_listed];

		if (owner.id != given[i].owner)
			TRY(person_read(c, a, given[i].owner, &owner));
		/* A name with a level inside the account's cannot be said in IMAP. */
		if (span_find(owner.local, '/') < owner.local.n)
			continue;
		TRY(store_mailbox_get(c, a, given[i].mailbox, &m->box));
		m->path = m->box.name;
		m->rights = given[i].rights;
		m->box.use = USE_NONE; /* the owner's */
		m->box.subscribed = false;
		m->box.name = name_of(a, &me, &owner, m->path);
		n_listed++;
	}
	*ret_mailboxes = list;
	*ret_n = n_listed;
	return 0;
}

int store_own_list(struct store_conn *c, struct arena *a, int64_t account,
	struct store_mailbox **ret_mailboxes, size_t *ret_n)
{
	struct person me;
	int r = person_read(c, a, account, &me);

	if (r)
		return r;
	TRY(store_mailbox_list(c, a, account, ret_mailboxes, ret_n));
	for (size_t i = 0; i < *ret_n; i++)
		(*ret_mailboxes)[i].name = name_of(a, &me, &me, (*ret_mailboxes)[i].name);
	return 0;
}

/* "~JIM@example.org/Inbox" as its owner would be called, without asking whether there is one. */
static struct span other_name(struct arena *a, const struct person *me, struct span name)
{
	CLEANUP(buf_done) struct buf out = {};
	size_t end = span_find(name, '/');
	struct span user = span_skip(span_head(name, end), 1);
	size_t at = span_find(user, '@');
	struct span domain = name_lower(a, span_skip(user, at + 1));

	buf_add_octet(&out, '~');
	buf_add(&out, name_local(a, span_head(user, at)));
	if (domain.n && !span_equal(domain, me->domain_name)) {
		buf_add_octet(&out, '@');
		buf_add(&out, domain);
	}
	buf_add(&out, span_skip(name, end));
	return arena_span(a, buf_span(&out));
}

int store_subscription_name(struct store_conn *c, struct arena *a, int64_t account,
	struct span name, struct span *ret_name)
{
	struct person me;
	struct span path;
	size_t end;
	int r = person_read(c, a, account, &me);

	if (!r)
		r = store_mailbox_name(a, name, &name, NULL);
	if (r)
		return r;
	*ret_name = name;
	end = span_find(name, '/');
	if (name.p[0] != '~' || end == name.n)
		return 0;
	/* INBOX is one name in any case, below an account too. */
	r = store_mailbox_name(a, span_skip(name, end + 1), &path, NULL);
	if (r)
		return r;
	memcpy((uint8_t *)(uintptr_t)(name.p + end + 1), path.p, path.n);
	*ret_name = other_name(a, &me, name);
	return 0;
}

/* What the account may do in the nearest mailbox above the path that exists; 0 if there is none. */
static int rights_above(struct store_conn *c, struct arena *a, const struct person *me,
	int64_t owner, struct span path, unsigned *ret_rights)
{
	struct store_mailbox above;
	int r = STORE_E_NOT_FOUND;

	*ret_rights = 0;
	for (size_t i = path.n; i-- > 1 && r == STORE_E_NOT_FOUND;) {
		if (path.p[i] == '/')
			r = store_mailbox_find(c, a, owner, span_head(path, i), &above);
	}
	if (r == STORE_E_NOT_FOUND)
		return 0;
	return r ? r : rights_of(c, me, above.id, ret_rights);
}

/* RFC 4314 section 4, CREATE and RENAME: k on the nearest mailbox above. Whether there is an
 * account or mailbox of that name is not told to who lacks it. */
static int may_create(struct store_conn *c, struct arena *a, const struct person *me, int64_t owner,
	struct span path)
{
	unsigned rights;
	int r;

	if (owner == me->id)
		return 0;
	r = store_mailbox_name(a, path, &path, NULL);
	if (r)
		return r > 0 ? STORE_E_RIGHTS : r;
	TRY(rights_above(c, a, me, owner, path, &rights));
	return rights & ACL_CREATE ? 0 : STORE_E_RIGHTS;
}

int store_shared_create(struct store_conn *c, struct arena *a, int64_t account, struct span name,
	enum special_use use, int64_t *ret_owner, int64_t *ret_id, struct why *why)
{
	struct person me;
	struct span path;
	int64_t owner;
	int r = person_read(c, a, account, &me);

	if (r)
		return r;
	r = place_of(c, a, &me, name, &owner, &path);
	if (r == STORE_E_NOT_FOUND)
		return STORE_E_RIGHTS;
	if (!r)
		r = may_create(c, a, &me, owner, path);
	if (r)
		return r;
	if (owner != account && use != USE_NONE) {
		why_set(why, "only the owner gives a mailbox a special use");
		return STORE_E_REFUSED;
	}
	*ret_owner = owner;
	return store_mailbox_create(c, owner, path, use, ret_id, why);
}

int store_shared_delete(struct store_conn *c, struct arena *a, int64_t account, struct span name,
	int64_t *ret_id, struct why *why)
{
	struct shared_mailbox m;
	int r = store_mailbox_reach(c, a, account, name, ACL_REMOVE, &m);

	if (r)
		return r;
	*ret_id = m.box.id;
	return store_mailbox_delete(c, m.box.account, m.path, why);
}

int store_shared_rename(struct store_conn *c, struct arena *a, int64_t account, struct span from,
	struct span to, struct why *why)
{
	struct shared_mailbox m;
	struct person me;
	struct span path;
	int64_t owner;
	int r = store_mailbox_reach(c, a, account, from, ACL_REMOVE, &m);

	if (r)
		return r;
	TRY(person_read(c, a, account, &me));
	r = place_of(c, a, &me, to, &owner, &path);
	if (r < 0)
		return r;
	if (r || owner != m.box.account) {
		why_set(why, "a mailbox stays with its account; copy the messages instead");
		return STORE_E_REFUSED;
	}
	if (!m.own && span_is(m.path, "INBOX")) {
		why_set(why, "only the owner renames an INBOX");
		return STORE_E_REFUSED;
	}
	r = may_create(c, a, &me, owner, path);
	return r ? r : store_mailbox_rename(c, owner, m.path, path, m.own ? why : NULL);
}

/* Whom an identifier names; both 0: anyone. */
struct subject {
	int64_t account, domain;
};

static int subject_of(struct store_conn *c, struct span identifier, struct subject *ret,
	struct why *why)
{
	CLEANUP(arena_done) struct arena a = {};
	struct store_account account;
	int r;

	*ret = (struct subject){};
	if (span_is(identifier, "anyone"))
		return 0;
	if (identifier.n && identifier.p[0] == '-') {
		why_set(why, "rights cannot be taken by an identifier that begins with -");
		return STORE_E_REFUSED;
	}
	if (identifier.n && identifier.p[0] == '@') {
		r = domain_id(c, span_skip(identifier, 1), &ret->domain);
	} else {
		r = store_account_find(c, &a, identifier, &account, NULL);
		ret->account = r ? 0 : account.id;
	}
	if (r != STORE_E_NOT_FOUND)
		return r;
	why_set(why, "no such account or domain; an identifier is an address, @DOMAIN or anyone");
	return STORE_E_REFUSED;
}

int store_acl_is_owner(struct store_conn *c, int64_t mailbox, struct span identifier,
	bool *ret_owner, struct why *why)
{
	struct subject subject;
	int64_t owner;
	int r = mailbox_account(c, mailbox, &owner);

	if (!r)
		r = subject_of(c, identifier, &subject, why);
	if (r)
		return r;
	*ret_owner = subject.account == owner;
	return 0;
}

static int entry_rights(struct store_conn *c, int64_t mailbox, const struct subject *s,
	unsigned *ret_rights)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select rights from mailbox_acl where mailbox = $1 and coalesce(account, 0) = $2"
		" and coalesce(domain, 0) = $3",
		DB_ARGS(DB_INT(mailbox), DB_INT(s->account), DB_INT(s->domain))));
	*ret_rights = row ? (unsigned)db_int(q, 0) : 0;
	return 0;
}

static int check_entries(struct store_conn *c, int64_t mailbox, struct why *why)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db, "select count(*) from mailbox_acl where mailbox = $1",
		DB_ARGS(DB_INT(mailbox))));
	if (db_int(q, 0) < ACL_ENTRIES_MAX)
		return 0;
	why_set(why, "a mailbox has at most %d entries: give rights to a domain instead",
		ACL_ENTRIES_MAX);
	return STORE_E_LIMIT;
}

static int entry_write(struct store_conn *c, int64_t mailbox, const struct subject *s,
	unsigned rights)
{
	TRY(db_exec(c->db, NULL,
		"delete from mailbox_acl where mailbox = $1 and coalesce(account, 0) = $2"
		" and coalesce(domain, 0) = $3",
		DB_ARGS(DB_INT(mailbox), DB_INT(s->account), DB_INT(s->domain))));
	if (rights)
		TRY(db_exec(c->db, NULL,
			"insert into mailbox_acl (mailbox, account, domain, rights)"
			" values ($1, $2, $3, $4)",
			DB_ARGS(DB_INT(mailbox), s->account ? DB_INT(s->account) : DB_NULL,
				s->domain ? DB_INT(s->domain) : DB_NULL, DB_INT(rights))));
	conn_changed(c, mailbox);
	return 0;
}

int store_acl_set(struct store_conn *c, int64_t mailbox, struct span identifier,
	enum acl_change change, unsigned rights, struct why *why)
{
	struct subject subject;
	unsigned before;
	int64_t owner;
	int r = mailbox_account(c, mailbox, &owner);

	assert(c->writer);
	if (!r)
		r = subject_of(c, identifier, &subject, why);
	if (r)
		return r;
	if (subject.account == owner) {
		why_set(why, "the owner of a mailbox always has all rights");
		return STORE_E_REFUSED;
	}
	TRY(entry_rights(c, mailbox, &subject, &before));
	if (change == ACL_ADD)
		rights |= before;
	else if (change == ACL_TAKE)
		rights = before & ~rights;
	if (!before && rights) {
		r = check_entries(c, mailbox, why);
		if (r)
			return r;
	}
	return entry_write(c, mailbox, &subject, rights & ACL_ALL);
}

static struct span identifier_of(struct arena *a, struct db_statement *q)
{
	CLEANUP(buf_done) struct buf out = {};

	if (db_is_null(q, 1))
		return SPAN("anyone");
	buf_add(&out, db_blob(q, 0));
	buf_add_octet(&out, '@');
	buf_add(&out, db_blob(q, 1));
	return arena_span(a, buf_span(&out));
}

int store_acl_list(struct store_conn *c, struct arena *a, int64_t mailbox,
	struct acl_entry **ret_entries, size_t *ret_n)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	CLEANUP(buf_done) struct buf all = {};
	struct acl_entry entry = { .rights = ACL_ALL };
	struct store_account account;
	int64_t owner;
	int r = mailbox_account(c, mailbox, &owner);

	if (r)
		return r;
	TRY(store_account_get(c, a, owner, &account));
	entry.identifier = account.address;
	buf_add(&all, span_of(&entry, sizeof entry));
	TRY(db_query(&q, c->db,
		"select a.local, d.name, x.rights from mailbox_acl x"
		" left join account a on a.id = x.account"
		" left join domain d on d.id = coalesce(x.domain, a.domain)"
		" where x.mailbox = $1 order by d.name, a.local",
		DB_ARGS(DB_INT(mailbox))));
	while (db_next(q, &r)) {
		entry.identifier = identifier_of(a, q);
		entry.rights = (unsigned)db_int(q, 2) & ACL_ALL;
		buf_add(&all, span_of(&entry, sizeof entry));
	}
	if (r)
		return r;
	*ret_n = buf_size(&all) / sizeof entry;
	*ret_entries = (struct acl_entry *)(uintptr_t)arena_span(a, buf_span(&all)).p;
	return 0;
}
