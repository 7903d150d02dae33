/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Address books and cards as rows. Their certificates are contact_certs.c's. */

#include "store/contact_rows.h"

#include "base/clock.h"
#include "base/limit.h"
#include "store/conn.h"
#include "store/contact_parts.h"
#include "store/mailbox_rows.h"
#include "store/name.h"

#include <assert.h>

struct span store_address_key(struct arena *a, struct span address)
{
	const uint8_t *at = address.n ? memrchr(address.p, '@', address.n) : NULL;
	CLEANUP(buf_done) struct buf key = {};
	struct span local = span_head(address, at ? (size_t)(at - address.p) : address.n);

	buf_add(&key, name_local(a, local));
	if (at)
		buf_add_octet(&key, '@');
	buf_add(&key, name_local(a, span_skip(address, local.n + 1)));
	return arena_span(a, buf_span(&key));
}

static int number(struct store_conn *c, const char *sql, int64_t of, int64_t *ret_number)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db, sql, DB_ARGS(DB_INT(of))));
	*ret_number = row ? db_int(q, 0) : 0;
	return 0;
}

static int check_book_name(struct span name, struct why *why)
{
	bool control = false;

	for (size_t i = 0; i < name.n; i++)
		control |= name.p[i] < ' ' || name.p[i] == 0x7f;
	if (name.n && name.n <= BOOK_NAME_MAX && !control && span_is_utf8(name))
		return 0;
	why_set(why,
		"the name of an address book has 1 to %d octets, none of them a control character",
		BOOK_NAME_MAX);
	return STORE_E_REFUSED;
}

static int book_insert(struct store_conn *c, int64_t account, struct span name, bool is_default,
	int64_t *ret_book)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	uint64_t modseq;
	bool row;
	int r = account_take_modseq(c, account, 1, &modseq);

	if (r)
		return r;
	TRY(db_query_row(&q, &row, c->db,
		"insert into address_book (account, name, is_default, born, modseq, created)"
		" values ($1, $2, $3, $4, $4, $5) on conflict do nothing returning id",
		DB_ARGS(DB_INT(account), DB_SPAN(name), DB_INT(is_default), DB_INT(modseq),
			DB_INT(clock_now_us()))));
	if (!row)
		return STORE_E_EXISTS;
	*ret_book = db_int(q, 0);
	return 0;
}

int store_book_default(struct store_conn *c, int64_t account, int64_t *ret_book)
{
	int64_t book;

	assert(c->writer);
	TRY(number(c, "select id from address_book where account = $1 and is_default = 1", account,
		&book));
	if (!book)
		return book_insert(c, account, SPAN("Contacts"), true, ret_book);
	*ret_book = book;
	return 0;
}

int store_book_add(struct store_conn *c, int64_t account, struct span name, int64_t *ret_book,
	struct why *why)
{
	int64_t n, first;
	int r;

	assert(c->writer);
	r = check_book_name(name, why);
	if (!r)
		r = store_book_default(c, account, &first);
	if (r)
		return r;
	TRY(number(c, "select count(*) from address_book where account = $1", account, &n));
	if (n >= BOOKS_MAX) {
		why_set(why, "an account has at most %d address books", BOOKS_MAX);
		return STORE_E_LIMIT;
	}
	return book_insert(c, account, name, false, ret_book);
}

static int book_owner(struct store_conn *c, int64_t account, int64_t book, bool *ret_default)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select is_default from address_book where id = $1 and account = $2",
		DB_ARGS(DB_INT(book), DB_INT(account))));
	if (!row)
		return STORE_E_NOT_FOUND;
	*ret_default = db_int(q, 0) != 0;
	return 0;
}

int store_book_rename(struct store_conn *c, int64_t account, int64_t book, struct span name,
	struct why *why)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	uint64_t modseq;
	bool other, is_default;
	int r;

	assert(c->writer);
	r = check_book_name(name, why);
	if (!r)
		r = book_owner(c, account, book, &is_default);
	if (r)
		return r;
	TRY(db_query_row(&q, &other, c->db,
		"select 1 from address_book where account = $1 and name = $2 and id <> $3",
		DB_ARGS(DB_INT(account), DB_SPAN(name), DB_INT(book))));
	if (other)
		return STORE_E_EXISTS;
	TRY(account_take_modseq(c, account, 1, &modseq));
	TRY(db_exec(c->db, NULL, "update address_book set name = $2, modseq = $3 where id = $1",
		DB_ARGS(DB_INT(book), DB_SPAN(name), DB_INT(modseq))));
	return 0;
}

