/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "store/mailbox.h"

#include "base/alloc.h"
#include "base/limit.h"
#include "base/log.h"
#include "store/account.h"
#include "store/domain.h"
#include "store/fixture.h"
#include "store/message.h"
#include "store/view.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

struct name_row {
	const char *name;
	const char *expected; /* NULL: refused */
	int result;
};

static const struct name_row name_rows[] = {
	{ "Work", "Work", 0 },
	{ "inbox", "INBOX", 0 },
	{ "iNbOx", "INBOX", 0 },
	{ "inbox/Lists", "INBOX/Lists", 0 },
	{ "inboxes", "inboxes", 0 },
	{ "Lists/inbox", "Lists/inbox", 0 },
	{ "a/b/c/", "a/b/c", 0 },
	{ "e\xcc\x81t\xc3\xa9", "\xc3\xa9t\xc3\xa9", 0 }, /* NFC */
	{ "a b & %*", "a b & %*", 0 },
	{ "", NULL, STORE_E_REFUSED },
	{ "/", NULL, STORE_E_REFUSED },
	{ "/a", NULL, STORE_E_REFUSED },
	{ "a//b", NULL, STORE_E_REFUSED },
	{ "a//", NULL, STORE_E_REFUSED },
	{ "a\nb", NULL, STORE_E_REFUSED },
	{ "a\x7f", NULL, STORE_E_REFUSED },
	{ "a\xc2\x85", NULL, STORE_E_REFUSED },
	{ "\xff", NULL, STORE_E_REFUSED },
	{ "\xc0\x80", NULL, STORE_E_REFUSED },
	{ "\xed\xa0\x80", NULL, STORE_E_REFUSED },
	{ "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20",
		"1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20", 0 },
	{ "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21", NULL, STORE_E_LIMIT },
};

static void test_names(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(buf_done) struct buf longest = {};
	struct span normal;
	struct why why;

	(void)state;
	for (size_t i = 0; i < sizeof name_rows / sizeof name_rows[0]; i++) {
		const struct name_row *row = &name_rows[i];

		why.text[0] = 0;
		assert_int_equal(
			store_mailbox_name(&a, span_str(row->name), &normal, &why), row->result);
		if (row->result)
			assert_true(why.text[0] != 0);
		else
			assert_true(span_is(normal, row->expected));
	}
	for (int i = 0; i < LIMIT_MAILBOX_NAME; i++)
		buf_add_octet(&longest, 'x');
	assert_int_equal(store_mailbox_name(&a, buf_span(&longest), &normal, &why), 0);
	buf_add_octet(&longest, 'x');
	assert_int_equal(store_mailbox_name(&a, buf_span(&longest), &normal, &why), STORE_E_LIMIT);
}

struct call {
	int (*f)(struct store_conn *c, struct call *call);
	struct fixture *fixture;
	const char *a, *b;
	enum special_use use;
	int64_t id;
	uint32_t uid;
	struct why why;
	struct store_mailbox mailbox;
	struct arena arena;
	struct buf text;
};

static int call_run(struct store_conn *c, void *arg)
{
	struct call *call = arg;

	return call->f(c, call);
}

static int create(struct store_conn *c, struct call *k)
{
	return store_mailbox_create(
		c, k->fixture->account, span_str(k->a), k->use, &k->id, &k->why);
}

static int delete(struct store_conn *c, struct call *k)
{
	return store_mailbox_delete(c, k->fixture->account, span_str(k->a), &k->why);
}

static int rename_it(struct store_conn *c, struct call *k)
{
	return store_mailbox_rename(
		c, k->fixture->account, span_str(k->a), span_str(k->b), &k->why);
}

static int find(struct store_conn *c, struct call *k)
{
	return store_mailbox_find(c, &k->arena, k->fixture->account, span_str(k->a), &k->mailbox);
}

static int get(struct store_conn *c, struct call *k)
{
	return store_mailbox_get(c, &k->arena, k->id, &k->mailbox);
}

static int with_use(struct store_conn *c, struct call *k)
{
	return store_mailbox_with_use(c, &k->arena, k->fixture->account, k->use, &k->mailbox);
}

static int subscribe(struct store_conn *c, struct call *k)
{
	return store_mailbox_subscribe(c, k->fixture->account, span_str(k->a), k->b != NULL);
}

static int claim(struct store_conn *c, struct call *k)
{
	return store_mailbox_claim_recent(c, k->id, &k->uid);
}

static int view(struct store_conn *c, struct call *k)
{
	struct view *v;
	int r = store_view(c, k->id, &v);

	if (!r)
		view_unref(v);
	return r;
}

