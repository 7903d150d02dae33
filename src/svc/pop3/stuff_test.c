/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Dot-stuffing, each message whole and cut at every octet. */

#include "svc/pop3/stuff.h"

#include "base/err.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>

#include <cmocka.h>

struct row {
	const char *in;
	uint64_t body_lines;
	const char *out;
};

#define ALL UINT64_MAX

static const struct row rows[] = {
	{ "", ALL, ".\r\n" },
	{ "a: b\r\n\r\nc\r\n", ALL, "a: b\r\n\r\nc\r\n.\r\n" },
	{ ".", ALL, "..\r\n.\r\n" },
	{ ".\r\n", ALL, "..\r\n.\r\n" },
	{ "..\r\n.a\r\nb.\r\n", ALL, "...\r\n..a\r\nb.\r\n.\r\n" },
	/* Lines that end in LF alone: the dot behind one is doubled, the last one is completed. */
	{ "a\n.\nb\n", ALL, "a\n..\nb\r\n.\r\n" },
	{ "\n", ALL, "\r\n.\r\n" },
	{ "a\n\r\n", ALL, "a\n\r\n.\r\n" },
	{ "\n.\r\nQUIT", ALL, "\n..\r\nQUIT\r\n.\r\n" },
	/* A CR by itself ends nothing. */
	{ "a\r.\r\n", ALL, "a\r.\r\n.\r\n" },
	{ "a\r", ALL, "a\r\r\n.\r\n" },
	{ "\r\r\n.", ALL, "\r\r\n..\r\n.\r\n" },
	/* TOP. */
	{ "a: b\r\n\r\nc\r\nd\r\n", 0, "a: b\r\n\r\n.\r\n" },
	{ "a: b\r\n\r\nc\r\nd\r\n", 1, "a: b\r\n\r\nc\r\n.\r\n" },
	{ "a: b\r\n\r\nc\r\nd\r\n", 2, "a: b\r\n\r\nc\r\nd\r\n.\r\n" },
	{ "a: b\r\n\r\nc\r\nd\r\n", 3, "a: b\r\n\r\nc\r\nd\r\n.\r\n" },
	{ "a: b\r\n\r\n\r\n\r\nd\r\n", 1, "a: b\r\n\r\n\r\n.\r\n" },
	{ "a: b\n\nc\nd\n", 1, "a: b\n\nc\r\n.\r\n" },
	{ "a: b\r\nc: d", 0, "a: b\r\nc: d\r\n.\r\n" },
	{ "\r\nbody\r\n", 0, "\r\n.\r\n" },
	/* A line that holds only a CR is not the end of the header, one that is empty is. */
	{ "a: b\r\n\r\r\nc: d\r\n\r\ne\r\n", 0, "a: b\r\n\r\r\nc: d\r\n\r\n.\r\n" },
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct span in = span_str(rows[i].in);

		for (size_t piece = 1; piece <= in.n + 1; piece++) {
			CLEANUP(buf_done) struct buf out = {};
			struct stuffer s;

			stuffer_init(&s, rows[i].body_lines);
			for (struct span rest = in; rest.n; rest = span_skip(rest, piece))
				stuffer_add(&s, span_head(rest, piece), &out);
			stuffer_end(&s, &out);
			if (!span_is(buf_span(&out), rows[i].out))
				fail_msg("row %zu, pieces of %zu: %.*s", i, piece,
					(int)buf_size(&out), (const char *)buf_span(&out).p);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
