/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "store/key_rows.h"

#include "base/alloc.h"
#include "base/log.h"
#include "store/fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

struct call {
	int (*f)(struct store_conn *c, struct call *call);
	struct store_key key;
	struct store_cert cert;
	int64_t id;
	struct span services;
	struct arena arena;
	struct buf text;
};

static int call_run(struct store_conn *c, void *arg)
{
	struct call *call = arg;

	return call->f(c, call);
}

static int key_add(struct store_conn *c, struct call *k)
{
	return store_key_add(c, &k->key, &k->id);
}

static int key_get(struct store_conn *c, struct call *k)
{
	return store_key_get(c, &k->arena, k->id, &k->key);
}

static int key_remove(struct store_conn *c, struct call *k)
{
	return store_key_remove(c, k->id);
}

static int cert_add(struct store_conn *c, struct call *k)
{
	return store_cert_add(c, &k->cert, &k->id);
}

static int cert_remove(struct store_conn *c, struct call *k)
{
	return store_cert_remove(c, k->id);
}

static int add_lost(struct span alias, struct span lost, void *context)
{
	buf_add(context, alias);
	buf_add_octet(context, ' ');
	buf_add(context, lost);
	buf_add_octet(context, '\n');
	return 0;
}

static int cert_displaces(struct store_conn *c, struct call *k)
{
	return store_cert_displaces(c, k->id, k->services, add_lost, &k->text);
}

static int cert_activate(struct store_conn *c, struct call *k)
{
	return store_cert_activate(c, k->id, k->services);
}

static int see_key(const struct store_key *key, void *context)
{
	struct call *k = context;

	buf_add(&k->text, key->alias);
	buf_add_octet(&k->text, ' ');
	return 0;
}

static int see_cert(const struct store_cert *cert, void *context)
{
	struct call *k = context;

	buf_add(&k->text, cert->alias);
	buf_add_octet(&k->text, '=');
	buf_add(&k->text, cert->services);
	buf_add_octet(&k->text, ' ');
	return 0;
}

static int list(struct store_conn *c, struct call *k)
{
	TRY(store_key_each(c, 0, see_key, k));
	buf_add_string(&k->text, "| ");
	return store_cert_each(c, k->id, see_cert, k);
}

static int run(struct fixture *f, int (*what)(struct store_conn *, struct call *), struct call *k)
{
	k->f = what;
	return store_write(f->store, call_run, k);
}

static void expect(struct fixture *f, const char *expected)
{
	struct call k = { .id = f->domain };
	char *text;

	assert_int_equal(run(f, list, &k), 0);
	text = buf_steal_string(&k.text);
	assert_string_equal(text, expected);
	free(text);
}

static int64_t make_key(struct fixture *f, const char *alias, const char *type)
{
	struct call k = { .key = { .domain = f->domain, .alias = span_str(alias),
				  .type = span_str(type), .wrapped = SPAN("w\0w"),
				  .spki = SPAN("spki"), .key_id = SPAN("id") } };

	assert_int_equal(run(f, key_add, &k), 0);
	return k.id;
}

static int64_t make_cert(struct fixture *f, const char *alias, int64_t key, const char *services)
{
	struct call k = { .cert = { .domain = f->domain, .key = key, .alias = span_str(alias),
				  .der = SPAN("der"), .services = span_str(services) } };

	assert_int_equal(run(f, cert_add, &k), 0);
	return k.id;
}

static int activate(struct fixture *f, int64_t id, const char *services)
{
	struct call k = { .id = id, .services = span_str(services) };

	return run(f, cert_activate, &k);
}

static void test_keys(void **state)
{
	struct fixture *f = *state;
	int64_t ec = make_key(f, "ec", "ec:p256");
	int64_t rsa = make_key(f, "rsa", "rsa:2048");
	struct call k = { .id = rsa };

	assert_int_equal(run(f, key_get, &k), 0);
	assert_true(span_is(k.key.type, "rsa:2048"));
	assert_true(span_equal(k.key.wrapped, SPAN("w\0w")));
	assert_int_equal(run(f, key_add, &k), STORE_E_EXISTS);
	(void)make_cert(f, "a", rsa, "all");
	(void)make_cert(f, "b", ec, "");
	expect(f, "ec rsa | a=all b= ");
	k.id = rsa;
	assert_int_equal(run(f, key_remove, &k), 0);
	assert_int_equal(run(f, key_remove, &k), STORE_E_NOT_FOUND);
	assert_int_equal(run(f, key_get, &k), STORE_E_NOT_FOUND);
	expect(f, "ec | b= ");
	arena_done(&k.arena);
}

