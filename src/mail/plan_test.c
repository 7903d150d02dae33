/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Rules and delivery together: scripts of server, domain and accounts, a message, and what is in
 * which mailbox afterwards. */

#include "mail/plan.h"

#include "base/alloc.h"
#include "base/test.h"
#include "mail/deliver.h"
#include "mail/intake.h"
#include "mail/rule_cache.h"
#include "mime/word.h"
#include "store/account.h"
#include "store/fixture.h"
#include "store/mailbox.h"
#include "store/message.h"
#include "store/queue_rows.h"
#include "store/rule_rows.h"
#include "store/sharing.h"

#include <stdio.h>
#include <stdlib.h>

static const char plain[] = "From: Jim <jim@example.com>\r\nTo: alice@example.org\r\n"
			    "Subject: hello\r\nMessage-ID: <1@example.com>\r\n\r\nbody text\r\n";

static int populate(struct store_conn *c, void *arg)
{
	const struct store_credentials none = {};
	struct fixture *f = arg;
	int64_t id, box;

	TRY(store_mailbox_create(c, f->account, SPAN("Lists"), USE_NONE, &id, NULL));
	TRY(store_account_add(c, f->domain, SPAN("bob"), ROLE_USER, &none, &id));
	TRY(store_mailbox_create(c, id, SPAN("Shared"), USE_NONE, &box, NULL));
	TRY(store_acl_set(c, box, SPAN("alice@example.org"), ACL_SET, ACL_LOOKUP | ACL_POST, NULL));
	TRY(store_account_add(c, f->domain, SPAN("carl"), ROLE_USER, &none, &id));
	return 0;
}

static int setup(void **state)
{
	struct fixture *f = fixture_new();

	word_init();
	assert_int_equal(store_write(f->store, populate, f), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fixture_recount(*state);
	fixture_free(*state);
	return 0;
}

/* "server", "domain" or an account's local part, and its script. */
struct script {
	const char *owner, *text;
};

struct planting {
	struct fixture *f;
	struct script script;
};

static int plant(struct store_conn *c, void *arg)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct planting *p = arg;
	struct rule_owner owner = { RULE_SERVER, 0 };
	struct store_account account;

	if (strcmp(p->script.owner, "domain") == 0)
		owner = (struct rule_owner){ RULE_DOMAIN, p->f->domain };
	else if (strcmp(p->script.owner, "server") != 0) {
		TRY(store_account_find(c, &arena, span_str(p->script.owner), &account, NULL));
		owner = (struct rule_owner){ RULE_ACCOUNT, account.id };
	}
	TRY(store_rule_put(c, owner, SPAN("x"), span_str(p->script.text), NULL));
	TRY(store_rule_activate(c, owner, SPAN("x")));
	return 0;
}

struct mailing {
	struct fixture *f;
	struct transaction *transaction;
	struct intake *intake;
	struct plan_request request;
	struct plan *plan;
	struct delivery delivery;
	int result;
	bool first; /* expect_text looks at the first content, not the newest */
	bool needed_build, was_light;
	struct buf out;
};

static struct mail_address split(struct span address)
{
	struct span domain = address, local = span_cut(&domain, '@');

	return (struct mail_address){ local, domain };
}

static int plan_it(struct store_conn *c, void *arg)
{
	struct mailing *m = arg;

	return plan_make(c, &m->request, &m->plan);
}

static int deliver_it(struct store_conn *c, void *arg)
{
	struct mailing *m = arg;

	return deliver(c, &m->delivery);
}

static int flush(struct store_conn *c, void *arg)
{
	return intake_flush(arg, c);
}

