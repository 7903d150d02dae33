/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Streams. libssl works on the socket itself; libevent only says when. A stream goes through a
 * preface (PROXY header, handshake), is open, perhaps through a handshake again, and ends in two
 * steps: what is pending goes out, then the peer is given a moment, since a reset that overtakes
 * our last reply would destroy it.
 *
 * A handshake step that would sign with a slow key is handed to an executor together with the SSL
 * object and the descriptor. If the stream goes meanwhile, the task keeps both and frees them.
 *
 * Owners are called as the last act of an event, because they may free the stream; what happens
 * during a call of theirs is put off until the loop's next round.
 */

#include "net/stream.h"

#include "base/alloc.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/proxy_header.h"
#include "net/squeeze.h"
#include "net/tls_accept.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	FLUSH_MS = 30000,      /* for pending output after stream_close */
	LINGER_MS = 2000,      /* for the peer to go after our goodbye */
	LINGER_MAX = 1 << 20,  /* octets that are thrown away meanwhile */
	LINGER_STEP = 1 << 18, /* of them at one go: other connections have their turn */
	EARLY_MAX = 64 * 1024, /* octets in clear that are thrown away before a handshake */
};

enum state {
	ST_PROXY,     /* reads the PROXY header */
	ST_HANDSHAKE, /* waits for the socket */
	ST_AWAY,      /* the handshake's step is made by the executor */
	ST_OPEN,
	ST_TLS_FLUSH, /* stream_start_tls: output in clear first */
	ST_FLUSH,     /* stream_close: output first, then close_notify */
	ST_LINGER,
	ST_CLOSED,    /* closed was called or will be */
};

/* Callbacks that are due, called in this order. */
enum { DUE_CLOSED = 1, DUE_OPENED = 2, DUE_SECURED = 4, DUE_DRAINED = 8, DUE_READABLE = 16 };

struct away {
	struct task task;
	struct stream *stream; /* valid unless the task was cancelled */
	struct tls_accept *tls;
	int fd;
	int step;
	struct why why;
};

struct stream {
	struct loop *loop;
	struct watch *watch;
	const struct stream_events *events;
	void *context;
	struct admission *admission;
	struct tls_service *service;
	struct executor *cpu;
	struct tls_accept *tls; /* NULL in clear, and while it is away */
	struct away *away;
	struct squeeze *squeeze;
	struct buf out;
	struct buf proxy; /* the PROXY header so far */
	struct net_address peer;
	struct net_address local;
	struct loop_timer timer;
	struct post later;
	char *reason;
	size_t lingered, linger_max;
	uint32_t linger_ms;
	int fault;
	int fd;
	uint32_t preface_ms;
	uint8_t due;
	uint8_t end; /* STREAM_E_EOF or STREAM_E_CUT once input has ended */
	enum state state : 8;
	bool is_upgrade : 1, tls_first : 1, is_reading : 1, is_blocked : 1, is_high : 1;
	bool read_wants_write : 1, is_corked : 1;
};

static void stream_later(struct stream *s, unsigned due)
{
	s->due |= (uint8_t)due;
	loop_defer(s->loop, &s->later);
}

static void stream_set_reason(struct stream *s, const char *reason)
{
	char *old = s->reason;

	s->reason = alloc_string(reason); /* perhaps of the old one */
	free(old);
}

/* The end of all that happens by itself; the owner is told and frees the stream. */
static void stream_finish(struct stream *s, int fault, const char *reason)
{
	if (s->state == ST_CLOSED)
		return;
	s->state = ST_CLOSED;
	s->fault = fault;
	stream_set_reason(s, reason);
	timer_stop(&s->timer);
	s->due = 0;
	watch_off(s->watch);
	stream_later(s, DUE_CLOSED);
}

/* Waits for what the state needs. */
static void stream_watch(struct stream *s)
{
	unsigned what = 0;

	switch (s->state) {
	case ST_PROXY:
	case ST_LINGER:
		what = WATCH_READ;
		break;
	case ST_OPEN:
		if (s->is_reading && !s->end)
			what |= s->read_wants_write ? WATCH_WRITE : WATCH_READ;
		if (s->is_blocked)
			what |= WATCH_WRITE;
		break;
	case ST_TLS_FLUSH:
	case ST_FLUSH:
		what = WATCH_WRITE;
		break;
	case ST_HANDSHAKE: /* set by its steps */
		return;
	default:
		break;
	}
	if (watch_set(s->watch, what))
		stream_finish(s, err_fault(ENOMEM, "epoll"), "cannot wait for the socket");
}

