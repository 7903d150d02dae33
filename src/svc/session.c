/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The session core. A step does one thing after another, in an order that is the whole policy:
 * first what is under way (a task, output being pulled), then what the server wants (its end, news,
 * the alarm), then input. Whatever the peer sends is not looked at before its turn, so no state
 * changes under a command that waits, and replies come in the order of the commands.
 *
 * Between two things it does there is always room for a stop: when too much output waits, when
 * others should have their turn, when the handler asked for TLS or the end.
 */

#include "svc/session_drive.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/random.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	TURNS = 32,               /* things done in one step */
	OUTPUT_HIGH = 128 * 1024, /* octets of output above which nothing new is begun */
	REWARD = 512,             /* octets a peer must send to be given more time within a block */
};

enum mode { MODE_LINE, MODE_COUNTED, MODE_RAW };

static void session_fault(struct session *s, int fault)
{
	char event[64];

	(void)snprintf(event, sizeof event, "%s.fault", s->protocol->name);
	log_fault(&s->log, s->protocol->tag, event, err_fold(fault));
	s->faulted = true;
	s->pulling = false;
	if (s->protocol->fault)
		s->protocol->fault(s);
	s->ending = true;
}

/* The one exit of what handlers return. */
static void session_settle(struct session *s, int r)
{
	if (r)
		session_fault(s, r);
}

static void session_set_mode(struct session *s, enum mode mode)
{
	s->mode = (uint8_t)mode;
	s->scanned = 0;
}

static void session_bad_line(struct session *s, enum session_line_fault why)
{
	if (s->protocol->bad_line)
		session_settle(s, s->protocol->bad_line(s, why));
	else
		s->ending = true;
}

/* Drops the rest of a line that is none. */
static bool session_skip(struct session *s)
{
	struct span in = buf_span(&s->in);
	size_t end = span_find_span(in, SPAN("\r\n"));

	if (end < in.n) {
		buf_take(&s->in, end + 2);
		s->skipping = false;
		if (s->skipping_long)
			session_bad_line(s, SESSION_LINE_LONG);
		return true;
	}
	/* A CR at the end may be half of the CRLF. */
	buf_take(&s->in, in.n && in.p[in.n - 1] == '\r' ? in.n - 1 : in.n);
	return false;
}

static void session_skip_from(struct session *s, size_t n, bool is_long)
{
	buf_take(&s->in, n);
	s->scanned = 0;
	s->skipping = true;
	s->skipping_long = is_long;
}

/* n octets and their CRLF. */
static void session_take_line(struct session *s, size_t n)
{
	struct span line = span_head(buf_span(&s->in), n);

	s->scanned = 0;
	s->active_ms = clock_monotonic_ms();
	if (!s->goes_on)
		arena_clear(&s->arena);
	s->goes_on = false;
	if (!s->protocol->nul_allowed && memchr(line.p, 0, line.n))
		session_bad_line(s, SESSION_LINE_NUL);
	else
		session_settle(s, s->protocol->line(s, line));
	buf_take(&s->in, n + 2);
}

/* Where a line ends, or why it is none, depends on the octets only, never on how they were cut into
 * reads: the first of CR, LF and too long decides. */
static bool session_line(struct session *s)
{
	struct span in = buf_span(&s->in);
	size_t at = s->scanned;

	while (at < in.n && in.p[at] != '\r' && in.p[at] != '\n')
		at++;
	if (at > s->line_max) {
		session_skip_from(s, 0, true);
		return true;
	}
	s->scanned = at;
	if (at == in.n || (in.p[at] == '\r' && at + 1 == in.n))
		return false;
	if (in.p[at] == '\n') {
		session_skip_from(s, at + 1, false);
		session_bad_line(s, SESSION_LINE_BARE_LF);
	} else if (in.p[at + 1] != '\n') {
		session_skip_from(s, at + 1, false);
		session_bad_line(s, SESSION_LINE_BARE_CR);
	} else {
		session_take_line(s, at);
	}
	return true;
}

/* One octet now and then must not hold a session for ever. */
static void session_reward(struct session *s, size_t n)
{
	s->unrewarded += (uint32_t)n;
	if (s->unrewarded < REWARD)
		return;
	s->unrewarded = 0;
	s->active_ms = clock_monotonic_ms();
}

