/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Folding, comparing and finding. */

#include "mime/fold.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void equal(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} rows[] = {
		{ "", "", true },
		{ "abc", "ABC", true },
		{ "abc", "abd", false },
		{ "\xC3\xBC", "\xC3\x9C", true },  /* u and U with diaeresis */
		{ "\xC3\xBC", "u\xCC\x88", true }, /* composed and decomposed */
		{ "\xEF\xAC\x81", "FI", true },    /* the ligature fi is compatible... */
		{ "\xEF\xBC\xA1", "a", true },     /* ... as is a full-width A */
		{ "\xCE\xA3", "\xCF\x83", true },  /* sigma */
		{ "\xEA\xB0\x80", "\xE1\x84\x80\xE1\x85\xA1", true }, /* a Hangul syllable */
		{ "\xEF\xB7\xBA", "\xEF\xB7\xBA", true }, /* the longest decomposition */
		{ "a\xFF", "A\xFF", true },
		{ "a\xFF", "A\xFE", false },
		{ "ue", "\xC3\xBC", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(
			fold_compare(span_str(rows[i].a), span_str(rows[i].b)) == 0, rows[i].equal);
	assert_true(fold_compare(SPAN("a"), SPAN("B")) < 0);
	assert_true(fold_compare(SPAN("b"), SPAN("A")) > 0);
	assert_true(fold_compare(SPAN("a"), SPAN("AB")) < 0);
}

static void contained(void **state)
{
	static const struct {
		const char *text, *needle;
		bool found;
	} rows[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "abc", "", true },
		{ "Hello World", "o wO", true },
		{ "Hello World", "worlds", false },
		{ "aaab", "AAB", true },
		{ "xx \xC3\x9C"
		  "ber",
			"u\xCC\x88"
			"BER",
			true },
		{ "\xE2\x82\xAC", "\xE2\x82\xAC", true },
		{ "\xE2\x82", "\xE2\x82", true },
		{ "x\xFF\xFEy", "\xFF\xFE", true },
		{ "\xEF\xAC\x81sh", "fish", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct span text = span_str(rows[i].text);

		assert_int_equal(fold_contains(text, span_str(rows[i].needle)), rows[i].found);
		for (size_t piece = 1; piece <= text.n; piece++) {
			struct fold_finder f;

			fold_finder_init(&f, span_str(rows[i].needle));
			for (struct span rest = text; rest.n; rest = span_skip(rest, piece))
				fold_finder_feed(&f, span_head(rest, piece));
			assert_int_equal(fold_finder_end(&f), rows[i].found);
			fold_finder_done(&f);
		}
	}
}

static void texts_are_apart(void **state)
{
	struct fold_finder f;

	(void)state;
	fold_finder_init(&f, SPAN("ab"));
	fold_finder_feed(&f, SPAN("xa"));
	assert_false(fold_finder_end(&f));
	fold_finder_feed(&f, SPAN("bx"));
	assert_false(fold_finder_end(&f));
	fold_finder_feed(&f, SPAN("xAB"));
	assert_true(fold_finder_end(&f));
	fold_finder_feed(&f, SPAN("x"));
	assert_true(fold_finder_end(&f));
	fold_finder_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal),
		cmocka_unit_test(contained),
		cmocka_unit_test(texts_are_apart),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
