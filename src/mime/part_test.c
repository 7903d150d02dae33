/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The tree of messages, well-formed and not. Each is also parsed in pieces of every size, and all
 * promises of part.h are checked.
 */

#include "base/limit.h"
#include "mime/structure.h"
#include "mime/tree_check.h"
#include "mime/word.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Each part as [type header-body-end header-lines/body-lines children]. */
static void describe(const struct part_tree *t, uint32_t i, struct buf *out)
{
	const struct part *part = &t->parts[i];

	buf_add_octet(out, '[');
	buf_add(out, part->type);
	buf_add_octet(out, '/');
	buf_add(out, part->subtype);
	buf_add_format(out, " %d-%d-%d %d/%d", (int)part->header_offset, (int)part->body_offset,
		(int)part->end_offset, (int)part->header_lines, (int)part->body_lines);
	for (uint32_t c = part->first_child; c != PART_NONE; c = t->parts[c].next) {
		buf_add_octet(out, ' ');
		describe(t, c, out);
	}
	buf_add_octet(out, ']');
}

#define MIXED   "Content-Type: multipart/mixed; boundary=b\r\n\r\n" /* 45 octets */
#define INNER   "Content-Type: multipart/mixed; boundary=i\r\n\r\n"
#define FORWARD "Content-Type: message/rfc822\r\n\r\n" /* 32 octets */

