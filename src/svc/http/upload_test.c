/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Large bodies: who may send them and how much, files that are uploaded for messages, and what
 * compose makes of them. alice (password "wonderland") and bob ("builder") are users.
 */

#include "svc/http/client_fixture.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/limit.h"
#include "base/log.h"
#include "keyd/provider.h"
#include "store/store.h"
#include "svc/blobs.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct env_fixture *environment;

static int set_up(void **state)
{
	static struct http_fixture f;

	http_fixture_open(&f, environment);
	env_fixture_set(environment, "cleartext_login", "loopback");
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	clock_set(0, 0);
	http_fixture_close(*state);
	return 0;
}

#define ALICE    "Authorization: Basic YWxpY2VAZXhhbXBsZS5vcmc6d29uZGVybGFuZA==\r\n"
#define BOB      "Authorization: Basic Ym9iQGV4YW1wbGUub3JnOmJ1aWxkZXI=\r\n"
#define OF_ALICE "/api/v1/accounts/alice@example.org"
#define OF_BOB   "/api/v1/accounts/bob@example.org"
#define UPLOADS  OF_ALICE "/uploads"
#define OCTETS   "Content-Type: application/octet-stream\r\n"
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

/* Octets that do not get smaller. */
static struct span noise(size_t n)
{
	static uint8_t octets[2 << 20];
	static bool made;

	for (size_t i = 0; !made && i < sizeof octets; i++)
		octets[i] = (uint8_t)rand();
	made = true;
	assert_in_range(n, 0, sizeof octets);
	return span_of(octets, n);
}

static void send_head(int fd, const char *method, const char *path, const char *fields)
{
	CLEANUP(buf_done) struct buf head = {};

	buf_add_format(&head, "%s %s HTTP/1.1\r\nHost: example.org\r\n%s\r\n", method, path,
		fields);
	http_client_send(fd, buf_span(&head));
}

static unsigned read_answer(int fd, json_t **ret_json)
{
	struct http_response r;
	unsigned status;

	http_client_read(fd, &r, false);
	status = r.status;
	if (ret_json)
		*ret_json = http_response_json(&r);
	http_response_done(&r);
	return status;
}

/* A body with its length, whole. */
static unsigned put(struct http_fixture *f, const char *method, const char *path,
	const char *fields, struct span body, json_t **ret_json)
{
	int fd = http_client(f, HTTP_PLAIN, "127.0.0.1");
	CLEANUP(alloc_freep) char *all = alloc_format("%sContent-Length: %zu\r\n", fields, body.n);
	unsigned status;

	send_head(fd, method, path, all);
	http_client_send(fd, body);
	status = read_answer(fd, ret_json);
	(void)close(fd);
	return status;
}

static unsigned ask(struct http_fixture *f, const char *who, const char *method, const char *path,
	const char *json, json_t **ret_json)
{
	CLEANUP(alloc_freep)
	char *fields = alloc_format("%s%s", who, json ? "Content-Type: application/json\r\n" : "");

	return put(f, method, path, fields, span_str(json ? json : ""), ret_json);
}

static json_int_t limit_of(json_t *problem)
{
	json_int_t limit = json_integer_value(json_object_get(problem, "limit"));

	assert_non_null(json_string_value(json_object_get(problem, "detail")));
	json_decref(problem);
	return limit;
}

/* An upload's id. */
static char *upload(struct http_fixture *f, const char *who, const char *path, struct span body)
{
	CLEANUP(alloc_freep)
	char *fields = alloc_format("%sContent-Type: image/x-test; a=b\r\n", who);
	json_t *answer;
	char *id;

	assert_int_equal(put(f, "POST", path, fields, body, &answer), 201);
	assert_int_equal(json_integer_value(json_object_get(answer, "size")), body.n);
	assert_string_equal(json_string_value(json_object_get(answer, "type")),
		"image/x-test; a=b");
	assert_non_null(json_string_value(json_object_get(answer, "expires")));
	id = alloc_string(json_string_value(json_object_get(answer, "id")));
	json_decref(answer);
	return id;
}

static size_t n_uploads(struct http_fixture *f)
{
	json_t *answer;
	size_t n;

	assert_int_equal(ask(f, ALICE, "GET", UPLOADS, NULL, &answer), 200);
	n = json_array_size(json_object_get(answer, "uploads"));
	json_decref(answer);
	return n;
}

