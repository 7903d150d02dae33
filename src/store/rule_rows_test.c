/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "store/rule_rows.h"

#include "base/alloc.h"
#include "base/test.h"
#include "store/account.h"
#include "store/fixture.h"

#include <stdio.h>

struct call {
	struct fixture *f;
	struct rule_owner owner;
	const char *name, *other;
	struct span text;
	struct buf out;
	int64_t now_us;
};

static int put(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_rule_put(c, k->owner, span_str(k->name), k->text, NULL);
}

static int activate(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_rule_activate(c, k->owner, span_str(k->name));
}

static int drop(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_rule_remove(c, k->owner, span_str(k->name));
}

static int rename_rule(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_rule_rename(c, k->owner, span_str(k->name), span_str(k->other), NULL);
}

static int add_one(const struct store_rule *rule, void *context)
{
	struct buf *out = context;

	buf_add(out, rule->name);
	buf_add_string(out, rule->active ? "*=" : "=");
	buf_add(out, rule->text);
	buf_add_octet(out, ' ');
	return 0;
}

static int list(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_rule_each(c, k->owner, add_one, &k->out);
}

static int due_for(struct store_conn *c, void *arg)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct store_rule rules[3];
	struct call *k = arg;
	size_t n;
	bool due;

	TRY(store_rules_for(c, &arena, k->f->account, rules, &n));
	TRY(store_rules_due(c, k->f->account, &due));
	assert_int_equal(due, n > 0);
	for (size_t i = 0; i < n; i++)
		(void)add_one(&rules[i], &k->out);
	return 0;
}

static void expect(struct call *k, int (*f)(struct store_conn *, void *), const char *expected)
{
	buf_clear(&k->out);
	assert_int_equal(store_read(k->f->store, f, k), 0);
	buf_add_octet(&k->out, 0);
	assert_string_equal((const char *)buf_span(&k->out).p, expected);
}

static int write_as(struct call *k, int (*f)(struct store_conn *, void *), const char *name,
	const char *text)
{
	k->name = name;
	k->text = span_str(text);
	return store_write(k->f->store, f, k);
}

static void one_is_active(void **state)
{
	struct fixture *f = *state;
	struct call k = { .f = f, .owner = { RULE_ACCOUNT, f->account } };
	uint64_t version = store_routes_version(f->store);

	assert_int_equal(write_as(&k, activate, "a", ""), STORE_E_NOT_FOUND);
	assert_int_equal(write_as(&k, put, "a", "keep;"), 0);
	assert_int_equal(write_as(&k, put, "b", "stop;"), 0);
	assert_true(store_routes_version(f->store) == version);
	expect(&k, due_for, "");
	assert_int_equal(write_as(&k, activate, "a", ""), 0);
	assert_false(store_routes_version(f->store) == version);
	assert_int_equal(write_as(&k, activate, "b", ""), 0);
	expect(&k, list, "a=keep; b*=stop; ");
	assert_int_equal(write_as(&k, put, "b", "discard;"), 0);
	expect(&k, due_for, "b*=discard; ");
	assert_int_equal(write_as(&k, drop, "b", ""), STORE_E_IN_USE);
	assert_int_equal(write_as(&k, drop, "c", ""), STORE_E_NOT_FOUND);
	k.other = "a";
	assert_int_equal(write_as(&k, rename_rule, "b", ""), STORE_E_EXISTS);
	k.other = "c";
	assert_int_equal(write_as(&k, rename_rule, "b", ""), 0);
	expect(&k, list, "a=keep; c*=discard; ");
	assert_int_equal(write_as(&k, activate, "", ""), 0);
	assert_int_equal(write_as(&k, drop, "c", ""), 0);
	expect(&k, list, "a=keep; ");
	buf_done(&k.out);
}

