/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Event loops on libevent, which is called on the loop's own thread only: it needs no locks. Other
 * threads reach a loop through two lists under one mutex and an eventfd, written once however many
 * posts wait.
 *
 * Timers are a hashed wheel. Nearly all are time-outs that are pushed back before they fire, so
 * setting one is two pointer changes; libevent hears of it only when the loop must wake up
 * earlier than it would. Timers beyond one turn of the wheel are looked at once per turn.
 */

#include "net/loop.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	TICK_MS = 64,
	SLOTS = 1024,
};

struct loop {
	struct task_home home;
	struct event_base *base;

	pthread_mutex_t lock;
	struct list tasks; /* these under lock */
	struct list posts;
	bool signalled;
	int wake_fd;
	struct event wake;
	atomic_bool stopping;

	struct list deferred;

	struct list wheel[SLOTS];
	int64_t last_tick;  /* looked at up to here */
	int64_t armed_tick; /* INT64_MAX: no timer is set */
	struct event tick;

	pthread_t thread;
	bool has_thread;
	atomic_bool running;
	pthread_t runner; /* valid while running */
};

static void list_move(struct list *to, struct list *from)
{
	list_init(to);
	if (list_is_empty(from))
		return;
	*to = *from;
	to->next->previous = to;
	to->previous->next = to;
	list_init(from);
}

static struct list *list_pop(struct list *head)
{
	struct list *l = head->next;

	if (l == head)
		return NULL;
	list_remove(l);
	return l;
}

/* Under lock. */
static void loop_signal(struct loop *l)
{
	const uint64_t one = 1;

	if (l->signalled)
		return;
	l->signalled = true;
	/* Fails only with a full counter, and then the loop wakes up anyway. */
	(void)!write(l->wake_fd, &one, sizeof one);
}

static void loop_post_task(struct task_home *home, struct task *t)
{
	struct loop *l = CONTAINER_OF(home, struct loop, home);

	(void)pthread_mutex_lock(&l->lock);
	list_append(&l->tasks, &t->link);
	loop_signal(l);
	(void)pthread_mutex_unlock(&l->lock);
}

void loop_post(struct loop *l, struct post *p)
{
	(void)pthread_mutex_lock(&l->lock);
	list_append(&l->posts, &p->link);
	loop_signal(l);
	(void)pthread_mutex_unlock(&l->lock);
}

static void loop_run_posted(struct loop *l)
{
	struct list tasks, posts, *link;

	(void)pthread_mutex_lock(&l->lock);
	list_move(&tasks, &l->tasks);
	list_move(&posts, &l->posts);
	l->signalled = false;
	(void)pthread_mutex_unlock(&l->lock);
	while ((link = list_pop(&tasks)))
		task_finish(CONTAINER_OF(link, struct task, link));
	while ((link = list_pop(&posts))) {
		struct post *p = CONTAINER_OF(link, struct post, link);

		p->run(p);
	}
}

static void loop_on_wake(evutil_socket_t fd, short what, void *context)
{
	uint64_t count;

	(void)what;
	(void)!read(fd, &count, sizeof count);
	loop_run_posted(context);
}

void post_init(struct post *p, void (*run)(struct post *p))
{
	p->run = run;
	list_init(&p->link);
}

void loop_defer(struct loop *l, struct post *p)
{
	if (list_is_empty(&p->link))
		list_append(&l->deferred, &p->link);
}

void post_cancel(struct post *p)
{
	list_remove(&p->link);
}

static void loop_run_deferred(struct loop *l)
{
	struct list round, *link;

	list_move(&round, &l->deferred);
	while ((link = list_pop(&round))) {
		struct post *p = CONTAINER_OF(link, struct post, link);

		p->run(p);
	}
}

/* The tick at which the slot is looked at next. */
static int64_t slot_tick(const struct loop *l, int64_t due_tick)
{
	int64_t next = l->last_tick + 1;

	return due_tick <= next ? next : next + (due_tick - next) % SLOTS;
}

static void loop_arm(struct loop *l, int64_t tick, int64_t now_ms)
{
	int64_t wait_ms = tick * TICK_MS - now_ms;
	struct timeval tv;

	if (wait_ms < 0)
		wait_ms = 0;
	tv.tv_sec = wait_ms / 1000;
	tv.tv_usec = wait_ms % 1000 * 1000;
	l->armed_tick = tick;
	(void)evtimer_add(&l->tick, &tv);
}

