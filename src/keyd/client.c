/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Asking keyd. A thread borrows a channel, sends, waits, and gives it back; there are as many
 * requests under way as there are channels. A request that met its deadline leaves the channel with
 * an answer to come, which the next borrower knows by its serial number and drops. Requests and
 * replies are put together in locked memory that is wiped, because some of them are secret.
 *
 * Keys are named by handles that keyd gave out. A domain's key is kept in its wrapped form and loaded
 * when it is first used, and again whenever keyd does not know the handle (it was started anew, or
 * made room).
 */

#include "keyd/client.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	TIMEOUT_MS = 10000,
	TIMEOUT_SLOW_MS = 60000, /* making RSA keys and scrypt, on a busy machine */
	TIMEOUT_FORGET_MS = 1000,
};

struct channel {
	struct list link; /* in the client's list of idle ones */
	int fd;
	int wait_ms; /* of recv; 0: for ever */
	uint64_t generation;
	struct secret memory;
};

/* A thread that waits for a channel. Channels are handed to the first in line: were they up for grabs,
 * a thread that asks again and again would keep the others out. */
struct waiter {
	struct list link;
	pthread_cond_t wake;
	struct channel *channel;
};

struct keyd_client {
	enum keyd_role role;
	pthread_mutex_t lock;
	struct list idle;
	struct list waiters; /* longest waiting first; none while a channel is idle */
	size_t n_alive; /* of this generation, idle or borrowed */
	uint64_t generation;
	atomic_uint serial;
};

struct keyd_key {
	atomic_uint references;
	struct keyd_client *client;
	bool is_user;
	struct buf wrapped, key_id, owner;
	uint8_t purpose;
	uint8_t session[KEYD_SESSION_MAX];
	size_t n_session;
	pthread_mutex_t lock; /* of the handle */
	bool is_loaded;
	uint8_t handle[KEYD_HANDLE];
};

static struct channel *channel_free(struct channel *c)
{
	if (!c)
		return NULL;
	(void)close(c->fd);
	secret_done(&c->memory);
	free(c);
	return NULL;
}

struct keyd_client *keyd_client_new(enum keyd_role role)
{
	struct keyd_client *c = ALLOC(struct keyd_client);

	c->role = role;
	list_init(&c->idle);
	list_init(&c->waiters);
	pthread_mutex_init(&c->lock, NULL);
	return c;
}

/* Under the lock. */
static void close_idle(struct keyd_client *c)
{
	list_each(l, &c->idle) {
		list_remove(l);
		channel_free(CONTAINER_OF(l, struct channel, link));
	}
}

struct keyd_client *keyd_client_free(struct keyd_client *c)
{
	if (!c)
		return NULL;
	close_idle(c);
	pthread_mutex_destroy(&c->lock);
	free(c);
	return NULL;
}

/* Under the lock: to the first in line, or to the idle ones. */
static void hand_over(struct keyd_client *c, struct channel *ch)
{
	struct waiter *w;

	if (list_is_empty(&c->waiters)) {
		/* To the front: a thread that asks again finds the memory still in its cache. */
		list_append(c->idle.next, &ch->link);
		return;
	}
	w = CONTAINER_OF(c->waiters.next, struct waiter, link);
	list_remove(&w->link);
	w->channel = ch;
	pthread_cond_signal(&w->wake);
}

void keyd_client_set_channels(struct keyd_client *c, const int *fds, size_t n)
{
	pthread_mutex_lock(&c->lock);
	close_idle(c);
	c->generation++;
	c->n_alive = n;
	for (size_t i = 0; i < n; i++) {
		struct channel *ch = ALLOC(struct channel);

		ch->fd = fds[i];
		ch->generation = c->generation;
		ch->memory = secret_new(KEYD_MESSAGE_MAX);
		list_init(&ch->link);
		hand_over(c, ch);
	}
	pthread_mutex_unlock(&c->lock);
}

bool keyd_client_is_up(struct keyd_client *c)
{
	bool up;

	pthread_mutex_lock(&c->lock);
	up = c->n_alive > 0;
	pthread_mutex_unlock(&c->lock);
	return up;
}

