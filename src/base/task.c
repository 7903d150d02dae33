/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "base/task.h"

#include "base/alloc.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

void task_start(struct executor *e, struct task_home *home, struct task *t)
{
	t->home = home;
	t->result = 0;
	list_init(&t->link);
	atomic_store(&t->cancelled, false);
	e->submit(e, t);
}

void task_cancel(struct task *t)
{
	atomic_store(&t->cancelled, true);
}

void task_finish(struct task *t)
{
	/* done may start the task anew or free its owner: drop is read first, and a task that keeps
	 * its memory has none. */
	void (*drop)(struct task *) = t->drop;

	if (!atomic_load(&t->cancelled))
		t->done(t);
	if (drop)
		drop(t);
}

static void post_here(struct task_home *home, struct task *t)
{
	(void)home;
	task_finish(t);
}

struct task_home task_home_here = { .post = post_here };

struct caller {
	struct task_home home;
	pthread_mutex_t lock;
	pthread_cond_t finished;
	bool done;
};

static void caller_post(struct task_home *home, struct task *t)
{
	struct caller *c = CONTAINER_OF(home, struct caller, home);

	(void)t;
	(void)pthread_mutex_lock(&c->lock);
	c->done = true;
	(void)pthread_cond_signal(&c->finished);
	(void)pthread_mutex_unlock(&c->lock);
}

int task_call(struct executor *e, struct task *t)
{
	struct caller c = { .home.post = caller_post };

	(void)pthread_mutex_init(&c.lock, NULL);
	(void)pthread_cond_init(&c.finished, NULL);
	task_start(e, &c.home, t);
	(void)pthread_mutex_lock(&c.lock);
	while (!c.done)
		(void)pthread_cond_wait(&c.finished, &c.lock);
	(void)pthread_mutex_unlock(&c.lock);
	(void)pthread_cond_destroy(&c.finished);
	(void)pthread_mutex_destroy(&c.lock);
	return t->result;
}

struct pool {
	struct executor executor;
	pthread_mutex_t lock;
	pthread_cond_t work;    /* a task came, or the pool ends */
	pthread_cond_t started; /* a thread has made its worker, or could not */
	struct list waiting;
	size_t n_waiting;
	size_t queue_max;
	bool ending;
	void (*refresh)(void *worker);
	unsigned n_refreshes;
	unsigned n_started;
	int start_fault;
	char name[16];
	int (*worker_new)(void **ret_worker, void *context);
	void (*worker_free)(void *worker);
	void *context;
	unsigned n_threads;
	pthread_t threads[];
};

/* With the lock, which is let go meanwhile. */
static void pool_do_refresh(struct pool *p, void *worker, unsigned *refreshed)
{
	void (*refresh)(void *worker) = p->refresh;

	*refreshed = p->n_refreshes;
	(void)pthread_mutex_unlock(&p->lock);
	refresh(worker);
	(void)pthread_mutex_lock(&p->lock);
}

/* The next task, or NULL when the pool ends and nothing waits. refreshed: how many refreshes this
 * thread has seen. */
static struct task *pool_take(struct pool *p, void *worker, unsigned *refreshed)
{
	struct task *t = NULL;

	(void)pthread_mutex_lock(&p->lock);
	for (;;) {
		if (*refreshed != p->n_refreshes)
			pool_do_refresh(p, worker, refreshed);
		else if (list_is_empty(&p->waiting) && !p->ending)
			(void)pthread_cond_wait(&p->work, &p->lock);
		else
			break;
	}
	if (!list_is_empty(&p->waiting)) {
		t = CONTAINER_OF(p->waiting.next, struct task, link);
		list_remove(&t->link);
		p->n_waiting--;
	}
	(void)pthread_mutex_unlock(&p->lock);
	return t;
}

