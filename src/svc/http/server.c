/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * libmicrohttpd's side: one thread of its own that reads requests and writes answers of all
 * connections, and a pool of ours that makes the answers. A request that is complete is suspended,
 * answered by a worker in straight-line code that may wait for the database, a password's hash or
 * keyd, and resumed. The library's own thread pool was not taken: there a handler that waits holds
 * up every connection that happens to be on the same thread.
 *
 * A large body, or one that is streamed, is received only after a worker has proved the right to the
 * request: the library reads no more of a connection that is suspended. A streamed body is taken off
 * by workers piece by piece in the same way, so no more than a piece of it is in memory.
 *
 * The library reads no address, no TLS and no time-out here: all that is the bridge's work. A
 * connection finds its peer by a number that travels in the dummy address it is added with.
 */

#include "svc/http/server.h"

#include "base/alloc.h"
#include "base/log.h"
#include "svc/http/budget.h"
#include "svc/http/dispatch.h"
#include "svc/http/route.h"
#include "svc/env.h"
#include "svc/http/web_session.h"
#include "svc/unlocked.h"

#include <errno.h>
#include <malloc.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
	HTTP_WORKERS = 4,
	HTTP_SLOW_WORKERS = 3, /* of ROUTE_SLOW: keyd makes two scrypts at a time */
	HTTP_QUEUE = 1000,
	HTTP_CONNECTIONS = 20000,     /* the admission's limit comes first */
	HTTP_CONNECTION_MEMORY = 64 * 1024,

	/* Octets of bodies, in all and of one account. */
	HTTP_ACCOUNTS_MAX = 768 << 20,
	HTTP_ACCOUNT_MAX = 512 << 20,
};

enum exchange_state {
	EXCHANGE_NEW,       /* its head is there, and was not looked at */
	EXCHANGE_ADMITTING, /* a worker looks at it */
	EXCHANGE_ADMITTED,  /* and has found it good */
	EXCHANGE_BODY,      /* the body comes */
	EXCHANGE_TAKING,    /* a worker takes a piece of it */
	EXCHANGE_REFUSED,   /* in the middle of the body: the rest is passed over */
	EXCHANGE_RUNNING,   /* a worker makes the answer */
	EXCHANGE_ANSWERED,
};

/* One request in the library's hands. */
struct exchange {
	struct http_request q;
	struct http *http;
	struct MHD_Connection *connection;
	struct task task;
	enum exchange_state state;
};

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
	enum MHD_ConnectionNotificationCode what)
{
	struct http *h = context;
	const union MHD_ConnectionInfo *info;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		*socket_context = http_peer_unref(*socket_context);
		return;
	}
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	if (!info || !info->client_addr)
		return;
	(void)pthread_mutex_lock(&h->lock);
	*socket_context = map_remove(&h->arriving,
		span_of(&((struct sockaddr_in6 *)(void *)info->client_addr)->sin6_addr,
			sizeof(uint64_t)));
	(void)pthread_mutex_unlock(&h->lock);
}

int http_server_add(struct http *h, int fd, struct http_peer *peer)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6 };
	struct span key;

	(void)pthread_mutex_lock(&h->lock);
	h->last_id++;
	memcpy(&address.sin6_addr, &h->last_id, sizeof h->last_id);
	key = span_of(&address.sin6_addr, sizeof h->last_id);
	(void)map_put(&h->arriving, key, peer);
	(void)pthread_mutex_unlock(&h->lock);
	if (MHD_add_connection(h->daemon, fd, (struct sockaddr *)&address, sizeof address) ==
		MHD_YES)
		return 0;
	(void)pthread_mutex_lock(&h->lock);
	peer = map_remove(&h->arriving, key);
	(void)pthread_mutex_unlock(&h->lock);
	http_peer_unref(peer);
	return err_fault(errno, "MHD_add_connection");
}

/* The request line is read: the exchange begins. The target is kept as it came. */
static void *on_target(void *context, const char *target, struct MHD_Connection *connection)
{
	struct http *h = context;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct exchange *x = ALLOC(struct exchange);

	x->http = h;
	x->connection = connection;
	x->q.env = h->options.env;
	x->q.options = &h->options;
	x->q.sessions = h->sessions;
	x->q.of_accounts = h->of_accounts;
	if (info && info->socket_context)
		x->q.peer = http_peer_ref(info->socket_context);
	x->q.target = arena_span(&x->q.arena, span_str(target));
	return x;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
	enum MHD_RequestTerminationCode how)
{
	struct exchange *x = *state;