static void mail(struct mailing *m, struct fixture *f, struct rule_cache *cache, const char *from,
	const char *to, const char *text)
{
	struct mail_address sender = split(span_str(from));
	struct span rest = span_str(to);
	int r;

	*m = (struct mailing){ .f = f,
		.transaction = ALLOC(struct transaction),
		.intake = intake_new(UINT64_MAX) };
	m->transaction->sender = mail_address_copy(&m->transaction->arena, &sender);
	while (rest.n) {
		struct recipient recipient = { .address = split(span_word(&rest)) };

		transaction_add(m->transaction, &recipient);
	}
	r = intake_add(m->intake, span_str(text));
	if (r == INTAKE_E_FLUSH)
		assert_int_equal(store_write(f->store, flush, m->intake), 0);
	r = intake_end_parsing(m->intake);
	if (r == INTAKE_E_FLUSH)
		assert_int_equal(store_write(f->store, flush, m->intake), 0);
	assert_int_equal(intake_end_parsing(m->intake), 0);
	m->request = (struct plan_request){ .transaction = m->transaction,
		.intake = m->intake,
		.cache = cache,
		.separators = "+",
		.hostname = SPAN("mail.example.org"),
		.now_us = 1770091506000000,
		.unique = "u" };
	assert_int_equal(store_read(f->store, plan_it, m), 0);
	m->needed_build = plan_needs_build(m->plan);
	m->was_light = plan_is_light(m->plan);
	if (m->needed_build)
		assert_int_equal(plan_build(m->plan, m->was_light ? NULL : f->store), 0);
	assert_false(plan_needs_build(m->plan));
	m->delivery = (struct delivery){ .transaction = m->transaction,
		.intake = m->intake,
		.plan = m->plan,
		.hostname = SPAN("mail.example.org"),
		.separators = "+",
		.hops_max = 30,
		.now_us = 1770091506000000,
		.unique = "u" };
	m->result = store_write(f->store, deliver_it, m);
}

static void mailing_done(struct mailing *m)
{
	arena_done(&m->delivery.refusal_arena);
	plan_free(m->plan);
	intake_free(m->intake);
	transaction_free(m->transaction);
	buf_done(&m->out);
}

struct listing {
	struct buf *out;
	struct store_conn *conn;
	struct keywords *keywords;
	const char *account;
	struct span mailbox;
};

static int list_message(const struct store_message *message, void *context)
{
	struct listing *l = context;

	buf_add_format(l->out, "%s/%.*s", l->account, (int)l->mailbox.n,
		(const char *)l->mailbox.p);
	if (message->flags & FLAG_SEEN)
		buf_add_string(l->out, " seen");
	for (unsigned i = 0; i < l->keywords->n; i++) {
		if (message->flags >> (FLAG_KEYWORD_SHIFT + i) & 1)
			buf_add_format(l->out, " %s", l->keywords->names[i]);
	}
	buf_add_string(l->out, "; ");
	return 0;
}

static int list_account(const struct store_account *account, void *context)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct listing *l = context;
	struct store_mailbox *boxes;
	struct span local = account->address;
	size_t n;

	local = span_cut(&local, '@');
	l->account = arena_string(&arena, local);
	TRY(store_keywords(l->conn, account->id, &l->keywords));
	TRY(store_mailbox_list(l->conn, &arena, account->id, &boxes, &n));
	for (size_t i = 0; i < n; i++) {
		uint32_t uids[20];

		for (uint32_t u = 0; u < 20; u++)
			uids[u] = u + 1;
		l->mailbox = boxes[i].name;
		TRY(store_messages(l->conn, boxes[i].id, uids, 20, 0, list_message, l, NULL));
	}
	keywords_unref(l->keywords);
	return 0;
}

static int list_queue(const struct queue_row *row, void *context)
{
	struct buf *out = context;

	buf_add_format(out, "<%.*s> to %.*s; ", (int)row->sender.n, (const char *)row->sender.p,
		(int)row->recipient.n, (const char *)row->recipient.p);
	return 0;
}

static int list_all(struct store_conn *c, void *arg)
{
	struct mailing *m = arg;
	struct listing l = { .out = &m->out, .conn = c };

	TRY(store_account_each(c, 0, list_account, &l));
	TRY(store_queue_each(c, list_queue, &m->out));
	return 0;
}

