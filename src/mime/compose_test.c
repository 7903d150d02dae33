/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What is composed is read back as what was written, and is mail that anything on its way takes. */

#include "mime/compose.h"

#include "base/err.h"
#include "base/test.h"
#include "mime/encode.h"
#include "mime/header.h"
#include "mime/part.h"
#include "mime/structure.h"
#include "mime/word.h"

#include <stdlib.h>

#define NOW_US 1770091506000000

static struct compose_field field(const char *name, const char *value)
{
	return (struct compose_field){ span_str(name), span_str(value) };
}

static void header(void **state)
{
	const struct compose_field fields[] = {
		field("From", "\"Gr\xc3\xbcn, Anna\" <anna@example.org>"),
		field("To",
			"\"B, ob\" <bob@example.org>, c@example.org,\r\n Friends: d@example.org;"),
		field("Bcc", "secret@example.org"),
		field("Subject", "Gr\xc3\xbc\xc3\x9f"
				 "e"),
		field("In-Reply-To", "<1@example.org>"),
		field("Cc", "  "),
		field("X-Mailer", "Signet"),
	};
	const struct compose_message m = { .fields = fields,
		.n_fields = 7,
		.now_us = NOW_US,
		.message_id = SPAN("2@example.org") };
	CLEANUP(buf_done) struct buf out = {}, full = {}, subject = {}, second = {};
	struct header_field f;

	(void)state;
	assert_int_equal(compose_header(&m, false, &out, NULL), 0);
	assert_true(span_is_ascii(buf_span(&out)) && encode_is_crlf(buf_span(&out)));
	assert_false(
		header_find(buf_span(&out), "Bcc", &f) || header_find(buf_span(&out), "Cc", &f));
	assert_true(header_find(buf_span(&out), "To", &f));
	assert_true(
		span_is(f.value, " \"B, ob\" <bob@example.org>, c@example.org, Friends: "
				 "d@example.org;\r\n") ||
		span_is(f.value,
			" \"B, ob\" <bob@example.org>, c@example.org, Friends: d@example.org;"));
	assert_true(header_find(buf_span(&out), "Subject", &f));
	word_decode(f.value, &subject);
	assert_true(span_is(span_trim(buf_span(&subject)), "Gr\xc3\xbc\xc3\x9f"
							   "e"));
	assert_true(header_find(buf_span(&out), "Date", &f));
	assert_true(span_is(span_trim(f.value), "Tue, 03 Feb 2026 04:05:06 +0000"));
	assert_true(header_find(buf_span(&out), "Message-ID", &f));
	assert_true(span_is(span_trim(f.value), "<2@example.org>"));
	assert_int_equal(compose_header(&m, true, &full, NULL), 0);
	assert_true(header_find(buf_span(&full), "Bcc", &f));
	assert_true(compose_address(&m, "To", 2, &second));
	assert_true(span_is(buf_span(&second), "d@example.org"));
	assert_false(compose_address(&m, "To", 3, &second));
}