/* Forgets the oldest records of what is gone. */
static int removed_trim(struct store_conn *c, int64_t account)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int64_t n, floor;
	bool row;

	TRY(number(c, "select count(*) from contact_removed where account = $1", account, &n));
	if (n <= CONTACT_REMOVED_MAX)
		return 0;
	TRY(db_query_row(&q, &row, c->db,
		"select modseq from contact_removed where account = $1 order by modseq limit 1 "
		"offset $2",
		DB_ARGS(DB_INT(account), DB_INT(n - CONTACT_REMOVED_MAX / 2))));
	floor = db_int(q, 0);
	db_reset(TAKE(q));
	TRY(db_exec(c->db, NULL, "delete from contact_removed where account = $1 and modseq <= $2",
		DB_ARGS(DB_INT(account), DB_INT(floor))));
	TRY(db_exec(c->db, NULL, "update contact_use set removed_floor = $2 where account = $1",
		DB_ARGS(DB_INT(account), DB_INT(floor))));
	return 0;
}

static int removed_note(struct store_conn *c, int64_t account, uint64_t modseq, bool is_card,
	struct span uid)
{
	TRY(db_exec(c->db, NULL,
		"insert into contact_removed (account, modseq, kind, uid) values ($1, $2, $3, $4)",
		DB_ARGS(DB_INT(account), DB_INT(modseq), DB_INT(is_card), DB_SPAN(uid))));
	return 0;
}

/* Adds to what the account has. */
static int use_add(struct store_conn *c, int64_t account, int64_t n_cards, int64_t octets)
{
	TRY(db_exec(c->db, NULL,
		"insert into contact_use (account, n_cards, octets, removed_floor)"
		" values ($1, $2, $3, 0)"
		" on conflict (account) do update set n_cards = contact_use.n_cards + "
		"excluded.n_cards,"
		" octets = contact_use.octets + excluded.octets",
		DB_ARGS(DB_INT(account), DB_INT(n_cards), DB_INT(octets))));
	return 0;
}

int store_book_remove(struct store_conn *c, int64_t account, int64_t book, struct why *why)
{
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int64_t n, octets;
	uint64_t modseq;
	bool is_default, row;
	int r;

	assert(c->writer);
	r = book_owner(c, account, book, &is_default);
	if (r)
		return r;
	if (is_default) {
		why_set(why, "the default address book stays; remove its cards");
		return STORE_E_REFUSED;
	}
	TRY(account_take_modseq(c, account, 1, &modseq));
	TRY(number(c, "select count(*) from contact where book = $1", book, &n));
	TRY(number(c, "select coalesce(sum(octets), 0) from contact where book = $1", book,
		&octets));
	TRY(db_exec(c->db, NULL,
		"insert into contact_removed (account, modseq, kind, uid)"
		" select account, $2, 1, uid from contact where book = $1",
		DB_ARGS(DB_INT(book), DB_INT(modseq))));
	TRY(db_query_row(&q, &row, c->db, "delete from address_book where id = $1 returning name",
		DB_ARGS(DB_INT(book))));
	TRY(removed_note(c, account, modseq, false, arena_span(&a, db_blob(q, 0))));
	TRY(use_add(c, account, -n, -octets));
	return removed_trim(c, account);
}

#define BOOK_COLUMNS                                                                               \
	"select b.id, b.name, b.is_default, b.modseq, b.created,"                                  \
	" (select count(*) from contact t where t.book = b.id) from address_book b"

static void book_of(struct db_statement *q, struct store_book *book)
{
	*book = (struct store_book){
		.id = db_int(q, 0),
		.name = db_blob(q, 1),
		.is_default = db_int(q, 2) != 0,
		.modseq = (uint64_t)db_int(q, 3),
		.created_us = db_int(q, 4),
		.n_cards = (uint64_t)db_int(q, 5),
	};
}

int store_book_find(struct store_conn *c, struct arena *a, int64_t account, struct span name,
	struct store_book *ret_book)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db, BOOK_COLUMNS " where b.account = $1 and b.name = $2",
		DB_ARGS(DB_INT(account), DB_SPAN(name))));
	if (!row)
		return STORE_E_NOT_FOUND;
	book_of(q, ret_book);
	ret_book->name = arena_span(a, ret_book->name);
	return 0;
}

