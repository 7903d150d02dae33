/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "store/contact_rows.h"

#include "base/limit.h"
#include "base/log.h"
#include "base/test.h"
#include "store/account.h"
#include "store/domain.h"
#include "store/fixture.h"

struct call {
	struct fixture *f;
	int (*run)(struct store_conn *c, struct call *k);
	struct arena arena;
	int64_t account, other, book, id;
	struct span name, address, sha256;
	struct contact_put put;
	struct store_contact contact;
	struct store_contact_cert cert;
	struct store_book found;
	enum cert_state state;
	bool decided;
	uint64_t since, modseq;
	bool complete;
	struct buf text;
	struct why why;
};

static int call_run(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return k->run(c, k);
}

static int act(struct call *k, int (*run)(struct store_conn *c, struct call *k))
{
	k->run = run;
	return store_write(k->f->store, call_run, k);
}

static int add_other(struct store_conn *c, struct call *k)
{
	struct store_credentials none = {};

	return store_account_add(c, k->f->domain, SPAN("bob"), ROLE_USER, &none, &k->other);
}

static int setup(void **state)
{
	struct call *k = test_calloc(1, sizeof *k);

	log_set_level(LOG_ERROR);
	k->f = fixture_new();
	k->account = k->f->account;
	assert_int_equal(act(k, add_other), 0);
	*state = k;
	return 0;
}

static int teardown(void **state)
{
	struct call *k = *state;

	fixture_free(k->f);
	arena_done(&k->arena);
	buf_done(&k->text);
	test_free(k);
	return 0;
}

static int book_default(struct store_conn *c, struct call *k)
{
	return store_book_default(c, k->account, &k->book);
}

static int book_add(struct store_conn *c, struct call *k)
{
	return store_book_add(c, k->account, k->name, &k->book, &k->why);
}

static int book_rename(struct store_conn *c, struct call *k)
{
	return store_book_rename(c, k->account, k->book, k->name, &k->why);
}

static int book_remove(struct store_conn *c, struct call *k)
{
	return store_book_remove(c, k->account, k->book, &k->why);
}

static int book_find(struct store_conn *c, struct call *k)
{
	return store_book_find(c, &k->arena, k->account, k->name, &k->found);
}

static int see_book(const struct store_book *book, void *context)
{
	struct call *k = context;

	buf_add(&k->text, book->name);
	buf_add_format(&k->text, "=%llu%s ", (unsigned long long)book->n_cards,
		book->is_default ? "*" : "");
	return 0;
}

static int book_each(struct store_conn *c, struct call *k)
{
	buf_clear(&k->text);
	return store_book_each(c, k->account, see_book, k);
}

static int put(struct store_conn *c, struct call *k)
{
	return store_contact_put(c, k->account, &k->put, &k->id, &k->why);
}

static int remove_card(struct store_conn *c, struct call *k)
{
	return store_contact_remove(c, k->account, k->name);
}

static int get(struct store_conn *c, struct call *k)
{
	return store_contact_get(c, &k->arena, k->account, k->name, &k->contact);
}

static int of(struct store_conn *c, struct call *k)
{
	return store_contact_of(c, &k->arena, k->account, k->address, &k->contact);
}

static int see_contact(const struct store_contact *contact, void *context)
{
	struct call *k = context;

	buf_add(&k->text, contact->name);
	buf_add_octet(&k->text, '<');
	buf_add(&k->text, contact->addresses);
	buf_add_format(&k->text, ">%llu ", (unsigned long long)contact->n_certs);
	return 0;
}

static int each(struct store_conn *c, struct call *k)
{
	buf_clear(&k->text);
	return store_contact_each(c, k->account, k->book, see_contact, k);
}

static int contacts_state(struct store_conn *c, struct call *k)
{
	return store_contact_state(c, k->account, &k->modseq);
}

static int see_change(const struct contact_change *change, void *context)
{
	struct call *k = context;

	buf_add_octet(&k->text, change->removed ? '-' : change->created ? '+' : '~');
	buf_add_string(&k->text, change->is_book ? "book:" : "");
	buf_add(&k->text, change->uid);
	buf_add_octet(&k->text, ' ');
	return 0;
}

