/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Messages there and back: what APPEND was given FETCH returns octet for octet, whole, in parts and
 * in ranges, and the parts are where the octets say. With messages larger than a row of the store,
 * and with every message among the test vectors, well-formed or not. SIGNET_VECTORS names their
 * folder, which is no part of the project: without it that test says so and is skipped. It is run when
 * the program is given the argument "vectors", the others without.
 */

#include "base/alloc.h"
#include "mime/part.h"
#include "mime/word.h"
#include "svc/env_fixture.h"
#include "svc/imap/service.h"
#include "svc/session_memory.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { PARTS_MAX = 300 }; /* of one message that are looked at one by one */

static struct env_fixture *fixture;

struct client {
	struct memory_session *session;
	struct imap_service *service;
	uint32_t n_messages;
	unsigned n_parts;
	struct span message; /* the last one */
	struct buf answer;   /* to the last command, without its tagged line */
};

static struct client client;

static void send_span(struct span s)
{
	memory_session_send(client.session, s, 64 << 10);
}

/* The answer to "t ..." must be OK. */
static struct span ask(const char *command)
{
	struct buf *out = memory_session_output(client.session);
	struct span all, tagged;
	size_t at;

	send_span(span_str(command));
	send_span(SPAN("\r\n"));
	buf_clear(&client.answer);
	buf_add(&client.answer, buf_span(out));
	buf_clear(out);
	all = buf_span(&client.answer);
	assert_true(all.n > 2 && all.p[all.n - 1] == '\n');
	at = all.n - 1;
	while (at > 0 && all.p[at - 1] != '\n')
		at--;
	tagged = span_skip(all, at);
	if (!span_starts(tagged, SPAN("t OK ")))
		fail_msg("%s: %.*s", command, (int)tagged.n, (const char *)tagged.p);
	return span_head(all, at);
}

static int setup(void **state)
{
	static const struct net_address peer = { .family = NET_IP4, .ip = { 192, 0, 2, 1 } };

	(void)state;
	fixture = env_fixture_new();
	env_fixture_open(fixture);
	env_fixture_set(fixture, "message_max", "60M");
	assert_int_equal(imap_new(&client.service, &fixture->env), 0);
	client.session = memory_session_new(&imap_protocol, client.service, &peer, true);
	send_span(SPAN(""));
	buf_clear(memory_session_output(client.session));
	(void)ask("t LOGIN alice wonderland");
	(void)ask("t SELECT INBOX");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	memory_session_free(client.session);
	imap_free(client.service);
	buf_done(&client.answer);
	env_fixture_close(fixture);
	env_fixture_free(fixture);
	return 0;
}

static void append(struct span message)
{
	char *command = alloc_format("t APPEND INBOX ~{%zu+}\r\n", message.n);
	struct span answer;

	send_span(span_str(command));
	send_span(message);
	answer = ask("");
	(void)answer;
	client.message = message;
	client.n_messages++;
	free(command);
}

/* Takes the text off the front of s, which must begin with it. */
static struct span expect(struct span s, const char *text)
{
	struct span t = span_str(text);

	if (!span_starts(s, t))
		fail_msg("message %u: %.*s, not %s", client.n_messages,
			(int)(s.n < 200 ? s.n : 200), (const char *)s.p, text);
	return span_skip(s, t.n);
}

/* Fetches one item of the last message; p NULL for NIL. */
static struct span fetch(const char *item, const char *label)
{
	char *command = alloc_format("t FETCH %u %s", client.n_messages, item);
	char *begin = alloc_format("* %u FETCH (%s ", client.n_messages, label);
	struct span s = expect(ask(command), begin), octets = {};
	uint64_t n = 0;

	free(command);
	free(begin);
	if (span_starts(s, SPAN("NIL"))) {
		assert_true(span_is(expect(s, "NIL"), ")\r\n"));
		return octets;
	}
	if (s.p[0] == '~')
		s = span_skip(s, 1);
	s = expect(s, "{");
	assert_true(span_to_u64(span_cut(&s, '}'), SIZE_MAX, &n));
	s = expect(s, "\r\n");
	assert_true(s.n >= n);
	octets = span_of(s.p, n);
	/* \Seen may be told behind it. */
	(void)expect(span_skip(s, n), ")\r\n");
	return octets;
}

