/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * One list for each authority, found by its number: who asks has read the authority's row, which says the
 * newest one's. When there is too much of them all are forgotten, and come back as they are asked for.
 */

#include "svc/ca_lists.h"

#include "base/alloc.h"
#include "base/map.h"
#include "pki/crl.h"
#include "store/ca_rows.h"
#include "store/store.h"
#include "svc/ca_parts.h"
#include "svc/env.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

struct kept {
	struct ca_list list; /* first: a list is found by it */
	atomic_uint references;
	struct buf octets;
};

struct ca_lists {
	pthread_mutex_t lock;
	struct map lists; /* struct kept by the authority's id */
	size_t n_octets;
	atomic_uint_least64_t n_reads;
};

static struct kept *kept_of(struct ca_list *l)
{
	return CONTAINER_OF(l, struct kept, list);
}

struct ca_list *ca_list_ref(struct ca_list *l)
{
	atomic_fetch_add_explicit(&kept_of(l)->references, 1, memory_order_relaxed);
	return l;
}

struct ca_list *ca_list_unref(struct ca_list *l)
{
	struct kept *k = l ? kept_of(l) : NULL;

	if (!k || atomic_fetch_sub_explicit(&k->references, 1, memory_order_acq_rel) > 1)
		return NULL;
	buf_done(&k->octets);
	free(k);
	return NULL;
}

static void unref_value(void *value)
{
	(void)ca_list_unref(value);
}

struct ca_lists *ca_lists_new(void)
{
	struct ca_lists *all = ALLOC(struct ca_lists);

	(void)pthread_mutex_init(&all->lock, NULL);
	return all;
}

struct ca_lists *ca_lists_free(struct ca_lists *all)
{
	if (!all)
		return NULL;
	map_done(&all->lists, unref_value);
	(void)pthread_mutex_destroy(&all->lock);
	free(all);
	return NULL;
}

uint64_t ca_lists_reads(const struct ca_lists *all)
{
	return atomic_load(&all->n_reads);
}

static struct ca_list *find(struct ca_lists *all, int64_t authority, int64_t number)
{
	struct ca_list *list;

	(void)pthread_mutex_lock(&all->lock);
	list = map_get(&all->lists, span_of(&authority, sizeof authority));
	list = list && list->number == number ? ca_list_ref(list) : NULL;
	(void)pthread_mutex_unlock(&all->lock);
	return list;
}

/* Never an older one in the place of a newer. */
static void keep(struct ca_lists *all, struct ca_list *list)
{
	struct span id = span_of(&list->authority, sizeof list->authority);
	struct ca_list *before;

	if (list->der.n > CA_LISTS_OCTETS)
		return;
	(void)pthread_mutex_lock(&all->lock);
	before = map_get(&all->lists, id);
	if (!before || before->number < list->number) {
		all->n_octets += list->der.n - (before ? before->der.n : 0);
		if (all->n_octets > CA_LISTS_OCTETS) {
			map_done(&all->lists, unref_value);
			all->n_octets = list->der.n;
		}
		(void)ca_list_unref(map_put(&all->lists, id, ca_list_ref(list)));
	}
	(void)pthread_mutex_unlock(&all->lock);
}

static int read_list(struct store_conn *c, void *arg)
{
	struct kept *k = arg;

	buf_clear(&k->octets);
	return store_authority_list(c, k->list.authority, &k->list.number, &k->octets);
}

static int load(struct env *e, int64_t authority, struct ca_list **ret_list)
{
	struct kept *k = ALLOC(struct kept);
	CLEANUP(ca_list_unrefp) struct ca_list *list = &k->list;
	struct crl_times times;
	int r;

	atomic_init(&k->references, 1);
	list->authority = authority;
	r = store_read(e->store, read_list, k);
	if (r)
		return r == STORE_E_NOT_FOUND ? CA_LISTS_E_NONE : err_fold(r);
	atomic_fetch_add(&e->ca->lists->n_reads, 1);
	list->der = buf_span(&k->octets);
	if (!crl_read_times(list->der, &times) || !times.has_next_update)
		return err_fault(EBADMSG, "a revocation list of ours");
	list->this_update_us = times.this_update_us;
	list->next_update_us = times.next_update_us;
	*ret_list = TAKE(list);
	return 0;
}

int ca_lists_get(struct env *e, int64_t authority, int64_t number, struct ca_list **ret_list)
{
	struct ca_list *list = find(e->ca->lists, authority, number);

	if (!list) {
		int r = load(e, authority, &list);

		if (r)
			return r;
		keep(e->ca->lists, list);
	}
	*ret_list = list;
	return 0;
}