/* Rows that are left when everything that is over was erased. */
static int64_t n_rows(const char *table)
{
	bool more = true;
	char sql[80];

	while (more)
		assert_int_equal(blobs_erase_some(&environment->env, &more), 0);
	(void)snprintf(sql, sizeof sql, "select count(*) from %s", table);
	return fixture_number(environment->store, sql);
}

/* Something that happens on another thread soon. */
static void wait_for(bool (*is_so)(void))
{
	for (int i = 0; i < 1000; i++) {
		if (is_so())
			return;
		(void)usleep(10000);
	}
	fail();
}

static bool nothing_is_left(void)
{
	return n_rows("account_blob") == 0 && n_rows("content_piece") == 0 && n_rows("upload") == 0;
}

/* How large a body may be is said before any of it is read. */
static void test_refused_at_the_head(void **state)
{
	static const struct {
		const char *method, *path;
		uint64_t max;
	} cases[] = {
		{ "POST", "/nowhere", 16384 },
		{ "POST", "/api/v1/session", 16384 },
		{ "POST", "http://example.org/api/v1/session?a=b", 16384 },
		{ "PUT", OF_ALICE "/password", 262144 },
		{ "PUT", "/api/v1/rules/alice@example.org/r", 2 << 20 },
		{ "POST", "/api/v1/domains/example.org/keys/import", 2 << 20 },
		{ "POST", "/api/v1/crls", 17 << 20 },
		{ "POST", OF_ALICE "/compose", 4 << 20 },
		{ "POST", UPLOADS, 50 << 20 },
		{ "GET", UPLOADS, 262144 },
	};

	for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
		/* The Unix socket has the same table. */
		enum http_kind kind = i % 2 ? HTTP_PLAIN : HTTP_LOCAL;
		int fd = http_client(*state, kind, "127.0.0.1");
		char fields[100];
		json_t *problem;

		(void)snprintf(fields, sizeof fields,
			"Content-Length: %llu\r\nExpect: 100-continue\r\n",
			(unsigned long long)cases[i / 2].max + 1);
		send_head(fd, cases[i / 2].method, cases[i / 2].path, fields);
		assert_int_equal(read_answer(fd, &problem), 413);
		assert_int_equal(limit_of(problem), cases[i / 2].max);
		(void)close(fd);
	}
}

static void test_chunks_over_the_limit(void **state)
{
	int fd = http_client(*state, HTTP_PLAIN, "127.0.0.1");
	json_t *problem;

	send_head(fd, "POST", "/api/v1/session", "Transfer-Encoding: chunked\r\n");
	http_client_send(fd, SPAN("4000\r\n"));
	http_client_send(fd, noise(0x4000));
	http_client_send(fd, SPAN("\r\n1\r\n"));
	assert_int_equal(read_answer(fd, &problem), 413);
	assert_int_equal(limit_of(problem), 16384);
	(void)close(fd);
}

/* Who it is comes before a large body, and not before a small one. */
static void test_login_before_body(void **state)
{
	static const char *const bodies[] = { "Content-Length: 16385\r\n",
		"Transfer-Encoding: chunked\r\n",
		"Content-Length: 16385\r\nExpect: 100-continue\r\n" };
	char octets[sizeof CONTINUE - 1];
	int fd;

	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		CLEANUP(alloc_freep) char *with_login = alloc_format(BOB "%s", bodies[i]);

		fd = http_client(*state, HTTP_PLAIN, "127.0.0.1");
		send_head(fd, "POST", "/api/v1/crls", bodies[i]);
		assert_int_equal(read_answer(fd, NULL), 401);
		(void)close(fd);
		fd = http_client(*state, HTTP_PLAIN, "127.0.0.1");
		send_head(fd, "POST", "/api/v1/crls", with_login);
		assert_int_equal(read_answer(fd, NULL), 403);
		(void)close(fd);
		fd = http_client(*state, HTTP_PLAIN, "127.0.0.1");
		send_head(fd, "POST", UPLOADS, with_login);
		assert_int_equal(read_answer(fd, NULL), 403);
		(void)close(fd);
	}
	/* Whoever may is told to go on. */
	fd = http_client(*state, HTTP_PLAIN, "127.0.0.1");
	send_head(fd, "POST", UPLOADS,
		ALICE OCTETS "Expect: 100-continue\r\nContent-Length: 5\r\n");
	assert_int_equal(recv(fd, octets, sizeof octets, MSG_WAITALL), sizeof octets);
	assert_memory_equal(octets, CONTINUE, sizeof octets);
	http_client_send(fd, SPAN("hello"));
	assert_int_equal(read_answer(fd, NULL), 201);
	/* The connection goes on. */
	send_head(fd, "GET", UPLOADS, ALICE);
	assert_int_equal(read_answer(fd, NULL), 200);
	(void)close(fd);
	/* A small one is read first. */
	fd = http_client(*state, HTTP_PLAIN, "127.0.0.1");
	send_head(fd, "POST", "/api/v1/crls", "Content-Length: 16384\r\n");
	assert_int_equal(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 200), 0);
	http_client_send(fd, noise(16384));
	assert_int_equal(read_answer(fd, NULL), 401);
	(void)close(fd);
}