static void add_notes(struct mailing *m)
{
	static const char *const kinds[] = { "failed", "clear", "right" };
	const struct plan_note *notes;
	size_t n;

	notes = plan_notes(m->plan, &n);
	for (size_t i = 0; i < n; i++)
		buf_add_format(&m->out, "%s %s: %.*s; ", notes[i].level, kinds[notes[i].kind],
			(int)notes[i].text.n, (const char *)notes[i].text.p);
}

static const struct {
	const char *name;
	struct script scripts[3];
	const char *from, *to;
	const char *text; /* NULL: plain */
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

	(void)setup(&state);
	f = state;
	for (size_t j = 0; j < 3 && rows[i].scripts[j].owner; j++) {
		struct planting p = { f, rows[i].scripts[j] };

		assert_int_equal(store_write(f->store, plant, &p), 0);
	}
	mail(&m, f, cache, rows[i].from, rows[i].to, rows[i].text ? rows[i].text : plain);
	assert_int_equal(store_read(f->store, list_all, &m), 0);
	add_notes(&m);
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
	(void)teardown(&state);
}

static void rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		run_row(i);
}

/* The text of the first message in a mailbox. */
static int read_first(struct store_conn *c, void *arg)
{
	struct mailing *m = arg;
	int64_t content = fixture_number(m->f,
		m->first ? "select min(content) from message" : "select max(content) from message");

	return store_content_read(c, content, 0, CONTENT_INLINE, &m->out);
}

static void expect_text(struct mailing *m, const char *expected)
{
	buf_clear(&m->out);
	assert_int_equal(store_read(m->f->store, read_first, m), 0);
	if (span_find_span(buf_span(&m->out), span_str(expected)) == buf_size(&m->out))
		fail_msg("%s\nis not in\n%.*s", expected, (int)buf_size(&m->out),
			(const char *)buf_span(&m->out).p);
}

/* What others wrote stays as it was for those without rules; only this account gets other fields.
 */
static void forms(void **state)
{
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	struct planting p = { f, { "alice", "require [\"editheader\"]; addheader \"X-A\" \"b\";"
					    " deleteheader \"Subject\";" } };
	struct mailing m;

	assert_int_equal(store_write(f->store, plant, &p), 0);
	mail(&m, f, cache, "jim@example.com", "bob@example.org alice@example.org", plain);
	assert_int_equal(m.result, 0);
	assert_int_equal(fixture_number(f, "select count(*) from content"), 2);
	expect_text(&m, "X-A: b\r\nFrom: Jim <jim@example.com>\r\nTo: alice@example.org\r\n"
			"Message-ID: <1@example.com>\r\n\r\nbody text\r\n");
	mailing_done(&m);
	rule_cache_free(cache);
}

/* Answered once, whatever the case of the address; and the answer says what it is. */
static void answers_once(void **state)
{
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	struct planting p = { f, { "alice", "require \"vacation\"; vacation \"Gr\xC3\xBC\xC3\x9F"
					    "e\";" } };
	struct mailing m;

	assert_int_equal(store_write(f->store, plant, &p), 0);
	for (unsigned i = 0; i < 3; i++) {
		mail(&m, f, cache, i == 1 ? "BOB@example.org" : "bob@example.org",
			"alice@example.org", plain);
		assert_int_equal(m.result, 0);
		assert_int_equal(m.delivery.n_answered, i == 0);
		m.first = true; /* the answer is made before the message is kept */
		if (i == 0) {
			expect_text(&m, "From: <alice@example.org>\r\nTo: <bob@example.org>\r\n"
					"Subject: Auto: hello\r\n");
			expect_text(&m, "In-Reply-To: <1@example.com>\r\n");
			expect_text(&m, "Auto-Submitted: auto-replied");
			expect_text(&m, "\r\n\r\nGr=C3=BC=C3=9Fe");
		}
		mailing_done(&m);
	}
	rule_cache_free(cache);
}

