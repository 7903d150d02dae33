/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Patterns: what they match, what * and ? stand for, and that they cannot take long. */

#include "base/test.h"

#include "base/clock.h"
#include "sieve/match.h"

static void patterns(void **state)
{
	static const struct {
		const char *pattern, *text;
		const char *captures; /* NULL: no match; else with | between, without ${0} */
	} rows[] = {
		{ "", "", "" },
		{ "", "a", NULL },
		{ "a", "a", "" },
		{ "a", "A", "" },
		{ "a", "ab", NULL },
		{ "*", "", "" },
		{ "*", "abc", "abc" },
		{ "a*", "abc", "bc" },
		{ "*c", "abc", "ab" },
		{ "*c", "abcd", NULL },
		{ "a*c", "ac", "" },
		{ "a*b", "aXbYb", "XbY" },
		{ "a*b*", "aXbYb", "X|Yb" },
		{ "*a*", "banana", "b|nana" },
		{ "*ana", "banana", "ban" },
		{ "*na*na", "banana", "ba|" },
		{ "**", "ab", "|ab" },
		{ "?", "a", "a" },
		{ "?", "\xC3\xBC", "\xC3\xBC" },
		{ "?", "", NULL },
		{ "??", "a\xC3\xBC", "a|\xC3\xBC" },
		{ "*?", "ab\xC3\xBC", "ab|\xC3\xBC" },
		{ "*?b",
			"a\xC3\xBC"
			"b",
			"a|\xC3\xBC" },
		{ "*\\?", "ab?", "ab" },
		{ "*\\?", "abc", NULL },
		{ "\\*", "*", "" },
		{ "\\*", "a", NULL },
		{ "a\\\\b", "a\\b", "" },
		{ "*\\\\?", "x\\y", "x|y" },
		{ "*\\\\\\?", "x\\?", "x" },
		{ "\\a", "a", "" },
		{ "[*] *", "[list] subject", "list|subject" },
		{ "*@example.*", "jim@example.org", "jim|org" },
		{ "*1*2*3*4*5*6*7*8*9*", "a1b2c3d4e5f6g7h8i9j", "a|b|c|d|e|f|g|h|i" },
		{ "ab", "a", NULL },
		{ "?b", "b", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(buf_done) struct buf got = {};
		struct span captures[SIEVE_CAPTURES];
		size_t n = 0;
		bool fits = sieve_glob(span_str(rows[i].pattern), span_str(rows[i].text), true,
			false, captures, &n);

		if (fits != (rows[i].captures != NULL))
			fail_msg("%s on %s", rows[i].pattern, rows[i].text);
		if (!fits)
			continue;
		assert_true(span_is(captures[0], rows[i].text));
		for (size_t j = 1; j < n; j++) {
			if (j > 1)
				buf_add_octet(&got, '|');
			buf_add(&got, captures[j]);
		}
		if (!span_is(buf_span(&got), rows[i].captures))
			fail_msg("%s on %s: %.*s", rows[i].pattern, rows[i].text,
				(int)buf_size(&got), (const char *)buf_span(&got).p);
	}
}

/* With octets, a character of two is two; case counts. */
static void octets(void **state)
{
	(void)state;
	assert_false(sieve_glob(SPAN("?"), SPAN("\xC3\xBC"), false, true, NULL, NULL));
	assert_true(sieve_glob(SPAN("??"), SPAN("\xC3\xBC"), false, true, NULL, NULL));
	assert_true(sieve_glob(SPAN("*?"), SPAN("\xC3\xBC"), false, true, NULL, NULL));
	assert_false(sieve_glob(SPAN("a*"), SPAN("Ab"), false, true, NULL, NULL));
}

/* What takes a matcher that goes back years. */
static void is_never_slow(void **state)
{
	CLEANUP(buf_done) struct buf text = {}, pattern = {};
	int64_t start = clock_monotonic_ms();

	(void)state;
	for (unsigned i = 0; i < 20000; i++)
		buf_add_octet(&text, 'a');
	for (unsigned i = 0; i < 200; i++)
		buf_add_string(&pattern, "*a?a");
	buf_add_string(&pattern, "*b");
	assert_false(sieve_glob(buf_span(&pattern), buf_span(&text), true, false, NULL, NULL));
	assert_true(clock_monotonic_ms() - start < 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns),
		cmocka_unit_test(octets),
		cmocka_unit_test(is_never_slow),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
