/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * An event loop on a thread of its own: readiness of file descriptors, timers, and work that comes
 * from other threads. Everything but loop_post, loop_home's post and loop_stop belongs to the
 * loop's own thread (or to any one thread while the loop does not run).
 */

#include "base/err.h"
#include "base/list.h"
#include "base/task.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;

int loop_new(struct loop **ret_loop) MUST_CHECK;

/* Runs the loop on a new thread until loop_stop. The name is the thread's. */
int loop_start(struct loop *l, const char *name) MUST_CHECK;

/* Runs it on the calling thread until loop_stop. */
void loop_run(struct loop *l);

/* Asks the loop to end after what it does now. From any thread, also before it runs. */
void loop_stop(struct loop *l);

/* Stops and joins the thread, then runs what was still posted on the calling thread, so that
 * finished tasks are dropped. Whoever posts must have ended before; streams and watches too. */
struct loop *loop_free(struct loop *l);

/* Where tasks that were started from this loop come home to. */
struct task_home *loop_home(struct loop *l);

/* Whether the caller is on the loop's thread. */
bool loop_is_here(const struct loop *l);

/* One call to be made on the loop's thread. Embedded in its owner; run may free it. */
struct post {
	void (*run)(struct post *p);
	struct list link; /* private */
};

/* From any thread. The post may not be posted again before it ran, and cannot be taken back. */
void loop_post(struct loop *l, struct post *p);

/* On the loop's thread: runs after the events at hand, before the loop sleeps. What is deferred
 * meanwhile runs in the next round. Deferring twice is once. The post must have been set up with
 * post_init; post_cancel takes it back. */
void post_init(struct post *p, void (*run)(struct post *p));
void loop_defer(struct loop *l, struct post *p);
void post_cancel(struct post *p);

/* Runs fn on the loop's thread and returns when it has; at once if the caller is there or the loop
 * does not run. Not from another loop's thread: two loops would wait for each other for ever. */
void loop_call(struct loop *l, void (*fn)(void *context), void *context);

/* A timer on a coarse wheel: never early, up to about 70 ms late, and setting it is cheap enough
 * to be done for each command. Embedded in its owner. */
struct loop_timer {
	void (*fire)(struct loop_timer *t);
	struct list link; /* private, as the next */
	int64_t due_ms;
};

void timer_init(struct loop_timer *t, void (*fire)(struct loop_timer *t));

/* Fires once, delay_ms from now; replaces what was set. */
void timer_start(struct loop *l, struct loop_timer *t, int64_t delay_ms);
void timer_stop(struct loop_timer *t);
bool timer_is_set(const struct loop_timer *t);

/* Readiness of a file descriptor, level-triggered. ready may free the watch. The descriptor stays
 * the caller's and is closed after watch_free. */
enum { WATCH_READ = 1, WATCH_WRITE = 2 };

struct watch;
struct watch *watch_new(struct loop *l, int fd, void (*ready)(void *context, unsigned what),
	void *context);

/* What to wait for from now on: 0 or a sum of the above. */
int watch_set(struct watch *w, unsigned what) MUST_CHECK;
void watch_off(struct watch *w);
struct watch *watch_free(struct watch *w);
