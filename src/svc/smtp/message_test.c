/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What lies in the mailbox after a message was sent: that, and nothing but the trace fields. */

#include "base/alloc.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/log.h"
#include "store/content.h"
#include "store/rule_rows.h"
#include "store/store.h"
#include "svc/env_fixture.h"
#include "svc/session_memory.h"
#include "svc/smtp/smtp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct net_address peer = { .family = NET_IP4, .ip = { 192, 0, 2, 1 } };

static int start(void **state)
{
	struct env_fixture *f = env_fixture_new();

	env_fixture_person(f, "bob", "builder");
	*state = f;
	return 0;
}

static int stop(void **state)
{
	env_fixture_free(*state);
	return 0;
}

static int open_store(void **state)
{
	clock_set(1770091506000000, 1000000);
	env_fixture_open(*state);
	return 0;
}

static int close_store(void **state)
{
	env_fixture_close(*state);
	clock_set(0, 0);
	return 0;
}

struct reading {
	int64_t content;
	struct buf *out;
};

static int read_content(struct store_conn *c, void *arg)
{
	struct reading *r = arg;
	size_t before;

	do {
		before = buf_size(r->out);
		TRY(store_content_read(c, r->content, before, CONTENT_INLINE, r->out));
	} while (buf_size(r->out) > before);
	return 0;
}

/* The octets of the newest message. */
static void newest(struct env_fixture *f, struct buf *out)
{
	struct reading r = {
		.content = fixture_number(f->store,
			"SELECT content FROM message ORDER BY id DESC LIMIT 1"),
		.out = out,
	};

	assert_int_equal(store_read(f->env.store, read_content, &r), 0);
}

static int64_t n_messages(struct env_fixture *f)
{
	return fixture_number(f->store, "SELECT count(*) FROM message");
}

static bool ends_with(const struct buf *b, struct span end)
{
	struct span s = buf_span(b);

	return s.n >= end.n && span_equal(span_skip(s, s.n - end.n), end);
}

static bool has(const struct buf *b, const char *text)
{
	return span_find_span(buf_span(b), span_str(text)) < buf_size(b);
}

/* Sends a whole session; the last reply before 221 must be the expected one. */
static void converse(struct env_fixture *f, enum smtp_kind kind, struct span input, size_t step,
	const char *expected)
{
	struct smtp_service service = { .env = &f->env, .kind = kind };
	struct memory_session *m = memory_session_new(&smtp_protocol, &service, &peer,
		kind == SMTP_SUBMISSION);

	memory_session_send(m, input, step);
	if (!has(memory_session_output(m), expected))
		fail_msg("%.*s", (int)buf_size(memory_session_output(m)),
			(const char *)buf_span(memory_session_output(m)).p);
	memory_session_free(m);
}

static void test_data(void **state)
{
	static const size_t steps[] = { 1, 2, 3, 7, 100000 };
	struct env_fixture *f = *state;

	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		CLEANUP(buf_done) struct buf got = {};

		converse(f, SMTP_MX,
			SPAN("EHLO c\r\nMAIL FROM:<x@example.net>\r\nRCPT TO:<bob@example.org>\r\n"
			     "DATA\r\n"
			     "Return-Path: <forged@example.net>\r\n"
			     "Subject: x\r\n\r\n..one\r\n.two\r\n...\r\n\xff\xfe\r\n.\r\nQUIT\r\n"),
			steps[i], "221 ");
		assert_int_equal(n_messages(f), i + 1);
		newest(f, &got);
		assert_true(span_starts(buf_span(&got),
			SPAN("Return-Path: <x@example.net>\r\nDelivered-To: bob@example.org\r\n"
			     "Received: from c ([192.0.2.1])\r\n\tby example.org with ESMTP id ")));
		assert_true(ends_with(&got,
			SPAN("\tfor <bob@example.org>;\r\n\tTue, 03 Feb 2026 04:05:06 +0000\r\n"
			     "Subject: x\r\n\r\n.one\r\ntwo\r\n..\r\n\xff\xfe\r\n")));
		assert_false(has(&got, "forged"));
	}
}

static void test_bdat(void **state)
{
	static const size_t steps[] = { 1, 5, 100000 };
	struct env_fixture *f = *state;

	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		CLEANUP(buf_done) struct buf got = {};

		converse(f, SMTP_MX,
			SPAN("EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\n"
			     "RCPT TO:<alice@example.org>\r\n"
			     "BDAT 13\r\nSubject: x\r\n\rBDAT 8\r\n\n..one\r\nBDAT 3 LAST\r\ntwo"
			     "QUIT\r\n"),
			steps[i], "221 ");
		assert_int_equal(n_messages(f), 2 * (i + 1));
		newest(f, &got);
		assert_true(ends_with(&got, SPAN("+0000\r\nSubject: x\r\n\r\n..one\r\ntwo\r\n")));
		assert_false(has(&got, "Delivered-To"));
		assert_false(has(&got, "alice"));
	}
}

