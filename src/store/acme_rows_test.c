/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "store/acme_rows.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/test.h"
#include "store/domain.h"
#include "store/fixture.h"
#include "store/key_rows.h"
#include "store/request_rows.h"

#include <stdlib.h>

/* One writing or reading task that a test is made of. */
struct call {
	struct fixture *f;
	int (*run)(struct store_conn *c, struct call *call);
	struct arena arena;
	struct store_acme_account account;
	struct store_acme_order order;
	struct store_acme_proof proof;
	int64_t domain, id, now_us, key, keys[4];
	bool fallback;
	struct store_acme_due due[4];
	size_t n;
	struct span value;
	struct buf text;
};

static int call_run(struct store_conn *c, void *arg)
{
	struct call *call = arg;

	return call->run(c, call);
}

static int write_it(struct call *k, int (*run)(struct store_conn *c, struct call *call))
{
	k->run = run;
	return store_write(k->f->store, call_run, k);
}

static int read_it(struct call *k, int (*run)(struct store_conn *c, struct call *call))
{
	k->run = run;
	return store_read(k->f->store, call_run, k);
}

static int set_up(void **state)
{
	struct call *k = ALLOC(struct call);

	log_set_stderr(false);
	k->f = fixture_new();
	*state = k;
	return 0;
}

static int tear_down(void **state)
{
	struct call *k = *state;

	fixture_free(k->f);
	arena_done(&k->arena);
	buf_done(&k->text);
	free(k);
	return 0;
}

static int account_put(struct store_conn *c, struct call *k)
{
	return store_acme_account_put(c, &k->account);
}

static int account_get(struct store_conn *c, struct call *k)
{
	return store_acme_account_get(c, &k->arena, k->domain, k->fallback, &k->account);
}

static int account_registered(struct store_conn *c, struct call *k)
{
	return store_acme_account_registered(c, k->account.id, k->value, true);
}

static int account_remove(struct store_conn *c, struct call *k)
{
	return store_acme_account_remove(c, k->domain);
}

static void test_accounts(void **state)
{
	struct call *k = *state;

	k->domain = k->f->domain;
	k->fallback = true;
	assert_int_equal(read_it(k, account_get), STORE_E_NOT_FOUND);
	k->account = (struct store_acme_account){ .directory = SPAN("https://ca.example/server"),
		.contact = SPAN("a@example.org"), .terms = true, .key_id = SPAN("id") };
	assert_int_equal(write_it(k, account_put), 0);
	assert_int_equal(read_it(k, account_get), 0);
	assert_int_equal(k->account.domain, 0);
	assert_true(k->account.terms && !k->account.contact_sent && k->account.url.n == 0);
	k->value = SPAN("https://ca.example/account/1");
	assert_int_equal(write_it(k, account_registered), 0);
	assert_int_equal(read_it(k, account_get), 0);
	assert_true(span_equal(k->account.url, k->value) && k->account.contact_sent);

	/* A domain's own hides the server's; without it the server's is there again. */
	k->fallback = false;
	assert_int_equal(read_it(k, account_get), STORE_E_NOT_FOUND);
	k->account = (struct store_acme_account){ .domain = k->f->domain,
		.directory = SPAN("https://ca.example/own"), .kid = SPAN("kid") };
	assert_int_equal(write_it(k, account_put), 0);
	k->fallback = true;
	assert_int_equal(read_it(k, account_get), 0);
	assert_true(span_is(k->account.directory, "https://ca.example/own"));
	assert_true(span_is(k->account.kid, "kid"));
	k->account.directory = SPAN("https://ca.example/other");
	assert_int_equal(write_it(k, account_put), 0);
	assert_int_equal(fixture_number(k->f, "select count(*) from acme_account"), 2);
	k->domain = 0;
	assert_int_equal(read_it(k, account_get), 0);
	assert_true(span_is(k->account.directory, "https://ca.example/server"));
	k->domain = k->f->domain;
	assert_int_equal(write_it(k, account_remove), 0);
	assert_int_equal(write_it(k, account_remove), STORE_E_NOT_FOUND);
	assert_int_equal(read_it(k, account_get), 0);
	assert_int_equal(k->account.domain, 0);
}

