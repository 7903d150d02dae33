/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Keys by handle: a map for finding and a list in order of last use, so that expiring and making
 * room look at its old end only. A thread that is using a key holds a reference: a key that is
 * forgotten meanwhile lives until that one operation ends. OpenSSL wipes the numbers of a private
 * key when its last reference goes.
 */

#include "keyd/vault.h"

#include "base/alloc.h"
#include "base/list.h"
#include "base/map.h"
#include "base/random.h"

#include <pthread.h>
#include <stdlib.h>

struct entry {
	struct list link;
	uint8_t handle[KEYD_HANDLE];
	uint8_t session[KEYD_SESSION_MAX];
	size_t n_session;
	enum keyd_purpose purpose;
	EVP_PKEY *key;
	EVP_PKEY_CTX *signer; /* NULL: nothing was signed yet */
	struct keyd_sign how; /* the signer's parameters */
	int64_t used_ms;
};

struct vault {
	pthread_mutex_t lock;
	struct map by_handle;
	struct list by_use; /* oldest first */
	size_t max_keys;
	int64_t idle_ms;
};

struct vault *vault_new(size_t max_keys, int64_t idle_ms)
{
	struct vault *v = ALLOC(struct vault);

	pthread_mutex_init(&v->lock, NULL);
	list_init(&v->by_use);
	v->max_keys = max_keys;
	v->idle_ms = idle_ms;
	return v;
}

static void entry_drop(struct vault *v, struct entry *e)
{
	(void)map_remove(&v->by_handle, span_of(e->handle, KEYD_HANDLE));
	list_remove(&e->link);
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
	pthread_mutex_destroy(&v->lock);
	free(v);
	return NULL;
}

static void expire(struct vault *v, int64_t now_ms)
{
	while (v->idle_ms && oldest(v) && now_ms - oldest(v)->used_ms >= v->idle_ms)
		entry_drop(v, oldest(v));
}

void vault_expire(struct vault *v, int64_t now_ms)
{
	pthread_mutex_lock(&v->lock);
	expire(v, now_ms);
	pthread_mutex_unlock(&v->lock);
}

void vault_add(struct vault *v, EVP_PKEY *key, enum keyd_purpose purpose, struct span session,
	int64_t now_ms, uint8_t ret_handle[static KEYD_HANDLE])
{
	struct entry *e = ALLOC(struct entry);

	random_fill(e->handle, sizeof e->handle);
	memcpy(ret_handle, e->handle, KEYD_HANDLE);
	e->n_session = span_head(session, KEYD_SESSION_MAX).n;
	if (e->n_session)
		memcpy(e->session, session.p, e->n_session);
	e->purpose = purpose;
	EVP_PKEY_up_ref(key);
	e->key = key;
	e->used_ms = now_ms;

	pthread_mutex_lock(&v->lock);
	expire(v, now_ms);
	if (v->by_handle.n >= v->max_keys)
		entry_drop(v, oldest(v));
	(void)map_put(&v->by_handle, span_of(e->handle, KEYD_HANDLE), e);
	list_append(&v->by_use, &e->link);
	pthread_mutex_unlock(&v->lock);
}

/* Under the lock. */
static struct entry *find(struct vault *v, struct span handle, struct span session)
{
	struct entry *e = map_get(&v->by_handle, handle);

	if (e && span_equal_secret(span_of(e->session, e->n_session), session))
		return e;
	return NULL;
}

int vault_get(struct vault *v, struct span handle, struct span session, int64_t now_ms,
	EVP_PKEY **ret_key, enum keyd_purpose *ret_purpose)
{
	struct entry *e;
	int r = VAULT_E_GONE;

	pthread_mutex_lock(&v->lock);
	expire(v, now_ms);
	e = find(v, handle, session);
	if (e) {
		e->used_ms = now_ms;
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
	pthread_mutex_lock(&v->lock);
	list_each(l, &v->by_use) {
		struct entry *e = CONTAINER_OF(l, struct entry, link);

		if (span_equal_secret(span_of(e->session, e->n_session), session))
			entry_drop(v, e);
	}
	pthread_mutex_unlock(&v->lock);
}
