/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/smtp/parse.h"

#include "base/err.h"
#include "mail/transaction.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_paths(void **state)
{
	static const struct {
		const char *text, *local, *domain;
		enum smtp_reply reply;
	} rows[] = {
		{ "FROM:<a@b.example>", "a", "b.example", REPLY_NONE },
		{ "from: <a@b.example>", "a", "b.example", REPLY_NONE },
		{ "FROM:<a.b+c@B.Example>", "a.b+c", "b.example", REPLY_NONE },
		{ "FROM:<\"a b\"@b.example>", "a b", "b.example", REPLY_NONE },
		{ "FROM:<\"a>b\"@b.example>", "a>b", "b.example", REPLY_NONE },
		{ "FROM:<\"a\\\"b\"@b.example>", "a\"b", "b.example", REPLY_NONE },
		{ "FROM:<\"a\\b\"@b.example>", "ab", "b.example", REPLY_NONE },
		{ "FROM:<a@[192.0.2.1]>", "a", "[192.0.2.1]", REPLY_NONE },
		{ "FROM:<a@[IPv6:2001:db8::1]>", "a", "[IPv6:2001:db8::1]", REPLY_NONE },
		{ "FROM:<@x.example,@y.example:a@b.example>", "a", "b.example", REPLY_NONE },
		{ "FROM:<>", "", "", REPLY_NONE },
		{ "FROM:<a@m\xc3\xbcller.example> SMTPUTF8", "a", "xn--mller-kva.example",
			REPLY_NONE },
		{ "FROM:<a@m\xc3\xbcller.example>", NULL, NULL, REPLY_NEEDS_UTF8 },
		{ "FROM:<a@b.example> SMTPUTF8", "a", "b.example", REPLY_NONE },
		{ "", NULL, NULL, REPLY_SYNTAX },
		{ "TO:<a@b.example>", NULL, NULL, REPLY_SYNTAX },
		{ "FROM <a@b.example>", NULL, NULL, REPLY_SYNTAX },
		{ "FROM:", NULL, NULL, REPLY_SENDER_SYNTAX },
		{ "FROM:a@b.example", NULL, NULL, REPLY_SENDER_SYNTAX },
		{ "FROM:<a@b.example", NULL, NULL, REPLY_SENDER_SYNTAX },
		{ "FROM:<a@b.example>>", NULL, NULL, REPLY_SENDER_SYNTAX },
		{ "FROM:<a@b.example>SIZE=1", NULL, NULL, REPLY_SENDER_SYNTAX },
		{ "FROM:<<a@b.example>>", NULL, NULL, REPLY_SENDER_SYNTAX },
		{ "FROM:<a>", NULL, NULL, REPLY_SENDER_SYNTAX },
		{ "FROM:<@b.example>", NULL, NULL, REPLY_SENDER_SYNTAX },
		{ "FROM:<a@>", NULL, NULL, REPLY_SENDER_SYNTAX },
		{ "FROM:<a b@b.example>", NULL, NULL, REPLY_SENDER_SYNTAX },
		{ "FROM:<.a@b.example>", NULL, NULL, REPLY_SENDER_SYNTAX },
		{ "FROM:<a..b@b.example>", NULL, NULL, REPLY_SENDER_SYNTAX },
		{ "FROM:<a@b..example>", NULL, NULL, REPLY_SENDER_SYNTAX },
		{ "FROM:<a@b@c.example>", NULL, NULL, REPLY_SENDER_SYNTAX },
		{ "FROM:<\"a@b.example>", NULL, NULL, REPLY_SENDER_SYNTAX },
		{ "FROM:<a@[192.0.2.1>", NULL, NULL, REPLY_SENDER_SYNTAX },
		{ "FROM:<a@[192.0.2.1]x>", NULL, NULL, REPLY_SENDER_SYNTAX },
		{ "FROM:<@x.example:>", NULL, NULL, REPLY_SENDER_SYNTAX },
		{ "FROM:<\xff@b.example> SMTPUTF8", NULL, NULL, REPLY_SENDER_SYNTAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct smtp_mail mail = {};
		enum smtp_reply reply = smtp_parse_mail(span_str(rows[i].text), &mail);
		const struct address_name *a = &mail.sender.address;

		if (reply != rows[i].reply)
			fail_msg("row %zu %s: reply %d", i, rows[i].text, reply);
		if (reply)
			continue;
		if (!span_is(address_name_local(a), rows[i].local) ||
			!span_is_nocase(address_name_domain(a), rows[i].domain))
			fail_msg("row %zu %s", i, rows[i].text);
		assert_int_equal(mail.sender.null, rows[i].local[0] == 0);
	}
}

static void test_long_paths(void **state)
{
	CLEANUP(buf_done) struct buf text = {};
	struct smtp_mail mail;

	(void)state;
	buf_add_string(&text, "FROM:<");
	for (unsigned i = 0; i < 64; i++)
		buf_add_octet(&text, 'a');
	buf_add_string(&text, "@b.example>");
	assert_int_equal(smtp_parse_mail(buf_span(&text), &mail), REPLY_NONE);
	buf_clear(&text);
	buf_add_string(&text, "FROM:<");
	for (unsigned i = 0; i < 65; i++)
		buf_add_octet(&text, 'a');
	buf_add_string(&text, "@b.example>");
	assert_int_equal(smtp_parse_mail(buf_span(&text), &mail), REPLY_SENDER_SYNTAX);
}

static void test_mail_parameters(void **state)
{
	struct smtp_mail mail;
	static const struct {
		const char *parameters;
		enum smtp_reply reply;
	} rows[] = {
		{ "", REPLY_NONE },
		{ "size=0", REPLY_NONE },
		{ "BODY=8bitmime", REPLY_NONE },
		{ "BODY=7BIT  SIZE=12", REPLY_NONE },
		{ "AUTH=<>", REPLY_NONE },
		{ "AUTH=a+40b", REPLY_NONE },
		{ "RET=full", REPLY_NONE },
		{ "ENVID=x", REPLY_NONE },
		{ "SIZE", REPLY_BAD_PARAMETER },
		{ "SIZE=", REPLY_BAD_PARAMETER },
		{ "SIZE=-1", REPLY_BAD_PARAMETER },
		{ "SIZE=1 SIZE=1", REPLY_BAD_PARAMETER },
		{ "SIZE=18446744073709551616", REPLY_BAD_PARAMETER },
		{ "BODY=BINARYMIME", REPLY_BAD_PARAMETER },
		{ "SMTPUTF8=1", REPLY_BAD_PARAMETER },
		{ "RET=SOME", REPLY_BAD_PARAMETER },
		{ "ENVID", REPLY_BAD_PARAMETER },
		{ "ENVID=+0A", REPLY_BAD_PARAMETER },
		{ "AUTH=+", REPLY_BAD_PARAMETER },
		{ "NOTIFY=NEVER", REPLY_UNKNOWN_PARAMETER },
		{ "REQUIRETLS", REPLY_UNKNOWN_PARAMETER },
		{ "=", REPLY_UNKNOWN_PARAMETER },
		{ "SIZE==1", REPLY_UNKNOWN_PARAMETER },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(buf_done) struct buf text = {};
		enum smtp_reply reply;

		buf_add_format(&text, "FROM:<a@b.example> %s", rows[i].parameters);
		reply = smtp_parse_mail(buf_span(&text), &mail);
		if (reply != rows[i].reply)
			fail_msg("%s: reply %d", rows[i].parameters, reply);
	}
	assert_int_equal(smtp_parse_mail(SPAN("FROM:<a@b.example> SIZE=77 RET=FULL ENVID=x+2By "
					      "SMTPUTF8"),
				 &mail),
		REPLY_NONE);
	assert_int_equal(mail.size, 77);
	assert_true(mail.return_full);
	assert_true(mail.utf8);
	assert_true(span_is(mail.envelope_id, "x+2By"));
}

static void test_rcpt(void **state)
{
	static const struct {
		const char *text;
		enum smtp_reply reply;
		unsigned notify;
	} rows[] = {
		{ "TO:<a@b.example>", REPLY_NONE, 0 },
		{ "TO:<postmaster>", REPLY_NONE, 0 },
		{ "TO:<PostMaster>", REPLY_NONE, 0 },
		{ "TO:<a@b.example> NOTIFY=NEVER", REPLY_NONE, NOTIFY_NEVER },
		{ "TO:<a@b.example> notify=success,failure", REPLY_NONE,
			NOTIFY_SUCCESS | NOTIFY_FAILURE },
		{ "TO:<a@b.example> NOTIFY=DELAY ORCPT=rfc822;a@b", REPLY_NONE, NOTIFY_DELAY },
		{ "TO:<a@b.example> ORCPT=utf-8;a\\x{E4}@b", REPLY_NONE, 0 },
		{ "TO:<>", REPLY_RECIPIENT_SYNTAX, 0 },
		{ "TO:<a>", REPLY_RECIPIENT_SYNTAX, 0 },
		{ "TO:a@b.example", REPLY_RECIPIENT_SYNTAX, 0 },
		{ "FROM:<a@b.example>", REPLY_SYNTAX, 0 },
		{ "TO:<a@b.example> NOTIFY=NEVER,FAILURE", REPLY_BAD_PARAMETER, 0 },
		{ "TO:<a@b.example> NOTIFY=", REPLY_BAD_PARAMETER, 0 },
		{ "TO:<a@b.example> NOTIFY=SOON", REPLY_BAD_PARAMETER, 0 },
		{ "TO:<a@b.example> NOTIFY=NEVER NOTIFY=NEVER", REPLY_BAD_PARAMETER, 0 },
		{ "TO:<a@b.example> ORCPT=a@b", REPLY_BAD_PARAMETER, 0 },
		{ "TO:<a@b.example> ORCPT=;a@b", REPLY_BAD_PARAMETER, 0 },
		{ "TO:<a@b.example> ORCPT=rfc822;", REPLY_BAD_PARAMETER, 0 },
		{ "TO:<a@b.example> ORCPT=rf_c;a", REPLY_BAD_PARAMETER, 0 },
		{ "TO:<a@b.example> ORCPT=rfc822;a+0Ab", REPLY_BAD_PARAMETER, 0 },
		{ "TO:<a@b.example> SIZE=1", REPLY_UNKNOWN_PARAMETER, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct smtp_rcpt rcpt = {};
		enum smtp_reply reply = smtp_parse_rcpt(span_str(rows[i].text), &rcpt);

		if (reply != rows[i].reply || rcpt.notify != rows[i].notify)
			fail_msg("%s: reply %d", rows[i].text, reply);
	}
}

static void test_bdat(void **state)
{
	static const struct {
		const char *text;
		uint64_t size;
		bool last;
		bool good;
	} rows[] = {
		{ "0", 0, false, true },
		{ "12 LAST", 12, true, true },
		{ "12  last ", 12, true, true },
		{ "", 0, false, false },
		{ "x", 0, false, false },
		{ "-1", 0, false, false },
		{ "1 FIRST", 0, false, false },
		{ "1 LAST x", 0, false, false },
		{ "1,LAST", 0, false, false },
		{ "9223372036854775808", 0, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct smtp_bdat bdat;
		enum smtp_reply reply = smtp_parse_bdat(span_str(rows[i].text), &bdat);

		if (reply != (rows[i].good ? REPLY_NONE : REPLY_CHUNK_SYNTAX))
			fail_msg("%s", rows[i].text);
		if (rows[i].good) {
			assert_int_equal(bdat.size, rows[i].size);
			assert_int_equal(bdat.last, rows[i].last);
		}
	}
}

static void test_helo(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ "a", true },
		{ "mail.example.org", true },
		{ "my_pc", true },
		{ "[192.0.2.1]", true },
		{ "[IPv6:2001:db8::1]", true },
		{ " spaced ", true },
		{ "", false },
		{ " ", false },
		{ "a b", false },
		{ "a(b)", false },
		{ "a\x01", false },
		{ "m\xc3\xbcller", false },
		{ "a;b", false },
		{ "<a>", false },
	};
	struct span name;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if ((smtp_parse_helo(span_str(rows[i].text), &name) == REPLY_NONE) != rows[i].good)
			fail_msg("%s", rows[i].text);
	}
}

