/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/span.h"

#include "base/test.h"

#include <stdlib.h>

static void numbers(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		bool ok;
		uint64_t value;
	} rows[] = {
		{ "0", 0, true, 0 },
		{ "42", 100, true, 42 },
		{ "007", 7, true, 7 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "99999999999999999999999", UINT64_MAX, false, 0 },
		{ "101", 100, false, 0 },
		{ "", 10, false, 0 },
		{ "-1", 10, false, 0 },
		{ "+1", 10, false, 0 },
		{ " 1", 10, false, 0 },
		{ "1 ", 10, false, 0 },
		{ "0x1", 10, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint64_t value = 0;
		bool ok = span_to_u64(span_str(rows[i].text), rows[i].max, &value);

		assert_int_equal(ok, rows[i].ok);
		assert_true(value == rows[i].value);
	}
}

static void utf8(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		bool ok;
	} rows[] = {
		{ "", 0, true },
		{ "abc", 3, true },
		{ "a\0b", 3, true },
		{ "\xC3\xA4", 2, true },
		{ "\xE2\x82\xAC", 3, true },
		{ "\xF0\x9F\x98\x80", 4, true },
		{ "\xF4\x8F\xBF\xBF", 4, true },
		{ "\xC3", 1, false },             /* cut off */
		{ "\xE2\x82", 2, false },
		{ "\xC0\x80", 2, false },         /* overlong */
		{ "\xC1\xBF", 2, false },
		{ "\xE0\x9F\xBF", 3, false },
		{ "\xF0\x8F\xBF\xBF", 4, false },
		{ "\xED\xA0\x80", 3, false },     /* surrogate */
		{ "\xF4\x90\x80\x80", 4, false }, /* above U+10FFFF */
		{ "\xF5\x80\x80\x80", 4, false },
		{ "\x80", 1, false },
		{ "\xFF", 1, false },
		{ "\xE2\x28\xA1", 3, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(span_is_utf8(span_of(rows[i].text, rows[i].n)), rows[i].ok);
}

static void cutting(void **state)
{
	struct span line = SPAN("MAIL  FROM:<a@b> SIZE=10");
	struct span list = SPAN("a,,b");

	(void)state;
	assert_true(span_is(span_word(&line), "MAIL"));
	assert_true(span_is(span_word(&line), "FROM:<a@b>"));
	assert_true(span_is(span_word(&line), "SIZE=10"));
	assert_int_equal(span_word(&line).n, 0);
	assert_true(span_is(span_cut(&list, ','), "a"));
	assert_int_equal(span_cut(&list, ',').n, 0);
	assert_true(span_is(span_cut(&list, ','), "b"));
	assert_int_equal(list.n, 0);
	assert_true(span_is(span_trim(SPAN(" \r\n x y\t")), "x y"));
	assert_int_equal(span_skip(SPAN("ab"), 5).n, 0);
	assert_true(span_is(span_head_utf8(SPAN("a\xE2\x82\xAC" "b"), 3), "a"));
	assert_true(span_is(span_head_utf8(SPAN("a\xE2\x82\xAC" "b"), 4), "a\xE2\x82\xAC"));
	assert_int_equal(span_head_utf8(SPAN("\xC3\xA4"), 1).n, 0);
	assert_int_equal(span_head_utf8(SPAN("\xC3\xA4"), 2).n, 2);
	assert_int_equal(span_head_utf8(SPAN("ab"), 5).n, 2);
	assert_true(span_starts_nocase(SPAN("From: x"), SPAN("FROM")));
	assert_false(span_starts(SPAN("Fr"), SPAN("From")));
}

static void strings(void **state)
{
	char *s = span_to_string(SPAN("abc"));

	(void)state;
	assert_string_equal(s, "abc");
	free(s);
	assert_null(span_to_string(SPAN("a\0b")));
	assert_true(span_equal_secret(SPAN("same"), SPAN("same")));
	assert_false(span_equal_secret(SPAN("same"), SPAN("sama")));
	assert_false(span_equal_secret(SPAN("same"), SPAN("sam")));
	assert_true(span_compare(SPAN("a"), SPAN("ab")) < 0);
	assert_true(span_compare(SPAN("b"), SPAN("ab")) > 0);
	assert_int_equal(span_compare(SPAN(""), SPAN("")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(utf8),
		cmocka_unit_test(cutting),
		cmocka_unit_test(strings),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