	(void)context, (void)connection, (void)how;
	if (!x)
		return;
	*state = NULL;
	if (x->state != EXCHANGE_ANSWERED || x->q.status >= 400)
		http_abandon(&x->q);
	http_request_done(&x->q);
	free(x);
}

static enum MHD_Result take_field(void *context, enum MHD_ValueKind kind, const char *name,
	const char *value)
{
	struct http_request *q = context;

	(void)kind;
	if (q->n_fields == HTTP_PAIRS_MAX)
		return MHD_NO;
	q->fields[q->n_fields++] = (struct http_pair){
		.name = arena_span(&q->arena, span_str(name)),
		.value = arena_span(&q->arena, span_str(value)),
	};
	if (span_is_nocase(span_str(name), "Content-Length"))
		q->has_length = span_to_u64(span_trim(span_str(value)), UINT64_MAX, &q->length);
	return MHD_YES;
}

/* What waited when the server ended would be answered to nobody. */
static int exchange_run(struct task *t, void *worker)
{
	struct exchange *x = CONTAINER_OF(t, struct exchange, task);
	bool ended;

	(void)worker;
	(void)pthread_mutex_lock(&x->http->lock);
	ended = x->http->ended;
	(void)pthread_mutex_unlock(&x->http->lock);
	if (ended)
		return -ECANCELED;
	if (x->state == EXCHANGE_ADMITTING)
		x->state = http_admit(&x->q) ? EXCHANGE_ADMITTED : EXCHANGE_ANSWERED;
	else if (x->state == EXCHANGE_TAKING)
		x->state = http_take(&x->q) ? EXCHANGE_BODY : EXCHANGE_REFUSED;
	else
		http_dispatch(&x->q);
	return 0;
}

/* On the worker's thread. After the resumption the exchange is the library's thread's. */
static void exchange_done(struct task *t)
{
	struct exchange *x = CONTAINER_OF(t, struct exchange, task);

	if (t->result)
		http_answer_problem(&x->q, 503, t->result == -ECANCELED ? "the server ends" :
			"too many requests wait; try again later");
	if (t->result && x->state == EXCHANGE_TAKING)
		x->state = EXCHANGE_REFUSED;
	else if (t->result || x->state == EXCHANGE_RUNNING)
		x->state = EXCHANGE_ANSWERED;
	MHD_resume_connection(x->connection);
}

/* Lets a worker do what the state says. false: the server ends, nothing is started any more. */
static bool exchange_start(struct exchange *x, enum exchange_state state)
{
	struct http *h = x->http;
	bool taken;

	x->task.run = exchange_run;
	x->task.done = exchange_done;
	(void)pthread_mutex_lock(&h->lock);
	taken = !h->ended;
	if (taken) {
		x->state = state;
		MHD_suspend_connection(x->connection);
		task_start(pool_executor(
				   state == EXCHANGE_RUNNING && http_is_slow(&x->q) ? h->slow
										    : h->pool),
			&task_home_here, &x->task);
	}
	(void)pthread_mutex_unlock(&h->lock);
	return taken;
}

const char *const http_common_fields[][2] = {
	{ "X-Content-Type-Options", "nosniff" },
	{ "Referrer-Policy", "no-referrer" },
	{ "Cross-Origin-Resource-Policy", "same-origin" },
	{ "Cross-Origin-Opener-Policy", "same-origin" },
	{ "X-Frame-Options", "DENY" },
	{},
};

/* A value is a header of an answer: made by us, or checked to hold no control character. */
static void add_header(struct MHD_Response *response, const char *name, struct span value)
{
	CLEANUP(alloc_freep) char *text = span_to_string(value);

	if (text)
		(void)MHD_add_response_header(response, name, text);
}

static bool has_header(const struct http_request *q, const char *name)
{
	for (size_t i = 0; i < q->n_headers; i++) {
		if (span_is_nocase(q->headers[i].name, name))
			return true;
	}
	return false;
}

static struct MHD_Response *response_of(struct http_request *q)
{
	struct MHD_Response *response;
	uint8_t *body;
	size_t n;

	if (q->shared.p) {
		response = MHD_create_response_from_buffer_with_free_callback_cls(q->shared.n,
			(void *)(uintptr_t)q->shared.p, q->release, q->owner);
		if (response)
			q->shared = (struct span){};
		return response;
	}
	body = buf_steal(&q->out, &n);
	return MHD_create_response_from_buffer(n, body, MHD_RESPMEM_MUST_FREE);
}

