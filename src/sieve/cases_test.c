/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Scripts and what they do to a message, as text: every file of test/sieve. A case is
 *
 *     == name of the case
 *     -- script
 *     keep;
 *     -- message            (may be left out: then the one of the case before)
 *     Subject: x
 *     -- from ADDRESS       (the envelope, for this case; "-- from" alone is the null path)
 *     -- to ADDRESS
 *     -- result
 *     keep
 *
 * The result is an action in a line, "implicit keep" where nothing took the message, "stopped",
 * "discarded" where nothing is left, "header: FIELD" for each field of a header that was changed,
 * or "failed: REASON".
 */

#include "base/test.h"

#include "base/limit.h"
#include "mime/header.h"
#include "mime/word.h"
#include "sieve/eval.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

struct sieve_case {
	struct span name;
	struct buf script, message, expected;
	struct span from, to;
};

static bool mailbox_exists(void *context, struct span name)
{
	(void)context;
	return span_is(name, "INBOX") || span_is(name, "Lists");
}

static void add_header(struct span header, struct buf *out)
{
	struct header_field f;

	while (header_next(&header, &f)) {
		buf_add_string(out, "header: ");
		header_unfold(f.whole, out);
		buf_add_octet(out, '\n');
	}
}

static void describe(const struct sieve_result *result, struct buf *out)
{
	struct sieve_action keep = sieve_implicit_keep(result);

	for (size_t i = 0; i < result->n; i++) {
		sieve_action_print(&result->actions[i], out);
		buf_add_octet(out, '\n');
	}
	if (result->implicit_keep) {
		buf_add_string(out, "implicit ");
		sieve_action_print(&keep, out);
		buf_add_octet(out, '\n');
	} else if (result->n == 0) {
		buf_add_string(out, "discarded\n");
	}
	if (result->stopped)
		buf_add_string(out, "stopped\n");
	add_header(result->header, out);
}

static void run_case(const struct sieve_case *c, const char *file)
{
	CLEANUP(sieve_script_unrefp) struct sieve_script *s = NULL;
	CLEANUP(sieve_result_done) struct sieve_result result = {};
	CLEANUP(buf_done) struct buf got = {};
	struct sieve_report report;
	struct why why = {};
	struct sieve_input in = {
		.message = buf_span(&c->message),
		.size = buf_size(&c->message),
		.sender = c->from,
		.recipient = c->to,
		.separators = "+",
		.own_address = SPAN("ann@example.org"),
		.now_us = 1700000000000000,
		.zone_minutes = 60,
		.mailbox_exists = mailbox_exists,
	};
	int r = sieve_compile(&s, buf_span(&c->script), &report);

	if (r)
		fail_msg("%s: %.*s: line %u: %s", file, (int)c->name.n, (const char *)c->name.p,
			report.error.line, report.error.text);
	r = sieve_eval(s, &in, &result, &why);
	if (r)
		buf_add_format(&got, "failed: %s\n", why.text);
	else
		describe(&result, &got);
	if (!span_equal(buf_span(&got), buf_span(&c->expected)))
		fail_msg("%s: %.*s\nexpected\n%.*s\ngot\n%.*s", file, (int)c->name.n,
			(const char *)c->name.p, (int)buf_size(&c->expected),
			(const char *)buf_span(&c->expected).p, (int)buf_size(&got),
			(const char *)buf_span(&got).p);
}

/* A line that says what the next ones are. */
static struct buf *section(struct sieve_case *c, struct span line)
{
	if (span_is(line, "-- script"))
		return &c->script;
	if (span_is(line, "-- message")) {
		buf_clear(&c->message);
		return &c->message;
	}
	if (span_is(line, "-- result"))
		return &c->expected;
	if (span_starts(line, SPAN("-- from")))
		c->from = span_trim(span_skip(line, 7));
	else if (span_starts(line, SPAN("-- to")))
		c->to = span_trim(span_skip(line, 5));
	else
		fail_msg("%.*s", (int)line.n, (const char *)line.p);
	return NULL;
}

static unsigned run_file(struct span text, const char *file)
{
	struct sieve_case c = {};
	struct buf *into = NULL;
	unsigned n = 0;

	while (text.n) {
		struct span line = span_cut(&text, '\n');

		if (span_starts(line, SPAN("== "))) {
			if (n++)
				run_case(&c, file);
			buf_clear(&c.script);
			buf_clear(&c.expected);
			c.name = span_skip(line, 3);
			c.from = SPAN("jim@example.com");
			c.to = SPAN("ann+lists@example.org");
			into = NULL;
		} else if (span_starts(line, SPAN("-- "))) {
			into = section(&c, line);
		} else if (into) {
			buf_add(into, line);
			buf_add_string(into, into == &c.message ? "\r\n" : "\n");
		}
	}
	if (n)
		run_case(&c, file);
	buf_done(&c.script);
	buf_done(&c.message);
	buf_done(&c.expected);
	return n;
}

