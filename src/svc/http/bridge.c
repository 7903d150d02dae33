/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A connection between its stream (net/stream: TLS or not) and the HTTP library, which has the other
 * end of a socket pair. Octets of the client go through the guard; what the library answers goes
 * back as it is. Neither direction reads on while the other side does not take: the client's input
 * is paused while the pair is full, the pair is not read while much output waits. So memory is a few
 * chunks a connection, whatever is sent.
 *
 * Time-outs are kept here: for a head and for each step of a body from its first octet on, however
 * busily a slow sender drips, and for a connection on which nothing happens. What the guard refuses,
 * or what took too long, is answered behind the answers to the requests before it: the library is
 * told that no more comes, finishes, and closes; then the refusal is sent and the connection ends.
 */

#include "base/alloc.h"
#include "base/log.h"
#include "net/listener.h"
#include "net/stream.h"
#include "net/tls.h"
#include "svc/http/dispatch.h"
#include "svc/http/guard.h"
#include "svc/http/server.h"
#include "svc/tls_log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	PREFACE_MS = 15 * 1000,
	HEAD_MS = 15 * 1000, /* also for the first octet of the first request */
	BODY_MS = 60 * 1000,       /* for each BODY_STEP octets of it */
	BODY_STEP = 256 * 1024,
	IDLE_MS = 75 * 1000,
	END_RETRY_MS = 10,
	OUTPUT_HIGH = 4 * STREAM_LOW,
	LINGER_MS = 20 * 1000,
	LINGER_MAX = 64 << 20,
};

enum phase { PHASE_FIRST, PHASE_IDLE, PHASE_HEAD, PHASE_BODY };

struct bridge {
	struct list link;
	struct http_loop *home;
	struct http_port *port;
	struct stream *stream;
	struct watch *watch;  /* of fd; NULL before it is opened and after the library has closed */
	int fd;
	struct guard guard;
	struct buf in;
	struct buf waiting;   /* checked, for the library */
	struct loop_timer timer;
	struct loop_timer end_timer;
	enum phase phase;
	uint64_t n_requests;
	uint64_t n_steps;     /* of bodies */
	bool no_more;         /* nothing of the client's is taken any more */
	bool told;            /* the library knows it */
	unsigned status;      /* of the refusal; 0: none */
	const char *reason;
};

static void bridge_free(struct bridge *b)
{
	struct http *h = b->home->http;

	b->port->counters.open--;
	list_remove(&b->link);
	timer_stop(&b->timer);
	timer_stop(&b->end_timer);
	stream_free(b->stream);
	watch_free(b->watch);
	if (b->fd >= 0)
		(void)close(b->fd);
	guard_done(&b->guard);
	buf_wipe(&b->in);
	buf_wipe(&b->waiting);
	free(b);
	(void)pthread_mutex_lock(&h->lock);
	h->n_open--;
	(void)pthread_cond_signal(&h->closed);
	(void)pthread_mutex_unlock(&h->lock);
}

/* What is waited for changed, or got on: its time begins now. */
static void time_restart(struct bridge *b)
{
	static const int64_t limits[] = {
		[PHASE_FIRST] = HEAD_MS,
		[PHASE_IDLE] = IDLE_MS,
		[PHASE_HEAD] = HEAD_MS,
		[PHASE_BODY] = BODY_MS,
	};

	timer_start(b->home->loop, &b->timer, limits[b->phase]);
}

static void phase_update(struct bridge *b)
{
	enum phase phase = PHASE_BODY;

	if (guard_is_idle(&b->guard))
		phase = b->guard.n_requests ? PHASE_IDLE : PHASE_FIRST;
	else if (b->guard.state == GUARD_HEAD)
		phase = PHASE_HEAD;
	if (phase == b->phase && b->n_requests == b->guard.n_requests &&
		b->n_steps == b->guard.n_octets / BODY_STEP)
		return;
	b->phase = phase;
	b->n_steps = b->guard.n_octets / BODY_STEP;
	b->n_requests = b->guard.n_requests;
	time_restart(b);
}