static void check_is(struct span got, struct span expected, const char *what)
{
	if (!got.p || !span_equal(got, expected))
		fail_msg("message %u: %s: %zu octets, not %zu", client.n_messages, what, got.n,
			expected.n);
}

static struct span range(uint64_t from, uint64_t to)
{
	return span_head(span_skip(client.message, from), to - from);
}

/* BODY[section] and three ranges of it. */
static void check_section(const char *section, uint64_t from, uint64_t to)
{
	struct span expected = range(from, to);
	const uint64_t ranges[][2] = {
		{ 0, 1 }, { expected.n / 3, expected.n / 2 + 1 }, { expected.n, 5 },
	};
	char *label = alloc_format("BODY[%s]", section);
	char *item = alloc_format("BODY.PEEK[%s]", section);

	check_is(fetch(item, label), expected, item);
	free(item);
	free(label);
	for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
		unsigned long long at = ranges[i][0], n = ranges[i][1];

		label = alloc_format("BODY[%s]<%llu>", section, at);
		item = alloc_format("BODY.PEEK[%s]<%llu.%llu>", section, at, n);
		check_is(fetch(item, label), span_head(span_skip(expected, at), n), item);
		free(item);
		free(label);
	}
}

/* What BINARY gives is as long as BINARY.SIZE says, and what the decoder makes of the octets. */
static void check_binary(const char *path, const struct part *part)
{
	char *command = alloc_format("t FETCH %u BINARY.SIZE[%s]", client.n_messages, path);
	char *begin = alloc_format("* %u FETCH (BINARY.SIZE[%s] ", client.n_messages, path);
	char *item = alloc_format("BINARY.PEEK[%s]", path);
	char *label = alloc_format("BINARY[%s]", path);
	struct decoder decoder = { .encoding = part->encoding };
	CLEANUP(buf_done) struct buf plain = {};
	uint64_t size = 0;
	struct span s;

	if (part->encoding != ENCODING_UNKNOWN) {
		decoder_feed(&decoder, range(part->body_offset, part->end_offset), &plain);
		decoder_end(&decoder, &plain);
		check_is(fetch(item, label), buf_span(&plain), item);
		s = expect(ask(command), begin);
		assert_true(span_to_u64(span_cut(&s, ')'), SIZE_MAX, &size));
		assert_int_equal(size, buf_size(&plain));
	}
	free(command);
	free(begin);
	free(item);
	free(label);
}

static void check_named(const char *path, const char *name, uint64_t from, uint64_t to)
{
	char *section = alloc_format("%s%s%s", path, *path && *name ? "." : "", name);

	check_section(section, from, to);
	free(section);
}

static void check_children(const struct part_tree *tree, const struct part *part, const char *path);

/* The part that `path` numbers. */
static void check_part(const struct part_tree *tree, const struct part *part, const char *path)
{
	if (client.n_parts++ >= PARTS_MAX)
		return;
	check_named(path, "", part->body_offset, part->end_offset);
	check_named(path, "MIME", part->header_offset, part->body_offset);
	if (part->kind == PART_LEAF)
		check_binary(path, part);
	else
		check_children(tree, part, path);
}

/* The parts of a message, which `path` ("" for the outermost) numbers: RFC 9051 section 6.4.5.1. */
static void check_message(const struct part_tree *tree, const struct part *message,
	const char *path)
{
	check_named(path, "HEADER", message->header_offset, message->body_offset);
	check_named(path, "TEXT", message->body_offset, message->end_offset);
	if (message->kind == PART_MULTIPART) {
		check_children(tree, message, path);
	} else {
		char *only = alloc_format("%s%s1", path, *path ? "." : "");

		check_part(tree, message, only);
		free(only);
	}
}

static void check_children(const struct part_tree *tree, const struct part *part, const char *path)
{
	unsigned number = 0;

	if (part->kind == PART_MESSAGE) {
		check_message(tree, &tree->parts[part->first_child], path);
		return;
	}
	for (uint32_t i = part->first_child; i != PART_NONE; i = tree->parts[i].next) {
		char *child = alloc_format("%s%s%u", path, *path ? "." : "", ++number);

		check_part(tree, &tree->parts[i], child);
		free(child);
	}
}