static void *pool_thread(void *arg)
{
	struct pool *p = arg;
	void *worker = NULL;
	unsigned refreshed = 0;
	struct task *t;
	int r = 0;

	(void)pthread_setname_np(pthread_self(), p->name);
	if (p->worker_new)
		r = p->worker_new(&worker, p->context);
	(void)pthread_mutex_lock(&p->lock);
	p->n_started++;
	if (r)
		p->start_fault = err_fold(r);
	(void)pthread_cond_signal(&p->started);
	(void)pthread_mutex_unlock(&p->lock);
	if (r)
		return NULL;
	while ((t = pool_take(p, worker, &refreshed))) {
		t->result = atomic_load(&t->cancelled) ? -ECANCELED : t->run(t, worker);
		t->home->post(t->home, t);
	}
	if (p->worker_free)
		p->worker_free(worker);
	return NULL;
}

static void pool_submit(struct executor *e, struct task *t)
{
	struct pool *p = CONTAINER_OF(e, struct pool, executor);
	bool full;

	(void)pthread_mutex_lock(&p->lock);
	full = p->n_waiting >= p->queue_max || p->ending;
	if (!full) {
		list_append(&p->waiting, &t->link);
		p->n_waiting++;
	}
	(void)pthread_mutex_unlock(&p->lock);
	if (!full) {
		/* Without the lock, which the thread that wakes up wants first of all. */
		(void)pthread_cond_signal(&p->work);
		return;
	}
	t->result = err_fault(EBUSY, "pool is full");
	t->home->post(t->home, t);
}

int pool_new(struct pool **ret_pool, const char *name, unsigned n_threads, size_t queue_max,
	int (*worker_new)(void **, void *), void (*worker_free)(void *), void *context)
{
	struct pool *p = alloc_zero(sizeof *p + n_threads * sizeof p->threads[0]);
	pthread_attr_t attributes;
	int fault;

	p->executor.submit = pool_submit;
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->work, NULL);
	(void)pthread_cond_init(&p->started, NULL);
	list_init(&p->waiting);
	p->queue_max = queue_max;
	(void)snprintf(p->name, sizeof p->name, "%s", name);
	p->worker_new = worker_new;
	p->worker_free = worker_free;
	p->context = context;
	(void)pthread_attr_init(&attributes);
	(void)pthread_attr_setstacksize(&attributes, 2 << 20);
	for (; p->n_threads < n_threads; p->n_threads++) {
		if (pthread_create(&p->threads[p->n_threads], &attributes, pool_thread, p))
			break;
	}
	(void)pthread_attr_destroy(&attributes);
	(void)pthread_mutex_lock(&p->lock);
	while (p->n_started < p->n_threads)
		(void)pthread_cond_wait(&p->started, &p->lock);
	fault = p->n_threads < n_threads ? err_fault(EAGAIN, "pthread_create") : p->start_fault;
	(void)pthread_mutex_unlock(&p->lock);
	if (fault) {
		pool_free(p);
		return fault;
	}
	*ret_pool = p;
	return 0;
}

struct pool *pool_free(struct pool *p)
{
	if (!p)
		return NULL;
	(void)pthread_mutex_lock(&p->lock);
	p->ending = true;
	(void)pthread_cond_broadcast(&p->work);
	(void)pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n_threads; i++)
		(void)pthread_join(p->threads[i], NULL);
	(void)pthread_cond_destroy(&p->started);
	(void)pthread_cond_destroy(&p->work);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
	return NULL;
}

void pool_refresh(struct pool *p, void (*refresh)(void *worker))
{
	(void)pthread_mutex_lock(&p->lock);
	p->refresh = refresh;
	p->n_refreshes++;
	(void)pthread_cond_broadcast(&p->work);
	(void)pthread_mutex_unlock(&p->lock);
}

struct executor *pool_executor(struct pool *p)
{
	return &p->executor;
}

size_t pool_waiting(struct pool *p)
{
	size_t n;

	(void)pthread_mutex_lock(&p->lock);
	n = p->n_waiting;
	(void)pthread_mutex_unlock(&p->lock);
	return n;
}
