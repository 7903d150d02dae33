/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * What an account sends over the API: to whom it comes, what the sender keeps, and that all of it
 * happens once or not at all, whatever the database does.
 */

#include "svc/send.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/test.h"
#include "db/db.h"
#include "store/message.h"
#include "svc/env_fixture.h"

#include <errno.h>

#define TEXT                                                                                      \
	"From: alice@example.org\r\nTo: bob@example.org\r\nSubject: Hello\r\n"                     \
	"Message-ID: <one@example.org>\r\n\r\nHello, Bob.\r\n"

static struct env_fixture *environment;

static int setup(void **state)
{
	*state = environment;
	env_fixture_open(*state);
	return 0;
}

static int teardown(void **state)
{
	env_fixture_close(*state);
	return 0;
}

static struct mail_address at_home(const char *local)
{
	return (struct mail_address){ span_str(local), SPAN("example.org") };
}

/* A message of alice's to one or two, each of whom gets a copy of his own, and hers. */
struct letter {
	struct mail_address to[2];
	struct send_copy copies[2];
	struct send_request request;
	struct send_done done;
	struct why why;
};

static void letter_init(struct env_fixture *f, struct letter *l, const char *first,
	const char *second)
{
	*l = (struct letter){ .to = { at_home(first), at_home(second ? second : "") },
		.request = { .account = env_fixture_account(f, "alice"),
			.sender = at_home("alice"),
			.n_copies = second ? 2 : 1,
			.kept = SPAN(TEXT "\r\nkept\r\n"),
			.use = USE_SENT,
			.flags = FLAG_SEEN,
			.now_us = clock_now_us() } };
	l->request.copies = l->copies;
	for (size_t i = 0; i < 2; i++)
		l->copies[i] = (struct send_copy){ SPAN(TEXT), &l->to[i], 1 };
}

static int send_it(struct env_fixture *f, struct letter *l)
{
	return send_message(&f->env, &l->request, &l->done, &l->why);
}

static int64_t in_mailboxes(struct env_fixture *f, const char *local, const char *mailbox)
{
	CLEANUP(buf_done) struct buf sql = {};

	buf_add_format(&sql,
		"select count(*) from message m join mailbox b on b.id = m.mailbox join account a"
		" on a.id = b.account where a.local = cast('%s' as blob)"
		" and b.name = cast('%s' as blob)",
		local, mailbox);
	buf_add_octet(&sql, 0);
	return fixture_number(f->store, (const char *)buf_span(&sql).p);
}

static int64_t n_messages(struct env_fixture *f)
{
	return fixture_number(f->store, "select count(*) from message");
}

static int64_t n_contents(struct env_fixture *f)
{
	return fixture_number(f->store, "select count(*) from content");
}

static void test_delivered_and_kept(void **state)
{
	struct env_fixture *f = *state;
	struct letter l;

	letter_init(f, &l, "bob", NULL);
	assert_int_equal(send_it(f, &l), 0);
	assert_int_equal(l.done.n_delivered, 1);
	assert_int_equal(l.done.n_queued + l.done.n_failed, 0);
	assert_true(l.done.kept && l.done.kept_uid == 1);
	assert_int_equal(in_mailboxes(f, "bob", "INBOX"), 1);
	assert_int_equal(in_mailboxes(f, "alice", "Sent"), 1);
	assert_int_equal(n_messages(f), 2);
	/* The next one finds the mailbox that was made. */
	letter_init(f, &l, "bob", NULL);
	assert_int_equal(send_it(f, &l), 0);
	assert_int_equal(l.done.kept_uid, 2);
	assert_int_equal(in_mailboxes(f, "alice", "Sent"), 2);
}

/* What bob gets has a trace, and names neither where alice was nor anybody else. */
static void test_trace(void **state)
{
	struct env_fixture *f = *state;
	struct letter l;

	letter_init(f, &l, "alice", NULL);
	l.request.kept = (struct span){};
	assert_int_equal(send_it(f, &l), 0);
	assert_int_equal(l.done.kept, 0);
	env_fixture_assert_mail(f, 1, "Return-Path: <alice@example.org>\r\n");
	env_fixture_assert_mail(f, 1, "Delivered-To: alice@example.org\r\n");
	env_fixture_assert_mail(f, 1, "Received: by example.org with HTTP;\r\n");
	/* Two recipients of one copy are not told of each other. */
	letter_init(f, &l, "alice", "bob");
	l.request.n_copies = 1;
	l.copies[0].n_to = 2;
	assert_int_equal(send_it(f, &l), 0);
	assert_int_equal(l.done.n_delivered, 2);
	env_fixture_assert_mail(f, 2, "Return-Path: <alice@example.org>\r\nReceived: by");
}

static void test_draft(void **state)
{
	struct env_fixture *f = *state;
	struct letter l;

	letter_init(f, &l, "bob", NULL);
	l.request.n_copies = 0;
	l.request.use = USE_DRAFTS;
	l.request.flags = FLAG_DRAFT;
	assert_int_equal(send_it(f, &l), 0);
	assert_int_equal(l.done.n_delivered, 0);
	assert_int_equal(in_mailboxes(f, "alice", "Drafts"), 1);
	assert_int_equal(n_messages(f), 1);
}

