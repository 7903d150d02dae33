/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "store/message.h"
#include "svc/imap/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum kind { ATOM, STRING, ASTRING, NSTRING, MAILBOX, UTF8_MAILBOX, LIST_MAILBOX };

static bool take(struct imap_parser *p, enum kind kind, struct span *ret)
{
	switch (kind) {
	case ATOM:
		return parse_atom(p, ret);
	case STRING:
		return parse_string(p, ret);
	case ASTRING:
		return parse_astring(p, ret);
	case NSTRING:
		return parse_nstring(p, ret);
	case LIST_MAILBOX:
		return parse_list_mailbox(p, ret);
	case UTF8_MAILBOX:
		p->utf8 = true;
		return parse_mailbox(p, ret);
	case MAILBOX:
		return parse_mailbox(p, ret);
	}
	return false;
}

static const struct {
	enum kind kind;
	const char *text;
	const char *value; /* NULL: refused */
} strings[] = {
	{ ATOM, "abc", "abc" },
	{ ATOM, "a]", NULL },
	{ ATOM, "", NULL },
	{ ATOM, "\"a\"", NULL },
	{ ATOM, "(", NULL },
	{ ATOM, "%", NULL },
	{ ATOM, "\\Seen", NULL },
	{ ATOM, "\xc3\xbc", NULL },
	{ ATOM, "a\x7f", NULL },
	{ STRING, "\"\"", "" },
	{ STRING, "\"a b\"", "a b" },
	{ STRING, "\"a\\\"b\\\\\"", "a\"b\\" },
	{ STRING, "\"\xc3\xbc\"", "\xc3\xbc" },
	{ STRING, "\"\xc3\"", NULL },
	{ STRING, "\"a", NULL },
	{ STRING, "\"a\\\"", NULL },
	{ STRING, "\"\\n\"", NULL },
	{ STRING, "\"a\rb\"", NULL },
	{ STRING, "abc", NULL },
	{ STRING, "{3}\r\nabc", "abc" },
	{ STRING, "{0}\r\n", "" },
	{ STRING, "{3+}\r\na\"c", "a\"c" },
	{ STRING, "{3}\r\nab", NULL },
	{ STRING, "{3}abc", NULL },
	{ STRING, "{}\r\n", NULL },
	{ STRING, "{-1}\r\nabc", NULL },
	{ STRING, "{3-}\r\nabc", NULL },
	{ STRING, "{99999999999999999999}\r\nabc", NULL },
	{ ASTRING, "a]b", "a]b" },
	{ ASTRING, "\"x\"", "x" },
	{ ASTRING, "{1}\r\n(", "(" },
	{ ASTRING, "*", NULL },
	{ NSTRING, "NIL", NULL }, /* accepted, see below */
	{ NSTRING, "\"NIL\"", "NIL" },
	{ NSTRING, "x", NULL },
	{ MAILBOX, "Entw&APw-rfe", "Entw\xc3\xbcrfe" },
	{ MAILBOX, "\"a b/c\"", "a b/c" },
	{ MAILBOX, "a&b", NULL },
	{ MAILBOX, "\"\xc3\xbc\"", NULL },
	{ UTF8_MAILBOX, "\"\xc3\xbc\"", "\xc3\xbc" },
	{ UTF8_MAILBOX, "Entw&APw-rfe", "Entw&APw-rfe" },
	{ LIST_MAILBOX, "a%/*]", "a%/*]" },
	{ LIST_MAILBOX, "\"\"", "" },
	{ LIST_MAILBOX, "(", NULL },
};

static void test_strings(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
		struct arena arena = {};
		struct imap_parser p = { .rest = span_str(strings[i].text), .arena = &arena };
		struct span value = SPAN("?");
		bool taken = take(&p, strings[i].kind, &value) && parse_end(&p);

		if (strings[i].kind == NSTRING && span_is(span_str(strings[i].text), "NIL"))
			assert_true(taken && !value.p);
		else if (taken != (strings[i].value != NULL))
			fail_msg("%s: %s", strings[i].text, taken ? "taken" : p.error);
		else if (taken && !span_is(value, strings[i].value))
			fail_msg("%s: wrong value", strings[i].text);
		assert_true(taken == !p.error);
		arena_done(&arena);
	}
}

static void test_nul(void **state)
{
	struct arena arena = {};
	struct span value, quoted = SPAN("\"a\0b\""), literal = SPAN("{3}\r\na\0b");
	struct imap_parser p = { .rest = quoted, .arena = &arena };
	struct imap_parser q = { .rest = literal, .arena = &arena };

	(void)state;
	assert_false(parse_string(&p, &value));
	assert_false(parse_string(&q, &value));
	arena_done(&arena);
}

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		bool number, nonzero, number64;
	} rows[] = {
		{ "0", true, false, true },
		{ "1", true, true, true },
		{ "4294967295", true, true, true },
		{ "4294967296", false, false, true },
		{ "9223372036854775807", false, false, true },
		{ "9223372036854775808", false, false, false },
		{ "", false, false, false },
		{ "-1", false, false, false },
		{ "+1", false, false, false },
		{ "x", false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct imap_parser a = { .rest = span_str(rows[i].text) }, b = a, c = a;
		uint32_t small;
		uint64_t large;

		assert_true(parse_number(&a, &small) == rows[i].number);
		assert_true(parse_nonzero(&b, &small) == rows[i].nonzero);
		assert_true(parse_number64(&c, &large) == rows[i].number64);
	}
}

