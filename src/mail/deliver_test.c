/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "mail/deliver.h"

#include "base/alloc.h"
#include "base/log.h"
#include "db/db.h"
#include "mail/intake.h"
#include "store/account.h"
#include "store/fixture.h"
#include "store/mailbox.h"
#include "store/message.h"
#include "store/queue_rows.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* alice and bob, full (no room) and gone (disabled), team (alice, bob), mixed (alice, full,
 * somebody elsewhere). */
static int populate(struct store_conn *c, void *arg)
{
	const struct store_credentials none = {};
	const struct span team[] = { SPAN("alice@example.org"), SPAN("bob@example.org") };
	const struct span mixed[] = { SPAN("alice@example.org"), SPAN("full@example.org"),
		SPAN("somebody@example.com") };
	struct fixture *f = arg;
	int64_t id;

	TRY(store_account_add(c, f->domain, SPAN("bob"), ROLE_USER, &none, &id));
	TRY(store_mailbox_create(c, id, SPAN("Lists"), USE_NONE, &id, NULL));
	TRY(store_account_add(c, f->domain, SPAN("full"), ROLE_USER, &none, &id));
	TRY(store_account_set(c, id, SPAN("quota"), SPAN("1"), NULL));
	TRY(store_account_add(c, f->domain, SPAN("gone"), ROLE_USER, &none, &id));
	TRY(store_account_set(c, id, SPAN("disabled"), SPAN("yes"), NULL));
	TRY(store_alias_add(c, f->domain, SPAN("team"), team, 2));
	TRY(store_alias_add(c, f->domain, SPAN("mixed"), mixed, 3));
	return 0;
}

