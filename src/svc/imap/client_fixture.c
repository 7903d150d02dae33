/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Sessions without a network: their home is a queue that the caller's thread empties. */

#include "svc/imap/client_fixture.h"

#include "base/digest.h"
#include "base/log.h"
#include "mime/word.h"
#include "svc/auth.h"
#include "svc/env.h"
#include "svc/imap/core.h"
#include "svc/imap/service.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TASK_WAIT_S = 20, TURNS_MAX = 1 << 20 };

static struct {
	struct task_home home;
	pthread_mutex_t lock;
	pthread_cond_t came;
	struct list posted;
} home = { .lock = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER };

static struct fixture *fixture;
static struct imap_service *service;
static struct env env;
static struct pool *cpu;

static void must(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "imap client: %s (%s)\n", what, err_last_trace());
	abort();
}

static void home_post(struct task_home *h, struct task *t)
{
	(void)h;
	(void)pthread_mutex_lock(&home.lock);
	list_append(&home.posted, &t->link);
	(void)pthread_cond_signal(&home.came);
	(void)pthread_mutex_unlock(&home.lock);
}

static struct task *home_take(bool may_wait)
{
	struct timespec until;
	struct task *t = NULL;
	int r = 0;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += TASK_WAIT_S;
	(void)pthread_mutex_lock(&home.lock);
	while (may_wait && list_is_empty(&home.posted) && r == 0)
		r = pthread_cond_timedwait(&home.came, &home.lock, &until);
	must(r == 0, "a task does not end");
	if (!list_is_empty(&home.posted)) {
		t = CONTAINER_OF(home.posted.next, struct task, link);
		list_remove(&t->link);
	}
	(void)pthread_mutex_unlock(&home.lock);
	return t;
}

static void on_step(struct session_carrier *c)
{
	(void)c;
}

static const struct tls_info *no_tls(const struct session_carrier *c)
{
	(void)c;
	return NULL;
}

static const char *no_domain(const struct session_carrier *c)
{
	(void)c;
	return NULL;
}

static int no_binding(const struct session_carrier *c, uint8_t ret_binding[static 32])
{
	(void)c;
	(void)ret_binding;
	return 1;
}

static void process_start(void)
{
	uint8_t unused[SHA256_OCTETS];

	word_init();
	log_set_level(LOG_ERROR);
	list_init(&home.posted);
	home.home.post = home_post;
	/* libcrypto must end after the threads that used it: let it register first. */
	digest_sha256(SPAN(""), unused);
	(void)atexit(imap_clients_end);
	env.auth = auth_new();
	must(pool_new(&cpu, "cpu", 1, 1000, NULL, NULL, NULL) == 0, "pool_new");
	env.cpu = env.blocking = pool_executor(cpu);
	env.hostname = "example.org";
	env.login_failures = limiter_new(1000, 1000, 0, 1000);
	env.login_accounts = limiter_new(1000, 1000, 0, 1000);
}

struct fixture *imap_clients_begin(void)
{
	if (!env.auth)
		process_start();
	imap_clients_end();
	fixture = fixture_new();
	env.store = fixture->store;
	must(imap_new(&service, &env) == 0, "imap_new");
	return fixture;
}

void imap_clients_end(void)
{
	service = imap_free(service);
	if (fixture)
		fixture = fixture_free(fixture);
}

void imap_client_open(struct imap_client *c, int64_t account)
{
	static const struct net_address peer = { .family = NET_IP4, .ip = { 192, 0, 2, 1 } };
	struct imap *s;

	*c = (struct imap_client){ .carrier = {
		.home = &home.home, .step = on_step, .tls = no_tls, .tls_domain = no_domain,
		.tls_binding = no_binding, .peer = &peer, .local = &peer, .service = service,
	} };
	c->session = session_new(&imap_protocol, &c->carrier);
	imap_clients_run(c, 1, false);
	if (!account)
		return;
	s = imap_of(c->session);
	s->account = account;
	s->state = IMAP_AUTHED;
	session_set_line_max(c->session, LIMIT_LINE);
}

void imap_client_close(struct imap_client *c)
{
	c->session = session_free(c->session);
	buf_done(&c->input);
	buf_done(&c->output);
	for (struct task *t; (t = home_take(false));)
		task_finish(t);
}

static void client_feed(struct imap_client *c)
{
	struct buf *in = session_in(c->session);
	size_t n = buf_size(&c->input), room = SESSION_INPUT_MAX - buf_size(in);

	if (c->by_octet && n > 1)
		n = 1;
	if (n > room)
		n = room;
	buf_add(in, span_head(buf_span(&c->input), n));
	buf_take(&c->input, n);
	if (n == 0)
		session_set_eof(c->session);
}

/* True if another call may bring more. */
static bool client_step(struct imap_client *c, bool end)
{
	unsigned want;

	if (!c->session)
		return false;
	want = session_step(c->session, 0);
	buf_add(&c->output, buf_span(session_out(c->session)));
	buf_clear(session_out(c->session));
	if (want & SESSION_WANT_CLOSE) {
		c->session = session_free(c->session);
		return false;
	}
	if (want & SESSION_WANT_TLS)
		session_secured(c->session);
	if (want & SESSION_WANT_INPUT) {
		if (buf_size(&c->input) == 0 && !end)
			return false;
		client_feed(c);
		return true;
	}
	return (want & (SESSION_WANT_STEP | SESSION_WANT_TLS | SESSION_WANT_COMPRESS)) != 0;
}

void imap_clients_run(struct imap_client *clients, size_t n, bool end)
{
	for (unsigned turns = 0; turns < TURNS_MAX; turns++) {
		bool moved = false, waits = false;
		struct task *t;

		for (size_t i = 0; i < n; i++) {
			moved |= client_step(&clients[i], end);
			waits |= clients[i].session && session_waits(clients[i].session);
		}
		t = home_take(waits && !moved);
		if (t)
			task_finish(t);
		else if (!moved)
			return;
	}
	must(false, "it does not come to rest");
}