/* Larger than the smallest limit, in one piece: the whole of it arrives. */
static void test_large_json(void **state)
{
	CLEANUP(alloc_freep) char *text = alloc_zero(300001);
	CLEANUP(alloc_freep) char *json = NULL;
	json_t *answer;

	memset(text, '#', 300000);
	text[299999] = '\n';
	json = alloc_format("{\"text\": \"%.*s\\n\"}", 299999, text);
	env_fixture_account_set(environment, "alice", "role", "admin");
	assert_int_equal(
		ask(*state, ALICE, "PUT", "/api/v1/rules/alice@example.org/r", json, &answer),
		422); /* a script is not that long: the handler says so */
	json_decref(answer);
}

/* Whoever has not logged in holds what a connection may hold, and takes nothing from others: neither
 * what is announced counts nor what is said to come. */
static void test_memory_of_anyone(void **state)
{
	enum { ONE = 16384, N = 300 };
	int fds[N + 1];

	for (int i = 0; i < N; i++) {
		fds[i] = http_client(*state, HTTP_PLAIN, "192.0.2.1");
		send_head(fds[i], "POST", "/api/v1/session",
			i % 2 ? "Content-Length: 16384\r\nExpect: 100-continue\r\n"
			      : "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n");
		assert_int_equal(recv(fds[i], (char[25]){}, 25, MSG_WAITALL), 25);
	}
	fds[N] = http_client(*state, HTTP_PLAIN, "192.0.2.1");
	send_head(fds[N], "POST", "/nowhere", "Content-Length: 16384\r\n");
	http_client_send(fds[N], noise(ONE));
	assert_int_equal(read_answer(fds[N], NULL), 404);
	(void)close(fds[N]);
	/* Nobody holds more. */
	for (int i = 0; i < 2; i++) {
		CLEANUP(alloc_freep) char *fields = alloc_format("Content-Length: %d\r\n", ONE + 1);

		fds[N] = http_client(*state, HTTP_PLAIN, "192.0.2.1");
		send_head(fds[N], "POST", i ? "/nowhere" : "/api/v1/session", fields);
		assert_int_equal(read_answer(fds[N], NULL), 413);
		(void)close(fds[N]);
	}
	for (int i = 0; i < N; i++)
		(void)close(fds[i]);
}

static void test_upload(void **state)
{
	static const size_t sizes[] = { 0, 1, CONTENT_PIECE - 1, CONTENT_PIECE, CONTENT_PIECE + 1,
		3 * CONTENT_PIECE, 2000000 };
	struct http_fixture *f = *state;
	CLEANUP(buf_done) struct buf seen = {};

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		CLEANUP(alloc_freep) char *id = upload(f, ALICE, UPLOADS, noise(sizes[i]));
		CLEANUP(alloc_freep) char *path = alloc_format(UPLOADS "/%s", id);
		CLEANUP(alloc_freep) char *of_bob = alloc_format(OF_BOB "/uploads/%s", id);
		int64_t account = env_fixture_account(environment, "alice");

		assert_int_equal(n_uploads(f), 1);
		buf_clear(&seen);
		assert_int_equal(blob_read(&environment->env, account, atoll(id), &seen), 0);
		assert_true(span_equal(buf_span(&seen), noise(sizes[i])));
		assert_int_equal(ask(f, BOB, "DELETE", of_bob, NULL, NULL), 404);
		assert_int_equal(ask(f, BOB, "DELETE", path, NULL, NULL), 403);
		assert_int_equal(ask(f, ALICE, "DELETE", path, NULL, NULL), 204);
		assert_int_equal(ask(f, ALICE, "DELETE", path, NULL, NULL), 404);
		assert_int_equal(n_uploads(f), 0);
		/* Erased by the time that it is answered. */
		assert_int_equal(
			fixture_number(environment->store, "select count(*) from content_piece"),
			0);
	}
	assert_int_equal(ask(f, ALICE, "DELETE", UPLOADS "/x", NULL, NULL), 404);
	assert_int_equal(ask(f, ALICE, "DELETE", UPLOADS "/0", NULL, NULL), 404);
	assert_int_equal(ask(f, ALICE, "DELETE", UPLOADS "/99999999999999999999", NULL, NULL), 404);
}