static void loop_rearm(struct loop *l, int64_t now_ms)
{
	for (int64_t tick = l->last_tick + 1; tick <= l->last_tick + SLOTS; tick++) {
		if (!list_is_empty(&l->wheel[tick % SLOTS])) {
			loop_arm(l, tick, now_ms);
			return;
		}
	}
	l->armed_tick = INT64_MAX;
}

static void loop_on_tick(evutil_socket_t fd, short what, void *context)
{
	struct loop *l = context;
	int64_t now_ms = clock_monotonic_ms(), now_tick = now_ms / TICK_MS;
	int64_t first = l->last_tick + 1;
	struct list due, *link;

	(void)fd;
	(void)what;
	list_init(&due);
	if (first <= now_tick - SLOTS)
		first = now_tick - SLOTS + 1;
	for (int64_t tick = first; tick <= now_tick; tick++) {
		list_each (member, &l->wheel[tick % SLOTS]) {
			if (CONTAINER_OF(member, struct loop_timer, link)->due_ms > now_ms)
				continue;
			list_remove(member);
			list_append(&due, member);
		}
	}
	l->last_tick = now_tick;
	loop_rearm(l, now_ms);
	/* A timer that fires may stop others that are due too: they leave this list then. */
	while ((link = list_pop(&due))) {
		struct loop_timer *t = CONTAINER_OF(link, struct loop_timer, link);

		t->fire(t);
	}
}

void timer_init(struct loop_timer *t, void (*fire)(struct loop_timer *t))
{
	t->fire = fire;
	list_init(&t->link);
}

void timer_start(struct loop *l, struct loop_timer *t, int64_t delay_ms)
{
	int64_t now_ms = clock_monotonic_ms(), tick;

	list_remove(&t->link);
	t->due_ms = now_ms + (delay_ms > 0 ? delay_ms : 0);
	if (l->armed_tick == INT64_MAX)
		l->last_tick = now_ms / TICK_MS; /* nothing is in the wheel */
	/* Rounded up: when its slot is looked at, it is due. */
	tick = slot_tick(l, (t->due_ms + TICK_MS - 1) / TICK_MS);
	list_append(&l->wheel[tick % SLOTS], &t->link);
	if (tick < l->armed_tick)
		loop_arm(l, tick, now_ms);
}

void timer_stop(struct loop_timer *t)
{
	list_remove(&t->link);
}

bool timer_is_set(const struct loop_timer *t)
{
	return !list_is_empty(&t->link);
}

int loop_new(struct loop **ret_loop)
{
	struct loop *l = ALLOC(struct loop);

	/* libssl writes to sockets without MSG_NOSIGNAL. */
	(void)signal(SIGPIPE, SIG_IGN);
	l->home.post = loop_post_task;
	(void)pthread_mutex_init(&l->lock, NULL);
	list_init(&l->tasks);
	list_init(&l->posts);
	list_init(&l->deferred);
	for (size_t i = 0; i < SLOTS; i++)
		list_init(&l->wheel[i]);
	l->armed_tick = INT64_MAX;
	l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	l->base = event_base_new();
	if (l->wake_fd < 0 || !l->base ||
		event_assign(&l->wake, l->base, l->wake_fd, EV_READ | EV_PERSIST, loop_on_wake, l) ||
		event_add(&l->wake, NULL) || evtimer_assign(&l->tick, l->base, loop_on_tick, l)) {
		loop_free(l);
		return err_fault(errno, "event loop");
	}
	*ret_loop = l;
	return 0;
}

void loop_run(struct loop *l)
{
	l->runner = pthread_self();
	atomic_store(&l->running, true);
	while (!atomic_load(&l->stopping)) {
		int flags = EVLOOP_ONCE | (list_is_empty(&l->deferred) ? 0 : EVLOOP_NONBLOCK);

		(void)event_base_loop(l->base, flags);
		loop_run_deferred(l);
	}
	atomic_store(&l->running, false);
	atomic_store(&l->stopping, false);
}

static void *loop_thread(void *arg)
{
	loop_run(arg);
	return NULL;
}

int loop_start(struct loop *l, const char *name)
{
	int error = pthread_create(&l->thread, NULL, loop_thread, l);

	if (error)
		return err_fault(error, "pthread_create");
	l->has_thread = true;
	(void)pthread_setname_np(l->thread, name);
	return 0;
}

