/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Address lists in the form {kind name route local host}, and normal forms. */

#include "mime/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Each address as name|route|local|host; groups as name: ... ; */
static void list(struct span text, struct buf *out)
{
	struct address_reader reader = { .rest = text };
	struct address a;

	while (address_next(&reader, &a)) {
		if (buf_size(out))
			buf_add_octet(out, ' ');
		if (a.kind == ADDRESS_GROUP_END) {
			buf_add_octet(out, ';');
			continue;
		}
		buf_add(out, a.name);
		if (a.kind == ADDRESS_GROUP) {
			buf_add_octet(out, ':');
			continue;
		}
		buf_add_octet(out, '|');
		buf_add(out, a.route);
		buf_add_octet(out, '|');
		buf_add(out, a.local);
		buf_add_octet(out, '|');
		buf_add(out, a.host);
	}
	address_reader_done(&reader);
}

static void lists(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "", "" },
		{ " , ,\r\n ", "" },
		{ "a@b", "||a|b" },
		{ "<a@b>", "||a|b" },
		{ "John Doe <jd@example.org>", "John Doe||jd|example.org" },
		{ "\"Doe, John\" <jd@x>, b@y", "Doe, John||jd|x ||b|y" },
		{ "\"a \\\"q\\\" b\" <c@d>", "a \"q\" b||c|d" },
		{ "J. Doe <c@d>", "J. Doe||c|d" },
		{ "John\r\n\tDoe <c@d>", "John Doe||c|d" },
		{ "c@d (John (old) Doe)", "John (old) Doe||c|d" },
		{ "(x) John (y) <c@d> (z)", "John||c|d" },
		{ "<c@d> (z)", "z||c|d" },
		{ "a . b @ c . d", "||a.b|c.d" },
		{ "\"a b\"@c", "||a b|c" },
		{ "a@[192.0.2.1], <b@[IPv6:::1]>", "||a|[192.0.2.1] ||b|[IPv6:::1]" },
		{ "<@r1,@r2:a@b>", "|@r1,@r2|a|b" },
		{ "x <@r1,@r2:a@b>, c@d", "x|@r1,@r2|a|b ||c|d" },
		{ "G: a@b, C <c@d>;, e@f", "G: ||a|b C||c|d ; ||e|f" },
		{ "undisclosed-recipients:;", "undisclosed-recipients: ;" },
		{ "G: a@b", "G: ||a|b ;" },
		{ "a:b:c@d;", "a: ; b: ||c|d ;" },
		{ "a@b; c@d", "||a|b ||c|d" },
		{ "<a@b> <c@d>", "||a|b ||c|d" },
		{ "=?utf-8?Q?Doe,_J?= <a@b>, c@d", "=?utf-8?Q?Doe,_J?=||a|b ||c|d" },
		{ "=?x a@b, c@d", "||=?xa|b ||c|d" },
		{ "J\xC3\xB6rg <j\xC3\xB6@\xC3\xBC.example>",
			"J\xC3\xB6rg||j\xC3\xB6|\xC3\xBC.example" },
		{ "a@b <c@d>", "a@b||c|d" },
		{ "a@b@c", "||a@b|c" },
		{ "a@b via List <c@d>", "a@b via List||c|d" },
		{ "Foo <a@b> junk x, c@d", "Foo||a|b ||c|d" },
		{ "a@b junk c@d, e@f", "||a|b ||e|f" },
		{ "a@b .c . d", "||a|b.c.d" },
		/* What is no address. */
		{ "root", "||root|" },
		{ "John Doe", "||John Doe|" },
		{ "<>", "|||" },
		{ "<root>", "||root|" },
		{ "<@b>", "|||b" },
		{ "@b", "|||b" },
		{ "a@", "||a|" },
		{ "<a@b", "||a|b" },
		{ "a@b>", "||a|b>" },
		{ "\"a <b@c>, d", "||a <b@c>, d|" },
		{ "(a <b@c>, d", "a <b@c>, d|||" },
		{ "a@[b, c@d", "||a|[b ||c|d" },
		{ "<<<a@b>>>", "||<<a|b" },
		{ ":;:;", ": ; : ;" },
		{ "\"a\\", "||a|" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf out = {};

		list(span_str(rows[i].text), &out);
		buf_add_octet(&out, 0);
		assert_string_equal((const char *)buf_span(&out).p, rows[i].expected);
		buf_done(&out);
	}
}

