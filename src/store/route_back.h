/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Routes (store/domain.h, store_route) looked at from their end: the names that a change is about, and
 * those whose mail may go elsewhere by it, since an alias leads on to them. More than that may be
 * among them, so where an address leads is looked up before the change and behind it.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"

struct store_conn;

struct route_name {
	struct span local;  /* with a detail or without; empty: whatever stands there */
	struct span domain; /* a name or an alias of one */
};

/* Zeroed memory is an empty set. */
struct route_names {
	struct arena arena;
	struct buf list; /* struct route_name, each once */

	/* Private. */
	struct map known;
};

void route_names_done(struct route_names *n);

/* Every address of a domain by this name, which may be one of ours, or begin or cease to be. */
void route_names_add_domain(struct route_names *n, struct span name);

/* An address of a domain of ours, by all of that domain's names. Reads. */
int route_names_add_address(struct route_names *n, struct store_conn *c, int64_t domain,
	struct span local) MUST_CHECK;

/* Who administers the server, or which domain is the main one: it is asked for postmaster only. Reads. */
int route_names_add_postmaster(struct route_names *n, struct store_conn *c) MUST_CHECK;

/* Then the aliases that lead to any of them, and those that lead to these. Reads. */
int route_names_follow(struct route_names *n, struct store_conn *c,
	const char *separators) MUST_CHECK;
