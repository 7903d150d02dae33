/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "mail/renewal_notice.h"

#include "base/err.h"
#include "base/test.h"

static const int64_t now_us = 1770091506000000;

static struct renewal_notice notice(void)
{
	return (struct renewal_notice){ .hostname = SPAN("mail.example"),
		.domain = SPAN("example.org"), .unique = SPAN("0123456789abcdef"),
		.directory = SPAN("https://ca.example/dir"), .type = SPAN("ec:p256"),
		.names = SPAN("example.org,www.example.org"), .trouble = SPAN("rateLimited: later"),
		.n_failures = 3, .next_us = now_us + 3600LL * 1000000,
		.not_after_us = now_us + 86400LL * 1000000, .now_us = now_us };
}

static bool has(const struct renewal_notice *n, const char *text)
{
	CLEANUP(buf_done) struct buf out = {};

	renewal_notice_compose(n, &out);
	/* RFC 5322 section 2.3: lines end with CRLF, and only so. */
	for (size_t i = 0; i < buf_size(&out); i++) {
		const uint8_t *p = buf_span(&out).p + i;

		assert_true(*p != '\n' || (i && p[-1] == '\r'));
		assert_true(*p != '\r' || (i + 1 < buf_size(&out) && p[1] == '\n'));
		assert_true(*p != 0x7F && *p != 0);
	}
	assert_true(span_is_utf8(buf_span(&out)));
	return span_find_span(buf_span(&out), span_str(text)) < buf_size(&out);
}

static void test_facts(void **state)
{
	static const char *const texts[] = { "To: <postmaster@example.org>\r\n",
		"From: Signet <postmaster@mail.example>\r\n",
		"Subject: No new certificate for example.org\r\n",
		"Date: Tue, 03 Feb 2026 04:05:06 +0000\r\n",
		"Message-ID: <0123456789abcdef@mail.example>\r\n",
		"Auto-Submitted: auto-generated\r\n", "https://ca.example/dir\r\n",
		"rateLimited: later\r\n", "3 in a row\r\n", "2026-02-03T05:05:06Z\r\n",
		"2026-02-04T04:05:06Z\r\n", "example.org,www.example.org\r\n", "ec:p256\r\n",
		"goes on serving until it ends", "signet acme renew example.org\r\n" };
	struct renewal_notice n = notice();

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		if (!has(&n, texts[i]))
			fail_msg("%s", texts[i]);
	}
}

static void test_without(void **state)
{
	struct renewal_notice n = notice();

	(void)state;
	n.directory = n.names = SPAN("");
	n.not_after_us = 0;
	assert_true(has(&n, "none is set\r\n"));
	assert_true(has(&n, "the domain and its aliases\r\n"));
	assert_true(has(&n, "what the domain had before goes on serving"));
	assert_false(has(&n, "It ends:"));
	n.not_after_us = now_us - 1;
	assert_true(has(&n, "has expired"));
}

/* What another server says cannot become fields, lines or octets of the message. */
static void test_trouble(void **state)
{
	struct renewal_notice n = notice();
	CLEANUP(buf_done) struct buf large = {};

	(void)state;
	n.trouble = SPAN("a\r\nBcc: x@example.net\r\n\r\n\x1b[2J\xc3\xa9\0z");
	assert_true(has(&n, "a??Bcc: x@example.net?????[2J\xc3\xa9?z\r\n"));
	n.trouble = SPAN("\xc3\xa9\xc3");
	assert_true(has(&n, " ???\r\n"));
	assert_false(has(&n, "\r\nBcc:"));
	memset(buf_room(&large, 5000), 'x', 5000);
	buf_added(&large, 5000);
	n.trouble = buf_span(&large);
	assert_true(has(&n, "xxxx"));
	/* RFC 5322 section 2.1.1: no line over 998. */
	n.trouble = span_head(n.trouble, 5000);
	{
		CLEANUP(buf_done) struct buf out = {};
		struct span rest;

		renewal_notice_compose(&n, &out);
		for (rest = buf_span(&out); rest.n;)
			assert_true(span_cut(&rest, '\n').n <= 998);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_without),
		cmocka_unit_test(test_trouble),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
