/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Transfer encodings, whole and cut at every octet. */

#include "mime/decode.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void decode(enum transfer_encoding encoding, struct span in, size_t piece, struct buf *out,
	bool *ret_damaged)
{
	struct decoder d = { .encoding = encoding };

	while (in.n) {
		decoder_feed(&d, span_head(in, piece), out);
		in = span_skip(in, piece);
	}
	decoder_end(&d, out);
	*ret_damaged = d.damaged;
}

struct row {
	const char *text, *expected;
	bool damaged;
};

static void check(enum transfer_encoding encoding, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t piece = 1; piece <= strlen(rows[i].text) + 1; piece++) {
			struct buf out = {};
			bool damaged;

			decode(encoding, span_str(rows[i].text), piece, &out, &damaged);
			buf_add_octet(&out, 0);
			assert_string_equal((const char *)buf_span(&out).p, rows[i].expected);
			assert_int_equal(damaged, rows[i].damaged);
			buf_done(&out);
		}
	}
}

static void base64(void **state)
{
	static const struct row rows[] = {
		{ "", "", false },
		{ "Zg==", "f", false },
		{ "Zm8=", "fo", false },
		{ "Zm9v", "foo", false },
		{ "Zm9v\r\nYmFy\r\n", "foobar", false },
		{ " Z\tm 9\nv ", "foo", false },
		{ "Zg", "f", true },
		{ "Zm8", "fo", true },
		{ "Z", "", true },
		{ "Z===", "", true },
		{ "====", "", false },
		{ "Zm9v*YmFy", "foobar", true },
		{ "Zg==Zg==", "ff", true },
		{ "Zm9v-_YmFy", "foobar", true },
		{ "\xFFZm9v", "foo", true },
	};

	(void)state;
	check(ENCODING_BASE64, rows, sizeof rows / sizeof *rows);
}

static void quoted_printable(void **state)
{
	static const struct row rows[] = {
		{ "", "", false },
		{ "abc", "abc", false },
		{ "a=3Db", "a=b", false },
		{ "a=3db=C3=BC", "a=b\xC3\xBC", false },
		{ "a=\r\nb", "ab", false },
		{ "a=\nb", "ab", false },
		{ "a= \t\r\nb", "ab", false },
		{ "a  \r\nb\t \nc ", "a\r\nb\nc", false },
		{ "a  b", "a  b", false },
		{ "a =\r\n b", "a  b", false },
		{ "a\rb \rc", "a\rb \rc", false },
		{ "a\r\r\nb", "a\r\r\nb", false },
		{ "a\r", "a\r", false },
		{ "a==3D", "a==", true },
		{ "a=XYb", "a=XYb", true },
		{ "a=4Xb", "a=4Xb", true },
		{ "a=4=3D", "a=4=", true },
		{ "a= b", "a=b", true },
		{ "a=", "a", true },
		{ "a=4", "a=4", true },
		{ "a= ", "a", false },
		{ "\xFF", "\xFF", false },
		{ "a                                                                               "
		  "     b",
			"a                                                                         "
			"           b",
			true },
	};

	(void)state;
	check(ENCODING_QUOTED_PRINTABLE, rows, sizeof rows / sizeof *rows);
}

static void names(void **state)
{
	static const struct row rows[] = { { "a=3D Zg== ", "a=3D Zg== ", false } };

	(void)state;
	check(ENCODING_7BIT, rows, 1);
	check(ENCODING_BINARY, rows, 1);
	check(ENCODING_UNKNOWN, rows, 1);
	assert_int_equal(transfer_encoding_of(SPAN("")), ENCODING_7BIT);
	assert_int_equal(transfer_encoding_of(SPAN("8BIT")), ENCODING_8BIT);
	assert_int_equal(transfer_encoding_of(SPAN("Base64")), ENCODING_BASE64);
	assert_int_equal(transfer_encoding_of(SPAN("quoted-Printable")), ENCODING_QUOTED_PRINTABLE);
	assert_int_equal(transfer_encoding_of(SPAN("base64 ")), ENCODING_UNKNOWN);
	assert_int_equal(transfer_encoding_of(SPAN("x-uuencode")), ENCODING_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64),
		cmocka_unit_test(quoted_printable),
		cmocka_unit_test(names),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
