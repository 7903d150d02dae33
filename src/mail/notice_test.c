/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The head that all notices have, and what hostile text becomes in a fact. What the messages say is in
 * the tests of each kind. */

#include "mail/notice.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/test.h"

static const int64_t now_us = 1770091506000000; /* 2026-02-03T04:05:06Z */
static const int64_t hour_us = 3600LL * 1000000;

static void test_head(void **state)
{
	CLEANUP(buf_done) struct buf out = {};
	const struct notice_head head = { .hostname = SPAN("mail.example"),
		.local = SPAN("alice"),
		.domain = SPAN("example.org"),
		.subject = SPAN("What it is"),
		.unique = SPAN("0123456789abcdef"),
		.now_us = now_us };

	(void)state;
	notice_add_head(&head, &out);
	buf_add_octet(&out, 0);
	assert_string_equal((const char *)buf_span(&out).p,
		"Return-Path: <>\r\n"
		"From: Signet <postmaster@mail.example>\r\n"
		"To: <alice@example.org>\r\n"
		"Subject: What it is\r\n"
		"Date: Tue, 03 Feb 2026 04:05:06 +0000\r\n"
		"Message-ID: <0123456789abcdef@mail.example>\r\n"
		"Auto-Submitted: auto-generated\r\n"
		"MIME-Version: 1.0\r\n"
		"Content-Type: text/plain; charset=utf-8\r\n"
		"Content-Transfer-Encoding: 8bit\r\n"
		"\r\n");
}

static void test_facts(void **state)
{
	static const struct {
		const char *text, *line;
	} cases[] = {
		{ "plain", "    Name:        plain\r\n" },
		{ "", "    Name:        \r\n" },
		{ "a\r\nBcc: b\r\n\r\n\x1B[2J\x7F", "    Name:        a??Bcc: b?????[2J?\r\n" },
		{ "gr\xC3\xBC\xC3\x9F", "    Name:        gr\xC3\xBC\xC3\x9F\r\n" },
		{ "\xC3\xBC and \xFC", "    Name:        ?? and ?\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		CLEANUP(buf_done) struct buf out = {};

		notice_add_fact(&out, "Name:", span_str(cases[i].text));
		buf_add_octet(&out, 0);
		assert_string_equal((const char *)buf_span(&out).p, cases[i].line);
	}
}

/* Cut where a line would be too long, between characters. */
static void test_long_facts(void **state)
{
	(void)state;
	for (size_t shift = 0; shift < 4; shift++) {
		CLEANUP(buf_done) struct buf text = {}, out = {};
		struct span line;

		for (size_t i = 0; i < shift; i++)
			buf_add_octet(&text, 'x');
		for (int i = 0; i < 1000; i++)
			buf_add_string(&text, "\xF0\x9F\x94\x91");
		notice_add_fact(&out, "Name:", buf_span(&text));
		line = buf_span(&out);
		assert_true(line.n < 998 && line.n > 600);
		assert_true(span_is_utf8(line));
		assert_memory_equal(line.p + line.n - 5, "...\r\n", 5);
	}
}

static void test_left(void **state)
{
	static const struct {
		int64_t hours;
		const char *text;
	} cases[] = {
		{ 0, "within the hour" }, { 1, "in 1 hour" }, { 47, "in 47 hours" },
		{ 48, "in 2 days" }, { 71, "in 2 days" }, { 24 * 30, "in 30 days" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		CLEANUP(buf_done) struct buf out = {};

		notice_add_left(&out, now_us + cases[i].hours * hour_us + hour_us / 2, now_us);
		buf_add_octet(&out, 0);
		assert_string_equal((const char *)buf_span(&out).p, cases[i].text);
	}
}

static void test_unique(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	struct span one = notice_unique(&a), other = notice_unique(&a);

	(void)state;
	assert_int_equal(one.n, 32);
	assert_false(span_equal(one, other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_long_facts),
		cmocka_unit_test(test_left),
		cmocka_unit_test(test_unique),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
