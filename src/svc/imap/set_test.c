/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "store/view.h"
#include "svc/imap/parse.h"
#include "svc/imap/set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const uint32_t uids[] = { 3, 5, 6, 7, 100, UINT32_MAX - 1 };
static const struct view view = { .n = 6, .uids = uids, .uidnext = UINT32_MAX };
static const struct view empty = { .uidnext = 9 };
static const uint32_t saved[] = { 1, 5, 7, 8 };

static bool parse(struct arena *a, const char *text, struct imap_set *set)
{
	struct imap_parser p = { .rest = span_str(text), .arena = a };

	return parse_set(&p, set) && parse_end(&p);
}

/* The set resolved and written as a set again, of positions from 1. */
static void resolved(struct arena *a, const char *text, const struct view *v, bool by_uid,
	struct buf *out)
{
	struct imap_positions positions;
	struct imap_set set;
	uint32_t numbers[10];
	size_t n = 0;

	assert_true(parse(a, text, &set));
	if (!set_resolve(a, &set, v, by_uid, span_of(saved, sizeof saved), &positions)) {
		buf_add_string(out, "beyond");
		return;
	}
	for (size_t i = 0; i < positions.n; i++) {
		for (uint32_t k = positions.stretches[i].first; k < positions.stretches[i].end; k++)
			numbers[n++] = k + 1;
	}
	assert_int_equal(n, positions.total);
	set_add_numbers(out, numbers, n);
}

static const struct {
	const char *text;
	bool by_uid;
	const char *positions;
} rows[] = {
	{ "1", false, "1" },
	{ "*", false, "6" },
	{ "1:*", false, "1:6" },
	{ "*:1", false, "1:6" },
	{ "4:2", false, "2:4" },
	{ "1:3,2:4,3", false, "1:4" },
	{ "6,1,3", false, "1,3,6" },
	{ "2,1", false, "1:2" },
	{ "*:*", false, "6" },
	{ "7", false, "beyond" },
	{ "1:7", false, "beyond" },
	{ "7:*", false, "beyond" },
	{ "4294967295", false, "beyond" },
	{ "$", false, "2,4" },
	{ "5", true, "2" },
	{ "4", true, "" },
	{ "1:4", true, "1" },
	{ "5:7", true, "2:4" },
	{ "*", true, "6" },
	{ "4294967295:*", true, "6" },
	{ "4294967295", true, "" },
	{ "200:*", true, "6" },
	{ "1:4294967295", true, "1:6" },
	{ "100,3", true, "1,5" },
	{ "$", true, "2,4" },
};

static void test_resolve(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct arena arena = {};
		struct buf out = {};

		resolved(&arena, rows[i].text, &view, rows[i].by_uid, &out);
		if (!span_is(buf_span(&out), rows[i].positions))
			fail_msg("%s: %.*s", rows[i].text, (int)buf_size(&out),
				(const char *)buf_span(&out).p);
		buf_done(&out);
		arena_done(&arena);
	}
}

/* RFC 9051 section 9: sequence numbers of an empty mailbox are an error, UIDs are not. */
static void test_empty(void **state)
{
	static const struct {
		const char *text;
		bool by_uid;
		const char *positions;
	} none[] = {
		{ "1", false, "beyond" }, { "1:*", false, "beyond" }, { "*", false, "beyond" },
		{ "1", true, "" }, { "1:*", true, "" }, { "*", true, "" }, { "$", false, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
		struct arena arena = {};
		struct buf out = {};

		resolved(&arena, none[i].text, &empty, none[i].by_uid, &out);
		assert_true(span_is(buf_span(&out), none[i].positions));
		buf_done(&out);
		arena_done(&arena);
	}
}

static void test_wrong(void **state)
{
	static const char *const wrong[] = {
		"", "0", "1,", ",1", "1:", ":1", "1:0", "1::2", "a", "-1", "4294967296", "1 2",
		"$,1", "1,$", "$:1", "**", "1;2", "01x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct arena arena = {};
		struct imap_set set;

		if (parse(&arena, wrong[i], &set))
			fail_msg("accepted: %s", wrong[i]);
		arena_done(&arena);
	}
}

static void test_holds(void **state)
{
	struct arena arena = {};
	struct imap_set set;

	(void)state;
	assert_true(parse(&arena, "5:3,10:*", &set));
	assert_true(set_holds(&set, 3, 20));
	assert_true(set_holds(&set, 5, 20));
	assert_false(set_holds(&set, 6, 20));
	assert_true(set_holds(&set, 20, 20));
	assert_false(set_holds(&set, 21, 20));
	assert_true(set_holds(&set, 7, 7)); /* 10:* is 7:10 where 7 is the largest */
	arena_done(&arena);
}

static void test_order(void **state)
{
	struct arena arena = {};
	struct imap_positions p;
	struct imap_set set;

	(void)state;
	assert_true(parse(&arena, "9:*,3,1:2,40:50", &set));
	set_order(&arena, &set, 20, &p);
	assert_int_equal(p.n, 2);
	assert_int_equal(p.stretches[0].first, 1);
	assert_int_equal(p.stretches[0].end, 4);
	assert_int_equal(p.stretches[1].first, 9);
	assert_int_equal(p.stretches[1].end, 21);
	arena_done(&arena);
}

/* Many overlapping ranges cost their own number. */
static void test_many(void **state)
{
	struct arena arena = {};
	struct imap_positions positions;
	struct buf text = {};
	struct imap_set set;

	(void)state;
	for (unsigned i = 0; i < 20000; i++)
		buf_add_string(&text, "1:*,");
	buf_add_string(&text, "2");
	buf_add_octet(&text, 0);
	assert_true(parse(&arena, (const char *)buf_span(&text).p, &set));
	assert_true(set_resolve(&arena, &set, &view, false, (struct span){}, &positions));
	assert_int_equal(positions.n, 1);
	assert_int_equal(positions.total, 6);
	buf_done(&text);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_holds),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_many),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
