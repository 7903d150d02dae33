/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/limit.h"

#include "base/alloc.h"
#include "base/list.h"
#include "base/map.h"

#include <pthread.h>
#include <stdlib.h>

void bucket_init(struct bucket *b, double rate, double burst, int64_t now_ms)
{
	*b = (struct bucket){ .tokens = burst, .rate = rate, .burst = burst, .filled_ms = now_ms };
}

bool bucket_take(struct bucket *b, double n, int64_t now_ms)
{
	if (now_ms > b->filled_ms) {
		b->tokens += b->rate * (double)(now_ms - b->filled_ms) / 1000;
		if (b->tokens > b->burst)
			b->tokens = b->burst;
		b->filled_ms = now_ms;
	}
	if (b->tokens < n)
		return false;
	b->tokens -= n;
	return true;
}

struct limiter_entry {
	struct list link; /* in limiter.idle_order, the one used longest ago first */
	struct bucket bucket;
	uint32_t open;
	size_t n;
	uint8_t key[];
};

struct limiter {
	pthread_mutex_t lock;
	struct map entries;
	struct list order;
	double rate;
	double burst;
	uint32_t max_open;
	size_t max_keys;
};

struct limiter *limiter_new(double rate, double burst, uint32_t max_open, size_t max_keys)
{
	struct limiter *l = ALLOC(struct limiter);

	(void)pthread_mutex_init(&l->lock, NULL);
	list_init(&l->order);
	l->rate = rate;
	l->burst = burst;
	l->max_open = max_open;
	l->max_keys = max_keys;
	return l;
}

struct limiter *limiter_free(struct limiter *l)
{
	if (l) {
		map_done(&l->entries, free);
		(void)pthread_mutex_destroy(&l->lock);
		free(l);
	}
	return NULL;
}

void limiter_set(struct limiter *l, double rate, double burst, uint32_t max_open)
{
	(void)pthread_mutex_lock(&l->lock);
	l->rate = rate;
	l->burst = burst;
	l->max_open = max_open;
	(void)pthread_mutex_unlock(&l->lock);
}

/* Forgets the key that was idle longest. One that has something open stays: its count must not
 * start again at zero. */
static void forget_one(struct limiter *l)
{
	list_each (link, &l->order) {
		struct limiter_entry *e = CONTAINER_OF(link, struct limiter_entry, link);

		if (e->open)
			continue;
		list_remove(&e->link);
		(void)map_remove(&l->entries, span_of(e->key, e->n));
		free(e);
		return;
	}
}

static struct limiter_entry *entry(struct limiter *l, struct span key, int64_t now_ms)
{
	struct limiter_entry *e = map_get(&l->entries, key);

	if (!e) {
		if (l->entries.n >= l->max_keys)
			forget_one(l);
		e = alloc_zero(sizeof *e + key.n);
		e->n = key.n;
		if (key.n)
			memcpy(e->key, key.p, key.n);
		bucket_init(&e->bucket, l->rate, l->burst, now_ms);
		list_init(&e->link);
		(void)map_put(&l->entries, key, e);
	}
	e->bucket.rate = l->rate;
	e->bucket.burst = l->burst;
	list_remove(&e->link);
	list_append(&l->order, &e->link);
	return e;
}

bool limiter_take(struct limiter *l, struct span key, int64_t now_ms)
{
	bool ok;

	(void)pthread_mutex_lock(&l->lock);
	ok = l->rate <= 0 || bucket_take(&entry(l, key, now_ms)->bucket, 1, now_ms);
	(void)pthread_mutex_unlock(&l->lock);
	return ok;
}

void limiter_give(struct limiter *l, struct span key)
{
	struct limiter_entry *e;

	(void)pthread_mutex_lock(&l->lock);
	e = map_get(&l->entries, key);
	if (e && e->bucket.tokens + 1 <= e->bucket.burst)
		e->bucket.tokens += 1;
	(void)pthread_mutex_unlock(&l->lock);
}

bool limiter_open(struct limiter *l, struct span key, int64_t now_ms)
{
	struct limiter_entry *e;
	bool ok;

	(void)pthread_mutex_lock(&l->lock);
	e = entry(l, key, now_ms);
	ok = l->max_open == 0 || e->open < l->max_open;
	if (ok)
		e->open++;
	(void)pthread_mutex_unlock(&l->lock);
	return ok;
}

void limiter_close(struct limiter *l, struct span key)
{
	struct limiter_entry *e;

	(void)pthread_mutex_lock(&l->lock);
	e = map_get(&l->entries, key);
	if (e && e->open)
		e->open--;
	(void)pthread_mutex_unlock(&l->lock);
}