/* Under the lock: waits in line until the deadline. NULL: none came. */
static struct channel *wait_in_line(struct keyd_client *c, int64_t deadline_ms)
{
	const struct timespec until = { deadline_ms / 1000, deadline_ms % 1000 * 1000000 };
	pthread_condattr_t monotonic;
	struct waiter w = {};
	int r = 0;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&w.wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	list_init(&w.link);
	list_append(&c->waiters, &w.link);
	while (!w.channel && c->n_alive > 0 && !r)
		r = pthread_cond_timedwait(&w.wake, &c->lock, &until);
	list_remove(&w.link);
	pthread_cond_destroy(&w.wake);
	return w.channel;
}

static int borrow(struct keyd_client *c, int64_t deadline_ms, struct channel **ret_channel)
{
	struct channel *ch = NULL;
	int r = 0;

	pthread_mutex_lock(&c->lock);
	if (!list_is_empty(&c->idle)) {
		ch = CONTAINER_OF(c->idle.next, struct channel, link);
		list_remove(&ch->link);
	} else if (c->n_alive > 0) {
		ch = wait_in_line(c, deadline_ms);
	}
	if (!ch)
		r = c->n_alive ? ETIMEDOUT : ENOTCONN;
	pthread_mutex_unlock(&c->lock);
	if (r)
		return err_fault(r, "channel to keyd");
	*ret_channel = ch;
	return 0;
}

/* Gives a channel back; a dead one, or one of an earlier keyd, is closed. Who waits for a channel
 * learns when the last one has died. */
static void give_back(struct keyd_client *c, struct channel *ch, bool alive)
{
	pthread_mutex_lock(&c->lock);
	if (alive && ch->generation == c->generation) {
		hand_over(c, ch);
		ch = NULL;
	} else if (ch->generation == c->generation && --c->n_alive == 0) {
		list_each(l, &c->waiters)
			pthread_cond_signal(&CONTAINER_OF(l, struct waiter, link)->wake);
	}
	pthread_mutex_unlock(&c->lock);
	channel_free(ch);
}

/* One request under way. The reply's fields lie in the channel's memory until call_done. */
struct call {
	struct keyd_client *client;
	struct channel *channel;
	struct span fields[KEYD_FIELDS];
	size_t used; /* octets of the memory to wipe */
	bool alive;
};

static void call_done(struct call *call)
{
	if (!call->channel)
		return;
	explicit_bzero(call->channel->memory.p, call->used);
	give_back(call->client, call->channel, call->alive);
	call->channel = NULL;
}

static int call_send(struct call *call, const struct keyd_header *header,
	const struct span *fields)
{
	const struct secret *memory = &call->channel->memory;
	size_t n = keyd_message_write(memory->p, memory->n, header, fields,
		keyd_shape(header->request)->n_fields);

	if (n == 0) {
		call->alive = true;
		return err_fault(EMSGSIZE, "request to keyd");
	}
	call->used = n;
	/* One request at a time is in the socket, so there is room, or keyd does not read. */
	if (send(call->channel->fd, memory->p, n, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)n)
		return err_fault(errno ? errno : EPIPE, "send to keyd");
	return 0;
}

/* How long recv waits. Nearly all requests have the same deadline: it stays with the socket. */
static int set_wait(struct channel *ch, int wait_ms)
{
	const struct timeval tv = { wait_ms / 1000, wait_ms % 1000 * 1000 };

	if (ch->wait_ms == wait_ms)
		return 0;
	if (setsockopt(ch->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv))
		return err_fault(errno, "SO_RCVTIMEO");
	ch->wait_ms = wait_ms;
	return 0;
}

