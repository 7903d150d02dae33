/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * HTTP on the wire, through guard, bridge and library: framing, order, smuggling, time-outs, sizes,
 * slow readers, ends. The API is another test's subject.
 */

#include "svc/http/client_fixture.h"

#include "base/clock.h"
#include "base/log.h"
#include "keyd/provider.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct env_fixture *environment;

static int set_up(void **state)
{
	static struct http_fixture f;

	http_fixture_open(&f, environment);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	http_fixture_close(*state);
	return 0;
}

#define PAGE "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define NOWHERE "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"

static void expect_status(int fd, unsigned status)
{
	struct http_response r;

	http_client_read(fd, &r, false);
	assert_int_equal(r.status, status);
	http_response_done(&r);
}

static void expect_end(int fd)
{
	struct http_response r;

	http_client_read(fd, &r, false);
	assert_int_equal(r.status, 0);
	assert_int_equal(buf_size(&r.head), 0);
	http_response_done(&r);
	(void)close(fd);
}

static void test_keep_alive(void **state)
{
	int fd = http_client(*state, HTTP_PLAIN, "192.0.2.1");

	for (int i = 0; i < 3; i++) {
		http_client_send(fd, SPAN(PAGE));
		expect_status(fd, 200);
		http_client_send(fd, SPAN(NOWHERE));
		expect_status(fd, 404);
	}
	(void)shutdown(fd, SHUT_WR);
	expect_end(fd);
}

/* All at once, and octet by octet: the same answers in the same order. */
static void test_pipelined(void **state)
{
	static const char input[] = PAGE NOWHERE "OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n"
				    "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\n"
				    "GET / HTTP/1.1\r\nHost: b\r\n\r\n ab"
				    "POST /nowhere HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
				    "5\r\nhello\r\n0\r\n\r\n" PAGE;
	static const unsigned status[] = { 200, 404, 204, 404, 404, 200 };

	for (size_t piece = 1; piece <= sizeof input; piece += sizeof input - 1) {
		int fd = http_client(*state, HTTP_PLAIN, "192.0.2.1");
		struct span rest = span_of(input, sizeof input - 1);

		while (rest.n) {
			http_client_send(fd, span_head(rest, piece));
			rest = span_skip(rest, piece);
		}
		for (size_t i = 0; i < sizeof status / sizeof status[0]; i++)
			expect_status(fd, status[i]);
		(void)shutdown(fd, SHUT_WR);
		expect_end(fd);
	}
}

struct smuggle {
	const char *request;
	const char *status; /* of the last answer */
};

static const struct smuggle smuggles[] = {
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 26\r\n\r\n" PAGE, "400" },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
	  PAGE, "400" },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" PAGE, "400" },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n" PAGE,
		"400" },
	{ "GET / HTTP/1.1\r\nHost: a\r\nX: a\nY: b\r\n\r\n" PAGE, "400" },
	{ "GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n" PAGE, "400" },
	{ "GET / HTTP/1.1\r\n\r\n" PAGE, "400" },
	{ "GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n" PAGE, "400" },
	{ "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "400" },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n", "413" },
	{ "\x16\x03\x01\x02\r\n\r\n", "400" },
};

/* The request before is answered, then the refusal, then nothing more: what stood behind is gone. */
static void test_smuggling(void **state)
{
	for (size_t i = 0; i < sizeof smuggles / sizeof smuggles[0]; i++) {
		CLEANUP(buf_done) struct buf input = {}, out = {};
		struct span rest;
		size_t first, last, n_answers = 0;

		buf_add_string(&input, NOWHERE);
		buf_add_string(&input, smuggles[i].request);
		out = http_client_exchange(http_client(*state, HTTP_PLAIN, "192.0.2.1"),
			buf_span(&input));
		first = span_find_span(buf_span(&out), SPAN("HTTP/1.1 404"));
		assert_int_equal(first, 0);
		rest = buf_span(&out);
		for (last = 0; rest.n; n_answers++) {
			size_t at = span_find_span(rest, SPAN("HTTP/1.1 "));

			if (at == rest.n)
				break;
			last = (size_t)(rest.p - buf_span(&out).p) + at;
			rest = span_skip(rest, at + 9);
		}
		if (n_answers != 2)
			fail_msg("%zu answers to: %s", n_answers, smuggles[i].request);
		assert_memory_equal(buf_span(&out).p + last + 9, smuggles[i].status, 3);
	}
}

