/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "net/loop.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { POSTERS = 4, POSTS = 2000 };

struct counted {
	struct post post;
	struct loop *loop;
	unsigned *count; /* on the loop only */
};

static void counted_run(struct post *p)
{
	struct counted *c = CONTAINER_OF(p, struct counted, post);

	assert_true(loop_is_here(c->loop));
	if (++*c->count == POSTERS * POSTS)
		loop_stop(c->loop);
	free(c);
}

struct poster {
	struct loop *loop;
	unsigned *count;
};

static void *post_many(void *context)
{
	struct poster *poster = context;

	for (int i = 0; i < POSTS; i++) {
		struct counted *c = ALLOC(struct counted);

		*c = (struct counted){ { .run = counted_run }, poster->loop, poster->count };
		loop_post(poster->loop, &c->post);
	}
	return NULL;
}

static void test_posts_from_threads(void **state)
{
	pthread_t threads[POSTERS];
	unsigned count = 0;
	struct poster poster = { .count = &count };

	(void)state;
	assert_int_equal(loop_new(&poster.loop), 0);
	for (int i = 0; i < POSTERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, post_many, &poster), 0);
	loop_run(poster.loop);
	for (int i = 0; i < POSTERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(count, POSTERS * POSTS);
	loop_free(poster.loop);
}

struct timed {
	struct loop_timer timer;
	struct loop *loop;
	int64_t started_ms, delay_ms;
	struct timed *victim; /* stopped when this one fires */
	unsigned *left;
	bool fired;
};

static void timed_fire(struct loop_timer *t)
{
	struct timed *timed = CONTAINER_OF(t, struct timed, timer);
	int64_t passed_ms = clock_monotonic_ms() - timed->started_ms;

	assert_true(passed_ms >= timed->delay_ms);
	timed->fired = true;
	if (timed->victim)
		timer_stop(&timed->victim->timer);
	if (--*timed->left == 0)
		loop_stop(timed->loop);
}

static void test_timers(void **state)
{
	static const int64_t delays[] = { 0, 1, 63, 64, 65, 130, 200, 200, 30000, 120000 };
	enum { N = sizeof delays / sizeof delays[0] };
	struct timed timers[N] = {};
	struct loop *loop;
	unsigned left = 7;

	(void)state;
	assert_int_equal(loop_new(&loop), 0);
	for (size_t i = 0; i < N; i++) {
		timers[i] = (struct timed){ .loop = loop, .started_ms = clock_monotonic_ms(),
			.delay_ms = delays[i], .left = &left };
		timer_init(&timers[i].timer, timed_fire);
		timer_start(loop, &timers[i].timer, delays[i]);
	}
	/* Two are due at the same moment, and the first stops the second. */
	timers[6].victim = &timers[7];
	/* Pushed back before it fires, and then further than the others take. */
	timer_start(loop, &timers[8].timer, 60000);
	loop_run(loop);
	for (size_t i = 0; i < 7; i++)
		assert_true(timers[i].fired);
	for (size_t i = 7; i < N; i++)
		assert_false(timers[i].fired);
	assert_false(timer_is_set(&timers[7].timer));
	assert_true(timer_is_set(&timers[8].timer));
	loop_free(loop);
}

struct job {
	struct task task;
	struct loop *loop;
	unsigned *done, *dropped;
};

static int job_run(struct task *t, void *worker)
{
	(void)t;
	(void)worker;
	return -EIO;
}

static void job_done(struct task *t)
{
	struct job *job = CONTAINER_OF(t, struct job, task);

	assert_true(loop_is_here(job->loop));
	assert_int_equal(t->result, -EIO);
	++*job->done;
	loop_stop(job->loop);
}

static void job_drop(struct task *t)
{
	struct job *job = CONTAINER_OF(t, struct job, task);

	++*job->dropped;
	free(job);
}

static struct job *job_new(struct loop *loop, unsigned *done, unsigned *dropped)
{
	struct job *job = ALLOC(struct job);

	*job = (struct job){ { .run = job_run, .done = job_done, .drop = job_drop }, loop, done,
		dropped };
	return job;
}

static void test_tasks_come_home(void **state)
{
	unsigned done = 0, dropped = 0;
	struct loop *loop;
	struct pool *pool;
	struct job *cancelled;

	(void)state;
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(pool_new(&pool, "test", 1, 10, NULL, NULL, NULL), 0);
	cancelled = job_new(loop, &done, &dropped);
	task_start(pool_executor(pool), loop_home(loop), &cancelled->task);
	task_cancel(&cancelled->task);
	task_start(pool_executor(pool), loop_home(loop), &job_new(loop, &done, &dropped)->task);
	loop_run(loop);
	assert_int_equal(done, 1);
	assert_int_equal(dropped, 2);

	/* What comes home after the loop's end is dropped when it is freed. */
	task_start(pool_executor(pool), loop_home(loop), &job_new(loop, &done, &dropped)->task);
	pool_free(pool);
	loop_free(loop);
	assert_int_equal(dropped, 3);
}

struct deferred {
	struct post post;
	struct loop *loop;
	unsigned runs;
	struct deferred *other;
};

static void deferred_run(struct post *p)
{
	struct deferred *d = CONTAINER_OF(p, struct deferred, post);

	if (d->other)
		post_cancel(&d->other->post);
	if (++d->runs == 3)
		loop_stop(d->loop);
	else
		loop_defer(d->loop, &d->post);
}

static void test_defer(void **state)
{
	struct deferred a = {}, b = {};

	(void)state;
	assert_int_equal(loop_new(&a.loop), 0);
	a.other = &b;
	b.loop = a.loop;
	post_init(&a.post, deferred_run);
	post_init(&b.post, deferred_run);
	loop_defer(a.loop, &a.post);
	loop_defer(a.loop, &a.post);
	loop_defer(a.loop, &b.post);
	loop_run(a.loop);
	assert_int_equal(a.runs, 3);
	assert_int_equal(b.runs, 0);
	loop_free(a.loop);
}

struct piped {
	struct loop *loop;
	struct watch *watch;
	int fds[2];
	unsigned calls;
};

static void piped_ready(void *context, unsigned what)
{
	struct piped *p = context;

	p->calls++;
	assert_int_equal(what, WATCH_READ);
	p->watch = watch_free(p->watch);
	loop_stop(p->loop);
}

static void note_call(void *context)
{
	++*(unsigned *)context;
}

static void test_watch_and_call(void **state)
{
	struct piped p = {};
	unsigned calls = 0;

	(void)state;
	assert_int_equal(loop_new(&p.loop), 0);
	assert_int_equal(pipe(p.fds), 0);
	p.watch = watch_new(p.loop, p.fds[0], piped_ready, &p);
	assert_int_equal(watch_set(p.watch, WATCH_READ), 0);
	assert_int_equal(write(p.fds[1], "x", 1), 1);
	loop_run(p.loop);
	assert_int_equal(p.calls, 1);

	assert_int_equal(loop_start(p.loop, "test"), 0);
	loop_call(p.loop, note_call, &calls);
	assert_int_equal(calls, 1);
	loop_free(p.loop);
	(void)close(p.fds[0]);
	(void)close(p.fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_posts_from_threads),
		cmocka_unit_test(test_timers),
		cmocka_unit_test(test_tasks_come_home),
		cmocka_unit_test(test_defer),
		cmocka_unit_test(test_watch_and_call),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