int store_book_each(struct store_conn *c, int64_t account,
	int (*each)(const struct store_book *book, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db,
		BOOK_COLUMNS " where b.account = $1 order by b.is_default desc, b.name",
		DB_ARGS(DB_INT(account))));
	while (db_next(q, &r)) {
		struct store_book book;

		book_of(q, &book);
		r = each(&book, context);
	}
	return r;
}

/* The card of that uid, as far as a change looks at it. */
struct present {
	int64_t id, book;
	int64_t octets;
	uint64_t modseq;
};

static int present_read(struct store_conn *c, int64_t account, struct span uid,
	struct present *ret_present)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	*ret_present = (struct present){};
	TRY(db_query_row(&q, &row, c->db,
		"select id, book, octets, modseq from contact where account = $1 and uid = $2",
		DB_ARGS(DB_INT(account), DB_SPAN(uid))));
	if (row)
		*ret_present = (struct present){ db_int(q, 0), db_int(q, 1), db_int(q, 2),
			(uint64_t)db_int(q, 3) };
	return 0;
}

static int check_room(struct store_conn *c, int64_t account, int64_t more_cards,
	int64_t more_octets, struct why *why)
{
	int64_t n, octets;

	TRY(number(c, "select n_cards from contact_use where account = $1", account, &n));
	TRY(number(c, "select octets from contact_use where account = $1", account, &octets));
	if (n + more_cards > CONTACTS_MAX) {
		why_set(why, "an account has at most %d cards", CONTACTS_MAX);
		return STORE_E_LIMIT;
	}
	if (octets + more_octets > CONTACT_OCTETS_MAX) {
		why_set(why, "the cards of an account have at most %d octets", CONTACT_OCTETS_MAX);
		return STORE_E_LIMIT;
	}
	return 0;
}

static int addresses_write(struct store_conn *c, int64_t account, int64_t contact,
	const struct contact_put *put)
{
	CLEANUP(arena_done) struct arena a = {};

	TRY(db_exec(c->db, NULL, "delete from contact_address where contact = $1",
		DB_ARGS(DB_INT(contact))));
	for (size_t i = 0; i < put->n_addresses; i++)
		TRY(db_exec(c->db, NULL,
			"insert into contact_address (account, address, contact, n)"
			" values ($1, $2, $3, $4) on conflict do nothing",
			DB_ARGS(DB_INT(account), DB_SPAN(store_address_key(&a, put->addresses[i])),
				DB_INT(contact), DB_INT(i))));
	return 0;
}

static int contact_insert(struct store_conn *c, int64_t account, int64_t book,
	const struct contact_put *put, uint64_t modseq, int64_t *ret_id)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int64_t now_us = clock_now_us();
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"insert into contact (account, book, uid, kind, name, octets, born, modseq, "
		"created,"
		" updated, card) values ($1, $2, $3, $4, $5, $6, $7, $7, $8, $8, $9) returning id",
		DB_ARGS(DB_INT(account), DB_INT(book), DB_SPAN(put->uid), DB_SPAN(put->kind),
			DB_SPAN(put->name), DB_INT(put->card.n), DB_INT(modseq), DB_INT(now_us),
			DB_SPAN(put->card))));
	*ret_id = db_int(q, 0);
	return 0;
}

static int contact_update(struct store_conn *c, int64_t id, int64_t book,
	const struct contact_put *put, uint64_t modseq)
{
	TRY(db_exec(c->db, NULL,
		"update contact set book = $2, kind = $3, name = $4, octets = $5, modseq = $6,"
		" updated = $7, card = $8 where id = $1",
		DB_ARGS(DB_INT(id), DB_INT(book), DB_SPAN(put->kind), DB_SPAN(put->name),
			DB_INT(put->card.n), DB_INT(modseq), DB_INT(clock_now_us()),
			DB_SPAN(put->card))));
	return 0;
}

/* Whether the change may be made to what is there. */
static int check_present(const struct present *present, const struct contact_put *put)
{
	if (put->if_modseq == UINT64_MAX)
		return present->id ? STORE_E_EXISTS : 0;
	if (put->if_modseq && put->if_modseq != present->modseq)
		return STORE_E_STALE;
	return 0;
}

