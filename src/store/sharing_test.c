/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Rights to mailboxes: whose apply, what is known of without them, and names of others' mailboxes.
 */

#include "store/sharing.h"

#include "base/log.h"
#include "base/test.h"
#include "store/account.h"
#include "store/domain.h"
#include "store/fixture.h"
#include "store/message.h"

struct world {
	struct fixture *f;
	int64_t bob, carol; /* of example.org, and of example.net */
	int64_t net;
	struct arena arena;
};

struct call {
	struct world *w;
	int (*run)(struct store_conn *c, struct call *k);
	int64_t account;
	const char *name, *to, *identifier;
	enum acl_change change;
	unsigned need, rights;
	enum special_use use;
	int64_t mailbox, owner, id;
	struct shared_mailbox found;
	struct shared_mailbox *list;
	struct acl_entry *entries;
	size_t n;
	struct span text;
	bool is;
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
	return store_write(k->w->f->store, call_run, k);
}

static int people(struct store_conn *c, struct call *k)
{
	struct store_credentials none = {};
	struct world *w = k->w;

	TRY(store_domain_add(c, SPAN("example.net"), &w->net));
	TRY(store_domain_alias_add(c, w->net, SPAN("net.example")));
	TRY(store_account_add(c, w->f->domain, SPAN("bob"), ROLE_USER, &none, &w->bob));
	return store_account_add(c, w->net, SPAN("carol"), ROLE_USER, &none, &w->carol);
}

