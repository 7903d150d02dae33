/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Work that waits for others and that nobody waits for: fetches that are due. One at a time of a kind,
 * on env->blocking. And when such work is to be done again.
 */

#include "base/task.h"

#include <stdint.h>

struct env;

struct errand {
	struct task task;
	atomic_bool is_busy;
	atomic_bool stop; /* it is time to end: looked at between steps, and by fetches */
	struct env *env;
	const char *event; /* for the log, should it fail */
	int (*run)(struct env *e);
};

void errand_init(struct errand *a, struct env *e, const char *event, int (*run)(struct env *e));

/* Starts it, unless it is under way. It must have ended before its memory goes: env->blocking ends
 * first. */
void errand_start(struct errand *a);

/* What is under way ends within about a second. */
void errand_stop(struct errand *a);

/* When what holds from one time until another is asked for again: when half of it is over, give or take
 * a tenth, so that not everybody asks at once; if that is past, before half of the rest is. */
int64_t errand_renewal_us(int64_t from_us, int64_t until_us, int64_t now_us);

/* After so many failures (at least one): five minutes, doubled each time up to six hours, and jitter. */
int64_t errand_retry_us(unsigned n_failures, int64_t now_us);
