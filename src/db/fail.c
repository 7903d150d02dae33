/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Failures on demand, for tests: a test asks for the nth call to fail and counts n up until nothing
 * fails any more, so every place that can go wrong has gone wrong once. One counter for all
 * connections of the process. Switched off it costs one relaxed load a call, so the tests run the
 * same code as the server.
 */

#include "db/fail.h"

#include "db/db.h"

#include <stdatomic.h>

static _Atomic uint64_t calls_left;
static atomic_int result_then;

void db_fail_at(uint64_t nth, int result)
{
	atomic_store(&result_then, result);
	atomic_store(&calls_left, nth);
}

int db_fail_next(void)
{
	uint64_t left = atomic_load_explicit(&calls_left, memory_order_relaxed);

	while (left > 0) {
		if (atomic_compare_exchange_weak(&calls_left, &left, left - 1))
			return left == 1 ? atomic_load(&result_then) : 0;
	}
	return 0;
}
