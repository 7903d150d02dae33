/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A thread that sleeps most of the time. Each chore is a row: how often, and what. A chore that
 * fails is logged and tried again the next time.
 */

#include "app/housekeeping.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/tls.h"
#include "store/content.h"
#include "store/store.h"
#include "svc/acme.h"
#include "svc/blobs.h"
#include "svc/ca_status.h"
#include "svc/domain_tls.h"
#include "svc/encryption.h"
#include "svc/env.h"
#include "svc/expiry.h"
#include "svc/revocation.h"
#include "svc/staple.h"
#include "svc/test_identity.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

enum { GRACE_US = 24 * 3600, TEST_RENEWAL_MS = TEST_RENEWAL_DAYS * 24 * 3600 * 1000 };

struct housekeeping {
	struct env *env;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t stop_cond;
	bool stop;
};

static int rotate_tickets(struct housekeeping *h)
{
	return tls_host_rotate(h->env->tls, clock_now_us());
}

static int sweep_some(struct store_conn *c, void *more)
{
	return store_content_sweep(c, clock_now_us(), (int64_t)GRACE_US * 1000000, more);
}

static bool is_stopped(struct housekeeping *h)
{
	bool stop;

	(void)pthread_mutex_lock(&h->lock);
	stop = h->stop;
	(void)pthread_mutex_unlock(&h->lock);
	return stop;
}

/* Bounded pieces, so that deliveries come in between, and the end: what is left is there the next
 * time. */
static int sweep_contents(struct housekeeping *h)
{
	bool more = true;

	while (more && !is_stopped(h))
		TRY(store_write(h->env->store, sweep_some, &more));
	return 0;
}

/* Uploads that nobody has sent, or whose sender has gone. */
static int erase_blobs(struct housekeeping *h)
{
	bool more = true;

	while (more && !is_stopped(h))
		TRY(blobs_erase_some(h->env, &more));
	return 0;
}

/* After many sessions have ended glibc keeps their memory; it gives back a part when asked. */
static int return_memory(struct housekeeping *h)
{
	(void)h;
	(void)malloc_trim(0);
	return 0;
}

static int warn_of_expiry(struct housekeeping *h)
{
	return expiry_check(h->env, clock_now_us());
}

static int renew_certificates(struct housekeeping *h)
{
	acme_wake(h->env);
	return 0;
}

static int tend_revocation(struct housekeeping *h)
{
	revocation_tend(h->env);
	return 0;
}

static int tend_staples(struct housekeeping *h)
{
	staple_tend(h->env);
	return 0;
}

static int tend_encryption(struct housekeeping *h)
{
	encryption_tend(h->env);
	return 0;
}

static int tend_authorities(struct housekeeping *h)
{
	ca_wake(h->env);
	return 0;
}

/* Long before it expires: a test that is forgotten should not end by itself. */
static int renew_test(struct housekeeping *h)
{
	TRY(domain_tls_renew_test(h->env));
	return domain_tls_rebuild(h->env);
}

static const struct chore {
	const char *name;
	int64_t first_ms; /* after the start; then each: */
	int64_t every_ms;
	int (*run)(struct housekeeping *h);
} chores[] = {
	{ "tickets", 3600 * 1000, 3600 * 1000, rotate_tickets },
	{ "sweep", 3600 * 1000, 3600 * 1000, sweep_contents },
	{ "blobs", 1000, 5 * 1000, erase_blobs },
	{ "memory", 60 * 1000, 60 * 1000, return_memory },
	{ "expiry", 1000, 3600 * 1000, warn_of_expiry },
	{ "acme", 1000, 60 * 1000, renew_certificates },
	{ "test_certificate", TEST_RENEWAL_MS, TEST_RENEWAL_MS, renew_test },
	{ "revocation", 2000, 60 * 1000, tend_revocation },
	{ "staples", 500, 2000, tend_staples },
	{ "encryption", 3000, 60 * 1000, tend_encryption },
	{ "authorities", 3000, 60 * 1000, tend_authorities },
};

enum { CHORES = sizeof chores / sizeof chores[0] };

static void run_due(struct housekeeping *h, int64_t next_ms[static CHORES])
{
	for (size_t i = 0; i < CHORES; i++) {
		int64_t now = clock_monotonic_ms();
		int r;

		if (now < next_ms[i])
			continue;
		next_ms[i] = now + chores[i].every_ms;
		r = chores[i].run(h);
		if (r)
			log_fault(NULL, "CHORE", chores[i].name, r);
	}
}

/* Until the next chore is due, at most; true when it is time to stop. */
static bool wait_due(struct housekeeping *h, const int64_t next_ms[static CHORES])
{
	int64_t due = next_ms[0];
	struct timespec until;
	bool stop;

	for (size_t i = 1; i < CHORES; i++) {
		if (next_ms[i] < due)
			due = next_ms[i];
	}
	until = (struct timespec){ .tv_sec = due / 1000, .tv_nsec = due % 1000 * 1000000 };
	(void)pthread_mutex_lock(&h->lock);
	while (!h->stop && clock_monotonic_ms() < due)
		(void)pthread_cond_clockwait(&h->stop_cond, &h->lock, CLOCK_MONOTONIC, &until);
	stop = h->stop;
	(void)pthread_mutex_unlock(&h->lock);
	return stop;
}

static void *housekeeping_thread(void *arg)
{
	struct housekeeping *h = arg;
	int64_t next_ms[CHORES];

	(void)pthread_setname_np(pthread_self(), "housekeeping");
	for (size_t i = 0; i < CHORES; i++)
		next_ms[i] = clock_monotonic_ms() + chores[i].first_ms;
	while (!wait_due(h, next_ms))
		run_due(h, next_ms);
	return NULL;
}

int housekeeping_start(struct housekeeping **ret_housekeeping, struct env *e)
{
	struct housekeeping *h = ALLOC(struct housekeeping);
	int error;

	h->env = e;
	(void)pthread_mutex_init(&h->lock, NULL);
	(void)pthread_cond_init(&h->stop_cond, NULL);
	error = pthread_create(&h->thread, NULL, housekeeping_thread, h);
	if (error) {
		free(h);
		return err_fault(error, "pthread_create");
	}
	*ret_housekeeping = h;
	return 0;
}

struct housekeeping *housekeeping_stop(struct housekeeping *h)
{
	if (!h)
		return NULL;
	(void)pthread_mutex_lock(&h->lock);
	h->stop = true;
	(void)pthread_cond_signal(&h->stop_cond);
	(void)pthread_mutex_unlock(&h->lock);
	(void)pthread_join(h->thread, NULL);
	(void)pthread_cond_destroy(&h->stop_cond);
	(void)pthread_mutex_destroy(&h->lock);
	free(h);
	return NULL;
}
