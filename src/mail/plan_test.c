/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Rules and delivery together: scripts of server, domain and accounts, a message, and what is in
 * which mailbox afterwards. What the copies hold is in plan_form_test.c. */

#include "mail/plan_fixture.h"

#include "base/test.h"
#include "pki/cert_fixture.h"
#include "store/account.h"
#include "store/mailbox.h"
#include "store/secure_rows.h"
#include "store/sharing.h"

static const struct {
	const char *name;
	struct {
		const char *owner, *text;
	} scripts[3];
	const char *from, *to;
	const char *text; /* NULL: plan_fixture_plain */
	const char *expected;
} rows[] = {
	{ "nobody has rules", {}, "jim@example.com", "alice@example.org bob@example.org", NULL,
		"alice/INBOX; bob/INBOX; " },
	{ "fileinto and flags",
		{ { "alice", "require [\"fileinto\",\"imap4flags\"]; fileinto :flags"
			     " [\"\\\\Seen\", \"work\"] \"Lists\";" } },
		"jim@example.com", "alice@example.org bob@example.org", NULL,
		"alice/Lists seen work; bob/INBOX; " },
	{ "a mailbox that is not there",
		{ { "alice", "require \"fileinto\"; fileinto \"None\";" } }, "jim@example.com",
		"alice@example.org", NULL, "alice/INBOX; " },
	{ "created",
		{ { "alice", "require [\"fileinto\",\"mailbox\"]; fileinto :create \"A/B\";" } },
		"jim@example.com", "alice@example.org", NULL, "alice/A/B; " },
	{ "keep goes to the sub-address's mailbox", { { "alice", "keep;" } }, "jim@example.com",
		"alice+lists@example.org", NULL, "alice/Lists; " },
	{ "discard", { { "alice", "discard;" } }, "jim@example.com",
		"alice@example.org bob@example.org", NULL, "bob/INBOX; " },
	{ "all discard: it is taken", { { "alice", "discard;" } }, "jim@example.com",
		"alice@example.org", NULL, "" },
	{ "by address: each its own",
		{ { "alice", "require [\"fileinto\",\"envelope\",\"subaddress\"];"
			     " if envelope :detail \"to\" \"x\" { fileinto \"Lists\"; }" } },
		"jim@example.com", "alice@example.org alice+x@example.org", NULL,
		"alice/INBOX; alice/Lists; " },
	{ "the server's comes first and the others go on",
		{ { "server", "require [\"fileinto\",\"copy\"]; fileinto :copy \"Archive\";" },
			{ "domain", "require [\"imap4flags\"]; addflag \"d\";" },
			{ "alice", "require [\"fileinto\"]; fileinto \"Lists\";" } },
		"jim@example.com", "alice@example.org", NULL, "alice/Archive; alice/Lists d; " },
	{ "what takes the message ends it",
		{ { "server", "require \"fileinto\"; fileinto \"Junk\";" },
			{ "alice", "require [\"fileinto\"]; fileinto \"Lists\";" } },
		"jim@example.com", "alice@example.org", NULL, "alice/Junk; " },
	{ "stop keeps it and ends it", { { "domain", "stop;" }, { "alice", "discard;" } },
		"jim@example.com", "alice@example.org", NULL, "alice/INBOX; " },
	{ "a script that fails is as if it were not there",
		{ { "domain", "require [\"variables\",\"fileinto\"]; fileinto \"Lists\";"
			      " redirect \"${x}\";" },
			{ "alice", "require [\"fileinto\"]; fileinto \"Archive\";" } },
		"jim@example.com", "alice@example.org", NULL,
		"alice/Archive; domain failed: line 1: redirect to what is no mail address; " },
	{ "another's mailbox, with the right to it",
		{ { "alice", "require \"fileinto\"; fileinto \"~bob/Shared\";" } },
		"jim@example.com", "alice@example.org", NULL, "bob/Shared; " },
	{ "and without", { { "alice", "require \"fileinto\"; fileinto \"~bob/INBOX\";" } },
		"jim@example.com", "alice@example.org", NULL,
		"alice/INBOX; account right: ~bob/INBOX; " },
	{ "flags there need a right of their own",
		{ { "alice", "require [\"fileinto\",\"imap4flags\"]; fileinto :flags"
			     " [\"\\\\Seen\", \"work\"] \"~bob/Shared\";" } },
		"jim@example.com", "alice@example.org", NULL, "bob/Shared; " },
	{ "nothing is made for others by an account's rule",
		{ { "alice",
			"require [\"fileinto\",\"mailbox\"]; fileinto :create \"~bob/New\";" } },
		"jim@example.com", "alice@example.org", NULL,
		"alice/INBOX; account right: ~bob/New; " },
	{ "a rule of the domain names what is not there",
		{ { "domain", "require \"fileinto\"; fileinto \"~carl/New\";" } },
		"jim@example.com", "alice@example.org", NULL,
		"alice/INBOX; domain right: ~carl/New; " },
	{ "and has it made",
		{ { "domain",
			"require [\"fileinto\",\"mailbox\"]; fileinto :create \"~carl/New\";" } },
		"jim@example.com", "alice@example.org", NULL, "carl/New; " },
	{ "no mailbox has so long a name",
		{ { "alice", "require [\"fileinto\",\"mailbox\",\"variables\"];"
			     " set \"a\" \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\";"
			     " set \"a\" \"${a}${a}${a}${a}${a}${a}\";"
			     " fileinto :create \"${a}${a}${a}${a}${a}\";" } },
		"jim@example.com", "alice@example.org", NULL, "alice/INBOX; " },
	{ "redirects that would go on and on",
		{ { "alice", "require [\"envelope\",\"variables\"];"
			     " if envelope :matches \"to\" \"alice+*@*\" {"
			     " redirect \"alice+x${1}@example.org\"; }"
			     " else { redirect \"alice+x@example.org\"; }" } },
		"jim@example.com", "alice@example.org", NULL,
		"alice/INBOX; account failed: the message was redirected too often: it is kept; " },
	{ "a rule of the domain needs none",
		{ { "domain", "require \"fileinto\"; fileinto \"~carl/INBOX\";" } },
		"jim@example.com", "alice@example.org", NULL, "carl/INBOX; " },
	{ "redirect here: rules of both",
		{ { "alice", "redirect \"bob@example.org\";" },
			{ "bob", "require \"fileinto\"; fileinto \"Archive\";" } },
		"jim@example.com", "alice@example.org", NULL, "bob/Archive; " },
	{ "in a circle: everybody once",
		{ { "alice", "redirect \"bob@example.org\";" },
			{ "bob", "require \"copy\"; redirect :copy \"alice@example.org\";" } },
		"jim@example.com", "alice@example.org", NULL, "bob/INBOX; " },
	{ "in a circle that nobody leaves: kept where it closes",
		{ { "alice", "redirect \"bob@example.org\";" },
			{ "bob", "redirect \"alice@example.org\";" } },
		"jim@example.com", "alice@example.org", NULL, "bob/INBOX; " },
	{ "redirect to itself: kept", { { "alice", "redirect \"alice@example.org\";" } },
		"jim@example.com", "alice@example.org", NULL, "alice/INBOX; " },
	{ "redirect elsewhere: queued as the account's, and kept while nobody sends",
		{ { "alice", "redirect \"x@example.net\";" } }, "jim@example.com",
		"alice@example.org", NULL, "alice/INBOX; <alice@example.org> to x@example.net; " },
	{ "the null path stays null", { { "alice", "redirect \"x@example.net\";" } }, "",
		"alice@example.org", NULL, "alice/INBOX; <> to x@example.net; " },
	{ "redirect to where it has been: kept", { { "alice", "redirect \"bob@example.org\";" } },
		"jim@example.com", "alice@example.org",
		"Delivered-To: bob@example.org\r\nTo: alice@example.org\r\n\r\n", "alice/INBOX; " },
	{ "redirect to nobody: kept", { { "alice", "redirect \"nobody@example.org\";" } },
		"jim@example.com", "alice@example.org", NULL, "alice/INBOX; " },
	{ "reject", { { "alice", "require \"reject\"; reject \"not you\";" } }, "jim@example.com",
		"alice@example.org", NULL, "refused 550 5.7.1 not you" },
	{ "reject, while another takes it: a report",
		{ { "alice", "require \"ereject\"; ereject \"not you\";" } }, "bob@example.org",
		"alice@example.org carl@example.org", NULL, "bob/INBOX; carl/INBOX; " },
	{ "reject behind a copy: the copy stays, and a report",
		{ { "server", "require [\"fileinto\",\"copy\"]; fileinto :copy \"Lists\";" },
			{ "alice", "require \"reject\"; reject \"not you\";" } },
		"bob@example.org", "alice@example.org", NULL, "alice/Lists; bob/INBOX; " },
	{ "refused by a script that fails, behind a copy: the same",
		{ { "server", "require \"copy\"; redirect :copy \"carl@example.org\";" },
			{ "alice", "require [\"variables\", \"vnd.signet.encrypt\"];"
				   " keep :encrypt :mandatory; redirect \"${a}\";" } },
		"bob@example.org", "alice@example.org", NULL,
		"bob/INBOX; carl/INBOX; account failed: line 1: redirect to what is no mail "
		"address; " },
	{ "redirected to who refuses it and has a copy: kept, too",
		{ { "alice", "redirect \"carl@example.org\";" },
			{ "server", "require [\"copy\",\"fileinto\",\"envelope\"];"
				    " if envelope :localpart \"to\" \"carl\" {"
				    " fileinto :copy \"A\"; }" },
			{ "carl", "require \"reject\"; reject \"no\";" } },
		"bob@example.org", "alice@example.org", NULL, "alice/INBOX; carl/INBOX; " },
	{ "two redirect to who refuses: both keep it",
		{ { "alice", "redirect \"bob@example.org\";" },
			{ "carl", "redirect \"bob@example.org\";" },
			{ "bob", "require \"reject\"; reject \"no\";" } },
		"jim@example.com", "alice@example.org carl@example.org", NULL,
		"alice/INBOX; carl/INBOX; " },
	{ "refused, named twice", { { "alice", "require \"reject\"; reject \"no\";" } },
		"jim@example.com", "alice@example.org alice@example.org", NULL,
		"refused 550 5.7.1 no" },
	{ "vacation", { { "alice", "require \"vacation\"; vacation \"away\";" } },
		"bob@example.org", "alice@example.org", NULL, "alice/INBOX; bob/INBOX; " },
	{ "vacation, not to strangers while nobody sends",
		{ { "alice", "require \"vacation\"; vacation \"away\";" } }, "jim@example.com",
		"alice@example.org", NULL, "alice/INBOX; " },
	{ "who refuses does not answer",
		{ { "domain", "require \"vacation\"; vacation \"away\";" },
			{ "alice", "require \"reject\"; reject \"no\";" } },
		"bob@example.org", "alice@example.org", NULL, "refused 550 5.7.1 no" },
	{ "no certificate: in clear, and said",
		{ { "alice", "require \"vnd.signet.encrypt\"; keep :encrypt;" } },
		"jim@example.com", "alice@example.org", NULL,
		"alice/INBOX; account clear: the owner of the mailbox has no certificate; " },
	{ "what is only called encrypted is not",
		{ { "alice", "require \"vnd.signet.encrypt\"; keep :encrypt;" } },
		"jim@example.com", "alice@example.org",
		"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\nclear\r\n",
		"alice/INBOX; account clear: the owner of the mailbox has no certificate; " },
	{ "never in clear, also where the script fails",
		{ { "alice", "require [\"variables\", \"vnd.signet.encrypt\"]; set \"a\" \"x\";"
			     " keep :encrypt :mandatory; redirect \"${a}\";" } },
		"jim@example.com", "alice@example.org", NULL,
		"account failed: line 1: redirect to what is no mail address; refused 550 5.7.10 "
		"this mailbox may take encrypted mail only, and its rules cannot deal with the "
		"message" },
	{ "never in clear",
		{ { "alice", "require \"vnd.signet.encrypt\"; keep :encrypt :mandatory;" } },
		"jim@example.com", "alice@example.org", NULL,
		"account clear: the owner of the mailbox has no certificate; refused 550 5.7.10 "
		"this"
		" mailbox takes encrypted mail only, and the server has no certificate to encrypt "
		"it to" },
};

