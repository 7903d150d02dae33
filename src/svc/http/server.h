/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* What the bridge and the HTTP library's side share. */

#include "base/list.h"
#include "base/map.h"
#include "base/task.h"
#include "net/loop.h"
#include "svc/conn.h"
#include "svc/http/request.h"

#include <pthread.h>

struct MHD_Daemon;
struct budget;
struct pool;

/* The connections of one loop; touched on that loop only. */
struct http_loop {
	struct http *http;
	struct loop *loop;
	struct list bridges;
	struct post stop, kill;
};

struct http_port {
	struct http *http;
	enum http_kind kind;
	struct conn_counters counters;
};

struct http {
	struct http_options options;
	struct http_port ports[HTTP_KINDS];
	struct http_loop *loops;
	struct web_sessions *sessions;
	struct budget *of_accounts; /* memory for bodies (svc/http/request.h) */
	struct MHD_Daemon *daemon;
	struct pool *pool, *slow; /* slow: of ROUTE_SLOW */

	pthread_mutex_t lock; /* for all below */
	pthread_cond_t closed;
	struct map arriving;  /* connections on their way into the library: id to peer */
	uint64_t last_id;
	size_t n_open;        /* bridges */
	size_t n_rounds;      /* loops whose last round has not run yet */
	bool stopping;        /* answers say "Connection: close" */
	bool ended;           /* the pool takes nothing more */
};

/* Fields of every answer, also of those that the bridge gives; ended by NULL. */
extern const char *const http_common_fields[][2];

/* Content-Security-Policy of what is no page. */
#define HTTP_USUAL_POLICY "default-src 'none'; frame-ancestors 'none'"

/* Hands one end of a socket pair to the library, which closes it; takes the peer's reference. */
int http_server_add(struct http *h, int fd, struct http_peer *peer) MUST_CHECK;

/* bridge.c: a round through all connections of a loop. */
void bridge_stop_all(struct post *p);
void bridge_kill_all(struct post *p);