static void refused(void **state)
{
	static const struct {
		const char *name, *value, *why;
	} rows[] = {
		{ "To", "bob", "bob is not a mail address" },
		{ "To", "bob@example.org, @", "not a mail address" },
		{ "To", "a@b..c", "not a mail address" },
		{ "To", ":a@example.org;", "not a mail address" },
		{ "To", "undisclosed-recipients:;", NULL },
		{ "From", "x@example.org", "From is there twice" },
		{ "Content-Type", "text/html", "made here" },
		{ "Received", "from x", "made here" },
		{ "hp-outer", "Subject: x", "made here" },
		{ "MIME-Version", "2.0", "made here" },
		{ "Bad Name", "x", "name that is none" },
		{ "Bad:", "x", "name that is none" },
		{ "", "x", "empty" },
		{ "Subject", "\xff", "not UTF-8" },
		{ "In-Reply-To", "", NULL },
		{ "In-Reply-To", "\xc3\xbc", "has no id" },
		{ "References", "<a\xc3\xbc@b>", "id that is none" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct compose_field fields[] = { field("From", "a@example.org"),
			field(rows[i].name, rows[i].value) };
		const struct compose_message m = { .fields = fields, .n_fields = 2 };
		CLEANUP(buf_done) struct buf out = {};
		struct why why = {};
		int r = compose_header(&m, false, &out, &why);

		if (r != (rows[i].why ? COMPOSE_E_REFUSED : 0) ||
			(rows[i].why && !strstr(why.text, rows[i].why)))
			fail_msg("row %zu: %d, '%s'", i, r, why.text);
	}
}

static void from_is_needed(void **state)
{
	const struct compose_field two[] = { field("From", "a@example.org, b@example.org"),
		field("Sender", "b@example.org") };
	const struct compose_message none = { .fields = two + 1, .n_fields = 1 };
	const struct compose_message no_sender = { .fields = two, .n_fields = 1 };
	const struct compose_message sender = { .fields = two, .n_fields = 2 };
	CLEANUP(buf_done) struct buf out = {};

	(void)state;
	assert_int_equal(compose_header(&none, false, &out, NULL), COMPOSE_E_REFUSED);
	assert_int_equal(compose_header(&no_sender, false, &out, NULL), COMPOSE_E_REFUSED);
	assert_int_equal(compose_header(&sender, false, &out, NULL), 0);
}

/* Text can be cut anywhere in encoded words, an id cannot. */
static void long_words(void **state)
{
	CLEANUP(buf_done) struct buf word = {}, out = {}, id = {};
	struct compose_field fields[] = { field("From", "a@example.org"), field("Subject", "") };
	const struct compose_message m = { .fields = fields, .n_fields = 2 };

	(void)state;
	memset(buf_room(&word, 950), 'a', 950);
	buf_added(&word, 950);
	fields[1].value = buf_span(&word);
	assert_int_equal(compose_header(&m, false, &out, NULL), 0);
	assert_true(encode_is_7bit(buf_span(&out)));
	buf_add_format(&id, "<%.*s@example.org>", 950, (const char *)buf_span(&word).p);
	fields[1] = (struct compose_field){ SPAN("In-Reply-To"), buf_span(&id) };
	assert_int_equal(compose_header(&m, false, &out, NULL), COMPOSE_E_REFUSED);
}

/* The tree as types with parentheses. */
static void add_tree(const struct part_tree *t, uint32_t i, struct buf *out)
{
	const struct part *p = &t->parts[i];

	buf_add_format(out, "%.*s", (int)p->subtype.n, (const char *)p->subtype.p);
	if (p->first_child == PART_NONE)
		return;
	buf_add_string(out, "(");
	for (uint32_t c = p->first_child; c != PART_NONE; c = t->parts[c].next) {
		buf_add_string(out, c == p->first_child ? "" : " ");
		add_tree(t, c, out);
	}
	buf_add_string(out, ")");
}

static struct buf part_content(struct span entity, const struct part *p)
{
	struct decoder d = { .encoding = p->encoding };
	struct buf out = {};

	decoder_feed(&d,
		span_head(span_skip(entity, p->body_offset), p->end_offset - p->body_offset), &out);
	decoder_end(&d, &out);
	assert_false(d.damaged);
	return out;
}

static void structures(void **state)
{
	const struct compose_part image = { SPAN("image/png"), SPAN("\xc3\xbc.png"), SPAN("i@x"),
		SPAN("\x89PNG\0\r\n") };
	const struct compose_part file = { SPAN("text/csv"), SPAN("a.csv"), {}, SPAN("a;b\n") };
	const struct compose_part message = { SPAN("message/rfc822"), {}, {},
		SPAN("Subject: s\n\nbody\n") };
	const struct compose_part hidden = { SPAN("multipart/mixed"), SPAN("x"), {}, SPAN("x") };
	const struct span text = SPAN("Hallo\n"), html = SPAN("<p>Hallo</p>");
	const struct {
		struct span text, html;
		struct compose_part parts[2];
		size_t n;
		const char *tree;
	} rows[] = {
		{ text, {}, {}, 0, "plain" },
		{ {}, {}, {}, 0, "plain" },
		{ {}, html, {}, 0, "html" },
		{ text, html, {}, 0, "alternative(plain html)" },
		{ text, html, { image }, 1, "alternative(plain related(html png))" },
		{ text, html, { image, file }, 2,
			"mixed(alternative(plain related(html png)) csv)" },
		{ {}, html, { image }, 1, "related(html png)" },
		{ text, {}, { image }, 1, "mixed(plain png)" },
		{ text, {}, { file, file }, 2, "mixed(plain csv csv)" },
		{ text, {}, { message }, 1, "mixed(plain rfc822(plain))" },
		{ text, {}, { hidden }, 1, "mixed(plain octet-stream)" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct compose_message m = { .text = rows[i].text,
			.html = rows[i].html,
			.parts = rows[i].parts,
			.n_parts = rows[i].n };
		CLEANUP(buf_done) struct buf out = {}, shape = {};
		CLEANUP(part_tree_freep) struct part_tree *tree = NULL;

		assert_int_equal(compose_entity(&m, &out, NULL), 0);
		assert_true(encode_is_7bit(buf_span(&out)) && encode_is_crlf(buf_span(&out)));
		tree = part_parse(buf_span(&out));
		add_tree(tree, 0, &shape);
		if (!span_is(buf_span(&shape), rows[i].tree))
			fail_msg("row %zu: %.*s", i, (int)buf_size(&shape), (const char *)shape.p);
		for (uint32_t k = 0; k < tree->n; k++) {
			CLEANUP(buf_done) struct buf content = {}, name = {};

			if (!span_is(tree->parts[k].subtype, "png"))
				continue;
			content = part_content(buf_span(&out), &tree->parts[k]);
			assert_true(span_equal(buf_span(&content), image.octets));
			assert_true(param_get(tree->parts[k].disposition_params,
				tree->parts[k].n_disposition_params, "filename", &name));
			assert_true(span_is(buf_span(&name), "\xc3\xbc.png"));
		}
	}
}

static void texts(void **state)
{
	static const char *const rows[] = { "a\r\nb\r\n", "", "gr\xc3\xbcn und mehr Text\r\n",
		"\xd0\xb4\xd0\xb0\r\n", "--=_\r\n", "=20 \r\n" };
	CLEANUP(buf_done) struct buf line = {};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct compose_message m = { .text = span_str(rows[i]) };
		CLEANUP(buf_done) struct buf out = {}, content = {};
		CLEANUP(part_tree_freep) struct part_tree *tree = NULL;

		assert_int_equal(compose_entity(&m, &out, NULL), 0);
		tree = part_parse(buf_span(&out));
		content = part_content(buf_span(&out), &tree->parts[0]);
		assert_true(span_is(buf_span(&content), rows[i]));
	}
}

static void legacy_display(void **state)
{
	const struct compose_message m = { .text = SPAN("text"),
		.html = SPAN(
			"<html><head><style>body{}</style></head><BODY class=x><p>t</p></body>"),
		.legacy_subject = SPAN("<b>\n&") };
	CLEANUP(buf_done) struct buf out = {};

	(void)state;
	assert_int_equal(compose_entity(&m, &out, NULL), 0);
	assert_true(
		span_find_span(buf_span(&out), SPAN("; hp-legacy-display=\"1\"")) < buf_size(&out));
	assert_true(span_find_span(buf_span(&out), SPAN("\r\n\r\nSubject: <b> &\r\n\r\ntext")) <
		    buf_size(&out));
	assert_true(
		span_find_span(buf_span(&out),
			SPAN("<BODY class=x><div class=\"header-protection-legacy-display\">\r\n"
			     "<pre>Subject: &lt;b&gt; &amp;</pre>\r\n</div>\r\n<p>t</p>")) <
		buf_size(&out));
}

static void wrong_parts(void **state)
{
	const struct compose_part rows[] = {
		{ {}, SPAN("\xff"), {}, {} },
		{ {}, {}, SPAN("a> b"), {} },
		{ {}, {}, SPAN("a\r\nX: y"), {} },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct compose_message m = { .parts = &rows[i], .n_parts = 1 };
		CLEANUP(buf_done) struct buf out = {};

		assert_int_equal(compose_entity(&m, &out, NULL), COMPOSE_E_REFUSED);
		assert_int_equal(buf_size(&out), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header),
		cmocka_unit_test(refused),
		cmocka_unit_test(from_is_needed),
		cmocka_unit_test(long_words),
		cmocka_unit_test(structures),
		cmocka_unit_test(texts),
		cmocka_unit_test(legacy_display),
		cmocka_unit_test(wrong_parts),
	};

	word_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