/* The book that the card comes into. */
static int choose_book(struct store_conn *c, int64_t account, const struct present *present,
	const struct contact_put *put, int64_t *ret_book)
{
	bool is_default;
	int r;

	if (!put->book && !present->id)
		return store_book_default(c, account, ret_book);
	r = put->book ? book_owner(c, account, put->book, &is_default) : 0;
	if (r)
		return r;
	*ret_book = put->book ? put->book : present->book;
	return 0;
}

int store_contact_put(struct store_conn *c, int64_t account, const struct contact_put *put,
	int64_t *ret_id, struct why *why)
{
	struct present present;
	uint64_t modseq;
	int64_t book, id;
	int r;

	assert(c->writer);
	assert(put->card.n <= LIMIT_CARD);
	TRY(present_read(c, account, put->uid, &present));
	r = check_present(&present, put);
	if (!r)
		r = choose_book(c, account, &present, put, &book);
	if (!r)
		r = check_room(c, account, !present.id, (int64_t)put->card.n - present.octets, why);
	if (r)
		return r;
	TRY(account_take_modseq(c, account, 1, &modseq));
	id = present.id;
	if (id)
		TRY(contact_update(c, id, book, put, modseq));
	else
		TRY(contact_insert(c, account, book, put, modseq, &id));
	TRY(use_add(c, account, !present.id, (int64_t)put->card.n - present.octets));
	TRY(addresses_write(c, account, id, put));
	r = contact_certs_write(c, account, id, put, why);
	if (r)
		return r;
	*ret_id = id;
	return 0;
}

int store_contact_remove(struct store_conn *c, int64_t account, struct span uid)
{
	struct present present;
	uint64_t modseq;

	assert(c->writer);
	TRY(present_read(c, account, uid, &present));
	if (!present.id)
		return STORE_E_NOT_FOUND;
	TRY(account_take_modseq(c, account, 1, &modseq));
	TRY(removed_note(c, account, modseq, true, uid));
	TRY(db_exec(c->db, NULL, "delete from contact where id = $1", DB_ARGS(DB_INT(present.id))));
	TRY(use_add(c, account, -1, -present.octets));
	return removed_trim(c, account);
}

int contact_touch(struct store_conn *c, int64_t account, int64_t contact)
{
	uint64_t modseq;
	int64_t n;

	TRY(account_take_modseq(c, account, 1, &modseq));
	TRY(db_exec(c->db, &n, "update contact set modseq = $3 where id = $1 and account = $2",
		DB_ARGS(DB_INT(contact), DB_INT(account), DB_INT(modseq))));
	return n ? 0 : STORE_E_NOT_FOUND;
}

#define CONTACT_COLUMNS                                                                            \
	"select t.id, t.book, t.uid, t.kind, t.name, t.modseq, t.created, t.updated, t.card"       \
	" from contact t"

static int contact_row(struct db_statement *q, struct arena *a, struct store_contact *ret_contact)
{
	bool row;

	TRY(db_step(q, &row));
	if (!row)
		return STORE_E_NOT_FOUND;
	*ret_contact = (struct store_contact){
		.id = db_int(q, 0),
		.book = db_int(q, 1),
		.uid = arena_span(a, db_blob(q, 2)),
		.kind = arena_span(a, db_blob(q, 3)),
		.name = arena_span(a, db_blob(q, 4)),
		.modseq = (uint64_t)db_int(q, 5),
		.created_us = db_int(q, 6),
		.updated_us = db_int(q, 7),
		.card = arena_span(a, db_blob(q, 8)),
	};
	return 0;
}

int store_contact_get(struct store_conn *c, struct arena *a, int64_t account, struct span uid,
	struct store_contact *ret_contact)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;

	TRY(db_query(&q, c->db, CONTACT_COLUMNS " where t.account = $1 and t.uid = $2",
		DB_ARGS(DB_INT(account), DB_SPAN(uid))));
	return contact_row(q, a, ret_contact);
}

int store_contact_named(struct store_conn *c, struct arena *a, int64_t account, struct span kind,
	struct span name, struct store_contact *ret_contact)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool another;
	int r;

	TRY(db_query(&q, c->db,
		CONTACT_COLUMNS " where t.account = $1 and t.kind = $2 and t.name = $3 limit 2",
		DB_ARGS(DB_INT(account), DB_SPAN(kind), DB_SPAN(name))));
	r = contact_row(q, a, ret_contact);
	if (r)
		return r;
	TRY(db_step(q, &another));
	return another ? STORE_E_EXISTS : 0;
}

