/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Charsets, whole and cut at every octet. */

#include "mime/charset.h"

#include "mime/word.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void conversions(void **state)
{
	static const struct {
		const char *name, *text, *expected;
		bool damaged;
	} rows[] = {
		{ "", "abc", "abc", false },
		{ "us-ascii", "\xC3\xBC", "\xC3\xBC", false },
		{ "UTF-8", "\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80",
			"\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80", false },
		{ "utf-8",
			"a\xFF"
			"b",
			"a\xEF\xBF\xBD"
			"b",
			true },
		{ "utf-8", "a\xE2\x82", "a\xEF\xBF\xBD", true },
		{ "utf-8",
			"\xE2\x82"
			"b",
			"\xEF\xBF\xBD\xEF\xBF\xBD"
			"b",
			true },
		{ "utf-8", "\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD", true },
		{ "utf-8", "\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD",
			true },
		{ "ISO-8859-1", "\xFC", "\xC3\xBC", false },
		{ "iso-8859-15", "\xA4", "\xE2\x82\xAC", false },
		{ "windows-1252", "\x80", "\xE2\x82\xAC", false },
		{ "cp1252", "\x80", "\xE2\x82\xAC", false },
		{ "koi8-r", "\xF0", "\xD0\x9F", false },
		{ "shift_jis", "\x93\xFA", "\xE6\x97\xA5", false },
		{ "iso-2022-jp", "\x1B$BF|\x1B(B", "\xE6\x97\xA5", false },
		{ "gb18030", "\x81\x30\x81\x30", "\xC2\x80", false },
		{ "euc-kr", "\xB0\xA1", "\xEA\xB0\x80", false },
		{ "big5", "\xA4\x40", "\xE4\xB8\x80", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct span text = span_str(rows[i].text);

		for (size_t piece = 1; piece <= text.n; piece++) {
			struct charset *c = charset_new(span_str(rows[i].name));
			struct buf out = {};

			assert_non_null(c);
			for (struct span rest = text; rest.n; rest = span_skip(rest, piece))
				charset_feed(c, span_head(rest, piece), &out);
			charset_end(c, &out);
			assert_int_equal(charset_damaged(c), rows[i].damaged);
			buf_add_octet(&out, 0);
			assert_string_equal((const char *)buf_span(&out).p, rows[i].expected);
			buf_done(&out);
			charset_free(c);
		}
	}
}

static void unknown(void **state)
{
	static const char *const names[] = { "no-such-charset", "utf-8//TRANSLIT", "a b",
		"\xC3\xBC", "/", "ISO-8859-1,",
		"0123456789012345678901234567890123456789012345678901234567890123456789" };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_null(charset_new(span_str(names[i])));
	assert_null(charset_new(SPAN("utf\0-8")));
}

/* No octets in any charset give anything but UTF-8. */
static void always_utf8(void **state)
{
	static const char *const names[] = { "utf-8", "utf-16", "utf-16le", "utf-32", "utf-7",
		"shift_jis", "iso-2022-jp", "iso-2022-kr", "gb18030", "euc-jp", "hz-gb-2312",
		"big5-hkscs" };
	uint8_t noise[4000];
	uint32_t seed = 1;

	(void)state;
	for (size_t i = 0; i < sizeof noise; i++) {
		seed = seed * 1103515245 + 12345;
		noise[i] = (uint8_t)(seed >> 16);
	}
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct charset *c = charset_new(span_str(names[i]));
		struct buf out = {};

		if (!c)
			continue;
		charset_feed(c, span_of(noise, sizeof noise), &out);
		charset_end(c, &out);
		assert_true(span_is_utf8(buf_span(&out)));
		assert_true(buf_size(&out) > 0);
		buf_done(&out);
		charset_free(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversions),
		cmocka_unit_test(unknown),
		cmocka_unit_test(always_utf8),
	};

	word_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