static void watch_update(struct bridge *b)
{
	unsigned what = 0;

	if (!b->watch)
		return;
	if (stream_pending_output(b->stream) < OUTPUT_HIGH)
		what |= WATCH_READ;
	if (buf_size(&b->waiting))
		what |= WATCH_WRITE;
	if (watch_set(b->watch, what)) {
		LOG(NULL, LOG_ERROR, "HTTP", "http.watch", log_str("trace", err_last_trace()));
		b->no_more = true;
	}
}

/* The library waits for edges, and for a new one once it has read less than it had room for: an end
 * that comes together with the last octets it would not see. So the end comes when they are read. */
static void tell_end(struct bridge *b)
{
	int unread = 0;

	if (ioctl(b->fd, TIOCOUTQ, &unread) == 0 && unread > 0) {
		timer_start(b->home->loop, &b->end_timer, END_RETRY_MS);
		return;
	}
	b->told = true;
	(void)shutdown(b->fd, SHUT_WR);
}

static void bridge_end_due(struct loop_timer *t)
{
	struct bridge *b = CONTAINER_OF(t, struct bridge, end_timer);

	if (b->watch && !b->told)
		tell_end(b);
}

/* Gives the library what waits; at the end of all input tells it so. */
static void flush(struct bridge *b)
{
	while (buf_size(&b->waiting)) {
		struct span data = buf_span(&b->waiting);
		ssize_t n = send(b->fd, data.p, data.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			/* It has closed: its last answer said so, what follows is void. */
			b->no_more = true;
			break;
		}
		buf_take(&b->waiting, (size_t)n);
	}
	buf_wipe(&b->waiting);
	if (b->no_more && !b->told)
		tell_end(b);
}

static void refuse(struct bridge *b, unsigned status, const char *reason)
{
	b->no_more = true;
	b->status = status;
	b->reason = reason;
}

/* Whoever calls this must not use the bridge afterwards if it returns false. */
static bool take_input(struct bridge *b)
{
	while (!b->no_more && buf_size(&b->waiting) == 0) {
		int r = stream_read(b->stream, &b->in, STREAM_CHUNK);

		if (r == STREAM_E_AGAIN)
			break;
		if (r < 0) {
			bridge_free(b);
			return false;
		}
		if (r)
			b->no_more = true;
		else if (guard_add(&b->guard, buf_span(&b->in), &b->waiting))
			refuse(b, b->guard.status, b->guard.reason);
		buf_wipe(&b->in);
		flush(b);
	}
	phase_update(b);
	if (b->no_more || buf_size(&b->waiting))
		stream_pause(b->stream);
	else
		stream_resume(b->stream);
	watch_update(b);
	return true;
}

static void add_refusal(const struct bridge *b, struct buf *out)
{
	json_t *problem = json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank", "title",
		http_status_text(b->status), "status", (int)b->status, "detail", b->reason);
	char *text;

	if (b->status == 413)
		(void)json_object_set_new(problem, "limit", json_integer((json_int_t)b->guard.limit));
	text = json_dumps(problem, JSON_COMPACT);
	buf_add_format(out,
		"HTTP/1.1 %u %s\r\nContent-Type: application/problem+json\r\nContent-Length: %zu\r\n"
		"Content-Security-Policy: " HTTP_USUAL_POLICY "\r\nCache-Control: no-store\r\n"
		"Connection: close\r\n",
		b->status, http_status_text(b->status), strlen(text));
	for (size_t i = 0; http_common_fields[i][0]; i++)
		buf_add_format(out, "%s: %s\r\n", http_common_fields[i][0],
			http_common_fields[i][1]);
	buf_add_string(out, "\r\n");
	buf_add_string(out, text);
	free(text);
	json_decref(problem);
}

/* Clients send a body to its end before they read an answer, and lose it where the connection ends
 * before that. */
static bool is_in_body(const struct bridge *b)
{
	return b->guard.state == GUARD_REFUSED ? b->status == 413 :
		b->phase == PHASE_BODY && b->guard.state != GUARD_HEAD;
}