static void test_upload_in_chunks(void **state)
{
	struct http_fixture *f = *state;
	int fd = http_client(f, HTTP_PLAIN, "127.0.0.1");
	struct span rest = noise(700000);
	CLEANUP(buf_done) struct buf seen = {};
	json_t *answer;

	send_head(fd, "POST", UPLOADS, ALICE OCTETS "Transfer-Encoding: chunked\r\n");
	for (size_t n = 1; rest.n; n = n * 3 + 1) {
		struct span piece = span_head(rest, n);
		char line[20];

		(void)snprintf(line, sizeof line, "%zx\r\n", piece.n);
		http_client_send(fd, span_str(line));
		http_client_send(fd, piece);
		http_client_send(fd, SPAN("\r\n"));
		rest = span_skip(rest, piece.n);
	}
	http_client_send(fd, SPAN("0\r\n\r\n"));
	assert_int_equal(read_answer(fd, &answer), 201);
	assert_int_equal(blob_read(&environment->env, env_fixture_account(environment, "alice"),
				 atoll(json_string_value(json_object_get(answer, "id"))), &seen),
		0);
	assert_true(span_equal(buf_span(&seen), noise(700000)));
	json_decref(answer);
	(void)close(fd);
}

/* Chunks whose ends are those of pieces, the next one already there: while a piece is taken the
 * library must not call again. */
static void test_upload_in_chunks_of_a_piece(void **state)
{
	enum { CHUNK = 16 << 10, TIMES = 10 };
	struct http_fixture *f = *state;
	CLEANUP(buf_done) struct buf body = {};

	for (struct span rest = noise(4 * CONTENT_PIECE); rest.n; rest = span_skip(rest, CHUNK)) {
		buf_add_format(&body, "%x\r\n", CHUNK);
		buf_add(&body, span_head(rest, CHUNK));
		buf_add_string(&body, "\r\n");
	}
	buf_add_string(&body, "0\r\n\r\n");
	for (int i = 0; i < TIMES; i++) {
		int fd = http_client(f, HTTP_PLAIN, "127.0.0.1");
		CLEANUP(buf_done) struct buf seen = {};
		json_t *answer;

		send_head(fd, "POST", UPLOADS, ALICE OCTETS "Transfer-Encoding: chunked\r\n");
		http_client_send(fd, buf_span(&body));
		assert_int_equal(read_answer(fd, &answer), 201);
		assert_int_equal(
			blob_read(&environment->env, env_fixture_account(environment, "alice"),
				atoll(json_string_value(json_object_get(answer, "id"))), &seen),
			0);
		assert_true(span_equal(buf_span(&seen), noise(4 * CONTENT_PIECE)));
		json_decref(answer);
		(void)close(fd);
	}
}

/* Who goes in the middle, or never sends what was announced, leaves nothing. */
static void test_abort(void **state)
{
	static const size_t sent[] = { 0, 1, CONTENT_PIECE, 3 * CONTENT_PIECE + 7 };
	struct http_fixture *f = *state;

	for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++) {
		for (int chunked = 0; chunked < 2; chunked++) {
			int fd = http_client(f, HTTP_PLAIN, "127.0.0.1");

			send_head(fd, "POST", UPLOADS,
				chunked ? ALICE OCTETS "Transfer-Encoding: chunked\r\n"
					: ALICE OCTETS "Content-Length: 2000000\r\n");
			if (chunked)
				http_client_send(fd, SPAN("1e8480\r\n"));
			http_client_send(fd, noise(sent[i]));
			if (i)
				(void)usleep(50000);
			(void)close(fd);
			assert_int_equal(n_uploads(f), 0);
			wait_for(nothing_is_left);
		}
	}
}

/* More than was announced is another request, and a bad one. */
static void test_length_lies(void **state)
{
	struct http_fixture *f = *state;
	int fd = http_client(f, HTTP_PLAIN, "127.0.0.1");

	send_head(fd, "POST", UPLOADS, ALICE OCTETS "Content-Length: 5\r\n");
	http_client_send(fd, SPAN("hello, and more of it\r\n\r\n"));
	assert_int_equal(read_answer(fd, NULL), 201);
	assert_int_equal(read_answer(fd, NULL), 400);
	(void)close(fd);
	assert_int_equal(n_uploads(f), 1);
}