/* RFC 6409 section 8: what a submission lacks is added; what a stranger's mail lacks is not. */
static void test_missing_fields(void **state)
{
	CLEANUP(buf_done) struct buf input = {};
	CLEANUP(buf_done) struct buf got = {};
	CLEANUP(buf_done) struct buf with = {};
	struct env_fixture *f = *state;

	buf_add_string(&input, "EHLO c\r\nAUTH PLAIN ");
	enc_base64(&input, SPAN("\0bob\0builder"));
	buf_add_string(&input, "\r\nMAIL FROM:<bob@example.org>\r\nRCPT TO:<alice@example.org>\r\n"
			       "DATA\r\nSubject: x\r\n\r\nDate: is text\r\n.\r\nQUIT\r\n");
	converse(f, SMTP_SUBMISSION, buf_span(&input), 100000, "250 2.0.0 accepted");
	newest(f, &got);
	assert_true(has(&got, " with ESMTPSA id "));
	assert_true(has(&got, "\t(using TLSv1.3 with cipher TLS_MEMORY)\r\n"));
	assert_true(
		has(&got, "Subject: x\r\nDate: Tue, 03 Feb 2026 04:05:06 +0000\r\nMessage-ID: <"));
	assert_true(ends_with(&got, SPAN("@example.org>\r\n\r\nDate: is text\r\n")));

	buf_clear(&input);
	buf_add_string(&input, "EHLO c\r\nAUTH PLAIN ");
	enc_base64(&input, SPAN("\0bob\0builder"));
	buf_add_string(&input, "\r\nMAIL FROM:<bob@example.org>\r\nRCPT TO:<alice@example.org>\r\n"
			       "DATA\r\nDate: x\r\nMessage-ID: y\r\n\r\n.\r\nQUIT\r\n");
	converse(f, SMTP_SUBMISSION, buf_span(&input), 100000, "250 2.0.0 accepted");
	newest(f, &with);
	assert_true(ends_with(&with, SPAN("+0000\r\nDate: x\r\nMessage-ID: y\r\n\r\n")));
}

/* Through every way a large message takes: flushes on the way, packing on a worker, last flush. */
static void test_large(void **state)
{
	static const size_t sizes[] = { 70000, CONTENT_INLINE - 100, CONTENT_INLINE + 5000,
		3500000 };
	struct env_fixture *f = *state;

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		CLEANUP(buf_done) struct buf body = {};
		CLEANUP(buf_done) struct buf input = {};
		CLEANUP(buf_done) struct buf got = {};

		srand((unsigned)i);
		while (buf_size(&body) < sizes[i])
			buf_add_format(&body, "%08x%08x%08x%08x\r\n", (unsigned)rand(),
				(unsigned)rand(), (unsigned)rand(), (unsigned)rand());
		buf_add_string(&input,
			"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n"
			"Subject: large\r\n\r\n");
		buf_add(&input, buf_span(&body));
		buf_add_string(&input, ".\r\nQUIT\r\n");
		converse(f, SMTP_MX, buf_span(&input), 16384, "221 ");
		newest(f, &got);
		assert_true(ends_with(&got, buf_span(&body)));

		buf_clear(&input);
		buf_clear(&got);
		buf_add_format(&input,
			"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\n"
			"BDAT 4\r\n\r\n\r\nBDAT %zu LAST\r\n",
			buf_size(&body));
		buf_add(&input, buf_span(&body));
		buf_add_string(&input, "QUIT\r\n");
		converse(f, SMTP_MX, buf_span(&input), 16384, "221 ");
		newest(f, &got);
		assert_true(ends_with(&got, buf_span(&body)));
		assert_int_equal(n_messages(f), 2 * (i + 1));
	}
}

/* The client goes away while its message is delivered or on its way: nothing is left behind. */
static void test_gone(void **state)
{
	struct env_fixture *f = *state;
	struct smtp_service service = { .env = &f->env };
	CLEANUP(buf_done) struct buf input = {};
	struct memory_session *m;

	buf_add_string(&input, "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n");
	while (buf_size(&input) < 1500000)
		buf_add_string(&input, "0123456789012345678901234567890123456789\r\n");
	for (size_t n = 0; n < buf_size(&input); n += 70001) {
		m = memory_session_new(&smtp_protocol, &service, &peer, false);
		memory_session_send(m, span_head(buf_span(&input), n), 16384);
		memory_session_end(m);
		assert_true(memory_session_is_closed(m));
		memory_session_free(m);
	}
	assert_int_equal(n_messages(f), 0);
}

/* Messages by peer and by account. */
static void test_rate(void **state)
{
	static const char two[] = "EHLO c\r\nMAIL FROM:<>\r\nRSET\r\nMAIL FROM:<>\r\nQUIT\r\n";
	static const struct net_address loopback = { .family = NET_IP4, .ip = { 127, 0, 0, 1 } };
	struct env_fixture *f = *state;
	struct smtp_service service = { .env = &f->env };
	struct memory_session *m;

	limiter_set(f->env.smtp_peer, 0.01, 1, 0);
	converse(f, SMTP_MX, span_str(two), 100, "450 4.7.1 ");
	m = memory_session_new(&smtp_protocol, &service, &loopback, false);
	memory_session_send(m, span_str(two), 100);
	assert_false(has(memory_session_output(m), "450 4.7.1 "));
	memory_session_free(m);
}