static const struct {
	const char *message, *expected;
} trees[] = {
	{ "", "[text/plain 0-0-0 0/0]" },
	{ "\r\n", "[text/plain 0-2-2 1/0]" },
	{ "A: b", "[text/plain 0-4-4 0/0]" },
	{ "A: b\r\n\r\nx\r\ny", "[text/plain 0-8-12 2/1]" },
	{ "A: b\n\nx\ny\n", "[text/plain 0-6-10 2/2]" },
	{ "A: b\r\n\r", "[text/plain 0-7-7 1/0]" },
	{ "no header\r\n\r\nx", "[text/plain 0-13-14 2/0]" },
	{ "Content-Type: Text/HTML\r\n\r\nx", "[text/html 0-27-28 2/0]" },
	{ "Content-Type: (c) text (c) / (c) html (c) ; a=b\r\n\r\n", "[text/html 0-51-51 2/0]" },
	{ "content-type :text/html\r\nContent-Type: image/png\r\n\r\n", "[text/html 0-52-52 3/0]" },
	{ "Content-Type: text\r\n\r\n", "[text/plain 0-22-22 2/0]" },
	{ "Content-Type: /x\r\n\r\n", "[text/plain 0-20-20 2/0]" },
	{ MIXED "--b\r\n\r\nx\r\n--b--\r\n",
		"[multipart/mixed 0-45-62 2/4 [text/plain 50-52-53 1/0]]" },
	{ MIXED "pre\r\n--b\r\n\r\nx\r\n\r\n--b\t \r\nA: b\r\n\r\ny\r\n--b-- \r\npost\r\n",
		"[multipart/mixed 0-45-94 2/11 [text/plain 55-57-60 1/1] [text/plain 69-77-78 "
		"2/0]]" },
	{ MIXED "--b\r\n\r\n--b--", "[multipart/mixed 0-45-57 2/2 [text/plain 50-52-52 1/0]]" },
	{ MIXED "--b\n\nx\n--b--\n", "[multipart/mixed 0-45-58 2/4 [text/plain 49-50-51 1/0]]" },
	/* What is no boundary. */
	{ MIXED "--b\r\n\r\n--bb\r\n --b\r\nx--b\r\n--b-\r\n--b--x\r\n--\r\n--b--\r\n",
		"[multipart/mixed 0-45-95 2/9 [text/plain 50-52-86 1/5]]" },
	/* Missing pieces. */
	{ MIXED "--b\r\n\r\nx", "[multipart/mixed 0-45-53 2/2 [text/plain 50-52-53 1/0]]" },
	{ MIXED "--b\r\n\r\nx\r\n", "[multipart/mixed 0-45-55 2/3 [text/plain 50-52-55 1/1]]" },
	{ MIXED "--b", "[multipart/mixed 0-45-48 2/0 [text/plain 48-48-48 0/0]]" },
	{ MIXED "--b\r\nA: b\r\n--b--\r\n",
		"[multipart/mixed 0-45-63 2/3 [text/plain 50-54-54 0/0]]" },
	{ MIXED "--b\r\n--b\r\n--b--\r\n", "[multipart/mixed 0-45-62 2/3 [text/plain 50-50-50 0/0] "
					   "[text/plain 55-55-55 0/0]]" },
	{ MIXED "text\r\n", "[text/plain 0-45-51 2/1]" },
	{ MIXED "--b--\r\n", "[text/plain 0-45-52 2/1]" },
	{ MIXED, "[text/plain 0-45-45 2/0]" },
	{ "Content-Type: multipart/mixed\r\n\r\n--\r\n\r\n----\r\n", "[text/plain 0-33-45 2/3]" },
	{ "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n\r\n",
		"[text/plain 0-46-52 2/2]" },
	/* Boundaries: quoting, trailing space, RFC 2231, no semicolon. */
	{ "Content-Type: multipart/mixed; boundary=\" b c \"\r\n\r\n-- b c\r\n\r\nx\r\n-- b c--",
		"[multipart/mixed 0-51-72 2/3 [text/plain 59-61-62 1/0]]" },
	{ "Content-Type: multipart/mixed; boundary*0=b; boundary*1=c\r\n\r\n--bc\r\n\r\nx",
		"[multipart/mixed 0-61-70 2/2 [text/plain 67-69-70 1/0]]" },
	{ "Content-Type: multipart/mixed boundary=b\r\n\r\n--b\r\n\r\nx",
		"[multipart/mixed 0-44-52 2/2 [text/plain 49-51-52 1/0]]" },
	/* Nesting; an outer boundary ends what is inside. */
	{ MIXED "--b\r\n" INNER "--i\r\n\r\nx\r\n--i--\r\nepilogue\r\n--b\r\n\r\ny\r\n--b--\r\n",
		"[multipart/mixed 0-45-139 2/12 [multipart/mixed 50-95-120 2/4 [text/plain "
		"100-102-103 1/0]] "
		"[text/plain 127-129-130 1/0]]" },
	{ MIXED "--b\r\n" INNER "--i\r\n\r\nx\r\n--b--\r\n",
		"[multipart/mixed 0-45-112 2/7 [multipart/mixed 50-95-103 2/2 [text/plain "
		"100-102-103 1/0]]]" },
	{ MIXED "--b\r\n" INNER "--i\r\nA: b\r\n--b--\r\n",
		"[multipart/mixed 0-45-113 2/6 [multipart/mixed 50-95-104 2/1 [text/plain "
		"100-104-104 0/0]]]" },
	{ MIXED "--b\r\n" INNER "--b--\r\n",
		"[multipart/mixed 0-45-102 2/4 [text/plain 50-95-95 2/0]]" },
	/* The same boundary twice is the inner one's. */
	{ MIXED "--b\r\n" MIXED "--b\r\n\r\nx\r\n--b--\r\n--b\r\n\r\ny\r\n--b--\r\n",
		"[multipart/mixed 0-45-129 2/11 [multipart/mixed 50-95-110 2/3 [text/plain "
		"100-102-103 1/0]] "
		"[text/plain 117-119-120 1/0]]" },
	/* Messages in messages. */
	{ FORWARD "Subject: x\r\n\r\ny", "[message/rfc822 0-32-47 2/2 [text/plain 32-46-47 2/0]]" },
	{ FORWARD, "[message/rfc822 0-32-32 2/0 [text/plain 32-32-32 0/0]]" },
	{ "Content-Type: message/global\r\n\r\nA: b\r\n\r\n",
		"[message/global 0-32-40 2/2 [text/plain 32-40-40 2/0]]" },
	{ MIXED "--b\r\n" FORWARD "--b--\r\n", "[multipart/mixed 0-45-89 2/4 [message/rfc822 "
					       "50-82-82 2/0 [text/plain 82-82-82 0/0]]]" },
	{ MIXED "--b\r\n" FORWARD "A: b\r\n--b--\r\n",
		"[multipart/mixed 0-45-95 2/5 [message/rfc822 50-82-86 2/0 [text/plain 82-86-86 "
		"0/0]]]" },
	{ MIXED "--b\r\n" FORWARD MIXED "--b\r\n\r\nx\r\n--b--\r\n",
		"[multipart/mixed 0-45-144 2/9 [message/rfc822 50-82-144 2/6 [multipart/mixed "
		"82-127-144 2/4 "
		"[text/plain 132-134-135 1/0]]]]" },
	{ "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQTogYg==",
		"[application/octet-stream 0-67-75 3/0]" },
	{ "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: x-y\r\n\r\nQTogYg==",
		"[application/octet-stream 0-64-72 3/0]" },
	{ "Content-Type: message/delivery-status\r\n\r\nA: b\r\n\r\n",
		"[message/delivery-status 0-41-49 2/2]" },
	{ "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nA: "
	  "b\r\n\r\n--b\r\nContent-Type: "
	  "text/plain\r\n\r\nx\r\n--b\r\nContent-Type: bad\r\n\r\ny\r\n--b--",
		"[multipart/digest 0-46-131 2/12 [message/rfc822 51-53-61 1/2 [text/plain 53-61-61 "
		"2/0]] "
		"[text/plain 66-94-95 2/0] [text/plain 102-123-124 2/0]]" },
	/* Octets that have no business there. A bare CR is no line end, a NUL nothing special. */
	{ "A: b\r\r\n\r\nx\ry\r\r\n", "[text/plain 0-9-15 2/1]" },
	{ MIXED "--b\r\r\n\r\nx\r--b--\r\n",
		"[multipart/mixed 0-45-62 2/3 [text/plain 51-53-62 1/1]]" },
	{ "\xFF\xFE: x\r\n\r\n\xFF", "[text/plain 0-9-10 2/0]" },
	{ " folded\r\nContent-Type: text/html\r\n\r\n", "[text/html 0-36-36 3/0]" },
	{ "Content-Type: text/plain;\r\n\tcharset=x\r\n\r\n", "[text/plain 0-41-41 3/0]" },
	{ "Content-Type:\r\n text/html\r\n \r\n\r\nx", "[text/html 0-32-33 4/0]" },
};

