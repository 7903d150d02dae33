/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "mail/plan_fixture.h"

#include "base/alloc.h"
#include "base/test.h"
#include "mime/word.h"
#include "store/account.h"
#include "store/mailbox.h"
#include "store/message.h"
#include "store/queue_rows.h"
#include "store/rule_rows.h"
#include "store/sharing.h"

const char plan_fixture_plain[] =
	"From: Jim <jim@example.com>\r\nTo: alice@example.org\r\n"
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

int plan_fixture_setup(void **state)
{
	struct fixture *f = fixture_new();

	word_init();
	assert_int_equal(store_write(f->store, populate, f), 0);
	*state = f;
	return 0;
}

int plan_fixture_teardown(void **state)
{
	fixture_recount(*state);
	fixture_free(*state);
	return 0;
}

struct planting {
	struct fixture *f;
	const char *owner, *text;
};

static int plant(struct store_conn *c, void *arg)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct planting *p = arg;
	struct rule_owner owner = { RULE_SERVER, 0 };
	struct store_account account;

	if (strcmp(p->owner, "domain") == 0)
		owner = (struct rule_owner){ RULE_DOMAIN, p->f->domain };
	else if (strcmp(p->owner, "server") != 0) {
		TRY(store_account_find(c, &arena, span_str(p->owner), &account, NULL));
		owner = (struct rule_owner){ RULE_ACCOUNT, account.id };
	}
	TRY(store_rule_put(c, owner, SPAN("x"), span_str(p->text), NULL));
	TRY(store_rule_activate(c, owner, SPAN("x")));
	return 0;
}

void plan_fixture_rule(struct fixture *f, const char *owner, const char *text)
{
	struct planting p = { f, owner, text };

	assert_int_equal(store_write(f->store, plant, &p), 0);
}

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

int mailing_plan(struct mailing *m)
{
	return store_read(m->f->store, plan_it, m);
}

int mailing_deliver(struct mailing *m)
{
	return store_write(m->f->store, deliver_it, m);
}

void mailing_begin(struct mailing *m, struct fixture *f, struct rule_cache *cache, const char *from,
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

void mailing_carry_out(struct mailing *m)
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
	m->result = mailing_deliver(m);
}

void mailing_make(struct mailing *m)
{
	assert_int_equal(mailing_plan(m), 0);
	mailing_carry_out(m);
}

void mailing_octets(struct mailing *m, struct fixture *f, struct rule_cache *cache,
	const char *from, const char *to, struct span text)
{
	mailing_begin(m, f, cache, from, to, text);
	mailing_make(m);
}

void mailing_send(struct mailing *m, struct fixture *f, struct rule_cache *cache, const char *from,
	const char *to, const char *text)
{
	mailing_octets(m, f, cache, from, to, span_str(text));
}

void mailing_done(struct mailing *m)
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

void mailing_list(struct mailing *m)
{
	assert_int_equal(store_read(m->f->store, list_all, m), 0);
}

void mailing_add_notes(struct mailing *m)
{
	static const char *const kinds[] = { "failed", "clear", "right" };
	const struct plan_note *notes;
	size_t n, more;

	notes = plan_notes(m->plan, &n, &more);
	for (size_t i = 0; i < n; i++)
		buf_add_format(&m->out, "%s %s: %.*s; ", notes[i].level, kinds[notes[i].kind],
			(int)notes[i].text.n, (const char *)notes[i].text.p);
}

static int read_first(struct store_conn *c, void *arg)
{
	struct mailing *m = arg;
	int64_t content = fixture_number(m->f,
		m->first ? "select min(content) from message" : "select max(content) from message");

	return store_content_read(c, content, 0, CONTENT_INLINE, &m->out);
}

void mailing_expect(struct mailing *m, const char *expected)
{
	buf_clear(&m->out);
	assert_int_equal(store_read(m->f->store, read_first, m), 0);
	if (span_find_span(buf_span(&m->out), span_str(expected)) == buf_size(&m->out))
		fail_msg("%s\nis not in\n%.*s", expected, (int)buf_size(&m->out),
			(const char *)buf_span(&m->out).p);
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

void plan_fixture_content(struct fixture *f, int64_t content, struct buf *out)
{
	struct content_reading r = { content, out };

	assert_int_equal(store_read(f->store, read_it, &r), 0);
}