/* A refusal's body is a problem, and the connection ends without the client's doing. */
static void test_refusal(void **state)
{
	int fd = http_client(*state, HTTP_PLAIN, "192.0.2.1");
	struct http_response r;
	json_t *problem;

	http_client_send(fd, SPAN("GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n"));
	http_client_read(fd, &r, false);
	assert_int_equal(r.status, 400);
	assert_true(span_is(http_response_header(&r, "Content-Type"), "application/problem+json"));
	assert_true(span_is(http_response_header(&r, "Connection"), "close"));
	problem = http_response_json(&r);
	assert_int_equal(json_integer_value(json_object_get(problem, "status")), 400);
	assert_string_equal(json_string_value(json_object_get(problem, "detail")),
		"malformed header field");
	json_decref(problem);
	http_response_done(&r);
	expect_end(fd);
}

/* In the middle of a body that the library has begun to read, all in one piece. */
static void test_refusal_in_a_body(void **state)
{
	for (int i = 0; i < 50; i++) {
		int fd = http_client(*state, HTTP_PLAIN, "192.0.2.1");

		http_client_send(fd, SPAN("POST /nowhere HTTP/1.1\r\nHost: a\r\n"
					  "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n"));
		expect_status(fd, 400);
		expect_end(fd);
	}
}