static void test_auth(void **state)
{
	struct span mechanism, initial;

	(void)state;
	assert_int_equal(smtp_parse_auth(SPAN("PLAIN"), &mechanism, &initial), REPLY_NONE);
	assert_null(initial.p);
	assert_int_equal(smtp_parse_auth(SPAN("PLAIN ="), &mechanism, &initial), REPLY_NONE);
	assert_true(span_is(mechanism, "PLAIN"));
	assert_true(span_is(initial, "="));
	assert_int_equal(smtp_parse_auth(SPAN(""), &mechanism, &initial), REPLY_SYNTAX);
	assert_int_equal(smtp_parse_auth(SPAN("PLAIN a b"), &mechanism, &initial), REPLY_SYNTAX);
}

struct text_row {
	const char *in;
	enum smtp_text_outcome outcome;
	const char *out;  /* before the outcome */
	const char *rest; /* behind the dot */
};

static const struct text_row text_rows[] = {
	{ ".\r\n", SMTP_TEXT_END, "", "" },
	{ "a\r\n.\r\nQUIT\r\n", SMTP_TEXT_END, "a\r\n", "QUIT\r\n" },
	{ "a\r\n..\r\n.\r\n", SMTP_TEXT_END, "a\r\n.\r\n", "" },
	{ "..a\r\n.b\r\n.\r\n", SMTP_TEXT_END, ".a\r\nb\r\n", "" },
	{ "\r\n\r\n.\r\n", SMTP_TEXT_END, "\r\n\r\n", "" },
	{ "a.\r\n.\r\n.\r\n", SMTP_TEXT_END, "a.\r\n", ".\r\n" },
	{ "a.b.c\r\n.\r\n", SMTP_TEXT_END, "a.b.c\r\n", "" },
	{ "a\r\n.", SMTP_TEXT_MORE, "a\r\n", "." },
	{ "a\r\n.\r", SMTP_TEXT_MORE, "a\r\n", ".\r" },
	{ "a\r", SMTP_TEXT_MORE, "a", "\r" },
	{ "a", SMTP_TEXT_MORE, "a", "" },
	{ "a\n.\r\n", SMTP_TEXT_BARE, NULL, NULL },
	{ "a\r\n.\n", SMTP_TEXT_BARE, NULL, NULL },
	{ "a\r\n\n.\r\n", SMTP_TEXT_BARE, NULL, NULL },
	{ "a\r.\r\n", SMTP_TEXT_BARE, NULL, NULL },
	{ "a\r\r\n.\r\n", SMTP_TEXT_BARE, NULL, NULL },
	{ "a\r\n.\r\r\n", SMTP_TEXT_BARE, NULL, NULL },
	{ "a\r\n\r.\r\n", SMTP_TEXT_BARE, NULL, NULL },
	{ "\n", SMTP_TEXT_BARE, NULL, NULL },
	{ ".\n", SMTP_TEXT_BARE, NULL, NULL },
	{ ".\ra", SMTP_TEXT_BARE, NULL, NULL },
	{ "..\n", SMTP_TEXT_BARE, NULL, NULL },
};