static int changes(struct store_conn *c, struct call *k)
{
	buf_clear(&k->text);
	return store_contact_changes(c, k->account, k->since, see_change, k, &k->complete);
}

static int cert_put(struct store_conn *c, struct call *k)
{
	return store_contact_cert_put(c, k->account, &k->cert, k->decided, &k->state, &k->why);
}

static int cert_remove(struct store_conn *c, struct call *k)
{
	return store_contact_cert_remove(c, k->account, k->address, k->sha256);
}

static int cert_get(struct store_conn *c, struct call *k)
{
	return store_contact_cert_get(c, &k->arena, k->account, k->address, k->sha256, &k->cert);
}

static int see_cert(const struct store_contact_cert *cert, void *context)
{
	struct call *k = context;

	buf_add(&k->text, cert->sha256);
	buf_add_format(&k->text, "%c%s ", "TAW"[cert->state], cert -> in_card ? "c" : "");
	return 0;
}

static int cert_each(struct store_conn *c, struct call *k)
{
	buf_clear(&k->text);
	return store_contact_cert_each(c, k->account, k->address, -1, see_cert, k);
}

static void assert_text(struct call *k, int (*run)(struct store_conn *c, struct call *k),
	const char *text)
{
	assert_int_equal(act(k, run), 0);
	buf_add_octet(&k->text, 0);
	assert_string_equal((const char *)buf_span(&k->text).p, text);
}

static const struct span ada[] = { SPAN("Ada@Example.org"), SPAN("al@example.net") };

static void set_put(struct call *k, const char *uid, const char *name)
{
	k->put = (struct contact_put){
		.uid = span_str(uid),
		.kind = SPAN("individual"),
		.name = span_str(name),
		.card = SPAN("{json}"),
		.addresses = ada,
		.n_addresses = 2,
	};
}

static void books(void **state)
{
	struct call *k = *state;
	int64_t first;

	assert_text(k, book_each, "");
	assert_int_equal(act(k, book_default), 0);
	first = k->book;
	assert_int_equal(act(k, book_default), 0);
	assert_int_equal(k->book, first);
	k->name = SPAN("Club");
	assert_int_equal(act(k, book_add), 0);
	assert_int_equal(act(k, book_add), STORE_E_EXISTS);
	k->name = SPAN("a\nb");
	assert_int_equal(act(k, book_add), STORE_E_REFUSED);
	k->name = SPAN("");
	assert_int_equal(act(k, book_add), STORE_E_REFUSED);
	assert_text(k, book_each, "Contacts=0* Club=0 ");
	k->name = SPAN("Contacts");
	assert_int_equal(act(k, book_rename), STORE_E_EXISTS);
	k->name = SPAN("Alpine Club");
	assert_int_equal(act(k, book_rename), 0);
	assert_int_equal(act(k, book_rename), 0);
	assert_int_equal(act(k, book_find), 0);
	assert_true(k->found.id == k->book && !k->found.is_default);

	/* Nobody else's. */
	k->account = k->other;
	assert_int_equal(act(k, book_rename), STORE_E_NOT_FOUND);
	assert_int_equal(act(k, book_remove), STORE_E_NOT_FOUND);
	assert_int_equal(act(k, book_find), STORE_E_NOT_FOUND);
	set_put(k, "u1", "Ada");
	k->put.book = k->book;
	assert_int_equal(act(k, put), STORE_E_NOT_FOUND);
	k->account = k->f->account;

	assert_int_equal(act(k, put), 0);
	assert_text(k, book_each, "Contacts=0* Alpine Club=1 ");
	assert_int_equal(act(k, book_remove), 0);
	assert_text(k, book_each, "Contacts=0* ");
	assert_int_equal(fixture_number(k->f, "select n_cards + octets from contact_use"), 0);
	k->book = first;
	assert_int_equal(act(k, book_remove), STORE_E_REFUSED);
}