static void run_row(size_t i)
{
	void *state;
	struct fixture *f;
	struct rule_cache *cache = rule_cache_new();
	struct mailing m;

	(void)plan_fixture_setup(&state);
	f = state;
	for (size_t j = 0; j < 3 && rows[i].scripts[j].owner; j++)
		plan_fixture_rule(f, rows[i].scripts[j].owner, rows[i].scripts[j].text);
	mailing_send(&m, f, cache, rows[i].from, rows[i].to,
		rows[i].text ? rows[i].text : plan_fixture_plain);
	mailing_list(&m);
	mailing_add_notes(&m);
	if (m.result == DELIVER_E_REFUSED)
		buf_add_format(&m.out, "refused %u %s %s", m.delivery.refusal_text.code,
			m.delivery.refusal_text.status, m.delivery.refusal_text.text);
	else
		assert_int_equal(m.result, 0);
	if (!span_is(buf_span(&m.out), rows[i].expected))
		fail_msg("%s\nexpected %s\ngot      %.*s", rows[i].name, rows[i].expected,
			(int)buf_size(&m.out), (const char *)buf_span(&m.out).p);
	mailing_done(&m);
	rule_cache_free(cache);
	(void)plan_fixture_teardown(&state);
}

static void rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		run_row(i);
}