/* A minute for each 256 KiB, however it drips. */
static void test_slow_body(void **state)
{
	struct http_fixture *f = *state;
	int64_t now_us = clock_now_us(), now_ms = clock_monotonic_ms();
	int slow = http_client(f, HTTP_PLAIN, "127.0.0.1");
	int steady = http_client(f, HTTP_PLAIN, "127.0.0.1");
	struct span rest = noise(1 << 20);

	clock_set(now_us, now_ms);
	send_head(slow, "POST", UPLOADS, ALICE OCTETS "Content-Length: 1048576\r\n");
	send_head(steady, "POST", UPLOADS, ALICE OCTETS "Content-Length: 1048576\r\n");
	for (int s = 50; s <= 250; s += 50) {
		/* 50 s for each of the steps. */
		http_client_send(steady, span_head(rest, s == 250 ? rest.n : 262144));
		rest = span_skip(rest, 262144);
		if (s < 150)
			http_client_send(slow, noise(1000));
		(void)usleep(200000);
		clock_set(now_us, now_ms + s * 1000);
	}
	assert_int_equal(read_answer(steady, NULL), 201);
	assert_int_equal(read_answer(slow, NULL), 408);
	(void)close(slow);
	(void)close(steady);
	assert_int_equal(n_uploads(f), 1);
}

struct stall {
	struct store *store;
	sem_t entered, open;
	int result;
};

static int hold_writer(struct store_conn *c, void *arg)
{
	struct stall *stall = arg;

	(void)c;
	(void)sem_post(&stall->entered);
	(void)sem_wait(&stall->open);
	return 0;
}

static void *stall_run(void *arg)
{
	struct stall *stall = arg;

	stall->result = store_write(stall->store, hold_writer, stall);
	return NULL;
}

/* As much as is taken at the moment. */
static size_t send_some(int fd, struct span octets)
{
	size_t n = 0;

	for (int waited = 0; n < octets.n && waited < 10;) {
		ssize_t sent = send(fd, octets.p + n, octets.n - n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent > 0) {
			n += (size_t)sent;
			waited = 0;
		} else {
			waited++;
			(void)usleep(20000);
		}
	}
	return n;
}

/* Who waits for us does not send slowly. */
static void test_slow_server(void **state)
{
	struct http_fixture *f = *state;
	struct stall stall = { .store = environment->env.store };
	int64_t now_us = clock_now_us(), now_ms = clock_monotonic_ms();
	int fd = http_client(f, HTTP_PLAIN, "127.0.0.1");
	struct span body = noise(2 << 20);
	pthread_t thread;
	size_t n;

	(void)sem_init(&stall.entered, 0, 0);
	(void)sem_init(&stall.open, 0, 0);
	clock_set(now_us, now_ms);
	send_head(fd, "POST", UPLOADS,
		ALICE OCTETS "Content-Length: 2097152\r\nExpect: 100-continue\r\n");
	assert_int_equal(recv(fd, (char[25]){}, 25, MSG_WAITALL), 25);
	assert_int_equal(pthread_create(&thread, NULL, stall_run, &stall), 0);
	(void)sem_wait(&stall.entered);
	n = send_some(fd, body);
	assert_in_range(n, 300000, body.n - 1);
	for (int s = 61; s <= 183; s += 61) {
		clock_set(now_us, now_ms + s * 1000);
		(void)usleep(200000);
	}
	(void)sem_post(&stall.open);
	(void)pthread_join(thread, NULL);
	assert_int_equal(stall.result, 0);
	http_client_send(fd, span_skip(body, n));
	assert_int_equal(read_answer(fd, NULL), 201);
	(void)close(fd);
	(void)sem_destroy(&stall.entered);
	(void)sem_destroy(&stall.open);
}

