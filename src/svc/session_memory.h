/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* For tests and fuzzers: a session of any protocol in memory, whose tasks run on real threads and
 * are waited for. */

#include "base/buf.h"
#include "svc/session.h"

struct memory_session;

/* service is what session_service gives. tls: on from the start. */
struct memory_session *memory_session_new(const struct session_protocol *protocol, void *service,
	const struct net_address *peer, bool tls);
struct memory_session *memory_session_free(struct memory_session *m);

/* Gives input in pieces of `step` octets and waits until the session has nothing more to do. TLS is
 * taken to be on where the session asks for it; pauses are over at once (the clock must be set). */
void memory_session_send(struct memory_session *m, struct span input, size_t step);

/* The client sends no more. */
void memory_session_end(struct memory_session *m);

/* What the session has said so far; the caller may take it. */
struct buf *memory_session_output(struct memory_session *m);
bool memory_session_is_closed(const struct memory_session *m);