/* Answered once, whatever the case of the address; and the answer says what it is. */
static void answers_once(void **state)
{
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	struct mailing m;

	plan_fixture_rule(f, "alice",
		"require \"vacation\"; vacation \"Gr\xC3\xBC\xC3\x9F"
		"e\";");
	for (unsigned i = 0; i < 3; i++) {
		mailing_send(&m, f, cache, i == 1 ? "BOB@example.org" : "bob@example.org",
			"alice@example.org", plan_fixture_plain);
		assert_int_equal(m.result, 0);
		assert_int_equal(m.delivery.n_answered, i == 0);
		m.first = true; /* the answer is made before the message is kept */
		if (i == 0) {
			mailing_expect(&m, "From: <alice@example.org>\r\nTo: <bob@example.org>\r\n"
					   "Subject: Auto: hello\r\n");
			mailing_expect(&m, "In-Reply-To: <1@example.com>\r\n");
			mailing_expect(&m, "Auto-Submitted: auto-replied");
			mailing_expect(&m, "\r\n\r\nGr=C3=BC=C3=9Fe");
		}
		mailing_done(&m);
	}
	rule_cache_free(cache);
}

static int add_alias(struct store_conn *c, void *arg)
{
	struct fixture *f = arg;

	return store_alias_add(c, f->domain, SPAN("out"), &SPAN("y@example.net"), 1);
}