static void all_trees(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) {
		struct span message = span_str(trees[i].message);
		struct buf out = {};
		struct part_tree *t = tree_check_message(message, 3, 1);

		part_tree_free(tree_check_message(message, 5, 40));
		describe(t, 0, &out);
		buf_add_octet(&out, 0);
		assert_string_equal((const char *)buf_span(&out).p, trees[i].expected);
		buf_done(&out);
		part_tree_free(t);
	}
}

/* Any prefix of a message is a message. */
static void all_prefixes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) {
		struct span message = span_str(trees[i].message);

		for (size_t n = 0; n < message.n; n++)
			part_tree_free(tree_check_message(span_head(message, n), 3, 9));
	}
}

static void fields(void **state)
{
	struct part_tree *t = part_parse(
		SPAN("Content-Type: Image/PNG; Name=\"a b.png\"\r\n"
		     "Content-ID: <i@d>\r\n"
		     "Content-Description: A\r\n picture\r\n"
		     "Content-Transfer-Encoding: Base64 (really)\r\n"
		     "Content-MD5: Q2hlY2s=\r\n"
		     "Content-Disposition: Attachment; filename*0=a; filename*1=b\r\n"
		     "Content-Language: de, en\r\n"
		     "Content-Location: http://x/\r\n"
		     "\r\n"));
	const struct part *part = &t->parts[0];

	(void)state;
	assert_true(span_is(part->type, "image") && span_is(part->subtype, "png"));
	assert_int_equal(part->n_params, 1);
	assert_true(span_is(part->params[0].name, "name"));
	assert_true(span_is(part->params[0].value, "a b.png"));
	assert_true(span_is(part->id, "<i@d>"));
	assert_true(span_is(part->description, "A picture"));
	assert_int_equal(part->encoding, ENCODING_BASE64);
	assert_true(span_is(part->encoding_text, "base64"));
	assert_true(span_is(part->md5, "Q2hlY2s="));
	assert_true(span_is(part->disposition, "attachment"));
	assert_int_equal(part->n_disposition_params, 2);
	assert_true(span_is(part->disposition_params[1].name, "filename*1"));
	assert_true(span_is(part->language, "de, en"));
	assert_true(span_is(part->location, "http://x/"));
	part_tree_free(t);
}

static void facts(void **state)
{
	struct part_tree *t = part_parse(SPAN(
		"Received: 1\r\nReceived: 2\r\n"
		"Delivered-To: a@x\r\nDelivered-To:\r\n b@x\r\nReceived: 3\r\n"
		"From: f@x\r\nDate: Thu, 1 Jan 1970 00:00:01 +0000\r\n"
		"Message-ID: junk <\"m\"@\r\n x> junk\r\nIn-Reply-To: Your mail <r1@x> <r2@x>\r\n"
		"References: <a@x><b@x>\r\n\t<c@x>\r\nReferences: <no@x>\r\n"
		"Subject: Re: [l] =?utf-8?Q?=C3=BC?=\r\n\r\n"));
	const struct message_facts *f = &t->facts;

	(void)state;
	assert_int_equal(f->n_received, 3);
	assert_int_equal(f->n_delivered_to, 2);
	assert_true(span_is(f->delivered_to[0], "a@x") && span_is(f->delivered_to[1], "b@x"));
	assert_true(f->has_from_field && f->has_date_field && f->has_message_id_field);
	assert_true(f->has_date);
	assert_int_equal(f->sent_us, 1000000);
	assert_true(span_is(f->message_id, "m@x"));
	assert_true(span_is(f->in_reply_to, "r1@x"));
	assert_int_equal(f->n_references, 3);
	assert_true(span_is(f->references[2], "c@x"));
	assert_true(span_is(f->base_subject, "\xC3\xBC"));
	assert_false(f->header_has_8bit);
	part_tree_free(t);

	t = part_parse(SPAN("Message-ID: a@b\r\nIn-Reply-To: Your mail of Monday\r\nDate: soon\r\n"
			    "Subject: \xC3\xBC\r\n\r\nReceived: x\r\n"));
	f = &t->facts;
	assert_true(span_is(f->message_id, "a@b"));
	assert_int_equal(f->in_reply_to.n, 0);
	assert_true(f->has_date_field && !f->has_date && !f->has_from_field);
	assert_int_equal(f->n_received, 0);
	assert_true(f->header_has_8bit);
	part_tree_free(t);
}

