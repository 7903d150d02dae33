/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* ENVELOPE printed and read back. */

#include "mime/envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEXT(s)                                        \
	{                                              \
		(const uint8_t *)("" s), sizeof(s) - 1 \
	}

static void printed(void **state)
{
	static const struct {
		struct span values[ENVELOPE_FIELDS];
		const char *expected;
	} rows[] = {
		{ {}, "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)" },
		{ { TEXT(" Mon\r\n"), TEXT(" Hi\r\n"), TEXT(" A <a@b>\r\n"), {}, {},
			  TEXT(" c@d, e@f\r\n"), {}, {}, TEXT(" <x@y>\r\n"), TEXT(" <z@y>\r\n") },
			"(\"Mon\" \"Hi\" ((\"A\" NIL \"a\" \"b\")) ((\"A\" NIL \"a\" \"b\")) "
			"((\"A\" NIL \"a\" \"b\"))"
			" ((NIL NIL \"c\" \"d\")(NIL NIL \"e\" \"f\")) NIL NIL \"<x@y>\" "
			"\"<z@y>\")" },
		{ { {}, {}, TEXT("a@b"), TEXT("s@b"), TEXT("r@b"), {}, {}, {}, {}, {} },
			"(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"s\" \"b\")) ((NIL NIL \"r\" "
			"\"b\")) NIL NIL NIL "
			"NIL NIL)" },
		/* Present and empty is not absent; for sender and reply-to it is. */
		{ { TEXT(""), TEXT(" \r\n"), TEXT("a@b"), TEXT(""), TEXT(" , "), TEXT(""), {}, {},
			  TEXT(""), TEXT("") },
			"(\"\" \"\" ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) ((NIL NIL "
			"\"a\" \"b\")) NIL NIL NIL "
			"\"\" \"\")" },
		{ { {}, TEXT(" a\r\n b"), {}, {}, {}, TEXT("G: a@b;, root"), TEXT("<@r:a@b>"),
			  TEXT("x:;"), {}, {} },
			"(NIL \"a b\" NIL NIL NIL ((NIL NIL \"G\" NIL)(NIL NIL \"a\" \"b\")(NIL "
			"NIL NIL NIL)"
			"(NIL NIL \"root\" \"\")) ((NIL \"@r\" \"a\" \"b\")) ((NIL NIL \"x\" "
			"NIL)(NIL NIL NIL NIL)) NIL NIL)" },
		{ { {}, TEXT("say \"\\\""), {}, {}, {}, {}, {}, {}, {}, {} },
			"(NIL \"say \\\"\\\\\\\"\" NIL NIL NIL NIL NIL NIL NIL NIL)" },
		{ { {}, TEXT("\xC3\xBC\0x"), {}, {}, {}, {}, {}, {}, {}, TEXT("a\rb") },
			"(NIL {3}\r\n\xC3\xBCx NIL NIL NIL NIL NIL NIL NIL {3}\r\na\rb)" },
		{ { {}, TEXT("=?utf-8?Q?=C3=BC?="), {}, {}, {}, {}, {}, {}, {}, {} },
			"(NIL \"=?utf-8?Q?=C3=BC?=\" NIL NIL NIL NIL NIL NIL NIL NIL)" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct arena arena = {};
		struct envelope e;
		struct buf out = {};

		envelope_print(rows[i].values, &out);
		assert_int_equal(envelope_parse(buf_span(&out), &arena, &e), 0);
		buf_add_octet(&out, 0);
		assert_string_equal((const char *)buf_span(&out).p, rows[i].expected);
		buf_done(&out);
		arena_done(&arena);
	}
}

static void read_back(void **state)
{
	struct arena arena = {};
	struct envelope e;

	(void)state;
	assert_int_equal(
		envelope_parse(
			SPAN("(\"d\" {2}\r\n\xC3\xBC ((\"N \\\"q\\\"\" NIL \"a\" \"b\")) NIL NIL "
			     "((NIL NIL \"g\" NIL)(NIL \"@r\" \"x\" {1}\r\ny)(NIL NIL NIL NIL)) "
			     "NIL NIL \"\" \"<m>\")"),
			&arena, &e),
		0);
	assert_true(span_is(e.date, "d"));
	assert_true(span_is(e.subject, "\xC3\xBC"));
	assert_int_equal(e.from.n, 1);
	assert_true(span_is(e.from.addresses[0].name, "N \"q\""));
	assert_null(e.from.addresses[0].route.p);
	assert_true(span_is(e.from.addresses[0].mailbox, "a"));
	assert_true(span_is(e.from.addresses[0].host, "b"));
	assert_int_equal(e.sender.n, 0);
	assert_int_equal(e.to.n, 3);
	assert_null(e.to.addresses[0].host.p);
	assert_true(span_is(e.to.addresses[0].mailbox, "g"));
	assert_true(span_is(e.to.addresses[1].route, "@r"));
	assert_true(span_is(e.to.addresses[1].host, "y"));
	assert_null(e.to.addresses[2].mailbox.p);
	assert_non_null(e.in_reply_to.p);
	assert_int_equal(e.in_reply_to.n, 0);
	assert_true(span_is(e.message_id, "<m>"));
	arena_done(&arena);
}

static void damaged(void **state)
{
	static const char *const rows[] = {
		"",
		"(",
		"NIL",
		"(NIL NIL NIL NIL NIL NIL NIL NIL NIL)",
		"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL",
		"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) ",
		"(NIL NIL () NIL NIL NIL NIL NIL NIL NIL)",
		"(NIL NIL (NIL) NIL NIL NIL NIL NIL NIL NIL)",
		"(NIL NIL ((NIL NIL NIL)) NIL NIL NIL NIL NIL NIL NIL)",
		"(NIL NIL ((NIL NIL NIL NIL) NIL NIL NIL NIL NIL NIL NIL)",
		"(\"x NIL NIL NIL NIL NIL NIL NIL NIL NIL)",
		"(\"x\\",
		"({9}\r\nx NIL NIL NIL NIL NIL NIL NIL NIL NIL)",
		"({99999999999999999999}\r\nx NIL NIL NIL NIL NIL NIL NIL NIL NIL)",
		"({1}x NIL NIL NIL NIL NIL NIL NIL NIL NIL)",
		"(atom NIL NIL NIL NIL NIL NIL NIL NIL NIL)",
		"(NIL  NIL NIL NIL NIL NIL NIL NIL NIL NIL)",
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct arena arena = {};
		struct envelope e;

		assert_int_equal(envelope_parse(span_str(rows[i]), &arena, &e), ENVELOPE_E_DAMAGED);
		arena_done(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(printed),
		cmocka_unit_test(read_back),
		cmocka_unit_test(damaged),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
