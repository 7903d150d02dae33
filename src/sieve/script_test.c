/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What is refused when a script is read, where, and in which words. */

#include "base/test.h"

#include "sieve/script.h"

static const struct {
	const char *script;
	unsigned line, column; /* 0: it is good */
	const char *text;      /* is in the error */
} rows[] = {
	/* form */
	{ "", 0, 0, NULL },
	{ "# a comment", 0, 0, NULL },
	{ "/* a\ncomment */ keep;", 0, 0, NULL },
	{ "keep;", 0, 0, NULL },
	{ "KEEP;", 0, 0, NULL },
	{ "keep", 1, 5, "semicolon" },
	{ "keep stop;", 1, 6, "semicolon" },
	{ "keep;\n  stop", 2, 7, "semicolon" },
	{ "/* no end", 1, 1, "no end" },
	{ "keep; }", 1, 7, "a command" },
	{ "redirect \"a@b.example", 1, 10, "no end" },
	{ "redirect \"a@b.example\"", 1, 23, "semicolon" },
	{ "redirect text:\na@b.example\n.\n;", 0, 0, NULL },
	{ "redirect text:\na@b.example\n", 1, 10, "dot" },
	{ "keep :;", 1, 6, "word" },
	{ "keep %;", 1, 6, "character" },
	{ "if true { keep; ", 1, 17, "}" },
	{ "if true { keep; } else { stop; }", 0, 0, NULL },
	{ "if true { } elsif false { } else { }", 0, 0, NULL },
	{ "else { keep; }", 1, 1, "follows" },
	{ "if true { } else { } else { }", 1, 22, "follows" },
	{ "if true { } keep; elsif true { }", 1, 19, "follows" },
	{ "if true keep;", 1, 1, NULL },
	{ "if { keep; }", 1, 1, "one test" },
	{ "if (true, false) { keep; }", 1, 1, "allof" },
	{ "if allof(true, not false, anyof(true)) { keep; }", 0, 0, NULL },
	{ "if allof { keep; }", 1, 4, "parentheses" },
	{ "if allof(true { keep; }", 1, 15, "comma" },
	{ "if not { keep; }", 1, 4, "one test" },
	{ "keep { stop; }", 1, 1, "no block" },
	{ "nonsense;", 1, 1, "no command" },
	{ "if nonsense { }", 1, 4, "no test" },
	{ "true;", 1, 1, "test" },
	{ "if keep { }", 1, 4, "command" },
	{ "if size 100 { }", 1, 4, ":over" },
	{ "if size :over 100K { }", 0, 0, NULL },
	{ "if size :over :under 1 { }", 1, 15, "excludes" },
	{ "if size :over \"1\" { }", 1, 15, "a number" },
	{ "if size :over 99999999999999999999 { }", 1, 15, "too large" },
	{ "if size :over 9999999999G { }", 1, 15, "too large" },
	{ "if size :over 10x { }", 1, 15, "digits" },
	{ "if header \"Subject\" { }", 1, 4, "takes 2" },
	{ "if header \"Subject\" \"a\" \"b\" { }", 1, 4, "takes 2" },
	{ "if header :is \"Subject\" [\"a\", \"b\"] { }", 0, 0, NULL },
	{ "if header :is \"Subject:\" \"a\" { }", 1, 15, "header field" },
	{ "if header \"Subject\" :is \"a\" { }", 1, 21, "before" },
	{ "if header :foo \"Subject\" \"a\" { }", 1, 11, "not known" },
	{ "if header :all \"Subject\" \"a\" { }", 1, 11, "has no" },
	{ "if header :is :contains \"a\" \"b\" { }", 1, 15, "excludes" },
	{ "if header [\"a\" \"b\"] \"c\" { }", 1, 16, "comma" },
	{ "if header [\"a\", 1] \"c\" { }", 1, 17, "string" },
	{ "if header :comparator \"i;none\" \"a\" \"b\" { }", 1, 23, "comparator" },
	{ "if header :comparator \"a\" { }", 1, 4, "takes 2" },
	{ "if exists [\"From\", \"Date\"] { }", 0, 0, NULL },
	{ "redirect \"nobody\";", 1, 10, "mail address" },
	{ "redirect \"a@b.example, c@d.example\";", 1, 10, "mail address" },
	{ "redirect \"Ann <a@b.example>\";", 0, 0, NULL },
	/* require */
	{ "require \"fileinto\"; fileinto \"x\";", 0, 0, NULL },
	{ "require [\"fileinto\", \"copy\"]; fileinto :copy \"x\";", 0, 0, NULL },
	{ "require \"nonsense\";", 1, 9, "not known" },
	{ "require [\"fileinto\", \"Copy\"];", 1, 22, "not known" },
	/* what is shown of a script is text */
	{ "require \"a\x1b[2J\xC2\x9b\r\n\";", 1, 9, "\"a?[2J????\"" },
	{ "require \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xC3\xBC\";", 1, 9,
		"aaa\"" },
	{ "keep; require \"fileinto\";", 1, 7, "at the top" },
	{ "if true { require \"fileinto\"; }", 1, 11, "at the top" },
	{ "fileinto \"x\";", 1, 1, "require \"fileinto\";" },
	{ "redirect :copy \"a@b.example\";", 1, 10, "require \"copy\";" },
	{ "if envelope \"from\" \"a\" { }", 1, 4, "require \"envelope\";" },
	{ "require \"envelope\"; if envelope \"auth\" \"a\" { }", 1, 33, "\"from\" and \"to\"" },
	{ "set \"a\" \"b\";", 1, 1, "variables" },
	{ "require \"variables\"; set \"a\" \"b\";", 0, 0, NULL },
	{ "require \"variables\"; set \"1a\" \"b\";", 1, 26, "name of a variable" },
	{ "require \"variables\"; set \"a.b\" \"b\";", 1, 26, "name of a variable" },
	{ "require \"variables\"; set :lower :upper \"a\" \"b\";", 1, 33, "excludes" },
	{ "require \"imap4flags\"; addflag \"\\\\Seen\";", 0, 0, NULL },
	{ "require \"imap4flags\"; addflag \"v\" \"\\\\Seen\";", 1, 31, "variables" },
	{ "require \"imap4flags\"; addflag;", 1, 23, "takes 1 or one more" },
	{ "require \"relational\"; if header :count \"gt\" \"a\" \"1\" { }", 0, 0, NULL },
	{ "require \"relational\"; if header :value \"xx\" \"a\" \"1\" { }", 1, 40, "relation" },
	{ "if header :comparator \"i;ascii-numeric\" \"a\" \"1\" { }", 1, 23, "require" },
	{ "require \"comparator-i;ascii-numeric\";"
	  " if header :contains :comparator \"i;ascii-numeric\" \"a\" \"1\" { }",
		1, 71, "by parts" },
	{ "require \"date\"; if currentdate \"hour\" \"09\" { }", 0, 0, NULL },
	{ "require \"date\"; if currentdate \"century\" \"21\" { }", 1, 32, "part of a date" },
	{ "require \"date\"; if date :zone \"CET\" \"Date\" \"hour\" \"1\" { }", 1, 31, "+0100" },
	{ "require \"date\"; if currentdate :originalzone \"hour\" \"1\" { }", 1, 20, "original" },
	{ "if header :index 1 \"a\" \"b\" { }", 1, 4, "require \"index\";" },
	{ "require \"index\"; if header :index 0 \"a\" \"b\" { }", 1, 35, "from 1" },
	{ "require \"index\"; if header :last \"a\" \"b\" { }", 1, 21, ":index" },
	{ "require \"vacation\"; vacation \"away\";", 0, 0, NULL },
	{ "require \"vacation\"; vacation :days 7 :from \"x\" \"away\";", 1, 44, "mail address" },
	{ "require \"editheader\"; addheader :last \"X-A\" \"b\"; deleteheader \"X-A\";", 0, 0,
		NULL },
	{ "require \"editheader\"; deleteheader :index 2 :last \"X-A\" [\"b\"];", 0, 0, NULL },
	{ "require \"editheader\"; addheader \"X A\" \"b\";", 1, 33, "header field" },
	{ "require \"vnd.signet.encrypt\"; keep :encrypt;", 0, 0, NULL },
	{ "require \"vnd.signet.encrypt\"; keep :mandatory;", 1, 31, ":encrypt" },
	{ "require [\"fileinto\",\"mailbox\"]; fileinto :create \"x\";", 0, 0, NULL },
	{ "require \"fileinto\"; fileinto \"\";", 1, 30, "mailbox name" },
	{ "require \"encoded-character\"; redirect \"a${hex:40}b.example\";", 0, 0, NULL },
	{ "require \"encoded-character\"; redirect \"a${unicode:d800}b\";", 1, 39, "character" },
	{ "require \"encoded-character\"; redirect \"a${hex:4x}b\";", 1, 39, "mail address" },
};

