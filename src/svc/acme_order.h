/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * One order of a domain, driven as far as it goes now: ordered, proved, finalized, fetched, put to
 * use. After each step that a restart must not repeat its row is saved. For svc/acme.c only.
 */

#include "store/domain.h"
#include "svc/acme_client.h"

enum { ACME_ORDER_WAIT_MS = 120000 }; /* for an authority, at a time */

struct acme_work {
	struct env *env;
	const atomic_bool *stop;
	bool (*sleep)(struct acme_work *w, unsigned ms); /* false: the server ends */
	struct arena arena;

	/* As loaded. */
	struct store_domain domain;
	struct store_acme_order order;
	const struct span *names;
	size_t n_names;

	struct acme_client client;
	bool has_client;
	int64_t retry_after_us; /* of the server, 0: none */
};

/* Reads the order's row and what belongs to it. STORE_E_NOT_FOUND: it is gone. */
int acme_work_load(struct acme_work *w, int64_t id) MUST_CHECK;
void acme_work_done(struct acme_work *w);

/* 0: nothing is left to do before order.next_us. LATER: the authority wants time; order.next_us
 * says how much. FAILED: with why; what was begun stays begun if it makes sense to go on with it.
 * STALE: people want something else now. */
enum acme_work_outcome { ACME_WORK_E_LATER = 1, ACME_WORK_E_FAILED, ACME_WORK_E_STALE };
int acme_work_run(struct acme_work *w, struct why *why) MUST_CHECK;

/* Writes the order's row as it stands in w. ACME_WORK_E_STALE. */
int acme_work_save(struct acme_work *w) MUST_CHECK;