static void test_expect(void **state)
{
	int fd = http_client(*state, HTTP_PLAIN, "192.0.2.1");
	uint8_t octets[25];

	http_client_send(fd, SPAN("POST /nowhere HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
				  "Content-Length: 2\r\n\r\n"));
	assert_int_equal(recv(fd, octets, sizeof octets, MSG_WAITALL), 25);
	assert_memory_equal(octets, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	http_client_send(fd, SPAN("{}"));
	expect_status(fd, 404);
	(void)close(fd);
}

/* Time passes by the test's clock. */
static void test_slow(void **state)
{
	int64_t now_us = clock_now_us(), now_ms = clock_monotonic_ms();
	int head, body, idle, silent, busy;

	clock_set(now_us, now_ms);
	head = http_client(*state, HTTP_PLAIN, "192.0.2.1");
	body = http_client(*state, HTTP_PLAIN, "192.0.2.1");
	idle = http_client(*state, HTTP_PLAIN, "192.0.2.1");
	silent = http_client(*state, HTTP_PLAIN, "192.0.2.1");
	busy = http_client(*state, HTTP_PLAIN, "192.0.2.1");
	http_client_send(head, SPAN(PAGE "GET / HTTP/1.1\r\nHost:"));
	expect_status(head, 200);
	http_client_send(body, SPAN(PAGE "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"));
	expect_status(body, 200);
	http_client_send(idle, SPAN(PAGE));
	expect_status(idle, 200);
	/* Dripping octets buys no time. */
	for (int s = 1; s <= 18; s++) {
		clock_set(now_us, now_ms + s * 1000);
		http_client_send(head, SPAN(" "));
		http_client_send(busy, SPAN(PAGE));
		expect_status(busy, 200);
	}
	expect_status(head, 408);
	expect_end(head);
	expect_end(silent);
	clock_set(now_us, now_ms + 61 * 1000);
	http_client_send(busy, SPAN(PAGE));
	expect_status(busy, 200);
	expect_status(body, 408);
	expect_end(body);
	http_client_send(idle, SPAN(PAGE));
	expect_status(idle, 200);
	/* Its time begins anew when the last of an answer was passed on, which may be a moment after
	 * it was read here: then it begins at the time that is set now. */
	for (int tries = 1; tries <= 20; tries++) {
		struct pollfd ends[] = { { .fd = idle, .events = POLLIN } };

		clock_set(now_us, now_ms + 61 * 1000 + tries * 76 * 1000);
		if (poll(ends, 1, 500) == 1)
			break;
	}
	expect_end(idle);
	expect_end(busy);
	clock_set(0, 0);
}

/* Megabytes for a client that does not read: everything is there when it does. */
static void test_slow_reader(void **state)
{
	struct http_fixture *f = *state;
	int fd = http_client(f, HTTP_LOCAL, "127.0.0.1");
	int other = http_client(f, HTTP_PLAIN, "192.0.2.1");
	char long_text[400];
	struct http_response r;
	json_t *log;

	memset(long_text, 'x', sizeof long_text);
	for (int i = 0; i < 4096; i++)
		LOG(NULL, LOG_WARNING, "TEST", "long",
			log_span("x", span_of(long_text, sizeof long_text)));
	for (int i = 0; i < 3; i++)
		http_client_send(fd,
			SPAN("GET /api/v1/log?tag=TEST&max=4096 HTTP/1.1\r\nHost: a\r\n\r\n"));
	/* Others are served meanwhile. */
	for (int i = 0; i < 20; i++) {
		http_client_send(other, SPAN(PAGE));
		expect_status(other, 200);
	}
	for (int i = 0; i < 3; i++) {
		http_client_read(fd, &r, false);
		assert_int_equal(r.status, 200);
		assert_true(buf_size(&r.body) > 1600000);
		log = http_response_json(&r);
		assert_true(json_array_size(json_object_get(log, "lines")) > 4000);
		json_decref(log);
		http_response_done(&r);
	}
	(void)close(fd);
	(void)close(other);
}

/* Clients that go at the worst moments take nothing with them. */
static void test_leaving(void **state)
{
	static const char request[] = PAGE "POST /api/v1/session HTTP/1.1\r\nHost: a\r\nContent-Type: "
					   "application/json\r\nContent-Length: 41\r\n\r\n"
					   "{\"login\":\"alice\",\"password\":\"wonderland\"}";
	int fd;

	for (size_t n = 0; n < sizeof request; n += 3) {
		fd = http_client(*state, HTTP_LOCAL, "127.0.0.1");
		http_client_send(fd, span_of(request, n));
		(void)close(fd);
	}
	fd = http_client(*state, HTTP_PLAIN, "192.0.2.1");
	http_client_send(fd, SPAN(PAGE));
	expect_status(fd, 200);
	(void)close(fd);
}

/* The Unix socket is for its owner and root. */
static void test_local_peer(void **state)
{
	struct http_fixture *f = *state;
	int fd;

	assert_int_equal(seteuid(65534), 0);
	fd = http_client(f, HTTP_LOCAL, "127.0.0.1");
	assert_int_equal(seteuid(0), 0);
	http_client_send(fd, SPAN("GET /api/v1/status HTTP/1.1\r\nHost: a\r\n\r\n"));
	expect_end(fd);
}

/* The end of the server: idle connections end at once, what is asked is answered. */
static void test_drain(void **state)
{
	struct http_fixture *f = *state;
	int idle = http_client(f, HTTP_PLAIN, "192.0.2.1");
	int half = http_client(f, HTTP_PLAIN, "192.0.2.1");
	int64_t before;

	http_client_send(idle, SPAN(PAGE));
	expect_status(idle, 200);
	http_client_send(half, SPAN("GET / HT"));
	before = clock_monotonic_ms();
	http_drain(f->http, 10000);
	assert_in_range(clock_monotonic_ms() - before, 0, 9000);
	expect_end(idle);
	expect_end(half);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_keep_alive, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pipelined, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_smuggling, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refusal, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refusal_in_a_body, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_expect, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_slow, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_slow_reader, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_leaving, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_drain, set_up, tear_down),
		/* Only root can make a socket of somebody else. */
		cmocka_unit_test_setup_teardown(test_local_peer, set_up, tear_down),
	};
	size_t n = sizeof tests / sizeof tests[0] - (getuid() != 0);
	int failed;

	if (provider_load())
		return 1;
	log_set_stderr(false);
	environment = env_fixture_new();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = _cmocka_run_group_tests("wire", tests, n, NULL, NULL);
	env_fixture_free(environment);
	return failed;
}