static int setup(void **state)
{
	struct world *w = test_calloc(1, sizeof *w);
	struct call k = { .w = w };

	log_set_level(LOG_ERROR);
	w->f = fixture_new();
	assert_int_equal(act(&k, people), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	fixture_recount(w->f);
	fixture_free(w->f);
	arena_done(&w->arena);
	test_free(w);
	return 0;
}

static int run_set(struct store_conn *c, struct call *k)
{
	return store_acl_set(c, k->mailbox, span_str(k->identifier), k->change, k->rights, &k->why);
}

static int set(struct world *w, int64_t mailbox, const char *identifier, const char *letters)
{
	struct call k = { .w = w, .mailbox = mailbox, .identifier = identifier };

	k.change = letters[0] == '+' ? ACL_ADD : letters[0] == '-' ? ACL_TAKE : ACL_SET;
	assert_true(rights_parse(span_str(letters + (k.change != ACL_SET)), &k.rights));
	return act(&k, run_set);
}

static int run_rights(struct store_conn *c, struct call *k)
{
	return store_mailbox_rights(c, k->account, k->mailbox, &k->rights);
}

static void assert_rights(struct world *w, int64_t account, int64_t mailbox, const char *letters)
{
	struct call k = { .w = w, .account = account, .mailbox = mailbox };
	CLEANUP(buf_done) struct buf out = {};

	assert_int_equal(act(&k, run_rights), 0);
	rights_print(&out, k.rights);
	buf_add_octet(&out, 0);
	assert_string_equal((const char *)buf_span(&out).p, letters);
}

static int run_reach(struct store_conn *c, struct call *k)
{
	return store_mailbox_reach(c, &k->w->arena, k->account, span_str(k->name), k->need,
		&k->found);
}

static int reach(struct world *w, int64_t account, const char *name, unsigned need)
{
	struct call k = { .w = w, .account = account, .name = name, .need = need };

	return act(&k, run_reach);
}

static void letters(void **state)
{
	CLEANUP(buf_done) struct buf out = {};
	unsigned rights;

	(void)state;
	assert_true(rights_parse(SPAN("lrswipkxtea"), &rights));
	assert_int_equal(rights, ACL_ALL);
	assert_true(rights_parse(SPAN(""), &rights));
	assert_int_equal(rights, 0);
	assert_false(rights_parse(SPAN("lrq"), &rights));
	assert_false(rights_parse(SPAN("lR"), &rights));
	assert_false(rights_parse(SPAN("l "), &rights));
	/* RFC 4314 section 2.1.1: the virtual rights. */
	assert_true(rights_parse(SPAN("cd"), &rights));
	assert_int_equal(rights, ACL_CREATE | ACL_REMOVE | ACL_DELETE | ACL_EXPUNGE);
	rights_print(&out, ACL_LOOKUP | ACL_CREATE | ACL_EXPUNGE);
	assert_true(span_is(buf_span(&out), "lkecd"));
	assert_true(rights_flags(ACL_SEEN) == FLAG_SEEN);
	assert_true(rights_flags(ACL_DELETE) == FLAG_DELETED);
	assert_true(rights_flags(ACL_WRITE) == ~(uint64_t)(FLAG_SEEN | FLAG_DELETED));
	assert_true(rights_flags(ACL_LOOKUP | ACL_READ | ACL_INSERT) == 0);
}

static void whose_apply(void **state)
{
	struct world *w = *state;
	int64_t inbox = w->f->inbox;

	assert_rights(w, w->f->account, inbox, "lrswipkxteacd");
	assert_rights(w, w->bob, inbox, "");
	assert_int_equal(set(w, inbox, "bob@example.org", "lr"), 0);
	assert_int_equal(set(w, inbox, "@example.org", "i"), 0);
	assert_int_equal(set(w, inbox, "anyone", "p"), 0);
	assert_rights(w, w->bob, inbox, "lrip");
	assert_rights(w, w->carol, inbox, "p");
	/* Login names: without a domain it is the main one's, case does not matter, aliases lead
	 * on. */
	assert_int_equal(set(w, inbox, "BOB", "+s"), 0);
	assert_rights(w, w->bob, inbox, "lrsip");
	assert_int_equal(set(w, inbox, "carol@net.example", "l"), 0);
	assert_rights(w, w->carol, inbox, "lp");
	assert_int_equal(set(w, inbox, "bob", "-lrs"), 0);
	assert_rights(w, w->bob, inbox, "ip");
	assert_rights(w, 4711, inbox, "");
}

static void who_cannot_be_named(void **state)
{
	struct world *w = *state;
	struct call k = { .w = w, .mailbox = w->f->inbox };

	assert_int_equal(set(w, w->f->inbox, "nobody@example.org", "l"), STORE_E_REFUSED);
	assert_int_equal(set(w, w->f->inbox, "@example.com", "l"), STORE_E_REFUSED);
	assert_int_equal(set(w, w->f->inbox, "-bob", "l"), STORE_E_REFUSED);
	assert_int_equal(set(w, w->f->inbox, "", "l"), STORE_E_REFUSED);
	assert_int_equal(set(w, w->f->inbox, "alice@example.org", "l"), STORE_E_REFUSED);
	assert_int_equal(set(w, 4711, "bob", "l"), STORE_E_NOT_FOUND);
	assert_int_equal(act(&k, run_set), STORE_E_REFUSED);
	assert_non_null(strstr(k.why.text, "@DOMAIN"));
}

static void names(void **state)
{
	struct world *w = *state;
	struct call k = { .w = w, .account = w->bob, .name = "~alice/inbox", .need = ACL_READ };

	assert_int_equal(reach(w, w->bob, "~alice/INBOX", ACL_READ), STORE_E_NOT_FOUND);
	assert_int_equal(set(w, w->f->inbox, "bob", "lr"), 0);
	assert_int_equal(act(&k, run_reach), 0);
	assert_true(span_is(k.found.box.name, "~alice/INBOX"));
	assert_true(span_is(k.found.path, "INBOX"));
	assert_false(k.found.own);
	assert_int_equal(k.found.rights, ACL_LOOKUP | ACL_READ);
	k.name = "~ALICE@Example.ORG/INBOX";
	assert_int_equal(act(&k, run_reach), 0);
	assert_true(span_is(k.found.box.name, "~alice/INBOX"));

	assert_int_equal(set(w, w->f->inbox, "carol@example.net", "lr"), 0);
	k.account = w->carol;
	assert_int_equal(act(&k, run_reach), 0);
	assert_true(span_is(k.found.box.name, "~alice@example.org/INBOX"));
	/* Without a domain the own one is meant. */
	assert_int_equal(reach(w, w->carol, "~alice/INBOX", ACL_READ), STORE_E_NOT_FOUND);

	/* The own mailboxes by that name too. */
	k.account = w->f->account;
	k.name = "~alice/INBOX";
	assert_int_equal(act(&k, run_reach), 0);
	assert_true(k.found.own && span_is(k.found.box.name, "INBOX"));
	assert_int_equal(k.found.rights, ACL_ALL);

	static const char *const none[] = { "~", "~/", "~/INBOX", "~alice", "~alice/",
		"~bob@/INBOX", "~nobody/INBOX", "~alice@example.com/INBOX", "~alice@example.org",
		"~alice/nothing", "~alice//INBOX" };

	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		assert_int_equal(reach(w, w->bob, none[i], 0), STORE_E_NOT_FOUND);
}

static void what_is_not_known(void **state)
{
	struct world *w = *state;

	assert_int_equal(set(w, w->f->inbox, "bob", "i"), 0);
	/* Without l: as if it were not there, but for what the rights allow. */
	assert_int_equal(reach(w, w->bob, "~alice/INBOX", ACL_READ), STORE_E_NOT_FOUND);
	assert_int_equal(reach(w, w->bob, "~alice/INBOX", ACL_INSERT), 0);
	assert_int_equal(reach(w, w->bob, "~alice/INBOX", 0), 0);
	assert_int_equal(set(w, w->f->inbox, "bob", "l"), 0);
	assert_int_equal(reach(w, w->bob, "~alice/INBOX", ACL_READ), STORE_E_RIGHTS);
	/* p alone makes no mailbox known. */
	assert_int_equal(set(w, w->f->inbox, "bob", "p"), 0);
	assert_int_equal(reach(w, w->bob, "~alice/INBOX", 0), STORE_E_NOT_FOUND);
}

static int run_create(struct store_conn *c, struct call *k)
{
	return store_shared_create(c, &k->w->arena, k->account, span_str(k->name), k->use,
		&k->owner, &k->id, &k->why);
}

static int create(struct world *w, int64_t account, const char *name)
{
	struct call k = { .w = w, .account = account, .name = name };

	return act(&k, run_create);
}

static void creating(void **state)
{
	struct world *w = *state;
	struct call k = { .w = w, .account = w->bob, .name = "~alice/Team/Plans/2027" };
	int64_t team;

	assert_int_equal(create(w, w->f->account, "Team"), 0);
	team = fixture_mailbox(w->f, w->f->account, "Team");
	/* Nobody learns what is there. */
	assert_int_equal(create(w, w->bob, "~alice/Team"), STORE_E_RIGHTS);
	assert_int_equal(create(w, w->bob, "~alice/Other"), STORE_E_RIGHTS);
	assert_int_equal(create(w, w->bob, "~nobody/Other"), STORE_E_RIGHTS);
	assert_int_equal(create(w, w->bob, "~alice/Team/x"), STORE_E_RIGHTS);

	assert_int_equal(set(w, team, "bob", "lrk"), 0);
	assert_int_equal(set(w, team, "@example.net", "lr"), 0);
	assert_int_equal(act(&k, run_create), 0);
	assert_int_equal(k.owner, w->f->account);
	/* Both new levels have the rights of the one above. */
	assert_rights(w, w->bob, k.id, "lrkc");
	assert_rights(w, w->carol, fixture_mailbox(w->f, w->f->account, "Team/Plans"), "lr");
	assert_int_equal(act(&k, run_create), STORE_E_EXISTS);
	k.name = "~alice/Team/Sent";
	k.use = USE_SENT;
	assert_int_equal(act(&k, run_create), STORE_E_REFUSED);
	assert_int_equal(create(w, w->bob, "~alice/Top"), STORE_E_RIGHTS);
}

static int run_delete(struct store_conn *c, struct call *k)
{
	return store_shared_delete(c, &k->w->arena, k->account, span_str(k->name), &k->id, &k->why);
}

static int run_rename(struct store_conn *c, struct call *k)
{
	return store_shared_rename(c, &k->w->arena, k->account, span_str(k->name), span_str(k->to),
		&k->why);
}

static void removing(void **state)
{
	struct world *w = *state;
	struct call k = { .w = w, .account = w->bob, .name = "~alice/Sent" };
	int64_t sent = fixture_mailbox(w->f, w->f->account, "Sent");

	assert_int_equal(act(&k, run_delete), STORE_E_NOT_FOUND);
	assert_int_equal(set(w, sent, "bob", "lr"), 0);
	assert_int_equal(act(&k, run_delete), STORE_E_RIGHTS);
	assert_int_equal(set(w, sent, "bob", "lx"), 0);
	assert_int_equal(act(&k, run_delete), 0);
	assert_int_equal(k.id, sent);
	assert_int_equal(fixture_number(w->f, "select count(*) from mailbox_acl"), 0);
	k.mailbox = sent;
	assert_int_equal(act(&k, run_rights), STORE_E_NOT_FOUND);
}

static void renaming(void **state)
{
	struct world *w = *state;
	struct call k = { .w = w, .account = w->bob, .name = "~alice/A/b", .to = "~alice/A/c" };
	int64_t a, b;

	assert_int_equal(create(w, w->f->account, "A/b"), 0);
	a = fixture_mailbox(w->f, w->f->account, "A");
	b = fixture_mailbox(w->f, w->f->account, "A/b");
	assert_int_equal(act(&k, run_rename), STORE_E_NOT_FOUND);
	assert_int_equal(set(w, b, "bob", "lx"), 0);
	assert_int_equal(act(&k, run_rename), STORE_E_RIGHTS);
	assert_int_equal(set(w, a, "bob", "k"), 0);
	assert_int_equal(act(&k, run_rename), 0);
	/* RFC 4314 section 4: the rights go with it. */
	assert_rights(w, w->bob, b, "lxc");
	k.name = "~alice/A/c";
	k.to = "Mine";
	assert_int_equal(act(&k, run_rename), STORE_E_REFUSED);
	assert_int_equal(set(w, w->f->inbox, "bob", "lrxk"), 0);
	k.name = "~alice/INBOX";
	k.to = "~alice/A/d";
	assert_int_equal(act(&k, run_rename), STORE_E_REFUSED);
}

static int run_list(struct store_conn *c, struct call *k)
{
	return store_shared_list(c, &k->w->arena, k->account, &k->list, &k->n);
}

static int run_entries(struct store_conn *c, struct call *k)
{
	return store_acl_list(c, &k->w->arena, k->mailbox, &k->entries, &k->n);
}

static void lists(void **state)
{
	struct world *w = *state;
	struct call k = { .w = w, .account = w->bob, .mailbox = w->f->inbox };

	assert_int_equal(act(&k, run_list), 0);
	assert_int_equal(k.n, 0);
	assert_int_equal(set(w, w->f->inbox, "bob", "l"), 0);
	assert_int_equal(set(w, w->f->inbox, "anyone", "r"), 0);
	assert_int_equal(set(w, fixture_mailbox(w->f, w->f->account, "Sent"), "anyone", "r"), 0);
	assert_int_equal(set(w, fixture_mailbox(w->f, w->carol, "Drafts"), "@example.org", "lr"),
		0);
	assert_int_equal(act(&k, run_list), 0);
	assert_int_equal(k.n, 2); /* Sent has no l */
	assert_true(span_is(k.list[0].box.name, "~alice/INBOX"));
	assert_int_equal(k.list[0].rights, ACL_LOOKUP | ACL_READ);
	assert_true(span_is(k.list[1].box.name, "~carol@example.net/Drafts"));
	k.account = w->f->account;
	assert_int_equal(act(&k, run_list), 0);
	assert_int_equal(k.n, 1); /* the own ones are not among them */

	assert_int_equal(act(&k, run_entries), 0);
	assert_int_equal(k.n, 3);
	assert_true(span_is(k.entries[0].identifier, "alice@example.org"));
	assert_int_equal(k.entries[0].rights, ACL_ALL);
	assert_true(span_is(k.entries[1].identifier, "anyone"));
	assert_true(span_is(k.entries[2].identifier, "bob@example.org"));
}

static int run_subscription(struct store_conn *c, struct call *k)
{
	return store_subscription_name(c, &k->w->arena, k->account, span_str(k->name), &k->text);
}

static void subscriptions(void **state)
{
	static const struct {
		const char *name, *kept;
	} cases[] = {
		{ "inbox", "INBOX" },
		{ "A/b", "A/b" },
		{ "~ALICE@EXAMPLE.org/inbox", "~alice/INBOX" },
		{ "~Carol@Example.NET/Inbox/x", "~carol@example.net/INBOX/x" },
		{ "~nobody/x", "~nobody/x" },
		{ "~", "~" },
	};
	struct call k = { .w = *state, .account = ((struct world *)*state)->bob };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		k.name = cases[i].name;
		assert_int_equal(act(&k, run_subscription), 0);
		assert_true(span_is(k.text, cases[i].kept));
	}
	k.name = "~alice//x";
	assert_int_equal(act(&k, run_subscription), STORE_E_REFUSED);
}

