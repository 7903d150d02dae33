/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * HTTP: the API, /metrics, /pki and the first page, on three kinds of listeners. app/wire.c makes
 * one struct http, gives each HTTP listener http_accepted with a struct http_port of the kind as its
 * context, and at the end of the server frees the listeners, drains, and frees.
 */

#include "base/err.h"
#include "net/address.h"

#include <stddef.h>
#include <sys/types.h>

struct admission;
struct conn_counters;
struct env;
struct executor;
struct loop;
struct tls_service;

/* HTTP_LOCAL is the Unix socket: only the owner and root may use it, as administrator "local". */
enum http_kind { HTTP_PLAIN, HTTP_TLS, HTTP_LOCAL, HTTP_KINDS };

/* A port to be told by "signet status", and what /metrics says about it. A service may be there
 * several times (once for each address), then with the same counters. */
struct http_port_figure {
	const char *service; /* "imaps" */
	unsigned port;
	struct net_address address; /* the first it is heard on */
	const struct conn_counters *counters; /* may be set after http_new; NULL: none */
};

struct http_options {
	struct env *env;
	struct loop *const *loops;    /* those of the listeners */
	size_t n_loops;
	struct tls_service *tls;      /* ALPN "http/1.1" */
	struct executor *cpu;         /* handshakes */
	struct admission *admission;  /* of HTTP_PLAIN and HTTP_TLS listeners; may be NULL */
	uid_t owner;                  /* who besides root may use the Unix socket */
	const struct http_port_figure *ports; /* kept by the caller, read at each request */
	size_t n_ports;
};

struct http;
struct http_port;

/* Starts the HTTP threads. */
int http_new(struct http **ret_http, const struct http_options *options) MUST_CHECK;

/* Borrowed; the context of http_accepted. */
struct http_port *http_port(struct http *h, enum http_kind kind);

/* Its connections, as conn_service_counters. */
const struct conn_counters *http_port_counters(const struct http_port *port);

/* Fits into struct listener_options. */
void http_accepted(void *port, struct loop *loop, int fd, const struct net_address *peer,
	const struct net_address *local);

/* Lets requests under way end, up to timeout_ms, and closes all connections. The loops run, no
 * listener is left. Not from a loop's thread. */
void http_drain(struct http *h, unsigned timeout_ms);

/* After http_drain. */
struct http *http_free(struct http *h);
