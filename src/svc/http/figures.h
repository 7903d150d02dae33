/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The names of the server's counters, for status and metrics. */

#include "svc/env.h"

#include <stdbool.h>

struct figure {
	const char *name; /* of the metric, without "signet_"; of the member in status */
	bool is_gauge;
	const char *help;
};

extern const struct figure figures[COUNTERS];

static inline unsigned long long figure_value(struct env *e, unsigned counter)
{
	return atomic_load_explicit(&e->counters[counter], memory_order_relaxed);
}
