/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Connections. Each is a stream and a session on one loop; the pump moves octets between them until
 * one of the two must wait. A session that cannot take input just leaves it in the socket: reading
 * is switched off only when more has really come, which during a short wait it mostly has not.
 *
 * The timer is set once and looked at when it fires: commands push the session's time-out back
 * without touching it.
 */

#include "svc/conn.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/tls.h"
#include "svc/session_drive.h"
#include "svc/tls_log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum {
	ROUNDS = 16, /* reads in one turn of the loop */
	PREFACE_MS = 30000,
};

/* One loop's share of a service. */
struct lane {
	struct conn_service *service;
	struct loop *loop;
	struct list conns; /* on the loop's thread */
};

struct conn_service {
	struct conn_options options;
	struct log_context log;
	struct conn_counters counters;
	pthread_mutex_t lock; /* for the wait of conn_service_drain only */
	pthread_cond_t emptied;
	size_t n_lanes;
	struct lane lanes[];
};

struct conn {
	struct session_carrier carrier;
	struct list link; /* in lane.conns */
	struct lane *lane;
	struct stream *stream;
	struct session *session; /* NULL until the stream is open */
	struct loop_timer timer;
	struct post again;
	bool is_paused;
	bool is_upgrading; /* the stream is busy with a handshake */
	bool is_closing;
};

static void conn_free(struct conn *c)
{
	struct conn_service *service = c->lane->service;

	if (c->session) {
		if (c->session->timed_out)
			(void)atomic_fetch_add(&service->counters.timed_out, 1);
		if (c->session->faulted)
			(void)atomic_fetch_add(&service->counters.faults, 1);
		LOG(&c->session->log, LOG_INFO, service->options.protocol->tag, "session.end",
			log_str("outcome", c->session->timed_out ? "timeout" :
					c->session->faulted	 ? "fault" :
								   "done"));
	}
	list_remove(&c->link);
	timer_stop(&c->timer);
	post_cancel(&c->again);
	(void)session_free(c->session);
	(void)stream_free(c->stream);
	free(c);
	if (atomic_fetch_sub(&service->counters.open, 1) != 1)
		return;
	(void)pthread_mutex_lock(&service->lock);
	(void)pthread_cond_broadcast(&service->emptied);
	(void)pthread_mutex_unlock(&service->lock);
}

static void conn_send(struct conn *c)
{
	struct buf *out = session_out(c->session);

	(void)atomic_fetch_add(&c->lane->service->counters.octets_out, buf_size(out));
	stream_send(c->stream, out);
	buf_done(out);
}

/* The session is over; the stream says goodbye and calls conn_on_closed. */
static void conn_close(struct conn *c)
{
	conn_send(c);
	timer_stop(&c->timer);
	post_cancel(&c->again);
	c->is_closing = true;
	stream_close(c->stream);
}

static void conn_start_tls(struct conn *c)
{
	struct buf *out = session_out(c->session);

	c->is_upgrading = true;
	(void)atomic_fetch_add(&c->lane->service->counters.octets_out, buf_size(out));
	if (stream_start_tls(c->stream, out))
		LOG(&c->session->log, LOG_WARNING, "TLS", "tls.early_input");
	buf_done(out);
}

enum conn_read { CONN_READ_SOME = 1, CONN_READ_ALL, CONN_READ_NONE, CONN_READ_FAILED };

static enum conn_read conn_read(struct conn *c)
{
	struct buf *in = session_in(c->session);
	size_t before = buf_size(in), n;
	int r = stream_read(c->stream, in, STREAM_CHUNK);

	switch (r) {
	case 0:
		n = buf_size(in) - before;
		(void)atomic_fetch_add(&c->lane->service->counters.octets_in, n);
		return n < STREAM_CHUNK && !stream_holds_input(c->stream) ? CONN_READ_ALL :
									    CONN_READ_SOME;
	case STREAM_E_AGAIN:
		if (buf_size(in) == 0)
			buf_done(in);
		return CONN_READ_NONE;
	case STREAM_E_EOF:
	case STREAM_E_CUT:
		session_set_eof(c->session);
		return CONN_READ_ALL;
	default:
		return CONN_READ_FAILED;
	}
}

static void conn_set_timer(struct conn *c)
{
	int64_t due_ms = session_due_ms(c->session);

	if (due_ms == INT64_MAX || (timer_is_set(&c->timer) && c->timer.due_ms <= due_ms))
		return;
	timer_start(c->lane->loop, &c->timer, due_ms - clock_monotonic_ms());
}

enum conn_step { CONN_GONE = 1, CONN_WAITS, CONN_WANTS_INPUT, CONN_WANTS_TURN };

/* Lets the session get on and does what it wants. */
static enum conn_step conn_step(struct conn *c)
{
	unsigned want;
	size_t n_sent;