int store_contact_uid(struct store_conn *c, struct arena *a, int64_t account, int64_t id,
	struct span *ret_uid)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db, "select uid from contact where account = $1 and id = $2",
		DB_ARGS(DB_INT(account), DB_INT(id))));
	if (!row)
		return STORE_E_NOT_FOUND;
	*ret_uid = arena_span(a, db_blob(q, 0));
	return 0;
}

int store_contact_of(struct store_conn *c, struct arena *a, int64_t account, struct span address,
	struct store_contact *ret_contact)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;

	TRY(db_query(&q, c->db,
		CONTACT_COLUMNS " where t.id = (select min(x.contact) from contact_address x"
				" where x.account = $1 and x.address = $2)",
		DB_ARGS(DB_INT(account), DB_SPAN(store_address_key(a, address)))));
	return contact_row(q, a, ret_contact);
}

/* The addresses of a card, LF between. */
static int addresses_read(struct store_conn *c, int64_t contact, struct buf *out)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	buf_clear(out);
	TRY(db_query(&q, c->db, "select address from contact_address where contact = $1 order by n",
		DB_ARGS(DB_INT(contact))));
	while (db_next(q, &r)) {
		if (buf_size(out))
			buf_add_octet(out, '\n');
		buf_add(out, db_blob(q, 0));
	}
	return r;
}

int store_contact_each(struct store_conn *c, int64_t account, int64_t book,
	int (*each)(const struct store_contact *contact, void *context), void *context)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	CLEANUP(buf_done) struct buf addresses = {};
	int r = 0;

	TRY(db_query(&q, c->db,
		"select t.id, t.book, t.uid, t.kind, t.name, t.modseq, t.created, t.updated,"
		" (select count(*) from contact_cert x where x.contact = t.id and x.state <> 2)"
		" from contact t where t.account = $1 and ($2 = 0 or t.book = $2)"
		" order by t.name, t.id",
		DB_ARGS(DB_INT(account), DB_INT(book))));
	while (db_next(q, &r)) {
		struct store_contact contact;

		TRY(addresses_read(c, db_int(q, 0), &addresses));
		contact = (struct store_contact){
			.id = db_int(q, 0),
			.book = db_int(q, 1),
			.uid = db_blob(q, 2),
			.kind = db_blob(q, 3),
			.name = db_blob(q, 4),
			.modseq = (uint64_t)db_int(q, 5),
			.created_us = db_int(q, 6),
			.updated_us = db_int(q, 7),
			.n_certs = (uint64_t)db_int(q, 8),
			.addresses = buf_span(&addresses),
		};
		r = each(&contact, context);
	}
	return r;
}

int store_contact_state(struct store_conn *c, int64_t account, uint64_t *ret_modseq)
{
	int64_t modseq;

	TRY(number(c,
		"select coalesce(max(n), 0) from ("
		"select max(modseq) as n from contact where account = $1"
		" union all select max(modseq) from address_book where account = $1"
		" union all select max(modseq) from contact_removed where account = $1) x",
		account, &modseq));
	*ret_modseq = (uint64_t)modseq;
	return 0;
}

int store_contact_changes(struct store_conn *c, int64_t account, uint64_t since,
	int (*each)(const struct contact_change *change, void *context), void *context,
	bool *ret_complete)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int64_t floor;
	int r = 0;

	TRY(number(c, "select removed_floor from contact_use where account = $1", account, &floor));
	*ret_complete = since >= (uint64_t)floor;
	TRY(db_query(&q, c->db,
		"select modseq, 1, 0, uid, born from contact where account = $1 and modseq > $2"
		" union all select modseq, 0, 0, name, born from address_book"
		" where account = $1 and modseq > $2"
		" union all select modseq, kind, 1, uid, 0 from contact_removed"
		" where account = $1 and modseq > $2 order by 1",
		DB_ARGS(DB_INT(account), DB_INT(since))));
	while (db_next(q, &r)) {
		struct contact_change change = {
			.modseq = (uint64_t)db_int(q, 0),
			.is_book = db_int(q, 1) == 0,
			.removed = db_int(q, 2) != 0,
			.uid = db_blob(q, 3),
			.created = (uint64_t)db_int(q, 4) > since,
		};

		r = each(&change, context);
	}
	return r;
}
