/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Runners: tasks on env->blocking that take one order after the other while some are due, and end.
 * Two at most, so that a slow authority does not hold up all others, nor take all threads. What an
 * order comes to is written here: when it is tried again, who is told.
 */

#include "svc/acme.h"

#include "acme/renewal.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "mail/deliver.h"
#include "mail/notice.h"
#include "mail/renewal_notice.h"
#include "pki/cert.h"
#include "store/key_rows.h"
#include "store/settings.h"
#include "store/store.h"
#include "svc/acme_order.h"
#include "svc/env.h"

#include <pthread.h>
#include <stdlib.h>

enum { RUNNERS = 2, DUE_MAX = 16 };

static const int64_t tell_again_us = 24LL * 3600 * 1000000;

struct acme {
	struct env *env;
	atomic_bool stop;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned n_running;
	int64_t busy[RUNNERS]; /* domains: two orders of one would answer for the same names */
};

struct runner {
	struct task task;
	struct task_home home;
	struct acme *acme;
};

struct acme *acme_new(struct env *e)
{
	struct acme *a = ALLOC(struct acme);

	a->env = e;
	(void)pthread_mutex_init(&a->lock, NULL);
	(void)pthread_cond_init(&a->changed, NULL);
	return a;
}

struct acme *acme_free(struct acme *a)
{
	if (!a)
		return NULL;
	(void)pthread_mutex_lock(&a->lock);
	atomic_store(&a->stop, true);
	(void)pthread_cond_broadcast(&a->changed);
	while (a->n_running)
		(void)pthread_cond_wait(&a->changed, &a->lock);
	(void)pthread_mutex_unlock(&a->lock);
	(void)pthread_cond_destroy(&a->changed);
	(void)pthread_mutex_destroy(&a->lock);
	free(a);
	return NULL;
}

static bool work_sleep(struct acme_work *w, unsigned ms)
{
	struct acme *a = w->env->acme;
	int64_t due_ms = clock_monotonic_ms() + ms;
	struct timespec until = { .tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000 };
	bool stop;

	(void)pthread_mutex_lock(&a->lock);
	while (!atomic_load(&a->stop) && clock_monotonic_ms() < due_ms)
		(void)pthread_cond_clockwait(&a->changed, &a->lock, CLOCK_MONOTONIC, &until);
	stop = atomic_load(&a->stop);
	(void)pthread_mutex_unlock(&a->lock);
	return !stop;
}

/* A failure on its way into the store, and to postmaster. */
struct failure {
	struct acme_work *w;
	struct store_acme_account account;
	struct buf message;
	const char *separators;
	bool tell;
	int64_t now_us;
	int64_t not_after_us;
	size_t n_mailboxes;
};

static int match_cert(const struct store_cert *row, void *context)
{
	CLEANUP(cert_unrefp) struct cert *cert = NULL;
	struct failure *f = context;

	if (row->id == f->w->order.cert && cert_from_der(&cert, row->der, NULL) == 0)
		f->not_after_us = cert_not_after_us(cert);
	return 0;
}

static int look_up(struct store_conn *c, void *arg)
{
	struct failure *f = arg;
	struct acme_work *w = f->w;
	int r = store_acme_account_get(c, &w->arena, w->domain.id, true, &f->account);

	f->not_after_us = 0;
	if (r && r != STORE_E_NOT_FOUND)
		return err_fold(r);
	return store_cert_each(c, w->domain.id, match_cert, f);
}

static int compose(struct failure *f)
{
	struct acme_work *w = f->w;

	TRY(store_read(w->env->store, look_up, f));
	renewal_notice_compose(&(struct renewal_notice){ .hostname = span_str(w->env->hostname),
				       .domain = span_str(w->domain.name),
				       .unique = notice_unique(&w->arena),
				       .directory = f->account.directory,
				       .type = w->order.type,
				       .names = w->order.names,
				       .trouble = w->order.last_error,
				       .n_failures = w->order.failures,
				       .next_us = w->order.next_us,
				       .not_after_us = f->not_after_us,
				       .now_us = f->now_us },
		&f->message);
	return 0;
}

/* Noted and told in one transaction: once, or not at all. */
static int write_failure(struct store_conn *c, void *arg)
{
	struct failure *f = arg;
	struct notice notice = { .message = buf_span(&f->message),
		.to = { SPAN("postmaster"), span_str(f->w->domain.name) },
		.separators = f->separators, .now_us = f->now_us };
	int r = store_acme_order_save(c, &f->w->order);

	if (r || !f->tell)
		return r;
	TRY(deliver_notice(c, &notice, &f->n_mailboxes));
	return 0;
}

static void log_failure(const struct failure *f, const char *why)
{
	const struct acme_work *w = f->w;
	CLEANUP(buf_done) struct buf next = {};

	clock_add_rfc3339(&next, w->order.next_us);
	LOG(NULL, LOG_WARNING, "ACME", "order.failed", log_str("domain", w->domain.name),
		log_span("type", w->order.type), log_int("failures", w->order.failures),
		log_span("next", buf_span(&next)), log_int("mailboxes", (int64_t)f->n_mailboxes),
		log_str("why", why));
}

static int order_failed(struct acme_work *w, const char *why)
{
	CLEANUP(settings_unrefp) struct settings *settings = settings_get(w->env->store);
	struct failure f = { .w = w, .now_us = clock_now_us(),
		.separators = settings->subaddress_separators };
	uint64_t random;
	int r;

	random_fill(&random, sizeof random);
	w->order.failures++;
	w->order.last_error = span_str(why);
	w->order.next_us = renewal_retry(w->order.failures, w->retry_after_us, f.now_us, random);
	f.tell = w->order.told_us == 0 || f.now_us - w->order.told_us >= tell_again_us;
	if (f.tell) {
		w->order.told_us = f.now_us;
		TRY(compose(&f));
	}
	r = store_write(w->env->store, write_failure, &f);
	buf_done(&f.message);
	if (r == STORE_E_STALE)
		return 0;
	TRY(r);
	env_count(w->env, COUNT_ACME_FAILED);
	log_failure(&f, why);
	return 0;
}

