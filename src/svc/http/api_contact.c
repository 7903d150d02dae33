/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Address books and the cards in them. Cards are read and their certificates verified before the
 * transaction. */

#include "svc/http/api_contact.h"
#include "contact/card.h"
#include "store/contact_rows.h"
#include "store/store.h"
#include "svc/contacts.h"
#include "svc/env.h"

#include <stdlib.h>

static json_t *book_json(const struct store_book *book)
{
	json_t *object = json_object();

	api_set_text(object, "name", book->name);
	(void)json_object_set_new(object, "default", json_boolean(book->is_default));
	api_set_number(object, "cards", book->n_cards);
	(void)json_object_set_new(object, "created", http_json_time(book->created_us));
	return object;
}

static int add_book(const struct store_book *book, void *context)
{
	(void)json_array_append_new(context, book_json(book));
	return 0;
}

int api_book_list(struct http_request *q, struct store_conn *c)
{
	struct store_account account;
	int r = api_account(q, c, &account);

	return r ? r : store_book_each(c, account.id, add_book, api_answer_list(q, "books"));
}

static int answer_book(struct http_request *q, struct store_conn *c, int64_t account,
	struct span name)
{
	struct store_book book;

	TRY(store_book_find(c, &q->arena, account, name, &book));
	q->answer = book_json(&book);
	return 0;
}

int api_contact_audit(struct http_request *q, struct store_conn *c,
	const struct store_account *account, const char *action, struct span detail)
{
	return q->who.account == account->id ? 0
					     : http_audit(q, c, action, account->address, detail);
}

int api_book_add(struct http_request *q, struct store_conn *c)
{
	struct span name = http_text(q, "name");
	struct store_account account;
	struct why why = {};
	int64_t id;
	int r = api_account(q, c, &account);

	if (r)
		return r;
	r = store_book_add(c, account.id, name, &id, &why);
	if (r)
		return http_store_problem(q, r, "address book", "name", &why);
	TRY(api_contact_audit(q, c, &account, "contact.book.add", name));
	q->status = 201;
	return answer_book(q, c, account.id, name);
}

int api_named_book(struct http_request *q, struct store_conn *c, int64_t account, struct span name,
	const char *field, int64_t *ret_book)
{
	struct store_book book;
	int r = store_book_find(c, &q->arena, account, name, &book);

	if (r)
		return http_store_problem(q, r, "address book", field, NULL);
	*ret_book = book.id;
	return 0;
}

/* The account of parameter 0 and its book of parameter 1. */
static int find_book(struct http_request *q, struct store_conn *c,
	struct store_account *ret_account, int64_t *ret_book)
{
	int r = api_account(q, c, ret_account);

	return r ? r : api_named_book(q, c, ret_account->id, q->params[1], "book", ret_book);
}

int api_book_set(struct http_request *q, struct store_conn *c)
{
	struct span name = http_text(q, "name");
	struct store_account account;
	struct why why = {};
	int64_t book;
	int r = find_book(q, c, &account, &book);

	if (r)
		return r;
	r = store_book_rename(c, account.id, book, name, &why);
	if (r)
		return http_store_problem(q, r, "address book", "name", &why);
	TRY(api_contact_audit(q, c, &account, "contact.book.set", q->params[1]));
	return answer_book(q, c, account.id, name);
}

int api_book_remove(struct http_request *q, struct store_conn *c)
{
	struct store_account account;
	struct why why = {};
	int64_t book;
	int r = find_book(q, c, &account, &book);

	if (r)
		return r;
	r = store_book_remove(c, account.id, book, &why);
	if (r)
		return http_store_problem(q, r, "address book", "book", &why);
	TRY(api_contact_audit(q, c, &account, "contact.book.remove", q->params[1]));
	q->status = 204;
	return 0;
}

/* Names of books by their ids. */
struct book_names {
	struct arena *arena;
	struct buf books; /* struct store_book */
};

static int note_book(const struct store_book *book, void *context)
{
	struct book_names *names = context;
	struct store_book copy = *book;

	copy.name = arena_span(names->arena, book->name);
	buf_add(&names->books, span_of(&copy, sizeof copy));
	return 0;
}

static struct span book_name(const struct book_names *names, int64_t id)
{
	const struct store_book
		*books = (const struct store_book *)(const void *)buf_span(&names->books).p;

	for (size_t i = 0; i < buf_size(&names->books) / sizeof *books; i++) {
		if (books[i].id == id)
			return books[i].name;
	}
	return SPAN("");
}

static json_t *contact_json(const struct store_contact *contact, const struct book_names *names)
{
	json_t *object = json_object();

	api_set_text(object, "uid", contact->uid);
	api_set_text(object, "kind", contact->kind);
	api_set_text(object, "name", contact->name);
	api_set_text(object, "book", book_name(names, contact->book));
	api_set_number(object, "modseq", contact->modseq);
	(void)json_object_set_new(object, "created", http_json_time(contact->created_us));
	(void)json_object_set_new(object, "updated", http_json_time(contact->updated_us));
	return object;
}

struct card_list {
	struct book_names names;
	json_t *list;
};