/* The library has closed its end: all answers are here. */
static void finish(struct bridge *b)
{
	CLEANUP(buf_done) struct buf last = {};

	b->watch = watch_free(b->watch);
	b->no_more = true;
	if (b->status)
		add_refusal(b, &last);
	stream_send(b->stream, &last);
	if (is_in_body(b))
		stream_set_linger(b->stream, LINGER_MS, LINGER_MAX);
	stream_close(b->stream);
	time_restart(b);
}

static void take_answers(struct bridge *b)
{
	while (stream_pending_output(b->stream) < OUTPUT_HIGH) {
		CLEANUP(buf_done) struct buf out = {};
		ssize_t n = recv(b->fd, buf_room(&out, STREAM_CHUNK), STREAM_CHUNK, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0) {
			finish(b);
			return;
		}
		buf_added(&out, (size_t)n);
		if (b->phase == PHASE_IDLE)
			time_restart(b);
		stream_send(b->stream, &out);
	}
	watch_update(b);
}

static void bridge_ready(void *context, unsigned what)
{
	struct bridge *b = context;

	if (what & WATCH_WRITE) {
		flush(b);
		if (!take_input(b))
			return;
	}
	if (what & WATCH_READ)
		take_answers(b);
}

static void bridge_readable(void *context)
{
	struct bridge *b = context;

	if (b->watch)
		(void)take_input(b);
}

static void bridge_drained(void *context)
{
	struct bridge *b = context;

	if (b->phase == PHASE_IDLE)
		time_restart(b);
	watch_update(b);
}

/* What the log says of all connections of a TLS port. */
static struct log_context tls_context(void)
{
	return (struct log_context){ .field = log_str("service", "https") };
}

static void bridge_closed(void *context, int fault, const char *reason)
{
	struct bridge *b = context;

	if (fault && b->fd < 0 && b->port->kind == HTTP_TLS) {
		const struct log_context log = tls_context();

		b->port->counters.tls_failed++;
		tls_log_failed(&log, b->stream, reason);
	} else if (fault) {
		LOG(NULL, LOG_DEBUG, "HTTP", "http.closed", log_str("reason", reason));
	}
	bridge_free(b);
}

static void bridge_due(struct loop_timer *t)
{
	struct bridge *b = CONTAINER_OF(t, struct bridge, timer);

	/* It is us who do not take what has come; but who does not read answers is not waited for. */
	if (b->watch && !b->no_more && b->phase == PHASE_BODY && buf_size(&b->waiting) &&
		!stream_pending_output(b->stream)) {
		time_restart(b);
		return;
	}
	b->port->counters.timed_out++;
	if (!b->watch || b->no_more || b->phase == PHASE_FIRST) {
		bridge_free(b);
		return;
	}
	/* An idle connection ends as it is; a request that is under way is told why. */
	if (b->phase == PHASE_IDLE)
		b->no_more = true;
	else
		refuse(b, 408, "the request took too long");
	stream_pause(b->stream);
	flush(b);
	watch_update(b);
	time_restart(b);
}

static struct http_peer *peer_of(const struct bridge *b)
{
	const struct tls_info *tls = stream_tls(b->stream);
	const struct net_address *address = stream_peer(b->stream);
	struct http_peer *p = ALLOC(struct http_peer);

	p->refs = 1;
	p->kind = b->port->kind;
	p->loopback = p->kind == HTTP_LOCAL || net_address_is_loopback(address);
	p->from = *address;
	(void)net_address_text(address, p->address);
	if (tls && tls->profile)
		p->domain = alloc_string(tls->profile->name);
	if (tls && tls->sni)
		p->sni = alloc_string(tls->sni);
	if (tls && tls->client)
		p->client = tls_client_ref(tls->client);
	return p;
}

static void note_tls(struct bridge *b, const struct tls_info *tls)
{
	const struct log_context log = tls_context();
	char peer[NET_ADDRESS_TEXT];
	const struct log_context whole = { &log,
		log_str("peer", net_address_text(stream_peer(b->stream), peer)) };

	b->port->counters.tls++;
	b->port->counters.tls_resumed += tls->resumed;
	tls_log_done(&whole, b->stream);
}