/* What makes recursive and quadratic readers fail: many of each, at the size a field may have. */
static void hostile_lists(void **state)
{
	static const char *const pieces[] = { "a:", "<", "(", "\"", "@[", "=?", "a@", ",", ":;",
		"<@a,", "\\", "a,", "\"\\", "(\\" };

	(void)state;
	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		struct address_reader reader = {};
		struct address a;
		struct buf text = {};
		size_t n = 0, groups = 0;

		while (buf_size(&text) < LIMIT_HEADER_VALUE)
			buf_add_string(&text, pieces[i]);
		reader.rest = buf_span(&text);
		while (address_next(&reader, &a)) {
			n++;
			groups += a.kind == ADDRESS_GROUP;
			groups -= a.kind == ADDRESS_GROUP_END;
			assert_true(groups <= 1);
		}
		assert_true(n <= 2 * LIMIT_ADDRESSES);
		assert_int_equal(groups, 0);
		address_reader_done(&reader);
		buf_done(&text);
	}
}

static void normal_forms(void **state)
{
	static const char l64[] =
		"llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll@x.org";
	static const struct {
		const char *text;
		int outcome;
		const char *local, *folded, *domain;
	} rows[] = {
		{ "a@b", 0, "a", "a", "b" },
		{ "Joe.User@Example.ORG", 0, "Joe.User", "joe.user", "example.org" },
		{ "\"a b\"@x.org", 0, "a b", "a b", "x.org" },
		{ "\"a@b\"@x.org", 0, "a@b", "a@b", "x.org" },
		{ "\"a\\\"b\"@x.org", 0, "a\"b", "a\"b", "x.org" },
		{ "a+b@x.org", 0, "a+b", "a+b", "x.org" },
		{ "J\xC3\xB6rg@B\xC3\xBC"
		  "cher.example",
			0, "J\xC3\xB6rg", "j\xC3\xB6rg", "xn--bcher-kva.example" },
		{ "a@stra\xC3\x9F"
		  "e.de",
			0, "a", "a", "xn--strae-oqa.de" },
		{ "a@XN--BCHER-KVA.example", 0, "a", "a", "xn--bcher-kva.example" },
		{ "a@[192.0.2.1]", 0, "a", "a", "[192.0.2.1]" },
		{ "a@[IPv6:2001:DB8::1]", 0, "a", "a", "[ipv6:2001:db8::1]" },
		{ "a@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.org", 0, "a",
			"a",
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.org" },
		{ l64, 0, "llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll",
			"llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll",
			"x.org" },
		{ "lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll@x.org",
			ADDRESS_E_LENGTH, NULL, NULL, NULL },
		{ "a@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.org",
			ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ "", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ "a", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ "@b", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ "a@", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ "a b@c", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ ".a@b", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ "a..b@c", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ "a.@c", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ "a@b@c", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ "<a@b>", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ " a@b", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ "a@b ", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ "a@b..c", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ "a@b.", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ "a@-b", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ "a@b-", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ "a@b_c", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ "a@[x", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ "a@[]", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ "\"a@b", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ "\"a\"b@c", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ "\"a\\", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ "\"a\r\n b\"@c", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ "a\xFF@b", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ "a@\xC3\xBC\xFF", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
		{ "a@\xE2\x80\xA8", ADDRESS_E_SYNTAX, NULL, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct address_name name;
		int r = address_normalize(span_str(rows[i].text), &name);

		assert_int_equal(r, rows[i].outcome);
		if (r)
			continue;
		assert_true(span_is(address_name_local(&name), rows[i].local));
		assert_true(span_is(address_name_folded(&name), rows[i].folded));
		assert_true(span_is(address_name_domain(&name), rows[i].domain));
	}
}

/* A domain of 255 octets is one, but no mailbox in it is short enough. */
static void long_domains(void **state)
{
	struct buf text = {}, out = {};
	struct address_name name;

	(void)state;
	buf_add_string(&text, "a@");
	for (int i = 0; i < 63; i++)
		buf_add_string(&text, "abc.");
	buf_add_string(&text, "org");
	assert_int_equal(address_normalize_domain(span_skip(buf_span(&text), 2), &out), 0);
	assert_int_equal(buf_size(&out), LIMIT_NAME);
	assert_int_equal(address_normalize(buf_span(&text), &name), ADDRESS_E_LENGTH);
	buf_add_string(&text, "x");
	assert_int_equal(
		address_normalize_domain(span_skip(buf_span(&text), 2), &out), ADDRESS_E_LENGTH);
	buf_done(&text);
	buf_done(&out);
}

static void printed(void **state)
{
	static const struct {
		const char *local, *expected;
	} rows[] = {
		{ "a.b", "a.b@x" },
		{ "a b", "\"a b\"@x" },
		{ "a\"\\b", "\"a\\\"\\\\b\"@x" },
		{ "", "\"\"@x" },
		{ "a@b", "\"a@b\"@x" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf out = {};

		address_add(&out, span_str(rows[i].local), SPAN("x"));
		assert_true(span_is(buf_span(&out), rows[i].expected));
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(hostile_lists),
		cmocka_unit_test(normal_forms),
		cmocka_unit_test(long_domains),
		cmocka_unit_test(printed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
