/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* DNS names and which of them stand for which. */

#include "pki/name.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those four before it. */
#include <cmocka.h>

#define LABEL_63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

static void test_is_dns(void **state)
{
	static const struct {
		const char *name;
		bool plain, wildcard;
	} rows[] = {
		{ "example.org", true, true },
		{ "a", true, true },
		{ "xn--bcher-kva.example", true, true },
		{ "a-b.c-d.e", true, true },
		{ "1.example", true, true },
		{ LABEL_63 ".org", true, true },
		{ "*.example.org", false, true },
		{ "*.org", false, true },
		{ "", false, false },
		{ ".", false, false },
		{ "*", false, false },
		{ "*.", false, false },
		{ "*.*.org", false, false },
		{ "a.*.org", false, false },
		{ "w*.example.org", false, false },
		{ "example.org.", false, false },
		{ ".example.org", false, false },
		{ "a..b", false, false },
		{ "-a.org", false, false },
		{ "a-.org", false, false },
		{ "a_b.org", false, false },
		{ "a b.org", false, false },
		{ "b\xc3\xbc" "cher.example", false, false },
		{ LABEL_63 "x.org", false, false },
		{ "192.0.2.1", false, false },
		{ "*.2.1", false, false },
		{ "[::1]", false, false },
		{ "::1", false, false },
		{ LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63, true, true },
		{ LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63 ".x", false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (name_is_dns(span_str(rows[i].name), false) != rows[i].plain)
			fail_msg("plain %s", rows[i].name);
		if (name_is_dns(span_str(rows[i].name), true) != rows[i].wildcard)
			fail_msg("wildcard %s", rows[i].name);
	}
	assert_false(name_is_dns(SPAN("a\0b.org"), false));
}

static void test_matches(void **state)
{
	static const struct {
		const char *presented, *reference;
		bool matches;
	} rows[] = {
		{ "example.org", "example.org", true },
		{ "Example.ORG", "eXample.org", true },
		{ "example.org", "example.org.", true },
		{ "*.example.org", "mail.example.org", true },
		{ "*.example.org", "MAIL.Example.org", true },
		{ "*.example.org", "xn--bcher-kva.example.org", true },
		{ "example.org", "example.net", false },
		{ "example.org", "mail.example.org", false },
		{ "mail.example.org", "example.org", false },
		{ "*.example.org", "example.org", false },
		{ "*.example.org", "a.mail.example.org", false },
		{ "*.example.org", ".example.org", false },
		{ "*.example.org", "*.example.org", false },
		{ "m*.example.org", "mail.example.org", false },
		{ "*il.example.org", "mail.example.org", false },
		{ "mail.*.org", "mail.example.org", false },
		{ "*", "example", false },
		{ "example.org.", "example.org", false },
		{ "example.org", "example.org..", false },
		{ "example.org", "", false },
		{ "", "example.org", false },
		{ "192.0.2.1", "192.0.2.1", false },
		{ "*.0.2.1", "192.0.2.1", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (name_matches(span_str(rows[i].presented), span_str(rows[i].reference)) !=
			rows[i].matches)
			fail_msg("%s for %s", rows[i].presented, rows[i].reference);
	assert_false(name_matches(SPAN("example.org\0.evil.net"), SPAN("example.org")));
}

static void test_to_ascii(void **state)
{
	static const struct {
		struct span name;
		const char *ascii; /* NULL: refused */
	} rows[] = {
		{ SPAN("Mail.example.org"), "Mail.example.org" },
		{ SPAN("m\xc3\xbcnchen.example"), "xn--mnchen-3ya.example" },
		{ SPAN("stra\xc3\x9f" "e.example"), "xn--strae-oqa.example" },
		{ SPAN("\xff.example"), NULL },
		{ SPAN("\xc3\xbc\0.example"), NULL },
		{ SPAN("\xe2\x98\x83..example"), NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(buf_done) struct buf out = {};

		assert_int_equal(name_to_ascii(rows[i].name, &out), rows[i].ascii != NULL);
		assert_true(span_is(buf_span(&out), rows[i].ascii ? rows[i].ascii : ""));
	}
}

static void test_mixed_scripts(void **state)
{
	static const struct {
		const char *name;
		bool mixes;
	} rows[] = {
		{ "xn--pypal-4ve.example", true },      /* a Cyrillic a among Latin letters */
		{ "a.xn--pypal-4ve", true },
		{ "XN--pypal-4ve.example", true },
		{ "mail.example.org", false },
		{ "xn--mnchen-3ya.example", false },    /* Latin */
		{ "xn--80ak6aa92e.com", false },        /* Cyrillic throughout */
		{ "xn--q9jyb4c", false },               /* Han and Hiragana */
		{ "xn--", false },
		{ "xn--999999999999.example", false },  /* not an A-label */
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (name_mixes_scripts(span_str(rows[i].name)) != rows[i].mixes)
			fail_msg("%s", rows[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_to_ascii),
		cmocka_unit_test(test_mixed_scripts),
		cmocka_unit_test(test_is_dns),
		cmocka_unit_test(test_matches),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
