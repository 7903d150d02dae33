/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "mail/scrub.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct row {
	const char *in;
	const char *plain; /* nothing is to be added; NULL: as in */
	const char *added; /* D and M stand for what may be added; NULL: as plain */
};

static const struct row rows[] = {
	{ "A: b\r\n\r\ntext\r\n", NULL, "A: b\r\nDM\r\ntext\r\n" },
	{ "Date: x\r\n\r\ntext\r\n", NULL, "Date: x\r\nM\r\ntext\r\n" },
	{ "dAtE : x\r\nmessage-id:y\r\n\r\n", NULL, NULL },
	{ "Date: x\r\nMessage-ID: y\r\n\r\nReturn-Path: z\r\n", NULL, NULL },
	{ "Return-Path: <x@y>\r\nA: b\r\n\r\n", "A: b\r\n\r\n", "A: b\r\nDM\r\n" },
	{ "A: b\r\nReturn-Path:\r\n <x\r\n\t@y>\r\nC: d\r\n e\r\n\r\n",
		"A: b\r\nC: d\r\n e\r\n\r\n", "A: b\r\nC: d\r\n e\r\nDM\r\n" },
	{ "RETURN-path : x\r\n\r\n", "\r\n", "DM\r\n" },
	{ "Return-Path-Extra: x\r\nX-Return-Path: y\r\n\r\n", NULL,
		"Return-Path-Extra: x\r\nX-Return-Path: y\r\nDM\r\n" },
	{ "Return-Path\r\n: x\r\n\r\n", ": x\r\n\r\n", ": x\r\nDM\r\n" },
	{ "Return-Path\r\n : x\r\n\r\n", "\r\n", "DM\r\n" },
	{ "Return-Path             : x\r\n\r\n", "\r\n", "DM\r\n" },
	{ "Signet-Not-Encrypted    : x\r\n y\r\n\r\n", "\r\n", "DM\r\n" },
	{ "Signet-Not-Encrypted\t \t                          : x\r\n\r\n", "\r\n", "DM\r\n" },
	{ "Signet-Not-EncryptedXYZW: x\r\n\r\n", NULL, "Signet-Not-EncryptedXYZW: x\r\nDM\r\n" },
	{ "Signet-Not-Encrypted: forged\r\n more\r\nA: b\r\n\r\n", "A: b\r\n\r\n",
		"A: b\r\nDM\r\n" },
	{ "signet-not-encrypted  : x\r\n\r\n", "\r\n", "DM\r\n" },
	{ "Signet-Not-Encrypted-X: y\r\n\r\n", NULL, "Signet-Not-Encrypted-X: y\r\nDM\r\n" },
	{ "\r\nReturn-Path: x\r\n", NULL, "DM\r\nReturn-Path: x\r\n" },
	{ "", NULL, "DM" },
	{ "no header at all\r\n", NULL, "no header at all\r\nDM" },
	{ " continues: nothing\r\n\r\n", NULL, " continues: nothing\r\nDM\r\n" },
	{ "Return-Path: x\r\n", "", "DM" },
	{ "Date: x\r\n", NULL, "Date: x\r\nM" },
	{ "Dates: x\r\nX-Date: y\r\n\r\n", NULL, "Dates: x\r\nX-Date: y\r\nDM\r\n" },
};

static void run(const char *in, bool adds, size_t step, struct buf *out)
{
	struct scrub s = {};
	struct span rest = span_str(in);

	if (adds) {
		s.date = SPAN("D");
		s.message_id = SPAN("M");
	}
	while (rest.n) {
		struct span piece = span_head(rest, step);

		buf_add(out, span_skip(piece, scrub_feed(&s, piece, out)));
		rest = span_skip(rest, piece.n);
	}
	scrub_end(&s, out);
}

static void test_scrub(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *plain = rows[i].plain ? rows[i].plain : rows[i].in;
		const char *added = rows[i].added ? rows[i].added : plain;

		for (size_t step = 1; step <= strlen(rows[i].in) + 1; step++) {
			CLEANUP(buf_done) struct buf out = {};
			CLEANUP(buf_done) struct buf out_added = {};

			run(rows[i].in, false, step, &out);
			run(rows[i].in, true, step, &out_added);
			if (!span_is(buf_span(&out), plain) ||
				!span_is(buf_span(&out_added), added))
				fail_msg("row %zu, pieces of %zu: %.*s", i, step,
					(int)buf_size(&out_added),
					(const char *)buf_span(&out_added).p);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_scrub) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
