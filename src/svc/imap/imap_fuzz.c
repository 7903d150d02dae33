/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Whole IMAP sessions against a real store. The first octet chooses: 1 the input arrives octet by
 * octet, 2 QRESYNC is enabled, 4 nobody is logged in, 8 a second session sits in IDLE on the same
 * mailbox, 16 IMAP4rev2 is enabled. The rest is what the client sends. Each input has an account of
 * its own with two messages in INBOX, which is selected.
 *
 * Invariants: the server only says what IMAP's grammar calls a response (lines that begin with "*",
 * "+" or a tag and end in CRLF, literals as long as they say, none torn), and every task ends.
 */

#include "base/digest.h"
#include "base/log.h"
#include "mime/word.h"
#include "store/account.h"
#include "store/fixture.h"
#include "store/message.h"
#include "svc/auth.h"
#include "svc/env.h"
#include "svc/imap/core.h"
#include "svc/imap/service.h"
#include "svc/session_drive.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ACCOUNTS_OF_STORE = 2000, TASK_WAIT_S = 20, STEPS_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char multipart[] =
	"From: Alice <alice@example.org>\r\n"
	"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
	"Message-ID: <1@example.org>\r\n"
	"Content-Type: multipart/mixed; boundary=b\r\n"
	"\r\n"
	"--b\r\n"
	"\r\n"
	"text\r\n"
	"--b\r\n"
	"Content-Type: image/png\r\n"
	"Content-Transfer-Encoding: base64\r\n"
	"\r\n"
	"AAECAw==\r\n"
	"--b--\r\n";
static const char reply[] =
	"References: <1@example.org>\r\n"
	"Subject: Re: x\r\n"
	"\r\n"
	"body text\r\n";

static void add_start(struct buf *input)
{
	buf_add_format(input, "p APPEND INBOX (\\Seen $Junk) {%zu+}\r\n%s {%zu+}\r\n%s\r\n",
		sizeof multipart - 1, multipart, sizeof reply - 1, reply);
	buf_add_string(input, "p SELECT INBOX\r\n");
}

struct home {
	struct task_home home;
	pthread_mutex_t lock;
	pthread_cond_t came;
	struct list posted;
};

struct client {
	struct session_carrier carrier;
	struct session *session;
	struct buf waiting;
	struct buf output;
	bool by_octet;
};

static struct home home = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.came = PTHREAD_COND_INITIALIZER,
};
static struct fixture *fixture;
static struct env env;
static struct imap_service *service;
static struct pool *cpu;
static unsigned n_accounts;

static void must(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "imap: %s\n", what);
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

static void store_close_all(void)
{
	if (!fixture)
		return;
	service = imap_free(service);
	fixture = fixture_free(fixture);
}

/* A store is used for many inputs and then made anew, so that it stays small. */
static void store_ready(void)
{
	uint8_t unused[SHA256_OCTETS];

	if (!env.auth) {
		word_init();
		log_set_level(LOG_ERROR);
		list_init(&home.posted);
		home.home.post = home_post;
		env.auth = auth_new();
		must(pool_new(&cpu, "cpu", 1, 1000, NULL, NULL, NULL) == 0, "pool_new");
		env.cpu = env.blocking = pool_executor(cpu);
		env.hostname = "example.org";
		env.login_failures = limiter_new(1000, 1000, 0, 1000);
		/* libcrypto must end after the threads that used it: let it register first. */
		digest_sha256(SPAN(""), unused);
		(void)atexit(store_close_all);
	}
	if (fixture && ++n_accounts < ACCOUNTS_OF_STORE)
		return;
	store_close_all();
	n_accounts = 0;
	fixture = fixture_new();
	env.store = fixture->store;
	must(imap_new(&service, &env) == 0, "imap_new");
}

static int account_add(struct store_conn *c, void *arg)
{
	CLEANUP(buf_done) struct buf local = {};
	struct store_credentials none = {};

	buf_add_format(&local, "a%u", n_accounts);
	return store_account_add(c, fixture->domain, buf_span(&local), ROLE_USER, &none, arg);
}

