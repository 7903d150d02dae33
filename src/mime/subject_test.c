/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Base subjects: the rules of RFC 5256 section 2.1 one by one. */

#include "mime/subject.h"

#include "base/limit.h"
#include "mime/word.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void subjects(void **state)
{
	static const struct {
		const char *text, *base;
		bool marked;
	} rows[] = {
		{ "", "", false },
		{ "hello", "hello", false },
		{ "  a \t b  ", "a b", false },
		{ "Re: hello", "hello", true },
		{ "RE:hello", "hello", true },
		{ "re : hello", "hello", true },
		{ "Fw: hello", "hello", true },
		{ "fwd: hello", "hello", true },
		{ "Re: Fwd: re: hello", "hello", true },
		{ "Re[4]: hello", "hello", true },
		{ "Re [4] : hello", "hello", true },
		{ "[list] hello", "hello", false },
		{ "[list] Re: hello", "hello", true },
		{ "[a] [b] Re: [c] hello", "hello", true },
		{ "Re: [list] Re: hello", "hello", true },
		{ "[list]", "[list]", false },
		{ "[a][b]", "[b]", false },
		{ "[a] [b] ", "[b]", false },
		{ "Re: [a]", "[a]", true },
		{ "Re:", "", true },
		{ "hello (fwd)", "hello", true },
		{ "hello (FWD) (fwd) ", "hello", true },
		{ "(fwd)", "", true },
		{ "[fwd: hello]", "hello", true },
		{ "[Fwd: Re: hello (fwd)] (fwd)", "hello", true },
		{ "[fwd: [fwd: hello]]", "hello", true },
		{ "[fwd: hello", "[fwd: hello", false },
		{ "[fwd:]", "", true },
		{ "Retort: hello", "Retort: hello", false },
		{ "reply", "reply", false },
		{ "Re hello", "Re hello", false },
		{ "[x hello", "[x hello", false },
		{ "[x[y] hello", "[x[y] hello", false },
		{ "AW: hello", "AW: hello", false },
		{ "=?utf-8?Q?Re:_=C3=BC?=", "\xC3\xBC", true },
		{ "Re:\r\n\thello\r\n world", "hello world", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf out = {};

		assert_int_equal(subject_base(span_str(rows[i].text), &out), rows[i].marked);
		buf_add_octet(&out, 0);
		assert_string_equal((const char *)buf_span(&out).p, rows[i].base);
		buf_done(&out);
	}
}

/* At the size a field may have; nothing may be looked at more often than the field is long. */
static void hostile_subjects(void **state)
{
	static const struct {
		const char *piece, *base;
	} rows[] = { { "[]", "[]" }, { "Re:", "" }, { "(fwd)", "" }, { "[x]Re:", "" } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf text = {}, out = {};

		while (buf_size(&text) < LIMIT_HEADER_VALUE)
			buf_add_string(&text, rows[i].piece);
		(void)subject_base(buf_span(&text), &out);
		assert_true(span_is(buf_span(&out), rows[i].base));
		buf_done(&text);
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(subjects),
		cmocka_unit_test(hostile_subjects),
	};

	word_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
