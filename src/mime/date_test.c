/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Dates, right and wrong. */

#include "mime/date.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void messages(void **state)
{
	static const struct {
		const char *text;
		bool valid;
		int64_t seconds;
		int zone;
	} rows[] = {
		{ "Thu, 1 Jan 1970 00:00:00 +0000", true, 0, 0 },
		{ "Fri, 21 Nov 1997 09:55:06 -0600", true, 880127706, -360 },
		{ "21 Nov 97 09:55:06 GMT", true, 880106106, 0 },
		{ "Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", true, 880127706, -360 },
		{ "Thu,\r\n 13\r\n Feb\r\n 1969\r\n 23:32\r\n -0330 (Newfoundland Time)", true,
			-27723480, -210 },
		{ "Tue, 29 Feb 2000 12:00:00 +0100", true, 951822000, 60 },
		{ "Fri,21 Nov 1997 9:55 EST", true, 880124100, -300 },
		{ "21 nov 103 00:00:00 pdt", true, 1069398000, -420 },
		{ "1 Jan 2000 00:00:00 Z", true, 946684800, 0 },
		{ "1 Jan 2000 00:00:00 CET", true, 946684800, 0 },
		{ "1 Jan 2000 00:00:00", true, 946684800, 0 },
		{ "1 January 49 00:00:00 +0000", true, 2493072000, 0 },
		{ "1 Jan 50 00:00:00 +0000", true, -631152000, 0 },
		{ "31 Dec 1998 23:59:60 +0000", true, 915148800, 0 },
		{ "1 Jan 2000 00:00:00 +0000 nonsense", true, 946684800, 0 },
		{ "", false, 0, 0 },
		{ "nonsense", false, 0, 0 },
		{ "Thu, Jan 1 1970 00:00:00", false, 0, 0 },
		{ "32 Jan 1970 00:00:00 +0000", false, 0, 0 },
		{ "0 Jan 1970 00:00:00 +0000", false, 0, 0 },
		{ "29 Feb 1900 00:00:00 +0000", false, 0, 0 },
		{ "29 Feb 2001 00:00:00 +0000", false, 0, 0 },
		{ "1 Foo 1970 00:00:00 +0000", false, 0, 0 },
		{ "1 Jan 1 00:00:00 +0000", false, 0, 0 },
		{ "1 Jan 10000 00:00:00 +0000", false, 0, 0 },
		{ "1 Jan 1899 00:00:00 +0000", false, 0, 0 },
		{ "1 Jan 1970 24:00:00 +0000", false, 0, 0 },
		{ "1 Jan 1970 00:60:00 +0000", false, 0, 0 },
		{ "1 Jan 1970 00:00:61 +0000", false, 0, 0 },
		{ "1 Jan 1970 000:00:00 +0000", false, 0, 0 },
		{ "1 Jan 1970 00:00: +0000", false, 0, 0 },
		{ "1 Jan 1970 0000 +0000", false, 0, 0 },
		{ "1 Jan 1970 00:00:00 +00000", false, 0, 0 },
		{ "1 Jan 1970 00:00:00 +000", false, 0, 0 },
		{ "1 Jan 1970 00:00:00 +0060", false, 0, 0 },
		{ "1 Jan 1970 00:00:00 (", true, 0, 0 },
		{ "(((((((1 Jan 1970 00:00:00", false, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t us = -1;
		int zone = 7;

		assert_int_equal(date_parse(span_str(rows[i].text), &us, &zone), rows[i].valid);
		assert_int_equal(us, rows[i].valid ? rows[i].seconds * 1000000 : -1);
		assert_int_equal(zone, rows[i].valid ? rows[i].zone : 7);
	}
}

static void imap(void **state)
{
	static const struct {
		const char *text;
		bool valid;
		int64_t seconds;
		const char *printed;
	} rows[] = {
		{ "17-Jul-1996 02:44:25 -0700", true, 837596665, "\"17-Jul-1996 09:44:25 +0000\"" },
		{ " 1-Jan-1970 00:00:00 +0000", true, 0, "\"01-Jan-1970 00:00:00 +0000\"" },
		{ "01-jan-2000 01:00:00 +0130", true, 946683000, "\"31-Dec-1999 23:30:00 +0000\"" },
		{ "29-Feb-2400 23:59:59 +0000", true, 13574649599,
			"\"29-Feb-2400 23:59:59 +0000\"" },
		{ "31-Dec-1969 23:59:59 +0000", true, -1, "\"31-Dec-1969 23:59:59 +0000\"" },
		{ "01-Mar-1900 00:00:00 +0000", true, -2203891200,
			"\"01-Mar-1900 00:00:00 +0000\"" },
		{ "1-Jan-1970 00:00:00 +0000", false, 0, NULL },
		{ "31-Feb-1970 00:00:00 +0000", false, 0, NULL },
		{ "01-Jan-1970 00:00:00 0000", false, 0, NULL },
		{ "01-Jan-1970 00:00:00  0000", false, 0, NULL },
		{ "01-Jan-1970 0a:00:00 +0000", false, 0, NULL },
		{ "01-Jan-1970 00:00:00 +0060", false, 0, NULL },
		{ "01 Jan 1970 00:00:00 +0000", false, 0, NULL },
		{ "\"01-Jan-1970 00:00:00 +0000\"", false, 0, NULL },
		{ "", false, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf out = {};
		int64_t us = 5;

		assert_int_equal(date_parse_imap(span_str(rows[i].text), &us), rows[i].valid);
		assert_int_equal(us, rows[i].valid ? rows[i].seconds * 1000000 : 5);
		if (!rows[i].valid)
			continue;
		date_add_imap(&out, us);
		assert_true(span_is(buf_span(&out), rows[i].printed));
		buf_done(&out);
	}
}

static void days(void **state)
{
	static const struct {
		const char *text;
		bool valid;
		int64_t day;
	} rows[] = {
		{ "1-Jan-1970", true, 0 },
		{ "\"02-Jan-1970\"", true, 1 },
		{ "31-Dec-1969", true, -1 },
		{ "29-Feb-2000", true, 11016 },
		{ "29-Feb-2001", false, 0 },
		{ "1-1-1970", false, 0 },
		{ "1-Jan-70", false, 0 },
		{ "001-Jan-1970", false, 0 },
		{ "-Jan-1970", false, 0 },
		{ "1-Jan-19700", false, 0 },
		{ "1-January-1970", false, 0 },
		{ "", false, 0 },
		{ "\"1-Jan-1970", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t day = 99;

		assert_int_equal(date_parse_day(span_str(rows[i].text), &day), rows[i].valid);
		assert_int_equal(day, rows[i].valid ? rows[i].day : 99);
	}
	assert_int_equal(date_day(-1, 0), -1);
	assert_int_equal(date_day(0, 0), 0);
	assert_int_equal(date_day(0, -60), -1);
	assert_int_equal(date_day(INT64_C(86399999999), 0), 0);
	assert_int_equal(date_day(INT64_C(86399999999), 1), 1);
}

/* Each day of four centuries is printed as one further than the day before. */
static void calendar(void **state)
{
	(void)state;
	for (int64_t day = -25567; day < 200000; day++) {
		struct buf out = {};
		int64_t us;

		date_add_imap(&out, day * INT64_C(86400000000));
		assert_true(date_parse_imap(span_head(span_skip(buf_span(&out), 1), 26), &us));
		assert_int_equal(us, day * INT64_C(86400000000));
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages),
		cmocka_unit_test(imap),
		cmocka_unit_test(days),
		cmocka_unit_test(calendar),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
