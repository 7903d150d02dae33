/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* For tests: a running struct http on one loop over a fresh store, and raw clients of it that read
 * whole responses. Calls that fail end the test. */

#include "net/loop.h"
#include "svc/env_fixture.h"
#include "svc/http/http.h"

#include <jansson.h>

struct http_fixture {
	struct env_fixture *env;
	struct http *http;
	struct loop *loop;
	struct http_port_figure ports[2];
	unsigned n_rebuilds; /* calls of tls_rebuild */

	/* Private. */
	struct post start;
	struct loop_timer ticker;
};

/* The environment is made once in a process (keyd is a child), the rest for each test. */
void http_fixture_open(struct http_fixture *f, struct env_fixture *env);
void http_fixture_close(struct http_fixture *f);

/* A connection to the server's port of that kind, which sees the peer's address; blocking, with a
 * time-out of 20 s. */
int http_client(struct http_fixture *f, enum http_kind kind, const char *peer);

void http_client_send(int fd, struct span octets);

struct http_response {
	unsigned status; /* 0: the connection ended instead */
	struct buf head; /* from the status line to the empty line */
	struct buf body;
};

/* The next response; interim ones (1xx) are passed over. no_body: the request was HEAD. */
void http_client_read(int fd, struct http_response *ret_response, bool no_body);
void http_response_done(struct http_response *r);

/* Value of a header, or an empty span with p NULL. */
struct span http_response_header(const struct http_response *r, const char *name);

/* Sends the octets, half-closes, and reads until the server closes: everything it said. */
struct buf http_client_exchange(int fd, struct span octets);

/* One request on a connection of its own: head fields (each ended by CRLF) may be NULL, so may the
 * JSON body. */
struct http_response http_request(struct http_fixture *f, enum http_kind kind, const char *method,
	const char *path, const char *fields, const char *json);

/* The body as JSON; NULL if it is none. The caller ends it. */
json_t *http_response_json(const struct http_response *r);
