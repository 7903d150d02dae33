/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "net/smtp_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The outcome; the reply is the caller's. */
static int read_text(struct smtp_reply *r, const char *text, size_t *ret_rest)
{
	struct span in = span_str(text);
	struct why why = {};
	int outcome = smtp_reply_read(r, &in, &why);

	*ret_rest = in.n;
	if (outcome == SMTP_REPLY_E_SYNTAX)
		assert_true(why.text[0]);
	return outcome;
}

static void replies_are_read(void **state)
{
	static const struct {
		const char *text;
		int outcome;
		unsigned code;
		size_t rest;
	} cases[] = {
		{ "220 mx.example.com ESMTP\r\n", 0, 220, 0 },
		{ "220\r\n", 0, 220, 0 },
		{ "250-mx\r\n250-SIZE 10\r\n250 STARTTLS\r\n", 0, 250, 0 },
		{ "250-mx\r\n250-SIZE 10\r\n250", SMTP_REPLY_E_MORE, 250, 3 },
		{ "220 ready\r\n250 injected\r\n", 0, 220, 14 },
		{ "554 no\n", 0, 554, 0 },
		{ "", SMTP_REPLY_E_MORE, 0, 0 },
		{ "22", SMTP_REPLY_E_MORE, 0, 2 },
		{ "\r\n", SMTP_REPLY_E_SYNTAX, 0, 2 },
		{ "120 x\r\n", SMTP_REPLY_E_SYNTAX, 0, 7 },
		{ "260 x\r\n", SMTP_REPLY_E_SYNTAX, 0, 7 },
		{ "2200 x\r\n", SMTP_REPLY_E_SYNTAX, 0, 8 },
		{ "250-a\r\n251 b\r\n", SMTP_REPLY_E_SYNTAX, 250, 7 },
		{ "220 a\rb\r\n", SMTP_REPLY_E_SYNTAX, 0, 9 },
		{ "SSH-2.0-OpenSSH_9.2\r\n", SMTP_REPLY_E_SYNTAX, 0, 21 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct smtp_reply r = {};
		size_t rest;

		assert_int_equal(read_text(&r, cases[i].text, &rest), cases[i].outcome);
		assert_int_equal(r.code, cases[i].code);
		assert_int_equal(rest, cases[i].rest);
		smtp_reply_done(&r);
	}
}

static void extensions_are_words_behind_the_first_line(void **state)
{
	struct smtp_reply r = {};
	size_t rest;

	(void)state;
	assert_int_equal(read_text(&r,
				 "250-PIPELINING\r\n250-size 100\r\n250-XSTARTTLS\r\n"
				 "250-AUTH STARTTLS\r\n250 8BITMIME\r\n",
				 &rest),
		0);
	assert_true(smtp_reply_offers(&r, "SIZE"));
	assert_true(smtp_reply_offers(&r, "8BITMIME"));
	assert_false(smtp_reply_offers(&r, "PIPELINING"));
	assert_false(smtp_reply_offers(&r, "STARTTLS"));
	smtp_reply_done(&r);
}

static void reasons_are_short(void **state)
{
	struct smtp_reply r = {};
	struct why why;
	size_t rest;

	(void)state;
	assert_int_equal(read_text(&r, "454-4.7.0 not now\r\n454 later\r\n", &rest), 0);
	smtp_reply_why(&r, &why);
	assert_string_equal(why.text, "454 4.7.0 not now");
	smtp_reply_done(&r);
}

/* RFC 5321 section 4.5.3.1.5 and our own limits. */
static void long_replies_end(void **state)
{
	struct smtp_reply r = {};
	struct buf in = {};
	struct span rest;
	struct why why;

	(void)state;
	buf_add_string(&in, "220 ");
	while (buf_size(&in) < SMTP_REPLY_LINE_MAX - 1)
		buf_add_octet(&in, 'x');
	rest = buf_span(&in);
	assert_int_equal(smtp_reply_read(&r, &rest, &why), SMTP_REPLY_E_MORE);
	buf_add_octet(&in, 'x');
	rest = buf_span(&in);
	assert_int_equal(smtp_reply_read(&r, &rest, &why), SMTP_REPLY_E_SYNTAX);
	buf_clear(&in);
	smtp_reply_clear(&r);
	for (int i = 0; i <= SMTP_REPLY_LINES_MAX; i++)
		buf_add_string(&in, "220-more\r\n");
	rest = buf_span(&in);
	assert_int_equal(smtp_reply_read(&r, &rest, &why), SMTP_REPLY_E_SYNTAX);
	assert_int_equal(r.n_lines, SMTP_REPLY_LINES_MAX);
	smtp_reply_done(&r);
	buf_done(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_read),
		cmocka_unit_test(extensions_are_words_behind_the_first_line),
		cmocka_unit_test(reasons_are_short),
		cmocka_unit_test(long_replies_end),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