static void test_upload_refused(void **state)
{
	static const char *const forms[] = { "", "Content-Type: text/plain\r\n",
		"Content-Type: TEXT/PLAIN; charset=utf-8\r\n",
		"Content-Type: multipart/form-data; boundary=x\r\n",
		"Content-Type: application/x-www-form-urlencoded\r\n" };
	struct http_fixture *f = *state;
	int open[BLOBS_OPEN_MAX + 1];
	json_t *problem;
	int fd;

	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		CLEANUP(alloc_freep) char *fields = alloc_format(ALICE "%s", forms[i]);

		assert_int_equal(put(f, "POST", UPLOADS, fields, SPAN("hello"), NULL), 415);
	}
	/* Not for administrators either. */
	env_fixture_account_set(environment, "bob", "role", "admin");
	assert_int_equal(put(f, "POST", UPLOADS, BOB OCTETS, SPAN("x"), NULL), 403);
	/* Larger than a message may be. */
	env_fixture_set(environment, "message_max", "300k");
	assert_int_equal(put(f, "POST", UPLOADS, ALICE OCTETS, noise(307201), &problem), 413);
	assert_int_equal(limit_of(problem), 307200);
	fd = http_client(f, HTTP_PLAIN, "127.0.0.1");
	send_head(fd, "POST", UPLOADS, ALICE OCTETS "Transfer-Encoding: chunked\r\n");
	http_client_send(fd, SPAN("4b000\r\n"));
	http_client_send(fd, noise(307200));
	http_client_send(fd, SPAN("\r\n1\r\nx\r\n0\r\n\r\n"));
	assert_int_equal(read_answer(fd, &problem), 413);
	assert_int_equal(limit_of(problem), 307200);
	(void)close(fd);
	wait_for(nothing_is_left);
	/* So many at a time. */
	for (int i = 0; i <= BLOBS_OPEN_MAX; i++) {
		open[i] = http_client(f, HTTP_PLAIN, "127.0.0.1");
		send_head(open[i], "POST", UPLOADS,
			ALICE OCTETS "Content-Length: 5\r\nExpect: 100-continue\r\n");
		if (i < BLOBS_OPEN_MAX)
			assert_int_equal(recv(open[i], (char[25]){}, 25, MSG_WAITALL), 25);
	}
	assert_int_equal(read_answer(open[BLOBS_OPEN_MAX], NULL), 429);
	for (int i = 0; i <= BLOBS_OPEN_MAX; i++)
		(void)close(open[i]);
	wait_for(nothing_is_left);
	/* So much together. */
	for (int i = 0; i < BLOBS_MESSAGES; i++)
		free(upload(f, ALICE, UPLOADS, noise(307200)));
	assert_int_equal(put(f, "POST", UPLOADS, ALICE OCTETS, SPAN("x"), NULL), 409);
	assert_int_equal(n_uploads(f), BLOBS_MESSAGES);
}

/* The account's quota, before the body where its length is known, else at its end. */
static void test_upload_quota(void **state)
{
	struct http_fixture *f = *state;
	int fd = http_client(f, HTTP_PLAIN, "127.0.0.1");
	json_t *problem;

	env_fixture_account_set(environment, "alice", "quota", "500000");
	free(upload(f, ALICE, UPLOADS, noise(100000)));
	send_head(fd, "POST", UPLOADS, ALICE OCTETS "Content-Length: 400001\r\n");
	assert_int_equal(read_answer(fd, &problem), 409);
	assert_non_null(strstr(json_string_value(json_object_get(problem, "detail")), "quota"));
	json_decref(problem);
	(void)close(fd);
	/* The rest of the body is passed over. */
	fd = http_client(f, HTTP_PLAIN, "127.0.0.1");
	send_head(fd, "POST", UPLOADS, ALICE OCTETS "Transfer-Encoding: chunked\r\n");
	http_client_send(fd, SPAN("c3500\r\n"));
	http_client_send(fd, noise(800000));
	http_client_send(fd, SPAN("\r\n0\r\n\r\n"));
	assert_int_equal(read_answer(fd, NULL), 409);
	/* And the connection is good for more. */
	send_head(fd, "GET", UPLOADS, ALICE);
	assert_int_equal(read_answer(fd, NULL), 200);
	(void)close(fd);
	assert_int_equal(n_uploads(f), 1);
	free(upload(f, ALICE, UPLOADS, noise(400000)));
}

#define COMPOSE OF_ALICE "/compose"
#define FROM    "{\"from\": \"alice@example.org\", \"subject\": \"s\", \"to\": [\"bob@example.org\"], "

static char *with_upload(const char *more, const char *id)
{
	return alloc_format(FROM "%s \"attachments\": [{\"name\": \"a\", \"upload\": \"%s\"}]}",
		more, id);
}

static unsigned compose(struct http_fixture *f, const char *json, const char *field,
	json_t **ret_json)
{
	json_t *answer;
	unsigned status = ask(f, ALICE, "POST", COMPOSE, json, &answer);

	if (field)
		assert_string_equal(json_string_value(json_object_get(answer, "field")), field);
	if (ret_json)
		*ret_json = answer;
	else
		json_decref(answer);
	return status;
}

