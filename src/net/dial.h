/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Connections of ours to other servers, for threads that may wait. One deadline holds for all that
 * is done on a connection: a server that sends an octet now and then gains nothing by it.
 */

#include "base/err.h"
#include "base/span.h"
#include "net/address.h"

#include <stdatomic.h>
#include <stddef.h>

struct ssl_st; /* SSL of OpenSSL, on the connection's socket */

struct dial {
	int fd;              /* -1: none */
	int64_t deadline_ms; /* by clock_monotonic_ms */
	const atomic_bool
		*stop; /* ends waiting within a quarter of a second once true; may be NULL */
};

/* Everything that keeps a connection from going on is an outcome, with why in words; a fault is one
 * of ours. */
enum dial_outcome { DIAL_E_ENDED = 1 };

/* Sets the deadline and connects. stop may be NULL. */
int dial_connect(struct dial *d, const struct net_address *to, uint32_t timeout_ms,
	const atomic_bool *stop, struct why *why) MUST_CHECK;

/* Another deadline, from now. */
void dial_set_deadline(struct dial *d, uint32_t timeout_ms);

/* Reads what is there, 1 to n octets, or waits for it. ssl NULL: in clear. */
int dial_read(struct dial *d, struct ssl_st *ssl, void *p, size_t n, size_t *ret_n,
	struct why *why) MUST_CHECK;

/* Writes all of it. */
int dial_write(struct dial *d, struct ssl_st *ssl, struct span data, struct why *why) MUST_CHECK;

/* The client's handshake on the connection's socket. */
int dial_handshake(struct dial *d, struct ssl_st *ssl, struct why *why) MUST_CHECK;

/* Closes it; SSL objects are their owner's. */
void dial_done(struct dial *d);