/* The envelope and the facts are the message's, not those of a message in it. */
static void own_and_nested(void **state)
{
	struct part_tree *t = part_parse(
		SPAN("Subject: outer\r\n" FORWARD
		     "Subject: inner\r\nReceived: x\r\nTo: a@b\r\nTo: c@d\r\n\r\n"));

	(void)state;
	assert_true(span_is(t->envelope, "(NIL \"outer\" NIL NIL NIL NIL NIL NIL NIL NIL)"));
	assert_true(span_is(t->parts[0].envelope, "(NIL \"inner\" NIL NIL NIL ((NIL NIL \"a\" "
						  "\"b\")(NIL NIL \"c\" \"d\")) NIL NIL NIL NIL)"));
	assert_int_equal(t->facts.n_received, 0);
	part_tree_free(t);
}

static void many_references(void **state)
{
	struct buf text = {};
	struct part_tree *t;

	(void)state;
	buf_add_string(&text, "References:");
	for (int i = 0; i < 1000; i++)
		buf_add_format(&text, " <%d@x>", i);
	buf_add_string(&text, "\r\n\r\n");
	t = part_parse(buf_span(&text));
	assert_int_equal(t->facts.n_references, FACTS_REFERENCES);
	assert_true(span_is(t->facts.references[0], "0@x"));
	assert_true(span_is(t->facts.references[1], "901@x"));
	assert_true(span_is(t->facts.references[99], "999@x"));
	part_tree_free(t);
	buf_done(&text);
}

static void repeat(struct buf *out, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_add_string(out, text);
}

/* Far beyond every limit: the tree stays within them, and so does its packed form. */
static void limits(void **state)
{
	static const struct {
		const char *before, *piece;
		size_t n;
	} rows[] = {
		{ "", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", 10000 },
		{ "", FORWARD, 10000 },
		{ MIXED, "--b\r\n\r\nx\r\n", 100000 },
		{ MIXED,
			"--b\r\nContent-Type: "
			"text/plain;a=b;a=b;a=b;a=b;a=b;a=b;a=b;a=b\r\n\r\nx\r\n",
			100000 },
		{ MIXED,
			"--b\r\n" FORWARD
			"Subject: a long subject that adds up\r\nTo: a@b,c@d,e@f\r\n\r\n",
			50000 },
		{ "", "X: y\r\n", 1000000 },
		{ "", "To: a@b\r\n", 100000 },
		{ "", "Delivered-To: a@b\r\n", 100000 },
		{ "Subject: ", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 100000 },
		{ "Subject: x", "\r\n aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 100000 },
		{ "Content-Type: text/plain", ";a=b", 100000 },
		{ "To: ", "a:", 100000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf text = {}, packed = {};
		struct part_tree *t;

		buf_add_string(&text, rows[i].before);
		repeat(&text, rows[i].piece, rows[i].n);
		t = tree_check_message(buf_span(&text), 1, 100000);
		structure_pack(t, &packed);
		assert_true(buf_size(&packed) < 4 << 20);
		assert_true(t->envelope.n < 4 << 20);
		buf_done(&packed);
		buf_done(&text);
		part_tree_free(t);
	}
}

/* Fields behind the limit mean nothing, but the header ends where it ends. */
static void many_fields(void **state)
{
	struct buf text = {};
	struct part_tree *t;

	(void)state;
	repeat(&text, "X: y\r\n", LIMIT_HEADERS);
	buf_add_string(&text, "Subject: late\r\n\r\nbody");
	t = part_parse(buf_span(&text));
	assert_int_equal(t->parts[0].end_offset - t->parts[0].body_offset, 4);
	assert_int_equal(t->facts.base_subject.n, 0);
	part_tree_free(t);
	buf_clear(&text);
	repeat(&text, "X: y\r\n", LIMIT_HEADERS - 1);
	buf_add_string(&text, "Subject: in time\r\n\r\n");
	t = part_parse(buf_span(&text));
	assert_true(span_is(t->facts.base_subject, "in time"));
	part_tree_free(t);
	buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_trees),
		cmocka_unit_test(all_prefixes),
		cmocka_unit_test(fields),
		cmocka_unit_test(facts),
		cmocka_unit_test(own_and_nested),
		cmocka_unit_test(many_references),
		cmocka_unit_test(limits),
		cmocka_unit_test(many_fields),
	};

	word_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
