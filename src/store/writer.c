/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The one thread that writes: group commit. It takes what is queued, runs each task in a savepoint
 * of one transaction, commits, and then posts them all home. While it commits the next batch
 * gathers by itself, so there is no timer: alone a task waits for nobody, under load a sync is
 * shared by many. More than BATCH_MAX in a commit gives no more tasks a second, only longer
 * commits.
 *
 * A task that returns non-zero is rolled back alone. What voids the transaction (a full disk, an
 * I/O error, a commit that fails) fails all tasks of the batch, also those that had ended with an
 * outcome: it may rest on what another of them did and is undone now. A serialization failure runs
 * the batch again, at most TRIES_MAX times: a task starts from scratch each time it is run.
 *
 * The fault of a task is logged here: its trace belongs to this thread.
 */

#include "store/writer.h"

#include "base/alloc.h"
#include "base/log.h"
#include "store/conn.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum {
	BATCH_MAX = 32,
	TRIES_MAX = 5,
	IDLE_MS = 50, /* nobody came for so long: time for the database's upkeep */
};

struct writer {
	struct executor executor;
	pthread_t thread;
	struct store_conn *conn;
	bool untidy; /* something was committed since the last upkeep */
	pthread_mutex_t lock;
	pthread_cond_t work;
	/* Under the lock. */
	struct list queue;
	bool ending;
	struct writer_figures figures;
};

static int task_run(struct store_conn *c, struct task *t)
{
	struct conn_mark mark = conn_task_begin(c);
	int r = db_savepoint(c->db);

	if (r)
		return r;
	r = t->run(t, c);
	if (!r)
		r = conn_task_end(c);
	if (!r)
		r = db_savepoint_release(c->db);
	if (r) {
		conn_task_undo(c, mark);
		db_savepoint_rollback(c->db);
	}
	return r;
}

/* 0, or what voided the transaction. */
static int batch_try(struct store_conn *c, struct task **batch, size_t n)
{
	int r = db_begin(c->db);

	for (size_t i = 0; i < n && !r; i++) {
		struct task *t = batch[i];

		t->result = atomic_load(&t->cancelled) ? -ECANCELED : task_run(c, t);
		r = db_void(c->db);
		if (t->result < 0 && t->result != -ECANCELED && !r)
			log_fault(NULL, "STORE", "store.task", t->result);
	}
	return r ? r : db_commit(c->db);
}

static void batch_run(struct store_conn *c, struct task **batch, size_t n)
{
	int r = DB_E_RETRY;

	for (unsigned tries = 0; r == DB_E_RETRY && tries < TRIES_MAX; tries++) {
		r = batch_try(c, batch, n);
		if (r) {
			db_rollback(c->db);
			conn_rolled_back(c);
		}
	}
	if (!r) {
		conn_committed(c);
		return;
	}
	if (r == DB_E_FULL)
		r = err_fault(ENOSPC, "commit");
	else if (r == DB_E_RETRY)
		r = err_fault(EAGAIN, "commit");
	r = err_fold(r);
	log_fault(NULL, "STORE", "store.commit", r);
	for (size_t i = 0; i < n; i++)
		batch[i]->result = r;
}

/* With the lock held: waits until there is something to do. False: nobody came, and there is upkeep
 * to be done meanwhile. */
static bool work_wait(struct writer *w)
{
	struct timespec until;
	int error = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += IDLE_MS * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	while (list_is_empty(&w->queue) && !w->ending && error != ETIMEDOUT) {
		if (w->untidy)
			error = pthread_cond_timedwait(&w->work, &w->lock, &until);
		else
			(void)pthread_cond_wait(&w->work, &w->lock);
	}
	return error != ETIMEDOUT;
}

/* A step of upkeep; the next one only if nobody waits. */
static void tidy(struct writer *w)
{
	int r = db_tidy(w->conn->db);

	w->untidy = r == DB_TIDY_MORE;
	if (r < 0)
		log_fault(NULL, "STORE", "store.tidy", r);
}

