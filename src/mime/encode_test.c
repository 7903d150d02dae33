/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What is encoded is decoded to the same octets, in lines that any mail system takes. */

#include "mime/encode.h"

#include "base/err.h"
#include "base/test.h"
#include "mime/decode.h"
#include "mime/param.h"
#include "mime/word.h"

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

static void crlf(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "", "" },
		{ "a", "a" },
		{ "a\r\nb\r\n", "a\r\nb\r\n" },
		{ "a\nb\n", "a\r\nb\r\n" },
		{ "a\rb\r", "a\r\nb\r\n" },
		{ "\n\n\r\r\r\n", "\r\n\r\n\r\n\r\n\r\n" },
		{ "a\r\r\nb", "a\r\n\r\nb" },
		{ "a\n\rb", "a\r\n\r\nb" },
		{ "a\r\nb\nc\r\n", "a\r\nb\r\nc\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(buf_done) struct buf out = {};
		struct span in = span_str(rows[i].in);

		encode_crlf(in, &out);
		if (!span_is(buf_span(&out), rows[i].out))
			fail_msg("row %zu", i);
		assert_int_equal(encode_is_crlf(in), span_equal(in, buf_span(&out)));
		assert_true(encode_is_crlf(buf_span(&out)));
	}
}

static void words(void **state)
{
	static const char *const texts[] = { "", "plain",
		"Gr\xc3\xbc\xc3\x9f"
		"e aus dem S\xc3\xbc"
		"den",
		"=?utf-8?q?not_mine?=", "a (comment), \"quoted\" <b>",
		"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
		"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82"
		"\xac"
		"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82"
		"\xac",
		"a word and another word and many more words that make it a long line by any "
		"measure" };

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		CLEANUP(buf_done) struct buf value = {}, field = {}, back = {};
		struct span rest;

		encode_text(span_str(texts[i]), &value);
		encode_field(SPAN("Subject"), buf_span(&value), &field);
		assert_true(span_is_ascii(buf_span(&field)));
		rest = buf_span(&field);
		while (rest.n) {
			struct span line = span_cut(&rest, '\n');

			assert_true(line.n <= 78 + 1 && line.p[line.n - 1] == '\r');
		}
		word_decode(span_skip(buf_span(&field), strlen("Subject: ")), &back);
		if (!span_is(buf_span(&back), texts[i]))
			fail_msg("'%s' comes back as '%.*s'", texts[i], (int)buf_size(&back),
				(const char *)buf_span(&back).p);
	}
}

/* Nothing of a value becomes a field of its own. */
static void injection(void **state)
{
	CLEANUP(buf_done) struct buf value = {}, field = {}, name = {};

	(void)state;
	encode_text(SPAN("a\r\nBcc: b@example.org\0c"), &value);
	encode_field(SPAN("Subject"), buf_span(&value), &field);
	assert_true(span_find(buf_span(&field), '\n') == buf_size(&field) - 1);
	encode_phrase(SPAN("a\r\nBcc: b"), &name);
	assert_true(span_find(buf_span(&name), '\n') == buf_size(&name));
}

static void params(void **state)
{
	static const char *const values[] = { "a.txt", "", "a \"b\" \\.txt", "\xc3\xbc.pdf", "a\tb",
		"a very long name of a file that nobody would want to have in a single line of a "
		"header.txt",
		"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82"
		"\xac"
		"\xe2\x82\xac\xe2\x82\xac.txt",
		"100%'.txt", "a;b=c" };

	(void)state;
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		CLEANUP(buf_done) struct buf out = {}, back = {};
		CLEANUP(arena_done) struct arena arena = {};
		const struct param *list;
		size_t n;

		encode_param("filename", span_str(values[i]), &out);
		param_parse(buf_span(&out), &arena, &list, &n);
		assert_true(param_get(list, n, "filename", &back));
		assert_true(span_is(buf_span(&back), values[i]));
		if (i == 3)
			assert_true(span_is(buf_span(&out), ";\r\n filename*=utf-8''%C3%BC.pdf"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quoted_printable),
		cmocka_unit_test(round_trips),
		cmocka_unit_test(crlf),
		cmocka_unit_test(words),
		cmocka_unit_test(injection),
		cmocka_unit_test(params),
	};

	word_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