static int setup(void **state)
{
	struct fixture *f = fixture_new();

	assert_int_equal(store_write(f->store, populate, f), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

struct mailing {
	struct delivery delivery;
	struct transaction *transaction;
	struct intake *intake;
};

static struct mail_address split(const char *address)
{
	struct span domain = span_str(address), local = span_cut(&domain, '@');

	return (struct mail_address){ local, domain };
}

/* A message from and to these (separated by a space). */
static void mailing_init(struct mailing *m, const char *from, const char *to, const char *text)
{
	struct mail_address sender = split(from);
	struct span rest = span_str(to);
	struct content_draft *draft;

	*m = (struct mailing){ .transaction = ALLOC(struct transaction),
		.intake = intake_new(UINT64_MAX) };
	m->transaction->sender = mail_address_copy(&m->transaction->arena, &sender);
	while (rest.n) {
		CLEANUP(alloc_freep) char *address = span_to_string(span_word(&rest));
		struct recipient recipient = { .address = split(address) };

		transaction_add(m->transaction, &recipient);
	}
	assert_int_equal(intake_add(m->intake, span_str(text)), 0);
	assert_int_equal(intake_end(m->intake, &draft), 0);
	m->delivery = (struct delivery){
		.transaction = m->transaction,
		.intake = m->intake,
		.hostname = SPAN("mail.example.org"),
		.separators = "+",
		.hops_max = 3,
		.now_us = 1770091506000000,
	};
	(void)snprintf(m->delivery.unique, sizeof m->delivery.unique, "0123456789abcdef");
}

static void mailing_done(struct mailing *m)
{
	transaction_free(m->transaction);
	intake_free(m->intake);
}

static int run(struct store_conn *c, void *arg)
{
	struct mailing *m = arg;

	return deliver(c, &m->delivery);
}

static int64_t count(struct fixture *f, const char *what)
{
	CLEANUP(alloc_freep) char *sql = alloc_format("SELECT count(*) FROM %s", what);

	return fixture_number(f, sql);
}

static int64_t account(struct fixture *f, const char *local)
{
	CLEANUP(alloc_freep)
	char *sql = alloc_format("SELECT id FROM account WHERE local = CAST('%s' AS BLOB)", local);

	return fixture_number(f, sql);
}

struct reading {
	int64_t mailbox;
	uint32_t uid;
	struct buf octets;
};

static int read_one(const struct store_message *message, void *context)
{
	struct reading *r = context;

	buf_add(&r->octets, message->data);
	return 0;
}

static int read_message(struct store_conn *c, void *arg)
{
	struct reading *r = arg;

	return store_messages(c, r->mailbox, &r->uid, 1, WANT_DATA, read_one, r, NULL);
}

/* How many messages lie there; the octets of the one with that UID (0: not asked) are appended. */
static uint64_t look(struct fixture *f, const char *local, const char *mailbox, uint32_t uid,
	struct buf *out)
{
	struct reading r = { .mailbox = fixture_mailbox(f, account(f, local), mailbox),
		.uid = uid };
	CLEANUP(alloc_freep)
	char *what = alloc_format("message WHERE mailbox = %lld", (long long)r.mailbox);

	if (uid) {
		assert_int_equal(store_read(f->store, read_message, &r), 0);
		buf_add(out, buf_span(&r.octets));
		buf_done(&r.octets);
	}
	return (uint64_t)count(f, what);
}

static bool has(const struct buf *b, const char *text)
{
	return span_find_span(buf_span(b), span_str(text)) < buf_size(b);
}

static const char text[] = "Subject: x\r\n\r\nhello\r\n";

static void test_one(void **state)
{
	CLEANUP(buf_done) struct buf got = {};
	struct fixture *f = *state;
	struct mailing m;

	mailing_init(&m, "x@example.net", "bob@example.org", text);
	assert_int_equal(store_write(f->store, run, &m), 0);
	assert_int_equal(m.delivery.n_mailboxes, 1);
	assert_int_equal(look(f, "bob", "INBOX", 1, &got), 1);
	assert_true(span_is(buf_span(&got), text));
	mailing_done(&m);
}

/* One body for all, each mailbox once, however many addresses lead to it. */
static void test_several(void **state)
{
	struct fixture *f = *state;
	struct mailing m;

	mailing_init(&m, "x@example.net",
		"bob@example.org team@example.org BOB+x@example.org postmaster@example.org", text);
	assert_int_equal(store_write(f->store, run, &m), 0);
	assert_int_equal(look(f, "bob", "INBOX", 0, NULL), 1);
	assert_int_equal(look(f, "alice", "INBOX", 0, NULL), 1);
	assert_int_equal(m.delivery.n_mailboxes, 2);
	assert_int_equal(count(f, "content"), 1);
	mailing_done(&m);
}

static void test_detail(void **state)
{
	struct fixture *f = *state;
	struct mailing m;

	mailing_init(&m, "x@example.net", "bob+lists@example.org bob+other@example.org", text);
	assert_int_equal(store_write(f->store, run, &m), 0);
	assert_int_equal(look(f, "bob", "Lists", 0, NULL), 1);
	assert_int_equal(look(f, "bob", "INBOX", 0, NULL), 1);
	mailing_done(&m);
}

struct refusal {
	const char *to;
	enum recipient_verdict verdict;
};

static void test_all_refused(void **state)
{
	static const struct refusal rows[] = {
		{ "nobody@example.org", RECIPIENT_UNKNOWN },
		{ "gone@example.org", RECIPIENT_DISABLED },
		{ "full@example.org", RECIPIENT_FULL },
		{ "x@example.com", RECIPIENT_RELAY },
		/* what may pass is said first */
		{ "nobody@example.org full@example.org gone@example.org", RECIPIENT_FULL },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct mailing m;

		mailing_init(&m, "alice@example.org", rows[i].to, text);
		assert_int_equal(store_write(f->store, run, &m), DELIVER_E_REFUSED);
		assert_int_equal(m.delivery.refusal, rows[i].verdict);
		assert_false(m.delivery.too_many_hops);
		mailing_done(&m);
	}
	assert_int_equal(count(f, "message"), 0);
	assert_int_equal(count(f, "content"), 0);
	assert_int_equal(count(f, "queue"), 0);
}

/* Some can have it: they do, and the sender hears of the others, in the same transaction. */
static void test_some_refused(void **state)
{
	CLEANUP(buf_done) struct buf notice = {};
	struct fixture *f = *state;
	struct mailing m;

	mailing_init(&m, "alice@example.org",
		"bob@example.org nobody@example.org full@example.org gone@example.org", text);
	assert_int_equal(store_write(f->store, run, &m), 0);
	assert_int_equal(m.delivery.n_failed, 3);
	assert_int_equal(look(f, "bob", "INBOX", 0, NULL), 1);
	assert_int_equal(look(f, "alice", "INBOX", 1, &notice), 1);
	assert_true(has(&notice, "Final-Recipient: rfc822; nobody@example.org\r\n"
				 "Action: failed\r\nStatus: 5.1.1\r\n"));
	assert_true(has(&notice, "Final-Recipient: rfc822; full@example.org\r\n"
				 "Action: failed\r\nStatus: 5.2.2\r\n"));
	assert_true(has(&notice, "Final-Recipient: rfc822; gone@example.org\r\n"));
	assert_false(has(&notice, "rfc822; bob@"));
	assert_true(has(&notice, "Subject: x\r\n"));
	mailing_done(&m);

	/* The null sender is never told (RFC 5321 section 4.5.5). */
	mailing_init(&m, "", "bob@example.org nobody@example.org", text);
	assert_int_equal(store_write(f->store, run, &m), 0);
	assert_int_equal(look(f, "bob", "INBOX", 0, NULL), 2);
	assert_int_equal(count(f, "message"), 3);
	mailing_done(&m);

	/* A sender elsewhere is told by the queue. */
	mailing_init(&m, "x@example.net", "bob@example.org nobody@example.org", text);
	assert_int_equal(store_write(f->store, run, &m), 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM queue WHERE sender = x'' AND "
					   "recipient = CAST('x@example.net' AS BLOB)"),
		1);
	mailing_done(&m);
}

static void test_notify(void **state)
{
	CLEANUP(buf_done) struct buf notice = {};
	struct fixture *f = *state;
	struct mailing m;

	mailing_init(&m, "alice@example.org", "bob@example.org nobody@example.org", text);
	m.transaction->recipients[1].notify = NOTIFY_NEVER;
	assert_int_equal(store_write(f->store, run, &m), 0);
	assert_int_equal(look(f, "alice", "INBOX", 0, NULL), 0);
	m.transaction->recipients[1].notify = NOTIFY_SUCCESS;
	assert_int_equal(store_write(f->store, run, &m), 0);
	assert_int_equal(look(f, "alice", "INBOX", 0, NULL), 0);
	m.transaction->recipients[0].notify = NOTIFY_SUCCESS | NOTIFY_FAILURE;
	assert_int_equal(store_write(f->store, run, &m), 0);
	assert_int_equal(look(f, "alice", "INBOX", 1, &notice), 1);
	assert_true(has(&notice, "Final-Recipient: rfc822; bob@example.org\r\n"
				 "Action: delivered\r\nStatus: 2.1.5\r\n"));
	assert_false(has(&notice, "nobody"));
	mailing_done(&m);
}

static void test_return_full(void **state)
{
	CLEANUP(buf_done) struct buf notice = {};
	struct fixture *f = *state;
	struct mailing m;

	mailing_init(&m, "alice@example.org", "bob@example.org nobody@example.org", text);
	m.transaction->return_full = true;
	m.transaction->envelope_id = SPAN("id+2B7");
	m.transaction->recipients[1].original = SPAN("rfc822;no+2Bbody@example.org");
	assert_int_equal(store_write(f->store, run, &m), 0);
	(void)look(f, "alice", "INBOX", 1, &notice);
	assert_true(has(&notice, "\r\n\r\nhello\r\n"));
	assert_true(has(&notice, "Original-Envelope-Id: id+7\r\n"));
	assert_true(has(&notice, "Original-Recipient: rfc822; no+body@example.org\r\n"));
	mailing_done(&m);
}

/* An alias is good if somebody behind it is; the others are named to the sender. */
static void test_mixed_alias(void **state)
{
	CLEANUP(buf_done) struct buf notice = {};
	struct fixture *f = *state;
	struct mailing m;

	mailing_init(&m, "bob@example.org", "mixed@example.org", text);
	assert_int_equal(store_write(f->store, run, &m), 0);
	assert_int_equal(look(f, "alice", "INBOX", 0, NULL), 1);
	assert_int_equal(look(f, "bob", "INBOX", 1, &notice), 1);
	assert_true(has(&notice, "Final-Recipient: rfc822; full@example.org\r\n"));
	assert_true(has(&notice, "Final-Recipient: rfc822; somebody@example.com\r\n"
				 "Action: failed\r\nStatus: 5.3.2\r\n"));
	mailing_done(&m);
}

static void test_queue(void **state)
{
	struct fixture *f = *state;
	struct mailing m;

	mailing_init(&m, "alice@example.org", "x@example.net \"a.b\"@example.com bob@example.org",
		text);
	m.delivery.outgoing = true;
	m.transaction->relay = true;
	m.transaction->return_full = true;
	m.transaction->envelope_id = SPAN("id+2B7");
	m.transaction->recipients[0].original = SPAN("rfc822;y@example.net");
	m.transaction->recipients[0].notify = NOTIFY_FAILURE | NOTIFY_DELAY;
	assert_int_equal(store_write(f->store, run, &m), 0);
	assert_int_equal(m.delivery.n_queued, 2);
	assert_int_equal(m.delivery.n_mailboxes, 1);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM queue WHERE "
					   "sender = CAST('alice@example.org' AS BLOB)"),
		2);
	assert_int_equal(count(f, "content"), 1);
	mailing_done(&m);

	/* The client may relay, but nobody would send. */
	mailing_init(&m, "alice@example.org", "x@example.net", text);
	m.transaction->relay = true;
	assert_int_equal(store_write(f->store, run, &m), DELIVER_E_REFUSED);
	assert_int_equal(m.delivery.refusal, RECIPIENT_NO_OUTGOING);
	mailing_done(&m);

	/* An alias of ours leads out whoever sends. */
	mailing_init(&m, "x@example.net", "mixed@example.org", text);
	m.delivery.outgoing = true;
	assert_int_equal(store_write(f->store, run, &m), 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM queue WHERE "
					   "recipient = CAST('somebody@example.com' AS BLOB)"),
		1);
	mailing_done(&m);
}