/* A redirect to an address here that leads elsewhere is one of the account's too, with its mark. */
static void redirect_through_alias(void **state)
{
	CLEANUP(buf_done) struct buf got = {};
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	struct mailing m;

	assert_int_equal(store_write(f->store, add_alias, f), 0);
	plan_fixture_rule(f, "alice", "redirect \"out@example.org\";");
	mailing_begin(&m, f, cache, "jim@example.com", "alice@example.org",
		span_str(plan_fixture_plain));
	m.request.outgoing = true;
	mailing_make(&m);
	assert_int_equal(m.result, 0);
	assert_int_equal(fixture_number(f, "select count(*) from queue where sender ="
					   " cast('alice@example.org' as blob) and recipient ="
					   " cast('y@example.net' as blob)"),
		1);
	plan_fixture_content(f, fixture_number(f, "select content from queue"), &got);
	assert_true(
		span_starts(buf_span(&got), SPAN("Delivered-To: alice@example.org\r\nFrom: Jim")));
	mailing_done(&m);
	rule_cache_free(cache);
}

/* Where a copy stays, the sender is told of the refusal, and not of a delivery. */
static void refusal_is_told(void **state)
{
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	struct mailing m;

	plan_fixture_rule(f, "server",
		"require [\"fileinto\",\"copy\"]; fileinto :copy \"Lists\";");
	plan_fixture_rule(f, "alice", "require \"reject\"; reject \"not you\";");
	mailing_begin(&m, f, cache, "bob@example.org", "alice@example.org",
		span_str(plan_fixture_plain));
	m.transaction->recipients[0].notify = NOTIFY_SUCCESS | NOTIFY_FAILURE;
	mailing_make(&m);
	assert_int_equal(m.result, 0);
	assert_int_equal(m.delivery.n_failed, 1);
	mailing_expect(&m, "not you");
	mailing_expect(&m, "Action: failed\r\nStatus: 5.7.1\r\n");
	assert_true(
		span_find_span(buf_span(&m.out), SPAN("Action: delivered")) == buf_size(&m.out));
	mailing_done(&m);
	rule_cache_free(cache);
}

