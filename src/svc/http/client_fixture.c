/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* A client that knows just enough HTTP to find the ends of responses of our own server. */

#include "svc/http/client_fixture.h"

#include "base/alloc.h"
#include "net/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENT_TIMEOUT_S = 20, DRAIN_MS = 10000 };

static void must(bool is_good, const char *what)
{
	if (is_good)
		return;
	(void)fprintf(stderr, "http fixture: %s: %s (%s)\n", what, strerror(errno),
		err_last_trace());
	abort();
}

static struct http_fixture *current; /* tls_rebuild has no context of its own */

static int count_rebuild(struct env *e)
{
	(void)e;
	current->n_rebuilds++;
	return 0;
}

/* A loop sleeps until the next timer is due by the clock that stands still. One that is always about
 * to be due makes it look again and again. */
static void tick(struct loop_timer *t)
{
	timer_start(current->loop, t, 1);
}

static void tick_start(struct post *p)
{
	(void)p;
	timer_init(&current->ticker, tick);
	tick(&current->ticker);
}

void http_fixture_open(struct http_fixture *f, struct env_fixture *env)
{
	*f = (struct http_fixture){ .env = env };
	current = f;
	env_fixture_open(env);
	env->env.tls_rebuild = count_rebuild;
	f->ports[0] = (struct http_port_figure){ "http", 10080 };
	f->ports[1] = (struct http_port_figure){ "https", 10443 };
	must(loop_new(&f->loop) == 0, "loop_new");
	must(loop_start(f->loop, "test") == 0, "loop_start");
	f->start.run = tick_start;
	loop_post(f->loop, &f->start);
	must(http_new(&f->http, &(struct http_options){ .env = &env->env, .loops = &f->loop,
		     .n_loops = 1, .owner = getuid(), .ports = f->ports, .n_ports = 2 }) == 0,
		"http_new");
}

void http_fixture_close(struct http_fixture *f)
{
	http_drain(f->http, DRAIN_MS);
	http_free(f->http);
	loop_free(f->loop);
	env_fixture_close(f->env);
}

struct arrival {
	struct post post;
	struct http_fixture *f;
	enum http_kind kind;
	int fd;
	struct net_address peer, local;
	sem_t done;
};

static void arrive(struct post *p)
{
	struct arrival *a = CONTAINER_OF(p, struct arrival, post);

	http_accepted(http_port(a->f->http, a->kind), a->f->loop, a->fd, &a->peer, &a->local);
	(void)sem_post(&a->done);
}

int http_client(struct http_fixture *f, enum http_kind kind, const char *peer)
{
	struct arrival a = { .post.run = arrive, .f = f, .kind = kind };
	struct timeval limit = { .tv_sec = CLIENT_TIMEOUT_S };
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
	must(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0, "setsockopt");
	must(setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0, "setsockopt");
	must(fcntl(pair[1], F_SETFL, O_NONBLOCK) == 0, "fcntl");
	a.fd = pair[1];
	must(net_address_parse(span_str(peer), &a.peer) == 0, peer);
	a.local = a.peer;
	if (kind == HTTP_LOCAL)
		a.peer.family = a.local.family = NET_LOCAL;
	(void)sem_init(&a.done, 0, 0);
	loop_post(f->loop, &a.post);
	while (sem_wait(&a.done))
		;
	(void)sem_destroy(&a.done);
	return pair[0];
}

void http_client_send(int fd, struct span octets)
{
	while (octets.n) {
		ssize_t n = send(fd, octets.p, octets.n, MSG_NOSIGNAL);

		if (n < 0)
			return; /* it has closed: what it says is what counts */
		octets = span_skip(octets, (size_t)n);
	}
}

static bool read_octet(int fd, struct buf *out)
{
	uint8_t octet;
	ssize_t n = recv(fd, &octet, 1, 0);

	must(n >= 0 || errno == ECONNRESET, "no answer in time");
	if (n <= 0)
		return false;
	buf_add_octet(out, octet);
	return true;
}

struct span http_response_header(const struct http_response *r, const char *name)
{
	struct span rest = buf_span(&r->head);

	while (rest.n) {
		struct span line = span_cut(&rest, '\n');
		struct span key = span_cut(&line, ':');

		if (span_is_nocase(key, name))
			return span_trim(line);
	}
	return (struct span){};
}

static bool ends_head(struct span head)
{
	return head.n >= 4 && span_equal(span_skip(head, head.n - 4), SPAN("\r\n\r\n"));
}

static void read_head(int fd, struct http_response *r)
{
	struct span line;
	uint64_t status;

	buf_clear(&r->head);
	r->status = 0;
	while (!ends_head(buf_span(&r->head))) {
		if (!read_octet(fd, &r->head))
			return;
	}
	line = span_head(buf_span(&r->head), 12);
	must(span_starts(line, SPAN("HTTP/1.1 ")), "not a status line");
	must(span_to_u64(span_skip(line, 9), 599, &status), "not a status");
	r->status = (unsigned)status;
}

void http_client_read(int fd, struct http_response *ret_response, bool no_body)
{
	struct http_response *r = ret_response;
	struct span length;
	uint64_t n = 0;

	*r = (struct http_response){};
	do
		read_head(fd, r);
	while (r->status >= 100 && r->status < 200);
	length = http_response_header(r, "Content-Length");
	if (no_body || r->status == 204 || r->status == 0)
		return;
	must(span_to_u64(length, UINT32_MAX, &n), "no Content-Length");
	while (buf_size(&r->body) < n) {
		ssize_t got = recv(fd, buf_room(&r->body, n), n - buf_size(&r->body), 0);

		must(got > 0, "the body is cut");
		buf_added(&r->body, (size_t)got);
	}
}

void http_response_done(struct http_response *r)
{
	buf_done(&r->head);
	buf_done(&r->body);
}

struct buf http_client_exchange(int fd, struct span octets)
{
	struct buf out = {};

	http_client_send(fd, octets);
	(void)shutdown(fd, SHUT_WR);
	while (read_octet(fd, &out))
		;
	(void)close(fd);
	return out;
}

struct http_response http_request(struct http_fixture *f, enum http_kind kind, const char *method,
	const char *path, const char *fields, const char *json)
{
	CLEANUP(buf_done) struct buf request = {};
	struct http_response r;
	int fd = http_client(f, kind, "127.0.0.1");

	buf_add_format(&request, "%s %s HTTP/1.1\r\nHost: example.org\r\n%s", method, path,
		fields ? fields : "");
	if (json)
		buf_add_format(&request,
			"Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
			strlen(json), json);
	else
		buf_add_string(&request, "\r\n");
	http_client_send(fd, buf_span(&request));
	http_client_read(fd, &r, strcmp(method, "HEAD") == 0);
	(void)close(fd);
	return r;
}

json_t *http_response_json(const struct http_response *r)
{
	return json_loadb((const char *)buf_span(&r->body).p, buf_size(&r->body), 0, NULL);
}
