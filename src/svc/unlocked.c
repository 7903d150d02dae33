/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A map by holder. Locking takes the entries out under the lock and tells keyd without it: keyd may
 * take its time, and whoever asks meanwhile finds nothing any more. A thread that is using a key
 * keeps its reference, which keyd does not know then.
 */

#include "svc/unlocked.h"

#include "base/alloc.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "keyd/client.h"

#include <pthread.h>
#include <stdlib.h>

struct entry {
	struct list link;
	uint8_t holder[UNLOCKED_HOLDER];
	int64_t account;
	struct unlocked_keys keys;
};

struct unlocked {
	struct keyd_client *keyd;
	pthread_mutex_t lock;
	struct map by_holder;
	struct list entries;
};

struct unlocked *unlocked_new(struct keyd_client *keyd_user)
{
	struct unlocked *u = ALLOC(struct unlocked);

	u->keyd = keyd_user;
	(void)pthread_mutex_init(&u->lock, NULL);
	list_init(&u->entries);
	return u;
}

void unlocked_holder(struct span session, int64_t account,
	uint8_t ret_holder[static UNLOCKED_HOLDER])
{
	memset(ret_holder, 0, UNLOCKED_HOLDER);
	memcpy(ret_holder, session.p, session.n < UNLOCKED_SESSION ? session.n : UNLOCKED_SESSION);
	memcpy(ret_holder + UNLOCKED_SESSION, &account, sizeof account);
}

void unlocked_keys_done(struct unlocked_keys *k)
{
	for (size_t i = 0; i < k->n; i++)
		keyd_key_unref(k->keys[i].key);
	k->n = 0;
}

/* Under the lock. */
static void take_out(struct unlocked *u, struct entry *e, struct list *out)
{
	(void)map_remove(&u->by_holder, span_of(e->holder, sizeof e->holder));
	list_remove(&e->link);
	list_append(out, &e->link);
}

/* Without it. If keyd is away, so is its memory. */
static void forget(struct unlocked *u, struct list *out)
{
	list_each (l, out) {
		struct entry *e = CONTAINER_OF(l, struct entry, link);
		int r = keyd_lock_session(u->keyd, span_of(e->holder, sizeof e->holder));

		if (r)
			log_fault(NULL, "SMIME", "smime.forget", err_fold(r));
		list_remove(l);
		unlocked_keys_done(&e->keys);
		free(e);
	}
}

struct unlocked *unlocked_free(struct unlocked *u)
{
	struct list out;

	if (!u)
		return NULL;
	list_init(&out);
	list_each (l, &u->entries)
		take_out(u, CONTAINER_OF(l, struct entry, link), &out);
	list_each (l, &out) {
		struct entry *e = CONTAINER_OF(l, struct entry, link);

		unlocked_keys_done(&e->keys);
		free(e);
	}
	map_done(&u->by_holder, NULL);
	(void)pthread_mutex_destroy(&u->lock);
	free(u);
	return NULL;
}

/* Under the lock. */
static void make_room(struct unlocked *u, int64_t account, struct list *out)
{
	struct entry *oldest = NULL;
	unsigned n = 0;

	list_each (l, &u->entries) {
		struct entry *e = CONTAINER_OF(l, struct entry, link);

		if (e->account != account)
			continue;
		n++;
		if (!oldest)
			oldest = e;
	}
	if (n > UNLOCKED_SESSIONS_MAX)
		take_out(u, oldest, out);
}

void unlocked_put(struct unlocked *u, struct span session, int64_t account,
	struct unlocked_keys *keys)
{
	struct entry *e = ALLOC(struct entry), *old;
	struct list out;

	list_init(&out);
	unlocked_holder(session, account, e->holder);
	e->account = account;
	e->keys = *keys;
	keys->n = 0;
	(void)pthread_mutex_lock(&u->lock);
	old = map_put(&u->by_holder, span_of(e->holder, sizeof e->holder), e);
	if (old)
		list_remove(&old->link);
	list_append(&u->entries, &e->link);
	make_room(u, account, &out);
	(void)pthread_mutex_unlock(&u->lock);
	forget(u, &out);
	/* The same holder has new keys in keyd now: the old ones go one by one. */
	if (old)
		unlocked_keys_done(&old->keys);
	free(old);
}

static void copy(const struct unlocked_keys *from, struct unlocked_keys *to)
{
	*to = *from;
	for (size_t i = 0; i < to->n; i++)
		(void)keyd_key_ref(to->keys[i].key);
}