static int order_put(struct store_conn *c, struct call *k)
{
	return store_acme_order_put(c, &k->order, k->now_us);
}

static int order_get(struct store_conn *c, struct call *k)
{
	return store_acme_order_get(c, &k->arena, k->id, &k->order);
}

static int order_save(struct store_conn *c, struct call *k)
{
	return store_acme_order_save(c, &k->order);
}

static int order_renew(struct store_conn *c, struct call *k)
{
	return store_acme_order_renew(c, k->domain, k->now_us);
}

static int order_remove(struct store_conn *c, struct call *k)
{
	return store_acme_order_remove(c, k->domain);
}

static int order_due(struct store_conn *c, struct call *k)
{
	return store_acme_order_due(c, k->now_us, k->due, 4, &k->n);
}

static int see_order(const struct store_acme_order *order, void *context)
{
	struct call *k = context;

	k->id = order->id;
	buf_add(&k->text, order->type);
	buf_add_octet(&k->text, ' ');
	return 0;
}

static int order_each(struct store_conn *c, struct call *k)
{
	buf_clear(&k->text);
	return store_acme_order_each(c, k->domain, see_order, k);
}

static void put_order(struct call *k, const char *type, int64_t now_us)
{
	k->domain = k->f->domain;
	k->now_us = now_us;
	k->order = (struct store_acme_order){ .domain = k->f->domain, .type = span_str(type),
		.names = SPAN("example.org,mail.example.org"), .challenge = 2 };
	assert_int_equal(write_it(k, order_put), 0);
	assert_int_equal(read_it(k, order_each), 0);
}

static void test_orders(void **state)
{
	struct call *k = *state;

	put_order(k, "rsa:2048", 100);
	put_order(k, "ec:p256", 200);
	assert_true(span_is(buf_span(&k->text), "ec:p256 rsa:2048 "));
	k->now_us = 99;
	assert_int_equal(read_it(k, order_due), 0);
	assert_int_equal(k->n, 0);
	k->now_us = 200;
	assert_int_equal(read_it(k, order_due), 0);
	assert_int_equal(k->n, 2);
	k->id = k->due[1].id;
	assert_int_equal(k->due[1].domain, k->f->domain);
	assert_int_equal(read_it(k, order_get), 0);
	assert_true(span_is(k->order.type, "ec:p256") && k->order.challenge == 2);
	assert_int_equal(k->order.state, ACME_STATE_WANTED);

	k->order.state = ACME_STATE_ORDERED;
	k->order.url = SPAN("https://ca.example/order/1");
	k->order.next_us = 5000;
	k->order.failures = 3;
	k->order.last_error = SPAN("no");
	assert_int_equal(write_it(k, order_save), 0);
	assert_int_equal(read_it(k, order_get), 0);
	assert_true(span_is(k->order.url, "https://ca.example/order/1") && k->order.failures == 3);
	assert_true(span_is(k->order.last_error, "no") && k->order.key == 0 && k->order.cert == 0);
	/* An order under way is not begun anew by a renewal, but hurried. */
	k->now_us = 300;
	assert_int_equal(write_it(k, order_renew), 0);
	assert_int_equal(read_it(k, order_get), 0);
	assert_int_equal(k->order.state, ACME_STATE_ORDERED);
	assert_int_equal(k->order.next_us, 300);
	assert_int_equal(write_it(k, order_remove), 0);
	assert_int_equal(write_it(k, order_remove), STORE_E_NOT_FOUND);
	assert_int_equal(write_it(k, order_renew), STORE_E_NOT_FOUND);
	assert_int_equal(read_it(k, order_get), STORE_E_NOT_FOUND);
}