static void scripts(void **state)
{
	size_t n_wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(sieve_script_unrefp) struct sieve_script *s = NULL;
		struct sieve_report report;
		int r = sieve_compile(&s, span_str(rows[i].script), &report);
		bool as_expected;

		if (rows[i].line == 0)
			as_expected = r == 0;
		else
			as_expected = r == SIEVE_E_INVALID && report.error.line == rows[i].line &&
				      report.error.column == rows[i].column &&
				      (!rows[i].text || strstr(report.error.text, rows[i].text));
		as_expected &= span_is_utf8(span_str(report.error.text));
		n_wrong += !as_expected;
		if (!as_expected)
			print_message("# %s\n# %d %u:%u %s\n", rows[i].script, r, report.error.line,
				report.error.column, report.error.text);
	}
	assert_int_equal(n_wrong, 0);
}

static int compile(struct buf *text, struct sieve_report *report)
{
	CLEANUP(sieve_script_unrefp) struct sieve_script *s = NULL;

	return sieve_compile(&s, buf_span(text), report);
}

/* Each limit: just below it is good, above it is said. */
static void limits(void **state)
{
	struct sieve_report report;

	(void)state;
	for (unsigned more = 0; more < 2; more++) {
		CLEANUP(buf_done) struct buf deep = {}, many = {}, strings = {};

		for (unsigned i = 0; i + 3 < SIEVE_NESTING_MAX + more; i++)
			buf_add_string(&deep, "if true { ");
		buf_add_string(&deep, "if not false { }");
		for (unsigned i = 0; i + 3 < SIEVE_NESTING_MAX + more; i++)
			buf_add_string(&deep, "}");
		assert_int_equal(compile(&deep, &report), more);
		for (unsigned i = 0; i < SIEVE_NODES_MAX + more; i++)
			buf_add_string(&many, "keep;");
		assert_int_equal(compile(&many, &report), more);
		buf_add_string(&strings, "if header \"a\" [\"\"");
		for (unsigned i = 2; i < SIEVE_STRINGS_MAX + more; i++)
			buf_add_string(&strings, ",\"\"");
		buf_add_string(&strings, "] {}");
		assert_int_equal(compile(&strings, &report), more);
	}
}