/* Input, as it comes from the socket or out of TLS. */
static int read_clear(struct stream *s, uint8_t *p, size_t max, size_t *ret_n)
{
	ssize_t n = recv(s->fd, p, max, 0);

	if (n > 0) {
		*ret_n = (size_t)n;
		return 0;
	}
	if (n == 0)
		return STREAM_E_EOF;
	if (errno == EAGAIN || errno == EINTR)
		return STREAM_E_AGAIN;
	if (s->state == ST_OPEN)
		stream_set_reason(s, strerror(errno));
	return err_fault(errno, "recv");
}

static int read_tls(struct stream *s, uint8_t *p, size_t max, size_t *ret_n)
{
	SSL *ssl = s->tls->ssl;
	struct why why;
	int saved_errno, r;

	ERR_clear_error();
	errno = 0;
	s->read_wants_write = false;
	if (SSL_read_ex(ssl, p, max, ret_n) == 1)
		return 0;
	saved_errno = errno;
	switch (SSL_get_error(ssl, 0)) {
	case SSL_ERROR_WANT_READ:
		return STREAM_E_AGAIN;
	case SSL_ERROR_WANT_WRITE: /* the answer to a KeyUpdate */
		s->read_wants_write = true;
		return STREAM_E_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		/* With SSL_OP_IGNORE_UNEXPECTED_EOF a mere end of the connection looks the same,
		 * but then the socket's end has been seen. */
		return BIO_eof(SSL_get_rbio(ssl)) ? STREAM_E_CUT : STREAM_E_EOF;
	default:
		r = tls_fault(&why, saved_errno ? strerror(saved_errno) : "TLS read failed");
		stream_set_reason(s, why.text);
		return r;
	}
}

static int read_raw(struct stream *s, struct buf *in, size_t max)
{
	uint8_t *room = buf_room(in, max);
	size_t n = 0;
	int r = s->tls ? read_tls(s, room, max, &n) : read_clear(s, room, max, &n);

	if (r == 0)
		buf_added(in, n);
	return r;
}

static int read_squeezed(struct stream *s, struct buf *in, size_t max)
{
	int r;

	for (;;) {
		r = squeeze_expand(s->squeeze, in, max);
		if (r != SQUEEZE_E_MORE)
			break;
		r = read_raw(s, squeeze_input(s->squeeze), STREAM_CHUNK);
		if (r) {
			buf_done(squeeze_input(s->squeeze));
			return r;
		}
	}
	if (r)
		stream_set_reason(s, "malformed compressed data");
	return r ? err_fold(r) : 0;
}

int stream_read(struct stream *s, struct buf *in, size_t max)
{
	int r;

	if (s->state != ST_OPEN)
		return STREAM_E_AGAIN; /* a failure is told by closed */
	if (s->fault)
		return s->fault;
	if (s->end)
		return s->end;
	if (max > STREAM_CHUNK)
		max = STREAM_CHUNK;
	r = s->squeeze ? read_squeezed(s, in, max) : read_raw(s, in, max);
	if (r == STREAM_E_EOF || r == STREAM_E_CUT)
		s->end = (uint8_t)r;
	if (r < 0)
		s->fault = r;
	stream_watch(s);
	return r;
}

bool stream_holds_input(const struct stream *s)
{
	return (s->tls && SSL_has_pending(s->tls->ssl)) ||
		(s->squeeze && squeeze_holds_input(s->squeeze));
}

void stream_pause(struct stream *s)
{
	s->is_reading = false;
	s->due &= (uint8_t)~DUE_READABLE;
	stream_watch(s);
}

void stream_resume(struct stream *s)
{
	if (s->is_reading)
		return;
	s->is_reading = true;
	stream_watch(s);
	/* There may be octets in libssl or in the decompressor, of which the socket knows nothing. */
	stream_later(s, DUE_READABLE);
}