static void test_compose_with_upload(void **state)
{
	struct http_fixture *f = *state;
	CLEANUP(alloc_freep) char *id = upload(f, ALICE, UPLOADS, noise(600000));
	CLEANUP(alloc_freep) char *make = with_upload("\"act\": \"make\",", id);
	CLEANUP(alloc_freep) char *check = with_upload("\"act\": \"check\",", id);
	CLEANUP(alloc_freep) char *draft = with_upload("\"act\": \"draft\",", id);
	CLEANUP(alloc_freep) char *send = with_upload("", id);
	CLEANUP(buf_done) struct buf encoded = {}, message = {};
	json_t *answer;

	assert_int_equal(compose(f, check, NULL, NULL), 200);
	assert_int_equal(compose(f, draft, NULL, NULL), 200);
	assert_int_equal(compose(f, make, NULL, &answer), 200);
	assert_true(enc_base64_decode(&message,
		span_str(json_string_value(json_object_get(
			json_array_get(json_object_get(answer, "copies"), 0), "message")))));
	json_decref(answer);
	/* Its own type, without parameters. */
	assert_true(span_find_span(buf_span(&message), SPAN("Content-Type: image/x-test;")) <
		    buf_size(&message));
	enc_base64(&encoded, noise(57));
	assert_true(span_find_span(buf_span(&message), buf_span(&encoded)) < buf_size(&message));
	assert_int_equal(n_uploads(f), 1);
	/* It goes with the message that it is sent in, and is there no more. */
	assert_int_equal(compose(f, send, NULL, &answer), 200);
	assert_int_equal(json_integer_value(json_object_get(answer, "delivered")), 1);
	json_decref(answer);
	assert_int_equal(n_uploads(f), 0);
	assert_int_equal(fixture_number(environment->store, "select count(*) from account_blob"),
		0);
	assert_int_equal(fixture_number(environment->store, "select count(*) from upload"), 0);
	assert_int_equal(compose(f, send, "attachments", &answer), 422);
	assert_non_null(strstr(json_string_value(json_object_get(answer, "detail")), "expired"));
	json_decref(answer);
}

static void test_compose_attachments(void **state)
{
	static const char *const wrong[] = { "{\"upload\": \"x\"}", "{\"upload\": \"99\"}", "{}",
		"{\"upload\": \"1\", \"content\": \"\"}", "{\"upload\": 1}", "{\"content\": \"?\"}",
		"{\"content\": \"\", \"evil\": \"x\"}" };
	struct http_fixture *f = *state;
	CLEANUP(alloc_freep) char *of_bob = upload(f, BOB, OF_BOB "/uploads", noise(10));
	CLEANUP(alloc_freep) char *foreign = with_upload("", of_bob);
	CLEANUP(alloc_freep) char *late = NULL;
	CLEANUP(alloc_freep) char *old = upload(f, ALICE, UPLOADS, noise(10));
	CLEANUP(alloc_freep) char *text = NULL;

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		CLEANUP(alloc_freep)
		char *json = alloc_format(FROM "\"attachments\": [%s]}", wrong[i]);

		assert_int_equal(compose(f, json, "attachments", NULL), 422);
	}
	assert_int_equal(compose(f, foreign, "attachments", NULL), 422);
	/* Twice in one message is no mistake. */
	text = alloc_format(FROM "\"act\": \"make\", \"attachments\": [{\"upload\": \"%s\"}, "
				 "{\"upload\": \"%s\"}]}",
		old, old);
	assert_int_equal(compose(f, text, NULL, NULL), 200);
	/* One that has expired. */
	late = with_upload("", old);
	clock_set(clock_now_us() + 12 * 3600 * 1000000LL + 1000000, clock_monotonic_ms());
	assert_int_equal(compose(f, late, "attachments", NULL), 422);
	clock_set(0, 0);
}

