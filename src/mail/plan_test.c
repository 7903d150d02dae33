/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Rules and delivery together: scripts of server, domain and accounts, a message, and what is in
 * which mailbox afterwards. */

#include "mail/plan_parts.h"

#include "base/alloc.h"
#include "base/test.h"
#include "mail/deliver.h"
#include "mail/intake.h"
#include "mail/rule_cache.h"
#include "mime/word.h"
#include "pki/cert_fixture.h"
#include "store/account.h"
#include "store/fixture.h"
#include "store/mailbox.h"
#include "store/message.h"
#include "store/queue_rows.h"
#include "store/rule_rows.h"
#include "store/secure_rows.h"
#include "store/sharing.h"

#include <stdio.h>
#include <stdlib.h>

enum { MANY = 1200 };

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

/* Up to the plan. */
static void begin(struct mailing *m, struct fixture *f, struct rule_cache *cache, const char *from,
	const char *to, struct span text)
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
	assert_int_equal(intake_feed(m->intake, f->store, text), 0);
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
}

/* What the plan says. */
static void carry_out(struct mailing *m)
{
	struct fixture *f = m->f;

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
		.outgoing = m->request.outgoing,
		.hops_max = 30,
		.now_us = 1770091506000000,
		.unique = "u" };
	m->result = store_write(f->store, deliver_it, m);
}

static void make(struct mailing *m)
{
	assert_int_equal(store_read(m->f->store, plan_it, m), 0);
	carry_out(m);
}

static void mail_octets(struct mailing *m, struct fixture *f, struct rule_cache *cache,
	const char *from, const char *to, struct span text)
{
	begin(m, f, cache, from, to, text);
	make(m);
}

