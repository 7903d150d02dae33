/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* VANISHED (EARLIER): records, gaps, and sets of all shapes. */

#include "svc/imap/vanished.h"

#include "store/view.h"
#include "svc/imap/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint32_t uids[] = { 3, 4, 8, 20 };
static const struct view view = { .n = 4, .uids = uids, .uidnext = 25 };
static const struct view no_view = { .uidnext = 6 };
static const struct view new_view = { .uidnext = 1 };

static void answers(void **state)
{
	static const struct {
		const char *set; /* NULL: all */
		const struct view *view;
		uint32_t expunged[6];
		bool complete;
		const char *expected;
	} rows[] = {
		{ NULL, &view, {}, true, "" },
		{ NULL, &view, { 1 }, true, "1" },
		{ NULL, &view, { 1, 2, 5, 6, 24 }, true, "1:2,5:6,24" },
		{ "1:*", &view, { 1, 2, 5, 6, 24 }, true, "1:2,5:6,24" },
		{ "2:5", &view, { 1, 2, 5, 6, 24 }, true, "2,5" },
		{ "6,5,2", &view, { 1, 2, 5, 6, 24 }, true, "2,5:6" },
		{ "*", &view, { 1, 24 }, true, "24" },
		{ "30:40", &view, { 1, 24 }, true, "" },
		{ "4294967295:10", &view, { 1, 11, 24 }, true, "11,24" },
		/* What the client has not been told of yet is told in its time. */
		{ NULL, &view, { 3, 5, 8 }, true, "5" },
		{ NULL, &view, {}, false, "1:2,5:7,9:19,21:24" },
		{ "1:10", &view, { 1 }, false, "1:2,5:7,9:10" },
		{ "3:4,8", &view, {}, false, "" },
		{ "4:8,18:22", &view, {}, false, "5:7,18:19,21:22" },
		{ NULL, &no_view, {}, false, "1:5" },
		{ NULL, &new_view, {}, false, "" },
		{ "1:*", &new_view, {}, true, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct arena a = {};
		struct imap_parser p = { .rest = span_str(rows[i].set), .arena = &a };
		struct imap_set set = {};
		struct buf out = {}, expected = {};
		size_t n = 0;

		while (n < 6 && rows[i].expunged[n])
			n++;
		if (rows[i].set)
			assert_true(parse_set(&p, &set));
		vanished_add(&out, &a, rows[i].set ? &set : NULL, rows[i].view,
			span_of(rows[i].expunged, n * sizeof(uint32_t)), rows[i].complete);
		if (*rows[i].expected)
			buf_add_format(&expected, "* VANISHED (EARLIER) %s\r\n", rows[i].expected);
		if (!span_equal(buf_span(&out), buf_span(&expected)))
			fail_msg("row %zu: %.*s", i, (int)buf_size(&out),
				(const char *)buf_span(&out).p);
		buf_done(&out);
		buf_done(&expected);
		arena_done(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(answers) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
