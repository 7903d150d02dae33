/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "net/listener.h"

#include "base/alloc.h"
#include "net/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { MANY = 40 };

struct bench {
	struct loop *loops[2];
	struct listener *listener;
	struct admission *admission;
	uint16_t port;
	sem_t event; /* a connection was accepted or refused */
	atomic_uint n_accepted[2], n_refused_peer, n_refused_full, n_wrong;
	atomic_int last_fd;
	bool keeps; /* accepted connections stay open */
};

static void on_accepted(void *context, struct loop *loop, int fd, const struct net_address *peer,
	const struct net_address *local)
{
	struct bench *b = context;
	int one = 0;
	socklen_t n = sizeof one;

	if (!loop_is_here(loop) || !net_address_is_loopback(peer) || local->port != b->port ||
		!(fcntl(fd, F_GETFL) & O_NONBLOCK) || !(fcntl(fd, F_GETFD) & FD_CLOEXEC) ||
		getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, &n) || !one)
		atomic_fetch_add(&b->n_wrong, 1);
	atomic_fetch_add(&b->n_accepted[loop == b->loops[1]], 1);
	atomic_store(&b->last_fd, fd);
	if (!b->keeps) {
		if (b->admission)
			admission_leave(b->admission, peer);
		(void)close(fd);
	}
	(void)sem_post(&b->event);
}

static void on_refused(void *context, const struct net_address *peer, enum admission_outcome why)
{
	struct bench *b = context;

	(void)peer;
	atomic_fetch_add(why == ADMISSION_E_PEER ? &b->n_refused_peer : &b->n_refused_full, 1);
	(void)sem_post(&b->event);
}

static void start(struct bench *b, const struct admission_limits *limits)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct listener_options options = { .loops = b->loops, .n_loops = 2,
		.accepted = on_accepted, .refused = on_refused, .context = b };

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fd, 128), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
	b->port = ntohs(address.sin_port);
	if (limits)
		b->admission = admission_new(limits, NULL);
	options.fd = fd;
	options.admission = b->admission;
	assert_int_equal(listener_new(&b->listener, &options), 0);
}

static int set_up(void **state)
{
	struct bench *b = ALLOC(struct bench);

	for (int i = 0; i < 2; i++) {
		if (loop_new(&b->loops[i]) || loop_start(b->loops[i], "test"))
			return -1;
	}
	*state = b;
	return sem_init(&b->event, 0, 0);
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	listener_free(b->listener);
	loop_free(b->loops[0]);
	loop_free(b->loops[1]);
	admission_free(b->admission);
	(void)sem_destroy(&b->event);
	free(b);
	return 0;
}

static int dial(const struct bench *b)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(b->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

static void wait_events(struct bench *b, int n)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	while (n--)
		assert_int_equal(sem_timedwait(&b->event, &until), 0);
}

static void test_fair(void **state)
{
	struct bench *b = *state;

	start(b, NULL);
	for (int i = 0; i < MANY; i++)
		(void)close(dial(b));
	wait_events(b, MANY);
	assert_int_equal(b->n_accepted[0], MANY / 2);
	assert_int_equal(b->n_accepted[1], MANY / 2);
	assert_int_equal(b->n_wrong, 0);
}

static void test_limits(void **state)
{
	const struct admission_limits limits = { .max_open = 5, .max_peer_open = 3 };
	struct bench *b = *state;
	struct net_address other;
	int fds[5];

	b->keeps = true;
	start(b, &limits);
	for (int i = 0; i < 5; i++)
		fds[i] = dial(b);
	wait_events(b, 5);
	assert_int_equal(b->n_accepted[0] + b->n_accepted[1], 3);
	assert_int_equal(b->n_refused_peer, 2);
	assert_int_equal(admission_open(b->admission), 3);

	/* Two /64 networks are two peers; two addresses of one are not. */
	assert_int_equal(net_address_parse(SPAN("2001:db8::1"), &other), 0);
	assert_int_equal(admission_enter(b->admission, &other), 0);
	assert_int_equal(net_address_parse(SPAN("2001:db8:0:1::1"), &other), 0);
	assert_int_equal(admission_enter(b->admission, &other), 0);
	assert_int_equal(admission_enter(b->admission, &other), ADMISSION_E_FULL);
	for (int i = 0; i < 5; i++)
		(void)close(fds[i]);
}

static void test_same_network(void **state)
{
	const struct admission_limits limits = { .max_peer_open = 1, .peer_rate = 0.001,
		.peer_burst = 2 };
	struct admission *a = admission_new(&limits, NULL);
	struct net_address one, two;

	(void)state;
	assert_int_equal(net_address_parse(SPAN("2001:db8::1"), &one), 0);
	assert_int_equal(net_address_parse(SPAN("2001:db8::ffff:2"), &two), 0);
	assert_int_equal(admission_enter(a, &one), 0);
	assert_int_equal(admission_enter(a, &two), ADMISSION_E_PEER);
	admission_leave(a, &one);
	/* The rate is used up now, though nothing is open. */
	assert_int_equal(admission_open(a), 0);
	assert_int_equal(admission_enter(a, &two), ADMISSION_E_PEER);
	assert_int_equal(admission_open(a), 0);
	admission_free(a);
}

/* With no descriptor left, connections are closed rather than left to spin on. */
static void test_no_descriptors(void **state)
{
	struct bench *b = *state;
	struct rlimit old, low;
	int fd, last;

	b->keeps = true;
	start(b, NULL);
	fd = dial(b);
	wait_events(b, 1);
	last = atomic_load(&b->last_fd);
	(void)close(fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	/* Room for the client's end only. */
	fd = socket(AF_INET, SOCK_STREAM, 0);
	low = old;
	low.rlim_cur = (rlim_t)(fd > last ? fd : last) + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	for (int i = 0; i < 3; i++) {
		struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(b->port),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		char octet;

		assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
		wait_events(b, 1);
		assert_int_equal(b->n_refused_full, i + 1);
		assert_int_equal(recv(fd, &octet, 1, 0), 0);
		(void)close(fd);
		fd = socket(AF_INET, SOCK_STREAM, 0);
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	(void)close(fd);
	(void)close(dial(b));
	wait_events(b, 1);
	assert_int_equal(b->n_accepted[0] + b->n_accepted[1], 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fair, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
		cmocka_unit_test(test_same_network),
		cmocka_unit_test_setup_teardown(test_no_descriptors, set_up, tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