/* What was found out about an order that people have changed meanwhile is not written. */
static void test_stale(void **state)
{
	struct call *k = *state;
	struct store_acme_order old;

	put_order(k, "ec:p256", 100);
	assert_int_equal(read_it(k, order_get), 0);
	old = k->order;
	put_order(k, "ec:p256", 200);
	k->order = old;
	k->order.state = ACME_STATE_IDLE;
	assert_int_equal(write_it(k, order_save), STORE_E_STALE);
	assert_int_equal(read_it(k, order_get), 0);
	assert_int_equal(k->order.state, ACME_STATE_WANTED);
	assert_int_equal(k->order.next_us, 200);
	assert_int_equal(write_it(k, order_save), 0);
	assert_int_equal(write_it(k, order_renew), 0);
	assert_int_equal(write_it(k, order_save), STORE_E_STALE);
}

static int proof_add(struct store_conn *c, struct call *k)
{
	return store_acme_proof_add(c, &k->proof);
}

static int proof_remove(struct store_conn *c, struct call *k)
{
	return store_acme_proof_remove(c, k->proof.id);
}

static int proof_find(struct store_conn *c, struct call *k)
{
	return store_acme_proof_find(c, &k->arena, k->proof.challenge, k->proof.token, &k->value);
}

static int see_proof(const struct store_acme_proof *proof, void *context)
{
	struct call *k = context;

	k->proof.id = proof->id;
	buf_add(&k->text, proof->token);
	buf_add_octet(&k->text, ' ');
	return 0;
}

static int proof_each(struct store_conn *c, struct call *k)
{
	buf_clear(&k->text);
	return store_acme_proof_each(c, k->id, see_proof, k);
}

static void test_proofs(void **state)
{
	struct call *k = *state;

	put_order(k, "ec:p256", 100);
	k->proof = (struct store_acme_proof){ .order = k->id, .challenge = 0, .token = SPAN("one"),
		.name = SPAN("example.org"), .value = SPAN("one.thumb") };
	assert_int_equal(write_it(k, proof_add), 0);
	assert_int_equal(write_it(k, proof_add), 0);
	assert_int_equal(read_it(k, proof_find), 0);
	assert_true(span_is(k->value, "one.thumb"));
	k->proof.challenge = 1;
	assert_int_equal(read_it(k, proof_find), STORE_E_NOT_FOUND);
	k->proof.challenge = 0;
	k->proof.token = SPAN("two");
	assert_int_equal(read_it(k, proof_find), STORE_E_NOT_FOUND);
	assert_int_equal(write_it(k, proof_add), 0);
	assert_int_equal(read_it(k, proof_each), 0);
	assert_true(span_is(buf_span(&k->text), "one two "));
	assert_int_equal(write_it(k, proof_remove), 0);
	assert_int_equal(read_it(k, proof_each), 0);
	assert_true(span_is(buf_span(&k->text), "one "));
	assert_int_equal(write_it(k, order_remove), 0);
	assert_int_equal(fixture_number(k->f, "select count(*) from acme_proof"), 0);
}

/* A key and a certificate from the order, with the end of its life. */
struct issue {
	const char *alias, *services;
	int64_t not_after_us, now_us;
};

static const struct issue *issue;

static int issue_cert(struct store_conn *c, struct call *k)
{
	struct store_key key = { .domain = k->f->domain, .alias = span_str(issue->alias),
		.type = SPAN("ec:p256") };
	struct store_cert cert = { .domain = k->f->domain, .alias = span_str(issue->alias),
		.der = SPAN("der"), .services = span_str(issue->services) };

	TRY(store_key_add(c, &key, &cert.key));
	k->key = cert.key;
	TRY(store_cert_add(c, &cert, &k->order.cert));
	TRY(store_acme_cert_add(c, k->id, k->order.cert, issue->not_after_us, issue->now_us));
	return 0;
}