static void session_give_octets(struct session *s, struct span data)
{
	enum mode mode = s->mode;
	size_t taken = 0;
	int r = s->protocol->octets(s, data, &taken);

	assert(taken <= data.n);
	buf_take(&s->in, taken);
	session_reward(s, taken);
	if (mode == MODE_COUNTED)
		s->octets_left -= taken;
	if (r) {
		session_fault(s, r);
		return;
	}
	/* Offered again only with more behind it, or after the wait that made it stop. */
	if (s->mode == mode && mode == MODE_RAW && !s->task && !s->pause_ms)
		s->scanned = data.n - taken;
	if (taken == 0 && s->mode == mode && !s->task && !s->pause_ms &&
		(mode == MODE_COUNTED || data.n >= SESSION_INPUT_MAX))
		session_fault(s, err_fault(EPROTO, "input that nobody takes"));
}

static bool session_counted(struct session *s)
{
	struct span data = buf_span(&s->in);

	if (s->octets_left == 0) {
		session_set_mode(s, MODE_LINE);
		s->active_ms = clock_monotonic_ms();
		if (s->protocol->octets_end)
			session_settle(s, s->protocol->octets_end(s));
		return true;
	}
	if (data.n == 0)
		return false;
	if (data.n > s->octets_left)
		data.n = (size_t)s->octets_left;
	session_give_octets(s, data);
	return true;
}

static bool session_raw(struct session *s)
{
	struct span data = buf_span(&s->in);

	if (data.n <= s->scanned)
		return false;
	s->scanned = 0;
	session_give_octets(s, data);
	return true;
}

static bool session_input(struct session *s)
{
	switch ((enum mode)s->mode) {
	case MODE_COUNTED:
		return session_counted(s);
	case MODE_RAW:
		return session_raw(s);
	case MODE_LINE:
		break;
	}
	return s->skipping ? session_skip(s) : session_line(s);
}

static void session_pull(struct session *s)
{
	size_t before = buf_size(&s->out);

	session_settle(s, s->protocol->pull(s));
	if (s->pulling && !s->task && !s->ending && buf_size(&s->out) == before)
		session_fault(s, err_fault(EPROTO, "a source that gives nothing"));
}

static bool session_may_go_on(const struct session *s)
{
	return !s->ending && !s->want_tls && !s->want_compress && !s->task && !s->pause_ms &&
		s->unsent + buf_size(&s->out) <= OUTPUT_HIGH;
}

/* What the server wants between two commands. */
static bool session_notice(struct session *s)
{
	if (s->stopping && !s->stop_told) {
		s->stop_told = true;
		if (s->protocol->shutdown)
			session_settle(s, s->protocol->shutdown(s));
		else
			s->ending = true;
		return true;
	}
	if (s->mode != MODE_LINE)
		return false;
	if (s->woken) {
		s->woken = false;
		if (s->protocol->event)
			session_settle(s, s->protocol->event(s));
		return true;
	}
	if (s->alarm_ms && s->alarm_ms <= clock_monotonic_ms()) {
		s->alarm_ms = 0;
		if (s->protocol->alarm)
			session_settle(s, s->protocol->alarm(s));
		return true;
	}
	return false;
}

/* Does one thing; false if there is nothing to do. */
static bool session_turn(struct session *s)
{
	if (!s->started) {
		s->started = true;
		if (s->protocol->start)
			session_settle(s, s->protocol->start(s));
		return true;
	}
	if (s->pulling) {
		session_pull(s);
		return true;
	}
	if (session_notice(s) || session_input(s))
		return true;
	/* All of what came is dealt with. */
	if (s->eof)
		s->ending = true;
	return false;
}

static void session_check_time(struct session *s)
{
	int64_t now_ms = clock_monotonic_ms();

	if (s->pause_ms && s->pause_ms <= now_ms) {
		s->pause_ms = 0;
		s->active_ms = now_ms;
	}
	if (s->task || s->pause_ms || s->ending || s->want_tls || !s->started ||
		now_ms - s->active_ms < s->timeout_ms)
		return;
	s->timed_out = true;
	s->pulling = false;
	if (s->protocol->timeout)
		session_settle(s, s->protocol->timeout(s));
	s->ending = true;
}

/* Nothing is going on: keeps no memory that the next command can ask for again. */
static void session_rest(struct session *s)
{
	if (buf_size(&s->in) == 0)
		buf_wipe(&s->in);
	if (s->mode == MODE_LINE && !s->goes_on && !s->task && !s->pulling)
		arena_done(&s->arena);
}

