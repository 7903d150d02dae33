/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * A hash map from octet strings to pointers. The hash is keyed at random for each process, so names
 * from the network cannot be chosen to collide. Keys are copied, values are the caller's. Not
 * locked. Zeroed memory is an empty map.
 */

#include "base/span.h"

struct map {
	struct map_entry **slots;
	size_t n_slots;
	size_t n;
};

/* The value, or NULL. */
void *map_get(const struct map *m, struct span key);

/* Stores the value (not NULL) and returns the one it replaced, or NULL. */
void *map_put(struct map *m, struct span key, void *value);

/* Removes and returns the value, or NULL. */
void *map_remove(struct map *m, struct span key);

/* Calls each(value, key, context) for all entries, in no order; the map may not change meanwhile. */
void map_each(const struct map *m, void (*each)(void *value, struct span key, void *context),
	void *context);

/* Empties the map; free_value (may be NULL) is called for each value. */
void map_done(struct map *m, void (*free_value)(void *value));

/* The hash by itself: 64 bits, keyed per process (SipHash-1-3). */
uint64_t map_hash(struct span key);
