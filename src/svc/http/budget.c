/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/http/budget.h"

#include "base/alloc.h"
#include "base/map.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct budget {
	uint64_t max, max_each;
	pthread_mutex_t lock;
	uint64_t taken;
	struct map keys; /* those that have taken something: key to share */
};

struct share {
	uint64_t taken;
};

struct budget *budget_new(uint64_t max, uint64_t max_each)
{
	struct budget *b = ALLOC(struct budget);

	b->max = max;
	b->max_each = max_each;
	(void)pthread_mutex_init(&b->lock, NULL);
	return b;
}

struct budget *budget_free(struct budget *b)
{
	if (!b)
		return NULL;
	map_done(&b->keys, free);
	(void)pthread_mutex_destroy(&b->lock);
	free(b);
	return NULL;
}

bool budget_take(struct budget *b, struct span key, uint64_t n)
{
	struct share *share;
	bool is_there;

	(void)pthread_mutex_lock(&b->lock);
	share = map_get(&b->keys, key);
	is_there = n <= b->max - b->taken && n <= b->max_each - (share ? share->taken : 0);
	if (is_there && n) {
		if (!share) {
			share = ALLOC(struct share);
			(void)map_put(&b->keys, key, share);
		}
		share->taken += n;
		b->taken += n;
	}
	(void)pthread_mutex_unlock(&b->lock);
	return is_there;
}

void budget_give(struct budget *b, struct span key, uint64_t n)
{
	struct share *share;

	if (n == 0)
		return;
	(void)pthread_mutex_lock(&b->lock);
	share = map_get(&b->keys, key);
	assert(share && share->taken >= n);
	share->taken -= n;
	b->taken -= n;
	if (share->taken == 0)
		free(map_remove(&b->keys, key));
	(void)pthread_mutex_unlock(&b->lock);
}
