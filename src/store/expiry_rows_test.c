/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "store/expiry_rows.h"

#include "base/log.h"
#include "store/domain.h"
#include "store/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct call {
	int64_t domain;
	struct span sha256;
	unsigned days;
};

static int tell(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_expiry_tell(c, k->domain, k->sha256, k->days, 1);
}

static int told(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_expiry_told(c, k->domain, k->sha256, &k->days);
}

static int add_domain(struct store_conn *c, void *arg)
{
	return store_domain_add(c, SPAN("example.net"), arg);
}

static int remove_domain(struct store_conn *c, void *arg)
{
	return store_domain_remove(c, *(int64_t *)arg);
}

/* Later thresholds take the place of earlier ones, never the other way round. */
static void test_each_once(void **state)
{
	static const struct {
		unsigned days;
		int r;
	} rows[] = { { 30, 0 }, { 30, STORE_E_EXISTS }, { 7, 0 }, { 14, STORE_E_EXISTS },
		{ 7, STORE_E_EXISTS }, { 0, 0 }, { 1, STORE_E_EXISTS }, { 0, STORE_E_EXISTS } };
	struct fixture *f = *state;
	struct call k = { .domain = f->domain, .sha256 = SPAN("digest") };
	unsigned smallest = 99;

	assert_int_equal(store_read(f->store, told, &k), STORE_E_NOT_FOUND);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		k.days = rows[i].days;
		assert_int_equal(store_write(f->store, tell, &k), rows[i].r);
		smallest = rows[i].days < smallest ? rows[i].days : smallest;
		fixture_reopen(f);
		assert_int_equal(store_read(f->store, told, &k), 0);
		assert_int_equal(k.days, smallest);
	}
}

static void test_by_domain_and_certificate(void **state)
{
	struct fixture *f = *state;
	struct call k = { .domain = f->domain, .sha256 = SPAN("digest"), .days = 7 };
	int64_t other;

	assert_int_equal(store_write(f->store, add_domain, &other), 0);
	assert_int_equal(store_write(f->store, tell, &k), 0);
	k.sha256 = SPAN("another");
	assert_int_equal(store_read(f->store, told, &k), STORE_E_NOT_FOUND);
	k = (struct call){ .domain = other, .sha256 = SPAN("digest"), .days = 30 };
	assert_int_equal(store_read(f->store, told, &k), STORE_E_NOT_FOUND);
	assert_int_equal(store_write(f->store, tell, &k), 0);
	assert_int_equal(store_write(f->store, remove_domain, &other), 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM expiry_notice"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_each_once),
		FIXTURE_TEST(test_by_domain_and_certificate),
	};

	log_set_stderr(false);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
