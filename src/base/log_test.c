/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/test.h"

static void lines_cannot_be_forged(void **state)
{
	static const struct log_context listener = { .field = { .key = "service",
		.text = { (const uint8_t *)"imap", 4 } } };
	const struct log_context session = { .parent = &listener,
		.field = log_str("session", "0011") };
	CLEANUP(buf_done) struct buf out = {};
	uint64_t after = log_read(0, NULL, 1000, &out);

	(void)state;
	buf_clear(&out);
	LOG(&session, LOG_INFO, "IMAP", "imap.login",
		log_span("user", SPAN("a\r\nlevel=error x=\"y\"\x80")), log_int("n", -3));
	(void)log_read(after, "imap", 10, &out);
	buf_add_octet(&out, 0);
	assert_string_equal((const char *)buf_span(&out).p,
		"2001-09-09T01:46:40Z level=info tag=IMAP service=imap session=0011 imap.login"
		" user=\"a\\x0d\\x0alevel=error x=\\\"y\\\"\\x80\" n=-3\n");
}

/* Signs of other scripts stay as they are; control characters beyond ASCII do not. */
static void terminals_are_not_commanded(void **state)
{
	CLEANUP(buf_done) struct buf out = {};
	uint64_t after = log_read(0, NULL, 1000, &out);

	(void)state;
	buf_clear(&out);
	LOG(NULL, LOG_INFO, "IMAP", "imap.id",
		log_span("name", SPAN("\xC2\x9B" "31m \xC3\xA9\xC2\xA0")));
	(void)log_read(after, "imap", 10, &out);
	assert_true(span_find_span(buf_span(&out),
		SPAN("name=\"\\xc2\\x9b31m \xC3\xA9\xC2\xA0\"\n")) < buf_size(&out));
}

static void levels_and_tags(void **state)
{
	CLEANUP(buf_done) struct buf out = {};
	uint64_t after = log_read(0, NULL, 1000, &out);

	(void)state;
	buf_clear(&out);
	LOG(NULL, LOG_DEBUG, "TLS", "tls.seen");
	LOG(NULL, LOG_INFO, "TLS", "tls.one");
	LOG(NULL, LOG_INFO, "SMTP", "smtp.two");
	(void)log_read(after, "TLS", 10, &out);
	assert_true(span_find_span(buf_span(&out), SPAN("tls.one")) < buf_size(&out));
	assert_true(span_find_span(buf_span(&out), SPAN("tls.seen")) == buf_size(&out));
	assert_true(span_find_span(buf_span(&out), SPAN("smtp.two")) == buf_size(&out));
}

static void the_ring_is_bounded(void **state)
{
	CLEANUP(buf_done) struct buf out = {};
	uint64_t last;

	(void)state;
	for (unsigned i = 0; i < 10000; i++)
		LOG(NULL, LOG_INFO, "X", "fill", log_int("i", i));
	last = log_read(0, NULL, SIZE_MAX, &out);
	assert_true(span_find_span(buf_span(&out), SPAN("i=9999\n")) < buf_size(&out));
	assert_true(span_find_span(buf_span(&out), SPAN("i=1000\n")) == buf_size(&out));
	buf_clear(&out);
	assert_true(log_read(last, NULL, 10, &out) == last);
	assert_int_equal(buf_size(&out), 0);
}

static void long_values_are_cut(void **state)
{
	CLEANUP(buf_done) struct buf value = {}, out = {};
	uint64_t after = log_read(0, NULL, SIZE_MAX, &out);

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		buf_add_octet(&value, 'x');
	buf_clear(&out);
	LOG(NULL, LOG_INFO, "X", "long", log_span("value", buf_span(&value)));
	(void)log_read(after, NULL, 10, &out);
	assert_in_range(buf_size(&out), 100, 2100);
	assert_int_equal(buf_span(&out).p[buf_size(&out) - 1], '\n');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_cannot_be_forged),
		cmocka_unit_test(terminals_are_not_commanded),
		cmocka_unit_test(levels_and_tags),
		cmocka_unit_test(the_ring_is_bounded),
		cmocka_unit_test(long_values_are_cut),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	log_set_stderr(false);
	clock_set(1000000000000000, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