/* Nobody's mail has failed that is kept where a redirect did not lead anywhere. */
static void kept_has_not_failed(void **state)
{
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	struct mailing m;

	plan_fixture_rule(f, "alice", "redirect \"bob@example.org\";");
	plan_fixture_rule(f, "bob", "require \"reject\"; reject \"no\";");
	mailing_send(&m, f, cache, "jim@example.com", "alice@example.org", plan_fixture_plain);
	assert_int_equal(m.result, 0);
	assert_int_equal(m.delivery.n_mailboxes, 1);
	assert_int_equal(m.delivery.n_failed, 0);
	mailing_done(&m);
	rule_cache_free(cache);
}

static int take_right(struct store_conn *c, void *arg)
{
	int64_t *shared = arg;

	return store_acl_set(c, *shared, SPAN("alice@example.org"), ACL_SET, 0, NULL);
}

/* Between the plan and the delivery. */
static void right_is_taken(void **state)
{
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	int64_t shared = fixture_number(f, "select id from mailbox where name = cast('Shared' as"
					   " blob)");
	struct mailing m;

	plan_fixture_rule(f, "alice", "require \"fileinto\"; fileinto \"~bob/Shared\";");
	mailing_begin(&m, f, cache, "jim@example.com", "alice@example.org",
		span_str(plan_fixture_plain));
	assert_int_equal(mailing_plan(&m), 0);
	assert_int_equal(store_write(f->store, take_right, &shared), 0);
	mailing_carry_out(&m);
	assert_int_equal(m.result, 0);
	mailing_list(&m);
	assert_true(span_is(buf_span(&m.out), "alice/INBOX; "));
	mailing_done(&m);
	rule_cache_free(cache);
}

static int fill_bob(struct store_conn *c, void *arg)
{
	int64_t *bob = arg;

	return store_account_set(c, *bob, SPAN("quota"), SPAN("1"), NULL);
}

/* Somebody else's mailbox that is full does not defer an account's mail. */
static void other_is_full(void **state)
{
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	int64_t bob = fixture_number(f, "select id from account where local = cast('bob' as blob)");
	struct mailing m;

	assert_int_equal(store_write(f->store, fill_bob, &bob), 0);
	plan_fixture_rule(f, "alice", "require \"fileinto\"; fileinto \"~bob/Shared\";");
	mailing_send(&m, f, cache, "jim@example.com", "alice@example.org", plan_fixture_plain);
	assert_int_equal(m.result, 0);
	mailing_list(&m);
	assert_true(span_is(buf_span(&m.out), "alice/INBOX; "));
	mailing_done(&m);
	rule_cache_free(cache);
}

struct certifying {
	int64_t account;
	struct span der;
};

static int certify(struct store_conn *c, void *arg)
{
	struct certifying *k = arg;
	struct store_secure_key key = { .account = k->account,
		.key_id = SPAN("k"),
		.type = SPAN("ec:p256"),
		.spki = SPAN("s"),
		.wrapped = SPAN("w") };
	struct store_secure_cert row = { .der = k->der, .chain = SPAN(""), .sha256 = SPAN("x") };
	int64_t id;

	TRY(store_secure_key_add(c, &key, 0, false, &row.key));
	return store_secure_cert_add(c, &row, &id);
}

static void certify_bob(struct fixture *f)
{
	const struct cert_order order = { .subject = "CN=bob",
		.from_us = 1700000000000000,
		.till_us = 1800000000000000,
		.more = { { "keyUsage", "critical,keyAgreement" } } };
	struct cert_made made = cert_make(&order);
	struct certifying k = { fixture_number(f,
					"select id from account where local = cast('bob' as blob)"),
		cert_der(made.cert) };

	assert_int_equal(store_write(f->store, certify, &k), 0);
	cert_made_done(&made);
}

