/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Keys by handle: a map for finding and a list in order of last use, whose old end makes room. Of
 * whom they are is a holder for each session, which knows when one of its keys was last used: the
 * mail of years is read with old keys and new ones, and they lock together. A thread that is using
 * a key holds a reference: a key that is forgotten meanwhile lives until that one operation ends.
 * OpenSSL wipes the numbers of a private key when its last reference goes.
 */

#include "keyd/vault.h"

#include "base/alloc.h"
#include "base/list.h"
#include "base/map.h"
#include "base/random.h"

#include <pthread.h>
#include <stdlib.h>

struct holder {
	uint8_t session[KEYD_SESSION_MAX];
	size_t n_session;
	struct list entries;
	int64_t used_ms;
	int64_t idle_ms; /* 0: for ever */
};

struct entry {
	struct list link;
	struct list of_holder;
	struct holder *holder;
	uint8_t handle[KEYD_HANDLE];
	enum keyd_purpose purpose;
	EVP_PKEY *key;
	EVP_PKEY_CTX *signer; /* NULL: nothing was signed yet */
	struct keyd_sign how; /* the signer's parameters */
};

struct vault {
	pthread_mutex_t lock;
	struct map by_handle;
	struct map by_session; /* struct holder */
	struct list by_use;    /* oldest first */
	size_t max_keys;
};

struct vault *vault_new(size_t max_keys)
{
	struct vault *v = ALLOC(struct vault);

	pthread_mutex_init(&v->lock, NULL);
	list_init(&v->by_use);
	v->max_keys = max_keys;
	return v;
}

static struct span session_of(const struct holder *h)
{
	return span_of(h->session, h->n_session);
}

static void holder_drop_empty(struct vault *v, struct holder *h)
{
	if (!list_is_empty(&h->entries))
		return;
	(void)map_remove(&v->by_session, session_of(h));
	explicit_bzero(h, sizeof *h);
	free(h);
}

/* The holder goes with its last key. */
static void entry_drop(struct vault *v, struct entry *e)
{
	(void)map_remove(&v->by_handle, span_of(e->handle, KEYD_HANDLE));
	list_remove(&e->link);
	list_remove(&e->of_holder);
	holder_drop_empty(v, e->holder);
	EVP_PKEY_CTX_free(e->signer);
	EVP_PKEY_free(e->key);
	explicit_bzero(e, sizeof *e);
	free(e);
}

static struct entry *oldest(struct vault *v)
{
	return list_is_empty(&v->by_use) ? NULL : CONTAINER_OF(v->by_use.next, struct entry, link);
}

struct vault *vault_free(struct vault *v)
{
	if (!v)
		return NULL;
	while (oldest(v))
		entry_drop(v, oldest(v));
	map_done(&v->by_handle, NULL);
	map_done(&v->by_session, NULL);
	pthread_mutex_destroy(&v->lock);
	free(v);
	return NULL;
}

static void holder_drop(struct vault *v, struct holder *h)
{
	bool last;

	do {
		last = h->entries.next->next == &h->entries;
		entry_drop(v, CONTAINER_OF(h->entries.next, struct entry, of_holder));
	} while (!last);
}

static bool is_over(const struct holder *h, int64_t now_ms)
{
	return h->idle_ms && now_ms - h->used_ms >= h->idle_ms;
}

/* Under the lock. Keys of one holder lie anywhere in the list: each drop begins anew. */
static void expire(struct vault *v, int64_t now_ms)
{
	struct list *l = v->by_use.next;

	while (l != &v->by_use) {
		struct holder *h = CONTAINER_OF(l, struct entry, link)->holder;

		l = l->next;
		if (is_over(h, now_ms)) {
			holder_drop(v, h);
			l = v->by_use.next;
		}
	}
}

void vault_expire(struct vault *v, int64_t now_ms)
{
	pthread_mutex_lock(&v->lock);
	expire(v, now_ms);
	pthread_mutex_unlock(&v->lock);
}

/* Under the lock. */
static struct holder *holder_of(struct vault *v, struct span session)
{
	struct holder *h = map_get(&v->by_session, session);

	if (h)
		return h;
	h = ALLOC(struct holder);
	h->n_session = session.n;
	if (session.n)
		memcpy(h->session, session.p, session.n);
	list_init(&h->entries);
	(void)map_put(&v->by_session, session, h);
	return h;
}