/* A fault of ours is one of the order too: it is tried again, later. */
static int run_loaded(struct acme_work *w)
{
	struct why why = {};
	int r = acme_work_run(w, &why);

	/* What the end of the server interrupted is due as it was. */
	if (atomic_load(w->stop) || r == ACME_WORK_E_STALE)
		return 0;
	if (r < 0) {
		log_fault(NULL, "ACME", "order.run", r);
		why_set(&why, "something failed here; the log says more");
		r = ACME_WORK_E_FAILED;
	}
	if (r == ACME_WORK_E_LATER) {
		r = acme_work_save(w);
		return r == ACME_WORK_E_STALE ? 0 : r;
	}
	return r ? order_failed(w, why.text) : 0;
}

static int run_order(struct acme *a, int64_t id)
{
	struct acme_work w = { .env = a->env, .stop = &a->stop, .sleep = work_sleep };
	int r = acme_work_load(&w, id);

	if (!r)
		r = run_loaded(&w);
	acme_work_done(&w);
	return r == STORE_E_NOT_FOUND ? 0 : err_fold(r);
}

struct due {
	struct store_acme_due orders[DUE_MAX];
	size_t n;
};

static int look_up_due(struct store_conn *c, void *arg)
{
	struct due *d = arg;

	return store_acme_order_due(c, clock_now_us(), d->orders, DUE_MAX, &d->n);
}

static bool is_busy(const struct acme *a, int64_t domain)
{
	for (size_t i = 0; i < RUNNERS; i++) {
		if (a->busy[i] == domain)
			return true;
	}
	return false;
}

/* The next order of a domain that nobody works on, which is marked; id 0 if there is none. */
static struct store_acme_due claim(struct acme *a)
{
	struct store_acme_due order = {};
	struct due due = {};
	size_t slot = 0;
	int r = atomic_load(&a->stop) ? 0 : store_read(a->env->store, look_up_due, &due);

	if (r)
		log_fault(NULL, "ACME", "order.due", err_fold(r));
	(void)pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < due.n && !order.id; i++) {
		if (!is_busy(a, due.orders[i].domain))
			order = due.orders[i];
	}
	while (slot < RUNNERS - 1 && a->busy[slot])
		slot++;
	if (order.id)
		a->busy[slot] = order.domain;
	(void)pthread_mutex_unlock(&a->lock);
	return order;
}

static void release(struct acme *a, int64_t domain)
{
	(void)pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < RUNNERS; i++) {
		if (a->busy[i] == domain)
			a->busy[i] = 0;
	}
	(void)pthread_mutex_unlock(&a->lock);
}

static int runner_run(struct task *t, void *worker)
{
	struct acme *a = CONTAINER_OF(t, struct runner, task)->acme;
	struct store_acme_due order;
	int r = 0;

	(void)worker;
	/* After a fault of the store there is no use in going on at once. */
	while (!r && (order = claim(a), order.id)) {
		r = run_order(a, order.id);
		release(a, order.domain);
	}
	if (r)
		log_fault(NULL, "ACME", "order.run", r);
	return 0;
}

/* On whatever thread the task ended: nobody waits for its result. */
static void runner_post(struct task_home *home, struct task *t)
{
	struct runner *runner = CONTAINER_OF(home, struct runner, home);
	struct acme *a = runner->acme;

	(void)t;
	free(runner);
	(void)pthread_mutex_lock(&a->lock);
	a->n_running--;
	(void)pthread_cond_broadcast(&a->changed);
	(void)pthread_mutex_unlock(&a->lock);
}

void acme_wake(struct env *e)
{
	struct acme *a = e->acme;
	struct runner *runner;
	bool go;

	/* Where nothing runs by itself: tests of other parts. */
	if (!a)
		return;
	(void)pthread_mutex_lock(&a->lock);
	go = !atomic_load(&a->stop) && a->n_running < RUNNERS;
	a->n_running += go;
	(void)pthread_mutex_unlock(&a->lock);
	if (!go)
		return;
	runner = ALLOC(struct runner);
	runner->acme = a;
	runner->task.run = runner_run;
	runner->home.post = runner_post;
	task_start(e->blocking, &runner->home, &runner->task);
}

const char *acme_action_name(enum acme_action action)
{
	static const char *const names[] = {
		[ACME_ACTION_ORDER] = "order",
		[ACME_ACTION_CONTINUE] = "continue",
		[ACME_ACTION_RENEW] = "renew",
	};

	return names[action];
}

struct acme_plan acme_plan_of(const struct store_acme_order *order)
{
	static const enum acme_action actions[] = {
		[ACME_STATE_IDLE] = ACME_ACTION_RENEW,
		[ACME_STATE_WANTED] = ACME_ACTION_ORDER,
		[ACME_STATE_ORDERED] = ACME_ACTION_CONTINUE,
	};

	return (struct acme_plan){
		.action = actions[order->state],
		.at_us = order->state == ACME_STATE_IDLE ? order->renew_us : order->next_us,
		.n_failures = order->failures,
		.last_error = order->last_error,
	};
}

int acme_plan_of_cert(struct store_conn *c, struct arena *a, int64_t cert,
	struct acme_plan *ret_plan)
{
	struct store_acme_order order;
	int r = store_acme_order_of_cert(c, a, cert, &order);

	if (!r)
		*ret_plan = acme_plan_of(&order);
	return r;
}
