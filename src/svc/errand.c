/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/errand.h"

#include "base/list.h"
#include "base/log.h"
#include "base/random.h"
#include "svc/env.h"

static const int64_t minute_us = 60LL * 1000000;

enum { RETRY_MINUTES = 5, RETRY_DOUBLED_MAX = 7, RETRY_MINUTES_MAX = 6 * 60 };

static int errand_run(struct task *t, void *worker)
{
	struct errand *a = CONTAINER_OF(t, struct errand, task);

	(void)worker;
	return a->run(a->env);
}

static void errand_done(struct task *t)
{
	struct errand *a = CONTAINER_OF(t, struct errand, task);

	if (t->result)
		log_fault(NULL, "CHORE", a->event, t->result);
}

/* The last touch: who sees this may free the memory only after the executor has ended. */
static void errand_drop(struct task *t)
{
	atomic_store(&CONTAINER_OF(t, struct errand, task)->is_busy, false);
}

void errand_init(struct errand *a, struct env *e, const char *event, int (*run)(struct env *e))
{
	*a = (struct errand){ .env = e, .event = event, .run = run };
}

void errand_start(struct errand *a)
{
	if (atomic_exchange(&a->is_busy, true))
		return;
	a->task = (struct task){ .run = errand_run, .done = errand_done, .drop = errand_drop };
	task_start(a->env->blocking, &task_home_here, &a->task);
}

void errand_stop(struct errand *a)
{
	atomic_store(&a->stop, true);
}

/* Between nine and eleven tenths. */
static int64_t jittered(int64_t span_us)
{
	return span_us / 10 * 9 + (int64_t)random_below((uint64_t)(span_us / 5 + 1));
}

int64_t errand_renewal_us(int64_t from_us, int64_t until_us, int64_t now_us)
{
	int64_t half_us = from_us + jittered((until_us - from_us) / 2);

	if (half_us > now_us)
		return half_us;
	return until_us > now_us + minute_us ? now_us + jittered((until_us - now_us) / 2) :
					       now_us + minute_us;
}

int64_t errand_retry_us(unsigned n_failures, int64_t now_us)
{
	unsigned doubled = n_failures <= RETRY_DOUBLED_MAX ? n_failures - 1 : RETRY_DOUBLED_MAX;
	int64_t minutes = (int64_t)RETRY_MINUTES << doubled;

	if (minutes > RETRY_MINUTES_MAX)
		minutes = RETRY_MINUTES_MAX;
	return now_us + jittered(minutes * minute_us);
}
