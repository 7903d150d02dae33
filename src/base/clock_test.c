/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/clock.h"

#include "base/err.h"
#include "base/test.h"

static const struct {
	const char *text;
	int64_t us; /* -1: refused */
} times[] = {
	{ "1970-01-01T00:00:00Z", 0 },
	{ "2026-02-03T04:05:06Z", 1770091506000000 },
	{ "2026-02-03t04:05:06z", 1770091506000000 },
	{ "2026-02-03T04:05:06.5Z", 1770091506500000 },
	{ "2026-02-03T04:05:06.123456789Z", 1770091506123456 },
	{ "2026-02-03T05:35:06+01:30", 1770091506000000 },
	{ "2026-02-02T23:05:06-05:00", 1770091506000000 },
	{ "2024-02-29T00:00:00Z", 1709164800000000 },
	{ "2016-12-31T23:59:60Z", 1483228800000000 },
	{ "", -1 },
	{ "2026-02-03", -1 },
	{ "2026-02-03T04:05:06", -1 },
	{ "2026-02-03 04:05:06Z", -1 },
	{ "2026-02-03T04:05Z", -1 },
	{ "2026-02-03T04:05:06.Z", -1 },
	{ "2026-02-03T04:05:06Z ", -1 },
	{ " 2026-02-03T04:05:06Z", -1 },
	{ "2026-02-03T04:05:06+0130", -1 },
	{ "2026-02-03T04:05:06+24:00", -1 },
	{ "2026-02-03T04:05:06+01:60", -1 },
	{ "2026-02-03T04:05:06+01:30Z", -1 },
	{ "2026-2-3T04:05:06Z", -1 },
	{ "+026-02-03T04:05:06Z", -1 },
	{ "2026-00-03T04:05:06Z", -1 },
	{ "2026-13-03T04:05:06Z", -1 },
	{ "2026-02-30T04:05:06Z", -1 },
	{ "2025-02-29T04:05:06Z", -1 },
	{ "2026-02-00T04:05:06Z", -1 },
	{ "2026-02-03T24:05:06Z", -1 },
	{ "2026-02-03T04:60:06Z", -1 },
	{ "2026-02-03T04:05:61Z", -1 },
	{ "1969-12-31T23:59:59Z", -1 },
	{ "12026-02-03T04:05:06Z", -1 },
};

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
		int64_t us = -1;
		bool ok = clock_parse_rfc3339(span_str(times[i].text), &us);

		if (ok != (times[i].us >= 0) || us != times[i].us)
			fail_msg("%s: %lld", times[i].text, (long long)us);
	}
	assert_false(clock_parse_rfc3339(SPAN("2026-02-03T04:05:06Z\0"), &(int64_t){ 0 }));
}

static void test_round(void **state)
{
	CLEANUP(buf_done) struct buf text = {};
	int64_t us;

	(void)state;
	clock_add_rfc3339(&text, 253402300799000000);
	assert_true(span_is(buf_span(&text), "9999-12-31T23:59:59Z"));
	assert_true(clock_parse_rfc3339(buf_span(&text), &us));
	assert_int_equal(us, 253402300799000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_round),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