static void bridge_opened(void *context)
{
	struct bridge *b = context;
	struct http *h = b->home->http;
	const struct tls_info *tls = stream_tls(b->stream);
	int pair[2];
	int r;

	if (tls) {
		note_tls(b, tls);
		conn_note_client(NULL, stream_peer(b->stream), tls);
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair)) {
		log_fault(NULL, "HTTP", "http.socketpair", err_fault(errno, "socketpair"));
		bridge_free(b);
		return;
	}
	b->fd = pair[0];
	b->watch = watch_new(b->home->loop, b->fd, bridge_ready, b);
	r = http_server_add(h, pair[1], peer_of(b));
	if (r) {
		log_fault(NULL, "HTTP", "http.add", r);
		bridge_free(b);
		return;
	}
	time_restart(b);
	watch_update(b);
}

static const struct stream_events bridge_events = {
	.opened = bridge_opened,
	.readable = bridge_readable,
	.drained = bridge_drained,
	.closed = bridge_closed,
};

/* Only the owner and root: whoever may use the socket is an administrator. */
static bool may_use_socket(const struct http *h, int fd)
{
	struct ucred who;
	socklen_t n = sizeof who;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n))
		return false;
	if (who.uid == 0 || who.uid == h->options.owner)
		return true;
	LOG(NULL, LOG_WARNING, "HTTP", "http.local_refused", log_int("uid", who.uid));
	return false;
}

static uint64_t body_max(void *context, struct span method, struct span target)
{
	struct bridge *b = context;

	return http_body_max(b->home->http->options.env, method, target);
}

static struct http_loop *loop_of(struct http *h, const struct loop *loop)
{
	size_t i = 0;

	while (h->loops[i].loop != loop)
		i++;
	return &h->loops[i];
}

void http_accepted(void *context, struct loop *loop, int fd, const struct net_address *peer,
	const struct net_address *local)
{
	struct http_port *p = context;
	enum http_kind kind = p->kind;
	struct http *h = p->http;
	struct bridge *b;

	if (kind == HTTP_LOCAL && !may_use_socket(h, fd)) {
		(void)close(fd);
		return;
	}
	b = ALLOC(struct bridge);
	b->home = loop_of(h, loop);
	b->port = p;
	b->fd = -1;
	b->guard.limit_of = body_max;
	b->guard.context = b;
	timer_init(&b->timer, bridge_due);
	timer_init(&b->end_timer, bridge_end_due);
	list_append(&b->home->bridges, &b->link);
	(void)pthread_mutex_lock(&h->lock);
	h->n_open++;
	(void)pthread_mutex_unlock(&h->lock);
	p->counters.accepted++;
	p->counters.open++;
	b->stream = stream_new(&(struct stream_options){ .loop = loop, .fd = fd, .peer = *peer,
		.local = *local, .admission = kind == HTTP_LOCAL ? NULL : h->options.admission,
		.tls = kind == HTTP_TLS ? h->options.tls : NULL, .tls_first = kind == HTTP_TLS,
		.cpu = h->options.cpu, .preface_ms = PREFACE_MS, .events = &bridge_events,
		.context = b });
}

void bridge_stop_all(struct post *p)
{
	struct http_loop *home = CONTAINER_OF(p, struct http_loop, stop);

	list_each(l, &home->bridges) {
		struct bridge *b = CONTAINER_OF(l, struct bridge, link);

		if (b->fd < 0) {
			bridge_free(b); /* in its handshake */
			continue;
		}
		if (!b->watch)
			continue; /* saying goodbye */
		b->no_more = true;
		stream_pause(b->stream);
		flush(b);
		watch_update(b);
	}
}

void bridge_kill_all(struct post *p)
{
	struct http_loop *home = CONTAINER_OF(p, struct http_loop, kill);
	struct http *h = home->http;

	list_each(l, &home->bridges)
		bridge_free(CONTAINER_OF(l, struct bridge, link));
	(void)pthread_mutex_lock(&h->lock);
	h->n_rounds--;
	(void)pthread_cond_signal(&h->closed);
	(void)pthread_mutex_unlock(&h->lock);
}
