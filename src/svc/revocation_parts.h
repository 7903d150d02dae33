/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Between the files of svc/revocation. */

#include "base/map.h"
#include "svc/errand.h"
#include "svc/revocation.h"

#include <pthread.h>

struct revocations {
	pthread_mutex_t loading; /* from reading the rows to the swap: a later reading swaps later */
	pthread_mutex_t lock;    /* over what follows */
	struct map domains;      /* struct revocation, by id; the server's lists are in each */
	struct revocation *server;
	struct buf version;      /* of the rows they were read from */
	struct map wanted;       /* int64_t, the domain, by it and URL: named by certificates */

	struct errand errand;
};

/* What the errand does. */
int revocation_run_due(struct env *e) MUST_CHECK;

/* Loads if another server, or another process of this one, has changed the rows. */
int revocation_load_changed(struct env *e) MUST_CHECK;