/* Larger than what lies in one row: read from its pieces, and written in pieces. */
static void large(void **state)
{
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	struct planting p = { f,
		{ "alice", "require [\"body\",\"editheader\",\"fileinto\"];"
			   " if body :contains \"text 0\" { addheader \"X-A\" \"b\";"
			   " fileinto \"Lists\"; }" } };
	CLEANUP(buf_done) struct buf text = {};
	struct mailing m;

	buf_add_string(&text, "Subject: large\r\n\r\n");
	for (unsigned i = 0; i < 150000; i++)
		buf_add_format(&text, "text %u\r\n", i);
	buf_add_octet(&text, 0);
	assert_int_equal(store_write(f->store, plant, &p), 0);
	mail(&m, f, cache, "jim@example.com", "alice@example.org", (const char *)buf_span(&text).p);
	assert_int_equal(m.result, 0);
	assert_int_equal(store_read(f->store, list_all, &m), 0);
	assert_true(span_is(buf_span(&m.out), "alice/Lists; "));
	expect_text(&m, "X-A: b\r\nSubject: large\r\n\r\ntext 0\r\n");
	assert_int_equal(fixture_number(f, "select size from content"), buf_size(&text) - 1 + 8);
	mailing_done(&m);
	rule_cache_free(cache);
}

/* What comes is packed in time where it will be stored, and nothing is made for nobody. */
static void building(void **state)
{
	static const struct {
		const char *rule, *to;
		bool needed, light;
	} cases[] = {
		{ "keep;", "alice@example.org", true, true },
		{ "discard;", "alice@example.org", false, true },
		{ "discard;", "alice@example.org bob@example.org", true, true },
		{ "require \"reject\"; reject \"no\";", "alice@example.org", false, true },
		{ "require \"editheader\"; addheader \"X-A\" \"b\";", "alice@example.org", true,
			true },
		{ "require [\"editheader\", \"copy\", \"fileinto\"];"
		  "addheader \"X-A\" \"1\"; fileinto :copy \"A\";"
		  "addheader \"X-A\" \"2\"; fileinto :copy \"B\";"
		  "addheader \"X-A\" \"3\"; fileinto \"C\";",
			"alice@example.org", true, false },
	};
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	struct mailing m;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct planting p = { f, { "alice", cases[i].rule } };

		assert_int_equal(store_write(f->store, plant, &p), 0);
		mail(&m, f, cache, "jim@example.com", cases[i].to, plain);
		if (m.needed_build != cases[i].needed || m.was_light != cases[i].light)
			fail_msg("%s: %d %d", cases[i].rule, m.needed_build, m.was_light);
		mailing_done(&m);
	}
	rule_cache_free(cache);
}

/* Delivery comes to what the plan did not foresee: then the message is packed there. */
static void not_foreseen(void **state)
{
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	struct planting p = { f, { "alice", "require \"editheader\"; deleteheader \"Subject\";" } };
	struct mailing m;

	assert_int_equal(store_write(f->store, plant, &p), 0);
	mail(&m, f, cache, "jim@example.com", "alice@example.org", plain);
	assert_int_equal(m.result, 0);
	assert_int_equal(fixture_number(f, "select count(*) from content"), 1);
	m.delivery.plan = NULL;
	assert_int_equal(store_write(f->store, deliver_it, &m), 0);
	assert_int_equal(fixture_number(f, "select count(*) from content"), 2);
	expect_text(&m, "Subject: hello\r\nMessage-ID: <1@example.com>\r\n\r\nbody text\r\n");
	mailing_done(&m);
	rule_cache_free(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules),
		cmocka_unit_test_setup_teardown(forms, setup, teardown),
		cmocka_unit_test_setup_teardown(answers_once, setup, teardown),
		cmocka_unit_test_setup_teardown(large, setup, teardown),
		cmocka_unit_test_setup_teardown(building, setup, teardown),
		cmocka_unit_test_setup_teardown(not_foreseen, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
