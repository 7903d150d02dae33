/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Work that runs on another thread and comes back to where it was asked for. A task is embedded in
 * its owner's structure. An executor runs it (a pool of worker threads, or the store's writer); a
 * home brings it back (an event loop, or a thread that waits). What runs is straight-line code.
 *
 * The life of a task: started, run, then either done (on the home's thread) or, if it was cancelled
 * meanwhile, only dropped. drop is the last call in either case and frees the memory. A task that
 * is being run is not interrupted; what it wrote stays written.
 */

#include "base/err.h"
#include "base/list.h"

#include <stdatomic.h>
#include <stddef.h>

struct task {
	/* Set by the owner. worker is the executor's own per-thread thing: a database connection. */
	int (*run)(struct task *t, void *worker);
	void (*done)(struct task *t);
	void (*drop)(struct task *t); /* may be NULL */

	int result; /* what run returned, or the executor's fault */

	/* Private to executors and homes. */
	struct task_home *home;
	struct list link;
	atomic_bool cancelled;
};

/* Brings a finished task home. Called on the worker's thread; must end in task_finish(t) on the
 * home's own thread. */
struct task_home {
	void (*post)(struct task_home *home, struct task *t);
};

/* Where nobody waits: a task ends on the thread that ran it. */
extern struct task_home task_home_here;

struct executor {
	/* Takes the task; from now on it belongs to the executor until it is posted home. */
	void (*submit)(struct executor *e, struct task *t);
};

/* Starts a task. */
void task_start(struct executor *e, struct task_home *home, struct task *t);

/* The owner is gone: done will not be called. On the home's thread only. */
void task_cancel(struct task *t);

/* On the home's thread: done unless cancelled, then drop. */
void task_finish(struct task *t);

/* Starts a task and blocks until it was run; returns its result. done and drop are not called. For
 * threads that have no loop: HTTP workers, start-up, tests. */
int task_call(struct executor *e, struct task *t) MUST_CHECK;

/* A pool of worker threads. worker_new (may be NULL) makes the thread's own thing on that thread;
 * if it fails the pool does not start. At most queue_max tasks wait: one more is finished at once
 * with -EBUSY, so a flood cannot fill memory. */
struct pool;
int pool_new(struct pool **ret_pool, const char *name, unsigned n_threads, size_t queue_max,
	int (*worker_new)(void **ret_worker, void *context), void (*worker_free)(void *worker),
	void *context) MUST_CHECK;

/* Lets waiting tasks run, then ends the threads. */
struct pool *pool_free(struct pool *p);

/* Each thread calls the function with its worker, once, between two tasks or while it has none; the
 * same function in all calls. Returns at once. */
void pool_refresh(struct pool *p, void (*refresh)(void *worker));

/* The pool as an executor. */
struct executor *pool_executor(struct pool *p);

/* Tasks that wait at the moment, for the metrics. */
size_t pool_waiting(struct pool *p);