	do {
		want = session_step(c->session, stream_pending_output(c->stream));
		if (want & SESSION_WANT_TLS) {
			conn_start_tls(c);
			return CONN_GONE;
		}
		if (want & SESSION_WANT_CLOSE) {
			conn_close(c);
			return CONN_GONE;
		}
		n_sent = buf_size(session_out(c->session));
		conn_send(c);
		if (want & SESSION_WANT_COMPRESS)
			stream_compress(c->stream);
	} while (want & SESSION_WANT_COMPRESS);
	/* A session that stopped because of its own output may go on: where all of it was sent at
	 * once nothing else would say so. */
	if ((want & SESSION_WANT_STEP) || (!want && n_sent > STREAM_LOW))
		return CONN_WANTS_TURN;
	return want & SESSION_WANT_INPUT ? CONN_WANTS_INPUT : CONN_WAITS;
}

/* has_input: the stream has said so, or may hold some. The connection may be gone afterwards. */
static void conn_pump(struct conn *c, bool has_input)
{
	if (c->is_closing || c->is_upgrading || !c->session)
		return;
	for (int round = 0;; round++) {
		enum conn_step step = conn_step(c);
		enum conn_read r;

		if (step == CONN_GONE)
			return;
		if (step == CONN_WANTS_TURN || round == ROUNDS) {
			loop_defer(c->lane->loop, &c->again);
			break;
		}
		if (step == CONN_WAITS) {
			if (has_input && !c->is_paused)
				stream_pause(c->stream);
			c->is_paused |= has_input;
			break;
		}
		if (c->is_paused) {
			c->is_paused = false;
			stream_resume(c->stream);
			break;
		}
		if (!has_input)
			break;
		r = conn_read(c);
		if (r == CONN_READ_FAILED) {
			conn_free(c);
			return;
		}
		if (r == CONN_READ_NONE)
			break;
		has_input = r == CONN_READ_SOME;
	}
	conn_set_timer(c);
}

static void conn_on_step(struct session_carrier *carrier)
{
	conn_pump(CONTAINER_OF(carrier, struct conn, carrier), false);
}

static void conn_on_again(struct post *p)
{
	conn_pump(CONTAINER_OF(p, struct conn, again), true);
}

static void conn_on_timer(struct loop_timer *t)
{
	conn_pump(CONTAINER_OF(t, struct conn, timer), false);
}

static const struct tls_info *conn_tls(const struct session_carrier *carrier)
{
	return stream_tls(CONTAINER_OF(carrier, struct conn, carrier)->stream);
}

static const char *conn_tls_domain(const struct session_carrier *carrier)
{
	const struct tls_info *tls = conn_tls(carrier);

	return tls ? tls->profile->name : NULL;
}

static int conn_tls_binding(const struct session_carrier *carrier, uint8_t ret_binding[static 32])
{
	return stream_tls_binding(CONTAINER_OF(carrier, struct conn, carrier)->stream,
		ret_binding);
}

void conn_note_client(const struct log_context *log, const struct net_address *peer,
	const struct tls_info *tls)
{
	const struct tls_client *c = tls->client;
	char text[NET_ADDRESS_TEXT];

	if (!c)
		return;
	LOG(log, c->result == X509_V_OK ? LOG_INFO : LOG_WARNING, "TLS", "tls.client",
		log_str("peer", net_address_text(peer, text)),
		log_str("domain", tls->profile->name), log_str("account", c->name),
		log_int("resumed", tls->resumed),
		log_str("outcome", c->result == X509_V_OK ? "valid" : "ignored"),
		log_str("reason", c->reason));
}

static void conn_note_tls(struct conn *c)
{
	struct conn_counters *counters = &c->lane->service->counters;
	const struct tls_info *tls = stream_tls(c->stream);

	(void)atomic_fetch_add(&counters->tls, 1);
	(void)atomic_fetch_add(&counters->tls_resumed, tls->resumed);
	tls_log_done(&c->session->log, c->stream);
	conn_note_client(&c->session->log, c->carrier.peer, tls);
}

static void conn_on_opened(void *context)
{
	struct conn *c = context;
	char peer[NET_ADDRESS_TEXT];

	c->carrier.peer = stream_peer(c->stream);
	c->carrier.local = stream_local(c->stream);
	c->session = session_new(c->lane->service->options.protocol, &c->carrier);
	LOG(&c->session->log, LOG_INFO, c->lane->service->options.protocol->tag, "session.start",
		log_str("peer", net_address_text(c->carrier.peer, peer)));
	if (stream_tls(c->stream))
		conn_note_tls(c);
	conn_pump(c, false);
}

static void conn_on_secured(void *context)
{
	struct conn *c = context;

	conn_note_tls(c);
	c->is_paused = c->is_upgrading = false;
	session_secured(c->session);
	conn_pump(c, false);
}

