/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Streams over socket pairs, with a blocking client on the test's own thread. What is decided in a
 * handshake is in tls_test.c. */

#include "base/alloc.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/stream_fixture.h"

#include <errno.h>
#include <openssl/err.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

struct bench {
	struct loop *loop;
	struct tls_host *host;
	struct tls_service *service;
	struct pool *pool;
	struct fixture_server server;
	struct fixture_client client;
	struct stream_options options;
};

static int set_up(void **state)
{
	struct bench *b = ALLOC(struct bench);

	b->client.fd = -1;
	if (loop_new(&b->loop) || loop_start(b->loop, "test"))
		return -1;
	b->host = fixture_host(fixture_profile("example.org", "ec"));
	b->service = tls_service_new(b->host, NULL);
	b->options = (struct stream_options){ .loop = b->loop, .tls = b->service };
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	fixture_client_done(&b->client);
	fixture_done(&b->server);
	pool_free(b->pool);
	loop_free(b->loop);
	tls_service_free(b->service);
	tls_host_free(b->host);
	free(b);
	return 0;
}

static void start_plain(struct bench *b)
{
	b->client.fd = fixture_start(&b->server, &b->options);
	assert_true(fixture_reads(&b->client, "hello\n"));
}

static void start_tls(struct bench *b)
{
	b->options.tls_first = true;
	assert_int_equal(fixture_connect(&b->client, fixture_start(&b->server, &b->options)), 1);
	assert_true(fixture_reads(&b->client, "hello\n"));
}

static void test_plain(void **state)
{
	struct bench *b = *state;
	uint8_t octet;

	start_plain(b);
	assert_true(fixture_writes(&b->client, "one\ntwo\n"));
	assert_true(fixture_reads(&b->client, "one\ntwo\n"));
	/* Half-close: the answer still comes, and then the end. */
	assert_int_equal(shutdown(b->client.fd, SHUT_WR), 0);
	assert_true(fixture_reads(&b->client, "end\n"));
	assert_int_equal(fixture_read(&b->client, &octet, 1), 0);
	assert_true(fixture_wait(&b->server));
	assert_int_equal(b->server.end, STREAM_E_EOF);
	assert_int_equal(b->server.fault, 0);
}

static void check_tls(struct bench *b, int version, const char *name)
{
	uint8_t octet;

	b->client.version = version;
	start_tls(b);
	assert_true(fixture_writes(&b->client, "one\n"));
	assert_true(fixture_reads(&b->client, "one\n"));
	/* close_notify, and the other side still answers. */
	assert_int_equal(SSL_shutdown(b->client.ssl), 0);
	assert_true(fixture_reads(&b->client, "end\n"));
	assert_int_equal(fixture_read(&b->client, &octet, 1), 0);
	assert_int_equal(SSL_get_shutdown(b->client.ssl) & SSL_RECEIVED_SHUTDOWN,
		SSL_RECEIVED_SHUTDOWN);
	assert_int_equal(shutdown(b->client.fd, SHUT_WR), 0);
	assert_true(fixture_wait(&b->server));
	assert_int_equal(b->server.end, STREAM_E_EOF);
	assert_string_equal(b->server.info.version, name);
}

static void test_tls13(void **state)
{
	check_tls(*state, TLS1_3_VERSION, "TLSv1.3");
}

static void test_tls12(void **state)
{
	check_tls(*state, TLS1_2_VERSION, "TLSv1.2");
}

static void test_tls_cut(void **state)
{
	struct bench *b = *state;

	start_tls(b);
	assert_int_equal(shutdown(b->client.fd, SHUT_WR), 0);
	assert_true(fixture_reads(&b->client, "end\n"));
	assert_true(fixture_wait(&b->server));
	assert_int_equal(b->server.end, STREAM_E_CUT);
}