static void mail(struct mailing *m, struct fixture *f, struct rule_cache *cache, const char *from,
	const char *to, const char *text)
{
	mail_octets(m, f, cache, from, to, span_str(text));
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
	size_t n, more;

	notes = plan_notes(m->plan, &n, &more);
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

/* Accounts u0, u1 and so on of the domain. */
static int add_many(struct store_conn *c, void *arg)
{
	const struct store_credentials none = {};
	struct fixture *f = arg;
	char local[16];
	int64_t id;

	for (unsigned i = 0; i < MANY; i++) {
		(void)snprintf(local, sizeof local, "u%u", i);
		TRY(store_account_add(c, f->domain, span_str(local), ROLE_USER, &none, &id));
	}
	return 0;
}

static const char *many(unsigned n, struct buf *out)
{
	for (unsigned i = 0; i < n; i++)
		buf_add_format(out, "u%u@example.org ", i);
	buf_add_octet(out, 0);
	return (const char *)buf_span(out).p;
}

static void plant_it(struct fixture *f, const char *owner, const char *text)
{
	struct planting p = { f, { owner, text } };

	assert_int_equal(store_write(f->store, plant, &p), 0);
}

struct content_reading {
	int64_t content;
	struct buf *out;
};

static int read_it(struct store_conn *c, void *arg)
{
	struct content_reading *r = arg;

	return store_content_read(c, r->content, 0, CONTENT_INLINE, r->out);
}

/* Its first megabyte. */
static void read_content(struct fixture *f, int64_t content, struct buf *out)
{
	struct content_reading r = { content, out };

	assert_int_equal(store_read(f->store, read_it, &r), 0);
}

/* However many recipients: each redirect carries its own mark, and each copy its own fields. */
static void many_forms(void **state)
{
	CLEANUP(buf_done) struct buf to = {};
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	struct mailing m;

	assert_int_equal(store_write(f->store, add_many, f), 0);
	plant_it(f, "domain",
		"require [\"envelope\",\"variables\",\"editheader\",\"copy\"];"
		" if envelope :matches \"to\" \"*@*\" { addheader \"X-To\" \"${1}\"; }"
		" redirect :copy \"x@example.net\";");
	mail(&m, f, cache, "jim@example.com", many(MANY, &to), plain);
	assert_int_equal(m.result, 0);
	/* Nobody sends what is in the queue, so each of them keeps it twice. */
	assert_int_equal(fixture_number(f, "select count(*) from queue"), MANY);
	assert_int_equal(fixture_number(f, "select count(distinct content) from queue"), MANY);
	for (unsigned i = 0; i < MANY; i += 97) {
		CLEANUP(buf_done) struct buf text = {}, expected = {}, sql = {};

		buf_add_format(&sql,
			"select content from queue where sender = cast('u%u@example.org' as "
			"blob)",
			i);
		buf_add_octet(&sql, 0);
		buf_add_format(&expected, "Delivered-To: u%u@example.org\r\nX-To: u%u\r\nFrom: Jim",
			i, i);
		read_content(f, fixture_number(f, (const char *)buf_span(&sql).p), &text);
		assert_true(span_starts(buf_span(&text), buf_span(&expected)));
	}
	assert_int_equal(fixture_number(f, "select count(*) from message where content in"
					   " (select content from queue)"),
		0);
	mailing_done(&m);
	rule_cache_free(cache);
}

/* Too much of it is said before anything is delivered. */
static void too_many_forms(void **state)
{
	CLEANUP(buf_done) struct buf to = {}, script = {};
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	struct mailing m;

	assert_int_equal(store_write(f->store, add_many, f), 0);
	buf_add_string(&script, "require [\"envelope\",\"variables\",\"editheader\",\"fileinto\"];"
				" if envelope :matches \"to\" \"*\" { set \"to\" \"${1}\"; }");
	for (unsigned i = 0; i < 32; i++)
		buf_add_format(&script, "addheader \"X\" \"${to}\"; fileinto \"%u\";", i);
	buf_add_octet(&script, 0);
	plant_it(f, "domain", (const char *)buf_span(&script).p);
	begin(&m, f, cache, "jim@example.com", many(700, &to), span_str(plain));
	assert_int_equal(store_read(f->store, plan_it, &m), PLAN_E_TOO_MUCH);
	assert_null(m.plan);
	mailing_done(&m);
	rule_cache_free(cache);
}

/* The same header is held once for all; of different ones only so many octets, and who comes too
 * late has the message without the rule, and that is said. */
static void headers_are_shared(void **state)
{
	CLEANUP(buf_done) struct buf to = {}, text = {};
	struct fixture *f = *state;
	const struct plan_note *notes;
	size_t n, more;

	assert_int_equal(store_write(f->store, add_many, f), 0);
	for (unsigned i = 0; i < 9000; i++)
		buf_add_string(&text,
			"X: ccccccccccccccccccccccccccccccccccccccccccccccccccccc\r\n");
	buf_add_string(&text, "\r\nbody\r\n");
	many(100, &to);
	for (unsigned own = 0; own < 2; own++) {
		struct rule_cache *cache = rule_cache_new();
		struct mailing m;

		plant_it(f, "server",
			own ? "require [\"editheader\",\"envelope\",\"variables\"];"
			      " if envelope :matches \"to\" \"*\" {"
			      " addheader \"X-To\" \"${1}\"; }"
			    : "require \"editheader\"; addheader \"X\" \"b\";");
		mail_octets(&m, f, cache, "jim@example.com", (const char *)buf_span(&to).p,
			buf_span(&text));
		assert_int_equal(m.result, 0);
		assert_int_equal(fixture_number(f, "select count(*) from message"),
			own ? 200 : 100);
		notes = plan_notes(m.plan, &n, &more);
		if (own) {
			assert_in_range(n, 20, 99);
			assert_non_null(strstr((const char *)notes[0].text.p, "too many headers"));
			assert_true(m.plan->held <= PLAN_HELD_MAX);
		} else {
			assert_int_equal(n, 0);
			assert_int_equal(fixture_number(f, "select count(*) from content"), 1);
		}
		mailing_done(&m);
		rule_cache_free(cache);
	}
}

/* Others can take all that there is for all, and an account's rule has what it needs. */
static void share_of_its_own(void **state)
{
	CLEANUP(buf_done) struct buf to = {}, script = {};
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	const struct plan_note *notes;
	struct mailing m;
	size_t n, more;

	assert_int_equal(store_write(f->store, add_many, f), 0);
	buf_add_string(&script, "require [\"envelope\",\"reject\"];"
				" if not envelope :localpart \"to\" \"alice\" { reject \"");
	for (size_t i = sizeof(struct plan_act); i < 32 << 10; i++)
		buf_add_octet(&script, 'x');
	buf_add_string(&script, "\"; }");
	buf_add_octet(&script, 0);
	plant_it(f, "domain", (const char *)buf_span(&script).p);
	plant_it(f, "alice", "require \"editheader\"; addheader \"X-A\" \"b\";");
	many(MANY, &to);
	buf_cut(&to, buf_size(&to) - 1);
	buf_add_string(&to, "alice@example.org");
	buf_add_octet(&to, 0);
	mail(&m, f, cache, "jim@example.com", (const char *)buf_span(&to).p, plain);
	assert_int_equal(m.result, 0);
	assert_int_equal(m.plan->held, PLAN_HELD_MAX);
	notes = plan_notes(m.plan, &n, &more);
	assert_int_equal(n + more, MANY - 1024);
	assert_non_null(notes);
	expect_text(&m, "X-A: b\r\nFrom: Jim");
	mailing_done(&m);
	rule_cache_free(cache);
}

/* Too large to be looked into or encrypted: other headers and marks it has all the same. */
static void very_large(void **state)
{
	CLEANUP(buf_done) struct buf text = {}, got = {}, sql = {};
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	struct mailing m;

	buf_add_string(&text, "Subject: large\r\nX-B: c\r\n\r\n");
	while (buf_size(&text) < 49 << 20)
		buf_add_string(&text,
			"0123456789012345678901234567890123456789012345678901234567\r\n");
	plant_it(f, "alice",
		"require [\"editheader\",\"copy\",\"vnd.signet.encrypt\"]; redirect :copy"
		" \"x@example.net\"; deleteheader \"X-B\"; addheader \"X-A\" \"b\"; keep "
		":encrypt;");
	mail_octets(&m, f, cache, "jim@example.com", "alice@example.org bob@example.org",
		buf_span(&text));
	assert_int_equal(m.result, 0);
	assert_int_equal(fixture_number(f, "select count(*) from content"), 3);
	read_content(f, fixture_number(f, "select content from queue"), &got);
	assert_true(span_starts(buf_span(&got),
		SPAN("Delivered-To: alice@example.org\r\nSubject: large\r\nX-B: c\r\n\r\n0123")));
	assert_int_equal(fixture_number(f, "select size from content where id ="
					   " (select content from queue)"),
		buf_size(&text) + 33);
	buf_clear(&got);
	buf_add_format(&sql, "select content from message where mailbox = %lld order by uid desc",
		(long long)f->inbox);
	buf_add_octet(&sql, 0);
	read_content(f, fixture_number(f, (const char *)buf_span(&sql).p), &got);
	assert_true(span_starts(buf_span(&got),
		SPAN("Signet-Not-Encrypted: the owner of the mailbox has no certificate\r\n"
		     "X-A: b\r\nSubject: large\r\n\r\n0123")));
	mailing_done(&m);
	rule_cache_free(cache);
}

/* A header of which rules do not see the end is not changed. */
static void very_long_header(void **state)
{
	CLEANUP(buf_done) struct buf text = {};
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	struct mailing m;

	while (buf_size(&text) < SIEVE_HEADER_MAX + (3 << 20))
		buf_add_string(&text,
			"X-B: 89012345678901234567890123456789012345678901234567890123\r\n");
	buf_add_string(&text, "\r\nbody\r\n");
	plant_it(f, "server", "require \"editheader\"; addheader \"X-A\" \"b\";");
	plant_it(f, "alice",
		"require \"fileinto\"; if exists \"X-A\" { discard; } fileinto \"Lists\";");
	mail_octets(&m, f, cache, "jim@example.com", "alice@example.org", buf_span(&text));
	assert_int_equal(m.result, 0);
	assert_int_equal(fixture_number(f, "select size from content"), buf_size(&text));
	assert_int_equal(store_read(f->store, list_all, &m), 0);
	add_notes(&m);
	assert_true(span_is(buf_span(&m.out), "alice/Lists; server failed: the script takes too "
					      "much memory for this message; "));
	mailing_done(&m);
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
	plant_it(f, "alice", "redirect \"out@example.org\";");
	begin(&m, f, cache, "jim@example.com", "alice@example.org", span_str(plain));
	m.request.outgoing = true;
	make(&m);
	assert_int_equal(m.result, 0);
	assert_int_equal(fixture_number(f, "select count(*) from queue where sender ="
					   " cast('alice@example.org' as blob) and recipient ="
					   " cast('y@example.net' as blob)"),
		1);
	read_content(f, fixture_number(f, "select content from queue"), &got);
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

	plant_it(f, "server", "require [\"fileinto\",\"copy\"]; fileinto :copy \"Lists\";");
	plant_it(f, "alice", "require \"reject\"; reject \"not you\";");
	begin(&m, f, cache, "bob@example.org", "alice@example.org", span_str(plain));
	m.transaction->recipients[0].notify = NOTIFY_SUCCESS | NOTIFY_FAILURE;
	make(&m);
	assert_int_equal(m.result, 0);
	assert_int_equal(m.delivery.n_failed, 1);
	expect_text(&m, "not you");
	expect_text(&m, "Action: failed\r\nStatus: 5.7.1\r\n");
	assert_true(span_find_span(buf_span(&m.out), SPAN("Action: delivered")) ==
		    buf_size(&m.out));
	mailing_done(&m);
	rule_cache_free(cache);
}

/* Nobody's mail has failed that is kept where a redirect did not lead anywhere. */
static void kept_has_not_failed(void **state)
{
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	struct mailing m;

	plant_it(f, "alice", "redirect \"bob@example.org\";");
	plant_it(f, "bob", "require \"reject\"; reject \"no\";");
	mail(&m, f, cache, "jim@example.com", "alice@example.org", plain);
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

	plant_it(f, "alice", "require \"fileinto\"; fileinto \"~bob/Shared\";");
	begin(&m, f, cache, "jim@example.com", "alice@example.org", span_str(plain));
	assert_int_equal(store_read(f->store, plan_it, &m), 0);
	assert_int_equal(store_write(f->store, take_right, &shared), 0);
	carry_out(&m);
	assert_int_equal(m.result, 0);
	assert_int_equal(store_read(f->store, list_all, &m), 0);
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
	plant_it(f, "alice", "require \"fileinto\"; fileinto \"~bob/Shared\";");
	mail(&m, f, cache, "jim@example.com", "alice@example.org", plain);
	assert_int_equal(m.result, 0);
	assert_int_equal(store_read(f->store, list_all, &m), 0);
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
	struct certifying k = {
		fixture_number(f, "select id from account where local = cast('bob' as blob)"),
		cert_der(made.cert)
	};

	assert_int_equal(store_write(f->store, certify, &k), 0);
	cert_made_done(&made);
}

static int remove_mailbox(struct store_conn *c, void *arg)
{
	int64_t *bob = arg;

	return store_mailbox_delete(c, *bob, SPAN("Shared"), NULL);
}

/* A copy somewhere does not make an end of what may pass by itself: it is tried again, and the copy is made
 * then. */
static void copy_while_full(void **state)
{
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	int64_t bob = fixture_number(f, "select id from account where local = cast('bob' as blob)");
	struct mailing m;

	assert_int_equal(store_write(f->store, fill_bob, &bob), 0);
	plant_it(f, "server", "require [\"fileinto\",\"copy\",\"envelope\"];"
			      " if envelope :localpart \"to\" \"alice\" { fileinto :copy \"Lists\"; }");
	plant_it(f, "alice", "require \"reject\"; reject \"not you\";");
	mail(&m, f, cache, "", "alice@example.org bob@example.org", plain);
	assert_int_equal(m.result, DELIVER_E_REFUSED);
	assert_int_equal(m.delivery.refusal, RECIPIENT_FULL);
	assert_int_equal(store_read(f->store, list_all, &m), 0);
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
	plant_it(f, "server",
		"require [\"fileinto\",\"vnd.signet.encrypt\"]; fileinto :encrypt"
		" \"~bob/Shared\";");
	for (unsigned i = 0; i < 3; i++) {
		struct rule_cache *cache = rule_cache_new();
		struct mailing m;

		if (i == 1)
			assert_int_equal(store_write(f->store, fill_bob, &bob), 0);
		begin(&m, f, cache, "jim@example.com", "alice@example.org", span_str(plain));
		assert_int_equal(store_read(f->store, plan_it, &m), 0);
		if (i == 2)
			assert_int_equal(store_write(f->store, remove_mailbox, &bob), 0);
		carry_out(&m);
		if (i == 0)
			expect_text(&m, "application/pkcs7-mime");
		assert_int_equal(m.result, i ? DELIVER_E_REFUSED : 0);
		assert_int_equal(m.delivery.refusal, i ? RECIPIENT_FULL : RECIPIENT_OK);
		buf_clear(&m.out);
		assert_int_equal(store_read(f->store, list_all, &m), 0);
		assert_true(span_is(buf_span(&m.out), i < 2 ? "bob/Shared; " : ""));
		mailing_done(&m);
		rule_cache_free(cache);
	}
}

/* A mailbox that cannot be made: it is the owner's INBOX then, where it can be read, not a refusal for
 * ever. */
static void for_the_owner_nowhere(void **state)
{
	struct fixture *f = *state;
	struct rule_cache *cache = rule_cache_new();
	struct mailing m;

	certify_bob(f);
	plant_it(f, "server",
		"require [\"fileinto\",\"mailbox\",\"vnd.signet.encrypt\"]; fileinto :create :encrypt"
		" \"~bob/a//b\";");
	mail(&m, f, cache, "jim@example.com", "alice@example.org", plain);
	assert_int_equal(m.result, 0);
	expect_text(&m, "application/pkcs7-mime");
	buf_clear(&m.out);
	assert_int_equal(store_read(f->store, list_all, &m), 0);
	assert_true(span_is(buf_span(&m.out), "bob/INBOX; "));
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
		cmocka_unit_test_setup_teardown(many_forms, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_forms, setup, teardown),
		cmocka_unit_test_setup_teardown(headers_are_shared, setup, teardown),
		cmocka_unit_test_setup_teardown(share_of_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(very_large, setup, teardown),
		cmocka_unit_test_setup_teardown(very_long_header, setup, teardown),
		cmocka_unit_test_setup_teardown(redirect_through_alias, setup, teardown),
		cmocka_unit_test_setup_teardown(refusal_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(kept_has_not_failed, setup, teardown),
		cmocka_unit_test_setup_teardown(right_is_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(other_is_full, setup, teardown),
		cmocka_unit_test_setup_teardown(copy_while_full, setup, teardown),
		cmocka_unit_test_setup_teardown(for_the_owner_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(for_the_owner_nowhere, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