static int of_cert(struct store_conn *c, struct call *k)
{
	return store_acme_order_of_cert(c, &k->arena, k->order.cert, &k->order);
}

static void test_certs(void **state)
{
	static const struct issue issues[] = {
		{ "a", "all", 1000, 0 }, { "b", "all", 2000, 500 }, { "c", "all", 3000, 1500 },
	};
	struct call *k = *state;

	put_order(k, "ec:p256", 100);
	assert_int_equal(read_it(k, order_get), 0);
	for (size_t i = 0; i < 2; i++) {
		issue = &issues[i];
		assert_int_equal(write_it(k, issue_cert), 0);
	}
	/* The one before stays until it has expired, whatever serves. */
	assert_int_equal(fixture_number(k->f, "select count(*) from cert where alias in"
		" (cast('a' as blob), cast('b' as blob))"), 2);
	assert_int_equal(write_it(k, order_save), 0);
	assert_int_equal(read_it(k, of_cert), 0);
	assert_int_equal(k->order.id, k->id);
	issue = &issues[2];
	assert_int_equal(write_it(k, issue_cert), 0);
	assert_int_equal(fixture_number(k->f, "select count(*) from acme_cert"), 2);
	assert_int_equal(fixture_number(k->f,
		"select count(*) from tls_key where alias = cast('a' as blob)"), 0);
	assert_int_equal(read_it(k, of_cert), STORE_E_NOT_FOUND);
}

static int use_keys(struct store_conn *c, struct call *k)
{
	int64_t id;

	/* b's key has another certificate, c's a request, and d's nothing. */
	for (size_t i = 0; i < 2; i++) {
		struct store_cert cert = { .domain = k->f->domain, .alias = SPAN("other"),
			.der = SPAN("der") };
		struct store_request request = { .domain = k->f->domain, .alias = SPAN("asked"),
			.der = SPAN("der") };

		cert.key = request.key = k->keys[i + 1];
		TRY(i ? store_request_add(c, &request, &id) : store_cert_add(c, &cert, &id));
	}
	return 0;
}

/* With an expired certificate goes its key, if nothing else is for it. */
static void test_keys_in_use(void **state)
{
	static const struct issue issues[] = {
		{ "a", "all", 1000, 0 }, { "b", "all", 1000, 0 }, { "c", "all", 1000, 0 },
		{ "d", "all", 1000, 0 }, { "e", "all", 3000, 1500 }, { "f", "all", 3000, 1500 },
	};
	struct call *k = *state;

	put_order(k, "ec:p256", 100);
	for (size_t i = 0; i < 4; i++) {
		issue = &issues[i];
		assert_int_equal(write_it(k, issue_cert), 0);
		k->keys[i] = k->key;
	}
	assert_int_equal(write_it(k, use_keys), 0);
	for (size_t i = 4; i < 6; i++) {
		issue = &issues[i];
		assert_int_equal(write_it(k, issue_cert), 0);
	}
	assert_int_equal(fixture_number(k->f, "select count(*) from acme_cert"), 2);
	assert_int_equal(fixture_number(k->f, "select count(*) from tls_key where alias in"
		" (cast('b' as blob), cast('c' as blob))"), 2);
	assert_int_equal(fixture_number(k->f, "select count(*) from tls_key where alias in"
		" (cast('a' as blob), cast('d' as blob))"), 0);
	assert_int_equal(fixture_number(k->f, "select count(*) from cert where alias in"
		" (cast('b' as blob), cast('c' as blob))"), 0);
	assert_int_equal(fixture_number(k->f,
		"select count(*) from cert where alias = cast('other' as blob)"), 1);
	assert_int_equal(fixture_number(k->f, "select count(*) from request"), 1);
}

#define ROWS_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROWS_TEST(test_accounts),
		ROWS_TEST(test_orders),
		ROWS_TEST(test_stale),
		ROWS_TEST(test_proofs),
		ROWS_TEST(test_certs),
		ROWS_TEST(test_keys_in_use),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