static int list(struct store_conn *c, struct call *k)
{
	struct store_mailbox *m;
	size_t n;

	TRY(store_mailbox_list(c, &k->arena, k->fixture->account, &m, &n));
	for (size_t i = 0; i < n; i++) {
		buf_add(&k->text, m[i].name);
		buf_add_string(&k->text, m[i].subscribed ? "+ " : " ");
	}
	return 0;
}

static int subscriptions(struct store_conn *c, struct call *k)
{
	struct span *names;
	size_t n;

	TRY(store_subscriptions(c, &k->arena, k->fixture->account, &names, &n));
	for (size_t i = 0; i < n; i++) {
		buf_add(&k->text, names[i]);
		buf_add_octet(&k->text, ' ');
	}
	return 0;
}

static int try(struct fixture *f, int (*what)(struct store_conn *, struct call *), const char *a,
	const char *b)
{
	struct call k = { .f = what, .fixture = f, .a = a, .b = b };
	int r = store_write(f->store, call_run, &k);

	arena_done(&k.arena);
	if (r == STORE_E_REFUSED)
		assert_true(k.why.text[0] != 0);
	return r;
}

static void expect(struct fixture *f, int (*what)(struct store_conn *, struct call *),
	const char *expected)
{
	struct call k = { .f = what, .fixture = f };
	char *text;

	assert_int_equal(store_read(f->store, call_run, &k), 0);
	text = buf_steal_string(&k.text);
	assert_string_equal(text, expected);
	free(text);
	arena_done(&k.arena);
}

static struct store_mailbox look(struct fixture *f, const char *name)
{
	struct call k = { .f = find, .fixture = f, .a = name };

	assert_int_equal(store_read(f->store, call_run, &k), 0);
	arena_done(&k.arena);
	return k.mailbox;
}

static void test_create(void **state)
{
	struct fixture *f = *state;
	struct call k = { .f = with_use, .fixture = f, .use = USE_TRASH };

	expect(f, list, "INBOX+ Archive+ Drafts+ Junk+ Sent+ Trash+ ");
	assert_int_equal(store_read(f->store, call_run, &k), 0);
	assert_true(span_is(k.mailbox.name, "Trash"));
	k.use = USE_FLAGGED;
	assert_int_equal(store_read(f->store, call_run, &k), STORE_E_NOT_FOUND);
	assert_int_equal(try(f, create, "a/b/c", NULL), 0);
	expect(f, list, "INBOX+ Archive+ Drafts+ Junk+ Sent+ Trash+ a a/b a/b/c ");
	assert_int_equal(try(f, create, "a/b", NULL), STORE_E_EXISTS);
	assert_int_equal(try(f, create, "inbox", NULL), STORE_E_EXISTS);
	assert_int_equal(try(f, create, "x//y", NULL), STORE_E_REFUSED);
	k.f = create;
	k.a = "Trash2";
	k.use = USE_TRASH;
	assert_int_equal(store_write(f->store, call_run, &k), STORE_E_REFUSED);
	k.use = USE_FLAGGED;
	assert_int_equal(store_write(f->store, call_run, &k), STORE_E_REFUSED);
	assert_int_equal(try(f, delete, "Trash", NULL), 0);
	k.use = USE_TRASH;
	assert_int_equal(store_write(f->store, call_run, &k), 0);
	arena_done(&k.arena);
}

static void test_delete(void **state)
{
	struct fixture *f = *state;
	struct store_mailbox first, again;
	struct call k = { .f = view, .fixture = f };

	assert_int_equal(try(f, create, "a/b", NULL), 0);
	first = look(f, "a");
	(void)fixture_deliver(f, first.id, SPAN("12345"), 0);
	assert_int_equal(fixture_number(f, "select used_octets from account"), 5);
	k.id = first.id;
	assert_int_equal(store_read(f->store, call_run, &k), 0);
	assert_int_equal(try(f, delete, "inbox", NULL), STORE_E_REFUSED);
	assert_int_equal(try(f, delete, "none", NULL), STORE_E_NOT_FOUND);
	assert_int_equal(try(f, delete, "a", NULL), 0);
	assert_int_equal(fixture_number(f, "select used_octets + used_messages from account"), 0);
	assert_null(store_view_cached(f->store, first.id));
	assert_int_equal(store_read(f->store, call_run, &k), STORE_E_NOT_FOUND);
	k.f = get;
	assert_int_equal(store_read(f->store, call_run, &k), STORE_E_NOT_FOUND);
	assert_int_equal(try(f, find, "a", NULL), STORE_E_NOT_FOUND);
	assert_int_equal(try(f, find, "a/b", NULL), 0);
	assert_int_equal(try(f, create, "a", NULL), 0);
	again = look(f, "a");
	assert_true(again.uidvalidity > first.uidvalidity);
	assert_true(again.id != first.id);
	assert_int_equal(again.n_messages, 0);
	arena_done(&k.arena);
}