static void test_loops(void **state)
{
	struct fixture *f = *state;
	struct mailing m;

	/* Ours and three more, the most that may be; then one too many. */
	mailing_init(&m, "x@example.net", "bob@example.org",
		"Received: 1\r\nReceived: 2\r\nReceived: 3\r\nReceived: 4\r\n\r\n");
	assert_int_equal(store_write(f->store, run, &m), 0);
	mailing_done(&m);
	mailing_init(&m, "x@example.net", "bob@example.org",
		"Received: 1\r\nReceived: 2\r\nReceived: 3\r\nReceived: 4\r\nReceived: 5\r\n\r\n");
	assert_int_equal(store_write(f->store, run, &m), DELIVER_E_REFUSED);
	assert_true(m.delivery.too_many_hops);
	mailing_done(&m);

	mailing_init(&m, "x@example.net", "bob@example.org",
		"Delivered-To: BOB@example.org\r\n\r\n");
	assert_int_equal(store_write(f->store, run, &m), DELIVER_E_REFUSED);
	assert_int_equal(m.delivery.refusal, RECIPIENT_LOOP);
	m.delivery.has_delivered_to = true; /* the one we have put there */
	assert_int_equal(store_write(f->store, run, &m), 0);
	mailing_done(&m);
	mailing_init(&m, "x@example.net", "team@example.org",
		"Delivered-To: team@example.org\r\nDelivered-To: bob@example.org\r\n\r\n");
	m.delivery.has_delivered_to = true;
	assert_int_equal(store_write(f->store, run, &m), 0);
	assert_int_equal(m.delivery.n_mailboxes, 1);
	mailing_done(&m);
}

