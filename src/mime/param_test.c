/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Parameters and RFC 2231. */

#include "mime/param.h"

#include "mime/word.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* The list as name=value;... */
static void lists(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "", "" },
		{ ";", "" },
		{ "; charset=utf-8", "charset=utf-8;" },
		{ ";Charset=\"utf-8\";  Format=flowed", "charset=utf-8;format=flowed;" },
		{ "; a=\"b\\\"c\\\\d\"", "a=b\"c\\d;" },
		{ "; charset=us-ascii (Plain; text)", "charset=us-ascii;" },
		{ ";\r\n\ta = b ;\r\n c=\"d\r\n e\"", "a=b;c=d e;" },
		{ "; name=my file.txt; x=y", "name=my file.txt;x=y;" },
		{ "; a=\"x;y\"; b=c", "a=x;y;b=c;" },
		{ "; a=\"x\"junk; b=c", "a=x;b=c;" },
		{ " boundary=x", "boundary=x;" },
		{ "; ; a=b;;", "a=b;" },
		{ "; a; b=c", "b=c;" },
		{ "; =x; b=c", "b=c;" },
		{ "; \"a=b; c\"; b=c", "b=c;" },
		{ "; a=\"unterminated", "a=unterminated;" },
		{ "; a=\"x\\", "a=x\\;" },
		{ "; a=", "a=;" },
		{ "; a=\"\"", "a=;" },
		{ "; (comment (nested)) a=b", "a=b;" },
		{ "; a=(c)b", "a=b;" },
		{ "; (unterminated a=b", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct arena arena = {};
		const struct param *params;
		struct buf out = {};
		size_t n;

		param_parse(span_str(rows[i].text), &arena, &params, &n);
		for (size_t k = 0; k < n; k++) {
			buf_add(&out, params[k].name);
			buf_add_octet(&out, '=');
			buf_add(&out, params[k].value);
			buf_add_octet(&out, ';');
		}
		buf_add_octet(&out, 0);
		assert_string_equal((const char *)buf_span(&out).p, rows[i].expected);
		buf_done(&out);
		arena_done(&arena);
	}
}

static void values(void **state)
{
	static const struct {
		const char *text;
		const char *joined; /* NULL: there is no parameter x */
		const char *utf8;
	} rows[] = {
		{ "; x=a", "a", "a" },
		{ "; y=a", NULL, NULL },
		{ "; x*=utf-8'de'%C3%BC.txt", "\xC3\xBC.txt", "\xC3\xBC.txt" },
		{ "; x*=iso-8859-1''%FC", "\xFC", "\xC3\xBC" },
		{ "; x*0=ab; x*1=cd", "abcd", "abcd" },
		{ "; x*1=cd; x*0=ab", "abcd", "abcd" },
		{ "; x*0*=iso-8859-1'en'a%FC; x*1=b%20; x*2*=%FC",
			"a\xFC"
			"b%20\xFC",
			"a\xC3\xBC"
			"b%20\xC3\xBC" },
		{ "; x=plain; x*=utf-8''better", "better", "better" },
		{ "; x*0=a; x*2=c", "a", "a" },
		{ "; x*1=c", NULL, NULL },
		{ "; x*=nocharset", "nocharset", "nocharset" },
		{ "; x*=no-such-charset''%FC", "\xFC", "\xEF\xBF\xBD" },
		{ "; x*=utf-8''%ZZ%4", "%ZZ%4", "%ZZ%4" },
		{ "; x*=utf-8''%FF", "\xFF", "\xEF\xBF\xBD" },
		{ "; x=\"=?utf-8?Q?=C3=BC?=\"", "=?utf-8?Q?=C3=BC?=", "\xC3\xBC" },
		{ "; x=\xFC", "\xFC", "\xEF\xBF\xBD" },
		{ "; x=\"\"", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct arena arena = {};
		const struct param *params;
		struct buf joined = {}, utf8 = {};
		bool there = rows[i].joined;
		size_t n;

		param_parse(span_str(rows[i].text), &arena, &params, &n);
		assert_int_equal(param_join(params, n, "x", &joined), there);
		assert_int_equal(param_get(params, n, "x", &utf8), there);
		assert_true(!there || span_is(buf_span(&joined), rows[i].joined));
		assert_true(!there || span_is(buf_span(&utf8), rows[i].utf8));
		buf_done(&joined);
		buf_done(&utf8);
		arena_done(&arena);
	}
}

static void bounded(void **state)
{
	struct arena arena = {};
	const struct param *params;
	struct buf text = {};
	size_t n;

	(void)state;
	for (int i = 0; i < 3 * PARAM_MAX; i++)
		buf_add_format(&text, "; p%d=v", i);
	param_parse(buf_span(&text), &arena, &params, &n);
	assert_int_equal(n, PARAM_MAX);
	assert_true(span_is(param_raw(params, n, "p7"), "v"));
	assert_int_equal(param_raw(params, n, "p300").n, 0);
	buf_done(&text);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(values),
		cmocka_unit_test(bounded),
	};

	word_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