static void cases(void **state)
{
	const char *folder = getenv("SIEVE_CASES");
	DIR *d = opendir(folder ? folder : "test/sieve");
	unsigned n = 0;

	(void)state;
	assert_non_null(d);
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		CLEANUP(buf_done) struct buf text = {};
		char path[4096];
		FILE *f;

		if (!strstr(e->d_name, ".cases"))
			continue;
		(void)snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		f = fopen(path, "rb");
		assert_non_null(f);
		buf_added(&text, fread(buf_room(&text, 1 << 20), 1, 1 << 20, f));
		(void)fclose(f);
		n += run_file(buf_span(&text), e->d_name);
	}
	(void)closedir(d);
	assert_true(n > 70);
}

static int eval(const char *script, struct span message, struct sieve_result *result)
{
	CLEANUP(sieve_script_unrefp) struct sieve_script *s = NULL;
	struct sieve_input in = {
		.message = message,
		.size = message.n,
		.sender = SPAN("jim@example.com"),
		.recipient = SPAN("ann@example.org"),
		.separators = "+",
	};
	struct why why;

	assert_int_equal(sieve_compile(&s, span_str(script), NULL), 0);
	return sieve_eval(s, &in, result, &why);
}

/* What would cost too much fails instead, in bounded time: a body against patterns, header fields
 * against each other, strings that double. */
