/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Header blocks. */

#include "mime/header.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* name=value with the value unfolded, one per line. */
static void fields(void **state)
{
	static const struct {
		const char *block, *expected;
		size_t size;
	} rows[] = {
		{ "", "", 0 },
		{ "\r\n", "", 2 },
		{ "A: b\r\n\r\nC: d\r\n", "A=b\n", 8 },
		{ "A: b\n\nC: d", "A=b\n", 6 },
		{ "A: b\r\n c\r\n\td\r\nE: f", "A=b c\td\nE=f\n", 18 },
		{ "A : b", "A=b\n", 5 },
		{ "A:", "A=\n", 2 },
		{ "A: b\rc\r\n", "A=b\rc\n", 8 },
		{ "A:\r\n b\r\n", "A=b\n", 8 },
		{ "From a b\r\nA: b\r\n", "=From a b\nA=b\n", 16 },
		{ "From a 10:20\r\nA: b\r\n", "=From a 10:20\nA=b\n", 20 },
		{ " x\r\nA: b\r\n", "=x\nA=b\n", 10 },
		{ ": x\r\n", "=: x\n", 5 },
		{ "\xC3\xBC: x\r\n", "=\xC3\xBC: x\n", 7 },
		{ "A: b\r\n \r\nC: d\r\n", "A=b\nC=d\n", 15 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct span rest = span_str(rows[i].block);
		struct header_field field;
		struct buf out = {};

		while (header_next(&rest, &field)) {
			buf_add(&out, field.name);
			buf_add_octet(&out, '=');
			header_unfold(field.value, &out);
			buf_add_octet(&out, '\n');
		}
		buf_add_octet(&out, 0);
		assert_string_equal((const char *)buf_span(&out).p, rows[i].expected);
		assert_int_equal(header_size(span_str(rows[i].block)), rows[i].size);
		buf_done(&out);
	}
}

static void found(void **state)
{
	struct header_field field;

	(void)state;
	assert_true(header_find(SPAN("A: 1\r\nb: 2\r\nB: 3\r\n\r\nC: 4\r\n"), "B", &field));
	assert_true(span_is(field.value, " 2"));
	assert_true(span_is(field.whole, "b: 2\r\n"));
	assert_false(header_find(SPAN("A: 1\r\n\r\nC: 4\r\n"), "C", &field));
}

static void selected(void **state)
{
	static const struct span block = {
		(const uint8_t *)"To: a\r\nX: b\r\n c\r\njunk\r\nto: d\r\n\r\nX: e", 36
	};
	static const struct {
		struct span names[3];
		size_t n;
		bool without;
		const char *expected;
	} rows[] = {
		{ { { (const uint8_t *)"TO", 2 } }, 1, false, "To: a\r\nto: d\r\n\r\n" },
		{ { { (const uint8_t *)"TO", 2 } }, 1, true, "X: b\r\n c\r\njunk\r\n\r\n" },
		{ { { (const uint8_t *)"y", 1 }, { (const uint8_t *)"to", 2 },
			  { (const uint8_t *)"x", 1 } },
			3, false, "To: a\r\nX: b\r\n c\r\nto: d\r\n\r\n" },
		{ {}, 0, false, "\r\n" },
		{ {}, 0, true, "To: a\r\nX: b\r\n c\r\njunk\r\nto: d\r\n\r\n" },
	};
	struct buf cut = {};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf out = {};

		header_select(block, rows[i].names, rows[i].n, rows[i].without, &out);
		buf_add_octet(&out, 0);
		assert_string_equal((const char *)buf_span(&out).p, rows[i].expected);
		buf_done(&out);
	}
	header_select(SPAN("X: b"), rows[2].names, 3, false, &cut);
	assert_true(span_is(buf_span(&cut), "X: b\r\n\r\n"));
	buf_done(&cut);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(found),
		cmocka_unit_test(selected),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
