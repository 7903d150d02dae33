/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Inside svc/ca_*: what is kept in memory about authorities. */

#include "base/limit.h"
#include "base/map.h"
#include "svc/errand.h"

#include <pthread.h>

struct store_account;

enum {
	CA_SIGNATURES_A_SECOND = 50, /* of answers that were not kept */
	CA_SIGNATURES_BURST = 200,
	CA_ANSWERS_MAX = 4096,       /* that are kept */
};

struct ca {
	pthread_mutex_t lock; /* one list at a time is made because somebody asks */
	pthread_mutex_t answers_lock;
	struct map answers; /* struct ca_kept by what they say; ca_answer.c */
	struct bucket signatures;
	struct errand errand;
};

/* A message: the account has another certificate now. */
int ca_tell_renewed(struct env *e, const struct store_account *account, struct span address,
	struct span der) MUST_CHECK;

/* Whose certificate ends is told, 30, 14, 7 and 1 days before and when it is over. */
int ca_warn(struct env *e) MUST_CHECK;

/* Everything that is due: lists, renewals, warnings. */
int ca_tend(struct env *e) MUST_CHECK;
