/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "mail/bounce.h"

#include "base/alloc.h"
#include "mail/trace.h"
#include "mail/xtext.h"
#include "mime/part.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct mail_address sender = { SPAN("john doe"), SPAN("example.net") };

static bool has(const struct buf *b, const char *text)
{
	return span_find_span(buf_span(b), span_str(text)) < buf_size(b);
}

static struct bounce failed_bounce(const struct bounce_recipient *recipients, size_t n)
{
	return (struct bounce){
		.hostname = SPAN("mail.example.org"),
		.to = sender,
		.envelope_id = SPAN("QQ+2B1"),
		.unique = SPAN("0123456789abcdef"),
		.arrival_us = 1770091506000000,
		.now_us = 1770091507000000,
		.recipients = recipients,
		.n = n,
		.message = SPAN("From: x\r\nSubject: secret plans\r\n\r\nthe body\r\n"),
	};
}

/* A reason that a rule gives is text in lines, whatever it holds. */
static void test_reason(void **state)
{
	CLEANUP(buf_done) struct buf reason = {}, out = {};
	struct verdict_text verdict = { .code = 550, .status = "5.7.1" };
	struct bounce_recipient recipient = { .address = { SPAN("bob"), SPAN("example.org") },
		.verdict = &verdict };
	struct bounce b = failed_bounce(&recipient, 1);
	struct span rest, line;

	(void)state;
	buf_add_string(&reason, "no\x1b[2J\r\n--0123456789abcdef\r\n");
	for (unsigned i = 0; i < 3000; i++)
		buf_add_string(&reason, "\xC3\xBC");
	buf_add_octet(&reason, 0);
	verdict.text = (const char *)buf_span(&reason).p;
	bounce_compose(&b, &out);
	assert_true(has(&out, "no[2J\r\n    --0123456789abcdef\r\n"));
	rest = buf_span(&out);
	assert_true(span_is_utf8(rest));
	while (rest.n) {
		line = span_cut(&rest, '\n');
		assert_true(line.n <= 999 && span_is_utf8(line));
	}
}

static void test_failed(void **state)
{
	const struct bounce_recipient recipients[] = {
		{ .address = { SPAN("bob"), SPAN("example.org") },
			.original = SPAN("rfc822;Bob+2Bx@example.org"),
			.verdict = recipient_verdict_text(RECIPIENT_UNKNOWN) },
		{ .address = { SPAN("full"), SPAN("example.org") },
			.verdict = recipient_verdict_text(RECIPIENT_FULL) },
	};
	struct bounce b = failed_bounce(recipients, 2);
	CLEANUP(buf_done) struct buf out = {};
	CLEANUP(part_tree_freep) struct part_tree *tree = NULL;

	(void)state;
	bounce_compose(&b, &out);
	assert_true(span_starts(buf_span(&out), SPAN("Return-Path: <>\r\n")));
	assert_true(has(&out, "\r\nTo: <\"john doe\"@example.net>\r\n"));
	assert_true(has(&out, "\r\nAuto-Submitted: auto-replied\r\n"));
	assert_true(has(&out, "\r\nReporting-MTA: dns; mail.example.org\r\n"
			      "Original-Envelope-Id: QQ+1\r\n"
			      "Arrival-Date: Tue, 03 Feb 2026 04:05:06 +0000\r\n"
			      "\r\n"
			      "Original-Recipient: rfc822; Bob+x@example.org\r\n"
			      "Final-Recipient: rfc822; bob@example.org\r\n"
			      "Action: failed\r\n"
			      "Status: 5.1.1\r\n"
			      "\r\n"
			      "Final-Recipient: rfc822; full@example.org\r\n"
			      "Action: failed\r\n"
			      "Status: 5.2.2\r\n"));
	assert_true(has(&out, "Subject: secret plans\r\n"));
	assert_false(has(&out, "the body"));

	tree = part_parse(buf_span(&out));
	assert_int_equal(tree->parts[0].kind, PART_MULTIPART);
	assert_true(span_is(tree->parts[0].subtype, "report"));
	assert_true(span_is(tree->parts[1].subtype, "plain"));
	assert_true(span_is(tree->parts[2].subtype, "delivery-status"));
	assert_true(span_is(tree->parts[3].subtype, "rfc822-headers"));
	assert_int_equal(tree->n, 4);
}

static void test_full(void **state)
{
	const struct bounce_recipient recipient = {
		.address = { SPAN("bob"), SPAN("example.org") },
		.verdict = recipient_verdict_text(RECIPIENT_LOOP),
	};
	struct bounce b = failed_bounce(&recipient, 1);
	CLEANUP(buf_done) struct buf out = {};
	CLEANUP(part_tree_freep) struct part_tree *tree = NULL;

	(void)state;
	b.full = true;
	bounce_compose(&b, &out);
	assert_true(has(&out, "the body\r\n"));
	tree = part_parse(buf_span(&out));
	assert_int_equal(tree->n, 5);
	assert_int_equal(tree->parts[3].kind, PART_MESSAGE);
}