static int add_contact(const struct store_contact *contact, void *context)
{
	struct card_list *l = context;
	json_t *object = contact_json(contact, &l->names), *addresses = json_array();
	struct span rest = contact->addresses;

	while (rest.n)
		(void)json_array_append_new(addresses, http_json_text(span_cut(&rest, '\n')));
	(void)json_object_set_new(object, "addresses", addresses);
	api_set_number(object, "certificates", contact->n_certs);
	(void)json_array_append_new(l->list, object);
	return 0;
}

int api_card_list(struct http_request *q, struct store_conn *c)
{
	struct card_list l = { .names.arena = &q->arena };
	struct span name = http_query(q, "book");
	struct store_account account;
	uint64_t state;
	int64_t book = 0;
	int r = api_account(q, c, &account);

	if (!r && name.p)
		r = api_named_book(q, c, account.id, name, "book", &book);
	if (r)
		return r;
	l.list = api_answer_list(q, "cards");
	r = store_book_each(c, account.id, note_book, &l.names);
	if (!r)
		r = store_contact_each(c, account.id, book, add_contact, &l);
	buf_done(&l.names.books);
	TRY(r);
	TRY(store_contact_state(c, account.id, &state));
	api_set_number(q->answer, "state", state);
	return 0;
}

static int answer_card(struct http_request *q, struct store_conn *c, int64_t account,
	struct span uid)
{
	struct book_names names = { .arena = &q->arena };
	struct store_contact contact;
	int r = store_contact_get(c, &q->arena, account, uid, &contact);

	if (r)
		return http_store_problem(q, r, "card", "uid", NULL);
	r = store_book_each(c, account, note_book, &names);
	if (!r) {
		q->answer = contact_json(&contact, &names);
		(void)json_object_set_new(q->answer, "card",
			json_loadb((const char *)contact.card.p, contact.card.n, 0, NULL));
	}
	buf_done(&names.books);
	return r;
}

int api_card_show(struct http_request *q, struct store_conn *c)
{
	struct store_account account;
	int r = api_account(q, c, &account);

	return r ? r : answer_card(q, c, account.id, q->params[1]);
}

int api_contact_trust(struct http_request *q, struct store_account *ret_account,
	struct contact_trust **ret_trust)
{
	int r = api_account_read(q, ret_account);

	return r ? r : contact_trust_new(ret_trust, q->env, ret_account->domain);
}

static int read_card(struct http_request *q, struct card **ret_card)
{
	char *text = json_dumps(json_object_get(q->json, "card"), JSON_COMPACT);
	struct why why = {};
	int r = card_parse(ret_card, span_str(text), &why);

	free(text);
	return r > 0 ? http_problem(q, 422, "card", "%s", why.text) : r;
}

int api_card_prepare(struct http_request *q, struct store_conn *c)
{
	CLEANUP(contact_trust_freep) struct contact_trust *trust = NULL;
	CLEANUP(card_freep) struct card *card = NULL;
	struct contact_put *put = ARENA_ALLOC(&q->arena, struct contact_put);
	struct store_account account;
	struct why why = {};
	int r = read_card(q, &card);
	bool is_own;

	(void)c;
	if (!r)
		r = api_contact_trust(q, &account, &trust);
	if (r)
		return r;
	/* Whom an account trusts is its own word: what somebody else puts in waits for it. */
	is_own = q->login == HTTP_SOCKET || q->who.account == account.id;
	r = contact_rows_of(card, is_own ? trust : NULL, &q->arena, put, &why);
	if (r)
		return r < 0 ? r : http_problem(q, 422, "card", "%s", why.text);
	q->prepared = put;
	return 0;
}

static int put_card(struct http_request *q, struct store_conn *c, struct contact_put *put)
{
	struct span book = http_text(q, "book");
	struct store_account account;
	struct why why = {};
	int64_t id;
	int r = api_account(q, c, &account);

	put->book = 0;
	if (!r && book.p)
		r = api_named_book(q, c, account.id, book, "book", &put->book);
	if (r)
		return r;
	r = store_contact_put(c, account.id, put, &id, &why);
	if (r == STORE_E_STALE)
		return http_problem(q, 412, "modseq",
			"the card was changed meanwhile: read it again");
	if (r)
		return http_store_problem(q, r, "card", "card", &why);
	TRY(api_contact_audit(q, c, &account, "contact.put", put->uid));
	return answer_card(q, c, account.id, put->uid);
}

int api_card_add(struct http_request *q, struct store_conn *c)
{
	struct contact_put put = *(struct contact_put *)q->prepared;

	put.if_modseq = UINT64_MAX;
	q->status = 201;
	return put_card(q, c, &put);
}

int api_card_set(struct http_request *q, struct store_conn *c)
{
	struct contact_put put = *(struct contact_put *)q->prepared;

	if (!span_equal(put.uid, q->params[1]))
		return http_problem(q, 422, "card", "the card has another uid than the path");
	put.if_modseq = (uint64_t)json_integer_value(json_object_get(q->json, "modseq"));
	return put_card(q, c, &put);
}

int api_card_remove(struct http_request *q, struct store_conn *c)
{
	struct store_account account;
	int r = api_account(q, c, &account);

	if (r)
		return r;
	r = store_contact_remove(c, account.id, q->params[1]);
	if (r)
		return http_store_problem(q, r, "card", "uid", NULL);
	TRY(api_contact_audit(q, c, &account, "contact.remove", q->params[1]));
	q->status = 204;
	return 0;
}
