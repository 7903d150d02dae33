/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"

#include <stdlib.h>

static void growing_and_taking(void **state)
{
	CLEANUP(buf_done) struct buf b = {};
	uint8_t next_in = 0, next_out = 0;

	(void)state;
	for (unsigned round = 0; round < 2000; round++) {
		for (unsigned i = 0; i < round % 37; i++)
			buf_add_octet(&b, next_in++);
		for (unsigned i = 0; i < round % 31 && buf_size(&b); i++) {
			assert_int_equal(buf_span(&b).p[0], next_out++);
			buf_take(&b, 1);
		}
	}
	while (buf_size(&b)) {
		assert_int_equal(buf_span(&b).p[0], next_out++);
		buf_take(&b, 1);
	}
	assert_int_equal(next_in, next_out);
}

static void text(void **state)
{
	CLEANUP(buf_done) struct buf b = {};
	char *s;

	(void)state;
	buf_add_format(&b, "%s=%d;", "n", 7);
	buf_add_u64(&b, 0);
	buf_add_u64(&b, UINT64_MAX);
	assert_true(span_is(buf_span(&b), "n=7;018446744073709551615"));
	buf_take(&b, 4);
	buf_cut(&b, 3);
	s = buf_steal_string(&b);
	assert_string_equal(s, "018");
	free(s);
	assert_int_equal(buf_size(&b), 0);
}

static void varints(void **state)
{
	static const uint64_t values[] = { 0, 1, 127, 128, 300, 1ULL << 32, UINT64_MAX };
	CLEANUP(buf_done) struct buf b = {};
	struct reader r;

	(void)state;
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
		buf_add_varint(&b, values[i]);
	r = (struct reader){ .rest = buf_span(&b) };
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
		assert_true(reader_varint(&r) == values[i]);
	assert_false(r.failed);
	assert_int_equal(reader_varint(&r), 0);
	assert_true(r.failed);
	r = (struct reader){ .rest = SPAN("\x80\x80") };
	(void)reader_varint(&r);
	assert_true(r.failed);
	r = (struct reader){ .rest = SPAN("abc") };
	assert_int_equal(reader_span(&r, UINT64_MAX).n, 0);
	assert_true(r.failed);
}

static void arenas(void **state)
{
	CLEANUP(arena_done) struct arena a = {};

	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		struct span s = arena_span(&a, SPAN("abc"));
		uint8_t *large = arena_alloc(&a, 100000);
		const char *string = arena_string(&a, SPAN("xyz"));

		assert_int_equal((uintptr_t)large % 16, 0);
		for (size_t i = 0; i < 100000; i++)
			assert_int_equal(large[i], 0);
		memset(large, 0xFF, 100000);
		assert_true(span_is(s, "abc"));
		assert_string_equal(string, "xyz");
		arena_clear(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(growing_and_taking),
		cmocka_unit_test(text),
		cmocka_unit_test(varints),
		cmocka_unit_test(arenas),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