static void test_delivered(void **state)
{
	const struct bounce_recipient recipient = {
		.address = { SPAN("bob"), SPAN("example.org") },
		.action = BOUNCE_DELIVERED,
		.verdict = recipient_verdict_text(RECIPIENT_OK),
	};
	struct bounce b = failed_bounce(&recipient, 1);
	CLEANUP(buf_done) struct buf out = {};

	(void)state;
	bounce_compose(&b, &out);
	assert_true(has(&out, "Action: delivered\r\nStatus: 2.1.5\r\n"));
	assert_true(has(&out, "has been delivered"));
	assert_false(has(&out, "could not"));
}

static void test_international(void **state)
{
	const struct bounce_recipient recipient = {
		.address = { SPAN("j\xc3\xb6rg"), SPAN("example.org") },
		.original = SPAN("utf-8;j\\x{F6}rg@example.org"),
		.verdict = recipient_verdict_text(RECIPIENT_UNKNOWN),
	};
	struct bounce b = failed_bounce(&recipient, 1);
	CLEANUP(buf_done) struct buf out = {};

	(void)state;
	bounce_compose(&b, &out);
	assert_true(has(&out, "Content-Type: message/global-delivery-status\r\n"
			      "Content-Transfer-Encoding: 8bit\r\n"));
	assert_true(has(&out, "Original-Recipient: utf-8; j\\x{F6}rg@example.org\r\n"
			      "Final-Recipient: utf-8; j\xc3\xb6rg@example.org\r\n"));
}

/* A header beyond what is returned is cut between lines. */
static void test_long_header(void **state)
{
	const struct bounce_recipient recipient = {
		.address = { SPAN("bob"), SPAN("example.org") },
		.verdict = recipient_verdict_text(RECIPIENT_UNKNOWN),
	};
	struct bounce b = failed_bounce(&recipient, 1);
	CLEANUP(buf_done) struct buf header = {};
	CLEANUP(buf_done) struct buf out = {};

	(void)state;
	for (unsigned i = 0; i < 10000; i++)
		buf_add_format(&header, "X-%05u: something\r\n", i);
	b.message = buf_span(&header);
	bounce_compose(&b, &out);
	assert_true(buf_size(&out) < 70000);
	assert_true(has(&out, "something\r\n\r\n--0123456789abcdef--\r\n"));
}

static void test_xtext(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "", "" },
		{ "abc", "abc" },
		{ "a+2Bb", "a+b" },
		{ "+20", " " },
		{ "+3D", "=" },
		{ "a=b", NULL },
		{ "a b", NULL },
		{ "+0D", NULL },
		{ "+0A", NULL },
		{ "+7F", NULL },
		{ "+2b", NULL },
		{ "+", NULL },
		{ "+2", NULL },
		{ "a+2", NULL },
		{ "\x80", NULL },
		{ "+80", NULL },
		{ "a+2Gb", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(buf_done) struct buf out = {};

		buf_add_string(&out, ">");
		assert_int_equal(xtext_decode(span_str(rows[i].in), &out), rows[i].out != NULL);
		assert_true(span_is(span_skip(buf_span(&out), 1), rows[i].out ? rows[i].out : ""));
	}
}

static void test_trace(void **state)
{
	CLEANUP(transaction_freep) struct transaction *t = alloc_zero(sizeof *t);
	struct trace trace = {
		.transaction = t,
		.helo = SPAN("client.example.net"),
		.peer = SPAN("[192.0.2.1]"),
		.hostname = SPAN("mail.example.org"),
		.id = SPAN("abc.1"),
		.extended = true,
		.now_us = 1770091506000000,
	};
	struct recipient bob = { .address = { SPAN("bob"), SPAN("example.org") } };
	CLEANUP(buf_done) struct buf out = {};

	(void)state;
	t->sender = mail_address_copy(&t->arena, &sender);
	transaction_add(t, &bob);
	trace_add(&out, &trace);
	assert_true(span_is(buf_span(&out), "Return-Path: <\"john doe\"@example.net>\r\n"
					    "Delivered-To: bob@example.org\r\n"
					    "Received: from client.example.net ([192.0.2.1])\r\n"
					    "\tby mail.example.org with ESMTP id abc.1\r\n"
					    "\tfor <bob@example.org>;\r\n"
					    "\tTue, 03 Feb 2026 04:05:06 +0000\r\n"));

	/* Two recipients: neither is named. Everything else there is. */
	buf_clear(&out);
	transaction_add(t, &bob);
	t->sender = (struct mail_address){};
	t->utf8 = true;
	trace.authenticated = true;
	trace.tls_version = "TLSv1.3";
	trace.tls_cipher = "TLS_AES_128_GCM_SHA256";
	trace_add(&out, &trace);
	assert_true(
		span_is(buf_span(&out), "Return-Path: <>\r\n"
					"Received: from client.example.net ([192.0.2.1])\r\n"
					"\t(using TLSv1.3 with cipher TLS_AES_128_GCM_SHA256)\r\n"
					"\tby mail.example.org with UTF8SMTPSA id abc.1;\r\n"
					"\tTue, 03 Feb 2026 04:05:06 +0000\r\n"));
	buf_clear(&out);
	trace.extended = false;
	trace_add(&out, &trace);
	assert_true(has(&out, " with SMTP id "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reason),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_delivered),
		cmocka_unit_test(test_international),
		cmocka_unit_test(test_long_header),
		cmocka_unit_test(test_xtext),
		cmocka_unit_test(test_trace),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
