/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Headers as RFC 9788 wants them, inside and outside. */

#include "smime/protect.h"

#include "base/err.h"
#include "base/test.h"

#define OUTER                                                                                      \
	"Received: from x\r\nFrom: a@b\r\nSubject: secret\r\n plans\r\nKeywords: k\r\n"            \
	"Date: d\r\nMIME-Version: 1.0\r\n"
#define INNER "From: a@b\r\nSubject: secret\r\n plans\r\nKeywords: k\r\nDate: d\r\n"

static void protected(void **state)
{
	static const struct {
		bool encrypted;
		const char *entity, *outer, *expected;
	} rows[] = {
		{ false, "Content-Type: text/plain\r\n\r\nx", OUTER,
			INNER "Content-Type: text/plain;\r\n hp=\"clear\"\r\n\r\nx" },
		{ true, "Content-Type: text/plain; a=b; \r\nContent-ID: <i>\r\n\r\nx\r\n",
			"Received: from x\r\nFrom: a@b\r\nSubject: [...]\r\nDate: d\r\n"
			"MIME-Version: 1.0\r\n",
			INNER
			"HP-Outer: From: a@b\r\nHP-Outer: Subject: [...]\r\nHP-Outer: Date: d\r\n"
			"Content-Type: text/plain; a=b;\r\n hp=\"cipher\"\r\nContent-ID: "
			"<i>\r\n\r\nx\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP(buf_done) struct buf outer = {}, entity = {};

		assert_true(protect_header(SPAN(OUTER), span_str(rows[i].entity), rows[i].encrypted,
			&outer, &entity));
		if (!span_is(buf_span(&outer), rows[i].outer) ||
			!span_is(buf_span(&entity), rows[i].expected))
			fail_msg("row %zu:\n%.*s\n%.*s", i, (int)buf_size(&outer),
				(const char *)outer.p, (int)buf_size(&entity),
				(const char *)entity.p);
	}
}

/* A field of that name from outside says nothing inside, and what is marked is not marked again. */
static void strange(void **state)
{
	CLEANUP(buf_done) struct buf outer = {}, entity = {};

	(void)state;
	assert_true(protect_header(SPAN("HP-Outer: Subject: x\r\nA: b\r\n"),
		SPAN("Content-Type: text/plain\r\n\r\n"), true, &outer, &entity));
	assert_true(span_is(buf_span(&entity),
		"A: b\r\nHP-Outer: A: b\r\nContent-Type: text/plain;\r\n hp=\"cipher\"\r\n\r\n"));
	buf_clear(&outer);
	buf_clear(&entity);
	assert_false(protect_header(SPAN("A: b\r\n"),
		SPAN("Content-Type: text/plain; HP=clear\r\n\r\n"), true, &outer, &entity));
	assert_false(protect_header(SPAN("A: b\r\n"), SPAN("Content-ID: <i>\r\n\r\n"), true, &outer,
		&entity));
	assert_int_equal(buf_size(&outer) + buf_size(&entity), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(protected),
		cmocka_unit_test(strange),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
