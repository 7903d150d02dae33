/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/task.h"

#include "base/alloc.h"
#include "base/test.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* A home that keeps what comes and hands it out when asked, as a loop does. */
struct test_home {
	struct task_home home;
	pthread_mutex_t lock;
	pthread_cond_t came;
	struct list tasks;
};

static void test_post(struct task_home *home, struct task *t)
{
	struct test_home *h = CONTAINER_OF(home, struct test_home, home);

	(void)pthread_mutex_lock(&h->lock);
	list_append(&h->tasks, &t->link);
	(void)pthread_cond_signal(&h->came);
	(void)pthread_mutex_unlock(&h->lock);
}

static struct task *test_wait(struct test_home *h)
{
	struct task *t;

	(void)pthread_mutex_lock(&h->lock);
	while (list_is_empty(&h->tasks))
		(void)pthread_cond_wait(&h->came, &h->lock);
	t = CONTAINER_OF(h->tasks.next, struct task, link);
	list_remove(&t->link);
	(void)pthread_mutex_unlock(&h->lock);
	return t;
}

static void home_init(struct test_home *h)
{
	h->home.post = test_post;
	(void)pthread_mutex_init(&h->lock, NULL);
	(void)pthread_cond_init(&h->came, NULL);
	list_init(&h->tasks);
}

struct work {
	struct task task;
	unsigned *n_done;
	unsigned *n_dropped;
	pthread_mutex_t *gate; /* held by the test while the work should not end */
};

static int work_run(struct task *t, void *worker)
{
	struct work *w = CONTAINER_OF(t, struct work, task);

	if (w->gate) {
		(void)pthread_mutex_lock(w->gate);
		(void)pthread_mutex_unlock(w->gate);
	}
	return *(int *)worker;
}

static void work_done(struct task *t)
{
	++*CONTAINER_OF(t, struct work, task)->n_done;
}

static void work_drop(struct task *t)
{
	struct work *w = CONTAINER_OF(t, struct work, task);

	++*w->n_dropped;
	free(w);
}

static struct work *work_new(unsigned *n_done, unsigned *n_dropped, pthread_mutex_t *gate)
{
	struct work *w = ALLOC(struct work);

	w->task = (struct task){ .run = work_run, .done = work_done, .drop = work_drop };
	w->n_done = n_done;
	w->n_dropped = n_dropped;
	w->gate = gate;
	return w;
}

static int worker_new(void **ret_worker, void *context)
{
	*ret_worker = context;
	return 0;
}

static int worker_cannot(void **ret_worker, void *context)
{
	(void)ret_worker;
	(void)context;
	return err_fault(ENOENT, "no worker");
}

static void tasks_come_home(void **state)
{
	unsigned n_done = 0, n_dropped = 0;
	struct test_home home;
	struct pool *pool;
	int seven = 7;

	(void)state;
	home_init(&home);
	assert_int_equal(pool_new(&pool, "test", 3, 1000, worker_new, NULL, &seven), 0);
	for (unsigned i = 0; i < 500; i++)
		task_start(pool_executor(pool), &home.home,
			&work_new(&n_done, &n_dropped, NULL)->task);
	for (unsigned i = 0; i < 500; i++) {
		struct task *t = test_wait(&home);

		assert_int_equal(t->result, 7);
		task_finish(t);
	}
	assert_int_equal(n_done, 500);
	assert_int_equal(n_dropped, 500);
	pool_free(pool);
}

static void cancelled_is_only_dropped(void **state)
{
	pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
	unsigned n_done = 0, n_dropped = 0;
	struct test_home home;
	struct pool *pool;
	struct work *running, *waiting;
	int zero = 0;

	(void)state;
	home_init(&home);
	assert_int_equal(pool_new(&pool, "test", 1, 10, worker_new, NULL, &zero), 0);
	(void)pthread_mutex_lock(&gate);
	running = work_new(&n_done, &n_dropped, &gate);
	waiting = work_new(&n_done, &n_dropped, &gate);
	task_start(pool_executor(pool), &home.home, &running->task);
	task_start(pool_executor(pool), &home.home, &waiting->task);
	task_cancel(&running->task);
	task_cancel(&waiting->task);
	(void)pthread_mutex_unlock(&gate);
	task_finish(test_wait(&home));
	task_finish(test_wait(&home));
	assert_int_equal(n_done, 0);
	assert_int_equal(n_dropped, 2);
	pool_free(pool);
}

static void a_full_pool_says_so(void **state)
{
	pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
	unsigned n_done = 0, n_dropped = 0, busy = 0;
	struct test_home home;
	struct pool *pool;
	int zero = 0;

	(void)state;
	home_init(&home);
	assert_int_equal(pool_new(&pool, "test", 1, 4, worker_new, NULL, &zero), 0);
	(void)pthread_mutex_lock(&gate);
	for (unsigned i = 0; i < 20; i++)
		task_start(pool_executor(pool), &home.home,
			&work_new(&n_done, &n_dropped, &gate)->task);
	(void)pthread_mutex_unlock(&gate);
	for (unsigned i = 0; i < 20; i++) {
		struct task *t = test_wait(&home);

		busy += t->result == -EBUSY;
		task_finish(t);
	}
	assert_in_range(busy, 15, 16); /* the running one may have left the queue already */
	assert_int_equal(n_dropped, 20);
	pool_free(pool);
}

static void calls_block(void **state)
{
	struct work w = { .task = { .run = work_run } };
	struct pool *pool;
	int three = 3;

	(void)state;
	assert_int_equal(pool_new(&pool, "test", 2, 4, worker_new, NULL, &three), 0);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(task_call(pool_executor(pool), &w.task), 3);
	pool_free(pool);
}

static void a_worker_that_cannot_start(void **state)
{
	struct pool *pool = NULL;

	(void)state;
	assert_int_equal(pool_new(&pool, "test", 2, 4, worker_cannot, NULL, NULL), -ENOENT);
	assert_null(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tasks_come_home),
		cmocka_unit_test(cancelled_is_only_dropped),
		cmocka_unit_test(a_full_pool_says_so),
		cmocka_unit_test(calls_block),
		cmocka_unit_test(a_worker_that_cannot_start),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
