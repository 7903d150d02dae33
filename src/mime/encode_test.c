/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What is encoded is decoded to the same octets, in lines that any mail system takes. */

#include "mime/encode.h"

#include "base/err.h"
#include "base/test.h"
#include "mime/decode.h"

typedef void encode_fn(struct span octets, struct buf *out);

static void quoted_printable(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "", "" },
		{ "a b\r\n", "a b\r\n" },
		{ "a \r\nb\t\r\n", "a=20\r\nb=09\r\n" },
		{ "a ", "a=20" },
		{ "1+1=2", "1+1=3D2" },
		{ "gr\xc3\xbc\xc3\x9f", "gr=C3=BC=C3=9F" },
		{ "a\rb\nc", "a=0Db=0Ac" },
		{ "\r\n\r\n", "\r\n\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(buf_done) struct buf out = {};

		encode_quoted_printable(span_str(rows[i].text), &out);
		if (!span_is(buf_span(&out), rows[i].expected))
			fail_msg("row %zu: %.*s", i, (int)buf_size(&out), (const char *)out.p);
	}
}

static void check(encode_fn *encode, enum transfer_encoding encoding, struct span octets)
{
	CLEANUP(buf_done) struct buf out = {}, back = {};
	struct decoder d = { .encoding = encoding };
	struct span rest;

	encode(octets, &out);
	decoder_feed(&d, buf_span(&out), &back);
	decoder_end(&d, &back);
	assert_false(d.damaged);
	assert_true(span_equal(buf_span(&back), octets));
	rest = buf_span(&out);
	while (rest.n) {
		struct span line = span_cut(&rest, '\n');

		assert_true(span_is_ascii(line));
		assert_true(line.n <= 76 + 1);
	}
}

static void round_trips(void **state)
{
	uint8_t octets[3000];

	(void)state;
	for (size_t i = 0; i < sizeof octets; i++)
		octets[i] = (uint8_t)(i * i >> 3 ^ i);
	for (size_t n = 0; n < 200; n++) {
		check(encode_base64, ENCODING_BASE64, span_of(octets, n));
		check(encode_quoted_printable, ENCODING_QUOTED_PRINTABLE, span_of(octets + n, n));
	}
	check(encode_base64, ENCODING_BASE64, span_of(octets, sizeof octets));
	check(encode_quoted_printable, ENCODING_QUOTED_PRINTABLE, span_of(octets, sizeof octets));
	memset(octets, ' ', sizeof octets);
	check(encode_quoted_printable, ENCODING_QUOTED_PRINTABLE, span_of(octets, sizeof octets));
	memset(octets, 'a', sizeof octets);
	check(encode_quoted_printable, ENCODING_QUOTED_PRINTABLE, span_of(octets, 75));
	check(encode_quoted_printable, ENCODING_QUOTED_PRINTABLE, span_of(octets, 76));
	check(encode_quoted_printable, ENCODING_QUOTED_PRINTABLE, span_of(octets, 77));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quoted_printable),
		cmocka_unit_test(round_trips),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