/* Somebody removed between RCPT and the end: found here, since the addresses are looked up anew. */
static int remove_bob(struct store_conn *c, void *arg)
{
	return store_account_remove(c, *(int64_t *)arg);
}

static void test_removed_meanwhile(void **state)
{
	struct fixture *f = *state;
	int64_t bob = account(f, "bob");
	struct mailing m;

	mailing_init(&m, "x@example.net", "bob@example.org", text);
	assert_int_equal(store_write(f->store, remove_bob, &bob), 0);
	assert_int_equal(store_write(f->store, run, &m), DELIVER_E_REFUSED);
	assert_int_equal(m.delivery.refusal, RECIPIENT_UNKNOWN);
	mailing_done(&m);
}

/* Whichever call of the database fails: all of it is there, or nothing. */
static void test_failures(void **state)
{
	struct fixture *f = *state;
	unsigned n = 0;
	int r;

	do {
		struct mailing m;

		mailing_init(&m, "alice@example.org",
			"bob+lists@example.org team@example.org "
			"nobody@example.org",
			text);
		db_fail_at(++n, -EIO);
		r = store_write(f->store, run, &m);
		db_fail_at(0, 0);
		mailing_done(&m);
		assert_true(r <= 0);
		assert_int_equal(count(f, "message"), r ? 0 : 4);
		assert_int_equal(count(f, "content"), r ? 0 : 2);
	} while (r);
	assert_true(n > 20);
}

