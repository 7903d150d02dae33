/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Connections: the one place that ties a session to a stream, a listener and a loop, counts them,
 * and ends them when the server does.
 */

#include "base/err.h"
#include "net/listener.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct executor;
struct log_context;
struct session_protocol;
struct tls_service;

/* What one kind of listener makes of its connections. */
struct conn_options {
	const char *name; /* "imaps": field "service" of the log */
	const struct session_protocol *protocol;
	void *context; /* session_service() */
	struct tls_service *tls; /* NULL: no TLS at all */
	bool tls_first;
	struct executor *cpu;
	struct admission *admission;
	uint32_t preface_ms; /* 0: 30 s */
	const struct log_context *log;
};

/* Numbers since the start, for the metrics; open is what is there now. */
struct conn_counters {
	atomic_uint_fast64_t accepted, refused, open, tls, tls_resumed, tls_failed, timed_out, faults,
		octets_in, octets_out;
};

struct conn_service;

/* The loops are those its listeners use. */
struct conn_service *conn_service_new(const struct conn_options *options, struct loop *const *loops,
	size_t n_loops);

/* Closes what is open. Before the loops are freed. */
struct conn_service *conn_service_free(struct conn_service *s);

/* Fit into struct listener_options with the service as context. */
void conn_accepted(void *service, struct loop *loop, int fd, const struct net_address *peer,
	const struct net_address *local);
void conn_refused(void *service, const struct net_address *peer, enum admission_outcome why);

/* Tells all sessions that the server ends, waits for them up to timeout_ms, and closes the rest.
 * No listener may be left. Not from a loop's thread. */
void conn_service_drain(struct conn_service *s, uint32_t timeout_ms);

/* Logs the certificate that a client has presented, if it has. */
struct tls_info;
void conn_note_client(const struct log_context *log, const struct net_address *peer,
	const struct tls_info *tls);

const struct conn_counters *conn_service_counters(const struct conn_service *s);