/* HEADER.FIELDS and HEADER.FIELDS.NOT have each field between them, in its order. */
static void check_fields(const struct part *message)
{
	CLEANUP(buf_done) struct buf with = {};
	struct span without;

	buf_add(&with, fetch("BODY.PEEK[HEADER.FIELDS (From Received Subject)]",
		"BODY[HEADER.FIELDS (From Received Subject)]"));
	without = fetch("BODY.PEEK[HEADER.FIELDS.NOT (From Received Subject)]",
		"BODY[HEADER.FIELDS.NOT (From Received Subject)]");
	assert_true(buf_size(&with) >= 2 && without.n >= 2);
	/* Both end with an empty line of their own; the header may have none. */
	assert_true(buf_size(&with) + without.n >=
		message->body_offset - message->header_offset);
	assert_true(buf_size(&with) + without.n <=
		message->body_offset - message->header_offset + 6);
}

static void check(struct span message)
{
	CLEANUP(part_tree_freep) struct part_tree *tree = NULL;
	CLEANUP(buf_done) struct buf joined = {};
	struct span s;

	if (message.n == 0)
		return;
	tree = part_parse(message);
	append(message);
	client.n_parts = 0;
	check_section("", 0, message.n);
	check_is(fetch("BINARY.PEEK[]", "BINARY[]"), message, "BINARY[]");
	check_is(fetch("RFC822", "RFC822"), message, "RFC822");
	buf_add(&joined, fetch("RFC822.HEADER", "RFC822.HEADER"));
	buf_add(&joined, fetch("RFC822.TEXT", "RFC822.TEXT"));
	check_is(buf_span(&joined), message, "RFC822.HEADER and RFC822.TEXT");
	check_message(tree, &tree->parts[0], "");
	check_fields(&tree->parts[0]);
	s = ask("t FETCH * (ENVELOPE BODY BODYSTRUCTURE RFC822.SIZE)");
	assert_true(span_starts(s, SPAN("* ")));
}

static struct span read_file(const char *path, size_t size)
{
	uint8_t *data = alloc_zero(size + 1);
	FILE *f = fopen(path, "rb");

	assert_non_null(f);
	assert_int_equal(fread(data, 1, size, f), size);
	(void)fclose(f);
	return span_of(data, size);
}

static unsigned n_files;

static int check_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	struct span message;

	(void)ftw;
	if (type != FTW_F)
		return 0;
	message = read_file(path, (size_t)st->st_size);
	check(message);
	free((void *)(uintptr_t)message.p);
	n_files++;
	return 0;
}

static void all_vectors(void **state)
{
	static const char *const folders[] = {
		"mime", "dkim", "protected-headers", "rfc4134", "rfc9216",
	};
	const char *root = getenv("SIGNET_VECTORS");

	(void)state;
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		char *path = alloc_format("%s/%s", root, folders[i]);

		n_files = 0;
		assert_int_equal(nftw(path, check_file, 20, FTW_PHYS), 0);
		assert_true(n_files > 0);
		free(path);
	}
}

static void add_lines(struct buf *out, const char *before, const char *after, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_add_format(out, "%s%06zu%s", before, i, after);
}

/* Larger than a row (CONTENT_INLINE), than a piece of it, than a piece of an answer; and sizes on
 * the edges of these. */
static void large(void **state)
{
	static const size_t sizes[] = {
		CONTENT_PIECE - 1, CONTENT_PIECE, CONTENT_PIECE + 1, CONTENT_INLINE - 1,
		CONTENT_INLINE, CONTENT_INLINE + 1, CONTENT_INLINE + CONTENT_PIECE, 3 * CONTENT_INLINE + 17,
	};
	CLEANUP(buf_done) struct buf m = {};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		buf_clear(&m);
		buf_add_string(&m, "Subject: large\r\n\r\n");
		add_lines(&m, "line ", "\r\n", sizes[i] / 16);
		while (buf_size(&m) < sizes[i])
			buf_add_octet(&m, 'x');
		buf_cut(&m, sizes[i]);
		check(buf_span(&m));
	}
	buf_clear(&m);
	buf_add_string(&m, "Subject: large parts\r\nContent-Type: multipart/mixed; boundary=b\r\n"
		"\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n"
		"Content-Transfer-Encoding: quoted-printable\r\n\r\n");
	add_lines(&m, "=C3=A4", "=\r\n", 100000);
	buf_add_string(&m, "the needle\r\n--b\r\nContent-Transfer-Encoding: base64\r\n"
		"Content-Type: application/octet-stream\r\n\r\n");
	add_lines(&m, "AAEC", "AwQFBg\r\n", 65536);
	buf_add_string(&m, "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\n");
	add_lines(&m, "inner line ", "\r\n", 50000);
	buf_add_string(&m, "--b--\r\n");
	check(buf_span(&m));
}