static void test_close_lingers(void **state)
{
	struct bench *b = *state;
	uint8_t octet;

	start_tls(b);
	/* What arrives after the goodbye must not reset it. */
	assert_true(fixture_writes(&b->client, "CLOSE\nmore\nand more\n"));
	assert_true(fixture_writes(&b->client, "and still more\n"));
	assert_true(fixture_reads(&b->client, "bye\n"));
	assert_int_equal(fixture_read(&b->client, &octet, 1), 0);
	assert_int_equal(SSL_get_error(b->client.ssl, 0), SSL_ERROR_ZERO_RETURN);
	assert_int_equal(shutdown(b->client.fd, SHUT_RDWR), 0);
	assert_true(fixture_wait(&b->server));
	assert_int_equal(b->server.fault, 0);
}

static void test_starttls(void **state)
{
	struct bench *b = *state;

	start_plain(b);
	assert_true(fixture_writes(&b->client, "STARTTLS\n"));
	assert_true(fixture_reads(&b->client, "go\n"));
	assert_int_equal(fixture_connect(&b->client, b->client.fd), 1);
	assert_true(fixture_reads(&b->client, "secured\n"));
	assert_true(fixture_writes(&b->client, "one\n"));
	assert_true(fixture_reads(&b->client, "one\n"));
	assert_int_equal(b->server.secured, 1);
	assert_int_equal(b->server.opened, 1);
	assert_false(b->server.had_early);
}

static void test_starttls_injected(void **state)
{
	struct bench *b = *state;

	b->server.n_line_max = sizeof "STARTTLS\n" - 1;
	start_plain(b);
	assert_true(fixture_writes(&b->client, "STARTTLS\ninjected\n"));
	assert_true(fixture_reads(&b->client, "go\n"));
	assert_int_equal(fixture_connect(&b->client, b->client.fd), 1);
	assert_true(fixture_reads(&b->client, "secured\n"));
	assert_true(fixture_writes(&b->client, "one\n"));
	assert_true(fixture_reads(&b->client, "one\n"));
	assert_true(b->server.had_early);
}

static void test_starttls_late_injection(void **state)
{
	struct bench *b = *state;
	char scrap[64];

	start_plain(b);
	assert_true(fixture_writes(&b->client, "STARTTLS\n"));
	assert_true(fixture_reads(&b->client, "go\n"));
	/* Too late to be dropped: it breaks the handshake instead. */
	assert_true(fixture_writes(&b->client, "injected\n"));
	assert_int_equal(shutdown(b->client.fd, SHUT_WR), 0);
	(void)fixture_read(&b->client, scrap, sizeof scrap);
	assert_true(fixture_wait(&b->server));
	assert_int_not_equal(b->server.fault, 0);
	assert_int_equal(b->server.secured, 0);
}

static void note_pending(void *context)
{
	struct bench *b = context;

	b->server.max_in = stream_pending_output(b->server.stream);
}

static void check_slow_reader(struct bench *b)
{
	enum { N = 8 << 20 };
	uint8_t *big = alloc_zero(N);

	assert_true(fixture_writes(&b->client, "BIG 8388608\nafter\n"));
	assert_int_equal(fixture_read(&b->client, big, 1000), 1000);
	loop_call(b->loop, note_pending, b);
	assert_true(b->server.max_in > 1 << 20);
	assert_int_equal(b->server.drained, 0);
	assert_int_equal(fixture_read(&b->client, big + 1000, N - 1000), N - 1000);
	for (size_t i = 0; i < N; i++) {
		if (big[i] != 'b')
			fail_msg("octet %zu", i);
	}
	assert_true(fixture_reads(&b->client, "after\n"));
	loop_call(b->loop, note_pending, b);
	assert_int_equal(b->server.max_in, 0);
	assert_true(b->server.drained > 0);
	free(big);
}

static void test_slow_reader(void **state)
{
	start_plain(*state);
	check_slow_reader(*state);
}

static void test_slow_reader_tls(void **state)
{
	start_tls(*state);
	check_slow_reader(*state);
}

static void test_reader_goes(void **state)
{
	struct bench *b = *state;
	uint8_t scrap[100];

	start_tls(b);
	assert_true(fixture_writes(&b->client, "BIG 8388608\n"));
	assert_int_equal(fixture_read(&b->client, scrap, sizeof scrap), sizeof scrap);
	assert_int_equal(close(b->client.fd), 0);
	b->client.fd = -1;
	assert_true(fixture_wait(&b->server));
	assert_true(b->server.fault < 0 || b->server.end);
	assert_string_not_equal(b->server.reason, "");
}

