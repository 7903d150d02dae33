/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Budgets: in all, by key, and what comes back. */

#include "svc/http/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_shares(void **state)
{
	struct budget *b = budget_new(100, 60);

	(void)state;
	assert_true(budget_take(b, SPAN("a"), 60));
	assert_false(budget_take(b, SPAN("a"), 1));  /* its share is used up */
	assert_false(budget_take(b, SPAN("b"), 41)); /* there is not so much left */
	assert_true(budget_take(b, SPAN("b"), 40));
	assert_false(budget_take(b, SPAN("c"), 1));
	assert_true(budget_take(b, SPAN("c"), 0));
	budget_give(b, SPAN("a"), 30);
	assert_true(budget_take(b, SPAN("c"), 30));
	budget_give(b, SPAN("c"), 30);
	budget_give(b, SPAN("a"), 30);
	budget_give(b, SPAN("b"), 40);
	assert_true(budget_take(b, SPAN("a"), 60));
	assert_true(budget_take(b, SPAN("b"), 40));
	budget_free(b);
}

/* Numbers so large that a sum would wrap around. */
static void test_large(void **state)
{
	struct budget *b = budget_new(UINT64_MAX, UINT64_MAX);

	(void)state;
	assert_true(budget_take(b, SPAN("a"), UINT64_MAX - 1));
	assert_false(budget_take(b, SPAN("a"), 2));
	assert_false(budget_take(b, SPAN("b"), UINT64_MAX));
	assert_true(budget_take(b, SPAN("b"), 1));
	budget_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_large),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