/* A header that takes many times what is printed at a time. */
static void large_header(void **state)
{
	CLEANUP(buf_done) struct buf m = {};

	(void)state;
	add_lines(&m, "X-", ": value\r\nReceived: from nowhere\r\n", 40000);
	buf_add_string(&m, "Subject: x\r\n\r\nbody\r\n");
	check(buf_span(&m));
}

/* Many messages at once come in pieces; none is missing or torn. */
static void all_at_once(void **state)
{
	struct span s, first;
	uint32_t n = 0;

	(void)state;
	s = ask("t UID FETCH 1:* (BODY.PEEK[] BODY.PEEK[TEXT] BODYSTRUCTURE)");
	while (s.n > 0) {
		char *begin = alloc_format("* %u FETCH (UID ", ++n);
		uint64_t size = 0;

		s = expect(s, begin);
		free(begin);
		(void)span_cut(&s, ' ');
		s = expect(s, "BODY[] {");
		assert_true(span_to_u64(span_cut(&s, '}'), s.n, &size));
		first = span_head(span_skip(s, 2), size);
		s = expect(span_skip(s, 2 + size), " BODY[TEXT] {");
		assert_true(span_to_u64(span_cut(&s, '}'), first.n, &size));
		s = expect(s, "\r\n");
		assert_true(span_equal(span_head(s, size), span_skip(first, first.n - size)));
		s = expect(span_skip(s, size), " BODYSTRUCTURE (");
		/* Literals in the structure make its end hard to find: the next line that begins
		 * as a response does is near enough. */
		while (s.n > 0 && !span_starts(s, SPAN("\r\n* ")) && !span_is(s, "\r\n"))
			s = span_skip(s, 1);
		s = expect(s, "\r\n");
	}
	assert_int_equal(n, client.n_messages);
}

/* Searching all of that, and ordering it, in many slices. */
static void searches(void **state)
{
	static const char *const commands[] = {
		"t SEARCH TEXT \"no such text anywhere\"",
		"t SEARCH OR BODY needle (FROM a NOT SUBJECT b SENTSINCE 1-Jan-1980 LARGER 100)",
		"t SEARCH HEADER Subject \"\"",
		"t SORT (SUBJECT FROM TO CC DATE REVERSE SIZE ARRIVAL) UTF-8 ALL",
		"t THREAD REFERENCES UTF-8 ALL",
		"t THREAD ORDEREDSUBJECT UTF-8 ALL",
	};
	struct span s;

	(void)state;
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		(void)ask(commands[i]);
	s = ask("t SEARCH RETURN (COUNT) BODY \"\xC3\x84" "099999the needle\"");
	assert_true(span_is(s, "* ESEARCH (TAG \"t\") COUNT 1\r\n"));
	s = ask("t SEARCH RETURN (COUNT) BODY \"inner line 049999\" SUBJECT \"large parts\"");
	assert_true(span_is(s, "* ESEARCH (TAG \"t\") COUNT 1\r\n"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(large),
		cmocka_unit_test(large_header),
		cmocka_unit_test(all_at_once),
		cmocka_unit_test(searches),
	};
	const struct CMUnitTest vectors[] = { cmocka_unit_test(all_vectors) };
	bool wants_vectors = argc > 1 && strcmp(argv[1], "vectors") == 0;

	/* cmocka would write "not ok" of a test that is skipped. */
	if (wants_vectors && (!getenv("SIGNET_VECTORS") || access(getenv("SIGNET_VECTORS"), R_OK))) {
		puts("1..0 # SKIP no test vectors at SIGNET_VECTORS");
		return 0;
	}
	word_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return wants_vectors ? cmocka_run_group_tests(vectors, setup, teardown) :
			       cmocka_run_group_tests(tests, setup, teardown);
}
