/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The current view of each mailbox that somebody uses, brought up to date from what changed.
 *
 * Whether a view is current is decided by a count of commits: the writer raises it after each
 * commit that changed mailboxes, and notes it for their buckets. A view knows the count that was
 * read before its database snapshot began, so everything up to there is in it. It is current as
 * long as its bucket was not noted later. Mailboxes that share a bucket only make each other look
 * stale; then the database is asked.
 */

#include "store/view.h"

#include "base/alloc.h"
#include "base/map.h"
#include "store/conn.h"
#include "store/message.h"
#include "store/view_cache.h"
#include "store/view_rows.h"

#include <pthread.h>
#include <stdlib.h>

enum {
	BUCKETS = 4096,
	/* Rows of views that nobody uses any more: 20 octets each. */
	ROWS_KEPT_MAX = 2 << 20,
	EVICT_STEPS = 8,
};

struct entry {
	struct list link; /* in the order of last use, oldest first */
	struct view *view;
	uint64_t as_of;
};

struct view_cache {
	pthread_mutex_t lock;
	uint64_t n_commits;
	uint64_t changed_at[BUCKETS];
	struct map entries;
	struct list used;
	uint64_t n_rows;
};

struct view_cache *view_cache_new(void)
{
	struct view_cache *cache = ALLOC(struct view_cache);

	(void)pthread_mutex_init(&cache->lock, NULL);
	list_init(&cache->used);
	return cache;
}

static void entry_free(void *value)
{
	struct entry *e = value;

	view_unref(e->view);
	free(e);
}

struct view_cache *view_cache_free(struct view_cache *cache)
{
	if (!cache)
		return NULL;
	map_done(&cache->entries, entry_free);
	(void)pthread_mutex_destroy(&cache->lock);
	free(cache);
	return NULL;
}

static uint64_t *bucket_of(struct view_cache *cache, int64_t mailbox)
{
	return &cache->changed_at[(uint64_t)mailbox % BUCKETS];
}

static struct span key_of(const int64_t *mailbox)
{
	return span_of(mailbox, sizeof *mailbox);
}

void view_cache_changed(struct view_cache *cache, const int64_t *mailboxes, size_t n)
{
	if (n == 0)
		return;
	(void)pthread_mutex_lock(&cache->lock);
	cache->n_commits++;
	for (size_t i = 0; i < n; i++)
		*bucket_of(cache, mailboxes[i]) = cache->n_commits;
	(void)pthread_mutex_unlock(&cache->lock);
}

static uint64_t commits_so_far(struct view_cache *cache)
{
	uint64_t n;

	(void)pthread_mutex_lock(&cache->lock);
	n = cache->n_commits;
	(void)pthread_mutex_unlock(&cache->lock);
	return n;
}

/* With the lock held: marks the entry as used last. */
static void entry_touch(struct view_cache *cache, struct entry *e)
{
	list_remove(&e->link);
	list_append(&cache->used, &e->link);
}

struct view *store_view_cached(struct store *s, int64_t mailbox)
{
	struct view_cache *cache = s->views;
	struct view *v = NULL;
	struct entry *e;

	(void)pthread_mutex_lock(&cache->lock);
	e = map_get(&cache->entries, key_of(&mailbox));
	if (e && e->as_of >= *bucket_of(cache, mailbox)) {
		entry_touch(cache, e);
		v = view_ref(e->view);
	}
	(void)pthread_mutex_unlock(&cache->lock);
	return v;
}

/* The newest view that is known, to start from; or NULL. */
static struct view *view_cache_base(struct view_cache *cache, int64_t mailbox)
{
	struct view *v = NULL;
	struct entry *e;

	(void)pthread_mutex_lock(&cache->lock);
	e = map_get(&cache->entries, key_of(&mailbox));
	if (e)
		v = view_ref(e->view);
	(void)pthread_mutex_unlock(&cache->lock);
	return v;
}

/* With the lock held: takes the entry out. */
static void entry_drop(struct view_cache *cache, struct entry *e)
{
	(void)map_remove(&cache->entries, key_of(&e->view->mailbox));
	list_remove(&e->link);
	cache->n_rows -= e->view->n;
	entry_free(e);
}

/* With the lock held: views that only the cache has go, those used longest ago first. */
static void evict(struct view_cache *cache)
{
	for (unsigned i = 0; i < EVICT_STEPS && cache->n_rows > ROWS_KEPT_MAX; i++) {
		struct entry *e = CONTAINER_OF(cache->used.next, struct entry, link);

		if (__atomic_load_n(&e->view->refs, __ATOMIC_ACQUIRE) > 1)
			entry_touch(cache, e);
		else
			entry_drop(cache, e);
	}
}

/* Keeps the view unless a newer one is there already. */
static void view_cache_keep(struct view_cache *cache, struct view *v, uint64_t as_of)
{
	struct entry *e;

	(void)pthread_mutex_lock(&cache->lock);
	e = map_get(&cache->entries, key_of(&v->mailbox));
	if (!e) {
		e = ALLOC(struct entry);
		list_init(&e->link);
		e->view = view_ref(v);
		cache->n_rows += v->n;
		(void)map_put(&cache->entries, key_of(&v->mailbox), e);
	} else if (e->view->modseq < v->modseq) {
		cache->n_rows += (uint64_t)v->n - e->view->n;
		view_unref(e->view);
		e->view = view_ref(v);
	}
	if (e->view->modseq == v->modseq && e->as_of < as_of)
		e->as_of = as_of;
	entry_touch(cache, e);
	evict(cache);
	(void)pthread_mutex_unlock(&cache->lock);
}