/* keyd knows no such key any more, unless somebody has unlocked again meanwhile. */
static void drop_stale(struct unlocked *u, const uint8_t *holder, const struct keyd_key *key)
{
	struct entry *e;

	(void)pthread_mutex_lock(&u->lock);
	e = map_get(&u->by_holder, span_of(holder, UNLOCKED_HOLDER));
	if (e && e->keys.n && e->keys.keys[0].key == key) {
		(void)map_remove(&u->by_holder, span_of(holder, UNLOCKED_HOLDER));
		list_remove(&e->link);
	} else {
		e = NULL;
	}
	(void)pthread_mutex_unlock(&u->lock);
	if (e)
		unlocked_keys_done(&e->keys);
	free(e);
}

void unlocked_get(struct unlocked *u, struct span session, int64_t account,
	struct unlocked_keys *ret_keys, uint32_t *ret_left_ms)
{
	uint8_t holder[UNLOCKED_HOLDER];
	struct entry *e;

	*ret_keys = (struct unlocked_keys){};
	*ret_left_ms = 0;
	if (session.n != UNLOCKED_SESSION)
		return;
	unlocked_holder(session, account, holder);
	(void)pthread_mutex_lock(&u->lock);
	e = map_get(&u->by_holder, span_of(holder, sizeof holder));
	if (e)
		copy(&e->keys, ret_keys);
	(void)pthread_mutex_unlock(&u->lock);
	/* They lock together, so the first speaks for all. */
	if (ret_keys->n && keyd_key_left(ret_keys->keys[0].key, ret_left_ms)) {
		drop_stale(u, holder, ret_keys->keys[0].key);
		unlocked_keys_done(ret_keys);
		*ret_left_ms = 0;
	}
}

/* An entry's first key, and whose it is. */
struct opened {
	uint8_t holder[UNLOCKED_HOLDER];
	struct keyd_key *key;
};

static size_t copy_opened(struct unlocked *u, int64_t account,
	struct opened ret_opened[static UNLOCKED_SESSIONS_MAX])
{
	size_t n = 0;

	(void)pthread_mutex_lock(&u->lock);
	list_each (l, &u->entries) {
		const struct entry *e = CONTAINER_OF(l, struct entry, link);

		if (e->account != account || !e->keys.n || n == UNLOCKED_SESSIONS_MAX)
			continue;
		memcpy(ret_opened[n].holder, e->holder, sizeof e->holder);
		ret_opened[n++].key = keyd_key_ref(e->keys.keys[0].key);
	}
	(void)pthread_mutex_unlock(&u->lock);
	return n;
}

unsigned unlocked_count(struct unlocked *u, int64_t account)
{
	struct opened opened[UNLOCKED_SESSIONS_MAX];
	size_t n = copy_opened(u, account, opened);
	unsigned n_open = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t left_ms;

		if (keyd_key_left(opened[i].key, &left_ms))
			drop_stale(u, opened[i].holder, opened[i].key);
		else
			n_open++;
		keyd_key_unref(opened[i].key);
	}
	return n_open;
}

int64_t unlocked_next_account(struct unlocked *u, int64_t after)
{
	int64_t next = 0;

	(void)pthread_mutex_lock(&u->lock);
	list_each (l, &u->entries) {
		int64_t account = CONTAINER_OF(l, struct entry, link)->account;

		if (account > after && (!next || account < next))
			next = account;
	}
	(void)pthread_mutex_unlock(&u->lock);
	return next;
}

/* session: NULL: of any. account 0: any. */
static void lock_those(struct unlocked *u, const struct span *session, int64_t account)
{
	struct list out;

	list_init(&out);
	(void)pthread_mutex_lock(&u->lock);
	list_each (l, &u->entries) {
		struct entry *e = CONTAINER_OF(l, struct entry, link);

		if ((!session ||
			    span_equal_secret(span_of(e->holder, UNLOCKED_SESSION), *session)) &&
			(!account || e->account == account))
			take_out(u, e, &out);
	}
	(void)pthread_mutex_unlock(&u->lock);
	forget(u, &out);
}

void unlocked_lock(struct unlocked *u, struct span session, int64_t account)
{
	lock_those(u, &session, account);
}

void unlocked_end_session(struct unlocked *u, struct span session)
{
	lock_those(u, &session, 0);
}

void unlocked_lock_account(struct unlocked *u, int64_t account)
{
	lock_those(u, NULL, account);
}
