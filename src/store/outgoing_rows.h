/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Rules for TLS of our own connections to other servers, as rows. Octets in, octets out:
 * svc/outgoing_rules.h knows what they mean.
 */

#include "base/arena.h"
#include "base/err.h"

struct store_conn;

/* Empty: as the next wider pattern says. */
struct store_outgoing {
	struct span pattern; /* lower-case */
	struct span tls;
	struct span oldest;
	struct span identity;
	int64_t domain;    /* whose certificates; 0: nobody's, or the domain is gone */
	struct span alias; /* of one certificate; empty: those in use */
};

enum { STORE_OUTGOING_MAX = 10000 };

/* Reads, by pattern. Spans are valid during each(). */
int store_outgoing_each(struct store_conn *c,
	int (*each)(const struct store_outgoing *row, void *context), void *context) MUST_CHECK;

/* Reads. Strings live in the arena. STORE_E_NOT_FOUND. */
int store_outgoing_get(struct store_conn *c, struct arena *a, struct span pattern,
	struct store_outgoing *ret_row) MUST_CHECK;

/* Reads: whether a rule names that certificate of the domain. */
int store_outgoing_names(struct store_conn *c, int64_t domain, struct span alias,
	bool *ret_named) MUST_CHECK;

/* Writes: instead of the one with that pattern, if there is one. STORE_E_LIMIT. */
int store_outgoing_set(struct store_conn *c, const struct store_outgoing *row) MUST_CHECK;

/* Writes. STORE_E_NOT_FOUND. */
int store_outgoing_remove(struct store_conn *c, struct span pattern) MUST_CHECK;
