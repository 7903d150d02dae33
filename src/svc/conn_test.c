/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Connections from the listener to the session and back, over real sockets, with a protocol of a
 * few words. */

#include "svc/conn.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/task.h"
#include "net/loop.h"
#include "net/stream_fixture.h"
#include "svc/session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct word {
	struct session session;
	uint64_t to_pull;
};

struct nap {
	struct session_task base;
};

static struct pool *pool;
static pthread_mutex_t wakers_lock = PTHREAD_MUTEX_INITIALIZER;
static struct session_waker *last_waker;

static int word_start(struct session *s)
{
	pthread_mutex_lock(&wakers_lock);
	session_waker_unref(last_waker);
	last_waker = session_waker_ref(session_waker(s));
	pthread_mutex_unlock(&wakers_lock);
	session_reply_format(s, "+ hello%s\r\n", session_is_tls(s) ? " secured" : "");
	return 0;
}

static int nap_run(struct task *t, void *worker)
{
	const struct timespec moment = { .tv_nsec = 20000000 };

	(void)t;
	(void)worker;
	(void)nanosleep(&moment, NULL);
	return 0;
}

static void nap_drop(struct task *t)
{
	free(CONTAINER_OF(t, struct nap, base.task));
}

static int nap_done(struct session *s, struct session_task *t)
{
	(void)t;
	session_reply_string(s, "+ rested\r\n");
	return 0;
}

static int word_line(struct session *s, struct span line)
{
	struct span word = span_word(&line);
	uint64_t n = 0;

	(void)span_to_u64(line, UINT32_MAX, &n);
	if (span_is(word, "STARTTLS")) {
		session_reply_string(s, "+ go\r\n");
		session_starttls(s);
	} else if (span_is(word, "NAP")) {
		struct nap *nap = ALLOC(struct nap);

		nap->base.task.run = nap_run;
		nap->base.task.drop = nap_drop;
		nap->base.done = nap_done;
		session_wait(s, pool_executor(pool), &nap->base);
	} else if (span_is(word, "GIVE")) {
		((struct word *)s)->to_pull = n;
		session_send_from(s);
	} else if (span_is(word, "TAKE")) {
		session_expect_octets(s, n);
	} else if (span_is(word, "FAULT")) {
		return err_fault(EIO, "test");
	} else if (span_is(word, "QUIT")) {
		session_reply_string(s, "+ bye\r\n");
		session_end(s);
	} else {
		session_reply_format(s, "+ %.*s\r\n", (int)word.n, (const char *)word.p);
	}
	return 0;
}

static int word_octets(struct session *s, struct span data, size_t *ret_taken)
{
	(void)s;
	*ret_taken = data.n;
	return 0;
}

static int word_octets_end(struct session *s)
{
	session_reply_string(s, "+ taken\r\n");
	return 0;
}

static int word_secured(struct session *s)
{
	session_reply_format(s, "+ secured %s\r\n", session_tls_domain(s));
	return 0;
}

static int word_pull(struct session *s)
{
	struct word *w = (struct word *)s;
	size_t n = w->to_pull < SESSION_CHUNK ? w->to_pull : SESSION_CHUNK;

	memset(buf_room(session_out(s), n), 'g', n);
	buf_added(session_out(s), n);
	w->to_pull -= n;
	if (w->to_pull == 0)
		session_sent_all(s);
	return 0;
}

static int word_event(struct session *s)
{
	session_reply_string(s, "* news\r\n");
	return 0;
}

static int word_timeout(struct session *s)
{
	session_reply_string(s, "- too slow\r\n");
	return 0;
}

static int word_shutdown(struct session *s)
{
	session_reply_string(s, "- server ends\r\n");
	session_end(s);
	return 0;
}

static void word_fault(struct session *s)
{
	session_reply_string(s, "- temporary failure\r\n");
}

static const struct session_protocol protocol = {
	.name = "word",
	.tag = "WORD",
	.size = sizeof(struct word),
	.line_max = 1000,
	.timeout_ms = 300,
	.start = word_start,
	.line = word_line,
	.octets = word_octets,
	.octets_end = word_octets_end,
	.secured = word_secured,
	.pull = word_pull,
	.event = word_event,
	.timeout = word_timeout,
	.shutdown = word_shutdown,
	.fault = word_fault,
};