static void test_flags(void **state)
{
	static const struct {
		const char *text;
		bool taken;
		uint64_t system;
		size_t n_keywords;
	} rows[] = {
		{ "()", true, 0, 0 },
		{ "(\\Seen)", true, FLAG_SEEN, 0 },
		{ "(\\seen \\DELETED $Junk $junk)", true, FLAG_SEEN | FLAG_DELETED, 1 },
		{ "\\Answered \\Flagged \\Draft x", true,
			FLAG_ANSWERED | FLAG_FLAGGED | FLAG_DRAFT, 1 },
		{ "(\\Recent)", false, 0, 0 },
		{ "(\\*)", false, 0, 0 },
		{ "(\\Odd)", false, 0, 0 },
		{ "(\\)", false, 0, 0 },
		{ "(\\Seen", false, 0, 0 },
		{ "( \\Seen)", false, 0, 0 },
		{ "(\\Seen )", false, 0, 0 },
		{ "", false, 0, 0 },
		{ "\"x\"", false, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct arena arena = {};
		struct imap_parser p = { .rest = span_str(rows[i].text), .arena = &arena };
		struct imap_flags flags = {};
		bool taken = parse_flag_list(&p, &flags) && parse_end(&p);

		if (taken != rows[i].taken)
			fail_msg("%s", rows[i].text);
		assert_int_equal(flags.system, rows[i].system);
		assert_int_equal(flags.n_keywords, rows[i].n_keywords);
		arena_done(&arena);
	}
}

static void test_keyword_limits(void **state)
{
	struct arena arena = {};
	struct buf text = {};
	struct imap_flags flags;
	struct imap_parser p = { .arena = &arena };

	(void)state;
	for (unsigned i = 0; i <= KEYWORDS_MAX; i++)
		buf_add_format(&text, "%sk%u", i ? " " : "", i);
	p.rest = buf_span(&text);
	assert_false(parse_flag_list(&p, &flags));
	buf_clear(&text);
	for (unsigned i = 0; i < 101; i++)
		buf_add_octet(&text, 'k');
	p = (struct imap_parser){ .rest = buf_span(&text), .arena = &arena };
	assert_false(parse_flag_list(&p, &flags));
	buf_done(&text);
	arena_done(&arena);
}

static void test_dates(void **state)
{
	static const struct {
		const char *text;
		bool time;
		int64_t value; /* -1: refused */
	} rows[] = {
		{ "1-Jan-1970", false, 0 },
		{ "\"2-Jan-1970\"", false, 1 },
		{ "31-Feb-1970", false, -1 },
		{ "1-Xxx-1970", false, -1 },
		{ "1-Jan-70", false, -1 },
		{ "\" 1-Jan-1970 00:00:01 +0000\"", true, 1000000 },
		{ "\"01-Jan-1970 01:00:00 +0100\"", true, 0 },
		{ "\" 1-Jan-1970 00:00:01\"", true, -1 },
		{ "\" 1-Jan-1970 24:00:01 +0000\"", true, -1 },
		{ " 1-Jan-1970 00:00:01 +0000", true, -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct arena arena = {};
		struct imap_parser p = { .rest = span_str(rows[i].text), .arena = &arena };
		int64_t value = -1;
		bool taken = rows[i].time ? parse_date_time(&p, &value) : parse_date(&p, &value);

		if (taken != (rows[i].value >= 0) || (taken && value != rows[i].value))
			fail_msg("%s", rows[i].text);
		arena_done(&arena);
	}
}

static void test_depth(void **state)
{
	struct imap_parser p = { .rest = SPAN("((((((((((((((((((((((((((((((((((((((((((((") };
	unsigned n = 0;

	(void)state;
	while (parse_open(&p))
		n++;
	assert_int_equal(n, PARSE_DEPTH);
	assert_false(parse_close(&p));
	p = (struct imap_parser){ .rest = SPAN("()()") };
	assert_true(parse_open(&p) && parse_close(&p) && parse_open(&p) && parse_close(&p));
	assert_int_equal(p.depth, 0);
}

/* The first error stays, and nothing is taken behind it. */
static void test_error_stays(void **state)
{
	struct imap_parser p = { .rest = SPAN("abc") };
	struct span value;

	(void)state;
	assert_false(parse_space(&p));
	assert_false(parse_atom(&p, &value));
	assert_false(parse_skip(&p, 'a'));
	assert_false(parse_skip_word(&p, "abc"));
	assert_false(parse_at_end(&p));
	assert_string_equal(p.error, "missing argument");
}

static void test_words(void **state)
{
	struct imap_parser p = { .rest = SPAN("return (x)") };

	(void)state;
	assert_false(parse_skip_word(&p, "RET"));
	assert_true(parse_skip_word(&p, "RETURN"));
	assert_true(parse_space(&p) && parse_at(&p, '('));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_keyword_limits),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_error_stays),
		cmocka_unit_test(test_words),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