static void expect_displaced(struct fixture *f, int64_t id, const char *services, const char *wanted)
{
	struct call k = { .id = id, .services = span_str(services) };

	assert_int_equal(run(f, cert_displaces, &k), 0);
	if (!span_is(buf_span(&k.text), wanted))
		fail_msg("%.*s", (int)buf_size(&k.text), (const char *)buf_span(&k.text).p);
	buf_done(&k.text);
}

/* Of one service and key type one certificate is active. */
static void test_activation(void **state)
{
	struct fixture *f = *state;
	int64_t ec = make_key(f, "ec", "ec:p256");
	int64_t ec2 = make_key(f, "ec2", "ec:p384");
	int64_t rsa = make_key(f, "rsa", "rsa:2048");
	int64_t first = make_cert(f, "first", ec, "all");
	int64_t second = make_cert(f, "second", ec2, "");
	int64_t third = make_cert(f, "third", rsa, "all");
	int64_t foreign = make_cert(f, "foreign", 0, "");
	struct call k = { .id = second };

	expect(f, "ec ec2 rsa | first=all second= third=all foreign= ");
	expect_displaced(f, second, "smtp,http", "first smtp,http\n");
	expect_displaced(f, second, "all", "first all\n");
	expect_displaced(f, second, "", "");
	expect_displaced(f, first, "all", "");
	assert_int_equal(activate(f, second, "smtp,http"), 0);
	expect_displaced(f, first, "smtp,imap", "second smtp\n");
	expect(f, "ec ec2 rsa | first=imap,pop3 second=smtp,http third=all foreign= ");
	assert_int_equal(activate(f, first, "all"), 0);
	expect(f, "ec ec2 rsa | first=all second= third=all foreign= ");
	assert_int_equal(activate(f, third, ""), 0);
	assert_int_equal(activate(f, second, "smtp,gopher"), STORE_E_REFUSED);
	assert_int_equal(activate(f, foreign, "smtp"), STORE_E_REFUSED);
	assert_int_equal(activate(f, 4711, "smtp"), STORE_E_NOT_FOUND);
	expect(f, "ec ec2 rsa | first=all second= third= foreign= ");
	assert_int_equal(run(f, cert_remove, &k), 0);
	assert_int_equal(run(f, cert_remove, &k), STORE_E_NOT_FOUND);
	k.cert = (struct store_cert){ .domain = f->domain, .alias = SPAN("first") };
	assert_int_equal(run(f, cert_add, &k), STORE_E_EXISTS);
}

static int free_services(struct store_conn *c, struct call *k)
{
	return store_cert_free_services(c, k->id, &k->text);
}

static void expect_free(struct fixture *f, int64_t id, const char *expected)
{
	struct call k = { .id = id };

	assert_int_equal(run(f, free_services, &k), 0);
	assert_true(span_is(buf_span(&k.text), expected));
	buf_done(&k.text);
}

static void test_free_services(void **state)
{
	struct fixture *f = *state;
	int64_t ec = make_key(f, "ec", "ec:p256");
	int64_t ec2 = make_key(f, "ec2", "ec:p384");
	int64_t rsa = make_key(f, "rsa", "rsa:2048");
	int64_t first = make_cert(f, "first", ec, "");
	int64_t second = make_cert(f, "second", ec2, "");

	(void)make_cert(f, "third", rsa, "all");
	expect_free(f, first, "all");
	assert_int_equal(activate(f, second, "imap,http"), 0);
	expect_free(f, first, "smtp,pop3");
	/* Its own are free for it. */
	assert_int_equal(activate(f, first, "smtp"), 0);
	expect_free(f, first, "smtp,pop3");
	assert_int_equal(activate(f, second, "all"), 0);
	expect_free(f, first, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_keys),
		FIXTURE_TEST(test_activation),
		FIXTURE_TEST(test_free_services),
	};

	log_set_stderr(false);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
