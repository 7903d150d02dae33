/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/ca_turns.h"

#include "base/alloc.h"
#include "base/map.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { WAIT_S = 1 };

struct turn {
	struct timespec until; /* who has a list waits so long, by the monotonic clock */
	uint64_t number;
};

struct ca_turns {
	pthread_mutex_t lock;
	pthread_cond_t given;
	struct map taken; /* struct turn by the authority's id */
	uint64_t n;       /* turns so far */
};

struct ca_turns *ca_turns_new(void)
{
	struct ca_turns *t = ALLOC(struct ca_turns);

	(void)pthread_mutex_init(&t->lock, NULL);
	(void)pthread_cond_init(&t->given, NULL);
	return t;
}

struct ca_turns *ca_turns_free(struct ca_turns *t)
{
	if (!t)
		return NULL;
	map_done(&t->taken, free);
	(void)pthread_cond_destroy(&t->given);
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
	return NULL;
}

/* Whether it is worth looking again: not if the same turn lasts for too long. Others' may follow it, each of
 * them quick. */
static bool wait_for(struct ca_turns *t, struct span id, const struct turn *turn, bool has_one)
{
	struct timespec until = turn->until;
	uint64_t number = turn->number;

	if (!has_one)
		return pthread_cond_wait(&t->given, &t->lock) == 0;
	if (pthread_cond_clockwait(&t->given, &t->lock, CLOCK_MONOTONIC, &until) == 0)
		return true;
	turn = map_get(&t->taken, id);
	return !turn || turn->number != number;
}

bool ca_turns_take(struct ca_turns *t, int64_t authority, bool has_one)
{
	struct span id = span_of(&authority, sizeof authority);
	struct turn *turn;
	bool may = true;

	(void)pthread_mutex_lock(&t->lock);
	while (may && (turn = map_get(&t->taken, id)))
		may = wait_for(t, id, turn, has_one);
	if (may) {
		turn = ALLOC(struct turn);
		(void)clock_gettime(CLOCK_MONOTONIC, &turn->until);
		turn->until.tv_sec += WAIT_S;
		turn->number = ++t->n;
		(void)map_put(&t->taken, id, turn);
	}
	(void)pthread_mutex_unlock(&t->lock);
	return may;
}

void ca_turns_give(struct ca_turns *t, int64_t authority)
{
	(void)pthread_mutex_lock(&t->lock);
	free(map_remove(&t->taken, span_of(&authority, sizeof authority)));
	(void)pthread_cond_broadcast(&t->given);
	(void)pthread_mutex_unlock(&t->lock);
}
