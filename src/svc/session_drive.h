/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The other side of a session: whoever carries its octets (svc/conn.c over a stream, the tests and
 * fuzzers in memory). The carrier appends to session_in, calls session_step, takes what is in
 * session_out, and does what the step wants.
 */

#include "svc/session.h"

struct session_carrier {
	/* Where tasks and wakers come back to: the session's own thread. */
	struct task_home *home;
	/* Something changed outside of a step (a task is done, a waker called): call session_step,
	 * soon or at once. */
	void (*step)(struct session_carrier *c);
	/* Facts; tls gives NULL without TLS. */
	const struct tls_info *(*tls)(const struct session_carrier *c);
	const char *(*tls_domain)(const struct session_carrier *c);
	int (*tls_binding)(const struct session_carrier *c, uint8_t ret_binding[static 32]);
	const struct net_address *peer;
	const struct net_address *local;
	const struct log_context *log; /* the listener's */
	void *service;
};

struct session *session_new(const struct session_protocol *protocol,
	struct session_carrier *carrier);

/* Cancels what is awaited and calls the protocol's free. */
struct session *session_free(struct session *s);

/* Where input goes. At most SESSION_INPUT_MAX octets; more only when a step wants it. */
struct buf *session_in(struct session *s);
void session_set_eof(struct session *s);

/* Whether a task is awaited. */
bool session_waits(const struct session *s);

enum session_want {
	SESSION_WANT_INPUT = 1,    /* none is welcome without it */
	SESSION_WANT_STEP = 2,     /* call again at once: it let others have their turn */
	SESSION_WANT_TLS = 4,      /* send, do the handshake, then session_secured */
	SESSION_WANT_COMPRESS = 8, /* send, then compress */
	SESSION_WANT_CLOSE = 16,   /* send, close, free */
};

/* Gets on as far as possible. unsent: octets taken from session_out that did not leave yet; with
 * too many of them nothing new is begun. */
unsigned session_step(struct session *s, size_t unsent);

/* When to call session_step again at the latest, by clock_monotonic_ms; INT64_MAX: no need. */
int64_t session_due_ms(const struct session *s);

/* The handshake after SESSION_WANT_TLS is done. Clears all input. */
void session_secured(struct session *s);

/* The server ends. */
void session_stop(struct session *s);
