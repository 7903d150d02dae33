/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "store/outgoing_rows.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "store/domain.h"
#include "store/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct call {
	struct store_outgoing row;
	struct arena arena;
	struct buf text;
	int64_t domain;
	bool named;
};

static int set(struct store_conn *c, void *arg)
{
	return store_outgoing_set(c, &((struct call *)arg)->row);
}

static int get(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_outgoing_get(c, &k->arena, k->row.pattern, &k->row);
}

static int names(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_outgoing_names(c, k->domain, k->row.alias, &k->named);
}

static int drop(struct store_conn *c, void *arg)
{
	return store_outgoing_remove(c, ((struct call *)arg)->row.pattern);
}

static int see(const struct store_outgoing *row, void *context)
{
	struct call *k = context;

	buf_add(&k->text, row->pattern);
	buf_add_octet(&k->text, '=');
	buf_add(&k->text, row->tls);
	buf_add_octet(&k->text, ' ');
	return 0;
}

static int list(struct store_conn *c, void *arg)
{
	return store_outgoing_each(c, see, arg);
}

static int add_domain(struct store_conn *c, void *arg)
{
	return store_domain_add(c, SPAN("example.net"), &((struct call *)arg)->domain);
}

static int remove_domain(struct store_conn *c, void *arg)
{
	return store_domain_remove(c, ((struct call *)arg)->domain);
}

static struct store_outgoing rule(const char *pattern, const char *tls)
{
	return (struct store_outgoing){ .pattern = span_str(pattern),
		.tls = span_str(tls),
		.oldest = SPAN(""),
		.identity = SPAN(""),
		.alias = SPAN("") };
}

static void rules_are_kept_by_pattern(void **state)
{
	struct fixture *f = fixture_new();
	struct call k = { .row = rule("example.com", "may") };

	(void)state;
	assert_int_equal(store_write(f->store, set, &k), 0);
	k.row = rule("*", "must");
	assert_int_equal(store_write(f->store, set, &k), 0);
	k.row = rule("example.com", "verify");
	k.row.oldest = SPAN("1.3");
	assert_int_equal(store_write(f->store, set, &k), 0);
	assert_int_equal(store_read(f->store, list, &k), 0);
	assert_true(span_is(buf_span(&k.text), "*=must example.com=verify "));
	k.row = rule("example.com", "");
	assert_int_equal(store_read(f->store, get, &k), 0);
	assert_true(span_is(k.row.oldest, "1.3"));
	assert_int_equal(store_write(f->store, drop, &k), 0);
	assert_int_equal(store_write(f->store, drop, &k), STORE_E_NOT_FOUND);
	assert_int_equal(store_read(f->store, get, &k), STORE_E_NOT_FOUND);
	arena_done(&k.arena);
	buf_done(&k.text);
	fixture_free(f);
}

/* The rule stays, so that it is seen that something is missing. */
static void rules_outlive_their_identitys_domain(void **state)
{
	struct fixture *f = fixture_new();
	struct call k = { .row = rule("example.com", "must") };

	(void)state;
	assert_int_equal(store_write(f->store, add_domain, &k), 0);
	k.row.identity = SPAN("domain");
	k.row.domain = k.domain;
	assert_int_equal(store_write(f->store, set, &k), 0);
	k.row.alias = SPAN("own");
	assert_int_equal(store_write(f->store, set, &k), 0);
	assert_int_equal(store_read(f->store, names, &k), 0);
	assert_true(k.named);
	k.row.alias = SPAN("other");
	assert_int_equal(store_read(f->store, names, &k), 0);
	assert_false(k.named);
	assert_int_equal(store_write(f->store, remove_domain, &k), 0);
	assert_int_equal(store_read(f->store, names, &k), 0);
	assert_false(k.named);
	assert_int_equal(store_read(f->store, get, &k), 0);
	assert_true(span_is(k.row.identity, "domain"));
	assert_int_equal(k.row.domain, 0);
	arena_done(&k.arena);
	fixture_free(f);
}

static int fill(struct store_conn *c, void *arg)
{
	(void)arg;
	for (int i = 0; i < STORE_OUTGOING_MAX; i++) {
		CLEANUP(alloc_freep) char *pattern = alloc_format("d%d.example", i);
		struct store_outgoing row = rule(pattern, "may");

		TRY(store_outgoing_set(c, &row));
	}
	return 0;
}

static void rules_have_a_limit(void **state)
{
	struct fixture *f = fixture_new();
	struct call k = { .row = rule("one.more.example", "may") };

	(void)state;
	assert_int_equal(store_write(f->store, fill, NULL), 0);
	assert_int_equal(store_write(f->store, set, &k), STORE_E_LIMIT);
	k.row = rule("d7.example", "must");
	assert_int_equal(store_write(f->store, set, &k), 0);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_are_kept_by_pattern),
		cmocka_unit_test(rules_outlive_their_identitys_domain),
		cmocka_unit_test(rules_have_a_limit),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
