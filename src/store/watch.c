/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Who is told of a mailbox's changes. The watchers are called with the lock held: that is what
 * makes store_unwatch final, and why they may only pass the word on.
 */

#include "base/alloc.h"
#include "base/map.h"
#include "store/conn.h"
#include "store/view.h"
#include "store/view_cache.h"

#include <pthread.h>
#include <stdlib.h>

struct watches {
	pthread_mutex_t lock;
	struct map lists; /* by mailbox: struct list */
};

struct watches *watches_new(void)
{
	struct watches *watches = ALLOC(struct watches);

	(void)pthread_mutex_init(&watches->lock, NULL);
	return watches;
}

struct watches *watches_free(struct watches *watches)
{
	if (!watches)
		return NULL;
	map_done(&watches->lists, free);
	(void)pthread_mutex_destroy(&watches->lock);
	free(watches);
	return NULL;
}

static struct span key_of(const int64_t *mailbox)
{
	return span_of(mailbox, sizeof *mailbox);
}

void watches_notify(struct watches *watches, const int64_t *mailboxes, size_t n)
{
	(void)pthread_mutex_lock(&watches->lock);
	for (size_t i = 0; i < n && watches->lists.n; i++) {
		struct list *list = map_get(&watches->lists, key_of(&mailboxes[i]));

		if (!list)
			continue;
		list_each(l, list)
		{
			struct store_watch *w = CONTAINER_OF(l, struct store_watch, link);

			w->notify(w);
		}
	}
	(void)pthread_mutex_unlock(&watches->lock);
}

void store_watch(struct store *s, struct store_watch *w)
{
	struct watches *watches = s->watches;
	struct list *list;

	(void)pthread_mutex_lock(&watches->lock);
	list = map_get(&watches->lists, key_of(&w->mailbox));
	if (!list) {
		list = ALLOC(struct list);
		list_init(list);
		(void)map_put(&watches->lists, key_of(&w->mailbox), list);
	}
	list_append(list, &w->link);
	(void)pthread_mutex_unlock(&watches->lock);
}

void store_unwatch(struct store *s, struct store_watch *w)
{
	struct watches *watches = s->watches;
	struct list *list;

	(void)pthread_mutex_lock(&watches->lock);
	list_remove(&w->link);
	list = map_get(&watches->lists, key_of(&w->mailbox));
	if (list && list_is_empty(list))
		free(map_remove(&watches->lists, key_of(&w->mailbox)));
	(void)pthread_mutex_unlock(&watches->lock);
}
