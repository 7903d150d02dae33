/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* What the guard lets through and what it refuses, each input at once and cut at every octet. */

#include "svc/http/guard.h"

#include "base/alloc.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <setjmp.h>

#include <cmocka.h>

/* Feeds the octets in pieces; what came out stays in out. */
static int feed(struct guard *g, struct span in, size_t piece, struct buf *out)
{
	int r = 0;

	while (in.n && !r) {
		r = guard_add(g, span_head(in, piece), out);
		in = span_skip(in, piece);
	}
	return r;
}

struct accepted {
	const char *in;
	const char *out; /* NULL: as it came */
	uint64_t n_requests;
	size_t n; /* octets of in, where it holds a NUL */
};

#define BINARY_BODY "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n\n\r\0 GET "

static const struct accepted accepted[] = {
	{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n", NULL, 1 },
	{ "GET / HTTP/1.0\r\n\r\n", NULL, 1 },
	{ "GET / HTTP/1.1\r\nHost: [::1]:8443\r\nX:\r\nY: \t a b\xc3\xa4\r\n\r\n", NULL, 1 },
	/* An empty line before a request is dropped. */
	{ "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1 },
	/* A body may look like anything. */
	{ BINARY_BODY, NULL, 1, sizeof BINARY_BODY - 1 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
		NULL, 2 },
	/* Pipelined. */
	{ "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPUT /2 HTTP/1.1\r\nHost: a\r\ncontent-length: 2\r\n\r\n"
	  "{}GET /3 HTTP/1.1\r\nHost: a\r\n\r\n", NULL, 3 },
	/* Chunk lines are written anew, extensions and trailers dropped. */
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
	  "0005;a=\"b\"\r\nhello\r\nA \r\n0123456789\r\n000\r\nX: y\r\n\r\n"
	  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
	  "5\r\nhello\r\na\r\n0123456789\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 2 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", NULL, 1 },
	{ "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx", NULL, 1 },
};

static void test_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
		const struct accepted *a = &accepted[i];
		size_t n = a->n ? a->n : strlen(a->in);
		struct span in = span_of(a->in, n);
		struct span want = a->out ? span_str(a->out) : in;

		for (size_t piece = 1; piece <= n; piece++) {
			CLEANUP(buf_done) struct buf out = {};
			struct guard g = {};

			assert_int_equal(feed(&g, in, piece, &out), 0);
			assert_int_equal(buf_size(&out), want.n);
			assert_memory_equal(buf_span(&out).p, want.p, want.n);
			assert_int_equal(g.n_requests, a->n_requests);
			assert_true(guard_is_idle(&g));
			guard_done(&g);
		}
	}
}

