/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "pki/verdict.h"

#include "base/test.h"
#include "pki/cert_fixture.h"

#include <stdlib.h>

static void test_findings(void **state)
{
	CLEANUP(verdict_done) struct verdict v = {};
	CLEANUP(verdict_done) struct verdict copy = {};

	(void)state;
	assert_null(verdict_error(&v));
	verdict_add(&v, FINDING_WARNING, "odd", "", NULL, 0, "it is %s", "odd");
	assert_null(verdict_error(&v));
	verdict_add(&v, FINDING_ERROR, "bad", "RFC 5280 4.2", NULL, 0, "it is bad");
	assert_int_equal(verdict_n_errors(&v), 1);
	assert_string_equal(verdict_error(&v)->rule, "bad");
	copy = verdict_copy(&v);
	verdict_cut(&v, 1);
	assert_int_equal(v.n, 1);
	assert_null(verdict_error(&v));
	assert_string_equal(copy.findings[1].text, "it is bad");
	/* Warnings do not take an error's room. */
	for (size_t i = 0; i < 2 * FINDINGS_MAX; i++)
		verdict_add(&v, FINDING_WARNING, "odd", "", NULL, 0, "again");
	assert_int_equal(v.n, WARNINGS_MAX);
	for (size_t i = 0; i < 2 * FINDINGS_MAX; i++)
		verdict_add(&v, FINDING_ERROR, "bad", "", NULL, 0, "again");
	assert_int_equal(v.n, FINDINGS_MAX);
	assert_int_equal(verdict_n_errors(&v), FINDINGS_MAX - WARNINGS_MAX);
}

static void test_text(void **state)
{
	const struct cert_order order = { .subject = "CN=a" };
	struct cert_made made = cert_make(&order);
	CLEANUP(verdict_done) struct verdict v = {};
	CLEANUP(buf_done) struct buf text = {};

	(void)state;
	verdict_add(&v, FINDING_ERROR, "bad", "RFC 5280 4.2", made.cert, 3, "it is bad");
	cert_made_done(&made);
	finding_add_text(&v.findings[0], &text);
	assert_true(span_is(buf_span(&text), "it is bad (RFC 5280 4.2); certificate 3, CN=a"));
	buf_clear(&text);
	verdict_add_findings_json(&v, &text);
	assert_true(span_is(buf_span(&text),
		"[{\"rule\":\"bad\",\"standard\":\"RFC 5280 4.2\",\"text\":\"it is bad\","
		"\"severity\":\"error\",\"certificate\":\"CN=a\",\"depth\":3}]"));
}

static void test_json_string(void **state)
{
	static const struct {
		struct span text;
		const char *json;
	} rows[] = {
		{ SPAN(""), "\"\"" },
		{ SPAN("a\"b\\c"), "\"a\\\"b\\\\c\"" },
		{ SPAN("a\0b\n\x7f"), "\"a\\u0000b\\u000a\\u007f\"" },
		{ SPAN("\xc3\xa4\xf0\x9f\x98\x80"), "\"\xc3\xa4\xf0\x9f\x98\x80\"" },
		{ SPAN("\xff\xc3"), "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ SPAN("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ SPAN("\xc0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(buf_done) struct buf out = {};

		verdict_add_json_string(rows[i].text, &out);
		if (!span_is(buf_span(&out), rows[i].json))
			fail_msg("row %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_findings),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json_string),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
