/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* A carrier of octets to and from nowhere. */

#include "svc/session_memory.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "net/tls.h"
#include "svc/session_drive.h"

#include <pthread.h>
#include <stdlib.h>

struct memory_session {
	struct session_carrier carrier;
	struct session *session; /* NULL: it has closed */
	struct task_home home;
	pthread_mutex_t lock;
	pthread_cond_t came;
	struct list posted;
	struct net_address peer;
	struct net_address local;
	struct buf output;
	bool tls;
};

static void memory_post(struct task_home *home, struct task *t)
{
	struct memory_session *m = CONTAINER_OF(home, struct memory_session, home);

	(void)pthread_mutex_lock(&m->lock);
	list_append(&m->posted, &t->link);
	(void)pthread_cond_signal(&m->came);
	(void)pthread_mutex_unlock(&m->lock);
}

static void memory_step(struct session_carrier *carrier)
{
	(void)carrier; /* memory_settle steps after each task */
}

static const struct tls_info *memory_tls(const struct session_carrier *carrier)
{
	static const struct tls_info info = { .version = "TLSv1.3", .cipher = "TLS_MEMORY" };

	return CONTAINER_OF(carrier, struct memory_session, carrier)->tls ? &info : NULL;
}

static const char *memory_tls_domain(const struct session_carrier *carrier)
{
	return memory_tls(carrier) ? "example.org" : NULL;
}

static int memory_tls_binding(
	const struct session_carrier *carrier, uint8_t ret_binding[static TLS_BINDING])
{
	if (!memory_tls(carrier))
		return TLS_E_NO_BINDING;
	memset(ret_binding, 'b', TLS_BINDING);
	return 0;
}

struct memory_session *memory_session_new(const struct session_protocol *protocol, void *service,
	const struct net_address *peer, bool tls)
{
	struct memory_session *m = ALLOC(struct memory_session);

	(void)pthread_mutex_init(&m->lock, NULL);
	(void)pthread_cond_init(&m->came, NULL);
	list_init(&m->posted);
	m->home.post = memory_post;
	m->peer = m->local = *peer;
	m->tls = tls;
	m->carrier = (struct session_carrier){
		.home = &m->home,
		.step = memory_step,
		.tls = memory_tls,
		.tls_domain = memory_tls_domain,
		.tls_binding = memory_tls_binding,
		.peer = &m->peer,
		.local = &m->local,
		.service = service,
	};
	m->session = session_new(protocol, &m->carrier);
	memory_session_send(m, SPAN(""), 1);
	return m;
}

/* Waits for a task to come home. */
static void memory_wait(struct memory_session *m)
{
	struct task *t;

	(void)pthread_mutex_lock(&m->lock);
	while (list_is_empty(&m->posted))
		(void)pthread_cond_wait(&m->came, &m->lock);
	t = CONTAINER_OF(m->posted.next, struct task, link);
	list_remove(&t->link);
	(void)pthread_mutex_unlock(&m->lock);
	task_finish(t);
}

/* Until nothing moves; whether input is welcome. */
static bool memory_settle(struct memory_session *m)
{
	while (m->session) {
		unsigned want = session_step(m->session, 0);
		struct buf *out = session_out(m->session);
		bool sent = buf_size(out) > 0;

		buf_add(&m->output, buf_span(out));
		buf_clear(out);
		if (want & SESSION_WANT_CLOSE) {
			m->session = session_free(m->session);
		} else if (want & SESSION_WANT_TLS) {
			m->tls = true;
			session_secured(m->session);
		} else if (session_waits(m->session)) {
			memory_wait(m);
		} else if (m->session->pause_ms) {
			clock_set(clock_now_us(), m->session->pause_ms);
		} else if (!sent && !(want & (SESSION_WANT_STEP | SESSION_WANT_COMPRESS))) {
			return want & SESSION_WANT_INPUT;
		}
	}
	return false;
}

void memory_session_send(struct memory_session *m, struct span input, size_t step)
{
	while (memory_settle(m) && input.n) {
		size_t room = SESSION_INPUT_MAX - buf_size(session_in(m->session));
		struct span piece = span_head(input, step < room ? step : room);

		buf_add(session_in(m->session), piece);
		input = span_skip(input, piece.n);
	}
}

void memory_session_end(struct memory_session *m)
{
	if (m->session)
		session_set_eof(m->session);
	(void)memory_settle(m);
}

struct memory_session *memory_session_free(struct memory_session *m)
{
	if (m) {
		session_free(m->session);
		buf_done(&m->output);
		(void)pthread_cond_destroy(&m->came);
		(void)pthread_mutex_destroy(&m->lock);
		free(m);
	}
	return NULL;
}

struct buf *memory_session_output(struct memory_session *m)
{
	return &m->output;
}

bool memory_session_is_closed(const struct memory_session *m)
{
	return !m->session;
}