static void is_text(void **state)
{
	CLEANUP(buf_done) struct buf large = {};
	struct sieve_script *s = NULL;
	struct sieve_report report;

	(void)state;
	assert_int_equal(sieve_compile(&s, SPAN("keep; # \xFF"), &report), SIEVE_E_INVALID);
	assert_int_equal(sieve_compile(&s, SPAN("keep; # \0"), &report), SIEVE_E_INVALID);
	for (unsigned i = 0; i <= SIEVE_SCRIPT_MAX; i++)
		buf_add_octet(&large, ' ');
	assert_int_equal(sieve_compile(&s, buf_span(&large), &report), SIEVE_E_INVALID);
	assert_int_equal(sieve_compile(&s, SPAN("\xEF\xBB\xBFkeep;"), &report), 0);
	sieve_script_unref(s);
}

/* What a cache of scripts has to count: short commands are larger in memory than as text. */
static void size_is_that_in_memory(void **state)
{
	CLEANUP(buf_done) struct buf many = {};
	CLEANUP(sieve_script_unrefp) struct sieve_script *s = NULL, *one = NULL;

	(void)state;
	for (unsigned i = 0; i < SIEVE_NODES_MAX; i++)
		buf_add_string(&many, "keep;");
	assert_int_equal(sieve_compile(&s, buf_span(&many), NULL), 0);
	assert_int_equal(sieve_compile(&one, SPAN("keep;"), NULL), 0);
	assert_true(sieve_script_size(s) > 10 * buf_size(&many));
	assert_true(sieve_script_size(s) > 100 * sieve_script_size(one));
}

static void warnings(void **state)
{
	CLEANUP(buf_done) struct buf shown = {};
	struct sieve_script *s = NULL;
	struct sieve_report report;

	(void)state;
	assert_int_equal(
		sieve_compile(&s,
			SPAN("require [\"relational\", \"vacation\"];\n"
			     "if header :count \"gt\" \"a\" \"1\" { vacation :days 0 \"x\"; }"),
			&report),
		0);
	assert_int_equal(report.n_warnings, 2);
	sieve_remark_add(&shown, &report.warnings[0]);
	assert_true(span_starts(buf_span(&shown), SPAN("line 2, column 18: the count")));
	assert_non_null(strstr(report.warnings[1].text, ":days"));
	sieve_script_unref(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scripts),
		cmocka_unit_test(limits),
		cmocka_unit_test(is_text),
		cmocka_unit_test(size_is_that_in_memory),
		cmocka_unit_test(warnings),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