static void conn_on_readable(void *context)
{
	conn_pump(context, true);
}

static void conn_on_drained(void *context)
{
	conn_pump(context, false);
}

static void conn_on_closed(void *context, int fault, const char *reason)
{
	struct conn *c = context;
	struct conn_service *service = c->lane->service;

	if (fault && (!c->session || c->is_upgrading)) {
		(void)atomic_fetch_add(&service->counters.tls_failed, 1);
		tls_log_failed(c->session ? &c->session->log : &service->log, c->stream, reason);
	}
	conn_free(c);
}

static const struct stream_events conn_events = {
	.opened = conn_on_opened,
	.readable = conn_on_readable,
	.drained = conn_on_drained,
	.secured = conn_on_secured,
	.closed = conn_on_closed,
};

static struct lane *lane_of(struct conn_service *service, const struct loop *loop)
{
	size_t i = 0;

	while (service->lanes[i].loop != loop)
		i++;
	return &service->lanes[i];
}

void conn_accepted(void *service, struct loop *loop, int fd, const struct net_address *peer,
	const struct net_address *local)
{
	struct conn_service *s = service;
	struct conn *c = ALLOC(struct conn);
	const struct stream_options options = {
		.loop = loop,
		.fd = fd,
		.peer = *peer,
		.local = *local,
		.admission = s->options.admission,
		.tls = s->options.tls,
		.tls_first = s->options.tls_first,
		.cpu = s->options.cpu,
		.preface_ms = s->options.preface_ms ? s->options.preface_ms : PREFACE_MS,
		.events = &conn_events,
		.context = c,
	};

	(void)atomic_fetch_add(&s->counters.accepted, 1);
	(void)atomic_fetch_add(&s->counters.open, 1);
	c->lane = lane_of(s, loop);
	c->carrier = (struct session_carrier){
		.home = loop_home(loop),
		.step = conn_on_step,
		.tls = conn_tls,
		.tls_domain = conn_tls_domain,
		.tls_binding = conn_tls_binding,
		.log = &s->log,
		.service = s->options.context,
	};
	timer_init(&c->timer, conn_on_timer);
	post_init(&c->again, conn_on_again);
	list_append(&c->lane->conns, &c->link);
	c->stream = stream_new(&options);
}

void conn_refused(void *service, const struct net_address *peer, enum admission_outcome why)
{
	struct conn_service *s = service;
	char text[NET_ADDRESS_TEXT];

	(void)atomic_fetch_add(&s->counters.refused, 1);
	LOG(&s->log, LOG_WARNING, s->options.protocol->tag, "session.refused",
		log_str("peer", net_address_text(peer, text)),
		log_str("outcome", why == ADMISSION_E_PEER ? "peer_limit" : "full"));
}

struct conn_service *conn_service_new(const struct conn_options *options, struct loop *const *loops,
	size_t n_loops)
{
	struct conn_service *s = alloc_zero(sizeof *s + n_loops * sizeof s->lanes[0]);
	pthread_condattr_t attributes;

	s->options = *options;
	s->log = (struct log_context){ options->log, log_str("service", options->name) };
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&s->emptied, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	s->n_lanes = n_loops;
	for (size_t i = 0; i < n_loops; i++) {
		s->lanes[i].service = s;
		s->lanes[i].loop = loops[i];
		list_init(&s->lanes[i].conns);
	}
	return s;
}

static void lane_stop(void *context)
{
	struct lane *lane = context;

	list_each (link, &lane->conns) {
		struct conn *c = CONTAINER_OF(link, struct conn, link);

		if (c->session && !c->is_upgrading) {
			session_stop(c->session);
			conn_pump(c, false);
		} else {
			conn_free(c);
		}
	}
}

static void lane_clear(void *context)
{
	struct lane *lane = context;

	list_each (link, &lane->conns)
		conn_free(CONTAINER_OF(link, struct conn, link));
}

struct conn_service *conn_service_free(struct conn_service *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n_lanes; i++)
		loop_call(s->lanes[i].loop, lane_clear, &s->lanes[i]);
	(void)pthread_cond_destroy(&s->emptied);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
	return NULL;
}

void conn_service_drain(struct conn_service *s, uint32_t timeout_ms)
{
	struct timespec until;
	int r = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	for (size_t i = 0; i < s->n_lanes; i++)
		loop_call(s->lanes[i].loop, lane_stop, &s->lanes[i]);
	(void)pthread_mutex_lock(&s->lock);
	while (atomic_load(&s->counters.open) && r == 0)
		r = pthread_cond_timedwait(&s->emptied, &s->lock, &until);
	(void)pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; i < s->n_lanes; i++)
		loop_call(s->lanes[i].loop, lane_clear, &s->lanes[i]);
}

const struct conn_counters *conn_service_counters(const struct conn_service *s)
{
	return &s->counters;
}
