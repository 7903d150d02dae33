/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* The packed form, IMAP's text, and section numbers. */

#include "mime/structure.h"

#include "mime/tree_check.h"
#include "mime/word.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const char example[] = "From: a@b\r\n"
			      "Subject: outer\r\n"
			      "Content-Type: multipart/mixed; boundary=\"b\"\r\n"
			      "\r\n"
			      "preamble\r\n"
			      "--b\r\n"
			      "\r\n"
			      "one\r\n"
			      "two\r\n"
			      "--b\r\n"
			      "Content-Type: message/rfc822\r\n"
			      "Content-Description: the \"mail\"\r\n"
			      "\r\n"
			      "Subject: inner\r\n"
			      "Content-Type: multipart/alternative; boundary=i\r\n"
			      "\r\n"
			      "--i\r\n"
			      "Content-Type: text/plain; charset=utf-8\r\n"
			      "Content-Language: de, en\r\n"
			      "\r\n"
			      "x\r\n"
			      "--i\r\n"
			      "Content-Type: image/png\r\n"
			      "Content-Transfer-Encoding: BASE64\r\n"
			      "Content-ID: <i@d>\r\n"
			      "Content-MD5: Q2hlY2s=\r\n"
			      "Content-Disposition: attachment; filename=a.png\r\n"
			      "Content-Location: x\r\n"
			      "\r\n"
			      "AAAA\r\n"
			      "--i--\r\n"
			      "\r\n"
			      "--b\r\n"
			      "Content-Type: message/rfc822\r\n"
			      "\r\n"
			      "Subject: single\r\n"
			      "\r\n"
			      "body\r\n"
			      "--b--\r\n";

static struct span example_span(void)
{
	return span_of(example, sizeof example - 1);
}

static void rendered(void **state)
{
	static const struct {
		const char *message, *body, *bodystructure;
	} rows[] = {
		{ "\r\nx\r\n",
			"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1)",
			"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1 NIL "
			"NIL NIL NIL)" },
		{ "Content-Type: text/plain\r\nContent-Transfer-Encoding: X-Odd\r\n\r\n",
			"(\"text\" \"plain\" NIL NIL NIL \"x-odd\" 0 0)",
			"(\"text\" \"plain\" NIL NIL NIL \"x-odd\" 0 0 NIL NIL NIL NIL)" },
		{ "Content-Type: a/b; n=\"\xC3\xBC\"\r\nContent-Language: en\r\n"
		  "Content-Disposition: inline\r\n\r\n",
			"(\"a\" \"b\" (\"n\" {2}\r\n\xC3\xBC) NIL NIL \"7bit\" 0)",
			"(\"a\" \"b\" (\"n\" {2}\r\n\xC3\xBC) NIL NIL \"7bit\" 0 NIL (\"inline\" "
			"NIL) \"en\" NIL)" },
		{ example,
			"((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 8 1)"
			"(\"message\" \"rfc822\" NIL NIL \"the \\\"mail\\\"\" \"7bit\" 336 "
			"(NIL \"inner\" NIL NIL NIL NIL NIL NIL NIL NIL) "
			"((\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"7bit\" 1 0)"
			"(\"image\" \"png\" NIL \"<i@d>\" NIL \"base64\" 4) \"alternative\") 18)"
			"(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 23 "
			"(NIL \"single\" NIL NIL NIL NIL NIL NIL NIL NIL) "
			"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 4 0) 2) "
			"\"mixed\")",
			"((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 8 1 NIL "
			"NIL NIL NIL)"
			"(\"message\" \"rfc822\" NIL NIL \"the \\\"mail\\\"\" \"7bit\" 336 "
			"(NIL \"inner\" NIL NIL NIL NIL NIL NIL NIL NIL) "
			"((\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"7bit\" 1 0 NIL NIL "
			"(\"de\" \"en\") NIL)"
			"(\"image\" \"png\" NIL \"<i@d>\" NIL \"base64\" 4 \"Q2hlY2s=\" "
			"(\"attachment\" (\"filename\" \"a.png\")) NIL \"x\") "
			"\"alternative\" (\"boundary\" \"i\") NIL NIL NIL) 18 NIL NIL NIL NIL)"
			"(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 23 "
			"(NIL \"single\" NIL NIL NIL NIL NIL NIL NIL NIL) "
			"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 4 0 NIL "
			"NIL NIL NIL) 2 "
			"NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct part_tree *t = tree_check_message(span_str(rows[i].message), 1, 5);
		struct buf out = {};

		structure_add_imap(t, false, &out);
		buf_add_octet(&out, 0);
		assert_string_equal((const char *)buf_span(&out).p, rows[i].body);
		buf_clear(&out);
		structure_add_imap(t, true, &out);
		buf_add_octet(&out, 0);
		assert_string_equal((const char *)buf_span(&out).p, rows[i].bodystructure);
		buf_done(&out);
		part_tree_free(t);
	}
}

static const struct {
	const char *message;
	uint32_t path[4];
	size_t n;
	enum section section;
	const char *expected; /* NULL: there is none */
} sections[] = {
	{ example, {}, 0, SECTION_BODY, example },
	{ example, {}, 0, SECTION_HEADER,
		"From: a@b\r\nSubject: outer\r\nContent-Type: multipart/mixed; "
		"boundary=\"b\"\r\n\r\n" },
	{ example, {}, 0, SECTION_MIME, NULL },
	{ example, { 1 }, 1, SECTION_BODY, "one\r\ntwo" },
	{ example, { 1 }, 1, SECTION_MIME, "\r\n" },
	{ example, { 1 }, 1, SECTION_HEADER, NULL },
	{ example, { 1 }, 1, SECTION_TEXT, NULL },
	{ example, { 1, 1 }, 2, SECTION_BODY, NULL },
	{ example, { 0 }, 1, SECTION_BODY, NULL },
	{ example, { 4 }, 1, SECTION_BODY, NULL },
	{ example, { UINT32_MAX }, 1, SECTION_BODY, NULL },
	{ example, { 2 }, 1, SECTION_MIME,
		"Content-Type: message/rfc822\r\nContent-Description: the \"mail\"\r\n\r\n" },
	{ example, { 2 }, 1, SECTION_HEADER,
		"Subject: inner\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n" },
	{ example, { 2, 1 }, 2, SECTION_BODY, "x" },
	{ example, { 2, 2 }, 2, SECTION_BODY, "AAAA" },
	{ example, { 2, 3 }, 2, SECTION_BODY, NULL },
	{ example, { 2, 1 }, 2, SECTION_MIME,
		"Content-Type: text/plain; charset=utf-8\r\nContent-Language: de, en\r\n\r\n" },
	{ example, { 2, 1 }, 2, SECTION_HEADER, NULL },
	{ example, { 2, 1, 1 }, 3, SECTION_BODY, NULL },
	{ example, { 3 }, 1, SECTION_BODY, "Subject: single\r\n\r\nbody" },
	{ example, { 3 }, 1, SECTION_HEADER, "Subject: single\r\n\r\n" },
	{ example, { 3 }, 1, SECTION_TEXT, "body" },
	{ example, { 3, 1 }, 2, SECTION_BODY, "body" },
	{ example, { 3, 1 }, 2, SECTION_MIME, "Subject: single\r\n\r\n" },
	{ example, { 3, 2 }, 2, SECTION_BODY, NULL },
	{ example, { 3, 1, 1 }, 3, SECTION_BODY, NULL },
	/* A message that is no multipart has part 1. */
	{ "A: b\r\n\r\nbody", { 1 }, 1, SECTION_BODY, "body" },
	{ "A: b\r\n\r\nbody", { 1 }, 1, SECTION_MIME, "A: b\r\n\r\n" },
	{ "A: b\r\n\r\nbody", {}, 0, SECTION_TEXT, "body" },
	{ "A: b\r\n\r\nbody", { 2 }, 1, SECTION_BODY, NULL },
	{ "A: b\r\n\r\nbody", { 1, 1 }, 2, SECTION_BODY, NULL },
	{ "A: b", {}, 0, SECTION_HEADER, "A: b" },
	{ "A: b", {}, 0, SECTION_TEXT, "" },
	{ "Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\nx", { 1 }, 1, SECTION_BODY,
		"A: b\r\n\r\nx" },
	{ "Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\nx", { 1 }, 1, SECTION_HEADER,
		"A: b\r\n\r\n" },
	{ "Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\nx", { 1, 1 }, 2, SECTION_BODY, "x" },
	{ "Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\nx", { 1, 1, 1 }, 3, SECTION_BODY, NULL },
};

static void found(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
		struct span message = span_str(sections[i].message);
		struct part_tree *t = part_parse(message);
		uint64_t offset = 0, length = 0;
		bool there = structure_find(
			t, sections[i].path, sections[i].n, sections[i].section, &offset, &length);

		assert_int_equal(there, sections[i].expected != NULL);
		if (there)
			assert_true(span_is(span_head(span_skip(message, offset), length),
				sections[i].expected));
		part_tree_free(t);
	}
}

