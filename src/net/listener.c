/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Listeners. The first loop accepts and deals the connections out in turn: with the socket in all
 * loops' sets, each connection would wake them all, and the fastest would get most.
 *
 * When descriptors run out, the connection cannot be taken from the queue, and the socket stays
 * readable: one descriptor is kept in reserve to accept and close it with. Where that fails too,
 * nothing is accepted for a moment.
 */

#include "net/listener.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limit.h"
#include "net/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	PEERS_MAX = 65536, /* peers that are remembered */
	BATCH = 16,        /* connections accepted before others have their turn */
	REST_MS = 200,
};

struct admission {
	struct limiter *peers;
	atomic_uint_fast32_t open;
	atomic_uint_fast32_t max_open;
	atomic_bool loopback_is_free;
	pthread_rwlock_t lock; /* of proxies */
	struct net_prefix_list proxies;
};

struct admission *admission_new(const struct admission_limits *limits,
	struct net_prefix_list *proxies)
{
	struct admission *a = ALLOC(struct admission);

	(void)pthread_rwlock_init(&a->lock, NULL);
	a->peers = limiter_new(0, 0, 0, PEERS_MAX);
	admission_set(a, limits, proxies);
	return a;
}

void admission_set(struct admission *a, const struct admission_limits *limits,
	struct net_prefix_list *proxies)
{
	struct net_prefix_list old;

	atomic_store(&a->max_open, limits->max_open);
	atomic_store(&a->loopback_is_free, limits->loopback_is_free);
	limiter_set(a->peers, limits->peer_rate, limits->peer_burst, limits->max_peer_open);
	(void)pthread_rwlock_wrlock(&a->lock);
	old = a->proxies;
	a->proxies = proxies ? *proxies : (struct net_prefix_list){};
	(void)pthread_rwlock_unlock(&a->lock);
	net_prefix_list_done(&old);
	if (proxies)
		*proxies = (struct net_prefix_list){};
}

struct admission *admission_free(struct admission *a)
{
	if (a) {
		(void)limiter_free(a->peers);
		net_prefix_list_done(&a->proxies);
		(void)pthread_rwlock_destroy(&a->lock);
		free(a);
	}
	return NULL;
}

bool admission_is_proxy(struct admission *a, const struct net_address *peer)
{
	bool is_proxy;

	(void)pthread_rwlock_rdlock(&a->lock);
	is_proxy = net_prefix_list_has(&a->proxies, peer);
	(void)pthread_rwlock_unlock(&a->lock);
	return is_proxy;
}

/* Whoever comes over a Unix socket is on this host and has no address. When the limits change, a
 * connection may be counted on entering and not on leaving or the other way round: then the count
 * of a peer that is not limited, or was not, is off by one. */
static bool is_counted(struct admission *a, const struct net_address *peer)
{
	if (atomic_load(&a->loopback_is_free) && net_address_is_loopback(peer))
		return false;
	return net_address_key(peer).n && !admission_is_proxy(a, peer);
}

int admission_enter_behind(struct admission *a, const struct net_address *peer)
{
	int64_t now_ms = clock_monotonic_ms();

	if (!is_counted(a, peer))
		return 0;
	if (!limiter_take(a->peers, net_address_key(peer), now_ms) ||
		!limiter_open(a->peers, net_address_key(peer), now_ms))
		return ADMISSION_E_PEER;
	return 0;
}

int admission_enter(struct admission *a, const struct net_address *peer)
{
	uint_fast32_t max_open = atomic_load(&a->max_open);
	int r;

	if (atomic_fetch_add(&a->open, 1) >= max_open && max_open) {
		(void)atomic_fetch_sub(&a->open, 1);
		return ADMISSION_E_FULL;
	}
	r = admission_enter_behind(a, peer);
	if (r)
		(void)atomic_fetch_sub(&a->open, 1);
	return r;
}

void admission_leave(struct admission *a, const struct net_address *peer)
{
	(void)atomic_fetch_sub(&a->open, 1);
	if (is_counted(a, peer))
		limiter_close(a->peers, net_address_key(peer));
}

uint32_t admission_open(const struct admission *a)
{
	return (uint32_t)atomic_load(&a->open);
}

struct listener {
	struct listener_options options;
	struct loop **loops;
	size_t next_loop;
	struct watch *watch;
	struct loop_timer rest;
	int reserve_fd;
};

/* A connection on its way to its loop. It does not know the listener, which may go first. */
struct hand_over {
	struct post post;
	void (*accepted)(void *context, struct loop *loop, int fd, const struct net_address *peer,
		const struct net_address *local);
	void *context;
	struct loop *loop;
	int fd;
	struct net_address peer;
	struct net_address local;
};

static void hand_over_run(struct post *p)
{
	struct hand_over *h = CONTAINER_OF(p, struct hand_over, post);

	h->accepted(h->context, h->loop, h->fd, &h->peer, &h->local);
	free(h);
}