/* The server's come first, then the domain's; those of others do not concern an account. */
static void levels(void **state)
{
	struct fixture *f = *state;
	struct call k = { .f = f };
	const struct rule_owner owners[] = { { RULE_ACCOUNT, f->account },
		{ RULE_DOMAIN, f->domain }, { RULE_SERVER, 0 } };
	static const char *const texts[] = { "3", "2", "1" };

	for (size_t i = 0; i < 3; i++) {
		k.owner = owners[i];
		assert_int_equal(write_as(&k, put, "x", texts[i]), 0);
		assert_int_equal(write_as(&k, activate, "x", ""), 0);
	}
	expect(&k, due_for, "x*=1 x*=2 x*=3 ");
	k.owner = (struct rule_owner){ RULE_ACCOUNT, 999 };
	assert_int_equal(write_as(&k, put, "x", ""), STORE_E_NOT_FOUND);
	k.owner = (struct rule_owner){ RULE_DOMAIN, 999 };
	assert_int_equal(write_as(&k, put, "x", ""), STORE_E_NOT_FOUND);
	for (size_t i = 0; i < 3; i++) {
		k.owner = owners[i];
		assert_int_equal(write_as(&k, activate, "", ""), 0);
	}
	expect(&k, due_for, "");
	buf_done(&k.out);
}

static void limits(void **state)
{
	struct fixture *f = *state;
	struct call k = { .f = f, .owner = { RULE_ACCOUNT, f->account } };
	CLEANUP(buf_done) struct buf large = {};
	char name[16];

	assert_int_equal(write_as(&k, put, "", "keep;"), STORE_E_REFUSED);
	assert_int_equal(write_as(&k, put, "a\nb", "keep;"), STORE_E_REFUSED);
	assert_int_equal(write_as(&k, put, "a\xC2\x85", "keep;"), STORE_E_REFUSED);
	assert_int_equal(write_as(&k, put, "\xE2\x80\xA8", "keep;"), STORE_E_REFUSED);
	assert_int_equal(write_as(&k, put, "\xFF", "keep;"), STORE_E_REFUSED);
	for (unsigned i = 0; i < RULES_MAX; i++) {
		(void)snprintf(name, sizeof name, "n%u", i);
		assert_int_equal(write_as(&k, put, name, "keep;"), 0);
	}
	assert_int_equal(write_as(&k, put, "more", "keep;"), STORE_E_LIMIT);
	for (unsigned i = 0; i < RULES_OCTETS_MAX; i++)
		buf_add_octet(&large, ' ');
	k.name = "n0";
	k.text = buf_span(&large);
	assert_int_equal(store_write(f->store, put, &k), STORE_E_QUOTA);
	assert_int_equal(write_as(&k, put, "n0", "stop;"), 0);
}

static int answer(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_vacation_take(c, k->f->account, span_str(k->name), span_str(k->other),
		k->now_us, k->now_us + 100);
}

static void answered_once(void **state)
{
	struct fixture *f = *state;
	struct call k = { .f = f, .name = "h", .other = "jim@example.com", .now_us = 1000 };

	assert_int_equal(store_write(f->store, answer, &k), 0);
	assert_int_equal(store_write(f->store, answer, &k), STORE_E_EXISTS);
	k.other = "ann@example.com";
	assert_int_equal(store_write(f->store, answer, &k), 0);
	k.name = "other";
	assert_int_equal(store_write(f->store, answer, &k), 0);
	k.now_us = 1100;
	k.name = "h";
	assert_int_equal(store_write(f->store, answer, &k), 0);
	assert_int_equal(fixture_number(f, "select count(*) from vacation_reply"), 1);
}

static int remove_account(struct store_conn *c, void *arg)
{
	struct fixture *f = arg;
	const struct store_credentials none = {};
	int64_t id;
	struct rule_owner owner = { RULE_ACCOUNT, 0 };

	TRY(store_account_add(c, f->domain, SPAN("carl"), ROLE_USER, &none, &id));
	owner.id = id;
	TRY(store_rule_put(c, owner, SPAN("x"), SPAN("keep;"), NULL));
	TRY(store_vacation_take(c, id, SPAN("h"), SPAN("s"), 1, 2));
	TRY(store_account_remove(c, id));
	return 0;
}

static void go_with_the_account(void **state)
{
	struct fixture *f = *state;
	int64_t before = fixture_number(f, "select count(*) from rule_script");

	assert_int_equal(store_write(f->store, remove_account, f), 0);
	assert_int_equal(fixture_number(f, "select count(*) from rule_script"), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(one_is_active),
		FIXTURE_TEST(levels),
		FIXTURE_TEST(limits),
		FIXTURE_TEST(answered_once),
		FIXTURE_TEST(go_with_the_account),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