static int remove_mailbox(struct store_conn *c, void *arg)
{
	int64_t *bob = arg;

	return store_mailbox_delete(c, *bob, SPAN("Shared"), NULL);
}

/* A copy somewhere does not make an end of what may pass by itself: it is tried again, and the copy
 * is made then. */
static void copy_while_full(void **state)
{
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	int64_t bob = fixture_number(f, "select id from account where local = cast('bob' as blob)");
	struct mailing m;

	assert_int_equal(store_write(f->store, fill_bob, &bob), 0);
	plan_fixture_rule(f, "server",
		"require [\"fileinto\",\"copy\",\"envelope\"];"
		" if envelope :localpart \"to\" \"alice\" { fileinto :copy \"Lists\"; }");
	plan_fixture_rule(f, "alice", "require \"reject\"; reject \"not you\";");
	mailing_send(&m, f, cache, "", "alice@example.org bob@example.org", plan_fixture_plain);
	assert_int_equal(m.result, DELIVER_E_REFUSED);
	assert_int_equal(m.delivery.refusal, RECIPIENT_FULL);
	mailing_list(&m);
	assert_true(span_is(buf_span(&m.out), ""));
	mailing_done(&m);
	rule_cache_free(cache);
}

/* What the server's rules encrypt for somebody else is put nowhere else, full or gone: nobody could
 * read it there. */
static void for_the_owner_alone(void **state)
{
	struct fixture *f = *state;
	int64_t bob = fixture_number(f, "select id from account where local = cast('bob' as blob)");

	certify_bob(f);
	plan_fixture_rule(f, "server",
		"require [\"fileinto\",\"vnd.signet.encrypt\"]; fileinto :encrypt"
		" \"~bob/Shared\";");
	for (unsigned i = 0; i < 3; i++) {
		struct rule_cache *cache = rule_cache_new();
		struct mailing m;

		if (i == 1)
			assert_int_equal(store_write(f->store, fill_bob, &bob), 0);
		mailing_begin(&m, f, cache, "jim@example.com", "alice@example.org",
			span_str(plan_fixture_plain));
		assert_int_equal(mailing_plan(&m), 0);
		if (i == 2)
			assert_int_equal(store_write(f->store, remove_mailbox, &bob), 0);
		mailing_carry_out(&m);
		if (i == 0)
			mailing_expect(&m, "application/pkcs7-mime");
		assert_int_equal(m.result, i ? DELIVER_E_REFUSED : 0);
		assert_int_equal(m.delivery.refusal, i ? RECIPIENT_FULL : RECIPIENT_OK);
		buf_clear(&m.out);
		mailing_list(&m);
		assert_true(span_is(buf_span(&m.out), i < 2 ? "bob/Shared; " : ""));
		mailing_done(&m);
		rule_cache_free(cache);
	}
}

/* A mailbox that cannot be made: it is the owner's INBOX then, where it can be read, not a refusal
 * for ever. */
static void for_the_owner_nowhere(void **state)
{
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	struct mailing m;

	certify_bob(f);
	plan_fixture_rule(f, "server",
		"require [\"fileinto\",\"mailbox\",\"vnd.signet.encrypt\"]; fileinto :create "
		":encrypt"
		" \"~bob/a//b\";");
	mailing_send(&m, f, cache, "jim@example.com", "alice@example.org", plan_fixture_plain);
	assert_int_equal(m.result, 0);
	mailing_expect(&m, "application/pkcs7-mime");
	buf_clear(&m.out);
	mailing_list(&m);
	assert_true(span_is(buf_span(&m.out), "bob/INBOX; "));
	mailing_done(&m);
	rule_cache_free(cache);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, plan_fixture_setup, plan_fixture_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules),
		ROW(answers_once),
		ROW(redirect_through_alias),
		ROW(refusal_is_told),
		ROW(kept_has_not_failed),
		ROW(right_is_taken),
		ROW(other_is_full),
		ROW(copy_while_full),
		ROW(for_the_owner_alone),
		ROW(for_the_owner_nowhere),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
