/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/enc.h"

#include "base/random.h"
#include "base/test.h"

static void base64_vectors(void **state)
{
	static const struct {
		const char *plain;
		const char *text;
	} rows[] = { /* RFC 4648 section 10 */
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(buf_done) struct buf out = {};

		enc_base64(&out, span_str(rows[i].plain));
		assert_true(span_is(buf_span(&out), rows[i].text));
		buf_clear(&out);
		assert_true(enc_base64_decode(&out, span_str(rows[i].text)));
		assert_true(span_is(buf_span(&out), rows[i].plain));
	}
}

static void base64_refused(void **state)
{
	static const char *const rows[] = {
		"Z", "Zg", "Zg=", "Zg===", "====", "=Zg=", "Zg==Zg==", "Zm9v\n", " Zm9v", "Zm9*",
		"Zh==", "Zm9=", "Z===", "Zm-_",
	};
	CLEANUP(buf_done) struct buf out = {};

	(void)state;
	buf_add_string(&out, "kept");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_false(enc_base64_decode(&out, span_str(rows[i])));
		assert_true(span_is(buf_span(&out), "kept"));
	}
}

static void base64url_decoded(void **state)
{
	static const char *const refused[] = { "A", "Zg==", "Zg=", "Zm9v=", "+_", "a/", "Zh", "Zm9=",
		"Zm9v Zm", "Zm9vZ" };
	uint8_t data[70];
	CLEANUP(buf_done) struct buf out = {};

	(void)state;
	random_fill(data, sizeof data);
	data[0] = 0xFB;
	data[1] = 0xFF;
	for (size_t n = 0; n <= sizeof data; n++) {
		CLEANUP(buf_done) struct buf text = {}, back = {};

		enc_base64url(&text, span_of(data, n));
		assert_true(enc_base64url_decode(&back, buf_span(&text)));
		assert_true(span_equal(buf_span(&back), span_of(data, n)));
	}
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		assert_false(enc_base64url_decode(&out, span_str(refused[i])));
	assert_int_equal(buf_size(&out), 0);
}

static void round_trips(void **state)
{
	uint8_t data[300];

	(void)state;
	random_fill(data, sizeof data);
	for (size_t n = 0; n <= sizeof data; n++) {
		CLEANUP(buf_done) struct buf text = {}, back = {};

		enc_base64(&text, span_of(data, n));
		assert_true(enc_base64_decode(&back, buf_span(&text)));
		assert_true(span_equal(buf_span(&back), span_of(data, n)));
		buf_clear(&text);
		buf_clear(&back);
		enc_hex(&text, span_of(data, n));
		assert_true(enc_hex_decode(&back, buf_span(&text)));
		assert_true(span_equal(buf_span(&back), span_of(data, n)));
	}
}

static void hex_refused(void **state)
{
	CLEANUP(buf_done) struct buf out = {};

	(void)state;
	assert_false(enc_hex_decode(&out, SPAN("0")));
	assert_false(enc_hex_decode(&out, SPAN("0g")));
	assert_int_equal(buf_size(&out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_vectors),
		cmocka_unit_test(base64_refused),
		cmocka_unit_test(base64url_decoded),
		cmocka_unit_test(round_trips),
		cmocka_unit_test(hex_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