unsigned session_step(struct session *s, size_t unsent)
{
	unsigned turns = TURNS;

	if (unsent < s->unsent)
		s->active_ms = clock_monotonic_ms();
	s->unsent = unsent;
	session_check_time(s);
	while (turns && session_may_go_on(s) && session_turn(s))
		turns--;
	if (s->ending)
		return SESSION_WANT_CLOSE;
	if (s->want_tls) {
		if (buf_size(&s->in))
			LOG(&s->log, LOG_WARNING, "TLS", "tls.early_input",
				log_int("octets", (int64_t)buf_size(&s->in)));
		buf_wipe(&s->in);
		return SESSION_WANT_TLS;
	}
	if (s->want_compress) {
		s->want_compress = false;
		buf_wipe(&s->in);
		return SESSION_WANT_COMPRESS;
	}
	session_rest(s);
	if (!session_may_go_on(s))
		return 0;
	if (turns == 0)
		return SESSION_WANT_STEP;
	return !s->eof && buf_size(&s->in) < SESSION_INPUT_MAX ? SESSION_WANT_INPUT : 0;
}

int64_t session_due_ms(const struct session *s)
{
	int64_t due_ms;

	if (s->ending || s->want_tls || s->task)
		return INT64_MAX;
	if (s->pause_ms)
		return s->pause_ms;
	due_ms = s->active_ms + s->timeout_ms;
	/* An alarm that cannot ring now is asked for again after the next step. */
	if (s->alarm_ms && s->mode == MODE_LINE && !s->pulling && session_may_go_on(s) &&
		s->alarm_ms < due_ms)
		return s->alarm_ms;
	return due_ms;
}

void session_secured(struct session *s)
{
	buf_wipe(&s->in);
	arena_done(&s->arena);
	session_set_mode(s, MODE_LINE);
	s->want_tls = false;
	s->goes_on = false;
	s->active_ms = clock_monotonic_ms();
	if (s->protocol->secured)
		session_settle(s, s->protocol->secured(s));
}

void session_stop(struct session *s)
{
	s->stopping = true;
}

struct buf *session_in(struct session *s)
{
	return &s->in;
}

void session_set_eof(struct session *s)
{
	s->eof = true;
}

bool session_waits(const struct session *s)
{
	return s->task != NULL;
}

static void session_set_id(struct session *s)
{
	struct buf id = {};
	uint8_t octets[8];

	random_fill(octets, sizeof octets);
	enc_hex(&id, span_of(octets, sizeof octets));
	memcpy(s->id, buf_span(&id).p, sizeof s->id - 1);
	buf_done(&id);
}

struct session *session_new(const struct session_protocol *protocol,
	struct session_carrier *carrier)
{
	struct session *s = alloc_zero(protocol->size);

	assert(protocol->size >= sizeof *s && protocol->timeout_ms > 0);
	assert(protocol->line_max < SESSION_INPUT_MAX);
	s->protocol = protocol;
	s->carrier = carrier;
	s->service = carrier->service;
	s->line_max = protocol->line_max;
	s->timeout_ms = protocol->timeout_ms;
	s->active_ms = clock_monotonic_ms();
	session_set_id(s);
	s->log = (struct log_context){ carrier->log, log_str("session", s->id) };
	return s;
}

/* Wakers: the session is touched on its own thread only, so there is nothing to lock. */
struct session_waker {
	struct task task; /* never run by an executor, only brought home */
	struct task_home *home;
	struct session *session; /* NULL when it has ended */
	atomic_uint refs;
	atomic_bool is_pending;
};

struct session *session_free(struct session *s)
{
	if (!s)
		return NULL;
	if (s->task)
		task_cancel(&s->task->task);
	if (s->waker) {
		s->waker->session = NULL;
		(void)session_waker_unref(s->waker);
	}
	if (s->protocol->free)
		s->protocol->free(s);
	buf_wipe(&s->in);
	buf_done(&s->out);
	arena_done(&s->arena);
	free(s);
	return NULL;
}

static void waker_on_home(struct task *t)
{
	struct session_waker *w = CONTAINER_OF(t, struct session_waker, task);

	atomic_store(&w->is_pending, false);
	if (!w->session)
		return;
	w->session->woken = true;
	w->session->carrier->step(w->session->carrier);
}

static void waker_drop(struct task *t)
{
	(void)session_waker_unref(CONTAINER_OF(t, struct session_waker, task));
}

struct session_waker *session_waker(struct session *s)
{
	struct session_waker *w = s->waker;

