/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The order of SORT: each key, both ways, ties, and what is missing. */

#include "svc/imap/sort.h"

#include "mime/word.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct line {
	const char *subject, *from, *to;
	int64_t sent, received;
	uint64_t size;
};

static const struct line lines[] = {
	/* 1 */ { "Re: banana", "zoe", "m", 50, 10, 300 },
	/* 2 */ { "apple", "Bob", "m", 40, 20, 100 },
	/* 3 */ { "[list] Banana", "alice", NULL, 0, 45, 200 },
	/* 4 */ { NULL, NULL, "a", 30, 40, 200 },
	/* 5 */ { "\xC3\xA9t\xC3\xA9", "ALICE", "b", 20, 50, 200 },
	/* 6 */ { "=?utf-8?Q?=C3=89T=C3=89?=", "carl", "b", 10, 60, 1 },
};

static void add(struct sorter *sorter, uint32_t number, const struct line *l)
{
	struct envelope_address from = { .mailbox = span_str(l->from) };
	struct envelope_address to = { .mailbox = span_str(l->to) };
	struct envelope e = {
		.subject = span_str(l->subject),
		.from = { &from, l->from ? 1 : 0 },
		.to = { &to, l->to ? 1 : 0 },
	};
	struct store_message row = {
		.sent_us = l->sent, .received_us = l->received, .size = l->size,
	};

	assert_int_equal(sorter_add(sorter, number, &row, &e), 0);
}

static void orders(void **state)
{
	static const struct {
		size_t n_keys;
		struct sort_key keys[3];
		uint32_t order[6];
		bool envelope;
	} rows[] = {
		{ 1, { { SORT_ARRIVAL, false } }, { 1, 2, 4, 3, 5, 6 }, false },
		{ 1, { { SORT_ARRIVAL, true } }, { 6, 5, 3, 4, 2, 1 }, false },
		/* Without a Date: the time of arrival counts: 3 is 45. */
		{ 1, { { SORT_DATE, false } }, { 6, 5, 4, 2, 3, 1 }, false },
		/* Equal ones stay in their order, in reverse too (RFC 5256 section 3). */
		{ 1, { { SORT_SIZE, false } }, { 6, 2, 3, 4, 5, 1 }, false },
		{ 1, { { SORT_SIZE, true } }, { 1, 3, 4, 5, 2, 6 }, false },
		{ 1, { { SORT_SUBJECT, false } }, { 4, 2, 1, 3, 5, 6 }, true },
		{ 2, { { SORT_SUBJECT, false }, { SORT_SIZE, false } },
			{ 4, 2, 3, 1, 6, 5 }, true },
		{ 2, { { SORT_SUBJECT, true }, { SORT_SIZE, false } }, { 6, 5, 3, 1, 2, 4 }, true },
		{ 1, { { SORT_FROM, false } }, { 4, 3, 5, 2, 6, 1 }, true },
		{ 3, { { SORT_TO, false }, { SORT_FROM, true }, { SORT_SIZE, false } },
			{ 3, 4, 6, 5, 1, 2 }, true },
		{ 1, { { SORT_CC, false } }, { 1, 2, 3, 4, 5, 6 }, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct sorter sorter = { .n_keys = rows[i].n_keys };

		memcpy(sorter.keys, rows[i].keys, sizeof rows[i].keys);
		assert_int_equal(sorter_needs_envelope(&sorter), rows[i].envelope);
		for (uint32_t n = 0; n < 6; n++)
			add(&sorter, n + 1, &lines[n]);
		sorter_sort(&sorter);
		for (size_t n = 0; n < 6; n++) {
			if (sorter_number(&sorter, n) != rows[i].order[n])
				fail_msg("row %zu: %u at %zu", i, sorter_number(&sorter, n), n);
		}
		sorter_done(&sorter);
	}
}

/* Long texts are compared by their beginning, so that they cannot take all memory. */
static void long_texts(void **state)
{
	struct sorter sorter = { .n_keys = 1, .keys = { { SORT_FROM, false } } };
	uint8_t text[2 * SORT_TEXT_MAX];

	(void)state;
	memset(text, 'x', sizeof text);
	for (uint32_t n = 0; n < 3; n++) {
		struct envelope_address from = { .mailbox = { text, sizeof text } };
		struct envelope e = { .from = { &from, 1 } };
		struct store_message row = {};

		text[SORT_TEXT_MAX - 1] = n == 0 ? 'z' : 'x';
		text[SORT_TEXT_MAX] = n == 1 ? 'z' : 'x';
		assert_int_equal(sorter_add(&sorter, n + 1, &row, &e), 0);
	}
	assert_int_equal(buf_size(&sorter.texts), 3 * SORT_TEXT_MAX);
	sorter_sort(&sorter);
	assert_int_equal(sorter_number(&sorter, 0), 2);
	assert_int_equal(sorter_number(&sorter, 1), 3);
	assert_int_equal(sorter_number(&sorter, 2), 1);
	sorter_done(&sorter);
}

static void limit(void **state)
{
	struct sorter sorter = { .n_keys = 1, .keys = { { SORT_TO, false } } };
	uint8_t text[SORT_TEXT_MAX];
	struct envelope_address to = { .mailbox = { text, sizeof text } };
	struct envelope e = { .to = { &to, 1 } };
	struct store_message row = {};
	uint32_t n = 0;
	int r = 0;

	(void)state;
	memset(text, 'x', sizeof text);
	while (r == 0 && n < 1 << 20)
		r = sorter_add(&sorter, ++n, &row, &e);
	assert_int_equal(r, SORT_E_LIMIT);
	assert_true(buf_size(&sorter.texts) <= SORT_TEXTS_MAX + SORT_TEXT_MAX);
	sorter_done(&sorter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders),
		cmocka_unit_test(long_texts),
		cmocka_unit_test(limit),
	};

	word_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