static void test_rename(void **state)
{
	struct fixture *f = *state;
	struct store_mailbox before, after;

	assert_int_equal(try(f, create, "a/b/c", NULL), 0);
	assert_int_equal(try(f, create, "ab", NULL), 0);
	assert_int_equal(try(f, subscribe, "a/b", "on"), 0);
	before = look(f, "a/b/c");
	assert_int_equal(try(f, rename_it, "none", "x"), STORE_E_NOT_FOUND);
	assert_int_equal(try(f, rename_it, "a", "Sent"), STORE_E_EXISTS);
	assert_int_equal(try(f, rename_it, "a", "a/x"), STORE_E_REFUSED);
	assert_int_equal(try(f, rename_it, "a", "n//x"), STORE_E_REFUSED);
	assert_int_equal(try(f, rename_it, "a", "new/top"), 0);
	after = look(f, "new/top/b/c");
	assert_true(after.id == before.id);
	assert_int_equal(after.uidvalidity, before.uidvalidity);
	expect(f, list,
		"INBOX+ Archive+ Drafts+ Junk+ Sent+ Trash+ ab new new/top new/top/b+ "
		"new/top/b/c ");
	/* A name below the new one is taken: nothing is renamed. */
	assert_int_equal(try(f, create, "t/b", NULL), 0);
	assert_int_equal(try(f, delete, "t", NULL), 0);
	assert_int_equal(try(f, rename_it, "new/top", "t"), STORE_E_EXISTS);
	assert_int_equal(try(f, find, "new/top/b/c", NULL), 0);
	assert_int_equal(try(f, find, "t", NULL), STORE_E_NOT_FOUND);
	/* Too deep below. */
	assert_int_equal(
		try(f, rename_it, "new/top", "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19"),
		STORE_E_LIMIT);
}

static void test_rename_inbox(void **state)
{
	struct fixture *f = *state;
	struct store_mailbox inbox, saved;

	for (int i = 0; i < 5; i++)
		(void)fixture_deliver(f, f->inbox, SPAN("x"), i % 2 ? FLAG_SEEN : 0);
	assert_int_equal(try(f, rename_it, "inbox", "old/mail"), 0);
	inbox = look(f, "INBOX");
	saved = look(f, "old/mail");
	assert_true(inbox.id == f->inbox);
	assert_int_equal(inbox.n_messages, 0);
	assert_int_equal(inbox.n_unseen, 0);
	assert_int_equal(inbox.uidnext, 6);
	assert_int_equal(saved.n_messages, 5);
	assert_int_equal(saved.n_unseen, 3);
	assert_int_equal(fixture_number(f, "select used_messages from account"), 5);
}

static void test_subscriptions(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(try(f, subscribe, "not/there", "on"), 0);
	assert_int_equal(try(f, subscribe, "not/there", "on"), 0);
	assert_int_equal(try(f, subscribe, "Archive", NULL), 0);
	assert_int_equal(try(f, delete, "Sent", NULL), 0);
	expect(f, subscriptions, "Drafts INBOX Junk Sent Trash not/there ");
	expect(f, list, "INBOX+ Archive Drafts+ Junk+ Trash+ ");
}

static void test_recent(void **state)
{
	struct fixture *f = *state;
	struct call k = { .f = claim, .fixture = f, .id = f->inbox };

	(void)fixture_deliver(f, f->inbox, SPAN("x"), 0);
	assert_int_equal(store_write(f->store, call_run, &k), 0);
	assert_int_equal(k.uid, 1);
	(void)fixture_deliver(f, f->inbox, SPAN("x"), 0);
	(void)fixture_deliver(f, f->inbox, SPAN("x"), 0);
	assert_int_equal(store_write(f->store, call_run, &k), 0);
	assert_int_equal(k.uid, 2);
	assert_int_equal(store_write(f->store, call_run, &k), 0);
	assert_int_equal(k.uid, 4);
	k.id = 4711;
	assert_int_equal(store_write(f->store, call_run, &k), STORE_E_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		FIXTURE_TEST(test_create),
		FIXTURE_TEST(test_delete),
		FIXTURE_TEST(test_rename),
		FIXTURE_TEST(test_rename_inbox),
		FIXTURE_TEST(test_subscriptions),
		FIXTURE_TEST(test_recent),
	};

	log_set_stderr(false);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