static void client_open(struct client *c, bool logged_in, int64_t account)
{
	static struct net_address peer = { .family = NET_IP4, .ip = { 192, 0, 2, 1 } };
	struct imap *s;

	c->carrier = (struct session_carrier){
		.home = &home.home, .step = on_step, .tls = no_tls, .tls_domain = no_domain,
		.tls_binding = no_binding, .peer = &peer, .local = &peer, .service = service,
	};
	c->session = session_new(&imap_protocol, &c->carrier);
	(void)session_step(c->session, 0);
	if (!logged_in)
		return;
	s = imap_of(c->session);
	s->account = account;
	s->state = IMAP_AUTHED;
	session_set_line_max(c->session, LIMIT_LINE);
}

static void client_feed(struct client *c)
{
	struct buf *in = session_in(c->session);
	size_t n = buf_size(&c->waiting), room = SESSION_INPUT_MAX - buf_size(in);

	if (c->by_octet && n > 1)
		n = 1;
	if (n > room)
		n = room;
	buf_add(in, span_head(buf_span(&c->waiting), n));
	buf_take(&c->waiting, n);
	if (n == 0)
		session_set_eof(c->session);
}

/* True if more may come of another call. */
static bool client_step(struct client *c, bool may_end)
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
		if (buf_size(&c->waiting) == 0 && !may_end)
			return false;
		client_feed(c);
		return true;
	}
	return (want & (SESSION_WANT_STEP | SESSION_WANT_TLS | SESSION_WANT_COMPRESS)) != 0;
}

/* Until the first has taken all its input and nothing moves; then both end if they may. */
static void run(struct client clients[2], bool may_end)
{
	for (unsigned steps = 0; steps < STEPS_MAX; steps++) {
		bool moved = client_step(&clients[0], may_end);
		bool waits;
		struct task *t;

		moved |= client_step(&clients[1], may_end);
		waits = (clients[0].session && session_waits(clients[0].session)) ||
			(clients[1].session && session_waits(clients[1].session));
		t = home_take(waits && !moved);
		if (t)
			task_finish(t);
		else if (!moved)
			return;
	}
}

/* Takes one response line with its literals off the front; false if it is none. */
static bool take_response(struct span *out)
{
	bool first = true;

	for (;;) {
		size_t end = span_find_span(*out, SPAN("\r\n"));
		struct span line = span_head(*out, end);
		struct imap_literal literal;

		if (end == out->n || (first && (line.n < 3 || line.p[0] <= ' ')))
			return false;
		first = false;
		*out = span_skip(*out, end + 2);
		/* Only untagged answers have literals; a tag may look like anything. */
		if (!command_find_literal(line, &literal))
			return true;
		if (literal.n > out->n)
			return false;
		*out = span_skip(*out, literal.n);
	}
}

static void check(struct client *c)
{
	struct span out = buf_span(&c->output);

	while (out.n > 0)
		must(take_response(&out), "the output is not IMAP");
	buf_done(&c->output);
	buf_done(&c->waiting);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct client clients[2] = {};
	uint8_t choice = size ? data[0] : 0;
	bool logged_in = !(choice & 4);
	int64_t account = 0;

	store_ready();
	must(store_write(env.store, account_add, &account) == 0, "account");
	client_open(&clients[0], logged_in, account);
	if (logged_in) {
		if (choice & 2)
			buf_add_string(&clients[0].waiting, "p ENABLE QRESYNC\r\n");
		if (choice & 16)
			buf_add_string(&clients[0].waiting, "p ENABLE IMAP4rev2\r\n");
		add_start(&clients[0].waiting);
	}
	if (choice & 8) {
		client_open(&clients[1], true, account);
		buf_add_string(&clients[1].waiting, "q SELECT INBOX\r\nq IDLE\r\n");
	}
	run(clients, false);
	if (logged_in)
		must(span_find_span(buf_span(&clients[0].output), SPAN("* 2 EXISTS\r\n")) <
			buf_size(&clients[0].output), "the messages are not there");
	clients[0].by_octet = choice & 1;
	if (size > 1)
		buf_add(&clients[0].waiting, span_of(data + 1, size - 1));
	run(clients, false);
	run(clients, true);
	for (unsigned i = 0; i < 2; i++) {
		if (clients[i].session)
			clients[i].session = session_free(clients[i].session);
		check(&clients[i]);
	}
	for (struct task *t; (t = home_take(false));)
		task_finish(t);
	return 0;
}