static void cards(void **state)
{
	struct call *k = *state;

	set_put(k, "u1", "Ada");
	assert_int_equal(act(k, put), 0);
	set_put(k, "u2", "Aardvark");
	k->put.n_addresses = 1;
	assert_int_equal(act(k, put), 0);
	assert_text(k, each, "Aardvark<ada@example.org>0 Ada<ada@example.org\nal@example.net>0 ");

	k->address = SPAN("AL@EXAMPLE.NET");
	assert_int_equal(act(k, of), 0);
	assert_true(span_is(k->contact.uid, "u1") && span_is(k->contact.card, "{json}"));
	k->address = SPAN("ada@example.org"); /* of both: the oldest */
	assert_int_equal(act(k, of), 0);
	assert_true(span_is(k->contact.uid, "u1"));

	set_put(k, "u1", "Ada L.");
	k->put.n_addresses = 0;
	k->put.if_modseq = k->contact.modseq + 100;
	assert_int_equal(act(k, put), STORE_E_STALE);
	k->put.if_modseq = UINT64_MAX;
	assert_int_equal(act(k, put), STORE_E_EXISTS);
	k->put.if_modseq = k->contact.modseq;
	assert_int_equal(act(k, put), 0);
	k->address = SPAN("al@example.net");
	assert_int_equal(act(k, of), STORE_E_NOT_FOUND);
	assert_int_equal(fixture_number(k->f, "select octets from contact_use"), 12);

	k->name = SPAN("u1");
	k->account = k->other;
	assert_int_equal(act(k, get), STORE_E_NOT_FOUND);
	assert_int_equal(act(k, remove_card), STORE_E_NOT_FOUND);
	k->account = k->f->account;
	assert_int_equal(act(k, get), 0);
	assert_true(span_is(k->contact.name, "Ada L."));
	assert_int_equal(act(k, remove_card), 0);
	assert_int_equal(act(k, remove_card), STORE_E_NOT_FOUND);
	assert_int_equal(fixture_number(k->f, "select n_cards from contact_use"), 1);
}

static int named(struct store_conn *c, struct call *k)
{
	arena_done(&k->arena);
	return store_contact_named(c, &k->arena, k->account, SPAN("group"), k->name, &k->contact);
}

static void by_kind_and_name(void **state)
{
	struct call *k = *state;

	k->name = SPAN("Friends");
	assert_int_equal(act(k, named), STORE_E_NOT_FOUND);
	set_put(k, "urn:uuid:1", "Friends"); /* a person who is called so */
	assert_int_equal(act(k, put), 0);
	assert_int_equal(act(k, named), STORE_E_NOT_FOUND);
	set_put(k, "urn:uuid:2", "Friends");
	k->put.kind = SPAN("group");
	assert_int_equal(act(k, put), 0);
	assert_int_equal(act(k, named), 0);
	assert_true(span_is(k->contact.uid, "urn:uuid:2") && k->contact.card.n);
	k->name = SPAN("friends");
	assert_int_equal(act(k, named), STORE_E_NOT_FOUND);
	k->name = SPAN("Friends");
	set_put(k, "urn:uuid:3", "Friends");
	k->put.kind = SPAN("group");
	assert_int_equal(act(k, put), 0);
	assert_int_equal(act(k, named), STORE_E_EXISTS);
	k->account = k->other;
	assert_int_equal(act(k, named), STORE_E_NOT_FOUND);
}

static void what_changed(void **state)
{
	struct call *k = *state;

	assert_int_equal(act(k, contacts_state), 0);
	assert_int_equal(k->modseq, 0);
	set_put(k, "u1", "Ada");
	assert_int_equal(act(k, put), 0);
	set_put(k, "u2", "Bea");
	assert_int_equal(act(k, put), 0);
	assert_int_equal(act(k, contacts_state), 0);
	assert_text(k, changes, "+book:Contacts +u1 +u2 ");
	assert_true(k->complete);
	k->since = k->modseq;
	assert_text(k, changes, "");
	set_put(k, "u1", "Ada L.");
	assert_int_equal(act(k, put), 0);
	k->name = SPAN("u2");
	assert_int_equal(act(k, remove_card), 0);
	assert_text(k, changes, "~u1 -u2 ");
	assert_true(k->complete);
}

