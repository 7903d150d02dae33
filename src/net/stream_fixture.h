/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * For the tests of streams and TLS: a server of lines on a stream, on a loop of its own, and a
 * blocking client at the other end of a socket pair. The server says "hello", then answers:
 * STARTTLS, COMPRESS, BIG n, CLOSE, BINDING; any other line comes back.
 */

#include "base/buf.h"
#include "base/task.h"
#include "net/stream.h"
#include "net/tls.h"

#include <semaphore.h>
#include <stdatomic.h>

struct fixture_server {
	struct loop *loop;
	struct stream *stream; /* NULL after the end */
	struct buf in;
	sem_t ended;
	/* What has happened; to be read by the test after the end, or by loop_call. */
	size_t max_in;       /* most that was read at once */
	size_t total_in;
	size_t n_line_max;   /* 0: lines are kept; else input is only counted */
	atomic_uint opened, secured, drained;
	bool had_early, is_counting;
	int end;    /* what stream_read said */
	int fault;
	char reason[256];
	struct tls_info info;
	struct net_address peer;
	char *profile;
	long client_result; /* of the certificate that the client presented; -1: none */
	int n_client_others;
};

/* Takes options' loop, tls, cpu and so on; sets fd, events and context. Returns the client's
 * descriptor. */
int fixture_start(struct fixture_server *s, struct stream_options *options);

/* Waits for the end (10 s at most, then false) and releases everything. */
bool fixture_wait(struct fixture_server *s);
void fixture_done(struct fixture_server *s);

/* A profile with a self-signed certificate of each kind: "rsa", "ec", "rsa ec". */
struct tls_profile *fixture_profile(const char *name, const char *kinds);

/* A host with ticket keys and one default profile (whose reference it takes) in its directory. */
struct tls_host *fixture_host(struct tls_profile *fallback);

struct fixture_client {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	/* To be set before fixture_connect. */
	int version;         /* 0: any */
	bool is_old;         /* accepts what TLS 1.0 does */
	const char *sni;
	const char *sigalgs;
	const unsigned char *alpn;
	bool asks_status;     /* for a stapled answer */
	SSL_SESSION *session; /* taken; and put here when a ticket comes */
	X509 *certificate;    /* for the server, with its key */
	EVP_PKEY *key;
	STACK_OF(X509) *others; /* sent with it; may be NULL */
};

/* The handshake: 1 done, else what SSL_get_error says, negative. */
int fixture_connect(struct fixture_client *c, int fd);
void fixture_client_done(struct fixture_client *c);

/* In clear (c->ssl NULL) or TLS. Reads until that many octets or the end; returns how many. */
size_t fixture_read(struct fixture_client *c, void *p, size_t n);
bool fixture_write(struct fixture_client *c, const void *p, size_t n);

/* Whether the next octets are these. */
bool fixture_reads(struct fixture_client *c, const char *text);
bool fixture_writes(struct fixture_client *c, const char *text);
