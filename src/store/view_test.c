/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Views and watchers, with readers and the writer at work at the same time. */

#include "store/view.h"

#include "base/alloc.h"
#include "base/log.h"
#include "store/fixture.h"
#include "store/mailbox.h"
#include "store/message.h"
#include "store/view_rows.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

static struct view *view_of(const uint32_t *uids, size_t n)
{
	struct view_rows *rows = view_rows_new(0);

	for (size_t i = 0; i < n; i++)
		view_rows_put(rows, (struct view_row){ uids[i], uids[i] * 10, uids[i] * 100 });
	return view_new(rows);
}

static void expect_uids(const struct view *v, const uint32_t *uids, size_t n)
{
	assert_int_equal(v->n, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(v->uids[i], uids[i]);
}

static void test_merge(void **state)
{
	static const uint32_t base_uids[] = { 2, 4, 6, 8 };
	static const uint32_t merged[] = { 4, 8, 9, 11 };
	static const uint32_t expunged[] = { 1, 2, 6, 10 };
	static const struct view_row changed[] = { { 4, 1, 2 }, { 9, 3, 4 }, { 11, 5, 6 } };
	CLEANUP(view_unrefp) struct view *base = view_of(base_uids, 4);
	CLEANUP(view_unrefp) struct view *v = view_merge(base, changed, 3, expunged, 4);
	CLEANUP(view_unrefp) struct view *empty = NULL;

	(void)state;
	expect_uids(v, merged, 4);
	assert_int_equal(v->flags[0], 1);
	assert_int_equal(v->modseqs[0], 2);
	assert_int_equal(v->flags[1], 80);
	assert_int_equal(v->flags[3], 5);
	expect_uids(base, base_uids, 4);
	empty = view_merge(v, NULL, 0, merged, 4);
	assert_int_equal(empty->n, 0);
	assert_int_equal(view_find(base, 1), 0);
	assert_int_equal(view_find(base, 4), 1);
	assert_int_equal(view_find(base, 5), 2);
	assert_int_equal(view_find(base, 9), 4);
}

/* Two successors of one view: the first may share its memory, the second must not see that. */
static void test_append_shares_once(void **state)
{
	static const uint32_t base_uids[] = { 1, 2 };
	static const uint32_t one[] = { 1, 2, 3 };
	static const uint32_t other[] = { 1, 2, 5 };
	static const struct view_row third = { 3, 0, 0 };
	static const struct view_row fifth = { 5, 0, 0 };
	CLEANUP(view_unrefp) struct view *base = view_of(base_uids, 2);
	CLEANUP(view_unrefp) struct view *a = view_merge(base, &third, 1, NULL, 0);
	CLEANUP(view_unrefp) struct view *b = view_merge(base, &fifth, 1, NULL, 0);

	(void)state;
	assert_ptr_equal(a->uids, base->uids);
	assert_ptr_not_equal(b->uids, base->uids);
	expect_uids(base, base_uids, 2);
	expect_uids(a, one, 3);
	expect_uids(b, other, 3);
}

struct call {
	int64_t mailbox;
	struct view *view;
	uint32_t uid;
	int fails;

};

static int get_view(struct store_conn *c, void *arg)
{
	struct call *k = arg;

	return store_view(c, k->mailbox, &k->view);
}

static int see_in_task(struct store_conn *c, void *arg)
{
	struct call *k = arg;
	uint64_t modseq;
	CLEANUP(buf_done) struct buf modified = {};

	TRY(store_flags(c, k->mailbox, &k->uid, 1, FLAGS_ADD, FLAG_SEEN, UINT64_MAX, &modified,
		&modseq));
	TRY(store_view(c, k->mailbox, &k->view));
	return k->fails;
}

/* What a task sees of its own is not shown to others unless it is committed. */
static void test_uncommitted_view(void **state)
{
	struct fixture *f = *state;
	struct call k = { .mailbox = f->inbox, .fails = STORE_E_REFUSED };
	struct view *own;

	k.uid = fixture_deliver(f, f->inbox, SPAN("x"), 0);
	assert_int_equal(store_write(f->store, see_in_task, &k), STORE_E_REFUSED);
	own = k.view;
	assert_int_equal(own->flags[0], FLAG_SEEN);
	assert_int_equal(store_read(f->store, get_view, &k), 0);
	assert_int_equal(k.view->flags[0], 0);
	view_unref(own);
	own = store_view_cached(f->store, f->inbox);
	assert_ptr_equal(own, k.view);
	view_unref(own);
	view_unref(k.view);
	k.fails = 0;
	assert_int_equal(store_write(f->store, see_in_task, &k), 0);
	view_unref(k.view);
	assert_null(store_view_cached(f->store, f->inbox));
	assert_int_equal(store_read(f->store, get_view, &k), 0);
	assert_int_equal(k.view->flags[0], FLAG_SEEN);
	view_unref(k.view);
}

struct watcher {
	struct store_watch watch;
	int n;
};

static void count_notice(struct store_watch *w)
{
	(void)__atomic_add_fetch(&CONTAINER_OF(w, struct watcher, watch)->n, 1, __ATOMIC_RELAXED);
}

static void watcher_init(struct watcher *w, int64_t mailbox)
{
	*w = (struct watcher){ .watch.mailbox = mailbox, .watch.notify = count_notice };
	list_init(&w->watch.link);
}

static int rename_trash(struct store_conn *c, void *arg)
{
	struct fixture *f = arg;

	return store_mailbox_rename(c, f->account, SPAN("Trash"), SPAN("Bin"), NULL);
}

static int delete_bin(struct store_conn *c, void *arg)
{
	struct fixture *f = arg;

	return store_mailbox_delete(c, f->account, SPAN("Bin"), NULL);
}

static void test_watching(void **state)
{
	struct fixture *f = *state;
	struct watcher inbox, second, trash;
	struct call k = { .mailbox = f->inbox, .fails = STORE_E_REFUSED };

	watcher_init(&inbox, f->inbox);
	watcher_init(&second, f->inbox);
	watcher_init(&trash, fixture_mailbox(f, f->account, "Trash"));
	store_watch(f->store, &inbox.watch);
	store_watch(f->store, &second.watch);
	store_watch(f->store, &trash.watch);
	k.uid = fixture_deliver(f, f->inbox, SPAN("x"), 0);
	assert_int_equal(inbox.n, 1);
	assert_int_equal(second.n, 1);
	assert_int_equal(trash.n, 0);
	assert_int_equal(store_write(f->store, see_in_task, &k), STORE_E_REFUSED);
	view_unref(k.view);
	assert_int_equal(inbox.n, 1); /* rolled back: nothing to tell */
	store_unwatch(f->store, &inbox.watch);
	(void)fixture_deliver(f, f->inbox, SPAN("x"), 0);
	assert_int_equal(inbox.n, 1);
	assert_int_equal(second.n, 2);
	store_unwatch(f->store, &second.watch);
	store_unwatch(f->store, &second.watch);
	assert_int_equal(store_write(f->store, rename_trash, f), 0);
	assert_int_equal(trash.n, 1);
	assert_int_equal(store_write(f->store, delete_bin, f), 0);
	assert_int_equal(trash.n, 2);
	store_unwatch(f->store, &trash.watch);
}

/* The writer changes a mailbox while two threads hold views of it. Message n is delivered with n in
 * its flags, so a view that is torn shows. */
struct race {
	struct fixture *fixture;
	atomic_bool ending;
	atomic_uint acknowledged; /* UIDs up to here were delivered */
	atomic_uint n_views;
};

enum { RACE_MESSAGES = 300 };

static void check_view(const struct view *v, uint32_t at_least)
{
	uint32_t last = v->n ? v->uids[v->n - 1] : 0;

	assert_true(last >= at_least);
	assert_int_equal(v->uidnext, last + 1);
	for (uint32_t i = 0; i < v->n; i++) {
		assert_true(i == 0 || v->uids[i] > v->uids[i - 1]);
		assert_int_equal(v->flags[i] >> FLAG_KEYWORD_SHIFT, v->uids[i]);
		assert_true(v->modseqs[i] <= v->modseq);
	}
}

static void *race_reader(void *arg)
{
	struct race *race = arg;
	struct call k = { .mailbox = race->fixture->inbox };

	while (!atomic_load(&race->ending)) {
		/* Whatever was acknowledged before asking must be in what comes. */
		uint32_t at_least = atomic_load(&race->acknowledged);
		CLEANUP(view_unrefp) struct view *v = store_view_cached(race->fixture->store,
			race->fixture->inbox);

		if (!v) {
			assert_int_equal(store_read(race->fixture->store, get_view, &k), 0);
			v = k.view;
		}
		check_view(v, at_least);
		atomic_fetch_add(&race->n_views, 1);
	}
	return NULL;
}

static int expunge_old(struct store_conn *c, void *arg)
{
	struct call *k = arg;
	CLEANUP(buf_done) struct buf removed = {};
	uint32_t uid = k->uid / 2;
	uint64_t modseq;

	return store_expunge(c, k->mailbox, &uid, 1, false, &removed, &modseq);
}

static void test_race(void **state)
{
	struct race race = { .fixture = *state };
	struct call k = { .mailbox = race.fixture->inbox };
	pthread_t readers[2];

	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, race_reader, &race), 0);
	for (uint32_t i = 1; i <= RACE_MESSAGES; i++) {
		k.uid = fixture_deliver(race.fixture, k.mailbox, SPAN("x"),
			(uint64_t)i << FLAG_KEYWORD_SHIFT);
		assert_int_equal(k.uid, i);
		atomic_store(&race.acknowledged, k.uid);
		if (i % 3 == 0)
			assert_int_equal(store_write(race.fixture->store, expunge_old, &k), 0);
	}
	atomic_store(&race.ending, true);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_join(readers[i], NULL), 0);
	assert_true(atomic_load(&race.n_views) > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_append_shares_once),
		FIXTURE_TEST(test_uncommitted_view),
		FIXTURE_TEST(test_watching),
		FIXTURE_TEST(test_race),
	};

	log_set_stderr(false);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