static bool writer_is_idle(struct writer *w)
{
	bool idle;

	(void)pthread_mutex_lock(&w->lock);
	idle = list_is_empty(&w->queue) && !w->ending;
	(void)pthread_mutex_unlock(&w->lock);
	return idle;
}

/* Waits for work and takes at most BATCH_MAX; 0 when the writer ends. */
static size_t batch_take(struct writer *w, struct task **batch)
{
	size_t n = 0;

	(void)pthread_mutex_lock(&w->lock);
	while (!work_wait(w)) {
		(void)pthread_mutex_unlock(&w->lock);
		do {
			tidy(w);
		} while (w->untidy && writer_is_idle(w));
		(void)pthread_mutex_lock(&w->lock);
	}
	while (n < BATCH_MAX && !list_is_empty(&w->queue)) {
		batch[n] = CONTAINER_OF(w->queue.next, struct task, link);
		list_remove(&batch[n++]->link);
	}
	w->figures.queued -= n;
	(void)pthread_mutex_unlock(&w->lock);
	return n;
}

static void *writer_thread(void *arg)
{
	struct writer *w = arg;
	struct task *batch[BATCH_MAX];
	size_t n;

	(void)pthread_setname_np(pthread_self(), "store-writer");
	while ((n = batch_take(w, batch))) {
		struct timespec from, to;

		(void)clock_gettime(CLOCK_MONOTONIC, &from);
		batch_run(w->conn, batch, n);
		(void)clock_gettime(CLOCK_MONOTONIC, &to);
		(void)pthread_mutex_lock(&w->lock);
		w->figures.commits++;
		w->figures.tasks += n;
		w->figures.commit_us += (uint64_t)((to.tv_sec - from.tv_sec) * 1000000 +
			(to.tv_nsec - from.tv_nsec) / 1000);
		(void)pthread_mutex_unlock(&w->lock);
		for (size_t i = 0; i < n; i++)
			batch[i]->home->post(batch[i]->home, batch[i]);
		w->untidy = true;
	}
	return NULL;
}

static void writer_submit(struct executor *e, struct task *t)
{
	struct writer *w = CONTAINER_OF(e, struct writer, executor);

	(void)pthread_mutex_lock(&w->lock);
	list_append(&w->queue, &t->link);
	w->figures.queued++;
	(void)pthread_mutex_unlock(&w->lock);
	(void)pthread_cond_signal(&w->work);
}

int writer_new(struct writer **ret_writer, struct store_conn *c)
{
	struct writer *w = ALLOC(struct writer);
	pthread_condattr_t monotonic;
	int error;

	w->executor.submit = writer_submit;
	w->conn = c;
	list_init(&w->queue);
	(void)pthread_mutex_init(&w->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&w->work, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	error = pthread_create(&w->thread, NULL, writer_thread, w);
	if (error) {
		(void)pthread_cond_destroy(&w->work);
		(void)pthread_mutex_destroy(&w->lock);
		free(w);
		return err_fault(error, "pthread_create");
	}
	*ret_writer = w;
	return 0;
}

struct writer *writer_free(struct writer *w)
{
	if (!w)
		return NULL;
	(void)pthread_mutex_lock(&w->lock);
	w->ending = true;
	(void)pthread_cond_signal(&w->work);
	(void)pthread_mutex_unlock(&w->lock);
	(void)pthread_join(w->thread, NULL);
	(void)pthread_cond_destroy(&w->work);
	(void)pthread_mutex_destroy(&w->lock);
	free(w);
	return NULL;
}

struct executor *writer_executor(struct writer *w)
{
	return &w->executor;
}

void writer_figures(struct writer *w, struct writer_figures *ret_figures)
{
	(void)pthread_mutex_lock(&w->lock);
	*ret_figures = w->figures;
	(void)pthread_mutex_unlock(&w->lock);
}