	if (w)
		return w;
	w = ALLOC(struct session_waker);
	w->task.done = waker_on_home;
	w->task.drop = waker_drop;
	w->home = s->carrier->home;
	w->session = s;
	atomic_init(&w->refs, 1);
	s->waker = w;
	return w;
}

struct session_waker *session_waker_ref(struct session_waker *w)
{
	(void)atomic_fetch_add(&w->refs, 1);
	return w;
}

struct session_waker *session_waker_unref(struct session_waker *w)
{
	if (w && atomic_fetch_sub(&w->refs, 1) == 1)
		free(w);
	return NULL;
}

void session_wake(struct session_waker *w)
{
	if (atomic_exchange(&w->is_pending, true))
		return;
	w->home->post(w->home, &session_waker_ref(w)->task);
}

void session_reply(struct session *s, struct span text)
{
	buf_add(&s->out, text);
}

void session_reply_string(struct session *s, const char *text)
{
	buf_add_string(&s->out, text);
}

void session_reply_format(struct session *s, const char *format, ...)
{
	CLEANUP(alloc_freep) char *text = NULL;
	va_list ap;

	va_start(ap, format);
	text = alloc_format_list(format, ap);
	va_end(ap);
	buf_add_string(&s->out, text);
}

struct buf *session_out(struct session *s)
{
	return &s->out;
}

void session_expect_octets(struct session *s, uint64_t n)
{
	session_set_mode(s, MODE_COUNTED);
	s->octets_left = n;
	s->unrewarded = 0;
}

void session_expect_raw(struct session *s)
{
	session_set_mode(s, MODE_RAW);
	s->unrewarded = 0;
}

void session_expect_line(struct session *s)
{
	session_set_mode(s, MODE_LINE);
}

uint64_t session_octets_left(const struct session *s)
{
	return s->octets_left;
}

void session_goes_on(struct session *s)
{
	s->goes_on = true;
}

static void session_on_done(struct task *task)
{
	struct session_task *t = CONTAINER_OF(task, struct session_task, task);
	struct session *s = t->session;

	s->task = NULL;
	s->active_ms = clock_monotonic_ms();
	session_settle(s, t->done(s, t));
	s->carrier->step(s->carrier);
}

void session_wait(struct session *s, struct executor *e, struct session_task *t)
{
	assert(!s->task && t->done);
	t->session = s;
	t->task.done = session_on_done;
	s->task = t;
	task_start(e, s->carrier->home, &t->task);
}

void session_pause(struct session *s, uint32_t delay_ms)
{
	s->pause_ms = clock_monotonic_ms() + delay_ms;
}

void session_send_from(struct session *s)
{
	assert(s->protocol->pull);
	s->pulling = true;
}

void session_sent_all(struct session *s)
{
	s->pulling = false;
}

void session_starttls(struct session *s)
{
	s->want_tls = true;
}

void session_compress(struct session *s)
{
	s->want_compress = true;
}

void session_end(struct session *s)
{
	s->ending = true;
}

void session_set_timeout(struct session *s, uint32_t timeout_ms)
{
	s->timeout_ms = timeout_ms;
}

void session_alarm(struct session *s, uint32_t delay_ms)
{
	s->alarm_ms = delay_ms ? clock_monotonic_ms() + delay_ms : 0;
}

void session_set_line_max(struct session *s, size_t line_max)
{
	assert(line_max < SESSION_INPUT_MAX);
	s->line_max = line_max;
}

void *session_service(const struct session *s)
{
	return s->service;
}

struct arena *session_arena(struct session *s)
{
	return &s->arena;
}

const char *session_id(const struct session *s)
{
	return s->id;
}

const struct log_context *session_log(const struct session *s)
{
	return &s->log;
}

const struct net_address *session_peer(const struct session *s)
{
	return s->carrier->peer;
}

const struct net_address *session_local(const struct session *s)
{
	return s->carrier->local;
}

const struct tls_info *session_tls(const struct session *s)
{
	return s->carrier->tls(s->carrier);
}

bool session_is_tls(const struct session *s)
{
	return session_tls(s) != NULL;
}

const char *session_tls_domain(const struct session *s)
{
	return s->carrier->tls_domain(s->carrier);
}

int session_tls_binding(const struct session *s, uint8_t ret_binding[static 32])
{
	return s->carrier->tls_binding(s->carrier, ret_binding);
}

struct task_home *session_home(const struct session *s)
{
	return s->carrier->home;
}