static enum MHD_Result respond(struct exchange *x)
{
	struct http_request *q = &x->q;
	struct MHD_Response *response = response_of(q);
	enum MHD_Result result;
	bool stopping;

	if (!response)
		return MHD_NO;
	for (size_t i = 0; http_common_fields[i][0]; i++)
		add_header(response, http_common_fields[i][0], span_str(http_common_fields[i][1]));
	if (!has_header(q, "Content-Security-Policy"))
		add_header(response, "Content-Security-Policy", SPAN(HTTP_USUAL_POLICY));
	if (!has_header(q, "Cache-Control"))
		add_header(response, "Cache-Control", SPAN("no-store"));
	if (q->type)
		add_header(response, "Content-Type", span_str(q->type));
	for (size_t i = 0; i < q->n_headers; i++)
		add_header(response, (const char *)q->headers[i].name.p, q->headers[i].value);
	(void)pthread_mutex_lock(&x->http->lock);
	stopping = x->http->stopping;
	(void)pthread_mutex_unlock(&x->http->lock);
	if (stopping)
		add_header(response, "Connection", SPAN("close"));
	result = MHD_queue_response(x->connection, q->status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result end_with_problem(struct exchange *x)
{
	http_answer_problem(&x->q, 503, "the server ends");
	x->state = EXCHANGE_ANSWERED;
	return respond(x);
}

/* The head is there. An answer now is one before the body, which then is not received. */
static enum MHD_Result begin(struct exchange *x, const char *method)
{
	struct http_request *q = &x->q;

	q->method = arena_span(&q->arena, span_str(method));
	(void)MHD_get_connection_values(x->connection, MHD_HEADER_KIND, take_field, q);
	if (http_field(q, "Transfer-Encoding").p == NULL && !q->has_length)
		q->has_length = true; /* RFC 9112 section 6.3: there is none */
	http_find_row(q);
	if (http_needs_admission(q))
		return exchange_start(x, EXCHANGE_ADMITTING) ? MHD_YES : end_with_problem(x);
	/* A connection has room for SIZE_ANYONE_OCTETS as it has for a head: nothing is reserved. */
	x->state = EXCHANGE_BODY;
	return MHD_YES;
}

/* What is not taken now comes again. */
static enum MHD_Result take_body(struct exchange *x, const char *data, size_t *n_data)
{
	struct http_request *q = &x->q;
	size_t room, n = *n_data;

	if (!q->admitted || !q->route->stream) {
		/* The guard has counted. */
		if (buf_size(&q->body) + n > q->body_max)
			return MHD_NO;
		buf_add(&q->body, span_of(data, n));
		*n_data = 0;
		return MHD_YES;
	}
	room = ROUTE_PIECE - buf_size(&q->body);
	if (n > room)
		n = room;
	buf_add(&q->body, span_of(data, n));
	*n_data -= n;
	/* A full piece goes as soon as more is there. Not before: where all was taken the library calls
	 * again at once if it has another chunk, suspended or not. */
	if (*n_data == 0 || exchange_start(x, EXCHANGE_TAKING))
		return MHD_YES;
	http_answer_problem(q, 503, "the server ends");
	x->state = EXCHANGE_REFUSED;
	return MHD_YES;
}

/* Called once with the head, then with each piece of the body, then without one; and again after
 * each resumption. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *data, size_t *n_data, void **state)
{
	struct exchange *x = *state;

	(void)context, (void)connection, (void)url, (void)version;
	if (!x->q.peer)
		return MHD_NO;
	switch (x->state) {
	case EXCHANGE_NEW:
		return begin(x, method);
	case EXCHANGE_ADMITTED:
		x->state = EXCHANGE_BODY;
		return MHD_YES;
	case EXCHANGE_BODY:
		if (*n_data)
			return take_body(x, data, n_data);
		return exchange_start(x, EXCHANGE_RUNNING) ? MHD_YES : end_with_problem(x);
	case EXCHANGE_REFUSED:
		if (*n_data) {
			*n_data = 0;
			return MHD_YES;
		}
		x->state = EXCHANGE_ANSWERED;
		return respond(x);
	case EXCHANGE_ANSWERED:
		return respond(x);
	default:
		return MHD_NO; /* it is suspended */
	}
}

/* Paths are split before they are decoded, so the library leaves them as they are. */
static size_t on_unescape(void *context, struct MHD_Connection *connection, char *text)
{
	(void)context, (void)connection;
	return strlen(text);
}