/* Given in pieces of `step`, as the session does. */
static enum smtp_text_outcome run_text(
	struct span in, size_t step, struct buf *out, struct buf *rest)
{
	struct smtp_text t = { .line_start = true };
	enum smtp_text_outcome outcome = SMTP_TEXT_MORE;
	CLEANUP(buf_done) struct buf held = {};
	struct span piece;

	for (size_t at = 0; outcome == SMTP_TEXT_MORE && at < in.n; at += step) {
		struct span data;

		buf_add(&held, span_head(span_skip(in, at), step));
		data = buf_span(&held);
		do {
			outcome = smtp_text_next(&t, &data, &piece);
			buf_add(out, piece);
		} while (outcome == SMTP_TEXT_MORE && piece.n);
		buf_take(&held, buf_size(&held) - data.n);
		if (outcome != SMTP_TEXT_MORE || at + step >= in.n) {
			buf_add(rest, buf_span(&held));
			buf_add(rest, span_skip(in, at + step < in.n ? at + step : in.n));
		}
	}
	return outcome;
}

static void test_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof text_rows / sizeof text_rows[0]; i++) {
		const struct text_row *row = &text_rows[i];

		for (size_t step = 1; step <= strlen(row->in); step++) {
			CLEANUP(buf_done) struct buf out = {};
			CLEANUP(buf_done) struct buf rest = {};

			if (run_text(span_str(row->in), step, &out, &rest) != row->outcome)
				fail_msg("row %zu, pieces of %zu", i, step);
			if (row->outcome == SMTP_TEXT_BARE)
				continue;
			if (!span_is(buf_span(&out), row->out) ||
				!span_is(buf_span(&rest), row->rest))
				fail_msg("row %zu, pieces of %zu", i, step);
		}
	}
}