enum write_outcome { WRITE_E_AGAIN = 1 };

static int write_clear(struct stream *s, struct span data, size_t *ret_n)
{
	ssize_t n = send(s->fd, data.p, data.n, MSG_NOSIGNAL);

	if (n >= 0) {
		*ret_n = (size_t)n;
		return 0;
	}
	if (errno == EAGAIN || errno == EINTR)
		return WRITE_E_AGAIN;
	stream_set_reason(s, strerror(errno));
	return err_fault(errno, "send");
}

static int write_tls(struct stream *s, struct span data, size_t *ret_n)
{
	SSL *ssl = s->tls->ssl;
	struct why why;
	int saved_errno, r;

	ERR_clear_error();
	errno = 0;
	if (SSL_write_ex(ssl, data.p, data.n, ret_n) == 1)
		return 0;
	saved_errno = errno;
	switch (SSL_get_error(ssl, 0)) {
	case SSL_ERROR_WANT_READ: /* not without renegotiation */
	case SSL_ERROR_WANT_WRITE:
		return WRITE_E_AGAIN;
	default:
		r = tls_fault(&why, saved_errno ? strerror(saved_errno) : "TLS write failed");
		stream_set_reason(s, why.text);
		return r;
	}
}

/* Sends as much as the socket takes. Returns what is due of it: 0 or DUE_DRAINED. */
static unsigned stream_flush(struct stream *s)
{
	unsigned due = 0;
	int r = 0;

	while (buf_size(&s->out)) {
		size_t n = 0;

		r = s->tls ? write_tls(s, buf_span(&s->out), &n) :
			     write_clear(s, buf_span(&s->out), &n);
		if (r)
			break;
		buf_take(&s->out, n);
	}
	if (r < 0) {
		stream_finish(s, r, s->reason);
		return 0;
	}
	if ((s->is_high && buf_size(&s->out) <= STREAM_LOW) ||
		(s->is_blocked && buf_size(&s->out) == 0))
		due = DUE_DRAINED;
	s->is_high = buf_size(&s->out) > STREAM_LOW;
	s->is_blocked = r == WRITE_E_AGAIN;
	if (buf_size(&s->out) == 0)
		buf_done(&s->out);
	return due;
}

size_t stream_pending_output(const struct stream *s)
{
	return buf_size(&s->out);
}

/* Puts out behind what is pending. */
static void stream_queue(struct stream *s, struct buf *out)
{
	if (s->squeeze) {
		squeeze_compress(s->squeeze, buf_span(out), &s->out);
		buf_done(out);
	} else if (buf_size(&s->out) == 0) {
		struct buf empty = s->out;

		s->out = *out;
		*out = empty;
	} else {
		buf_add(&s->out, buf_span(out));
		buf_clear(out);
	}
}

void stream_send(struct stream *s, struct buf *out)
{
	if (s->state != ST_OPEN) {
		buf_clear(out);
		return;
	}
	if (buf_size(out) == 0)
		return;
	stream_queue(s, out);
	if (!s->is_blocked)
		(void)stream_flush(s);
	if (s->state == ST_OPEN)
		stream_watch(s);
}

/* Our last octets are on their way: sends no more and lets the peer go, so that what it still sends
 * does not answer them with a reset, which would destroy them. */
static void stream_let_go(struct stream *s)
{
	if (shutdown(s->fd, SHUT_WR) || s->end) {
		stream_finish(s, s->fault, s->reason ? s->reason : "closed");
		return;
	}
	s->state = ST_LINGER;
	timer_start(s->loop, &s->timer, s->linger_ms);
	stream_watch(s);
}

static void away_start(struct stream *s);

static void handshake_result(struct stream *s, int r, const struct why *why)
{
	switch (r) {
	case 0:
		timer_stop(&s->timer);
		s->state = ST_OPEN;
		s->is_reading = true;
		stream_watch(s);
		stream_later(s, (s->is_upgrade ? DUE_SECURED : DUE_OPENED) | DUE_READABLE);
		return;
	case TLS_ACCEPT_LEAVE:
		away_start(s);
		return;
	case TLS_ACCEPT_READ:
	case TLS_ACCEPT_WRITE:
		r = watch_set(s->watch, r == TLS_ACCEPT_READ ? WATCH_READ : WATCH_WRITE);
		if (r)
			stream_finish(s, r, "cannot wait for the socket");
		return;
	default: /* libssl has sent an alert */
		s->fault = r;
		stream_set_reason(s, why->text);
		stream_let_go(s);
	}
}