static void listener_deal(struct listener *l, int fd, const struct net_address *peer)
{
	struct loop *loop = l->loops[l->next_loop];
	struct sockaddr_storage storage;
	socklen_t n = sizeof storage;
	struct net_address local = {};
	struct hand_over *h;
	int one = 1;

	l->next_loop = (l->next_loop + 1) % l->options.n_loops;
	if (getsockname(fd, (struct sockaddr *)&storage, &n) == 0)
		local = net_address_from((struct sockaddr *)&storage, n);
	if (peer->family != NET_LOCAL)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (loop == l->loops[0]) {
		l->options.accepted(l->options.context, loop, fd, peer, &local);
		return;
	}
	h = ALLOC(struct hand_over);
	*h = (struct hand_over){ .post.run = hand_over_run, .accepted = l->options.accepted,
		.context = l->options.context, .loop = loop, .fd = fd, .peer = *peer,
		.local = local };
	loop_post(loop, &h->post);
}

static void listener_refuse(struct listener *l, int fd, const struct net_address *peer,
	enum admission_outcome why)
{
	(void)close(fd);
	if (l->options.refused)
		l->options.refused(l->options.context, peer, why);
}

static void listener_rest(struct listener *l)
{
	watch_off(l->watch);
	timer_start(l->loops[0], &l->rest, REST_MS);
}

static void listener_on_rested(struct loop_timer *t)
{
	struct listener *l = CONTAINER_OF(t, struct listener, rest);

	if (watch_set(l->watch, WATCH_READ))
		timer_start(l->loops[0], &l->rest, REST_MS);
}

static void listener_on_no_descriptor(struct listener *l)
{
	const struct net_address nobody = {};
	int fd;

	if (l->reserve_fd >= 0)
		(void)close(l->reserve_fd);
	fd = accept4(l->options.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		listener_refuse(l, fd, &nobody, ADMISSION_E_FULL);
	l->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	/* Another thread may have been faster to take it. */
	if (fd < 0 || l->reserve_fd < 0)
		listener_rest(l);
}

/* False when there is nothing more to accept for now. */
static bool listener_accept(struct listener *l)
{
	struct sockaddr_storage storage = {};
	socklen_t n = sizeof storage;
	struct net_address peer;
	int fd = accept4(l->options.fd, (struct sockaddr *)&storage, &n,
		SOCK_NONBLOCK | SOCK_CLOEXEC);
	int r;

	if (fd < 0) {
		switch (errno) {
		case EAGAIN:
			return false;
		case EMFILE:
		case ENFILE:
			listener_on_no_descriptor(l);
			return false;
		case ENOBUFS:
		case ENOMEM:
			listener_rest(l);
			return false;
		default: /* this connection only: it has gone already */
			return true;
		}
	}
	peer = net_address_from((struct sockaddr *)&storage, n);
	r = l->options.admission ? admission_enter(l->options.admission, &peer) : 0;
	if (r)
		listener_refuse(l, fd, &peer, (enum admission_outcome)r);
	else
		listener_deal(l, fd, &peer);
	return true;
}

static void listener_on_ready(void *context, unsigned what)
{
	struct listener *l = context;

	(void)what;
	for (int i = 0; i < BATCH && listener_accept(l); i++)
		continue;
}

struct listener_start {
	struct listener *listener;
	int r;
};

static void listener_on_loop(void *context)
{
	struct listener_start *start = context;
	struct listener *l = start->listener;

	l->watch = watch_new(l->loops[0], l->options.fd, listener_on_ready, l);
	start->r = watch_set(l->watch, WATCH_READ);
}

int listener_new(struct listener **ret_listener, const struct listener_options *options)
{
	struct listener *l = ALLOC(struct listener);
	struct listener_start start = { .listener = l };

	l->options = *options;
	l->loops = alloc_array(NULL, options->n_loops, sizeof *l->loops);
	memcpy(l->loops, options->loops, options->n_loops * sizeof *l->loops);
	timer_init(&l->rest, listener_on_rested);
	l->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fcntl(l->options.fd, F_SETFL, O_NONBLOCK)) {
		listener_free(l);
		return err_fault(errno, "fcntl");
	}
	loop_call(l->loops[0], listener_on_loop, &start);
	if (start.r) {
		listener_free(l);
		return err_fold(start.r);
	}
	*ret_listener = l;
	return 0;
}

static void listener_off_loop(void *context)
{
	struct listener *l = context;

	timer_stop(&l->rest);
	l->watch = watch_free(l->watch);
}

static void nothing(void *context)
{
	(void)context;
}

struct listener *listener_free(struct listener *l)
{
	if (!l)
		return NULL;
	loop_call(l->loops[0], listener_off_loop, l);
	/* What was handed over before has arrived when a later call has. */
	for (size_t i = 1; i < l->options.n_loops; i++)
		loop_call(l->loops[i], nothing, NULL);
	(void)close(l->options.fd);
	if (l->reserve_fd >= 0)
		(void)close(l->reserve_fd);
	free(l->loops);
	free(l);
	return NULL;
}
