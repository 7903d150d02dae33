/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/limit.h"

#include "base/err.h"
#include "base/test.h"

CLEANUP_POINTER(struct limiter, limiter_free)

static void bucket_fills_up(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, 2, 3, 1000);
	assert_true(bucket_take(&b, 3, 1000));
	assert_false(bucket_take(&b, 1, 1000));
	assert_false(bucket_take(&b, 1, 1499));
	assert_true(bucket_take(&b, 1, 1500));
	assert_true(bucket_take(&b, 3, 100000));
	assert_false(bucket_take(&b, 1, 100000)); /* never more than the burst */
	assert_false(bucket_take(&b, 1, 50));     /* a clock that goes back gives nothing */
}

static void rates_by_key(void **state)
{
	CLEANUP(limiter_freep) struct limiter *l = limiter_new(1, 2, 0, 10);

	(void)state;
	assert_true(limiter_take(l, SPAN("a"), 0));
	assert_true(limiter_take(l, SPAN("a"), 0));
	assert_false(limiter_take(l, SPAN("a"), 0));
	assert_true(limiter_take(l, SPAN("b"), 0));
	assert_true(limiter_take(l, SPAN("a"), 1000));
	limiter_set(l, 0, 0, 0);
	for (unsigned i = 0; i < 100; i++)
		assert_true(limiter_take(l, SPAN("a"), 1000));
}

static void open_by_key(void **state)
{
	CLEANUP(limiter_freep) struct limiter *l = limiter_new(0, 0, 2, 3);

	(void)state;
	assert_true(limiter_open(l, SPAN("a"), 0));
	assert_true(limiter_open(l, SPAN("a"), 0));
	assert_false(limiter_open(l, SPAN("a"), 0));
	/* A flood of other keys must not make it forget what is open. */
	for (unsigned i = 0; i < 90; i++) {
		uint8_t key = (uint8_t)i;

		assert_true(limiter_open(l, span_of(&key, 1), 0));
		limiter_close(l, span_of(&key, 1));
	}
	assert_false(limiter_open(l, SPAN("a"), 0));
	limiter_close(l, SPAN("a"));
	assert_true(limiter_open(l, SPAN("a"), 0));
	limiter_close(l, SPAN("unknown"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bucket_fills_up),
		cmocka_unit_test(rates_by_key),
		cmocka_unit_test(open_by_key),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