/* While it is on, only full packets leave: the end of a handshake, the ticket and the greeting are
 * one packet instead of two or three. */
static void stream_cork(struct stream *s, bool is_on)
{
	int value = is_on;

	if (s->is_corked == is_on)
		return;
	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_CORK, &value, sizeof value);
	s->is_corked = is_on;
}

static void handshake_step(struct stream *s)
{
	struct why why = {};
	int r;

	if (!SSL_in_before(s->tls->ssl))
		stream_cork(s, true);
	r = tls_accept_step(s->tls, &why);
	/* If it is done, the owner is first asked for what he says. */
	if (r)
		stream_cork(s, false);
	handshake_result(s, r, &why);
}

static int away_run(struct task *t, void *worker)
{
	struct away *a = CONTAINER_OF(t, struct away, task);

	(void)worker;
	a->tls->is_away = true;
	a->step = tls_accept_step(a->tls, &a->why);
	a->tls->is_away = false;
	return 0;
}

static void away_done(struct task *t)
{
	struct away *a = CONTAINER_OF(t, struct away, task);
	struct stream *s = a->stream;

	s->away = NULL;
	s->tls = TAKE(a->tls);
	a->fd = -1;
	if (s->state != ST_AWAY)
		return;
	s->state = ST_HANDSHAKE;
	if (t->result)
		stream_finish(s, t->result, "too busy for a handshake");
	else
		handshake_result(s, a->step, &a->why);
}

static void away_drop(struct task *t)
{
	struct away *a = CONTAINER_OF(t, struct away, task);

	tls_accept_free(a->tls);
	if (a->fd >= 0)
		(void)close(a->fd);
	free(a);
}

static void away_start(struct stream *s)
{
	struct away *a = ALLOC(struct away);

	a->task.run = away_run;
	a->task.done = away_done;
	a->task.drop = away_drop;
	a->stream = s;
	a->tls = TAKE(s->tls);
	a->fd = s->fd;
	s->away = a;
	s->state = ST_AWAY;
	stream_watch(s);
	task_start(s->cpu, loop_home(s->loop), &a->task);
}

static void handshake_start(struct stream *s)
{
	s->tls = tls_accept_new(s->service, s->fd, &s->local, s->cpu != NULL);
	if (!s->tls) {
		stream_finish(s, err_fault(ENOMEM, "SSL_new"), "cannot begin a handshake");
		return;
	}
	s->state = ST_HANDSHAKE;
	timer_start(s->loop, &s->timer, s->preface_ms);
	handshake_step(s);
}

/* What has been received by now was sent before the peer could know that it may begin: it is not
 * part of the handshake, and must not be taken for what was said under TLS. */
static bool drop_early(struct stream *s)
{
	uint8_t scrap[4096];
	size_t total = 0, n;

	while (total < EARLY_MAX && read_clear(s, scrap, sizeof scrap, &n) == 0)
		total += n;
	return total > 0;
}

bool stream_start_tls(struct stream *s, struct buf *out)
{
	bool early;

	assert(s->service && !s->tls && !s->squeeze);
	if (s->state != ST_OPEN) {
		buf_clear(out);
		return false;
	}
	early = drop_early(s);
	s->is_upgrade = true;
	s->is_reading = false;
	s->due = 0;
	stream_queue(s, out);
	(void)stream_flush(s);
	if (s->state != ST_OPEN)
		return early;
	s->state = ST_TLS_FLUSH;
	timer_start(s->loop, &s->timer, s->preface_ms);
	if (buf_size(&s->out) == 0)
		handshake_start(s);
	else
		stream_watch(s);
	return early;
}

void stream_compress(struct stream *s)
{
	if (!s->squeeze)
		s->squeeze = squeeze_new();
}