static void view_cache_forget(struct view_cache *cache, int64_t mailbox)
{
	struct entry *e;

	(void)pthread_mutex_lock(&cache->lock);
	e = map_get(&cache->entries, key_of(&mailbox));
	if (e)
		entry_drop(cache, e);
	(void)pthread_mutex_unlock(&cache->lock);
}

/* What the mailbox's row says. */
struct mailbox_state {
	uint32_t uidvalidity, uidnext;
	uint64_t modseq;
	uint64_t expunged_floor;
	uint32_t n;
};

static int state_read(struct store_conn *c, int64_t mailbox, struct mailbox_state *ret_state)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	bool row;

	TRY(db_query_row(&q, &row, c->db,
		"select uidvalidity, uidnext, highest_modseq, expunged_floor, n_messages from "
		"mailbox"
		" where id = $1 and account is not null",
		DB_ARGS(DB_INT(mailbox))));
	if (!row)
		return STORE_E_NOT_FOUND;
	*ret_state = (struct mailbox_state){
		.uidvalidity = (uint32_t)db_int(q, 0),
		.uidnext = (uint32_t)db_int(q, 1),
		.modseq = (uint64_t)db_int(q, 2),
		.expunged_floor = (uint64_t)db_int(q, 3),
		.n = (uint32_t)db_int(q, 4),
	};
	return 0;
}

static struct view_row row_of(struct db_statement *q)
{
	return (struct view_row){
		.uid = (uint32_t)db_int(q, 0),
		.flags = (uint64_t)db_int(q, 1),
		.modseq = (uint64_t)db_int(q, 2),
	};
}

static int load_rows(struct store_conn *c, int64_t mailbox, struct view_rows *rows)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	int r = 0;

	TRY(db_query(&q, c->db,
		"select uid, flags, modseq from message where mailbox = $1 order by uid",
		DB_ARGS(DB_INT(mailbox))));
	while (db_next(q, &r))
		view_rows_put(rows, row_of(q));
	return r;
}

static int load(struct store_conn *c, int64_t mailbox, const struct mailbox_state *state,
	struct view **ret_view)
{
	struct view_rows *rows = view_rows_new(state->n);
	int r = load_rows(c, mailbox, rows);

	if (r) {
		view_rows_unref(rows);
		return r;
	}
	*ret_view = view_new(rows);
	return 0;
}

static int row_order(const void *a, const void *b)
{
	const struct view_row *x = a;
	const struct view_row *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

/* What changed since the base. */
static int update(struct store_conn *c, struct view *base, struct view **ret_view)
{
	CLEANUP(db_resetp) struct db_statement *q = NULL;
	CLEANUP(buf_done) struct buf changed = {}, expunged = {};
	bool complete;
	int r = 0;

	/* Not "order by uid": the engine would rather walk the whole mailbox than sort. */
	TRY(db_query(&q, c->db,
		"select uid, flags, modseq from message where mailbox = $1 and modseq > $2",
		DB_ARGS(DB_INT(base->mailbox), DB_INT(base->modseq))));
	while (db_next(q, &r)) {
		struct view_row row = row_of(q);

		buf_add(&changed, span_of(&row, sizeof row));
	}
	if (r)
		return r;
	if (buf_size(&changed))
		qsort(changed.p, buf_size(&changed) / sizeof(struct view_row),
			sizeof(struct view_row), row_order);
	TRY(store_expunged_since(c, base->mailbox, base->modseq, &expunged, &complete));
	*ret_view = view_merge(base, (const struct view_row *)(const void *)buf_span(&changed).p,
		buf_size(&changed) / sizeof(struct view_row),
		(const uint32_t *)(const void *)buf_span(&expunged).p,
		buf_size(&expunged) / sizeof(uint32_t));
	return 0;
}

/* The view as the connection sees the mailbox, from the base if that leads there. */
static int view_make(
	struct store_conn *c, int64_t mailbox, struct view *base, struct view **ret_view)
{
	struct mailbox_state state;
	struct view *v;
	int r = state_read(c, mailbox, &state);

	if (r)
		return r;
	/* Newer than this connection's moment: what another reader made meanwhile. */
	if (base && base->modseq >= state.modseq) {
		*ret_view = view_ref(base);
		return 0;
	}
	if (base && base->modseq >= state.expunged_floor)
		TRY(update(c, base, &v));
	else
		TRY(load(c, mailbox, &state, &v));
	v->mailbox = mailbox;
	v->uidvalidity = state.uidvalidity;
	v->uidnext = state.uidnext;
	v->modseq = state.modseq;
	*ret_view = v;
	return 0;
}

int store_view(struct store_conn *c, int64_t mailbox, struct view **ret_view)
{
	struct view_cache *cache = c->store->views;
	CLEANUP(view_unrefp) struct view *base = view_cache_base(cache, mailbox);
	uint64_t as_of = commits_so_far(cache);
	struct view *v;
	int r;

	/* What the writer sees is not committed yet, so it is nobody else's. */
	if (c->writer)
		return view_make(c, mailbox, base, ret_view);
	TRY(db_begin(c->db));
	r = view_make(c, mailbox, base, &v);
	db_rollback(c->db);
	if (r == STORE_E_NOT_FOUND)
		view_cache_forget(cache, mailbox);
	if (r)
		return r;
	view_cache_keep(cache, v, as_of);
	*ret_view = v;
	return 0;
}