static void costs_are_bounded(void **state)
{
	CLEANUP(buf_done) struct buf message = {}, script = {};
	CLEANUP(sieve_result_done) struct sieve_result result = {};

	(void)state;
	for (unsigned i = 0; i < LIMIT_HEADERS; i++)
		buf_add_string(&message,
			"X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
	buf_add_string(&message, "\r\n");
	for (unsigned i = 0; i < 100000; i++)
		buf_add_string(&message, "aaaaaaaa\r\n");
	buf_add_string(&script, "require \"body\"; if anyof(false");
	for (unsigned i = 0; i < 300; i++)
		buf_add_string(&script, ", body :raw :matches \"*a?a?a?a?a?a?a?a?a?b*\"");
	buf_add_string(&script, ") { discard; }");
	buf_add_octet(&script, 0);
	assert_int_equal(eval((const char *)buf_span(&script).p, buf_span(&message), &result),
		SIEVE_E_FAILED);
	buf_clear(&script);
	buf_add_string(&script, "if anyof(false");
	for (unsigned i = 0; i < 900; i++)
		buf_add_string(&script, ", header :matches \"X-A\" [\"*b*\", \"*c*\", \"*a*b*\"]");
	buf_add_string(&script, ") { discard; }");
	buf_add_octet(&script, 0);
	assert_int_equal(eval((const char *)buf_span(&script).p, buf_span(&message), &result),
		SIEVE_E_FAILED);
}

static void strings_are_bounded(void **state)
{
	CLEANUP(buf_done) struct buf script = {};
	CLEANUP(sieve_result_done) struct sieve_result result = {};

	(void)state;
	buf_add_string(&script, "require [\"variables\",\"fileinto\"]; set \"a\" \"0123456789\";");
	for (unsigned i = 0; i < 3000; i++)
		buf_add_string(&script, "set \"a\" \"${a}${a}${a}\";");
	buf_add_octet(&script, 0);
	assert_int_equal(eval((const char *)buf_span(&script).p, SPAN("A: b\r\n\r\n"), &result),
		SIEVE_E_FAILED);
}

/* Small scripts and messages, made for each other, that would take seconds. */
static void small_things_are_bounded(void **state)
{
	CLEANUP(buf_done) struct buf flags = {}, parts = {}, words = {}, message = {};
	CLEANUP(sieve_result_done) struct sieve_result result = {};

	(void)state;
	/* Sixty long flags, and thousands of words that are none of them. */
	buf_add_string(&flags, "require [\"variables\",\"imap4flags\"]; set \"x\" \"");
	for (unsigned i = 0; i < 60; i++)
		buf_add_format(&flags, "%099u ", i);
	for (unsigned i = 0; i < 1000; i++)
		buf_add_string(&flags, "a ");
	buf_add_string(&flags, "\";");
	for (unsigned i = 0; i < 1000; i++)
		buf_add_string(&flags, "removeflag \"x\" \"\";");
	buf_add_octet(&flags, 0);
	assert_int_equal(eval((const char *)buf_span(&flags).p, SPAN("A: b\r\n\r\n"), &result),
		SIEVE_E_FAILED);
	/* A type of many empty variables, asked of many parts. */
	buf_add_string(&parts, "require [\"variables\",\"body\"];");
	for (unsigned i = 0; i < 120; i++)
		buf_add_format(&parts, "set \"v%060u\" \"\";", i);
	buf_add_string(&parts, "if body :content [\"a/");
	for (unsigned i = 0; i < 2000; i++)
		buf_add_format(&parts, "${v%059u9}", i);
	buf_add_string(&parts, "\"] \"x\" { discard; }");
	buf_add_octet(&parts, 0);
	buf_add_string(&message, "Content-Type: multipart/mixed; boundary=b\r\n\r\n");
	for (unsigned i = 0; i < 5000; i++)
		buf_add_string(&message, "--b\r\n\r\nx\r\n");
	assert_int_equal(eval((const char *)buf_span(&parts).p, buf_span(&message), &result),
		SIEVE_E_FAILED);
	/* Encoded words without an end: one field is decoded once, many are too many, also folded
	 * so that they are long until they are unfolded. */
	for (unsigned folded = 0; folded < 2; folded++) {
		buf_clear(&message);
		for (unsigned i = 0; i < 20; i++) {
			buf_add_string(&message, "X: ");
			for (unsigned j = 0; j < 1300; j++)
				buf_add_string(&message,
					folded ? "\r\n =?utf-8?Q?a" : "=?utf-8?Q?a");
			buf_add_string(&message, "\r\n");
		}
		buf_add_string(&message, "\r\n");
		assert_int_equal(eval("if header \"X\" \"a\" { discard; }", buf_span(&message),
					 &result),
			SIEVE_E_FAILED);
	}
	buf_add_string(&words, "require \"index\"; if anyof(false");
	for (unsigned i = 0; i < 200; i++)
		buf_add_string(&words, ", header :index 1 \"X\" \"a\"");
	buf_add_string(&words, ") { discard; }");
	buf_add_octet(&words, 0);
	assert_int_equal(eval((const char *)buf_span(&words).p, buf_span(&message), &result), 0);
}

/* Each change of a header makes a new one: they are memory of the script's. */
static void headers_are_bounded(void **state)
{
	CLEANUP(buf_done) struct buf script = {}, message = {};
	CLEANUP(sieve_result_done) struct sieve_result result = {};

	(void)state;
	buf_add_string(&script, "require [\"editheader\",\"fileinto\"];");
	for (unsigned i = 0; i < 20; i++)
		buf_add_format(&script, "addheader \"X-A\" \"b\"; fileinto \"%u\";", i);
	buf_add_octet(&script, 0);
	for (unsigned i = 0; i < 1000; i++)
		buf_add_string(&message, "X-B: cccccccccccccccccccccccccccccccccccccccc\r\n");
	buf_add_string(&message, "\r\nbody\r\n");
	assert_int_equal(eval((const char *)buf_span(&script).p, buf_span(&message), &result), 0);
	assert_int_equal(result.n, 20);
	assert_true(result.actions[19].header.n > result.actions[18].header.n);
	buf_clear(&message);
	for (unsigned i = 0; i < 9000; i++)
		buf_add_string(&message, "X-B: cccccccccccccccccccccccccccccccccccccccc\r\n");
	buf_add_string(&message, "\r\nbody\r\n");
	assert_int_equal(eval((const char *)buf_span(&script).p, buf_span(&message), &result),
		SIEVE_E_FAILED);
}

/* What lies behind the fields that are looked at stays where it was, and what would need them all
 * is not done. */
static void long_headers_stay_whole(void **state)
{
	CLEANUP(sieve_result_done) struct sieve_result result = {};
	static const struct {
		unsigned n;
		size_t octets;
	} rows[] = { { LIMIT_HEADERS + 5, 1 }, { 900, LIMIT_HEADER_BLOCK / 800 } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(buf_done) struct buf message = {}, expected = {};

		buf_add_string(&expected, "X-A: b\r\n");
		for (unsigned j = 0; j < rows[i].n; j++) {
			buf_add_format(&message, "X-%u: ", j);
			for (size_t k = 0; k < rows[i].octets; k++)
				buf_add_octet(&message, 'c');
			buf_add_string(&message, "\r\n");
		}
		buf_add_string(&message, "\r\n");
		buf_add(&expected, buf_span(&message));
		buf_add_string(&message, "body\r\n");
		assert_int_equal(eval("require \"editheader\"; addheader \"X-A\" \"b\";",
					 buf_span(&message), &result),
			0);
		assert_true(span_equal(result.header, buf_span(&expected)));
		assert_int_equal(eval("require \"editheader\"; addheader :last \"X-A\" \"b\";",
					 buf_span(&message), &result),
			SIEVE_E_FAILED);
		assert_int_equal(eval("require \"editheader\"; deleteheader \"X-1\";",
					 buf_span(&message), &result),
			SIEVE_E_FAILED);
	}
}

/* Looking for the end of a header is charged, up to where nothing behind it counts; one that goes on
 * there is not changed, whether the rest is there or not. */
static void very_long_headers(void **state)
{
	static const size_t sizes[] = { SIEVE_HEADER_MAX, SIEVE_HEADER_MAX + (9 << 20) };
	CLEANUP(sieve_result_done) struct sieve_result result = {};
	CLEANUP(buf_done) struct buf message = {};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct span all;

		while (buf_size(&message) < sizes[i])
			buf_add_string(&message,
				"X-B: 89012345678901234567890123456789012345678901234567890123\r\n");
		all = span_head(buf_span(&message), sizes[i]);
		assert_int_equal(eval("if exists \"X-A\" { discard; }", all, &result), 0);
		assert_true(result.steps >= SIEVE_HEADER_MAX / SIEVE_STEP_OCTETS);
		assert_true(result.steps < 2 * SIEVE_HEADER_MAX / SIEVE_STEP_OCTETS);
		assert_int_equal(eval("require \"editheader\"; addheader \"X-A\" \"b\";", all,
					 &result),
			SIEVE_E_FAILED);
		assert_int_equal(
			eval("require \"editheader\"; deleteheader \"X-B\";", all, &result),
			SIEVE_E_FAILED);
	}
}