/* Nothing is pending: our goodbye, then theirs. */
static void stream_say_goodbye(struct stream *s)
{
	if (s->tls) {
		int r;

		ERR_clear_error();
		r = SSL_shutdown(s->tls->ssl);
		if (r < 0 && SSL_get_error(s->tls->ssl, r) == SSL_ERROR_WANT_WRITE) {
			stream_watch(s);
			return;
		}
		ERR_clear_error();
	}
	s->fault = 0;
	stream_set_reason(s, "closed");
	stream_let_go(s);
}

void stream_close(struct stream *s)
{
	switch (s->state) {
	case ST_OPEN:
		break;
	case ST_CLOSED:
	case ST_FLUSH:
	case ST_LINGER:
		return;
	default: /* there is nobody yet to say goodbye to */
		stream_finish(s, 0, "closed");
		return;
	}
	s->state = ST_FLUSH;
	s->due = 0;
	timer_start(s->loop, &s->timer, FLUSH_MS);
	if (buf_size(&s->out))
		stream_watch(s);
	else
		stream_say_goodbye(s);
}

void stream_set_linger(struct stream *s, uint32_t linger_ms, size_t octets)
{
	s->linger_ms = linger_ms;
	s->linger_max = octets;
}

static void stream_linger(struct stream *s)
{
	uint8_t scrap[4096];
	size_t n, end = s->lingered + LINGER_STEP;
	int r;

	while ((r = read_clear(s, scrap, sizeof scrap, &n)) == 0) {
		s->lingered += n;
		if (s->lingered >= s->linger_max)
			break;
		if (s->lingered >= end)
			return; /* there is more in the socket: it is ready again at once */
	}
	if (r != STREAM_E_AGAIN)
		stream_finish(s, s->fault, s->reason);
}

/* The PROXY header is read, or there is none to read. */
static void stream_begin(struct stream *s)
{
	if (s->tls_first) {
		handshake_start(s);
		return;
	}
	timer_stop(&s->timer);
	s->state = ST_OPEN;
	s->is_reading = true;
	stream_watch(s);
	stream_later(s, DUE_OPENED);
}

/* The header is taken off the socket and nothing behind it, because that is TLS's or the owner's:
 * it is looked at first, and all of a header that is not complete belongs to it. */
static void proxy_read(struct stream *s)
{
	struct proxy_header h;
	uint8_t *room = buf_room(&s->proxy, PROXY_HEADER_MAX);
	size_t before = buf_size(&s->proxy);
	ssize_t n = recv(s->fd, room, PROXY_HEADER_MAX - before, MSG_PEEK);
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		stream_finish(s, -ECONNRESET, "connection ended before the PROXY header");
		return;
	}
	buf_added(&s->proxy, (size_t)n);
	r = proxy_header_parse(buf_span(&s->proxy), &h);
	if (r && r != PROXY_HEADER_E_MORE) {
		stream_finish(s, -EPROTO, "not a PROXY header");
		return;
	}
	if (r == 0)
		n = (ssize_t)(h.size - before);
	if (recv(s->fd, room, (size_t)n, 0) != n) {
		stream_finish(s, -ECONNRESET, "connection ended in the PROXY header");
		return;
	}
	if (r)
		return;
	buf_done(&s->proxy);
	if (h.peer.family != NET_NONE) {
		if (s->admission && admission_enter_behind(s->admission, &h.peer)) {
			stream_finish(s, -ECONNREFUSED, "too many connections of this peer");
			return;
		}
		s->peer = h.peer;
		s->local = h.local;
	}
	stream_begin(s);
}

static void stream_on_ready(void *context, unsigned what)
{
	struct stream *s = context;
	unsigned due = 0;

	switch (s->state) {
	case ST_PROXY:
		proxy_read(s);
		return;
	case ST_HANDSHAKE:
		handshake_step(s);
		return;
	case ST_LINGER:
		stream_linger(s);
		return;
	case ST_AWAY:
	case ST_CLOSED:
		return;
	default:
		break;
	}
	if (what & WATCH_WRITE)
		due = stream_flush(s);
	if (s->state == ST_TLS_FLUSH && buf_size(&s->out) == 0)
		handshake_start(s);
	else if (s->state == ST_FLUSH && buf_size(&s->out) == 0)
		stream_say_goodbye(s);
	if (s->state != ST_OPEN)
		return;
	if (((what & WATCH_READ) || s->read_wants_write) && s->is_reading)
		due |= DUE_READABLE;
	stream_watch(s);
	if (due == DUE_READABLE) {
		s->events->readable(s->context);
		return;
	}
	if (due)
		stream_later(s, due);
}

