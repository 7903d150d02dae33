/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Accepting connections, and who may have how many. The sockets come bound and listening from the
 * supervisor; each loop accepts from them by itself.
 */

#include "base/err.h"
#include "net/address.h"

struct loop;

/* How many connections there may be, in all and of one peer; and which peers are proxies that put
 * a PROXY header first and are not counted themselves. Shared by all loops and listeners. */
struct admission;

struct admission_limits {
	uint32_t max_open;      /* in all; 0: no limit, as in the next ones */
	uint32_t max_peer_open; /* by IPv4 address or IPv6 /64 */
	double peer_rate;       /* new connections a second */
	double peer_burst;
	bool loopback_is_free;  /* peers on this machine are not counted one by one */
};

/* Takes the list over. */
struct admission *admission_new(const struct admission_limits *limits,
	struct net_prefix_list *proxies);
struct admission *admission_free(struct admission *a);

/* Other limits and proxies for connections that come from now on. Takes the list over. From any
 * thread. */
void admission_set(struct admission *a, const struct admission_limits *limits,
	struct net_prefix_list *proxies);

enum admission_outcome { ADMISSION_E_FULL = 1, ADMISSION_E_PEER };

/* Counts a connection, and its peer unless that is a proxy. */
int admission_enter(struct admission *a, const struct net_address *peer) MUST_CHECK;

/* The peer behind the proxy has become known: counts it. Leaving is by the new peer then. */
int admission_enter_behind(struct admission *a, const struct net_address *peer) MUST_CHECK;
void admission_leave(struct admission *a, const struct net_address *peer);
bool admission_is_proxy(struct admission *a, const struct net_address *peer);
uint32_t admission_open(const struct admission *a);

struct listener_options {
	int fd; /* bound and listening; the listener's from now on */
	struct loop *const *loops;
	size_t n_loops;
	struct admission *admission; /* may be NULL */

	/* On the loop's thread. fd is non-blocking and the receiver's, TCP_NODELAY is set, the
	 * admission entered (whoever ends the connection calls admission_leave; a stream that was
	 * given the admission does). */
	void (*accepted)(void *context, struct loop *loop, int fd, const struct net_address *peer,
		const struct net_address *local);
	/* May be NULL: a connection was refused and closed; called on the loop's thread. */
	void (*refused)(void *context, const struct net_address *peer,
		enum admission_outcome why);
	void *context;
};

struct listener;
int listener_new(struct listener **ret_listener, const struct listener_options *options) MUST_CHECK;

/* No more is accepted when it returns. Not from a loop's thread while the loops run. */
struct listener *listener_free(struct listener *l);
