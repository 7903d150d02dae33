/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/clock.h"
#include "svc/imap/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct {
	const char *pattern, *name;
	bool matches;
} rows[] = {
	{ "", "", true },
	{ "", "a", false },
	{ "a", "a", true },
	{ "a", "A", false },
	{ "a", "ab", false },
	{ "ab", "a", false },
	{ "*", "", true },
	{ "*", "a/b/c", true },
	{ "%", "a", true },
	{ "%", "a/b", false },
	{ "%", "", true },
	{ "%/%", "a/b", true },
	{ "%/%", "a", false },
	{ "%/%", "a/b/c", false },
	{ "a/%", "a/b", true },
	{ "a/%", "a/b/c", false },
	{ "a/*", "a/b/c", true },
	{ "a/*", "a", false },
	{ "a%", "abc", true },
	{ "a%", "abc/d", false },
	{ "a%*", "abc/d", true },
	{ "*%", "a/b", true },
	{ "%b", "aab", true },
	{ "%b", "a/b", false },
	{ "*b", "a/b", true },
	{ "*a*a*", "aa", true },
	{ "*a*a*", "a", false },
	{ "%%%", "abc", true },
	{ "**a**", "xay", true },
	{ "*/Sent", "a/b/Sent", true },
	{ "*/Sent", "Sent", false },
	{ "x*y%z", "x/1/y2z", true },
	{ "x*y%z", "x/1/y/2z", false },
};

static void test_rows(void **state)
{
	struct arena arena = {};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pattern *p = pattern_new(&arena, span_str(rows[i].pattern));

		if (pattern_matches(p, span_str(rows[i].name), false) != rows[i].matches)
			fail_msg("%s against %s", rows[i].pattern, rows[i].name);
	}
	arena_done(&arena);
}

static void test_case(void **state)
{
	struct arena arena = {};
	struct pattern *p = pattern_new(&arena, SPAN("in%X"));

	(void)state;
	assert_true(pattern_matches(p, SPAN("INBOX"), true));
	assert_false(pattern_matches(p, SPAN("INBOX"), false));
	assert_false(pattern_matches(p, SPAN("INBOY"), true));
	arena_done(&arena);
}

/* The literal places go over words of 64 bits. */
static void test_long(void **state)
{
	struct arena arena = {};
	uint8_t name[400];
	struct pattern *p;

	(void)state;
	for (size_t n = 60; n < 200; n++) {
		memset(name, 'a', sizeof name);
		p = pattern_new(&arena, span_of(name, n));
		assert_true(pattern_matches(p, span_of(name, n), false));
		assert_false(pattern_matches(p, span_of(name, n - 1), false));
		assert_false(pattern_matches(p, span_of(name, n + 1), false));
		name[n] = '*';
		p = pattern_new(&arena, span_of(name, n + 1));
		assert_true(pattern_matches(p, span_of(name, n), false));
		assert_false(pattern_matches(p, span_of(name, n - 1), false));
	}
	arena_done(&arena);
}

/* What makes backtracking matchers take for ever takes milliseconds. */
static void test_bounded(void **state)
{
	struct arena arena = {};
	uint8_t pattern[1000], name[1000];
	struct pattern *p;
	int64_t start = clock_monotonic_ms();

	(void)state;
	for (size_t i = 0; i < sizeof pattern; i++)
		pattern[i] = i % 2 ? 'a' : i % 4 ? '*' : '%';
	pattern[sizeof pattern - 1] = 'b';
	memset(name, 'a', sizeof name);
	p = pattern_new(&arena, span_of(pattern, sizeof pattern));
	for (unsigned i = 0; i < 100; i++)
		assert_false(pattern_matches(p, span_of(name, sizeof name), false));
	assert_true(clock_monotonic_ms() - start < 2000);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_case),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_bounded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