/* One callback a time: it may free the stream. */
static void stream_on_later(struct post *p)
{
	struct stream *s = CONTAINER_OF(p, struct stream, later);
	unsigned due = s->due & (unsigned)-(int)s->due;

	s->due &= (uint8_t)~due;
	if (s->due)
		loop_defer(s->loop, &s->later);
	if (due != DUE_OPENED && due != DUE_SECURED)
		stream_cork(s, false);
	switch (due) {
	case DUE_CLOSED:
		s->events->closed(s->context, s->fault, s->reason);
		break;
	case DUE_OPENED:
		s->events->opened(s->context);
		break;
	case DUE_SECURED:
		s->events->secured(s->context);
		break;
	case DUE_DRAINED:
		s->events->drained(s->context);
		break;
	case DUE_READABLE:
		if (s->is_reading)
			s->events->readable(s->context);
		break;
	}
}

static void stream_on_timer(struct loop_timer *t)
{
	struct stream *s = CONTAINER_OF(t, struct stream, timer);

	if (s->state == ST_LINGER)
		stream_finish(s, s->fault, s->reason);
	else if (s->state == ST_FLUSH)
		stream_finish(s, -ETIMEDOUT, "peer does not read");
	else if (s->state == ST_PROXY)
		stream_finish(s, -ETIMEDOUT, "no PROXY header in time");
	else
		stream_finish(s, -ETIMEDOUT, "no handshake in time");
}

struct stream *stream_new(const struct stream_options *options)
{
	struct stream *s = ALLOC(struct stream);

	s->loop = options->loop;
	s->fd = options->fd;
	s->peer = options->peer;
	s->local = options->local;
	s->admission = options->admission;
	s->service = options->tls;
	s->tls_first = options->tls_first;
	s->cpu = options->cpu;
	s->preface_ms = options->preface_ms;
	s->linger_ms = LINGER_MS;
	s->linger_max = LINGER_MAX;
	s->events = options->events;
	s->context = options->context;
	timer_init(&s->timer, stream_on_timer);
	post_init(&s->later, stream_on_later);
	s->watch = watch_new(s->loop, s->fd, stream_on_ready, s);
	if (s->admission && admission_is_proxy(s->admission, &s->peer)) {
		s->state = ST_PROXY;
		timer_start(s->loop, &s->timer, s->preface_ms);
		stream_watch(s);
	} else {
		stream_begin(s);
	}
	return s;
}

struct stream *stream_free(struct stream *s)
{
	if (!s)
		return NULL;
	timer_stop(&s->timer);
	post_cancel(&s->later);
	(void)watch_free(s->watch);
	if (s->away) {
		task_cancel(&s->away->task); /* it frees SSL object and descriptor */
	} else {
		(void)tls_accept_free(s->tls);
		(void)close(s->fd);
	}
	(void)squeeze_free(s->squeeze);
	if (s->admission)
		admission_leave(s->admission, &s->peer);
	buf_done(&s->out);
	buf_done(&s->proxy);
	free(s->reason);
	free(s);
	return NULL;
}

const struct net_address *stream_peer(const struct stream *s)
{
	return &s->peer;
}

const struct net_address *stream_local(const struct stream *s)
{
	return &s->local;
}

const char *stream_reason(const struct stream *s)
{
	return s->reason ? s->reason : "";
}

const struct tls_info *stream_tls(const struct stream *s)
{
	return s->tls && s->tls->info.version ? &s->tls->info : NULL;
}

const struct tls_info *stream_handshake(const struct stream *s)
{
	return s->tls && s->tls->info.rules ? &s->tls->info : NULL;
}

int stream_tls_binding(const struct stream *s, uint8_t ret_binding[static 32])
{
	return stream_tls(s) ? tls_binding(s->tls->ssl, ret_binding) : TLS_E_NO_BINDING;
}