static size_t deflate_all(z_stream *z, const void *data, size_t n, uint8_t *out, size_t max)
{
	z->next_in = (Bytef *)(uintptr_t)data;
	z->avail_in = (uInt)n;
	z->next_out = out;
	z->avail_out = (uInt)max;
	assert_int_equal(deflate(z, Z_SYNC_FLUSH), Z_OK);
	assert_int_equal(z->avail_in, 0);
	return max - z->avail_out;
}

static void test_compress(void **state)
{
	struct bench *b = *state;
	static const char text[] = "one\none\none\none\n";
	z_stream out = {}, in = {};
	uint8_t packed[256], plain[256];
	size_t n;

	start_tls(b);
	assert_true(fixture_writes(&b->client, "COMPRESS\n"));
	assert_true(fixture_reads(&b->client, "ok\n"));
	assert_int_equal(deflateInit2(&out, 6, Z_DEFLATED, -15, 8, 0), Z_OK);
	assert_int_equal(inflateInit2(&in, -15), Z_OK);
	n = deflate_all(&out, text, sizeof text - 1, packed, sizeof packed);
	assert_true(fixture_write(&b->client, packed, n));
	in.next_out = plain;
	in.avail_out = sizeof plain;
	while (in.avail_out > sizeof plain - (sizeof text - 1)) {
		assert_int_equal(fixture_read(&b->client, packed, 1), 1);
		in.next_in = packed;
		in.avail_in = 1;
		assert_int_equal(inflate(&in, Z_SYNC_FLUSH), Z_OK);
	}
	assert_memory_equal(plain, text, sizeof text - 1);
	(void)deflateEnd(&out);
	(void)inflateEnd(&in);

	assert_true(fixture_writes(&b->client, "\xFF\xFF\xFF\xFF nonsense"));
	assert_true(fixture_wait(&b->server));
	assert_string_equal(b->server.reason, "malformed compressed data");
}

static void test_bomb(void **state)
{
	enum { PIECE = 1 << 20, PIECES = 64 };
	struct bench *b = *state;
	uint8_t *zeros = alloc_zero(PIECE), *packed = alloc_zero(PIECE);
	z_stream out = {};
	size_t n = 0, sent = 0;

	start_plain(b);
	assert_true(fixture_writes(&b->client, "COMPRESS\n"));
	assert_true(fixture_reads(&b->client, "ok\n"));
	assert_int_equal(deflateInit2(&out, 9, Z_DEFLATED, -15, 8, 0), Z_OK);
	n = deflate_all(&out, "COUNT\n", 6, packed, PIECE);
	assert_true(fixture_write(&b->client, packed, n));
	for (int i = 0; i < PIECES; i++) {
		n = deflate_all(&out, zeros, PIECE, packed, PIECE);
		sent += n;
		assert_true(fixture_write(&b->client, packed, n));
	}
	(void)deflateEnd(&out);
	assert_true(sent < 100000);
	assert_int_equal(shutdown(b->client.fd, SHUT_WR), 0);
	assert_true(fixture_wait(&b->server));
	/* The memory for one read is all it ever gets. */
	assert_in_range(b->server.max_in, 1, STREAM_CHUNK);
	assert_int_equal(b->server.total_in, (size_t)PIECE * PIECES + 6 + sizeof "COMPRESS");
	free(zeros);
	free(packed);
}

static void test_deadline(void **state)
{
	struct bench *b = *state;

	b->options.preface_ms = 100;
	b->options.tls_first = true;
	b->client.fd = fixture_start(&b->server, &b->options);
	assert_true(fixture_writes(&b->client, "\x16\x03\x01")); /* and no more */
	assert_true(fixture_wait(&b->server));
	assert_int_equal(b->server.fault, -ETIMEDOUT);
	assert_string_equal(b->server.reason, "no handshake in time");
}