static void test_bare(void **state)
{
	static const struct {
		const char *first, *second;
		bool bare, cr;
	} rows[] = {
		{ "a\r\nb", "", false, false },
		{ "a\r", "\nb", false, false },
		{ "\r\n\r\n", "a\r", false, true },
		{ "a\nb", "", true, false },
		{ "a\r", "b", true, false },
		{ "a", "\n", true, false },
		{ "\r\r\n", "", true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bool cr = false;
		bool bare = smtp_has_bare(span_str(rows[i].first), &cr) ||
			    smtp_has_bare(span_str(rows[i].second), &cr);

		assert_int_equal(bare, rows[i].bare);
		if (!bare)
			assert_int_equal(cr, rows[i].cr);
	}
}

/* RFC 3463 section 2: the status' class is the code's; and no row was forgotten. */
static void test_replies(void **state)
{
	(void)state;
	for (unsigned i = REPLY_NONE + 1; i < REPLIES; i++) {
		CLEANUP(buf_done) struct buf line = {};
		struct span s;

		smtp_reply_add(&line, i);
		s = buf_span(&line);
		assert_true(s.n > 10);
		assert_true(s.p[0] >= '2' && s.p[0] <= '5');
		if (i != REPLY_GO_AHEAD)
			assert_int_equal(s.p[4], s.p[0]);
		assert_int_equal(span_find_span(s, SPAN("\r\n")), s.n - 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_long_paths),
		cmocka_unit_test(test_mail_parameters),
		cmocka_unit_test(test_rcpt),
		cmocka_unit_test(test_bdat),
		cmocka_unit_test(test_helo),
		cmocka_unit_test(test_auth),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_bare),
		cmocka_unit_test(test_replies),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
