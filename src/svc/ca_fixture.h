/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* For tests: authorities of example.org in an open env_fixture. Calls that fail end the test. */

#include "store/domain.h"
#include "svc/env_fixture.h"

/* The domain; what it points to lives in the arena. */
struct store_domain ca_fixture_domain(struct env_fixture *f, struct arena *a);

/* A new authority with a key of its own (alias) in keyd, valid for ten years, which issues from now on:
 * its id. name: of its subject. */
int64_t ca_fixture_authority(
	struct env_fixture *f, struct arena *a, const char *alias, const char *name);

/* Writes past the store's functions: what an earlier version left behind, or what makes a write fail. */
void ca_fixture_sql(struct env_fixture *f, const char *sql);