static int check(struct store_conn *c, void *arg)
{
	static const struct {
		const char *to;
		bool relay, outgoing;
		uint64_t size;
		enum recipient_verdict verdict;
		bool lasting, has_rules;
	} rows[] = {
		{ "bob@example.org", false, false, 0, RECIPIENT_OK, true },
		{ "team@example.org", false, false, 0, RECIPIENT_OK, true },
		{ "mixed@example.org", false, false, 0, RECIPIENT_OK, true },
		{ "postmaster@example.org", false, false, 0, RECIPIENT_OK, true },
		{ "nobody@example.org", false, false, 0, RECIPIENT_UNKNOWN, false },
		{ "gone@example.org", false, false, 0, RECIPIENT_DISABLED, false },
		/* empty as yet */
		{ "full@example.org", false, false, 0, RECIPIENT_OK, false },
		{ "full@example.org", false, false, 2, RECIPIENT_FULL, false },
		{ "x@example.net", false, true, 0, RECIPIENT_RELAY, false },
		{ "x@example.net", true, false, 0, RECIPIENT_NO_OUTGOING, false },
		{ "x@example.net", true, true, 0, RECIPIENT_OK, false },
	};

	(void)arg;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct recipient_rules rules = { .separators = "+",
			.relay = rows[i].relay,
			.outgoing = rows[i].outgoing,
			.size = rows[i].size };
		struct mail_address address = split(rows[i].to);
		enum recipient_verdict verdict;
		bool lasting = false, has_rules;

		assert_int_equal(
			recipient_look(c, &rules, &address, &verdict, &lasting, &has_rules), 0);
		assert_false(has_rules);
		if (verdict != rows[i].verdict || lasting != rows[i].lasting)
			fail_msg("row %zu %s: %d %d", i, rows[i].to, verdict, lasting);
	}
	return 0;
}

static void test_check(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(store_read(f->store, check, NULL), 0);
}

int main(void)
{
#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_one),
		WITH_STORE(test_several),
		WITH_STORE(test_detail),
		WITH_STORE(test_all_refused),
		WITH_STORE(test_some_refused),
		WITH_STORE(test_notify),
		WITH_STORE(test_return_full),
		WITH_STORE(test_mixed_alias),
		WITH_STORE(test_queue),
		WITH_STORE(test_loops),
		WITH_STORE(test_removed_meanwhile),
		WITH_STORE(test_failures),
		WITH_STORE(test_check),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	log_set_stderr(false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