static struct MHD_Daemon *daemon_start(struct http *h)
{
	return MHD_start_daemon(MHD_USE_NO_LISTEN_SOCKET | MHD_USE_EPOLL_INTERNAL_THREAD |
			MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME,
		0, NULL, NULL, on_request, h,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, h,
		MHD_OPTION_URI_LOG_CALLBACK, on_target, h,
		MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, NULL,
		MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_CONNECTION_MEMORY,
		MHD_OPTION_END);
}

/* Bodies hold passwords and, once, private keys: what JSON is made of does not stay behind. */
static void free_wiped(void *p)
{
	if (p)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

/* Secure Mail keys do not stay unlocked for nobody. */
static void session_ended(struct span id, void *context)
{
	struct env *e = context;

	if (e->unlocked)
		unlocked_end_session(e->unlocked, id);
}

int http_new(struct http **ret_http, const struct http_options *options)
{
	struct http *h = ALLOC(struct http);
	int r;

	json_set_alloc_funcs(alloc_zero, free_wiped);
	h->options = *options;
	(void)pthread_mutex_init(&h->lock, NULL);
	(void)pthread_cond_init(&h->closed, NULL);
	h->sessions = web_sessions_new(session_ended, options->env);
	h->of_accounts = budget_new(HTTP_ACCOUNTS_MAX, HTTP_ACCOUNT_MAX);
	for (unsigned kind = 0; kind < HTTP_KINDS; kind++) {
		h->ports[kind].http = h;
		h->ports[kind].kind = kind;
	}
	h->loops = alloc_array(NULL, options->n_loops, sizeof h->loops[0]);
	for (size_t i = 0; i < options->n_loops; i++) {
		h->loops[i] = (struct http_loop){ .http = h, .loop = options->loops[i] };
		h->loops[i].stop.run = bridge_stop_all;
		h->loops[i].kill.run = bridge_kill_all;
		list_init(&h->loops[i].bridges);
	}
	r = pool_new(&h->pool, "http", HTTP_WORKERS, HTTP_QUEUE, NULL, NULL, NULL);
	if (!r)
		r = pool_new(&h->slow, "http-slow", HTTP_SLOW_WORKERS, HTTP_QUEUE, NULL, NULL, NULL);
	if (!r) {
		h->daemon = daemon_start(h);
		if (!h->daemon)
			r = err_fault(errno, "MHD_start_daemon");
	}
	if (r) {
		http_free(h);
		return r;
	}
	*ret_http = h;
	return 0;
}

struct http_port *http_port(struct http *h, enum http_kind kind)
{
	return &h->ports[kind];
}

const struct conn_counters *http_port_counters(const struct http_port *port)
{
	return &port->counters;
}

void http_drain(struct http *h, unsigned timeout_ms)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	(void)pthread_mutex_lock(&h->lock);
	h->stopping = true;
	(void)pthread_mutex_unlock(&h->lock);
	for (size_t i = 0; i < h->options.n_loops; i++)
		loop_post(h->loops[i].loop, &h->loops[i].stop);
	(void)pthread_mutex_lock(&h->lock);
	while (h->n_open && pthread_cond_timedwait(&h->closed, &h->lock, &until) == 0)
		;
	h->n_rounds = h->options.n_loops;
	(void)pthread_mutex_unlock(&h->lock);
	for (size_t i = 0; i < h->options.n_loops; i++)
		loop_post(h->loops[i].loop, &h->loops[i].kill);
	(void)pthread_mutex_lock(&h->lock);
	while (h->n_open || h->n_rounds)
		(void)pthread_cond_wait(&h->closed, &h->lock);
	(void)pthread_mutex_unlock(&h->lock);
}

/* The workers end first: the library may not be stopped while a request is suspended. */
struct http *http_free(struct http *h)
{
	if (!h)
		return NULL;
	(void)pthread_mutex_lock(&h->lock);
	h->ended = true;
	(void)pthread_mutex_unlock(&h->lock);
	h->pool = pool_free(h->pool);
	h->slow = pool_free(h->slow);
	if (h->daemon)
		MHD_stop_daemon(h->daemon);
	map_done(&h->arriving, NULL);
	web_sessions_free(h->sessions);
	budget_free(h->of_accounts);
	(void)pthread_cond_destroy(&h->closed);
	(void)pthread_mutex_destroy(&h->lock);
	free(h->loops);
	free(h);
	return NULL;
}
