/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Revocation lists as they are given out, kept in memory: anybody may fetch one as often as he likes, and
 * it may have megabytes, so a fetch neither reads nor parses nor copies it. Thread-safe.
 */

#include "base/err.h"
#include "base/span.h"

#include <stddef.h>
#include <stdint.h>

struct env;

/* Never changed, shared by count. */
struct ca_list {
	struct span der;
	int64_t authority, number;
	int64_t this_update_us, next_update_us;
};
struct ca_list *ca_list_ref(struct ca_list *l);
struct ca_list *ca_list_unref(struct ca_list *l);
CLEANUP_POINTER(struct ca_list, ca_list_unref)

/* Octets that are kept, of all lists; the largest list is given out whether it fits or not. */
enum { CA_LISTS_OCTETS = 64 << 20 };

struct ca_lists;
struct ca_lists *ca_lists_new(void);
struct ca_lists *ca_lists_free(struct ca_lists *all);

/* The authority's list of that number, if it is still the newest, else the newest: a reference. NONE:
 * there is none. Blocks. */
enum ca_lists_outcome { CA_LISTS_E_NONE = 1 };
int ca_lists_get(struct env *e, int64_t authority, int64_t number,
	struct ca_list **ret_list) MUST_CHECK;

/* How often a list was read from the database, for tests. */
uint64_t ca_lists_reads(const struct ca_lists *all);