/* One copy that nobody can have: nothing is sent, neither to the others nor to the sender's own. */
static void test_refused(void **state)
{
	struct env_fixture *f = *state;
	struct letter l;

	letter_init(f, &l, "bob", "nobody");
	assert_int_equal(send_it(f, &l), SEND_E_REFUSED);
	assert_non_null(strstr(l.why.text, "550 5.1.1"));
	assert_int_equal(n_messages(f), 0);
	assert_int_equal(n_contents(f), 0);
	/* Of one copy for both, one can: the sender is told of the other. */
	letter_init(f, &l, "bob", "nobody");
	l.request.n_copies = 1;
	l.copies[0].n_to = 2;
	assert_int_equal(send_it(f, &l), 0);
	assert_int_equal(l.done.n_delivered, 1);
	assert_int_equal(l.done.n_failed, 1);
	assert_int_equal(env_fixture_inbox_count(f), 1);
	env_fixture_assert_mail(f, 1, "nobody@example.org");
}

static void test_quota(void **state)
{
	struct env_fixture *f = *state;
	struct letter l;

	env_fixture_account_set(f, "alice", "quota", "10");
	letter_init(f, &l, "bob", NULL);
	assert_int_equal(send_it(f, &l), SEND_E_QUOTA);
	assert_non_null(strstr(l.why.text, "full"));
	assert_int_equal(n_messages(f), 0);
	/* Without a copy of her own she can. */
	l.request.kept = (struct span){};
	assert_int_equal(send_it(f, &l), 0);
	/* A recipient's is the recipient's. */
	env_fixture_account_set(f, "alice", "quota", "default");
	env_fixture_account_set(f, "bob", "quota", "10");
	letter_init(f, &l, "bob", NULL);
	assert_int_equal(send_it(f, &l), SEND_E_REFUSED);
	assert_non_null(strstr(l.why.text, "452 4.2.2"));
	assert_int_equal(in_mailboxes(f, "alice", "Sent"), 0);
}

/* Whichever call of the database fails: all of it is there, or nothing. */
static void test_failures(void **state)
{
	struct env_fixture *f = *state;
	unsigned n = 0;
	int r;

	do {
		struct letter l;

		letter_init(f, &l, "bob", "alice");
		db_fail_at(++n, -EIO);
		r = send_it(f, &l);
		db_fail_at(0, 0);
		assert_true(r <= 0);
		assert_int_equal(n_messages(f), r ? 0 : 3);
		assert_int_equal(n_contents(f), r ? 0 : 3);
	} while (r);
	assert_true(n > 20);
}

/* A transaction that has to be run again, from wherever: nothing is there twice, nothing is counted
 * twice. A large message is staged in pieces before. */
static void test_repeated(void **state)
{
	struct env_fixture *f = *state;
	CLEANUP(buf_done) struct buf large = {};
	int64_t n_before = 0;

	buf_add_string(&large, TEXT);
	while (buf_size(&large) < 3 * CONTENT_INLINE)
		buf_add_string(&large, "And so on, and so on, and so on, and so on.\r\n");
	for (unsigned n = 1; n < 120; n++) {
		struct letter l;
		int r;

		letter_init(f, &l, "bob", "alice");
		if (n % 2)
			l.copies[0].message = l.request.kept = buf_span(&large);
		db_fail_at(n, DB_E_RETRY);
		r = send_it(f, &l);
		db_fail_at(0, 0);
		/* A reader that cannot go on is a fault, and nothing was sent. */
		assert_true(r <= 0);
		if (!r) {
			assert_int_equal(l.done.n_delivered, 2);
			assert_int_equal(l.done.n_failed + l.done.n_queued, 0);
		}
		assert_int_equal(n_messages(f) - n_before, r ? 0 : 3);
		n_before = n_messages(f);
	}
	assert_true(n_before > 100);
	assert_int_equal(n_contents(f), n_before);
	fixture_recount(f->store);
	fixture_sweep(f->store);
	assert_int_equal(fixture_number(f->store, "select count(*) from upload"), 0);
}

static void test_look(void **state)
{
	struct env_fixture *f = *state;
	const struct mail_address to[] = { at_home("bob"), at_home("nobody"), at_home("postmaster") };
	enum recipient_verdict verdicts[3];

	assert_int_equal(send_look(&f->env, to, 3, verdicts), 0);
	assert_int_equal(verdicts[0], RECIPIENT_OK);
	assert_int_equal(verdicts[1], RECIPIENT_UNKNOWN);
	assert_int_equal(verdicts[2], RECIPIENT_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_delivered_and_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_trace, setup, teardown),
		cmocka_unit_test_setup_teardown(test_draft, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_quota, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
		cmocka_unit_test_setup_teardown(test_repeated, setup, teardown),
		cmocka_unit_test_setup_teardown(test_look, setup, teardown),
	};
	int failed;

	log_set_level(LOG_ERROR);
	environment = env_fixture_new();
	env_fixture_person(environment, "bob", "builder");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	environment = env_fixture_free(environment);
	return failed;
}
