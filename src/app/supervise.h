/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The supervisor: starts the other processes, starts them again, ends them. */

#include "app/ports.h"
#include "app/privilege.h"

/* Runs until SIGTERM or SIGINT, or until the server refuses to start; returns the exit code. */
int supervise(const struct options *o, const struct privilege *privilege,
	const struct folders *folders, const struct bound *bound, size_t n_bound);