/* The last reply to a recipient. */
static void expect_recipient(struct smtp_service *service, const char *to, const char *expected)
{
	struct memory_session *m = memory_session_new(&smtp_protocol, service, &peer, false);
	CLEANUP(buf_done) struct buf input = {};

	buf_add_format(&input, "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<%s>\r\n", to);
	memory_session_send(m, buf_span(&input), 100);
	if (!has(memory_session_output(m), expected))
		fail_msg("%s: %.*s", to, (int)buf_size(memory_session_output(m)),
			(const char *)buf_span(memory_session_output(m)).p);
	memory_session_free(m);
}

static enum known_as known_as(const struct env_fixture *f, const struct smtp_service *service)
{
	struct mail_address bob = { SPAN("bob"), SPAN("example.org") };

	return known_find(&service->known, known_mark(&bob, store_routes_version(f->env.store)));
}

/* A recipient that was good is good without a look-up, until somebody changes the account; one
 * with a quota is looked at each time. */
static void test_known(void **state)
{
	struct env_fixture *f = *state;
	struct smtp_service service = { .env = &f->env };

	assert_int_equal(known_as(f, &service), KNOWN_NOT);
	expect_recipient(&service, "bob@example.org", "250 2.1.5 ");
	assert_int_equal(known_as(f, &service), KNOWN_GOOD);
	expect_recipient(&service, "Bob@Example.ORG", "250 2.1.5 ");
	env_fixture_account_set(f, "bob", "disabled", "yes");
	expect_recipient(&service, "bob@example.org", "550 5.2.1 ");
	assert_int_equal(known_as(f, &service), KNOWN_NOT);
	env_fixture_account_set(f, "bob", "disabled", "no");
	env_fixture_account_set(f, "bob", "quota", "1M");
	expect_recipient(&service, "bob@example.org", "250 2.1.5 ");
	assert_int_equal(known_as(f, &service), KNOWN_NOT);
	expect_recipient(&service, "bobby@example.org", "550 5.1.1 ");
}

struct rule_change {
	const char *text; /* NULL: no script of the server's is active */
	bool activate;
};

static int change_rule(struct store_conn *c, void *arg)
{
	const struct rule_change *change = arg;
	const struct rule_owner server = { RULE_SERVER, 0 };

	if (!change->text)
		TRY(store_rule_activate(c, server, (struct span){}));
	else
		TRY(store_rule_put(c, server, SPAN("x"), span_str(change->text), NULL));
	if (change->activate)
		TRY(store_rule_activate(c, server, SPAN("x")));
	return 0;
}

static void set_rule(struct env_fixture *f, const char *text, bool activate)
{
	struct rule_change change = { text, activate };

	assert_int_equal(store_write(f->env.store, change_rule, &change), 0);
}

/* Whether bob has a message to him afterwards. */
static bool arrives(struct env_fixture *f, struct smtp_service *service)
{
	static const char text[] = "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n"
				   "Subject: x\r\n\r\nbody\r\n.\r\n";
	int64_t before = n_messages(f);
	struct memory_session *m = memory_session_new(&smtp_protocol, service, &peer, false);

	memory_session_send(m, span_str(text), 100);
	assert_true(has(memory_session_output(m), "250 2.0.0 accepted"));
	memory_session_free(m);
	return n_messages(f) > before;
}

/* Who is remembered is remembered with the rules that were there; what they say is asked each time.
 */
static void test_known_with_rules(void **state)
{
	struct env_fixture *f = *state;
	struct smtp_service service = { .env = &f->env };

	assert_true(arrives(f, &service));
	assert_int_equal(known_as(f, &service), KNOWN_GOOD);
	set_rule(f, "discard;", true);
	assert_int_equal(known_as(f, &service), KNOWN_NOT);
	for (int i = 0; i < 2; i++) {
		assert_false(arrives(f, &service));
		assert_int_equal(known_as(f, &service), KNOWN_WITH_RULES);
	}
	set_rule(f, "keep;", false);
	assert_true(arrives(f, &service));
	set_rule(f, "discard;", false);
	assert_false(arrives(f, &service));
	assert_int_equal(known_as(f, &service), KNOWN_WITH_RULES);
	set_rule(f, NULL, false);
	assert_true(arrives(f, &service));
	assert_int_equal(known_as(f, &service), KNOWN_GOOD);
}

int main(void)
{
#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, open_store, close_store)
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_data),
		WITH_STORE(test_bdat),
		WITH_STORE(test_missing_fields),
		WITH_STORE(test_large),
		WITH_STORE(test_gone),
		WITH_STORE(test_rate),
		WITH_STORE(test_known),
		WITH_STORE(test_known_with_rules),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	log_set_stderr(false);
	return cmocka_run_group_tests(tests, start, stop);
}