void loop_stop(struct loop *l)
{
	atomic_store(&l->stopping, true);
	(void)pthread_mutex_lock(&l->lock);
	loop_signal(l);
	(void)pthread_mutex_unlock(&l->lock);
}

/* Before base was made, libevent must not be asked to forget the events. */
static void loop_free_events(struct loop *l)
{
	if (!l->base)
		return;
	if (event_initialized(&l->wake))
		(void)event_del(&l->wake);
	if (event_initialized(&l->tick))
		(void)event_del(&l->tick);
	event_base_free(l->base);
}

struct loop *loop_free(struct loop *l)
{
	if (!l)
		return NULL;
	if (l->has_thread) {
		loop_stop(l);
		(void)pthread_join(l->thread, NULL);
	}
	/* What runs may post or defer more. */
	while (!list_is_empty(&l->tasks) || !list_is_empty(&l->posts) ||
		!list_is_empty(&l->deferred)) {
		loop_run_posted(l);
		loop_run_deferred(l);
	}
	loop_free_events(l);
	if (l->wake_fd >= 0)
		(void)close(l->wake_fd);
	(void)pthread_mutex_destroy(&l->lock);
	free(l);
	return NULL;
}

struct task_home *loop_home(struct loop *l)
{
	return &l->home;
}

bool loop_is_here(const struct loop *l)
{
	return !atomic_load(&l->running) || pthread_equal(l->runner, pthread_self());
}

struct call {
	struct post post;
	void (*fn)(void *context);
	void *context;
	pthread_mutex_t lock;
	pthread_cond_t finished;
	bool is_done;
};

static void call_run(struct post *p)
{
	struct call *c = CONTAINER_OF(p, struct call, post);

	c->fn(c->context);
	(void)pthread_mutex_lock(&c->lock);
	c->is_done = true;
	(void)pthread_cond_signal(&c->finished);
	(void)pthread_mutex_unlock(&c->lock);
}

void loop_call(struct loop *l, void (*fn)(void *context), void *context)
{
	struct call c = { .post.run = call_run, .fn = fn, .context = context };

	if (loop_is_here(l)) {
		fn(context);
		return;
	}
	(void)pthread_mutex_init(&c.lock, NULL);
	(void)pthread_cond_init(&c.finished, NULL);
	loop_post(l, &c.post);
	(void)pthread_mutex_lock(&c.lock);
	while (!c.is_done)
		(void)pthread_cond_wait(&c.finished, &c.lock);
	(void)pthread_mutex_unlock(&c.lock);
	(void)pthread_cond_destroy(&c.finished);
	(void)pthread_mutex_destroy(&c.lock);
}

struct watch {
	struct event read;
	struct event write;
	void (*ready)(void *context, unsigned what);
	void *context;
	unsigned what;
};

static void watch_on_read(evutil_socket_t fd, short what, void *context)
{
	struct watch *w = context;

	(void)fd;
	(void)what;
	w->ready(w->context, WATCH_READ);
}

static void watch_on_write(evutil_socket_t fd, short what, void *context)
{
	struct watch *w = context;

	(void)fd;
	(void)what;
	w->ready(w->context, WATCH_WRITE);
}

struct watch *watch_new(struct loop *l, int fd, void (*ready)(void *context, unsigned what),
	void *context)
{
	struct watch *w = ALLOC(struct watch);

	w->ready = ready;
	w->context = context;
	/* These fail only for events that are pending already. */
	(void)event_assign(&w->read, l->base, fd, EV_READ | EV_PERSIST, watch_on_read, w);
	(void)event_assign(&w->write, l->base, fd, EV_WRITE | EV_PERSIST, watch_on_write, w);
	return w;
}

static int watch_switch(struct event *e, bool on)
{
	return on ? event_add(e, NULL) : event_del(e);
}

int watch_set(struct watch *w, unsigned what)
{
	unsigned change = w->what ^ what;

	if ((change & WATCH_READ) && watch_switch(&w->read, what & WATCH_READ))
		return err_fault(errno, "event_add");
	if ((change & WATCH_WRITE) && watch_switch(&w->write, what & WATCH_WRITE))
		return err_fault(errno, "event_add");
	w->what = what;
	return 0;
}

void watch_off(struct watch *w)
{
	(void)event_del(&w->read);
	(void)event_del(&w->write);
	w->what = 0;
}

struct watch *watch_free(struct watch *w)
{
	if (!w)
		return NULL;
	watch_off(w);
	free(w);
	return NULL;
}
