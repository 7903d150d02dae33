/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/outgoing_rules.h"

#include "base/test.h"
#include "store/outgoing_rows.h"

static void add(struct outgoing_rules *r, const char *pattern, const char *tls, const char *oldest,
	const char *identity)
{
	struct store_outgoing row = { .pattern = span_str(pattern),
		.tls = span_str(tls),
		.oldest = span_str(oldest),
		.identity = span_str(identity),
		.domain = strcmp(identity, "domain") == 0 ? 7 : 0,
		.alias = SPAN("") };

	assert_true(outgoing_rules_add(r, &row));
}

static void without_rules_the_defaults_hold(void **state)
{
	struct outgoing_rules r = {};
	struct outgoing_policy p;

	(void)state;
	outgoing_rules_find(&r, SPAN("example.com"), &p);
	assert_int_equal(p.tls, OUTGOING_MAY);
	assert_int_equal(p.oldest, TLS_1_2);
	assert_int_equal(p.who, OUTGOING_NOBODY);
	assert_null(p.tls_from);
	assert_null(p.oldest_from);
	assert_null(p.who_from);
}

static void most_specific_wins_for_each_key(void **state)
{
	static const struct {
		const char *destination;
		const char *tls_from, *oldest_from, *who_from;
		enum outgoing_tls tls;
		enum tls_version oldest;
		enum outgoing_who who;
	} cases[] = {
		{ "other.example", "*", NULL, "*", OUTGOING_MAY, TLS_1_2, OUTGOING_MAIN },
		{ "com", "*", NULL, "*", OUTGOING_MAY, TLS_1_2, OUTGOING_MAIN },
		{ "example.com", ".com", "example.com", "example.com", OUTGOING_MUST, TLS_1_3,
			OUTGOING_NOBODY },
		{ "EXAMPLE.com.", ".com", "example.com", "example.com", OUTGOING_MUST, TLS_1_3,
			OUTGOING_NOBODY },
		/* ".example.com" is what is below it only, "example.com" itself only. */
		{ "a.example.com", ".example.com", NULL, ".example.com", OUTGOING_VERIFY, TLS_1_2,
			OUTGOING_DOMAIN },
		{ "b.a.example.com", ".example.com", NULL, ".example.com", OUTGOING_VERIFY, TLS_1_2,
			OUTGOING_DOMAIN },
		/* A label is whole. */
		{ "notexample.com", ".com", NULL, "*", OUTGOING_MUST, TLS_1_2, OUTGOING_MAIN },
		{ "x.notexample.com", ".com", NULL, "*", OUTGOING_MUST, TLS_1_2, OUTGOING_MAIN },
		{ "deep.a.example.com", "deep.a.example.com", NULL, ".example.com", OUTGOING_NONE,
			TLS_1_2, OUTGOING_DOMAIN },
		{ "[192.0.2.1]", "*", NULL, "*", OUTGOING_MAY, TLS_1_2, OUTGOING_MAIN },
		{ "", "*", NULL, "*", OUTGOING_MAY, TLS_1_2, OUTGOING_MAIN },
	};
	struct outgoing_rules r = {};

	(void)state;
	add(&r, "*", "may", "", "main");
	add(&r, ".com", "must", "", "");
	add(&r, ".example.com", "verify", "", "domain");
	add(&r, "deep.a.example.com", "none", "", "");
	add(&r, "example.com", "", "1.3", "none");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct outgoing_policy p;

		outgoing_rules_find(&r, span_str(cases[i].destination), &p);
		assert_int_equal(p.tls, cases[i].tls);
		assert_int_equal(p.oldest, cases[i].oldest);
		assert_int_equal(p.who, cases[i].who);
		assert_int_equal(p.domain, p.who == OUTGOING_DOMAIN ? 7 : 0);
		assert_string_equal(p.tls_from, cases[i].tls_from);
		assert_string_equal(p.who_from, cases[i].who_from);
		if (cases[i].oldest_from)
			assert_string_equal(p.oldest_from, cases[i].oldest_from);
		else
			assert_null(p.oldest_from);
	}
	outgoing_rules_done(&r);
}

static void endless_destinations_get_what_holds_for_all(void **state)
{
	struct outgoing_rules r = {};
	struct outgoing_policy p;
	char name[1000];

	(void)state;
	memset(name, '.', sizeof name);
	add(&r, "*", "must", "", "");
	outgoing_rules_find(&r, span_of(name, sizeof name), &p);
	assert_int_equal(p.tls, OUTGOING_MUST);
	outgoing_rules_find(&r, span_of(name, 255), &p);
	assert_int_equal(p.tls, OUTGOING_MUST);
	outgoing_rules_done(&r);
}

static void rows_of_a_newer_program_are_left_out(void **state)
{
	struct store_outgoing row = { .pattern = SPAN("*"),
		.tls = SPAN("dane"),
		.oldest = SPAN(""),
		.identity = SPAN(""),
		.alias = SPAN("") };
	struct outgoing_rules r = {};

	(void)state;
	assert_false(outgoing_rules_add(&r, &row));
	row.tls = SPAN("");
	row.oldest = SPAN("1.4");
	assert_false(outgoing_rules_add(&r, &row));
	row.oldest = SPAN("");
	row.identity = SPAN("token");
	assert_false(outgoing_rules_add(&r, &row));
	assert_int_equal(r.n, 0);
	outgoing_rules_done(&r);
}

static void patterns_are_domains(void **state)
{
	static const char *const cases[][2] = {
		{ "*", "*" },
		{ "Example.COM", "example.com" },
		{ ".Example.com", ".example.com" },
		{ "b\xc3\xbc"
		  "cher.example",
			"xn--bcher-kva.example" },
		{ "com", "com" },
		{ "", NULL },
		{ ".", NULL },
		{ "..com", NULL },
		{ "*.example.com", NULL },
		{ "a b", NULL },
		{ "[192.0.2.1]", NULL },
		{ "192.0.2.1", NULL },
		{ "a@example.com", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buf out = {};
		struct why why = {};
		int r = outgoing_pattern_parse(span_str(cases[i][0]), &out, &why);

		assert_int_equal(r, cases[i][1] ? 0 : OUTGOING_E_SYNTAX);
		if (cases[i][1])
			assert_true(span_is(buf_span(&out), cases[i][1]));
		else
			assert_true(why.text[0]);
		buf_done(&out);
	}
}

static void values_are_words(void **state)
{
	struct span value = SPAN("inherit");
	struct why why = {};

	(void)state;
	assert_int_equal(outgoing_tls_check(&value, &why), 0);
	assert_int_equal(value.n, 0);
	value = SPAN("verify");
	assert_int_equal(outgoing_tls_check(&value, &why), 0);
	assert_true(span_is(value, "verify"));
	value = SPAN("maytls");
	assert_int_equal(outgoing_tls_check(&value, &why), OUTGOING_E_SYNTAX);
	value = SPAN("1.1");
	assert_int_equal(outgoing_oldest_check(&value, &why), 0);
	value = SPAN("");
	assert_int_equal(outgoing_oldest_check(&value, &why), OUTGOING_E_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_rules_the_defaults_hold),
		cmocka_unit_test(most_specific_wins_for_each_key),
		cmocka_unit_test(endless_destinations_get_what_holds_for_all),
		cmocka_unit_test(rows_of_a_newer_program_are_left_out),
		cmocka_unit_test(patterns_are_domains),
		cmocka_unit_test(values_are_words),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