struct bench {
	struct loop *loops[2];
	struct tls_host *host;
	struct tls_service *tls;
	struct admission *admission;
	struct conn_service *service;
	struct listener *listener;
	struct session_protocol protocol;
	uint16_t port;
};

static void start(struct bench *b, bool tls_first)
{
	const struct admission_limits limits = { .max_open = 100 };
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct conn_options options = { .name = "words", .protocol = &b->protocol, .tls = b->tls,
		.tls_first = tls_first, .cpu = pool_executor(pool), .preface_ms = 300 };
	struct listener_options listener = { .fd = fd, .loops = b->loops, .n_loops = 2,
		.accepted = conn_accepted, .refused = conn_refused };

	b->admission = admission_new(&limits, NULL);
	options.admission = listener.admission = b->admission;
	b->service = conn_service_new(&options, b->loops, 2);
	listener.context = b->service;
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fd, 128), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
	b->port = ntohs(address.sin_port);
	assert_int_equal(listener_new(&b->listener, &listener), 0);
}

static int set_up(void **state)
{
	struct bench *b = ALLOC(struct bench);

	for (int i = 0; i < 2; i++) {
		if (loop_new(&b->loops[i]) || loop_start(b->loops[i], "test"))
			return -1;
	}
	b->protocol = protocol;
	b->protocol.timeout_ms = 20000;
	b->host = fixture_host(fixture_profile("example.org", "rsa ec"));
	b->tls = tls_service_new(b->host, NULL);
	*state = b;
	return pool_new(&pool, "cpu", 2, 100, NULL, NULL, NULL);
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	b->listener = listener_free(b->listener);
	conn_service_drain(b->service, 5000);
	assert_int_equal(conn_service_counters(b->service)->open, 0);
	assert_int_equal(admission_open(b->admission), 0);
	pool_free(pool);
	conn_service_free(b->service);
	loop_free(b->loops[0]);
	loop_free(b->loops[1]);
	last_waker = session_waker_unref(last_waker);
	admission_free(b->admission);
	tls_service_free(b->tls);
	tls_host_free(b->host);
	free(b);
	return 0;
}

static struct fixture_client dial(const struct bench *b)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(b->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_sec = 20 };
	struct fixture_client c = { .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };

	assert_int_equal(
		setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
	assert_int_equal(connect(c.fd, (struct sockaddr *)&address, sizeof address), 0);
	return c;
}

static void expect_end(struct fixture_client *c)
{
	char octet;

	assert_int_equal(fixture_read(c, &octet, 1), 0);
	fixture_client_done(c);
}

static void test_commands(void **state)
{
	struct bench *b = *state;
	struct fixture_client c;

	start(b, false);
	c = dial(b);
	assert_true(fixture_reads(&c, "+ hello\r\n"));
	/* A pipeline over a wait. */
	assert_true(fixture_writes(&c, "A\r\nNAP\r\nB\r\nNAP\r\nQUIT\r\nnever\r\n"));
	assert_true(fixture_reads(&c, "+ A\r\n+ rested\r\n+ B\r\n+ rested\r\n+ bye\r\n"));
	expect_end(&c);

	c = dial(b);
	assert_true(fixture_reads(&c, "+ hello\r\n"));
	assert_true(fixture_writes(&c, "FAULT\r\n"));
	assert_true(fixture_reads(&c, "- temporary failure\r\n"));
	expect_end(&c);
}

static void test_starttls(void **state)
{
	struct bench *b = *state;
	struct fixture_client c;

	start(b, false);
	c = dial(b);
	assert_true(fixture_reads(&c, "+ hello\r\n"));
	assert_true(fixture_writes(&c, "STARTTLS\r\ninjected\r\n"));
	assert_true(fixture_reads(&c, "+ go\r\n"));
	assert_int_equal(fixture_connect(&c, c.fd), 1);
	assert_true(fixture_reads(&c, "+ secured example.org\r\n"));
	assert_true(fixture_writes(&c, "NAP\r\nA\r\n"));
	assert_true(fixture_reads(&c, "+ rested\r\n+ A\r\n"));
	fixture_client_done(&c);
	assert_int_equal(conn_service_counters(b->service)->tls, 1);
}

