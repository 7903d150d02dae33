/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * A connection on a loop: plain, TLS, or upgraded from one to the other in place, with raw DEFLATE
 * on top where the protocol asks for it. Buffers exist only while there is something in them.
 *
 * Callbacks come from the loop only, never from within a call of these functions; each may free
 * the stream.
 */

#include "base/buf.h"
#include "base/err.h"
#include "net/address.h"

struct admission;
struct executor;
struct loop;
struct stream;
struct tls_info;
struct tls_service;

enum {
	STREAM_CHUNK = 16 * 1024, /* a full TLS record; what one read brings at most */
	STREAM_LOW = 16 * 1024,   /* drained is called when pending output falls to this */
};

struct stream_events {
	/* The preface is over: PROXY header read, TLS on where it comes first. Once; reading is on. */
	void (*opened)(void *context);
	/* There is input, or its end: call stream_read until it says STREAM_E_AGAIN, or gives less
	 * than it might and stream_holds_input is false. */
	void (*readable)(void *context);
	/* Output that could not be sent at once has gone below STREAM_LOW. */
	void (*drained)(void *context);
	/* stream_start_tls is done; reading is on again. */
	void (*secured)(void *context);
	/* It failed (fault < 0, reason says how), or stream_close is through (0). The last call. */
	void (*closed)(void *context, int fault, const char *reason);
};

struct stream_options {
	struct loop *loop;
	int fd; /* connected, non-blocking; the stream's from now on */
	struct net_address peer;
	struct net_address local;
	struct admission *admission; /* already entered for the peer; may be NULL */
	struct tls_service *tls;     /* NULL: no TLS */
	bool tls_first;
	struct executor *cpu;        /* where slow signatures are made; NULL: in place */
	uint32_t preface_ms;         /* for PROXY header and handshake, each */
	const struct stream_events *events;
	void *context;
};

struct stream *stream_new(const struct stream_options *options);

/* Hard close, at any time, also from within a callback. */
struct stream *stream_free(struct stream *s);

enum stream_read_outcome {
	STREAM_E_AGAIN = 1, /* nothing at the moment */
	STREAM_E_EOF,       /* the peer said it sends no more */
	STREAM_E_CUT,       /* TLS: the connection ended without the peer saying so */
};

/* Appends 1 to max octets to in. After an end or a fault it says so again each time. While the
 * stream is busy with a handshake, closing, or about to call closed, there is nothing. */
int stream_read(struct stream *s, struct buf *in, size_t max) MUST_CHECK;

/* Whether stream_read can give something of which the socket does not know: octets in libssl or in
 * the decompressor. readable is not called for them. */
bool stream_holds_input(const struct stream *s);

/* How the last fault of stream_read or the end came about, in words. */
const char *stream_reason(const struct stream *s);

/* Reading is on after opened and secured. While it is off, readable is not called. */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

/* Sends what is in out and leaves it empty; what the socket does not take waits. A failure is
 * reported by closed. */
void stream_send(struct stream *s, struct buf *out);

/* Octets that wait to be sent. */
size_t stream_pending_output(const struct stream *s);

/* RFC 3207, 2595, 8314: drops what the peer has sent in clear up to now, sends out (the reply that
 * says go ahead), then does the handshake; then secured is called. Returns whether anything was
 * dropped. */
bool stream_start_tls(struct stream *s, struct buf *out);

/* RFC 4978: from here on both directions are compressed. Output already given is not. */
void stream_compress(struct stream *s);

/* Sends what is pending, says goodbye (close_notify, FIN), waits a short time for the peer to go,
 * then calls closed. Nothing may be sent or read afterwards. */
void stream_close(struct stream *s);

/* How long stream_close waits for the peer to go and how much of what it still sends is thrown away
 * meanwhile, instead of a short time and a little: for a peer that will read our last words only when
 * it has sent all it has. */
void stream_set_linger(struct stream *s, uint32_t linger_ms, size_t octets);

const struct net_address *stream_peer(const struct stream *s);
const struct net_address *stream_local(const struct stream *s);

/* NULL while there is no TLS. Borrowed. */
const struct tls_info *stream_tls(const struct stream *s);

/* The same for a handshake that failed: what was known of it. NULL where none has begun. */
const struct tls_info *stream_handshake(const struct stream *s);

/* RFC 9266; TLS_E_NO_BINDING (1) where there is none. */
int stream_tls_binding(const struct stream *s, uint8_t ret_binding[static 32]) MUST_CHECK;