/* The next message, or the deadline, at which the channel stays good. */
static int call_next(struct call *call, ssize_t *ret_n)
{
	const struct secret *memory = &call->channel->memory;
	ssize_t n;

	do {
		n = recv(call->channel->fd, memory->p, memory->n, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) {
		call->alive = true;
		return err_fault(ETIMEDOUT, "answer of keyd");
	}
	if (n <= 0)
		return err_fault(n ? errno : ECONNRESET, "recv from keyd");
	if ((size_t)n > call->used)
		call->used = (size_t)n;
	*ret_n = n;
	return 0;
}

static int call_receive(struct call *call, const struct keyd_header *request)
{
	const struct secret *memory = &call->channel->memory;
	struct keyd_header header = {};
	ssize_t n;

	do {
		TRY(call_next(call, &n));
		TRY(keyd_message_read_reply(span_of(memory->p, (size_t)n), &header, call->fields));
	} while (header.serial != request->serial);
	if (header.request != request->request)
		return err_fault(EPROTO, "answer of keyd");
	call->alive = true;
	return header.outcome;
}

static int call_run(struct call *call, struct keyd_client *c, enum keyd_request request,
	const struct span *fields, int timeout_ms)
{
	const struct keyd_shape *shape = keyd_shape(request);
	struct keyd_header header = { .request = (uint16_t)request };

	/* A field that is out of bounds would end keyd, and it is the caller who is wrong. */
	if (!(shape->permit & c->role))
		return err_fault(EINVAL, "request for the other keyd");
	for (unsigned i = 0; i < shape->n_fields; i++)
		if (fields[i].n < shape->fields[i].min || fields[i].n > shape->fields[i].max)
			return err_fault(EMSGSIZE, shape->name);
	header.serial = atomic_fetch_add(&c->serial, 1);
	call->client = c;
	TRY(borrow(c, clock_monotonic_ms() + timeout_ms, &call->channel));
	TRY(set_wait(call->channel, timeout_ms));
	TRY(call_send(call, &header, fields));
	return call_receive(call, &header);
}

int keyd_hello(struct keyd_client *c, uint8_t ret_check[static KEYD_CHECK])
{
	CLEANUP(call_done) struct call call = {};
	int r = call_run(&call, c, KEYD_HELLO, NULL, TIMEOUT_MS);

	if (!r)
		memcpy(ret_check, call.fields[0].p, KEYD_CHECK);
	return r;
}

int keyd_store_password(struct keyd_client *c, struct span password, bool *ret_has_password)
{
	CLEANUP(call_done) struct call call = {};
	int r = call_run(&call, c, KEYD_STORE_PASSWORD, &password, TIMEOUT_SLOW_MS);

	if (!r)
		*ret_has_password = call.fields[0].p[0];
	return r;
}

void keyd_made_done(struct keyd_made *m)
{
	buf_done(&m->spki);
	buf_done(&m->wrapped);
}

static int make(struct keyd_client *c, enum keyd_request request, const struct span *fields,
	struct keyd_made *ret_made)
{
	CLEANUP(call_done) struct call call = {};
	struct keyd_made made = {};
	int r = call_run(&call, c, request, fields, TIMEOUT_SLOW_MS);

	if (r)
		return r;
	memcpy(made.key_id, call.fields[0].p, KEY_ID_LENGTH);
	buf_add(&made.spki, call.fields[1]);
	buf_add(&made.wrapped, call.fields[2]);
	*ret_made = made;
	return 0;
}

int keyd_generate(struct keyd_client *c, enum key_type type, struct span owner,
	enum keyd_purpose purpose, struct keyd_made *ret_made)
{
	uint8_t kind = (uint8_t)type, use = (uint8_t)purpose;
	const struct span fields[] = { span_of(&kind, 1), span_of(&use, 1), owner };

	return make(c, KEYD_GENERATE, fields, ret_made);
}

int keyd_wrap(struct keyd_client *c, struct span pkcs8, struct span owner,
	enum keyd_purpose purpose, struct keyd_made *ret_made)
{
	uint8_t use = (uint8_t)purpose;
	const struct span fields[] = { pkcs8, span_of(&use, 1), owner };

	return make(c, KEYD_WRAP, fields, ret_made);
}

int keyd_user_generate(struct keyd_client *c, enum key_type type, struct span owner,
	struct span password, struct keyd_made *ret_made)
{
	uint8_t kind = (uint8_t)type;
	const struct span fields[] = { span_of(&kind, 1), owner, password };

	return make(c, KEYD_USER_GENERATE, fields, ret_made);
}

int keyd_user_wrap(struct keyd_client *c, struct span pkcs8, struct span owner,
	struct span password, struct keyd_made *ret_made)
{
	const struct span fields[] = { pkcs8, owner, password };

	return make(c, KEYD_USER_WRAP, fields, ret_made);
}

static int call_buf(struct keyd_client *c, enum keyd_request request, const struct span *fields,
	int timeout_ms, struct buf *out)
{
	CLEANUP(call_done) struct call call = {};
	int r = call_run(&call, c, request, fields, timeout_ms);

	if (!r)
		buf_add(out, call.fields[0]);
	return r;
}

int keyd_user_rewrap(struct keyd_client *c, struct span owner, struct span id,
	struct span wrapped, struct span old_password, struct span new_password,
	struct buf *ret_wrapped)
{
	const struct span fields[] = { owner, id, wrapped, old_password, new_password };

	return call_buf(c, KEYD_REWRAP, fields, TIMEOUT_SLOW_MS, ret_wrapped);
}

static struct keyd_key *key_new(struct keyd_client *c)
{
	struct keyd_key *key = ALLOC(struct keyd_key);

	atomic_init(&key->references, 1);
	key->client = c;
	pthread_mutex_init(&key->lock, NULL);
	return key;
}

struct keyd_key *keyd_key_new(struct keyd_client *c, struct span wrapped, struct span id,
	struct span owner, enum keyd_purpose purpose)
{
	struct keyd_key *key = key_new(c);

	buf_add(&key->wrapped, wrapped);
	buf_add(&key->key_id, id);
	buf_add(&key->owner, owner);
	key->purpose = (uint8_t)purpose;
	return key;
}

int keyd_unlock(struct keyd_client *c, struct span wrapped, struct span id, struct span owner,
	struct span password, struct span session, uint32_t idle_ms, struct keyd_key **ret_key)
{
	CLEANUP(call_done) struct call call = {};
	const struct span fields[] = { owner, id, wrapped, password, session,
		span_of(&idle_ms, sizeof idle_ms) };
	int r = call_run(&call, c, KEYD_UNLOCK, fields, TIMEOUT_SLOW_MS);
	struct keyd_key *key;

	if (r)
		return r;
	key = key_new(c);
	key->is_user = key->is_loaded = true;
	memcpy(key->handle, call.fields[0].p, KEYD_HANDLE);
	memcpy(key->session, session.p, session.n);
	key->n_session = session.n;
	*ret_key = key;
	return 0;
}

int keyd_lock_session(struct keyd_client *c, struct span session)
{
	CLEANUP(call_done) struct call call = {};

	return call_run(&call, c, KEYD_LOCK_SESSION, &session, TIMEOUT_MS);
}

static int forget(struct keyd_key *key, int timeout_ms)
{
	CLEANUP(call_done) struct call call = {};
	const struct span fields[] = {
		span_of(key->handle, KEYD_HANDLE),
		span_of(key->session, key->n_session),
	};

	return call_run(&call, key->client, KEYD_FORGET, fields, timeout_ms);
}

int keyd_key_left(struct keyd_key *key, uint32_t *ret_left_ms)
{
	CLEANUP(call_done) struct call call = {};
	const struct span fields[] = {
		span_of(key->handle, KEYD_HANDLE),
		span_of(key->session, key->n_session),
	};
	int r = call_run(&call, key->client, KEYD_LEFT, fields, TIMEOUT_MS);

	if (!r)
		memcpy(ret_left_ms, call.fields[0].p, sizeof *ret_left_ms);
	return r;
}

int keyd_lock(struct keyd_key *key)
{
	return forget(key, TIMEOUT_MS);
}

struct keyd_key *keyd_key_ref(struct keyd_key *key)
{
	atomic_fetch_add_explicit(&key->references, 1, memory_order_relaxed);
	return key;
}

struct keyd_key *keyd_key_unref(struct keyd_key *key)
{
	if (!key || atomic_fetch_sub_explicit(&key->references, 1, memory_order_acq_rel) > 1)
		return NULL;
	/* Nobody can name it any more. If keyd is away, so is its memory. */
	if (key->is_loaded)
		(void)forget(key, TIMEOUT_FORGET_MS);
	buf_done(&key->wrapped);
	buf_done(&key->key_id);
	buf_done(&key->owner);
	pthread_mutex_destroy(&key->lock);
	free(key);
	return NULL;
}

/* The handle of a key; loads it unless somebody did since `stale` (NULL: never used). */
static int load(struct keyd_key *key, const uint8_t *stale, uint8_t ret_handle[static KEYD_HANDLE])
{
	CLEANUP(call_done) struct call call = {};
	const struct span fields[] = {
		span_of(&key->purpose, 1),
		buf_span(&key->owner),
		buf_span(&key->key_id),
		buf_span(&key->wrapped),
	};
	int r = 0;

	pthread_mutex_lock(&key->lock);
	if (!key->is_loaded || (stale && memcmp(stale, key->handle, KEYD_HANDLE) == 0)) {
		r = call_run(&call, key->client, KEYD_LOAD, fields, TIMEOUT_MS);
		if (!r) {
			memcpy(key->handle, call.fields[0].p, KEYD_HANDLE);
			key->is_loaded = true;
		}
	}
	if (!r)
		memcpy(ret_handle, key->handle, KEYD_HANDLE);
	pthread_mutex_unlock(&key->lock);
	return r;
}

/* A request whose first two fields are handle and session: they are filled in here. */
static int call_key(struct call *call, struct keyd_key *key, enum keyd_request request,
	struct span *fields)
{
	uint8_t handle[KEYD_HANDLE];
	int r;

	r = load(key, NULL, handle);
	if (r)
		return r;
	fields[0] = span_of(handle, KEYD_HANDLE);
	fields[1] = span_of(key->session, key->n_session);
	r = call_run(call, key->client, request, fields, TIMEOUT_MS);
	if (r != KEYD_E_GONE || key->is_user)
		return r;
	call_done(call);
	r = load(key, handle, handle);
	if (r)
		return r;
	return call_run(call, key->client, request, fields, TIMEOUT_MS);
}

int keyd_key_sign(struct keyd_key *key, const struct keyd_sign *how, struct span data,
	struct buf *out)
{
	CLEANUP(call_done) struct call call = {};
	struct span fields[] = { {}, {}, span_of(how, sizeof *how), data };
	int r = call_key(&call, key, KEYD_SIGN, fields);

	if (!r)
		buf_add(out, call.fields[0]);
	return r;
}

int keyd_key_decrypt(struct keyd_key *key, const struct keyd_decrypt *how, struct span label,
	struct span ciphertext, struct secret *ret_plain)
{
	CLEANUP(call_done) struct call call = {};
	struct span fields[] = { {}, {}, span_of(how, sizeof *how), label, ciphertext };
	int r = call_key(&call, key, KEYD_DECRYPT, fields);

	if (!r)
		*ret_plain = secret_copy(call.fields[0]);
	return r;
}

int keyd_key_derive(struct keyd_key *key, const struct keyd_derive *how, struct span peer,
	struct span ukm, struct secret *ret_key)
{
	CLEANUP(call_done) struct call call = {};
	struct span fields[] = { {}, {}, span_of(how, sizeof *how), peer, ukm };
	int r = call_key(&call, key, KEYD_DERIVE, fields);

	if (!r)
		*ret_key = secret_copy(call.fields[0]);
	return r;
}

int keyd_key_export(struct keyd_key *key, enum keyd_form form, struct span certs, struct span name,
	struct span file_password, struct buf *out)
{
	CLEANUP(call_done) struct call call = {};
	uint8_t octet = (uint8_t)form;
	struct span fields[] = { {}, {}, span_of(&octet, 1), certs, name, file_password };
	int r = call_key(&call, key, KEYD_EXPORT, fields);

	if (!r)
		buf_add(out, call.fields[0]);
	return r;
}

int keyd_seal(struct keyd_client *c, struct span plain, struct span owner,
	enum keyd_purpose purpose, struct buf *out)
{
	uint8_t use = (uint8_t)purpose;
	const struct span fields[] = { span_of(&use, 1), owner, plain };

	return call_buf(c, KEYD_SEAL, fields, TIMEOUT_MS, out);
}

int keyd_unseal(struct keyd_client *c, struct span sealed, struct span owner,
	enum keyd_purpose purpose, struct secret *ret_plain)
{
	CLEANUP(call_done) struct call call = {};
	uint8_t use = (uint8_t)purpose;
	const struct span fields[] = { span_of(&use, 1), owner, sealed };
	int r = call_run(&call, c, KEYD_UNSEAL, fields, TIMEOUT_MS);

	if (!r)
		*ret_plain = secret_copy(call.fields[0]);
	return r;
}

int keyd_ticket_key(struct keyd_client *c, struct span domain, uint64_t epoch,
	uint8_t ret_key[static KEYD_TICKET_KEY])
{
	CLEANUP(call_done) struct call call = {};
	const struct span fields[] = { domain, span_of(&epoch, sizeof epoch) };
	int r = call_run(&call, c, KEYD_TICKET, fields, TIMEOUT_MS);

	if (!r)
		memcpy(ret_key, call.fields[0].p, KEYD_TICKET_KEY);
	return r;
}