/* More than fits anywhere, both ways, over TLS; and news in between. */
static void test_bulk(void **state)
{
	enum { N = 10 << 20 };
	struct bench *b = *state;
	struct fixture_client c;
	uint8_t *big = alloc_zero(N);

	start(b, true);
	c = dial(b);
	assert_int_equal(fixture_connect(&c, c.fd), 1);
	assert_true(fixture_reads(&c, "+ hello secured\r\n"));
	assert_true(fixture_writes(&c, "GIVE 10485760\r\nA\r\n"));
	assert_int_equal(fixture_read(&c, big, N), N);
	for (size_t i = 0; i < N; i++) {
		if (big[i] != 'g')
			fail_msg("octet %zu", i);
	}
	assert_true(fixture_reads(&c, "+ A\r\n"));
	assert_true(fixture_writes(&c, "TAKE 10485760\r\n"));
	assert_true(fixture_write(&c, big, N));
	assert_true(fixture_reads(&c, "+ taken\r\n"));
	pthread_mutex_lock(&wakers_lock);
	session_wake(last_waker);
	pthread_mutex_unlock(&wakers_lock);
	assert_true(fixture_reads(&c, "* news\r\n"));
	fixture_client_done(&c);
	free(big);
}

static void test_timeout(void **state)
{
	struct bench *b = *state;
	struct fixture_client c, d;

	b->protocol.timeout_ms = 300;
	start(b, false);
	c = dial(b);
	d = dial(b);
	assert_true(fixture_reads(&c, "+ hello\r\n"));
	assert_true(fixture_reads(&d, "+ hello\r\n"));
	assert_true(fixture_reads(&c, "- too slow\r\n"));
	expect_end(&c);
	assert_true(fixture_reads(&d, "- too slow\r\n"));
	expect_end(&d);
}

static void *flood(void *context)
{
	struct bench *b = context;

	for (int i = 0; i < 30; i++) {
		struct fixture_client c = dial(b);

		if (i % 3 == 0) {
			(void)fixture_connect(&c, c.fd);
			(void)fixture_writes(&c, "NAP\r\nA\r\nNAP\r\n");
		}
		if (i % 3 == 1)
			(void)fixture_writes(&c, "not a handshake\r\n");
		pthread_mutex_lock(&wakers_lock);
		if (last_waker)
			session_wake(last_waker);
		pthread_mutex_unlock(&wakers_lock);
		fixture_client_done(&c);
	}
	return NULL;
}

/* Peers that leave at any moment, on two loops, while others wake their sessions. */
static void test_peers_that_leave(void **state)
{
	struct bench *b = *state;
	pthread_t threads[3];

	start(b, true);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, flood, b), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
}

static void test_drain(void **state)
{
	struct bench *b = *state;
	struct fixture_client idle, busy, early;

	start(b, false);
	idle = dial(b);
	busy = dial(b);
	early = dial(b);
	assert_true(fixture_reads(&idle, "+ hello\r\n"));
	assert_true(fixture_reads(&busy, "+ hello\r\n"));
	assert_true(fixture_reads(&early, "+ hello\r\n"));
	assert_true(fixture_writes(&early, "STARTTLS\r\n"));
	assert_true(fixture_reads(&early, "+ go\r\n"));
	assert_true(fixture_writes(&busy, "NAP\r\nA\r\n"));
	/* What is under way is answered; a handshake that nobody goes on with is cut. */
	assert_int_equal(shutdown(idle.fd, SHUT_WR), 0);
	b->listener = listener_free(b->listener);
	conn_service_drain(b->service, 3000);
	assert_true(fixture_reads(&busy, "+ rested\r\n- server ends\r\n"));
	expect_end(&busy);
	fixture_client_done(&idle);
	expect_end(&early);
}

#define CONN_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONN_TEST(test_commands),
		CONN_TEST(test_starttls),
		CONN_TEST(test_bulk),
		CONN_TEST(test_timeout),
		CONN_TEST(test_peers_that_leave),
		CONN_TEST(test_drain),
	};

	log_set_stderr(false);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