struct refused {
	const char *in;
	unsigned status;
};

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static const struct refused refused[] = {
	/* Line ends. */
	{ "GET / HTTP/1.1\nHost: a\n\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\n\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", 400 },
	{ "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	/* The request line. */
	{ "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400 },
	{ " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "GET /\r\n\r\n", 400 },
	{ "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505 },
	{ "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505 },
	{ "GET / http/1.1\r\nHost: a\r\n\r\n", 400 },
	/* Fields. */
	{ GET "X : y\r\n\r\n", 400 },
	{ GET "X: y\r\n z\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400 },
	{ GET "no colon\r\n\r\n", 400 },
	{ GET ": y\r\n\r\n", 400 },
	{ GET "X: a\x01\x62\r\n\r\n", 400 },
	{ GET "X: a\x7f\r\n\r\n", 400 },
	/* Host. */
	{ "GET / HTTP/1.1\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400 },
	/* Two ways to read the body. */
	{ POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400 },
	{ POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400 },
	{ POST "Content-Length: 5, 5\r\n\r\n", 400 },
	{ POST "Content-Length: +5\r\n\r\n", 400 },
	{ POST "Content-Length: -1\r\n\r\n", 400 },
	{ POST "Content-Length: 0x5\r\n\r\n", 400 },
	{ POST "Content-Length: 5 5\r\n\r\n", 400 },
	{ POST "Content-Length:\r\n\r\n", 400 },
	{ POST "Content-Length: 99999999999999999999999\r\n\r\n", 400 },
	{ POST "Content-Length: 1073741825\r\n\r\n", 413 },
	{ POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
	{ POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400 },
	{ POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 400 },
	{ POST "Transfer-Encoding: gzip\r\n\r\n", 400 },
	{ POST "Transfer-Encoding: identity\r\n\r\n", 400 },
	{ POST "Transfer-Encoding: chunked, chunked\r\n\r\n", 400 },
	{ POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
	{ POST "Transfer-Encoding: \"chunked\"\r\n\r\n", 400 },
	{ POST "Transfer-Encoding:\x0b" "chunked\r\n\r\n", 400 },
	{ "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
	{ POST "Expect: something\r\n\r\n", 417 },
	/* Chunks. */
	{ CHUNKED "\r\n", 400 },
	{ CHUNKED "0x5\r\nhello\r\n", 400 },
	{ CHUNKED "5\nhello\r\n", 400 },
	{ CHUNKED "5\r\nhello0\r\n", 400 },
	{ CHUNKED "5\r\nhello\n0\r\n", 400 },
	{ CHUNKED "-5\r\nhello\r\n", 400 },
	{ CHUNKED "5 5\r\nhello\r\n", 400 },
	{ CHUNKED "5;a\x01\r\nhello\r\n", 400 },
	{ CHUNKED "123456789\r\n", 400 },
	{ CHUNKED "40000001\r\n", 413 },
	{ CHUNKED "0\r\nno colon\r\n\r\n", 400 },
	{ CHUNKED "0\r\nX: y\n\r\n", 400 },
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		struct span in = span_str(refused[i].in);

		for (size_t piece = 1; piece <= in.n; piece++) {
			CLEANUP(buf_done) struct buf out = {};
			struct guard g = {};
			size_t n;

			if (feed(&g, in, piece, &out) != GUARD_E_REFUSED)
				fail_msg("not refused: %s", refused[i].in);
			assert_int_equal(g.status, refused[i].status);
			assert_true(g.reason[0]);
			/* Nothing comes after a refusal. */
			n = buf_size(&out);
			assert_int_equal(guard_add(&g, SPAN(GET "\r\n"), &out), GUARD_E_REFUSED);
			assert_int_equal(buf_size(&out), n);
			guard_done(&g);
		}
	}
}

/* What came before the refused request has been passed on; of the request itself nothing. */
static void test_refusal_is_behind(void **state)
{
	CLEANUP(buf_done) struct buf out = {};
	struct guard g = {};
	struct span good = SPAN(GET "\r\n");

	(void)state;
	assert_int_equal(guard_add(&g, SPAN(GET "\r\n" GET "X : y\r\n\r\n"), &out), GUARD_E_REFUSED);
	assert_int_equal(buf_size(&out), good.n);
	guard_done(&g);
}

/* Sizes at their limits, and one over. */
static void test_limits(void **state)
{
	(void)state;
	for (unsigned over = 0; over < 2; over++) {
		CLEANUP(buf_done) struct buf line = {}, fields = {}, value = {}, out = {};
		struct guard g = {};

		buf_add_string(&line, "GET /");
		while (buf_size(&line) < GUARD_LINE_MAX - 11 + over)
			buf_add_octet(&line, 'a');
		buf_add_string(&line, " HTTP/1.1\r\nHost: a\r\n\r\n");
		assert_int_equal(guard_add(&g, buf_span(&line), &out), over ? GUARD_E_REFUSED : 0);
		if (over)
			assert_int_equal(g.status, 414);
		guard_done(&g);

		g = (struct guard){};
		buf_add_string(&fields, GET);
		for (unsigned i = 1; i < GUARD_FIELDS_MAX + over; i++)
			buf_add_string(&fields, "X: y\r\n");
		buf_add_string(&fields, "\r\n");
		assert_int_equal(guard_add(&g, buf_span(&fields), &out), over ? GUARD_E_REFUSED : 0);
		if (over)
			assert_int_equal(g.status, 431);
		guard_done(&g);

		g = (struct guard){};
		buf_add_string(&value, GET "X: ");
		while (buf_size(&value) < GUARD_HEAD_MAX - 4 + over)
			buf_add_octet(&value, 'a');
		buf_add_string(&value, "\r\n\r\n");
		assert_int_equal(guard_add(&g, buf_span(&value), &out), over ? GUARD_E_REFUSED : 0);
		if (over)
			assert_int_equal(g.status, 431);
		guard_done(&g);
	}
}

/* So many octets as the target has digits in it, in a PUT; in others one. */
static uint64_t limit_of(void *context, struct span method, struct span target)
{
	unsigned *n_asked = context;
	uint64_t limit = 0;

	++*n_asked;
	if (!span_is(method, "PUT"))
		return 1;
	assert_true(span_starts(target, SPAN("/")));
	assert_true(span_to_u64(span_skip(target, 1), UINT64_MAX, &limit));
	return limit;
}

struct body_case {
	const char *in;
	const char *out;    /* that is passed on; NULL: all */
	unsigned n_asked;
	uint64_t limit;     /* 0: not refused */
	uint64_t n_octets;
};

#define PUT(limit) "PUT /" limit " HTTP/1.1\r\nHost: a\r\n"
#define PUT_CHUNKED(limit) PUT(limit) "Transfer-Encoding: chunked\r\n\r\n"

static const struct body_case bodies[] = {
	{ PUT("5") "Content-Length: 5\r\n\r\nhello", NULL, 1, 0, 5 },
	/* Nothing of a request that is too large is passed on, and nobody waits for its body. */
	{ PUT("5") "Content-Length: 6\r\n\r\n", "", 1, 5, 0 },
	{ PUT("5") "Content-Length: 6\r\nExpect: 100-continue\r\n\r\n", "", 1, 5, 0 },
	{ PUT("5") "Content-Length: 18446744073709551615\r\n\r\n", "", 1, 5, 0 },
	{ PUT("0") "Content-Length: 0\r\n\r\n", NULL, 1, 0, 0 },
	{ PUT("0") "\r\n", NULL, 0, 0, 0 },
	/* Chunks count together, but not their lines. */
	{ PUT_CHUNKED("5") "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", NULL, 1, 0, 5 },
	{ PUT_CHUNKED("5") "3\r\nhel\r\n3\r\n", PUT_CHUNKED("5") "3\r\nhel\r\n", 1, 5, 3 },
	{ PUT_CHUNKED("5") "ffffffff\r\n", PUT_CHUNKED("5"), 1, 5, 0 },
	{ PUT_CHUNKED("0") "0\r\n\r\n", NULL, 1, 0, 0 },
	/* Each request has its own limit. */
	{ PUT("5") "Content-Length: 5\r\n\r\nhello" POST "Content-Length: 1\r\n\r\n!" PUT("4")
		"Content-Length: 5\r\n\r\n", PUT("5") "Content-Length: 5\r\n\r\nhello" POST
		"Content-Length: 1\r\n\r\n!", 3, 4, 6 },
	{ "\r\n\r\n" PUT("5") "Content-Length: 5\r\n\r\nhello",
		PUT("5") "Content-Length: 5\r\n\r\nhello", 1, 0, 5 },
};

static void test_body_limits(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		const struct body_case *b = &bodies[i];
		struct span in = span_str(b->in);
		struct span want = b->out ? span_str(b->out) : in;

		for (size_t piece = 1; piece <= in.n; piece++) {
			CLEANUP(buf_done) struct buf out = {};
			unsigned n_asked = 0;
			struct guard g = { .limit_of = limit_of, .context = &n_asked };
			char words[60];

			assert_int_equal(feed(&g, in, piece, &out), b->limit ? GUARD_E_REFUSED : 0);
			if (!span_equal(buf_span(&out), want))
				fail_msg("case %zu, cut at %zu", i, piece);
			assert_int_equal(n_asked, b->n_asked);
			assert_int_equal(g.n_octets, b->n_octets);
			if (b->limit) {
				assert_int_equal(g.status, 413);
				assert_int_equal(g.limit, b->limit);
				(void)snprintf(words, sizeof words, "at most %llu octets",
					(unsigned long long)b->limit);
				assert_non_null(strstr(g.reason, words));
			}
			guard_done(&g);
		}
	}
}

/* A head that never ends is refused long before memory matters. */
static void test_endless(void **state)
{
	CLEANUP(buf_done) struct buf out = {};
	struct guard g = {};
	size_t n = 0;

	(void)state;
	while (guard_add(&g, SPAN("aaaaaaaaaaaaaaaa"), &out) == 0)
		assert_in_range(n++, 0, 1000);
	assert_int_equal(g.status, 414);
	assert_int_equal(buf_size(&out), 0);
	guard_done(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refusal_is_behind),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_body_limits),
		cmocka_unit_test(test_endless),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