static int churn(struct store_conn *c, struct call *k)
{
	for (int i = 0; i <= CONTACT_REMOVED_MAX; i++) {
		TRY(store_contact_put(c, k->account, &k->put, &k->id, &k->why));
		TRY(store_contact_remove(c, k->account, k->put.uid));
	}
	return 0;
}

static void record_is_bounded(void **state)
{
	struct call *k = *state;

	set_put(k, "u", "U");
	k->put.n_addresses = 0;
	assert_int_equal(act(k, churn), 0);
	assert_int_equal(act(k, changes), 0);
	assert_false(k->complete);
	assert_true(fixture_number(k->f, "select count(*) from contact_removed") <=
		    CONTACT_REMOVED_MAX);
	assert_int_equal(act(k, contacts_state), 0);
	k->since = k->modseq - 100;
	assert_int_equal(act(k, changes), 0);
	assert_true(k->complete);
}

static int fill(struct store_conn *c, struct call *k)
{
	for (int i = 0; i < CONTACTS_MAX; i++) {
		CLEANUP(buf_done) struct buf uid = {};

		buf_add_format(&uid, "n%d", i);
		k->put.uid = buf_span(&uid);
		TRY(store_contact_put(c, k->account, &k->put, &k->id, &k->why));
	}
	return 0;
}

static void room(void **state)
{
	struct call *k = *state;

	set_put(k, "", "N");
	k->put.n_addresses = 0;
	assert_int_equal(act(k, fill), 0);
	set_put(k, "one more", "N");
	assert_int_equal(act(k, put), STORE_E_LIMIT);
	assert_non_null(strstr(k->why.text, "at most"));
	set_put(k, "n7", "changed");
	assert_int_equal(act(k, put), 0);
}

static struct store_contact_cert cert_of(const char *sha256, enum cert_state state)
{
	return (struct store_contact_cert){
		.address = ada[0],
		.sha256 = span_str(sha256),
		.der = SPAN("der"),
		.state = state,
		.not_before_us = 1,
	};
}

static void in_cards(void **state)
{
	struct call *k = *state;
	struct store_contact_cert certs[2] = { cert_of("1", CERT_TRUSTED),
		cert_of("2", CERT_WAITING) };

	set_put(k, "u1", "Ada");
	k->put.certs = certs;
	k->put.n_certs = 2;
	assert_int_equal(act(k, put), 0);
	k->address = ada[0];
	assert_text(k, cert_each, "2Wc 1Tc ");
	/* One that differs waits, whatever was found out about it. */
	certs[1] = cert_of("3", CERT_TRUSTED);
	assert_int_equal(act(k, put), 0);
	assert_text(k, cert_each, "3Wc 1Tc ");
	/* Once the first is gone, the other may be trusted, when the card is looked at again. */
	k->put.certs = &certs[1];
	k->put.n_certs = 1;
	assert_int_equal(act(k, put), 0);
	assert_text(k, cert_each, "3Tc ");
	k->book = 0;
	assert_text(k, each, "Ada<ada@example.org\nal@example.net>1 ");
	k->name = SPAN("u1");
	assert_int_equal(act(k, remove_card), 0);
	assert_text(k, cert_each, "");
}