void vault_add(struct vault *v, EVP_PKEY *key, enum keyd_purpose purpose, struct span session,
	int64_t idle_ms, int64_t now_ms, uint8_t ret_handle[static KEYD_HANDLE])
{
	struct entry *e = ALLOC(struct entry);

	random_fill(e->handle, sizeof e->handle);
	memcpy(ret_handle, e->handle, KEYD_HANDLE);
	e->purpose = purpose;
	EVP_PKEY_up_ref(key);
	e->key = key;

	pthread_mutex_lock(&v->lock);
	expire(v, now_ms);
	if (v->by_handle.n >= v->max_keys)
		entry_drop(v, oldest(v));
	e->holder = holder_of(v, span_head(session, KEYD_SESSION_MAX));
	e->holder->used_ms = now_ms;
	e->holder->idle_ms = idle_ms;
	list_append(&e->holder->entries, &e->of_holder);
	(void)map_put(&v->by_handle, span_of(e->handle, KEYD_HANDLE), e);
	list_append(&v->by_use, &e->link);
	pthread_mutex_unlock(&v->lock);
}

/* Under the lock. */
static struct entry *find(struct vault *v, struct span handle, struct span session)
{
	struct entry *e = map_get(&v->by_handle, handle);

	return e && span_equal_secret(session_of(e->holder), session) ? e : NULL;
}

/* The same, unless its time is over: then all of the holder's keys go. */
static struct entry *find_valid(struct vault *v, struct span handle, struct span session,
	int64_t now_ms)
{
	struct entry *e = find(v, handle, session);

	if (!e || !is_over(e->holder, now_ms))
		return e;
	holder_drop(v, e->holder);
	return NULL;
}

int vault_get(struct vault *v, struct span handle, struct span session, int64_t now_ms,
	EVP_PKEY **ret_key, enum keyd_purpose *ret_purpose)
{
	struct entry *e;
	int r = VAULT_E_GONE;

	pthread_mutex_lock(&v->lock);
	e = find_valid(v, handle, session, now_ms);
	if (e) {
		e->holder->used_ms = now_ms;
		list_remove(&e->link);
		list_append(&v->by_use, &e->link);
		EVP_PKEY_up_ref(e->key);
		*ret_key = e->key;
		*ret_purpose = e->purpose;
		r = 0;
	}
	pthread_mutex_unlock(&v->lock);
	return r;
}

int vault_left(struct vault *v, struct span handle, struct span session, int64_t now_ms,
	int64_t *ret_left_ms)
{
	struct entry *e;
	int r = VAULT_E_GONE;

	pthread_mutex_lock(&v->lock);
	e = find_valid(v, handle, session, now_ms);
	if (e) {
		*ret_left_ms = e->holder->idle_ms ? e->holder->used_ms + e->holder->idle_ms - now_ms
						  : 0;
		r = 0;
	}
	pthread_mutex_unlock(&v->lock);
	return r;
}

EVP_PKEY_CTX *vault_signer(struct vault *v, struct span handle, const struct keyd_sign *how)
{
	EVP_PKEY_CTX *copy = NULL;
	struct entry *e;

	pthread_mutex_lock(&v->lock);
	e = map_get(&v->by_handle, handle);
	if (e && e->signer && memcmp(&e->how, how, sizeof *how) == 0)
		copy = EVP_PKEY_CTX_dup(e->signer);
	pthread_mutex_unlock(&v->lock);
	return copy;
}

void vault_keep_signer(struct vault *v, struct span handle, const struct keyd_sign *how,
	const EVP_PKEY_CTX *signer)
{
	struct entry *e;

	pthread_mutex_lock(&v->lock);
	e = map_get(&v->by_handle, handle);
	if (e && !e->signer) {
		e->signer = EVP_PKEY_CTX_dup(signer);
		e->how = *how;
	}
	pthread_mutex_unlock(&v->lock);
}

void vault_forget(struct vault *v, struct span handle, struct span session)
{
	struct entry *e;

	pthread_mutex_lock(&v->lock);
	e = find(v, handle, session);
	if (e)
		entry_drop(v, e);
	pthread_mutex_unlock(&v->lock);
}

void vault_forget_session(struct vault *v, struct span session)
{
	struct holder *h;

	pthread_mutex_lock(&v->lock);
	h = map_get(&v->by_session, session);
	if (h)
		holder_drop(v, h);
	pthread_mutex_unlock(&v->lock);
}
