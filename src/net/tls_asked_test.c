/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "net/tls_asked.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"

static void note(struct span name, uint64_t n, void *context)
{
	buf_add_format(context, "%.*s=%llu ", (int)name.n, (const char *)name.p,
		(unsigned long long)n);
}

static void test_below(void **state)
{
	struct tls_asked *a = tls_asked_new();
	CLEANUP(buf_done) struct buf text = {}, none = {};

	(void)state;
	tls_asked_add(a, SPAN("imap.example.org"));
	tls_asked_add(a, SPAN("imap.example.org"));
	tls_asked_add(a, SPAN("notexample.org"));
	tls_asked_add(a, SPAN("org"));
	tls_asked_each(a, SPAN("Example.org"), note, &text);
	assert_true(span_is(buf_span(&text), "imap.example.org=2 "));
	tls_asked_each(a, SPAN("ample.org"), note, &none);
	assert_int_equal(buf_size(&none), 0);
	tls_asked_add(a, SPAN("example.org"));
	tls_asked_each(a, SPAN("example.org"), note, &none);
	assert_true(span_find_span(buf_span(&none), SPAN("example.org=1 ")) < buf_size(&none));
	tls_asked_free(a);
}

static void count(struct span name, uint64_t n, void *context)
{
	(void)name;
	*(uint64_t *)context += n;
}

static void test_bounded(void **state)
{
	struct tls_asked *a = tls_asked_new();
	uint64_t n = 0;

	(void)state;
	for (unsigned i = 0; i < 3 * TLS_ASKED_MAX; i++) {
		CLEANUP(buf_done) struct buf name = {};

		buf_add_format(&name, "x%u.example.org", i);
		tls_asked_add(a, buf_span(&name));
	}
	tls_asked_each(a, SPAN("example.org"), count, &n);
	assert_int_equal(n, TLS_ASKED_MAX);
	/* What is known goes on being counted. */
	tls_asked_add(a, SPAN("x0.example.org"));
	n = 0;
	tls_asked_each(a, SPAN("x0.example.org"), count, &n);
	assert_int_equal(n, 2);
	tls_asked_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_below),
		cmocka_unit_test(test_bounded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tls_asked", tests, NULL, NULL);
}