/* What is refused sends nothing, and what was uploaded stays. */
static void test_compose_limits(void **state)
{
	struct http_fixture *f = *state;
	CLEANUP(alloc_freep) char *large = upload(f, ALICE, UPLOADS, noise(160000));
	CLEANUP(alloc_freep) char *id = upload(f, ALICE, UPLOADS, noise(150000));
	CLEANUP(alloc_freep) char *too_large = NULL;
	CLEANUP(alloc_freep) char *almost = NULL;
	CLEANUP(alloc_freep) char *good = with_upload("", id);
	CLEANUP(buf_done) struct buf to = {};
	json_t *answer;

	/* message_max: by the attachments alone, and by what is made. */
	env_fixture_set(environment, "message_max", "206k");
	too_large = with_upload("", large);
	almost = alloc_format(
		FROM "\"text\": \"%05000d\", \"attachments\": [{\"upload\": \"%s\"}]}", 0, id);
	assert_int_equal(compose(f, too_large, "attachments", &answer), 422);
	assert_non_null(
		strstr(json_string_value(json_object_get(answer, "detail")), "210944 octets"));
	json_decref(answer);
	assert_int_equal(compose(f, almost, "attachments", NULL), 422);
	/* The sender's quota, for his own copy: without one it goes. */
	env_fixture_account_set(environment, "alice", "quota", "400000");
	env_fixture_set(environment, "message_max", "50M");
	assert_int_equal(compose(f, good, NULL, NULL), 200);
	free(id);
	id = upload(f, ALICE, UPLOADS, noise(20000));
	env_fixture_account_set(environment, "alice", "quota", "210000");
	free(good);
	good = with_upload("", id);
	assert_int_equal(compose(f, good, "save", &answer), 409);
	assert_non_null(strstr(json_string_value(json_object_get(answer, "detail")), "full"));
	json_decref(answer);
	assert_int_equal(n_uploads(f), 2);
	free(good);
	good = with_upload("\"save\": false,", id);
	assert_int_equal(compose(f, good, NULL, NULL), 200);
	assert_int_equal(n_uploads(f), 1);
	/* Recipients. */
	env_fixture_set(environment, "recipients_max", "100");
	buf_add_string(&to,
		"{\"from\": \"alice@example.org\", \"cc\": [\"bob@example.org\"], \"to\": [");
	for (int i = 0; i < 100; i++)
		buf_add_format(&to, "%s\"u%d@example.org\"", i ? ", " : "", i);
	buf_add_string(&to, "]}");
	buf_add_octet(&to, 0);
	assert_int_equal(compose(f, (const char *)buf_span(&to).p, "cc", NULL), 422);
	/* Whom SMTP would refuse too: all of them are named, nobody gets anything. */
	assert_int_equal(compose(f,
				 "{\"from\": \"alice@example.org\", \"to\": [\"bob@example.org\","
				 " \"nobody@example.org\", \"a@elsewhere.example\"]}",
				 "to", &answer),
		422);
	assert_int_equal(json_array_size(json_object_get(answer, "recipients")), 2);
	json_decref(answer);
	/* From. */
	assert_int_equal(compose(f,
				 "{\"from\": \"bob@example.org\", \"to\": [\"bob@example.org\"]}",
				 "from", NULL),
		403);
	assert_int_equal(compose(f, "{\"from\": \"alice@example.org\"}", "to", NULL), 422);
	assert_int_equal(compose(f,
				 "{\"from\": \"alice@example.org\", \"to\": [\"bob@example.org\"],"
				 " \"sign\": true}",
				 "password", NULL),
		403);
}

/* As many as by SMTP; what is only checked or kept does not count. */
static void test_compose_rate(void **state)
{
	static const char json[] = FROM "\"text\": \"t\"}", check[] = FROM "\"act\": \"check\"}",
			  draft[] = FROM "\"act\": \"draft\"}";
	struct http_fixture *f = *state;
	struct http_response r;

	limiter_set(environment->env.smtp_account, 0.0001, 2, 0);
	assert_int_equal(compose(f, json, NULL, NULL), 200);
	assert_int_equal(compose(f, json, NULL, NULL), 200);
	r = http_request(f, HTTP_PLAIN, "POST", COMPOSE, ALICE, json);
	assert_int_equal(r.status, 429);
	assert_true(span_is(http_response_header(&r, "Retry-After"), "60"));
	http_response_done(&r);
	assert_int_equal(compose(f, check, NULL, NULL), 200);
	assert_int_equal(compose(f, draft, NULL, NULL), 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_refused_at_the_head, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_chunks_over_the_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_login_before_body, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_large_json, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_memory_of_anyone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_upload, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_upload_in_chunks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_upload_in_chunks_of_a_piece, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_abort, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_length_lies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_slow_body, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_slow_server, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_upload_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_upload_quota, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_compose_with_upload, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_compose_attachments, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_compose_limits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_compose_rate, set_up, tear_down),
	};
	int failed;

	if (provider_load())
		return 1;
	log_set_stderr(false);
	environment = env_fixture_new();
	env_fixture_person(environment, "bob", "builder");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests_name("upload", tests, NULL, NULL);
	env_fixture_free(environment);
	return failed;
}