static int run_remove_account(struct store_conn *c, struct call *k)
{
	return store_account_remove(c, k->account);
}

static void who_is_gone(void **state)
{
	struct world *w = *state;
	struct call k = { .w = w, .account = w->bob };

	assert_int_equal(set(w, w->f->inbox, "bob", "lr"), 0);
	assert_int_equal(set(w, fixture_mailbox(w->f, w->bob, "INBOX"), "alice", "lr"), 0);
	assert_int_equal(act(&k, run_remove_account), 0);
	assert_int_equal(reach(w, w->f->account, "~bob/INBOX", ACL_READ), STORE_E_NOT_FOUND);
	fixture_sweep(w->f);
	assert_int_equal(fixture_number(w->f, "select count(*) from mailbox_acl"), 0);
}

static int run_fill(struct store_conn *c, struct call *k)
{
	for (int i = 0; i < ACL_ENTRIES_MAX; i++) {
		struct store_credentials none = {};
		CLEANUP(buf_done) struct buf name = {};
		int64_t id;

		buf_add_format(&name, "p%d", i);
		TRY(store_account_add(c, k->w->f->domain, buf_span(&name), ROLE_USER, &none, &id));
		TRY(store_acl_set(c, k->mailbox, buf_span(&name), ACL_SET, ACL_LOOKUP, &k->why));
	}
	return 0;
}

static void too_many(void **state)
{
	struct world *w = *state;
	struct call k = { .w = w, .mailbox = w->f->inbox };

	assert_int_equal(act(&k, run_fill), 0);
	assert_int_equal(set(w, w->f->inbox, "bob", "l"), STORE_E_LIMIT);
	assert_int_equal(set(w, w->f->inbox, "p7", "lr"), 0);
	assert_int_equal(set(w, w->f->inbox, "p7", ""), 0);
	assert_int_equal(set(w, w->f->inbox, "bob", "l"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters),
		cmocka_unit_test_setup_teardown(whose_apply, setup, teardown),
		cmocka_unit_test_setup_teardown(who_cannot_be_named, setup, teardown),
		cmocka_unit_test_setup_teardown(names, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_known, setup, teardown),
		cmocka_unit_test_setup_teardown(creating, setup, teardown),
		cmocka_unit_test_setup_teardown(removing, setup, teardown),
		cmocka_unit_test_setup_teardown(renaming, setup, teardown),
		cmocka_unit_test_setup_teardown(lists, setup, teardown),
		cmocka_unit_test_setup_teardown(subscriptions, setup, teardown),
		cmocka_unit_test_setup_teardown(who_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