/* The owner has no time-outs of its own while the stream is between clear text and TLS. */
static void test_starttls_deadline(void **state)
{
	struct bench *b = *state;

	b->options.preface_ms = 100;
	start_plain(b);
	assert_true(fixture_writes(&b->client, "BIG 8388608\nSTARTTLS\n")); /* and reads nothing */
	assert_true(fixture_wait(&b->server));
	assert_int_equal(b->server.fault, -ETIMEDOUT);
}

static void test_no_tls(void **state)
{
	struct bench *b = *state;

	b->options.tls_first = true;
	b->client.fd = fixture_start(&b->server, &b->options);
	assert_true(fixture_writes(&b->client, "EHLO example.org\r\n"));
	assert_int_equal(shutdown(b->client.fd, SHUT_WR), 0);
	assert_true(fixture_wait(&b->server));
	assert_string_equal(b->server.reason, "plain text on a TLS port, or something else that is not TLS");
	assert_int_equal(b->server.opened, 0);
}

/* An executor that keeps a task until it is told to go on. */
struct held {
	struct executor executor;
	sem_t came;
	struct task *task;
	unsigned n;
};

static void held_submit(struct executor *e, struct task *t)
{
	struct held *h = CONTAINER_OF(e, struct held, executor);

	h->task = t;
	h->n++;
	(void)sem_post(&h->came);
}

static void use_rsa(struct bench *b)
{
	tls_service_free(b->service);
	tls_host_free(b->host);
	b->host = fixture_host(fixture_profile("example.org", "rsa"));
	b->service = tls_service_new(b->host, NULL);
	b->options.tls = b->service;
	b->options.tls_first = true;
}

static void test_slow_key(void **state)
{
	struct bench *b = *state;

	use_rsa(b);
	assert_int_equal(pool_new(&b->pool, "cpu", 1, 10, NULL, NULL, NULL), 0);
	b->options.cpu = pool_executor(b->pool);
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		b->client.version = version;
		start_tls(b);
		assert_true(fixture_writes(&b->client, "one\n"));
		assert_true(fixture_reads(&b->client, "one\n"));
		if (version == TLS1_2_VERSION) {
			fixture_client_done(&b->client);
			assert_true(fixture_wait(&b->server));
			fixture_done(&b->server);
			b->server = (struct fixture_server){};
		}
	}
}

static void kill_stream(void *context)
{
	struct bench *b = context;

	b->server.stream = stream_free(b->server.stream);
}

static void *connect_once(void *context)
{
	struct bench *b = context;

	(void)fixture_connect(&b->client, b->client.fd);
	return NULL;
}

/* The stream goes while its handshake is elsewhere; the task then works on a connection that has
 * ended, and cleans up. */
static void check_vanish(struct bench *b, bool free_first)
{
	struct held held = { .executor.submit = held_submit };
	pthread_t client;

	assert_int_equal(sem_init(&held.came, 0, 0), 0);
	use_rsa(b);
	b->options.cpu = &held.executor;
	b->client.fd = fixture_start(&b->server, &b->options);
	assert_int_equal(pthread_create(&client, NULL, connect_once, b), 0);
	while (sem_wait(&held.came))
		continue;
	assert_int_equal(shutdown(b->client.fd, SHUT_RDWR), 0);
	pthread_join(client, NULL);
	if (free_first)
		loop_call(b->loop, kill_stream, b);
	held.task->result = held.task->run(held.task, NULL);
	held.task->home->post(held.task->home, held.task);
	if (!free_first) {
		assert_true(fixture_wait(&b->server));
		assert_int_not_equal(b->server.fault, 0);
	}
	assert_int_equal(held.n, 1);
	(void)sem_destroy(&held.came);
}

static void test_peer_vanishes(void **state)
{
	check_vanish(*state, false);
}

static void test_stream_vanishes(void **state)
{
	check_vanish(*state, true);
}

static void refuse_submit(struct executor *e, struct task *t)
{
	(void)e;
	t->result = -EBUSY;
	t->home->post(t->home, t);
}

