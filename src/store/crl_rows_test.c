/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "store/crl_rows.h"

#include "base/alloc.h"
#include "base/log.h"
#include "store/domain.h"
#include "store/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct call {
	struct store_crl crl;
	int64_t id;
	struct buf text;
};

static int add_url(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_crl_add_url(c, &k->crl, &k->id);
}

static int put(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_crl_put(c, &k->crl, &k->id);
}

static int fetched(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_crl_fetched(c, k->id, 77, 3, SPAN("no answer"));
}

static int drop(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_crl_remove(c, k->id);
}

static int see(const struct store_crl *crl, void *context)
{
	struct call *k = context;

	buf_add(&k->text, crl->url);
	buf_add_octet(&k->text, ':');
	buf_add(&k->text, crl->der);
	buf_add_octet(&k->text, ' ');
	return 0;
}

static int list(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_crl_each(c, see, k);
}

static int version(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_crl_version(c, &k->text);
}

static struct call a_list(const char *issuer, struct span number, const char *der)
{
	return (struct call){ .crl = { .url = SPAN(""), .issuer = span_str(issuer), .scope = SPAN(""),
		.der = span_str(der), .authority = SPAN("ca"), .number = number,
		.next_fetch_us = INT64_MAX } };
}

static void expect(struct fixture *f, const char *text)
{
	struct call k = {};
	char *got;

	assert_int_equal(store_read(f->store, list, &k), 0);
	got = buf_steal_string(&k.text);
	assert_string_equal(got, text);
	free(got);
}

/* RFC 5280 section 5.2.3. */
static void test_numbers_grow(void **state)
{
	static const struct {
		struct span number;
		const char *der;
		int r;
	} rows[] = {
		{ { (const uint8_t *)"\x05", 1 }, "five", 0 },
		{ { (const uint8_t *)"\x05", 1 }, "five", 0 },
		{ { (const uint8_t *)"\x05", 1 }, "other five", STORE_E_STALE },
		{ { (const uint8_t *)"\x04", 1 }, "four", STORE_E_STALE },
		{ { (const uint8_t *)"", 0 }, "zero", STORE_E_STALE },
		{ { (const uint8_t *)"\xff", 1 }, "255", 0 },
		{ { (const uint8_t *)"\x01\x00", 2 }, "256", 0 },
		{ { (const uint8_t *)"\xff", 1 }, "255", STORE_E_STALE },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct call k = a_list("ca", rows[i].number, rows[i].der);

		assert_int_equal(store_write(f->store, put, &k), rows[i].r);
	}
	expect(f, ":256 ");
}

static void test_files_and_urls(void **state)
{
	struct fixture *f = *state;
	struct call file = a_list("ca", SPAN("\x01"), "one");
	struct call url = { .crl = { .url = SPAN("u") } }, other = { .crl = { .url = SPAN("v") } };
	struct call k;

	assert_int_equal(store_write(f->store, put, &file), 0);
	assert_int_equal(store_write(f->store, add_url, &url), 0);
	assert_int_equal(store_write(f->store, add_url, &url), STORE_E_EXISTS);
	assert_int_equal(store_write(f->store, add_url, &other), 0);
	expect(f, ":one u: v: ");
	/* The fetch takes over what came as a file. */
	k = a_list("ca", SPAN("\x02"), "two");
	k.crl.id = url.id;
	assert_int_equal(store_write(f->store, put, &k), 0);
	expect(f, "u:two v: ");
	k.crl.id = other.id;
	assert_int_equal(store_write(f->store, put, &k), STORE_E_EXISTS);
	/* An older one neither way. */
	k = a_list("ca", SPAN("\x01"), "one");
	assert_int_equal(store_write(f->store, put, &k), STORE_E_STALE);
	k.crl.id = url.id;
	assert_int_equal(store_write(f->store, put, &k), STORE_E_STALE);
	k = a_list("ca", SPAN("\x03"), "three");
	assert_int_equal(store_write(f->store, put, &k), 0);
	expect(f, "u:three v: ");
	k.id = url.id;
	assert_int_equal(store_write(f->store, fetched, &k), 0);
	assert_int_equal(fixture_number(f,
		"SELECT count(*) FROM crl WHERE failures = 3 AND next_fetch = 77"), 1);
	assert_int_equal(store_write(f->store, drop, &k), 0);
	assert_int_equal(store_write(f->store, drop, &k), STORE_E_NOT_FOUND);
	assert_int_equal(store_write(f->store, fetched, &k), STORE_E_NOT_FOUND);
	k.crl.id = url.id;
	assert_int_equal(store_write(f->store, put, &k), STORE_E_NOT_FOUND);
	expect(f, "v: ");
}