static void expect_header(const char *script, const char *message, const char *expected)
{
	CLEANUP(sieve_result_done) struct sieve_result result = {};

	assert_int_equal(eval(script, span_str(message), &result), 0);
	if (!span_is(result.header, expected))
		fail_msg("expected\n%s\ngot\n%.*s", expected, (int)result.header.n,
			(const char *)result.header.p);
}

/* No line of what is added is empty, too long, or anything but ASCII. */
static void added_lines(void **state)
{
	CLEANUP(buf_done) struct buf script = {}, expected = {};

	(void)state;
	expect_header("require \"editheader\"; addheader :last \"X-A\" \"b\";", "A: b",
		"A: b\r\nX-A: b\r\n\r\n");
	expect_header("require [\"editheader\",\"encoded-character\"];"
		      " addheader \"X-A\" \"a${hex:1b 7f 0b 0c 00}b${hex:9}c\";",
		"A: b\r\n\r\n", "X-A: ab\tc\r\nA: b\r\n\r\n");
	expect_header("require \"editheader\"; addheader \"X-A\" \"Gr\xC3\xBC\xC3\x9F"
		      "e\";",
		"A: b\r\n\r\n", "X-A: =?utf-8?B?R3LDvMOfZQ==?=\r\nA: b\r\n\r\n");
	buf_add_string(&script, "require \"editheader\"; addheader \"X-A\" \"");
	buf_add_string(&expected, "X-A: ");
	for (unsigned i = 0; i < 80; i++)
		buf_add_string(&script, "a");
	for (unsigned i = 0; i < 80; i++)
		buf_add_string(&script, " \t");
	buf_add_string(&script, "\";");
	buf_add_octet(&script, 0);
	for (unsigned i = 0; i < 80; i++)
		buf_add_string(&expected, "a");
	for (unsigned i = 0; i < 80; i++)
		buf_add_string(&expected, " \t");
	buf_add_string(&expected, "\r\nA: b\r\n\r\n");
	buf_add_octet(&expected, 0);
	expect_header((const char *)buf_span(&script).p, "A: b\r\n\r\n",
		(const char *)buf_span(&expected).p);
}

static void long_words_are_broken(void **state)
{
	CLEANUP(buf_done) struct buf script = {};
	CLEANUP(sieve_result_done) struct sieve_result result = {};
	struct span rest, line;

	(void)state;
	buf_add_string(&script, "require \"editheader\"; addheader \"X-A\" \"");
	for (unsigned i = 0; i < 8000; i++)
		buf_add_string(&script, "a");
	buf_add_string(&script, "\";");
	buf_add_octet(&script, 0);
	assert_int_equal(eval((const char *)buf_span(&script).p, SPAN("A: b\r\n\r\n"), &result), 0);
	rest = result.header;
	while (rest.n) {
		line = span_cut(&rest, '\n');
		assert_true(line.n <= 999);
	}
}

static int set_up(void **state)
{
	(void)state;
	word_init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cases),
		cmocka_unit_test(costs_are_bounded),
		cmocka_unit_test(strings_are_bounded),
		cmocka_unit_test(small_things_are_bounded),
		cmocka_unit_test(headers_are_bounded),
		cmocka_unit_test(long_headers_stay_whole),
		cmocka_unit_test(very_long_headers),
		cmocka_unit_test(added_lines),
		cmocka_unit_test(long_words_are_broken),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, NULL);
}