/* A typical message takes little room. */
static void compact(void **state)
{
	struct part_tree *t = part_parse(SPAN("Content-Type: text/plain; charset=utf-8\r\n\r\nx"));
	struct buf packed = {};

	(void)state;
	structure_pack(t, &packed);
	assert_true(buf_size(&packed) < 50);
	buf_done(&packed);
	part_tree_free(t);
}

/* Whatever the octets are: refused, or a tree that keeps its promises. */
static void damaged(void **state)
{
	struct part_tree *t = part_parse(example_span()), *back;
	struct buf packed = {};
	unsigned n_refused = 0;

	(void)state;
	structure_pack(t, &packed);
	part_tree_free(t);
	for (size_t n = 0; n < buf_size(&packed); n++)
		assert_int_equal(structure_unpack(span_head(buf_span(&packed), n), &back),
			STRUCTURE_E_DAMAGED);
	for (size_t i = 0; i < buf_size(&packed); i++) {
		uint8_t *octet = packed.p + packed.start + i, kept = *octet;

		for (unsigned value = 0; value < 256; value++) {
			*octet = (uint8_t)value;
			if (structure_unpack(buf_span(&packed), &back)) {
				n_refused++;
				continue;
			}
			/* Envelopes are text to us: only what the tree itself promises. */
			for (uint32_t p = 0; p < back->n; p++) {
				const struct part *part = &back->parts[p];

				assert_true(part->header_offset <= part->body_offset);
				assert_true(part->body_offset <= part->end_offset);
				assert_true(part->parent == PART_NONE || part->parent < p);
				assert_true((part->kind == PART_LEAF) ==
					    (part->first_child == PART_NONE));
				assert_true(p == 0 || part->end_offset <=
							      back->parts[part->parent].end_offset);
			}
			part_tree_free(back);
		}
		*octet = kept;
	}
	assert_true(n_refused > 1000);
	buf_add_octet(&packed, 0);
	assert_int_equal(structure_unpack(buf_span(&packed), &back), STRUCTURE_E_DAMAGED);
	buf_done(&packed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rendered),
		cmocka_unit_test(found),
		cmocka_unit_test(compact),
		cmocka_unit_test(damaged),
	};

	word_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
