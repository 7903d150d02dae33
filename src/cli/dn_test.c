/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Names as people write them, and what is refused rather than half understood. */

#include "cli/dn.h"

#include "base/test.h"

struct row {
	const char *text;
	const char *common_name, *organization, *unit, *city, *state, *country, *email;
};

static const struct row rows[] = {
	{ "CN=mail.example.org", .common_name = "mail.example.org" },
	{ "cn=a.example,o=Example,ou=Mail,l=Bonn,st=NRW,c=DE", "a.example", "Example", "Mail", "Bonn",
		"NRW", "DE" },
	{ "C=DE, ST=NRW, L=Bonn, O=Example, CN=a.example", "a.example", "Example", NULL, "Bonn", "NRW",
		"DE" },
	{ " CN = a.example , O = Two Words ", "a.example", "Two Words" },
	{ "commonName=a.example,emailAddress=x@example.org", "a.example", .email = "x@example.org" },
	{ "2.5.4.3=a.example,1.2.840.113549.1.9.1=x@example.org", "a.example",
		.email = "x@example.org" },
	{ "E=x@example.org,localityName=Bonn", .city = "Bonn", .email = "x@example.org" },
	{ "O=Example\\, Inc.", .organization = "Example, Inc." },
	{ "O=\\ Example\\ ", .organization = " Example " },
	{ "O=Example\\  ", .organization = "Example " },
	{ "O=\\#1 \\\"best\\\" \\<a\\>\\;\\+\\=\\\\", .organization = "#1 \"best\" <a>;+=\\" },
	{ "O=a=b", .organization = "a=b" },
	{ "O=a#b", .organization = "a#b" },
	{ "O=M\xc3\xbcller", .organization = "M\xc3\xbcller" },
	{ "O=M\\C3\\BCller", .organization = "M\xc3\xbcller" },
	{ "O=\\41", .organization = "A" },
};

static void check(struct span got, const char *expected, const char *text)
{
	if (!span_is(got, expected ? expected : ""))
		fail_msg("%s: \"%.*s\"", text, (int)got.n, (const char *)got.p);
}

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(arena_done) struct arena arena = {};
		const struct row *row = &rows[i];
		struct subject s;
		struct why why = {};

		if (dn_parse(&arena, span_str(row->text), &s, &why))
			fail_msg("%s: %s", row->text, why.text);
		check(s.common_name, row->common_name, row->text);
		check(s.organization, row->organization, row->text);
		check(s.unit, row->unit, row->text);
		check(s.city, row->city, row->text);
		check(s.state, row->state, row->text);
		check(s.country, row->country, row->text);
		check(s.email, row->email, row->text);
		assert_int_equal(s.n_names, 0);
	}
}

static const struct {
	struct span text;
	const char *why;
} refused[] = {
	{ SPAN(""), "TYPE=VALUE" },
	{ SPAN(" "), "TYPE=VALUE" },
	{ SPAN("mail.example.org"), "TYPE=VALUE" },
	{ SPAN("=a"), "TYPE=VALUE" },
	{ SPAN(",CN=a"), "TYPE=VALUE" },
	{ SPAN("CN=a,"), "TYPE=VALUE" },
	{ SPAN("CN=a,,O=b"), "TYPE=VALUE" },
	{ SPAN("CN=a, "), "TYPE=VALUE" },
	{ SPAN("/C=DE/CN=a"), "TYPE=VALUE" },
	{ SPAN("C N=a"), "TYPE=VALUE" },
	{ SPAN("C\0N=a"), "TYPE=VALUE" },
	{ SPAN("DC=example,DC=org"), "DC cannot be asked for" },
	{ SPAN("CN=a,UID=alice"), "UID cannot be asked for" },
	{ SPAN("STREET=x"), "STREET cannot be asked for" },
	{ SPAN("serialNumber=1"), "serialNumber cannot be asked for" },
	{ SPAN("2.5.4.33=a"), "2.5.4.33 cannot be asked for" },
	{ SPAN("OID.2.5.4.3=a"), "OID.2.5.4.3 cannot be asked for" },
	{ SPAN("CN="), "CN has no value" },
	{ SPAN("CN= "), "CN has no value" },
	{ SPAN("CN=,O=a"), "CN has no value" },
	{ SPAN("CN=a,cn=b"), "CN is given twice" },
	{ SPAN("OU=a,OU=b"), "OU is given twice" },
	{ SPAN("CN=a,2.5.4.3=b"), "CN is given twice" },
	{ SPAN("CN=a+O=b"), "\"+\" in the name must be written as" },
	{ SPAN("CN=a;O=b"), "\";\" in the name must be written as" },
	{ SPAN("O=\"Example, Inc.\""), "\"\"\" in the name must be written as" },
	{ SPAN("O=a<b"), "\"<\" in the name" },
	{ SPAN("O=a>b"), "\">\" in the name" },
	{ SPAN("O=a\0b"), "in the name must be written as" },
	{ SPAN("O=a\\"), "two hexadecimal digits" },
	{ SPAN("O=a\\4"), "two hexadecimal digits" },
	{ SPAN("O=a\\4x"), "two hexadecimal digits" },
	{ SPAN("O=a\\x41"), "two hexadecimal digits" },
	{ SPAN("O=a\\\0"), "two hexadecimal digits" },
	{ SPAN("CN=#0C0161"), "in hexadecimal" },
	{ SPAN("O=a\\00b"), "is no text" },
	{ SPAN("O=a\\0Ab"), "is no text" },
	{ SPAN("O=a\nb"), "is no text" },
	{ SPAN("O=\xff"), "is no text" },
	{ SPAN("O=M\\C3ller"), "is no text" },
	{ SPAN("O=a\\7F"), "is no text" },
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		CLEANUP(arena_done) struct arena arena = {};
		struct subject s = { .n_names = 99 };
		struct why why = {};

		if (dn_parse(&arena, refused[i].text, &s, &why) != DN_E_REFUSED)
			fail_msg("row %zu passes", i);
		if (!strstr(why.text, refused[i].why))
			fail_msg("row %zu says \"%s\"", i, why.text);
		assert_int_equal(s.n_names, 99);
	}
}

/* Whatever is cut off a good name leaves a good name or a refusal, never more than was written. */
static void test_cut(void **state)
{
	static const struct span whole = SPAN("CN=mail.example.org,O=Example\\, Inc.,OU=\\C3\\A4,C=DE");

	(void)state;
	for (size_t n = 0; n < whole.n; n++) {
		CLEANUP(arena_done) struct arena arena = {};
		struct subject s;
		struct why why = {};

		if (dn_parse(&arena, span_head(whole, n), &s, &why) == 0)
			assert_true(s.common_name.n + s.organization.n + s.unit.n + s.country.n < n);
		else
			assert_true(why.text[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_cut),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("dn", tests, NULL, NULL);
}