static void decisions(void **state)
{
	struct call *k = *state;

	set_put(k, "u1", "Ada");
	assert_int_equal(act(k, put), 0);
	k->cert = cert_of("1", CERT_TRUSTED);
	k->cert.contact = 4711;
	assert_int_equal(act(k, cert_put), STORE_E_NOT_FOUND);
	k->cert.contact = k->id;
	k->cert.capabilities = SPAN("caps");
	assert_int_equal(act(k, cert_put), 0);
	assert_int_equal(k->state, CERT_TRUSTED);

	k->cert = cert_of("2", CERT_TRUSTED);
	k->cert.contact = k->id;
	assert_int_equal(act(k, cert_put), 0);
	assert_int_equal(k->state, CERT_WAITING);
	k->address = SPAN("ADA@example.ORG");
	k->sha256 = SPAN("2");
	assert_int_equal(act(k, cert_get), 0);
	assert_true(span_is(k->cert.reason, "the address has another certificate"));
	assert_int_equal(act(k, cert_put), 0); /* asking again changes nothing */
	assert_int_equal(k->state, CERT_WAITING);

	k->cert.state = CERT_ANYWAY;
	k->cert.reason = SPAN("nobody knows its issuer");
	k->decided = true;
	assert_int_equal(act(k, cert_put), 0);
	assert_text(k, cert_each, "2A 1T ");
	/* What was decided stays, with why, and what came along with the first is not lost. */
	k->decided = false;
	k->cert = cert_of("2", CERT_WAITING);
	k->cert.contact = k->id;
	k->cert.reason = SPAN("it has not been verified");
	assert_int_equal(act(k, cert_put), 0);
	assert_int_equal(k->state, CERT_ANYWAY);
	assert_int_equal(act(k, cert_get), 0);
	assert_true(span_is(k->cert.reason, "nobody knows its issuer"));
	k->cert = cert_of("1", CERT_WAITING);
	k->cert.contact = k->id;
	k->cert.reason = SPAN("it has not been verified");
	assert_int_equal(act(k, cert_put), 0);
	assert_int_equal(k->state, CERT_TRUSTED);
	k->sha256 = SPAN("1");
	assert_int_equal(act(k, cert_get), 0);
	assert_true(span_is(k->cert.capabilities, "caps"));
	/* Nothing is against what is trusted. */
	assert_true(span_is(k->cert.reason, ""));

	k->account = k->other;
	assert_int_equal(act(k, cert_remove), STORE_E_NOT_FOUND);
	k->account = k->f->account;
	assert_int_equal(act(k, cert_remove), 0);
	assert_int_equal(act(k, cert_remove), STORE_E_NOT_FOUND);
	assert_text(k, cert_each, "2A ");
	/* The card itself has none of them. */
	assert_int_equal(act(k, put), 0);
	assert_text(k, cert_each, "2A ");
}

static int many_certs(struct store_conn *c, struct call *k)
{
	for (int i = 0; i < CONTACT_CERTS_MAX; i++) {
		CLEANUP(buf_done) struct buf sha256 = {};

		buf_add_format(&sha256, "n%d", i);
		k->cert.sha256 = buf_span(&sha256);
		TRY(store_contact_cert_put(c, k->account, &k->cert, false, &k->state, &k->why));
	}
	return 0;
}

static void too_many_certs(void **state)
{
	struct call *k = *state;

	set_put(k, "u1", "Ada");
	assert_int_equal(act(k, put), 0);
	k->cert = cert_of("", CERT_WAITING);
	k->cert.contact = k->id;
	assert_int_equal(act(k, many_certs), 0);
	k->cert.sha256 = SPAN("x");
	assert_int_equal(act(k, cert_put), STORE_E_LIMIT);
}

static int remove_account(struct store_conn *c, struct call *k)
{
	return store_account_remove(c, k->other);
}

static void account_gone(void **state)
{
	struct call *k = *state;

	k->account = k->other;
	set_put(k, "u1", "Ada");
	assert_int_equal(act(k, put), 0);
	k->cert = cert_of("1", CERT_TRUSTED);
	k->cert.contact = k->id;
	assert_int_equal(act(k, cert_put), 0);
	assert_int_equal(act(k, remove_account), 0);
	assert_int_equal(
		fixture_number(k->f,
			"select (select count(*) from contact) + (select count(*) from"
			" contact_cert) + (select count(*) from address_book) + (select"
			" count(*) from contact_address) + (select count(*) from contact_use)"),
		0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(books, setup, teardown),
		cmocka_unit_test_setup_teardown(cards, setup, teardown),
		cmocka_unit_test_setup_teardown(by_kind_and_name, setup, teardown),
		cmocka_unit_test_setup_teardown(what_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(record_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(room, setup, teardown),
		cmocka_unit_test_setup_teardown(in_cards, setup, teardown),
		cmocka_unit_test_setup_teardown(decisions, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_certs, setup, teardown),
		cmocka_unit_test_setup_teardown(account_gone, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
