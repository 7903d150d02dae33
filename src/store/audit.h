/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The append-only record of what administrators did. */

#include "base/err.h"
#include "base/span.h"

struct store_conn;

/* Writes, in the same transaction as the act itself. */
int store_audit(struct store_conn *c, struct span actor, const char *action, struct span target,
	struct span detail) MUST_CHECK;

/* Reads, newest first, at most n. */
int store_audit_each(struct store_conn *c, size_t n,
	int (*each)(int64_t time_us, struct span actor, struct span action, struct span target,
		struct span detail, void *context),
	void *context) MUST_CHECK;