/* A partition's list stands beside another's, and a domain's beside the server's. */
static void test_kept_apart(void **state)
{
	struct fixture *f = *state;
	struct call k = a_list("ca", SPAN("\x01"), "all");

	assert_int_equal(store_write(f->store, put, &k), 0);
	k = a_list("ca", SPAN("\x01"), "part");
	k.crl.scope = SPAN("users");
	assert_int_equal(store_write(f->store, put, &k), 0);
	k = a_list("ca", SPAN("\x01"), "domain's");
	k.crl.domain = f->domain;
	assert_int_equal(store_write(f->store, put, &k), 0);
	k = a_list("another", SPAN("\x01"), "another's");
	assert_int_equal(store_write(f->store, put, &k), 0);
	expect(f, ":all :part :another's :domain's ");
}

static void test_limit_and_version(void **state)
{
	struct fixture *f = *state;
	struct call before = {}, after = {}, k = {};

	for (int i = 0; i < STORE_CRLS_MAX; i++) {
		CLEANUP(alloc_freep) char *issuer = alloc_format("ca %d", i);

		k = a_list(issuer, SPAN("\x01"), "x");
		assert_int_equal(store_write(f->store, put, &k), 0);
	}
	assert_int_equal(store_read(f->store, version, &before), 0);
	k = a_list("one more", SPAN("\x01"), "x");
	assert_int_equal(store_write(f->store, put, &k), STORE_E_LIMIT);
	k = (struct call){ .crl = { .url = SPAN("u") } };
	assert_int_equal(store_write(f->store, add_url, &k), STORE_E_LIMIT);
	k = (struct call){ .crl = { .url = SPAN("u"), .domain = f->domain } };
	assert_int_equal(store_write(f->store, add_url, &k), 0);
	assert_int_equal(store_read(f->store, version, &after), 0);
	assert_false(span_equal(buf_span(&before.text), buf_span(&after.text)));
	buf_done(&before.text);
	buf_done(&after.text);
}

static int ocsp(struct store_conn *c, void *arg)
{
	CLEANUP(buf_done) struct buf der = {};

	(void)arg;
	assert_int_equal(store_ocsp_get(c, SPAN("cert"), &der), STORE_E_NOT_FOUND);
	TRY(store_ocsp_put(c, SPAN("cert"), SPAN("good"), 5));
	TRY(store_ocsp_put(c, SPAN("cert"), SPAN("still good"), 7));
	TRY(store_ocsp_put(c, SPAN("other"), SPAN("x"), 3));
	TRY(store_ocsp_forget(c, 7));
	TRY(store_ocsp_get(c, SPAN("cert"), &der));
	assert_true(span_is(buf_span(&der), "still good"));
	assert_int_equal(store_ocsp_get(c, SPAN("other"), &der), STORE_E_NOT_FOUND);
	return 0;
}

static void test_ocsp(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(store_write(f->store, ocsp, NULL), 0);
}

int main(void)
{
#define WITH_STORE(test) FIXTURE_TEST(test)
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_numbers_grow),
		WITH_STORE(test_files_and_urls),
		WITH_STORE(test_kept_apart),
		WITH_STORE(test_limit_and_version),
		WITH_STORE(test_ocsp),
	};

	log_set_stderr(false);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
