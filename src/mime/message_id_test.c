/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Ids of fields as people send them. */

#include "mime/message_id.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* The ids, each followed by a semicolon. */
static void fields(void **state)
{
	static const struct {
		const char *value, *expected;
	} rows[] = {
		{ "", "" },
		{ " <a@b>\r\n", "a@b;" },
		{ "<a@b><c@d>\r\n\t<e@f>", "a@b;c@d;e@f;" },
		{ "<\"a\"@b>", "a@b;" },
		{ "<a@\r\n b>", "a@b;" },
		{ "Your mail of Monday <a@b> to me", "a@b;" },
		{ "Your mail of Monday", "" },
		{ "a@b c@d", "a@b;c@d;" },
		{ "c@d <a@b>", "a@b;" },
		{ "<a@b <c@d>", "a@b;c@d;" },
		{ "<a@b", "a@b;" },
		{ "<> < > <\"\">", "" },
		{ "<<<", "" },
		{ "<no-at>", "no-at;" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct message_ids ids = message_ids_of(span_str(rows[i].value));
		struct buf id = {}, out = {};

		while (message_id_next(&ids, &id)) {
			buf_add(&out, buf_span(&id));
			buf_add_octet(&out, ';');
		}
		buf_add_octet(&out, 0);
		assert_string_equal((const char *)buf_span(&out).p, rows[i].expected);
		buf_done(&id);
		buf_done(&out);
	}
}

/* One that no line could hold is passed over. */
static void too_long(void **state)
{
	struct buf value = {}, id = {};
	struct message_ids ids;

	(void)state;
	buf_add_octet(&value, '<');
	for (int i = 0; i < 2000; i++)
		buf_add_octet(&value, 'a');
	buf_add_string(&value, "@b> <c@d>");
	ids = message_ids_of(buf_span(&value));
	assert_true(message_id_next(&ids, &id));
	assert_true(span_is(buf_span(&id), "c@d"));
	assert_false(message_id_next(&ids, &id));
	buf_done(&value);
	buf_done(&id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(too_long),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
