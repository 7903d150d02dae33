/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The names of the server's counters, for status and metrics. */

#include "svc/env.h"

#include <stdbool.h>

struct figure {
	const char *name; /* of the metric, without "signet_"; of the member in status */
	const char *help;
};

extern const struct figure figures[COUNTERS];

struct conn_counters;

struct conn_figure {
	const char *member; /* in status */
	size_t offset;      /* in struct conn_counters */
	const char *name;   /* of the metric */
	bool is_gauge;
	const char *help;
};

extern const struct conn_figure conn_figures[];
extern const size_t n_conn_figures;

unsigned long long conn_figure_value(const struct conn_figure *f, const struct conn_counters *c);

static inline unsigned long long figure_value(struct env *e, unsigned counter)
{
	return atomic_load_explicit(&e->counters[counter], memory_order_relaxed);
}
