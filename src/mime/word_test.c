/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Encoded words. */

#include "mime/word.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void texts(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ " a\r\n b ", "a b" },
		{ "=?utf-8?Q?a_=C3=BC?=", "a \xC3\xBC" },
		{ "=?UTF-8?B?w7w=?= x", "\xC3\xBC x" },
		{ "=?iso-8859-1?q?=FC?=", "\xC3\xBC" },
		{ "=?utf-8?Q?a?=\r\n =?utf-8?Q?b?=", "ab" },
		{ "=?utf-8?Q?a?= b =?utf-8?Q?c?=", "a b c" },
		{ "=?koi8-r?B?8NLJ18XU?=", "\xD0\x9F\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82" },
		{ "=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "\xE6\x97\xA5\xE6\x9C\xAC" },
		{ "=?utf-8*en?Q?a?=", "a" },
		{ "=?utf-8?Q?a", "=?utf-8?Q?a" },
		{ "=?=", "=?=" },
		{ "\xC3\xBC", "\xC3\xBC" },
		{ "\xFC raw", "\xEF\xBF\xBD raw" },
		{ "\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf out = {};

		word_decode(span_str(rows[i].text), &out);
		buf_add_octet(&out, 0);
		assert_string_equal((const char *)buf_span(&out).p, rows[i].expected);
		buf_done(&out);
	}
}

/* Whatever the words hold, what comes out is UTF-8. */
static void always_utf8(void **state)
{
	static const char *const rows[] = {
		"=?utf-8?Q?=FF=FE=C3?=",
		"=?utf-8?B?//79?=",
		"=?no-such?Q?=FC?=",
		"=?utf-16?B?2AA=?=",
		"=?utf-8?Q?=ED=A0=80?=",
		"=?utf-7?Q?+2AA-?=",
		"\xFF =?utf-8?Q?=FC?= \xFE",
		"=??Q?=FC?=",
		"=?utf-8?X?=FC?=",
		"=?iso-2022-jp?Q?=1B$B=7F?=",
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf out = {};

		word_decode(span_str(rows[i]), &out);
		word_decode_phrase(span_str(rows[i]), &out);
		assert_true(span_is_utf8(buf_span(&out)));
		buf_done(&out);
	}
}

static void limits(void **state)
{
	struct buf text = {}, out = {};

	(void)state;
	word_decode(SPAN("a\0=?utf-8?Q?b?="), &out);
	assert_true(span_is(buf_span(&out), "a b"));
	buf_clear(&out);
	while (buf_size(&text) <= WORD_TEXT_MAX)
		buf_add_string(&text, "=?utf-8?Q?a?= ");
	word_decode(buf_span(&text), &out);
	assert_true(span_equal(buf_span(&out), span_trim(buf_span(&text))));
	buf_done(&text);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),
		cmocka_unit_test(always_utf8),
		cmocka_unit_test(limits),
	};

	word_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
