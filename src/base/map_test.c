/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "base/test.h"

enum { KEYS = 5000 };

static struct span key_of(struct buf *b, unsigned i)
{
	buf_clear(b);
	buf_add_format(b, "key-%u", i);
	return buf_span(b);
}

static void count_one(void *value, struct span key, void *context)
{
	(void)value;
	assert_true(span_starts(key, SPAN("key-")));
	++*(unsigned *)context;
}

static void put_get_remove(void **state)
{
	static int values[KEYS];
	CLEANUP(buf_done) struct buf b = {};
	struct map m = {};
	unsigned seen = 0;

	(void)state;
	assert_null(map_get(&m, SPAN("x")));
	assert_null(map_remove(&m, SPAN("x")));
	for (unsigned i = 0; i < KEYS; i++)
		assert_null(map_put(&m, key_of(&b, i), &values[i]));
	assert_int_equal(m.n, KEYS);
	for (unsigned i = 0; i < KEYS; i++)
		assert_ptr_equal(map_get(&m, key_of(&b, i)), &values[i]);
	assert_ptr_equal(map_put(&m, key_of(&b, 7), &values[8]), &values[7]);
	for (unsigned i = 0; i < KEYS; i += 2)
		assert_non_null(map_remove(&m, key_of(&b, i)));
	for (unsigned i = 0; i < KEYS; i++)
		assert_int_equal(map_get(&m, key_of(&b, i)) != NULL, i % 2);
	map_each(&m, count_one, &seen);
	assert_int_equal(seen, KEYS / 2);
	map_done(&m, NULL);
	assert_null(map_get(&m, SPAN("key-1")));
}

static void keys_with_nul(void **state)
{
	struct map m = {};
	int a, b;

	(void)state;
	assert_null(map_put(&m, SPAN("x\0a"), &a));
	assert_null(map_put(&m, SPAN("x\0b"), &b));
	assert_null(map_put(&m, SPAN(""), &b));
	assert_ptr_equal(map_get(&m, SPAN("x\0a")), &a);
	assert_ptr_equal(map_get(&m, SPAN("x\0b")), &b);
	assert_null(map_get(&m, SPAN("x")));
	map_done(&m, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(put_get_remove),
		cmocka_unit_test(keys_with_nul),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