static void test_executor_full(void **state)
{
	struct executor full = { refuse_submit };
	struct bench *b = *state;

	use_rsa(b);
	b->options.cpu = &full;
	assert_int_not_equal(
		fixture_connect(&b->client, fixture_start(&b->server, &b->options)), 1);
	assert_true(fixture_wait(&b->server));
	assert_string_equal(b->server.reason, "too busy for a handshake");
}

static void test_proxy_header(void **state)
{
	static const char header[] = "PROXY TCP4 192.0.2.1 192.0.2.2 12345 25\r\n";
	const struct admission_limits limits = { .max_open = 10, .max_peer_open = 1 };
	struct net_prefix_list proxies;
	struct bench *b = *state;
	char text[NET_ADDRESS_TEXT];

	assert_int_equal(net_prefix_list_parse(SPAN("10.0.0.0/8"), &proxies), 0);
	b->options.admission = admission_new(&limits, &proxies);
	assert_int_equal(net_address_parse(SPAN("10.0.0.1"), &b->options.peer), 0);

	/* Octet by octet, then TLS at once. */
	b->options.tls_first = true;
	assert_int_equal(admission_enter(b->options.admission, &b->options.peer), 0);
	b->client.fd = fixture_start(&b->server, &b->options);
	for (const char *p = header; *p; p++)
		assert_true(fixture_write(&b->client, p, 1));
	assert_int_equal(fixture_connect(&b->client, b->client.fd), 1);
	assert_true(fixture_reads(&b->client, "hello\n"));

	/* The same peer once more is one too many, though the proxy is the same. */
	{
		struct fixture_server other = {};
		struct fixture_client again = {};

		b->options.tls_first = false;
		assert_int_equal(admission_enter(b->options.admission, &b->options.peer), 0);
		again.fd = fixture_start(&other, &b->options);
		assert_true(fixture_writes(&again, header));
		assert_true(fixture_wait(&other));
		assert_string_equal(other.reason, "too many connections of this peer");
		fixture_client_done(&again);
		fixture_done(&other);
	}
	fixture_client_done(&b->client);
	assert_true(fixture_wait(&b->server));
	assert_string_equal(net_address_text(&b->server.peer, text), "192.0.2.1");
	fixture_done(&b->server);
	assert_int_equal(admission_open(b->options.admission), 0);

	/* It has left, so it may come back; a proxy without a header may not. */
	b->server = (struct fixture_server){};
	assert_int_equal(admission_enter(b->options.admission, &b->options.peer), 0);
	b->client.fd = fixture_start(&b->server, &b->options);
	assert_true(fixture_writes(&b->client, header));
	assert_true(fixture_reads(&b->client, "hello\n"));
	fixture_client_done(&b->client);
	assert_true(fixture_wait(&b->server));
	fixture_done(&b->server);

	b->server = (struct fixture_server){};
	assert_int_equal(admission_enter(b->options.admission, &b->options.peer), 0);
	b->client.fd = fixture_start(&b->server, &b->options);
	assert_true(fixture_writes(&b->client, "EHLO example.org\r\n"));
	assert_true(fixture_wait(&b->server));
	assert_string_equal(b->server.reason, "not a PROXY header");
	assert_int_equal(b->server.opened, 0);
	admission_free(b->options.admission);
}

#define STREAM_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STREAM_TEST(test_plain),
		STREAM_TEST(test_tls13),
		STREAM_TEST(test_tls12),
		STREAM_TEST(test_tls_cut),
		STREAM_TEST(test_close_lingers),
		STREAM_TEST(test_starttls),
		STREAM_TEST(test_starttls_injected),
		STREAM_TEST(test_starttls_late_injection),
		STREAM_TEST(test_slow_reader),
		STREAM_TEST(test_slow_reader_tls),
		STREAM_TEST(test_reader_goes),
		STREAM_TEST(test_compress),
		STREAM_TEST(test_bomb),
		STREAM_TEST(test_deadline),
		STREAM_TEST(test_starttls_deadline),
		STREAM_TEST(test_no_tls),
		STREAM_TEST(test_slow_key),
		STREAM_TEST(test_peer_vanishes),
		STREAM_TEST(test_stream_vanishes),
		STREAM_TEST(test_executor_full),
		STREAM_TEST(test_proxy_header),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
