/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What must not steer a terminal, and what must not be lost for it. */

#include "cli/harmless.h"

#include "base/err.h"
#include "base/test.h"

struct row {
	struct span given;
	const char *line; /* NULL: as it was given */
	const char *text; /* NULL: as the line */
};

static const struct row rows[] = {
	{ SPAN("") },
	{ SPAN("Gr\xc3\xbcn <gr\xc3\xbcn@example.org> \xe2\x82\xac \xf0\x9f\x93\xa7") },
	{ SPAN("\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d") },
	{ SPAN("a\nrole: admin"), "a role: admin", "a\nrole: admin" },
	{ SPAN("a\r\nb\r\n"), "a b ", "a\nb\n" },
	{ SPAN("a\rb\tc\x0b\x0c"), "a?b c??" },
	{ SPAN("\r"), "?" },
	{ SPAN("a\0b"), "a?b" },
	{ SPAN("\x1b[2J\x1b]0;title\x07\x08\x7f"), "?[2J?]0;title???" },
	/* U+0080, U+009B (CSI), U+009F, and U+00A0, which is none. */
	{ SPAN("\xc2\x80\xc2\x9b"
	       "31m\xc2\x9f\xc2\xa0"),
		"??31m?\xc2\xa0" },
	/* Octets alone, which a terminal of one octet a character takes for the same. */
	{ SPAN("\x9b"
	       "31m"),
		"?31m" },
	{ SPAN("\xc3"), "?" },
	{ SPAN("\xc3\x9c\x9b"), "???" },
	{ SPAN("\xe2\x80"), "??" },
	{ SPAN("\xed\xa0\x80\xf5\x80\x80\x80"), "???????" },
	/* Directions: U+061C, U+200E, U+200F, U+202A, U+202E, U+2066, U+2069; lines: U+2028, U+2029. */
	{ SPAN("\xd8\x9c\xe2\x80\x8e\xe2\x80\x8f\xe2\x80\xaa\xe2\x80\xae"
	       "gpj.exe\xe2\x81\xa6\xe2\x81\xa9"),
		"?????gpj.exe??" },
	{ SPAN("a\xe2\x80\xa8"
	       "b\xe2\x80\xa9"
	       "c"),
		"a?b?c" },
	/* Beside them: U+200D, U+2010, U+2027, U+2030, U+2065, U+206A. */
	{ SPAN("\xe2\x80\x8d\xe2\x80\x90\xe2\x80\xa7\xe2\x80\xb0\xe2\x81\xa5\xe2\x81\xaa") },
};

static void expect(struct span got, struct span expected, size_t row)
{
	if (!span_equal(got, expected))
		fail_msg("row %zu: \"%.*s\"", row, (int)got.n, (const char *)got.p);
}

static void test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(buf_done) struct buf line = {}, text = {};
		struct span whole = rows[i].line ? span_str(rows[i].line) : rows[i].given;

		harmless_add_line(&line, rows[i].given);
		harmless_add_text(&text, rows[i].given);
		expect(buf_span(&line), whole, i);
		expect(buf_span(&text), rows[i].text ? span_str(rows[i].text) : whole, i);
	}
}

static void test_pem(void **state)
{
	static const char *const pem[] = {
		"-----BEGIN CERTIFICATE-----\nMIIC+/==\n-----END CERTIFICATE-----\n",
		"-----BEGIN X509 CRL-----\nMIIC\n-----END X509 CRL-----\n-----BEGIN A-----\nAA\n-----END A-----",
	};
	static const char *const others[] = {
		"",
		"text",
		"role: admin\n-----BEGIN A-----\nAA\n-----END A-----\n",
		"-----BEGIN A-----\nrole: admin\n-----END A-----\n",
		"-----BEGIN A-----\nAA\n-----END A-----\nrole: admin\n",
		"-----BEGIN A-----\nAA\n-----END A:-----\n",
		"-----BEGIN A-----\r\nAA\r\n-----END A-----\r\n",
		"-----BEGIN A-----\nA\xc2\x9b\n-----END A-----\n",
		"-----BEGIN A\nAA\n",
		"-----BEGIN -",
	};

	(void)state;
	for (size_t i = 0; i < sizeof pem / sizeof pem[0]; i++)
		assert_true(harmless_is_pem(span_str(pem[i])));
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		if (harmless_is_pem(span_str(others[i])))
			fail_msg("row %zu passes", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_pem),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("harmless", tests, NULL, NULL);
}
