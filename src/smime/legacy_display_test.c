/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "smime/legacy_display.h"

#include "base/alloc.h"
#include "base/test.h"

#define HTML_DISPLAY                                                                               \
	"<div class=\"header-protection-legacy-display\">\r\n<pre>Subject: x</pre>\r\n</div>\r\n"

/* What is shown of a part of a payload with this root type; NULL: the part has no such copy. */
static char *shown_of(const char *root, const char *type, const char *text)
{
	CLEANUP(buf_done) struct buf entity = {};
	CLEANUP(buf_done) struct buf out = {};
	CLEANUP(part_tree_freep) struct part_tree *tree = NULL;
	const struct part *part;

	buf_add_string(&entity, "Content-Type: multipart/mixed; boundary=b");
	buf_add_string(&entity, root);
	buf_add_string(&entity, "\r\n\r\n--b\r\nContent-Type: ");
	buf_add_string(&entity, type);
	buf_add_string(&entity, "\r\n\r\n");
	buf_add_string(&entity, text);
	buf_add_string(&entity, "\r\n--b--\r\n");
	tree = part_parse(buf_span(&entity));
	assert_non_null(tree);
	part = &tree->parts[1];
	if (!legacy_display_is_in(tree, part))
		return NULL;
	legacy_display_leave_out(part, span_str(text), &out);
	return buf_steal_string(&out);
}

static void assert_shown(const char *type, const char *text, const char *expected)
{
	CLEANUP(alloc_freep) char *shown = shown_of("; hp=\"cipher\"", type, text);

	assert_non_null(shown);
	assert_string_equal(shown, expected);
}

static void only_where_it_is_said(void **state)
{
	(void)state;
	assert_null(shown_of("", "text/plain; hp-legacy-display=1", "a\r\n\r\nb"));
	assert_null(shown_of("; hp=\"clear\"", "text/plain; hp-legacy-display=1", "a\r\n\r\nb"));
	assert_null(shown_of("; hp=cipher", "text/plain", "a\r\n\r\nb"));
	assert_null(shown_of("; hp=cipher", "text/plain; hp-legacy-display=0", "a\r\n\r\nb"));
	assert_null(shown_of("; hp=cipher", "text/css; hp-legacy-display=1", "a\r\n\r\nb"));
}

static void plain_text_begins_behind_the_first_empty_line(void **state)
{
	const char *type = "text/plain; charset=utf-8; hp-legacy-display=\"1\"";

	(void)state;
	assert_shown(type, "Subject: x\r\n\r\nhello\r\n\r\nagain", "hello\r\n\r\nagain");
	assert_shown(type, "Subject: x\r\nComments: y\r\n\r\nhello", "hello");
	assert_shown(type, "Subject: x\n\nhello", "hello");
	assert_shown(type, "Subject: x\r\n\r\n", "");
	assert_shown(type, "\r\nhello", "hello");
	assert_shown(type, "Subject: x\r\n \r\nhello", "Subject: x\r\n \r\nhello");
	assert_shown(type, "Subject: x", "Subject: x");
	assert_shown(type, "", "");
}

static void html_loses_the_first_element_of_its_body(void **state)
{
	const char *type = "text/html; hp-legacy-display=1";

	(void)state;
	assert_shown(type, "<html><body class=x>" HTML_DISPLAY "<p>hi</p></body></html>",
		"<html><body class=x>\r\n<p>hi</p></body></html>");
	assert_shown(type, HTML_DISPLAY "<p>hi</p>", "\r\n<p>hi</p>");
	assert_shown(type, "<BODY>\n <DIV class='header-protection-legacy-display'><div>s</div>t</DIV>u",
		"<BODY>\n u");
}

static void html_without_it_stays(void **state)
{
	static const char *const texts[] = {
		"",
		"<",
		"<body",
		"<body>",
		"<body><p>hi</p>" HTML_DISPLAY,
		"<body>hi" HTML_DISPLAY,
		"<div class=other>x</div>",
		"<div class=\"header-protection-legacy-display\">no end",
		"<div class=\"header-protection-legacy-display\"><div></div>",
		"<div class=\"header-protection-legacy-display",
		"<divclass=\"header-protection-legacy-display\"></div>",
		"<tbody>" HTML_DISPLAY,
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_shown("text/html; hp-legacy-display=1", texts[i], texts[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_where_it_is_said),
		cmocka_unit_test(plain_text_begins_behind_the_first_empty_line),
		cmocka_unit_test(html_loses_the_first_element_of_its_body),
		cmocka_unit_test(html_without_it_stays),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
