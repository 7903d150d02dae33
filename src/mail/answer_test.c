/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Answers to messages that want something else to be sent: other fields, lines that are too long,
 * an end of the header. */

#include "mail/answer.h"

#include "base/test.h"
#include "mime/header.h"
#include "mime/word.h"
#include "sieve/eval.h"

static int setup(void **state)
{
	(void)state;
	word_init();
	return 0;
}

static void compose(const struct sieve_action *action, struct span message, struct buf *out)
{
	answer_compose(
		&(struct answer){
			.action = action,
			.from = SPAN("ann@example.org"),
			.name = SPAN("Ann"),
			.message = message,
			.hostname = SPAN("mail.example.org"),
			.unique = SPAN("u"),
			.now_us = 1770091506000000,
		},
		out);
}

/* Each line ends in CRLF and is short enough, and is of one of the fields that an answer has. */
static void check_header(struct span answer)
{
	static const char *const names[] = { "From", "To", "Subject", "Date", "Message-ID",
		"In-Reply-To", "References", "Auto-Submitted", "Precedence", "MIME-Version",
		"Content-Type", "Content-Transfer-Encoding" };
	struct span rest = span_head(answer, header_size(answer)), lines = rest, line;
	bool seen[sizeof names / sizeof names[0]] = {};
	struct header_field f;

	while (lines.n) {
		line = span_cut(&lines, '\n');
		assert_true(line.n <= 999 && line.n > 0 && line.p[line.n - 1] == '\r');
		assert_true(span_is_ascii(line));
	}
	while (header_next(&rest, &f)) {
		size_t i = 0;

		while (i < sizeof names / sizeof names[0] && !span_is_nocase(f.name, names[i]))
			i++;
		if (i == sizeof names / sizeof names[0] || seen[i])
			fail_msg("%.*s", (int)f.whole.n, (const char *)f.whole.p);
		seen[i] = true;
	}
}

static void expect(struct span answer, const char *text, bool there)
{
	if ((span_find_span(answer, span_str(text)) < answer.n) != there)
		fail_msg("%s\n%.*s", text, (int)answer.n, (const char *)answer.p);
}

static void injection(void **state)
{
	static const struct {
		const char *subject, *from;
	} rows[] = {
		{ "a\r\nBcc: x@example.net\r\n\r\nbody", "" },
		{ "a\nBcc: x@example.net", "" },
		{ "a", "=?utf-8?Q?a=0D=0ABcc:_x?= <ann@example.org>" },
		{ "a", "\"a\r\n Bcc: x\" <ann@example.org>" },
		{ "Gr\xC3\xBC\xC3\x9F"
		  "e",
			"Ann \xC3\xBC <ann@example.org>" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(buf_done) struct buf out = {};
		struct sieve_action action = {
			.kind = SIEVE_VACATION,
			.target = SPAN("jim@example.com"),
			.reason = SPAN("away\r\n.\r\nback"),
			.subject = span_str(rows[i].subject),
			.from = span_str(rows[i].from),
		};

		compose(&action, SPAN("Subject: x\r\n\r\n"), &out);
		check_header(buf_span(&out));
		expect(buf_span(&out), "\nBcc", false);
		expect(buf_span(&out), "To: <jim@example.com>\r\n", true);
	}
}

/* An entity of the script's own gives nothing but Content- fields to the header. */
static void mime(void **state)
{
	static const char *const reasons[] = {
		"Content-Type: text/html\r\nBcc: x@example.net\r\n\r\n<p>away</p>",
		"Content-Type: text/html\nBcc: x@example.net\n\n<p>away</p>",
		"Content-Type: text/html",
		"\r\naway",
	};

	(void)state;
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
		CLEANUP(buf_done) struct buf out = {};
		struct sieve_action action = {
			.kind = SIEVE_VACATION,
			.target = SPAN("jim@example.com"),
			.reason = span_str(reasons[i]),
			.subject = SPAN("a"),
			.mime = true,
		};

		compose(&action, SPAN("Subject: x\r\n\r\n"), &out);
		check_header(buf_span(&out));
		expect(buf_span(&out), "Bcc", false);
	}
}

static void references(void **state)
{
	CLEANUP(buf_done) struct buf message = {}, out = {};
	struct sieve_action action = {
		.kind = SIEVE_VACATION,
		.target = SPAN("jim@example.com"),
		.reason = SPAN("away"),
		.subject = SPAN("a"),
	};

	(void)state;
	buf_add_string(&message,
		"Message-ID: <1@example.com>\r\nReferences: <first@example.com>\r\n");
	for (unsigned i = 0; i < 300; i++)
		buf_add_format(&message, "\t<%040u@example.com>\r\n", i);
	buf_add_string(&message, "\r\n");
	compose(&action, buf_span(&message), &out);
	check_header(buf_span(&out));
	expect(buf_span(&out), "In-Reply-To: <1@example.com>\r\n", true);
	expect(buf_span(&out), "References: <first@example.com>\r\n", true);
	expect(buf_span(&out), "00000@example.com>", false);
	expect(buf_span(&out), "00299@example.com>\r\n <1@example.com>\r\n", true);
	assert_true(buf_size(&out) < 6000);
}

/* Ids that no line has room for, and what is none. */
static void long_ids(void **state)
{
	CLEANUP(buf_done) struct buf id = {};

	(void)state;
	for (unsigned n = 890; n < 1200; n += 10) {
		CLEANUP(buf_done) struct buf message = {}, out = {};
		struct sieve_action action = {
			.kind = SIEVE_VACATION,
			.target = SPAN("jim@example.com"),
			.reason = SPAN("away"),
			.subject = SPAN("a"),
		};

		buf_clear(&id);
		while (buf_size(&id) < n)
			buf_add_octet(&id, 'i');
		buf_add_string(&message, "Message-ID: <");
		buf_add(&message, buf_span(&id));
		buf_add_string(&message, ">\r\nReferences: words, and <r@example.com> <");
		buf_add(&message, buf_span(&id));
		buf_add_string(&message, ">\r\n\r\n");
		compose(&action, buf_span(&message), &out);
		check_header(buf_span(&out));
		expect(buf_span(&out), "In-Reply-To", n <= 900);
		expect(buf_span(&out), "<r@example.com>", n <= 900);
		expect(buf_span(&out), "words", false);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(injection),
		cmocka_unit_test(mime),
		cmocka_unit_test(references),
		cmocka_unit_test(long_ids),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, NULL);
}
